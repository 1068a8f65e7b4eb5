//! Files that devices sent.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::artifacts::{self, ArtifactPage};
use super::devices::DevicePath;
use super::extract::{PathArgs, QueryArgs};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::files::sealed;
use crate::service::devices;
use crate::store::artifacts::DeviceArtifact;

/// A file that a device sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceArtifactView {
    /// Which.
    artifact_id: Uuid,
    /// The upload job it answers.
    job_id: Uuid,
    /// FileType, such as `1 Vendor Configuration File`.
    file_type: String,
    /// File name.
    name: String,
    /// Bytes.
    size: i64,
    /// SHA-256 of the bytes, in hexadecimal.
    sha256: String,
    /// When it arrived.
    created_at: DateTime<Utc>,
}

impl DeviceArtifactView {
    fn of(a: DeviceArtifact) -> Self {
        Self {
            artifact_id: a.artifact_id,
            job_id: a.job_id,
            file_type: a.file_type,
            name: a.name,
            size: a.size,
            sha256: hex::encode(&a.sha256),
            created_at: a.created_at,
        }
    }
}

/// A device's file in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DeviceArtifactPath {
    /// Id of the device, or `serial:` and its serial number.
    device_id: String,
    /// Id of the file.
    artifact_id: Uuid,
}

/// List the files a device sent
///
/// Newest first. A job of the kind `upload` makes the device send one.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/artifacts",
    tag = "devices",
    params(DevicePath, ArtifactPage),
    responses(
        (status = 200, description = "A page of files", body = Page<DeviceArtifactView>),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_device_artifacts(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<ArtifactPage>,
) -> Result<Json<Page<DeviceArtifactView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = devices::files(&app, &ctx, &path.device_id, query.before, limit.rows()).await?;
    let cursor = |a: &DeviceArtifact| a.artifact_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, DeviceArtifactView::of)))
}

/// Fetch a file that a device sent
///
/// It may hold secrets: each fetch is in the audit log.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/artifacts/{artifact_id}/content",
    tag = "devices",
    params(DeviceArtifactPath),
    responses(
        (
            status = 200,
            description = "The bytes",
            body = Vec<u8>,
            content_type = "application/octet-stream"
        ),
        Problem
    ),
    security(("token" = ["operate"]))
)]
pub(super) async fn get_device_artifact_content(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DeviceArtifactPath>,
) -> Result<Response, Problem> {
    let file = devices::file(&app, &ctx, &path.device_id, path.artifact_id).await?;
    let bytes = sealed::stream(&app, &file).await?;
    Ok(artifacts::attachment(&file.name, file.size, &file.sha256, bytes))
}
