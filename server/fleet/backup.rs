//! Configurations as devices export them: what is kept of one, and when one is drift.
//!
//! Owns that a text is kept once however often it comes, that no secret is in what is kept, and what
//! differs from what: a backup is compared with the complete one before it (it *changed*) and with the
//! accepted one (it *drifted*). One that lacks menus, because the device could not export them in time,
//! is neither. It must never look into the file store: the file as it came is of `files`.
//!
//! - [`adopt`]: a change by hand in terms of the variables that the configuration was made from.
//! - [`restore`]: the file that a device is given back.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use muster_routeros::apply::{Report, without_rescue};
use muster_routeros::export;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::desired::differ::Difference;
use crate::error::Error;
use crate::store::backups::{self as store, Backup};
use crate::store::desired::{self, Row};
use crate::store::{events, jobs};

pub mod adopt;
pub mod restore;

/// What the difference is called where a device's configuration is not the accepted one.
pub const CONFIGURATION: &str = "configuration";
/// The most that is read of a file, in bytes; of a larger one there is only the file.
pub const MOST: u64 = 8 << 20;
/// How long backups are kept.
const KEEP_FOR: TimeDelta = TimeDelta::days(90);
/// As many of a device stay at least, however old they are; so does the accepted one.
const KEEP: i64 = 10;

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was time.
    Schedule,
    /// Muster is about to change something, or has.
    Change,
    /// Somebody wants it.
    Demand,
}

impl Cause {
    /// The word in the database and the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Change => "change",
            Self::Demand => "demand",
        }
    }

    /// How the key of a job of Muster's own ends that is made for this.
    pub fn key(self) -> &'static str {
        match self {
            Self::Schedule => "backup",
            Self::Change => "backup:change",
            Self::Demand => "backup:demand",
        }
    }

    /// By the job that brought it: its key, and whether it is part of a rollout. What people order
    /// with keys of their own, or without one, is wanted by somebody.
    pub fn of(key: Option<&str>, in_rollout: bool) -> Self {
        let own = key.filter(|key| key.starts_with("muster:"));
        let ends = |cause: Self| own.is_some_and(|key| key.ends_with(cause.key()));
        match () {
            () if in_rollout || ends(Self::Change) => Self::Change,
            () if ends(Self::Schedule) => Self::Schedule,
            () => Self::Demand,
        }
    }
}

/// A configuration as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Normalised, without secrets.
    pub body: String,
    /// SHA-256 of that.
    pub sha256: [u8; 32],
    /// Keyed hash of all that would be given back, secrets and all.
    pub whole: [u8; 32],
    /// Menus that the device could not export.
    pub incomplete: Vec<String>,
}

/// Reads the bytes of a file. Takes a while where there are many of them. The key is that of this
/// installation for what is compared without its being kept.
///
/// # Errors
/// Why there is no configuration in it, in words.
pub fn read(bytes: &[u8], key: &[u8; 32]) -> Result<Reading, &'static str> {
    // What has one is no text in any case, and no row can hold it.
    if bytes.contains(&0) {
        return Err("it is no text");
    }
    let export = export::normalise(&String::from_utf8_lossy(bytes));
    if export.body.trim().is_empty() && export.incomplete.is_empty() {
        return Err("there is nothing in it");
    }
    // A way back that waits goes by itself, and is no drift then.
    let body = export::redact(&without_rescue(&export.body));
    let sha256 = Sha256::digest(&body).into();
    Ok(Reading { body, sha256, whole: whole(bytes, key), incomplete: export.incomplete })
}

/// Of each line as it came but comments, which tell the time: two files of which this is the same give a
/// device back the same.
fn whole(bytes: &[u8], key: &[u8; 32]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"#") {
            mac.update(line);
        }
    }
    mac.finalize().into_bytes().into()
}

/// A file that a device sent as its configuration.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The device.
    pub device_id: Uuid,
    /// The job that it answers.
    pub job_id: Uuid,
    /// The file.
    pub artifact_id: Uuid,
    /// Why it was wanted.
    pub cause: Cause,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// Keeps a configuration and compares it; gives the files that nobody needs any more, without whose
