//! `muster releases`. People name a release by its version, as the API does.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use futures_util::TryStreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::{Body, Method, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::devices::named;
use super::http::{Answer, Api, List, Span, answer};
use super::output::{
    clean, done, fields, hint, joined, list, maybe, print, safe_json, show, table, time,
};

/// `muster releases`
#[derive(Debug, Subcommand)]
pub enum Releases {
    /// List releases, newest first.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Show a release: how much of it is stored, and its packages.
    Get {
        /// Such as 7.16.1.
        version: String,
    },
    /// Upload packages: .npk files, or zips of them.
    Upload {
        /// Which.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say something of a release, for people.
    Note {
        /// Such as 7.16.1.
        version: String,
        /// What.
        text: String,
    },
    /// Send nothing new of a release; what is under way goes on.
    Withdraw {
        /// Such as 7.16.1.
        version: String,
        /// Why.
        #[arg(long, value_name = "WHY")]
        reason: String,
    },
    /// Take back that a release was withdrawn.
    Restore {
        /// Such as 7.16.1.
        version: String,
    },
    /// Remove a release with its packages, or one package.
    Delete {
        /// Such as 7.16.1.
        version: String,
        /// File name of the package, such as container-7.16.1-arm.npk; all when absent.
        #[arg(long, value_name = "FILE")]
        package: Option<String>,
    },
    /// Show how a device gets to a release, or why it does not.
    Path {
        /// Serial number or id.
        device: String,
        /// Such as 7.16.1.
        version: String,
        /// Also to an older one than the device runs.
        #[arg(long)]
        downgrade: bool,
    },
}

#[derive(Debug, Deserialize)]
struct Release {
    version: String,
    notes: String,
    withdrawn: Option<String>,
    completeness: Vec<Completeness>,
    packages: Vec<Package>,
    devices: u64,
    created_by: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Completeness {
    arch: String,
    have: Vec<String>,
    missing: Vec<Missing>,
}

#[derive(Debug, Deserialize)]
struct Missing {
    name: String,
    required: bool,
}

#[derive(Debug, Deserialize)]
struct Package {
    package_id: Uuid,
    file_name: String,
    size: u64,
    sha256: String,
}

#[derive(Debug, Deserialize)]
struct Upload {
    items: Vec<Uploaded>,
}

#[derive(Debug, Deserialize)]
struct Uploaded {
    file: String,
    package: Option<Package>,
    already: bool,
    refused: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Way {
    from: Option<String>,
    to: String,
    hops: Vec<Hop>,
    bytes: u64,
    assumed: bool,
    refusal: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Hop {
    version: String,
    packages: Vec<HopPackage>,
}

#[derive(Debug, Deserialize)]
struct HopPackage {
    file_name: String,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    reason: String,
}

pub(super) async fn run(api: &Api, command: Releases) -> anyhow::Result<()> {
    match command {
        Releases::List { span } => {
            let header = ["version", "devices", "stored", "withdrawn", "created_by", "created_at"];
            list(api, &all(), &span, &header, row).await
        }
        Releases::Get { version } => show(api, &api.get(&["releases", &version], &[]).await?, view),
        Releases::Upload { files } => upload(api, &files).await,
        Releases::Note { version, text } => change(api, &version, &json!({ "notes": text })).await,
        Releases::Withdraw { version, reason } => {
            change(api, &version, &json!({ "withdrawn": reason })).await
        }
        Releases::Restore { version } => change(api, &version, &json!({ "withdrawn": null })).await,
        Releases::Delete { version, package: None } => {
            api.delete(&["releases", &version], &[]).await?;
            done(api, &format!("{version} is removed"))
        }
        Releases::Delete { version, package: Some(file) } => {
            let id = package_id(api, &version, &file).await?.to_string();
            api.delete(&["releases", "packages", &id], &[]).await?;
            done(api, &format!("{file} is removed"))
        }
        Releases::Path { device, version, downgrade } => {
            path(api, &device, &version, downgrade).await
        }
    }
}

fn all() -> List<'static> {
    List { path: vec!["releases"], query: Vec::new(), cursor: "before" }
}

fn row(release: Release) -> Vec<String> {
    let stored: Vec<String> = release.completeness.iter().map(in_short).collect();
    vec![
        release.version,
        release.devices.to_string(),
        joined(&stored),
        maybe(release.withdrawn),
        release.created_by,
        time(release.created_at),
    ]
}

/// An architecture, with what no device can do without.
fn in_short(of: &Completeness) -> String {
    let required = of.missing.iter().filter(|missing| missing.required);
    let required: Vec<&str> = required.map(|missing| missing.name.as_str()).collect();
    match required.is_empty() {
        true => of.arch.clone(),
        false => format!("{} without {}", of.arch, required.join(" and ")),
    }
}

/// `arm: routeros, tr069-client; missing: container`
fn in_full(of: &Completeness) -> String {
    let missing: Vec<&str> = of.missing.iter().map(|missing| missing.name.as_str()).collect();
    let missing = match missing.is_empty() {
        true => String::new(),
        false => format!("; missing: {}", missing.join(", ")),
    };
    clean(&format!("{}: {}{missing}", of.arch, of.have.join(", ")))
}

fn view(release: Release) -> String {
    let mut parts = vec![fields(&[
        ("version", release.version),
        ("withdrawn", maybe(release.withdrawn)),
        ("devices", release.devices.to_string()),
        ("notes", maybe(Some(release.notes))),
        ("created_by", release.created_by),
        ("created_at", time(release.created_at)),
    ])];
    if !release.completeness.is_empty() {
        let lines: Vec<String> = release.completeness.iter().map(in_full).collect();
        parts.push(lines.join("\n"));
        let cells =
            |p: Package| vec![p.package_id.to_string(), p.file_name, p.size.to_string(), p.sha256];
        let rows: Vec<Vec<String>> = release.packages.into_iter().map(cells).collect();
        parts.push(table(&["package_id", "file_name", "size", "sha256"], &rows));
    }
    parts.join("\n\n")
}

async fn change(api: &Api, version: &str, body: &Value) -> anyhow::Result<()> {
    show(api, &api.call(Method::PATCH, &["releases", version], Some(body)).await?, view)
}

async fn package_id(api: &Api, version: &str, file: &str) -> anyhow::Result<Uuid> {
    let release: Release = api.get(&["releases", version], &[]).await?.read()?;
    let found = release.packages.into_iter().find(|package| package.file_name == file);
    let none = || format!("no package {} of {}", clean(file), clean(version));
    Ok(found.with_context(none)?.package_id)
}

/// Sends all files, also after one that is refused.
async fn upload(api: &Api, files: &[PathBuf]) -> anyhow::Result<()> {
    let mut refused = 0;
    for file in files {
        match upload_one(api, file).await {
            Ok(answer) => refused += tell(api, file, &answer)?,
            Err(why) => {
                hint(&format!("{}: {why:#}", file.display()));
                refused += 1;
            }
        }
    }
    ensure!(refused == 0, "{refused} files are not taken");
    Ok(())
}

async fn upload_one(api: &Api, file: &Path) -> anyhow::Result<Answer> {
    let name = file.file_name().and_then(|name| name.to_str()).context("it has no name")?;
    let source = tokio::fs::File::open(file).await?;
    let about = source.metadata().await?;
    ensure!(about.is_file(), "it is no file");
    let bytes = StreamBody::new(ReaderStream::new(source).map_ok(Frame::data));
    let request = api
        .request(Method::POST, &["releases", "packages"], &[("name", name)])
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, about.len())
        .body(Body::wrap(bytes));
    answer(api.send(request).await?).await
}

/// Tells what became of a file, or of those in a zip; gives how many were refused.
fn tell(api: &Api, sent: &Path, answer: &Answer) -> anyhow::Result<usize> {
    let upload: Upload = answer.read()?;
    let refused = upload.items.iter().filter(|item| item.refused.is_some()).count();
    if api.json {
        print(&safe_json(answer.text()))?;
        return Ok(refused);
    }
    for item in upload.items {
        // What is in a zip is told with the zip.
        let inner = sent.file_name().is_none_or(|name| name.to_string_lossy() != item.file);
        let file = if inner { format!("{}: {}", sent.display(), item.file) } else { item.file };
        let words = match (item.refused, item.package) {
            (Some(why), _) => format!("not taken: {why}"),
            (None, Some(package)) if item.already => format!("{} was there", package.file_name),
            (None, Some(package)) => format!("{} is stored", package.file_name),
            (None, None) => "nothing was said of it".to_owned(),
        };
        print(&clean(&format!("{file}: {words}")))?;
    }
    Ok(refused)
}

async fn path(api: &Api, device: &str, version: &str, downgrade: bool) -> anyhow::Result<()> {
    let downgrade = if downgrade { "true" } else { "false" };
    let query = [("version", version), ("downgrade", downgrade)];
    let answer = api.get(&["devices", &named(device), "upgrade-path"], &query).await?;
    let way: Way = answer.read()?;
    if api.json {
        print(&safe_json(answer.text()))?;
    }
    if let Some(refusal) = way.refusal {
        bail!("{}", clean(&refusal.reason));
    }
    if !api.json {
        print(&way_view(way))?;
    }
    Ok(())
}

fn way_view(way: Way) -> String {
    let about = fields(&[
        ("from", maybe(way.from)),
        ("to", way.to),
        ("bytes", way.bytes.to_string()),
        ("installed", if way.assumed { "assumed from the model" } else { "known" }.to_owned()),
    ]);
    let row = |(n, hop): (usize, Hop)| {
        let files: Vec<String> = hop.packages.into_iter().map(|p| p.file_name).collect();
        vec![(n + 1).to_string(), hop.version, joined(&files)]
    };
    let rows: Vec<Vec<String>> = way.hops.into_iter().enumerate().map(row).collect();
    format!("{about}\n\n{}", table(&["hop", "version", "packages"], &rows))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn release() -> Release {
        let text = json!({
            "version": "7.16.1", "notes": "", "withdrawn": null, "devices": 12,
            "completeness": [
                { "arch": "arm", "have": ["routeros", "tr069-client"], "usable": true,
                  "missing": [{ "name": "container", "file_name": "c", "required": false }] },
                { "arch": "smips", "have": ["routeros"], "usable": false,
                  "missing": [{ "name": "tr069-client", "file_name": "t", "required": true }] },
            ],
            "packages": [{ "package_id": Uuid::nil(), "file_name": "routeros-7.16.1-arm.npk",
                           "size": 9, "sha256": "ab" }],
            "created_by": "ann", "created_at": "2026-11-22T00:00:00Z",
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_is_stored_is_told_in_short_and_in_full() {
        let cells = row(release());
        assert_eq!(cells[..3], ["7.16.1", "12", "arm, smips without tr069-client"]);
        let text = view(release());
        assert!(text.contains("arm: routeros, tr069-client; missing: container\n"), "{text}");
        assert!(text.contains("routeros-7.16.1-arm.npk"), "{text}");
    }

    #[test]
    fn a_way_is_told_hop_by_hop() {
        let way = json!({
            "from": "6.49.10", "to": "7.16.1", "bytes": 5, "assumed": true, "refusal": null,
            "hops": [
                { "version": "7.12.1", "packages": [{ "file_name": "a.npk" }] },
                { "version": "7.16.1", "packages": [{ "file_name": "b.npk" }, { "file_name": "c.npk" }] },
            ],
        });
        let text = way_view(serde_json::from_value(way).unwrap());
        assert!(text.contains("assumed") && text.contains("b.npk, c.npk"), "{text}");
    }
}
