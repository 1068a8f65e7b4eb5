//! RouterOS packages (.npk): what a file says about itself.
//!
//! Owns the container format: a magic number, the length of the rest, and then containers, each with
//! a number that says what it is, a length and that many bytes. Little endian throughout. Only the
//! containers that say what the package is are read into memory, and no more of them than they can
//! need; the rest is stepped over. Nothing is installed, unpacked or checked against a signature.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use thiserror::Error;

use crate::arch::Arch;
use crate::package::is_name;
use crate::version::{RosVersion, Stage};

/// Largest file that is taken for a package, in bytes; real ones have some tens of MiB.
pub const MAX_SIZE: u64 = 512 * 1024 * 1024;

const MAGIC: [u8; 4] = [0x1e, 0xf1, 0xd0, 0xba];
/// Magic and length.
const START: u64 = 8;
/// Number and length in front of each container.
const CONTAINER_START: u64 = 6;
/// Containers of one file; real ones have some tens.
const MAX_CONTAINERS: usize = 4096;

const HEADER: u16 = 1;
const DESCRIPTION: u16 = 2;
const ARCHITECTURE: u16 = 16;
/// The header of a bundle; laid out as [`HEADER`].
const BUNDLE_HEADER: u16 = 18;
const SQUASHFS: u16 = 21;
const PREHEADER: u16 = 25;

/// Name, version, time of build and four bytes more: what every header has.
const HEADER_BYTES: usize = 28;
/// Bytes of a name in a header, filled up with NUL.
const NAME_BYTES: usize = 16;
/// Most bytes of a description that are kept.
const MAX_DESCRIPTION: usize = 4096;
/// Most bytes of an architecture's name.
const MAX_ARCH: usize = 64;

/// What a package says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Npk {
    /// As the header has it: `routeros`, `tr069-client` ...; a bundle of version 6 may have its
    /// architecture in it ([`crate::package::plain_name`]).
    pub name: String,
    /// Of what it brings.
    pub version: RosVersion,
    /// For which boards; none = the file does not say, or in no word that is known.
    pub arch: Option<Arch>,
    /// When it was built, in Unix seconds; none = the header has no time.
    pub built_at: Option<u32>,
    /// For people.
    pub description: Option<String>,
    /// Of the file, in bytes.
    pub size: u64,
}

/// Why a file is no package.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NpkError {
    /// It does not begin as packages do.
    #[error("this is not a RouterOS package: it does not begin as one")]
    Magic,
    /// Larger than any package.
    #[error("the file has {0} bytes: no RouterOS package is that large")]
    TooLarge(u64),
    /// Some of its end is missing.
    #[error("the file is cut off: it has {actual} bytes of {expected}; fetch it again")]
    Truncated {
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// There is something behind its end.
    #[error("the file is damaged: {0} bytes follow the end of the package; fetch it again")]
    Trailing(u64),
    /// A container does not end within the file.
    #[error("the file is damaged: its part at byte {0} goes beyond its end; fetch it again")]
    Container(u64),
    /// More containers than any package has.
    #[error("the file is damaged: it has more parts than any package")]
    TooMany,
    /// There is nothing in it.
    #[error("the file is an empty package: nothing is in it")]
    Empty,
    /// No header, or one that is too short.
    #[error("the file is damaged: nothing in it says which package it is")]
    NoHeader,
    /// The name is not one.
    #[error("the file is damaged: the package's name in it is not a name")]
    Name,
    /// The version is not one.
    #[error("the file is damaged: its version has the unknown stage `{0}`")]
    Stage(char),
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Read(ErrorKind),
}

impl From<std::io::Error> for NpkError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error.kind())
    }
}

/// Reads what a package says about itself, from its beginning; where the source stands afterwards
/// is not said.
///
/// # Errors
/// [`NpkError`]: it is none, or not whole, or cannot be read.
pub fn read(mut source: impl Read + Seek) -> Result<Npk, NpkError> {
    let size = source.seek(SeekFrom::End(0))?;
    if size > MAX_SIZE {
        return Err(NpkError::TooLarge(size));
    }
    source.rewind()?;
    let mut magic = [0; 4];
    if size < 4 {
        return Err(NpkError::Magic);
    }
    source.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(NpkError::Magic);
    }
    if size < START {
        return Err(NpkError::Truncated { expected: START, actual: size });
    }
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let expected = START + u64::from(u32::from_le_bytes(length));
    match size.checked_sub(expected) {
        None => return Err(NpkError::Truncated { expected, actual: size }),
        Some(0) => {}
        Some(more) => return Err(NpkError::Trailing(more)),
    }
    containers(source, size)
}

