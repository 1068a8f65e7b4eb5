//! Devices: list, count, look up, remove, let enrol again, wake.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::device_view::{ConnectionRequestView, DeviceDetail, DeviceView};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::job_view::JobView;
use super::jobs::{self, Placed};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::{group, online};
use crate::jobs::queue::Order;
use crate::jobs::spec::JobSpec;
use crate::store::devices::{self as store, Device, Filter};
use crate::store::{artifacts, connection_requests, credentials, events, selector};

/// Longest time for which enrolment can be opened to a device, in hours.
const MAX_ENROLMENT_HOURS: u32 = 168;

/// A device in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DevicePath {
    /// Id of the device, or `serial:` and its serial number where only one device has it.
    pub device_id: String,
}

impl DevicePath {
    /// The device.
    pub(super) async fn load(&self, pool: &PgPool) -> Result<Device, Error> {
        let device_id = resolve(pool, &self.device_id).await?;
        store::get(pool, device_id).await?.ok_or_else(|| unknown(&self.device_id))
    }
}

/// The id that a device is named by; an id itself is not looked up.
pub(super) async fn resolve(pool: &PgPool, name: &str) -> Result<Uuid, Error> {
    let Some(serial) = name.strip_prefix("serial:") else {
        return Uuid::try_parse(name).map_err(|_| unknown(name));
    };
    match store::by_serial(pool, serial).await?.as_slice() {
        [device_id] => Ok(*device_id),
        [] => Err(unknown(name)),
        several => {
            let ids: Vec<String> = several.iter().map(Uuid::to_string).collect();
            Err(Error::Conflict(format!("several devices have it: {}", ids.join(", "))))
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::NotFound(format!("no device {name}"))
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
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

impl DeviceFilter {
    /// The selector, which says all that the other filters could.
    fn selector(&self) -> Result<Option<&str>, Error> {
        let others = self.serial.is_some()
            || self.product_class.is_some()
            || self.software_version.is_some()
            || self.online.is_some();
        if self.q.is_some() && others {
            let why = "q stands alone: write the other filters into it, such as `serial = X`";
            return Err(Error::invalid("/q", why));
        }
        Ok(self.q.as_deref())
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
    responses((status = 200, description = "A page of devices", body = Page<DeviceView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_devices(
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<DeviceFilter>,
) -> Result<Json<Page<DeviceView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let now = clock::now();
    let since = online::since(&app.config, now);
    let cursor = |d: &Device| d.device_id.to_string();
    if let Some(text) = query.selector()? {
        let expr = group::read(&app.pool, text, "/q").await?;
        let rows = selector::list(&app.pool, &expr, query.after, limit.rows(), now, since).await?;
        return Ok(Json(Page::of(rows, limit, cursor, |d| DeviceView::of(d, since))));
    }
    let filter = Filter {
        serial: query.serial,
        product_class: query.product_class,
        software_version: query.software_version,
        informed_since: (query.online == Some(true)).then_some(since),
        silent_since: (query.online == Some(false)).then_some(since),
    };
    let rows = store::list(&app.pool, &filter, query.after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, cursor, |d| DeviceView::of(d, since))))
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
/// What a bulk job wants to be told as `expected`.
#[utoipa::path(
    get,
    path = "/api/v1/devices/count",
    tag = "devices",
    params(CountQuery),
    responses((status = 200, description = "Their number", body = DeviceCount), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn count_devices(
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<CountQuery>,
) -> Result<Json<DeviceCount>, Problem> {
    caller.require(Scope::Read)?;
    let now = clock::now();
    let since = online::since(&app.config, now);
    let count = match query.q {
        Some(text) => {
            let expr = group::read(&app.pool, &text, "/q").await?;
            selector::count(&app.pool, &expr, now, since).await?
        }
        None => store::counts(&app.pool, since).await?.0,
    };
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<DeviceDetail>, Problem> {
    caller.require(Scope::Read)?;
    let device = path.load(&app.pool).await?;
    Ok(Json(detail(&app, device).await?))
}

/// The device as its own page shows it.
pub(super) async fn detail(app: &App, mut device: Device) -> Result<DeviceDetail, Error> {
    let request = connection_requests::get(&app.pool, device.device_id).await?;
    Ok(DeviceDetail {
        methods: device.methods.take(),
        connection_request: request.map(ConnectionRequestView::of),
        device: DeviceView::of(device, online::since(&app.config, clock::now())),
    })
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Admin)?;
    let device_id = path.load(&app.pool).await?.device_id;
    let files = files_of(&app, device_id).await?;
    let mut tx = app.pool.begin().await?;
    store::delete(&mut tx, device_id).await?;
    tx.commit().await?;
    tracing::info!(device.id = %device_id, by = caller.name, "device removed");
    // The records are gone: a file that stays behind is lost space, not a failed request.
    for file in files {
        if let Err(error) = app.files.delete(file).await {
            tracing::warn!(artifact.id = %file, cause = %error.private(), "a file stays behind");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn files_of(app: &App, device_id: Uuid) -> Result<Vec<Uuid>, Error> {
    let mut ids: Vec<Uuid> = Vec::new();
    loop {
        let before = ids.last().copied();
        let page = artifacts::list_of_device(&app.pool, device_id, before, 1_000).await?;
        if page.is_empty() {
            return Ok(ids);
        }
        ids.extend(page.into_iter().map(|file| file.artifact_id));
    }
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<AllowEnrolment>,
) -> Result<Json<EnrolmentAllowed>, Problem> {
    caller.require(Scope::Operate)?;
    if !(1..=MAX_ENROLMENT_HOURS).contains(&body.hours) {
        return Err(Error::invalid("/hours", format!("1 to {MAX_ENROLMENT_HOURS}")).into());
    }
    let device_id = path.load(&app.pool).await?.device_id;
    let now = clock::now();
    let until = now + TimeDelta::hours(i64::from(body.hours));
    let mut tx = app.pool.begin().await?;
    if !credentials::allow_enrolment(&mut tx, device_id, until, now).await? {
        let why = "the device has no credential of its own: it may enrol at any time";
        return Err(Error::Conflict(why.to_owned()).into());
    }
    let detail = json!({ "by": caller.name, "until": until });
    events::append(&mut tx, device_id, "enrolment.allowed", None, &detail, now).await?;
    tx.commit().await?;
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Placed, Problem> {
    caller.require(Scope::Operate)?;
    let device_id = resolve(&app.pool, &path.device_id).await?;
    let order = Order {
        created_by: caller.name,
        wake: true,
        ..Order::own(device_id, JobSpec::ConnectionRequest, "wake")
    };
    Ok(jobs::place(&app, order).await?)
}
