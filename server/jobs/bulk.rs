//! One job on many devices.
//!
//! Owns how many, and that each device has its job or has not: a few devices to a transaction, so
//! that none of their informs waits for long.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::before::{self, Keep};
use super::queue::{self, Order};
use crate::access::grant::Reach;
use crate::error::Error;
use crate::fleet::secret::Keys;
use crate::store::{groups, jobs as store, sites};

/// Devices that one order may be for.
pub const MAX_DEVICES: usize = 10_000;
/// Devices to a transaction.
const BATCH: usize = 20;

/// What became of an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Made {
    /// Devices that got the job.
    pub created: u64,
    /// Devices that did not: they have it already by its idempotency key, their line is full, or
    /// they were removed or moved out of reach meanwhile.
    pub skipped: u64,
}

/// An order that was not carried out to the end.
#[derive(Debug)]
pub struct Stopped {
    /// What had been done, and stays.
    pub made: Made,
    /// Why it went no further.
    pub error: Error,
}

/// Makes the job on each device; whose it is in `order` does not matter. The devices are in order of
/// their ids, as everything is that locks several. Those that are not `within` any more are left
/// out. The configuration of those in `keep` is kept first. `clock` tells the time of each batch:
/// whoever follows events misses none of a long order.
///
/// # Errors
/// [`Stopped`] by the first failure that is not a device's own.
pub async fn create(
    pool: &PgPool,
    keys: &Keys,
    devices: &[Uuid],
    order: &Order,
    keep: &Keep,
    within: &Reach,
    clock: fn() -> DateTime<Utc>,
) -> Result<Made, Stopped> {
    let mut made = Made::default();
    for batch in devices.chunks(BATCH) {
        match create_batch(pool, keys, batch, order, keep, within, clock()).await {
            Ok(Made { created, skipped }) => {
                made.created += created;
                made.skipped += skipped;
            }
            Err(error) => return Err(Stopped { made, error }),
        }
    }
    Ok(made)
}

async fn create_batch(
    pool: &PgPool,
    keys: &Keys,
    devices: &[Uuid],
    order: &Order,
    keep: &Keep,
    within: &Reach,
    now: DateTime<Utc>,
) -> Result<Made, Error> {
    let mut tx = pool.begin().await?;
    queue::check_artifact(&mut tx, &order.spec).await?;
    let mut made = Made::default();
    for device_id in devices {
        store::lock_device(&mut tx, *device_id).await?;
        // It may have been removed or moved since it was found; from here on it stays.
        let site = sites::of_device(&mut tx, *device_id).await?;
        let in_groups = match within.names_groups() {
            true => groups::of_device(&mut *tx, *device_id).await?,
            false => Vec::new(),
        };
        if !site.is_some_and(|site| within.covers_device(site.as_deref(), &in_groups)) {
            made.skipped += 1;
            continue;
        }
        let order = Order { device_id: *device_id, ..order.clone() };
        match before::create(&mut tx, keys, order, keep.of(*device_id), now).await {
            Ok((_, true)) => made.created += 1,
            Ok((_, false)) | Err(Error::NotFound(_) | Error::Conflict(_)) => made.skipped += 1,
            Err(error) => return Err(error),
        }
    }
    tx.commit().await?;
    Ok(made)
}
