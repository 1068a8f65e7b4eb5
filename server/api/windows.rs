//! When the devices of a site may be changed.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::PathArgs;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::window::{Hours, Window};
use crate::service::sites;

/// The site whose windows are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SitePath {
    /// Id of the site.
    site_id: Uuid,
}

/// When the devices of a site may be changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SiteWindows {
    /// Path of the site that says so: this one, or the nearest above that has windows; null = none
    /// has, and they may be changed at any time.
    site: Option<String>,
    /// IANA name of its time zone, by whose clock they open.
    time_zone: &'static str,
    /// Its windows.
    windows: Vec<Window>,
    /// Whether one is open now.
    open: bool,
    /// The first time from now on at which one is open: now, where one is.
    next_open: Option<DateTime<Utc>>,
}

impl SiteWindows {
    fn of(hours: Hours, now: DateTime<Utc>) -> Self {
        Self {
            open: hours.is_open(now),
            next_open: hours.next_open(now),
            time_zone: hours.time_zone.name(),
            site: hours.site,
            windows: hours.windows,
        }
    }
}

/// Get a site's windows
///
/// Those that hold for its devices, of its own or of a site above it.
#[utoipa::path(
    get,
    path = "/api/v1/sites/{site_id}/windows",
    tag = "sites",
    params(SitePath),
    responses((status = 200, description = "The windows that hold", body = SiteWindows), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_site_windows(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SitePath>,
) -> Result<Json<SiteWindows>, Problem> {
    let site = sites::get(&app, &ctx, path.site_id).await?;
    let hours = sites::window_of(&app, &ctx, Some(&site.path)).await?;
    Ok(Json(SiteWindows::of(hours, ctx.now)))
}
