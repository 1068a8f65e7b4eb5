//! What rollouts are told of the jobs and the devices in them: that there is something to look at.
//!
//! A rollout costs nothing for devices to which nothing happens. So whoever ends a job of one, or
//! hears of a device in one, says so here, in the transaction of what happened. Only the time of the
//! next look is written, and written anew also where it has come already: whoever looks at this
//! moment sees by it that there is more.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Job;

/// The device of this job is to be looked at: the job was accepted, came further, or has ended. The
/// device's row is locked.
pub async fn tell_rollout(
    conn: &mut PgConnection,
    job: &Job,
    rollout_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices set due_at = $4
         where device_id = $1 and rollout_id = $2 and job_id = $3
           and state in ('due', 'offered', 'downloading', 'rebooting', 'verifying', 'healthy')",
        job.device_id,
        rollout_id,
        job.job_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// There is news of this device, for the rollouts in which it is under way or still watched. The
/// device's row is locked.
pub async fn tell_rollouts(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices set due_at = $2
         where device_id = $1
           and (state in ('due', 'offered', 'downloading', 'rebooting', 'verifying')
                -- One that is healthy and has no next look is watched no more.
                or (state = 'healthy' and due_at is not null))",
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
