//! How a rollout changes its state. Each change has an actor and a reason: in its row, in its story,
//! in the audit log and in what webhooks are told, in one transaction.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Work, locked};
use crate::access::audit::{self, Object};
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::notify;
use crate::rollout::state::State;
use crate::store::rollouts::{self as store, story, waves};

/// Changes the state of a locked rollout and stores its row.
///
/// # Errors
/// [`Error::Conflict`] where there is no such way.
pub(crate) async fn to(
    conn: &mut PgConnection,
    ctx: &Ctx,
    work: &mut Work,
    state: State,
    reason: &str,
) -> Result<(), Error> {
    let from = work.state;
    if !from.can(state) {
        let why = format!("a rollout that is {} cannot become {}", from.words(), state.words());
        return Err(Error::Conflict(why));
    }
    let row = &mut work.row;
    row.state = state.word().to_owned();
    row.reason = Some(reason.to_owned());
    row.state_at = ctx.now;
    row.updated_at = ctx.now;
    // Also where it has ended: what is left of it is cleared away.
    row.due_at = (!matches!(state, State::Draft | State::AwaitingApproval)).then_some(ctx.now);
    if state != State::Paused {
        row.paused_by = None;
        row.resume_to = None;
    }
    if state == State::Scheduled {
        row.due_at = row.start_at.or(Some(ctx.now));
    }
    if state.is_final() {
        row.finished_at = Some(ctx.now);
    }
    work.state = state;
    store::update(conn, &work.row).await?;
    let row = &work.row;
    let detail = json!({ "from": from.word(), "to": state.word(), "text": reason });
    story::append(conn, row.rollout_id, "state", &ctx.actor.name, None, &detail, ctx.now).await?;
    let object = Object::new("rollout", row.rollout_id, &row.name);
    let (before, after) =
        (json!({ "state": from.word() }), json!({ "state": state.word(), "reason": reason }));
    audit::record(conn, ctx, &format!("rollout.{}", state.word()), object, before, after).await?;
    let told = json!({
        "rollout_id": row.rollout_id, "name": row.name, "from": from.word(), "to": state.word(),
        "reason": reason, "by": ctx.actor.name,
    });
    notify::tell(conn, notify::Kind::RolloutState, None, ctx.now, &told).await?;
    metrics::counter!("muster_rollout_states_total", "state" => state.word()).increment(1);
    tracing::info!(
        rollout.id = %row.rollout_id, rollout.name = row.name, from = from.word(),
        to = state.word(), by = ctx.actor.name, reason, "rollout"
    );
    Ok(())
}

/// Pauses a locked rollout.
///
/// # Errors
/// As [`to`].
pub(crate) async fn pause(
    conn: &mut PgConnection,
    ctx: &Ctx,
    work: &mut Work,
    by: &str,
    reason: &str,
) -> Result<(), Error> {
    let resume_to = work.state.word().to_owned();
    work.row.paused_by = Some(by.to_owned());
    work.row.resume_to = Some(resume_to);
    to(conn, ctx, work, State::Paused, reason).await
}

/// Goes on to the wave that the locked row names, without a state between.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn next_wave(
    conn: &mut PgConnection,
    ctx: &Ctx,
    work: &mut Work,
    reason: &str,
) -> Result<(), Error> {
    let row = &mut work.row;
    row.reason = Some(reason.to_owned());
    row.updated_at = ctx.now;
    store::update(conn, row).await?;
    let detail = json!({ "wave": row.wave, "text": reason });
    story::append(conn, row.rollout_id, "wave", &ctx.actor.name, None, &detail, ctx.now).await?;
    Ok(())
}

/// Begins a scheduled rollout when its time has come; when to look again.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn start_if_due(
    app: &App,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut tx = app.pool.begin().await?;
    let mut work = locked(&mut tx, id).await?;
    if work.state != State::Scheduled {
        return Ok(Some(now));
    }
    if let Some(at) = work.row.start_at.filter(|at| *at > now) {
        return Ok(Some(at));
    }
    to(&mut tx, &Ctx::muster(now), &mut work, State::Running, "its time has come").await?;
    tx.commit().await?;
    Ok(Some(now))
}

/// Notes what a gate decided, beside the change that it made.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn verdict(
    conn: &mut PgConnection,
    work: &Work,
    verdict: &impl serde::Serialize,
    change: waves::WaveChange,
) -> Result<(), Error> {
    let verdict = serde_json::to_value(verdict).map_err(|e| Error::Internal(e.to_string()))?;
    let change = waves::WaveChange { verdict: Some(verdict), ..change };
    Ok(waves::change(conn, work.row.rollout_id, work.row.wave, &change).await?)
}
