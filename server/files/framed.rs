//! A script that somebody ordered by hand, as its device fetches it: in the frame that makes one report,
//! and undo itself where the device can.
//!
//! Owns the bytes; which scripts are framed is for `jobs::queue`. The file is stored as it came.

use bytes::Bytes;
use futures_util::TryStreamExt;
use muster_routeros::apply::{Rescue, can_rescue, wrap_bytes};
use uuid::Uuid;

use crate::ctx::App;
use crate::error::Error;
use crate::jobs::queue;
use crate::store::artifacts::Artifact;
use crate::store::{device_packages, jobs};

/// The script of this job in its frame; `None` = the device gets the file as it is.
///
/// # Errors
/// [`Error::Database`]; [`Error::NotFound`], [`Error::Files`] where the file cannot be read.
pub(super) async fn script(
    app: &App,
    device_id: Uuid,
    job_id: Uuid,
    artifact: &Artifact,
) -> Result<Option<Bytes>, Error> {
    let mut conn = app.pool.acquire().await?;
    let job = jobs::of_device(&mut conn, device_id, job_id).await?;
    let Some(job) = job else { return Ok(None) };
    if !queue::is_framed(&mut conn, &job).await? {
        return Ok(None);
    }
    let runs = device_packages::runs(&mut conn, device_id).await?;
    let said = device_packages::get(&mut *conn, device_id).await?;
    drop(conn);
    let mode = said.and_then(|said| said.device_mode);
    let version = runs.version.as_deref().and_then(|version| version.parse().ok());
    let rescue = can_rescue(mode.as_deref(), version.as_ref()).ok().map(|()| Rescue::default());
    let parts: Vec<Bytes> = app.files.read(artifact.artifact_id, None).await?.try_collect().await?;
    let script: Vec<u8> = parts.concat();
    Ok(Some(wrap_bytes(&script, &job_id.simple().to_string(), rescue).into()))
}
