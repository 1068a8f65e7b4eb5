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
use crate::rollout::words::{are, count_of, part_of};
use crate::store::rollouts::devices::list;
use crate::store::rollouts::waves::{self, WaveRow};
use crate::store::rollouts::{self as store, Rollout, story};

/// Reasons why devices were left out that are read; how many of these are named.
const REASONS: i64 = 1_000;
const NAMED: usize = 3;

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
        Some(State::Completed) => {
            let skipped = ["skipped".to_owned()];
            let why = list::reasons(&mut *tx, inverse, &skipped, None, REASONS).await?;
            let why: Vec<(String, i64)> = why.into_iter().map(|(_, why, n)| (why, n)).collect();
            outcome(&waves::list(&mut *tx, inverse).await?, &why)
        }
        Some(State::Aborted | State::RolledBack) => {
            (State::Aborted, "the roll back was given up: see the rollout that did it".to_owned())
        }
        _ => return Ok(soon),
    };
    turn::to(&mut tx, &ctx, &mut work, state, &reason).await?;
    tx.commit().await?;
    Ok(None)
}

/// What became of the way back: of the devices in its waves, and of those that were left out, why and how
/// many, which may have been before there were waves.
fn outcome(waves: &[WaveRow], left_out: &[(String, i64)]) -> (State, String) {
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    let sum = |of: fn(&WaveRow) -> i64| number(waves.iter().map(of).sum());
    let (back, sick) = (sum(|wave| wave.healthy), sum(|wave| wave.failed));
    let away = sum(|wave| wave.timed_out);
    let without = number(left_out.iter().map(|(_, devices)| devices).sum());
    let all = back + sick + away + without;
    let (state, mut words) = if back == 0 {
        // That ends nothing: it can be tried again.
        (State::Aborted, "nothing could be changed back".to_owned())
    } else if back == all {
        let all = count_of(all, "device");
        (State::RolledBack, format!("what it had changed was changed back: {all}"))
    } else {
        (State::RolledBack, format!("changed back: {}", part_of(back, all, "device")))
    };
    if sick > 0 {
        words += &format!("; {sick} {} not well", are(sick));
    }
    if away > 0 {
        words += &format!("; {away} did not come");
    }
    for (why, devices) in left_out.iter().take(NAMED) {
        words += &format!("; left out: {devices}, {why}");
    }
    let named = number(left_out.iter().take(NAMED).map(|(_, devices)| devices).sum());
    if without > named {
        words += &format!("; left out for other reasons: {}", without - named);
    }
    (state, words)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(healthy: i64, failed: i64, skipped: i64) -> WaveRow {
        WaveRow {
            rollout_id: Uuid::nil(),
            wave: 0,
            name: "wave 1".to_owned(),
            total: healthy + failed + skipped,
            waiting: 0,
            active: 0,
            verifying: 0,
            healthy,
            failed,
            timed_out: 0,
            skipped,
            forgiven: 0,
            started_at: None,
            ended_at: None,
            approved_by: None,
            verdict: None,
        }
    }

    #[test]
    fn who_was_not_changed_back_is_told_with_why() {
        let told = |waves: &[WaveRow], left_out: &[(&str, i64)]| {
            let left_out: Vec<_> =
                left_out.iter().map(|(why, n)| ((*why).to_owned(), *n)).collect();
            outcome(waves, &left_out)
        };
        let is = |state, words: &str| (state, words.to_owned());
        assert_eq!(
            told(&[wave(5, 0, 0)], &[]),
            is(State::RolledBack, "what it had changed was changed back: 5 devices")
        );
        // The first of them moved after it was taken in, the others before.
        assert_eq!(
            told(&[wave(5, 1, 1)], &[("it was moved", 3)]),
            is(
                State::RolledBack,
                "changed back: 5 of 9 devices; 1 is not well; left out: 3, it was moved"
            )
        );
        assert_eq!(
            told(&[wave(1, 0, 0)], &[("a", 4), ("b", 3), ("c", 2), ("d", 1), ("e", 1)]),
            is(
                State::RolledBack,
                "changed back: 1 of 12 devices; left out: 4, a; left out: 3, b; left out: 2, c; \
                 left out for other reasons: 2"
            )
        );
        assert_eq!(
            told(&[wave(0, 0, 0)], &[("it was moved", 1)]),
            is(State::Aborted, "nothing could be changed back; left out: 1, it was moved")
        );
        // It was taken in, and moved before its turn: there is still something to be changed back.
        assert_eq!(
            told(&[wave(0, 1, 1)], &[("it was moved", 1)]),
            is(
                State::Aborted,
                "nothing could be changed back; 1 is not well; left out: 1, it was moved"
            )
        );
        let away = WaveRow { timed_out: 2, total: 3, ..wave(1, 0, 0) };
        assert_eq!(
            told(&[away], &[]),
            is(State::RolledBack, "changed back: 1 of 3 devices; 2 did not come")
        );
        assert_eq!(told(&[], &[]), is(State::Aborted, "nothing could be changed back"));
    }
}
