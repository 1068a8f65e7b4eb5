//! Tokens of one's own: the list on the account's page, making one and revoking it.
//!
//! Owns that a token's secret is shown once, in the answer to the form: it is in no cookie, no
//! address and no log.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::HOME;
use crate::access::right::Right;
use crate::ctx::Shared;
use crate::service::account::{self as service, NewOwnToken};
use crate::store::tokens::Token;
use crate::web::failure::Failure;
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{RightBox, answer, rights_of};
use crate::web::shell::{Section, Shell};
use crate::web::tokens::{Choice, TokenMade, USUAL, is_good, lives, revoked, server};
use crate::web::viewer::{Viewer, Visit, text};
use crate::web::views::View;

/// A token that is good.
#[derive(Serialize)]
pub(super) struct Row {
    id: Uuid,
    name: String,
    rights: Vec<String>,
    used: Option<When>,
    ends: Option<When>,
}

/// Those that are good.
pub(super) fn rows(tokens: Vec<Token>, now: DateTime<Utc>) -> Vec<Row> {
    let row = |token: Token| Row {
        id: token.token_id,
        name: token.name,
        rights: token.scopes,
        used: token.last_used_at.map(|at| When::new(at, now)),
        ends: token.expires_at.map(|at| When::new(at, now)),
    };
    tokens.into_iter().filter(|token| is_good(token, now)).map(row).collect()
}

/// A token to be made. It has no `Debug`: it is never printed.
#[derive(Deserialize)]
#[serde(default)]
pub(in crate::web) struct TokenForm {
    name: String,
    scopes: Vec<Right>,
    /// For so many days; none = for ever.
    days: Option<u16>,
    password: Option<String>,
}

impl Default for TokenForm {
    fn default() -> Self {
        Self { name: String::new(), scopes: Vec::new(), days: Some(USUAL), password: None }
    }
}

#[derive(Serialize)]
struct NewTokenPage<'a> {
    shell: Shell,
    name: &'a str,
    /// Those that one has oneself.
    rights: Vec<RightBox>,
    lives: Vec<Choice>,
    days: String,
    has_password: bool,
    errors: Complaints,
}

/// `GET /account/tokens/new`
pub(in crate::web) async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Response, Failure> {
    form(&app, &viewer, &TokenForm::default(), Complaints::default()).await
}

async fn form(
    app: &Shared,
    viewer: &Viewer,
    sent: &TokenForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let own: Vec<Right> = Right::ALL.into_iter().filter(|right| viewer.may(*right)).collect();
    let page = NewTokenPage {
        shell: Shell::new(viewer, &app.config, "New token", Section::None),
        name: &sent.name,
        rights: rights_of(&own, &sent.scopes),
        lives: lives(),
        days: sent.days.map(|days| days.to_string()).unwrap_or_default(),
        has_password: service::get(app, viewer.ctx()).await?.has_password,
        errors,
    };
    answer(View::AccountTokenNew, &page, &page.errors)
}

/// `POST /account/tokens`
pub(in crate::web) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    visit: Visit,
    headers: HeaderMap,
    Form(mut sent): Form<TokenForm>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let new = NewOwnToken {
        name: sent.name.trim().to_owned(),
        scopes: sent.scopes.clone(),
        expires_at: sent.days.map(|days| ctx.now + TimeDelta::days(i64::from(days))),
        password: sent.password.take(),
    };
    match service::create_token(&app, ctx, new).await {
        Ok((token, made)) => {
            let server = server(&app.config, visit.https, text(&headers, HOST.as_str()));
            let shell = Shell::new(&viewer, &app.config, "Token", Section::None);
            let page = TokenMade::new(shell, &made.name, &token, &server, &sent.scopes);
            answer(View::AccountToken, &page, &Complaints::default())
        }
        Err(error) => {
            let errors = Complaints::of(error, &["name", "scopes", "password"])?;
            form(&app, &viewer, &sent, errors).await
        }
    }
}

/// `POST /account/tokens/{id}/revoke`
pub(in crate::web) async fn revoke(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(token_id): Path<Uuid>,
) -> Result<Response, Failure> {
    revoked(HOME, service::revoke_token(&app, viewer.ctx(), token_id).await)
}

#[cfg(test)]
pub(super) fn sample_rows() -> Vec<Row> {
    let now = DateTime::UNIX_EPOCH;
    let row = |used: bool| Row {
        id: Uuid::nil(),
        name: "<x-evil>".to_owned(),
        rights: vec!["<x-evil>".to_owned()],
        used: used.then(|| When::new(now, now)),
        ends: used.then(|| When::new(now, now)),
    };
    vec![row(true), row(false)]
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let new = |has_password: bool, errors: Complaints| {
        let page = NewTokenPage {
            shell: Shell::sample(),
            name: "<x-evil>",
            rights: rights_of(&[Right::Read], &[Right::Read]),
            lives: lives(),
            days: USUAL.to_string(),
            has_password,
            errors,
        };
        sample(View::AccountTokenNew, &page)
    };
    let made = TokenMade::new(Shell::sample(), "<x-evil>", "<x-evil>", "http://localhost", &[]);
    vec![
        new(true, Complaints::field("password", "<x-evil>")),
        new(false, Complaints::field("scopes", "<x-evil>")),
        sample(View::AccountToken, &made),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_good_is_listed() {
        let now = DateTime::UNIX_EPOCH;
        let token = |name: &str, expires_at, revoked_at| Token {
            token_id: Uuid::nil(),
            name: name.to_owned(),
            user_id: Some(Uuid::nil()),
            scopes: vec!["read".to_owned()],
            site_id: None,
            site: None,
            group_id: None,
            group: None,
            created_by: "ann".to_owned(),
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked_at,
        };
        let all = vec![
            token("good", None, None),
            token("over", Some(now), None),
            token("revoked", None, Some(now)),
        ];
        let names: Vec<String> = rows(all, now).into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["good"]);
    }
}
