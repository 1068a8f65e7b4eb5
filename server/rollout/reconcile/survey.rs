//! What a rollout would do to whom: the same for a dry run and for the real thing.
//!
//! Owns the way from an audience and a change to a place and steps for each device. It changes
//! nothing. Devices come by pages; what is kept of each is small, and those that are alike share
//! what is done to them.

mod named;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::OUTSIDE;
use super::steps::{left_out, planned};
use crate::access::grant::Reach;
use crate::ctx::App;
use crate::error::Error;
use crate::firmware::catalogue::Catalogue;
use crate::fleet::selector::Expr;
use crate::fleet::{group, online};
use crate::jobs::queue::MOST_FRAMED;
use crate::rollout::assign::{self, Placed};
use crate::rollout::change::{Audience, Change};
use crate::rollout::device::Step;
use crate::rollout::plan::{Plan, Take};
use crate::store::rollouts as leases;
use crate::store::rollouts::survey::{self as store, ChangedRow, PlanRow};
use crate::store::{artifacts, groups, selector};

/// Devices in one page.
const PAGE: i64 = 2_000;
/// How often a page is asked for again when there was no turn.
const PATIENCE: usize = 5;
/// No wave, no site.
const NONE: u32 = u32::MAX;

/// Who takes the devices in, and keeps the others from it as long as that takes.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// The rollout.
    pub rollout_id: Uuid,
    /// The reconciler that has it.
    pub node: Uuid,
}

impl Lease {
    /// Keeps it; false = another one has it.
    pub(super) async fn renew(&self, app: &App) -> Result<bool, Error> {
        let until = crate::clock::now() + super::LEASE;
        Ok(leases::renew(&app.pool, self.rollout_id, self.node, until).await?)
    }
}

/// What is to be planned.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whose order of devices it is.
    pub rollout_id: Uuid,
    /// What.
    pub change: &'a Change,
    /// For whom.
    pub audience: &'a Audience,
    /// How.
    pub plan: &'a Plan,
    /// Where devices may stand.
    pub reach: &'a Reach,
    /// `None` = a dry run.
    pub lease: Option<Lease>,
}

/// Devices that are alike, and what is done to each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// As the device says it.
    pub arch: Option<String>,
    /// What they run.
    pub from: Option<String>,
    /// What they are to run.
    pub to: Option<String>,
    /// The steps, or why they are left out.
    pub steps: Result<Vec<Step>, String>,
    /// What each of them downloads.
    pub bytes: u64,
    /// What is installed on them is not known but assumed.
    pub assumed: bool,
    /// Why they could not be taken back; `None` = they could.
    pub one_way: Option<String>,
    /// Why they do not come back by themselves where the script cuts them off; `None` = they do, or are
    /// sent none.
    pub stranded: Option<&'static str>,
}

/// One device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub device_id: Uuid,
    /// Into [`Survey::classes`].
    pub class: u32,
    /// It was not heard of lately.
    pub away: bool,
    site: u32,
    wave: u32,
    /// Its turn.
    pub position: u32,
}

impl Entry {
    /// Its wave; `None` = it is left out.
    pub fn wave(&self) -> Option<u32> {
        (self.wave != NONE).then_some(self.wave)
    }
}

/// Devices that a wave names, and that are not among those of the rollout: there is no such device, or
/// the audience does not find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The name of the wave.
    pub wave: String,
    /// How many of the names.
    pub missing: usize,
    /// How many names it has.
    pub of: usize,
}

/// All devices of a rollout.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// In the order in which they are taken; those that are left out are at the end.
    pub entries: Vec<Entry>,
    /// What is done to them.
    pub classes: Vec<Class>,
    /// The names of the waves.
    pub waves: Vec<String>,
    /// The names of those that are for certain devices, a group or a site, and have nobody.
    pub empty_waves: Vec<String>,
    /// The waves that name devices one by one of whom some are not among these.
    pub misses: Vec<Miss>,
    /// What devices reach the network through.
    pub uplinks: HashMap<Uuid, Uuid>,
    /// What backs devices up.
    pub redundancy: HashMap<Uuid, String>,
    sites: Vec<String>,
}

impl Survey {
    /// Where a device stands.
    pub fn site(&self, entry: &Entry) -> Option<&str> {
        self.sites.get(entry.site as usize).map(String::as_str)
    }

    /// What is done to a device.
    pub fn class(&self, entry: &Entry) -> &Class {
        &self.classes[entry.class as usize]
    }
}

/// Plans all devices.
///
/// # Errors
/// [`Error::Invalid`] where the audience cannot be read any more, [`Error::Database`].
pub async fn survey(app: &App, asked: Asked<'_>, now: DateTime<Utc>) -> Result<Survey, Error> {
    let catalogue = catalogue(app).await?;
    let mut builder = Builder {
        asked,
        heard_since: online::since(&app.config, now),
        catalogue: &catalogue,
        survey: Survey::default(),
        is_small: is_small(app, asked.change).await?,
        known: HashMap::new(),
        sites: HashMap::new(),
    };
    match asked.audience.rollout_id {
        Some(of) => builder.changed_by(app, of).await?,
        None => {
            let expr = audience(app, asked.audience, asked.reach).await?;
            let mut after = None;
            loop {
                let ids = page(app, &expr, after, now).await?;
                builder.take(app, &ids, &HashMap::new()).await?;
                after = ids.last().copied();
                if ids.len() < usize::try_from(PAGE).expect("a small number") {
                    break;
                }
            }
        }
    }
    builder.assign(app, now).await
}

