//! What was sent: one package, or a zip of packages. Blocking: it reads and writes files.
//!
//! A zip is not trusted to be well-meaning. How much of it is kept in memory, how many files it has
//! and how much they grow to are bounded; no name in it is a place on a disk; and what it unpacks to
//! has no name either.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

/// How each zip begins.
const MAGIC: [u8; 4] = *b"PK\x03\x04";
/// How the record at the end of each begins, which says what is in it.
const END: [u8; 4] = *b"PK\x05\x06";
/// Bytes of that record.
const END_SIZE: usize = 22;
/// How the pointer before it begins where the true numbers are elsewhere, for they are too large.
const POINTER: [u8; 4] = *b"PK\x06\x07";
/// Bytes of that pointer.
const POINTER_SIZE: usize = 20;
/// Files in a zip; the vendor's have some twenty.
pub const MAX_FILES: usize = 256;
/// Bytes that are read to know what is in a zip: they stay in memory, several times over.
const MAX_DIRECTORY: u64 = 1 << 20;
/// Characters of a name that are repeated.
const SHOWN: usize = 128;
/// Bytes that are copied at once.
const CHUNK: usize = 1 << 16;

/// What was sent.
pub enum Sent {
    /// One file, which should be a package.
    One(File),
    /// Files, which should be packages.
    Zip(Archive),
}

/// A zip.
pub struct Archive {
    zip: ZipArchive<Metered>,
    /// Where files are unpacked to.
    directory: PathBuf,
}

/// A file of a zip.
#[derive(Debug)]
pub struct Entry {
    /// Its name, without the directories before it.
    pub name: String,
    /// It, and its bytes; or why it cannot be read.
    pub file: Result<(File, u64), String>,
    /// Bytes that were unpacked, also of one that is too large.
    pub unpacked: u64,
}

/// What was sent, from its beginning. Files of a zip are unpacked to `directory`.
///
/// # Errors
/// In words, where it begins as a zip and is none that can be read.
pub fn open(mut file: File, directory: PathBuf) -> Result<Sent, String> {
    if !is_zip(&mut file).map_err(|e| e.to_string())? {
        return Ok(Sent::One(file));
    }
    claims(&end_of(&mut file).map_err(|e| e.to_string())?)?;
    let left = Arc::new(AtomicU64::new(MAX_DIRECTORY));
    let metered = Metered { file, left: left.clone() };
    // What makes itself out to be a zip behind something else is none.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let zip = ZipArchive::with_config(config, metered);
    let zip = zip.map_err(|e| format!("the zip is damaged, or cut off: {e}"))?;
    left.store(u64::MAX, Ordering::Relaxed);
    Ok(Sent::Zip(Archive { zip, directory }))
}

/// As much of the end as can be read to know what is in it.
fn end_of(file: &mut File) -> io::Result<Vec<u8>> {
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(size.saturating_sub(MAX_DIRECTORY)))?;
    let mut end = Vec::new();
    Read::by_ref(file).take(MAX_DIRECTORY).read_to_end(&mut end)?;
    file.rewind()?;
    Ok(end)
}

/// Refuses a zip that claims too much: room is made for what it claims before any of it is read. Each
/// record is looked at, since another one counts where what the last one leads to is damaged.
fn claims(end: &[u8]) -> Result<(), String> {
    let number = |at: usize| u16::from_le_bytes([end[at], end[at + 1]]);
    let records = end.windows(END_SIZE).enumerate().filter(|(_, part)| part.starts_with(&END));
    for (at, _) in records {
        if at.checked_sub(POINTER_SIZE).is_some_and(|start| end[start..].starts_with(&POINTER)) {
            return Err(
                "the zip is a ZIP64, of which none is taken: make it anew without".to_owned()
            );
        }
        // Of more than one disk: it is no zip, and nothing is made of it.
        if number(at + 4) != 0 || number(at + 6) != 0 || number(at + 8) != number(at + 10) {
            continue;
        }
        let files = usize::from(number(at + 10));
        if files > MAX_FILES {
            return Err(format!("the zip has {files} files: at most {MAX_FILES} are taken"));
        }
        if (u64::from(number(at + 14)) << 16) + u64::from(number(at + 12)) > MAX_DIRECTORY {
            return Err("the zip's list of files is too long".to_owned());
        }
    }
    Ok(())
}

fn is_zip(file: &mut File) -> io::Result<bool> {
    file.rewind()?;
    let mut start = Vec::with_capacity(MAGIC.len());
    Read::by_ref(file).take(MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == MAGIC)
}

impl Archive {
    /// How many files and directories it has.
    pub fn len(&self) -> usize {
        self.zip.len()
    }

    /// Unpacks a file, up to `most` bytes; `None` = it is a directory, or no file at all.
    pub fn take(&mut self, at: usize, most: u64) -> Option<Entry> {
        let mut found = match self.zip.by_index(at) {
            Ok(found) => found,
            Err(e) => {
                let name = format!("file {}", at + 1);
                return Some(Entry { name, file: Err(e.to_string()), unpacked: 0 });
            }
        };
        if !found.is_file() {
            return None;
        }
        let name = found.name().map(|name| plain(&name)).unwrap_or_default();
        let mut unpacked = 0;
        let file = match name.to_ascii_lowercase().ends_with(".npk") {
            true => unpack(&mut found, &self.directory, most, &mut unpacked),
            false => Err("it is left out: only .npk files are packages".to_owned()),
        };
        Some(Entry { name, file, unpacked })
    }
}

