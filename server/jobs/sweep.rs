//! The sweep: jobs whose deadline or lease has passed, although their device does not come.
//!
//! A reconciler: it takes no input, does one bounded batch, and may run on every node at once,
//! because each device is brought up to date under its own row lock.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::queue;
use crate::error::Error;
use crate::store::{factory_trials, jobs as store};

/// Devices in one pass.
const BATCH: i64 = 200;
/// Ended jobs are kept this long.
const KEEP: TimeDelta = TimeDelta::days(90);
/// Ended jobs deleted in one pass.
const PURGE: i64 = 2_000;

/// One pass; true = there may be more.
pub async fn pass(pool: &PgPool, now: DateTime<Utc>) -> Result<bool, Error> {
    let overdue = store::overdue(pool, now, BATCH).await?;
    for device_id in &overdue {
        let mut tx = pool.begin().await?;
        if store::lock_device(&mut tx, *device_id).await? {
            overdue_of(&mut tx, *device_id, now).await?;
        }
        tx.commit().await?;
    }
    Ok(overdue.len() as i64 >= BATCH)
}

/// Deletes ended jobs that are too old, a bounded number.
pub async fn purge(pool: &PgPool, now: DateTime<Utc>) -> Result<(), Error> {
    factory_trials::prove(pool, None, now).await?;
    store::purge(pool, now - KEEP, PURGE).await?;
    Ok(())
}

/// The head of the line, and expired jobs behind it: those would otherwise be found again and again.
async fn overdue_of(
    conn: &mut sqlx::PgConnection,
    device_id: uuid::Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    queue::expire_behind_head(conn, device_id, now).await?;
    queue::advance_and_wake(conn, device_id, now).await
}
