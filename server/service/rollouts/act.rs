//! What people order of a rollout. Each order has its reason, in the story and in the audit log.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::offer::{asks_again, has_started};
use super::{View, held, seen};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::rollout::reconcile::{Work, inverse, survey, turn};
use crate::rollout::state::State;
use crate::rollout::words::count_of;
use crate::store::rollouts::devices::due::{self, DueRow};
use crate::store::rollouts::devices::{self, Move, list};
use crate::store::rollouts::{self as store, story, waves};

/// Devices that are retried in one transaction.
const BATCH: i64 = 1_000;
/// Characters of a reason.
const MAX_REASON: usize = 1_000;

/// Starts a draft, at a time or now. With four eyes somebody else must approve it first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Denied`], [`Error::Conflict`] for one that is no draft.
pub async fn start(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    at: Option<DateTime<Utc>>,
) -> Result<View, Error> {
    let later = at.filter(|at| *at > ctx.now);
    let meant = match later {
        Some(_) => found(app, ctx, id, Right::Operate, State::Draft).await?,
        None => None,
    };
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Operate).await?;
    work.row.pace["meant"] = json!(meant);
    let row = &mut work.row;
    row.start_at = later;
    row.started_by = Some(ctx.actor.name.clone());
    row.started_by_id = ctx.actor.whoever();
    let (state, why) = match (work.plan.four_eyes, row.start_at) {
        (true, _) => (State::AwaitingApproval, "somebody else must approve it".to_owned()),
        (false, Some(at)) => (State::Scheduled, format!("starts at {}", at.to_rfc3339())),
        (false, None) => (State::Running, "started".to_owned()),
    };
    turn::to(&mut tx, ctx, &mut work, state, &why).await?;
    done(tx, work).await
}

/// Approves one that waits for it, or that has found other devices since it was approved: never by
/// whoever started it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Denied`], [`Error::Conflict`] for one that waits for nothing.
pub async fn approve(app: &App, ctx: &Ctx, id: Uuid) -> Result<View, Error> {
    let meant = found(app, ctx, id, Right::Approve, State::AwaitingApproval).await?;
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Approve).await?;
    let again = asks_again(&work.row, work.state);
    if work.state != State::AwaitingApproval && !again {
        return Err(Error::Conflict("the rollout does not wait for an approval".to_owned()));
    }
    not_the_starter(ctx, &work)?;
    work.row.approved_by = Some(ctx.actor.name.clone());
    let many = meant.map(|devices| format!(", for {}", count_of(devices, "device")));
    let many = many.unwrap_or_default();
    let (state, why) = match work.row.start_at.filter(|at| *at > ctx.now) {
        _ if again => (State::Running, "approved with the devices that it finds now".to_owned()),
        Some(at) => (State::Scheduled, format!("approved{many}; starts at {}", at.to_rfc3339())),
        None => (State::Running, format!("approved{many}")),
    };
    work.row.pace["meant"] = json!(meant);
    work.row.pace["ask_again"] = json!(false);
    turn::to(&mut tx, ctx, &mut work, state, &why).await?;
    done(tx, work).await
}

/// How many devices one in this state finds: whoever says yes to it says so of these. Asked before the
/// transaction: whoever holds one asks for no second connection.
async fn found(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    right: Right,
    state: State,
) -> Result<Option<u64>, Error> {
    ctx.require(right)?;
    let work = seen(app, ctx, id).await?;
    if work.state != state {
        return Ok(None);
    }
    survey::count(app, &work.audience, &work.reach, ctx.now).await
}

/// Whoever started a rollout, or a token of the same name, is not the second pair of eyes.
fn not_the_starter(ctx: &Ctx, work: &Work) -> Result<(), Error> {
    if has_started(ctx, &work.row) {
        return Err(Error::Denied(
            "whoever starts a rollout cannot approve it: somebody else has to".to_owned(),
        ));
    }
    Ok(())
}

