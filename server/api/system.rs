//! The installation at a glance.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Caller, Scope};
use super::problem::Problem;
use crate::clock;
use crate::config::AuthMode;
use crate::ctx::Shared;
use crate::fleet::online;
use crate::store::{devices, jobs};

/// The installation.
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
    caller: Caller,
    State(app): State<Shared>,
) -> Result<Json<System>, Problem> {
    caller.require(Scope::Read)?;
    let now = clock::now();
    let (all, online) = devices::counts(&app.pool, online::since(&app.config, now)).await?;
    let jobs = jobs::counts(&app.pool, now - TimeDelta::days(1)).await?;
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION"),
        node: app.node.clone(),
        database: "ok",
        auth: app.config.acs.auth,
        devices: all,
        devices_online: online,
        jobs: jobs.into_iter().collect(),
    }))
}
