//! Compares devices with what is wanted of them, and makes the jobs that close the difference.
//!
//! A device is read, with many others, in a few statements; what is to be done is decided without a
//! lock, for a template may have to be rendered; and it is written in one transaction, only if nothing
//! has happened to the device since it was read. Of a device that is as it should be nothing is
//! written but the time of its next comparison, with many others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::effective::Effective;
use super::orders::{self, Decision};
use super::world::{self, Place, World};
use super::{sweep, touch};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::online;
use crate::fleet::profile::Wanted;
use crate::fleet::secret::{Keys, is_secret};
use crate::store::desired::{self as store, Facts, OwnJob, Row};
use crate::store::{jobs, nodes, selector};

/// Between two looks at what is due.
const EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How long a device that was taken is left to whoever took it.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// Nodes that were heard of since share the pace.
const HEARD_OF: TimeDelta = TimeDelta::minutes(1);
/// Devices that are read together.
const BATCH: usize = 100;
/// Devices that are worked on at a time.
const AT_ONCE: usize = 8;
/// After a fault of Muster's own a device is compared again.
const AFTER_FAULT: TimeDelta = TimeDelta::minutes(5);

/// A device as it is compared.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What it is.
    pub facts: Facts,
    /// Its row.
    pub row: Row,
    /// What is wanted of it.
    pub effective: Effective,
    /// Muster's own jobs on it that count here.
    pub jobs: Vec<OwnJob>,
}

/// Runs until the token is cancelled: what is due, and the sweeps.
pub async fn run(app: Shared, stop: CancellationToken) {
    while tokio::time::timeout(EVERY, stop.cancelled()).await.is_err() {
        if let Err(error) = due(&app).await {
            tracing::error!("devices were not compared: {}", error.private());
        }
        if let Err(error) = sweep::advance(&app).await {
            tracing::error!("a sweep did not go on: {}", error.private());
        }
    }
}

/// Compares those that are due, as many as may be in a second beside those that come by themselves.
async fn due(app: &App) -> Result<(), Error> {
    let now = clock::now();
    let nodes = nodes::living(&app.pool, now - HEARD_OF).await?;
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    app.pace.share(app.config.zero_touch.reconcile_per_second, nodes, Instant::now());
    let limit = app.pace.left(Instant::now());
    if limit == 0 {
        return Ok(());
    }
    let ids = store::take_due(&app.pool, now + LEASE, now, i64::from(limit)).await?;
    app.pace.spend(u32::try_from(ids.len()).unwrap_or(u32::MAX), Instant::now());
    compare(app, &ids, true).await?;
    Ok(())
}

/// Compares a device whose session is open and has nothing more to do; true = it has jobs now. Where
/// as many as may be were compared in this second it stays due, and its turn comes without it.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`].
pub async fn in_session(app: &App, device_id: Uuid) -> Result<bool, Error> {
    let is_due = store::is_due(&app.pool, device_id, clock::now()).await?;
    if !is_due || !app.pace.take(Instant::now()) {
        return Ok(false);
    }
    Ok(compare(app, &[device_id], false).await? > 0)
}

/// Compares devices; of how many something is to be done. `wake` = they are called for it.
pub(super) async fn compare(app: &App, ids: &[Uuid], wake: bool) -> Result<u64, Error> {
    let mut differing = 0;
    for ids in ids.chunks(BATCH) {
        let world = world::current(app).await?;
        let now = clock::now();
        let subjects = load(app, &world, ids).await?;
        let work = subjects.into_iter().map(|subject| one(app, &world, subject, wake));
        let done: Vec<One> =
            futures_util::stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
        differing += done.iter().filter(|one| matches!(one, One::Ordered)).count() as u64;
        let same = done.iter().filter_map(|one| match one {
            One::AsItWas { device_id, was, next } => Some((*device_id, (*was, *next))),
            _ => None,
        });
        let (same, (was, next)): (Vec<_>, (Vec<_>, Vec<_>)) = same.unzip();
        if !same.is_empty() {
            store::put_off(&app.pool, &same, &was, &next, now).await?;
        }
    }
    Ok(differing)
}

/// What became of one.
enum One {
    /// Nothing has changed but when it is compared next.
    AsItWas { device_id: Uuid, was: Option<DateTime<Utc>>, next: Option<DateTime<Utc>> },
    /// It is noted.
    Noted,
    /// It has jobs.
    Ordered,
}

async fn one(app: &App, world: &Arc<World>, subject: Subject, wake: bool) -> One {
    let device_id = subject.facts.device_id;
    match settle(app, world, subject, wake).await {
        Ok(one) => one,
        Err(error) => {
            tracing::error!(device.id = %device_id, "not compared: {}", error.private());
            put_off_after_fault(app, device_id).await;
            One::Noted
        }
    }
}

async fn put_off_after_fault(app: &App, device_id: Uuid) {
    let later = clock::now() + AFTER_FAULT;
    if let Ok(mut conn) = app.pool.acquire().await
        && let Err(error) = touch(&mut conn, device_id, later).await
    {
        tracing::error!(device.id = %device_id, "not put off: {error}");
    }
}

