//! What people order of a rollout: start, approve, pause, resume, end, take back, try again, leave out.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::etag::Shown;
use super::super::extract::{JsonBody, PathArgs};
use super::super::problem::Problem;
use super::view::RolloutView;
use super::{RolloutPath, shown, whole};
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::service::devices;
use crate::service::rollouts::act;

/// When a rollout begins.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    /// Not before; at once when absent or past.
    at: Option<DateTime<Utc>>,
}

/// Why something is ordered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasoned {
    /// In words: it stands in the rollout's story and in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// Who is left out, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclusion {
    /// A device: its id, or `serial:` and its serial number; all that failed or did not come in time
    /// when absent.
    device: Option<String>,
    /// In words: it stands in the rollout's story and in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// How many devices an order was about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ordered {
    /// Devices.
    devices: u64,
}

/// Start a rollout
///
/// A draft, now or at a time. With `four_eyes` it waits until somebody else approves it. The body may be
/// absent.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/start",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Option<Start>,
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn start_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    body: Result<Option<Json<Value>>, JsonRejection>,
) -> Result<Shown<RolloutView>, Problem> {
    let start: Start = match body? {
        None | Some(Json(Value::Null)) => Start::default(),
        Some(Json(body)) => whole(body)?,
    };
    Ok(shown(act::start(&app, &ctx, path.rollout_id, start.at).await?))
}

/// Approve a rollout
///
/// One that waits for it. Whoever started it cannot.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/approve",
    tag = "rollouts",
    params(RolloutPath),
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["approve"]))
)]
pub(super) async fn approve_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
) -> Result<Shown<RolloutView>, Problem> {
    Ok(shown(act::approve(&app, &ctx, path.rollout_id).await?))
}

/// Approve a wave
///
/// Lets the wave begin that waits for it. With `four_eyes` whoever started the rollout cannot.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/approve-wave",
    tag = "rollouts",
    params(RolloutPath),
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["approve"]))
)]
pub(super) async fn approve_rollout_wave(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
) -> Result<Shown<RolloutView>, Problem> {
    Ok(shown(act::approve_wave(&app, &ctx, path.rollout_id).await?))
}

/// Pause a rollout
///
/// Nothing new begins; devices in flight finish.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/pause",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Reasoned,
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn pause_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<RolloutView>, Problem> {
    let Reasoned { reason } = whole(body)?;
    Ok(shown(act::pause(&app, &ctx, path.rollout_id, &reason).await?))
}

/// Resume a rollout
///
/// One that is paused, whoever paused it. What failed so far counts no more: the gate of the wave looks at
/// what comes after.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/resume",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Reasoned,
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn resume_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<RolloutView>, Problem> {
    let Reasoned { reason } = whole(body)?;
    Ok(shown(act::resume(&app, &ctx, path.rollout_id, &reason).await?))
}

/// End a rollout
///
/// Nothing new begins; devices in flight finish, and are reported. It cannot be resumed.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/abort",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Reasoned,
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn abort_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<RolloutView>, Problem> {
    let Reasoned { reason } = whole(body)?;
    Ok(shown(act::abort(&app, &ctx, path.rollout_id, &reason).await?))
}

/// Take a rollout back
///
/// Another rollout, with gates of its own, brings its devices back to what they had before. 409 where
/// there is no way back, as from a script without its undo script.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/roll-back",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Reasoned,
    responses((status = 200, description = "The rollout as it is now", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn roll_back_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<RolloutView>, Problem> {
    let Reasoned { reason } = whole(body)?;
    Ok(shown(act::roll_back(&app, &ctx, path.rollout_id, &reason).await?))
}

/// Try failed devices again
///
/// Those that failed or did not come in time wait for another turn, in the wave that is under way.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/retry",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Reasoned,
    responses((status = 200, description = "They wait", body = Ordered), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn retry_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<Ordered>, Problem> {
    let Reasoned { reason } = whole(body)?;
    let devices = act::retry_failed(&app, &ctx, path.rollout_id, &reason).await?;
    Ok(Json(Ordered { devices }))
}

/// Leave devices out
///
/// One that waits, failed or did not come in time; without `device` all that failed or did not come. They
/// count no more.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/exclude",
    tag = "rollouts",
    params(RolloutPath),
    request_body = Exclusion,
    responses((status = 200, description = "They are left out", body = Ordered), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn exclude_from_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<Ordered>, Problem> {
    let Exclusion { device, reason } = whole(body)?;
    let (id, reason) = (path.rollout_id, reason.as_str());
    let devices = match device {
        Some(name) => {
            let device = devices::find(&app, &ctx, &name, Right::Read).await?;
            act::exclude(&app, &ctx, id, device.device_id, reason).await?;
            1
        }
        None => act::exclude_failed(&app, &ctx, id, reason).await?,
    };
    Ok(Json(Ordered { devices }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::error::Error;

    #[test]
    fn an_order_says_why() {
        let read = |body: Value| whole::<Reasoned>(body).map(|r| r.reason);
        assert_eq!(read(json!({ "reason": "storm" })).unwrap(), "storm");
        for (body, place) in [
            (json!({}), ""),
            (json!({ "reason": null }), "/reason"),
            (json!({ "reason": "x", "why": "y" }), "/why"),
            (json!("storm"), ""),
        ] {
            let Err(Error::Invalid { pointer, .. }) = read(body.clone()) else {
                panic!("{body} was taken");
            };
            assert_eq!(pointer, place, "{body}");
        }
        let all: Exclusion = whole(json!({ "reason": "dead" })).unwrap();
        assert_eq!(all.device, None);
    }

    #[test]
    fn a_start_needs_no_time() {
        assert_eq!(whole::<Start>(json!({})).unwrap(), Start::default());
        assert_eq!(whole::<Start>(json!({ "at": null })).unwrap(), Start::default());
        let at = whole::<Start>(json!({ "at": "2030-01-31T02:00:00Z" })).unwrap().at.unwrap();
        assert_eq!(at.timestamp(), 1_896_055_200);
        assert!(whole::<Start>(json!({ "at": "soon" })).is_err());
    }
}
