//! Boot images: what boards run that are installed anew. An operator gets them from the vendor; nobody
//! else may pass them on.

use std::convert::Infallible;
use std::fmt::Display;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use muster_netboot::vendor;
use muster_routeros::version::RosVersion;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::artifacts;
use crate::store::bench::{self as store, Image};
use crate::store::releases;

/// Bytes of one. It is held in memory while it is sent.
pub const MAX_BYTES: u64 = 32 << 20;
/// Bytes of a name.
const MAX_NAME: usize = 255;

/// A boot image that boards are known to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// `arm64`; of PowerPC there are several.
    pub arch: String,
    /// Where the vendor publishes it, for the newest release that is stored; `None` = that is not
    /// known.
    pub published: Option<String>,
    /// What is stored; `None` = nothing.
    pub image: Option<Image>,
}

/// All that boards are known to take, stored or not.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Known>, Error> {
    ctx.require(Right::Read)?;
    let newest = releases::list(&app.pool, None, 1).await?.pop();
    let newest = newest.and_then(|release| release.version.parse::<RosVersion>().ok());
    let mut stored = store::images(&app.pool).await?;
    let known = |arch: &str| {
        let at = stored.iter().position(|image| image.arch == arch);
        Known {
            arch: arch.to_owned(),
            published: newest.and_then(|version| vendor::vendor_url(arch, version)),
            image: at.map(|at| stored.swap_remove(at)),
        }
    };
    Ok(vendor::images().into_iter().map(known).collect())
}

/// What is said of a boot image to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewImage {
    /// What people call it; `linux.ARCH` when absent.
    pub name: Option<String>,
    /// How long the sender says that it is, in bytes.
    pub announced: Option<u64>,
}

/// Stores a boot image in place of the one that was there.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for one that no board takes, a bad name, and a body that is
/// empty or breaks off; [`Error::TooLarge`], also for the room on the disk; [`Error::Files`].
pub async fn put<S, E>(
    app: &App,
    ctx: &Ctx,
    arch: &str,
    new: NewImage,
    body: S,
) -> Result<Image, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    ctx.require_everywhere(Right::Bench)?;
    check_arch(arch)?;
    let name = new.name.unwrap_or_else(|| format!("linux.{arch}"));
    if !(1..=MAX_NAME).contains(&name.len()) || name.chars().any(char::is_control) {
        return Err(Error::invalid("", format!("name: 1 to {MAX_NAME} bytes on one line")));
    }
    let max = artifacts::most(app, new.announced).await?.min(MAX_BYTES);
    let bytes = whole(body, max).await?;
    let image = Image {
        arch: arch.to_owned(),
        name,
        size: i64::try_from(bytes.len()).map_err(|e| Error::Internal(e.to_string()))?,
        sha256: Sha256::digest(&bytes).to_vec(),
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
    };
    let mut tx = app.pool.begin().await?;
    // From before the bytes are written: nobody removes them as those of another one meanwhile.
    store::lock_images(&mut tx).await?;
    let had = store::image(&mut *tx, arch).await?;
    let content = stream::iter([Ok::<Bytes, Infallible>(bytes)]);
    app.files.put(image.file_id(), content, MAX_BYTES).await?;
    let other = had.as_ref().filter(|had| had.file_id() != image.file_id());
    if let Err(error) = record(&mut tx, ctx, had.as_ref(), &image).await {
        if had.is_none() || other.is_some() {
            drop_bytes(app, &image).await;
        }
        return Err(error);
    }
    tx.commit().await?;
    if let Some(other) = other {
        drop_bytes(app, other).await;
    }
    tracing::info!(image.arch = arch, by = ctx.actor.name, "a boot image is stored");
    Ok(image)
}

async fn record(
    conn: &mut PgConnection,
    ctx: &Ctx,
    had: Option<&Image>,
    image: &Image,
) -> Result<(), Error> {
    store::put_image(conn, image).await?;
    let (was, is) = (had.map(said), said(image));
    audit::record(conn, ctx, "boot_image.put", object(image), was, is).await
}

/// Removes a boot image.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn delete(app: &App, ctx: &Ctx, arch: &str) -> Result<(), Error> {
    ctx.require_everywhere(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    store::lock_images(&mut tx).await?;
    let none = || {
        let shown: String = arch.chars().take(MAX_NAME).collect();
        Error::NotFound(format!("no boot image {shown} is stored"))
    };
    let image = store::image(&mut *tx, arch).await?.ok_or_else(none)?;
    store::delete_image(&mut tx, arch).await?;
    audit::record(&mut tx, ctx, "boot_image.delete", object(&image), said(&image), ()).await?;
    tx.commit().await?;
    drop_bytes(app, &image).await;
    Ok(())
}

/// Nobody could do it again: what stays is lost space.
async fn drop_bytes(app: &App, image: &Image) {
    if let Err(left) = app.files.delete(image.file_id()).await {
        tracing::warn!(image.arch = image.arch, cause = %left.private(), "a boot image stays behind");
    }
}

fn check_arch(arch: &str) -> Result<(), Error> {
    let known = vendor::images();
    if known.contains(&arch) {
        return Ok(());
    }
    Err(Error::invalid("", format!("boards take no boot image of this name: {}", known.join(", "))))
}

/// A body whole, if it has no more bytes than that.
async fn whole<S, E>(mut body: S, max: u64) -> Result<Bytes, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let mut whole = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| Error::invalid("", format!("the file broke off: {e}")))?;
        if (whole.len() + chunk.len()) as u64 > max {
            return Err(Error::TooLarge(format!("a boot image has at most {max} bytes here")));
        }
        whole.extend_from_slice(&chunk);
    }
    if whole.is_empty() {
        return Err(Error::invalid("", "the body is empty: send the file as the body"));
    }
    Ok(Bytes::from(whole))
}

fn object(image: &Image) -> Object<'_> {
    Object::new("boot_image", &image.arch, &image.name)
}

/// What the audit log keeps of it.
fn said(image: &Image) -> Value {
    json!({ "name": image.name, "size": image.size, "sha256": hex::encode(&image.sha256) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    type Chunk = Result<Bytes, String>;

    fn body(chunks: &[&'static [u8]]) -> impl Stream<Item = Chunk> + Send + Unpin + use<> {
        let chunks: Vec<Chunk> = chunks.iter().map(|c| Ok(Bytes::from_static(c))).collect();
        stream::iter(chunks)
    }

    #[tokio::test]
    async fn an_image_is_taken_whole_or_not_at_all() {
        assert_eq!(whole(body(&[b"bo", b"ot"]), 4).await.unwrap(), "boot");
        assert!(matches!(whole(body(&[b"bo", b"ot"]), 3).await, Err(Error::TooLarge(_))));
        assert!(matches!(whole(body(&[b""]), 3).await, Err(Error::Invalid { .. })));
        let broken = stream::iter([Ok(Bytes::from_static(b"bo")), Err("reset".to_owned())]);
        assert!(matches!(whole(broken, 9).await, Err(Error::Invalid { .. })));
    }

    #[test]
    fn only_what_some_board_takes_is_stored() {
        assert!(check_arch("arm64").is_ok());
        for bad in ["", "ARM64", "../arm64"] {
            assert!(check_arch(bad).is_err(), "{bad}");
        }
    }
}
