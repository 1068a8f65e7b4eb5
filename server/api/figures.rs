//! The figures of the installation: what the fleet is made of, what went wrong, how it was over the
//! last day, and how the database, the queues and the disks are.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::QueryArgs;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::overview::{self, Over, Shares};
use crate::service::system::{self, DatabaseState, Queues, Space};
use crate::store::overview::Problem as BadEnd;
use crate::store::samples::{Sample, Versions};
use crate::store::system::{Due, Migration};

/// How far back the history goes.
const HISTORY: TimeDelta = TimeDelta::days(1);

/// The figures. Devices and jobs are those that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Figures {
    /// Devices, counted.
    fleet: FleetFigures,
    /// By model (ProductClass).
    models: SharesView,
    /// By software version.
    versions: SharesView,
    /// The jobs that failed or expired last, the newest first; at most 10.
    problems: Vec<FailedJob>,
    /// The last 24 hours, minute by minute, oldest first; empty for who does not see all devices.
    history: Vec<SampleView>,
    /// What devices ran, over the last 30 days or the last year, oldest first; empty for who does not
    /// see all devices.
    version_history: Vec<VersionsView>,
    /// The database.
    database: DatabaseView,
    /// What waits.
    queues: QueuesView,
    /// The directories of the node that answers.
    directories: Vec<DirectoryView>,
}

/// Devices, counted.
#[derive(Debug, Serialize, ToSchema)]
struct FleetFigures {
    /// In the inventory.
    devices: i64,
    /// Those that informed within three periodic inform intervals.
    online: i64,
    /// Those first seen within the last 24 hours.
    fresh: i64,
    /// Those with a job that failed or expired within the last 24 hours.
    faulted: i64,
}

/// What devices have, by how many have it.
#[derive(Debug, Serialize, ToSchema)]
struct SharesView {
    /// The greatest first; at most 12.
    top: Vec<ShareView>,
    /// Devices that have something else.
    others: i64,
    /// Devices in all.
    all: i64,
}

/// How many devices share something.
#[derive(Debug, Serialize, ToSchema)]
struct ShareView {
    /// What they share; null = it is not known of them.
    value: Option<String>,
    /// How many.
    devices: i64,
}

/// A job that did not end well.
#[derive(Debug, Serialize, ToSchema)]
struct FailedJob {
    /// Which.
    job_id: Uuid,
    /// Whose.
    device_id: Uuid,
    /// The device's serial number.
    serial: String,
    /// Path of the site where the device stands.
    site: Option<String>,
    /// The job's kind.
    kind: String,
    /// failed or expired.
    state: String,
    /// Why, in words.
    note: Option<String>,
    /// The fault, as the device sent it.
    #[schema(value_type = Option<Object>)]
    fault: Option<Value>,
    /// When it ended.
    finished_at: DateTime<Utc>,
}

/// The fleet at a minute.
#[derive(Debug, Serialize, ToSchema)]
struct SampleView {
    /// The minute's beginning.
    at: DateTime<Utc>,
    /// Devices in the inventory.
    devices: i64,
    /// Those online.
    online: i64,
    /// Those first seen within the day before.
    fresh: i64,
    /// Those with a job that failed or expired within the day before.
    faulted: i64,
    /// Informs since the sample before, of all nodes.
    informs: i64,
}

/// What devices ran at a time. It is counted once an hour.
#[derive(Debug, Serialize, ToSchema)]
struct VersionsView {
    /// When.
    at: DateTime<Utc>,
    /// How many ran which version: the 12 most frequent; all others, and those that did not tell, are
    /// `other`.
    versions: BTreeMap<String, i64>,
}

/// Which figures.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FiguresQuery {
    /// How far back `version_history` goes: `month` (30 days, each six hours; also when absent) or
    /// `year` (365 days, each three days).
    #[param(inline)]
    versions_over: Option<Over>,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
struct DatabaseView {
    /// Of PostgreSQL.
    version: String,
    /// Its name.
    name: String,
    /// What it takes on the disk.
    bytes: i64,
    /// Connections to it, of all nodes.
    connections: i64,
    /// Connections that the server takes.
    max_connections: i64,
    /// What was done to it, in order.
    migrations: Vec<MigrationView>,
    /// Migrations that the node knows that answers; with another number, nodes of several versions
    /// run.
    migrations_known: usize,
}

