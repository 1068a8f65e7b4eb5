//! How a script is carried out so that Muster learns how it went.
//!
//! Owns the frame that is put around a script, and what a board writes into its log because of it. A
//! frame never changes what a script does, but for one thing: a command that fails does not keep the
//! next ones from being carried out, where these do not depend on it.

mod rescue;
mod wrap;

use serde::{Deserialize, Serialize};

use crate::inspect::entries;
use crate::quote::quote;

pub use rescue::{RESCUE, Rescue, can_rescue, without_rescue};
pub use wrap::{wrap, wrap_bytes};

/// How the messages begin that a framed script writes into the log. The tag and a word follow.
pub const MARK: &str = "muster-apply:";

/// Commands that failed that are kept.
const MAX_FAILED: usize = 200;
/// The script begins.
const BEGIN: &str = "begin";
/// The end of the script was reached.
const DONE: &str = "done";
/// The script was carried out as a whole, and stopped.
const SCRIPT_FAILED: &str = "script failed";
/// The way back could not be prepared, so that the script was left alone.
const RESCUE_FAILED: &str = "rescue failed";
/// The way back is taken.
const UNDONE: &str = "undone";

/// Why nothing is known of a script of which the board's log says nothing.
pub const RESTARTED: &str = "the device's log says nothing of the script: it restarted since, and may \
                             have undone it";
/// Why nothing is known of one whose board did not send its log.
pub const UNREAD: &str =
    "the device's log could not be read, so nobody knows what became of the script";

/// How a script went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether its end was reached. What failed may have failed all the same.
    pub done: bool,
    /// What failed, in the order of the log, nothing twice.
    pub failed: Vec<Failed>,
    /// The board said nothing of it: it is not known whether it was carried out, or still holds.
    #[serde(default)]
    pub silent: bool,
}

impl Report {
    /// That nothing is known of a script, and why.
    pub fn silent(why: &str) -> Self {
        let failed = vec![Failed { line: 0, words: why.to_owned() }];
        Self { done: false, failed, silent: true }
    }

    /// What of the script was not carried out, in words; none where all of it was.
    pub fn failures(&self) -> Option<String> {
        const NAMED: usize = 5;
        if self.failed.is_empty() {
            let cut = "the device began the script and did not come to its end";
            return (!self.done).then(|| cut.to_owned());
        }
        if let Some(whole) = self.failed.iter().find(|failed| failed.line == 0) {
            return Some(whole.words.clone());
        }
        let lines = self.failed.iter().take(NAMED).map(|failed| format!("line {}", failed.line));
        let lines: Vec<String> = lines.collect();
        let more = if self.failed.len() > lines.len() { " and others" } else { "" };
        Some(format!("the device could not run {}{more} of the script", lines.join(", ")))
    }
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The line of the script that it begins on, from 1; 0 = it is not known which one it was.
    pub line: usize,
    /// What is known of it.
    pub words: String,
}

/// How the script with this tag went the last time it began, by what the board's log says; none where
/// it says nothing of it. The tag is that of [`wrap()`]; room in it does not count, as a log is broken
/// into lines anywhere.
pub fn report(log: &str, tag: &str) -> Option<Report> {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let tag = squeeze(tag);
    let mut report: Option<Report> = None;
    for entry in entries(log, MARK) {
        let entry = squeeze(&entry);
        let Some(said) = entry.strip_prefix(tag.as_str()) else { continue };
        if said == BEGIN {
            report = Some(Report::default());
        } else if said == DONE {
            report.get_or_insert_default().done = true;
        } else if let Some(failed) = failed(said) {
            let known = &mut report.get_or_insert_default().failed;
            if known.len() < MAX_FAILED && !known.contains(&failed) {
                known.push(failed);
            }
        }
    }
    report
}

/// What a message without room in it says that failed.
fn failed(said: &str) -> Option<Failed> {
    let (line, words) = match said {
        "scriptfailed" => (0, "a command failed, and the script was not carried on".to_owned()),
        "rescuefailed" => {
            (0, "the way back could not be prepared, so nothing was changed".to_owned())
        }
        UNDONE => {
            (0, "the device lost its way here, and put the configuration before back".to_owned())
        }
        _ => {
            let line = said.strip_prefix("line")?.strip_suffix("failed")?.parse().ok()?;
            (line, format!("the command on line {line} failed"))
        }
    };
    Some(Failed { line, words })
}

/// A command that writes a message of this frame into the log.
fn log(level: &str, tag: &str, words: &str) -> String {
    format!(":log {level} {}", quote(&format!("{MARK} {tag} {words}")))
}

#[cfg(test)]
mod tests;
