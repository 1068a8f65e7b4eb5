//! One device, brought to a release.

use axum::extract::State;
use serde_json::Value;

use super::super::devices::DevicePath;
use super::super::etag::Made;
use super::super::extract::{JsonBody, PathArgs};
use super::super::problem::Problem;
use super::view::RolloutView;
use super::{made, whole};
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::rollouts::one::{self, DeviceUpgrade};

/// Upgrade a device
///
/// Now, whatever the maintenance windows say. It is a rollout of one device, which begins at once: its
/// hops, checks and story are those of any other.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/upgrade",
    tag = "devices",
    params(DevicePath),
    request_body = DeviceUpgrade,
    responses((status = 201, description = "The rollout", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn upgrade_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<RolloutView>, Problem> {
    let wanted: DeviceUpgrade = whole(body)?;
    let view = one::upgrade(&app, &ctx, &path.device_id, &wanted).await.map_err(in_request)?;
    Ok(made(view))
}

/// The fault of a rollout's change is one of this request.
fn in_request(error: Error) -> Error {
    match error {
        Error::Invalid { pointer, message } => {
            let here = pointer.strip_prefix("/change").unwrap_or_default().to_owned();
            Error::invalid(here, message)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_pointed_at_where_it_was_sent() {
        for (there, here) in [("/change/version", "/version"), ("/name", ""), ("", "")] {
            let Error::Invalid { pointer, .. } = in_request(Error::invalid(there, "no")) else {
                unreachable!("an error stays of its kind");
            };
            assert_eq!(pointer, here);
        }
    }
}
