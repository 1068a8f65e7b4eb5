//! What somebody may order of a rollout as it is now: for what a page offers. Pure; each order asks
//! again.

use serde::Serialize;

use super::{View, covers};
use crate::access::right::Right;
use crate::ctx::Ctx;
use crate::rollout::reconcile::inverse;
use crate::rollout::state::State;
use crate::store::rollouts::Rollout;

/// What may be ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Change or remove the draft.
    pub change: bool,
    /// Start it.
    pub start: bool,
    /// Approve it.
    pub approve: bool,
    /// It waits for an approval, and who looks has started it: somebody else has to.
    pub approve_other: bool,
    /// Let the wave begin that waits for an approval.
    pub approve_wave: bool,
    /// Pause it.
    pub pause: bool,
    /// Go on.
    pub resume: bool,
    /// End it.
    pub abort: bool,
    /// Take it back.
    pub roll_back: bool,
    /// Try again what failed, or leave that out.
    pub failed: bool,
    /// Leave single devices out.
    pub exclude: bool,
}

/// What this caller may order of a rollout that they see.
pub fn of(ctx: &Ctx, view: &View) -> Offer {
    let may = |right| covers(&ctx.reach(right), view.row.scope.as_deref());
    let (operate, approve) = (may(Right::Operate), may(Right::Approve));
    let state = view.state;
    let waits = wave_waits(view);
    let under_way = matches!(state, State::Running | State::Soaking | State::Paused);
    let failed = view.waves.iter().any(|wave| wave.failed + wave.timed_out > 0);
    let again = asks_again(&view.row, state);
    let asks = state == State::AwaitingApproval || again;
    let own = has_started(ctx, &view.row);
    Offer {
        change: operate && state == State::Draft,
        start: operate && state == State::Draft,
        approve: approve && asks && !own,
        approve_other: approve && asks && own,
        approve_wave: approve && waits && !again && !(view.plan.four_eyes && own),
        pause: operate && state.can(State::Paused),
        resume: operate && state == State::Paused && !waits && !again,
        abort: operate && state != State::RollingBack && state.can(State::Aborted),
        roll_back: operate
            && state.can(State::RollingBack)
            && inverse::back(&view.change).is_some(),
        failed: operate && under_way && failed,
        exclude: operate && under_way,
    }
}

/// Whether the wave under way waits for an approval.
fn wave_waits(view: &View) -> bool {
    let wave = usize::try_from(view.row.wave).ok().and_then(|wave| view.plan.waves.get(wave));
    let row = view.waves.iter().find(|row| row.wave == view.row.wave);
    view.state == State::Paused
        && wave.is_some_and(|wave| wave.approval)
        && row.is_some_and(|row| row.approved_by.is_none())
}

/// Whether it was paused because its devices are others than those that were approved.
pub(super) fn asks_again(row: &Rollout, state: State) -> bool {
    state == State::Paused && row.pace["ask_again"] == true
}

