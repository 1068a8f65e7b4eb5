//! Takes the devices of a rollout in: once, when it starts, and for dynamic ones those that come to
//! match later.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::survey::{self, Asked, Class, Lease, Survey};
use super::{Work, locked, turn};
use crate::clock;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::rollout::gate::{another_audience, without_devices};
use crate::rollout::state::State;
use crate::rollout::words::{are, count_of};
use crate::store::rollouts::devices::{self, NewDevice, pick};
use crate::store::rollouts::{self as store, story, survey as known, waves};

/// Devices to a transaction.
const BATCH: usize = 2_000;
/// How often devices that came to match are looked for.
const JOIN_EVERY: TimeDelta = TimeDelta::minutes(5);

fn asked(work: &Work, lease: Option<Lease>) -> Asked<'_> {
    Asked {
        lease,
        rollout_id: work.row.rollout_id,
        change: &work.change,
        audience: &work.audience,
        plan: &work.plan,
        reach: &work.reach,
    }
}

/// Takes all devices in. What a run that was cut short left is cleared away first: nothing of it has
/// begun.
pub(super) async fn prepare(
    app: &App,
    work: &Work,
    node: Uuid,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let id = work.row.rollout_id;
    let lease = Lease { rollout_id: id, node };
    loop {
        let mut tx = app.pool.begin().await?;
        if !to_be_prepared(&mut tx, lease).await? {
            return Ok(());
        }
        let gone = devices::forget(&mut tx, id, 10_000).await?;
        tx.commit().await?;
        if gone < 10_000 {
            break;
        }
    }
    let survey = match survey::survey(app, asked(work, Some(lease)), clock::now()).await {
        Ok(survey) => survey,
        Err(Error::Invalid { message, .. }) => return unreadable(app, id, &message).await,
        Err(error) => return Err(error),
    };
    for entries in survey.entries.chunks(BATCH) {
        if stop.is_cancelled() {
            return Ok(());
        }
        let rows: Vec<NewDevice> = entries.iter().map(|entry| row(&survey, entry)).collect();
        let mut tx = app.pool.begin().await?;
        if !to_be_prepared(&mut tx, lease).await? {
            return Ok(());
        }
        devices::insert(&mut tx, id, &rows).await?;
        if let Some(of) = work.audience.rollout_id {
            let ids: Vec<Uuid> = entries.iter().map(|entry| entry.device_id).collect();
            pick::carry_over(&mut tx, id, of, &ids).await?;
        }
        tx.commit().await?;
    }
    all_in(app, lease, &survey).await
}

