//! Where a device stands, and its tags.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::auth::{Caller, Scope};
use super::device_view::DeviceDetail;
use super::devices::{self, DevicePath};
use super::extract::{JsonBody, PathArgs};
use super::merge;
use super::problem::Problem;
use crate::clock;
use crate::ctx::Shared;
use crate::fleet::placement::{self, Placement};
use crate::store::sites;

/// Place or tag a device
///
/// What is not named stays; null takes the device out of its site, or all its tags away.
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DeviceDetail>, Problem> {
    caller.require(Scope::Operate)?;
    let device_id = devices::resolve(&app.pool, &path.device_id).await?;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    let current = placement::of(&mut tx, device_id).await?;
    let wanted: Placement = merge::apply(json!(current), body)?;
    let now = clock::now();
    placement::change(&mut tx, device_id, &current, wanted, &caller.name, now).await?;
    tx.commit().await?;
    let device = path.load(&app.pool).await?;
    Ok(Json(devices::detail(&app, device).await?))
}
