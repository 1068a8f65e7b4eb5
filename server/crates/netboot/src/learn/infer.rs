//! How a script lies in a file, and the profile that says so.

use crate::booter::CONFIGURATION;
use crate::bootp::Request;
use crate::profile::{Counts, Newline, Number, Profile, Status, Wrong, builtin, read as check};

use super::{Learned, Read};

/// What is concluded from one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inference {
    /// What stands before the script.
    pub prefix: Vec<u8>,
    /// What stands behind it.
    pub suffix: Vec<u8>,
    /// Where a length stands in the prefix, if one seems to.
    pub length_field: Option<Length>,
    /// How its lines end, in comparison with the script that was given to the server.
    pub newline: Newline,
    /// It is in the file byte by byte.
    pub verbatim: bool,
    /// All of this for people, and what is still open.
    pub words: String,
}

/// A length in the bytes before a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// How it is written.
    pub number: Number,
    /// Where it begins.
    pub offset: u16,
    /// What it counts.
    pub counts: Counts,
}

/// How a script lies in a file: the one that the server was given, or, where nobody says which that was,
/// what looks like one.
pub fn infer(file: &[u8], script: Option<&[u8]>) -> Inference {
    let Some(script) = script.filter(|script| !script.is_empty()) else { return guess(file) };
    let lines: Vec<&[u8]> = script.split(|byte| *byte == b'\n').collect();
    let with_returns = lines.join(b"\r\n".as_slice());
    for (text, newline) in [(script, Newline::Lf), (with_returns.as_slice(), Newline::Crlf)] {
        if let Some(at) = file.windows(text.len()).position(|window| window == text) {
            return found(file, at, at + text.len(), newline);
        }
    }
    Inference {
        prefix: Vec::new(),
        suffix: Vec::new(),
        length_field: None,
        newline: Newline::Lf,
        verbatim: false,
        words: "script text not present verbatim: encoded, compressed, or not this script"
            .to_owned(),
    }
}

/// Takes the longest text for the script.
fn guess(file: &[u8]) -> Inference {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let (mut best, mut from) = (0..0, 0);
    for at in 0..=file.len() {
        if file.get(at).is_some_and(is_text) {
            continue;
        }
        if at - from > best.len() {
            best = from..at;
        }
        from = at + 1;
    }
    let magic = file[best.clone()].starts_with(&CONFIGURATION);
    let start = if magic { best.start + CONFIGURATION.len() } else { best.start };
    let mut inference = found(file, start, best.end, Newline::Lf);
    inference.verbatim = false;
    inference.words = format!(
        "no script was given to compare with; the longest text is taken for it, bytes {start} to {}. {}",
        best.end, inference.words
    );
    inference
}

fn found(file: &[u8], start: usize, end: usize, newline: Newline) -> Inference {
    let (prefix, suffix) = (&file[..start], &file[end..]);
    let length_field = length(prefix, file.len(), end - start);
    let mut words = format!(
        "the script is {} of {} bytes; before it: {}; behind it: {}.",
        end - start,
        file.len(),
        bytes_words(prefix),
        bytes_words(suffix)
    );
    if newline == Newline::Crlf {
        words += " Its lines end with CR LF, other than those of the script that was given.";
    }
    if let Some(Length { number, offset, counts }) = length_field {
        words += &format!(
            " A length seems to stand at {offset}: {} bytes, {number:?}, of {}.",
            number.width(),
            match counts {
                Counts::Script => "the script",
                Counts::Rest => "the rest",
                Counts::All => "the file",
            }
        );
    }
    if !suffix.is_empty() {
        words += " What stands behind it may be filling, or a sum over the script: compare with a \
                  script of another length and with one of the same length.";
    }
    let (prefix, suffix) = (prefix.to_vec(), suffix.to_vec());
    Inference { prefix, suffix, length_field, newline, verbatim: true, words }
}

/// A number before the script that says how long something is; the widest, since a wide one has narrow
/// ones in it.
fn length(prefix: &[u8], file: usize, script: usize) -> Option<Length> {
    for number in [Number::U32le, Number::U32be, Number::U16le, Number::U16be] {
        for (at, window) in prefix.windows(number.width()).enumerate() {
            let says = number.read(window).and_then(|value| usize::try_from(value).ok());
            let behind = file - at - number.width();
            let counts = match says {
                Some(value) if value == script => Counts::Script,
                Some(value) if value == behind => Counts::Rest,
                Some(value) if value == file => Counts::All,
                _ => continue,
            };
            return Some(Length { number, offset: u16::try_from(at).ok()?, counts });
        }
    }
    None
}

fn bytes_words(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    let shown = hex::encode(&bytes[..bytes.len().min(64)]);
    let more = if bytes.len() > 64 { " ..." } else { "" };
    format!("{} bytes, {shown}{more}", bytes.len())
}

/// The profile by which boards would be served what was seen here: `captured`, and without the way into
/// Etherboot, which was not.
///
/// # Errors
/// The script was not found, or what was seen is beyond the bounds of a profile.
pub fn profile(
    name: &str,
    evidence: &str,
    learned: &Learned,
    read: &Read,
    inference: &Inference,
) -> Result<Profile, Wrong> {
    if !inference.verbatim {
        return Err(Wrong(format!("no profile can be made of this: {}", inference.words)));
    }
    let known = builtin().first().expect("a profile comes with Muster");
    let mut made = Profile {
        name: name.to_owned(),
        status: Status::Captured,
        evidence: evidence.to_owned(),
        mode: None,
        redirect: None,
        ..known.clone()
    };
    if let Some(request) = learned.request_of(read.board) {
        describe(&mut made, request);
    }
    if let Some(reply) = learned.reply_to(read.board, read.server) {
        made.reply.boot_file = super::shown(&reply.file);
        made.reply.options.retain(|code| reply.option(*code).is_some());
    }
    made.tftp.max_blksize = u16::try_from(read.blksize()).unwrap_or(u16::MAX);
    made.payload.prefix.clone_from(&inference.prefix);
    made.payload.suffix.clone_from(&inference.suffix);
    made.payload.newline = inference.newline;
    if let Some(Length { number, offset, counts }) = inference.length_field {
        made.payload.length_field = number;
        made.payload.length_offset = offset;
        made.payload.length_counts = counts;
    }
    // Whoever reads it knows its bounds.
    check(&made.write())
}

/// What boards of the profile ask.
fn describe(made: &mut Profile, request: &Request) {
    made.matching.require_option53 = request.message_type().is_some();
    if let Some(class) = request.vendor_class() {
        made.matching.option60 = class;
    }
    let has = |code: &u8| request.option(*code).is_some();
    made.matching.board_id_option = made.matching.board_id_option.filter(has);
    made.limits.free_space_option = made.limits.free_space_option.filter(has);
    if made.limits.free_space_option.is_none() {
        made.limits.free_space_encoding = Number::None;
    }
}
