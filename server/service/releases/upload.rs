//! Packages come in: one .npk, or a zip of them.
//!
//! Owns that a package is stored as what it says of itself, once, and only whole: the file is written
//! to a place without a name, read there, and put into the file store when it is known to be wanted.
//! Whether a device would take it, by its signature, nobody here can tell.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Seek};

use bytes::Bytes;
use chrono::DateTime;
use futures_util::{Stream, StreamExt};
use muster_routeros::arch::Arch;
use muster_routeros::npk::{self, MAX_SIZE, Npk};
use muster_routeros::package::{MAIN, file_name, kept_name, parse_file_name, plain_name};
use muster_routeros::version::RosVersion;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::archive::{self, Archive, Sent};
use super::{blank, drop_bytes, made, package_object, told};
use crate::access::audit;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::artifacts;
use crate::store::releases::{self as store, Package};

/// Bytes that the files of one zip may have in all.
const MAX_UNPACKED: u64 = 4 << 30;
/// Bytes that are hashed at once.
const CHUNK: usize = 1 << 16;

/// What is said of a file that is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewFile {
    /// Its name, which must not contradict what is in it; `None` = it has none.
    pub name: Option<String>,
    /// How long the sender says that it is, in bytes.
    pub announced: Option<u64>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it was called; empty = nothing.
    pub file: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored now.
    Stored(Package),
    /// The same bytes were stored before.
    There(Package),
    /// It is not taken, and why.
    Refused(String),
}

impl Outcome {
    /// The package, if it is stored, now or before.
    pub fn package(&self) -> Option<&Package> {
        match self {
            Self::Stored(package) | Self::There(package) => Some(package),
            Self::Refused(_) => None,
        }
    }
}

/// Takes a package, or the packages of a zip; says of each what became of it. A release that is not
/// there yet is made.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a body that is empty or breaks off, and a zip that cannot
/// be read; [`Error::TooLarge`], also for the room on the disk; [`Error::Files`].
pub async fn add<S, E>(app: &App, ctx: &Ctx, new: NewFile, body: S) -> Result<Vec<Verdict>, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    ctx.require_everywhere(Right::Operate)?;
    let most = artifacts::most(app, new.announced).await?;
    let file = spooled(app, body, most).await?;
    let directory = app.config.artifact_dir();
    let sent = blocking(move || archive::open(file, directory)).await?;
    match sent.map_err(|why| Error::invalid("", why))? {
        Sent::One(file) => {
            let outcome = one(app, ctx, new.name.as_deref(), file).await?;
            let file = new.name.as_deref().map(archive::plain).unwrap_or_default();
            Ok(vec![Verdict { file, outcome }])
        }
        Sent::Zip(zip) => each(app, ctx, zip).await,
    }
}

/// The files of a zip, one after the other.
async fn each(app: &App, ctx: &Ctx, mut zip: Archive) -> Result<Vec<Verdict>, Error> {
    let mut left = MAX_UNPACKED;
    let mut verdicts = Vec::new();
    for at in 0..zip.len() {
        let most = artifacts::most(app, None).await?.min(MAX_SIZE).min(left);
        let (back, entry) = blocking(move || {
            let entry = zip.take(at, most);
            (zip, entry)
        })
        .await?;
        zip = back;
        let Some(entry) = entry else { continue };
        left = left.saturating_sub(entry.unpacked);
        let outcome = match entry.file {
            Ok((file, _)) => one(app, ctx, Some(entry.name.as_str()), file).await?,
            Err(why) => Outcome::Refused(why),
        };
        verdicts.push(Verdict { file: entry.name, outcome });
    }
    if verdicts.is_empty() {
        return Err(Error::invalid("", "no file is in the zip"));
    }
    Ok(verdicts)
}

/// The body, in a file without a name: whatever happens, nothing of it stays.
async fn spooled<S, E>(app: &App, mut body: S, most: u64) -> Result<File, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Display,
{
    // On the disk whose room was looked at.
    let directory = app.config.artifact_dir();
    let file = blocking(move || tempfile::tempfile_in(directory)).await?.map_err(disk)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut size: u64 = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| Error::invalid("", format!("the file broke off: {e}")))?;
        size += chunk.len() as u64;
        if size > most {
            let why = format!("the file is larger than {most} bytes, the most that is taken here");
            return Err(Error::TooLarge(why));
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    if size == 0 {
        return Err(Error::invalid("", "the body is empty: send the file as the body"));
    }
    Ok(file.into_std().await)
}

