//! Begins devices: as many as the pace lets, where and when they may be changed.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::json;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::look::{Given, broken, give, listening_since, read};
use super::scripts::Scripts;
use super::wind_down::{self, Fate};
use super::{OUTSIDE, Work, locked, members};
use crate::clock;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::health::span;
use crate::fleet::online;
use crate::fleet::window::{self, Hours};
use crate::rollout::check::MAX_CONCURRENT;
use crate::rollout::device;
use crate::rollout::pace::{self, Active, Beside, Bucket, Candidate, Sick};
use crate::rollout::plan::{Order, Plan};
use crate::rollout::state::State;
use crate::store::rollouts::devices::list::WaitingRow;
use crate::store::rollouts::devices::pick::{self, CandidateRow, InFlight, SickRow};
use crate::store::rollouts::devices::{Move, due};
use crate::store::rollouts::{self as store, waves};
use crate::store::sites::{self, Site};

/// Devices to a transaction.
const BATCH: usize = 50;
/// Devices that are looked through for those that may be begun.
const CANDIDATES: i64 = 500;
/// Transactions in one tick.
const MOST: usize = 20;
/// Devices that are let wait for their turn again, or given up on, in one transaction.
const PUT_ON: i64 = 2_000;
/// For so long devices are put off that were not heard of lately; and those beside which others go
/// first.
const AWAY: TimeDelta = TimeDelta::minutes(2);
const HELD: TimeDelta = TimeDelta::seconds(5);
/// The same of those whose partner is sick: that ends when somebody says so.
const BESIDE_SICK: TimeDelta = TimeDelta::seconds(15);
/// For so long devices are put off at most before it is looked whether their site is open.
const PUT_OFF: TimeDelta = TimeDelta::hours(1);

/// Begins what may begin now; when to look again.
pub(super) async fn begin(
    app: &App,
    id: Uuid,
    stop: &CancellationToken,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut scripts = Scripts::default();
    for _ in 0..MOST {
        let now = clock::now();
        let Some(begun) = batch(app, id, &mut scripts, now).await? else { return Ok(Some(now)) };
        app.wake_hint.notify_one();
        if begun == 0 || stop.is_cancelled() {
            break;
        }
    }
    Ok(Some(clock::now() + super::EVERY))
}

/// Begins a few, puts some off, or makes the scripts without which some cannot be begun; how many it was.
/// `None` = the rollout does not run any more.
async fn batch(
    app: &App,
    id: Uuid,
    scripts: &mut Scripts,
    now: DateTime<Utc>,
) -> Result<Option<usize>, Error> {
    if !put_on(app, id, now).await? {
        return Ok(None);
    }
    let Some(sites) = Sites::of_candidates(app, id, now).await? else { return Ok(Some(0)) };
    let mut tx = app.pool.begin().await?;
    let mut work = locked(&mut tx, id).await?;
    if work.state != State::Running {
        return Ok(None);
    }
    let wave = work.row.wave;
    // Two rollouts with devices of one set would each not see what the other is just beginning.
    pick::lock_sets(&mut tx, id).await?;
    let mut bucket: Bucket =
        serde_json::from_value(work.row.pace["bucket"].clone()).unwrap_or_default();
    let flying = pick::in_flight(&mut tx, id).await?;
    let room = room(&work.plan, &bucket, &flying, now);
    if room == 0 {
        return Ok(Some(0));
    }
    let topology = work.plan.order == Order::Topology;
    let found = pick::candidates(&mut *tx, id, wave, topology, CANDIDATES).await?;
    if found.is_empty() && flying.all == 0 {
        // No device is locked after this.
        pick::forget_gone(&mut tx, id, wave).await?;
        // Counts that say otherwise would keep the wave from its end, so all of it are counted. Not while
        // some wait for a window: that lasts for hours, and keeps it from its end anyway.
        if !pick::any_put_off(&mut tx, id).await? {
            waves::recount(&mut tx, id, wave).await?;
        }
    }
    let begun_at = waves::get(&mut *tx, id, wave).await?.and_then(|wave| wave.started_at);
    let since = listening_since(&mut tx, now).await?.max(begun_at.unwrap_or(now));
    let sick = sick(&mut tx, id, &found).await?;
    let sorted = sort(app, &work, &sites, found, &sick, since, now);
    let mut passed = sorted.passed();
    let active = Active::new(flying.sites, flying.uplinks, flying.redundancy, flying.devices);
    let chosen = pace::pick(&sorted.may, &work.plan.pace, &active, room);
    // These are locked first, then what stands of devices in the rollout, then the counts.
    let (mut given, without) = begin_these(&mut tx, app, &work, scripts, &chosen, now).await?;
    let begun = given.moves.len();
    if (chosen.len() as u64) < room {
        // Not for want of room: others at their site, on their line or in their set go first.
        let held = sorted.may.iter().map(|one| one.device_id).filter(|id| !chosen.contains(id));
        let held: Vec<Uuid> = held.collect();
        passed += held.len();
        pick::put_off(&mut tx, id, &held, now + HELD, "others beside it go first").await?;
    }
    for ((until, why), devices) in sorted.put_off {
        pick::put_off(&mut tx, id, &devices, until, &why).await?;
    }
    given.moves.extend(sorted.gone);
    given.write(&mut tx, &work, now).await?;
    let change = waves::WaveChange { started_at: Some(now), ..Default::default() };
    waves::change(&mut tx, id, wave, &change).await?;
    pace::take(&mut bucket, begun as u64, now);
    work.row.pace["bucket"] = json!(bucket);
    store::update(&mut tx, &work.row).await?;
    tx.commit().await?;
    let made = scripts.make(app, &work, &without).await?;
    Ok(Some(begun + passed + made))
}