/// Lets the wave begin that waits for it.
///
/// # Errors
/// As [`approve`].
pub async fn approve_wave(app: &App, ctx: &Ctx, id: Uuid) -> Result<View, Error> {
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Approve).await?;
    let paused_by = work.row.paused_by.as_deref();
    let (wave, waiting) = (work.row.wave, work.state == State::Paused && paused_by == Some("gate"));
    let asked = usize::try_from(wave).ok().and_then(|wave| work.plan.waves.get(wave));
    let row = waves::get(&mut *tx, id, wave).await?;
    let open = row.as_ref().is_some_and(|row| row.approved_by.is_none());
    if asks_again(&work.row, work.state) {
        return Err(other_devices());
    }
    if !asked.is_some_and(|wave| wave.approval) || !open || !waiting {
        return Err(Error::Conflict("no wave of it waits for an approval".to_owned()));
    }
    if work.plan.four_eyes {
        not_the_starter(ctx, &work)?;
    }
    let by = Some(ctx.actor.name.clone());
    let change = waves::WaveChange { approved_by: by, ..Default::default() };
    waves::change(&mut tx, id, wave, &change).await?;
    let why = format!("wave {} was approved", wave + 1);
    turn::to(&mut tx, ctx, &mut work, State::Running, &why).await?;
    done(tx, work).await
}

/// Lets nothing new begin until somebody says so.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Denied`], [`Error::Conflict`] for one that is not under way.
pub async fn pause(app: &App, ctx: &Ctx, id: Uuid, reason: &str) -> Result<View, Error> {
    let reason = checked(reason)?;
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Operate).await?;
    turn::pause(&mut tx, ctx, &mut work, "person", &reason).await?;
    done(tx, work).await
}

/// Goes on. What failed so far is taken for seen: the gate of the wave looks at what comes after.
///
/// # Errors
/// As [`pause`].
pub async fn resume(app: &App, ctx: &Ctx, id: Uuid, reason: &str) -> Result<View, Error> {
    let reason = checked(reason)?;
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Operate).await?;
    if work.state != State::Paused {
        return Err(Error::Conflict("the rollout is not paused".to_owned()));
    }
    if asks_again(&work.row, work.state) {
        return Err(other_devices());
    }
    waves::forgive(&mut tx, id, work.row.wave).await?;
    let to = work.row.resume_to.as_deref().and_then(State::of).unwrap_or(State::Running);
    turn::to(&mut tx, ctx, &mut work, to, &reason).await?;
    done(tx, work).await
}

fn other_devices() -> Error {
    let why = "its devices are not those that were approved: somebody has to approve it again";
    Error::Conflict(why.to_owned())
}

/// Ends it: nothing new begins, devices in flight finish.
///
/// # Errors
/// As [`pause`].
pub async fn abort(app: &App, ctx: &Ctx, id: Uuid, reason: &str) -> Result<View, Error> {
    let reason = checked(reason)?;
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Operate).await?;
    if let (State::RollingBack, Some(inverse)) = (work.state, work.row.inverse_id) {
        let why =
            format!("it is being taken back: pause or abort the rollout that does it, {inverse}");
        return Err(Error::Conflict(why));
    }
    turn::to(&mut tx, ctx, &mut work, State::Aborted, &reason).await?;
    done(tx, work).await
}

/// Takes back what it has changed.
///
/// # Errors
/// As [`pause`]; [`Error::Conflict`] also where there is no way back from what it does.
pub async fn roll_back(app: &App, ctx: &Ctx, id: Uuid, reason: &str) -> Result<View, Error> {
    let reason = checked(reason)?;
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Operate).await?;
    if !inverse::is_possible(&work) {
        let why = "there is no way back from what it does: a script or a template needs the one that \
                   takes it back, and what takes a rollout back is not taken back itself";
        return Err(Error::Conflict(why.to_owned()));
    }
    // A way back that changed nobody back, or was given up, makes nothing more urgent than it was.
    let again = work.row.inverse_id.is_some() && work.row.pace["calm"] == true;
    work.row.inverse_id = None;
    work.row.pace["calm"] = json!(work.state == State::Completed || again);
    // Whoever takes it back answers for what that does.
    work.row.started_by = Some(ctx.actor.name.clone());
    work.row.started_by_id = ctx.actor.whoever();
    turn::to(&mut tx, ctx, &mut work, State::RollingBack, &reason).await?;
    done(tx, work).await
}

