//! Configurations of devices as they exported them: each content once, and each time that one came.
//!
//! All statements go by the primary key, which begins with the device: a history is short, and a fleet
//! that sends a backup each night has no table that is searched through. The one exception is what
//! changed of late, which has an index of its own.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::within::Within;

/// One backup; its text is in `device_configs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Whose.
    pub device_id: Uuid,
    /// UUIDv7: the order.
    pub backup_id: Uuid,
    /// When it came.
    pub at: DateTime<Utc>,
    /// SHA-256 of the text as it is kept: normalised, without secrets.
    pub sha256: Vec<u8>,
    /// Keyed hash of what came, secrets and all; `None` = it came before there was this.
    pub whole: Option<Vec<u8>>,
    /// The file as it came; `None` = it is gone. Of several that say the same it is one file.
    pub artifact_id: Option<Uuid>,
    /// The job that brought it.
    pub job_id: Option<Uuid>,
    /// Word of `fleet::backup::Cause`.
    pub cause: String,
    /// Menus that the device could not export.
    pub incomplete: Vec<String>,
    /// It says something else than the complete one before it.
    pub changed: bool,
    /// Lines that are new then.
    pub added: i32,
    /// Lines that are gone then.
    pub removed: i32,
    /// What differs from this one is drift.
    pub accepted: bool,
}

/// Keeps a backup, and its text where no other of the device says the same.
pub async fn insert(conn: &mut PgConnection, b: &Backup, body: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_configs (device_id, sha256, body) values ($1, $2, $3)
         on conflict do nothing",
        b.device_id,
        b.sha256,
        body
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into device_backups (device_id, backup_id, at, sha256, artifact_id, job_id, cause,
                                     incomplete, changed, added, removed, accepted, whole)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        b.device_id,
        b.backup_id,
        b.at,
        b.sha256,
        b.artifact_id,
        b.job_id,
        b.cause,
        &b.incomplete,
        b.changed,
        b.added,
        b.removed,
        b.accepted,
        b.whole.as_deref()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One backup of a device.
pub async fn get(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
    backup_id: Uuid,
) -> Result<Option<Backup>, sqlx::Error> {
    sqlx::query_as!(
        Backup,
        "select * from device_backups where device_id = $1 and backup_id = $2",
        device_id,
        backup_id
    )
    .fetch_optional(db)
    .await
}

/// A device's, newest first, before one.
pub async fn list(
    pool: &PgPool,
    device_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Backup>, sqlx::Error> {
    sqlx::query_as!(
        Backup,
        "select * from device_backups
         where device_id = $1 and ($2::uuid is null or backup_id < $2)
         order by backup_id desc limit $3",
        device_id,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// The newest complete one of a device; with `before` the newest before that one.
pub async fn complete(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
    before: Option<Uuid>,
) -> Result<Option<Backup>, sqlx::Error> {
    sqlx::query_as!(
        Backup,
        "select * from device_backups
         where device_id = $1 and incomplete = '{}' and ($2::uuid is null or backup_id < $2)
         order by backup_id desc limit 1",
        device_id,
        before
    )
    .fetch_optional(db)
    .await
}

/// Whether a job of a device brought a complete one.
pub async fn came_whole(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from device_backups
                          where device_id = $1 and job_id = $2 and incomplete = '{}') as "came!""#,
        device_id,
        job_id
    )
    .fetch_one(conn)
    .await
}

/// Whether a complete one of a device came since a time.
pub async fn came_since(
    conn: &mut PgConnection,
    device_id: Uuid,
    since: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from device_backups b
               where b.device_id = $1 and b.incomplete = '{}'
                 and (b.at >= $2
                      -- One job may be waited for by several changes, the later of them made after its
                      -- file came.
                      or exists (select from jobs j
                                 where j.device_id = $1 and j.job_id = b.job_id
                                   and j.finished_at >= $2))) as "came!""#,
        device_id,
        since
    )
    .fetch_one(conn)
    .await
}

