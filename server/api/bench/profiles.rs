//! Netboot profiles: how boards of a kind are served. List, look at, write, remove.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::extract::PathArgs;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::bench::profiles::{self as service, MAX_BYTES, View};

/// How boards of a kind are served.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NetbootProfileView {
    /// Which.
    name: String,
    /// How sure it is: `unverified`, `captured` or `hardware-verified`.
    status: String,
    /// By what it is known, in its own words.
    evidence: String,
    /// The profile itself, as TOML.
    body: String,
    /// It comes with Muster, and stays as it is.
    builtin: bool,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl NetbootProfileView {
    fn of(view: View) -> Self {
        let View { row, evidence } = view;
        Self {
            name: row.name,
            status: row.status,
            evidence,
            body: row.body,
            builtin: row.builtin,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A netboot profile in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct NetbootProfilePath {
    /// Name of the profile.
    name: String,
}

/// List netboot profiles
///
/// All of them, by name.
#[utoipa::path(
    get,
    path = "/api/v1/bench/profiles",
    tag = "bench",
    responses((status = 200, description = "The profiles", body = Page<NetbootProfileView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_netboot_profiles(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<NetbootProfileView>>, Problem> {
    let all = service::list(&app, &ctx).await?;
    Ok(Json(Page { items: all.into_iter().map(NetbootProfileView::of).collect(), next: None }))
}

/// Get a netboot profile
#[utoipa::path(
    get,
    path = "/api/v1/bench/profiles/{name}",
    tag = "bench",
    params(NetbootProfilePath),
    responses((status = 200, description = "The profile", body = NetbootProfileView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_netboot_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<NetbootProfilePath>,
) -> Result<Json<NetbootProfileView>, Problem> {
    Ok(Json(NetbootProfileView::of(service::get(&app, &ctx, &path.name).await?)))
}

/// Write a netboot profile
///
/// The body is the profile as TOML, with the name that the path has. A key that nobody knows is
/// refused; so is a change while a bench is armed with it. `status` says how sure you are: it stands
/// wherever the profile does.
#[utoipa::path(
    put,
    path = "/api/v1/bench/profiles/{name}",
    tag = "bench",
    params(NetbootProfilePath),
    request_body(description = "The profile", content_type = "text/plain"),
    responses((status = 200, description = "The profile as it is now", body = NetbootProfileView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn put_netboot_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<NetbootProfilePath>,
    body: Body,
) -> Result<Json<NetbootProfileView>, Problem> {
    let text = text(body).await?;
    Ok(Json(NetbootProfileView::of(service::put(&app, &ctx, &path.name, &text).await?)))
}

/// Remove a netboot profile
///
/// Refused for one that comes with Muster, and while a bench is armed with it.
#[utoipa::path(
    delete,
    path = "/api/v1/bench/profiles/{name}",
    tag = "bench",
    params(NetbootProfilePath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn delete_netboot_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<NetbootProfilePath>,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, &path.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn text(body: Body) -> Result<String, Error> {
    let most = |_| Error::TooLarge(format!("a profile has at most {MAX_BYTES} bytes"));
    let bytes = to_bytes(body, MAX_BYTES).await.map_err(most)?;
    String::from_utf8(bytes.into()).map_err(|_| Error::invalid("", "the profile is UTF-8 text"))
}
