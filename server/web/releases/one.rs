//! The page of one release: its packages, what is missing, what is said of it; withdraw it, remove it
//! or a package.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::view::{ArchView, devices_on};
use super::{HOME, on_version, path, running};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::releases::{self as service, ReleaseFields};
use crate::store::releases::Package;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::{When, grouped, size};
use crate::web::manage::{Confirmation, Fact, address, answer, everywhere, same, version};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Serialize)]
struct ReleasePage {
    shell: Shell,
    here: String,
    name: String,
    /// Its version, as it is typed before it is removed.
    release: String,
    /// Why nothing new may be sent of it.
    withdrawn: String,
    is_withdrawn: bool,
    withdrawn_at: Option<When>,
    facts: Vec<Fact>,
    devices: String,
    devices_href: String,
    architectures: Vec<ArchView>,
    packages: Vec<Row>,
    /// Where a rollout to it is written; empty where nothing can be sent of it, and for who may not.
    roll_out: String,
    may_change: bool,
    /// Empty for who may not see it.
    history: String,
    version: String,
    draft: Draft,
    errors: Complaints,
}

/// What the forms show.
#[derive(Debug, Default, Serialize)]
struct Draft {
    notes: String,
    reason: String,
}

#[derive(Serialize)]
struct Row {
    file_name: String,
    arch: String,
    size: String,
    sha256: String,
    /// Enough of it to tell two files apart.
    short: String,
    built: Option<When>,
    uploaded: When,
    by: String,
    /// Where it is removed.
    remove: String,
}

impl Row {
    fn of(p: &Package, ctx: &Ctx) -> Self {
        let sha256 = hex::encode(&p.sha256);
        Self {
            file_name: p.file_name.clone(),
            arch: p.arch.clone(),
            size: size(p.size),
            short: sha256.chars().take(12).collect(),
            sha256,
            built: p.built_at.map(|at| When::new(at, ctx.now)),
            uploaded: When::new(p.created_at, ctx.now),
            by: p.created_by.clone(),
            remove: format!("{HOME}/packages/{}/delete", p.package_id),
        }
    }
}

/// `GET /releases/{version}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, &name, None, Complaints::default()).await
}

/// The page, with what was sent and is wrong.
async fn shown(
    app: &App,
    viewer: &Viewer,
    name: &str,
    sent: Option<(String, Draft)>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let found = service::get(app, ctx, name).await?;
    let running = running(app, ctx).await?;
    let devices = devices_on(&running, &found.release.version);
    let shell = Shell::new(viewer, &app.config, title(&found), Section::Releases);
    let mut page = built(shell, &found, devices, ctx);
    page.may_change = everywhere(viewer, Right::Operate);
    if !viewer.may(Right::Operate) {
        page.roll_out.clear();
    }
    if everywhere(viewer, Right::Audit) {
        let object = found.release.version.as_str();
        page.history = address("/audit", &[("kind", "release"), ("object", object)]);
    }
    if let Some((version, draft)) = sent {
        (page.version, page.draft) = (version, draft);
    }
    page.errors = errors;
    answer(View::Release, &page, &page.errors)
}

fn title(found: &service::View) -> String {
    format!("RouterOS {}", found.release.version)
}

