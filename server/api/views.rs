//! Saved views of the device list: list, keep, remove.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

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
        }
    }
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
/// For the person who asks; a token is nobody, and has none.
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
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<ViewView>), Problem> {
    let fields: ViewFields = merge::apply(json!({}), body)?;
    let view = service::create(&app, &ctx, fields).await?;
    let location = [(header::LOCATION, format!("/api/v1/views/{}", view.view_id))];
    Ok((StatusCode::CREATED, location, Json(ViewView::of(view))))
}

/// Get a view
#[utoipa::path(
    get,
    path = "/api/v1/views/{view_id}",
    tag = "views",
    params(ViewPath),
    responses((status = 200, description = "The view", body = ViewView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_view(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ViewPath>,
) -> Result<Json<ViewView>, Problem> {
    Ok(Json(ViewView::of(service::get(&app, &ctx, path.view_id).await?)))
}

/// Remove a view
///
/// One of one's own.
#[utoipa::path(
    delete,
    path = "/api/v1/views/{view_id}",
    tag = "views",
    params(ViewPath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn delete_view(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ViewPath>,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, path.view_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