/// Plans devices that came to match an audience since: those of `ids` that are given.
///
/// # Errors
/// [`Error::Database`].
pub async fn some(app: &App, asked: Asked<'_>, ids: &[Uuid]) -> Result<Survey, Error> {
    let catalogue = catalogue(app).await?;
    let mut builder = Builder {
        asked,
        heard_since: online::since(&app.config, crate::clock::now()),
        catalogue: &catalogue,
        survey: Survey::default(),
        is_small: is_small(app, asked.change).await?,
        known: HashMap::new(),
        sites: HashMap::new(),
    };
    builder.take(app, ids, &HashMap::new()).await?;
    Ok(builder.survey)
}

/// The condition that an audience is.
///
/// # Errors
/// [`Error::Invalid`] where it cannot be read any more.
pub async fn audience(app: &App, audience: &Audience, reach: &Reach) -> Result<Expr, Error> {
    let expr = match (&audience.selector, audience.group_id) {
        (Some(text), _) => group::read(&app.pool, text, "/audience/selector").await?,
        (None, Some(id)) => of_group(app, id).await?,
        (None, None) => return Err(Error::invalid("/audience", "a group or a selector")),
    };
    Ok(match reach.expr() {
        Some(within) => expr.and(within),
        None => expr,
    })
}

/// How many devices an audience finds now. `None` = it has those that another rollout has changed,
/// which are always the same.
///
/// # Errors
/// As [`audience`]; [`Error::Busy`] where it takes too long to count them.
pub async fn count(
    app: &App,
    audience: &Audience,
    reach: &Reach,
    now: DateTime<Utc>,
) -> Result<Option<u64>, Error> {
    if audience.rollout_id.is_some() {
        return Ok(None);
    }
    let expr = self::audience(app, audience, reach).await?;
    let since = online::since(&app.config, now);
    let found = selector::count(&app.pool, &expr, now, since).await?;
    Ok(Some(u64::try_from(found).unwrap_or_default()))
}

async fn of_group(app: &App, group_id: Uuid) -> Result<Expr, Error> {
    let gone = || Error::invalid("/audience/group_id", format!("no group {group_id}"));
    let group = groups::get(&app.pool, group_id).await?.ok_or_else(gone)?;
    group::devices(&app.pool, &group).await
}

/// A page of the ids of an audience.
///
/// # Errors
/// [`Error::Database`].
pub async fn page(
    app: &App,
    expr: &Expr,
    after: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, Error> {
    let since = online::since(&app.config, now);
    // Whoever looks at lists may take all turns for a while: a million devices are not begun anew.
    for _ in 0..PATIENCE {
        match selector::ids(&app.pool, expr, after, PAGE, now, since).await {
            Err(sqlx::Error::PoolTimedOut) => {}
            found => return Ok(found?),
        }
    }
    Ok(selector::ids(&app.pool, expr, after, PAGE, now, since).await?)
}

async fn catalogue(app: &App) -> Result<Catalogue, Error> {
    crate::store::releases::catalogue(&app.pool).await.map_err(Error::from)
}

/// Whether the script of a change can be framed.
async fn is_small(app: &App, change: &Change) -> Result<bool, Error> {
    let Change::Script { artifact_id, .. } = change else { return Ok(true) };
    Ok(artifacts::is_own(&app.pool, *artifact_id, MOST_FRAMED).await?)
}

/// What devices have in common that are treated alike.
type Likeness = ([Option<String>; 9], [bool; 3], Option<String>, Option<String>);

struct Builder<'a> {
    asked: Asked<'a>,
    /// Whoever was not heard of since is away.
    heard_since: DateTime<Utc>,
    catalogue: &'a Catalogue,
    survey: Survey,
    /// The script of the change, if it is of one, can be framed.
    is_small: bool,
    known: HashMap<Likeness, u32>,
    sites: HashMap<String, u32>,
}

