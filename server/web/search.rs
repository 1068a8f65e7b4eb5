//! Finding by name: devices by how their serial number or identity begins, sites and groups by any
//! part of their names. What else can be asked is a selector, in the list of devices. Who has customers
//! on the line, and reads nothing else, finds their devices.

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
use crate::service::completion::{self as service, Found};
use crate::service::support;
use crate::store::completion::Named;
use crate::store::devices::Device;

/// Of each kind.
const MOST: usize = 8;
/// Characters of what is typed; whatever has a longer name is found by its beginning.
const LONGEST: usize = 100;

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
    if q.is_empty() || q.chars().count() > LONGEST {
        return Ok(Vec::new());
    }
    if ctx.may(Right::Read) {
        let limit = i64::try_from(MOST).expect("a small number");
        return Ok(hits(&service::find(app, ctx, q, limit).await?));
    }
    if ctx.may(Right::Support) {
        let found = support::search(app, ctx, q).await?;
        return Ok(found.iter().take(MOST).map(customer_hit).collect());
    }
    Ok(Vec::new())
}

fn hits(found: &Found) -> Vec<Hit> {
    let mut hits: Vec<Hit> = found.devices.iter().map(device_hit).collect();
    hits.extend(found.sites.iter().map(site_hit));
    hits.extend(found.groups.iter().map(group_hit));
    hits
}

fn device_hit(device: &Device) -> Hit {
    let mut detail = model(device);
    for more in [&device.identity, &device.site].into_iter().flatten() {
        detail.push_str(" · ");
        detail.push_str(more);
    }
    Hit { title: device.serial.clone(), detail, href: format!("/devices/{}", device.device_id) }
}

/// A device, to who has its customer on the line: of it they are told no more than where they look
/// for one by hand.
fn customer_hit(device: &Device) -> Hit {
    let mut detail = device.product_class.clone();
    if let Some(site) = &device.site {
        detail.push_str(" · ");
        detail.push_str(site);
    }
    Hit { title: device.serial.clone(), detail, href: format!("/support/{}", device.device_id) }
}

fn site_hit(site: &Named) -> Hit {
    let path = site.path.as_deref().unwrap_or_default();
    let detail = format!("site {path}");
    Hit { title: site.name.clone(), detail, href: format!("/sites/{}", site.id) }
}

fn group_hit(group: &Named) -> Hit {
    let href = format!("/groups/{}", group.id);
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
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_found_leads_to_its_page() {
        let named = |path: Option<&str>| Named {
            id: Uuid::nil(),
            name: "Riga".to_owned(),
            path: path.map(str::to_owned),
        };
        let sites = vec![named(Some("eu.lv.riga"))];
        let found = Found { devices: Vec::new(), sites, groups: vec![named(None)] };
        let hits = hits(&found);
        let told: Vec<_> = hits.iter().map(|h| (h.detail.as_str(), h.href.as_str())).collect();
        let (site, group) = (format!("/sites/{}", Uuid::nil()), format!("/groups/{}", Uuid::nil()));
        assert_eq!(told, [("site eu.lv.riga", site.as_str()), ("group", group.as_str())]);
    }
}
