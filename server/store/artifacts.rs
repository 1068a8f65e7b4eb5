//! Files: what operators stored and what devices sent. The bytes are in the file store, under the
//! artifact's id.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A file that an operator stored.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// UUIDv7; also its name in the file store.
    pub artifact_id: Uuid,
    /// As uploaded.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the bytes.
    pub sha256: Vec<u8>,
    /// Media type.
    pub content_type: String,
    /// Who.
    pub created_by: String,
    /// Id of the user or the token; `None` = not known, or nobody who has one.
    pub maker_id: Option<Uuid>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A file that a device sent.
#[derive(Debug, Clone)]
pub struct DeviceArtifact {
    /// UUIDv7; also its name in the file store.
    pub artifact_id: Uuid,
    /// The upload job it answers.
    pub job_id: Uuid,
    /// FileType of the Upload.
    pub file_type: String,
    /// Name as stored.
    pub name: String,
    /// Bytes, as the device sent them.
    pub size: i64,
    /// SHA-256 of these.
    pub sha256: Vec<u8>,
    /// In the file store they are sealed: `files::sealed` reads them.
    pub sealed: bool,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Stores the record; the bytes are already in the file store.
pub async fn insert(conn: &mut PgConnection, a: &Artifact) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into artifacts (artifact_id, name, size, sha256, content_type, created_by, created_at,
                                maker_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        a.artifact_id,
        a.name,
        a.size,
        a.sha256,
        a.content_type,
        a.created_by,
        a.created_at,
        a.maker_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a file is there that somebody stored, of no more than so many bytes.
pub async fn is_own(
    db: impl PgExecutor<'_>,
    artifact_id: Uuid,
    most: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from artifacts
                          where artifact_id = $1 and not builtin and size <= $2) as "is!""#,
        artifact_id,
        most
    )
    .fetch_one(db)
    .await
}

/// One record.
pub async fn get(
    executor: impl PgExecutor<'_>,
    artifact_id: Uuid,
) -> Result<Option<Artifact>, sqlx::Error> {
    sqlx::query_as!(
        Artifact,
        "select artifact_id, name, size, sha256, content_type, created_by, maker_id, created_at
         from artifacts where artifact_id = $1",
        artifact_id
    )
    .fetch_optional(executor)
    .await
}

/// One record, and nobody comes to need it ([`keep`]) until the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    artifact_id: Uuid,
) -> Result<Option<Artifact>, sqlx::Error> {
    sqlx::query_as!(
        Artifact,
        "select artifact_id, name, size, sha256, content_type, created_by, maker_id, created_at
         from artifacts where artifact_id = $1 for update",
        artifact_id
    )
    .fetch_optional(conn)
    .await
}

/// Those of these records that are there: they stay until the transaction ends.
pub async fn keep(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select artifact_id from artifacts where artifact_id = any($1) for key share",
        ids
    )
    .fetch_all(conn)
    .await
}

