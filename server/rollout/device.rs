//! What one device of a rollout does next, from what is seen of it. Pure and total: the time is an
//! argument, and there is an answer to everything that can be seen.
//!
//! Owns what success is: the device itself shows later that it runs what it should and is well. A
//! job that ended well is none, nor is a TransferComplete without a fault. Owns too that nobody is
//! left behind: a device that has not come to its end is looked at again at some time, whatever
//! happens to it.
//!
//! Whoever carries an answer out does so from the very state that was seen, with the job that it asks
//! for, in one transaction; an answer that is lost is given again.
//!
//! - [`begin()`]: a device whose turn has come. [`look()`]: one that is under way or watched.
//! - `verify`: how well it is after the change. `next`: answers.

mod begin;
mod look;
mod next;
mod verify;

#[cfg(test)]
mod tests;

pub use begin::begin;
pub use look::look;
pub use next::{Next, Work};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::plan::after;
use super::state::DeviceState;
use crate::fleet::health::Sample;
use crate::jobs::upgrade::is_same;

/// One thing that is done to a device, by one job or two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Bring it to this version.
    Upgrade {
        /// Such as `7.16.1`.
        version: String,
        /// The packages that it fetches.
        packages: Vec<Uuid>,
        /// Their size together.
        bytes: u64,
    },
    /// Have it send its configuration, which is kept. It changes nothing.
    Backup,
    /// Run a stored script.
    Script {
        /// The stored file.
        artifact_id: Uuid,
    },
    /// Run what the template of the change gives for it.
    Template,
    /// Have it tell what became of that script.
    Report,
    /// Write the parameters of the change.
    Parameters,
    /// Have it write the RouterBOOT that its RouterOS brings.
    Routerboot,
    /// Restart it.
    Reboot,
    /// Have it tell what is installed. After a RouterBOOT was written: whether it took.
    Inspect,
}

impl Step {
    /// The version with which it is done, if it is one.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Upgrade { version, .. } => Some(version),
            Self::Backup
            | Self::Script { .. }
            | Self::Template
            | Self::Report
            | Self::Parameters
            | Self::Routerboot
            | Self::Reboot
            | Self::Inspect => None,
        }
    }

    /// What it does, for people: "it did not ... in time".
    pub fn words(&self) -> String {
        match self {
            Self::Upgrade { version, .. } => format!("come back on {version}"),
            Self::Backup => "send its configuration".to_owned(),
            Self::Script { .. } | Self::Template => "run the script".to_owned(),
            Self::Report => "tell what became of the script".to_owned(),
            Self::Parameters => "take the parameters".to_owned(),
            Self::Routerboot => "write its RouterBOOT".to_owned(),
            Self::Reboot => "restart".to_owned(),
            Self::Inspect => "tell what is installed".to_owned(),
        }
    }
}

/// What a device runs when it has come to this step; `None` = what it ran when its steps were planned.
pub fn runs_before(steps: &[Step], at: usize) -> Option<&str> {
    steps.iter().take(at).rev().find_map(Step::version)
}

/// A device as the rollout has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Where it is.
    pub state: DeviceState,
    /// What is done to it, one after the other.
    pub steps: Vec<Step>,
    /// Which of these it is at, from 0.
    pub step: usize,
    /// How often this one has failed.
    pub attempts: u32,
    /// What it ran when its steps were planned.
    pub from_version: Option<String>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// Since when it runs what it should.
    pub changed_at: Option<DateTime<Utc>>,
    /// Until when it may be in its state.
    pub deadline_at: Option<DateTime<Utc>>,
    /// How well it was before.
    pub baseline: Option<Sample>,
    /// Until when its wave is watched; `None` = that has not begun.
    pub soak_until: Option<DateTime<Utc>>,
}

impl Device {
    /// The version that it should run in the end; `None` = the change is of something else.
    fn target(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(Step::version)
    }

    /// Whether nothing has changed it when it comes to this step.
    fn is_untouched(&self, step: usize) -> bool {
        self.steps.iter().take(step).all(|before| *before == Step::Backup)
    }
}

/// The job that a device has.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSeen {
    /// `queued`, `running`, `waiting`, `done`, `failed`, `cancelled`, `expired`.
    pub state: String,
    /// Word of its kind.
    pub kind: String,
    /// The fault that ended it, if the device gave one: none of an attempt before its last.
    pub fault: Option<u16>,
    /// Why it is in this state.
    pub note: Option<String>,
    /// What the device answered.
    pub result: Option<Value>,
    /// When it ended; `None` = it is open.
    pub ended_at: Option<DateTime<Utc>>,
}

impl JobSeen {
    /// Whether it may still do something.
    fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running" | "waiting")
    }
}

/// What a device said of its RouterBOOT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booter {
    /// The one that runs; `None` = it did not say.
    pub current: Option<String>,
    /// The one that its RouterOS brings; `None` = it did not say.
    pub upgrade: Option<String>,
    /// When it said so.
    pub learned_at: DateTime<Utc>,
}

/// What is seen of a device, all of it at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Whether its rollout runs, and devices may be changed where it stands: one that is paused or has
    /// ended begins nothing, and no device is begun where the window has closed.
    pub running: bool,
    /// Since when Muster hears devices without a break: who was silent before is not to blame.
    pub listening_since: DateTime<Utc>,
    /// Its job; `None` = it has none.
    pub job: Option<JobSeen>,
    /// The version that it says it runs.
    pub version: Option<String>,
    /// When it informed last.
    pub last_inform: DateTime<Utc>,
    /// How often it does, in seconds, as far as it is known.
    pub inform_interval: Option<u32>,
    /// The last inform that said that it had started.
    pub last_boot: Option<DateTime<Utc>>,
    /// When all its parameters were last read.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// What was read then. Looked at only in the states waiting, due, verifying and healthy.
    pub sample: Sample,
    /// Its RouterBOOT, if it ever said.
    pub booter: Option<Booter>,
}

impl Seen {
    /// Whether it says that it runs this version.
    fn runs(&self, version: &str) -> bool {
        self.version.as_deref().is_some_and(|runs| is_same(version, runs))
    }

    /// The state of its job.
    fn job_state(&self) -> Option<&str> {
        self.job.as_ref().map(|job| job.state.as_str())
    }

    /// When a deadline has really come: a device has at least `grace` from when Muster listens
    /// again.
    fn deadline(&self, set: Option<DateTime<Utc>>, grace: TimeDelta) -> DateTime<Utc> {
        let heard = after(self.listening_since, grace);
        set.map_or(heard, |set| set.max(heard))
    }
}
