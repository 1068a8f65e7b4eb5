//! The page of one user: what is said of them, their roles, and what ends their access.

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{GrantRow, Grants, HOME, given, granting, path, sent_rows};
use crate::access::right::Right;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::secret::new_password;
use crate::service::users::{self as service, Person};
use crate::web::account::{self, SessionRow};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{Confirmation, Fact, address, answer, everywhere, same, version};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Serialize)]
struct UserPage {
    shell: Shell,
    here: String,
    login: String,
    facts: Vec<Fact>,
    disabled: bool,
    totp: bool,
    has_password: bool,
    /// Whoever looks is this user.
    own: bool,
    may_change: bool,
    /// What the log says of them; empty for who may not read it.
    history: String,
    version: String,
    name: String,
    grants: Grants,
    sessions: Vec<SessionRow>,
    errors: Complaints,
}

/// What is said of a user.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UserForm {
    version: String,
    display_name: String,
    role: Vec<Option<Uuid>>,
    place: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Disabling {
    disabled: bool,
}

/// `GET /users/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(user_id): Path<Uuid>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, user_id, None, Complaints::default()).await
}

/// The page, with what was sent and is wrong.
async fn shown(
    app: &Shared,
    viewer: &Viewer,
    user_id: Uuid,
    sent: Option<&UserForm>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let person = service::get(app, ctx, user_id).await?;
    let sessions = service::sessions(app, ctx, user_id).await?;
    let user = &person.user;
    let (name, rows) = match sent {
        Some(sent) => (sent.display_name.clone(), sent_rows(&sent.role, &sent.place)),
        None => (user.display_name.clone(), person.grants.iter().map(GrantRow::of).collect()),
    };
    let current = viewer.session.session_id;
    let object = user_id.to_string();
    let page = UserPage {
        shell: Shell::new(viewer, &app.config, &user.login, Section::Users),
        here: path(user_id),
        login: user.login.clone(),
        facts: facts(&person, |at| When::new(at, ctx.now).both()),
        disabled: user.disabled_at.is_some(),
        totp: user.has_totp,
        has_password: user.has_password,
        own: viewer.session.user_id == user_id,
        may_change: everywhere(viewer, Right::Admin),
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "user"), ("object", object.as_str())]),
            false => String::new(),
        },
        version: sent.map_or_else(|| version(user.updated_at), |sent| sent.version.clone()),
        name,
        grants: Grants::of(app, ctx, rows).await?,
        sessions: sessions.iter().map(|s| account::row(s, current, ctx.now)).collect(),
        errors,
    };
    answer(View::User, &page, &page.errors)
}

fn facts(person: &Person, told: impl Fn(DateTime<Utc>) -> String) -> Vec<Fact> {
    let user = &person.user;
    let log_in = match (user.has_password, &user.oidc_issuer) {
        (true, None) => "by password".to_owned(),
        (true, Some(issuer)) => format!("by password, or by single sign-on of {issuer}"),
        (false, Some(issuer)) => format!("by single sign-on of {issuer}"),
        (false, None) => "by single sign-on, not yet done".to_owned(),
    };
    let change = if user.must_change { "must be changed at the next log-in" } else { "" };
    vec![
        Fact::new("Login", user.login.as_str()),
        Fact::new("Logs in", log_in),
        Fact::new("Password", change),
        Fact::new("Disabled", user.disabled_at.map(&told).unwrap_or_default()),
        Fact::new("Last log-in", user.last_login_at.map_or_else(|| "never".to_owned(), &told)),
        Fact::new("Made", told(user.created_at)),
    ]
}

/// `POST /users/{id}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(user_id): Path<Uuid>,
    Form(sent): Form<UserForm>,
) -> Result<Response, Failure> {
    match save(&app, &viewer, user_id, &sent).await {
        Ok(()) => Ok(flash::to(&path(user_id), Flash::done("It is saved, and holds at once."))),
        Err(error) => {
            let errors = Complaints::of(error, &["display_name", "grants"])?;
            shown(&app, &viewer, user_id, Some(&sent), errors).await
        }
    }
}