/// Takes one file, if it is a package.
async fn one(app: &App, ctx: &Ctx, name: Option<&str>, file: File) -> Result<Outcome, Error> {
    let (file, read) = blocking(move || {
        let read = npk::read(&file).map_err(|e| e.to_string());
        let read = read.and_then(|npk| Ok((npk, sha256(&file).map_err(|e| e.to_string())?)));
        (file, read)
    })
    .await?;
    let package = match read.and_then(|(npk, sha256)| described(ctx, name, &npk, sha256)) {
        Ok(package) => package,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    // Most that are sent twice need not be written twice.
    if let Some(there) = store::twin(&app.pool, &package).await? {
        return Ok(in_the_way(&package, there));
    }
    let bytes = ReaderStream::new(tokio::fs::File::from_std(file));
    let most = artifacts::most(app, u64::try_from(package.size).ok()).await?;
    app.files.put(package.package_id, bytes, most).await?;
    match record(app, ctx, &package).await {
        Ok(None) => Ok(Outcome::Stored(package)),
        Ok(Some(other)) => {
            drop_bytes(app, package.package_id).await;
            Ok(other)
        }
        Err(error) => {
            // Without a record nobody would ever find the bytes again.
            drop_bytes(app, package.package_id).await;
            Err(error)
        }
    }
}

/// Makes the package known; gives what became of it where another one stands in its way.
async fn record(app: &App, ctx: &Ctx, package: &Package) -> Result<Option<Outcome>, Error> {
    let version = package.version.parse::<RosVersion>();
    let version = version.map_err(|e| Error::Internal(e.to_string()))?;
    let mut tx = app.pool.begin().await?;
    made(&mut tx, ctx, &blank(&version, String::new(), ctx)).await?;
    // Of two that are sent at once the second sees the first.
    if store::lock(&mut tx, &package.version).await?.is_none() {
        let why = format!("the release {version} was removed just now: send the file again");
        return Err(Error::Conflict(why));
    }
    if let Some(there) = store::twin(&mut *tx, package).await? {
        return Ok(Some(in_the_way(package, there)));
    }
    store::insert_package(&mut tx, package).await?;
    audit::record(&mut tx, ctx, "package.create", package_object(package), (), told(package))
        .await?;
    tx.commit().await?;
    tracing::info!(package = package.file_name, by = ctx.actor.name, "package stored");
    Ok(None)
}

/// What a package is that another one stands in the way of.
fn in_the_way(new: &Package, there: Package) -> Outcome {
    let same = |p: &Package| (p.version.clone(), p.arch.clone(), p.name.clone());
    if there.sha256 != new.sha256 {
        return Outcome::Refused(format!(
            "another {} is stored, with the SHA-256 {}: the vendor's files do not change, so one of \
             the two is not what it says; delete the stored one if it is that",
            there.file_name,
            hex::encode(&there.sha256)
        ));
    }
    if same(&there) != same(new) {
        let name = &there.file_name;
        return Outcome::Refused(format!("this very file is stored already, as {name}"));
    }
    Outcome::There(there)
}

/// The package that a file is, to be stored.
fn described(
    ctx: &Ctx,
    file: Option<&str>,
    npk: &Npk,
    sha256: [u8; 32],
) -> Result<Package, String> {
    let (name, arch) = identified(file, npk)?;
    let built_at = npk.built_at.and_then(|at| DateTime::from_timestamp(at.into(), 0));
    Ok(Package {
        package_id: Uuid::now_v7(),
        version: npk.version.to_string(),
        arch: arch.word().to_owned(),
        file_name: file_name(&name, &npk.version, arch),
        name,
        size: i64::try_from(npk.size).map_err(|e| e.to_string())?,
        sha256: sha256.to_vec(),
        built_at,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
    })
}

/// Name and architecture of a package, by what it says and by what its file is called; why not, where
/// the two contradict each other.
fn identified(file: Option<&str>, npk: &Npk) -> Result<(String, Arch), String> {
    let said = file.and_then(parse_file_name);
    let name = kept_name(&npk.name, said.as_ref());
    let in_header = npk.name.strip_prefix(MAIN).and_then(|rest| rest.strip_prefix('-'));
    let in_header = npk.arch.or_else(|| in_header?.parse().ok());
    // A name without an architecture is one of x86.
    let in_name = said.as_ref().map(|said| said.arch.unwrap_or(Arch::X86));
    let arch = in_header.or(in_name).ok_or(
        "nothing says for which architecture it is: give the file the name that RouterOS gives it, \
         such as routeros-7.16.1-arm.npk",
    )?;
    let fits = said.as_ref().is_none_or(|said| {
        plain_name(&said.name) == name
            && said.version == npk.version
            && said.arch.is_none_or(|said| said == arch)
    });
    if !fits {
        let called = archive::plain(file.unwrap_or_default());
        let is = file_name(&name, &npk.version, arch);
        return Err(format!("it is called {called}, but it is {is}"));
    }
    Ok((name, arch))
}

/// From the beginning; the file stands there afterwards.
fn sha256(mut file: &File) -> io::Result<[u8; 32]> {
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
    }
    file.rewind()?;
    Ok(hash.finalize().into())
}

