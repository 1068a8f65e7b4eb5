//! Releases of RouterOS: which there are, how much of each is stored, what the fleet runs and ran, and
//! uploading packages. `one` is the page of one of them, `view` words and pictures, `past` those of
//! what the fleet ran.
//!
//! Packages come by a form: many at once, or, where there is script, one request for each, so that
//! each shows how far it is. Both are the same route; who asks for a part of a page gets one.

mod one;
mod past;
mod view;

use std::sync::{Arc, LazyLock};

use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Multipart, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use self::past::Past;
use self::view::{ArchView, Fleet, SentView};
use super::failure::Failure;
use super::form::Complaints;
use super::format::{When, grouped, size};
use super::manage::{address, answer, cut, devices, everywhere, with_one_more};
use super::overview::Cache;
use super::shell::{Section, Shell};
use super::viewer::{Viewer, Visit};
use super::views::{self, View};
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::overview::{self, Over};
use crate::service::releases::upload::{NewFile, Outcome, Verdict, add};
use crate::service::releases::{self as service, Running};
use crate::store::samples::Versions;

/// Where they are listed.
const HOME: &str = "/releases";
/// Releases on a page: each says much.
const PAGE: usize = 25;

/// To count what runs where takes a second of a million devices: once for all who look.
static RUNNING: LazyLock<Cache<Running>> = LazyLock::new(Cache::default);
/// The same of what was counted.
static MONTH: LazyLock<Cache<Vec<Versions>>> = LazyLock::new(Cache::default);
static YEAR: LazyLock<Cache<Vec<Versions>>> = LazyLock::new(Cache::default);

/// How many devices run what, as it was lately.
async fn running(app: &App, ctx: &Ctx) -> Result<Arc<Running>, Error> {
    // The right is asked for here too, as what is kept is given without a call.
    let place = ctx.require(Right::Read)?.within();
    RUNNING.get(place, service::running(app, ctx)).await
}

/// What they ran, as it was known lately.
async fn history(app: &App, ctx: &Ctx, over: Over) -> Result<Arc<Vec<Versions>>, Error> {
    let place = ctx.require(Right::Read)?.within();
    let kept = match over {
        Over::Month => &MONTH,
        Over::Year => &YEAR,
    };
    kept.get(place, overview::version_history(app, ctx, over)).await
}

/// The routes of releases.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    // The store stops at acs.max_artifact_bytes by itself, while it reads.
    let upload = post(upload).layer(DefaultBodyLimit::disable());
    routes
        .on(read, Method::GET, "/releases", get(page))
        .on(operate, Method::POST, "/releases", upload)
        .on(read, Method::GET, "/releases/{version}", get(one::page))
        .on(operate, Method::POST, "/releases/{version}", post(one::change))
        .on(operate, Method::POST, "/releases/{version}/withdraw", post(one::withdraw))
        .on(operate, Method::POST, "/releases/{version}/restore", post(one::restore))
        .on(operate, Method::POST, "/releases/{version}/delete", post(one::delete))
        .on(operate, Method::POST, "/releases/packages/{id}/delete", post(one::delete_package))
}

fn path(version: &str) -> String {
    format!("{HOME}/{version}")
}

/// The list of the devices that run a version.
fn on_version(version: &str) -> String {
    devices(&format!("version = \"{version}\""))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    before: String,
    /// How far back it shows what devices ran.
    over: String,
}

#[derive(Serialize)]
struct ReleasesPage {
    shell: Shell,
    rows: Vec<Row>,
    fleet: Option<Fleet>,
    past: Option<Past>,
    /// What became of files that were just sent.
    sent: Vec<SentView>,
    may_upload: bool,
    /// The largest file that is taken, in words.
    most: String,
    /// Where this page is.
    here: String,
    first: String,
    next: String,
    errors: Complaints,
}

/// What became of files, for a page that is there already.
#[derive(Serialize)]
struct SentPart {
    sent: Vec<SentView>,
}

#[derive(Serialize)]
struct Row {
    href: String,
    version: String,
    withdrawn: bool,
    architectures: Vec<ArchView>,
    devices: String,
    devices_href: String,
    notes: String,
    created: When,
    by: String,
}

/// `GET /releases`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    list(&app, &viewer, &query, Vec::new(), Complaints::default()).await
}

async fn list(
    app: &App,
    viewer: &Viewer,
    query: &ListQuery,
    sent: Vec<SentView>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let before = query.before.as_str();
    let from = Some(before).filter(|version| !version.is_empty());
    let found = service::list(app, ctx, from, with_one_more(PAGE)).await?;
    let (found, more) = cut(found, PAGE);
    let running = running(app, ctx).await?;
    let over = past::over(&query.over);
    let history = history(app, ctx, over).await?;
    let back = ("over", past::word(over));
    let last = found.last().filter(|_| more).map(|view| view.release.version.as_str());
    let most = i64::try_from(app.config.acs.max_artifact_bytes).unwrap_or(i64::MAX);
    let page = ReleasesPage {
        shell: Shell::new(viewer, &app.config, "Releases", Section::Releases),
        fleet: view::fleet(&running),
        past: past::past(&history, over, ctx.now),
        sent,
        may_upload: everywhere(viewer, Right::Operate),
        most: size(most),
        here: address(HOME, &[("before", before), back]),
        first: from.map(|_| address(HOME, &[back])).unwrap_or_default(),
        next: last.map(|version| address(HOME, &[("before", version), back])).unwrap_or_default(),
        rows: found.iter().map(|found| row(found, &running, ctx)).collect(),
        errors,
    };
    answer(View::Releases, &page, &page.errors)
}

