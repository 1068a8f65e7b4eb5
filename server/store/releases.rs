//! Releases and their packages. The bytes are in the file store, under the package's id.
//!
//! Whoever adds or removes a package has locked its release ([`lock`]).

use std::error::Error as StdError;

use chrono::{DateTime, Utc};
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::within::Within;
use crate::firmware::catalogue::{Catalogue, Stored};

/// A RouterOS version of which something is stored, or was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// As `RosVersion` writes it.
    pub version: String,
    /// `RosVersion::key`: orders as RouterOS does.
    pub version_key: Vec<i32>,
    /// For people.
    pub notes: String,
    /// Since when nothing new may be sent of it; `None` = it may.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Why.
    pub withdrawn_why: Option<String>,
    /// Who.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When somebody last changed it, its packages apart.
    pub updated_at: DateTime<Utc>,
}

/// A stored package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// UUIDv7; also its name in the file store.
    pub package_id: Uuid,
    /// The release that it is of.
    pub version: String,
    /// `arm`, `x86` ...
    pub arch: String,
    /// `routeros`, `tr069-client` ...
    pub name: String,
    /// As RouterOS of this version expects it at the end of an address.
    pub file_name: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the bytes.
    pub sha256: Vec<u8>,
    /// When the vendor built it, as it says.
    pub built_at: Option<DateTime<Utc>>,
    /// Who.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl Package {
    /// As the planner knows it.
    ///
    /// # Errors
    /// [`sqlx::Error::Decode`] for a row that no upload wrote.
    pub fn stored(&self) -> Result<Stored, sqlx::Error> {
        Ok(Stored {
            package_id: self.package_id,
            name: self.name.clone(),
            version: self.version.parse::<RosVersion>().map_err(unread)?,
            arch: self.arch.parse::<Arch>().map_err(unread)?,
            file_name: self.file_name.clone(),
            size: u64::try_from(self.size).map_err(unread)?,
        })
    }
}

fn unread(error: impl StdError + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// What still needs a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// An open upgrade to it.
    pub job_id: Option<Uuid>,
    /// A rollout that has not come to its end and leads to it, or over it, by its name.
    pub rollout: Option<String>,
}

/// Devices that run a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// As one of them writes it; `None` = they have not told, or nothing of RouterOS.
    pub version: Option<String>,
    /// How many.
    pub devices: i64,
}

/// One release.
pub async fn release(
    executor: impl PgExecutor<'_>,
    version: &str,
) -> Result<Option<Release>, sqlx::Error> {
    sqlx::query_as!(
        Release,
        "select version, version_key, notes, withdrawn_at, withdrawn_why, created_by, created_at,
                updated_at
         from releases where version = $1",
        version
    )
    .fetch_optional(executor)
    .await
}

/// One release, which nobody else changes until the transaction ends.
pub async fn lock(conn: &mut PgConnection, version: &str) -> Result<Option<Release>, sqlx::Error> {
    sqlx::query_as!(
        Release,
        "select version, version_key, notes, withdrawn_at, withdrawn_why, created_by, created_at,
                updated_at
         from releases where version = $1 for update",
        version
    )
    .fetch_optional(conn)
    .await
}

