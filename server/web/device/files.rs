//! The files that a device sent, and ordering one.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value::ordered;
use super::{Head, Tab, address, card, look, shell, with_query};
use crate::ctx::Shared;
use crate::files::sealed;
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::service::{devices, jobs};
use crate::store::artifacts::DeviceArtifact;
use crate::web::failure::Failure;
use crate::web::form::Form;
use crate::web::format::{When, size};
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// Files on a page.
const PAGE: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilesQuery {
    before: Option<Uuid>,
}

/// Which file the device is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    Configuration,
    Log,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    file: Wanted,
}

#[derive(Serialize)]
struct FilesPage {
    shell: Shell,
    head: Head,
    rows: Vec<Row>,
    first: String,
    next: String,
}

#[derive(Debug, Clone, Serialize)]
struct Row {
    /// Where it is; empty = not for the viewer.
    href: String,
    name: String,
    file_type: String,
    size: String,
    sha256: String,
    job: String,
    at: When,
}

/// `GET /devices/{id}/files`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<FilesQuery>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Files).await?;
    let ctx = viewer.ctx();
    let mut found = devices::files(&app, ctx, &id, query.before, PAGE as i64 + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more).map(|file| file.artifact_id.to_string());
    let here = address(device.device_id, "/files");
    let page = FilesPage {
        shell: shell(&app, &viewer, &head, "files"),
        rows: found.iter().map(|file| row(file, &head, ctx.now)).collect(),
        first: query.before.map(|_| here.clone()).unwrap_or_default(),
        next: last.map(|id| with_query(&here, &[("before", id.as_str())])).unwrap_or_default(),
        head,
    };
    Ok(render(View::DeviceFiles, &page)?.into_response())
}

fn row(file: &DeviceArtifact, head: &Head, now: DateTime<Utc>) -> Row {
    let href = address(head.id, &format!("/files/{}", file.artifact_id));
    Row {
        href: if head.may.operate { href } else { String::new() },
        name: file.name.clone(),
        file_type: file.file_type.clone(),
        size: size(file.size),
        sha256: hex::encode(&file.sha256),
        job: format!("/jobs/{}", file.job_id),
        at: When::new(file.created_at, now),
    }
}

/// `GET /devices/{id}/files/{artifact_id}`: the bytes, to be saved and never shown, as they are not
/// ours and the origin is.
pub(super) async fn download(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((id, artifact_id)): Path<(String, Uuid)>,
) -> Result<Response, Failure> {
    let file = devices::file(&app, viewer.ctx(), &id, artifact_id).await?;
    let bytes = sealed::stream(&app, &file).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, file.size.to_string()),
        (header::CONTENT_DISPOSITION, disposition(&file)),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

/// Several devices send files of one name: that of the file here tells them apart.
fn disposition(file: &DeviceArtifact) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name: String = file.name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let at = file.created_at.format("%Y%m%d-%H%M%S");
    format!("attachment; filename=\"{at}-{name}\"")
}

/// `POST /devices/{id}/upload`
pub(super) async fn order(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Order>,
) -> Result<Response, Failure> {
    let file = match sent.file {
        Wanted::Configuration => UploadFile::Configuration,
        Wanted::Log => UploadFile::Log,
    };
    let order = ordered(JobSpec::Upload { file });
    let (job, _) = jobs::create(&app, viewer.ctx(), &id, order).await?;
    card::answer(&app, &viewer, &visit, job).await
}

#[cfg(test)]
fn file(name: &str) -> DeviceArtifact {
    DeviceArtifact {
        artifact_id: Uuid::from_u128(5),
        job_id: Uuid::from_u128(6),
        file_type: "1 Vendor Configuration File".to_owned(),
        name: name.to_owned(),
        size: 1_536,
        sha256: vec![0xab; 32],
        sealed: true,
        created_at: DateTime::UNIX_EPOCH,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let head = Head::sample();
    let rows = vec![row(&file("<x-evil>"), &head, DateTime::UNIX_EPOCH)];
    let page = |rows: Vec<Row>, first: &str, next: &str| FilesPage {
        shell: Shell::sample(),
        head: Head::sample(),
        rows,
        first: first.to_owned(),
        next: next.to_owned(),
    };
    vec![
        sample(View::DeviceFiles, &page(rows, "/devices/1/files", "/devices/1/files?before=2")),
        sample(View::DeviceFiles, &page(Vec::new(), "", "")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition(&file("a\"; x=ī.rsc")),
            "attachment; filename=\"19700101-000000-a___x__.rsc\""
        );
    }

    #[test]
    fn only_who_may_operate_gets_the_bytes() {
        let now = DateTime::UNIX_EPOCH;
        let mut head = Head::sample();
        assert!(row(&file("log.txt"), &head, now).href.starts_with("/devices/"));
        head.may.operate = false;
        assert_eq!(row(&file("log.txt"), &head, now).href, "");
    }
}
