//! How well a device is: what is read of it, and whether that is well enough after a change.
//!
//! Owns what the checks of a rollout compare, and the words in which they say what they saw. Pure: it
//! asks nobody, and of a device that it is not told about it says that it does not know.

mod judge;
mod sample;
#[cfg(test)]
mod tests;
mod words;

pub use judge::{Looked, allowed_silence, judge};
pub use sample::Sample;
pub use words::span;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthCheck)]
pub enum Check {
    /// It runs what it should.
    Version,
    /// It informs when it should.
    Informs,
    /// It wrote no crash file.
    Crash,
    /// It did not restart by itself.
    Uptime,
    /// Its way to the Internet.
    Wan,
    /// Processor load.
    Cpu,
    /// Free memory.
    Memory,
    /// Links that its ports lost.
    LinkDowns,
    /// Its radios are there.
    Radios,
    /// How well it hears its Wi-Fi clients.
    Signal,
    /// How many these are.
    Clients,
}

/// What one check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckSeen {
    /// Which one.
    pub check: Check,
    /// Null = that cannot be told.
    pub ok: Option<bool>,
    /// Before the change.
    pub before: Option<String>,
    /// After it.
    pub now: Option<String>,
    /// Both, for people.
    pub words: String,
}

/// What all checks saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HealthVerdict)]
pub struct Verdict {
    /// No check says that it is not.
    pub healthy: bool,
    /// Those that are on, one by one.
    pub checks: Vec<CheckSeen>,
}

impl Verdict {
    fn of(checks: Vec<CheckSeen>) -> Self {
        Self { healthy: checks.iter().all(|seen| seen.ok != Some(false)), checks }
    }

    /// Whether this check says that it is not well.
    pub fn fails(&self, check: Check) -> bool {
        self.checks.iter().any(|seen| seen.check == check && seen.ok == Some(false))
    }

    /// Why it is not well, in words; empty for one that is.
    pub fn words(&self) -> String {
        let bad = self.checks.iter().filter(|seen| seen.ok == Some(false));
        bad.map(|seen| seen.words.as_str()).collect::<Vec<_>>().join("; ")
    }
}