/// The newest releases, older than a version.
pub async fn list(
    pool: &PgPool,
    before: Option<&[i32]>,
    limit: i64,
) -> Result<Vec<Release>, sqlx::Error> {
    sqlx::query_as!(
        Release,
        "select version, version_key, notes, withdrawn_at, withdrawn_why, created_by, created_at,
                updated_at
         from releases where $1::integer[] is null or version_key < $1
         order by version_key desc limit $2",
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Stores a release; false = it is there already, and stays as it is.
pub async fn insert(conn: &mut PgConnection, r: &Release) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into releases (version, version_key, notes, withdrawn_at, withdrawn_why, created_by,
                               created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (version) do nothing",
        r.version,
        r.version_key.as_slice(),
        r.notes,
        r.withdrawn_at,
        r.withdrawn_why,
        r.created_by,
        r.created_at,
        r.updated_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores what of it can change.
pub async fn update(conn: &mut PgConnection, r: &Release) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update releases set notes = $2, withdrawn_at = $3, withdrawn_why = $4, updated_at = $5
         where version = $1",
        r.version,
        r.notes,
        r.withdrawn_at,
        r.withdrawn_why,
        r.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a release with its packages; gives their ids.
pub async fn delete(conn: &mut PgConnection, version: &str) -> Result<Vec<Uuid>, sqlx::Error> {
    let packages = sqlx::query_scalar!(
        "delete from packages where version = $1 returning package_id",
        version
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!("delete from releases where version = $1", version).execute(conn).await?;
    Ok(packages)
}

/// What still needs a release.
pub async fn users(executor: impl PgExecutor<'_>, version: &str) -> Result<Users, sqlx::Error> {
    sqlx::query_as!(
        Users,
        r#"select
             (select j.job_id from jobs j
              where j.state in ('queued', 'running', 'waiting') and j.kind = 'upgrade'
                and j.args ->> 'version' = $1
              limit 1) as "job_id?",
             (select r.name from rollouts r
              where r.state not in ('completed', 'aborted', 'rolled_back')
                and ((r.change ->> 'kind' = 'release' and r.change ->> 'version' = $1)
                     or exists (
                         select from rollout_devices d
                         where d.rollout_id = r.rollout_id
                           and d.state in ('waiting', 'due', 'offered', 'downloading', 'rebooting',
                                           'verifying')
                           and d.steps @> jsonb_build_array(
                                   jsonb_build_object('step', 'upgrade', 'version', $1::text))))
              order by r.rollout_id desc limit 1) as "rollout?""#,
        version
    )
    .fetch_one(executor)
    .await
}

/// The packages of these releases: by release, architecture and name.
pub async fn packages(
    executor: impl PgExecutor<'_>,
    versions: &[String],
) -> Result<Vec<Package>, sqlx::Error> {
    sqlx::query_as!(
        Package,
        "select package_id, version, arch, name, file_name, size, sha256, built_at, created_by,
                created_at
         from packages where version = any($1) order by version, arch, name",
        versions
    )
    .fetch_all(executor)
    .await
}

/// One package.
pub async fn package(
    executor: impl PgExecutor<'_>,
    package_id: Uuid,
) -> Result<Option<Package>, sqlx::Error> {
    sqlx::query_as!(
        Package,
        "select package_id, version, arch, name, file_name, size, sha256, built_at, created_by,
                created_at
         from packages where package_id = $1",
        package_id
    )
    .fetch_optional(executor)
    .await
}

/// The package that stands in the way of this one: of the same bytes, else of the same name.
pub async fn twin(
    executor: impl PgExecutor<'_>,
    p: &Package,
) -> Result<Option<Package>, sqlx::Error> {
    sqlx::query_as!(
        Package,
        "select package_id, version, arch, name, file_name, size, sha256, built_at, created_by,
                created_at
         from packages
         where sha256 = $1 or (version = $2 and arch = $3 and name = $4)
         order by sha256 = $1 desc limit 1",
        p.sha256,
        p.version,
        p.arch,
        p.name
    )
    .fetch_optional(executor)
    .await
}

/// Stores the record of a package; the bytes are already in the file store.
pub async fn insert_package(conn: &mut PgConnection, p: &Package) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into packages (package_id, version, arch, name, file_name, size, sha256, built_at,
                               created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        p.package_id,
        p.version,
        p.arch,
        p.name,
        p.file_name,
        p.size,
        p.sha256,
        p.built_at,
        p.created_by,
        p.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the record of a package; false = there is none.
pub async fn delete_package(
    conn: &mut PgConnection,
    package_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!("delete from packages where package_id = $1", package_id)
        .execute(conn)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// All that is stored, as the planner knows it.
pub async fn catalogue(pool: &PgPool) -> Result<Catalogue, sqlx::Error> {
    let rows = sqlx::query_as!(
        Package,
        "select package_id, version, arch, name, file_name, size, sha256, built_at, created_by,
                created_at
         from packages"
    )
    .fetch_all(pool)
    .await?;
    let packages: Vec<Stored> = rows.iter().map(Package::stored).collect::<Result<_, _>>()?;
    let rows = sqlx::query!(
        r#"select version, coalesce(withdrawn_why, '') as "why!" from releases
           where withdrawn_at is not null"#
    )
    .fetch_all(pool)
    .await?;
    let mut withdrawn = Vec::with_capacity(rows.len());
    for row in rows {
        withdrawn.push((row.version.parse::<RosVersion>().map_err(unread)?, row.why));
    }
    Ok(Catalogue::new(packages, withdrawn))
}

/// How many devices run which version.
pub async fn running(pool: &PgPool, within: Option<&Within>) -> Result<Vec<Running>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Running,
        r#"select case when f.version_key is not null then min(f.software_version)
                  end as "version?",
                  count(*) as "devices!"
           from device_facts f
           where $1::text[] is null or f.site <@ any($1::text[]::ltree[])
              or ($2::uuid[] is not null and f.device_id in (
                  select m.device_id from group_members m where m.group_id = any($2::uuid[])))
           group by f.version_key"#,
        sites,
        groups
    )
    .fetch_all(pool)
    .await
}
