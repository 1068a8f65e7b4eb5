//! Files that people keep for devices: the list, each of them, storing, fetching and removing.
//!
//! A file's bytes pass through and are never held, however large it is. It is fetched as something
//! to be saved: nothing that somebody stored is ever shown as a page of ours.

use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::format::{When, grouped, size};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::files::attachment::attachment;
use crate::service::artifacts::{self as service, NewArtifact};
use crate::store::artifacts::Artifact;

/// Where the list is.
const HOME: &str = "/files";
/// Files on a page.
const PAGE: usize = 50;
/// Bytes of a media type; what says more says nothing to us.
const MAX_TYPE: usize = 255;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilesQuery {
    before: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Confirmation {
    confirm: String,
}

#[derive(Serialize)]
struct FilesPage {
    shell: Shell,
    rows: Vec<FileView>,
    first: String,
    next: String,
    can_store: bool,
    /// The largest file that is taken, in words.
    most: String,
    errors: Complaints,
}

#[derive(Serialize)]
struct FilePage {
    shell: Shell,
    file: FileView,
    can_delete: bool,
}

#[derive(Serialize)]
struct FileView {
    id: Uuid,
    name: String,
    size: String,
    bytes: String,
    content_type: String,
    sha256: String,
    /// Enough of it to tell two files apart.
    short: String,
    by: String,
    created: When,
}

/// `GET /files`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Result<Query<FilesQuery>, QueryRejection>,
) -> Result<Html<String>, Failure> {
    let Query(query) = query.map_err(|e| Error::invalid("", e.body_text()))?;
    let before = match query.before.as_str() {
        "" => None,
        id => Some(Uuid::try_parse(id).map_err(|_| {
            Error::invalid("", "This page does not exist: start from the first one.")
        })?),
    };
    list(&app, &viewer, before, Complaints::default()).await
}

async fn list(
    app: &App,
    viewer: &Viewer,
    before: Option<Uuid>,
    errors: Complaints,
) -> Result<Html<String>, Failure> {
    let ctx = viewer.ctx();
    // One more than shown tells whether there is a next page.
    let limit = i64::try_from(PAGE).expect("a small number") + 1;
    let mut files = service::list(app, ctx, before, limit).await?;
    let more = files.len() > PAGE;
    files.truncate(PAGE);
    let last = files.last().filter(|_| more).map(|file| file.artifact_id);
    let page = FilesPage {
        shell: Shell::new(viewer, &app.config, "Files", Section::Files),
        rows: files.iter().map(|file| view(file, ctx.now)).collect(),
        first: before.map(|_| HOME.to_owned()).unwrap_or_default(),
        next: last.map(|id| format!("{HOME}?before={id}")).unwrap_or_default(),
        can_store: viewer.may(Right::Operate),
        most: size(i64::try_from(app.config.acs.max_artifact_bytes).unwrap_or(i64::MAX)),
        errors,
    };
    Ok(views::render(View::Files, &page)?)
}

fn view(file: &Artifact, now: DateTime<Utc>) -> FileView {
    let sha256 = hex::encode(&file.sha256);
    FileView {
        id: file.artifact_id,
        name: file.name.clone(),
        size: size(file.size),
        bytes: grouped(file.size),
        content_type: file.content_type.clone(),
        short: sha256.chars().take(12).collect(),
        sha256,
        by: file.created_by.clone(),
        created: When::new(file.created_at, now),
    }
}