/// A disk must hold up nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Internal(e.to_string()))
}

fn disk(error: io::Error) -> Error {
    Error::Files(object_store::Error::Generic { store: "spool", source: Box::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npk(name: &str, version: RosVersion, arch: Option<Arch>) -> Npk {
        Npk { name: name.to_owned(), version, arch, built_at: Some(1), description: None, size: 7 }
    }

    const NEW: RosVersion = RosVersion::release(7, 16, 1);
    const OLD: RosVersion = RosVersion::release(6, 49, 10);

    #[test]
    fn a_package_is_what_it_says_whatever_order_its_name_has() {
        for (file, npk, name, arch) in [
            (
                Some("routeros-7.16.1-arm.npk"),
                npk("routeros", NEW, Some(Arch::Arm)),
                "routeros",
                Arch::Arm,
            ),
            (
                Some("routeros-arm-7.16.1.npk"),
                npk("routeros", NEW, Some(Arch::Arm)),
                "routeros",
                Arch::Arm,
            ),
            (Some("routeros-7.16.1.npk"), npk("routeros", NEW, None), "routeros", Arch::X86),
            (Some("routeros-smips-6.49.10.npk"), npk("system", OLD, None), "routeros", Arch::Smips),
            (
                Some("routeros-powerpc-6.49.10.npk"),
                npk("routeros-powerpc", OLD, None),
                "routeros",
                Arch::Ppc,
            ),
            (Some("dude-6.49.10-arm.npk"), npk("dude", OLD, None), "dude", Arch::Arm),
            // What is called nothing, or anything.
            (None, npk("container", NEW, Some(Arch::Arm64)), "container", Arch::Arm64),
            (
                Some("download (3)"),
                npk("container", NEW, Some(Arch::Arm64)),
                "container",
                Arch::Arm64,
            ),
            (None, npk("routeros-mmips", OLD, None), "routeros", Arch::Mmips),
        ] {
            assert_eq!(identified(file, &npk), Ok((name.to_owned(), arch)), "{file:?}");
        }
    }

    #[test]
    fn a_name_that_contradicts_the_file_is_refused_with_what_it_is() {
        let arm = npk("tr069-client", NEW, Some(Arch::Arm));
        for file in [
            "routeros-7.16.1-arm.npk",
            "tr069-client-7.16.2-arm.npk",
            "tr069-client-7.16.1-arm64.npk",
        ] {
            let why = identified(Some(file), &arm).err().unwrap_or_default();
            assert!(why.ends_with("but it is tr069-client-7.16.1-arm.npk"), "{why}");
            assert!(why.contains(file), "{why}");
        }
        let why = identified(Some("x"), &npk("dude", NEW, None)).err().unwrap_or_default();
        assert!(why.contains("which architecture"), "{why}");
    }

    #[test]
    fn the_same_file_twice_is_no_mistake_and_another_of_its_name_is_one() {
        let ctx = Ctx::console(DateTime::UNIX_EPOCH);
        let of = |npk: &Npk, byte: u8| described(&ctx, None, npk, [byte; 32]);
        let (arm, arm64) = (npk("dude", NEW, Some(Arch::Arm)), npk("dude", NEW, Some(Arch::Arm64)));
        let (Ok(stored), Ok(again), Ok(other), Ok(moved)) =
            (of(&arm, 1), of(&arm, 1), of(&arm, 2), of(&arm64, 1))
        else {
            panic!("they are packages");
        };
        assert_eq!((stored.file_name.as_str(), stored.size), ("dude-7.16.1-arm.npk", 7));
        assert_eq!(in_the_way(&again, stored.clone()), Outcome::There(stored.clone()));
        let refused = |new: &Package| match in_the_way(new, stored.clone()) {
            Outcome::Refused(why) => why,
            other => panic!("{other:?}"),
        };
        assert!(refused(&other).contains("0101"), "{}", refused(&other));
        assert!(refused(&moved).ends_with("as dude-7.16.1-arm.npk"));
    }
}
