//! What differs between two backups of a device, which of it its template wrote, and what could be
//! adopted into the variables that the template is rendered with.

use std::collections::BTreeMap;
use std::str::FromStr;

use muster_routeros::export::{self, DiffLine, Kind};
use serde_json::Value;
use uuid::Uuid;

use super::{body, load};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::desired;
use crate::error::Error;
use crate::fleet::backup::adopt::{self, Adoption};
use crate::jobs::queue;
use crate::jobs::spec::JobSpec;
use crate::service::{self, devices};
use crate::store::backups::{self as store, Backup};
use crate::store::devices::Device;
use crate::store::jobs;

/// What a backup is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// The complete one before it.
    Before,
    /// The accepted one.
    Accepted,
    /// This one.
    Backup(Uuid),
}

impl FromStr for With {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "before" => Ok(Self::Before),
            "accepted" => Ok(Self::Accepted),
            id => Uuid::try_parse(id).map(Self::Backup).map_err(|_| {
                Error::invalid("", "in the query: with is `before`, `accepted` or a backup's id")
            }),
        }
    }
}

/// Two backups, and what differs.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What it is compared with.
    pub from: Backup,
    /// The backup.
    pub to: Backup,
    /// Lines that only it has.
    pub added: usize,
    /// Lines that only the other one has.
    pub removed: usize,
    /// So much lies between the first line that differs and the last one that not all was compared.
    pub cut: bool,
    /// The lines.
    pub lines: Vec<Line>,
    /// What could be adopted; only where it is compared with the accepted one.
    pub adoptions: Vec<Adoption>,
}

/// A line of two backups.
#[derive(Debug, Clone)]
pub struct Line {
    /// What became of it.
    pub diff: DiffLine,
    /// Whether the script that the device took last writes what stands there; `None` = there is none,
    /// or it is not kept any more.
    pub written: Option<bool>,
}

/// What differs between a backup of a device and another one.
///
/// # Errors
/// As [`devices::find`]; [`Error::NotFound`] for no such backup, and where there is none to compare it
/// with.
pub async fn diff(
    app: &App,
    ctx: &Ctx,
    name: &str,
    backup_id: Uuid,
    with: With,
) -> Result<Compared, Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    compare(app, &device, backup_id, with).await
}

async fn compare(
    app: &App,
    device: &Device,
    backup_id: Uuid,
    with: With,
) -> Result<Compared, Error> {
    let to = load(app, device, backup_id).await?;
    let from = other(app, device, &to, with).await?;
    let (before, after) = (body(app, &from).await?, body(app, &to).await?);
    let script = script(app, device).await?;
    let ((added, removed), cut, lines) = of(before, after, script).await?;
    let adoptions = match with {
        With::Accepted => {
            let diff: Vec<DiffLine> = lines.iter().map(|line| line.diff.clone()).collect();
            adopt::adoptions(&diff, &variables(app, device).await?)
        }
        With::Before | With::Backup(_) => Vec::new(),
    };
    Ok(Compared { from, to, added, removed, cut, lines, adoptions })
}

async fn other(app: &App, device: &Device, to: &Backup, with: With) -> Result<Backup, Error> {
    let device_id = device.device_id;
    let (found, none) = match with {
        With::Before => {
            let found = store::complete(&app.pool, device_id, Some(to.backup_id)).await?;
            (found, "there is no complete backup before it")
        }
        With::Accepted => {
            (store::accepted(&app.pool, device_id).await?, "no backup of that device is accepted")
        }
        With::Backup(backup_id) => return load(app, device, backup_id).await,
    };
    found.ok_or_else(|| Error::NotFound(none.to_owned()))
}

/// Elsewhere than where others wait: texts may be long.
async fn of(
    before: String,
    after: String,
    script: Option<String>,
) -> Result<((usize, usize), bool, Vec<Line>), Error> {
    let work = tokio::task::spawn_blocking(move || {
        let (count, cut) = (export::count(&before, &after), export::is_cut(&before, &after));
        let written = script.as_deref().map(export::written_by);
        let lines = export::diff(&before, &after).into_iter();
        let lines = lines.map(|diff| {
            let is_change = !matches!(diff.kind, Kind::Same | Kind::Gap);
            let text = adopt::text(diff.after.as_deref().or(diff.before.as_deref()));
            let written = written.as_ref().filter(|_| is_change);
            let written = written.map(|written| export::touched(written, &diff.menu, &text));
            Line { diff, written }
        });
        (count, cut, lines.collect::<Vec<Line>>())
    });
    work.await.map_err(|e| Error::Internal(format!("comparing two backups: {e}")))
}

/// The script that the device took last, or is to take.
async fn script(app: &App, device: &Device) -> Result<Option<String>, Error> {
    let row = crate::store::desired::get(&app.pool, device.device_id).await?;
    let Some(job_id) = row.and_then(|row| row.script_job) else { return Ok(None) };
    let Some(job) = jobs::get(&app.pool, job_id).await? else { return Ok(None) };
    match queue::opened(&app.keys, &job)? {
        JobSpec::Configure { script, .. } => Ok(Some(script)),
        _ => Ok(None),
    }
}

/// The values with which its template is rendered.
async fn variables(app: &App, device: &Device) -> Result<BTreeMap<String, Value>, Error> {
    let standing = desired::of_device(app, device.device_id).await?;
    Ok(standing.effective.values().0)
}

/// Adopts what was changed on a device by hand: a variable gets the value that the backup shows, for
/// this device alone.
///
/// # Errors
/// As [`diff`]; [`Error::Denied`]; [`Error::Conflict`] for a variable of which the backup shows no
/// other value.
pub async fn adopt(
    app: &App,
    ctx: &Ctx,
    name: &str,
    backup_id: Uuid,
    variable: &str,
) -> Result<Adoption, Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let compared = compare(app, &device, backup_id, With::Accepted).await?;
    let found = compared.adoptions.into_iter().find(|one| one.variable == variable);
    let none = || Error::Conflict(format!("the backup shows no other value of `{variable}`"));
    let adopted = found.ok_or_else(none)?;
    let (variable, to) = (adopted.variable.clone(), adopted.to.clone());
    service::desired::change(app, ctx, name, |mut wants| {
        wants.variables.0.insert(variable, to);
        Ok(wants)
    })
    .await?;
    Ok(adopted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_compared_with_one_that_has_a_name() {
        let id = Uuid::from_u128(7);
        let with = |text: &str| text.parse::<With>().ok();
        assert_eq!(with("before"), Some(With::Before));
        assert_eq!(with("accepted"), Some(With::Accepted));
        assert_eq!(with(&id.to_string()), Some(With::Backup(id)));
        assert_eq!(with("yesterday"), None);
    }
}
