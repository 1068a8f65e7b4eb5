//! Jobs: order, list, look up, cancel.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::devices::{self, DevicePath};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::job_request::JobRequest;
use super::job_view::JobView;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::jobs::queue::{self, Order};
use crate::store::jobs::{self as store, Job};

const STATES: [&str; 7] =
    ["queued", "running", "waiting", "done", "failed", "cancelled", "expired"];

/// 201 with a new job, or 200 with the one that is open already, and where it is.
pub(super) type Placed = (StatusCode, [(HeaderName, String); 1], Json<JobView>);

/// Makes a job, or finds the open one with the same idempotency key.
pub(super) async fn place(app: &App, order: Order) -> Result<Placed, Error> {
    queue::check_artifact(&app.pool, &order.spec).await?;
    let kind = order.spec.kind();
    let mut tx = app.pool.begin().await?;
    let (job, made) = queue::create(&mut tx, &app.keys, order, clock::now()).await?;
    if job.kind != kind {
        let why = format!("the idempotency key is that of an open job of the kind {}", job.kind);
        return Err(Error::Conflict(why));
    }
    tx.commit().await?;
    app.wake_hint.notify_one();
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.job_id))];
    Ok((status, location, Json(JobView::of(job))))
}

/// Order a job
///
/// A device's jobs run one after the other, in the order in which they were made. With an
/// idempotency key, in the body or the header, asking again while the job is open gives that job.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/jobs",
    tag = "jobs",
    params(
        DevicePath,
        ("Idempotency-Key" = Option<String>, Header, description = "Same as `idempotency_key`")
    ),
    request_body = JobRequest,
    responses(
        (status = 201, description = "The new job", body = JobView),
        (status = 200, description = "The open job with the same key", body = JobView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_job(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Result<Placed, Problem> {
    caller.require(Scope::Operate)?;
    let request = JobRequest::parse(body, header_key(&headers)?)?;
    request.spec.validate()?;
    let device_id = devices::resolve(&app.pool, &path.device_id).await?;
    Ok(place(&app, order(request, device_id, caller.name)).await?)
}

/// The `Idempotency-Key` of a request's head.
pub(super) fn header_key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let key = headers.get("idempotency-key").map(|value| value.to_str()).transpose();
    key.map_err(|_| Error::invalid("", "Idempotency-Key is not printable ASCII"))
}

/// What is to be made of a request.
pub(super) fn order(request: JobRequest, device_id: Uuid, created_by: String) -> Order {
    Order {
        device_id,
        spec: request.spec,
        not_before: request.not_before,
        expires_at: request.expires_at,
        idempotency_key: request.idempotency_key,
        created_by,
        wake: request.wake.unwrap_or(true),
        own: false,
    }
}

/// What narrows the list of jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobFilter {
    /// Id of a device, or `serial:` and its serial number.
    device_id: Option<String>,
    /// queued, running, waiting, done, failed, cancelled or expired.
    state: Option<String>,
    /// Such as `download`.
    kind: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
}

/// List jobs
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "jobs",
    params(JobFilter),
    responses((status = 200, description = "A page of jobs", body = Page<JobView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_jobs(
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<JobFilter>,
) -> Result<Json<Page<JobView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let (state, kind) = (query.state.as_deref(), query.kind.as_deref());
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(Error::invalid("", format!("state is one of {}", STATES.join(", "))).into());
    }
    let device_id = match &query.device_id {
        Some(name) => Some(devices::resolve(&app.pool, name).await?),
        None => None,
    };
    let rows = store::list(&app.pool, device_id, state, kind, query.before, limit.rows()).await?;
    let cursor = |job: &Job| job.job_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, JobView::of)))
}

/// A job in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct JobPath {
    /// Id of the job; a CommandKey is one, too.
    job_id: Uuid,
}

impl JobPath {
    async fn load(&self, app: &App) -> Result<Job, Error> {
        let unknown = || Error::NotFound(format!("no job {}", self.job_id));
        store::get(&app.pool, self.job_id).await?.ok_or_else(unknown)
    }
}

/// Get a job
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The job", body = JobView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_job(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<JobPath>,
) -> Result<Json<JobView>, Problem> {
    caller.require(Scope::Read)?;
    Ok(Json(JobView::of(path.load(&app).await?)))
}

/// Cancel a job
///
/// One that is queued or waits for the device's report; one that a session runs at this moment is
/// refused with 409. What a device has accepted is not taken back by it.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job_id}/cancel",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The cancelled job", body = JobView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn cancel_job(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<JobPath>,
) -> Result<Json<JobView>, Problem> {
    caller.require(Scope::Operate)?;
    let device_id = path.load(&app).await?.device_id;
    let mut tx = app.pool.begin().await?;
    let job = queue::cancel(&mut tx, device_id, path.job_id, &caller.name, clock::now()).await?;
    tx.commit().await?;
    Ok(Json(JobView::of(job)))
}