/// Walks the containers up to the end of the file.
fn containers(mut source: impl Read + Seek, size: u64) -> Result<Npk, NpkError> {
    if size == START {
        return Err(NpkError::Empty);
    }
    let mut header = None;
    let mut arch = None;
    let mut description = None;
    let mut at = START;
    for _ in 0..MAX_CONTAINERS {
        if at == size {
            let Header { name, version, built_at } = header.ok_or(NpkError::NoHeader)?;
            return Ok(Npk { name, version, arch, built_at, description, size });
        }
        let Some(room) = size.checked_sub(at + CONTAINER_START) else {
            return Err(NpkError::Container(at));
        };
        let mut start = [0; 6];
        source.seek(SeekFrom::Start(at))?;
        source.read_exact(&mut start)?;
        let [id0, id1, length @ ..] = start;
        let length = u32::from_le_bytes(length);
        if u64::from(length) > room {
            return Err(NpkError::Container(at));
        }
        match u16::from_le_bytes([id0, id1]) {
            // A bundle has one of each of its parts behind its own.
            HEADER | BUNDLE_HEADER if header.is_none() => {
                header = Some(Header::read(&beginning(&mut source, length, HEADER_BYTES)?)?);
            }
            DESCRIPTION if description.is_none() => {
                description = text(&beginning(&mut source, length, MAX_DESCRIPTION)?);
            }
            ARCHITECTURE if arch.is_none() => {
                let word = text(&beginning(&mut source, length, MAX_ARCH)?);
                arch = word.and_then(|word| word.parse().ok());
            }
            _ => {}
        }
        at += CONTAINER_START + u64::from(length);
    }
    Err(NpkError::TooMany)
}

/// The first bytes of a container, no more than `most`.
fn beginning(source: &mut impl Read, length: u32, most: usize) -> Result<Vec<u8>, NpkError> {
    let mut bytes = vec![0; usize::try_from(length).map_or(most, |length| length.min(most))];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Text without what fills it up; none where nothing is left.
fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.replace('\0', " "))
}

struct Header {
    name: String,
    version: RosVersion,
    built_at: Option<u32>,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, NpkError> {
        let Some((name, rest)) = bytes.split_first_chunk::<NAME_BYTES>() else {
            return Err(NpkError::NoHeader);
        };
        let [patch, stage, minor, major, t0, t1, t2, t3, _, _, _, _] = rest else {
            return Err(NpkError::NoHeader);
        };
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
        let name = std::str::from_utf8(&name[..end]).map_err(|_| NpkError::Name)?;
        if !is_name(name) {
            return Err(NpkError::Name);
        }
        // What came before a release has its number where a release has its patch.
        let version = match stage {
            b'a' => RosVersion::early(*major, *minor, Stage::Alpha(u32::from(*patch))),
            b'b' => RosVersion::early(*major, *minor, Stage::Beta(u32::from(*patch))),
            b'c' => RosVersion::early(*major, *minor, Stage::Rc(u32::from(*patch))),
            b'f' => RosVersion::release(u16::from(*major), u16::from(*minor), u16::from(*patch)),
            other => return Err(NpkError::Stage(char::from(*other))),
        };
        let built_at = u32::from_le_bytes([*t0, *t1, *t2, *t3]);
        Ok(Self { name: name.to_owned(), version, built_at: (built_at != 0).then_some(built_at) })
    }
}

/// A package to be made by [`build`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNpk {
    /// Up to 16 bytes; what is beyond is cut off.
    pub name: String,
    /// The format has a byte for each number: larger ones become 255. An early release has its own
    /// number in place of the patch.
    pub version: RosVersion,
    /// None = the file does not say.
    pub arch: Option<Arch>,
    /// In Unix seconds.
    pub built_at: u32,
    /// For people; empty = none.
    pub description: String,
    /// Bytes of its payload, which are all zero; nothing is in it.
    pub payload: u32,
}

/// Makes a package for tests and simulated devices: the containers of a real one, with nothing in
/// them, and unsigned. A real board refuses it.
pub fn build(new: &NewNpk) -> Vec<u8> {
    let mut body = Vec::new();
    container(&mut body, PREHEADER, &[]);
    container(&mut body, HEADER, &header(new));
    if !new.description.is_empty() {
        let bytes = new.description.as_bytes();
        container(&mut body, DESCRIPTION, &bytes[..bytes.len().min(MAX_DESCRIPTION)]);
    }
    if let Some(arch) = new.arch {
        container(&mut body, ARCHITECTURE, arch.word().as_bytes());
    }
    let payload = usize::try_from(new.payload).expect("a u32 fits a usize wherever this runs");
    container(&mut body, SQUASHFS, &vec![0; payload]);
    let mut file = MAGIC.to_vec();
    file.extend(length(&body));
    file.extend(body);
    file
}

fn header(new: &NewNpk) -> Vec<u8> {
    let mut bytes: Vec<u8> = new.name.bytes().take(NAME_BYTES).collect();
    bytes.resize(NAME_BYTES, 0);
    let (stage, number) = match new.version.stage() {
        Stage::Alpha(number) => (b'a', number),
        Stage::Beta(number) => (b'b', number),
        Stage::Rc(number) => (b'c', number),
        Stage::Final => (b'f', new.version.patch()),
    };
    let byte = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    bytes.extend([byte(number), stage, byte(new.version.minor()), byte(new.version.major())]);
    bytes.extend(new.built_at.to_le_bytes());
    // Four bytes that are always zero, and seven flags.
    bytes.extend([0; 11]);
    bytes
}

fn container(file: &mut Vec<u8>, id: u16, payload: &[u8]) {
    file.extend(id.to_le_bytes());
    file.extend(length(payload));
    file.extend(payload);
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests;