/// Has the devices that failed, or did not come in time, wait for another turn; how many.
///
/// # Errors
/// As [`pause`].
pub async fn retry_failed(app: &App, ctx: &Ctx, id: Uuid, reason: &str) -> Result<u64, Error> {
    let reason = checked(reason)?;
    let mut retried = 0;
    let mut ordered = false;
    loop {
        let mut tx = app.pool.begin().await?;
        let work = held(&mut tx, ctx, id, Right::Operate).await?;
        under_way(&work)?;
        // On record before the first of them.
        if !std::mem::replace(&mut ordered, true) {
            let text = format!("those that failed are tried again: {reason}");
            order(&mut tx, ctx, &work, "retry", None, &text).await?;
        }
        let states = ["failed".to_owned(), "timed_out".to_owned()];
        let ids = list::ids(&mut tx, id, &states, BATCH).await?;
        let rows = due::some(&mut *tx, id, &ids).await?;
        // A wave that is past does not come back: its devices join the one under way.
        let moves: Vec<Move> =
            rows.iter().map(|row| moved(row, "waiting", "to be tried again", None)).collect();
        list::into_wave(&mut tx, id, &ids, work.row.wave).await?;
        let changed = devices::change(&mut tx, id, &moves).await?.len();
        retried += changed as u64;
        let more = changed >= usize::try_from(BATCH).expect("a small number");
        if !more {
            let mut work = work;
            if work.state == State::Soaking {
                work.row.soak_until = None;
                turn::to(&mut tx, ctx, &mut work, State::Running, &reason).await?;
            }
            let text = format!("tried again: {}", count_of(retried, "device"));
            count(&mut tx, ctx, &work, "retry", &text).await?;
            tx.commit().await?;
            return Ok(retried);
        }
        tx.commit().await?;
    }
}

