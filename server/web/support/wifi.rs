//! A Wi-Fi network's name and password: changed, made up, shown.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::edit::Edit;
use super::now::{Apart, PasswordCell};
use super::{address, shown};
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::support::{self as service, Change};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::viewer::{Viewer, Visit};
use crate::web::views;

/// What is wanted of a network. It is never printed: it holds a password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WifiForm {
    network: String,
    name: Option<String>,
    password: Option<String>,
    /// A password is to be made up; nothing is changed yet.
    suggest: bool,
}

/// `POST /support/{id}/wifi`
pub(super) async fn set(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<WifiForm>,
) -> Result<Response, Failure> {
    let device = id.to_string();
    if sent.suggest {
        return again(&app, &viewer, &device, sent, Complaints::default()).await;
    }
    let change = Change { name: sent.name.clone(), password: sent.password.clone() };
    match service::set_wifi(&app, viewer.ctx(), &device, &sent.network, &change).await {
        Ok(_) => {
            let to = address(id, &format!("#network-{}", sent.network));
            Ok(flash::to(&to, Flash::done("The change is on its way to the device.")))
        }
        Err(error @ (Error::Invalid { .. } | Error::Conflict(_))) => {
            let errors = Complaints::of(error, &["name", "password"])?;
            again(&app, &viewer, &device, sent, errors).await
        }
        Err(other) => Err(other.into()),
    }
}

/// The page with the form as it was sent, and with a password if one is to be made up.
async fn again(
    app: &Shared,
    viewer: &Viewer,
    device: &str,
    sent: WifiForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let view = service::view(app, viewer.ctx(), device).await?;
    let found = view.networks.iter().find(|network| network.network == sent.network);
    let Some(network) = found else {
        return Err(Error::NotFound("the device has no such Wi-Fi network".to_owned()).into());
    };
    let wrong = errors != Complaints::default();
    let made_up = sent.suggest.then(|| service::new_password(network));
    let edit = Edit::of(network).map(|edit| Edit {
        name: sent.name.unwrap_or(edit.name.clone()),
        password: made_up.or(sent.password).unwrap_or_default(),
        errors,
        ..edit
    });
    let apart = Apart { network: sent.network, edit, ..Apart::default() };
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    shown(app, viewer, &view, apart, status)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RevealForm {
    network: String,
}

#[derive(Serialize)]
pub(super) struct PasswordFragment {
    pub(super) password: PasswordCell,
}

/// `POST /support/{id}/reveal`: the password in clear, which is in the audit log.
pub(super) async fn reveal(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<RevealForm>,
) -> Result<Response, Failure> {
    let (ctx, device) = (viewer.ctx(), id.to_string());
    let revealed = service::reveal(&app, ctx, &device, &sent.network).await?;
    let view = service::view(&app, ctx, &device).await?;
    if visit.htmx {
        let found = view.networks.iter().find(|network| network.network == sent.network);
        let Some(network) = found else {
            return Err(Error::NotFound("the network is gone".to_owned()).into());
        };
        let password = PasswordCell::new(view.device.device_id, network, revealed, ctx.now);
        let fragment = PasswordFragment { password };
        return Ok(views::render(views::View::SupportPassword, &fragment)?.into_response());
    }
    // It must not travel in a message: the page is the answer.
    let apart = Apart { network: sent.network, revealed, ..Apart::default() };
    shown(&app, &viewer, &view, apart, StatusCode::OK)
}