/// Lets devices that were put off until now wait for their turn again. In a transaction of its own, which
/// locks no device after what stands of these in the rollout. False = the rollout does not run any more.
async fn put_on(app: &App, id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    let mut tx = app.pool.begin().await?;
    if locked(&mut tx, id).await?.state != State::Running {
        return Ok(false);
    }
    pick::put_on(&mut tx, id, now, PUT_ON).await?;
    tx.commit().await?;
    Ok(true)
}

fn room(plan: &Plan, bucket: &Bucket, flying: &InFlight, now: DateTime<Utc>) -> u64 {
    let active = u64::try_from(flying.all).unwrap_or_default();
    pace::room(&plan.pace, bucket, active, now).min(BATCH as u64)
}

/// What is sick of the sets of these.
async fn sick(
    conn: &mut PgConnection,
    id: Uuid,
    found: &[CandidateRow],
) -> Result<Vec<Sick>, Error> {
    let sets: Vec<String> = found.iter().filter_map(|row| row.redundancy.clone()).collect();
    let of = |row: SickRow| Sick {
        device_id: row.device_id,
        serial: row.serial,
        redundancy: row.redundancy,
        failed: row.state == "failed",
        ended_at: row.ended_at,
    };
    Ok(pick::sick(conn, id, &sets).await?.into_iter().map(of).collect())
}