/// Leaves a device out: one that has not begun, or that has come to its end. It counts no more.
///
/// # Errors
/// As [`pause`]; [`Error::NotFound`] for a device that is not in it, [`Error::Conflict`] for one in
/// flight.
pub async fn exclude(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    device_id: Uuid,
    reason: &str,
) -> Result<(), Error> {
    let reason = checked(reason)?;
    let mut tx = app.pool.begin().await?;
    let work = held(&mut tx, ctx, id, Right::Operate).await?;
    under_way(&work)?;
    let rows = due::some(&mut *tx, id, &[device_id]).await?;
    let absent = || Error::NotFound(format!("no device {device_id} in this rollout"));
    let row = rows.first().ok_or_else(absent)?;
    match row.state.as_str() {
        "waiting" | "failed" | "timed_out" => {}
        "skipped" => return Ok(()),
        other => {
            let why =
                format!("the device is {other}: only one that waits or failed can be left out");
            return Err(Error::Conflict(why));
        }
    }
    let why = format!("left out by {}: {reason}", ctx.actor.name);
    let one = moved(row, "skipped", &why, Some(ctx.now));
    devices::change(&mut tx, id, &[one]).await?;
    let text = format!("{} was left out: {reason}", row.serial);
    order(&mut tx, ctx, &work, "exclude", Some(device_id), &text).await?;
    waves::recount_forgiven(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Leaves all devices out that failed or did not come in time; how many.
///
/// # Errors
/// As [`pause`].
pub async fn exclude_failed(app: &App, ctx: &Ctx, id: Uuid, reason: &str) -> Result<u64, Error> {
    let reason = checked(reason)?;
    let mut left_out = 0;
    let mut ordered = false;
    loop {
        let mut tx = app.pool.begin().await?;
        let work = held(&mut tx, ctx, id, Right::Operate).await?;
        under_way(&work)?;
        // On record before the first of them.
        if !std::mem::replace(&mut ordered, true) {
            let text = format!("those that failed are left out: {reason}");
            order(&mut tx, ctx, &work, "exclude", None, &text).await?;
        }
        let states = ["failed".to_owned(), "timed_out".to_owned()];
        let ids = list::ids(&mut tx, id, &states, BATCH).await?;
        let rows = due::some(&mut *tx, id, &ids).await?;
        let why = format!("left out by {}: {reason}", ctx.actor.name);
        let moves: Vec<Move> =
            rows.iter().map(|row| moved(row, "skipped", &why, Some(ctx.now))).collect();
        let changed = devices::change(&mut tx, id, &moves).await?.len();
        left_out += changed as u64;
        if changed < usize::try_from(BATCH).expect("a small number") {
            let text = format!("left out: {}", count_of(left_out, "device"));
            count(&mut tx, ctx, &work, "exclude", &text).await?;
            tx.commit().await?;
            return Ok(left_out);
        }
        tx.commit().await?;
    }
}

fn moved(row: &DueRow, state: &'static str, why: &str, ended: Option<DateTime<Utc>>) -> Move {
    Move {
        device_id: row.device_id,
        was: row.state.clone(),
        was_step: row.step,
        was_job: row.job_id,
        was_due: row.due_at,
        state,
        step: 0,
        attempts: 0,
        job_id: None,
        reason: Some(why.to_owned()),
        fault_class: None,
        before: None,
        baseline: None,
        verdict: None,
        due_at: None,
        deadline_at: None,
        // What was begun stays begun: a roll back is for it, too.
        started_at: row.started_at,
        changed_at: row.changed_at.filter(|_| ended.is_some()),
        finished_at: ended,
    }
}

fn under_way(work: &Work) -> Result<(), Error> {
    match work.state {
        State::Running | State::Soaking | State::Paused => Ok(()),
        other => Err(Error::Conflict(format!("the rollout is {}", other.words()))),
    }
}

/// Tells how many devices an order was for, and what of the rollout follows from it.
async fn count(
    conn: &mut PgConnection,
    ctx: &Ctx,
    work: &Work,
    kind: &str,
    text: &str,
) -> Result<(), Error> {
    let id = work.row.rollout_id;
    let detail = json!({ "text": text });
    story::append(conn, id, kind, &ctx.actor.name, None, &detail, ctx.now).await?;
    waves::recount_forgiven(conn, id).await?;
    store::nudge(conn, id, ctx.now).await?;
    Ok(())
}

/// Notes an order that changes no state.
async fn order(
    conn: &mut PgConnection,
    ctx: &Ctx,
    work: &Work,
    kind: &str,
    device_id: Option<Uuid>,
    text: &str,
) -> Result<(), Error> {
    let id = work.row.rollout_id;
    let detail = json!({ "text": text });
    story::append(conn, id, kind, &ctx.actor.name, device_id, &detail, ctx.now).await?;
    let object = Object::new("rollout", id, &work.row.name);
    audit::record(conn, ctx, &format!("rollout.{kind}"), object, (), detail).await?;
    store::nudge(conn, id, ctx.now).await?;
    Ok(())
}

fn checked(reason: &str) -> Result<String, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        let why = format!("say why, in 1 to {MAX_REASON} characters: it stands in the audit log");
        return Err(Error::invalid("/reason", why));
    }
    Ok(reason.to_owned())
}

async fn done(mut tx: sqlx::Transaction<'_, sqlx::Postgres>, work: Work) -> Result<View, Error> {
    let waves = waves::list(&mut *tx, work.row.rollout_id).await?;
    tx.commit().await?;
    Ok(View::of(work, waves))
}
