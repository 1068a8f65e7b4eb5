//! Groups: make, list, change, remove, and which devices are in them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgExecutor;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::device_view::DeviceView;
use super::devices;
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::page::{Limit, Page};
use super::problem::Problem;
use super::{etag, merge};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::group::{self, GroupFields};
use crate::fleet::label::check_name;
use crate::fleet::online;
use crate::store::devices::Device;
use crate::store::groups::{self as store, Group};
use crate::store::selector;

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GroupView {
    /// Which.
    group_id: Uuid,
    /// What selectors call it.
    name: String,
    /// For people.
    description: String,
    /// Which devices are in it; null = those that were put into it one by one.
    selector: Option<String>,
    /// Token that made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed, its devices apart.
    updated_at: DateTime<Utc>,
}

impl GroupView {
    fn of(g: Group) -> Self {
        Self {
            group_id: g.group_id,
            name: g.name,
            description: g.description,
            selector: g.selector,
            created_by: g.created_by,
            created_at: g.created_at,
            updated_at: g.updated_at,
        }
    }
}

/// A group with its version.
type Shown = ([(HeaderName, String); 1], Json<GroupView>);

fn shown(group: Group) -> Shown {
    (etag::headers(group.updated_at), Json(GroupView::of(group)))
}

/// A group in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GroupPath {
    /// Id of the group.
    group_id: Uuid,
}

async fn load(db: impl PgExecutor<'_>, group_id: Uuid) -> Result<Group, Error> {
    let unknown = || Error::NotFound(format!("no group {group_id}"));
    store::get(db, group_id).await?.ok_or_else(unknown)
}

/// A page of groups.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List groups
///
/// By name.
#[utoipa::path(
    get,
    path = "/api/v1/groups",
    tag = "groups",
    params(GroupPage),
    responses((status = 200, description = "A page of groups", body = Page<GroupView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_groups(
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<GroupPage>,
) -> Result<Json<Page<GroupView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let after = query.after.as_deref();
    if after.is_some_and(|name| check_name(name).is_err()) {
        return Err(Error::invalid("", "after is no cursor that this list gave").into());
    }
    let rows = store::list(&app.pool, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |g| g.name.clone(), GroupView::of)))
}

/// Make a group
///
/// With a selector the group is what that finds, at any time; without one it has the devices that
/// are put into it.
#[utoipa::path(
    post,
    path = "/api/v1/groups",
    tag = "groups",
    request_body = GroupFields,
    responses((status = 201, description = "The new group", body = GroupView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_group(
    caller: Caller,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Shown), Problem> {
    caller.require(Scope::Operate)?;
    let fields: GroupFields = merge::apply(json!({}), body)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let group = group::create(&mut tx, fields, &caller.name, clock::now()).await?;
    tx.commit().await?;
    tracing::info!(group.id = %group.group_id, group.name, by = caller.name, "group made");
    let location = [(header::LOCATION, format!("/api/v1/groups/{}", group.group_id))];
    Ok((StatusCode::CREATED, location, shown(group)))
}

/// Get a group
#[utoipa::path(
    get,
    path = "/api/v1/groups/{group_id}",
    tag = "groups",
    params(GroupPath),
    responses(
        (status = 200, description = "The group; `ETag` is its version", body = GroupView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_group(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
) -> Result<Shown, Problem> {
    caller.require(Scope::Read)?;
    Ok(shown(load(&app.pool, path.group_id).await?))
}

/// Change a group
///
/// What is not named stays; null gives a field its default. Another name only while no selector of
/// another group says the old one.
#[utoipa::path(
    patch,
    path = "/api/v1/groups/{group_id}",
    tag = "groups",
    params(
        GroupPath,
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that is meant")
    ),
    request_body(content = GroupFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The group as it is now", body = GroupView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_group(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown, Problem> {
    caller.require(Scope::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let current = load(&mut *tx, path.group_id).await?;
    etag::check(&headers, current.updated_at)?;
    let fields = merge::apply(json!(GroupFields::of(&current)), body)?;
    let group = group::change(&mut tx, current, fields, clock::now()).await?;
    tx.commit().await?;
    tracing::info!(group.id = %group.group_id, group.name, by = caller.name, "group changed");
    Ok(shown(group))
}

/// Remove a group
///
/// Its devices stay what they are. Refused while the selector of another group names it.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{group_id}",
    tag = "groups",
    params(
        GroupPath,
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that is meant")
    ),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_group(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let group = load(&mut *tx, path.group_id).await?;
    etag::check(&headers, group.updated_at)?;
    group::delete(&mut tx, &group).await?;
    tx.commit().await?;
    tracing::info!(group.id = %group.group_id, group.name, by = caller.name, "group removed");
    Ok(StatusCode::NO_CONTENT)
}

/// A page of a group's devices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MemberPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// List a group's devices
///
/// In order of their ids.
#[utoipa::path(
    get,
    path = "/api/v1/groups/{group_id}/devices",
    tag = "groups",
    params(GroupPath, MemberPage),
    responses((status = 200, description = "A page of devices", body = Page<DeviceView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_group_devices(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
    QueryArgs(query): QueryArgs<MemberPage>,
) -> Result<Json<Page<DeviceView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let group = load(&app.pool, path.group_id).await?;
    let expr = group::devices(&app.pool, &group).await?;
    let now = clock::now();
    let since = online::since(&app.config, now);
    let rows = selector::list(&app.pool, &expr, query.after, limit.rows(), now, since).await?;
    let cursor = |d: &Device| d.device_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, |d| DeviceView::of(d, since))))
}

/// A device of a group in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct MemberPath {
    /// Id of the group.
    group_id: Uuid,
    /// Id of the device, or `serial:` and its serial number.
    device_id: String,
}

/// Put a device into a group
///
/// Into one without a selector; done again it changes nothing.
#[utoipa::path(
    put,
    path = "/api/v1/groups/{group_id}/devices/{device_id}",
    tag = "groups",
    params(MemberPath),
    responses((status = 204, description = "It is in the group"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn add_group_device(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<MemberPath>,
) -> Result<StatusCode, Problem> {
    Ok(set_member(&caller, &app, &path, true).await?)
}

/// Take a device out of a group
///
/// Out of one without a selector; done again it changes nothing.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{group_id}/devices/{device_id}",
    tag = "groups",
    params(MemberPath),
    responses((status = 204, description = "It is not in the group"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn remove_group_device(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<MemberPath>,
) -> Result<StatusCode, Problem> {
    Ok(set_member(&caller, &app, &path, false).await?)
}

async fn set_member(
    caller: &Caller,
    app: &App,
    path: &MemberPath,
    member: bool,
) -> Result<StatusCode, Error> {
    caller.require(Scope::Operate)?;
    let device_id = devices::resolve(&app.pool, &path.device_id).await?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let group = load(&mut *tx, path.group_id).await?;
    group::set_member(&mut tx, &group, device_id, member, &caller.name, clock::now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
