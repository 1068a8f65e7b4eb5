//! What stands in a file that a device sent, where Muster wanted to know it: a log in which a script
//! had something written, and a configuration.
//!
//! Owns how much of a file is read, and that nothing is read of one that somebody just wanted to have.
//! The file is stored by then, and stays whatever is in it.

use futures_util::TryStreamExt;
use muster_routeros::apply::{self, RESTARTED, Report};
use muster_routeros::inspect;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::link::Link;
use super::sealed;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::backup::{self, Cause, Reading, Sent};
use crate::fleet::inspection::{self, By};
use crate::jobs::queue::{
    ALTER_LOG, APPLY_LOG, SCRIPT_LOG, accept_anew, may_have_run, tell_script,
};
use crate::jobs::spec::UploadFile;
use crate::store::artifacts::DeviceArtifact;
use crate::store::desired::Row;
use crate::store::{backups, desired, events, jobs};

/// Bytes at the end of a log that are looked through for what the device was asked to write there.
const LOG: u64 = 4 << 20;

/// What a file is looked through for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Nothing.
    Keep,
    /// What an inspection had the device write into its log: by the job of its script.
    Inspection(Uuid),
    /// What became of a script, by the device's log, in which its lines are called so.
    Script(Uuid),
    /// The same of a script that a rollout sent: the rollout reads it in the job.
    Sent(Uuid),
    /// The same of a script that somebody ordered by hand: by the job that brought it.
    Alter(Uuid),
    /// The configuration.
    Backup(Cause),
}

impl Purpose {
    /// By what the job asks for, and by its rollout and its key: what stands in a log that somebody
    /// just wanted to see changes nothing.
    pub(super) fn of(file: &UploadFile, rollout_id: Option<Uuid>, key: Option<&str>) -> Self {
        match file {
            UploadFile::Log | UploadFile::LogInstance { .. } => {
                let tag = |tag: &str| Uuid::try_parse(tag).ok();
                let script = key.and_then(|key| key.strip_prefix(APPLY_LOG)).and_then(tag);
                let sent = rollout_id.and(key).and_then(|key| key.rsplit_once(SCRIPT_LOG));
                let sent = sent.and_then(|(_, script)| tag(script));
                let asked = key.and_then(|key| inspection::script_of(key, rollout_id.is_some()));
                let alter = key.and_then(|key| key.strip_prefix(ALTER_LOG)).and_then(tag);
                match (script, sent, asked, alter) {
                    (Some(tag), ..) => Self::Script(tag),
                    (None, Some(tag), ..) => Self::Sent(tag),
                    (None, None, Some(script), _) => Self::Inspection(script),
                    (None, None, None, Some(job)) => Self::Alter(job),
                    (None, None, None, None) => Self::Keep,
                }
            }
            UploadFile::Configuration => Self::Backup(Cause::of(key, rollout_id.is_some())),
            UploadFile::ConfigurationInstance { .. } | UploadFile::FactoryConfiguration => {
                Self::Keep
            }
        }
    }
}

impl Purpose {
    /// Whether somebody waits for what the file says, and it is lost with the file. A change waits for
    /// the configuration that is kept before it.
    pub(super) fn is_awaited(self) -> bool {
        match self {
            Self::Inspection(_) | Self::Script(_) | Self::Sent(_) | Self::Alter(_) => true,
            Self::Backup(cause) => cause == Cause::Change,
            Self::Keep => false,
        }
    }
}

/// Looks a file through, and keeps what it says.
///
/// # Errors
/// [`Error::Database`], [`Error::Files`].
pub(super) async fn look(
    app: &App,
    link: &Link,
    row: &DeviceArtifact,
    purpose: Purpose,
) -> Result<(), Error> {
    match purpose {
        Purpose::Keep => Ok(()),
        Purpose::Inspection(script) => inspected(app, link, row, script).await,
        Purpose::Script(tag) => reported(app, link, row, tag).await,
        Purpose::Sent(tag) => noted(app, link, row, tag).await,
        Purpose::Alter(job) => of_alter(app, link, row, job).await,
        Purpose::Backup(cause) => backed_up(app, link, row, cause).await,
    }
}

/// The bytes of a file, from this one on.
async fn bytes(app: &App, row: &DeviceArtifact, start: u64) -> Result<Vec<u8>, Error> {
    let size = u64::try_from(row.size).unwrap_or(0);
    if size <= start {
        return Ok(Vec::new());
    }
    if row.sealed {
        let bytes = sealed::opened(app, row).await?;
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        return Ok(bytes.get(start..).unwrap_or_default().to_vec());
    }
    let parts = app.files.read(row.artifact_id, Some(start..size)).await?;
    let parts: Vec<bytes::Bytes> = parts.try_collect().await?;
    Ok(parts.concat())
}

