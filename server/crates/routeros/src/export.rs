//! What a board writes of its configuration (`/export`), and what is done with it.
//!
//! Owns the form in which two of them can be compared, what is shown of one, and how two differ.
//! A board is not trusted to be well-meaning: all sizes have a limit.

mod diff;
mod redact;
mod written;

pub use diff::{DiffLine, Kind, Piece, count, diff, is_cut};
pub use redact::{HIDDEN, redact};
pub use written::{touched, written_by};

use serde::{Deserialize, Serialize};

/// Bytes of an export that are read.
pub const MAX_EXPORT: usize = 16 * 1024 * 1024;
/// What an export lacks that was cut off.
const REST: &str = "the rest of it";

/// What stands above an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Of RouterOS: `7.16.1`; none where the board did not say, as for all that follows.
    pub version: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// The software id: `ABCD-1234`.
    pub software_id: Option<String>,
    /// The model: `RBD52G-5HacD2HnD`.
    pub model: Option<String>,
    /// When it was written, by the board's clock and in its words: `2024-10-07 17:59:14`.
    pub at: Option<String>,
}

/// An export in the form in which it can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// What stood above it.
    pub header: Header,
    /// One statement a line, lines that were broken joined, without comments, which tell what the
    /// board is at, and without blank lines. Each line ends with a line feed.
    pub body: String,
    /// The menus that the board could not export in time: what is not in the body is not missing.
    pub incomplete: Vec<String>,
}

/// Makes two exports of one configuration the same text.
pub fn normalise(text: &str) -> Export {
    let read = text.floor_char_boundary(MAX_EXPORT);
    let mut export = Export::default();
    let mut statement = String::new();
    let mut is_joining = false;
    let text_read = text[..read].strip_prefix('\u{feff}').unwrap_or(&text[..read]);
    // Without the room at its end, so that a last line that is to go on is seen to be one.
    for line in text_read.trim_end().split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if !is_joining && line.trim_start().starts_with('#') {
            export.comment(line.trim_start().trim_start_matches('#').trim());
            continue;
        }
        let line = if is_joining { line.trim_start_matches([' ', '\t']) } else { line };
        match broken(line) {
            Some(part) => {
                statement.push_str(part);
                is_joining = true;
            }
            None => {
                statement.push_str(line);
                export.statement(&statement);
                statement.clear();
                is_joining = false;
            }
        }
    }
    export.statement(&statement);
    if read < text.len() || !statement.is_empty() {
        export.incomplete.push(REST.to_owned());
    }
    export
}

/// A line that goes on in the next one, without the backslash.
fn broken(line: &str) -> Option<&str> {
    let part = line.strip_suffix('\\')?;
    // Two of them are one that was escaped.
    let before = part.len() - part.trim_end_matches('\\').len();
    before.is_multiple_of(2).then_some(part)
}

impl Export {
    fn statement(&mut self, statement: &str) {
        let statement = statement.trim_end();
        if !statement.is_empty() {
            self.body.push_str(statement);
            self.body.push('\n');
        }
    }

    /// Keeps what a comment says of the export.
    fn comment(&mut self, text: &str) {
        if let Some(what) = text.strip_prefix("error exporting") {
            let what = what.trim();
            let menu = what.split('"').nth(1).unwrap_or(what);
            self.incomplete.push(menu.to_owned());
        } else if text.starts_with("interrupted") {
            self.incomplete.push(REST.to_owned());
        } else if self.body.is_empty() {
            self.header.comment(text);
        }
    }
}

impl Header {
    fn comment(&mut self, text: &str) {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Some((at, version)) = text.split_once("by RouterOS") {
            self.at = said(at);
            self.version = said(version);
        } else if let Some((name, value)) = text.split_once('=') {
            match name.trim() {
                "software id" => self.software_id = said(value),
                "model" => self.model = said(value),
                "serial number" => self.serial = said(value),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