/// A migration that was applied.
#[derive(Debug, Serialize, ToSchema)]
struct MigrationView {
    /// Its number.
    version: i64,
    /// What it is called.
    description: String,
    /// When it was applied.
    applied_at: DateTime<Utc>,
}

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
struct QueuesView {
    /// Open jobs by state.
    jobs: BTreeMap<String, i64>,
    /// Queued jobs that may run: they wait for their devices.
    jobs_due: DueView,
    /// Devices that are to be woken now.
    wakes_due: DueView,
}

/// What is due.
#[derive(Debug, Serialize, ToSchema)]
struct DueView {
    /// How many.
    count: i64,
    /// Since when the oldest of them is.
    since: Option<DateTime<Utc>>,
}

/// A directory, and the room on its disk.
#[derive(Debug, Serialize, ToSchema)]
struct DirectoryView {
    /// Where.
    path: String,
    /// Free bytes; null = the disk does not say.
    free: Option<u64>,
    /// Bytes of the whole disk.
    total: Option<u64>,
}

impl SharesView {
    fn of(s: Shares) -> Self {
        let top = s.top.into_iter().map(|t| ShareView { value: t.value, devices: t.devices });
        Self { top: top.collect(), others: s.others, all: s.all }
    }
}

impl FailedJob {
    fn of(p: BadEnd) -> Self {
        Self {
            job_id: p.job_id,
            device_id: p.device_id,
            serial: p.serial,
            site: p.site,
            kind: p.kind,
            state: p.state,
            note: p.note,
            fault: p.fault,
            finished_at: p.finished_at,
        }
    }
}

impl SampleView {
    fn of(s: Sample) -> Self {
        Self {
            at: s.at,
            devices: s.devices,
            online: s.online,
            fresh: s.fresh,
            faulted: s.faulted,
            informs: s.informs,
        }
    }
}

impl VersionsView {
    fn of(v: Versions) -> Self {
        Self { at: v.at, versions: v.versions }
    }
}

impl DatabaseView {
    fn of(state: DatabaseState) -> Self {
        let migration = |m: Migration| MigrationView {
            version: m.version,
            description: m.description,
            applied_at: m.installed_on,
        };
        Self {
            version: state.database.version,
            name: state.database.name,
            bytes: state.database.bytes,
            connections: state.database.connections,
            max_connections: state.database.max_connections,
            migrations: state.applied.into_iter().map(migration).collect(),
            migrations_known: state.known,
        }
    }
}

impl QueuesView {
    fn of(queues: Queues) -> Self {
        let due = |due: Due| DueView { count: due.count, since: due.since };
        Self { jobs: queues.jobs, jobs_due: due(queues.jobs_due), wakes_due: due(queues.wakes_due) }
    }
}

impl DirectoryView {
    fn of(s: Space) -> Self {
        Self { path: s.directory.display().to_string(), free: s.free, total: s.total }
    }
}

/// Get the figures of the installation
///
/// What the dashboard shows of it. Counting takes a while where there are many devices: for a look
/// now and then, not every second.
#[utoipa::path(
    get,
    path = "/api/v1/system/figures",
    tag = "system",
    params(FiguresQuery),
    responses((status = 200, description = "The figures", body = Figures), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_figures(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<FiguresQuery>,
) -> Result<Json<Figures>, Problem> {
    let over = query.versions_over.unwrap_or_default();
    // One after the other: whoever asks often must not take all connections to the database.
    let fleet = overview::figures(&app, &ctx).await?.fleet;
    let problems = overview::problems(&app, &ctx).await?;
    let history = overview::history(&app, &ctx, ctx.now - HISTORY).await?;
    let versions = overview::version_history(&app, &ctx, over).await?;
    let directories = system::space(&app, &ctx).await?;
    Ok(Json(Figures {
        fleet: FleetFigures {
            devices: fleet.devices,
            online: fleet.online,
            fresh: fleet.fresh,
            faulted: fleet.faulted,
        },
        models: SharesView::of(overview::models(&app, &ctx).await?),
        versions: SharesView::of(overview::versions(&app, &ctx).await?),
        problems: problems.into_iter().map(FailedJob::of).collect(),
        history: history.into_iter().map(SampleView::of).collect(),
        version_history: versions.into_iter().map(VersionsView::of).collect(),
        database: DatabaseView::of(system::database(&app, &ctx).await?),
        queues: QueuesView::of(system::queues(&app, &ctx).await?),
        directories: directories.into_iter().map(DirectoryView::of).collect(),
    }))
}
