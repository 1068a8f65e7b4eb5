//! A device is given a configuration of its own back, in place of all that it has.

use serde_json::json;
use uuid::Uuid;

use super::{body, by, load, object};
use crate::access::audit;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::backup::restore as file;
use crate::jobs::before;
use crate::jobs::queue::Order;
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec, OverwriteConfirmation};
use crate::service::devices;
use crate::store::jobs::Job;

/// The key of such a job: one at a time.
const KEY: &str = "restore";

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
/// that lacks menus or whose file is gone, and while another one is on its way.
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
    let file = DownloadFile::Overwrite { confirm };
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
