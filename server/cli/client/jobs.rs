//! `muster jobs`, and what every command that orders a job does with it.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::devices::named;
use super::http::{Answer, Api, List, Span};
use super::many::Many;
use super::order::{Before, Order};
use super::output::{
    clean, compact, fields, hint, list, maybe, maybe_time, pretty, show, show_page, time,
};

/// Between two looks at a job that is waited for: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// `muster jobs`
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs, newest first.
    List {
        #[command(flatten)]
        narrow: Narrow,
        #[command(flatten)]
        span: Span,
    },
    /// Show a job with what the device answered.
    Get {
        /// Id of the job.
        job: Uuid,
    },
    /// Cancel a job that has not ended.
    Cancel {
        /// Id of the job.
        job: Uuid,
    },
    /// Order once more what a job that has ended was to do.
    Again {
        /// Id of the job.
        job: Uuid,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List what happened to a job, oldest first.
    Events {
        /// Id of the job.
        job: Uuid,
    },
    /// Order a job on a device.
    Create {
        /// Serial number or id of the device.
        device: String,
        #[command(flatten)]
        order: Order,
        #[command(flatten)]
        before: Before,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Order a job on all devices that a selector finds.
    Bulk {
        #[command(flatten)]
        many: Many,
        #[command(flatten)]
        order: Order,
        #[command(flatten)]
        before: Before,
    },
}

/// Whether a device undoes a script that cuts it off.
#[derive(Debug, Deserialize)]
struct Undoes {
    rescue: Option<String>,
}

/// Devices that do not, for one reason.
#[derive(Debug, Deserialize)]
struct Stranded {
    why: String,
    devices: u64,
}

/// Which jobs.
#[derive(Debug, Args)]
pub struct Narrow {
    /// Only those of this device: serial number or id.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Only those in this state, or these with commas between: queued, running, waiting, done,
    /// failed, cancelled, expired.
    #[arg(long, value_name = "STATE,...")]
    state: Option<String>,
    /// Only those of this kind, such as download.
    #[arg(long)]
    kind: Option<String>,
    /// Only those that were ordered at or after this time, such as 2030-01-31T02:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only those that were ordered before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// --since and --until say when a job ended, not when it was ordered.
    #[arg(long)]
    ended: bool,
    /// Of each device only the newest of those.
    #[arg(long)]
    newest: bool,
}

impl Narrow {
    fn query(self) -> Vec<(&'static str, String)> {
        let time = |at: Option<DateTime<Utc>>| {
            at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        };
        let query = [
            ("device_id", self.device.as_deref().map(named)),
            ("state", self.state),
            ("kind", self.kind),
            ("since", time(self.since)),
            ("until", time(self.until)),
            ("time", self.ended.then(|| "finished".to_owned())),
            ("newest", self.newest.then(|| "true".to_owned())),
        ];
        query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Whether a job's end is waited for.
#[derive(Debug, Args)]
pub struct Waiting {
    /// Wait until the job has ended; the exit code is 1 unless it is done.
    #[arg(long)]
    wait: bool,
    /// Seconds after which to wait no more; the job goes on.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=604_800),
        requires = "wait"
    )]
    deadline: u64,
}

#[derive(Debug, Deserialize)]
struct Job {
    job_id: Uuid,
    device_id: Uuid,
    kind: String,
    args: Value,
    state: String,
    note: Option<String>,
    not_before: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    attempts: i32,
    max_attempts: i32,
    created_by: String,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    result: Option<Value>,
    fault: Option<Value>,
}

impl Job {
    fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running" | "waiting")
    }

    /// Why it did not end well.
    fn reason(&self) -> String {
        let note = self.note.clone();
        let reason = note.or_else(|| self.fault.as_ref().map(compact)).unwrap_or_default();
        clean(&reason)
    }
}

#[derive(Debug, Deserialize)]
struct Event {
    at: DateTime<Utc>,
    kind: String,
    detail: Value,
}

