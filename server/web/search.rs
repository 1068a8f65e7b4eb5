//! Finding by name: devices by how their serial number or identity begins, sites and groups by any
//! part of their names. What else can be asked is a selector, in the list of devices.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::devices::model;
use super::failure::Failure;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::devices::Asked;
use crate::service::{devices, groups, sites};
use crate::store::devices::{Device, Filter};
use crate::store::groups::Group;
use crate::store::sites::Site;

/// Of each kind.
const MOST: usize = 8;
/// Sites and groups among which names are looked for: both are few, and all are looked at.
const NAMES: i64 = 5_000;
/// Characters from which on devices are found by how they begin: fewer say too little, and every
/// device would have to be looked at.
const LEAST: usize = 3;
const LONGEST: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SearchQuery {
    q: String,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Hit {
    title: String,
    detail: String,
    href: String,
}

#[derive(Serialize)]
struct SearchPage<'a> {
    shell: Shell,
    q: &'a str,
    hits: Vec<Hit>,
}

/// `GET /search.json`: for the search box and the command palette.
pub(super) async fn json(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<SearchQuery>,
) -> Result<Json<Vec<Hit>>, Failure> {
    Ok(Json(find(&app, viewer.ctx(), query.q.trim()).await?))
}

/// `GET /search`: the same as a page; straight to what is the only one.
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Failure> {
    let q = query.q.trim();
    let hits = find(&app, viewer.ctx(), q).await?;
    if let [only] = &hits[..] {
        return Ok(Redirect::to(&only.href).into_response());
    }
    let shell = Shell::new(&viewer, &app.config, "Search", Section::None);
    Ok(views::render(View::Search, &SearchPage { shell, q, hits })?.into_response())
}

async fn find(app: &App, ctx: &Ctx, q: &str) -> Result<Vec<Hit>, Error> {
    if q.is_empty() || q.chars().count() > LONGEST || !ctx.may(Right::Read) {
        return Ok(Vec::new());
    }
    let mut hits: Vec<Hit> = found_devices(app, ctx, q).await?.iter().map(device_hit).collect();
    let sites = sites::list(app, ctx, None, None, NAMES).await?;
    hits.extend(
        sites
            .iter()
            .filter(|s| has(q, [s.path.as_str(), s.name.as_str()]))
            .take(MOST)
            .map(site_hit),
    );
    let groups = groups::list(app, ctx, None, NAMES).await?;
    hits.extend(groups.iter().filter(|g| has(q, [g.name.as_str()])).take(MOST).map(group_hit));
    Ok(hits)
}

/// The devices with exactly this serial number, by its index; where there is none, those whose
/// serial number or identity begins so.
async fn found_devices(app: &App, ctx: &Ctx, q: &str) -> Result<Vec<Device>, Error> {
    let limit = i64::try_from(MOST).expect("a small number");
    let filter = Filter { serial: Some(q.to_owned()), ..Filter::default() };
    let exact = Asked { filter, limit, ..Asked::default() };
    let found = devices::list(app, ctx, &exact).await?;
    let begins = selector(q).filter(|_| found.is_empty());
    let Some(selector) = begins else { return Ok(found) };
    let asked = Asked { selector: Some(selector), limit, ..Asked::default() };
    devices::list(app, ctx, &asked).await
}

/// What finds devices by how they begin; `None` = too little is said.
fn selector(q: &str) -> Option<String> {
    // In a pattern these would mean something, and a quote would end it.
    let plain: String = q.chars().filter(|c| !matches!(c, '"' | '\'' | '\\' | '*' | '?')).collect();
    let enough = plain.trim().chars().count() >= LEAST;
    enough.then(|| format!("serial ~ \"{plain}*\" or identity ~ \"{plain}*\""))
}

/// Whether a part of one of these names is what was typed, in either case.
fn has<const N: usize>(q: &str, names: [&str; N]) -> bool {
    let q = q.to_lowercase();
    names.iter().any(|name| name.to_lowercase().contains(&q))
}

fn device_hit(device: &Device) -> Hit {
    let mut detail = model(device);
    for more in [&device.identity, &device.site].into_iter().flatten() {
        detail.push_str(" · ");
        detail.push_str(more);
    }
    Hit { title: device.serial.clone(), detail, href: format!("/devices/{}", device.device_id) }
}

fn site_hit(site: &Site) -> Hit {
    let detail = format!("site {}", site.path);
    Hit { title: site.name.clone(), detail, href: format!("/sites/{}", site.site_id) }
}

fn group_hit(group: &Group) -> Hit {
    let href = format!("/groups/{}", group.group_id);
    Hit { title: group.name.clone(), detail: "group".to_owned(), href }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let hit = || Hit {
        title: "<x-evil>".to_owned(),
        detail: "<x-evil>".to_owned(),
        href: "/devices/1".to_owned(),
    };
    let page = |hits| SearchPage { shell: Shell::sample(), q: "<x-evil>", hits };
    vec![
        views::sample(View::Search, &page(vec![hit(), hit()])),
        views::sample(View::Search, &page(Vec::new())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::selector::parse;

    #[test]
    fn what_is_typed_is_a_selector_that_can_be_read() {
        for q in ["HGF09", "tower 7", "a\"b' or online *", "x) or (y", "Rīga"] {
            let text = selector(q);
            assert!(text.as_ref().is_some_and(|text| parse(text, &|_| None).is_ok()), "{text:?}");
        }
        assert_eq!(selector("HGF*").as_deref(), Some("serial ~ \"HGF*\" or identity ~ \"HGF*\""));
        for q in ["", "ab", "***", "\"'\\"] {
            assert_eq!(selector(q), None, "{q}");
        }
    }

    #[test]
    fn names_are_found_by_any_part_in_either_case() {
        assert!(has("RIG", ["eu.lv.riga", "Latvia"]));
        assert!(has("latv", ["eu.lv.riga", "Latvia"]));
        assert!(!has("ee", ["eu.lv.riga", "Latvia"]));
    }
}
