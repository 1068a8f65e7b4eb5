//! Files that devices sent.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::artifacts::{self, ArtifactPage, hex};
use super::auth::{Caller, Scope};
use super::devices::{self, DevicePath};
use super::extract::{PathArgs, QueryArgs};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::Shared;
use crate::error::Error;
use crate::store::artifacts::{self as store, DeviceArtifact};

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
            sha256: hex(&a.sha256),
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<ArtifactPage>,
) -> Result<Json<Page<DeviceArtifactView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let device_id = path.load(&app.pool).await?.device_id;
    let rows = store::list_of_device(&app.pool, device_id, query.before, limit.rows()).await?;
    let cursor = |a: &DeviceArtifact| a.artifact_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, DeviceArtifactView::of)))
}

/// Fetch a file that a device sent
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DeviceArtifactPath>,
) -> Result<Response, Problem> {
    // A configuration holds what the device itself keeps secret.
    caller.require(Scope::Operate)?;
    let device_id = devices::resolve(&app.pool, &path.device_id).await?;
    let file = store::get_of_device(&app.pool, device_id, path.artifact_id)
        .await?
        .ok_or_else(|| Error::NotFound(format!("no file {} of that device", path.artifact_id)))?;
    let bytes = app.files.read(file.artifact_id, None).await?;
    let octets = "application/octet-stream";
    Ok(artifacts::attachment(&file.name, octets, file.size, &file.sha256, bytes))
}