/// The name of a file, for people: without what stands before it.
pub fn plain(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

fn unpack(
    from: &mut impl Read,
    directory: &Path,
    most: u64,
    size: &mut u64,
) -> Result<(File, u64), String> {
    let mut file = tempfile::tempfile_in(directory).map_err(|e| e.to_string())?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).map_err(|e| format!("it cannot be unpacked: {e}"))?;
        if read == 0 {
            return Ok((file, *size));
        }
        *size += read as u64;
        if *size > most {
            return Err(format!(
                "it unpacks to more than {most} bytes, the most that is taken here"
            ));
        }
        file.write_all(&chunk[..read]).map_err(|e| e.to_string())?;
    }
}

/// A file of which no more than so many bytes can be read.
struct Metered {
    file: File,
    left: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let left = self.left.load(Ordering::Relaxed);
        let rest = left.checked_sub(read as u64);
        let rest = rest.ok_or_else(|| io::Error::other("its list of files is too long"))?;
        self.left.store(rest, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::io::Cursor;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            match name.strip_suffix('/') {
                Some(name) => zip.add_directory(name, SimpleFileOptions::default()).unwrap(),
                None => {
                    zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                    zip.write_all(bytes).unwrap();
                }
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn open_bytes(bytes: &[u8], directory: &Path) -> Result<Sent, String> {
        let mut file = tempfile::tempfile_in(directory).unwrap();
        file.write_all(bytes).unwrap();
        open(file, directory.to_owned())
    }

    fn archive(bytes: &[u8], directory: &Path) -> Archive {
        match open_bytes(bytes, directory).unwrap() {
            Sent::Zip(archive) => archive,
            Sent::One(_) => panic!("it is a zip"),
        }
    }

    #[test]
    fn files_are_unpacked_under_their_plain_names_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = zipped(&[("extra/", b""), ("extra/a.npk", b"hello"), ("../../read.me", b"x")]);
        let mut zip = archive(&bytes, dir.path());
        assert_eq!(zip.len(), 3);
        assert!(zip.take(0, 9).is_none());
        let entry = zip.take(1, 5).unwrap();
        let (mut file, size) = entry.file.unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((entry.name.as_str(), text.as_str(), size), ("a.npk", "hello", 5));
        let other = zip.take(2, 9).unwrap();
        assert_eq!(other.name, "read.me");
        assert!(other.file.unwrap_err().contains("only .npk"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_zip_is_one_file_and_is_read_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"PK", b"\x1e\xf1\xd0\xba rest"] {
            let Sent::One(mut file) = open_bytes(bytes, dir.path()).unwrap() else { panic!() };
            let mut read = Vec::new();
            file.read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes);
        }
    }

    #[test]
    fn a_zip_that_is_cut_off_too_long_or_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let whole = zipped(&[("a.npk", &[7; 1_000_000])]);
        assert!(whole.len() < 10_000, "it is a bomb");
        let most = archive(&whole, dir.path()).take(0, 1_000_000).unwrap();
        assert_eq!(most.file.unwrap().1, 1_000_000);
        let less = archive(&whole, dir.path()).take(0, 999_999).unwrap();
        assert_eq!(less.unpacked, 1_000_000, "what is refused was unpacked, too");
        assert!(less.file.unwrap_err().contains("more than 999999 bytes"));

        let why = open_bytes(&whole[..whole.len() / 2], dir.path()).err().unwrap();
        assert!(why.contains("damaged, or cut off"), "{why}");

        let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("{n}.npk")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
        let why = open_bytes(&zipped(&files), dir.path()).err().unwrap();
        assert!(why.contains("at most 256"), "{why}");

        let names: Vec<String> = (0..200).map(|n| format!("{n}{}", "x".repeat(9_000))).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
        let mut long = zipped(&files);
        let why = open_bytes(&long, dir.path()).err().unwrap();
        assert!(why.contains("list of files is too long"), "{why}");
        // One that says that it is short.
        let end = long.len() - END_SIZE;
        long[end + 12..end + 16].copy_from_slice(&9_200_u32.to_le_bytes());
        let why = open_bytes(&long, dir.path()).err().unwrap();
        assert!(why.contains("damaged, or cut off"), "{why}");
    }

    #[test]
    fn a_zip_that_claims_too_much_is_refused_before_room_is_made_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let good = zipped(&[("a.npk", b"hello")]);
        let end = good.len() - END_SIZE;
        let forged = |claims: &[(usize, &[u8])]| {
            let mut bytes = good.clone();
            for (at, claim) in claims {
                bytes[end + at..end + at + claim.len()].copy_from_slice(claim);
            }
            bytes
        };
        let why = |bytes: &[u8]| open_bytes(bytes, dir.path()).err().unwrap();
        let many = forged(&[(8, b"\xfe\xff\xfe\xff")]);
        assert!(why(&many).contains("65534 files: at most 256"), "{}", why(&many));
        let long = forged(&[(12, b"\x01\x00\x10\x00")]);
        assert!(why(&long).contains("list of files is too long"), "{}", why(&long));
        // Another record behind it does not hide it.
        let hidden = [many.as_slice(), &good[end..]].concat();
        assert!(why(&hidden).contains("at most 256"), "{}", why(&hidden));
        let mut large = good[..end].to_vec();
        large.extend(POINTER);
        large.extend([0; POINTER_SIZE - POINTER.len()]);
        large.extend(&good[end..]);
        assert!(why(&large).contains("ZIP64"), "{}", why(&large));
        assert!(open_bytes(&forged(&[]), dir.path()).is_ok());
    }

    #[test]
    fn a_name_is_one_that_can_be_shown() {
        for (path, name) in [
            ("a/b\\c.npk", "c.npk"),
            ("/etc/", ""),
            ("x\u{1b}[2J.npk", "x[2J.npk"),
            (&"y".repeat(1_000), &"y".repeat(SHOWN)),
        ] {
            assert_eq!(plain(path), name);
        }
    }
}
