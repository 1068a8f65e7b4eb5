//! A device's secrets in clear.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::secrets;

/// Which secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevealRequest {
    /// Full name of the parameter.
    #[schema(example = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase")]
    name: String,
}

/// A secret in clear.
#[derive(Serialize, ToSchema)]
pub(super) struct Revealed {
    /// As the device told it, or took it, last.
    value: String,
}

/// Show a secret of a device
///
/// The value of a secret parameter, as far as it is known: told by the device, or set here and taken
/// by the device. Each look is in the audit log.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/reveal",
    tag = "devices",
    params(DevicePath),
    request_body = RevealRequest,
    responses((status = 200, description = "The secret", body = Revealed), Problem),
    security(("token" = ["secrets"]))
)]
pub(super) async fn reveal_secret(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<RevealRequest>,
) -> Result<([(HeaderName, &'static str); 1], Json<Revealed>), Problem> {
    let value = secrets::reveal(&app, &ctx, &path.device_id, &body.name).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Revealed { value })))
}
