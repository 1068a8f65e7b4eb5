//! What a board wrote into its log about itself, because a script asked it to.
//!
//! Owns what of that is kept. The log came as a file of an upload job that an inspection ordered: by
//! its key, or as a part of a rollout.

use chrono::{DateTime, Utc};
use muster_routeros::inspect::Inspection;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::store::device_packages::{self, DevicePackages};
use crate::store::{events, jobs};

/// How the key of such an upload job begins, as it is stored: nobody else may take such a key.
const KEY: &str = "muster:inspect:";
/// How it was learned.
const SOURCE: &str = "script";

/// What [`Order::own`] is given as the key of the job that brings the log of this script.
///
/// [`Order::own`]: crate::jobs::queue::Order::own
pub fn key_of(script: Uuid) -> String {
    format!("inspect:{script}")
}

/// Whether the job with this key brings the log of an inspection.
pub fn is_one(key: &str) -> bool {
    key.starts_with(KEY)
}

/// Keeps what the board said, in place of what it said before. The device's row is locked.
///
/// # Errors
/// Where the database does not answer.
pub async fn learn(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
    said: Inspection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let detail = json!({
        "packages": said.packages.len(),
        "booter_current": said.booter_current,
        "booter_upgrade": said.booter_upgrade,
        "device_mode": said.device_mode,
    });
    if let Some(arch) = &said.arch {
        device_packages::learn_arch(conn, device_id, arch, now).await?;
    }
    let kept = DevicePackages {
        packages: Json(said.packages),
        booter_current: said.booter_current,
        booter_upgrade: said.booter_upgrade,
        device_mode: said.device_mode,
        allowed_versions: said.allowed_versions,
        source: SOURCE.to_owned(),
        learned_at: now,
    };
    device_packages::put(conn, device_id, &kept).await?;
    events::append(conn, device_id, "inspected", Some(job_id), &detail, now).await?;
    jobs::tell_rollouts(conn, device_id, now).await
}
