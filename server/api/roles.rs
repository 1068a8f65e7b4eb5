//! Roles: list, make, change, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::etag::{IfMatch, Made, Shown, made, shown};
use super::extract::{JsonBody, PathArgs};
use super::merge;
use super::page::Page;
use super::problem::Problem;
use crate::access::role::{RoleFields, SupportPolicy, is_shipped};
use crate::ctx::{Ctx, Shared};
use crate::service::roles;
use crate::store::roles::Role;

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoleView {
    /// Which.
    role_id: Uuid,
    /// For people.
    name: String,
    /// What it is for.
    description: String,
    /// What it allows: words of rights.
    rights: Vec<String>,
    /// What the support view shows; null = as shipped.
    support: Option<SupportPolicy>,
    /// Whether it came with Muster.
    shipped: bool,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl RoleView {
    fn of(r: Role) -> Self {
        Self {
            role_id: r.role_id,
            support: r.support.as_ref().map(|value| SupportPolicy::stored(Some(value))),
            name: r.name,
            description: r.description,
            rights: r.rights,
            shipped: is_shipped(r.role_id),
            created_at: r.created_at,
            updated_at: r.updated_at,
        }
    }

    fn shown(role: Role) -> Shown<Self> {
        shown(role.updated_at, Self::of(role))
    }
}

/// A role in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RolePath {
    /// Id of the role.
    role_id: Uuid,
}

/// List roles
///
/// All of them on one page, in order of names.
#[utoipa::path(
    get,
    path = "/api/v1/roles",
    tag = "roles",
    responses((status = 200, description = "The roles", body = Page<RoleView>), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn list_roles(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<RoleView>>, Problem> {
    let items = roles::list(&app, &ctx).await?.into_iter().map(RoleView::of).collect();
    Ok(Json(Page { items, next: None }))
}

/// Make a role
#[utoipa::path(
    post,
    path = "/api/v1/roles",
    tag = "roles",
    request_body = RoleFields,
    responses((status = 201, description = "The new role", body = RoleView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn create_role(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<RoleView>, Problem> {
    let fields: RoleFields = merge::apply(json!({}), body)?;
    let role = roles::create(&app, &ctx, fields).await?;
    Ok(made(format!("/api/v1/roles/{}", role.role_id), RoleView::shown(role)))
}

/// Get a role
#[utoipa::path(
    get,
    path = "/api/v1/roles/{role_id}",
    tag = "roles",
    params(RolePath),
    responses((status = 200, description = "The role; `ETag` is its version", body = RoleView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn get_role(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolePath>,
) -> Result<Shown<RoleView>, Problem> {
    Ok(RoleView::shown(roles::get(&app, &ctx, path.role_id).await?))
}

/// Change a role
///
/// At once for all who have it. What is not named stays; null gives a field its default. Of a role
/// that came with Muster only `support` changes.
#[utoipa::path(
    patch,
    path = "/api/v1/roles/{role_id}",
    tag = "roles",
    params(RolePath, IfMatch),
    request_body(content = RoleFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The role as it is now", body = RoleView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn change_role(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolePath>,
    version: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<RoleView>, Problem> {
    let check = |updated_at| version.check(updated_at);
    let patch = |fields: RoleFields| merge::apply(json!(fields), body);
    Ok(RoleView::shown(roles::change(&app, &ctx, path.role_id, check, patch).await?))
}

/// Remove a role
///
/// One that nobody has.
#[utoipa::path(
    delete,
    path = "/api/v1/roles/{role_id}",
    tag = "roles",
    params(RolePath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn delete_role(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolePath>,
    version: IfMatch,
) -> Result<StatusCode, Problem> {
    roles::delete(&app, &ctx, path.role_id, |updated_at| version.check(updated_at)).await?;
    Ok(StatusCode::NO_CONTENT)
}