/// Marks what comes with Muster: it is not listed among what people stored, and stays.
pub async fn mark_builtin(conn: &mut PgConnection, artifact_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("update artifacts set builtin = true where artifact_id = $1", artifact_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Newest first, before an id; without what comes with Muster.
pub async fn list(
    pool: &PgPool,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Artifact>, sqlx::Error> {
    sqlx::query_as!(
        Artifact,
        "select artifact_id, name, size, sha256, content_type, created_by, maker_id, created_at
         from artifacts where not builtin and ($1::uuid is null or artifact_id < $1)
         order by artifact_id desc limit $2",
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Removes the record; false = there is none.
pub async fn delete(conn: &mut PgConnection, artifact_id: Uuid) -> Result<bool, sqlx::Error> {
    let gone =
        sqlx::query!("delete from artifacts where artifact_id = $1 and not builtin", artifact_id)
            .execute(conn)
            .await?;
    Ok(gone.rows_affected() > 0)
}

/// Whether an open job names this artifact, or a rollout that may still send it.
pub async fn in_use(executor: impl PgExecutor<'_>, artifact_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select 1 from jobs
            where state in ('queued', 'running', 'waiting')
              and kind in ('download', 'schedule_download')
              and (args ->> 'artifact_id' = $1 or args -> 'download' ->> 'artifact_id' = $1)
        ) or exists (
            select 1 from rollouts
            -- One that has ended may still be taken back, which takes its undo script.
            where state <> 'rolled_back'
              and (change ->> 'undo_artifact_id' = $1
                   or (change ->> 'artifact_id' = $1 and state not in ('completed', 'aborted')))
        ) as "used!"
        "#,
        artifact_id.to_string()
    )
    .fetch_one(executor)
    .await
}

/// Stores the record of a device's file.
pub async fn insert_of_device(
    conn: &mut PgConnection,
    device_id: Uuid,
    a: &DeviceArtifact,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_artifacts
             (device_id, artifact_id, job_id, file_type, name, size, sha256, sealed, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        device_id,
        a.artifact_id,
        a.job_id,
        a.file_type,
        a.name,
        a.size,
        a.sha256,
        a.sealed,
        a.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A device's files, newest first.
pub async fn list_of_device(
    pool: &PgPool,
    device_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeviceArtifact>, sqlx::Error> {
    sqlx::query_as!(
        DeviceArtifact,
        "select artifact_id, job_id, file_type, name, size, sha256, sealed, created_at
         from device_artifacts where device_id = $1 and ($2::uuid is null or artifact_id < $2)
         order by artifact_id desc limit $3",
        device_id,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// One file of a device.
pub async fn get_of_device(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
    artifact_id: Uuid,
) -> Result<Option<DeviceArtifact>, sqlx::Error> {
    sqlx::query_as!(
        DeviceArtifact,
        "select artifact_id, job_id, file_type, name, size, sha256, sealed, created_at
         from device_artifacts where device_id = $1 and artifact_id = $2",
        device_id,
        artifact_id
    )
    .fetch_optional(db)
    .await
}

/// The files of such a type, by a part of its name, whose rows do not say that they are sealed: device
/// and file, in their order from behind this one on.
pub async fn in_clear(
    pool: &PgPool,
    file_type: &str,
    (device_id, artifact_id): (Uuid, Uuid),
    limit: i64,
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select device_id, artifact_id from device_artifacts
         where (device_id, artifact_id) > ($1, $2) and not sealed and strpos(file_type, $3) > 0
         order by device_id, artifact_id limit $4",
        device_id,
        artifact_id,
        file_type,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.artifact_id)).collect())
}

/// One of these, which nobody removes until the transaction ends; `None` = it is gone or sealed, or
/// somebody else is at it.
pub async fn lock_in_clear(
    conn: &mut PgConnection,
    device_id: Uuid,
    artifact_id: Uuid,
) -> Result<Option<DeviceArtifact>, sqlx::Error> {
    sqlx::query_as!(
        DeviceArtifact,
        "select artifact_id, job_id, file_type, name, size, sha256, sealed, created_at
         from device_artifacts where device_id = $1 and artifact_id = $2 and not sealed
         -- Of several nodes that have just started one seals it.
         for update skip locked",
        device_id,
        artifact_id
    )
    .fetch_optional(conn)
    .await
}

/// Its bytes are sealed now.
pub async fn mark_sealed(
    conn: &mut PgConnection,
    device_id: Uuid,
    artifact_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_artifacts set sealed = true where device_id = $1 and artifact_id = $2",
        device_id,
        artifact_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the record of a device's file.
pub async fn delete_of_device(
    conn: &mut PgConnection,
    device_id: Uuid,
    artifact_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from device_artifacts where device_id = $1 and artifact_id = $2",
        device_id,
        artifact_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many files a device has sent for a job.
pub async fn count_of_job(
    conn: &mut PgConnection,
    device_id: Uuid,
    job_id: Uuid,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!" from device_artifacts where device_id = $1 and job_id = $2"#,
        device_id,
        job_id
    )
    .fetch_one(conn)
    .await
}
