//! The bench: where factory-fresh boards are served, and what each got.
//!
//! Owns who may arm one, and for what: what is dangerous is said twice. A board that has a site is seen
//! where one may read; one that has none and is nobody's yet by whoever may read anywhere; one that has
//! none and a claim or a device by whoever may read everywhere. To let boards be served takes the right
//! `bench` everywhere: what is on the wire is of no site before it is known. To let one board be
//! served again, or installed, takes it where that board comes to stand.
//!
//! - here: the benches, and what they are armed for. - `boards`: the boards. - `install`: those that
//!   are formatted. - `batch`: what became of the boards of claims. - `allowed`: boards that are
//!   served without a claim. - `images`: boot images. - `profiles`: how boards are served. - `fit`:
//!   whether a mode script goes along. - `follow`: what changes, as it changes.

pub mod allowed;
mod batch;
mod boards;
mod fit;
mod follow;
pub mod images;
mod install;
pub mod profiles;

pub use batch::{Reason, Summary, batch, batch_summary};
pub use boards::{Board, Place, STATES, board, boards, forget, log, rearm};
pub use follow::{News, follow};
pub use install::{cancel_install, install};

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use muster_netboot::profile::{self, Profile, Strategy};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::netboot::arming::Arming;
use crate::netboot::bench::Other;
use crate::store::bench as store;
use crate::store::templates::{self, Template};

pub use store::{Bench, BoardFilter};

/// For so long something may be armed, in minutes.
pub const MAX_MINUTES: u32 = 24 * 60;
/// A bench whose node was silent for longer is not there: it says every 5 s that it is.
const SILENT: TimeDelta = TimeDelta::seconds(20);
/// Another server is told of for so long after it was heard last.
const OTHERS_FOR: TimeDelta = TimeDelta::hours(1);
/// Templates that are offered.
const MAX_TEMPLATES: i64 = 1_000;

/// A bench as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The bench itself.
    pub bench: Bench,
    /// Its node was heard of just now.
    pub alive: bool,
    /// For what it is armed, or was last; secrets masked.
    pub arming: Option<Arming>,
    /// For how much longer; `None` = it is not armed.
    pub remaining: Option<TimeDelta>,
    /// How sure the profile is by which it serves: `unverified`, `captured` or `hardware-verified`.
    pub profile_status: Option<String>,
    /// Boards that were seen there last and that the caller sees, by state.
    pub counts: BTreeMap<String, i64>,
    /// Other servers of BOOTP or DHCP that were heard there within an hour, by address; without the
    /// benches of this Muster.
    pub others: Vec<Other>,
}

/// What whoever arms a bench says yes to, beside for what it is armed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    /// The name of the interface once more: needed to serve boards that nobody named, and to answer
    /// clients that speak DHCP.
    pub confirm: Option<String>,
    /// Other servers were heard on that segment, and it is armed all the same.
    pub accept_others: bool,
}

impl Status {
    fn of(bench: Bench, all: &[Bench], now: DateTime<Utc>) -> Self {
        Self {
            alive: bench.heard_at > now - SILENT,
            arming: told(&bench),
            remaining: bench
                .armed_until
                .map(|until| until - now)
                .filter(|d| *d > TimeDelta::zero()),
            profile_status: None,
            counts: BTreeMap::new(),
            others: others(&bench, all, now),
            bench,
        }
    }
}

/// For what a bench is armed, or was last, as people may see it. What another version of Muster wrote
/// is not told.
fn told(bench: &Bench) -> Option<Arming> {
    bench.arming.as_ref().and_then(|stored| Arming::masked(stored).ok())
}

/// Other servers that were heard there within an hour, and are none of our benches: which of those are
/// armed is known ([`armed_beside`]). What another version of Muster wrote is not told.
fn others(bench: &Bench, all: &[Bench], now: DateTime<Utc>) -> Vec<Other> {
    let mut heard: Vec<Other> = serde_json::from_value(bench.others.clone()).unwrap_or_default();
    let since = now - OTHERS_FOR;
    // The address of a bench that is long gone may be anybody's.
    let ours: Vec<IpAddr> = all
        .iter()
        .filter(|bench| bench.heard_at > since)
        .filter_map(|bench| Some(bench.address?.addr()))
        .collect();
    heard.retain(|other| other.heard_at > since && !ours.contains(&IpAddr::V4(other.address)));
    heard
}

/// All benches, by host and interface.
///
/// # Errors
/// [`Error::Denied`]
pub async fn status(app: &App, ctx: &Ctx) -> Result<Vec<Status>, Error> {
    let within = ctx.require(Right::Read)?.paths();
    let mut counts: BTreeMap<Uuid, BTreeMap<String, i64>> = BTreeMap::new();
    for (bench_id, state, count) in store::counts(&app.pool, within.as_deref()).await? {
        counts.entry(bench_id).or_default().insert(state, count);
    }
    let profiles = store::list_profiles(&app.pool).await?;
    let mut benches = Vec::new();
    let all = store::benches(&app.pool).await?;
    for bench in &all {
        let mut status = Status::of(bench.clone(), &all, ctx.now);
        status.counts = counts.remove(&status.bench.bench_id).unwrap_or_default();
        let named = status.arming.as_ref().map(|arming| arming.profile.as_str());
        let profile = profiles.iter().find(|profile| Some(profile.name.as_str()) == named);
        status.profile_status = profile.map(|profile| profile.status.clone());
        benches.push(status);
    }
    Ok(benches)
}