/// records they are now. The device's row is locked.
///
/// # Errors
/// [`Error::Database`], [`Error::Internal`].
pub async fn keep(
    conn: &mut PgConnection,
    sent: &Sent,
    reading: &Reading,
) -> Result<Vec<Uuid>, Error> {
    let device_id = sent.device_id;
    let row = desired::get(&mut *conn, device_id).await?;
    let mut last = store::complete(&mut *conn, device_id, None).await?;
    if last.as_ref().is_some_and(|last| last.whole.is_none()) {
        masked_anew(conn, device_id).await?;
        last = store::complete(&mut *conn, device_id, None).await?;
    }
    let standard = store::accepted(&mut *conn, device_id).await?;
    let is_complete = reading.incomplete.is_empty();
    let is_told = !awaits_report(row.as_ref()) || !jobs::reports_scripts(conn, device_id).await?;
    let changed_from = last.as_ref().filter(|last| is_complete && last.sha256 != reading.sha256);
    let (added, removed) = match changed_from {
        Some(last) => lines(conn, last, &reading.body).await?,
        None => (0, 0),
    };
    let backup = Backup {
        device_id,
        backup_id: Uuid::now_v7(),
        at: sent.at,
        sha256: reading.sha256.to_vec(),
        whole: Some(reading.whole.to_vec()),
        artifact_id: Some(sent.artifact_id),
        job_id: Some(sent.job_id),
        cause: sent.cause.word().to_owned(),
        incomplete: reading.incomplete.clone(),
        changed: changed_from.is_some(),
        added,
        removed,
        accepted: is_complete && stands(row.as_ref(), standard.is_some(), is_told),
    };
    if backup.accepted {
        store::accept(conn, device_id, None).await?;
    }
    store::insert(conn, &backup, &reading.body).await?;
    events::append(conn, device_id, "backup.kept", backup.job_id, &told(&backup), sent.at).await?;
    if is_complete && let Some(row) = row {
        let standard = if backup.accepted { Some(backup.clone()) } else { standard };
        tell(conn, row, standard.as_ref(), &backup, &reading.body, sent.at).await?;
    }
    let mut gone = store::trim(conn, device_id, sent.at - KEEP_FOR, KEEP).await?;
    gone.extend(superseded(conn, last.as_ref(), &backup).await?);
    Ok(gone)
}

/// Takes out of what was kept of a device what is known to be a secret by now: its next configuration
/// would seem to be changed by that alone, and the secrets would stay. Those without [`Backup::whole`]
/// were kept before more was known; a device's next backup has it, so that this is done once.
async fn masked_anew(conn: &mut PgConnection, device_id: Uuid) -> Result<(), Error> {
    for sha256 in store::hashes(conn, device_id).await? {
        let Some(was) = store::body(&mut *conn, device_id, &sha256).await? else { continue };
        let work = tokio::task::spawn_blocking(move || {
            let body = export::redact(&was);
            (body != was).then_some(body)
        });
        let work = work.await;
        let masked = work.map_err(|e| Error::Internal(format!("masking a configuration: {e}")))?;
        if let Some(body) = masked {
            let now = Sha256::digest(&body);
            store::replace(conn, device_id, &sha256, &now, &body).await?;
        }
    }
    Ok(())
}

/// Whether a complete backup stands for what is wanted: each of a device of which nothing is wanted; of
/// any other the first where none does, once its script is told to have run whole (`is_told`). What it
/// has before that, or has put back, is not what is wanted.
fn stands(row: Option<&Row>, is_accepted: bool, is_told: bool) -> bool {
    (!is_accepted && is_told) || row.is_none_or(|row| row.state == "unmanaged")
}

/// Whether a device is to take a script, or has taken one, of which it is not told that it ran whole.
fn awaits_report(row: Option<&Row>) -> bool {
    row.is_some_and(|row| {
        let report = row.script_report.clone().map(serde_json::from_value::<Report>);
        let is_fine = matches!(report, Some(Ok(report)) if report.failures().is_none());
        let is_minded = !row.ignored.iter().any(|one| one == "template");
        is_minded && row.script_sha256.is_some() && !is_fine
    })
}

/// The lines that a text has and the backup before has not, and the other way round.
async fn lines(conn: &mut PgConnection, before: &Backup, body: &str) -> Result<(i32, i32), Error> {
    let text = store::body(conn, before.device_id, &before.sha256).await?.unwrap_or_default();
    let body = body.to_owned();
    // Elsewhere than where others wait: texts may be long.
    let work = tokio::task::spawn_blocking(move || export::count(&text, &body)).await;
    let (added, removed) =
        work.map_err(|e| Error::Internal(format!("comparing two configurations: {e}")))?;
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok((number(added), number(removed)))
}

