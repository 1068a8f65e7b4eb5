//! Boards that are served without a claim: list, allow, take back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::extract::{JsonBody, PathArgs};
use crate::api::merge;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::bench::allowed::{self as service, NewAllowed};
use crate::store::bench::Allowed;

/// Boards that are served without a claim.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AllowedView {
    /// Which.
    allowed_id: Uuid,
    /// `mac`, `oui` or `board`.
    kind: String,
    /// A MAC address, its first three bytes, or the identifier that boards announce.
    value: String,
    /// For people.
    note: String,
    /// Who said so.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl AllowedView {
    fn of(allowed: Allowed) -> Self {
        Self {
            allowed_id: allowed.allowed_id,
            kind: allowed.kind,
            value: allowed.value,
            note: allowed.note,
            created_by: allowed.created_by,
            created_at: allowed.created_at,
        }
    }
}

/// What is allowed, in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AllowedPath {
    /// Its id.
    allowed_id: Uuid,
}

/// List which boards are served without a claim
///
/// All of them, by kind and value.
#[utoipa::path(
    get,
    path = "/api/v1/bench/allowed",
    tag = "bench",
    responses((status = 200, description = "The boards", body = Page<AllowedView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_allowed_boards(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<AllowedView>>, Problem> {
    let all = service::list(&app, &ctx).await?;
    Ok(Json(Page { items: all.into_iter().map(AllowedView::of).collect(), next: None }))
}

/// Have boards served without a claim
#[utoipa::path(
    post,
    path = "/api/v1/bench/allowed",
    tag = "bench",
    request_body = NewAllowed,
    responses((status = 201, description = "They are served", body = AllowedView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn allow_boards(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, Json<AllowedView>), Problem> {
    let new: NewAllowed = merge::apply(json!({}), body)?;
    let allowed = service::create(&app, &ctx, new).await?;
    Ok((StatusCode::CREATED, Json(AllowedView::of(allowed))))
}

/// Take back that boards are served without a claim
#[utoipa::path(
    delete,
    path = "/api/v1/bench/allowed/{allowed_id}",
    tag = "bench",
    params(AllowedPath),
    responses((status = 204, description = "They are not"), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn disallow_boards(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<AllowedPath>,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, path.allowed_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
