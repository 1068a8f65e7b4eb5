//! One job on all devices that a selector finds, if they are as many as the caller has seen.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::extract::JsonBody;
use super::job_request::JobRequest;
use super::problem::Problem;
use super::{jobs, merge};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::selector::Expr;
use crate::fleet::{group, online};
use crate::jobs::bulk::{self, MAX_DEVICES, Stopped};
use crate::jobs::queue;
use crate::store::selector;

/// A job for many devices.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkRequest {
    /// Which devices.
    selector: String,
    /// What each of them is to do, as for a single one but without `wake`.
    #[schema(value_type = JobRequest)]
    job: Value,
    /// How many devices the caller saw match, 1 to 10000. Where it is another number now, nothing is
    /// done.
    expected: usize,
    /// Whether the devices are woken for it; true when absent.
    wake: Option<bool>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkResult {
    /// Devices that got the job.
    created: u64,
    /// Devices that did not: they have an open job with this idempotency key already, too many open
    /// jobs, or were removed meanwhile.
    skipped: u64,
}

/// Order a job on many devices
///
/// On every device that the selector finds, if and only if they are as many as `expected`; 409 names
/// the real number otherwise. The devices get their jobs in batches: with an idempotency key, an
/// order that was interrupted can be sent again.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/bulk",
    tag = "jobs",
    params((
        "Idempotency-Key" = Option<String>,
        Header,
        description = "Same as `idempotency_key` of the job: of each device"
    )),
    request_body = BulkRequest,
    responses((status = 200, description = "It is done", body = BulkResult), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_bulk_job(
    caller: Caller,
    State(app): State<Shared>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<BulkResult>, Problem> {
    caller.require(Scope::Operate)?;
    let bulk: BulkRequest = merge::apply(json!({}), body)?;
    let request = job(bulk.job, bulk.wake, jobs::header_key(&headers)?)?;
    queue::check_artifact(&app.pool, &request.spec).await.map_err(in_job)?;
    let expr = group::read(&app.pool, &bulk.selector, "/selector").await?;
    let devices = found(&app, &expr, bulk.expected).await?;
    let count = devices.len();
    tracing::info!(devices = count, kind = request.spec.kind(), by = caller.name, "bulk job");
    let order = jobs::order(request, Uuid::nil(), caller.name);
    // A task of its own: a caller who goes away must not leave the half of it undone.
    let work = tokio::spawn(async move {
        let made = bulk::create(&app.pool, &app.keys, &devices, &order, clock::now()).await;
        app.wake_hint.notify_one();
        made
    });
    let made = work.await.map_err(|e| Error::Internal(e.to_string()))?;
    let made = made.map_err(|stopped| interrupted(stopped, count))?;
    Ok(Json(BulkResult { created: made.created, skipped: made.skipped }))
}

/// The devices, if they are as many as expected. One statement finds them, so that those counted are
/// those that get the job.
async fn found(app: &App, expr: &Expr, expected: usize) -> Result<Vec<Uuid>, Error> {
    if !(1..=MAX_DEVICES).contains(&expected) {
        return Err(Error::invalid("/expected", format!("1 to {MAX_DEVICES} devices")));
    }
    let now = clock::now();
    let since = online::since(&app.config, now);
    let limit = i64::try_from(MAX_DEVICES + 1).expect("a small number");
    let devices = selector::ids(&app.pool, expr, None, limit, now, since).await?;
    if devices.len() == expected {
        return Ok(devices);
    }
    let count = match devices.len() {
        more if more > MAX_DEVICES => selector::count(&app.pool, expr, now, since).await?,
        few => i64::try_from(few).expect("a small number"),
    };
    Err(Error::Conflict(format!("{count} devices match, not {expected}: nothing was done")))
}

/// The job of the request, with the pointers of its faults into the whole body.
fn job(body: Value, wake: Option<bool>, key: Option<&str>) -> Result<JobRequest, Error> {
    let mut request = JobRequest::parse(body, key).map_err(in_job)?;
    request.spec.validate().map_err(in_job)?;
    if request.wake.is_some() {
        return Err(Error::invalid("/job/wake", "stands beside `job`, for all devices"));
    }
    request.wake = wake;
    Ok(request)
}

fn in_job(error: Error) -> Error {
    match error {
        Error::Invalid { pointer, message } => Error::invalid(format!("/job{pointer}"), message),
        other => other,
    }
}

fn interrupted(stopped: Stopped, count: usize) -> Problem {
    let Stopped { made, error } = stopped;
    let mut problem = Problem::from(in_job(error));
    if made != bulk::Made::default() {
        problem.detail = format!(
            "{}; of {count} devices {} had got the job and {} had been skipped",
            problem.detail, made.created, made.skipped
        );
    }
    problem
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::jobs::bulk::Made;

    #[test]
    fn faults_of_the_job_are_pointed_at_in_the_whole_body() {
        let place = |body: Value| match job(body, None, None).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        };
        assert_eq!(place(json!({ "kind": "get", "names": [] })), "/job/names");
        assert_eq!(place(json!({ "kind": "reboot", "wake": false })), "/job/wake");
        assert_eq!(place(json!({ "kind": "reboot", "wkae": false })), "/job/wkae");
        assert_eq!(place(json!("reboot")), "/job");
        let request = job(json!({ "kind": "reboot" }), Some(false), Some("k")).unwrap();
        assert_eq!((request.wake, request.idempotency_key.as_deref()), (Some(false), Some("k")));
    }

    #[test]
    fn an_interrupted_order_says_how_far_it_came() {
        let stopped = |created, skipped| Stopped {
            made: Made { created, skipped },
            error: Error::Database(sqlx::Error::PoolTimedOut),
        };
        let problem = interrupted(stopped(40, 1), 100);
        assert_eq!(problem.status, 503);
        assert!(problem.detail.contains("of 100 devices 40 had got the job and 1"), "{problem:?}");
        assert_eq!(interrupted(stopped(0, 0), 100).detail, "the database is not available");
    }
}
