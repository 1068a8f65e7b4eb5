//! The large things that boards read: boot images, and the packages of an installation.
//!
//! Owns that each is in memory once, however many boards read it at the time, and that what is sent is
//! of the board's own architecture.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use futures_util::TryStreamExt;
use muster_netboot::netinstall::{Announcement, File, SCRIPT, check};
use muster_netboot::vendor;
use muster_routeros::arch::Arch;
use muster_routeros::package::MAIN;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::arming::Install;
use super::policy::Refusal;
use super::prepare::Stop;
use crate::ctx::App;
use crate::error::Error;
use crate::files::FileStore;
use crate::store::bench;
use crate::store::releases::{self, Package};

/// Bytes of stored files that somebody reads at the moment, by their names in the file store.
#[derive(Debug, Default)]
pub struct Library(Mutex<HashMap<Uuid, Weak<[u8]>>>);

impl Library {
    /// The bytes of a file: those that somebody has in memory already, or else from the disk. One at a
    /// time, so that many who begin at once read it once.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Files`].
    pub async fn load(&self, files: &FileStore, id: Uuid) -> Result<Arc<[u8]>, Error> {
        let mut known = self.0.lock().await;
        if let Some(bytes) = known.get(&id).and_then(Weak::upgrade) {
            return Ok(bytes);
        }
        known.retain(|_, bytes| bytes.strong_count() > 0);
        let mut whole = Vec::new();
        let mut stream = files.read(id, None).await?;
        while let Some(chunk) = stream.try_next().await? {
            whole.extend_from_slice(&chunk);
        }
        let bytes: Arc<[u8]> = whole.into();
        known.insert(id, Arc::downgrade(&bytes));
        Ok(bytes)
    }
}

/// The boot image that a boot loader takes which calls itself so, and what its file is called.
///
/// # Errors
/// [`Stop`]: `no_image` where none is stored.
pub async fn boot_image(
    app: &App,
    library: &Library,
    vendor_class: Option<&str>,
) -> Result<(String, Arc<[u8]>), Stop> {
    let class = vendor_class.unwrap_or_default();
    let Some(name) = vendor::image_of(class) else {
        let words = "which boot image it takes is not known: it does not say what it is";
        return Err(Refusal::new("no_image", words).into());
    };
    let Some(image) = bench::image(&app.pool, name).await? else {
        let words =
            format!("the boot image {name} is not stored: get it from the vendor, upload it");
        return Err(Refusal::new("no_image", words).into());
    };
    let content = library.load(&app.files, image.file_id()).await?;
    Ok((format!("linux.{name}"), content))
}

/// The files of an installation, in the order in which they go, and what is to be said of them. Each is
/// looked at before the board is offered anything, because then it formats its disk.
///
/// # Errors
/// [`Stop`]: `no_package` for what is not stored or does not go onto the board.
pub async fn files(
    app: &App,
    library: &Library,
    install: &Install,
    announcement: &Announcement,
    script: Option<&str>,
) -> Result<(Vec<File>, Vec<String>), Stop> {
    let version = &install.release;
    let release = releases::release(&app.pool, version).await?;
    if let Some(release) = release.filter(|release| release.withdrawn_at.is_some()) {
        let why = release.withdrawn_why.map_or_else(String::new, |why| format!(": {why}"));
        return Err(no_package(format!("{version} was withdrawn{why}")).into());
    }
    let arch = announcement.arch.parse::<Arch>();
    let arch = arch.map_err(|e| no_package(format!("what it says it is made for: {e}")))?;
    let stored = releases::packages(&app.pool, std::slice::from_ref(version)).await?;
    let mut files = Vec::new();
    for package in chosen(install, arch, &stored)? {
        let content = library.load(&app.files, package.package_id).await?;
        files.push(File { name: package.file_name.clone(), content });
    }
    if let Some(script) = script {
        files.push(File { name: SCRIPT.to_owned(), content: script.as_bytes().into() });
    }
    let warnings = check(&files, announcement).map_err(no_package)?;
    Ok((files, warnings))
}

/// The packages, the main one first.
fn chosen<'a>(
    install: &Install,
    arch: Arch,
    stored: &'a [Package],
) -> Result<Vec<&'a Package>, Refusal> {
    let names = std::iter::once(MAIN).chain(install.packages.iter().map(String::as_str));
    names
        .map(|name| {
            let found = stored.iter().find(|p| p.name == name && p.arch == arch.word());
            found.ok_or_else(|| {
                let version = &install.release;
                no_package(format!("{name} {version} for {arch} is not stored: upload it first"))
            })
        })
        .collect()
}

fn no_package(words: String) -> Refusal {
    Refusal::new("no_package", words)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::convert::Infallible;

    use bytes::Bytes;
    use chrono::DateTime;
    use futures_util::stream;

    use super::*;

    fn package(name: &str, arch: &str) -> Package {
        Package {
            package_id: Uuid::nil(),
            version: "7.16.1".to_owned(),
            arch: arch.to_owned(),
            name: name.to_owned(),
            file_name: format!("{name}-7.16.1-{arch}.npk"),
            size: 1,
            sha256: Vec::new(),
            built_at: None,
            created_by: String::new(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_system_goes_first_and_nothing_of_another_architecture_goes_at_all() {
        let stored = [package("tr069-client", "arm"), package(MAIN, "arm64"), package(MAIN, "arm")];
        let packages = vec!["tr069-client".to_owned()];
        let install = Install { release: "7.16.1".to_owned(), packages, template: None };
        let chosen_for = |arch| chosen(&install, arch, &stored);
        let names: Vec<&str> =
            chosen_for(Arch::Arm).unwrap().iter().map(|p| p.file_name.as_str()).collect();
        assert_eq!(names, ["routeros-7.16.1-arm.npk", "tr069-client-7.16.1-arm.npk"]);
        let refusal = chosen_for(Arch::Arm64).unwrap_err();
        assert_eq!(refusal.code, "no_package");
        assert!(refusal.words.contains("tr069-client 7.16.1 for arm64"), "{refusal:?}");
    }

    #[tokio::test]
    async fn many_who_read_one_file_have_it_in_memory_once() {
        let dir = tempfile::tempdir().unwrap();
        let files = FileStore::open(dir.path()).unwrap();
        let id = Uuid::from_u128(7);
        let content = stream::iter([Ok::<Bytes, Infallible>(Bytes::from_static(b"image"))]);
        files.put(id, content, 100).await.unwrap();
        let library = Library::default();
        let one = library.load(&files, id).await.unwrap();
        let other = library.load(&files, id).await.unwrap();
        assert!(Arc::ptr_eq(&one, &other) && &one[..] == b"image");
        drop((one, other));
        assert!(library.load(&files, id).await.is_ok());
        assert!(library.load(&files, Uuid::nil()).await.is_err());
    }
}
