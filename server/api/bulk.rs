//! One thing done to many devices, if they are as many as the caller has seen: a job on each of
//! them, or a change of what is noted of them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::JsonBody;
use super::job_request::JobRequest;
use super::merge;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::jobs::bulk::{Made, Stopped};
use crate::service::devices::{self, Change, Changed, Skipped, Which};
use crate::service::jobs::{self, NewOrder, in_job};

/// A job for many devices: those of a selector, or those of a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkRequest {
    /// Which devices.
    selector: Option<String>,
    /// Which devices, in place of the selector; their number is `expected`.
    #[schema(min_items = 1, max_items = 1000)]
    device_ids: Option<Vec<Uuid>>,
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
    /// jobs, were removed meanwhile, or are not the caller's to operate.
    skipped: u64,
}

/// Order a job on many devices
///
/// On every device that the selector finds where the caller may operate, if and only if they are as
/// many as `expected`; 409 names the real number otherwise. Or on those of `device_ids`, of which the
/// caller's are taken. The devices get their jobs in batches: with an idempotency key, an order that
/// was interrupted can be sent again.
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
    let which = which(bulk.selector, bulk.device_ids)?;
    let made = jobs::bulk(&app, &ctx, &which, order, bulk.expected).await;
    let made = made.map_err(|stopped| interrupted(stopped, bulk.expected))?;
    Ok(Json(BulkResult { created: made.created, skipped: made.skipped }))
}

/// A change of many devices: those of a selector, or those of a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRequest {
    /// Which devices.
    selector: Option<String>,
    /// Which devices, in place of the selector; their number is `expected`.
    #[schema(min_items = 1, max_items = 1000)]
    device_ids: Option<Vec<Uuid>>,
    /// What is changed.
    change: Change,
    /// How many devices the caller saw match, 1 to 10000. Where it is another number now, nothing is
    /// done. Only those count that the caller may operate.
    expected: usize,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeResult {
    /// Devices that were changed.
    changed: u64,
    /// Devices that were so already.
    unchanged: u64,
    /// Devices that could not be changed: they have too many tags, were removed meanwhile, or are not
    /// the caller's to operate.
    skipped: u64,
    /// Why not, of the first 20 of them.
    reasons: Vec<Skipped>,
}

/// Change many devices
///
/// Their tags, their site, or their membership of a group that is by list: of every device that the
/// selector finds where the caller may operate, if and only if they are as many as `expected`; 409
/// names the real number otherwise. Or of those of `device_ids`, of which the caller's are taken. They
/// are changed in batches; a change that was interrupted can be sent again.
#[utoipa::path(
    post,
    path = "/api/v1/devices/bulk",
    tag = "devices",
    request_body = ChangeRequest,
    responses((status = 200, description = "It is done", body = ChangeResult), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_devices(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<ChangeResult>, Problem> {
    let bulk: ChangeRequest = merge::apply(json!({}), body)?;
    let which = which(bulk.selector, bulk.device_ids)?;
    let done = devices::change_many(&app, &ctx, &which, bulk.change, bulk.expected).await?;
    let Changed { changed, unchanged, skipped, reasons, stopped } = done;
    if let Some(error) = stopped {
        let mut problem = Problem::from(error);
        problem.detail = format!(
            "{}; of {} devices {changed} had been changed, {unchanged} were so already and \
             {skipped} had been skipped",
            problem.detail, bulk.expected
        );
        return Err(problem);
    }
    Ok(Json(ChangeResult { changed, unchanged, skipped, reasons }))
}

/// The devices of a request.
pub(super) fn which(
    selector: Option<String>,
    device_ids: Option<Vec<Uuid>>,
) -> Result<Which, Error> {
    match (selector, device_ids) {
        (Some(selector), None) => Ok(Which::Found(selector)),
        (None, Some(ids)) => Ok(Which::Chosen(ids)),
        (None, None) => Err(Error::invalid("", "say which devices: `selector` or `device_ids`")),
        (Some(_), Some(_)) => {
            Err(Error::invalid("/device_ids", "stands in place of `selector`, not beside it"))
        }
    }
}

/// The job of the request, with the pointers of its faults into the whole body.
fn job(body: Value, wake: Option<bool>) -> Result<NewOrder, Error> {
    let request = JobRequest::parse(body).map_err(in_job)?;
    if request.wake.is_some() {
        return Err(Error::invalid("/job/wake", "stands beside `job`, for all devices"));
    }
    Ok(NewOrder { wake, ..request.into() })
}

/// What says how far an order for so many devices came.
pub(super) fn interrupted(stopped: Stopped, count: usize) -> Problem {
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
    fn devices_are_those_of_a_selector_or_of_a_list() {
        let (text, ids) = ("online".to_owned(), vec![Uuid::nil()]);
        assert_eq!(which(Some(text.clone()), None).unwrap(), Which::Found(text.clone()));
        assert_eq!(which(None, Some(ids.clone())).unwrap(), Which::Chosen(ids.clone()));
        assert!(which(None, None).is_err() && which(Some(text), Some(ids)).is_err());
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
