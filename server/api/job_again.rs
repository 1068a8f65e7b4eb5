//! A job once more, and what happened to one.

use axum::Json;
use axum::extract::State;

use super::events::EventView;
use super::extract::PathArgs;
use super::job_view::JobView;
use super::jobs::{JobPath, Placed, placed};
use super::page::Page;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::jobs as service;

/// Order a job again
///
/// A new job that is to do what one that has ended was to do, with the secrets that it was given. It
/// may run from now on, and expires as if it had been ordered anew.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job_id}/again",
    tag = "jobs",
    params(JobPath),
    responses((status = 201, description = "The new job", body = JobView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn order_job_again(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<JobPath>,
) -> Result<Placed, Problem> {
    let job = service::again(&app, &ctx, path.job_id).await?;
    Ok(placed((job, true)))
}

/// List a job's events
///
/// On one page, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/events",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The events", body = Page<EventView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_job_events(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<JobPath>,
) -> Result<Json<Page<EventView>>, Problem> {
    let events = service::history(&app, &ctx, path.job_id).await?;
    let items = events.into_iter().map(EventView::of).collect();
    Ok(Json(Page { items, next: None }))
}
