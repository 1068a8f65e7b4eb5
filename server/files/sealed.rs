//! Files that hold secrets: configurations, with the passwords and keys of the device and its lines.
//!
//! Owns which files these are, and that their bytes lie in the store only sealed with the installation's
//! key, each under its own id. Size and hash in the row are those of what the device sent. They are read
//! whole, never in parts: there is one tag for all of it. So they are whole in memory as they come, and what
//! all may take of it together is bounded.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{PART, Stored, too_large};
use crate::acs::body::Memory;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::store::artifacts::{self, DeviceArtifact};

/// What stands in the FileType of every configuration, and of nothing else.
const CONFIGURATION: &str = "Configuration File";
/// The largest that is taken, in bytes.
pub(super) const MOST: u64 = 32 << 20;
/// The memory that all may take that come at a time, in bytes; those that are read have as much.
const MEMORY: usize = 256 << 20;
/// How often one is in memory at most: as it grows in its old room and in the new, which is up to twice
/// as large; after that once where it is sealed or opened, and with its text where that is read.
const COPIES: usize = 3;
/// Bytes that are sealed beyond those of a file.
const SEAL: usize = 28;
/// Who finds no memory waits so long for others to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows that are looked up at once.
const BATCH: i64 = 200;

/// What a file may take of the memory, for as long as this is kept.
pub(super) type Share = Option<OwnedSemaphorePermit>;

/// The files that come to this node at this moment, and those that are read.
pub struct Incoming {
    memory: Memory,
    /// Whoever reads slowly keeps no device from sending.
    reading: Memory,
    /// The jobs that they are for.
    jobs: Mutex<HashSet<Uuid>>,
}

impl Default for Incoming {
    fn default() -> Self {
        let memory = || Memory::new(MEMORY, PATIENCE);
        Self { memory: memory(), reading: memory(), jobs: Mutex::default() }
    }
}

impl Incoming {
    /// Lets a file of this job come: one at a time, or one device could take all the memory.
    ///
    /// # Errors
    /// [`Error::Busy`] while another one comes.
    pub(super) fn begin(&self, job_id: Uuid) -> Result<Coming<'_>, Error> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match jobs.insert(job_id) {
            true => Ok(Coming { among: self, job_id }),
            false => Err(Error::Busy("a file of this job is on its way: try again".to_owned())),
        }
    }
}

/// A file that comes, until this is dropped.
pub(super) struct Coming<'i> {
    among: &'i Incoming,
    job_id: Uuid,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut jobs = self.among.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.remove(&self.job_id);
    }
}

/// Whether files of this FileType are stored sealed.
pub fn is_secret(file_type: &str) -> bool {
    file_type.contains(CONFIGURATION)
}

/// Takes a file into memory, and stores it sealed. Its share is good for [`opened`], too.
///
/// # Errors
/// As [`super::FileStore::put`]; [`Error::Busy`] where others take all the memory.
pub(super) async fn put<S, E>(
    app: &App,
    id: Uuid,
    body: S,
    max: u64,
) -> Result<(Stored, Share), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let (clear, share) = gather(&app.incoming.memory, body, max).await?;
    let stored = Stored { size: clear.len() as u64, sha256: Sha256::digest(&clear).into() };
    write(app, id, clear).await?;
    Ok((stored, share))
}

/// A file, and its share of the memory: to be kept as long.
async fn gather<S, E>(memory: &Memory, mut body: S, max: u64) -> Result<(Vec<u8>, Share), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    let (mut clear, mut share) = (Vec::new(), None);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| Error::invalid("", format!("the file broke off: {e}")))?;
        let size = clear.len() + chunk.len();
        if size as u64 > max {
            return Err(too_large(max));
        }
        share = Some(memory.reserve(share, COPIES * size).await.ok_or_else(busy)?);
        clear.extend_from_slice(&chunk);
    }
    Ok((clear, share))
}

fn busy() -> Error {
    Error::Busy("too many configurations come or are read at once: try again".to_owned())
}