/// Tells of a device's newest complete backup, with this text, that it is, or is not, the accepted one.
async fn tell(
    conn: &mut PgConnection,
    mut row: Row,
    standard: Option<&Backup>,
    newest: &Backup,
    body: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let is_told = |one: &Difference| one.name == CONFIGURATION;
    let was = row.differences.0.iter().find(|one| is_told(one)).cloned();
    let is_minded = row.state != "unmanaged" && !row.ignored.iter().any(|one| one == CONFIGURATION);
    let drifts = standard.filter(|standard| is_minded && standard.sha256 != newest.sha256);
    let is = match drifts {
        Some(standard) => Some(difference(conn, standard, body).await?),
        None => None,
    };
    if was == is && (is.is_none() || !newest.changed) {
        return Ok(());
    }
    let is_news = newest.changed || was.is_none();
    if let Some(one) = is.as_ref().filter(|_| is_news) {
        let detail = json!({ "differences": [one], "backup_id": newest.backup_id });
        events::append(conn, row.device_id, "drifted", None, &detail, now).await?;
    }
    row.differences.0.retain(|one| !is_told(one));
    row.differences.0.extend(is);
    Ok(desired::set_differences(conn, row.device_id, &row.differences, now).await?)
}

async fn difference(
    conn: &mut PgConnection,
    standard: &Backup,
    body: &str,
) -> Result<Difference, Error> {
    let (added, removed) = lines(conn, standard, body).await?;
    Ok(Difference {
        name: CONFIGURATION.to_owned(),
        wanted: Some(format!("as on {}", standard.at.format("%Y-%m-%d %H:%M UTC"))),
        seen: None,
        words: format!("changed on the device: {added} lines added, {removed} removed"),
        mended: false,
        layer: "device".to_owned(),
    })
}

/// The file of the backup before, where it is the same, secrets and all, and nobody asked for it: one is
/// enough.
async fn superseded(
    conn: &mut PgConnection,
    last: Option<&Backup>,
    backup: &Backup,
) -> Result<Option<Uuid>, sqlx::Error> {
    let (Some(last), Some(newer)) = (last, backup.artifact_id) else { return Ok(None) };
    let own = last.cause != Cause::Demand.word() && last.job_id != backup.job_id;
    match last.artifact_id {
        Some(older) if own && last.whole.is_some() && last.whole == backup.whole => {
            let done = store::supersede(conn, backup.device_id, older, newer).await?;
            Ok(done.then_some(older))
        }
        Some(_) | None => Ok(None),
    }
}

/// What its event says of a backup.
fn told(backup: &Backup) -> Value {
    json!({
        "backup_id": backup.backup_id,
        "cause": backup.cause,
        "changed": backup.changed,
        "added": backup.added,
        "removed": backup.removed,
        "incomplete": backup.incomplete,
        "accepted": backup.accepted,
    })
}

