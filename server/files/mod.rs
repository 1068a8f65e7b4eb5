//! Files: the bytes of artifacts, and how devices fetch and send them.
//!
//! Owns the file store, the signed links and the two routes that take them. It must never decide
//! what a file means to a device: names and types come from `jobs`.
//!
//! - [`link`]: paths that are signed, expire and belong to one device.
//! - [`serve`]: a device fetches what a download job names; `upgrade`: the list of packages that is
//!   made for it, and the packages; `framed`: a script in its frame; [`throttle`]: how fast those of a
//!   rollout go.
//! - [`receive`]: a device sends what an upload job asked for; `contents`: what stands in it, where
//!   Muster wanted to know; `restore`: a configuration of its own that it gets back.
//! - [`sealed`]: files that hold secrets, whose bytes are never stored as they are.
//! - [`attachment`]: people fetch what is stored.
//! - [`builtin`]: the scripts that come with Muster.

pub mod attachment;
pub mod builtin;
mod contents;
mod framed;
pub mod link;
pub mod receive;
mod restore;
pub mod sealed;
pub mod serve;
pub mod throttle;
mod upgrade;

use std::fmt::Display;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::Error;
use link::{Link, LinkKind};

/// What is gathered of a file before it is written, in bytes: the memory an upload takes is twice
/// this.
const PART: usize = 1 << 20;
/// [`PART`]s that may be on their way to the disk.
const PARTS_IN_FLIGHT: usize = 2;

/// The bytes of artifacts, by id. Written once and never changed, but to be sealed.
#[derive(Debug, Clone)]
pub struct FileStore {
    store: LocalFileSystem,
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

impl FileStore {
    /// Opens the store in this directory; makes it, for its owner only, if it is not there.
    ///
    /// # Errors
    /// [`Error::Internal`] when the directory cannot be made or read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let unusable = |e: String| Error::Internal(format!("file store {}: {e}", dir.display()));
        // Configurations of devices hold secrets.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| unusable(e.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(|e| unusable(e.to_string()))?;
        // A row that says a file is there must not outlive the file in a power cut.
        Ok(Self { store: store.with_fsync(true) })
    }

    /// Streams a file to the disk. It appears whole, or not at all.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond `max` bytes, [`Error::Invalid`] when the body breaks off,
    /// [`Error::Files`] when the disk fails. Nothing stays behind then, nor when the call is dropped.
    pub async fn put<S, E>(&self, id: Uuid, mut body: S, max: u64) -> Result<Stored, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Display,
    {
        let upload = self.store.put_multipart(&location(id)).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        match copy(&mut writer, &mut body, max).await {
            Ok(stored) => {
                writer.finish().await?;
                Ok(stored)
            }
            Err(error) => {
                if let Err(left) = writer.abort().await {
                    tracing::warn!(artifact.id = %id, error = %left, "a part of a file stayed behind");
                }
                Err(error)
            }
        }
    }

    /// The size of a file, in bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Files`].
    pub async fn size(&self, id: Uuid) -> Result<u64, Error> {
        Ok(self.store.head(&location(id)).await.map_err(|e| unread(id, e))?.size)
    }

