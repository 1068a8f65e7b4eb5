//! Changing one's own password, also the one that was given and must be changed first.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::account::HOME;
use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::shell::Shell;
use super::viewer::Viewer;
use super::views::{self, View};
use crate::ctx::Shared;
use crate::service::account as service;

// No `Debug`: it is never printed.
#[derive(Deserialize)]
pub(super) struct NewPassword {
    old_password: String,
    password: String,
    again: String,
}

#[derive(Serialize)]
struct PasswordPage<'a> {
    shell: Shell,
    /// It was given, and must be changed before anything else.
    forced: bool,
    login: &'a str,
    errors: Complaints,
}

/// `GET /password`
pub(super) async fn page(viewer: Viewer) -> Result<Response, Failure> {
    form(&viewer, Complaints::default())
}

fn form(viewer: &Viewer, errors: Complaints) -> Result<Response, Failure> {
    let page = PasswordPage {
        shell: Shell::bare("Password", viewer.flash.clone()),
        forced: viewer.session.must_change,
        login: &viewer.session.login,
        errors,
    };
    Ok(views::render(View::Password, &page)?.into_response())
}

/// `POST /password`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<NewPassword>,
) -> Result<Response, Failure> {
    let again = |errors| -> Result<Response, Failure> {
        let page = form(&viewer, errors)?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    if sent.password != sent.again {
        return again(Complaints::field("again", "The two are not the same."));
    }
    let session_id = Some(viewer.session.session_id);
    let (old, new) = (sent.old_password, sent.password);
    match service::change_password(&app, viewer.ctx(), session_id, old, new).await {
        Ok(()) => {
            let done = Flash::done("The password is changed. Other sessions have ended.");
            Ok(flash::to(if viewer.session.must_change { "/" } else { HOME }, done))
        }
        Err(error) => again(Complaints::of(error, &["old_password", "password"])?),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let page = |forced: bool, errors: Complaints| {
        let shell = Shell::bare("Password", None);
        let page = PasswordPage { shell, forced, login: "<x-evil>", errors };
        views::sample(View::Password, &page)
    };
    vec![
        page(false, Complaints::whole("<x-evil>")),
        page(true, Complaints::field("password", "<x-evil>")),
    ]
}
