//! Releases of RouterOS: list, make, change, withdraw, remove; and the way of a device to one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use muster_routeros::version::RosVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::devices::DevicePath;
use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::packages::PackageView;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::firmware::catalogue::{Completeness, Stored};
use crate::firmware::hops::Hop;
use crate::service::releases::path::{Way, path};
use crate::service::releases::{self as service, NewRelease, ReleaseFields, Running, View};

/// A release of RouterOS.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleaseView {
    /// Such as `7.16.1`.
    version: String,
    /// For people.
    notes: String,
    /// Why nothing new may be sent of it; null = it may be sent.
    withdrawn: Option<String>,
    /// Since when.
    withdrawn_at: Option<DateTime<Utc>>,
    /// How much of it is stored, for each architecture that anything is stored for.
    completeness: Vec<Completeness>,
    /// What is stored of it.
    packages: Vec<PackageView>,
    /// Devices that run it, of those that the caller may read.
    devices: i64,
    /// Who made it, or uploaded its first package.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// When it last changed, its packages apart.
    updated_at: DateTime<Utc>,
}

impl ReleaseView {
    fn of(view: View, running: &Running) -> Self {
        let View { release, packages, completeness } = view;
        let version = release.version.parse::<RosVersion>().ok();
        let devices = version.and_then(|version| running.devices.get(&version)).copied();
        Self {
            version: release.version,
            notes: release.notes,
            withdrawn: release.withdrawn_at.map(|_| release.withdrawn_why.unwrap_or_default()),
            withdrawn_at: release.withdrawn_at,
            completeness,
            packages: packages.into_iter().map(PackageView::of).collect(),
            devices: devices.unwrap_or_default(),
            created_by: release.created_by,
            created_at: release.created_at,
            updated_at: release.updated_at,
        }
    }
}

async fn shown(app: &Shared, ctx: &Ctx, view: View) -> Result<Shown<ReleaseView>, Problem> {
    let running = service::running(app, ctx).await?;
    Ok(etag::shown(view.release.updated_at, ReleaseView::of(view, &running)))
}

/// A release in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ReleasePath {
    /// Its version, such as `7.16.1`.
    version: String,
}

/// A page of releases.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReleasePage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
}