/// Which of these devices have one that stands for what is wanted.
pub async fn with_accepted(pool: &PgPool, devices: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select device_id from device_backups where device_id = any($1) and accepted",
        devices
    )
    .fetch_all(pool)
    .await
}

/// The one that stands for what is wanted of a device.
pub async fn accepted(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
) -> Result<Option<Backup>, sqlx::Error> {
    sqlx::query_as!(
        Backup,
        "select * from device_backups where device_id = $1 and accepted
         order by backup_id desc limit 1",
        device_id
    )
    .fetch_optional(db)
    .await
}

/// The text of a device's configuration of this hash.
pub async fn body(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
    sha256: &[u8],
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select body from device_configs where device_id = $1 and sha256 = $2",
        device_id,
        sha256
    )
    .fetch_optional(db)
    .await
}

/// The hashes of all texts of a device.
pub async fn hashes(conn: &mut PgConnection, device_id: Uuid) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!("select sha256 from device_configs where device_id = $1", device_id)
        .fetch_all(conn)
        .await
}

/// Puts another text in the place of one of a device, in all of its backups.
pub async fn replace(
    conn: &mut PgConnection,
    device_id: Uuid,
    was: &[u8],
    sha256: &[u8],
    body: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_configs (device_id, sha256, body) values ($1, $2, $3)
         on conflict do nothing",
        device_id,
        sha256,
        body
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update device_backups set sha256 = $3 where device_id = $1 and sha256 = $2",
        device_id,
        was,
        sha256
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from device_configs where device_id = $1 and sha256 = $2", device_id, was)
        .execute(conn)
        .await?;
    Ok(())
}

/// Many texts, by device and hash, without those of more than so many bytes.
pub async fn bodies(
    pool: &PgPool,
    wanted: &[(Uuid, Vec<u8>)],
    most: i32,
) -> Result<Vec<(Uuid, Vec<u8>, String)>, sqlx::Error> {
    let (devices, hashes): (Vec<Uuid>, Vec<Vec<u8>>) = wanted.iter().cloned().unzip();
    let rows = sqlx::query!(
        "select c.device_id, c.sha256, c.body
         from unnest($1::uuid[], $2::bytea[]) as w (device_id, sha256)
         join device_configs c using (device_id, sha256)
         where octet_length(c.body) <= $3",
        &devices,
        &hashes,
        most
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.sha256, row.body)).collect())
}

