//! What orders by hand wait for: the device's configuration is kept before it is changed, and a factory
//! configuration is tried on one device before others get it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::desired::reconcile::{self, Subject};
use crate::desired::world;
use crate::error::Error;
use crate::jobs::before::{self, Keep};
use crate::jobs::queue;
use crate::jobs::spec::{DownloadFile, JobSpec};
use crate::store::factory_trials::{self as trials, Trial};
use crate::store::jobs::Job;
use crate::store::{artifacts, backups};

/// Devices that are read together.
const BATCH: usize = 100;
/// What is to be done before many get a factory configuration.
const TRY_IT: &str =
    "try it on one device first: send it there, reset it, and wait until it is back";

/// Of which of these devices the configuration is kept before this is done, unless the order says in
/// `backup` what it wants: of all whose profiles do not say otherwise. Before what is not risky only of
/// those that have one with which the next is compared: what was changed by hand since is seen then.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`] for rows that cannot be read.
pub(super) async fn keep(
    app: &App,
    spec: &JobSpec,
    backup: Option<bool>,
    ids: &[Uuid],
) -> Result<Keep, Error> {
    if !before::changes(spec.kind()) {
        return Ok(Keep::Nothing);
    }
    match backup {
        Some(true) => return Ok(Keep::AllBut(BTreeSet::new())),
        Some(false) => return Ok(Keep::Nothing),
        None => {}
    }
    let (world, is_risky) = (world::current(app).await?, before::is_risky(spec));
    let mut others = BTreeSet::new();
    for ids in ids.chunks(BATCH) {
        let compared = match is_risky {
            true => Vec::new(),
            false => backups::with_accepted(&app.pool, ids).await?,
        };
        if !is_risky && compared.is_empty() {
            others.extend(ids);
            continue;
        }
        for Subject { facts, effective, .. } in reconcile::load(app, &world, ids).await? {
            let id = facts.device_id;
            let is_compared = !effective.is_nothing() && compared.contains(&id);
            let is_off = effective.backup.is_some_and(|backup| !backup.value.before_changes);
            if is_off || !(is_risky || is_compared) {
                others.insert(id);
            }
        }
    }
    Ok(Keep::AllBut(others))
}

/// Lets a new job take its file to its device: a factory configuration to the first, or to any once that
/// one is back with it; what else there is, if it is there.
///
/// # Errors
/// [`Error::Conflict`] while another device has it or is to get it; [`Error::Invalid`] where the file is
/// gone.
pub(super) async fn admit(
    conn: &mut PgConnection,
    ctx: &Ctx,
    spec: &JobSpec,
    job: &Job,
) -> Result<(), Error> {
    let Some(artifact_id) = factory_configuration(spec) else {
        return queue::check_artifact(conn, spec).await;
    };
    // A statement of its own, and the device's row was locked before: what follows sees what others did
    // who had the lock. One statement that waits sees the trial as it is by then, but no new job.
    if artifacts::lock(conn, artifact_id).await?.is_none() {
        return Err(Error::invalid("/artifact_id", format!("no artifact {artifact_id}")));
    }
    if is_proven(conn, artifact_id, ctx.now).await?
        || trials::take(conn, artifact_id, job.device_id, job.job_id).await?
    {
        return Ok(());
    }
    let by = by_whom(conn, ctx, artifact_id).await?;
    let by = by.unwrap_or_else(|| "one has it already, or is to get it".to_owned());
    Err(Error::Conflict(format!("{TRY_IT}; {by}")))
}

/// Lets a factory configuration go to many devices.
///
/// # Errors
/// [`Error::Conflict`] before one device is back with it.
pub(super) async fn admit_many(
    conn: &mut PgConnection,
    ctx: &Ctx,
    spec: &JobSpec,
) -> Result<(), Error> {
    let Some(artifact_id) = factory_configuration(spec) else { return Ok(()) };
    if is_proven(conn, artifact_id, ctx.now).await? {
        return Ok(());
    }
    let by = by_whom(conn, ctx, artifact_id).await?;
    Err(Error::Conflict(by.map_or_else(|| TRY_IT.to_owned(), |by| format!("{TRY_IT}; {by}"))))
}

/// Who tries a file, in words; `None` = nobody, or a device that the caller does not see.
async fn by_whom(
    conn: &mut PgConnection,
    ctx: &Ctx,
    artifact_id: Uuid,
) -> Result<Option<String>, Error> {
    let within = ctx.reach(Right::Read).within();
    let trial = trials::under_way(&mut *conn, artifact_id, within.as_ref()).await?;
    Ok(trial.map(|Trial { serial, job_id }| {
        format!("the device {serial} has it, or is to get it, by the job {job_id}")
    }))
}

async fn is_proven(
    conn: &mut PgConnection,
    artifact_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    trials::prove(&mut *conn, Some(artifact_id), now).await?;
    Ok(trials::is_proven(&mut *conn, artifact_id).await?)
}

/// The file, if it is to be a factory configuration.
fn factory_configuration(spec: &JobSpec) -> Option<Uuid> {
    match spec {
        JobSpec::Download(download) | JobSpec::ScheduleDownload { download, .. } => {
            let is = matches!(download.file, DownloadFile::FactoryConfiguration { .. });
            is.then_some(download.artifact_id)
        }
        _ => None,
    }
}
