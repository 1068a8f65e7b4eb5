//! Desired state: what a device is to be, how far it is from that, and the jobs that close the gap.
//!
//! - [`effective`]: how the layers fleet < site < group < device become one. Pure.
//! - [`differ`]: what differs, and what is to be done about it. Pure.
//! - [`world`]: profiles, bindings, sites and templates, read once for many devices.
//! - [`pace`]: how many are compared in a second. Pure.
//! - [`reconcile`]: compares devices and makes their jobs. [`mod@sweep`]: brings a change of what is
//!   wanted through the fleet, at the pace that the operator sets.
//!
//! Owns that nothing is sent where nothing differs, that a difference is recorded before it is mended,
//! and that a device that keeps undoing a value is left alone for a while. It must never hold a
//! transaction while a template is rendered, nor change a device in quarantine.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

pub mod differ;
pub mod effective;
mod orders;
pub mod pace;
pub mod reconcile;
mod release;
pub(crate) mod script;
pub mod sweep;
pub mod world;

use crate::ctx::App;
use crate::error::Error;
use crate::store::{desired as store, sweeps};
use effective::Effective;

/// The keys of jobs that this module makes begin like this.
pub use crate::jobs::queue::DESIRED as KEY;

/// A device and what is wanted of it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it is to be, secrets in clear.
    pub effective: Effective,
    /// How far it is from it.
    pub row: store::Row,
}

/// What is wanted of a device, and how far it is from that.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Database`].
pub async fn of_device(app: &App, device_id: Uuid) -> Result<Standing, Error> {
    let world = world::current(app).await?;
    let mut found = reconcile::load(app, &world, &[device_id]).await?;
    let gone = || Error::NotFound(format!("no device {device_id}"));
    let subject = found.pop().ok_or_else(gone)?;
    Ok(Standing { effective: subject.effective, row: subject.row })
}

/// Has a device compared now.
///
/// # Errors
/// [`sqlx::Error`].
pub async fn touch(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    store::touch(conn, device_id, now).await
}

/// Has everybody compared whom a selector finds, or the whole fleet, so many a second.
///
/// # Errors
/// [`sqlx::Error`].
pub async fn sweep(
    conn: &mut PgConnection,
    reason: &str,
    selector: Option<String>,
    per_second: u32,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Uuid, sqlx::Error> {
    let sweep = sweeps::Sweep {
        sweep_id: Uuid::now_v7(),
        reason: reason.to_owned(),
        selector,
        per_second: i32::try_from(per_second).unwrap_or(i32::MAX),
        state: "running".to_owned(),
        cursor: None,
        seen: 0,
        differing: 0,
        created_by: by.to_owned(),
        created_at: now,
        finished_at: None,
    };
    sweeps::insert(conn, &sweep).await?;
    Ok(sweep.sweep_id)
}