/// A file of a device, as the device sent it. It is read whole.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Files`]; [`Error::Internal`] where it does not open, with why;
/// [`Error::Busy`] where others take all the memory.
pub async fn read(app: &App, file: &DeviceArtifact) -> Result<Vec<u8>, Error> {
    Ok(shared(app, file).await?.0)
}

/// Memory for a file of this size that is read whole, and for what is made of it.
///
/// # Errors
/// [`Error::Busy`] where others take all of it.
pub(super) async fn to_read(app: &App, size: usize) -> Result<Share, Error> {
    // An older Muster took larger ones.
    let bytes = size.saturating_mul(COPIES).min(MEMORY);
    Ok(Some(app.incoming.reading.reserve(None, bytes).await.ok_or_else(busy)?))
}

/// The same as [`read`], and its share of the memory: to be kept as long.
pub(super) async fn shared(app: &App, file: &DeviceArtifact) -> Result<(Vec<u8>, Share), Error> {
    let share = to_read(app, room(file)).await?;
    Ok((opened(app, file).await?, share))
}

/// The same for who has a share.
///
/// # Errors
/// As [`read`], but for [`Error::Busy`].
pub(super) async fn opened(app: &App, file: &DeviceArtifact) -> Result<Vec<u8>, Error> {
    let bytes = whole(app, file).await?;
    // The bytes are sealed before the row says so, and sealed ones are longer.
    let is_clear = !file.sealed && i64::try_from(bytes.len()) == Ok(file.size);
    if is_clear { Ok(bytes) } else { open(app, file.artifact_id, bytes) }
}

/// The same for an answer: what holds no secrets goes through, however large it is.
///
/// # Errors
/// As [`read`].
pub async fn stream(
    app: &App,
    file: &DeviceArtifact,
) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, Error> {
    if is_secret(&file.file_type) {
        let (bytes, share) = shared(app, file).await?;
        let keep = move |part| {
            let _share = &share;
            part
        };
        return Ok(stream::iter([Ok(Bytes::from(bytes))]).map(keep).boxed());
    }
    app.files.read(file.artifact_id, None).await
}

/// Seals what an older Muster stored in clear, once; then does nothing until the process stops.
pub async fn run(app: Shared, stop: CancellationToken) {
    match seal_stored(&app, &stop).await {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "configurations that lay in clear are sealed now"),
        Err(error) => {
            let cause = error.private();
            tracing::error!(%cause, "configurations may lie in clear until the next start");
        }
    }
    stop.cancelled().await;
}

/// How many were sealed. One that cannot be stays as it is, and the log names it.
async fn seal_stored(app: &App, stop: &CancellationToken) -> Result<u64, Error> {
    let mut sealed = 0;
    let mut last = (Uuid::nil(), Uuid::nil());
    loop {
        let files = artifacts::in_clear(&app.pool, CONFIGURATION, last, BATCH).await?;
        let Some(&end) = files.last() else { return Ok(sealed) };
        for (device_id, artifact_id) in files {
            if stop.is_cancelled() {
                return Ok(sealed);
            }
            match seal(app, device_id, artifact_id).await {
                Ok(done) => sealed += u64::from(done),
                Err(error) => {
                    let (device, cause) = (device_id, error.private());
                    tracing::warn!(device.id = %device, artifact.id = %artifact_id, %cause, "a configuration was not sealed");
                }
            }
        }
        last = end;
    }
}

/// Seals one file; false = it is gone, or somebody else is at it. First the bytes, which change all at
/// once, then the row: the bytes show who was cut off between the two.
async fn seal(app: &App, device_id: Uuid, artifact_id: Uuid) -> Result<bool, Error> {
    let mut tx = app.pool.begin().await?;
    let file = artifacts::lock_in_clear(&mut tx, device_id, artifact_id).await?;
    let Some(file) = file else { return Ok(false) };
    let bytes = whole(app, &file).await?;
    if Sha256::digest(&bytes).as_slice() == file.sha256.as_slice() {
        write(app, artifact_id, bytes).await?;
    } else {
        open(app, artifact_id, bytes)?;
    }
    artifacts::mark_sealed(&mut tx, device_id, artifact_id).await?;
    tx.commit().await?;
    Ok(true)
}