#[derive(Debug, Deserialize)]
struct Made {
    created: u64,
    skipped: u64,
}

pub(super) async fn run(api: &Api, command: Jobs) -> anyhow::Result<()> {
    match command {
        Jobs::List { narrow, span } => list_jobs(api, &narrow.query(), &span).await,
        Jobs::Get { job } => show(api, &api.get(&["jobs", &job.to_string()], &[]).await?, view),
        Jobs::Cancel { job } => {
            let path = ["jobs", &job.to_string(), "cancel"];
            show(api, &api.call(Method::POST, &path, None).await?, view)
        }
        Jobs::Again { job, waiting } => {
            let path = ["jobs", &job.to_string(), "again"];
            follow(api, api.call(Method::POST, &path, None).await?, &waiting).await
        }
        Jobs::Events { job } => {
            let answer = api.get(&["jobs", &job.to_string(), "events"], &[]).await?;
            show_page(api, &answer, &["at", "kind", "detail"], |e: Event| {
                vec![time(e.at), e.kind, compact(&e.detail)]
            })
        }
        Jobs::Create { device, order: asked, before, waiting } => {
            let mut job = asked.job()?;
            before.say(&mut job);
            if asked.is_script() {
                let known: Undoes =
                    api.get(&["devices", &named(&device), "packages"], &[]).await?.read()?;
                known.rescue.iter().for_each(|why| not_undone("it", why));
            }
            order(api, &device, &job, &waiting).await
        }
        Jobs::Bulk { many, order, before } => {
            let mut job = order.job()?;
            before.say(&mut job);
            if order.is_script() {
                let query = [("q", many.query.as_str())];
                let some: Vec<Stranded> =
                    api.get(&["devices", "stranded"], &query).await?.read()?;
                for one in some {
                    not_undone(&format!("{} of them", one.devices), &one.why);
                }
            }
            let devices = many.agreed(api, &compact(&job["kind"])).await?;
            let body = bulk(devices, job);
            let answer = api.call(Method::POST, &["jobs", "bulk"], Some(&body)).await?;
            show(api, &answer, |made: Made| {
                format!("on {} devices, {} skipped", made.created, made.skipped)
            })
        }
    }
}

/// Says, before it is sent, that a script which cuts a device off is not undone there.
fn not_undone(whom: &str, why: &str) {
    hint(&format!("a script that cuts off {whom} is not undone: {}", clean(why)));
}

