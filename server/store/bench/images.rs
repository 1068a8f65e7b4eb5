//! Boot images that an operator has got from the vendor. The bytes are in the file store.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// Of the names of boot images in the file store.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_5274_8d70_6c61_626f_6f74);

/// A boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// As [`muster_netboot::vendor::images`] calls it: `arm64`; of PowerPC there are several.
    pub arch: String,
    /// For people.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the bytes.
    pub sha256: Vec<u8>,
    /// Who stored it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl Image {
    /// Its name in the file store: another image of the architecture has another one.
    pub fn file_id(&self) -> Uuid {
        let name = [self.arch.as_bytes(), b" ", &self.sha256].concat();
        Uuid::new_v5(&NAMESPACE, &name)
    }
}

/// Keeps every other change of boot images out until the transaction ends.
pub async fn lock_images(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.boot_images'))")
        .execute(conn)
        .await?;
    Ok(())
}

/// All of them, by architecture.
pub async fn images(db: impl PgExecutor<'_>) -> Result<Vec<Image>, sqlx::Error> {
    sqlx::query_as!(
        Image,
        "select arch, name, size, sha256, created_by, created_at from boot_images order by arch"
    )
    .fetch_all(db)
    .await
}

/// The one for an architecture.
pub async fn image(db: impl PgExecutor<'_>, arch: &str) -> Result<Option<Image>, sqlx::Error> {
    sqlx::query_as!(
        Image,
        "select arch, name, size, sha256, created_by, created_at from boot_images where arch = $1",
        arch
    )
    .fetch_optional(db)
    .await
}

/// Stores the record of one in place of that which was there; the bytes are already in the file store.
pub async fn put_image(conn: &mut PgConnection, image: &Image) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into boot_images (arch, name, size, sha256, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (arch) do update set name = excluded.name, size = excluded.size,
             sha256 = excluded.sha256, created_by = excluded.created_by,
             created_at = excluded.created_at",
        image.arch,
        image.name,
        image.size,
        image.sha256,
        image.created_by,
        image.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the record of one.
pub async fn delete_image(conn: &mut PgConnection, arch: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from boot_images where arch = $1", arch).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_of_each_architecture_has_a_file_of_its_own() {
        let id = |arch: &str, sha256: u8| {
            let (arch, name, created_by) = (arch.to_owned(), String::new(), String::new());
            let created_at = DateTime::UNIX_EPOCH;
            Image { arch, name, size: 1, sha256: vec![sha256; 32], created_by, created_at }
                .file_id()
        };
        assert_eq!(id("arm", 1), id("arm", 1));
        assert_ne!(id("arm", 1), id("arm64", 1));
        assert_ne!(id("arm", 1), id("arm", 2));
    }
}
