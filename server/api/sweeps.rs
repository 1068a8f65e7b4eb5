//! Sweeps: changes of what is wanted, on their way through the fleet.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::sweeps::{self as service, SweepChange};
use crate::store::sweeps::Sweep;

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_sweeps)).routes(routes!(get_sweep, change_sweep))
}

/// A sweep.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SweepView {
    /// Which.
    sweep_id: Uuid,
    /// Why, in words.
    reason: String,
    /// Which devices it goes to; null = all.
    selector: Option<String>,
    /// `running`, `paused`, `done`, `cancelled`.
    state: String,
    /// Devices a second.
    per_second: i32,
    /// Devices that it came to.
    seen: i64,
    /// Those of them that were ordered something.
    differing: i64,
    /// Who changed what is wanted.
    created_by: String,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

impl SweepView {
    fn of(s: Sweep) -> Self {
        Self {
            sweep_id: s.sweep_id,
            reason: s.reason,
            selector: s.selector,
            state: s.state,
            per_second: s.per_second,
            seen: s.seen,
            differing: s.differing,
            created_by: s.created_by,
            created_at: s.created_at,
            finished_at: s.finished_at,
        }
    }
}

/// A sweep in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SweepPath {
    /// Id of the sweep.
    sweep_id: Uuid,
}

/// A page of sweeps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SweepPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
}

/// List sweeps
///
/// Newest first; for who reads everything.
#[utoipa::path(
    get,
    path = "/api/v1/sweeps",
    tag = "profiles",
    params(SweepPage),
    responses((status = 200, description = "A page of sweeps", body = Page<SweepView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_sweeps(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<SweepPage>,
) -> Result<Json<Page<SweepView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::list(&app, &ctx, query.before, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |sweep| sweep.sweep_id.to_string(), SweepView::of)))
}

/// Get a sweep
#[utoipa::path(
    get,
    path = "/api/v1/sweeps/{sweep_id}",
    tag = "profiles",
    params(SweepPath),
    responses((status = 200, description = "The sweep", body = SweepView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_sweep(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SweepPath>,
) -> Result<Json<SweepView>, Problem> {
    Ok(Json(SweepView::of(service::get(&app, &ctx, path.sweep_id).await?)))
}

/// Pause, resume or call off a sweep, or change its pace
///
/// What is not named stays. One that has ended is not changed.
#[utoipa::path(
    patch,
    path = "/api/v1/sweeps/{sweep_id}",
    tag = "profiles",
    params(SweepPath),
    request_body(content = SweepChange, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The sweep as it is now", body = SweepView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_sweep(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SweepPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<SweepView>, Problem> {
    let change: SweepChange = merge::apply(json!({}), body)?;
    Ok(Json(SweepView::of(service::change(&app, &ctx, path.sweep_id, change).await?)))
}
