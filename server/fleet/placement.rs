//! What an operator says of a device: where it stands, its tags, what it hangs on and what backs it
//! up.
//!
//! Owns the change of these, with its event. It must never put a device into a site that is not
//! there: the tree is shared (`store::sites::share_tree`) by whoever calls.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::label::{check_tag, checked_tags};
use super::site::SitePath;
use crate::error::Error;
use crate::store::sites::{self as store, Placed};
use crate::store::{desired, events, uplinks};

/// Where a device stands, its tags, and with which others it goes together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Path of its site; null = it stands in none.
    pub site: Option<String>,
    /// At most 50, each of 1 to 64 letters, digits, `_`, `.` and `-`; null = none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Vec<String>,
    /// The device through which it reaches the network: its id, or `serial:` and its serial number;
    /// null = none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<String>,
    /// Devices with the same label back each other up: rollouts never change two of them at a time.
    /// As a tag; null = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redundancy: Option<String>,
}

/// Where a device stands now; locked until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`]
pub async fn of(conn: &mut PgConnection, device_id: Uuid) -> Result<Placement, Error> {
    match store::placement(conn, device_id).await? {
        Some(Placed { site, tags, uplink, redundancy }) => {
            Ok(Placement { site, tags, uplink: uplink.map(|id| id.to_string()), redundancy })
        }
        None => Err(Error::NotFound(format!("no device {device_id}"))),
    }
}

/// Gives a device another place, or other tags; `current` is what [`of`] gave in this transaction. An
/// uplink is named by its id here.
///
/// # Errors
/// [`Error::Invalid`] for a site that is not there, what is no tag, and an uplink that hangs on the
/// device itself.
pub async fn change(
    conn: &mut PgConnection,
    device_id: Uuid,
    current: &Placement,
    wanted: Placement,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let wanted = Placement { tags: checked_tags(wanted.tags)?, ..wanted };
    if wanted == *current {
        return Ok(());
    }
    if let Some(site) = &wanted.site {
        let path: SitePath = site.parse().map_err(|why: String| Error::invalid("/site", why))?;
        if !store::exists(&mut *conn, path.as_str()).await? {
            return Err(Error::invalid("/site", format!("there is no site {path}")));
        }
    }
    if let Some(label) = &wanted.redundancy {
        check_tag(label).map_err(|why| Error::invalid("/redundancy", why))?;
    }
    let placed = Placed {
        site: wanted.site.clone(),
        tags: wanted.tags.clone(),
        uplink: uplink(conn, device_id, current, &wanted).await?,
        redundancy: wanted.redundancy.clone(),
    };
    store::place(conn, device_id, &placed, now).await?;
    // Other things may be wanted of it there.
    desired::touch(conn, device_id, now).await?;
    let detail = json!({ "by": by, "before": current, "after": wanted });
    Ok(events::append(conn, device_id, "device.changed", None, &detail, now).await?)
}

/// The uplink by its id. A new one must not reach the network through this device: in a ring each
/// would wait for the other.
async fn uplink(
    conn: &mut PgConnection,
    device_id: Uuid,
    current: &Placement,
    wanted: &Placement,
) -> Result<Option<Uuid>, Error> {
    let wrong = |why: &str| Error::invalid("/uplink", why);
    let Some(text) = &wanted.uplink else { return Ok(None) };
    let uplink = Uuid::try_parse(text).map_err(|_| wrong("the id of a device"))?;
    if uplink == device_id {
        return Err(wrong("a device is not its own uplink"));
    }
    if wanted.uplink != current.uplink && uplinks::hangs_on(conn, uplink, device_id).await? {
        return Err(wrong("it reaches the network through this device itself"));
    }
    Ok(Some(uplink))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_nobody_said_is_not_written() {
        let nothing = json!({ "site": null, "tags": [] });
        assert_eq!(json!(Placement::default()), nothing);
        assert_eq!(serde_json::from_value::<Placement>(nothing).unwrap(), Placement::default());
        let said = json!({ "site": null, "tags": [], "uplink": "serial:X", "redundancy": "north" });
        let placement: Placement = serde_json::from_value(said.clone()).unwrap();
        assert_eq!(placement.uplink.as_deref(), Some("serial:X"));
        assert_eq!(json!(placement), said);
    }
}
