//! Look again, restart, ping.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::now::Apart;
use super::{address, shown};
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::support as service;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views;

/// `POST /support/{id}/look`
pub(super) async fn look(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let (_, fresh) = service::look(&app, viewer.ctx(), &id.to_string()).await?;
    let told = if fresh { "The device is asked." } else { "The device is being asked already." };
    Ok(flash::to(&address(id, ""), Flash::done(told)))
}

#[derive(Serialize)]
pub(super) struct RebootPage {
    pub(super) shell: Shell,
    pub(super) id: Uuid,
    pub(super) name: String,
}

/// `GET /support/{id}/reboot`: the ask, where there is no script to show it as a dialog.
pub(super) async fn reboot_page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let view = service::view(&app, viewer.ctx(), &id.to_string()).await?;
    if !view.may_reboot {
        return Err(Error::Denied("your role does not let you restart devices".to_owned()).into());
    }
    let title = format!("Restart {}", view.name);
    let shell = Shell::new(&viewer, &app.config, title, Section::Support);
    let page = RebootPage { shell, id, name: view.name };
    Ok(views::render(views::View::SupportReboot, &page)?.into_response())
}

/// `POST /support/{id}/reboot`
pub(super) async fn reboot(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let (_, fresh) = service::reboot(&app, viewer.ctx(), &id.to_string()).await?;
    let told = if fresh {
        "The device is told to restart."
    } else {
        "The device was told to restart already."
    };
    Ok(flash::to(&address(id, ""), Flash::done(told)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PingForm {
    host: String,
}

/// `POST /support/{id}/ping`
pub(super) async fn ping(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<PingForm>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let name = id.to_string();
    match service::ping(&app, ctx, &name, sent.host.trim()).await {
        Ok((_, fresh)) => {
            let told = if fresh { "The test is ordered." } else { "A test is under way already." };
            Ok(flash::to(&address(id, "#ping"), Flash::done(told)))
        }
        Err(error @ Error::Invalid { .. }) => {
            let errors = Complaints::of(error, &["host"])?;
            let view = service::view(&app, ctx, &name).await?;
            let apart = Apart { ping: Some((sent.host, errors)), ..Apart::default() };
            shown(&app, &viewer, &view, apart, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(other) => Err(other.into()),
    }
}
