//! Configurations of devices: history, what differs, what changed of late, and back.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::artifacts::ArtifactPage;
use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::job_view::JobView;
use super::jobs::{Placed, placed};
use super::page::{Limit, Page, moment, moment_of};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::backup::adopt::Adoption;
use crate::jobs::spec::OverwriteConfirmation;
use crate::service::backups::{self as service, Changed, Restoring, With};
use view::{BackupDiff, BackupText, BackupView, ChangedView};

/// What is told of changes when nobody says since when.
const LATELY: TimeDelta = TimeDelta::hours(24);

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_backups, take_backup))
        .routes(routes!(get_backup))
        .routes(routes!(diff_backups))
        .routes(routes!(accept_backup))
        .routes(routes!(adopt_backup))
        .routes(routes!(restore_backup))
        .routes(routes!(list_changed_backups))
}

/// A backup in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct BackupPath {
    /// Id of the device, or `serial:` and its serial number where only one device has it.
    device_id: String,
    /// Id of the backup.
    backup_id: Uuid,
}

/// What a backup is compared with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// `before`, the complete one before it; `accepted`; or the id of one. `before` when absent.
    with: Option<String>,
}

/// A page of changes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangedPage {
    /// What came since this time; within the last 24 hours when absent.
    since: Option<DateTime<Utc>>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
}

/// List a device's backups
///
/// Newest first. They are kept for 90 days, and the last ten and the accepted one for ever.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/backups",
    tag = "backups",
    params(DevicePath, ArtifactPage),
    responses((status = 200, description = "A page of backups", body = Page<BackupView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_backups(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<ArtifactPage>,
) -> Result<Json<Page<BackupView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::list(&app, &ctx, &path.device_id, query.before, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |b| b.backup_id.to_string(), BackupView::of)))
}

/// Have a device send its configuration
///
/// Makes an upload job. When it is done, the backup is in the list.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/backups",
    tag = "backups",
    params(DevicePath),
    responses(
        (status = 201, description = "The new job", body = JobView),
        (status = 200, description = "The job that was ordered already", body = JobView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn take_backup(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Placed, Problem> {
    Ok(placed(service::take(&app, &ctx, &path.device_id).await?))
}

/// Get a backup
///
/// With its text; as `text/plain` the text alone. Secrets are not in it.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/backups/{backup_id}",
    tag = "backups",
    params(BackupPath),
    responses(
        (status = 200, description = "The backup; as text the configuration", content(
            (BackupText = "application/json"),
            (String = "text/plain")
        )),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_backup(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BackupPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (backup, text) = service::get(&app, &ctx, &path.device_id, path.backup_id).await?;
    if is_text_wanted(&headers) {
        // What a device wrote is never shown as anything else.
        let fields = [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        return Ok((fields, text).into_response());
    }
    Ok(Json(BackupText { backup: BackupView::of(backup), text }).into_response())
}

/// Whether the first type that is accepted, of the two that there are, is text.
fn is_text_wanted(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = fields.flat_map(|field| field.split(','));
    ranges.find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
        "text/plain" | "text/*" => Some(true),
        "application/json" | "application/*" | "*/*" => Some(false),
        _ => None,
    }) == Some(true)
}

/// Compare a backup with another one
///
/// Line by line, and word by word within lines that changed.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/backups/{backup_id}/diff",
    tag = "backups",
    params(BackupPath, DiffQuery),
    responses((status = 200, description = "What differs", body = BackupDiff), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn diff_backups(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BackupPath>,
    QueryArgs(query): QueryArgs<DiffQuery>,
) -> Result<Json<BackupDiff>, Problem> {
    let with: With = query.with.as_deref().unwrap_or("before").parse()?;
    let compared = service::diff(&app, &ctx, &path.device_id, path.backup_id, with).await?;
    Ok(Json(BackupDiff::of(compared)))
}

/// Accept a backup
///
/// What the device has by it is right: from now on, what differs from it is drift.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/backups/{backup_id}/accept",
    tag = "backups",
    params(BackupPath),
    responses((status = 200, description = "The backup, accepted", body = BackupView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn accept_backup(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BackupPath>,
) -> Result<Json<BackupView>, Problem> {
    let backup = service::accept(&app, &ctx, &path.device_id, path.backup_id).await?;
    Ok(Json(BackupView::of(backup)))
}

/// Which variable is to have the value that the device has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdoptRequest {
    /// One of the `adoptions` of the comparison with the accepted backup.
    #[schema(example = "dns")]
    variable: String,
}

/// Adopt what was changed on a device
///
/// A variable gets, for this device alone, the value that the backup shows.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/backups/{backup_id}/adopt",
    tag = "backups",
    params(BackupPath),
    request_body = AdoptRequest,
    responses((status = 200, description = "What was adopted", body = Adoption), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn adopt_backup(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BackupPath>,
    JsonBody(body): JsonBody<AdoptRequest>,
) -> Result<Json<Adoption>, Problem> {
    let (device, backup) = (&path.device_id, path.backup_id);
    Ok(Json(service::adopt(&app, &ctx, device, backup, &body.variable).await?))
}

/// Which words allow it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreRequest {
    /// `overwrite the whole configuration`, to the letter.
    confirm: OverwriteConfirmation,
}

/// A restore that is ordered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RestoreView {
    /// The job that replaces the configuration.
    job: JobView,
    /// What the device will lack then: what no export has, and the secrets that this one hides.
    lacks: Vec<String>,
}

/// Give a device a configuration of its own back
///
/// In place of all that it has, with a restart. What it has now is kept first. An export is not all of
/// a device: `lacks` says what is to be brought to it again.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/backups/{backup_id}/restore",
    tag = "backups",
    params(BackupPath),
    request_body = RestoreRequest,
    responses(
        (status = 201, description = "It is ordered", body = RestoreView),
        (status = 200, description = "It was ordered already", body = RestoreView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn restore_backup(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BackupPath>,
    JsonBody(body): JsonBody<RestoreRequest>,
) -> Result<(StatusCode, Json<RestoreView>), Problem> {
    let (device, backup) = (&path.device_id, path.backup_id);
    let Restoring { job, made, lacks } =
        service::restore(&app, &ctx, device, backup, body.confirm).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(RestoreView { job: JobView::of(job), lacks })))
}

/// List configurations that changed
///
/// What changed last night: backups that say something else than the one before, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/backups/changed",
    tag = "backups",
    params(ChangedPage),
    responses((status = 200, description = "A page of changes", body = Page<ChangedView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_changed_backups(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ChangedPage>,
) -> Result<Json<Page<ChangedView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let before = query.before.as_deref().map(moment_of).transpose()?;
    let since = query.since.unwrap_or(ctx.now - LATELY);
    let rows = service::changed(&app, &ctx, since, before, limit.rows()).await?;
    let cursor = |c: &Changed| moment(c.change.at, c.change.device_id);
    Ok(Json(Page::of(rows, limit, cursor, ChangedView::of)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn text_is_for_whom_asks_for_it() {
        for (accept, text) in [
            ("text/plain", true),
            ("text/plain; q=0.5, application/json", true),
            ("application/json, text/plain", false),
            ("image/png, text/*", true),
            ("*/*", false),
            ("image/png", false),
        ] {
            let value = HeaderValue::from_static(accept);
            let headers = HeaderMap::from_iter([(header::ACCEPT, value)]);
            assert_eq!(is_text_wanted(&headers), text, "{accept}");
        }
        assert!(!is_text_wanted(&HeaderMap::new()));
    }
}
