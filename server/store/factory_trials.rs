//! Factory configurations: to which device each goes first, and whether that came back with it.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::within::Within;

/// To which device a file went, or is to go, first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Serial number of the device, as sent.
    pub serial: String,
    /// The job that takes it there.
    pub job_id: Uuid,
}

/// Notes of which files, or of this one, a device is back after a reset that came after the file. Before
/// the jobs that say so are purged.
pub async fn prove(
    db: impl PgExecutor<'_>,
    artifact_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // A reset is done when its device has come to Muster again, without a configuration of its own; one
    // by the button has no job.
    sqlx::query!(
        "update factory_trials t
         set proven_at = $2
         where t.proven_at is null and ($1::uuid is null or t.artifact_id = $1)
           and exists (select from jobs sent
                       where sent.device_id = t.device_id and sent.job_id = t.job_id
                         and sent.state = 'done'
                         and (exists (select from jobs reset
                                      where reset.device_id = sent.device_id
                                        and reset.job_id > sent.job_id
                                        and reset.kind = 'factory_reset' and reset.state = 'done'
                                        and reset.finished_at > sent.finished_at)
                              or exists (select from device_desired d
                                         where d.device_id = sent.device_id
                                           and d.reset_at > sent.finished_at)))",
        artifact_id,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether a device has come back with this file.
pub async fn is_proven(db: impl PgExecutor<'_>, artifact_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from factory_trials
                          where artifact_id = $1 and proven_at is not null) as "proven!""#,
        artifact_id
    )
    .fetch_one(db)
    .await
}

/// Which device has a file, or is to get it, if it is within; `None` also where that came to nothing.
pub async fn under_way(
    db: impl PgExecutor<'_>,
    artifact_id: Uuid,
    within: Option<&Within>,
) -> Result<Option<Trial>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Trial,
        "select f.serial, t.job_id from factory_trials t
         join device_facts f on f.device_id = t.device_id
         join jobs j on j.device_id = t.device_id and j.job_id = t.job_id
         where t.artifact_id = $1 and j.state in ('queued', 'running', 'waiting', 'done')
           and ($2::text[] is null or f.site <@ any($2::text[]::ltree[])
                or ($3::uuid[] is not null and f.device_id in (
                    select m.device_id from group_members m where m.group_id = any($3::uuid[]))))",
        artifact_id,
        sites,
        groups
    )
    .fetch_optional(db)
    .await
}

/// Notes that a file goes to its first device by this job; false = another one has it already, or is to
/// get it, and has not been found back. The file is locked: of orders at the same time one passes.
pub async fn take(
    conn: &mut PgConnection,
    artifact_id: Uuid,
    device_id: Uuid,
    job_id: Uuid,
) -> Result<bool, sqlx::Error> {
    // A trial that came to nothing is none: its job did not end well, or is gone with its device.
    let done = sqlx::query!(
        "insert into factory_trials as t (artifact_id, device_id, job_id)
         values ($1, $2, $3)
         on conflict (artifact_id) do update
         set device_id = excluded.device_id, job_id = excluded.job_id
         where t.proven_at is null
           and (t.device_id = excluded.device_id
                or not exists (select from jobs j
                               where j.device_id = t.device_id and j.job_id = t.job_id
                                 and j.state in ('queued', 'running', 'waiting', 'done')))",
        artifact_id,
        device_id,
        job_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
