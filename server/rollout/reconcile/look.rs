//! Looks at the devices that are due, and writes down what becomes of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begin::Sites;
use super::order::{self, Ordered};
use super::scripts::Scripts;
use super::{Work, locked};
use crate::clock;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::health::Sample;
use crate::rollout::device::{self, Booter, Device, JobSeen, Next, Seen};
use crate::rollout::fault::Class;
use crate::rollout::state::{DeviceState, State};
use crate::store::nodes;
use crate::store::parameters::{Counters, Document};
use crate::store::rollouts::devices::due::{self, DueRow};
use crate::store::rollouts::devices::{self, Move};
use crate::store::rollouts::story;

/// Devices to a transaction: their rows are locked for so long.
const BATCH: i64 = 50;
/// Nodes say that they are there more often than this.
const HEARD_OF: TimeDelta = TimeDelta::minutes(3);
/// Transactions in one tick.
const MOST: usize = 40;

/// Looks at devices until none is due, or for long enough; true = there may be more.
pub(super) async fn look(app: &App, id: Uuid, stop: &CancellationToken) -> Result<bool, Error> {
    let mut scripts = Scripts::default();
    for _ in 0..MOST {
        let now = clock::now();
        let sites = Sites::of_due(app, id, now, BATCH).await?;
        let mut tx = app.pool.begin().await?;
        let work = locked(&mut tx, id).await?;
        let rows = due::due(&mut *tx, id, now, BATCH).await?;
        let listening = listening_since(&mut tx, now).await?;
        let looked = rows.len();
        let mut moves = Vec::with_capacity(looked);
        let mut without = Vec::new();
        for row in rows {
            let next = match read(&work, &row, listening, now) {
                Ok((device, mut seen)) => {
                    // What was read, or kept, before its window closed is not changed after that.
                    seen.running &= sites.is_open(row.site.as_deref(), &work.plan, now);
                    let next = device::look(&device, &seen, &work.plan, now);
                    scripts.settled(row.device_id, &device, next)
                }
                Err(error) => Some(broken(&row, &error)),
            };
            match next {
                Some(next) => moves.push((next, row)),
                None => without.push(row.device_id),
            }
        }
        let given = give(&mut tx, app, &work, &scripts, moves, now).await?;
        given.write(&mut tx, &work, now).await?;
        tx.commit().await?;
        app.wake_hint.notify_one();
        let made = scripts.make(app, &work, &without).await?;
        let more = match without.is_empty() {
            true => looked >= usize::try_from(BATCH).expect("a small number"),
            false => made > 0,
        };
        if !more || stop.is_cancelled() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Since when Muster hears devices without a break: since its oldest node that is still there began.
pub(super) async fn listening_since(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Error> {
    Ok(nodes::listening_since(conn, now - HEARD_OF).await?.unwrap_or(now))
}

/// A row as the rules see it.
pub(super) fn read(
    work: &Work,
    row: &DueRow,
    listening_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(Device, Seen), Error> {
    let broken = |what: &str, e: &dyn std::fmt::Display| {
        Error::Internal(format!("{what} of device {}: {e}", row.device_id))
    };
    let state = DeviceState::of(&row.state)
        .ok_or_else(|| broken("state", &format!("no state {}", row.state)))?;
    let steps = serde_json::from_value(row.steps.clone()).map_err(|e| broken("steps", &e))?;
    let baseline = row.baseline.clone().map(serde_json::from_value::<Sample>).transpose();
    let device = Device {
        state,
        steps,
        step: usize::try_from(row.step).unwrap_or_default(),
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        from_version: row.from_version.clone(),
        started_at: row.started_at,
        changed_at: row.changed_at,
        deadline_at: row.deadline_at,
        baseline: baseline.map_err(|e| broken("baseline", &e))?,
        soak_until: work.soak_until(listening_since),
    };
    let document: Document = match &row.document {
        Some(document) => {
            serde_json::from_value(document.clone()).map_err(|e| broken("parameters", &e))?
        }
        None => Document::new(),
    };
    let counters: Option<Counters> = match &row.counters {
        Some(counters) => {
            Some(serde_json::from_value(counters.clone()).map_err(|e| broken("counters", &e))?)
        }
        None => None,
    };
    let fault = row.job_fault.as_ref().and_then(|fault| fault["code"].as_u64());
    let seen = Seen {
        running: matches!(work.state, State::Running | State::Soaking),
        listening_since,
        job: row.job_state.clone().map(|state| JobSeen {
            state,
            kind: row.job_kind.clone().unwrap_or_default(),
            fault: fault.and_then(|code| u16::try_from(code).ok()),
            note: row.job_note.clone(),
            result: row.job_result.clone(),
            ended_at: row.job_ended_at,
        }),
        version: row.version.clone(),
        last_inform: row.last_inform,
        inform_interval: row.interval.as_ref().and_then(|seconds| seconds.parse().ok()),
        last_boot: row.last_boot,
        refreshed_at: row.refreshed_at,
        sample: Sample::read(&document, counters.as_ref(), row.version.as_deref(), now),
        booter: row.inspected_at.map(|learned_at| Booter {
            current: row.booter_current.clone(),
            upgrade: row.booter_upgrade.clone(),
            learned_at,
        }),
    };
    Ok((device, seen))
}

/// A device of which nothing can be made out fails by itself, and holds up no other one.
pub(super) fn broken(row: &DueRow, error: &Error) -> Next {
    tracing::error!(device.id = %row.device_id, "a device of a rollout: {}", error.private());
    Next {
        state: DeviceState::Failed,
        step: usize::try_from(row.step).unwrap_or_default(),
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        due_at: None,
        deadline_at: None,
        changed_at: row.changed_at,
        not_before: None,
        finished: true,
        reason: Some(format!("Muster cannot go on with it: {error}; the log has the cause")),
        class: Some(Class::GiveUp),
        verdict: None,
        baseline: None,
        work: None,
    }
}

/// What becomes of devices whose jobs are made.
pub(super) struct Given {
    /// What is to be written of them; of others, too.
    pub(super) moves: Vec<Move>,
    decided: Vec<(Next, DueRow)>,
}

impl Given {
    /// Changes the devices, with the counts of their waves. No device may be locked after this.
    pub(super) async fn write(
        self,
        conn: &mut PgConnection,
        work: &Work,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if self.moves.is_empty() {
            return Ok(());
        }
        // One that was removed from the inventory at this moment is not among them.
        devices::change(conn, work.row.rollout_id, &self.moves).await?;
        for (next, row) in self.decided.iter().filter(|(next, row)| is_news(next, row)) {
            tell(conn, work, next, row, now).await?;
        }
        Ok(())
    }
}

/// Makes the jobs, which locks the devices. The rollout is locked, and the rows were read since.
pub(super) async fn give(
    conn: &mut PgConnection,
    app: &App,
    work: &Work,
    scripts: &Scripts,
    mut decided: Vec<(Next, DueRow)>,
    now: DateTime<Utc>,
) -> Result<Given, Error> {
    // Devices are locked in the order of their ids, as everywhere.
    decided.sort_unstable_by_key(|(_, row)| row.device_id);
    let mut moves = Vec::with_capacity(decided.len());
    for (next, row) in &mut decided {
        // What one device cannot be given must not take the others with it.
        let mut inner = conn.begin().await?;
        let ordered = match order::order(&mut inner, app, work, scripts, row, next, now).await {
            Ok(ordered) => {
                inner.commit().await?;
                ordered
            }
            Err(error @ (Error::Database(_) | Error::Busy(_))) => return Err(error),
            Err(error) => {
                inner.rollback().await?;
                *next = broken(row, &error);
                None
            }
        };
        moves.push(step(row, next, ordered, now)?);
    }
    Ok(Given { moves, decided })
}

fn step(
    row: &DueRow,
    next: &Next,
    ordered: Option<Ordered>,
    now: DateTime<Utc>,
) -> Result<Move, Error> {
    let json =
        |value: Result<Value, serde_json::Error>| value.map_err(|e| Error::Internal(e.to_string()));
    let waits = next.state == DeviceState::Waiting;
    // Begun is what was given a step that may change it: before that nothing was done to it.
    let given = ordered.as_ref().is_some_and(|ordered| ordered.changes);
    let begun = row.started_at.or_else(|| given.then_some(now));
    let (job_id, before) = match ordered {
        Some(ordered) => (Some(ordered.job_id), ordered.before),
        None => (row.job_id.filter(|_| !waits), None),
    };
    Ok(Move {
        device_id: row.device_id,
        was: row.state.clone(),
        was_step: row.step,
        was_job: row.job_id,
        was_due: row.due_at,
        state: next.state.word(),
        step: i32::try_from(next.step).unwrap_or(i32::MAX),
        attempts: i32::try_from(next.attempts).unwrap_or(i32::MAX),
        job_id,
        reason: next.reason.clone(),
        fault_class: next.class.map(|class| class.word().to_owned()),
        before,
        baseline: next.baseline.as_ref().map(|b| json(serde_json::to_value(b))).transpose()?,
        verdict: next.verdict.as_ref().map(|v| json(serde_json::to_value(v))).transpose()?,
        due_at: next.due_at,
        deadline_at: next.deadline_at,
        started_at: begun,
        changed_at: next.changed_at,
        finished_at: next.finished.then_some(now),
    })
}

/// Whether the story tells of it: only of what went wrong, for there are many devices.
fn is_news(next: &Next, row: &DueRow) -> bool {
    let bad = matches!(next.state, DeviceState::Failed | DeviceState::TimedOut);
    bad && next.state.word() != row.state
}

async fn tell(
    conn: &mut PgConnection,
    work: &Work,
    next: &Next,
    row: &DueRow,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let why = next.reason.as_deref().unwrap_or("");
    let detail = json!({
        "text": format!("{}: {why}", row.serial), "serial": row.serial, "state": next.state.word(),
        "reason": next.reason, "class": next.class.map(|class| class.word()),
    });
    let id = work.row.rollout_id;
    story::append(conn, id, "device", "muster", Some(row.device_id), &detail, now).await?;
    let event = json!({ "rollout_id": id, "name": work.row.name, "reason": next.reason });
    let kind = format!("rollout.{}", next.state.word());
    crate::store::events::append(conn, row.device_id, &kind, row.job_id, &event, now).await?;
    Ok(())
}
