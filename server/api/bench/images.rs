//! Boot images: list, store, remove.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::extract::{PathArgs, QueryArgs};
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::bench::images::{self as service, Known, NewImage};
use crate::store::bench::Image;

/// A boot image that is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BootImageView {
    /// Which boards take it.
    arch: String,
    /// For people.
    name: String,
    /// Bytes.
    size: i64,
    /// SHA-256 of the bytes, in hexadecimal.
    sha256: String,
    /// Who stored it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl BootImageView {
    fn of(image: Image) -> Self {
        Self {
            sha256: hex::encode(&image.sha256),
            arch: image.arch,
            name: image.name,
            size: image.size,
            created_by: image.created_by,
            created_at: image.created_at,
        }
    }
}

/// A boot image that boards are known to take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KnownImageView {
    /// Which boards take it: an architecture; of PowerPC there are several.
    arch: String,
    /// Where the vendor publishes it, for the newest release that is stored; null = that is not known.
    published: Option<String>,
    /// What is stored; null = nothing.
    image: Option<BootImageView>,
}

impl KnownImageView {
    fn of(known: Known) -> Self {
        let Known { arch, published, image } = known;
        Self { arch, published, image: image.map(BootImageView::of) }
    }
}

/// A boot image in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ImagePath {
    /// Which boards take it.
    arch: String,
}

/// What a boot image is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImageQuery {
    /// For people, at most 255 bytes; `linux.ARCH` when absent.
    name: Option<String>,
}

/// List boot images
///
/// All that boards are known to take, stored or not. None comes with Muster: they are the vendor's, and
/// each operator gets their own.
#[utoipa::path(
    get,
    path = "/api/v1/bench/images",
    tag = "bench",
    responses((status = 200, description = "The images", body = Page<KnownImageView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_boot_images(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<KnownImageView>>, Problem> {
    let all = service::list(&app, &ctx).await?;
    Ok(Json(Page { items: all.into_iter().map(KnownImageView::of).collect(), next: None }))
}

/// Store a boot image
///
/// The body is the file itself, at most 32 MiB. It takes the place of the one that was there.
#[utoipa::path(
    put,
    path = "/api/v1/bench/images/{arch}",
    tag = "bench",
    params(ImagePath, ImageQuery),
    request_body(description = "The bytes", content_type = "application/octet-stream"),
    responses((status = 200, description = "It is stored", body = BootImageView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn put_boot_image(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ImagePath>,
    QueryArgs(query): QueryArgs<ImageQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BootImageView>, Problem> {
    let new = NewImage {
        name: query.name,
        // Where it is too long, a caller that waits for 100 Continue never sends it.
        announced: headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok()),
    };
    let image = service::put(&app, &ctx, &path.arch, new, body.into_data_stream()).await?;
    Ok(Json(BootImageView::of(image)))
}

/// Remove a boot image
#[utoipa::path(
    delete,
    path = "/api/v1/bench/images/{arch}",
    tag = "bench",
    params(ImagePath),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn delete_boot_image(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ImagePath>,
) -> Result<StatusCode, Problem> {
    service::delete(&app, &ctx, &path.arch).await?;
    Ok(StatusCode::NO_CONTENT)
}
