//! What a job is to do, as the command line says it: any job from a file, and the usual ones in words.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::output::object;

/// Bytes that a device sends to measure how fast it can.
const UPLOAD_BYTES: u32 = 10_000_000;

/// One of these.
#[derive(Debug, Args)]
#[group(id = "order", required = true, multiple = false)]
pub struct Order {
    /// File with the job as JSON, as the API takes it for one device; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Run a stored file as a script, on top of the configuration that is there.
    #[arg(long, value_name = "ID")]
    script: Option<Uuid>,
    /// Fetch a stored file as firmware; for RouterOS an upgrade manifest.
    #[arg(long, value_name = "ID")]
    firmware: Option<Uuid>,
    /// Send this.
    #[arg(long, value_name = "WHAT")]
    upload: Option<Upload>,
    /// Ping a host.
    #[arg(long, value_name = "HOST")]
    ping: Option<String>,
    /// Look for the way to a host.
    #[arg(long, value_name = "HOST")]
    traceroute: Option<String>,
    /// Measure how fast a file comes from an http URL.
    #[arg(long, value_name = "URL")]
    download_speed: Option<String>,
    /// Measure how fast 10 MB go to an http URL.
    #[arg(long, value_name = "URL")]
    upload_speed: Option<String>,
}

/// What is done before a device is changed.
#[derive(Debug, Args)]
pub struct Before {
    /// Do not keep the device's configuration before it is changed: for one too sick to send it.
    #[arg(long)]
    no_backup: bool,
}

impl Before {
    /// Says so in a job.
    pub(super) fn say(&self, job: &mut Value) {
        if self.no_backup {
            job["backup"] = json!(false);
        }
    }
}

/// What a device sends.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Upload {
    /// Its configuration.
    Configuration,
    /// Its log.
    Log,
}

impl Order {
    /// Whether it is a script, which can cut its device off.
    pub(super) fn is_script(&self) -> bool {
        self.script.is_some()
    }

    /// The job as the API takes it.
    pub(super) fn job(&self) -> anyhow::Result<Value> {
        Ok(match self {
            Self { file: Some(file), .. } => object(file, "a job")?,
            Self { script: Some(id), .. } => download(*id, "alter"),
            Self { firmware: Some(id), .. } => download(*id, "firmware"),
            Self { upload: Some(Upload::Configuration), .. } => {
                json!({ "kind": "upload", "file": { "type": "configuration" } })
            }
            Self { upload: Some(Upload::Log), .. } => {
                json!({ "kind": "upload", "file": { "type": "log" } })
            }
            Self { ping: Some(host), .. } => diagnose(json!({ "type": "ping", "host": host })),
            Self { traceroute: Some(host), .. } => {
                diagnose(json!({ "type": "traceroute", "host": host }))
            }
            Self { download_speed: Some(url), .. } => {
                diagnose(json!({ "type": "download_speed", "url": url }))
            }
            Self { upload_speed: Some(url), .. } => {
                diagnose(json!({ "type": "upload_speed", "url": url, "bytes": UPLOAD_BYTES }))
            }
            // clap wants one of them.
            _ => bail!("say what the job is to do"),
        })
    }
}

fn download(artifact_id: Uuid, kind: &str) -> Value {
    json!({ "kind": "download", "artifact_id": artifact_id, "file": { "type": kind } })
}

fn diagnose(test: Value) -> Value {
    json!({ "kind": "diagnose", "test": test })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;

    use super::*;
    use muster::jobs::spec::JobSpec;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        order: Order,
    }

    #[test]
    fn what_is_said_in_words_is_a_job_of_the_api() {
        let id = Uuid::nil();
        for (words, kind) in [
            (format!("--script {id}"), "download"),
            (format!("--firmware {id}"), "download"),
            ("--upload configuration".to_owned(), "upload"),
            ("--upload log".to_owned(), "upload"),
            ("--ping 192.0.2.1".to_owned(), "diagnose"),
            ("--traceroute www.example.com".to_owned(), "diagnose"),
            ("--download-speed http://a.example/f".to_owned(), "diagnose"),
            ("--upload-speed http://a.example/".to_owned(), "diagnose"),
        ] {
            let words = ["muster"].into_iter().chain(words.split(' '));
            let job = Cli::try_parse_from(words).unwrap().order.job().unwrap();
            let spec: JobSpec = serde_json::from_value(job.clone()).unwrap();
            assert_eq!((spec.kind(), spec.validate().is_ok()), (kind, true), "{job}");
        }
        for wrong in ["--upload factory", "--ping a --traceroute b", "--script x"] {
            let words = ["muster"].into_iter().chain(wrong.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_job_is_read_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("job.json");
        std::fs::write(&file, r#"{"kind":"reboot"}"#).unwrap();
        assert_eq!(object(&file, "a job").unwrap()["kind"], "reboot");
        for bad in ["", "[]", "{"] {
            std::fs::write(&file, bad).unwrap();
            assert!(
                format!("{:#}", object(&file, "a job").unwrap_err()).contains("job.json"),
                "{bad}"
            );
        }
    }
}
