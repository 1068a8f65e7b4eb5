//! Devices: find, list, count, place, remove, let enrol again, wake; what somebody may do with one
//! (`reach`), what is known of one (`known`), and what is changed of many (`many`, `change`).
//!
//! Owns by what a device is named, and that one that somebody may not see is to them as one that is
//! not there: by its id, by its serial number, in a list and in a number alike.

mod change;
mod known;
pub(super) mod many;
mod reach;
mod stranded;
mod uplink;

pub use change::{Change, Changed, Skipped, change_many};
pub use known::{DeviceParameters, events, file, files, parameters};
pub use many::{Which, count_many};
pub use reach::{among, rights};
use reach::{check, sight};
pub(super) use reach::{groups_of, hold, hold_in_place};
pub use stranded::{Stranded, stranded};

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::admission::WAITS;
use crate::fleet::placement::{self, Placement};
use crate::fleet::selector::Expr;
use crate::fleet::{group, online};
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::JobSpec;
use crate::store::connection_requests::{self, Request};
use crate::store::devices::{self as store, Device, DeviceName, Filter};
use crate::store::jobs::Job;
use crate::store::uplinks::{self, Ties};
use crate::store::{artifacts, credentials, events as history, selector, sites};

/// Longest time for which enrolment can be opened to a device, in hours.
const MAX_ENROLMENT_HOURS: u32 = 168;
/// Devices with one serial number of which the ids are told.
const NAMESAKES: i64 = 10;

/// A page of which devices is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only those that this selector finds.
    pub selector: Option<String>,
    /// Of these only those that pass.
    pub filter: Filter,
    /// Those after this one, in order of their ids.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// A device with what only its own page shows.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The device.
    pub device: Device,
    /// The open connection request; `None` = nobody wants the device now.
    pub connection_request: Option<Request>,
    /// With which others it goes together.
    pub ties: Ties,
}

/// The device of this name: its id, or `serial:` and its serial number where only one of the
/// devices that the caller sees has it. Somebody sees what they may read, and for
/// [`Right::Support`] what they may support.
///
/// # Errors
/// [`Error::NotFound`] for a device that is not there or not seen, [`Error::Denied`] where `right`
/// is missing, [`Error::Conflict`] where several have the serial number.
pub async fn find(app: &App, ctx: &Ctx, name: &str, right: Right) -> Result<Device, Error> {
    ctx.require(right)?;
    let device = match (name.strip_prefix("serial:"), Uuid::try_parse(name)) {
        (Some(serial), _) => with_serial(app, ctx, serial, &sight(ctx, right)).await?,
        (None, Ok(device_id)) => store::get(&app.pool, device_id).await?,
        (None, Err(_)) => None,
    };
    let device = device.ok_or_else(|| unknown(name))?;
    let groups = groups_of(&app.pool, ctx, device.device_id).await?;
    check(ctx, name, right, device.site.as_deref(), &groups)?;
    Ok(device)
}

async fn with_serial(
    app: &App,
    ctx: &Ctx,
    serial: &str,
    seen: &Reach,
) -> Result<Option<Device>, Error> {
    let filter = Filter { serial: Some(serial.to_owned()), ..Filter::default() };
    let mut found = search(app, ctx, filter.conditions(ctx.now), seen, None, NAMESAKES).await?;
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|device| device.device_id.to_string()).collect();
        let why = format!("several devices have it, among them {}", ids.join(", "));
        return Err(Error::Conflict(why));
    }
    Ok(found.pop())
}

fn unknown(name: &str) -> Error {
    Error::NotFound(format!("no device {name}"))
}

/// A page of the devices that the caller sees, in order of their ids.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] at `/q` for a selector that cannot be read.
pub async fn list(app: &App, ctx: &Ctx, asked: &Asked) -> Result<Vec<Device>, Error> {
    let reach = ctx.require(Right::Read)?;
    let mut conditions = asked.filter.conditions(ctx.now);
    if let Some(text) = &asked.selector {
        conditions.push(group::read(&app.pool, text, "/q").await?);
    }
    search(app, ctx, conditions, &reach, asked.after, asked.limit).await
}

