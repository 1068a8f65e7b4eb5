//! Taking a rollout back: another one, with gates of its own, for the devices that it has changed.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::wind_down::{self, Fate};
use super::{Work, locked, turn};
use crate::access::audit::{self, Object};
use crate::clock;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::rollout::change::{Audience, Change};
use crate::rollout::plan::{Checks, ErrorCondition, OnError, Plan, Take, Wave};
use crate::rollout::state::State;
use crate::rollout::words::{count_of, part_of};
use crate::store::rollouts::waves::{self, WaveRow};
use crate::store::rollouts::{self as store, Rollout, story};

/// Whether there is a way back from what it does.
pub(crate) fn is_possible(work: &Work) -> bool {
    back(&work.change).is_some()
}

/// What takes a change back.
pub(crate) fn back(change: &Change) -> Option<Change> {
    match change {
        Change::Release { .. } => Some(Change::PreviousRelease),
        Change::Parameters { .. } => Some(Change::PreviousParameters),
        Change::Script { undo_artifact_id, .. } => undo_artifact_id
            .map(|artifact_id| Change::Script { artifact_id, undo_artifact_id: None }),
        Change::Template { variables, undo, .. } => undo.as_ref().map(|undo| Change::Template {
            template: undo.template.clone(),
            version: undo.version,
            template_id: undo.template_id,
            variables: variables.clone(),
            undo: None,
        }),
        Change::PreviousRelease | Change::PreviousParameters => None,
    }
}

/// Nothing of a rollout that is taken back begins any more.
pub(super) async fn wind_down(app: &App, id: Uuid) -> Result<(), Error> {
    let fate = Fate::left_out("the rollout was taken back");
    wind_down::call_back(app, id, State::RollingBack, |_| Some(fate.clone())).await?;
    while wind_down::leave_out(app, id, State::RollingBack, &fate).await? {}
    // Nor is anybody watched: what is changed back must not look like a failure.
    wind_down::watch_no_more(app, id, State::RollingBack).await
}

/// Brings a rollout that is taken back on its way, once nothing of it is in flight; when to look
/// again.
pub(super) async fn follow(app: &App, id: Uuid) -> Result<Option<DateTime<Utc>>, Error> {
    let now = clock::now();
    let soon = Some(now + super::EVERY);
    if wind_down::in_flight(app, id).await? {
        return Ok(soon);
    }
    let mut tx = app.pool.begin().await?;
    let mut work = locked(&mut tx, id).await?;
    if work.state != State::RollingBack {
        return Ok(Some(now));
    }
    let ctx = Ctx::muster(now);
    let Some(inverse) = work.row.inverse_id else {
        let row = inverse_of(&work, now)?;
        store::insert(&mut tx, &row).await?;
        let detail = json!({ "text": format!("takes back {}", work.row.name) });
        let by = row.started_by.as_deref().unwrap_or("muster");
        story::append(&mut tx, row.rollout_id, "created", by, None, &detail, now).await?;
        let object = Object::new("rollout", row.rollout_id, &row.name);
        audit::record(&mut tx, &ctx, "rollout.create", object, (), &detail).await?;
        work.row.inverse_id = Some(row.rollout_id);
        store::update(&mut tx, &work.row).await?;
        tx.commit().await?;
        return Ok(soon);
    };
    let Some(of) = store::get(&mut *tx, inverse).await? else { return Ok(soon) };
    let (state, reason) = match State::of(&of.state) {
        Some(State::Completed) => outcome(&waves::list(&mut *tx, inverse).await?),
        Some(State::Aborted | State::RolledBack) => {
            (State::Aborted, "the roll back was given up: see the rollout that did it".to_owned())
        }
        _ => return Ok(soon),
    };
    turn::to(&mut tx, &ctx, &mut work, state, &reason).await?;
    tx.commit().await?;
    Ok(None)
}

/// What became of the way back.
fn outcome(waves: &[WaveRow]) -> (State, String) {
    let sum = |of: fn(&WaveRow) -> i64| {
        u64::try_from(waves.iter().map(of).sum::<i64>()).unwrap_or_default()
    };
    let (back, all) = (sum(|wave| wave.healthy), sum(|wave| wave.total));
    match (back, all) {
        (0, 0) => {
            let why = "nothing could be changed back: the rollout that was to do it says why";
            (State::Aborted, why.to_owned())
        }
        (back, all) if back == all => {
            let all = count_of(all, "device");
            (State::RolledBack, format!("what it had changed was changed back: {all}"))
        }
        (back, all) => {
            let of = part_of(back, all, "device");
            (State::RolledBack, format!("changed back: {of}; the others are not well"))
        }
    }
}

/// How it goes back: one wave, at the pace of the first one, for what is sick is mended at once, but
/// not all at a time. Whoever gets sick of the way back stops it. `calm` = nothing is sick: it has the
/// time that the first one had.
pub(crate) fn plan_back(plan: &Plan, calm: bool) -> Plan {
    Plan {
        waves: vec![Wave { name: None, take: Take::Rest, approval: false, soak_minutes: None }],
        error: ErrorCondition { then: OnError::Pause, ..plan.error },
        soak_minutes: 0,
        four_eyes: calm && plan.four_eyes,
        // What is sick cannot wait for its window; what is well can.
        heed_windows: calm && plan.heed_windows,
        blackout: if calm { plan.blackout.clone() } else { Vec::new() },
        // What is sick may not be able to send what it has, and that is not worth keeping.
        backup: false,
        // Compared with what it was while it was sick it would never be well; and one that crashes just
        // before it goes back crashed of what is taken back. If it crashes afterwards, it restarts.
        checks: Checks {
            crash: false,
            uptime: plan.checks.uptime || plan.checks.crash,
            wan: false,
            radios: false,
            cpu_points: None,
            memory_percent: None,
            link_downs: None,
            signal_db: None,
            clients_percent: None,
            ..plan.checks
        },
        ..plan.clone()
    }
}

/// The rollout that does it.
fn inverse_of(work: &Work, now: DateTime<Utc>) -> Result<Rollout, Error> {
    let of = &work.row;
    let internal = |e: serde_json::Error| Error::Internal(e.to_string());
    let change = back(&work.change)
        .ok_or_else(|| Error::Internal(format!("rollout {} has no way back", of.rollout_id)))?;
    let plan = plan_back(&work.plan, of.pace["calm"] == true);
    let state = if plan.four_eyes { State::AwaitingApproval } else { State::Running };
    let audience = Audience { rollout_id: Some(of.rollout_id), ..Audience::default() };
    Ok(Rollout {
        rollout_id: Uuid::now_v7(),
        name: format!("{} (taken back)", of.name),
        description: format!("Takes back {}.", of.name),
        change: serde_json::to_value(change).map_err(internal)?,
        audience: serde_json::to_value(audience).map_err(internal)?,
        plan: serde_json::to_value(plan).map_err(internal)?,
        scope: of.scope.clone(),
        state: state.word().to_owned(),
        reason: None,
        state_at: now,
        paused_by: None,
        resume_to: None,
        wave: 0,
        soak_until: None,
        start_at: None,
        prepared_at: None,
        pace: json!({}),
        inverse_of: Some(of.rollout_id),
        inverse_id: None,
        created_by: "muster".to_owned(),
        created_by_id: None,
        started_by: of.started_by.clone(),
        started_by_id: of.started_by_id,
        approved_by: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        finished_at: None,
        due_at: (state == State::Running).then_some(now),
        leased_by: None,
        leased_until: None,
    })
}
