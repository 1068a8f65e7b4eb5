//! Devices in quarantine: list, let in, forget.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::api::device_view::{DeviceDetail, DeviceView};
use crate::api::devices::DevicePath;
use crate::api::extract::{JsonBody, PathArgs, QueryArgs};
use crate::api::merge;
use crate::api::page::{Limit, Page};
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::online;
use crate::service::claims::quarantine::{self as service, AcceptFields};
use crate::service::devices;
use crate::store::devices::Device;

/// A page of devices in quarantine.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QuarantinePage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// List devices in quarantine
///
/// Those that came and are expected by nobody, in order of their ids; `quarantine_reason` says why each
/// waits.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine",
    tag = "claims",
    params(QuarantinePage),
    responses((status = 200, description = "A page of devices", body = Page<DeviceView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_quarantine(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<QuarantinePage>,
) -> Result<Json<Page<DeviceView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::knocked(&app, &ctx, query.after, limit.rows()).await?;
    let since = online::since(&app.config, ctx.now);
    let cursor = |d: &Device| d.device_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, |d| DeviceView::of(d, since))))
}

/// Forget a device in quarantine
///
/// Should it come again, it is a new one. Refused for a device that is in.
#[utoipa::path(
    delete,
    path = "/api/v1/quarantine/{device_id}",
    tag = "claims",
    params(DevicePath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn forget_quarantined(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<StatusCode, Problem> {
    service::forget(&app, &ctx, &path.device_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a device in
///
/// Claims a device in quarantine by its serial number and gives it that claim. What is absent is as an
/// open claim for it says, if there is one. It is told what it is to be when it comes next. A device
/// that is in already is given the open claim by its MAC address, if there is one.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/accept",
    tag = "claims",
    params(DevicePath),
    request_body = AcceptFields,
    responses((status = 200, description = "The device as it is now", body = DeviceDetail), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn accept_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DeviceDetail>, Problem> {
    let fields: AcceptFields = merge::apply(json!({}), body)?;
    let device = service::accept(&app, &ctx, &path.device_id, fields).await?;
    // By its id: who accepts a device must be able to see where it came to stand.
    let detail = devices::detail(&app, &ctx, &device.device_id.to_string()).await?;
    Ok(Json(DeviceDetail::of(detail, online::since(&app.config, ctx.now))))
}