/// Other benches that are armed on the network of this one, as people call them.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn beside(app: &App, ctx: &Ctx, bench_id: Uuid) -> Result<Vec<String>, Error> {
    ctx.require(Right::Read)?;
    let all = store::benches(&app.pool).await?;
    let bench = all.iter().find(|bench| bench.bench_id == bench_id);
    Ok(armed_beside(bench.ok_or_else(|| unknown(bench_id))?, &all, ctx.now))
}

/// The templates that a bench can be armed with, by name.
///
/// # Errors
/// [`Error::Denied`]
pub async fn templates(app: &App, ctx: &Ctx) -> Result<Vec<Template>, Error> {
    ctx.require(Right::Read)?;
    let mut all = templates::list(&app.pool, None, MAX_TEMPLATES).await?;
    all.retain(|template| template.bench);
    Ok(all)
}

/// Arms a bench for so many minutes, in place of what it was armed for. Boards get the versions of the
/// templates that are the newest now.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] for a time that is none, for what no
/// bench can serve, for a profile that nobody has verified where that is not accepted, and where the
/// interface is to be named once more; [`Error::Conflict`] where nothing can be served there, and where
/// others answer boards, or another bench is armed on the same network, and that is not accepted;
/// [`Error::Stale`] for a template that changes meanwhile; [`Error::Busy`].
pub async fn arm(
    app: &App,
    ctx: &Ctx,
    bench_id: Uuid,
    minutes: u32,
    consent: &Consent,
    arming: Arming,
) -> Result<Status, Error> {
    ctx.require_everywhere(Right::Bench)?;
    let until = ctx.now + minutes_of(minutes)?;
    let arming = arming.checked(ctx.now, until)?;
    let sizes = fit::sizes(app, &arming).await?;
    let mut tx = app.pool.begin().await?;
    // So that no profile changes under a bench that comes to be armed with it, and of two that come to be
    // armed at once the second knows of the first.
    store::lock_profiles(&mut tx).await?;
    let bench = held(&mut tx, bench_id).await?;
    // So that no template is taken away while a bench comes to be armed with it.
    templates::lock(&mut tx).await?;
    let (version, mode_version) = check(&mut tx, &arming, sizes).await?;
    let arming = Arming { template_version: Some(version), mode_version, ..arming };
    if let Some(problem) = &bench.problem {
        let why = format!("nothing can be served on {}: {problem}", bench.interface);
        return Err(Error::Conflict(why));
    }
    let all = store::benches(&mut *tx).await?;
    check_consent(&bench, &others(&bench, &all, ctx.now), consent, &arming)?;
    check_beside(&bench, consent, &armed_beside(&bench, &all, ctx.now))?;
    let stored = arming.sealed(&app.keys, bench_id);
    store::arm(&mut tx, bench_id, until, &ctx.actor.name, &stored, ctx.now).await?;
    let after = held(&mut tx, bench_id).await?;
    let (name, was, is) = (name(&bench), said(&bench), said(&after));
    audit::record(&mut tx, ctx, "bench.arm", Object::new("bench", bench_id, &name), was, is)
        .await?;
    tx.commit().await?;
    tracing::info!(bench.id = %bench_id, by = ctx.actor.name, minutes, "the bench {name} is armed");
    one(app, ctx, bench_id).await
}

/// Ends what a bench is armed for.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn disarm(app: &App, ctx: &Ctx, bench_id: Uuid) -> Result<Status, Error> {
    ctx.require_everywhere(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    let bench = held(&mut tx, bench_id).await?;
    if bench.armed_until.is_some_and(|until| until > ctx.now) {
        store::disarm(&mut tx, bench_id, ctx.now).await?;
        let after = held(&mut tx, bench_id).await?;
        let (name, was, is) = (name(&bench), said(&bench), said(&after));
        let object = Object::new("bench", bench_id, &name);
        audit::record(&mut tx, ctx, "bench.disarm", object, was, is).await?;
        tracing::info!(bench.id = %bench_id, by = ctx.actor.name, "the bench {name} is disarmed");
    }
    tx.commit().await?;
    one(app, ctx, bench_id).await
}

/// One of them as [`status`] tells it.
async fn one(app: &App, ctx: &Ctx, bench_id: Uuid) -> Result<Status, Error> {
    let all = status(app, ctx).await?;
    let found = all.into_iter().find(|status| status.bench.bench_id == bench_id);
    found.ok_or_else(|| unknown(bench_id))
}

/// A bench, locked.
async fn held(conn: &mut PgConnection, bench_id: Uuid) -> Result<Bench, Error> {
    store::lock_bench(conn, bench_id).await?.ok_or_else(|| unknown(bench_id))
}

