//! Who would not come back by itself from a script that cuts it off.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::QueryArgs;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::devices::{self, Which};

/// Of which devices it is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StrandedQuery {
    /// A selector; all devices when absent.
    q: Option<String>,
}

/// Devices that would not, for one reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StrandedView {
    /// Why, of each of them, in words.
    why: &'static str,
    /// How many.
    devices: u64,
}

/// Tell which devices would not undo a script that cuts them off
///
/// Of those that the caller may operate, and no more than one order may be for; the most frequent reason
/// first. Nothing is told of more.
#[utoipa::path(
    get,
    path = "/api/v1/devices/stranded",
    tag = "devices",
    params(StrandedQuery),
    responses((status = 200, description = "By reason", body = Vec<StrandedView>), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn list_stranded(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<StrandedQuery>,
) -> Result<Json<Vec<StrandedView>>, Problem> {
    let found =
        devices::stranded(&app, &ctx, &Which::found(query.q.as_deref().unwrap_or_default()))
            .await?;
    let view = |one: devices::Stranded| StrandedView { why: one.why, devices: one.devices };
    Ok(Json(found.into_iter().map(view).collect()))
}
