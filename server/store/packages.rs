//! RouterOS packages as downloads need them. The bytes are in the file store, under the package's id.

use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

/// A stored package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Which; also its name in the file store.
    pub package_id: Uuid,
    /// The RouterOS version that it is of.
    pub version: String,
    /// The architecture that it is for.
    pub arch: String,
    /// `routeros`, `tr069-client` ...
    pub name: String,
    /// As RouterOS of this version expects it at the end of an address.
    pub file_name: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the bytes.
    pub sha256: Vec<u8>,
    /// Why nothing new may be sent of its version, empty where nobody said why; `None` = it may.
    pub withdrawn: Option<String>,
}

/// An open upgrade of a device, for which a link is good.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The job.
    pub job_id: Uuid,
    /// Its arguments.
    pub args: Value,
    /// The rollout that it is part of.
    pub rollout_id: Option<Uuid>,
    /// Megabits per second that the downloads of that rollout may take together on a node.
    pub megabits: Option<i32>,
}

/// Those of these packages that are stored.
pub async fn by_ids(
    executor: impl PgExecutor<'_>,
    package_ids: &[Uuid],
) -> Result<Vec<Package>, sqlx::Error> {
    sqlx::query_as!(
        Package,
        r#"select p.package_id, p.version, p.arch, p.name, p.file_name, p.size, p.sha256,
                  case when r.withdrawn_at is not null then coalesce(r.withdrawn_why, '')
                       end as "withdrawn?"
           from packages p join releases r using (version)
           where p.package_id = any($1)
           order by p.package_id"#,
        package_ids
    )
    .fetch_all(executor)
    .await
}

/// The open upgrade of this device that is this job, or that names this package.
pub async fn wanted(
    pool: &PgPool,
    device_id: Uuid,
    subject: Uuid,
) -> Result<Option<Wanted>, sqlx::Error> {
    sqlx::query_as!(
        Wanted,
        r#"select j.job_id, j.args, j.rollout_id,
                  (r.plan -> 'pace' ->> 'megabits')::integer as "megabits?"
           from jobs j left join rollouts r on r.rollout_id = j.rollout_id
           where j.device_id = $1 and j.state in ('queued', 'running', 'waiting')
             and j.kind = 'upgrade'
             and (j.job_id = $2 or j.args -> 'packages' @> to_jsonb($3::text))
           order by j.job_id limit 1"#,
        device_id,
        subject,
        subject.to_string()
    )
    .fetch_optional(pool)
    .await
}