/// The devices within `reach` of which all conditions hold.
async fn search(
    app: &App,
    ctx: &Ctx,
    mut conditions: Vec<Expr>,
    reach: &Reach,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Device>, Error> {
    conditions.extend(reach.expr());
    let since = online::since(&app.config, ctx.now);
    let expr = Expr::All(conditions);
    Ok(selector::list(&app.pool, &expr, after, limit, ctx.now, since).await?)
}

/// What these devices are called, of those that the caller sees.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn names(
    app: &App,
    ctx: &Ctx,
    device_ids: &[Uuid],
) -> Result<HashMap<Uuid, DeviceName>, Error> {
    let within = ctx.require(Right::Read)?.within();
    let names = store::names(&app.pool, device_ids, within.as_ref()).await?;
    Ok(names.into_iter().map(|name| (name.device_id, name)).collect())
}

/// How many devices the caller sees; with a selector, how many of them it finds.
///
/// # Errors
/// As [`list`].
pub async fn count(app: &App, ctx: &Ctx, selector: Option<&str>) -> Result<i64, Error> {
    let reach = ctx.require(Right::Read)?;
    let since = online::since(&app.config, ctx.now);
    let Some(text) = selector else {
        return Ok(store::counts(&app.pool, since, reach.within().as_ref()).await?.0);
    };
    let mut conditions = vec![group::read(&app.pool, text, "/q").await?];
    conditions.extend(reach.expr());
    Ok(selector::count(&app.pool, &Expr::All(conditions), ctx.now, since).await?)
}

/// A device as its own page shows it.
///
/// # Errors
/// As [`find`].
pub async fn detail(app: &App, ctx: &Ctx, name: &str) -> Result<Detail, Error> {
    let device = find(app, ctx, name, Right::Read).await?;
    let connection_request = connection_requests::get(&app.pool, device.device_id).await?;
    let ties = uplinks::ties(&app.pool, device.device_id).await?;
    Ok(Detail { device, connection_request, ties })
}

/// Gives a device another place, other tags, another uplink or set of redundancy: `change` makes the
/// new ones of what they are. The caller must be allowed to operate where the device stands and where
/// it comes to stand, and see the uplink.
///
/// # Errors
/// As [`find`]; what `change` gives; [`Error::Invalid`] for a site or an uplink that is not there, or
/// what is no tag.
pub async fn place(
    app: &App,
    ctx: &Ctx,
    name: &str,
    change: impl FnOnce(Placement) -> Result<Placement, Error>,
) -> Result<Device, Error> {
    let device = find(app, ctx, name, Right::Operate).await?;
    let device_id = device.device_id;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    let current = placement::of(&mut tx, device_id).await?;
    // It may have been moved since it was found; from here on it stays where it is.
    let groups = groups_of(&mut *tx, ctx, device_id).await?;
    check(ctx, name, Right::Operate, current.site.as_deref(), &groups)?;
    let mut wanted = change(current.clone())?;
    if wanted.site != current.site {
        // Before it is looked whether that site exists, which is not for everybody to know.
        ctx.require_at(Right::Operate, wanted.site.as_deref())?;
    }
    if wanted.uplink != current.uplink
        && let Some(name) = &wanted.uplink
    {
        wanted.uplink = Some(uplink::named(&mut tx, ctx, name).await?.to_string());
    }
    placement::change(&mut tx, device_id, &current, wanted, &ctx.actor.name, ctx.now).await?;
    let placed = placement::of(&mut tx, device_id).await?;
    if placed != current {
        audit::record(&mut tx, ctx, "device.place", object(&device), current, placed).await?;
    }
    tx.commit().await?;
    store::get(&app.pool, device_id).await?.ok_or_else(|| unknown(name))
}