fn row(found: &service::View, running: &Running, ctx: &Ctx) -> Row {
    let release = &found.release;
    Row {
        href: path(&release.version),
        version: release.version.clone(),
        withdrawn: release.withdrawn_at.is_some(),
        architectures: found.completeness.iter().map(ArchView::of).collect(),
        devices: grouped(view::devices_on(running, &release.version)),
        devices_href: on_version(&release.version),
        notes: super::format::shortened(&release.notes, 120),
        created: When::new(release.created_at, ctx.now),
        by: release.created_by.clone(),
    }
}

/// `POST /releases`: packages, or zips of them.
async fn upload(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    sent: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let taken = match sent {
        Ok(mut parts) => taken(&app, viewer.ctx(), &mut parts).await,
        Err(e) => Err(Error::invalid("", e.body_text())),
    };
    if visit.htmx {
        let sent = taken?.into_iter().map(SentView::of).collect();
        return Ok(views::render(View::ReleasesSent, &SentPart { sent })?.into_response());
    }
    match taken {
        Ok(verdicts) => {
            let any = verdicts.iter().any(|verdict| verdict.outcome.package().is_some());
            let sent = verdicts.into_iter().map(SentView::of).collect();
            let query = ListQuery::default();
            let mut response = list(&app, &viewer, &query, sent, Complaints::default()).await?;
            if !any {
                *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            }
            Ok(response)
        }
        Err(error) => {
            let errors = Complaints::of(error, &["file"])?;
            list(&app, &viewer, &ListQuery::default(), Vec::new(), errors).await
        }
    }
}

/// Takes the files of the form, one after the other.
async fn taken(app: &App, ctx: &Ctx, parts: &mut Multipart) -> Result<Vec<Verdict>, Error> {
    let mut verdicts = Vec::new();
    while let Some(field) = parts.next_field().await.map_err(|e| broken(&e))? {
        let name = field.file_name().unwrap_or_default().to_owned();
        if field.name() != Some("file") || name.is_empty() {
            continue;
        }
        let new = NewFile { name: Some(name.clone()), announced: None };
        match add(app, ctx, new, field).await {
            Ok(more) => verdicts.extend(more),
            // What is wrong with one file is not wrong with the next.
            Err(
                Error::Invalid { message, .. }
                | Error::TooLarge(message)
                | Error::Conflict(message),
            ) => verdicts.push(Verdict { file: name, outcome: Outcome::Refused(message) }),
            Err(other) => return Err(other),
        }
    }
    if verdicts.is_empty() {
        return Err(Error::invalid("/file", "Choose files first."));
    }
    Ok(verdicts)
}

fn broken(error: &MultipartError) -> Error {
    Error::invalid("/file", format!("The files did not arrive: {}", error.body_text()))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let mut all = one::samples();
    let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
    let running = view::sample_running();
    let history = past::sample_history("<x-evil>");
    let found = [view::sample(true), view::sample(false)];
    let page = |rows, may_upload, sent, errors| ReleasesPage {
        shell: Shell::sample(),
        fleet: view::fleet(&running),
        past: past::past(&history, Over::Month, ctx.now),
        sent,
        may_upload,
        most: "1.0 GiB".to_owned(),
        here: HOME.to_owned(),
        first: HOME.to_owned(),
        next: "/releases?before=7.16.1".to_owned(),
        rows,
        errors,
    };
    let rows = || found.iter().map(|found| row(found, &running, &ctx)).collect::<Vec<_>>();
    let wrong = Complaints::field("file", "<x-evil>");
    let young = ReleasesPage {
        past: past::past(&history[..1], Over::Year, ctx.now),
        ..page(rows(), true, Vec::new(), Complaints::default())
    };
    let empty = ReleasesPage {
        fleet: None,
        past: None,
        first: String::new(),
        next: String::new(),
        ..page(Vec::new(), true, Vec::new(), Complaints::whole("<x-evil>"))
    };
    all.extend([
        views::sample(View::Releases, &page(rows(), true, view::sample_sent(), wrong)),
        views::sample(View::Releases, &page(rows(), false, Vec::new(), Complaints::default())),
        views::sample(View::Releases, &young),
        views::sample(View::Releases, &empty),
        views::sample(View::ReleasesSent, &SentPart { sent: view::sample_sent() }),
    ]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_an_address_and_so_have_its_devices() {
        assert_eq!(path("7.24rc1"), "/releases/7.24rc1");
        assert_eq!(on_version("7.16.1"), "/devices?q=version+%3D+%227.16.1%22");
    }
}
