//! Logging in and out: the pages. Who is let in is decided in `access::login`.

use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::cookie;
use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::shell::Shell;
use super::viewer::{Viewer, Visit, recognised, safe_next};
use super::views::{self, View};
use crate::access::login::{self, Outcome};
use crate::access::{known, session};
use crate::clock;
use crate::config::Config;
use crate::ctx::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoginQuery {
    next: String,
}

// No `Debug`: it is never printed.
#[derive(Deserialize)]
pub(super) struct Password {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

// No `Debug`: it is never printed.
#[derive(Deserialize)]
pub(super) struct Code {
    challenge: String,
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Serialize)]
struct LoginPage<'a> {
    shell: Shell,
    next: &'a str,
    login: &'a str,
    errors: Complaints,
    provider: Option<Link<'a>>,
}

/// To the OIDC provider.
#[derive(Serialize)]
struct Link<'a> {
    href: String,
    label: &'a str,
}

#[derive(Serialize)]
struct CodePage<'a> {
    shell: Shell,
    next: &'a str,
    challenge: &'a str,
    errors: Complaints,
}

/// `GET /login`
pub(super) async fn page(
    State(app): State<Shared>,
    visit: Visit,
    Query(query): Query<LoginQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let next = safe_next(&query.next);
    if recognised(&app, &headers, &visit).await?.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let shell = Shell::bare("Log in", flash::read(&headers, visit.https));
    form(&app.config, shell, next, "", Complaints::default())
}

/// `POST /login`
pub(super) async fn password(
    State(app): State<Shared>,
    visit: Visit,
    headers: HeaderMap,
    Form(sent): Form<Password>,
) -> Result<Response, Failure> {
    let now = clock::now();
    let (from, agent) = (visit.from, visit.user_agent.as_str());
    let known = cookie::read(&headers, cookie::KNOWN, visit.https);
    let (name, password) = (sent.login.as_str(), sent.password.as_str());
    let outcome = login::with_password(&app, name, password, known, from, agent, now).await?;
    let next = safe_next(&sent.next);
    let again = |message: String| {
        let shell = Shell::bare("Log in", None);
        form(&app.config, shell, next, sent.login.trim(), Complaints::whole(message))
    };
    match outcome {
        Outcome::NeedCode(challenge) => code_form(next, &challenge, Complaints::default()),
        Outcome::Wrong => {
            let page = again("That name and password do not belong together.".to_owned())?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Outcome::Slow(seconds) => Ok(slow(seconds, again(too_often(seconds))?)),
        Outcome::In(new) => Ok(welcome(&new, &visit, next)),
    }
}

/// `POST /login/code`
pub(super) async fn code(
    State(app): State<Shared>,
    visit: Visit,
    Form(sent): Form<Code>,
) -> Result<Response, Failure> {
    let now = clock::now();
    let (from, agent) = (visit.from, visit.user_agent.as_str());
    let outcome = login::with_code(&app, &sent.challenge, &sent.code, from, agent, now).await?;
    let next = safe_next(&sent.next);
    match outcome {
        Outcome::In(new) => Ok(welcome(&new, &visit, next)),
        Outcome::NeedCode(challenge) => code_form(next, &challenge, Complaints::default()),
        Outcome::Wrong => {
            let why = "That is not the code that the app shows now, or it was used already, or the \
                       log-in took too long: then start again.";
            let page = code_form(next, &sent.challenge, Complaints::whole(why))?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Outcome::Slow(seconds) => {
            // The challenge is void until then: the password again.
            let shell = Shell::bare("Log in", None);
            let errors = Complaints::whole(too_often(seconds));
            Ok(slow(seconds, form(&app.config, shell, next, "", errors)?))
        }
    }
}

/// `POST /logout`
pub(super) async fn logout(
    State(app): State<Shared>,
    visit: Visit,
    viewer: Viewer,
) -> Result<Response, Failure> {
    session::end(&app, &viewer.session).await?;
    let mut response = flash::to("/login", Flash::done("You are logged out."));
    let clear = cookie::clear(cookie::SESSION, visit.https);
    response.headers_mut().append(SET_COOKIE, clear);
    Ok(response)
}

fn form(
    config: &Config,
    shell: Shell,
    next: &str,
    login: &str,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = LoginPage { shell, next, login, errors, provider: provider(config, next) };
    Ok(views::render(View::Login, &page)?.into_response())
}

fn code_form(next: &str, challenge: &str, errors: Complaints) -> Result<Response, Failure> {
    let page = CodePage { shell: Shell::bare("Log in", None), next, challenge, errors };
    Ok(views::render(View::LoginCode, &page)?.into_response())
}

fn provider<'a>(config: &'a Config, next: &str) -> Option<Link<'a>> {
    config.oidc.issuer.as_ref()?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    Some(Link { href: format!("/login/oidc?{}", query.finish()), label: &config.oidc.label })
}

