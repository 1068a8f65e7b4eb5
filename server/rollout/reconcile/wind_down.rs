//! When nothing new may begin: orders that no device has taken are called back, devices in flight
//! finish.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Work, locked};
use crate::clock;
use crate::ctx::App;
use crate::error::Error;
use crate::jobs::queue;
use crate::rollout::state::State;
use crate::store::rollouts::devices::due::{self, DueRow};
use crate::store::rollouts::devices::list::{self, WaitingRow};
use crate::store::rollouts::devices::{self, Move, pick};

/// Devices to a transaction.
const BATCH: i64 = 100;
/// The same, where only they are changed.
const MANY: i64 = 2_000;

/// What becomes of devices that wait no more, or again.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    /// `waiting`, `skipped` or `timed_out`.
    pub state: &'static str,
    /// Why.
    pub reason: String,
    /// Not before.
    pub until: Option<DateTime<Utc>>,
}

impl Fate {
    fn waits(reason: &str) -> Self {
        Self { state: "waiting", reason: reason.to_owned(), until: None }
    }

    pub(super) fn left_out(reason: &str) -> Self {
        Self { state: "skipped", reason: reason.to_owned(), until: None }
    }
}

/// Paused: what no device has taken waits again. Devices in flight are looked at until they end.
pub(super) async fn recall(app: &App, id: Uuid) -> Result<(), Error> {
    let fate = Fate::waits("the order was called back before the device took it");
    call_back(app, id, State::Paused, |_| Some(fate.clone())).await
}

/// Aborted: what has not begun is left out, and nobody is watched any more.
pub(super) async fn end(app: &App, id: Uuid) -> Result<(), Error> {
    let fate = Fate::left_out("the rollout was aborted");
    call_back(app, id, State::Aborted, |_| Some(fate.clone())).await?;
    while leave_out(app, id, State::Aborted, &fate).await? {}
    watch_no_more(app, id, State::Aborted).await
}

/// Looks at healthy devices no more.
pub(super) async fn watch_no_more(app: &App, id: Uuid, state: State) -> Result<(), Error> {
    loop {
        let mut tx = app.pool.begin().await?;
        if locked(&mut tx, id).await?.state != state {
            return Ok(());
        }
        let rested = pick::rest(&mut tx, id, None, MANY).await?;
        tx.commit().await?;
        if i64::try_from(rested).unwrap_or(i64::MAX) < MANY {
            return Ok(());
        }
    }
}

/// Whether devices are under way.
pub(super) async fn in_flight(app: &App, id: Uuid) -> Result<bool, Error> {
    let mut conn = app.pool.acquire().await?;
    Ok(pick::in_flight(&mut conn, id).await?.all > 0)
}

/// Takes back the orders that no device has taken, where `fate` says so by the site at which the device
/// stands.
pub(super) async fn call_back(
    app: &App,
    id: Uuid,
    state: State,
    fate: impl Fn(Option<&str>) -> Option<Fate>,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        after = call_some_back(app, id, state, after, &fate).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The same for a few devices behind this one; the last of them, `None` = there are no more.
async fn call_some_back(
    app: &App,
    id: Uuid,
    state: State,
    after: Option<Uuid>,
    fate: &impl Fn(Option<&str>) -> Option<Fate>,
) -> Result<Option<Uuid>, Error> {
    let now = clock::now();
    let mut tx = app.pool.begin().await?;
    let work = locked(&mut tx, id).await?;
    if work.state != state {
        return Ok(None);
    }
    let open = pick::not_taken(&mut tx, id, after, BATCH).await?;
    let is_full = open.len() >= usize::try_from(BATCH).expect("a small number");
    let last = open.last().map(|(device_id, _)| *device_id).filter(|_| is_full);
    let fates: Vec<(Uuid, Fate)> = open
        .into_iter()
        .filter_map(|(device_id, site)| Some((device_id, fate(site.as_deref())?)))
        .collect();
    let ids: Vec<Uuid> = fates.iter().map(|(device_id, _)| *device_id).collect();
    let mut moves = Vec::new();
    for row in due::some(&mut *tx, id, &ids).await? {
        let Some((_, fate)) = fates.iter().find(|(device_id, _)| *device_id == row.device_id)
        else {
            continue;
        };
        if withdrawn(&mut tx, &work, &row, now).await? {
            moves.push(back(&row, fate, now));
        }
    }
    devices::change(&mut tx, id, &moves).await?;
    tx.commit().await?;
    Ok(last)
}

/// Cancels the job of a device that has not taken it; false = it has it right now.
async fn withdrawn(
    conn: &mut PgConnection,
    work: &Work,
    row: &DueRow,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let Some(job_id) = row.job_id else { return Ok(true) };
    let by = work.row.name.as_str();
    match queue::cancel(conn, row.device_id, job_id, by, now).await {
        Ok(_) | Err(Error::NotFound(_)) => Ok(true),
        // It runs, or has ended: the next look says what becomes of the device.
        Err(Error::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a device is whose order was taken back. One that was begun by an earlier order than that may
/// have been changed by it, and so may one that had taken this one, before its session was lost: that
/// stays known.
fn back(row: &DueRow, fate: &Fate, now: DateTime<Utc>) -> Move {
    let reads = matches!(row.job_kind.as_deref(), None | Some("refresh" | "upload"));
    let was_taken = !reads && row.job_attempts.unwrap_or_default() > 0;
    let may_be_changed =
        |at: &DateTime<Utc>| was_taken || row.job_created_at.is_some_and(|made| *at < made);
    Move {
        was: row.state.clone(),
        was_step: row.step,
        was_job: row.job_id,
        // Cancelling its job told the rollout of it: that is no news.
        was_due: Some(now),
        started_at: row.started_at.filter(may_be_changed),
        ..moved(row.device_id, fate, now)
    }
}

/// What a device that waits is now. One that is to be tried again was begun before: that stays
/// known.
pub(super) fn not_begun(row: &WaitingRow, fate: &Fate, now: DateTime<Utc>) -> Move {
    Move {
        was: "waiting".to_owned(),
        was_step: row.step,
        was_job: row.job_id,
        was_due: row.due_at,
        started_at: row.started_at,
        ..moved(row.device_id, fate, now)
    }
}

fn moved(device_id: Uuid, fate: &Fate, now: DateTime<Utc>) -> Move {
    Move {
        device_id,
        was: String::new(),
        was_step: 0,
        was_job: None,
        was_due: None,
        state: fate.state,
        step: 0,
        attempts: 0,
        job_id: None,
        reason: Some(fate.reason.clone()),
        fault_class: None,
        before: None,
        baseline: None,
        verdict: None,
        due_at: fate.until,
        deadline_at: None,
        started_at: None,
        changed_at: None,
        finished_at: (fate.state != "waiting").then_some(now),
    }
}

/// Leaves out a few of the devices that have not begun; true = there may be more.
pub(super) async fn leave_out(
    app: &App,
    id: Uuid,
    state: State,
    fate: &Fate,
) -> Result<bool, Error> {
    let now = clock::now();
    let mut tx = app.pool.begin().await?;
    let work = locked(&mut tx, id).await?;
    if work.state != state {
        return Ok(false);
    }
    let rows = list::waiting(&mut tx, id, MANY).await?;
    let moves: Vec<Move> = rows.iter().map(|row| not_begun(row, fate, now)).collect();
    let left_out = devices::change(&mut tx, id, &moves).await?.len();
    tx.commit().await?;
    Ok(left_out > 0 && i64::try_from(rows.len()).unwrap_or(i64::MAX) >= MANY)
}