async fn list_jobs(
    api: &Api,
    narrow: &[(&'static str, String)],
    span: &Span,
) -> anyhow::Result<()> {
    let query = narrow.iter().map(|(name, value)| (*name, value.as_str()));
    let jobs = List { path: vec!["jobs"], query: query.collect(), cursor: "before" };
    let header = ["job_id", "device_id", "kind", "state", "created_at", "created_by", "note"];
    list(api, &jobs, span, &header, |job: Job| {
        vec![
            job.job_id.to_string(),
            job.device_id.to_string(),
            job.kind,
            job.state,
            time(job.created_at),
            job.created_by,
            maybe(job.note),
        ]
    })
    .await
}

/// Orders a job on a device, and waits for it if that is wanted.
pub(super) async fn order(
    api: &Api,
    device: &str,
    job: &Value,
    waiting: &Waiting,
) -> anyhow::Result<()> {
    let path = ["devices", &named(device), "jobs"];
    let answer = api.call(Method::POST, &path, Some(job)).await?;
    follow(api, answer, waiting).await
}

/// Shows a job that was ordered: as it is, or as it ended.
pub(super) async fn follow(api: &Api, mut answer: Answer, waiting: &Waiting) -> anyhow::Result<()> {
    if !waiting.wait {
        return show(api, &answer, view);
    }
    let mut job: Job = answer.read()?;
    let id = job.job_id.to_string();
    let end = Instant::now() + Duration::from_secs(waiting.deadline);
    let mut pause = FIRST_PAUSE;
    while job.is_open() {
        if Instant::now() >= end {
            let state = clean(&job.state);
            bail!("after {} seconds the job {id} is still {state}, and goes on", waiting.deadline);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
        answer = api.get(&["jobs", &id], &[]).await?;
        job = answer.read()?;
    }
    show(api, &answer, view)?;
    ensure!(job.state == "done", "the job {id} is {}: {}", clean(&job.state), job.reason());
    Ok(())
}

fn view(job: Job) -> String {
    let shown = fields(&[
        ("job_id", job.job_id.to_string()),
        ("device_id", job.device_id.to_string()),
        ("kind", job.kind),
        ("state", job.state),
        ("note", maybe(job.note)),
        ("fault", compact(&job.fault.unwrap_or_default())),
        ("args", compact(&job.args)),
        ("attempts", format!("{} of {}", job.attempts, job.max_attempts)),
        ("created_by", job.created_by),
        ("created_at", time(job.created_at)),
        ("not_before", time(job.not_before)),
        ("expires_at", time(job.expires_at)),
        ("finished_at", maybe_time(job.finished_at)),
    ]);
    match job.result {
        Some(result) => format!("{shown}\n\nresult\n{}", pretty(&result)),
        None => shown,
    }
}

/// The body of a bulk job. What a file says of `wake` is meant for all devices.
fn bulk(mut devices: Value, mut job: Value) -> Value {
    let wake = job.as_object_mut().and_then(|fields| fields.remove("wake"));
    devices["wake"] = Value::from(wake);
    devices["job"] = job;
    devices
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn job(state: &str, result: Value) -> Job {
        serde_json::from_value(json!({
            "job_id": "0193f6a1-0000-7000-8000-000000000001",
            "device_id": "0193f6a1-0000-5000-8000-000000000001",
            "kind": "get", "args": { "kind": "get", "names": ["Device."] }, "state": state,
            "note": null, "not_before": "2026-11-22T12:00:00Z",
            "expires_at": "2026-11-29T12:00:00Z", "confirm_by": null, "attempts": 1,
            "max_attempts": 3, "idempotency_key": null, "created_by": "ci",
            "created_at": "2026-11-22T12:00:00Z", "finished_at": null, "result": result,
            "fault": { "code": 9005, "string": "Invalid\u{9b} name" },
        }))
        .unwrap()
    }

    #[test]
    fn a_job_shows_its_result_and_steers_no_terminal() {
        let open = view(job("queued", Value::Null));
        assert!(open.contains("1 of 3") && !open.contains("result"), "{open}");
        let done = view(job("done", json!({ "parameters": [{ "value": "\u{9b}2J" }] })));
        assert!(done.contains("\nresult\n{"), "{done}");
        assert!(!done.chars().any(|c| c.is_control() && c != '\n'), "{done:?}");
    }

    #[test]
    fn a_job_is_open_until_it_has_ended() {
        for (state, open) in [
            ("queued", true),
            ("running", true),
            ("waiting", true),
            ("done", false),
            ("failed", false),
            ("cancelled", false),
            ("expired", false),
        ] {
            assert_eq!(job(state, Value::Null).is_open(), open, "{state}");
        }
        let reason = job("failed", Value::Null).reason();
        assert!(reason.contains("9005") && !reason.contains('\u{9b}'), "{reason}");
    }

    #[test]
    fn one_file_serves_one_device_and_many() {
        let file = json!({ "kind": "reboot", "wake": false, "idempotency_key": "k" });
        let devices = || json!({ "selector": "tag = a", "expected": 7 });
        let expected = json!({
            "selector": "tag = a", "expected": 7, "wake": false,
            "job": { "kind": "reboot", "idempotency_key": "k" },
        });
        assert_eq!(bulk(devices(), file), expected);
        assert_eq!(bulk(devices(), json!({ "kind": "reboot" }))["wake"], Value::Null);
    }
}
