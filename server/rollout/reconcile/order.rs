//! The jobs that a rollout makes on its devices.
//!
//! Owns what each step is as a job. A job's key says rollout, step and attempt: asking twice is one.

use chrono::{DateTime, Utc};
use muster_cwmp::value::ValueType;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Work;
use super::scripts::Scripts;
use crate::ctx::App;
use crate::error::Error;
use crate::files::builtin::Builtin;
use crate::fleet::inspection;
use crate::fleet::secret::is_secret;
use crate::jobs::queue::{self, Order, SCRIPT_LOG};
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec, SetParameter, UploadFile};
use crate::rollout::change::Change;
use crate::rollout::device::{self, Step};
use crate::rollout::state::DeviceState;
use crate::store::parameters::Document;
use crate::store::rollouts::devices::due::DueRow;

/// What is ordered of a device.
pub(super) struct Ordered {
    /// The job that is waited for.
    pub job_id: Uuid,
    /// What to write to take it back, sealed; `None` = nothing new.
    pub before: Option<Value>,
    /// It may change the device.
    pub changes: bool,
}

/// Makes the job of this work. The device's row is locked until the transaction ends.
pub(super) async fn order(
    conn: &mut PgConnection,
    app: &App,
    work: &Work,
    scripts: &Scripts,
    row: &DueRow,
    next: &device::Next,
    now: DateTime<Utc>,
) -> Result<Option<Ordered>, Error> {
    if matches!(next.state, DeviceState::Failed | DeviceState::TimedOut) {
        // What has failed must not come about later: its links are closed with its job.
        withdraw(conn, work, row, now).await?;
    }
    let Some(wanted) = &next.work else { return Ok(None) };
    let steps: Vec<Step> = serde_json::from_value(row.steps.clone())
        .map_err(|e| Error::Internal(format!("steps of {}: {e}", row.device_id)))?;
    if *wanted == device::Work::Withdraw {
        withdraw(conn, work, row, now).await?;
        return Ok(None);
    }
    let (place, step) = match wanted {
        device::Work::Withdraw => return Ok(None),
        device::Work::Baseline => ("baseline".to_owned(), None),
        device::Work::Step(at) => (format!("{at}:{}", next.attempts), steps.get(*at)),
    };
    let (specs, before) = match (wanted, step) {
        (device::Work::Withdraw, _) => (Vec::new(), None),
        (device::Work::Baseline, _) => (vec![JobSpec::Refresh { path: None }], None),
        (device::Work::Step(at), None) => {
            return Err(Error::Internal(format!("no step {at} of {}", row.device_id)));
        }
        (device::Work::Step(at), Some(step)) => {
            let from = device::runs_before(&steps, *at).or(row.from_version.as_deref());
            specs(app, work, scripts, row, step, from)?
        }
    };
    let id = work.row.rollout_id;
    // What the log is looked through for when it comes: the answer to the job before it, if it asked.
    let log = |asked: Option<Uuid>| match (step, asked) {
        (Some(Step::Report), _) => {
            format!("{SCRIPT_LOG}{}", queue::script_tag(Some(id), row.device_id, Uuid::nil()))
        }
        (Some(Step::Inspect), Some(script)) => format!("{}{script}", inspection::LOG),
        _ => String::new(),
    };
    let until = next.deadline_at.unwrap_or(now + queue::DEFAULT_EXPIRY);
    let mut last: Option<Uuid> = None;
    for (part, spec) in specs.into_iter().enumerate() {
        let order = Order {
            device_id: row.device_id,
            spec,
            not_before: next.not_before,
            expires_at: Some(until.max(now + chrono::TimeDelta::minutes(1))),
            idempotency_key: Some(format!("rollout:{id}:{place}:{part}{}", log(last))),
            created_by: work.row.started_by.clone().unwrap_or_else(|| "muster".to_owned()),
            wake: true,
            own: true,
            rollout: Some(id),
            unkept: false,
        };
        last = Some(queue::create(conn, &app.keys, order, now).await?.0.job_id);
    }
    let changes = step.is_some_and(|step| *step != Step::Backup);
    Ok(last.map(|job_id| Ordered { job_id, before, changes }))
}