/// Removes a device with all that is known of it.
///
/// # Errors
/// As [`find`].
pub async fn delete(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    let device = find(app, ctx, name, Right::Admin).await?;
    let device_id = device.device_id;
    let files = files_of(app, device_id).await?;
    let mut tx = app.pool.begin().await?;
    hold(&mut tx, ctx, device_id, Right::Admin).await?;
    if !store::delete(&mut tx, device_id).await? {
        return Err(unknown(name));
    }
    audit::record(&mut tx, ctx, "device.delete", object(&device), state(&device), ()).await?;
    tx.commit().await?;
    tracing::info!(device.id = %device_id, by = ctx.actor.name, "device removed");
    // The records are gone: a file that stays behind is lost space, not a failed request.
    for file in files {
        if let Err(error) = app.files.delete(file).await {
            tracing::warn!(artifact.id = %file, cause = %error.private(), "a file stays behind");
        }
    }
    Ok(())
}

async fn files_of(app: &App, device_id: Uuid) -> Result<Vec<Uuid>, Error> {
    let mut ids: Vec<Uuid> = Vec::new();
    loop {
        let before = ids.last().copied();
        let page = artifacts::list_of_device(&app.pool, device_id, before, 1_000).await?;
        if page.is_empty() {
            return Ok(ids);
        }
        ids.extend(page.into_iter().map(|file| file.artifact_id));
    }
}

/// Lets a device come with the enrolment credential once more, for so many hours, and be given a
/// new one of its own; gives the end.
///
/// # Errors
/// As [`find`]; [`Error::Invalid`] for hours that are not 1 to 168, [`Error::Conflict`] for a device
/// that has no credential of its own.
pub async fn allow_enrolment(
    app: &App,
    ctx: &Ctx,
    name: &str,
    hours: u32,
) -> Result<DateTime<Utc>, Error> {
    let device = find(app, ctx, name, Right::Operate).await?;
    if !(1..=MAX_ENROLMENT_HOURS).contains(&hours) {
        return Err(Error::invalid("/hours", format!("1 to {MAX_ENROLMENT_HOURS}")));
    }
    let (device_id, now) = (device.device_id, ctx.now);
    let until = now + TimeDelta::hours(i64::from(hours));
    let mut tx = app.pool.begin().await?;
    hold(&mut tx, ctx, device_id, Right::Operate).await?;
    if !credentials::allow_enrolment(&mut tx, device_id, until, now).await? {
        let why = "the device has no credential of its own: it may enrol at any time";
        return Err(Error::Conflict(why.to_owned()));
    }
    let told = json!({ "by": ctx.actor.name, "until": until });
    history::append(&mut tx, device_id, "enrolment.allowed", None, &told, now).await?;
    let after = json!({ "until": until });
    audit::record(&mut tx, ctx, "device.allow_enrolment", object(&device), (), after).await?;
    tx.commit().await?;
    Ok(until)
}

/// Wakes a device: makes a job of the kind `connection_request`, or gives the open one, and whether
/// it is new.
///
/// # Errors
/// As [`find`]; [`Error::Conflict`] for one in quarantine.
pub async fn wake(app: &App, ctx: &Ctx, name: &str) -> Result<(Job, bool), Error> {
    let device = find(app, ctx, name, Right::Operate).await?;
    if device.quarantined_at.is_some() {
        return Err(Error::Conflict(WAITS.to_owned()));
    }
    let order = Order {
        created_by: ctx.actor.name.clone(),
        wake: true,
        ..Order::own(device.device_id, JobSpec::ConnectionRequest, "wake")
    };
    let mut tx = app.pool.begin().await?;
    hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    let (job, made) = queue::create(&mut tx, &app.keys, order, ctx.now).await?;
    // Also where the job is open already: the device is called once more.
    let after = json!({ "job_id": job.job_id });
    audit::record(&mut tx, ctx, "device.wake", object(&device), (), after).await?;
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok((job, made))
}

/// The device in the audit log.
fn object(device: &Device) -> Object<'_> {
    Object::new("device", device.device_id, &device.serial)
}

/// What the audit log keeps of a device that is removed.
fn state(device: &Device) -> Value {
    json!({
        "manufacturer": device.manufacturer,
        "oui": device.oui,
        "product_class": device.product_class,
        "serial": device.serial,
        "model": device.model,
        "identity": device.identity,
        "software_version": device.software_version,
        "site": device.site,
        "tags": device.tags,
        "first_inform": device.first_inform,
        "last_inform": device.last_inform,
    })
}
