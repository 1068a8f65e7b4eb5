//! How backups and what differs between them are shown.

use chrono::{DateTime, Utc};
use muster_routeros::export::{Kind, Piece};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fleet::backup::adopt::Adoption;
use crate::service::backups::{Changed, Compared, Line};
use crate::store::backups::Backup;

/// A backup of a device's configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct BackupView {
    /// Which.
    backup_id: Uuid,
    /// When it came.
    at: DateTime<Utc>,
    /// SHA-256 of its text: the same for the same configuration.
    sha256: String,
    /// The file as the device sent it; null = it is gone.
    artifact_id: Option<Uuid>,
    /// The job that brought it.
    job_id: Option<Uuid>,
    /// `schedule`, `change` (before or after one by Muster) or `demand`.
    cause: String,
    /// Menus that the device could not export. Such a backup is compared with nothing.
    incomplete: Vec<String>,
    /// It says something else than the complete one before it.
    changed: bool,
    /// Lines that are new then.
    added: i32,
    /// Lines that are gone then.
    removed: i32,
    /// It stands for what is wanted: drift is what differs from it.
    accepted: bool,
}

impl BackupView {
    pub(super) fn of(b: Backup) -> Self {
        Self {
            backup_id: b.backup_id,
            at: b.at,
            sha256: hex::encode(&b.sha256),
            artifact_id: b.artifact_id,
            job_id: b.job_id,
            cause: b.cause,
            incomplete: b.incomplete,
            changed: b.changed,
            added: b.added,
            removed: b.removed,
            accepted: b.accepted,
        }
    }
}

/// A backup with its text.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct BackupText {
    #[serde(flatten)]
    pub(super) backup: BackupView,
    /// The configuration: without header and times, long lines joined, secrets as `********`.
    pub(super) text: String,
}

/// A piece of a line.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct PieceView {
    /// Its text.
    text: String,
    /// Whether it differs from the other line.
    changed: bool,
}

/// A line of two backups.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct DiffLineView {
    /// `same`, `added`, `removed`, `changed`; `gap` = lines that are the same are left out here.
    kind: &'static str,
    /// The menu in which it stands.
    menu: String,
    /// The line as it was; null = it was not.
    before: Option<Vec<PieceView>>,
    /// The line as it is; null = it is not.
    after: Option<Vec<PieceView>>,
    /// Whether the script that the device took last writes what stands there; null = nobody knows.
    written: Option<bool>,
}

impl DiffLineView {
    pub(super) fn of(line: Line) -> Self {
        let kind = match line.diff.kind {
            Kind::Same => "same",
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
            Kind::Gap => "gap",
        };
        let piece = |piece: Piece| PieceView { text: piece.text, changed: piece.changed };
        let pieces = |pieces: Vec<Piece>| pieces.into_iter().map(piece).collect();
        Self {
            kind,
            menu: line.diff.menu,
            before: line.diff.before.map(pieces),
            after: line.diff.after.map(pieces),
            written: line.written,
        }
    }
}

/// What differs between two backups.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct BackupDiff {
    /// What it is compared with.
    from: BackupView,
    /// The backup.
    to: BackupView,
    /// Lines that only the backup has.
    added: usize,
    /// Lines that only the other one has.
    removed: usize,
    /// So much lies between the first line that differs and the last one that not all was compared.
    cut: bool,
    /// What differs, with up to three lines before and after.
    lines: Vec<DiffLineView>,
    /// What of it could be adopted into variables; only in comparison with the accepted one.
    adoptions: Vec<Adoption>,
}

impl BackupDiff {
    pub(super) fn of(c: Compared) -> Self {
        Self {
            from: BackupView::of(c.from),
            to: BackupView::of(c.to),
            added: c.added,
            removed: c.removed,
            cut: c.cut,
            lines: c.lines.into_iter().map(DiffLineView::of).collect(),
            adoptions: c.adoptions,
        }
    }
}

/// A configuration that changed.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ChangedView {
    /// Whose.
    device_id: Uuid,
    /// Its serial number.
    serial: String,
    /// What it calls itself.
    identity: Option<String>,
    /// Path of the site where it stands.
    site: Option<String>,
    /// The backup that shows it.
    backup_id: Uuid,
    /// The complete one before; null = that is gone.
    before_id: Option<Uuid>,
    /// When the backup came.
    at: DateTime<Utc>,
    /// Lines that are new.
    added: i32,
    /// Lines that are gone.
    removed: i32,
    /// Equal for equal changes on different devices; null = too long to be looked into.
    same_as: Option<String>,
}

impl ChangedView {
    pub(super) fn of(c: Changed) -> Self {
        let row = c.change;
        Self {
            device_id: row.device_id,
            serial: row.serial,
            identity: row.identity,
            site: row.site,
            backup_id: row.backup_id,
            before_id: row.before_id,
            at: row.at,
            added: row.added,
            removed: row.removed,
            same_as: c.same_as,
        }
    }
}
