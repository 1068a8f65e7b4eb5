//! Files that operators store for devices: firmware, manifests, scripts.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{PathArgs, QueryArgs};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::artifacts as service;
use crate::store::artifacts::Artifact;

pub(super) use crate::files::attachment::attachment;

/// A page of files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ArtifactPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub before: Option<Uuid>,
}

/// What a file to be stored is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NewArtifact {
    /// File name, 1 to 255 bytes without slashes. Devices are given this name, and RouterOS goes by
    /// its ending.
    name: String,
}

/// A stored file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ArtifactView {
    /// Which.
    artifact_id: Uuid,
    /// File name.
    name: String,
    /// Bytes.
    size: i64,
    /// SHA-256 of the bytes, in hexadecimal.
    sha256: String,
    /// Media type.
    content_type: String,
    /// Name of the user or token that stored it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl ArtifactView {
    fn of(a: Artifact) -> Self {
        Self {
            artifact_id: a.artifact_id,
            name: a.name,
            size: a.size,
            sha256: hex::encode(&a.sha256),
            content_type: a.content_type,
            created_by: a.created_by,
            created_at: a.created_at,
        }
    }
}

/// 201 with the record of a new file, and where it is.
type Stored = (StatusCode, [(HeaderName, String); 1], Json<ArtifactView>);

/// A stored file in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ArtifactPath {
    /// Id of the file.
    artifact_id: Uuid,
}

/// Store a file
///
/// The body is the file itself; its media type is kept in the record. The largest size is
/// `acs.max_artifact_bytes`, and what leaves 1 GiB and 5 % of the disk free.
#[utoipa::path(
    post,
    path = "/api/v1/artifacts",
    tag = "artifacts",
    params(NewArtifact),
    request_body(description = "The bytes", content_type = "application/octet-stream"),
    responses((status = 201, description = "It is stored", body = ArtifactView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_artifact(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<NewArtifact>,
    headers: HeaderMap,
    body: Body,
) -> Result<Stored, Problem> {
    let new = service::NewArtifact {
        name: query.name,
        content_type: media_type(&headers),
        // Where it is too long, a caller that waits for 100 Continue never sends it.
        announced: headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok()),
    };
    let artifact = service::create(&app, &ctx, new, body.into_data_stream()).await?;
    let location = [(header::LOCATION, format!("/api/v1/artifacts/{}", artifact.artifact_id))];
    Ok((StatusCode::CREATED, location, Json(ArtifactView::of(artifact))))
}

/// List stored files
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/v1/artifacts",
    tag = "artifacts",
    params(ArtifactPage),
    responses((status = 200, description = "A page of files", body = Page<ArtifactView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_artifacts(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ArtifactPage>,
) -> Result<Json<Page<ArtifactView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::list(&app, &ctx, query.before, limit.rows()).await?;
    let cursor = |a: &Artifact| a.artifact_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, ArtifactView::of)))
}

/// Get what is known of a stored file
#[utoipa::path(
    get,
    path = "/api/v1/artifacts/{artifact_id}",
    tag = "artifacts",
    params(ArtifactPath),
    responses((status = 200, description = "The file's record", body = ArtifactView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_artifact(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ArtifactPath>,
) -> Result<Json<ArtifactView>, Problem> {
    Ok(Json(ArtifactView::of(service::get(&app, &ctx, path.artifact_id).await?)))
}

/// Fetch a stored file
#[utoipa::path(
    get,
    path = "/api/v1/artifacts/{artifact_id}/content",
    tag = "artifacts",
    params(ArtifactPath),
    responses(
        (
            status = 200,
            description = "The bytes, to be saved: never in the media type of the record",
            body = Vec<u8>,
            content_type = "application/octet-stream"
        ),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_artifact_content(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ArtifactPath>,
) -> Result<Response, Problem> {
    let (file, bytes) = service::read(&app, &ctx, path.artifact_id).await?;
    Ok(attachment(&file.name, file.size, &file.sha256, bytes))
}

/// Remove a stored file
///
/// Refused while an open job needs it. One that somebody else stored takes the right everywhere: any
/// device may need it.
#[utoipa::path(
    delete,
    path = "/api/v1/artifacts/{artifact_id}",
    tag = "artifacts",
    params(ArtifactPath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_artifact(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ArtifactPath>,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, path.artifact_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn media_type(headers: &HeaderMap) -> String {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // What curl says of any body when nobody told it better.
    if sent.is_empty() || sent.len() > 255 || sent == "application/x-www-form-urlencoded" {
        return "application/octet-stream".to_owned();
    }
    sent.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_kept_unless_it_says_nothing() {
        let of = |value: &'static str| {
            let value = axum::http::HeaderValue::from_static(value);
            media_type(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)]))
        };
        assert_eq!(of("text/xml"), "text/xml");
        assert_eq!(of("application/x-www-form-urlencoded"), "application/octet-stream");
        assert_eq!(media_type(&HeaderMap::new()), "application/octet-stream");
    }
}
