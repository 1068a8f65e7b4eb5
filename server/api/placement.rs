//! Where a device stands, its tags, what it hangs on and what backs it up.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::device_view::DeviceDetail;
use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs};
use super::merge;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::online;
use crate::fleet::placement::Placement;
use crate::service::devices;

/// Place or tag a device
///
/// What is not named stays; null takes the device out of its site, or all its tags away. `uplink` and
/// `redundancy` pace rollouts: how many behind one uplink at a time, and never two of a set. A device
/// is not its own uplink, also not over others.
#[utoipa::path(
    patch,
    path = "/api/v1/devices/{device_id}",
    tag = "devices",
    params(DevicePath),
    request_body(content = Placement, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The device as it is now", body = DeviceDetail), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DeviceDetail>, Problem> {
    let change = |current: Placement| merge::apply(json!(current), body);
    devices::place(&app, &ctx, &path.device_id, change).await?;
    let detail = devices::detail(&app, &ctx, &path.device_id).await?;
    Ok(Json(DeviceDetail::of(detail, online::since(&app.config, ctx.now))))
}