async fn save(app: &Shared, viewer: &Viewer, user_id: Uuid, sent: &UserForm) -> Result<(), Error> {
    let ctx = viewer.ctx();
    let grants = granting(app, ctx, &sent.role, &sent.place).await?;
    let name = sent.display_name.trim().to_owned();
    service::change(app, ctx, user_id, same(&sent.version), |mut fields| {
        fields.display_name = Some(name);
        fields.grants = Some(grants);
        Ok(fields)
    })
    .await?;
    Ok(())
}

/// `POST /users/{id}/disabled`
pub(super) async fn set_disabled(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(user_id): Path<Uuid>,
    Form(sent): Form<Disabling>,
) -> Result<Response, Failure> {
    let disabled = sent.disabled;
    let changed = service::change(
        &app,
        viewer.ctx(),
        user_id,
        |_| Ok(()),
        |mut fields| {
            fields.disabled = Some(disabled);
            Ok(fields)
        },
    );
    let done = match disabled {
        true => "They are logged out, and cannot log in any more.",
        false => "They can log in again.",
    };
    after(&app, &viewer, user_id, changed.await.map(|_| done)).await
}

/// `POST /users/{id}/password`: shows the new one in its answer, and never again.
pub(super) async fn reset_password(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(user_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let password = new_password();
    match service::set_password(&app, viewer.ctx(), user_id, password.clone()).await {
        Ok(()) => {
            let user = service::get(&app, viewer.ctx(), user_id).await?.user;
            given(&app, &viewer, &user, &password, false)
        }
        Err(error) => after(&app, &viewer, user_id, Err(error)).await,
    }
}

/// `POST /users/{id}/totp/remove`
pub(super) async fn remove_totp(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(user_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let removed = service::remove_totp(&app, viewer.ctx(), user_id).await;
    let done = "The second factor is gone: they log in by the password alone.";
    after(&app, &viewer, user_id, removed.map(|()| done)).await
}

/// `POST /users/{id}/sessions/{session}/revoke`
pub(super) async fn revoke(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((user_id, session_id)): Path<(Uuid, Uuid)>,
) -> Result<Response, Failure> {
    let done = match service::revoke_session(&app, viewer.ctx(), user_id, session_id).await {
        Ok(()) => Ok("They are logged out there."),
        // It ended by itself meanwhile, which is what was wanted.
        Err(Error::NotFound(_)) => Ok("That session had ended already."),
        Err(error) => Err(error),
    };
    after(&app, &viewer, user_id, done).await
}

/// `POST /users/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(user_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let login = service::get(&app, ctx, user_id).await?.user.login;
    let removed = match sent.check(&login) {
        Ok(()) => service::delete(&app, ctx, user_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("{login} is removed.")))),
        Err(error) => after(&app, &viewer, user_id, Err(error)).await,
    }
}

/// Back to the page, which says how it went.
async fn after(
    app: &Shared,
    viewer: &Viewer,
    user_id: Uuid,
    done: Result<&'static str, Error>,
) -> Result<Response, Failure> {
    match done {
        Ok(done) => Ok(flash::to(&path(user_id), Flash::done(done))),
        Err(error) => shown(app, viewer, user_id, None, Complaints::of(error, &[])?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::store::user_sessions::UserSession;
    use crate::web::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let session = |id: u128| UserSession {
        session_id: Uuid::from_u128(id),
        user_id: Uuid::nil(),
        created_at: now,
        seen_at: now,
        expires_at: now,
        address: std::net::IpAddr::from([192, 0, 2, 7]).into(),
        user_agent: "<x-evil>".to_owned(),
    };
    let evil = || "<x-evil>".to_owned();
    let page = |may_change: bool, own: bool, errors: Complaints| UserPage {
        shell: Shell::sample(),
        here: path(Uuid::nil()),
        login: evil(),
        facts: vec![Fact::new("Login", evil())],
        disabled: own,
        totp: !own,
        has_password: !own,
        own,
        may_change,
        history: if own { String::new() } else { "/audit".to_owned() },
        version: evil(),
        name: evil(),
        grants: super::sample_grants(),
        sessions: [1, 2].map(|id| account::row(&session(id), Uuid::from_u128(1), now)).into(),
        errors,
    };
    vec![
        sample(View::User, &page(true, false, Complaints::field("grants", "<x-evil>"))),
        sample(View::User, &page(true, true, Complaints::whole("<x-evil>"))),
        sample(View::User, &page(false, false, Complaints::default())),
    ]
}