/// Whether it was this caller who started it.
pub(super) fn has_started(ctx: &Ctx, row: &Rollout) -> bool {
    (row.started_by_id.is_some() && row.started_by_id == ctx.actor.whoever())
        || row.started_by.as_deref() == Some(ctx.actor.name.as_str())
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::access::grant::{Grant, Grants, Place};
    use crate::ctx::{Actor, ActorKind};
    use crate::rollout::change::{Audience, Change};
    use crate::rollout::plan::Plan;
    use crate::store::rollouts::waves::WaveRow;

    /// A rollout to a release, everywhere, of three waves, in this state.
    pub(crate) fn view(state: State) -> View {
        let at = DateTime::UNIX_EPOCH;
        let wave = |wave: i32| WaveRow {
            rollout_id: Uuid::from_u128(4),
            wave,
            name: format!("wave {}", wave + 1),
            total: 10,
            waiting: 4,
            active: 1,
            verifying: 1,
            healthy: 2,
            failed: 1,
            timed_out: 1,
            skipped: 0,
            forgiven: 0,
            started_at: Some(at),
            ended_at: None,
            approved_by: None,
            verdict: None,
        };
        let row = Rollout {
            rollout_id: Uuid::from_u128(4),
            name: "spring".to_owned(),
            description: String::new(),
            change: json!({}),
            audience: json!({}),
            plan: json!({}),
            scope: None,
            state: state.word().to_owned(),
            reason: None,
            state_at: at,
            paused_by: None,
            resume_to: None,
            wave: 1,
            soak_until: None,
            start_at: None,
            prepared_at: None,
            pace: json!({}),
            inverse_of: None,
            inverse_id: None,
            created_by: "ann".to_owned(),
            created_by_id: None,
            started_by: Some("ann".to_owned()),
            started_by_id: None,
            approved_by: None,
            created_at: at,
            updated_at: at,
            started_at: Some(at),
            finished_at: None,
            due_at: None,
            leased_by: None,
            leased_until: None,
        };
        let version = "7.16.1".to_owned();
        View {
            row,
            state,
            change: Change::Release { version, routerboot: false, downgrade: false },
            audience: Audience { selector: Some("online".to_owned()), ..Audience::default() },
            plan: Plan::default(),
            waves: (0..3).map(wave).collect(),
        }
    }

    fn ctx(name: &str, rights: &[Right]) -> Ctx {
        let actor = Actor { kind: ActorKind::User, id: None, name: name.to_owned() };
        let grants = Grants(vec![Grant { rights: rights.to_vec(), place: Place::Everywhere }]);
        Ctx { actor, grants, from: None, now: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn who_only_reads_is_offered_nothing() {
        for state in State::ALL {
            assert_eq!(of(&ctx("bob", &[Right::Read]), &view(state)), Offer::default());
        }
    }

    #[test]
    fn whoever_started_it_cannot_approve_it() {
        let asks = view(State::AwaitingApproval);
        let (ann, bob) = (ctx("ann", &[Right::Approve]), ctx("bob", &[Right::Approve]));
        assert!(of(&bob, &asks).approve && !of(&bob, &asks).abort);
        assert!(!of(&ann, &asks).approve && of(&ann, &asks).approve_other);
        assert!(!of(&ctx("bob", &[Right::Operate]), &asks).approve);
    }

    #[test]
    fn a_wave_that_waits_is_approved_and_not_resumed() {
        let mut waits = view(State::Paused);
        waits.plan.waves[1].approval = true;
        let admin = ctx("ann", &[Right::Admin]);
        let offer = of(&admin, &waits);
        assert!(offer.approve_wave && !offer.resume && offer.failed);
        waits.plan.four_eyes = true;
        assert!(!of(&admin, &waits).approve_wave);
        assert!(of(&ctx("bob", &[Right::Admin]), &waits).approve_wave);
        waits.waves[1].approved_by = Some("bob".to_owned());
        assert!(of(&admin, &waits).resume);
    }

    #[test]
    fn devices_that_nobody_approved_are_approved_and_not_resumed() {
        let mut other = view(State::Paused);
        other.row.pace = json!({ "ask_again": true });
        other.plan.four_eyes = true;
        let (ann, bob) = (ctx("ann", &[Right::Admin]), ctx("bob", &[Right::Admin]));
        let offer = of(&bob, &other);
        assert!(offer.approve && !offer.resume && !offer.approve_wave && offer.abort);
        assert!(!of(&ann, &other).approve && of(&ann, &other).approve_other);
        other.row.pace = json!({ "ask_again": false });
        assert!(of(&ann, &other).resume && !of(&bob, &other).approve);
    }

    #[test]
    fn only_what_has_a_way_back_is_taken_back() {
        let operator = ctx("ann", &[Right::Operate]);
        let mut done = view(State::Completed);
        assert!(of(&operator, &done).roll_back && !of(&operator, &done).failed);
        done.change = Change::PreviousRelease;
        assert!(!of(&operator, &done).roll_back);
        assert!(!of(&operator, &view(State::Draft)).roll_back);
        assert!(of(&operator, &view(State::Draft)).start);
    }
}
