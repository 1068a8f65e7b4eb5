//! The second factor: offering one, taking it once its code was sent back, removing it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::account::{HOME, shown};
use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::account as service;

// No `Debug`: it is never printed.
#[derive(Deserialize)]
pub(super) struct Confirmation {
    offer: String,
    password: String,
    code: String,
}

// No `Debug`: it is never printed.
#[derive(Deserialize)]
pub(super) struct Proof {
    password: String,
}

#[derive(Serialize)]
struct TotpPage {
    shell: Shell,
    /// SVG.
    qr: String,
    secret: String,
    offer: String,
    errors: Complaints,
}

/// `POST /account/totp`: offers a second factor.
pub(super) async fn offer(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    let offer = service::offer_totp(&app, viewer.ctx()).await?;
    form(&app, &viewer, offer, Complaints::default())
}

fn form(
    app: &Shared,
    viewer: &Viewer,
    offer: service::TotpOffer,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = TotpPage {
        shell: Shell::new(viewer, &app.config, "Second factor", Section::None),
        qr: offer.picture,
        secret: offer.secret,
        offer: offer.sealed,
        errors,
    };
    Ok(views::render(View::Totp, &page)?.into_response())
}

/// `POST /account/totp/confirm`
pub(super) async fn confirm(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let Confirmation { offer, password, code } = sent;
    match service::confirm_totp(&app, viewer.ctx(), &offer, password, &code).await {
        Ok(()) => {
            let done = "From now on each log-in asks for a code.";
            Ok(flash::to(HOME, Flash::done(done)))
        }
        Err(error) => {
            let errors = Complaints::of(error, &["password", "code"])?;
            let offer = match service::offer_again(&app, viewer.ctx(), &offer).await {
                Ok(offer) => offer,
                // It was too old: a new one, below what is said of it.
                Err(Error::Invalid { .. }) => service::offer_totp(&app, viewer.ctx()).await?,
                Err(error) => return Err(error.into()),
            };
            let page = form(&app, &viewer, offer, errors)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// `POST /account/totp/remove`
pub(super) async fn remove(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<Proof>,
) -> Result<Response, Failure> {
    match service::remove_totp(&app, viewer.ctx(), sent.password).await {
        Ok(()) => Ok(flash::to(HOME, Flash::done("The second factor is gone."))),
        Err(error) => shown(&app, &viewer, Complaints::of(error, &["password"])?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let page = TotpPage {
        shell: Shell::sample(),
        qr: "<svg></svg>".to_owned(),
        secret: "ABC".to_owned(),
        offer: "<x-evil>".to_owned(),
        errors: Complaints::field("code", "<x-evil>"),
    };
    vec![views::sample(View::Totp, &page)]
}
