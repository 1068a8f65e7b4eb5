//! What a rollout would do, before it does it.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::super::extract::{JsonBody, PathArgs};
use super::super::problem::Problem;
use super::{RolloutPath, whole};
use crate::ctx::{Ctx, Shared};
use crate::service::rollouts::dry_run::{self as service, DryRun};
use crate::service::rollouts::write::RolloutFields;

/// Try a rollout that is not written yet
///
/// Says which devices would be changed, how and in which wave, what is downloaded, and who is left out
/// and why. Nothing is stored and no device is asked.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/dry-run",
    tag = "rollouts",
    request_body = RolloutFields,
    responses((status = 200, description = "What it would do", body = DryRun), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn try_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DryRun>, Problem> {
    let fields: RolloutFields = whole(body)?;
    Ok(Json(service::try_out(&app, &ctx, fields).await?))
}

/// Try a rollout
///
/// The same of one that is written: what it would do if it began now.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts/{rollout_id}/dry-run",
    tag = "rollouts",
    params(RolloutPath),
    responses((status = 200, description = "What it would do", body = DryRun), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn dry_run_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
) -> Result<Json<DryRun>, Problem> {
    Ok(Json(service::of(&app, &ctx, path.rollout_id).await?))
}