fn unknown(bench_id: Uuid) -> Error {
    Error::NotFound(format!("no bench {bench_id}"))
}

/// What people call it.
fn name(bench: &Bench) -> String {
    format!("{} on {}", bench.interface, bench.host)
}

/// What the audit log keeps of it.
fn said(bench: &Bench) -> Value {
    json!({
        "armed_until": bench.armed_until,
        "armed_by": bench.armed_by,
        "arming": told(bench),
    })
}

/// For so long something is armed.
fn minutes_of(minutes: u32) -> Result<TimeDelta, Error> {
    if !(1..=MAX_MINUTES).contains(&minutes) {
        let why = format!("1 to {MAX_MINUTES} minutes: it ends by itself");
        return Err(Error::invalid("/minutes", why));
    }
    Ok(TimeDelta::minutes(i64::from(minutes)))
}

/// Refuses what is dangerous and was not said twice.
fn check_consent(
    bench: &Bench,
    others: &[Other],
    consent: &Consent,
    arming: &Arming,
) -> Result<(), Error> {
    let typed = consent.confirm.as_deref().map(str::trim);
    if (arming.any || arming.dhcp) && typed != Some(bench.interface.as_str()) {
        let why = format!(
            "whatever asks on this segment may be answered, whoever plugged it in: type the name of \
             the interface again, {}",
            bench.interface
        );
        return Err(Error::invalid("/confirm", why));
    }
    if others.is_empty() || consent.accept_others {
        return Ok(());
    }
    let others: Vec<String> = others.iter().map(|other| other.address.to_string()).collect();
    Err(Error::Conflict(format!(
        "other servers of BOOTP or DHCP were heard on {} within an hour: {}. A board believes whoever \
         is faster: switch them off, or arm with accept_others",
        bench.interface,
        others.join(", ")
    )))
}

/// Refuses to arm a bench beside others that are armed, which was not said.
fn check_beside(bench: &Bench, consent: &Consent, beside: &[String]) -> Result<(), Error> {
    if beside.is_empty() || consent.accept_others {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{} is on the same network, and other benches are armed there: {}. A board believes whoever is \
         faster: disarm them, or arm with accept_others",
        bench.interface,
        beside.join(", ")
    )))
}

/// Other benches that are armed on the same network, as people call them.
fn armed_beside(bench: &Bench, all: &[Bench], now: DateTime<Utc>) -> Vec<String> {
    let network = |bench: &Bench| bench.address.map(|address| address.trunc());
    let Some(own) = network(bench) else { return Vec::new() };
    let is_armed = |other: &&Bench| other.armed_until.is_some_and(|until| until > now);
    let others = all.iter().filter(|other| other.bench_id != bench.bench_id);
    others.filter(is_armed).filter(|other| network(other) == Some(own)).map(name).collect()
}

/// Refuses what no board could be served with; gives the versions of the template and of the mode script.
async fn check(
    conn: &mut PgConnection,
    arming: &Arming,
    sizes: Option<[fit::Size; 2]>,
) -> Result<(i32, Option<i32>), Error> {
    let version = check_template(conn, "/template", &arming.template).await?;
    let profile = profile_of(conn, &arming.profile).await?;
    arming.check_profile(&profile)?;
    let mut mode_version = None;
    if let Some(mode) = &arming.mode_template {
        let newest = check_template(conn, "/mode_template", mode).await?;
        fit::check(&profile, [version, newest], sizes)?;
        mode_version = Some(newest);
    }
    if arming.strategy != Strategy::EtherbootRedirect {
        return Ok((version, mode_version));
    }
    if profile.redirect.is_none() {
        let why = format!("the profile `{}` does not say how a board is sent on", profile.name);
        return Err(Error::invalid("/strategy", why));
    }
    if store::images(conn).await?.is_empty() {
        let why = "no boot image is stored: a board that is sent on to one would find none. Store \
                   that of its architecture first";
        return Err(Error::invalid("/strategy", why));
    }
    Ok((version, mode_version))
}

/// That a template can be sent to a board on the bench; gives its newest version.
async fn check_template(conn: &mut PgConnection, pointer: &str, name: &str) -> Result<i32, Error> {
    match templates::named(conn, name).await? {
        Some(template) if template.bench => Ok(template.version),
        Some(_) => {
            let why = format!(
                "the template `{name}` is not for the bench: whether it fits into a board is checked \
                 once that is said of it"
            );
            Err(Error::invalid(pointer, why))
        }
        None => Err(Error::invalid(pointer, format!("there is no template `{name}`"))),
    }
}

/// The profile of this name.
async fn profile_of(conn: &mut PgConnection, name: &str) -> Result<Profile, Error> {
    let none = || Error::invalid("/profile", format!("there is no netboot profile `{name}`"));
    let row = store::get_profile(conn, name).await?.ok_or_else(none)?;
    profile::read(&row.body)
        .map_err(|why| Error::invalid("/profile", format!("the profile `{name}`: {why}")))
}

#[cfg(test)]
mod tests;
