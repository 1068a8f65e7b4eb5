//! The reconciler of rollouts: reads how things are, does one bounded batch, writes how they are.
//!
//! Safe on any number of nodes. A lease keeps two of them from doing the same work for nothing; that
//! nothing is done twice is the row lock's doing: each transaction locks the rollout, looks at its
//! state again, and changes devices only from the state in which it saw them. A node that is killed
//! between any two statements leaves what was committed, and the next tick goes on from there.
//!
//! - [`survey`]: what would be done to whom; `steps`: to one of them. `prepare`: takes the devices in.
//! - `look`: what becomes of devices that are due. `begin`: new ones. `order`: their jobs; `scripts`: what
//!   a template gives for them.
//! - `judge`: whether the wave is good. `wind_down`: nothing new begins. `inverse`: taking it back.
//! - [`turn`]: how a rollout changes its state, with its entries in log and story.

pub(crate) mod begin;
pub(crate) mod inverse;
mod judge;
mod look;
mod order;
mod prepare;
pub(crate) mod scripts;
mod steps;
pub mod survey;
pub mod turn;
mod wind_down;

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::access::grant::{GroupName, Reach};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::secret::Keys;
use crate::fleet::site::SitePath;
use crate::rollout::change::{Audience, Change};
use crate::rollout::plan::Plan;
use crate::rollout::state::State;
use crate::store::groups;
use crate::store::rollouts::{self as store, Rollout};

/// Rollouts that a node works on at a time.
const RUNS: usize = 4;
/// How often new ones are taken.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the others leave them alone once nobody says that it is still at work ([`KEEP_EVERY`]): so
/// long a rollout stands still whose node has died.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// How often whoever works on a rollout says so.
const KEEP_EVERY: Duration = Duration::from_secs(4);
/// How long all devices have to be heard again after Muster was away.
const HEARD_AGAIN: TimeDelta = TimeDelta::minutes(20);
/// Why a device is left out that stands in no place of its rollout, and is in no group of it, by now.
const OUTSIDE: &str = "it was moved, or taken out of a group: the rollout may not go there";
/// How often a rollout under way is looked at.
const EVERY: TimeDelta = TimeDelta::seconds(1);

/// Works on rollouts until the process stops: each of a few in a task of its own, so that one that
/// takes in a million devices holds no other one up.
pub async fn run(app: Shared, stop: CancellationToken) {
    let node = Uuid::now_v7();
    let mut at_work = JoinSet::new();
    while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        while at_work.try_join_next().is_some() {}
        let room = RUNS.saturating_sub(at_work.len());
        let now = clock::now();
        let limit = i64::try_from(room).expect("a small number");
        let due = store::take_due(&app.pool, node, now + LEASE, now, limit).await;
        let due = due.unwrap_or_else(|error| {
            tracing::error!("rollouts were not looked at: {error}");
            Vec::new()
        });
        for (id, was) in due {
            let (app, stop) = (app.clone(), stop.clone());
            at_work.spawn(async move { work_on(&app, id, node, was, &stop).await });
        }
    }
    while at_work.join_next().await.is_some() {}
}

async fn work_on(
    app: &App,
    id: Uuid,
    node: Uuid,
    was: Option<DateTime<Utc>>,
    stop: &CancellationToken,
) {
    let worked = tokio::select! {
        worked = tick(app, id, node, stop) => worked,
        never = keep(app, id, node) => match never {},
    };
    let next = worked.unwrap_or_else(|error| {
        tracing::error!(rollout.id = %id, "a look at a rollout failed: {}", error.private());
        Some(clock::now() + EVERY * 5)
    });
    // A lease that is not given back ends by itself.
    if let Err(error) = store::give_back(&app.pool, id, node, was, next).await {
        tracing::error!(rollout.id = %id, "a rollout was not given back: {error}");
    }
}

/// Renews the lease as long as the work goes on. One that was lost by mistake costs no more than that two
/// nodes look at the same rollout: its row is locked for each change.
async fn keep(app: &App, id: Uuid, node: Uuid) -> Infallible {
    loop {
        tokio::time::sleep(KEEP_EVERY).await;
        if let Err(error) = store::renew(&app.pool, id, node, clock::now() + LEASE).await {
            tracing::warn!(rollout.id = %id, "a rollout is not kept: {error}");
        }
    }
}

/// A rollout as it is worked on.
pub(crate) struct Work {
    /// Its row.
    pub row: Rollout,
    /// What, its secrets sealed.
    pub change: Change,
    /// Whom.
    pub audience: Audience,
    /// How.
    pub plan: Plan,
    /// Where it is.
    pub state: State,
    /// Where devices may stand.
    pub reach: Reach,
}

