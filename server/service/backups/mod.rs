//! Configurations of devices: what they were, when they changed, and back.
//!
//! Owns who may see and do so: whoever reads a device sees its history, which has no secrets; whoever
//! operates it has one made, says which one is right, and gives one back. The files as they came hold
//! secrets, and are of `service::devices`.
//!
//! - `diff`: what differs between two, and what of it could be adopted.
//! - `night`: what changed of late on all devices.
//! - `restore`: a device is given a configuration of its own back.

mod diff;
mod night;
mod restore;

pub use diff::{Compared, Line, With, adopt, diff};
pub use night::{Changed, changed};
pub use restore::{Restoring, restore};

use serde_json::json;
use uuid::Uuid;

use super::devices;
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::backup::{self, Cause};
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::store::backups::{self as store, Backup};
use crate::store::devices::Device;
use crate::store::jobs::Job;

/// A device's backups, newest first, before one.
///
/// # Errors
/// As [`devices::find`].
pub async fn list(
    app: &App,
    ctx: &Ctx,
    name: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Backup>, Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    Ok(store::list(&app.pool, device.device_id, before, limit).await?)
}

/// A backup of a device, with its text.
///
/// # Errors
/// As [`devices::find`]; [`Error::NotFound`] for no backup of that device.
pub async fn get(
    app: &App,
    ctx: &Ctx,
    name: &str,
    backup_id: Uuid,
) -> Result<(Backup, String), Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    let backup = load(app, &device, backup_id).await?;
    let text = body(app, &backup).await?;
    Ok((backup, text))
}

async fn load(app: &App, device: &Device, backup_id: Uuid) -> Result<Backup, Error> {
    let found = store::get(&app.pool, device.device_id, backup_id).await?;
    found.ok_or_else(|| Error::NotFound(format!("no backup {backup_id} of that device")))
}

async fn body(app: &App, backup: &Backup) -> Result<String, Error> {
    let text = store::body(&app.pool, backup.device_id, &backup.sha256).await?;
    // It may have been forgotten since its row was read.
    text.ok_or_else(|| Error::NotFound(format!("no backup {} of that device", backup.backup_id)))
}

/// Has a device send its configuration now; gives the job, and whether it is new.
///
/// # Errors
/// As [`devices::find`]; [`Error::Conflict`] for a device with too many jobs.
pub async fn take(app: &App, ctx: &Ctx, name: &str) -> Result<(Job, bool), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let order = upload(ctx, &device, Cause::Demand);
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    let (job, made) = queue::create(&mut tx, &app.keys, order, ctx.now).await?;
    if made {
        let after = json!({ "job_id": job.job_id });
        audit::record(&mut tx, ctx, "backup.take", object(&device), (), after).await?;
    }
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok((job, made))
}

/// The order by which a device sends its configuration.
fn upload(ctx: &Ctx, device: &Device, cause: Cause) -> Order {
    let spec = JobSpec::Upload { file: UploadFile::Configuration };
    by(ctx, Order::own(device.device_id, spec, cause.key()))
}

/// The same order as somebody's: the device is woken for it.
fn by(ctx: &Ctx, order: Order) -> Order {
    Order { created_by: ctx.actor.name.clone(), wake: true, own: false, ..order }
}

/// Says that what a device has by this backup is right: what differs from it is drift from now on.
///
/// # Errors
/// As [`devices::find`]; [`Error::NotFound`] for no backup of that device; [`Error::Conflict`] for one
/// that lacks menus.
pub async fn accept(app: &App, ctx: &Ctx, name: &str, backup_id: Uuid) -> Result<Backup, Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    let found = store::get(&mut *tx, device.device_id, backup_id).await?;
    let unknown = || Error::NotFound(format!("no backup {backup_id} of that device"));
    let found = found.ok_or_else(unknown)?;
    if !found.incomplete.is_empty() {
        let why = format!("the backup lacks {}: take another one", found.incomplete.join(", "));
        return Err(Error::Conflict(why));
    }
    if !found.accepted {
        let before = store::accepted(&mut *tx, device.device_id).await?;
        backup::accept(&mut tx, &found, &ctx.actor.name, ctx.now).await?;
        let before = json!({ "backup_id": before.map(|before| before.backup_id) });
        let after = json!({ "backup_id": backup_id });
        audit::record(&mut tx, ctx, "backup.accept", object(&device), before, after).await?;
    }
    tx.commit().await?;
    Ok(Backup { accepted: true, ..found })
}

fn object(device: &Device) -> Object<'_> {
    Object::new("device", device.device_id, &device.serial)
}
