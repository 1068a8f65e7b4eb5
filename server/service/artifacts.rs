//! Files that operators store for devices: firmware, manifests, scripts.
//!
//! Owns who may see, keep and remove them, what they may be called, that a record never stands
//! without its bytes, and that they do not fill the disk. They belong to no site: whoever may operate
//! anywhere stores one, and removes those that they stored themselves; to remove another's, which any
//! device may need, takes the right everywhere.

use std::fmt::Display;
use std::path::Path;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::artifacts::{self as store, Artifact};

/// Bytes of the file store's disk that stay free at least; so does a twentieth of it.
const SPARE: u64 = 1 << 30;

/// What is said of a file to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// File name, see [`create`].
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// How long the sender says that it is, in bytes.
    pub announced: Option<u64>,
}

/// The bytes of a file, as they are read.
pub type Content = BoxStream<'static, Result<Bytes, object_store::Error>>;

/// Stores a file. Its name has 1 to 255 bytes, no slash, and no dot at its beginning. The body is
/// not touched where the file is refused for what is said of it.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a bad name, and a body that is empty or breaks off;
/// [`Error::TooLarge`], also for the room on the disk; [`Error::Files`].
pub async fn create<S, E>(
    app: &App,
    ctx: &Ctx,
    new: NewArtifact,
    body: S,
) -> Result<Artifact, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    ctx.require(Right::Operate)?;
    check_name(&new.name)?;
    let max = most(app, new.announced).await?;
    let artifact_id = Uuid::now_v7();
    let stored = app.files.put(artifact_id, body, max).await?;
    let artifact = Artifact {
        artifact_id,
        name: new.name,
        size: i64::try_from(stored.size).map_err(|e| Error::Internal(e.to_string()))?,
        sha256: stored.sha256.to_vec(),
        content_type: new.content_type,
        created_by: ctx.actor.name.clone(),
        maker_id: maker(ctx),
        created_at: ctx.now,
    };
    if let Err(error) = record(app, ctx, &artifact).await {
        // Without a record nobody would ever find the bytes again.
        drop_bytes(app, artifact_id).await;
        return Err(error);
    }
    Ok(artifact)
}

/// The most bytes that a file may have now, of which its sender announced so many.
///
/// # Errors
/// [`Error::TooLarge`] where it has more, also where the disk is too full for it.
pub(super) async fn most(app: &App, announced: Option<u64>) -> Result<u64, Error> {
    let max = app.config.acs.max_artifact_bytes;
    if announced.is_some_and(|length| length > max) {
        return Err(Error::TooLarge(format!("a file has at most {max} bytes")));
    }
    let room = room(app).await?;
    if room == 0 || announced.is_some_and(|length| length > room) {
        let why = "the disk of the file store is too full: 1 GiB and 5 % of it stay free";
        return Err(Error::TooLarge(why.to_owned()));
    }
    Ok(max.min(room))
}

/// How many bytes more may go to the disk.
async fn room(app: &App) -> Result<u64, Error> {
    let directory = app.config.artifact_dir();
    // A disk that hangs must hold up nobody else.
    let asked = tokio::task::spawn_blocking(move || room_in(&directory));
    asked.await.map_err(|e| Error::Internal(e.to_string()))
}

/// A disk that does not say is left to fail by itself.
fn room_in(directory: &Path) -> u64 {
    let Ok(disk) = statvfs(directory) else { return u64::MAX };
    let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
    beyond_spare(bytes(disk.blocks_available()), bytes(disk.blocks()))
}

fn beyond_spare(free: u64, total: u64) -> u64 {
    free.saturating_sub(SPARE.max(total / 20))
}

async fn record(app: &App, ctx: &Ctx, artifact: &Artifact) -> Result<(), Error> {
    if artifact.size == 0 {
        return Err(Error::invalid("", "the body is empty: send the file as the body"));
    }
    let mut tx = app.pool.begin().await?;
    store::insert(&mut tx, artifact).await?;
    audit::record(&mut tx, ctx, "artifact.create", object(artifact), (), told(artifact)).await?;
    tx.commit().await?;
    Ok(())
}

/// What is known of the files, newest first, before an id.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn list(
    app: &App,
    ctx: &Ctx,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Artifact>, Error> {
    ctx.require(Right::Read)?;
    Ok(store::list(&app.pool, before, limit).await?)
}

/// What is known of a file.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn get(app: &App, ctx: &Ctx, artifact_id: Uuid) -> Result<Artifact, Error> {
    ctx.require(Right::Read)?;
    store::get(&app.pool, artifact_id).await?.ok_or_else(|| unknown(artifact_id))
}

/// A file with its bytes.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], [`Error::Files`].
pub async fn read(app: &App, ctx: &Ctx, artifact_id: Uuid) -> Result<(Artifact, Content), Error> {
    let artifact = get(app, ctx, artifact_id).await?;
    let bytes = app.files.read(artifact_id, None).await?;
    Ok((artifact, bytes))
}

/// Whether the caller may remove a file: one of their own, or with the right everywhere.
pub fn may_delete(ctx: &Ctx, artifact: &Artifact) -> bool {
    let own = artifact.maker_id.is_some() && artifact.maker_id == maker(ctx);
    match ctx.reach(Right::Operate) {
        Reach::Everywhere => true,
        within => own && !within.is_nowhere(),
    }
}

