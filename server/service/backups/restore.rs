//! A device is given a configuration of its own back, in place of all that it has.

use muster_routeros::export;
use muster_routeros::version::RosVersion;
use serde_json::json;
use uuid::Uuid;

use super::{body, by, load, object};
use crate::access::audit;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::files::sealed;
use crate::fleet::backup::restore as file;
use crate::jobs::before;
use crate::jobs::queue::Order;
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec, OverwriteConfirmation};
use crate::service::devices;
use crate::store::artifacts::{self, DeviceArtifact};
use crate::store::devices::Device;
use crate::store::jobs::Job;

/// The key of such a job: one at a time.
const KEY: &str = "restore";
/// Bytes at the beginning of an export in which it says which version wrote it.
const HEAD: usize = 4 << 10;

/// A restore that is ordered.
#[derive(Debug, Clone)]
pub struct Restoring {
    /// The job that replaces the configuration.
    pub job: Job,
    /// It is new; false = it was ordered already.
    pub made: bool,
    /// What the device will lack then, in words: what no export has, and what this one hides.
    pub lacks: Vec<String>,
}

/// Replaces the whole configuration of a device by that of a backup. What it has now is kept first, or
/// nothing is done.
///
/// # Errors
/// As [`devices::find`]; [`Error::NotFound`] for no backup of that device; [`Error::Conflict`] for one
/// that lacks menus, whose file is gone or which another major version of RouterOS wrote, and while
/// another one is on its way.
pub async fn restore(
    app: &App,
    ctx: &Ctx,
    name: &str,
    backup_id: Uuid,
    confirm: OverwriteConfirmation,
) -> Result<Restoring, Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let found = load(app, &device, backup_id).await?;
    if !found.incomplete.is_empty() {
        let lacks = found.incomplete.join(", ");
        let why = format!("the backup lacks {lacks}: the device would lack them then, too");
        return Err(Error::Conflict(why));
    }
    let lacks = file::lacks(&body(app, &found).await?);
    let gone = || Error::Conflict("the file of the backup is not kept any more".to_owned());
    let artifact_id = found.artifact_id.ok_or_else(gone)?;
    let kept = artifacts::get_of_device(&app.pool, device.device_id, artifact_id).await?;
    fits(app, &device, &kept.ok_or_else(gone)?).await?;
    let file = DownloadFile::Overwrite { confirm, as_it_is: false };
    let spec = JobSpec::Download(DownloadSpec { artifact_id, file, delay_seconds: 0 });
    let order = by(ctx, Order::own(device.device_id, spec, KEY));
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    let (job, made) = before::create(&mut tx, &app.keys, order, true, ctx.now).await?;
    if !made {
        // Nothing of this is kept: it was ordered already.
        return match job.args["artifact_id"] == json!(artifact_id) {
            true => Ok(Restoring { job, made, lacks }),
            false => {
                let why = format!("another backup is on its way to it, by the job {}", job.job_id);
                Err(Error::Conflict(why))
            }
        };
    }
    let after = json!({ "backup_id": backup_id, "job_id": job.job_id });
    audit::record(&mut tx, ctx, "backup.restore", object(&device), (), after).await?;
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok(Restoring { job, made, lacks })
}

/// Refuses a file that another major version of RouterOS wrote than the device runs: it would drop all that
/// it has, and stop at the first line that it does not know.
async fn fits(app: &App, device: &Device, file: &DeviceArtifact) -> Result<(), Error> {
    let bytes = sealed::read(app, file).await?;
    let head = bytes.get(..HEAD).unwrap_or(&bytes);
    let header = export::normalise(&String::from_utf8_lossy(head)).header;
    match (header.version, device.software_version.as_deref()) {
        (Some(wrote), Some(runs)) if is_foreign(&wrote, runs) => {
            let why = format!(
                "RouterOS {wrote} wrote this backup, and the device runs {runs}, which would stop at the \
                 first line that it does not know: bring the device to that version first, or send the \
                 file, changed by hand, as an overwrite of your own"
            );
            Err(Error::Conflict(why))
        }
        _ => Ok(()),
    }
}

/// Whether two versions are known to be of different major ones.
fn is_foreign(wrote: &str, runs: &str) -> bool {
    match (wrote.parse::<RosVersion>(), runs.parse::<RosVersion>()) {
        (Ok(wrote), Ok(runs)) => wrote.major() != runs.major(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_major_version_is_foreign() {
        assert!(is_foreign("6.49.10", "7.16.1") && is_foreign("7.16.1", "6.49.10 (long-term)"));
        for (wrote, runs) in [("7.2", "7.16.1"), ("7.16.1 (stable)", "7.2"), ("odd", "7.16.1")] {
            assert!(!is_foreign(wrote, runs), "{wrote} {runs}");
        }
    }
}