/// Bytes of a file as it was sent.
fn room(file: &DeviceArtifact) -> usize {
    usize::try_from(file.size).unwrap_or_default()
}

/// The bytes in the store.
async fn whole(app: &App, file: &DeviceArtifact) -> Result<Vec<u8>, Error> {
    let mut parts = app.files.read(file.artifact_id, None).await?;
    let mut bytes = Vec::with_capacity(room(file) + SEAL);
    while let Some(part) = parts.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Seals the bytes where they are, and stores them a few at a time: the store copies what it is given.
async fn write(app: &App, id: Uuid, mut bytes: Vec<u8>) -> Result<(), Error> {
    let nonce = app.keys.seal_in_place(&mut bytes, &context(id));
    let mut parts = vec![Ok::<_, Infallible>(Bytes::copy_from_slice(&nonce))];
    let mut rest = Bytes::from(bytes);
    while !rest.is_empty() {
        parts.push(Ok(rest.split_to(rest.len().min(PART))));
    }
    app.files.put(id, stream::iter(parts), u64::MAX).await?;
    Ok(())
}

fn open(app: &App, id: Uuid, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    app.keys.open_in_place(&mut bytes, &context(id)).map_err(|_| {
        Error::Internal(format!(
            "the file {id} does not open: secret.key is not the one that sealed it, or it is damaged"
        ))
    })?;
    Ok(bytes)
}

/// A sealed file that is put in the place of another one does not open there.
fn context(id: Uuid) -> String {
    format!("file {id}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::failed;
    use super::super::link::{Link, LinkKind};
    use super::*;
    use crate::jobs::spec::UploadFile;

    fn body(size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Unpin {
        stream::iter([Ok(Bytes::from(vec![b'#'; size]))])
    }

    #[tokio::test]
    async fn who_finds_no_memory_is_to_come_again_and_whoever_ends_gives_it_back() {
        let memory = Memory::new(256 << 10, Duration::from_millis(10));
        let large = gather(&memory, body(80 << 10), u64::MAX).await.unwrap();
        let busy = gather(&memory, body(1), u64::MAX).await.unwrap_err();
        assert!(matches!(busy, Error::Busy(_)), "{busy:?}");
        let (device_id, subject) = (Uuid::nil(), Uuid::nil());
        let link = Link { kind: LinkKind::Upload, device_id, subject, expires: 0 };
        assert_eq!(failed(&link, &busy).status(), 503);
        drop(large);
        let grown = gather(&memory, body(80 << 10).chain(body(80 << 10)), u64::MAX).await;
        assert!(matches!(grown, Err(Error::Busy(_))), "a share grows with its file");
        let (clear, _share) = gather(&memory, body(80 << 10), u64::MAX).await.unwrap();
        assert_eq!(clear.len(), 80 << 10);
    }

    #[test]
    fn of_a_job_one_file_comes_at_a_time() {
        let incoming = Incoming::default();
        let (job, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = incoming.begin(job).ok();
        assert!(first.is_some() && incoming.begin(other).is_ok());
        assert!(matches!(incoming.begin(job), Err(Error::Busy(_))));
        drop(first);
        assert!(incoming.begin(job).is_ok());
    }

    #[test]
    fn configurations_are_secret_and_logs_are_not() {
        for (file, expected) in [
            (UploadFile::Configuration, true),
            (UploadFile::ConfigurationInstance { instance: 2 }, true),
            (UploadFile::FactoryConfiguration, true),
            (UploadFile::Log, false),
            (UploadFile::LogInstance { instance: 2 }, false),
        ] {
            assert_eq!(is_secret(&file.file_type()), expected, "{file:?}");
        }
    }
}
