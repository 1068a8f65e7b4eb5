//! Whether a wave is good, and what then.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::look::listening_since;
use super::{Work, inverse, locked, turn};
use crate::clock;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::rollout::gate::{self, Counts, Decision};
use crate::rollout::plan::OnError;
use crate::rollout::state::State;
use crate::store::rollouts::devices::pick;
use crate::store::rollouts::waves::{self, WaveChange};

/// Devices of a good wave that are let go in one transaction.
const RESTED: i64 = 5_000;

/// Looks at the wave under way; until it is `settled`, that all devices that are due were looked at,
/// only for what ends it. `Some` = the rollout is to be looked at then, and nothing more is
/// done for it now; `None` = devices may begin.
pub(super) async fn judge(
    app: &App,
    id: Uuid,
    settled: bool,
) -> Result<Option<DateTime<Utc>>, Error> {
    let now = clock::now();
    let mut tx = app.pool.begin().await?;
    let mut work = locked(&mut tx, id).await?;
    if !matches!(work.state, State::Running | State::Soaking) {
        return Ok(Some(now));
    }
    let rows = waves::list(&mut *tx, id).await?;
    let Some(row) = rows.iter().find(|row| row.wave == work.row.wave) else {
        return end(tx, work, now).await;
    };
    let held = pick::held(&mut tx, id, row.wave).await?;
    let counts = Counts::of(row, held);
    let last = rows.last().is_none_or(|last| last.wave == row.wave);
    let number = usize::try_from(row.wave).unwrap_or_default();
    let approved = row.approved_by.is_some();
    let soak = work.soak_until(listening_since(&mut tx, now).await?);
    let (decision, verdict) = gate::decide(&work.plan, number, &counts, soak, approved, last, now);
    if !settled && !matches!(decision, Decision::Fail { .. }) {
        return Ok(None);
    }
    let ctx = Ctx::muster(now);
    let mut change = WaveChange::default();
    let next = match decision {
        // Devices that are tried again while their wave was watched: it is watched anew after them.
        Decision::Go if work.state == State::Soaking => {
            work.row.soak_until = None;
            turn::to(&mut tx, &ctx, &mut work, State::Running, &verdict.words).await?;
            Some(now)
        }
        Decision::Go => None,
        // Devices may have something to say at any time.
        Decision::Wait { until } => {
            let soon = now + super::EVERY;
            Some(until.map_or(soon, |until| until.min(soon)))
        }
        Decision::Approve => {
            let why = format!("{} waits for an approval", row.name);
            turn::pause(&mut tx, &ctx, &mut work, "gate", &why).await?;
            Some(now)
        }
        Decision::Soak { until } => {
            work.row.soak_until = Some(until);
            turn::to(&mut tx, &ctx, &mut work, State::Soaking, &verdict.words).await?;
            pick::soak(&mut tx, id, row.wave, until).await?;
            Some(now)
        }
        Decision::Next | Decision::Complete
            if pick::rest(&mut tx, id, Some(row.wave), RESTED).await? > 0 =>
        {
            Some(now)
        }
        Decision::Next => {
            change.ended_at = Some(now);
            let soaked = work.state == State::Soaking;
            turn::verdict(&mut tx, &work, &verdict, change.clone()).await?;
            work.row.wave += 1;
            work.row.soak_until = None;
            let why = format!("{} is good: {}", row.name, verdict.words);
            if soaked {
                turn::to(&mut tx, &ctx, &mut work, State::Running, &why).await?;
            } else {
                turn::next_wave(&mut tx, &ctx, &mut work, &why).await?;
            }
            tx.commit().await?;
            return Ok(Some(now));
        }
        Decision::Complete => {
            change.ended_at = Some(now);
            turn::verdict(&mut tx, &work, &verdict, change).await?;
            turn::to(&mut tx, &ctx, &mut work, State::Completed, &verdict.words).await?;
            tx.commit().await?;
            return Ok(None);
        }
        Decision::Fail { then } => {
            fail(&mut tx, &ctx, &mut work, then, &verdict.words).await?;
            Some(now)
        }
    };
    turn::verdict(&mut tx, &work, &verdict, change).await?;
    tx.commit().await?;
    Ok(next)
}

/// It has no waves: nobody matched.
async fn end(
    mut tx: sqlx::Transaction<'_, sqlx::Postgres>,
    mut work: Work,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let ctx = Ctx::muster(now);
    turn::to(&mut tx, &ctx, &mut work, State::Completed, "no device was left to be changed")
        .await?;
    tx.commit().await?;
    Ok(None)
}

async fn fail(
    conn: &mut sqlx::PgConnection,
    ctx: &Ctx,
    work: &mut Work,
    then: OnError,
    words: &str,
) -> Result<(), Error> {
    match then {
        OnError::Pause => turn::pause(conn, ctx, work, "gate", words).await,
        OnError::Abort => turn::to(conn, ctx, work, State::Aborted, words).await,
        OnError::RollBack if inverse::is_possible(work) => {
            turn::to(conn, ctx, work, State::RollingBack, words).await
        }
        OnError::RollBack => {
            let why = format!("{words}; it cannot be taken back, so it waits for you");
            turn::pause(conn, ctx, work, "gate", &why).await
        }
    }
}
