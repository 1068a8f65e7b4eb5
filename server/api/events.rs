//! What happened to a device.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::devices::DevicePath;
use super::extract::{PathArgs, QueryArgs};
use super::ndjson::{self, Form};
use super::page::{Limit, Page, moment, moment_of};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::devices;
use crate::store::events::Event;

/// A page of events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
    /// `json` gives a page; `ndjson` gives all of them as one stream, for which `limit` says nothing.
    /// What `Accept` says when absent.
    #[param(inline)]
    format: Option<Form>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// When.
    at: DateTime<Utc>,
    /// Which.
    event_id: Uuid,
    /// Such as `boot` or `job.done`.
    kind: String,
    /// The job it belongs to.
    job_id: Option<Uuid>,
    /// Words and numbers, by kind; secrets are `********`.
    detail: Value,
}

impl EventView {
    pub(super) fn of(e: Event) -> Self {
        Self { at: e.at, event_id: e.event_id, kind: e.kind, job_id: e.job_id, detail: e.detail }
    }
}

/// List a device's events
///
/// Newest first: a page as JSON, or all of them as NDJSON.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/events",
    tag = "devices",
    params(DevicePath, EventPage),
    responses(
        (status = 200, description = "A page of events; as NDJSON all of them", content(
            (Page<EventView> = "application/json"),
            (String = "application/x-ndjson")
        )),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_events(
    ctx: Ctx,
    State(app): State<Shared>,
    headers: HeaderMap,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<EventPage>,
) -> Result<Response, Problem> {
    let form = Form::of(query.format, &headers);
    let limit = Limit::new(query.limit)?;
    let before = query.before.as_deref().map(moment_of).transpose()?;
    if form == Form::Ndjson {
        let read = move |before: Option<(DateTime<Utc>, Uuid)>| {
            let (app, ctx, name) = (app.clone(), ctx.clone(), path.device_id.clone());
            async move { devices::events(&app, &ctx, &name, before, ndjson::PAGE).await }
        };
        let place = |e: &Event| (e.at, e.event_id);
        return ndjson::all("events", read, before, place, EventView::of).await;
    }
    let rows = devices::events(&app, &ctx, &path.device_id, before, limit.rows()).await?;
    let page = Page::of(rows, limit, |e| moment(e.at, e.event_id), EventView::of);
    Ok(Json(page).into_response())
}
