//! Profiles: make, list, change, remove, and of which devices they are said.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::fleet::profile::Desired;
use crate::service::profiles::{self as service, Binding, Impact, ProfileFields, View};
use crate::store::profiles::BindingRow;

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_profiles, create_profile))
        .routes(routes!(get_profile, change_profile, delete_profile))
        .routes(routes!(bind_profile, unbind_profile))
        .routes(routes!(get_profile_impact))
}

/// A profile.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProfileView {
    /// Which.
    profile_id: Uuid,
    /// What people call it.
    name: String,
    /// For people.
    description: String,
    /// False: differences are told and never mended.
    enforce: bool,
    /// What devices are to be; secrets masked.
    desired: Desired,
    /// Where it holds, of the places that the caller sees.
    bindings: Vec<Binding>,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed, its bindings apart.
    updated_at: DateTime<Utc>,
}

impl ProfileView {
    fn of(view: View) -> Self {
        let View { profile, desired, bindings } = view;
        Self {
            profile_id: profile.profile_id,
            name: profile.name,
            description: profile.description,
            enforce: profile.enforce,
            desired,
            bindings: bindings.into_iter().map(binding).collect(),
            created_by: profile.created_by,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}

fn binding(row: BindingRow) -> Binding {
    let fleet = row.site_id.is_none() && row.group_id.is_none();
    Binding { site: row.site, group: row.group, fleet, rank: row.rank }
}

fn shown(view: View) -> Shown<ProfileView> {
    etag::shown(view.profile.updated_at, ProfileView::of(view))
}

/// A profile in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ProfilePath {
    /// Id of the profile.
    profile_id: Uuid,
}

/// A page of profiles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProfilePage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List profiles
///
/// By name.
#[utoipa::path(
    get,
    path = "/api/v1/profiles",
    tag = "profiles",
    params(ProfilePage),
    responses(
        (status = 200, description = "A page of profiles", body = Page<ProfileView>),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_profiles(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ProfilePage>,
) -> Result<Json<Page<ProfileView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let after = query.after.as_deref();
    if after.is_some_and(|name| check_name(name).is_err()) {
        return Err(Error::invalid("", "after is no cursor that this list gave").into());
    }
    let rows = service::list(&app, &ctx, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |view| view.profile.name.clone(), ProfileView::of)))
}

/// Make a profile
///
/// It is for no device until it is bound.
#[utoipa::path(
    post,
    path = "/api/v1/profiles",
    tag = "profiles",
    request_body = ProfileFields,
    responses((status = 201, description = "The new profile", body = ProfileView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<ProfileView>, Problem> {
    let fields: ProfileFields = merge::apply(json!({}), body)?;
    let view = service::create(&app, &ctx, fields).await?;
    Ok(etag::made(format!("/api/v1/profiles/{}", view.profile.profile_id), shown(view)))
}

/// Get a profile
#[utoipa::path(
    get,
    path = "/api/v1/profiles/{profile_id}",
    tag = "profiles",
    params(ProfilePath),
    responses(
        (status = 200, description = "The profile; `ETag` is its version", body = ProfileView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ProfilePath>,
) -> Result<Shown<ProfileView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.profile_id).await?))
}

/// Change a profile
///
/// What is not named stays; null gives a field its default, and takes a parameter or a variable away.
/// Secrets that come back masked stay what they are. Its devices are compared anew, at the pace of the
/// settings.
#[utoipa::path(
    patch,
    path = "/api/v1/profiles/{profile_id}",
    tag = "profiles",
    params(ProfilePath, IfMatch),
    request_body(content = ProfileFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The profile as it is now", body = ProfileView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ProfilePath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<ProfileView>, Problem> {
    let patch = |fields: ProfileFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.profile_id, check, patch).await?))
}

/// Remove a profile
///
/// Refused while it is bound, or a device, a claim or an admission rule has it.
#[utoipa::path(
    delete,
    path = "/api/v1/profiles/{profile_id}",
    tag = "profiles",
    params(ProfilePath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ProfilePath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, path.profile_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bind a profile
///
/// At a site and below, for a group, or for the whole fleet. Done again with another rank it has that
/// one. Devices there are compared anew.
#[utoipa::path(
    put,
    path = "/api/v1/profiles/{profile_id}/bindings",
    tag = "profiles",
    params(ProfilePath),
    request_body = Binding,
    responses((status = 200, description = "The profile as it is now", body = ProfileView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn bind_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ProfilePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<ProfileView>, Problem> {
    let binding: Binding = merge::apply(json!({}), body)?;
    Ok(shown(service::bind(&app, &ctx, path.profile_id, binding).await?))
}

/// Where a profile is unbound.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Unbinding {
    /// Path of the site.
    site: Option<String>,
    /// Name of the group.
    group: Option<String>,
    /// True: from the whole fleet.
    fleet: Option<bool>,
}

/// Unbind a profile
///
/// From one place, which is named by `site`, `group` or `fleet=true`; done again it changes nothing.
/// Devices there are compared anew; values that only this profile wanted are left as they are.
#[utoipa::path(
    delete,
    path = "/api/v1/profiles/{profile_id}/bindings",
    tag = "profiles",
    params(ProfilePath, Unbinding),
    responses((status = 204, description = "It is not bound there"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn unbind_profile(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ProfilePath>,
    QueryArgs(query): QueryArgs<Unbinding>,
) -> Result<StatusCode, Problem> {
    let Unbinding { site, group, fleet } = query;
    let binding = Binding { site, group, fleet: fleet.unwrap_or_default(), rank: 0 };
    service::unbind(&app, &ctx, path.profile_id, binding).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many devices a change of a profile reaches.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProfileImpact {
    /// Because of where it is bound.
    devices: i64,
    /// Because it is bound to them themselves; one may be among the others, too.
    themselves: i64,
}

/// Count a profile's devices
///
/// Those that the caller may read.
#[utoipa::path(
    get,
    path = "/api/v1/profiles/{profile_id}/impact",
    tag = "profiles",
    params(ProfilePath),
    responses((status = 200, description = "How many", body = ProfileImpact), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_profile_impact(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ProfilePath>,
) -> Result<Json<ProfileImpact>, Problem> {
    let Impact { devices, themselves } = service::impact(&app, &ctx, path.profile_id).await?;
    Ok(Json(ProfileImpact { devices, themselves }))
}