    /// The bytes of a file, or of a part of it. A range must not be empty.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Files`] also for a range beyond the end.
    pub async fn read(
        &self,
        id: Uuid,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, Error> {
        let options = GetOptions::new().with_range(range);
        let found = self.store.get_opts(&location(id), options).await.map_err(|e| unread(id, e))?;
        Ok(found.into_stream())
    }

    /// Removes a file; one that is not there is as good as removed.
    ///
    /// # Errors
    /// [`Error::Files`].
    pub async fn delete(&self, id: Uuid) -> Result<(), Error> {
        match self.store.delete(&location(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn copy<S, E>(writer: &mut WriteMultipart, body: &mut S, max: u64) -> Result<Stored, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let mut hash = Sha256::new();
    let mut size = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| Error::invalid("", format!("the file broke off: {e}")))?;
        size += chunk.len() as u64;
        if size > max {
            return Err(too_large(max));
        }
        hash.update(&chunk);
        writer.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        // Copied, not kept: a body of one-byte chunks would hold a buffer for each.
        writer.write(&chunk);
    }
    Ok(Stored { size, sha256: hash.finalize().into() })
}

/// Two levels of directories, by the last digits: the first ones of a UUIDv7 are the time, and would
/// put all files of a day into one directory.
fn location(id: Uuid) -> Location {
    let name = id.simple().to_string();
    Location::from(format!("{}/{}/{name}", &name[30..], &name[28..30]))
}

fn unread(id: Uuid, error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => {
            Error::NotFound(format!("the file {id} is not in the store"))
        }
        error => error.into(),
    }
}

fn too_large(max: u64) -> Error {
    Error::TooLarge(format!("the file is larger than {max} bytes, the most that is taken here"))
}

/// The answer to a link that is forged, expired or of the other kind. It does not say which.
fn refused(kind: LinkKind) -> Response {
    metrics::counter!("muster_file_requests_refused_total", "kind" => kind.word()).increment(1);
    (StatusCode::NOT_FOUND, "there is nothing here: the link is wrong or has expired\n")
        .into_response()
}

/// The answer to a request that failed; the one place where it is logged.
fn failed(link: &Link, error: &Error) -> Response {
    let status = match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::Conflict(_) | Error::Stale(_) => StatusCode::CONFLICT,
        Error::Denied(_) => StatusCode::FORBIDDEN,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Busy(_) | Error::Database(_) | Error::Files(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let (kind, cause) = (link.kind.word(), error.private());
    let (device, subject) = (link.device_id, link.subject);
    if status.is_server_error() {
        tracing::error!(device.id = %device, %subject, kind, error = %cause, "file request failed");
    } else {
        tracing::warn!(device.id = %device, %subject, kind, error = %cause, "file request refused");
    }
    (status, format!("{error}\n")).into_response()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use futures_util::{TryStreamExt, stream};

    type Chunk = Result<Bytes, String>;

    fn body(chunks: &[&'static [u8]]) -> impl Stream<Item = Chunk> + Send + Unpin + use<> {
        let chunks: Vec<Chunk> = chunks.iter().map(|c| Ok(Bytes::from_static(c))).collect();
        stream::iter(chunks)
    }

    fn files(dir: &Path) -> usize {
        let entries = std::fs::read_dir(dir).unwrap().flatten();
        entries.map(|e| if e.path().is_dir() { files(&e.path()) } else { 1 }).sum()
    }

    #[tokio::test]
    async fn what_was_put_is_read_whole_and_in_parts_until_it_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(&dir.path().join("new/artifacts")).unwrap();
        let id = Uuid::now_v7();
        let stored = store.put(id, body(&[b"hello ", b"", b"world"]), 11).await.unwrap();
        let digest: [u8; 32] = Sha256::digest(b"hello world").into();
        assert_eq!(stored, Stored { size: 11, sha256: digest });
        assert_eq!(store.size(id).await.unwrap(), 11);
        for (range, expected) in [(None, "hello world"), (Some(6..9), "wor")] {
            let parts = store.read(id, range).await.unwrap();
            let read: Vec<Bytes> = parts.try_collect().await.unwrap();
            assert_eq!(read.concat(), expected.as_bytes());
        }
        store.delete(id).await.unwrap();
        store.delete(id).await.unwrap();
        assert!(matches!(store.size(id).await, Err(Error::NotFound(_))));
        assert!(matches!(store.read(id, None).await, Err(Error::NotFound(_))));
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_or_breaks_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap();
        let id = Uuid::now_v7();
        let large = store.put(id, body(&[b"hello ", b"world"]), 10).await;
        assert!(matches!(large, Err(Error::TooLarge(_))), "{large:?}");
        let chunks: Vec<Chunk> = vec![Ok(Bytes::from_static(b"hel")), Err("reset".to_owned())];
        let broken = store.put(id, stream::iter(chunks), 10).await;
        assert!(matches!(broken, Err(Error::Invalid { .. })), "{broken:?}");
        assert_eq!(files(dir.path()), 0);
    }

    #[tokio::test]
    async fn a_file_of_several_parts_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap();
        let id = Uuid::now_v7();
        let chunk = Bytes::from(vec![7; 300_000]);
        let chunks: Vec<Chunk> = (0..10).map(|_| Ok(chunk.clone())).collect();
        let stored = store.put(id, stream::iter(chunks), u64::MAX).await.unwrap();
        assert_eq!((stored.size, store.size(id).await.unwrap()), (3_000_000, 3_000_000));
        let digest: [u8; 32] = Sha256::digest(vec![7; 3_000_000]).into();
        assert_eq!(stored.sha256, digest);
    }

    #[test]
    fn files_of_one_moment_spread_over_directories() {
        let (a, b) = (location(Uuid::from_u128(0xab12)), location(Uuid::from_u128(0x12ab)));
        assert_eq!(a.as_ref(), "12/ab/0000000000000000000000000000ab12");
        assert_eq!(b.as_ref(), "ab/12/000000000000000000000000000012ab");
    }
}
