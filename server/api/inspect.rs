//! What CWMP cannot tell of a device: packages, RouterBOOT, device-mode.

use axum::Json;
use axum::extract::{FromRequest, OptionalFromRequest, Request, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::bulk::{interrupted, which};
use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs};
use super::job_view::JobView;
use super::merge;
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
    /// How it was learned: `script`, or `rest` from the device itself; null = not yet, as for all that
    /// follows.
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
    /// Why the device does not undo a script by itself that cuts it off; null = it does.
    rescue: Option<String>,
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
            rescue: known.rescue.map(str::to_owned),
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

/// How a device is asked.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Via {
    /// By two jobs, over CWMP.
    #[default]
    Script,
    /// Itself and now, over REST of RouterOS 7.
    Direct,
}

/// What may be said of an inspection.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct InspectRequest {
    /// How the device is asked; `script` where nothing is said.
    via: Via,
}

/// The body may be absent: an order by two jobs needs none.
impl<S: Send + Sync> FromRequest<S> for InspectRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = <Json<Option<Self>> as OptionalFromRequest<S>>::from_request(request, state);
        Ok(body.await?.and_then(|Json(asked)| asked).unwrap_or_default())
    }
}

/// An inspection: its two jobs, or what a device said that was asked itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InspectionView {
    /// Has the device write what it is asked into its log; null = it was asked itself.
    script: Option<JobView>,
    /// Has the device send its log. When it is done, what the log says is known. Null = it was asked
    /// itself.
    log: Option<JobView>,
    /// What the device said that was asked itself; null = it is asked by the two jobs.
    packages: Option<DevicePackagesView>,
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
/// again while the script has not run, gives the same two. With `via` = `direct` the device is asked
/// itself, at the address where it takes connection requests, and the answer has what it said: 409 says
/// why it cannot be asked, such as which of its variables are missing.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/inspect",
    tag = "devices",
    params(DevicePath),
    request_body = Option<InspectRequest>,
    responses((status = 200, description = "The two jobs, or what it said", body = InspectionView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn inspect_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    asked: InspectRequest,
) -> Result<Json<InspectionView>, Problem> {
    let view = match asked.via {
        Via::Script => {
            let (script, log) = service::order(&app, &ctx, &path.device_id).await?;
            let (script, log) = (Some(JobView::of(script)), Some(JobView::of(log)));
            InspectionView { script, log, packages: None }
        }
        Via::Direct => {
            let said = service::ask(&app, &ctx, &path.device_id).await?;
            let packages = Some(DevicePackagesView::of(said));
            InspectionView { script: None, log: None, packages }
        }
    };
    Ok(Json(view))
}

/// An inspection of many devices: those of a selector, or those of a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectionsRequest {
    /// Which devices.
    selector: Option<String>,
    /// Which devices, in place of the selector; their number is `expected`.
    #[schema(min_items = 1, max_items = 1000)]
    device_ids: Option<Vec<Uuid>>,
    /// How many devices the caller saw match, 1 to 10000. Where it is another number now, nothing is
    /// done. Only those count that the caller may operate.
    expected: usize,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InspectionsResult {
    /// Devices that got the two jobs.
    created: u64,
    /// Devices that did not: they wait to be inspected already, have too many open jobs, were removed
    /// meanwhile, or are not the caller's to operate.
    skipped: u64,
}

/// Have many devices tell what is installed on them
///
/// The two jobs of an inspection on every device that the selector finds where the caller may operate,
/// if and only if they are as many as `expected`; 409 names the real number otherwise. Or on those of
/// `device_ids`, of which the caller's are taken. The devices get their jobs in batches; an order that
/// was interrupted can be sent again.
#[utoipa::path(
    post,
    path = "/api/v1/inspections",
    tag = "devices",
    request_body = InspectionsRequest,
    responses((status = 200, description = "It is done", body = InspectionsResult), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn inspect_devices(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<InspectionsResult>, Problem> {
    let asked: InspectionsRequest = merge::apply(json!({}), body)?;
    let which = which(asked.selector, asked.device_ids)?;
    let made = service::order_many(&app, &ctx, &which, asked.expected).await;
    let made = made.map_err(|stopped| interrupted(stopped, asked.expected))?;
    Ok(Json(InspectionsResult { created: made.created, skipped: made.skipped }))
}
