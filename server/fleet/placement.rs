//! What an operator says of a device: where it stands, and its tags.
//!
//! Owns the change of both, with its event. It must never put a device into a site that is not
//! there: the tree is shared (`store::sites::share_tree`) by whoever calls.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::label::checked_tags;
use super::site::SitePath;
use crate::error::Error;
use crate::store::{events, sites as store};

/// Where a device stands, and its tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Path of its site; null = it stands in none.
    pub site: Option<String>,
    /// At most 50, each of 1 to 64 letters, digits, `_`, `.` and `-`; null = none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Vec<String>,
}

/// Where a device stands now; locked until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`]
pub async fn of(conn: &mut PgConnection, device_id: Uuid) -> Result<Placement, Error> {
    match store::placement(conn, device_id).await? {
        Some((site, tags)) => Ok(Placement { site, tags }),
        None => Err(Error::NotFound(format!("no device {device_id}"))),
    }
}

/// Gives a device another place, or other tags; `current` is what [`of`] gave in this transaction.
///
/// # Errors
/// [`Error::Invalid`] for a site that is not there, or what is no tag.
pub async fn change(
    conn: &mut PgConnection,
    device_id: Uuid,
    current: &Placement,
    wanted: Placement,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let wanted = Placement { tags: checked_tags(wanted.tags)?, site: wanted.site };
    if wanted == *current {
        return Ok(());
    }
    if let Some(site) = &wanted.site {
        let path: SitePath = site.parse().map_err(|why: String| Error::invalid("/site", why))?;
        if !store::exists(&mut *conn, path.as_str()).await? {
            return Err(Error::invalid("/site", format!("there is no site {path}")));
        }
    }
    store::place(conn, device_id, wanted.site.as_deref(), &wanted.tags, now).await?;
    let detail = json!({ "by": by, "before": current, "after": wanted });
    Ok(events::append(conn, device_id, "device.changed", None, &detail, now).await?)
}
