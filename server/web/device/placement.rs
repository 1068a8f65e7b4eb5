//! Where a device stands, and its tags.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Head, address, operate, shell};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::placement::Placement;
use crate::service::{devices, sites};
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
}

#[derive(Serialize)]
struct PlacementPage {
    shell: Shell,
    head: Head,
    site: String,
    tags: String,
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
    let typed = typed.unwrap_or_else(|| Placed {
        site: device.site.clone().unwrap_or_default(),
        tags: device.tags.join(" "),
    });
    let known = sites::list(app, viewer.ctx(), None, None, OFFERED).await?;
    let offered = known.into_iter().map(|site| Offered { path: site.path, name: site.name });
    let wrong = errors != Complaints::default();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = PlacementPage {
        shell: shell(app, viewer, &head, "site and tags"),
        head,
        site: typed.site,
        tags: typed.tags,
        offered: offered.collect(),
        errors,
    };
    Ok((status, render(View::DevicePlacement, &page)?).into_response())
}

/// `POST /devices/{id}/placement`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Placed>,
) -> Result<Response, Failure> {
    let (site, tags) = (site(&sent.site), tags(&sent.tags));
    let placed = devices::place(&app, viewer.ctx(), &id, |_| Ok(Placement { site, tags }));
    match placed.await {
        Ok(device) => {
            let home = address(device.device_id, "");
            Ok(flash::to(&home, Flash::done("Its site and tags are saved.")))
        }
        Err(error) => {
            let errors = Complaints::of(at_the_site(error, &sent.site), &["site", "tags"])?;
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

fn site(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|site| !site.is_empty())
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
        assert_eq!(site("  "), None);
        assert_eq!(site(" eu.lv "), Some("eu.lv".to_owned()));
    }
}
