//! What a board in flash-boot mode reads: a script in the form of a profile, and whether it fits.
//!
//! Pure arithmetic over bytes. Whether a script is good RouterOS is not asked here.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::profile::{Counts, Mode, Newline, Place, Profile};

/// The longest script in bytes, whatever a profile says: MikroTik's own limit.
pub const MAX_SCRIPT: usize = 4000;

/// What MikroTik's own server says of a script that does not fit.
pub const TOO_BIG: &str = "Not enough flash space, ignoring";

/// A script does not fit; written in MikroTik's words, with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooBig {
    /// It is longer than any board of the kind takes.
    Script {
        /// Its bytes, those of the mode script and of what is between both included.
        size: usize,
        /// As many as go.
        most: usize,
    },
    /// This board has not the room.
    Board {
        /// What is kept of it, in bytes.
        needed: usize,
        /// The bytes that the board says it has.
        free: usize,
    },
}

impl fmt::Display for TooBig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Script { size, most } => {
                let (size, most) = (grouped(size), grouped(most));
                write!(f, "{TOO_BIG}: the script has {size} bytes, and at most {most} go")
            }
            Self::Board { needed, free } => {
                let (needed, free) = (grouped(needed), grouped(free));
                write!(f, "{TOO_BIG}: it takes {needed} bytes, and the board has {free}")
            }
        }
    }
}

impl Error for TooBig {}

/// Whether a script is text that a board reads as it was meant: ASCII, lines that end with LF alone, and
/// the last one ended.
///
/// # Errors
/// What is wrong, with its line.
pub fn check_text(script: &str) -> Result<(), String> {
    if script.is_empty() {
        return Err("the script is empty".to_owned());
    }
    for (number, line) in (1_usize..).zip(script.split('\n')) {
        let wrong = line.chars().find(|c| !matches!(c, '\t' | ' '..='~'));
        if let Some(wrong) = wrong {
            return Err(format!("line {number}: {}", objection(wrong)));
        }
    }
    if script.ends_with('\n') {
        Ok(())
    } else {
        Err("the last line does not end with a line feed".to_owned())
    }
}

/// The file that a board reads: prefix, script, suffix, with the length where it belongs, and the mode
/// script where the profile says.
///
/// # Errors
/// No script, a mode script that the profile has no place for, and a length that its field does not hold,
/// in words.
pub fn build(profile: &Profile, script: &[u8], mode: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let rule = &profile.payload;
    if script.is_empty() {
        return Err("the script is empty".to_owned());
    }
    let script = with_newlines(rule.newline, script);
    let mut file = rule.prefix.clone();
    match (mode, &profile.mode) {
        (None, _) => file.extend_from_slice(&script),
        (Some(mode), Some(Mode { place, separator })) => {
            let mode = with_newlines(rule.newline, mode);
            let (mode, script): (&[u8], &[u8]) = (&*mode, &*script);
            let (first, last) = match place {
                Place::Before => (mode, script),
                Place::After => (script, mode),
            };
            for part in [first, separator.as_slice(), last] {
                file.extend_from_slice(part);
            }
        }
        (Some(_), None) => {
            let name = &profile.name;
            return Err(format!("how a mode script is sent is not known of the profile {name}"));
        }
    }
    file.extend_from_slice(&rule.suffix);
    let at = usize::from(rule.length_offset);
    let behind = at + rule.length_field.width();
    let counted = match rule.length_counts {
        Counts::Script => script.len(),
        Counts::Rest => file.len().saturating_sub(behind),
        Counts::All => file.len(),
    };
    let length = u32::try_from(counted).ok().and_then(|counted| rule.length_field.write(counted));
    let length = length.ok_or_else(|| "the script is longer than its length can say".to_owned())?;
    let field = file.get_mut(at..behind).ok_or_else(|| "the length has no place".to_owned())?;
    field.copy_from_slice(&length);
    Ok(file)
}

/// Whether a file of so many bytes, as [`build`] makes it, goes into a board that says how much room it
/// has; one that says nothing is taken to have enough. What the limit of a script counts is not known, so
/// all counts that is between prefix and suffix: the mode script, what stands between both, and lines
/// that end with two bytes.
///
/// # Errors
/// Which limit is passed.
pub fn fits(profile: &Profile, file_len: usize, free: Option<u32>) -> Result<(), TooBig> {
    let (limits, rule) = (&profile.limits, &profile.payload);
    let most = MAX_SCRIPT.min(usize::from(limits.max_script));
    let size = file_len.saturating_sub(rule.prefix.len() + rule.suffix.len());
    if size > most {
        return Err(TooBig::Script { size, most });
    }
    let pad = usize::from(limits.pad).max(1);
    let padded = file_len.checked_next_multiple_of(pad).unwrap_or(usize::MAX);
    let needed = padded.saturating_add(usize::from(limits.overhead));
    match free.map(|free| usize::try_from(free).unwrap_or(usize::MAX)) {
        Some(free) if needed > free => Err(TooBig::Board { needed, free }),
        Some(_) | None => Ok(()),
    }
}

fn objection(wrong: char) -> String {
    match wrong {
        '\r' => "a carriage return: lines are to end with a line feed alone".to_owned(),
        wrong if wrong.is_ascii() => "a control character".to_owned(),
        wrong => format!("`{wrong}` is not ASCII"),
    }
}

fn with_newlines(newline: Newline, text: &[u8]) -> Cow<'_, [u8]> {
    match newline {
        Newline::Lf => Cow::Borrowed(text),
        Newline::Crlf => {
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            Cow::Owned(lines.join(b"\r\n".as_slice()))
        }
    }
}

/// `4,312` of 4312.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