impl Builder<'_> {
    /// The devices that another rollout has begun, with what they had before it.
    async fn changed_by(&mut self, app: &App, of: Uuid) -> Result<(), Error> {
        let mut after = None;
        loop {
            let rows = store::changed(&app.pool, of, after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.device_id);
            let ids: Vec<Uuid> = rows.iter().map(|row| row.device_id).collect();
            let before = rows.into_iter().map(|row| (row.device_id, row)).collect();
            self.take(app, &ids, &before).await?;
        }
    }

    async fn take(
        &mut self,
        app: &App,
        ids: &[Uuid],
        before: &HashMap<Uuid, ChangedRow>,
    ) -> Result<(), Error> {
        self.keep(app).await?;
        let members = super::members(&app.pool, self.asked.reach, ids).await?;
        for row in store::of(&app.pool, self.asked.rollout_id, ids).await? {
            let is_member = members.contains(&row.device_id);
            let is_outside = !is_member && !self.asked.reach.covers(row.site.as_deref());
            let had = before.get(&row.device_id);
            // What a selector finds is within it, but for what is moved at this moment. What another
            // rollout changed may have moved since: that it is not taken back is told.
            if is_outside && had.is_none() {
                continue;
            }
            let class = self.class(&row, had, is_outside);
            let site = row.site.map_or(NONE, |site| self.site(site));
            if let Some(uplink) = row.uplink {
                self.survey.uplinks.insert(row.device_id, uplink);
            }
            if let Some(set) = row.redundancy {
                self.survey.redundancy.insert(row.device_id, set);
            }
            let (device_id, away) = (row.device_id, row.last_inform < self.heard_since);
            let entry = Entry { device_id, class, away, site, wave: NONE, position: 0 };
            self.survey.entries.push(entry);
        }
        Ok(())
    }

    /// Keeps the lease, if there is one.
    async fn keep(&self, app: &App) -> Result<(), Error> {
        match self.asked.lease {
            Some(lease) if !lease.renew(app).await? => {
                Err(Error::Conflict("another node works on this rollout".to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn site(&mut self, path: String) -> u32 {
        let next = u32::try_from(self.sites.len()).expect("far fewer sites");
        let sites = &mut self.survey.sites;
        *self.sites.entry(path).or_insert_with_key(|path| {
            sites.push(path.clone());
            next
        })
    }

    fn class(&mut self, row: &PlanRow, before: Option<&ChangedRow>, is_outside: bool) -> u32 {
        let text = [
            row.arch.clone(),
            row.model.clone(),
            Some(row.product_class.clone()),
            row.version.clone(),
            row.packages.as_ref().map(ToString::to_string),
            row.booter_current.clone(),
            row.booter_upgrade.clone(),
            row.allowed_versions.clone(),
            row.device_mode.clone(),
        ];
        let target = before.map(|b| match self.asked.change {
            Change::PreviousRelease => b.from_version.clone().unwrap_or_default(),
            _ => b.before.is_some().to_string(),
        });
        let is = [row.quarantined, is_outside, row.tells];
        let likeness = (text, is, row.taken_by.clone(), target);
        if let Some(class) = self.known.get(&likeness) {
            return *class;
        }
        let number = u32::try_from(self.survey.classes.len()).expect("far fewer kinds of devices");
        let class = match is_outside {
            true => left_out(row, OUTSIDE),
            false => planned(&self.asked, self.catalogue, row, before, self.is_small),
        };
        self.survey.classes.push(class);
        self.known.insert(likeness, number);
        number
    }

    /// Gives each device that is not left out its wave and turn.
    async fn assign(mut self, app: &App, now: DateTime<Utc>) -> Result<Survey, Error> {
        let plan = self.asked.plan;
        let named = self.named(app, now).await?;
        let survey = &mut self.survey;
        let (mut taken, left_out): (Vec<Entry>, Vec<Entry>) = std::mem::take(&mut survey.entries)
            .into_iter()
            .partition(|entry| survey.classes[entry.class as usize].steps.is_ok());
        let order = {
            let placed: Vec<Placed<'_>> = taken
                .iter()
                .map(|entry| Placed {
                    device_id: entry.device_id,
                    site: survey.sites.get(entry.site as usize).map(String::as_str),
                    depth: assign::depth(entry.device_id, &survey.uplinks),
                })
                .collect();
            assign::order(self.asked.rollout_id, plan.order, &placed)
        };
        let at = |place: usize| &taken[order[place] as usize];
        let waves = assign::waves(&plan.waves, taken.len(), |wave, place| {
            let entry = at(place);
            match &plan.waves[wave].take {
                Take::Site(path) => {
                    let site = survey.sites.get(entry.site as usize);
                    site.is_some_and(|site| is_under(site, path))
                }
                _ => named.get(&wave).is_some_and(|ids| ids.contains(&entry.device_id)),
            }
        });
        for (place, device) in order.iter().enumerate() {
            let entry = &mut taken[*device as usize];
            entry.wave = waves[place];
            entry.position = u32::try_from(place).unwrap_or(u32::MAX);
        }
        taken.sort_unstable_by_key(|entry| (entry.wave, entry.position));
        survey.waves = assign::names(&plan.waves);
        let has = |number: usize| {
            let first = taken.partition_point(|entry| (entry.wave as usize) < number);
            taken.get(first).is_some_and(|entry| entry.wave as usize == number)
        };
        let names = survey.waves.iter().zip(&plan.waves).enumerate();
        survey.empty_waves = names
            .filter(|(number, (_, wave))| assign::is_named(&wave.take) && !has(*number))
            .map(|(_, (name, _))| name.clone())
            .collect();
        taken.extend(left_out);
        survey.entries = taken;
        Ok(self.survey)
    }
}

fn is_under(site: &str, top: &str) -> bool {
    site.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
