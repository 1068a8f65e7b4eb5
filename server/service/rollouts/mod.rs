//! Rollouts: write, try, start, approve, pause, resume, abort, take back, and read the story.
//!
//! Owns who sees a rollout: whoever reads all the sites and groups that it may touch; and who may change
//! it: whoever operates them. It may touch where whoever wrote it operates. What happens to devices is
//! `rollout::reconcile`'s.
//!
//! - [`mod@write`]: drafts. [`dry_run`]: what one would do. [`act`]: what people order of one.
//! - [`read`]: its devices and its story; [`report`]: all devices, for files.
//! - [`offer`]: what somebody may order of it now. [`one`]: a rollout for one device.
//! - [`trial`]: what a template gives for some of its devices; `forecast`: when its waves end.

pub mod act;
pub mod dry_run;
mod forecast;
pub mod offer;
pub mod one;
pub mod read;
pub mod report;
pub mod trial;
pub mod write;

use uuid::Uuid;

use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::rollout::change::{Audience, Change};
use crate::rollout::plan::Plan;
use crate::rollout::reconcile::Work;
use crate::rollout::state::State;
use crate::store::rollouts::waves::{self, WaveRow};
use crate::store::rollouts::{self as store, Rollout};

/// A rollout as people see it.
#[derive(Debug, Clone)]
pub struct View {
    /// Its row.
    pub row: Rollout,
    /// Where it is.
    pub state: State,
    /// What, its secrets masked.
    pub change: Change,
    /// Whom.
    pub audience: Audience,
    /// How.
    pub plan: Plan,
    /// Its waves with their counts; none before it has started.
    pub waves: Vec<WaveRow>,
}

impl View {
    fn of(work: Work, waves: Vec<WaveRow>) -> Self {
        let Work { row, change, audience, plan, state, .. } = work;
        Self { row, state, change: change.masked(), audience, plan, waves }
    }
}

/// The newest rollouts, older than `before`, of a state if that is named, without their waves.
///
/// # Errors
/// [`Error::Denied`].
pub async fn list(
    app: &App,
    ctx: &Ctx,
    state: Option<State>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<View>, Error> {
    let within = ctx.require(Right::Read)?.within();
    let word = state.map(State::word);
    let rows = store::list(&app.pool, within.as_ref(), word, before, limit).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let waves = waves::list(&app.pool, row.rollout_id).await?;
        found.push(View::of(Work::of(row)?, waves));
    }
    Ok(found)
}

/// One rollout.
///
/// # Errors
/// [`Error::NotFound`] also for one that the caller does not see.
pub async fn get(app: &App, ctx: &Ctx, id: Uuid) -> Result<View, Error> {
    let work = seen(app, ctx, id).await?;
    let waves = waves::list(&app.pool, id).await?;
    Ok(View::of(work, waves))
}

/// A rollout that the caller sees.
async fn seen(app: &App, ctx: &Ctx, id: Uuid) -> Result<Work, Error> {
    ctx.require(Right::Read)?;
    let row = store::get(&app.pool, id).await?;
    visible(ctx, id, row.map(Work::of).transpose()?)
}

fn visible(ctx: &Ctx, id: Uuid, work: Option<Work>) -> Result<Work, Error> {
    let reach = ctx.reach(Right::Read);
    work.filter(|work| covers(&reach, work.row.scope.as_deref()))
        .ok_or_else(|| Error::NotFound(format!("no rollout {id}")))
}

/// Whether somebody's reach covers all that a rollout may touch.
fn covers(reach: &Reach, scope: Option<&[String]>) -> bool {
    let (Reach::Within { groups, .. }, Some(places)) = (reach, scope) else {
        return *reach == Reach::Everywhere;
    };
    places.iter().all(|place| match place.strip_prefix(store::GROUP) {
        Some(id) => groups.iter().any(|group| group.group_id.to_string() == id),
        None => reach.covers(Some(place)),
    })
}

/// Locks a rollout that the caller sees and may change, by this right.
async fn held(
    conn: &mut sqlx::PgConnection,
    ctx: &Ctx,
    id: Uuid,
    right: Right,
) -> Result<Work, Error> {
    ctx.require(right)?;
    let row = store::lock(conn, id).await?;
    let work = visible(ctx, id, row.map(Work::of).transpose()?)?;
    if !covers(&ctx.require(right)?, work.row.scope.as_deref()) {
        let why = format!("this needs the right `{right}` wherever the rollout may go");
        return Err(Error::Denied(why));
    }
    Ok(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::grant::GroupName;

    #[test]
    fn a_rollout_is_for_those_who_cover_every_place_of_it() {
        let [own, other] = [1, 2].map(Uuid::from_u128);
        let reach = Reach::Within {
            sites: vec!["eu".parse().expect("a path")],
            groups: vec![GroupName { group_id: own, name: "vip".to_owned() }],
        };
        let group = |id: Uuid| format!("{}{id}", store::GROUP);
        let scope = store::places(&reach.within().expect("it is not everywhere"));
        assert_eq!(scope, ["eu".to_owned(), group(own)]);
        for (scope, covered) in [
            (Some(scope), true),
            (Some(vec![group(own)]), true),
            (Some(vec!["eu.lv".to_owned()]), true),
            (Some(vec![group(own), group(other)]), false),
            (Some(vec!["us".to_owned(), group(own)]), false),
            (None, false),
        ] {
            assert_eq!(covers(&reach, scope.as_deref()), covered, "{scope:?}");
            assert!(covers(&Reach::Everywhere, scope.as_deref()), "{scope:?}");
            assert!(!covers(&Reach::nowhere(), scope.as_deref()), "{scope:?}");
        }
    }
}
