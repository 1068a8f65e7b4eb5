//! One job on all devices that a selector finds, if they are as many as the caller has seen.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::extract::JsonBody;
use super::job_request::JobRequest;
use super::merge;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::jobs::bulk::{Made, Stopped};
use crate::service::jobs::{self as service, NewOrder, in_job};

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
    /// done. Only those count that the caller may operate.
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
/// On every device that the selector finds where the caller may operate, if and only if they are as
/// many as `expected`; 409 names the real number otherwise. The devices get their jobs in batches:
/// with an idempotency key, an order that was interrupted can be sent again.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/bulk",
    tag = "jobs",
    request_body = BulkRequest,
    responses((status = 200, description = "It is done", body = BulkResult), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_bulk_job(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<BulkResult>, Problem> {
    let bulk: BulkRequest = merge::apply(json!({}), body)?;
    let order = job(bulk.job, bulk.wake)?;
    let made = service::bulk(&app, &ctx, &bulk.selector, order, bulk.expected).await;
    let made = made.map_err(|stopped| interrupted(stopped, bulk.expected))?;
    Ok(Json(BulkResult { created: made.created, skipped: made.skipped }))
}

/// The job of the request, with the pointers of its faults into the whole body.
fn job(body: Value, wake: Option<bool>) -> Result<NewOrder, Error> {
    let request = JobRequest::parse(body).map_err(in_job)?;
    if request.wake.is_some() {
        return Err(Error::invalid("/job/wake", "stands beside `job`, for all devices"));
    }
    Ok(NewOrder { wake, ..request.into() })
}

fn interrupted(stopped: Stopped, count: usize) -> Problem {
    let Stopped { made, error } = stopped;
    let mut problem = Problem::from(error);
    if made != Made::default() {
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

    #[test]
    fn faults_of_the_job_are_pointed_at_in_the_whole_body() {
        let place = |body: Value| match job(body, None).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        };
        assert_eq!(place(json!({ "kind": "reboot", "not_before": "noon" })), "/job/not_before");
        assert_eq!(place(json!({ "kind": "reboot", "wake": false })), "/job/wake");
        assert_eq!(place(json!({ "kind": "reboot", "wkae": false })), "/job/wkae");
        assert_eq!(place(json!("reboot")), "/job");
        let order = job(json!({ "kind": "reboot", "idempotency_key": "k" }), Some(false)).unwrap();
        assert_eq!((order.wake, order.idempotency_key.as_deref()), (Some(false), Some("k")));
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
