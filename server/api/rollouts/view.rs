//! How rollouts are shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::rollout::change::{Audience, Change};
use crate::rollout::gate::GateVerdict;
use crate::rollout::plan::Plan;
use crate::rollout::state::State;
use crate::service::rollouts::View;
use crate::store::rollouts::waves::WaveRow;

/// A rollout.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct RolloutView {
    /// Which.
    rollout_id: Uuid,
    /// For people.
    name: String,
    /// For people.
    description: String,
    /// What; secrets masked.
    change: Change,
    /// Whom.
    audience: Audience,
    /// How.
    plan: Plan,
    /// Where it may go: paths of sites, with all below, and groups for their devices (`group:` and the
    /// id); null = everywhere.
    sites: Option<Vec<String>>,
    /// Where it is.
    state: State,
    /// Why.
    reason: Option<String>,
    /// Since when.
    state_at: DateTime<Utc>,
    /// Who paused it: `person` or `gate`; null = nobody.
    paused_by: Option<String>,
    /// The wave under way: its place in `waves`, from 0.
    wave: i32,
    /// Until when this wave is watched.
    soak_until: Option<DateTime<Utc>>,
    /// Not before; null = at once.
    start_at: Option<DateTime<Utc>>,
    /// When all its devices had been taken in; null = not yet.
    prepared_at: Option<DateTime<Utc>>,
    /// The rollout that it takes back.
    inverse_of: Option<Uuid>,
    /// The rollout that takes it back.
    inverse_id: Option<Uuid>,
    /// Who wrote it.
    created_by: String,
    /// Who started it.
    started_by: Option<String>,
    /// Who approved its start.
    approved_by: Option<String>,
    /// When it was written.
    created_at: DateTime<Utc>,
    /// When it last changed, its devices apart.
    updated_at: DateTime<Utc>,
    /// When it began.
    started_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    finished_at: Option<DateTime<Utc>>,
    /// Its waves; none before its devices were taken in.
    waves: Vec<WaveView>,
}

impl RolloutView {
    pub(super) fn of(view: View) -> Self {
        let View { row, state, change, audience, plan, waves } = view;
        Self {
            rollout_id: row.rollout_id,
            name: row.name,
            description: row.description,
            change,
            audience,
            plan,
            sites: row.scope,
            state,
            reason: row.reason,
            state_at: row.state_at,
            paused_by: row.paused_by,
            wave: row.wave,
            soak_until: row.soak_until,
            start_at: row.start_at,
            prepared_at: row.prepared_at,
            inverse_of: row.inverse_of,
            inverse_id: row.inverse_id,
            created_by: row.created_by,
            started_by: row.started_by,
            approved_by: row.approved_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            waves: waves.into_iter().map(WaveView::of).collect(),
        }
    }
}

/// A wave, and how many of its devices are where.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct WaveView {
    /// Its place, from 0.
    wave: i32,
    /// For people.
    name: String,
    /// All its devices.
    total: i64,
    /// Their turn has not come.
    waiting: i64,
    /// Due, offered, downloading or rebooting.
    active: i64,
    /// Run what they should; their health is being looked at.
    verifying: i64,
    /// Run what they should, and are well.
    healthy: i64,
    /// Do not.
    failed: i64,
    /// Did not come in time.
    timed_out: i64,
    /// Were left out.
    skipped: i64,
    /// Failures up to which somebody resumed it: its gate counts from there on.
    forgiven: i64,
    /// When the first of its devices could begin: there was room, and the wave before it was good.
    started_at: Option<DateTime<Utc>>,
    /// When it was good.
    ended_at: Option<DateTime<Utc>>,
    /// Who let it begin, where that is asked for.
    approved_by: Option<String>,
    /// What its gate saw when it decided last.
    #[schema(value_type = Option<GateVerdict>)]
    verdict: Option<Value>,
}

impl WaveView {
    fn of(w: WaveRow) -> Self {
        Self {
            wave: w.wave,
            name: w.name,
            total: w.total,
            waiting: w.waiting,
            active: w.active,
            verifying: w.verifying,
            healthy: w.healthy,
            failed: w.failed,
            timed_out: w.timed_out,
            skipped: w.skipped,
            forgiven: w.forgiven,
            started_at: w.started_at,
            ended_at: w.ended_at,
            approved_by: w.approved_by,
            verdict: w.verdict,
        }
    }
}

/// How many devices are where, over all waves. Those that were left out before they had a wave are in
/// none of these.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::api) struct Totals {
    /// In a wave.
    total: i64,
    /// Their turn has not come.
    waiting: i64,
    /// Due, offered, downloading or rebooting.
    active: i64,
    /// Their health is being looked at.
    verifying: i64,
    /// Run what they should, and are well.
    healthy: i64,
    /// Do not.
    failed: i64,
    /// Did not come in time.
    timed_out: i64,
    /// Were left out of their wave.
    skipped: i64,
}

impl Totals {
    pub(super) fn of(waves: &[WaveRow]) -> Self {
        waves.iter().fold(Self::default(), |sum, w| Self {
            total: sum.total + w.total,
            waiting: sum.waiting + w.waiting,
            active: sum.active + w.active,
            verifying: sum.verifying + w.verifying,
            healthy: sum.healthy + w.healthy,
            failed: sum.failed + w.failed,
            timed_out: sum.timed_out + w.timed_out,
            skipped: sum.skipped + w.skipped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_add_up() {
        let wave = |wave: i32, healthy: i64, failed: i64| WaveRow {
            rollout_id: Uuid::nil(),
            wave,
            name: format!("wave {}", wave + 1),
            total: healthy + failed + 1,
            waiting: 1,
            active: 0,
            verifying: 0,
            healthy,
            failed,
            timed_out: 0,
            skipped: 0,
            forgiven: 0,
            started_at: None,
            ended_at: None,
            approved_by: None,
            verdict: None,
        };
        let totals = Totals::of(&[wave(0, 5, 1), wave(1, 30, 2)]);
        let expected =
            Totals { total: 40, waiting: 2, healthy: 35, failed: 3, ..Totals::default() };
        assert_eq!(totals, expected);
        assert_eq!(Totals::of(&[]), Totals::default());
    }
}
