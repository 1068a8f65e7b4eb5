//! Jobs: order, list, look up, cancel.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::job_request::JobRequest;
use super::job_view::JobView;
use super::ndjson::{self, Form};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::jobs::{self as service, JobTime};
use crate::store::jobs::Job;

/// 201 with a new job, or 200 with the one that is open already, and where it is.
pub(super) type Placed = (StatusCode, [(HeaderName, String); 1], Json<JobView>);

/// The answer to an order: the job, and whether it is new.
pub(super) fn placed((job, made): (Job, bool)) -> Placed {
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.job_id))];
    (status, location, Json(JobView::of(job)))
}

/// Order a job
///
/// A device's jobs run one after the other, in the order in which they were made. With an
/// idempotency key, in the body or the header, asking again while the job is open gives that job.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/jobs",
    tag = "jobs",
    params(DevicePath),
    request_body = JobRequest,
    responses(
        (status = 201, description = "The new job", body = JobView),
        (status = 200, description = "The open job with the same key", body = JobView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_job(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Placed, Problem> {
    let request = JobRequest::parse(body)?;
    Ok(placed(service::create(&app, &ctx, &path.device_id, request.into()).await?))
}

/// What narrows the list of jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobFilter {
    /// Id of a device, or `serial:` and its serial number.
    device_id: Option<String>,
    /// queued, running, waiting, done, failed, cancelled or expired; several with commas between.
    state: Option<String>,
    /// Such as `download`.
    kind: Option<String>,
    /// Which time `since` and `until` mean: when a job was `created`, as when absent, or when it
    /// `finished`, which open jobs have not.
    #[param(inline)]
    time: Option<JobTime>,
    /// At or after this time.
    since: Option<DateTime<Utc>>,
    /// Before this time.
    until: Option<DateTime<Utc>>,
    /// Of each device only the newest job that all of this finds.
    newest: Option<bool>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
    /// `json` gives a page; `ndjson` gives all that match as one stream, for which `limit` says
    /// nothing. What `Accept` says when absent.
    #[param(inline)]
    format: Option<Form>,
}

/// List jobs
///
/// Newest first: a page as JSON, or all of them as NDJSON.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "jobs",
    params(JobFilter),
    responses(
        (status = 200, description = "A page of jobs; as NDJSON all of them", content(
            (Page<JobView> = "application/json"),
            (String = "application/x-ndjson")
        )),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_jobs(
    ctx: Ctx,
    State(app): State<Shared>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<JobFilter>,
) -> Result<Response, Problem> {
    let form = Form::of(query.format, &headers);
    let limit = Limit::new(query.limit)?;
    let filter = service::JobFilter {
        device: query.device_id,
        state: query.state,
        kind: query.kind,
        time: query.time.unwrap_or_default(),
        since: query.since,
        until: query.until,
        newest: query.newest.unwrap_or_default(),
        before: query.before,
        limit: limit.rows(),
    };
    if form == Form::Ndjson {
        let begin = filter.before;
        let read = move |before: Option<Uuid>| {
            let (app, ctx) = (app.clone(), ctx.clone());
            let filter = service::JobFilter { before, limit: ndjson::PAGE, ..filter.clone() };
            async move { service::list(&app, &ctx, &filter).await }
        };
        return ndjson::all("jobs", read, begin, |job: &Job| job.job_id, JobView::of).await;
    }
    let rows = service::list(&app, &ctx, &filter).await?;
    let cursor = |job: &Job| job.job_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, JobView::of)).into_response())
}

/// A job in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct JobPath {
    /// Id of the job; a CommandKey is one, too.
    pub job_id: Uuid,
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
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<JobPath>,
) -> Result<Json<JobView>, Problem> {
    Ok(Json(JobView::of(service::get(&app, &ctx, path.job_id).await?)))
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
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<JobPath>,
) -> Result<Json<JobView>, Problem> {
    Ok(Json(JobView::of(service::cancel(&app, &ctx, path.job_id).await?)))
}
