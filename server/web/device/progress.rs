//! How far a job has come, in words. Pure.
//!
//! What can be told of a job alone is told by `web::jobs`; here it is told with what is known of its
//! device: what stands before it, whether the device can be called, when it comes by itself.

use chrono::{DateTime, TimeDelta, Utc};
use muster_cwmp::fault::{Fault, FaultCode};
use serde::Serialize;
use serde_json::Value;

use crate::fleet::secret::is_secret;
use crate::jobs::queue::masked_args;
use crate::jobs::spec::{DownloadFile, JobSpec};
use crate::store::connection_requests::Request;
use crate::store::jobs::Job;
use crate::web::format::When;
use crate::web::jobs::advice::{Case, advice};
use crate::web::jobs::words;

/// A connection request that is put off for longer was given up.
const GIVEN_UP: TimeDelta = TimeDelta::days(30);

/// What a job's progress depends on beside the job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// Whether and why the device is called.
    pub(super) request: Option<&'a Request>,
    /// When the device came last.
    pub(super) last_inform: DateTime<Utc>,
    /// How often it comes by itself.
    pub(super) interval: TimeDelta,
    /// Open jobs of the device before this one.
    pub(super) ahead: usize,
    /// Now.
    pub(super) now: DateTime<Utc>,
}

/// How far a job has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Progress {
    /// What is so.
    pub(super) line: String,
    /// What one can do about it, or what comes of it by itself; may be empty.
    pub(super) advice: String,
    /// When something will be, or was.
    pub(super) moments: Vec<Moment>,
}

/// A time and what is then: `comes by itself` `in 2 min`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    label: &'static str,
    at: When,
}

impl Progress {
    fn line(line: impl Into<String>) -> Self {
        Self { line: line.into(), ..Self::default() }
    }

    fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }

    fn at(mut self, label: &'static str, at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        self.moments.push(Moment { label, at: When::new(at, now) });
        self
    }
}

/// Whether it has not ended.
pub(super) fn is_open(job: &Job) -> bool {
    matches!(job.state.as_str(), "queued" | "running" | "waiting")
}

/// What a job does, in one line.
pub(super) fn title(job: &Job) -> String {
    let title = words::title(&job.kind);
    match words::summary(&masked_args(&job.args)).as_str() {
        "" => title.to_owned(),
        what => format!("{title}: {what}"),
    }
}

/// What a stored job does; `None` for one of another version of Muster.
fn spec_of(job: &Job) -> Option<JobSpec> {
    serde_json::from_value(job.args.clone()).ok()
}

/// Whether its arguments hold secrets, which nobody is shown.
fn has_secrets(job: &Job) -> bool {
    masked_args(&job.args) != job.args
}

/// How far a job has come.
pub(super) fn progress(job: &Job, around: &Around<'_>) -> Progress {
    let ended = |progress: Progress| match job.finished_at {
        Some(at) => progress.at("ended", at, around.now),
        None => progress,
    };
    match job.state.as_str() {
        "queued" => queued(job, around),
        "running" => Progress::line(match spec_of(job) {
            Some(JobSpec::Refresh { .. }) => "The device tells what it has.",
            Some(_) | None => "It is with the device right now.",
        }),
        "waiting" => waiting(job, around),
        "done" => ended(Progress::line(done(job))),
        "failed" => ended(failed(job)),
        "expired" => ended(Progress::line(sentence(note(job))).advice(general(job, None))),
        _ => ended(Progress::line(sentence(note(job)))),
    }
}

fn queued(job: &Job, around: &Around<'_>) -> Progress {
    let now = around.now;
    if around.ahead > 0 {
        let what = match around.ahead {
            1 => "Waits for the job before it.".to_owned(),
            n => format!("Waits for {n} jobs before it."),
        };
        return Progress::line(what).advice("A device does its jobs in the order of their making.");
    }
    if job.not_before > now {
        // A note tells of an attempt that failed; its own count of seconds would be old by now.
        let note = job.note.as_deref().map(|note| note.split("; tried again").next());
        let line = match note.flatten() {
            Some(note) => format!("{} It is tried again.", sentence(note)),
            None => "It was put off.".to_owned(),
        };
        return Progress::line(line).at("runs", job.not_before, now);
    }
    match around.request {
        None => comes(Progress::line("Waits for the device."), around),
        Some(Request { last_error: Some(error), not_before, .. }) => {
            let line = format!("The device cannot be called: {}", sentence_tail(error));
            let advice = "It runs as soon as the device comes by itself.";
            let told = comes(Progress::line(line).advice(advice), around);
            match *not_before > now && *not_before < now + GIVEN_UP {
                true => told.at("is called again", *not_before, now),
                false => told,
            }
        }
        Some(Request { sent_at: Some(_), .. }) => {
            comes(Progress::line("The device was called, and is about to come."), around)
        }
        Some(_) => comes(Progress::line("The device is being called."), around),
    }
}

/// When the device comes whether or not it can be called.
fn comes(progress: Progress, around: &Around<'_>) -> Progress {
    let next = around.last_inform + around.interval;
    let label = if next >= around.now { "comes by itself" } else { "was expected" };
    progress.at(label, next, around.now)
}