/// `POST /files`
pub(super) async fn upload(
    viewer: Viewer,
    State(app): State<Shared>,
    sent: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let mut parts = sent.map_err(|e| Error::invalid("", e.body_text()))?;
    let stored = match chosen(&mut parts).await {
        Ok((new, field)) => service::create(&app, viewer.ctx(), new, field).await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(file) => {
            let done = Flash::done(format!("{} is stored.", file.name));
            Ok(flash::to(&format!("{HOME}/{}", file.artifact_id), done))
        }
        Err(error) => {
            let errors = Complaints::of(error, &["file"])?;
            let page = list(&app, &viewer, None, errors).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// The file of the form, whose only field it is.
async fn chosen(parts: &mut Multipart) -> Result<(NewArtifact, Field<'_>), Error> {
    let none = || Error::invalid("/file", "Choose a file first.");
    let field = parts.next_field().await.map_err(|e| broken(&e))?;
    let field = field.filter(|field| field.name() == Some("file")).ok_or_else(none)?;
    let name = field.file_name().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(none());
    }
    let said = field.content_type().filter(|said| (1..=MAX_TYPE).contains(&said.len()));
    let content_type = said.unwrap_or("application/octet-stream").to_owned();
    // The length of the form is not that of the file; the store stops at the limit by itself.
    Ok((NewArtifact { name, content_type, announced: None }, field))
}

fn broken(error: &MultipartError) -> Error {
    Error::invalid("/file", format!("The file did not arrive: {}", error.body_text()))
}

/// `GET /files/{id}`
pub(super) async fn file(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(artifact_id): Path<Uuid>,
) -> Result<Html<String>, Failure> {
    let ctx = viewer.ctx();
    let file = service::get(&app, ctx, artifact_id).await?;
    let page = FilePage {
        shell: Shell::new(&viewer, &app.config, file.name.as_str(), Section::Files),
        file: view(&file, ctx.now),
        can_delete: service::may_delete(ctx, &file),
    };
    Ok(views::render(View::File, &page)?)
}

/// `GET /files/{id}/content`
pub(super) async fn content(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(artifact_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let (file, bytes) = service::read(&app, viewer.ctx(), artifact_id).await?;
    Ok(attachment(&file.name, file.size, &file.sha256, bytes))
}

/// `POST /files/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(artifact_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let here = format!("{HOME}/{artifact_id}");
    let file = service::get(&app, ctx, artifact_id).await?;
    if sent.confirm.trim() != file.name.trim() {
        let why = "Nothing was deleted: type the file's name to confirm.";
        return Ok(flash::to(&here, Flash::failed(why)));
    }
    match service::delete(&app, ctx, artifact_id).await {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("{} is deleted.", file.name)))),
        Err(Error::Conflict(why)) => {
            let why = format!("It is not deleted: {why}. Cancel that job, or wait for its end.");
            Ok(flash::to(&here, Flash::failed(why)))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let now = DateTime::UNIX_EPOCH;
    let artifact = Artifact {
        artifact_id: Uuid::from_u128(7),
        name: "<x-evil>".to_owned(),
        size: 13_107_200,
        sha256: vec![0xab; 32],
        content_type: "<x-evil>".to_owned(),
        created_by: "<x-evil>".to_owned(),
        maker_id: None,
        created_at: now,
    };
    let list = |rows, can_store, errors| FilesPage {
        shell: Shell::sample(),
        rows,
        first: HOME.to_owned(),
        next: String::new(),
        can_store,
        most: "1.0 MiB".to_owned(),
        errors,
    };
    let one =
        |can_delete| FilePage { shell: Shell::sample(), file: view(&artifact, now), can_delete };
    let wrong = Complaints::field("file", "<x-evil>");
    vec![
        views::sample(View::Files, &list(vec![view(&artifact, now)], true, wrong)),
        views::sample(View::Files, &list(Vec::new(), true, Complaints::whole("<x-evil>"))),
        views::sample(View::Files, &list(Vec::new(), false, Complaints::default())),
        views::sample(View::File, &one(true)),
        views::sample(View::File, &one(false)),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use axum::body::Body;
    use axum::extract::{FromRequest, Request};
    use axum::http::header::CONTENT_TYPE;

    async fn form(disposition: &str, kind: &str) -> Multipart {
        let body = format!(
            "--X\r\nContent-Disposition: form-data; {disposition}\r\n{kind}\r\nhello\r\n--X--\r\n"
        );
        let request = Request::post(HOME)
            .header(CONTENT_TYPE, "multipart/form-data; boundary=X")
            .body(Body::from(body))
            .unwrap();
        Multipart::from_request(request, &()).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_taken_with_its_name_and_type() {
        let named = "name=\"file\"; filename=\"tornis 7.rsc\"";
        let mut parts = form(named, "Content-Type: text/plain\r\n").await;
        let (new, field) = chosen(&mut parts).await.unwrap();
        assert_eq!((new.name.as_str(), new.content_type.as_str()), ("tornis 7.rsc", "text/plain"));
        assert_eq!(field.bytes().await.unwrap(), "hello");
        let mut parts = form(named, "").await;
        let (new, _) = chosen(&mut parts).await.unwrap();
        assert_eq!(new.content_type, "application/octet-stream");
    }

    #[tokio::test]
    async fn a_form_without_a_file_says_so() {
        for disposition in
            ["name=\"file\"; filename=\"\"", "name=\"file\"", "name=\"other\"; filename=\"a.rsc\""]
        {
            let mut parts = form(disposition, "").await;
            match chosen(&mut parts).await.map(|(new, _)| new) {
                Err(Error::Invalid { pointer, .. }) => assert_eq!(pointer, "/file"),
                other => panic!("{disposition}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_hash_is_short_in_lists_and_whole_where_it_is_copied() {
        let artifact = Artifact {
            artifact_id: Uuid::nil(),
            name: "a".to_owned(),
            size: 1_234_567,
            sha256: vec![0x0f; 32],
            content_type: String::new(),
            created_by: String::new(),
            maker_id: None,
            created_at: DateTime::UNIX_EPOCH,
        };
        let file = view(&artifact, DateTime::UNIX_EPOCH);
        assert_eq!((file.short.as_str(), file.sha256.len()), ("0f0f0f0f0f0f", 64));
        assert_eq!(file.bytes, "1\u{202f}234\u{202f}567");
    }
}