/// The end of a log, from the beginning of a line on.
async fn log(app: &App, row: &DeviceArtifact) -> Result<String, Error> {
    let start = u64::try_from(row.size).unwrap_or(0).saturating_sub(LOG);
    let end = bytes(app, row, start).await?;
    let log = String::from_utf8_lossy(&end);
    // What is left of a line that was cut is not read as a line.
    let whole = if start > 0 { log.split_once('\n').map_or("", |(_, rest)| rest) } else { &*log };
    Ok(whole.to_owned())
}

/// Keeps what a log says of the device, if it was asked to write that there: in answer to this order,
/// and to no older one, of which the log may hold the report still.
async fn inspected(
    app: &App,
    link: &Link,
    row: &DeviceArtifact,
    script: Uuid,
) -> Result<(), Error> {
    let nonce = inspection::nonce(&app.keys, link.device_id, script);
    let Some(said) = inspect::parse(&log(app, row).await?, &nonce) else {
        return Ok(());
    };
    let mut tx = app.pool.begin().await?;
    if jobs::lock_device(&mut tx, link.device_id).await? {
        let by = By::Script(link.subject);
        inspection::learn(&mut tx, link.device_id, by, said, row.created_at).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What a log says of the script with this tag; `None` = nothing.
async fn report(app: &App, row: &DeviceArtifact, tag: Uuid) -> Result<Option<Report>, Error> {
    Ok(apply::report(&log(app, row).await?, &tag.simple().to_string()))
}

/// Keeps what a log says of the script that a rollout sent, with the job that asked for the log.
async fn noted(app: &App, link: &Link, row: &DeviceArtifact, tag: Uuid) -> Result<(), Error> {
    let Some(report) = report(app, row, tag).await? else { return Ok(()) };
    let (device_id, job_id, told) = (link.device_id, link.subject, json!(report));
    let mut tx = app.pool.begin().await?;
    if jobs::lock_device(&mut tx, device_id).await? {
        let kind = "script.reported";
        events::append(&mut tx, device_id, kind, Some(job_id), &told, row.created_at).await?;
        jobs::note_report(&mut tx, device_id, job_id, &told).await?;
        if report.failures().is_none() {
            accept_anew(&mut tx, device_id, row.created_at).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Keeps what a log says of the script that somebody ordered by hand, with the job that brought it. What
/// it left is what is wanted only where it ran whole.
async fn of_alter(app: &App, link: &Link, row: &DeviceArtifact, job: Uuid) -> Result<(), Error> {
    let report = report(app, row, job).await?.unwrap_or_else(|| Report::silent(RESTARTED));
    let device_id = link.device_id;
    let mut tx = app.pool.begin().await?;
    if jobs::lock_device(&mut tx, device_id).await? {
        tell_script(&mut tx, device_id, job, &report, row.created_at).await?;
        if report.failures().is_none() {
            accept_anew(&mut tx, device_id, row.created_at).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Keeps what a log says of the script that a device took last. Where it says nothing, the device may
/// have put back what it was before, and no configuration of since then is the one that is wanted; where
/// it says that all went well, the next one is.
async fn reported(app: &App, link: &Link, row: &DeviceArtifact, tag: Uuid) -> Result<(), Error> {
    let report = report(app, row, tag).await?;
    let (device_id, now) = (link.device_id, row.created_at);
    let mut tx = app.pool.begin().await?;
    jobs::lock_device(&mut tx, device_id).await?;
    // Another one may have been ordered meanwhile.
    let is_it = |hash: &[u8]| hash.starts_with(tag.as_bytes());
    let taken = desired::get(&mut *tx, device_id).await?;
    let taken = taken.filter(|taken| taken.script_sha256.as_deref().is_some_and(is_it));
    let report = match (report, &taken) {
        (None, Some(taken)) if is_taken(&mut tx, taken).await? => Some(Report::silent(RESTARTED)),
        (report, _) => report,
    };
    if let (Some(taken), Some(report)) = (taken, report) {
        let (job, told) = (taken.script_job, json!(report));
        events::append(&mut tx, device_id, "script.reported", job, &told, now).await?;
        desired::set_report(&mut tx, device_id, &told, now).await?;
        if report.failures().is_none() {
            // Who wants it of the device has it sent.
            backups::accept_anew(&mut tx, device_id, None).await?;
        } else if let Some(since) = taken.script_at.filter(|_| report.silent) {
            backups::reject_since(&mut tx, device_id, since).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Whether a device may have run the script that it was to take.
async fn is_taken(conn: &mut PgConnection, wanted: &Row) -> Result<bool, Error> {
    let Some(job_id) = wanted.script_job else { return Ok(true) };
    let job = jobs::of_device(conn, wanted.device_id, job_id).await?;
    Ok(job.is_none_or(|job| may_have_run(&job)))
}

/// Keeps a configuration in the device's history. Whether it will do before a change is judged where its
/// job ends.
async fn backed_up(
    app: &App,
    link: &Link,
    row: &DeviceArtifact,
    cause: Cause,
) -> Result<(), Error> {
    let (device_id, job_id, at) = (link.device_id, link.subject, row.created_at);
    let read = configuration(app, row).await?;
    let mut gone = Vec::new();
    let mut tx = app.pool.begin().await?;
    if jobs::lock_device(&mut tx, device_id).await? {
        match &read {
            Ok(reading) => {
                let sent = Sent { device_id, job_id, artifact_id: row.artifact_id, cause, at };
                gone = backup::keep(&mut tx, &sent, reading).await?;
            }
            Err(why) => {
                let told = json!({ "artifact_id": row.artifact_id, "why": why });
                let kind = "backup.skipped";
                events::append(&mut tx, device_id, kind, Some(job_id), &told, at).await?;
            }
        }
    }
    tx.commit().await?;
    // Their records are gone: what stays behind is lost space.
    for file in gone {
        if let Err(error) = app.files.delete(file).await {
            tracing::warn!(artifact.id = %file, cause = %error.private(), "a file stays behind");
        }
    }
    Ok(())
}

/// What a file says as a configuration, or why it says nothing, in words.
async fn configuration(
    app: &App,
    row: &DeviceArtifact,
) -> Result<Result<Reading, &'static str>, Error> {
    if u64::try_from(row.size).is_ok_and(|size| size > backup::MOST) {
        return Ok(Err("it is larger than 8 MiB, the most that is read"));
    }
    let bytes = bytes(app, row, 0).await?;
    let key = app.keys.derive("configurations");
    let read = tokio::task::spawn_blocking(move || backup::read(&bytes, &key)).await;
    read.map_err(|e| Error::Internal(format!("reading a configuration: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::queue::Order;
    use crate::jobs::spec::JobSpec;

    #[test]
    fn only_what_muster_asked_a_device_to_write_is_looked_for_in_a_log() {
        let log = UploadFile::Log;
        let of = |rollout_id, key| Purpose::of(&log, rollout_id, key);
        assert_eq!(of(Some(Uuid::nil()), None), Purpose::Keep);
        let script = Uuid::from_u128(2);
        let order = Order::own(Uuid::nil(), JobSpec::Reboot, &inspection::key_of(script));
        assert_eq!(of(None, order.idempotency_key.as_deref()), Purpose::Inspection(script));
        let key = format!("rollout:{}:1:0:1{}{script}", Uuid::nil(), inspection::LOG);
        assert_eq!(of(Some(Uuid::nil()), Some(&key)), Purpose::Inspection(script));
        assert_eq!(of(None, Some(&key)), Purpose::Keep, "of no rollout");
        // People may choose such a key.
        for key in [None, Some(""), Some("inspect:1"), Some("muster:log"), Some("my inspect:1")] {
            assert_eq!(of(None, key), Purpose::Keep, "{key:?}");
        }
        let tag = Uuid::from_u128(7);
        let key = format!("{APPLY_LOG}{}", tag.simple());
        assert_eq!(of(None, Some(&key)), Purpose::Script(tag));
        assert_eq!(of(None, Some("muster:apply-log:7")), Purpose::Keep);
        let key = format!("rollout:{}:1:0:0{SCRIPT_LOG}{}", Uuid::nil(), tag.simple());
        assert_eq!(of(Some(Uuid::nil()), Some(&key)), Purpose::Sent(tag));
        assert_eq!(of(None, Some(&key)), Purpose::Keep, "of no rollout");
        let other = format!("rollout:{}:1:0:0", Uuid::nil());
        assert_eq!(of(Some(Uuid::nil()), Some(&other)), Purpose::Keep);
        let key = format!("{ALTER_LOG}{}", tag.simple());
        assert_eq!(of(None, Some(&key)), Purpose::Alter(tag));
    }

    #[test]
    fn every_configuration_is_a_backup_and_the_factorys_is_none() {
        let key = Some("muster:backup");
        let configuration = UploadFile::Configuration;
        assert_eq!(Purpose::of(&configuration, None, key), Purpose::Backup(Cause::Schedule));
        assert_eq!(Purpose::of(&configuration, None, None), Purpose::Backup(Cause::Demand));
        let of_rollout = format!("rollout:{}:0:0:0", Uuid::nil());
        let before = Purpose::of(&configuration, Some(Uuid::nil()), Some(&of_rollout));
        assert_eq!(before, Purpose::Backup(Cause::Change));
        for file in
            [UploadFile::FactoryConfiguration, UploadFile::ConfigurationInstance { instance: 1 }]
        {
            assert_eq!(Purpose::of(&file, None, key), Purpose::Keep);
        }
    }
}