/// Lets this one stand for what is wanted, in place of any other; `None` = none does.
pub async fn accept(
    conn: &mut PgConnection,
    device_id: Uuid,
    backup_id: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_backups set accepted = coalesce(backup_id = $2::uuid, false)
         where device_id = $1 and (accepted or backup_id = $2::uuid)",
        device_id,
        backup_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets the next complete backup stand for what is wanted, because the device was changed by order; but
/// not where drift is told: that is for somebody to look at first. `file` is what the device fetched, if
/// that is how it was changed: a script of Muster's own only asks. True = one stood for it until now.
pub async fn accept_anew(
    conn: &mut PgConnection,
    device_id: Uuid,
    file: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    let stood = sqlx::query!(
        r#"update device_backups set accepted = false
           where device_id = $1 and accepted
             and not exists (select from device_desired d
                             where d.device_id = $1
                               and d.differences @> '[{"name": "configuration"}]')
             and not exists (select from artifacts a where a.artifact_id = $2 and a.builtin)"#,
        device_id,
        file
    )
    .execute(conn)
    .await?;
    Ok(stood.rows_affected() > 0)
}

/// Lets none that came since a time stand for what is wanted: nobody knows what the device was by then.
pub async fn reject_since(
    conn: &mut PgConnection,
    device_id: Uuid,
    since: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_backups set accepted = false
         where device_id = $1 and accepted and at >= $2",
        device_id,
        since
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a file stand for all backups of an older one that is the same, and forgets the older one;
/// false = an open job of the device still fetches it.
pub async fn supersede(
    conn: &mut PgConnection,
    device_id: Uuid,
    older: Uuid,
    newer: Uuid,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!(
        "delete from device_artifacts
         where device_id = $1 and artifact_id = $2
           and not exists (
               select from jobs
               where device_id = $1 and state in ('queued', 'running', 'waiting')
                 and args ->> 'artifact_id' = $2::text)",
        device_id,
        older
    )
    .execute(&mut *conn)
    .await?;
    if gone.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "update device_backups set artifact_id = $3 where device_id = $1 and artifact_id = $2",
        device_id,
        older,
        newer
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// Forgets those from before a time that are neither among the last `keep` nor accepted, with their
/// texts; gives the files that belong to none any more, without whose records they are now.
pub async fn trim(
    conn: &mut PgConnection,
    device_id: Uuid,
    before: DateTime<Utc>,
    keep: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let files = sqlx::query_scalar!(
        "delete from device_backups
         where device_id = $1 and at < $2 and not accepted
           and backup_id not in (
               select backup_id from device_backups where device_id = $1
               order by backup_id desc limit $3)
         returning artifact_id",
        device_id,
        before,
        keep
    )
    .fetch_all(&mut *conn)
    .await?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query!(
        "delete from device_configs c
         where c.device_id = $1
           and not exists (select from device_backups b
                           where b.device_id = $1 and b.sha256 = c.sha256)",
        device_id
    )
    .execute(&mut *conn)
    .await?;
    let files: Vec<Uuid> = files.into_iter().flatten().collect();
    sqlx::query_scalar!(
        "delete from device_artifacts a
         where a.device_id = $1 and a.artifact_id = any($2)
           and not exists (select from device_backups b
                           where b.device_id = $1 and b.artifact_id = a.artifact_id)
         returning a.artifact_id",
        device_id,
        &files
    )
    .fetch_all(conn)
    .await
}

/// A backup that says something else than the one before it, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Whose.
    pub device_id: Uuid,
    /// Its serial number.
    pub serial: String,
    /// What it calls itself.
    pub identity: Option<String>,
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// Which.
    pub backup_id: Uuid,
    /// When it came.
    pub at: DateTime<Utc>,
    /// Hash of its text.
    pub sha256: Vec<u8>,
    /// Lines that are new.
    pub added: i32,
    /// Lines that are gone.
    pub removed: i32,
    /// The complete one before it; `None` = that has been forgotten.
    pub before_id: Option<Uuid>,
    /// Hash of that one's text.
    pub before_sha256: Option<Vec<u8>>,
}

/// What changed since a time, newest first, before a time and device, of the devices `within`.
pub async fn changed(
    pool: &PgPool,
    since: DateTime<Utc>,
    before: Option<(DateTime<Utc>, Uuid)>,
    within: Option<&Within>,
    limit: i64,
) -> Result<Vec<Changed>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    let (at, device_id) = before.unzip();
    sqlx::query_as!(
        Changed,
        r#"select b.device_id, f.serial, f.identity, f.site::text as site, b.backup_id, b.at,
                  b.sha256, b.added, b.removed, p.backup_id as "before_id?",
                  p.sha256 as "before_sha256?"
           from device_backups b
           join device_facts f on f.device_id = b.device_id
           left join lateral (
               select o.backup_id, o.sha256 from device_backups o
               where o.device_id = b.device_id and o.backup_id < b.backup_id
                 and o.incomplete = '{}'
               order by o.backup_id desc limit 1) p on true
           where b.changed and b.at >= $1
             and ($2::timestamptz is null or (b.at, b.device_id) < ($2, $3::uuid))
             and ($4::text[] is null or f.site <@ any($4::text[]::ltree[])
                  or ($5::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($5::uuid[]))))
           order by b.at desc, b.device_id desc limit $6"#,
        since,
        at,
        device_id,
        sites,
        groups,
        limit
    )
    .fetch_all(pool)
    .await
}