fn waiting(job: &Job, around: &Around<'_>) -> Progress {
    let line = match spec_of(job) {
        Some(JobSpec::Reboot) => "The device restarts, and reports when it is back.",
        Some(JobSpec::FactoryReset) => {
            "The device goes back to its factory settings, and reports when it is back."
        }
        Some(JobSpec::Download(d)) if d.file == DownloadFile::Alter => {
            "The device fetches the script and runs it."
        }
        Some(JobSpec::Download(_) | JobSpec::ScheduleDownload { .. }) => {
            "The device fetches the file."
        }
        Some(JobSpec::Upload { .. }) => "The device sends the file.",
        Some(JobSpec::Upgrade { .. }) => "The device fetches the packages, and restarts with them.",
        Some(JobSpec::Configure { .. }) => "The device fetches its configuration and runs it.",
        Some(JobSpec::Diagnose { .. }) => "The device runs the test.",
        Some(_) | None => "The device has accepted it; its report is due.",
    };
    // What is out of the ordinary is said.
    let note = job.note.as_deref().filter(|note| !note.starts_with("accepted"));
    let progress = Progress::line(line).advice(note.map(sentence).unwrap_or_default());
    match job.confirm_by {
        Some(until) => progress.at("its report is due until", until, around.now),
        None => progress,
    }
}

fn done(job: &Job) -> String {
    let result = job.result.as_ref().unwrap_or(&Value::Null);
    let number = |field: &str| result[field].as_u64().unwrap_or(0);
    let list = |field: &str| result[field].as_array().map_or(0, Vec::len);
    let later = result["status"] == "pending";
    let plural = |n: u64, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    match spec_of(job) {
        Some(JobSpec::Get { .. }) => {
            format!("The device told {}.", plural(list("parameters") as u64, "value"))
        }
        Some(JobSpec::Set { .. }) if later => {
            "The device took it, and applies it with its next restart.".to_owned()
        }
        Some(JobSpec::Set { .. }) => "The device took it.".to_owned(),
        Some(JobSpec::AddObject { object, .. }) => {
            format!("The device made {object}{}.", number("instance"))
        }
        Some(JobSpec::DeleteObject { object }) => format!("{object} is gone."),
        Some(JobSpec::Refresh { .. }) => match number("skipped_count") {
            0 => format!("{} were read.", plural(number("parameters"), "parameter")),
            n => format!(
                "{} were read; {} could not be.",
                plural(number("parameters"), "parameter"),
                plural(n, "path")
            ),
        },
        Some(JobSpec::Methods) => {
            format!("The device has {}.", plural(list("methods") as u64, "method"))
        }
        Some(JobSpec::Reboot) => "The device is back.".to_owned(),
        Some(JobSpec::FactoryReset) => "The device is back, with its factory settings.".to_owned(),
        Some(JobSpec::Download(d)) if d.file == DownloadFile::Alter => {
            "The device reports that the script has run.".to_owned()
        }
        Some(JobSpec::Download(_) | JobSpec::ScheduleDownload { .. }) => {
            "The device reports that it has the file.".to_owned()
        }
        Some(JobSpec::Upload { .. }) => "The file has arrived.".to_owned(),
        Some(JobSpec::Upgrade { version, .. }) => format!("The device runs {version}."),
        Some(JobSpec::Configure { name, version, .. }) => {
            format!("The device reports that it ran version {version} of {name}.")
        }
        Some(JobSpec::ConnectionRequest) => "The device has come.".to_owned(),
        Some(JobSpec::Diagnose { .. }) => "The device has run the test.".to_owned(),
        Some(JobSpec::Credentials) => "The device has its own credentials.".to_owned(),
        Some(
            JobSpec::GetAttributes { .. }
            | JobSpec::SetAttributes { .. }
            | JobSpec::ScheduleInform { .. }
            | JobSpec::QueuedTransfers
            | JobSpec::CancelTransfer { .. }
            | JobSpec::ChangeDuState { .. },
        )
        | None => "Done.".to_owned(),
    }
}

/// Why it is as it is.
fn note(job: &Job) -> &str {
    job.note.as_deref().unwrap_or(&job.state)
}

/// What to do about a job that went wrong.
fn general(job: &Job, fault: Option<FaultCode>) -> &'static str {
    let fault = fault.map(|code| u64::from(code.0));
    advice(Case { state: &job.state, note: note(job), fault, attempts: job.attempts })
}

fn failed(job: &Job) -> Progress {
    let fault = job.fault.clone().and_then(|fault| serde_json::from_value::<Fault>(fault).ok());
    let Some(fault) = fault else {
        return Progress::line(sentence(note(job))).advice(general(job, None));
    };
    // A device may repeat the value that it refuses.
    let secret = has_secrets(job);
    let mut line = sentence(note(job));
    for part in &fault.parameters {
        let text = if secret || is_secret(&part.name) { "" } else { part.text.as_str() };
        line.push_str(&format!(" {}: {}", part.name, meaning(part.code, text)));
    }
    let known = fault.code.meaning().is_some_and(|m| m.eq_ignore_ascii_case(fault.text.trim()));
    if fault.parameters.is_empty() && !secret && !known && !fault.text.trim().is_empty() {
        line.push_str(&format!(" It says: {}", sentence(&fault.text)));
    }
    // What is wrong with a parameter says more than that something is wrong.
    let code = fault.parameters.first().map_or(fault.code, |part| part.code);
    Progress::line(line).advice(general(job, Some(code)))
}

/// What a fault code means, with what the device says beside it where that is more.
fn meaning(code: FaultCode, text: &str) -> String {
    let known = code.meaning().unwrap_or("a fault of its vendor's own");
    match text.trim() {
        "" => format!("{known} ({}).", code.0),
        text if text.eq_ignore_ascii_case(known) => format!("{known} ({}).", code.0),
        text => format!("{known} ({}): {}", code.0, sentence_tail(text)),
    }
}

/// A text with a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    match chars.next() {
        Some(first) => sentence_tail(&format!("{}{}", first.to_uppercase(), chars.as_str())),
        None => String::new(),
    }
}

/// A text with a full stop.
fn sentence_tail(text: &str) -> String {
    let text = text.trim();
    let ends = text.ends_with(['.', '!', '?']);
    if ends || text.is_empty() { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests;