/// Who stores files here: a person, however they come, or a program by its token. Names change
/// hands, so that only the id says whose a file is.
fn maker(ctx: &Ctx) -> Option<Uuid> {
    ctx.actor.person().or(ctx.actor.id)
}

/// Removes a file.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] while an open job needs it, or a rollout,
/// be it to be taken back.
pub async fn delete(app: &App, ctx: &Ctx, artifact_id: Uuid) -> Result<(), Error> {
    ctx.require(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    let gone = || unknown(artifact_id);
    let artifact = store::lock(&mut tx, artifact_id).await?.ok_or_else(gone)?;
    if !may_delete(ctx, &artifact) {
        ctx.require_everywhere(Right::Operate)?;
    }
    if store::in_use(&mut *tx, artifact_id).await? {
        return Err(Error::Conflict("an open job or a rollout needs the file".to_owned()));
    }
    if !store::delete(&mut tx, artifact_id).await? {
        return Err(gone());
    }
    audit::record(&mut tx, ctx, "artifact.delete", object(&artifact), told(&artifact), ()).await?;
    tx.commit().await?;
    // The record went first: bytes without one are lost space, a record without them a failing job.
    drop_bytes(app, artifact_id).await;
    tracing::info!(artifact.id = %artifact_id, by = ctx.actor.name, "artifact removed");
    Ok(())
}

/// There is no record to say so, and nobody could do it again: what stays is lost space.
async fn drop_bytes(app: &App, artifact_id: Uuid) {
    if let Err(left) = app.files.delete(artifact_id).await {
        tracing::warn!(artifact.id = %artifact_id, cause = %left.private(), "a file stays behind");
    }
}

fn unknown(artifact_id: Uuid) -> Error {
    Error::NotFound(format!("no artifact {artifact_id}"))
}

fn object(artifact: &Artifact) -> Object<'_> {
    Object::new("artifact", artifact.artifact_id, &artifact.name)
}

/// What the audit log keeps of it.
fn told(artifact: &Artifact) -> Value {
    json!({
        "name": artifact.name,
        "size": artifact.size,
        "sha256": hex::encode(&artifact.sha256),
        "content_type": artifact.content_type,
    })
}

/// The name stands in paths that devices fetch, and on disks of people.
fn check_name(name: &str) -> Result<(), Error> {
    let strange = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if !(1..=255).contains(&name.len()) || name.starts_with('.') || name.chars().any(strange) {
        let rule = "name has 1 to 255 bytes, no slash, and does not begin with a dot";
        return Err(Error::invalid("", rule));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::access::grant::{Grant, Grants, Place};
    use crate::ctx::ActorKind;

    #[test]
    fn one_removes_what_is_ones_own_and_with_the_right_everywhere_all_of_it() {
        let now = DateTime::UNIX_EPOCH;
        let file = |maker_id| Artifact {
            artifact_id: Uuid::nil(),
            name: "m.rsc".to_owned(),
            size: 1,
            sha256: Vec::new(),
            content_type: String::new(),
            // The name of somebody is no proof that it is theirs.
            created_by: "ann".to_owned(),
            maker_id,
            created_at: now,
        };
        let (ann, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let may = |right: Option<Right>, maker_id| {
            let mut ctx = Ctx::nobody("ann", None, now);
            ctx.actor.kind = ActorKind::User;
            ctx.actor.id = Some(ann);
            let place = Place::Site("eu.lv".parse().expect("a path"));
            let grants = right.map(|right| Grant { rights: vec![right], place });
            ctx.grants = Grants(grants.into_iter().collect());
            may_delete(&ctx, &file(maker_id))
        };
        assert!(may(Some(Right::Operate), Some(ann)));
        assert!(!may(Some(Right::Operate), Some(other)));
        assert!(!may(Some(Right::Operate), None));
        assert!(!may(Some(Right::Read), Some(ann)) && !may(None, Some(ann)));
        assert!(may_delete(&Ctx::console(now), &file(Some(other))));
        // A token of one's own is oneself.
        let mut ctx = Ctx::nobody("ann", None, now);
        ctx.actor.kind = ActorKind::Personal(ann);
        ctx.actor.id = Some(other);
        assert_eq!(maker(&ctx), Some(ann));
    }

    #[test]
    fn some_of_the_disk_stays_free() {
        let gib = 1 << 30;
        assert_eq!(beyond_spare(3 * gib, 10 * gib), 2 * gib);
        assert_eq!(beyond_spare(gib, 10 * gib), 0);
        assert_eq!(beyond_spare(12 * gib, 200 * gib), 2 * gib);
        assert_eq!(beyond_spare(9 * gib, 200 * gib), 0);
        assert_eq!(room_in(Path::new("/nowhere/at/all")), u64::MAX);
    }

    #[test]
    fn a_name_is_one_file_name() {
        assert!(check_name("routeros-7.16.1-arm.npk").is_ok());
        assert!(check_name("tornis 7 – Rīga.rsc").is_ok());
        for bad in ["", ".", "../x", "a/b", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