/// List releases
///
/// Newest first, as RouterOS orders versions: 7.9 is older than 7.16, and 7.24rc1 than 7.24.
#[utoipa::path(
    get,
    path = "/api/v1/releases",
    tag = "releases",
    params(ReleasePage),
    responses((status = 200, description = "A page of releases", body = Page<ReleaseView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_releases(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ReleasePage>,
) -> Result<Json<Page<ReleaseView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::list(&app, &ctx, query.before.as_deref(), limit.rows()).await?;
    let running = service::running(&app, &ctx).await?;
    let cursor = |view: &View| view.release.version.clone();
    Ok(Json(Page::of(rows, limit, cursor, |view| ReleaseView::of(view, &running))))
}

/// Make a release
///
/// One is also made by the first package of its version that is uploaded.
#[utoipa::path(
    post,
    path = "/api/v1/releases",
    tag = "releases",
    request_body = NewRelease,
    responses((status = 201, description = "The new release", body = ReleaseView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_release(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<ReleaseView>, Problem> {
    let new: NewRelease = merge::apply(json!({}), body)?;
    let view = service::create(&app, &ctx, new).await?;
    let at = format!("/api/v1/releases/{}", view.release.version);
    Ok(etag::made(at, shown(&app, &ctx, view).await?))
}

/// Get a release
#[utoipa::path(
    get,
    path = "/api/v1/releases/{version}",
    tag = "releases",
    params(ReleasePath),
    responses(
        (status = 200, description = "The release; `ETag` is its version", body = ReleaseView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_release(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(args): PathArgs<ReleasePath>,
) -> Result<Shown<ReleaseView>, Problem> {
    let view = service::get(&app, &ctx, &args.version).await?;
    shown(&app, &ctx, view).await
}

/// Change or withdraw a release
///
/// `withdrawn` with a reason: nothing new is sent of it; what is under way goes on. Null takes that
/// back. What is not named stays.
#[utoipa::path(
    patch,
    path = "/api/v1/releases/{version}",
    tag = "releases",
    params(ReleasePath, IfMatch),
    request_body(content = ReleaseFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The release as it is now", body = ReleaseView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_release(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(args): PathArgs<ReleasePath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<ReleaseView>, Problem> {
    let patch = |fields: ReleaseFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    let view = service::change(&app, &ctx, &args.version, check, patch).await?;
    shown(&app, &ctx, view).await
}

/// Remove a release
///
/// With its packages. Refused while an open job or a rollout that has not ended needs it.
#[utoipa::path(
    delete,
    path = "/api/v1/releases/{version}",
    tag = "releases",
    params(ReleasePath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_release(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(args): PathArgs<ReleasePath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, &args.version, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// To which release.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PathQuery {
    /// Such as `7.16.1`.
    #[param(required = true)]
    version: Option<String>,
    /// Also to an older one than the device runs.
    #[serde(default)]
    downgrade: bool,
}

/// A package that a device is given.
#[derive(Debug, Serialize, ToSchema)]
struct HopPackageView {
    /// Which.
    package_id: Uuid,
    /// `routeros`, `tr069-client` ...
    name: String,
    /// As the device knows it.
    file_name: String,
    /// Bytes.
    size: u64,
}

impl HopPackageView {
    fn of(stored: Stored) -> Self {
        let Stored { package_id, name, file_name, size, .. } = stored;
        Self { package_id, name, file_name, size }
    }
}

/// One download, with one restart.
#[derive(Debug, Serialize, ToSchema)]
struct HopView {
    /// What the device runs then.
    version: String,
    /// What it is given.
    packages: Vec<HopPackageView>,
}

impl HopView {
    fn of(hop: Hop) -> Self {
        let packages = hop.packages.into_iter().map(HopPackageView::of).collect();
        Self { version: hop.version.to_string(), packages }
    }
}

/// Why there is no way.
#[derive(Debug, Serialize, ToSchema)]
struct RefusalView {
    /// `already_there`, `newer`, `unknown_version`, `not_routeros`, `unknown_architecture`,
    /// `withdrawn`, `missing_package`, `not_allowed`, `no_path`.
    kind: &'static str,
    /// In words, with what to do.
    reason: String,
}

/// How a device gets to a release.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UpgradePathView {
    /// The device.
    device_id: Uuid,
    /// What it runs, as it says.
    from: Option<String>,
    /// The release.
    to: String,
    /// Over which releases, one after the other; none where there is no way.
    hops: Vec<HopView>,
    /// What the device downloads, in bytes.
    bytes: u64,
    /// The device has not said all that this was decided by: what is installed is assumed from its
    /// model.
    assumed: bool,
    /// Why there is no way; null = there is one.
    refusal: Option<RefusalView>,
}

impl UpgradePathView {
    fn of(way: Way) -> Self {
        let mut view = Self {
            device_id: way.device.device_id,
            from: way.device.software_version,
            to: way.target.to_string(),
            hops: Vec::new(),
            bytes: 0,
            assumed: false,
            refusal: None,
        };
        match way.path {
            Ok(path) => {
                view.hops = path.hops.into_iter().map(HopView::of).collect();
                view.bytes = path.bytes;
                view.assumed = path.assumed;
            }
            Err(refusal) => {
                let (kind, reason) = (refusal.kind(), refusal.to_string());
                view.refusal = Some(RefusalView { kind, reason });
            }
        }
        view
    }
}

/// Say how a device gets to a release
///
/// By what is known of the device and stored now. Nothing is changed.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/upgrade-path",
    tag = "releases",
    params(DevicePath, PathQuery),
    responses(
        (status = 200, description = "The way, or why there is none", body = UpgradePathView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_upgrade_path(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(args): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<PathQuery>,
) -> Result<Json<UpgradePathView>, Problem> {
    let version = query.version.as_deref();
    let way = path(&app, &ctx, &args.device_id, version, query.downgrade).await?;
    Ok(Json(UpgradePathView::of(way)))
}
