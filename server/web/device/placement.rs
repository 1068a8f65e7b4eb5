//! Where a device stands, its tags, and with which others it goes together.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Head, Link, address, operate, shell};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::placement::Placement;
use crate::service::{devices, sites};
use crate::store::uplinks::Ties;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Sites that are offered; the path of any other can be typed.
const OFFERED: i64 = 1_000;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Placed {
    /// Empty = none.
    site: String,
    tags: String,
    /// A serial number or an id; empty = none.
    uplink: String,
    /// Empty = none.
    redundancy: String,
}

#[derive(Serialize)]
struct PlacementPage {
    shell: Shell,
    head: Head,
    site: String,
    tags: String,
    uplink: String,
    redundancy: String,
    offered: Vec<Offered>,
    errors: Complaints,
}

#[derive(Debug, Clone, Serialize)]
struct Offered {
    path: String,
    name: String,
}

/// `GET /devices/{id}/placement`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, &id, None, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    id: &str,
    typed: Option<Placed>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let (device, head) = operate(app, viewer, id).await?;
    let typed = match typed {
        Some(typed) => typed,
        None => {
            let ties = devices::detail(app, viewer.ctx(), id).await?.ties;
            Placed {
                site: device.site.clone().unwrap_or_default(),
                tags: device.tags.join(" "),
                uplink: uplink(app, viewer.ctx(), &ties).await?.label,
                redundancy: ties.redundancy.unwrap_or_default(),
            }
        }
    };
    let known = sites::list(app, viewer.ctx(), None, None, OFFERED).await?;
    let offered = known.into_iter().map(|site| Offered { path: site.path, name: site.name });
    let wrong = errors != Complaints::default();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = PlacementPage {
        shell: shell(app, viewer, &head, "site, tags and uplink"),
        head,
        site: typed.site,
        tags: typed.tags,
        uplink: typed.uplink,
        redundancy: typed.redundancy,
        offered: offered.collect(),
        errors,
    };
    Ok((status, render(View::DevicePlacement, &page)?).into_response())
}

/// What the uplink of a device is called, and its page: its serial number; its id, and no page, where
/// the viewer does not see it. Nothing at all where none is known.
pub(super) async fn uplink(app: &App, ctx: &Ctx, ties: &Ties) -> Result<Link, Error> {
    let Some(id) = ties.uplink else {
        return Ok(Link { label: String::new(), href: String::new() });
    };
    let names = devices::names(app, ctx, &[id]).await?;
    Ok(match names.get(&id) {
        Some(name) => Link { label: name.serial.clone(), href: address(id, "") },
        None => Link { label: id.to_string(), href: String::new() },
    })
}

/// `POST /devices/{id}/placement`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Placed>,
) -> Result<Response, Failure> {
    let ties = devices::detail(&app, viewer.ctx(), &id).await?.ties;
    let same = uplink(&app, viewer.ctx(), &ties).await?.label == sent.uplink.trim();
    let (site, tags) = (said(&sent.site), tags(&sent.tags));
    let (named, redundancy) = (named(&sent.uplink), said(&sent.redundancy));
    let change = |current: Placement| {
        // One that stays is not looked for: others may have its serial number, too, or it is not seen.
        let uplink = if same { current.uplink } else { named };
        Ok(Placement { site, tags, uplink, redundancy })
    };
    let placed = devices::place(&app, viewer.ctx(), &id, change);
    match placed.await {
        Ok(device) => {
            let home = address(device.device_id, "");
            Ok(flash::to(&home, Flash::done("It is saved.")))
        }
        Err(error) => {
            let fields = ["site", "tags", "uplink", "redundancy"];
            let errors = Complaints::of(at_the_site(error, &sent.site), &fields)?;
            shown(&app, &viewer, &id, Some(sent), errors).await
        }
    }
}

/// A site in which one may not put devices is a wrong one.
fn at_the_site(error: Error, site: &str) -> Error {
    match error {
        Error::Denied(why) if !site.trim().is_empty() => Error::invalid("/site", why),
        other => other,
    }
}

fn said(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What was typed of an uplink, as `service::devices` has it.
fn named(text: &str) -> Option<String> {
    let text = said(text)?;
    let is_name = text.starts_with("serial:") || Uuid::try_parse(&text).is_ok();
    Some(if is_name { text } else { format!("serial:{text}") })
}

/// Tags, between blanks or commas.
fn tags(text: &str) -> Vec<String> {
    let tags = text.split(|c: char| c.is_whitespace() || c == ',');
    tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let offered = Offered { path: "eu.lv".to_owned(), name: "<x-evil>".to_owned() };
    let page = PlacementPage {
        shell: Shell::sample(),
        head: Head::sample(),
        site: "<x-evil>".to_owned(),
        tags: "<x-evil>".to_owned(),
        uplink: "<x-evil>".to_owned(),
        redundancy: "<x-evil>".to_owned(),
        offered: vec![offered],
        errors: Complaints::field("site", "<x-evil>"),
    };
    vec![crate::web::views::sample(View::DevicePlacement, &page)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_typed_as_people_type_lists() {
        assert_eq!(tags(" pilot, ap-5.2\tvip,,"), ["pilot", "ap-5.2", "vip"]);
        assert!(tags(" , ").is_empty());
        assert_eq!(said("  "), None);
        assert_eq!(said(" eu.lv "), Some("eu.lv".to_owned()));
    }

    #[test]
    fn an_uplink_is_said_by_its_number_or_its_id() {
        let id = Uuid::from_u128(7).to_string();
        for (typed, meant) in [
            (" TOWER7 ", "serial:TOWER7"),
            ("serial:TOWER7", "serial:TOWER7"),
            (id.as_str(), id.as_str()),
        ] {
            assert_eq!(named(typed).as_deref(), Some(meant));
        }
        assert_eq!(named(" "), None);
    }
}