/// Lets a complete backup stand for what is wanted: what the device has by it is right. The device's
/// row is locked.
///
/// # Errors
/// [`Error::Database`], [`Error::Internal`].
pub async fn accept(
    conn: &mut PgConnection,
    backup: &Backup,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let device_id = backup.device_id;
    store::accept(conn, device_id, Some(backup.backup_id)).await?;
    let detail = json!({ "backup_id": backup.backup_id, "by": by });
    events::append(conn, device_id, "backup.accepted", None, &detail, now).await?;
    let newest = store::complete(&mut *conn, device_id, None).await?;
    let row = desired::get(&mut *conn, device_id).await?;
    if let (Some(newest), Some(row)) = (newest, row) {
        let body = store::body(&mut *conn, device_id, &newest.sha256).await?.unwrap_or_default();
        tell(conn, row, Some(backup), &newest, &body, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const EXPORT: &str = "# 2026-11-22 02:00:00 by RouterOS 7.16.1\n# software id = AAAA-BBBB\n#\n\
        /interface pppoe-client\nadd interface=ether1 name=pppoe-out1 password=hunter22 user=ann\n\
        /system identity\nset name=attic\n";

    fn read(bytes: &[u8]) -> Result<Reading, &'static str> {
        super::read(bytes, &[7; 32])
    }

    #[test]
    fn the_time_of_an_export_and_its_secrets_are_not_what_it_says() {
        let one = read(EXPORT.as_bytes()).unwrap();
        let later = EXPORT.replace("2026-11-22 02:00:00", "2026-11-23 02:00:07");
        assert_eq!(read(later.as_bytes()).unwrap(), one);
        assert!(one.body.contains("set name=attic") && !one.body.contains("hunter22"), "{one:?}");
        assert!(one.incomplete.is_empty());
        let other = EXPORT.replace("attic", "cellar");
        assert_ne!(read(other.as_bytes()).unwrap().sha256, one.sha256);
    }

    #[test]
    fn another_secret_is_another_file_and_nobody_without_the_key_knows_which() {
        let one = read(EXPORT.as_bytes()).unwrap();
        let other = read(EXPORT.replace("hunter22", "hunter23").as_bytes()).unwrap();
        assert_eq!((&other.body, other.sha256), (&one.body, one.sha256));
        assert_ne!(other.whole, one.whole);
        assert_ne!(super::read(EXPORT.as_bytes(), &[8; 32]).unwrap().whole, one.whole);
    }

    #[test]
    fn what_a_device_could_not_export_is_known() {
        let cut = format!("{EXPORT}#error exporting \"/ip/ipsec\" (timeout)\n");
        let reading = read(cut.as_bytes()).unwrap();
        assert_eq!(reading.incomplete.len(), 1, "{reading:?}");
    }

    #[test]
    fn what_is_no_text_has_no_history() {
        assert_eq!(read(b"\x88\xac\xa1\xb1\0\0"), Err("it is no text"));
        for empty in ["", "\n\n", "# 2026-11-22 02:00:00 by RouterOS 7.16.1\n"] {
            assert_eq!(read(empty.as_bytes()), Err("there is nothing in it"), "{empty:?}");
        }
        // Latin-1 in a comment is no reason to keep nothing.
        assert!(read(b"/system identity\nset name=Caf\xe9\n").is_ok());
    }

    #[test]
    fn a_job_says_why_its_backup_was_made() {
        for (key, in_rollout, cause) in [
            (Some("muster:backup"), false, Cause::Schedule),
            (Some("muster:before:backup:change"), false, Cause::Change),
            (Some("muster:backup:demand"), false, Cause::Demand),
            (Some("my backup"), false, Cause::Demand),
            (None, false, Cause::Demand),
            (None, true, Cause::Change),
        ] {
            assert_eq!(Cause::of(key, in_rollout), cause, "{key:?}");
        }
    }

    #[test]
    fn the_first_stands_for_what_is_wanted_and_of_what_nobody_minds_each() {
        let row = |state: &str| Row { state: state.to_owned(), ..Row::new(Uuid::nil()) };
        let (managed, other) = (row("in_sync"), row("unmanaged"));
        assert!(stands(Some(&managed), false, true));
        assert!(!stands(Some(&managed), false, false), "nobody knows what it is");
        assert!(!stands(Some(&managed), true, true), "what differs now is drift");
        for row in [None, Some(&other)] {
            assert!(stands(row, true, false) && stands(row, false, true));
        }
    }

    #[test]
    fn a_script_is_told_to_have_run_whole_before_a_backup_stands_for_it() {
        let report = |done: bool| Some(json!({ "done": done, "failed": [] }));
        let row = |taken: bool, script_report: Option<Value>| {
            let script_sha256 = taken.then(|| vec![7; 32]);
            Row { script_sha256, script_report, ..Row::new(Uuid::nil()) }
        };
        assert!(!awaits_report(None) && !awaits_report(Some(&row(false, None))));
        assert!(awaits_report(Some(&row(true, None))));
        assert!(awaits_report(Some(&row(true, report(false)))));
        assert!(!awaits_report(Some(&row(true, report(true)))));
        let ignored = vec!["template".to_owned()];
        assert!(!awaits_report(Some(&Row { ignored, ..row(true, None) })));
    }

    #[test]
    fn a_way_back_that_waits_is_not_what_a_board_is_configured_to() {
        let entry = "/system scheduler\nadd interval=10m name=muster-rescue on-event=x\n";
        let waits = format!("{EXPORT}{entry}");
        assert_eq!(read(waits.as_bytes()).unwrap().body, read(EXPORT.as_bytes()).unwrap().body);
    }
}
