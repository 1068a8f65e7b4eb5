//! `muster jobs`, and what every command that orders a job does with it.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::devices::named;
use super::http::{Answer, Api, List, Span};
use super::output::{
    agreed, clean, compact, fields, list, maybe, maybe_time, pretty, show, show_page, time,
};

/// Between two looks at a job that is waited for: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// `muster jobs`
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs, newest first.
    List {
        /// Only those of this device: serial number or id.
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
        /// Only those in this state: queued, running, waiting, done, failed, cancelled or expired.
        #[arg(long)]
        state: Option<String>,
        /// Only those of this kind, such as download.
        #[arg(long)]
        kind: Option<String>,
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
        /// File with the job as JSON, as the API takes it; - is standard input.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Order a job on all devices that a selector finds.
    Bulk {
        /// Which devices.
        #[arg(short, long = "query", value_name = "SELECTOR")]
        query: String,
        /// File with the job as JSON, as for one device; - is standard input.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// How many devices you saw match; where they are not as many, nothing is done. Without it
        /// they are counted, and you are asked.
        #[arg(long, value_name = "N")]
        expected: Option<u64>,
        /// Do not ask: go on with as many as are counted.
        #[arg(long)]
        yes: bool,
    },
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

#[derive(Debug, Deserialize)]
struct Count {
    count: u64,
}

pub(super) async fn run(api: &Api, command: Jobs) -> anyhow::Result<()> {
    match command {
        Jobs::List { device, state, kind, span } => {
            let device = device.as_deref().map(named);
            let narrow = [("device_id", &device), ("state", &state), ("kind", &kind)];
            list_jobs(api, &narrow, &span).await
        }
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
        Jobs::Create { device, file, waiting } => {
            order(api, &device, &read_job(&file)?, &waiting).await
        }
        Jobs::Bulk { query, file, expected, yes } => {
            let job = read_job(&file)?;
            let expected = match expected {
                Some(expected) => expected,
                None => counted(api, &query, &job, yes).await?,
            };
            let body = bulk(&query, job, expected);
            let answer = api.call(Method::POST, &["jobs", "bulk"], Some(&body)).await?;
            show(api, &answer, |made: Made| {
                format!("on {} devices, {} skipped", made.created, made.skipped)
            })
        }
    }
}

async fn list_jobs(
    api: &Api,
    narrow: &[(&str, &Option<String>)],
    span: &Span,
) -> anyhow::Result<()> {
    let query = narrow.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
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

/// The job in a file, or on standard input.
fn read_job(file: &Path) -> anyhow::Result<Value> {
    let place = || file.display().to_string();
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).with_context(place)?;
        text
    } else {
        std::fs::read_to_string(file).with_context(place)?
    };
    let job: Value = serde_json::from_str(&text).with_context(place)?;
    ensure!(job.is_object(), "{}: a job is a JSON object", place());
    Ok(job)
}

/// The body of a bulk job. What a file says of `wake` is meant for all devices.
fn bulk(selector: &str, mut job: Value, expected: u64) -> Value {
    let wake = job.as_object_mut().and_then(|fields| fields.remove("wake"));
    json!({ "selector": selector, "job": job, "expected": expected, "wake": wake })
}

/// How many devices there are, if whoever asks goes on with so many.
async fn counted(api: &Api, query: &str, job: &Value, yes: bool) -> anyhow::Result<u64> {
    let Count { count } = api.get(&["devices", "count"], &[("q", query)]).await?.read()?;
    ensure!(count > 0, "no device matches: nothing was done");
    if yes {
        return Ok(count);
    }
    let kind = compact(&job["kind"]);
    if !std::io::stdin().is_terminal() {
        bail!("{count} devices match: --expected {count} orders `{}` on them", clean(&kind));
    }
    ensure!(agreed(&format!("{kind} on {count} devices?"))?, "nothing was done");
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
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
        let body = bulk("tag = a", file, 7);
        let expected = json!({
            "selector": "tag = a", "expected": 7, "wake": false,
            "job": { "kind": "reboot", "idempotency_key": "k" },
        });
        assert_eq!(body, expected);
        assert_eq!(bulk("x", json!({ "kind": "reboot" }), 1)["wake"], Value::Null);
    }

    #[test]
    fn a_job_is_read_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("job.json");
        std::fs::write(&file, r#"{"kind":"reboot"}"#).unwrap();
        assert_eq!(read_job(&file).unwrap()["kind"], "reboot");
        for bad in ["", "[]", "{"] {
            std::fs::write(&file, bad).unwrap();
            assert!(format!("{:#}", read_job(&file).unwrap_err()).contains("job.json"), "{bad}");
        }
    }
}
