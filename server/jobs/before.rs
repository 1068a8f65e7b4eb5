//! The configuration that is kept before a device is changed.
//!
//! Owns which jobs change one, which orders are careful like that, and that the two stand in the device's
//! line one after the other, or neither does. Where it could not be kept, `queue` calls a risky change
//! back; any other is made all the same, and the configuration that is accepted stays what it was.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::queue::{self, Order};
use super::spec::{DownloadFile, JobSpec, UploadFile};
use crate::error::Error;
use crate::fleet::secret::Keys;
use crate::store::jobs::{self as store, Job};

/// The key of such a job; that of what Muster changes by itself is the same.
const KEY: &str = "before:backup:change";

/// Kinds of jobs after which a device's configuration is another, because somebody wanted it so.
const CHANGES: [&str; 8] = [
    "set",
    "add_object",
    "delete_object",
    "download",
    "configure",
    "upgrade",
    "schedule_download",
    "factory_reset",
];

/// Of which devices the configuration is kept before an order.
#[derive(Debug, Clone)]
pub enum Keep {
    /// Of none.
    Nothing,
    /// Of all but these.
    AllBut(BTreeSet<Uuid>),
}

impl Keep {
    /// Whether that of this device is.
    pub fn of(&self, device_id: Uuid) -> bool {
        match self {
            Self::Nothing => false,
            Self::AllBut(others) => !others.contains(&device_id),
        }
    }
}

/// Whether a job of this kind changes the configuration of its device.
pub fn changes(kind: &str) -> bool {
    CHANGES.contains(&kind)
}

/// Whether a job may leave its device with a configuration that nobody meant.
pub fn is_risky(spec: &JobSpec) -> bool {
    match spec {
        // Another version reads it otherwise, and none gives back what the one before had.
        JobSpec::FactoryReset | JobSpec::Upgrade { .. } => true,
        JobSpec::Download(download) | JobSpec::ScheduleDownload { download, .. } => matches!(
            download.file,
            DownloadFile::Alter
                | DownloadFile::Overwrite { .. }
                | DownloadFile::FactoryConfiguration { .. }
        ),
        _ => false,
    }
}

/// Makes a job as [`queue::create`] does, and, where the configuration is to be kept, the job that does
/// so right before it. Where it is not, no other backup in the line calls the change back.
///
/// # Errors
/// As [`queue::create`].
pub async fn create(
    conn: &mut PgConnection,
    keys: &Keys,
    order: Order,
    keep: bool,
    now: DateTime<Utc>,
) -> Result<(Job, bool), Error> {
    if !keep {
        let unkept = changes(order.spec.kind());
        return queue::create(conn, keys, Order { unkept, ..order }, now).await;
    }
    // Dropped, it takes back a backup after which no change comes.
    let mut both = conn.begin().await?;
    let (kept, is_new) = queue::create(&mut both, keys, backup(&order, now), now).await?;
    let (job, made) = queue::create(&mut both, keys, order, now).await?;
    if !is_new && kept.expires_at < job.expires_at {
        // One that another change asked for is waited for as long as this one is.
        store::prolong(&mut both, &kept, job.expires_at).await?;
    }
    match made {
        true => both.commit().await?,
        false => both.rollback().await?,
    }
    Ok((job, made))
}

/// The job that keeps it, as early and as long as the change.
fn backup(order: &Order, now: DateTime<Utc>) -> Order {
    let key = match order.not_before.filter(|at| *at > now) {
        None => KEY.to_owned(),
        // What is kept today says little of a change next week.
        Some(at) => format!("{}:{KEY}", at.timestamp()),
    };
    let spec = JobSpec::Upload { file: UploadFile::Configuration };
    Order {
        not_before: order.not_before,
        expires_at: order.expires_at,
        ..Order::own(order.device_id, spec, &key)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::fleet::backup::Cause;
    use crate::jobs::spec::DownloadSpec;

    fn download(file: DownloadFile) -> JobSpec {
        JobSpec::Download(DownloadSpec { artifact_id: Uuid::nil(), file, delay_seconds: 0 })
    }

    #[test]
    fn what_changes_a_configuration_is_risky_and_a_restart_is_not() {
        let upgrade =
            JobSpec::Upgrade { version: "7.16.1".to_owned(), packages: Vec::new(), from: None };
        for spec in [JobSpec::FactoryReset, download(DownloadFile::Alter), upgrade] {
            assert!(is_risky(&spec), "{spec:?}");
        }
        for spec in [JobSpec::Reboot, download(DownloadFile::Firmware)] {
            assert!(!is_risky(&spec), "{spec:?}");
        }
        assert!(changes(JobSpec::FactoryReset.kind()) && !changes(JobSpec::Reboot.kind()));
        assert!(changes(download(DownloadFile::Firmware).kind()), "an export names its version");
    }

    #[test]
    fn a_change_that_is_put_off_has_a_backup_of_its_own_at_its_time() {
        let now = DateTime::UNIX_EPOCH;
        let later = Some(now + TimeDelta::days(7));
        let order = |not_before| Order {
            not_before,
            ..Order::own(Uuid::nil(), JobSpec::FactoryReset, "reset")
        };
        let key = |order: &Order| order.idempotency_key.clone().unwrap_or_default();
        let (soon, late) = (backup(&order(None), now), backup(&order(later), now));
        assert_eq!(key(&soon), "muster:before:backup:change");
        assert_eq!(key(&late), "muster:604800:before:backup:change");
        assert_eq!(late.not_before, later);
        for order in [soon, late] {
            assert_eq!(Cause::of(Some(&key(&order)), false), Cause::Change);
        }
    }

    #[test]
    fn some_devices_want_none() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let keep = Keep::AllBut(BTreeSet::from([one]));
        assert!(!keep.of(one) && keep.of(other));
        assert!(!Keep::Nothing.of(other));
    }
}
