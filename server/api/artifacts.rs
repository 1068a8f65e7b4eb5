//! Files that operators store for devices: firmware, manifests, scripts.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::extract::{PathArgs, QueryArgs};
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::store::artifacts::{self as store, Artifact};

/// A page of files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ArtifactPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
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
    /// Token that stored it.
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
            sha256: hex(&a.sha256),
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

impl ArtifactPath {
    async fn load(&self, app: &App) -> Result<Artifact, Error> {
        store::get(&app.pool, self.artifact_id).await?.ok_or_else(|| self.unknown())
    }

    fn unknown(&self) -> Error {
        Error::NotFound(format!("no artifact {}", self.artifact_id))
    }
}

/// Store a file
///
/// The body is the file itself; its media type is kept. The largest size is `acs.max_artifact_bytes`.
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
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<NewArtifact>,
    headers: HeaderMap,
    body: Body,
) -> Result<Stored, Problem> {
    caller.require(Scope::Operate)?;
    check_name(&query.name)?;
    let max = app.config.acs.max_artifact_bytes;
    let announced: Option<u64> =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    // Said before the body is read, so that a caller that waits for 100 Continue never sends it.
    if announced.is_some_and(|length| length > max) {
        return Err(Error::TooLarge(format!("an artifact has at most {max} bytes")).into());
    }
    let artifact_id = Uuid::now_v7();
    let stored = app.files.put(artifact_id, body.into_data_stream(), max).await?;
    let artifact = Artifact {
        artifact_id,
        name: query.name,
        size: i64::try_from(stored.size).map_err(|e| Error::Internal(e.to_string()))?,
        sha256: stored.sha256.to_vec(),
        content_type: media_type(&headers),
        created_by: caller.name,
        created_at: clock::now(),
    };
    if let Err(error) = record(&app, &artifact).await {
        // Without a record nobody would ever find the bytes again.
        if let Err(left) = app.files.delete(artifact_id).await {
            tracing::warn!(artifact.id = %artifact_id, cause = %left.private(), "a file stays behind");
        }
        return Err(error.into());
    }
    let location = [(header::LOCATION, format!("/api/v1/artifacts/{artifact_id}"))];
    Ok((StatusCode::CREATED, location, Json(ArtifactView::of(artifact))))
}

async fn record(app: &App, artifact: &Artifact) -> Result<(), Error> {
    if artifact.size == 0 {
        return Err(Error::invalid("", "the body is empty: send the file as the body"));
    }
    Ok(store::insert(&app.pool, artifact).await?)
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
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ArtifactPage>,
) -> Result<Json<Page<ArtifactView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let rows = store::list(&app.pool, query.before, limit.rows()).await?;
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ArtifactPath>,
) -> Result<Json<ArtifactView>, Problem> {
    caller.require(Scope::Read)?;
    Ok(Json(ArtifactView::of(path.load(&app).await?)))
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
            description = "The bytes, in the media type that they were stored with",
            body = Vec<u8>,
            content_type = "application/octet-stream"
        ),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_artifact_content(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ArtifactPath>,
) -> Result<Response, Problem> {
    caller.require(Scope::Read)?;
    let file = path.load(&app).await?;
    let bytes = app.files.read(file.artifact_id, None).await?;
    Ok(attachment(&file.name, &file.content_type, file.size, &file.sha256, bytes))
}

/// Remove a stored file
///
/// Refused while an open job needs it.
#[utoipa::path(
    delete,
    path = "/api/v1/artifacts/{artifact_id}",
    tag = "artifacts",
    params(ArtifactPath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_artifact(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ArtifactPath>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Operate)?;
    if store::in_use(&app.pool, path.artifact_id).await? {
        return Err(Error::Conflict("an open job needs the file".to_owned()).into());
    }
    // The record first: a file without one is lost space, a record without a file a failing job.
    if !store::delete(&app.pool, path.artifact_id).await? {
        return Err(path.unknown().into());
    }
    app.files.delete(path.artifact_id).await?;
    tracing::info!(artifact.id = %path.artifact_id, by = caller.name, "artifact removed");
    Ok(StatusCode::NO_CONTENT)
}

/// An answer that a browser saves and never shows: the bytes are not ours, the origin is.
pub(super) fn attachment<S>(
    name: &str,
    content_type: &str,
    size: i64,
    sha256: &[u8],
    bytes: S,
) -> Response
where
    S: Stream<Item = Result<Bytes, object_store::Error>> + Send + 'static,
{
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, disposition(name)),
        (header::ETAG, format!("\"{}\"", hex(sha256))),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}

/// `Content-Disposition` with the name twice: plain for old clients, and whole (RFC 6266 4.3).
fn disposition(name: &str) -> String {
    use std::fmt::Write;
    let unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let plain: String = name.chars().map(|c| if unreserved(c) { c } else { '_' }).collect();
    let mut whole = String::with_capacity(name.len());
    for byte in name.bytes() {
        if unreserved(char::from(byte)) {
            whole.push(char::from(byte));
        } else {
            write!(whole, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn media_type(headers: &HeaderMap) -> String {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // What curl says of any body when nobody told it better.
    if sent.is_empty() || sent.len() > 255 || sent == "application/x-www-form-urlencoded" {
        return "application/octet-stream".to_owned();
    }
    sent.to_owned()
}

/// The name stands in paths that devices fetch, and on disks of people.
fn check_name(name: &str) -> Result<(), Error> {
    let strange = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if !(1..=255).contains(&name.len()) || name.starts_with('.') || name.chars().any(strange) {
        let rule = "name has 1 to 255 bytes, no slash, and does not begin with a dot";
        return Err(Error::invalid("", rule));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_file_name() {
        assert!(check_name("routeros-7.16.1-arm.npk").is_ok());
        assert!(check_name("tornis 7 – Rīga.rsc").is_ok());
        for bad in ["", ".", "../x", "a/b", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition("a\"; x=ī.rsc"),
            "attachment; filename=\"a___x__.rsc\"; filename*=UTF-8''a%22%3B%20x%3D%C4%AB.rsc"
        );
    }

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
