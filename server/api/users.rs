//! Users: list, make, change, remove; their passwords, second factors and sessions.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::etag::{IfMatch, Made, Shown, made, shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::access::user::{GrantFields, UserFields};
use crate::ctx::{Ctx, Shared};
use crate::service::users::{self, Person};
use crate::store::user_sessions::UserSession;
use crate::store::users::Grant;

/// A role at a site and below, for the devices of a group, or everywhere.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantView {
    /// Which role.
    role_id: Uuid,
    /// Its name.
    role: String,
    /// At which site and below.
    site_id: Option<Uuid>,
    /// Path of the site.
    site: Option<String>,
    /// For the devices of which group; where there is neither a site nor a group: everywhere.
    group_id: Option<Uuid>,
    /// Name of the group.
    group: Option<String>,
}

impl GrantView {
    fn of(g: Grant) -> Self {
        Self {
            role_id: g.role_id,
            role: g.role,
            site_id: g.site_id,
            site: g.site,
            group_id: g.group_id,
            group: g.group,
        }
    }
}

/// A person who logs in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserView {
    /// Which.
    user_id: Uuid,
    /// What they log in as; unique whatever its case.
    login: String,
    /// For people; may be empty.
    display_name: String,
    /// Whether they may not log in.
    disabled: bool,
    /// Whether they may log in by a password.
    has_password: bool,
    /// Whether they must change it first.
    must_change_password: bool,
    /// Whether a second factor is asked for.
    has_totp: bool,
    /// The single sign-on that knows them.
    oidc_issuer: Option<String>,
    /// What they may do, and where.
    grants: Vec<GrantView>,
    /// Last log-in.
    last_login_at: Option<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl UserView {
    fn of(p: Person) -> Self {
        let user = p.user;
        Self {
            user_id: user.user_id,
            login: user.login,
            display_name: user.display_name,
            disabled: user.disabled_at.is_some(),
            has_password: user.has_password,
            must_change_password: user.must_change,
            has_totp: user.has_totp,
            oidc_issuer: user.oidc_issuer,
            grants: p.grants.into_iter().map(GrantView::of).collect(),
            last_login_at: user.last_login_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }

    fn shown(person: Person) -> Shown<Self> {
        shown(person.user.updated_at, Self::of(person))
    }
}

/// A session of the dashboard.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Which.
    session_id: Uuid,
    /// When they logged in.
    created_at: DateTime<Utc>,
    /// Last use, to the minute.
    seen_at: DateTime<Utc>,
    /// When it ends, however busy it is.
    expires_at: DateTime<Utc>,
    /// From where they logged in.
    #[schema(value_type = String)]
    address: IpAddr,
    /// With what.
    user_agent: String,
}

impl SessionView {
    pub(super) fn of(s: UserSession) -> Self {
        Self {
            session_id: s.session_id,
            created_at: s.created_at,
            seen_at: s.seen_at,
            expires_at: s.expires_at,
            address: s.address.addr(),
            user_agent: s.user_agent,
        }
    }
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// 1 to 64 letters a to z, digits, `.`, `_`, `-`, `+` and `@`.
    login: String,
    /// 12 to 256 characters; must be changed at the first log-in. Without one they log in by single
    /// sign-on only.
    password: Option<String>,
    /// For people, at most 64 characters.
    display_name: Option<String>,
    /// What they may do, and where; nothing when absent.
    grants: Option<Vec<GrantFields>>,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// 12 to 256 characters, not the login, and none of the first that anybody tries.
    password: String,
}

/// A user in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct UserPath {
    /// Id of the user.
    user_id: Uuid,
}

/// A session in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SessionPath {
    /// Id of the user.
    user_id: Uuid,
    /// Id of the session.
    session_id: Uuid,
}

/// Which page of the users.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List users
///
/// In order of logins.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "users",
    params(UserPage),
    responses((status = 200, description = "A page of users", body = Page<UserView>), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn list_users(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<UserPage>,
) -> Result<Json<Page<UserView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = users::list(&app, &ctx, query.after.as_deref(), limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |p| p.user.login.clone(), UserView::of)))
}

/// Make a user
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "users",
    request_body = NewUser,
    responses((status = 201, description = "The new user", body = UserView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn create_user(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<UserView>, Problem> {
    let new: NewUser = merge::apply(json!({}), body)?;
    let fields = UserFields { display_name: new.display_name, disabled: None, grants: new.grants };
    let person = users::create(&app, &ctx, &new.login, new.password, fields).await?;
    Ok(made(format!("/api/v1/users/{}", person.user.user_id), UserView::shown(person)))
}

/// Get a user
#[utoipa::path(
    get,
    path = "/api/v1/users/{user_id}",
    tag = "users",
    params(UserPath),
    responses((status = 200, description = "The user; `ETag` is its version", body = UserView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn get_user(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<UserPath>,
) -> Result<Shown<UserView>, Problem> {
    Ok(UserView::shown(users::get(&app, &ctx, path.user_id).await?))
}

/// Change a user
///
/// What is not named stays; null gives a field its default; `grants` are named all or not at all.
/// Who is disabled is logged out. Somebody always keeps the right `admin` everywhere.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{user_id}",
    tag = "users",
    params(UserPath, IfMatch),
    request_body(content = UserFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The user as it is now", body = UserView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn change_user(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<UserPath>,
    version: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<UserView>, Problem> {
    let check = |updated_at| version.check(updated_at);
    let patch = |fields: UserFields| merge::apply(json!(fields), body);
    Ok(UserView::shown(users::change(&app, &ctx, path.user_id, check, patch).await?))
}

/// Remove a user
///
/// With their sessions and saved views. What they did stays in the audit log.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user_id}",
    tag = "users",
    params(UserPath, IfMatch),
    responses((status = 204, description = "They are gone"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn delete_user(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<UserPath>,
    version: IfMatch,
) -> Result<StatusCode, Problem> {
    users::delete(&app, &ctx, path.user_id, |updated_at| version.check(updated_at)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a user another password
///
/// They are logged out, and must change it at the next log-in.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user_id}/password",
    tag = "users",
    params(UserPath),
    request_body = NewPassword,
    responses((status = 204, description = "It is theirs"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn set_user_password(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<UserPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<StatusCode, Problem> {
    let new: NewPassword = merge::apply(json!({}), body)?;
    users::set_password(&app, &ctx, path.user_id, new.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a user's second factor
///
/// For who lost it: they log in by their password alone, and may enrol another.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user_id}/totp",
    tag = "users",
    params(UserPath),
    responses((status = 204, description = "It is asked for no more"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn remove_user_totp(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<UserPath>,
) -> Result<StatusCode, Problem> {
    users::remove_totp(&app, &ctx, path.user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a user's sessions
///
/// All that are open on one page, the one used last first.
#[utoipa::path(
    get,
    path = "/api/v1/users/{user_id}/sessions",
    tag = "users",
    params(UserPath),
    responses((status = 200, description = "The sessions", body = Page<SessionView>), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn list_user_sessions(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<UserPath>,
) -> Result<Json<Page<SessionView>>, Problem> {
    let sessions = users::sessions(&app, &ctx, path.user_id).await?;
    Ok(Json(Page { items: sessions.into_iter().map(SessionView::of).collect(), next: None }))
}

/// End a user's session
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user_id}/sessions/{session_id}",
    tag = "users",
    params(SessionPath),
    responses((status = 204, description = "They are logged out there"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn end_user_session(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SessionPath>,
) -> Result<StatusCode, Problem> {
    users::revoke_session(&app, &ctx, path.user_id, path.session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
