//! The installation at a glance.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::config::AuthMode;
use crate::ctx::{Ctx, Shared};
use crate::service::overview;

/// The installation. Devices and jobs are those that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct System {
    /// Of the server that answers.
    version: &'static str,
    /// The node that answers.
    node: String,
    /// `ok`; when the database is away this answer is a problem with status 503.
    database: &'static str,
    /// How devices prove who they are: `device`, or `none` for a lab.
    #[schema(value_type = String)]
    auth: AuthMode,
    /// Devices in the inventory.
    devices: i64,
    /// Those that informed within three periodic inform intervals.
    devices_online: i64,
    /// Those first seen within the last 24 hours.
    devices_fresh: i64,
    /// Those with a job that failed or expired within the last 24 hours.
    devices_faulted: i64,
    /// Jobs by state: the open ones, and those that ended in the last 24 hours.
    jobs: BTreeMap<String, i64>,
}

/// Get the state of the installation
#[utoipa::path(
    get,
    path = "/api/v1/system",
    tag = "system",
    responses((status = 200, description = "The installation", body = System), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_system(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<System>, Problem> {
    let figures = overview::figures(&app, &ctx).await?;
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION"),
        node: app.node.clone(),
        database: "ok",
        auth: app.config.acs.auth,
        devices: figures.fleet.devices,
        devices_online: figures.fleet.online,
        devices_fresh: figures.fleet.fresh,
        devices_faulted: figures.fleet.faulted,
        jobs: figures.jobs,
    }))
}