/// The page as anybody sees it.
fn built(shell: Shell, found: &service::View, devices: i64, ctx: &Ctx) -> ReleasePage {
    let release = &found.release;
    let bytes: i64 = found.packages.iter().map(|package| package.size).sum();
    ReleasePage {
        shell,
        here: path(&release.version),
        name: title(found),
        release: release.version.clone(),
        withdrawn: release.withdrawn_why.clone().unwrap_or_default(),
        is_withdrawn: release.withdrawn_at.is_some(),
        withdrawn_at: release.withdrawn_at.map(|at| When::new(at, ctx.now)),
        facts: vec![
            Fact::new("Packages", format!("{}, {}", found.packages.len(), size(bytes))),
            Fact::new("Made by", release.created_by.as_str()),
            Fact::new("Made", When::new(release.created_at, ctx.now).both()),
            Fact::new("Changed", When::new(release.updated_at, ctx.now).both()),
        ],
        devices: grouped(devices),
        devices_href: on_version(&release.version),
        architectures: found.completeness.iter().map(ArchView::of).collect(),
        packages: found.packages.iter().map(|package| Row::of(package, ctx)).collect(),
        roll_out: match release.withdrawn_at.is_none() && !found.packages.is_empty() {
            true => address("/rollouts/new", &[("release", release.version.as_str())]),
            false => String::new(),
        },
        may_change: false,
        history: String::new(),
        version: version(release.updated_at),
        draft: Draft { notes: release.notes.clone(), reason: String::new() },
        errors: Complaints::default(),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NotesForm {
    version: String,
    notes: String,
}

/// `POST /releases/{version}`: what is said of it.
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
    Form(sent): Form<NotesForm>,
) -> Result<Response, Failure> {
    // Browsers end lines as mail does.
    let notes = sent.notes.replace("\r\n", "\n");
    let patch = |fields| Ok(ReleaseFields { notes, ..fields });
    let check = same(&sent.version);
    let changed = service::change(&app, viewer.ctx(), &name, check, patch).await;
    match changed {
        Ok(_) => Ok(flash::to(&path(&name), Flash::done("It is saved."))),
        Err(error) => {
            let errors = Complaints::of(error, &["notes"])?;
            let draft = Draft { notes: sent.notes, reason: String::new() };
            shown(&app, &viewer, &name, Some((sent.version, draft)), errors).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WithdrawForm {
    version: String,
    reason: String,
}

/// `POST /releases/{version}/withdraw`
pub(super) async fn withdraw(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
    Form(sent): Form<WithdrawForm>,
) -> Result<Response, Failure> {
    let reason = Some(sent.reason.clone());
    let patch = |fields| Ok(ReleaseFields { withdrawn: reason, ..fields });
    let check = same(&sent.version);
    let changed = service::change(&app, viewer.ctx(), &name, check, patch).await;
    match changed {
        Ok(_) => {
            let done = format!("{name} is withdrawn: nothing new is sent of it.");
            Ok(flash::to(&path(&name), Flash::done(done)))
        }
        Err(Error::Invalid { message, .. }) => {
            let notes = service::get(&app, viewer.ctx(), &name).await?.release.notes;
            let draft = Draft { notes, reason: sent.reason };
            let errors = Complaints::field("reason", message);
            shown(&app, &viewer, &name, Some((sent.version, draft)), errors).await
        }
        Err(error) => shown(&app, &viewer, &name, None, Complaints::of(error, &[])?).await,
    }
}

/// `POST /releases/{version}/restore`
pub(super) async fn restore(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let patch = |fields| Ok(ReleaseFields { withdrawn: None, ..fields });
    service::change(&app, viewer.ctx(), &name, |_| Ok(()), patch).await?;
    Ok(flash::to(&path(&name), Flash::done(format!("{name} may be sent again."))))
}

/// `POST /releases/{version}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let release = service::get(&app, ctx, &name).await?.release;
    let removed = match sent.check(&release.version) {
        Ok(()) => service::delete(&app, ctx, &name, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("{} is removed.", release.version)))),
        Err(error) => shown(&app, &viewer, &name, None, Complaints::of(error, &[])?).await,
    }
}

/// `POST /releases/packages/{id}/delete`
pub(super) async fn delete_package(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(package_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let package = service::package(&app, ctx, package_id).await?;
    let here = path(&package.version);
    match service::delete_package(&app, ctx, package_id).await {
        Ok(_) => Ok(flash::to(&here, Flash::done(format!("{} is removed.", package.file_name)))),
        Err(Error::Conflict(why)) => {
            Ok(flash::to(&here, Flash::failed(format!("It is not removed: {why}."))))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::view::sample;
    use crate::web::views;

    let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
    let page = |withdrawn, may_change, errors| ReleasePage {
        may_change,
        history: "/audit?kind=release".to_owned(),
        errors,
        ..built(Shell::sample(), &sample(withdrawn), 12, &ctx)
    };
    let mut empty = page(false, true, Complaints::whole("<x-evil>"));
    (empty.packages, empty.architectures) = (Vec::new(), Vec::new());
    vec![
        views::sample(View::Release, &page(true, true, Complaints::field("notes", "<x-evil>"))),
        views::sample(View::Release, &page(false, true, Complaints::field("reason", "<x-evil>"))),
        views::sample(View::Release, &page(false, false, Complaints::default())),
        views::sample(View::Release, &empty),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::view::sample;
    use super::*;
    use crate::web::views::render;

    fn html(withdrawn: bool, devices: i64) -> String {
        let ctx = Ctx::console(chrono::DateTime::UNIX_EPOCH);
        let page = built(Shell::sample(), &sample(withdrawn), devices, &ctx);
        render(View::Release, &page).unwrap().0
    }

    #[test]
    fn a_release_leads_to_a_rollout_unless_it_is_withdrawn() {
        let link = "href=\"/rollouts/new?release=7.16.1\"";
        assert!(html(false, 1).contains(link));
        assert!(!html(true, 1).contains(link));
    }

    #[test]
    fn one_device_runs_it_and_several_run_it() {
        assert!(html(false, 1).contains(">1 device</a> runs it."));
        assert!(html(false, 2).contains(">2 devices</a> run it."));
    }
}
