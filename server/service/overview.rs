//! The fleet at a glance: figures, shares, the newest problems, and the nodes that serve.
//!
//! Owns what each figure counts, so that the dashboard, the API and the samples never differ; all
//! but the history are of the devices that the caller may see. It changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::online;
use crate::store::jobs;
use crate::store::nodes::{self, Node};
use crate::store::overview::{self as store, By, Problem, Share};
use crate::store::samples::{self, Sample, Versions};
use crate::store::selector;
use crate::store::within::Within;

/// How far back "new" and "faulted" look, and the ended jobs that are counted.
const DAY: TimeDelta = TimeDelta::days(1);
/// Models and versions that are named; the rest stands together.
const SHARES: i64 = 12;
/// Problems that are shown.
const PROBLEMS: i64 = 10;
/// What devices run that have a version which is not named, or did not tell it.
pub const OTHER: &str = "other";

/// How far back it is looked at what devices ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// The last 30 days, each six hours.
    #[default]
    Month,
    /// The last 365 days, each three days.
    Year,
}

impl Over {
    /// How far back that is.
    pub fn span(self) -> TimeDelta {
        TimeDelta::days(match self {
            Self::Month => 30,
            Self::Year => 365,
        })
    }

    /// The time for which one count stands.
    pub fn step(self) -> TimeDelta {
        TimeDelta::hours(match self {
            Self::Month => 6,
            Self::Year => 72,
        })
    }
}

/// Devices, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fleet {
    /// In the inventory.
    pub devices: i64,
    /// Online, see [`online::since`].
    pub online: i64,
    /// First seen within the last day.
    pub fresh: i64,
    /// With a job that failed or expired within the last day.
    pub faulted: i64,
}

/// Devices and jobs, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Devices.
    pub fleet: Fleet,
    /// Jobs by state: the open ones, and those that ended within the last day.
    pub jobs: BTreeMap<String, i64>,
}

/// What devices have, by how many have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// The greatest first; a `value` of `None` is of devices that did not tell.
    pub top: Vec<Share>,
    /// Devices that have something else.
    pub others: i64,
    /// Devices in all.
    pub all: i64,
}

impl Shares {
    /// How many devices have what, by its name.
    fn by_name(self) -> BTreeMap<String, i64> {
        let mut counted = BTreeMap::new();
        for share in self.top {
            let name = share.value.filter(|value| !value.is_empty());
            *counted.entry(name.unwrap_or_else(|| OTHER.to_owned())).or_default() += share.devices;
        }
        if self.others > 0 {
            *counted.entry(OTHER.to_owned()).or_default() += self.others;
        }
        counted
    }

    fn of(top: Vec<Share>) -> Self {
        let all = top.first().map_or(0, |share| share.all);
        let named: i64 = top.iter().map(|share| share.devices).sum();
        Self { top, others: all - named, all }
    }
}

/// How many devices there are, and how many jobs.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn figures(app: &App, ctx: &Ctx) -> Result<Figures, Error> {
    let within = ctx.require(Right::Read)?.within();
    let _turn = selector::turn().await?;
    let fleet = fleet(app, within.as_ref(), ctx.now).await?;
    let jobs = jobs::counts(&app.pool, ctx.now - DAY, within.as_ref()).await?;
    Ok(Figures { fleet, jobs: jobs.into_iter().collect() })
}

/// The devices within, counted; `None` = all of them.
pub(super) async fn fleet(
    app: &App,
    within: Option<&Within>,
    now: DateTime<Utc>,
) -> Result<Fleet, Error> {
    let since = online::since(&app.config, now);
    let counted = store::devices(&app.pool, since, now - DAY, within).await?;
    Ok(Fleet {
        devices: counted.all,
        online: counted.online,
        fresh: counted.fresh,
        faulted: store::faulted(&app.pool, now - DAY, within).await?,
    })
}

/// Which models (ProductClass) there are.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn models(app: &App, ctx: &Ctx) -> Result<Shares, Error> {
    let within = ctx.require(Right::Read)?.within();
    let _turn = selector::turn().await?;
    Ok(Shares::of(store::shares(&app.pool, By::Model, within.as_ref(), SHARES).await?))
}

/// Which software versions there are.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn versions(app: &App, ctx: &Ctx) -> Result<Shares, Error> {
    let within = ctx.require(Right::Read)?.within();
    let _turn = selector::turn().await?;
    Ok(Shares::of(store::shares(&app.pool, By::Version, within.as_ref(), SHARES).await?))
}

/// Which software versions how many devices of the whole fleet have: the most frequent, and all
/// others as [`OTHER`].
pub(super) async fn by_version(app: &App) -> Result<BTreeMap<String, i64>, Error> {
    Ok(Shares::of(store::shares(&app.pool, By::Version, None, SHARES).await?).by_name())
}

/// What the fleet ran, oldest first. It was counted as a whole: whoever does not see all of it gets
/// none.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn version_history(app: &App, ctx: &Ctx, over: Over) -> Result<Vec<Versions>, Error> {
    match ctx.require(Right::Read)? {
        Reach::Everywhere => {
            let (since, every) = (ctx.now - over.span(), over.step().num_seconds());
            Ok(samples::versions_since(&app.pool, since, every).await?)
        }
        Reach::Within { .. } => Ok(Vec::new()),
    }
}

/// The jobs that failed or expired last, the newest first.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn problems(app: &App, ctx: &Ctx) -> Result<Vec<Problem>, Error> {
    let within = ctx.require(Right::Read)?.within();
    Ok(store::problems(&app.pool, within.as_ref(), PROBLEMS).await?)
}

/// The fleet since a time, minute by minute, oldest first. It was counted as a whole: whoever does
/// not see all of it gets none.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn history(app: &App, ctx: &Ctx, since: DateTime<Utc>) -> Result<Vec<Sample>, Error> {
    match ctx.require(Right::Read)? {
        Reach::Everywhere => Ok(samples::since(&app.pool, since).await?),
        Reach::Within { .. } => Ok(Vec::new()),
    }
}

/// The nodes that were heard of within the last day, by name.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn nodes(app: &App, ctx: &Ctx) -> Result<Vec<Node>, Error> {
    ctx.require(Right::Read)?;
    Ok(nodes::list(&app.pool).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stands_together() {
        let share = |value: &str, devices| Share { value: Some(value.into()), devices, all: 10 };
        let shares = Shares::of(vec![share("hAP", 6), share("wAP", 3)]);
        assert_eq!((shares.others, shares.all), (1, 10));
        let empty = Shares::of(Vec::new());
        assert_eq!((empty.others, empty.all), (0, 0));
    }

    #[test]
    fn what_has_no_name_is_counted_as_other() {
        let share = |value: Option<&str>, devices| Share {
            value: value.map(str::to_owned),
            devices,
            all: 20,
        };
        let top = vec![share(Some("7.16.1"), 9), share(None, 4), share(Some(""), 3)];
        let counted = Shares::of(top).by_name();
        let expected = [("7.16.1".to_owned(), 9), (OTHER.to_owned(), 11)];
        assert_eq!(counted, BTreeMap::from(expected));
        assert!(Shares::of(Vec::new()).by_name().is_empty());
    }
}
