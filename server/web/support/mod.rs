//! The support view: one page about a customer's device, for who has that customer on the line, also
//! on a phone.
//!
//! Owns how it is told, in words that customers know too. What is shown and what can be done is
//! `service::support`'s; the page offers only what that lets. A password is shown by `wifi::reveal`
//! and nowhere else.
//!
//! - `find`: which device. `now`: how it is, and `words` for it.
//! - `wifi`, with its form in `edit`, and `actions`: what can be done.

mod actions;
mod edit;
mod find;
mod now;
mod wifi;
mod words;

use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::now::{Apart, Now};
use super::failure::Failure;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::service::support::{self as service, View};

/// All pages of the support view, and what they do.
pub(super) fn routes(routes: Routes) -> Routes {
    let support = Access::Needs(Right::Support);
    routes
        .on(support, Method::GET, "/support", get(find::page))
        .on(support, Method::GET, "/support/{id}", get(page))
        .on(support, Method::GET, "/support/{id}/now", get(fragment))
        .on(support, Method::POST, "/support/{id}/wifi", post(wifi::set))
        .on(support, Method::POST, "/support/{id}/reveal", post(wifi::reveal))
        .on(support, Method::GET, "/support/{id}/reboot", get(actions::reboot_page))
        .on(support, Method::POST, "/support/{id}/reboot", post(actions::reboot))
        .on(support, Method::POST, "/support/{id}/ping", post(actions::ping))
        .on(support, Method::POST, "/support/{id}/look", post(actions::look))
}

#[derive(Serialize)]
struct SupportPage {
    shell: Shell,
    now: Now,
}

#[derive(Serialize)]
struct NowFragment {
    now: Now,
}

/// Which network's form is open.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PageQuery {
    edit: String,
}

/// `GET /support/{id}`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Failure> {
    let view = service::view(&app, viewer.ctx(), &id).await?;
    let apart = Apart::editing(&view, &query.edit);
    shown(&app, &viewer, &view, apart, StatusCode::OK)
}

/// `GET /support/{id}/now`: all of the page that changes.
async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Failure> {
    let view = service::view(&app, viewer.ctx(), &id).await?;
    let now = Now::new(&view, Apart::editing(&view, &query.edit), viewer.ctx().now);
    Ok(views::render(views::View::SupportNow, &NowFragment { now })?.into_response())
}

/// The page, with what of one network is apart from the usual.
fn shown(
    app: &App,
    viewer: &Viewer,
    view: &View,
    apart: Apart,
    status: StatusCode,
) -> Result<Response, Failure> {
    let page = SupportPage {
        shell: Shell::new(viewer, &app.config, view.name.clone(), Section::Support),
        now: Now::new(view, apart, viewer.ctx().now),
    };
    Ok((status, views::render(views::View::Support, &page)?).into_response())
}

/// The page of a device, or a part of it.
fn address(device_id: Uuid, end: &str) -> String {
    format!("/support/{device_id}{end}")
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