/// All devices are in: what there is of them is counted and told. Where they are others than those
/// that somebody said yes to, or a wave that is for certain devices has none, nobody begins before
/// somebody has looked.
async fn all_in(app: &App, lease: Lease, survey: &Survey) -> Result<(), Error> {
    let id = lease.rollout_id;
    let mut tx = app.pool.begin().await?;
    if !to_be_prepared(&mut tx, lease).await? {
        return Ok(());
    }
    let mut work = locked(&mut tx, id).await?;
    waves::count_anew(&mut tx, id, &survey.waves).await?;
    let now = clock::now();
    work.row.prepared_at = Some(now);
    work.row.started_at = Some(now);
    store::update(&mut tx, &work.row).await?;
    let left_out = survey.entries.iter().filter(|entry| entry.wave().is_none()).count() as u64;
    let found = survey.entries.len() as u64;
    let taken = found - left_out;
    let devices = count_of(taken, "device");
    let waves = count_of(survey.waves.len() as u64, "wave");
    let text = format!("{devices} in {waves}; {left_out} {} left out", are(left_out));
    let detail = json!({ "text": text, "devices": taken, "left_out": left_out });
    story::append(&mut tx, id, "prepared", "muster", None, &detail, now).await?;
    let meant = work.row.pace["meant"].as_u64();
    let others = meant.and_then(|meant| another_audience(meant, found));
    if others.is_some() {
        // Who was asked for a second pair of eyes is asked again.
        work.row.pace["ask_again"] = json!(work.plan.four_eyes);
    }
    // Where nobody is changed, nobody needs to be tried first.
    let nobody = if taken > 0 { without_devices(&survey.empty_waves) } else { None };
    let why: Vec<String> = others.into_iter().chain(nobody).collect();
    if !why.is_empty() {
        turn::pause(&mut tx, &Ctx::muster(now), &mut work, "gate", &why.join("; ")).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Locks the rollout, and says whether its devices are still to be taken in, by this node: another
/// one that had the lease meanwhile began anew.
async fn to_be_prepared(conn: &mut sqlx::PgConnection, lease: Lease) -> Result<bool, Error> {
    let work = locked(&mut *conn, lease.rollout_id).await?;
    let ours = work.row.leased_by == Some(lease.node);
    let wanted = ours && work.state == State::Running && work.row.prepared_at.is_none();
    if wanted {
        let until = clock::now() + super::LEASE;
        store::renew(conn, lease.rollout_id, lease.node, until).await?;
    }
    Ok(wanted)
}

/// Its group is gone, or its selector names what is no more: nobody can say for whom it is.
async fn unreadable(app: &App, id: Uuid, why: &str) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    let mut work = locked(&mut tx, id).await?;
    if work.state == State::Running && work.row.prepared_at.is_none() {
        let ctx = Ctx::muster(clock::now());
        let reason = format!("its devices cannot be found: {why}");
        turn::to(&mut tx, &ctx, &mut work, State::Aborted, &reason).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn row(survey: &Survey, entry: &survey::Entry) -> NewDevice {
    let class: &Class = survey.class(entry);
    let (state, reason, steps) = match &class.steps {
        Ok(steps) => ("waiting", None, json!(steps)),
        Err(why) => ("skipped", Some(why.clone()), json!([])),
    };
    NewDevice {
        device_id: entry.device_id,
        wave: entry.wave().map(|wave| i32::try_from(wave).unwrap_or(i32::MAX)),
        position: i64::from(entry.position),
        state,
        reason,
        site: survey.site(entry).map(str::to_owned),
        uplink: survey.uplinks.get(&entry.device_id).copied(),
        redundancy: survey.redundancy.get(&entry.device_id).cloned(),
        steps,
        from_version: class.from.clone(),
        to_version: class.to.clone(),
        bytes: i64::try_from(class.bytes).unwrap_or(i64::MAX),
    }
}

/// Takes in the devices that came to match a dynamic rollout, into its last wave.
pub(super) async fn join(app: &App, work: &Work, node: Uuid) -> Result<(), Error> {
    let now = clock::now();
    if !work.audience.dynamic || !is_time(work, now) {
        return Ok(());
    }
    let id = work.row.rollout_id;
    let lease = Lease { rollout_id: id, node };
    let expr = survey::audience(app, &work.audience, &work.reach).await?;
    let mut after = None;
    loop {
        // A large audience takes longer than a lease lasts.
        if !lease.renew(app).await? {
            return Ok(());
        }
        let ids = survey::page(app, &expr, after, now).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        let known = known::known(&app.pool, id, &ids).await?;
        let new: Vec<Uuid> = ids.into_iter().filter(|id| !known.contains(id)).collect();
        if !new.is_empty() {
            take_in(app, work, &new).await?;
        }
    }
    let mut tx = app.pool.begin().await?;
    let mut work = locked(&mut tx, id).await?;
    work.row.pace["joined_at"] = json!(now);
    store::update(&mut tx, &work.row).await?;
    tx.commit().await?;
    Ok(())
}

fn is_time(work: &Work, now: DateTime<Utc>) -> bool {
    let last = work.row.pace["joined_at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
    last.or(work.row.prepared_at).is_none_or(|last| last + JOIN_EVERY <= now)
}

async fn take_in(app: &App, work: &Work, new: &[Uuid]) -> Result<(), Error> {
    let id = work.row.rollout_id;
    let found = survey::some(app, asked(work, None), new).await?;
    let mut tx = app.pool.begin().await?;
    if locked(&mut tx, id).await?.state != State::Running {
        return Ok(());
    }
    let waves = waves::list(&mut *tx, id).await?;
    let Some(last) = waves.last() else { return Ok(()) };
    let mut rows: Vec<NewDevice> = found.entries.iter().map(|entry| row(&found, entry)).collect();
    for row in rows.iter_mut().filter(|row| row.state == "waiting") {
        row.wave = Some(last.wave);
        row.position = i64::from(u32::MAX);
    }
    let taken = devices::insert(&mut tx, id, &rows).await?;
    if taken == 0 {
        tx.commit().await?;
        return Ok(());
    }
    waves::add(&mut tx, id, last.wave, taken).await?;
    let many = count_of(u64::try_from(taken).unwrap_or_default(), "device");
    let detail = json!({ "text": format!("{many} more came to match"), "devices": taken });
    story::append(&mut tx, id, "joined", "muster", None, &detail, clock::now()).await?;
    tx.commit().await?;
    Ok(())
}