/// Gives these what they begin with: what is to be written of them, and those whose scripts are to be made
/// first.
async fn begin_these(
    conn: &mut PgConnection,
    app: &App,
    work: &Work,
    scripts: &Scripts,
    chosen: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(Given, Vec<Uuid>), Error> {
    let id = work.row.rollout_id;
    let listening = listening_since(conn, now).await?;
    let rows = due::some(&mut *conn, id, chosen).await?;
    let members = members(&mut *conn, &work.reach, chosen).await?;
    let mut decided = Vec::with_capacity(rows.len());
    let mut without = Vec::new();
    for row in rows {
        let next = match read(work, &row, listening, now) {
            Ok((device, _))
                if !work.reach.covers(row.site.as_deref()) && !members.contains(&row.device_id) =>
            {
                Some(device::Next::left_out(&device, OUTSIDE))
            }
            Ok((device, seen)) => {
                let next = device::begin(&device, &seen, &work.plan, now);
                scripts.settled(row.device_id, &device, next)
            }
            Err(error) => Some(broken(&row, &error)),
        };
        match next {
            Some(next) => decided.push((next, row)),
            None => without.push(row.device_id),
        }
    }
    Ok((give(conn, app, work, scripts, decided, now).await?, without))
}

/// Candidates by what becomes of them.
#[derive(Default)]
struct Sorted {
    /// They may be begun, as far as their sites and they themselves are concerned.
    may: Vec<Candidate>,
    /// They are put off: until when, and why.
    put_off: HashMap<(DateTime<Utc>, String), Vec<Uuid>>,
    /// They were away for as long as an order would have been good for, or waited so long for somebody
    /// to say what becomes of a sick partner.
    gone: Vec<Move>,
}

impl Sorted {
    /// Devices that are no candidates any more.
    fn passed(&self) -> usize {
        self.gone.len() + self.put_off.values().map(Vec::len).sum::<usize>()
    }

    fn put_off(&mut self, device_id: Uuid, until: DateTime<Utc>, why: String) {
        self.put_off.entry((until, why)).or_default().push(device_id);
    }

    fn give_up(&mut self, row: &CandidateRow, fate: &Fate, now: DateTime<Utc>) {
        let waiting = WaitingRow {
            device_id: row.device_id,
            step: row.step,
            job_id: row.job_id,
            due_at: None,
            started_at: row.started_at,
        };
        self.gone.push(wind_down::not_begun(&waiting, fate, now));
    }

    /// Of one whose site is open, and that is there: unless its partner keeps it, it may begin.
    fn ready(&mut self, row: CandidateRow, sick: &[Sick], plan: &Plan, now: DateTime<Utc>) {
        let one = Candidate {
            device_id: row.device_id,
            site: row.site.clone(),
            uplink: row.uplink,
            redundancy: row.redundancy.clone(),
        };
        let begun = row.started_at.is_some();
        match pace::beside(&one, begun, sick, plan.deadlines.offer(), now) {
            None => self.may.push(one),
            Some(Beside::Waits(why)) => self.put_off(row.device_id, now + BESIDE_SICK, why),
            Some(Beside::LeftOut(why)) => self.give_up(&row, &Fate::left_out(&why), now),
        }
    }
}

/// Sorts candidates. Devices that were not heard of lately take nobody's place: they are put off, and
/// given up on once they have been silent for as long as an order is good. `since` = from when on they
/// could have been heard for their wave: it had begun, and Muster was there.
fn sort(
    app: &App,
    work: &Work,
    sites: &Sites,
    found: Vec<CandidateRow>,
    sick: &[Sick],
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Sorted {
    let heard_since = online::since(&app.config, now);
    let patience = span(work.plan.deadlines.offer());
    let fate = Fate {
        state: "timed_out",
        reason: format!("it was not heard of within {patience}"),
        until: None,
    };
    let mut sorted = Sorted::default();
    for row in found {
        let away = row.last_inform < heard_since;
        let late = row.last_inform.max(since) + work.plan.deadlines.offer() <= now;
        match sites.at(row.site.as_deref(), &work.plan, now) {
            Door::Unknown => {}
            Door::Closed(until, why) => {
                // Looked at again now and then: windows may be changed.
                sorted.put_off(row.device_id, until.min(now + PUT_OFF), why);
            }
            Door::Open if away && late => sorted.give_up(&row, &fate, now),
            Door::Open if away => {
                let why = "it has not been heard of lately".to_owned();
                sorted.put_off(row.device_id, now + AWAY, why);
            }
            Door::Open => sorted.ready(row, sick, &work.plan, now),
        }
    }
    sorted
}

/// Calls back the orders that no device has taken at sites that are closed by now: a router that was
/// off must not be changed at noon because its turn came at night. Also where nobody else waits to begin.
pub(super) async fn close_doors(app: &App, id: Uuid) -> Result<(), Error> {
    let Some(work) = careful(app, id).await? else { return Ok(()) };
    let now = clock::now();
    let mut conn = app.pool.acquire().await?;
    let open = pick::not_taken(&mut conn, id, None, MAX_CONCURRENT.into()).await?;
    drop(conn);
    let stand: BTreeSet<Option<String>> = open.into_iter().map(|(_, site)| site).collect();
    let sites = Sites::load(app, stand.iter().flatten().cloned().collect()).await?;
    let fate = |site: Option<&str>| match sites.at(site, &work.plan, now) {
        Door::Closed(until, reason) => {
            Some(Fate { state: "waiting", reason, until: Some(until.min(now + PUT_OFF)) })
        }
        Door::Open | Door::Unknown => None,
    };
    if stand.iter().all(|site| fate(site.as_deref()).is_none()) {
        return Ok(());
    }
    wind_down::call_back(app, id, State::Running, fate).await
}

/// The rollout, if it cares when devices are changed.
async fn careful(app: &App, id: Uuid) -> Result<Option<Work>, Error> {
    let Some(row) = store::get(&app.pool, id).await? else { return Ok(None) };
    let work = Work::of(row)?;
    Ok((work.plan.heed_windows || !work.plan.blackout.is_empty()).then_some(work))
}

/// When the sites of candidates may be changed. Read before the transaction: a session that holds
/// one asks for no second connection. `None` = the plan does not care.
pub(crate) struct Sites(pub(crate) Option<HashMap<String, Place>>);

/// A site, as far as its clock is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) hours: Hours,
    /// Its own zone, which need not be that of the site whose windows it has.
    pub(crate) zone: Tz,
}

impl Sites {
    /// Of the devices that may be begun now; `None` = there is no room for any.
    async fn of_candidates(app: &App, id: Uuid, now: DateTime<Utc>) -> Result<Option<Self>, Error> {
        let Some(work) = careful(app, id).await? else { return Ok(Some(Self(None))) };
        let bucket: Bucket =
            serde_json::from_value(work.row.pace["bucket"].clone()).unwrap_or_default();
        let mut conn = app.pool.acquire().await?;
        let flying = pick::in_flight(&mut conn, id).await?;
        if room(&work.plan, &bucket, &flying, now) == 0 {
            return Ok(None);
        }
        let (wave, topology) = (work.row.wave, work.plan.order == Order::Topology);
        let found = pick::candidates(&mut *conn, id, wave, topology, CANDIDATES).await?;
        drop(conn);
        let stand: BTreeSet<String> = found.into_iter().filter_map(|c| c.site).collect();
        Self::load(app, stand).await.map(Some)
    }

    /// Of the devices that are to be looked at now, and may not have been changed yet.
    pub(super) async fn of_due(
        app: &App,
        id: Uuid,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Self, Error> {
        if careful(app, id).await?.is_none() {
            return Ok(Self(None));
        }
        let stand = due::sites(&app.pool, id, now, limit).await?;
        Self::load(app, stand.into_iter().collect()).await
    }

    /// Whether what stands there may be changed now. Not, where that is looked up next time.
    pub(super) fn is_open(&self, site: Option<&str>, plan: &Plan, now: DateTime<Utc>) -> bool {
        matches!(self.at(site, plan, now), Door::Open)
    }

    /// Of the sites at these paths.
    pub(crate) async fn load(app: &App, paths: BTreeSet<String>) -> Result<Self, Error> {
        let all: BTreeSet<&str> = paths.iter().flat_map(|path| chain(path)).collect();
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        let found = sites::with_paths(&app.pool, &all).await?;
        let sites: HashMap<String, Site> =
            found.into_iter().map(|site| (site.path.clone(), site)).collect();
        let mut places = HashMap::new();
        for path in paths {
            let chain: Vec<Site> = chain(&path).filter_map(|at| sites.get(at).cloned()).collect();
            // Gone or moved at this moment: where it stands now is looked up next time.
            let Some(site) = chain.first() else { continue };
            let zone: Option<Tz> = site.time_zone.parse().ok();
            let hours = match window::effective(chain) {
                Ok(hours) => hours,
                Err(error) => {
                    tracing::error!(site = path, "no windows: {}", error.private());
                    continue;
                }
            };
            places.insert(path, Place { zone: zone.unwrap_or(hours.time_zone), hours });
        }
        Ok(Self(Some(places)))
    }

    /// Whether what stands there may be changed now.
    fn at(&self, site: Option<&str>, plan: &Plan, now: DateTime<Utc>) -> Door {
        let Some(places) = &self.0 else { return Door::Open };
        let nowhere = Place { hours: Hours::any_time(), zone: Tz::UTC };
        let place = match site {
            None => &nowhere,
            Some(site) => match places.get(site) {
                Some(place) => place,
                // It was moved there at this moment.
                None => return Door::Unknown,
            },
        };
        let today = now.with_timezone(&place.zone).date_naive();
        if let Some(days) = plan.blackout.iter().find(|b| (b.from..=b.to).contains(&today)) {
            // A quarter of an hour at a time: days have other lengths where clocks change.
            let until = now + TimeDelta::minutes(15);
            return Door::Closed(until, format!("no changes from {} to {}", days.from, days.to));
        }
        let hours = &place.hours;
        if !plan.heed_windows || hours.is_open(now) {
            return Door::Open;
        }
        let until = hours.next_open(now).unwrap_or(now + TimeDelta::days(1));
        let whose = hours.site.as_deref().unwrap_or("its site");
        let local = until.with_timezone(&hours.time_zone).format("%Y-%m-%d %H:%M %Z");
        Door::Closed(until, format!("waits for the maintenance window of {whose}: {local}"))
    }
}

/// A site's path and those of the sites that it is in, the nearest first.
fn chain(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(above, _)| above))
}

/// Whether devices may be changed somewhere.
enum Door {
    Open,
    /// Until when not, and why.
    Closed(DateTime<Utc>, String),
    /// It is looked up next time.
    Unknown,
}
