//! The rollouts that a device is or was in, and bringing it to a release: a rollout of its own.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Head, Tab, look, operate, shell};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::releases;
use crate::service::rollouts::one::{self, DeviceUpgrade};
use crate::service::rollouts::read;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::manage::answer;
use crate::web::rollouts::{device_shape, path, plain};
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Rollouts that are shown, the newest first.
const MOST: i64 = 100;
/// Releases that are offered, the newest first.
const OFFERED: i64 = 200;

/// What the form says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    version: String,
    downgrade: bool,
    routerboot: bool,
    no_backup: bool,
}

#[derive(Serialize)]
struct RolloutsPage {
    shell: Shell,
    head: Head,
    rows: Vec<Row>,
    /// Releases to choose from; only for who may operate the device.
    releases: Vec<Choice>,
    wanted: Wanted,
    errors: Complaints,
}

/// A rollout, and where the device is in it.
#[derive(Debug, Serialize)]
struct Row {
    href: String,
    name: String,
    state: &'static str,
    label: String,
    reason: String,
}

/// For `form.select`.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    label: String,
}

/// `GET /devices/{id}/rollouts`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (_, head) = look(&app, &viewer, &id, Tab::Rollouts).await?;
    shown(&app, &viewer, head, Wanted::default(), Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    head: Head,
    wanted: Wanted,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let found = read::of_device(app, ctx, &head.id.to_string(), MOST).await?;
    let page = RolloutsPage {
        shell: shell(app, viewer, &head, "rollouts"),
        rows: found.into_iter().map(row).collect(),
        releases: if head.may.operate { offered(app, ctx).await? } else { Vec::new() },
        head,
        wanted,
        errors,
    };
    answer(View::DeviceRollouts, &page, &page.errors)
}

fn row((id, name, state, reason): (Uuid, String, String, Option<String>)) -> Row {
    Row {
        href: path(id),
        name,
        state: device_shape(&state),
        label: plain(&state),
        reason: reason.unwrap_or_default(),
    }
}

/// The releases that may be sent.
async fn offered(app: &App, ctx: &Ctx) -> Result<Vec<Choice>, Error> {
    let all = releases::list(app, ctx, None, OFFERED).await?;
    let good = all.into_iter().filter(|release| release.release.withdrawn_at.is_none());
    let choice = |version: String| Choice { label: version.clone(), value: version };
    Ok(good.map(|release| choice(release.release.version)).collect())
}

/// `POST /devices/{id}/upgrade`: now, and in a rollout of its own, which tells how it goes.
pub(super) async fn upgrade(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Wanted>,
) -> Result<Response, Failure> {
    let (_, head) = operate(&app, &viewer, &id).await?;
    let wanted = DeviceUpgrade {
        version: sent.version.trim().to_owned(),
        downgrade: sent.downgrade,
        routerboot: sent.routerboot,
        backup: !sent.no_backup,
    };
    match one::upgrade(&app, viewer.ctx(), &id, &wanted).await {
        Ok(view) => {
            let done = Flash::done("It is under way: this page follows it.");
            Ok(flash::to(&path(view.row.rollout_id), done))
        }
        Err(Error::Invalid { message, .. } | Error::Conflict(message)) => {
            let errors = Complaints::field("version", message);
            shown(&app, &viewer, head, sent, errors).await
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |rows: Vec<Row>, releases: Vec<Choice>, errors: Complaints| {
        let (shell, head) = (Shell::sample(), Head::sample());
        let wanted = Wanted { version: evil(), downgrade: true, ..Wanted::default() };
        let page = RolloutsPage { shell, head, rows, releases, wanted, errors };
        sample(View::DeviceRollouts, &page)
    };
    let states = ["healthy", "failed", "skipped"];
    let rows = states.map(|state| row((Uuid::nil(), evil(), state.to_owned(), Some(evil()))));
    let release = Choice { value: evil(), label: evil() };
    vec![
        page(rows.into(), vec![release], Complaints::field("version", "<x-evil>")),
        page(Vec::new(), Vec::new(), Complaints::default()),
    ]
}
