//! Which device: a single field, and those of lately.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::address;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::online;
use crate::service::support as service;
use crate::store::devices::Device;
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindQuery {
    q: String,
}

#[derive(Serialize)]
pub(super) struct FindPage {
    pub(super) shell: Shell,
    pub(super) q: String,
    pub(super) errors: Complaints,
    /// Of what was asked for, or of lately.
    pub(super) rows: Vec<Row>,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) href: String,
    pub(super) serial: String,
    pub(super) online: bool,
    pub(super) last_inform: When,
    pub(super) model: String,
    pub(super) place: String,
}

/// `GET /support`: straight to what is the only one.
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<FindQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let q = query.q.trim().to_owned();
    let found = match q.is_empty() {
        true => service::recent(&app, ctx).await,
        false => service::search(&app, ctx, &q).await,
    };
    let (devices, errors) = match found {
        Ok(devices) => (devices, Complaints::default()),
        Err(error @ Error::Invalid { .. }) => (Vec::new(), Complaints::of(error, &["q"])?),
        Err(other) => return Err(other.into()),
    };
    if let ([only], false) = (&devices[..], q.is_empty()) {
        return Ok(Redirect::to(&address(only.device_id, "")).into_response());
    }
    let since = online::since(&app.config, ctx.now);
    let row = |device: &Device| Row {
        href: address(device.device_id, ""),
        serial: device.serial.clone(),
        online: device.last_inform >= since,
        last_inform: When::new(device.last_inform, ctx.now),
        model: device.product_class.clone(),
        place: device.site.clone().unwrap_or_default(),
    };
    let wrong = errors != Complaints::default();
    let page = FindPage {
        shell: Shell::new(&viewer, &app.config, "Support", Section::Support),
        rows: devices.iter().map(row).collect(),
        q,
        errors,
    };
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, views::render(views::View::SupportFind, &page)?).into_response())
}
