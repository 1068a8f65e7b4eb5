//! What CWMP cannot tell of a device: packages, RouterBOOT, device-mode.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::devices::DevicePath;
use super::extract::PathArgs;
use super::job_view::JobView;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::inspect::{self as service, Packages};

/// A package on a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstalledView {
    /// Such as `routeros` or `wifi-qcom`.
    name: String,
    /// As the device writes it.
    version: String,
    /// Whether it is in use.
    enabled: bool,
}

/// What is installed on a device, as far as that is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DevicePackagesView {
    /// What the device said is installed; else what a board like it has as a rule.
    packages: Vec<InstalledView>,
    /// The device never said so.
    assumed: bool,
    /// Why nothing can be assumed either; null = something can.
    unknown: Option<String>,
    /// How it was learned: `script` or `direct`; null = not yet, as for all that follows.
    source: Option<String>,
    /// When it was learned.
    learned_at: Option<DateTime<Utc>>,
    /// The RouterBOOT that runs.
    booter_current: Option<String>,
    /// The RouterBOOT that its RouterOS brings.
    booter_upgrade: Option<String>,
    /// device-mode.
    device_mode: Option<String>,
    /// What device-mode lets be installed, such as `7.13+,6.49.8+`; `any` = everything.
    allowed_versions: Option<String>,
}

impl DevicePackagesView {
    fn of(known: Packages) -> Self {
        let packages = known.packages.into_iter();
        let packages = packages.map(|p| InstalledView {
            name: p.name,
            version: p.version,
            enabled: p.enabled,
        });
        let said = known.said.as_ref();
        Self {
            packages: packages.collect(),
            assumed: known.assumed,
            unknown: known.unknown,
            source: said.map(|s| s.source.clone()),
            learned_at: said.map(|s| s.learned_at),
            booter_current: said.and_then(|s| s.booter_current.clone()),
            booter_upgrade: said.and_then(|s| s.booter_upgrade.clone()),
            device_mode: said.and_then(|s| s.device_mode.clone()),
            allowed_versions: said.and_then(|s| s.allowed_versions.clone()),
        }
    }
}

/// The two jobs of an inspection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InspectionView {
    /// Has the device write what it is asked into its log.
    script: JobView,
    /// Has the device send its log. When it is done, what the log says is known.
    log: JobView,
}

/// Say what is installed on a device
///
/// Packages, RouterBOOT and device-mode, as the device told them when it was inspected last. One that
/// never was is assumed to have what boards like it have as a rule.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/packages",
    tag = "devices",
    params(DevicePath),
    responses((status = 200, description = "What is installed", body = DevicePackagesView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_device_packages(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<DevicePackagesView>, Problem> {
    Ok(Json(DevicePackagesView::of(service::packages(&app, &ctx, &path.device_id).await?)))
}

/// Have a device tell what is installed on it
///
/// Makes two jobs: a script that writes it into the device's log, and an upload of the log. Asked for
/// again while the script has not run, gives the same two.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/inspect",
    tag = "devices",
    params(DevicePath),
    responses((status = 200, description = "The two jobs", body = InspectionView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn inspect_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<InspectionView>, Problem> {
    let (script, log) = service::order(&app, &ctx, &path.device_id).await?;
    Ok(Json(InspectionView { script: JobView::of(script), log: JobView::of(log) }))
}