async fn settle(app: &App, world: &Arc<World>, subject: Subject, wake: bool) -> Result<One, Error> {
    let now = clock::now();
    let decision = orders::decide(app, world, &subject, now).await?;
    let was = subject.row.due_at;
    if decision.changes_nothing(&subject.row) {
        let (device_id, next) = (subject.facts.device_id, decision.row.due_at);
        return Ok(One::AsItWas { device_id, was, next });
    }
    write(app, &subject, decision, wake, now).await
}

async fn write(
    app: &App,
    subject: &Subject,
    decision: Decision,
    wake: bool,
    now: DateTime<Utc>,
) -> Result<One, Error> {
    let device_id = subject.facts.device_id;
    let mut tx = app.pool.begin().await?;
    if !jobs::lock_device(&mut tx, device_id).await? {
        // It was removed.
        return Ok(One::Noted);
    }
    let as_read = (subject.row.due_at, subject.row.compared_at);
    let as_is = store::get(&mut *tx, device_id).await?.map(|row| (row.due_at, row.compared_at));
    let ordered = match as_is.unwrap_or_default() == as_read {
        true => orders::carry_out(&mut tx, app, subject, decision, wake, now).await?,
        false => None,
    };
    let Some(ordered) = ordered else {
        // Something has happened to it since it was read: it is read again.
        tx.rollback().await?;
        let mut conn = app.pool.acquire().await?;
        touch(&mut conn, device_id, now).await?;
        return Ok(One::Noted);
    };
    tx.commit().await?;
    if ordered && wake {
        app.wake_hint.notify_one();
    }
    Ok(if ordered { One::Ordered } else { One::Noted })
}

/// Reads devices with what is wanted of them; one that is not there is left out.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`] for rows that cannot be read.
pub async fn load(app: &App, world: &World, ids: &[Uuid]) -> Result<Vec<Subject>, Error> {
    let facts = store::facts(&app.pool, ids).await?;
    let mut rows: BTreeMap<Uuid, Row> =
        store::rows(&app.pool, ids).await?.into_iter().map(|row| (row.device_id, row)).collect();
    let mut own: BTreeMap<Uuid, Vec<OwnJob>> = BTreeMap::new();
    for job in store::own_jobs(&app.pool, ids).await? {
        own.entry(job.device_id).or_default().push(job);
    }
    let groups = memberships(app, world, ids).await?;
    let mut subjects = Vec::with_capacity(facts.len());
    for facts in facts {
        let id = facts.device_id;
        let row = rows.remove(&id).unwrap_or_else(|| Row::new(id));
        let said = world::device_variables(&app.keys, id, &row.variables);
        let said = said.and_then(|variables| Ok((variables, overrides(&app.keys, &row)?)));
        let (variables, overrides) = match said {
            Ok(said) => said,
            Err(error) => {
                // It must not hold up the others.
                tracing::error!(device.id = %id, "cannot be read: {}", error.private());
                put_off_after_fault(app, id).await;
                continue;
            }
        };
        let place = Place {
            site: facts.site.as_deref(),
            groups: groups.get(&id).map_or(&[], Vec::as_slice),
            profile_id: row.profile_id,
            variables: &variables,
            overrides: &overrides,
        };
        let effective = world.effective(place);
        subjects.push(Subject { facts, row, effective, jobs: own.remove(&id).unwrap_or_default() });
    }
    Ok(subjects)
}

/// What was adopted from a device, in clear.
///
/// # Errors
/// [`Error::Internal`] for what cannot be read.
pub(crate) fn overrides(keys: &Keys, row: &Row) -> Result<BTreeMap<String, Wanted>, Error> {
    let mut overrides: BTreeMap<String, Wanted> = serde_json::from_value(row.overrides.clone())
        .map_err(|e| Error::Internal(format!("overrides of {}: {e}", row.device_id)))?;
    for (name, wanted) in overrides.iter_mut().filter(|(name, _)| is_secret(name)) {
        if let Some(value) = &mut wanted.value {
            let context = format!("{} {name}", world::device_context(row.device_id));
            *value = keys.open_text(value, &context)?;
        }
    }
    Ok(overrides)
}

/// Which of these devices are in which groups of which something is wanted.
async fn memberships(
    app: &App,
    world: &World,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<Uuid>>, Error> {
    let mut found: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    let put_in = world.groups.iter().filter(|group| group.expr.is_none());
    let put_in: Vec<Uuid> = put_in.map(|group| group.group_id).collect();
    if !put_in.is_empty() {
        for (device, group) in store::memberships(&app.pool, ids, &put_in).await? {
            found.entry(device).or_default().push(group);
        }
    }
    let now = clock::now();
    let since = online::since(&app.config, now);
    for group in &world.groups {
        let Some(expr) = &group.expr else { continue };
        for device in selector::among(&app.pool, expr, ids, now, since).await? {
            found.entry(device).or_default().push(group.group_id);
        }
    }
    Ok(found)
}