/// Cancels the job of a device, if it is open and no session has it right now. What became of it is
/// seen at the next look.
async fn withdraw(
    conn: &mut PgConnection,
    work: &Work,
    row: &DueRow,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(job_id) = row.job_id.filter(|_| is_open(row)) else {
        return Ok(());
    };
    match queue::cancel(conn, row.device_id, job_id, &work.row.name, now).await {
        Ok(_) | Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_open(row: &DueRow) -> bool {
    matches!(row.job_state.as_deref(), Some("queued" | "waiting"))
}

fn specs(
    app: &App,
    work: &Work,
    scripts: &Scripts,
    row: &DueRow,
    step: &Step,
    from: Option<&str>,
) -> Result<(Vec<JobSpec>, Option<Value>), Error> {
    let alter = |artifact_id: Uuid| {
        JobSpec::Download(DownloadSpec { artifact_id, file: DownloadFile::Alter, delay_seconds: 0 })
    };
    Ok(match step {
        Step::Upgrade { version, packages, .. } => {
            let (version, packages) = (version.clone(), packages.clone());
            (vec![JobSpec::Upgrade { version, packages, from: from.map(str::to_owned) }], None)
        }
        Step::Backup => (vec![JobSpec::Upload { file: UploadFile::Configuration }], None),
        Step::Script { artifact_id } => (vec![alter(*artifact_id)], None),
        Step::Template => (vec![scripts.job(row.device_id)?], None),
        Step::Report => (vec![JobSpec::Upload { file: UploadFile::Log }], None),
        Step::Routerboot => (vec![Builtin::Routerboot.job()], None),
        Step::Reboot => (vec![JobSpec::Reboot], None),
        Step::Inspect => {
            (vec![Builtin::Inspect.job(), JobSpec::Upload { file: UploadFile::Log }], None)
        }
        Step::Parameters => {
            let (parameters, before) = parameters(app, work, row)?;
            (vec![JobSpec::Set { parameters }], before)
        }
    })
}

/// What is written to a device, and what it has now.
fn parameters(
    app: &App,
    work: &Work,
    row: &DueRow,
) -> Result<(Vec<SetParameter>, Option<Value>), Error> {
    match work.opened(&app.keys)? {
        Change::Parameters { parameters } => {
            let before = match &row.before {
                // A second attempt: what it has now may be ours already. One that never took its order
                // may have been given another value since.
                Some(_) if row.started_at.is_some() => None,
                _ => before(row, &parameters)?,
            };
            Ok((parameters, before))
        }
        // Of the rollout that is taken back: `inverse` has put it into the row.
        Change::PreviousParameters => {
            let stored = row.before.clone().unwrap_or_default();
            let parameters = serde_json::from_value(stored)
                .map_err(|e| Error::Internal(format!("what {} had before: {e}", row.device_id)))?;
            Ok((parameters, None))
        }
        other => Err(Error::Internal(format!("no parameters in {}", other.kind()))),
    }
}

/// The values that these parameters have now. Secrets read back empty, so that what they were cannot
/// be written again: a change of one is not taken back.
fn before(row: &DueRow, parameters: &[SetParameter]) -> Result<Option<Value>, Error> {
    let Some(document) = row.document.clone() else { return Ok(None) };
    let document: Document = serde_json::from_value(document)
        .map_err(|e| Error::Internal(format!("parameters of {}: {e}", row.device_id)))?;
    let had = |p: &SetParameter| {
        let entry = document.get(&p.name).filter(|_| !is_secret(&p.name))?;
        let kind = Some(entry.kind).filter(|kind| *kind != ValueType::default());
        Some(SetParameter { name: p.name.clone(), value: entry.value.clone(), kind })
    };
    let had: Vec<SetParameter> = parameters.iter().filter_map(had).collect();
    if had.is_empty() {
        return Ok(None);
    }
    serde_json::to_value(had).map(Some).map_err(|e| Error::Internal(e.to_string()))
}
