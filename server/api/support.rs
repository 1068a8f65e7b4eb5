//! The support view: what an agent sees of a customer's device, and the few things they can do.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::support::{self as service, Change, Client, Errand, Internet, Network, View};

/// A device as an agent sees it. What the role of the caller hides is absent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SupportView {
    /// Which device.
    device_id: Uuid,
    /// What it calls itself, else its serial number.
    name: String,
    /// Its serial number.
    serial: String,
    /// Its model.
    model: String,
    /// Its software version.
    version: Option<String>,
    /// Path of the site where it stands; null = in none.
    site: Option<String>,
    /// Whether it informed within three periodic inform intervals.
    online: bool,
    /// When it informed last.
    last_inform: DateTime<Utc>,
    /// When it was started; null = not known.
    started_at: Option<DateTime<Utc>>,
    /// Its way to the Internet.
    internet: Internet,
    /// Its Wi-Fi networks.
    networks: Vec<Network>,
    /// What is connected to it, at most 100.
    clients: Vec<Client>,
    /// When this was last read from it; null = never.
    read_at: Option<DateTime<Utc>>,
    /// What was ordered of it: the newest of each kind that is open or ended within the last hour.
    errands: Vec<Errand>,
    /// What the role of the caller tells agents.
    notes: String,
    /// Whether the caller may restart it.
    may_reboot: bool,
    /// Whether the caller may have it ping.
    may_ping: bool,
    /// The hosts that the caller may have it ping. Empty = any.
    ping_hosts: Vec<String>,
}

impl SupportView {
    fn of(view: View) -> Self {
        Self {
            device_id: view.device.device_id,
            name: view.name,
            serial: view.device.serial,
            model: view.model,
            version: view.version,
            site: view.device.site,
            online: view.online,
            last_inform: view.device.last_inform,
            started_at: view.started_at,
            internet: view.internet,
            networks: view.networks,
            clients: view.clients,
            read_at: view.read_at,
            errands: view.errands,
            notes: view.notes,
            may_reboot: view.may_reboot,
            may_ping: view.ping_hosts.is_some(),
            ping_hosts: view.ping_hosts.unwrap_or_default(),
        }
    }
}

/// See a device as an agent does
///
/// Whether it is there, its way to the Internet, its Wi-Fi networks, what is connected, and how far
/// it is what was ordered of it. Passwords are not in it.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/support",
    tag = "support",
    params(DevicePath),
    responses((status = 200, description = "The device", body = SupportView), Problem),
    security(("token" = ["support"]))
)]
pub(super) async fn get_support(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<SupportView>, Problem> {
    Ok(Json(SupportView::of(service::view(&app, &ctx, &path.device_id).await?)))
}

/// An errand: 201 where it is new, 200 where it was under way.
type Ordered = Result<(StatusCode, Json<Errand>), Problem>;

fn ordered(done: Result<(Errand, bool), Error>) -> Ordered {
    let (errand, is_new) = done?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(errand)))
}

/// What is to become of a Wi-Fi network. At least one of both is another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WifiChange {
    /// `network` of one of the device's networks.
    #[schema(example = "1")]
    network: String,
    /// The new name, 1 to 32 bytes, one of those that the network allows; as it is when absent.
    name: Option<String>,
    /// The new password, 8 to 63 printable ASCII characters, or as many at least as the network
    /// wants; as it is when absent.
    password: Option<String>,
}

/// Change a Wi-Fi network
///
/// The errand is done when the device has taken it.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/support/wifi",
    tag = "support",
    params(DevicePath),
    request_body = WifiChange,
    responses((status = 201, description = "It is ordered", body = Errand), Problem),
    security(("token" = ["support"]))
)]
pub(super) async fn set_support_wifi(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<WifiChange>,
) -> Ordered {
    let change = Change { name: body.name, password: body.password };
    let done = service::set_wifi(&app, &ctx, &path.device_id, &body.network, &change).await;
    ordered(done.map(|errand| (errand, true)))
}

/// Which Wi-Fi network.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkName {
    /// `network` of one of the device's networks.
    #[schema(example = "1")]
    network: String,
}

/// A Wi-Fi password.
#[derive(Serialize, ToSchema)]
pub(super) struct WifiPassword {
    /// In clear.
    password: String,
}

/// Show a Wi-Fi password
///
/// As far as it is known: told by the device, or set here and taken by the device. Each look is in
/// the audit log.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/support/reveal",
    tag = "support",
    params(DevicePath),
    request_body = NetworkName,
    responses((status = 200, description = "The password", body = WifiPassword), Problem),
    security(("token" = ["support"]))
)]
pub(super) async fn reveal_support_wifi(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<NetworkName>,
) -> Result<([(HeaderName, &'static str); 1], Json<WifiPassword>), Problem> {
    let password = service::reveal(&app, &ctx, &path.device_id, &body.network).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(WifiPassword { password })))
}

/// Restart a device
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/support/reboot",
    tag = "support",
    params(DevicePath),
    responses(
        (status = 201, description = "It is ordered", body = Errand),
        (status = 200, description = "It was ordered already", body = Errand),
        Problem
    ),
    security(("token" = ["support"]))
)]
pub(super) async fn reboot_by_support(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Ordered {
    ordered(service::reboot(&app, &ctx, &path.device_id).await)
}

/// Where a device is to ping.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PingTarget {
    /// Name or address.
    #[schema(example = "192.0.2.1")]
    host: String,
}

/// Have a device ping
///
/// Four echo requests to a host that the caller's role allows. While one is under way, asking again
/// gives that one.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/support/ping",
    tag = "support",
    params(DevicePath),
    request_body = PingTarget,
    responses(
        (status = 201, description = "It is ordered", body = Errand),
        (status = 200, description = "One is under way", body = Errand),
        Problem
    ),
    security(("token" = ["support"]))
)]
pub(super) async fn ping_by_support(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<PingTarget>,
) -> Ordered {
    ordered(service::ping(&app, &ctx, &path.device_id, &body.host).await)
}

/// Look again
///
/// Has the device tell once more what the support view is made of.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/support/look",
    tag = "support",
    params(DevicePath),
    responses(
        (status = 201, description = "It is ordered", body = Errand),
        (status = 200, description = "It was ordered already", body = Errand),
        Problem
    ),
    security(("token" = ["support"]))
)]
pub(super) async fn look_by_support(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Ordered {
    ordered(service::look(&app, &ctx, &path.device_id).await)
}
