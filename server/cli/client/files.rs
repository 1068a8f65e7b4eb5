//! `muster files`.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use futures_util::TryStreamExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::{Body, Method, Response, header};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::http::{Api, List, Span, answer};
use super::output::{done, fields, list, show, time};

/// `muster files`
#[derive(Debug, Subcommand)]
pub enum Files {
    /// List stored files, newest first.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Store a file for devices.
    Put {
        /// Which.
        file: PathBuf,
        /// What devices are to know it by; RouterOS goes by the ending. The file's own name when
        /// absent.
        #[arg(long)]
        name: Option<String>,
        /// Media type.
        #[arg(long = "type", value_name = "TYPE", default_value = "application/octet-stream")]
        media_type: String,
    },
    /// Fetch a stored file.
    Get {
        /// Id of the file.
        file: Uuid,
        /// Where to; standard output when absent.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Remove a stored file.
    Delete {
        /// Id of the file.
        file: Uuid,
    },
}

#[derive(Debug, Deserialize)]
struct Artifact {
    artifact_id: Uuid,
    name: String,
    size: u64,
    sha256: String,
    content_type: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn run(api: &Api, command: Files) -> anyhow::Result<()> {
    match command {
        Files::List { span } => list_files(api, &span).await,
        Files::Put { file, name, media_type } => {
            put(api, &file, name.as_deref(), &media_type).await
        }
        Files::Get { file, output } => {
            let path = ["artifacts", &file.to_string(), "content"];
            fetch(api, &path, output.as_deref()).await
        }
        Files::Delete { file } => {
            api.delete(&["artifacts", &file.to_string()], &[]).await?;
            done(api, &format!("{file} is removed"))
        }
    }
}

async fn list_files(api: &Api, span: &Span) -> anyhow::Result<()> {
    let files = List { path: vec!["artifacts"], query: Vec::new(), cursor: "before" };
    let header = ["artifact_id", "name", "size", "content_type", "created_by", "created_at"];
    list(api, &files, span, &header, |a: Artifact| {
        let (size, at) = (a.size.to_string(), time(a.created_at));
        vec![a.artifact_id.to_string(), a.name, size, a.content_type, a.created_by, at]
    })
    .await
}

async fn put(api: &Api, file: &Path, name: Option<&str>, media_type: &str) -> anyhow::Result<()> {
    let place = || file.display().to_string();
    let own_name = file.file_name().and_then(|name| name.to_str());
    let name = name.or(own_name).with_context(|| format!("{}: give it a --name", place()))?;
    let source = tokio::fs::File::open(file).await.with_context(place)?;
    let about = source.metadata().await.with_context(place)?;
    ensure!(about.is_file(), "{} is no file", place());
    let bytes = StreamBody::new(ReaderStream::new(source).map_ok(Frame::data));
    let request = api
        .request(Method::POST, &["artifacts"], &[("name", name)])
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_LENGTH, about.len())
        .body(Body::wrap(bytes));
    show(api, &answer(api.send(request).await?).await?, |a: Artifact| {
        fields(&[
            ("artifact_id", a.artifact_id.to_string()),
            ("name", a.name),
            ("size", a.size.to_string()),
            ("sha256", a.sha256),
            ("content_type", a.content_type),
        ])
    })
}

/// Fetches the bytes at a path into a file, or onto standard output.
pub(super) async fn fetch(api: &Api, path: &[&str], output: Option<&Path>) -> anyhow::Result<()> {
    fetch_some(api, path, &[], output).await
}

/// The same of a part.
pub(super) async fn fetch_some(
    api: &Api,
    path: &[&str],
    query: &[(&str, &str)],
    output: Option<&Path>,
) -> anyhow::Result<()> {
    let response = api.send(api.request(Method::GET, path, query)).await?;
    match output {
        Some(output) => save(response, output).await,
        None => pour(response).await,
    }
}

/// Into a file, whole or not at all.
async fn save(mut response: Response, output: &Path) -> anyhow::Result<()> {
    let place = || output.display().to_string();
    let part = beside(output);
    let mut file = tokio::fs::File::create(&part).await.with_context(place)?;
    let written = async {
        while let Some(bytes) = response.chunk().await? {
            file.write_all(&bytes).await?;
        }
        file.sync_all().await?;
        anyhow::Ok(())
    };
    let saved = match written.await {
        Ok(()) => tokio::fs::rename(&part, output).await.with_context(place),
        Err(e) => Err(e.context(place())),
    };
    if saved.is_err() {
        // What is left of it is of no use; that it cannot be removed is no news then.
        let _ = tokio::fs::remove_file(&part).await;
    }
    saved
}

/// The name of a file while it is not whole.
fn beside(output: &Path) -> PathBuf {
    let mut name = OsString::from(output);
    name.push(".part");
    PathBuf::from(name)
}

/// Onto standard output, which must not be a terminal: a file may hold what steers one.
async fn pour(mut response: Response) -> anyhow::Result<()> {
    let mut out = io::stdout();
    ensure!(!out.is_terminal(), "a file is not shown on a terminal: say --output FILE");
    while let Some(bytes) = response.chunk().await? {
        out.write_all(&bytes)?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_whole_has_another_name() {
        assert_eq!(beside(Path::new("/tmp/a.rsc")), Path::new("/tmp/a.rsc.part"));
        assert_eq!(beside(Path::new("a")), Path::new("a.part"));
    }
}
