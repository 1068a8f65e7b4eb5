//! Devices: list, count, look up, remove, let enrol again, wake.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::device_view::{DeviceDetail, DeviceView};
use super::export::{self, Format};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::job_view::JobView;
use super::jobs::{self, Placed};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::online;
use crate::service::devices::{self as service, Asked};
use crate::store::devices::{Device, Filter};

/// A device in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DevicePath {
    /// Id of the device, or `serial:` and its serial number where only one device has it.
    pub device_id: String,
}

/// What narrows the list of devices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeviceFilter {
    /// Exact serial number.
    serial: Option<String>,
    /// Exact ProductClass.
    product_class: Option<String>,
    /// Exact software version.
    software_version: Option<String>,
    /// Whether the device informed within three periodic inform intervals.
    online: Option<bool>,
    /// A selector, such as `model ~ "hAP*" and not online`; alone, without the filters above.
    q: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
    /// `json` gives a page; `csv` and `ndjson` give all rows that match as one stream, for which
    /// `limit` says nothing. What `Accept` says when absent.
    #[param(inline)]
    format: Option<Format>,
}

impl DeviceFilter {
    /// What is asked for: a selector says all that the other filters could.
    fn asked(self, limit: Limit, online_since: DateTime<Utc>) -> Result<Asked, Error> {
        let others = self.serial.is_some()
            || self.product_class.is_some()
            || self.software_version.is_some()
            || self.online.is_some();
        if self.q.is_some() && others {
            let why = "q stands alone: write the other filters into it, such as `serial = X`";
            return Err(Error::invalid("/q", why));
        }
        let filter = Filter {
            serial: self.serial,
            product_class: self.product_class,
            software_version: self.software_version,
            informed_since: (self.online == Some(true)).then_some(online_since),
            silent_since: (self.online == Some(false)).then_some(online_since),
        };
        Ok(Asked { selector: self.q, filter, after: self.after, limit: limit.rows() })
    }
}

/// List devices
///
/// In order of their ids.
#[utoipa::path(
    get,
    path = "/api/v1/devices",
    tag = "devices",
    params(DeviceFilter),
    responses(
        (status = 200, description = "A page of devices; as CSV or NDJSON all of them", content(
            (Page<DeviceView> = "application/json"),
            (String = "text/csv"),
            (String = "application/x-ndjson")
        )),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_devices(
    ctx: Ctx,
    State(app): State<Shared>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<DeviceFilter>,
) -> Result<Response, Problem> {
    let format = Format::of(query.format, &headers);
    let limit = Limit::new(query.limit)?;
    let since = online::since(&app.config, ctx.now);
    let asked = query.asked(limit, since)?;
    if format != Format::Json {
        return export::devices(app, ctx, asked, since, format).await;
    }
    let rows = service::list(&app, &ctx, &asked).await?;
    let cursor = |d: &Device| d.device_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, |d| DeviceView::of(d, since))).into_response())
}

/// What is counted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CountQuery {
    /// A selector; all devices when absent.
    q: Option<String>,
}

/// How many devices there are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceCount {
    /// Devices that match.
    count: i64,
}

/// Count devices
///
/// Of those that the caller may see. A bulk job wants to be told as `expected` how many of them the
/// caller may operate: the same number, unless the two rights end at different sites.
#[utoipa::path(
    get,
    path = "/api/v1/devices/count",
    tag = "devices",
    params(CountQuery),
    responses((status = 200, description = "Their number", body = DeviceCount), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn count_devices(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<CountQuery>,
) -> Result<Json<DeviceCount>, Problem> {
    let count = service::count(&app, &ctx, query.q.as_deref()).await?;
    Ok(Json(DeviceCount { count }))
}

/// Get a device
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}",
    tag = "devices",
    params(DevicePath),
    responses((status = 200, description = "The device", body = DeviceDetail), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<DeviceDetail>, Problem> {
    let detail = service::detail(&app, &ctx, &path.device_id).await?;
    Ok(Json(DeviceDetail::of(detail, online::since(&app.config, ctx.now))))
}

/// Remove a device
///
/// With its parameters, credentials, jobs, events and files. If it informs again it is a new device
/// and must enrol.
#[utoipa::path(
    delete,
    path = "/api/v1/devices/{device_id}",
    tag = "devices",
    params(DevicePath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn delete_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, &path.device_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For how long a device may enrol again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowEnrolment {
    /// 1 to 168 hours from now.
    hours: u32,
}

/// Until when a device may enrol again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolmentAllowed {
    /// The end; earlier once the device has enrolled.
    until: DateTime<Utc>,
}

/// Let a device enrol again
///
/// For a device that lost its own credential, as by a factory reset: until then it may come with the
/// enrolment credential, and gets a new one of its own.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/allow-enrolment",
    tag = "devices",
    params(DevicePath),
    request_body = AllowEnrolment,
    responses((status = 200, description = "It may", body = EnrolmentAllowed), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn allow_enrolment(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<AllowEnrolment>,
) -> Result<Json<EnrolmentAllowed>, Problem> {
    let until = service::allow_enrolment(&app, &ctx, &path.device_id, body.hours).await?;
    Ok(Json(EnrolmentAllowed { until }))
}

/// Wake a device
///
/// Makes a job of the kind `connection_request`, or gives the open one.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/wake",
    tag = "devices",
    params(DevicePath),
    responses(
        (status = 201, description = "The new job", body = JobView),
        (status = 200, description = "The job that is open already", body = JobView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn wake_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Placed, Problem> {
    Ok(jobs::placed(service::wake(&app, &ctx, &path.device_id).await?))
}
