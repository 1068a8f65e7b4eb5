//! How Muster itself is: its database, what waits in the queues, the room on the disk.
//!
//! What waits is of the devices that the caller may see; the rest belongs to no site and is seen by
//! whoever may read anywhere. It changes nothing, and shows no setting that is secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sys::statvfs::statvfs;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::MIGRATOR;
use crate::store::system::{self as store, Database, Due, Migration};

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseState {
    /// What it is.
    pub database: Database,
    /// What was done to it, in order.
    pub applied: Vec<Migration>,
    /// Migrations that this Muster knows; where the two differ, nodes of several versions run.
    pub known: usize,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queues {
    /// Open jobs by state.
    pub jobs: BTreeMap<String, i64>,
    /// Queued jobs that may run: they wait for their devices.
    pub jobs_due: Due,
    /// Devices that are to be woken now.
    pub wakes_due: Due,
}

/// A directory of this node's, and the room on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Where.
    pub directory: PathBuf,
    /// Free for Muster, in bytes; `None` = the disk does not say.
    pub free: Option<u64>,
    /// Of the whole disk, in bytes.
    pub total: Option<u64>,
}

/// The database and its migrations.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn database(app: &App, ctx: &Ctx) -> Result<DatabaseState, Error> {
    ctx.require(Right::Read)?;
    let (database, applied) =
        tokio::try_join!(store::database(&app.pool), store::migrations(&app.pool))?;
    Ok(DatabaseState { database, applied, known: MIGRATOR.iter().count() })
}

/// How much waits, and since when.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn queues(app: &App, ctx: &Ctx) -> Result<Queues, Error> {
    let within = ctx.require(Right::Read)?.within();
    let (pool, within) = (&app.pool, within.as_ref());
    let (jobs, jobs_due, wakes_due) = tokio::try_join!(
        store::jobs_open(pool, within),
        store::jobs_due(pool, ctx.now, within),
        store::wakes_due(pool, ctx.now, within),
    )?;
    Ok(Queues { jobs: jobs.into_iter().collect(), jobs_due, wakes_due })
}

/// The directories in which this node keeps what is not in the database.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Internal`] when the process is ending.
pub async fn space(app: &App, ctx: &Ctx) -> Result<Vec<Space>, Error> {
    ctx.require(Right::Read)?;
    let mut directories = vec![app.config.data_dir.clone(), app.config.artifact_dir()];
    directories.dedup();
    // A disk that hangs must hold up nobody else.
    let asked = tokio::task::spawn_blocking(|| {
        directories.into_iter().map(space_of).collect::<Vec<Space>>()
    });
    asked.await.map_err(|e| Error::Internal(e.to_string()))
}

fn space_of(directory: PathBuf) -> Space {
    let disk = statvfs(&directory).ok();
    let bytes = |blocks: u64, size: u64| blocks.saturating_mul(size);
    Space {
        free: disk.as_ref().map(|d| bytes(d.blocks_available(), d.fragment_size())),
        total: disk.as_ref().map(|d| bytes(d.blocks(), d.fragment_size())),
        directory,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_directory_has_some_room_and_none_is_no_panic() {
        let here = tempfile::tempdir().unwrap();
        let space = space_of(here.path().to_owned());
        assert!(space.free.unwrap() <= space.total.unwrap() && space.total.unwrap() > 0);
        assert_eq!(space_of(here.path().join("nothing")).free, None);
    }
}