impl Work {
    /// Reads a row.
    ///
    /// # Errors
    /// [`Error::Internal`] for a row that this version cannot read.
    pub(crate) fn of(row: Rollout) -> Result<Self, Error> {
        let unreadable = |e: serde_json::Error| {
            Error::Internal(format!("rollout {} cannot be read: {e}", row.rollout_id))
        };
        let change = serde_json::from_value(row.change.clone()).map_err(unreadable)?;
        let audience = serde_json::from_value(row.audience.clone()).map_err(unreadable)?;
        let plan = serde_json::from_value(row.plan.clone()).map_err(unreadable)?;
        let state = State::of(&row.state)
            .ok_or_else(|| Error::Internal(format!("no state of a rollout: {}", row.state)))?;
        let reach = reach(row.scope.as_deref())?;
        Ok(Self { change, audience, plan, state, reach, row })
    }

    /// The change with its secrets in clear, for devices.
    pub(crate) fn opened(&self, keys: &Keys) -> Result<Change, Error> {
        let mut change = self.change.clone();
        change.open(keys)?;
        Ok(change)
    }

    /// Until when the wave under way is watched. While Muster was away nobody watched: `listening` is
    /// since when it hears devices without a break.
    pub(crate) fn soak_until(&self, listening: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = self.row.soak_until?;
        let soak = self.plan.soak(usize::try_from(self.row.wave).unwrap_or_default());
        let again =
            if listening <= until - soak { until } else { listening + soak.min(HEARD_AGAIN) };
        Some(until.max(again))
    }
}

fn reach(scope: Option<&[String]>) -> Result<Reach, Error> {
    let Some(words) = scope else { return Ok(Reach::Everywhere) };
    let (mut sites, mut groups) = (Vec::new(), Vec::new());
    for word in words {
        let unreadable = || Error::Internal(format!("no place of a rollout's: {word}"));
        match word.strip_prefix(store::GROUP) {
            Some(id) => {
                let group_id = Uuid::try_parse(id).map_err(|_| unreadable())?;
                // It may be renamed: only the id says which one it is.
                groups.push(GroupName { group_id, name: id.to_owned() });
            }
            None => sites.push(word.parse::<SitePath>().map_err(|_| unreadable())?),
        }
    }
    Ok(Reach::Within { sites, groups })
}

/// Which of these devices are in a group in whose devices a rollout may go, wherever they stand.
async fn members(
    db: impl PgExecutor<'_>,
    reach: &Reach,
    devices: &[Uuid],
) -> Result<HashSet<Uuid>, Error> {
    let groups = reach.within().map(|within| within.groups).unwrap_or_default();
    if groups.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(groups::members_among(db, &groups, devices).await?.into_iter().collect())
}

/// Locks a rollout and reads it.
///
/// # Errors
/// [`Error::NotFound`].
pub(crate) async fn locked(conn: &mut sqlx::PgConnection, id: Uuid) -> Result<Work, Error> {
    let gone = || Error::NotFound(format!("no rollout {id}"));
    Work::of(store::lock(conn, id).await?.ok_or_else(gone)?)
}

/// Does what there is to do for a rollout now; when it is to be looked at next.
async fn tick(
    app: &App,
    id: Uuid,
    node: Uuid,
    stop: &CancellationToken,
) -> Result<Option<DateTime<Utc>>, Error> {
    let Some(row) = store::get(&app.pool, id).await? else { return Ok(None) };
    let work = Work::of(row)?;
    let now = clock::now();
    match work.state {
        State::Draft | State::AwaitingApproval => return Ok(None),
        State::Scheduled => return turn::start_if_due(app, id, now).await,
        State::Running if work.row.prepared_at.is_none() => {
            prepare::prepare(app, &work, node, stop).await?;
            return Ok(Some(clock::now()));
        }
        // Calling back comes first: what is sick must not spread while others are looked at.
        State::Paused => wind_down::recall(app, id).await?,
        State::Aborted => wind_down::end(app, id).await?,
        State::RollingBack => inverse::wind_down(app, id).await?,
        State::Running => begin::close_doors(app, id).await?,
        State::Soaking | State::Completed | State::RolledBack => {}
    }
    let looked = look::look(app, id, stop).await;
    if matches!(work.state, State::Running | State::Soaking) {
        // What ends a wave waits neither for time nor for a look that fails.
        let settled = matches!(looked, Ok(false));
        if let Some(at) = judge::judge(app, id, settled).await? {
            return Ok(Some(at));
        }
    }
    if looked? || stop.is_cancelled() {
        return Ok(Some(clock::now()));
    }
    let soon = clock::now() + EVERY;
    match work.state {
        State::Running => {
            if let Err(error) = prepare::join(app, &work, node).await {
                tracing::warn!(rollout.id = %id, "devices that came to match: {}", error.private());
            }
            begin::begin(app, id, stop).await
        }
        State::Soaking => Ok(Some(soon)),
        State::Paused => Ok(wind_down::in_flight(app, id).await?.then_some(soon)),
        State::Aborted => {
            // Whoever was read, or had its configuration kept, and was not changed yet waits again.
            wind_down::end(app, id).await?;
            Ok(wind_down::in_flight(app, id).await?.then_some(soon))
        }
        State::RollingBack => {
            // The same: it is to be among those that the way back takes in.
            inverse::wind_down(app, id).await?;
            inverse::follow(app, id).await
        }
        _ => Ok(None),
    }
}
