//! Groups: make, list, change, remove, and which devices are in them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::device_view::DeviceView;
use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::group::GroupFields;
use crate::fleet::label::check_name;
use crate::fleet::online;
use crate::service::groups as service;
use crate::store::devices::Device;
use crate::store::groups::Group;

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
    /// Who made it.
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

fn shown(group: Group) -> Shown<GroupView> {
    etag::shown(group.updated_at, GroupView::of(group))
}

/// A group in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GroupPath {
    /// Id of the group.
    group_id: Uuid,
}

/// A page of groups.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
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
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<GroupPage>,
) -> Result<Json<Page<GroupView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let after = query.after.as_deref();
    if after.is_some_and(|name| check_name(name).is_err()) {
        return Err(Error::invalid("", "after is no cursor that this list gave").into());
    }
    let rows = service::list(&app, &ctx, after, limit.rows()).await?;
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
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<GroupView>, Problem> {
    let fields: GroupFields = merge::apply(json!({}), body)?;
    let group = service::create(&app, &ctx, fields).await?;
    Ok(etag::made(format!("/api/v1/groups/{}", group.group_id), shown(group)))
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
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
) -> Result<Shown<GroupView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.group_id).await?))
}

/// Change a group
///
/// What is not named stays; null gives a field its default. Another name only while no selector of
/// another group says the old one.
#[utoipa::path(
    patch,
    path = "/api/v1/groups/{group_id}",
    tag = "groups",
    params(GroupPath, IfMatch),
    request_body(content = GroupFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The group as it is now", body = GroupView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_group(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<GroupView>, Problem> {
    let patch = |fields: GroupFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.group_id, check, patch).await?))
}

/// Remove a group
///
/// Its devices stay what they are. Refused while the selector of another group names it.
#[utoipa::path(
    delete,
    path = "/api/v1/groups/{group_id}",
    tag = "groups",
    params(GroupPath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_group(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, path.group_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of a group's devices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MemberPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// List a group's devices
///
/// In order of their ids; those that the caller may read.
#[utoipa::path(
    get,
    path = "/api/v1/groups/{group_id}/devices",
    tag = "groups",
    params(GroupPath, MemberPage),
    responses((status = 200, description = "A page of devices", body = Page<DeviceView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_group_devices(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<GroupPath>,
    QueryArgs(query): QueryArgs<MemberPage>,
) -> Result<Json<Page<DeviceView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::devices(&app, &ctx, path.group_id, query.after, limit.rows()).await?;
    let since = online::since(&app.config, ctx.now);
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
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<MemberPath>,
) -> Result<StatusCode, Problem> {
    service::set_member(&app, &ctx, path.group_id, &path.device_id, true).await?;
    Ok(StatusCode::NO_CONTENT)
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
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<MemberPath>,
) -> Result<StatusCode, Problem> {
    service::set_member(&app, &ctx, path.group_id, &path.device_id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
