//! One's own account: who one is, what one may, sessions, preferences, and `tokens` of one's own.
//! `password` and `factor` are the pages that change what guards it.

pub(super) mod tokens;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::format::When;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::grant::{Place, Reach};
use crate::access::right::Right;
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::account as service;
use crate::store::user_sessions::UserSession;
use crate::store::users::User;

/// Where one's own account is.
pub(super) const HOME: &str = "/account";
/// The themes that can be chosen, and what they are called.
const THEMES: [(&str, &str); 3] = [("auto", "As the system"), ("light", "Light"), ("dark", "Dark")];

#[derive(Debug, Deserialize)]
pub(super) struct Preferences {
    theme: String,
    time_zone: String,
}

#[derive(Serialize)]
struct AccountPage {
    shell: Shell,
    facts: Vec<Fact>,
    themes: Vec<Choice>,
    theme: String,
    zone: String,
    has_password: bool,
    totp: bool,
    errors: Complaints,
    sessions: Vec<SessionRow>,
    tokens: Vec<tokens::Row>,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
pub(super) struct SessionRow {
    id: Uuid,
    agent: String,
    address: String,
    created: When,
    seen: When,
    current: bool,
}

/// `GET /account`
pub(super) async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    shown(&app, &viewer, Complaints::default()).await
}

/// The account with what is wrong with one of its forms.
pub(super) async fn shown(
    app: &Shared,
    viewer: &Viewer,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let user = service::get(app, ctx).await?;
    let sessions = service::sessions(app, ctx).await?;
    let tokens = service::tokens(app, ctx).await?;
    let wrong = errors != Complaints::default();
    let page = AccountPage {
        shell: Shell::new(viewer, &app.config, "Account", Section::None),
        facts: facts(&user, &service::rights(ctx), ctx.now),
        themes: choices(),
        theme: viewer.preference("theme").to_owned(),
        zone: viewer.preference("time_zone").to_owned(),
        has_password: user.has_password,
        totp: user.has_totp,
        errors,
        sessions: sessions.iter().map(|s| row(s, viewer.session.session_id, ctx.now)).collect(),
        tokens: tokens::rows(tokens, ctx.now),
    };
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, views::render(View::Account, &page)?).into_response())
}

fn choices() -> Vec<Choice> {
    THEMES.iter().map(|&(value, label)| Choice { value, label }).collect()
}

fn facts(user: &User, rights: &[(Right, Reach)], now: DateTime<Utc>) -> Vec<Fact> {
    let mut facts = vec![
        Fact { label: "Name", value: user.login.clone() },
        Fact { label: "Display name", value: user.display_name.clone() },
    ];
    if let Some(at) = user.last_login_at {
        facts.push(Fact { label: "Last log-in", value: When::new(at, now).both() });
    }
    let told = rights.iter().map(|(right, reach)| match reach.places() {
        None => format!("{right} everywhere"),
        Some(places) => {
            let places: Vec<String> = places.iter().map(Place::to_string).collect();
            format!("{right} at {}", places.join(", "))
        }
    });
    facts.push(Fact { label: "May", value: told.collect::<Vec<_>>().join("; ") });
    facts
}

pub(super) fn row(session: &UserSession, current: Uuid, now: DateTime<Utc>) -> SessionRow {
    SessionRow {
        id: session.session_id,
        agent: browser(&session.user_agent),
        address: session.address.addr().to_string(),
        created: When::new(session.created_at, now),
        seen: When::new(session.seen_at, now),
        current: session.session_id == current,
    }
}

/// What a browser calls itself, in words that people use.
fn browser(agent: &str) -> String {
    // The order tells them apart: each later one also names those before it.
    let names = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |list: &[(&str, &'static str)]| {
        list.iter().find(|(mark, _)| agent.contains(*mark)).map(|(_, name)| *name)
    };
    match (find(&names), find(&systems)) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        _ if agent.is_empty() => "unknown".to_owned(),
        _ => super::format::shortened(agent, 60),
    }
}

