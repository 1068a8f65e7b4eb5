//! What jobs have to do with files: which job a file is fetched for or was sent for, and the report
//! that was read in it. Decides nothing; the states of jobs change in [`super::change`] alone.

use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Job;

/// The open job of the device that fetches this artifact; of several the one that was begun.
pub async fn fetches(
    pool: &PgPool,
    device_id: Uuid,
    artifact_id: Uuid,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select job_id from jobs
         where device_id = $1 and state in ('queued', 'running', 'waiting')
           and (args ->> 'artifact_id' = $2 or args -> 'download' ->> 'artifact_id' = $2)
         order by state = 'queued' and attempts = 0, job_id
         limit 1",
        device_id,
        artifact_id.to_string()
    )
    .fetch_optional(pool)
    .await
}

/// Whether the log of a device says what became of a script.
pub async fn reports_scripts(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from device_facts
                          where device_id = $1 and is_routeros(manufacturer)) as "reports!""#,
        device_id
    )
    .fetch_one(conn)
    .await
}

/// The same, and that this is a script of somebody's of no more than so many bytes.
pub async fn can_be_framed(
    conn: &mut PgConnection,
    device_id: Uuid,
    artifact_id: Uuid,
    most: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from device_facts f, artifacts a
                          where f.device_id = $1 and is_routeros(f.manufacturer)
                            and a.artifact_id = $2 and not a.builtin and a.size <= $3) as "can!""#,
        device_id,
        artifact_id,
        most
    )
    .fetch_one(conn)
    .await
}

/// The open job of the device that brings it a configuration, if this is one.
pub async fn configures(
    pool: &PgPool,
    device_id: Uuid,
    job_id: Uuid,
) -> Result<Option<Job>, sqlx::Error> {
    sqlx::query_as!(
        Job,
        "select * from jobs
         where device_id = $1 and job_id = $2 and kind = 'configure'
           and state in ('queued', 'running', 'waiting')",
        device_id,
        job_id
    )
    .fetch_optional(pool)
    .await
}

/// Notes in the result of an open job what was read in the file that it asked for. The device's row is
/// locked.
pub async fn note_report(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
    report: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update jobs set result = jsonb_build_object('report', $3::jsonb)
         where device_id = $1 and job_id = $2 and state in ('queued', 'running', 'waiting')",
        device_id,
        job_id,
        report
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds to the result of a job, whatever its state, what was read in the file that another one of the
/// device asked for; false = it has a report, and this one is of nothing (`silent`). The device's row is
/// locked.
pub async fn add_report(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
    report: &Value,
    silent: bool,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update jobs
         set result = coalesce(result, '{}') || jsonb_build_object('report', $3::jsonb)
         where device_id = $1 and job_id = $2 and not ($4 and coalesce(result ? 'report', false))",
        device_id,
        job_id,
        report,
        silent
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The last file that the device has sent for this job, and its bytes.
pub async fn file_arrived(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
) -> Result<Option<(Uuid, i64)>, sqlx::Error> {
    let row = sqlx::query!(
        "select artifact_id, size from device_artifacts where device_id = $1 and job_id = $2
         order by artifact_id desc limit 1",
        device_id,
        job_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.artifact_id, row.size)))
}
