//! A file of somebody's, as its device fetches it: a script in the frame that makes one report, and undo
//! itself where the device can; a configuration with what leads the device back here.
//!
//! Owns the bytes; around which files something is put is for `jobs::queue`. The file is stored as it came.

use bytes::Bytes;
use futures_util::TryStreamExt;
use muster_routeros::apply::{Rescue, wrap_bytes};
use sqlx::PgConnection;
use uuid::Uuid;

use super::restore;
use super::sealed::{self, Share};
use crate::ctx::App;
use crate::error::Error;
use crate::jobs::queue::{self, Around};
use crate::store::artifacts::Artifact;
use crate::store::device_packages;
use crate::store::jobs::{self, Job};

/// The file of this job with what is put around it; `None` = the device gets the file as it is. `base` is
/// what the device calls this server. The share of the memory is kept until the device has it.
///
/// # Errors
/// [`Error::Database`]; [`Error::NotFound`], [`Error::Files`] where the file cannot be read;
/// [`Error::Busy`] where others take all the memory.
pub(super) async fn file(
    app: &App,
    device_id: Uuid,
    job_id: Uuid,
    artifact: &Artifact,
    base: &str,
) -> Result<Option<(Bytes, Share)>, Error> {
    let mut conn = app.pool.acquire().await?;
    let job = jobs::of_device(&mut conn, device_id, job_id).await?;
    let Some(job) = job else { return Ok(None) };
    let Some(around) = queue::around(&mut conn, &job).await? else { return Ok(None) };
    let rescue = match around {
        Around::Frame => rescue(&mut conn, device_id).await?,
        Around::WayHere => None,
    };
    drop(conn);
    let share = sealed::to_read(app, usize::try_from(artifact.size).unwrap_or_default()).await?;
    let parts: Vec<Bytes> = app.files.read(artifact.artifact_id, None).await?.try_collect().await?;
    let bytes: Vec<u8> = parts.concat();
    let made = match around {
        Around::Frame => wrap_bytes(&bytes, &tag(&job), rescue).into(),
        Around::WayHere => {
            let what =
                format!("# sent by Muster: {}", artifact.name.replace(char::is_control, " "));
            restore::led_back(app, device_id, &what, &bytes, base).await?
        }
    };
    Ok(Some((made, share)))
}

fn tag(job: &Job) -> String {
    queue::script_tag(job.rollout_id, job.device_id, job.job_id)
}

/// The way back that a script of this device has, if the device allows one.
async fn rescue(conn: &mut PgConnection, device_id: Uuid) -> Result<Option<Rescue>, Error> {
    let runs = device_packages::runs(conn, device_id).await?;
    let said = device_packages::get(&mut *conn, device_id).await?;
    let mode = said.and_then(|said| said.device_mode);
    let way_back = queue::way_back(true, mode.as_deref(), runs.version.as_deref());
    Ok(way_back.ok().map(|()| Rescue::default()))
}