/// `POST /account/preferences`
pub(super) async fn set_preferences(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<Preferences>,
) -> Result<Response, Failure> {
    match service::prefer(&app, viewer.ctx(), preferences(&sent)).await {
        Ok(_) => Ok(flash::to(HOME, Flash::done("The preferences are saved."))),
        Err(error) => shown(&app, &viewer, Complaints::of(error, &["theme", "time_zone"])?).await,
    }
}

/// What a form changes of the preferences; empty takes one back.
fn preferences(sent: &Preferences) -> Map<String, Value> {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    let changes = [("theme", text(&sent.theme)), ("time_zone", text(sent.time_zone.trim()))];
    changes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `POST /account/sessions/{id}/revoke`
pub(super) async fn revoke(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(session_id): Path<Uuid>,
) -> Result<Response, Failure> {
    match service::revoke_session(&app, viewer.ctx(), session_id).await {
        Ok(()) => Ok(flash::to(HOME, Flash::done("That session is logged out."))),
        // It ended by itself meanwhile, which is what was wanted.
        Err(Error::NotFound(_)) => {
            Ok(flash::to(HOME, Flash::done("That session had ended already.")))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, Value)> {
    let now = DateTime::UNIX_EPOCH;
    let session = |id: u128| SessionRow {
        id: Uuid::from_u128(id),
        agent: "<x-evil>".to_owned(),
        address: "192.0.2.7".to_owned(),
        created: When::new(now, now),
        seen: When::new(now, now),
        current: id == 1,
    };
    let account = |has_password: bool, totp: bool, errors: Complaints| AccountPage {
        shell: Shell::sample(),
        facts: vec![Fact { label: "Name", value: "<x-evil>".to_owned() }],
        themes: choices(),
        theme: "dark".to_owned(),
        zone: "<x-evil>".to_owned(),
        has_password,
        totp,
        errors,
        sessions: vec![session(1), session(2)],
        tokens: if totp { tokens::sample_rows() } else { Vec::new() },
    };
    let (zone, password) = ("time_zone", "password");
    let mut samples = vec![
        views::sample(View::Account, &account(false, false, Complaints::default())),
        views::sample(View::Account, &account(true, false, Complaints::field(zone, "<x-evil>"))),
        views::sample(View::Account, &account(true, true, Complaints::field(password, "<x-evil>"))),
    ];
    samples.extend(tokens::samples());
    samples
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::access::grant::GroupName;

    #[test]
    fn preferences_can_be_taken_back() {
        let sent = |theme: &str, time_zone: &str| {
            preferences(&Preferences { theme: theme.to_owned(), time_zone: time_zone.to_owned() })
        };
        let kept = sent("dark", " Europe/Riga ");
        assert_eq!(kept["theme"], "dark");
        assert_eq!(kept["time_zone"], "Europe/Riga");
        assert_eq!(sent("auto", "")["time_zone"], Value::Null);
        assert_eq!(THEMES.map(|(theme, _)| theme), service::THEMES);
    }

    #[test]
    fn a_browser_is_called_as_people_call_it() {
        for (agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
                "Firefox on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.0", "curl/8.0"),
            ("", "unknown"),
        ] {
            assert_eq!(browser(agent), words);
        }
    }

    #[test]
    fn rights_are_told_with_their_place() {
        let user = User {
            user_id: Uuid::nil(),
            login: "ann".to_owned(),
            display_name: String::new(),
            has_password: true,
            must_change: false,
            has_totp: false,
            oidc_issuer: None,
            disabled_at: None,
            last_login_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let under = Reach::at(Place::Site("eu.lv".parse().unwrap()));
        let group = GroupName { group_id: Uuid::nil(), name: "vip".to_owned() };
        let both = under.or(Reach::at(Place::Group(group)));
        let rights = [(Right::Read, Reach::Everywhere), (Right::Operate, both)];
        let facts = facts(&user, &rights, DateTime::UNIX_EPOCH);
        assert_eq!(facts.last().unwrap().value, "read everywhere; operate at eu.lv, group vip");
    }
}