fn too_often(seconds: u32) -> String {
    format!("Too many attempts. The next one in {seconds} seconds.")
}

fn slow(seconds: u32, page: Response) -> Response {
    let retry = [(RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, retry, page).into_response()
}

/// Gives the browser its session, makes it known, and sends it on.
fn welcome(new: &session::NewSession, visit: &Visit, next: &str) -> Response {
    let life = new.expires_at - clock::now();
    let set = cookie::set(cookie::SESSION, &new.cookie, life, visit.https);
    let mut response = Redirect::to(next).into_response();
    response.headers_mut().append(SET_COOKIE, set);
    if let Some(known) = &new.known {
        let set = cookie::set(cookie::KNOWN, known, known::LIFE, visit.https);
        response.headers_mut().append(SET_COOKIE, set);
    }
    response
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let page = |errors, login, provider| {
        let shell = Shell::bare("Log in", Some(Flash::done("<x-evil>")));
        views::sample(View::Login, &LoginPage { shell, next: "/", login, errors, provider })
    };
    let link = Link { href: "/login/oidc?next=%2F".to_owned(), label: "<x-evil>" };
    let errors = Complaints::field("code", "<x-evil>");
    let code = CodePage { shell: Shell::bare("", None), next: "/", challenge: "<x-evil>", errors };
    vec![
        page(Complaints::default(), "", None),
        page(Complaints::whole("<x-evil>"), "<x-evil>", Some(link)),
        views::sample(View::LoginCode, &code),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use chrono::TimeDelta;
    use std::net::IpAddr;

    #[test]
    fn a_provider_is_offered_only_where_there_is_one() {
        let mut config = Config::default();
        assert!(provider(&config, "/").is_none());
        config.oidc.issuer = Some("https://id.example".to_owned());
        config.oidc.label = "Example".to_owned();
        let link = provider(&config, "/devices?q=a").unwrap();
        assert_eq!(link.href, "/login/oidc?next=%2Fdevices%3Fq%3Da");
        assert_eq!(link.label, "Example");
    }

    #[test]
    fn who_is_let_in_has_a_strict_cookie_and_goes_on() {
        let expires_at = clock::now() + TimeDelta::hours(2);
        let known = Some("d+e/f".to_owned());
        let new = session::NewSession { cookie: "abc".to_owned(), expires_at, known };
        let from = IpAddr::from([127, 0, 0, 1]);
        let visit = Visit { from, user_agent: String::new(), https: true, htmx: false };
        let response = welcome(&new, &visit, "/jobs");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()["location"], "/jobs");
        let sets = response.headers().get_all(SET_COOKIE).iter();
        let sets: Vec<&str> = sets.map(|set| set.to_str().unwrap()).collect();
        assert!(sets[0].starts_with("__Host-muster-session=abc; Path=/; Max-Age=7"), "{sets:?}");
        let known = "__Host-muster-known=d+e/f; Path=/; Max-Age=15552000; HttpOnly; \
                     SameSite=Strict; Secure";
        assert_eq!(sets[1..], [known]);
    }
}
