//! Saved views of the device list: list, keep, change, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::views::{self as service, ViewFields};
use crate::store::views::SavedView;

/// A saved view.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ViewView {
    /// Which.
    view_id: Uuid,
    /// Login of whose it is.
    owner: String,
    /// For people.
    name: String,
    /// Which devices; empty = all.
    selector: String,
    /// What is shown of each, in this order.
    columns: Vec<String>,
    /// Everybody sees it.
    shared: bool,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl ViewView {
    fn of(v: SavedView) -> Self {
        Self {
            view_id: v.view_id,
            owner: v.owner,
            name: v.name,
            selector: v.selector,
            columns: v.columns,
            shared: v.shared,
            created_at: v.created_at,
            updated_at: v.updated_at,
        }
    }
}

fn shown(view: SavedView) -> Shown<ViewView> {
    etag::shown(view.updated_at, ViewView::of(view))
}

/// A view in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ViewPath {
    /// Id of the view.
    view_id: Uuid,
}

/// A page of views.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ViewPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// List saved views
///
/// One's own, and those that others share, in the order in which they were made.
#[utoipa::path(
    get,
    path = "/api/v1/views",
    tag = "views",
    params(ViewPage),
    responses((status = 200, description = "A page of views", body = Page<ViewView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_views(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ViewPage>,
) -> Result<Json<Page<ViewView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::list(&app, &ctx, query.after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |v| v.view_id.to_string(), ViewView::of)))
}

/// Keep a view
///
/// For the person who asks by a token of theirs; a program has none.
#[utoipa::path(
    post,
    path = "/api/v1/views",
    tag = "views",
    request_body = ViewFields,
    responses((status = 201, description = "The new view", body = ViewView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn create_view(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<ViewView>, Problem> {
    let fields: ViewFields = merge::apply(json!({}), body)?;
    let view = service::create(&app, &ctx, fields).await?;
    Ok(etag::made(format!("/api/v1/views/{}", view.view_id), shown(view)))
}

/// Get a view
#[utoipa::path(
    get,
    path = "/api/v1/views/{view_id}",
    tag = "views",
    params(ViewPath),
    responses((status = 200, description = "The view; `ETag` is its version", body = ViewView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_view(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ViewPath>,
) -> Result<Shown<ViewView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.view_id).await?))
}

/// Change a view
///
/// One of one's own. What is not named stays; null gives a field its default, but for the name;
/// `columns` are named all or not at all.
#[utoipa::path(
    patch,
    path = "/api/v1/views/{view_id}",
    tag = "views",
    params(ViewPath, IfMatch),
    request_body(content = ViewFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The view as it is now", body = ViewView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn change_view(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ViewPath>,
    version: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<ViewView>, Problem> {
    let check = |updated_at| version.check(updated_at);
    let patch = |fields: ViewFields| merge::apply(json!(fields), body);
    Ok(shown(service::change(&app, &ctx, path.view_id, check, patch).await?))
}

/// Remove a view
///
/// One of one's own.
#[utoipa::path(
    delete,
    path = "/api/v1/views/{view_id}",
    tag = "views",
    params(ViewPath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn delete_view(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ViewPath>,
    version: IfMatch,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, path.view_id, |updated_at| version.check(updated_at)).await?;
    Ok(StatusCode::NO_CONTENT)
}
