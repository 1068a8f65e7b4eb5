//! Login by OpenID Connect: the two requests that a browser makes of it.
//!
//! Owns the cookie in which the browser carries the attempt. The protocol is in `access::oidc`, who
//! is let in is decided in `access::login`.

use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::TimeDelta;
use serde::Deserialize;

use super::cookie;
use super::failure::Failure;
use super::viewer::{Visit, again, safe_next};
use crate::access::login::{self, Outcome};
use crate::access::oidc::{Attempt, PATIENCE, Provider};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;

/// The attempt under way.
const ATTEMPT: &str = "muster-oidc";
/// The longest path that is carried along, in bytes: a cookie has 4096, and what seals it takes its
/// part.
const MAX_NEXT: usize = 1_000;
/// Characters shown of a provider's refusal, which anybody can put into a link.
const MAX_REASON: usize = 100;

#[derive(Deserialize)]
pub(super) struct Start {
    next: Option<String>,
}

/// What a provider sends a browser back with (RFC 6749, section 4.1.2).
#[derive(Deserialize)]
pub(super) struct Returned {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn start(
    State(app): State<Shared>,
    visit: Visit,
    Query(asked): Query<Start>,
) -> Result<Response, Failure> {
    let next = safe_next(asked.next.as_deref().unwrap_or_default());
    let next = if next.len() <= MAX_NEXT { next } else { "/" };
    let (url, attempt) = provider(&app)?.begin(next.to_owned(), clock::now()).await?;
    let mut response = Redirect::to(url.as_str()).into_response();
    let carried = carry(&attempt.seal(&app.keys), PATIENCE, visit.https);
    response.headers_mut().append(SET_COOKIE, carried);
    Ok(response)
}

/// Takes the browser back from the provider.
pub(super) async fn callback(
    State(app): State<Shared>,
    visit: Visit,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Response {
    let ended = end(&app, &visit, &headers, returned).await;
    let mut response = ended.unwrap_or_else(|error| Failure::from(error).into_response());
    // An attempt is good once, however it ended.
    response.headers_mut().append(SET_COOKIE, carry("", TimeDelta::zero(), visit.https));
    response
}

async fn end(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    returned: Returned,
) -> Result<Response, Error> {
    let provider = provider(app)?;
    let now = clock::now();
    let state = returned.state.unwrap_or_default();
    let attempt = cookie::read(headers, ATTEMPT, visit.https)
        .and_then(|sealed| Attempt::open(&app.keys, sealed, now))
        .filter(|attempt| attempt.is_answered_by(&state))
        .ok_or_else(|| {
            denied("This login was begun in another browser, or too long ago: begin again.")
        })?;
    let Some(code) = returned.code else {
        let why = returned.error.unwrap_or_else(|| "without a reason".to_owned());
        let why: String = why.chars().take(MAX_REASON).collect();
        return Err(denied(&format!("The login provider says no: {why}")));
    };
    let identity = provider.finish(&attempt, code, now).await?;
    match login::with_oidc(app, identity, visit.from, &visit.user_agent, now).await? {
        Outcome::In(session) => {
            // No redirect: it would still be the provider that leads the browser, and the session's
            // cookie, which is SameSite=Strict, would stay behind.
            let mut response = again(&attempt.next);
            let life = session.expires_at - now;
            let set = cookie::set(cookie::SESSION, &session.cookie, life, visit.https);
            response.headers_mut().append(SET_COOKIE, set);
            Ok(response)
        }
        Outcome::Wrong => Err(denied(
            "The login provider knows you, but Muster has no user for you that may log in: ask an \
             administrator of Muster.",
        )),
        Outcome::NeedCode(_) | Outcome::Slow(_) => {
            Err(Error::Internal("whom the provider has proved was asked for more".to_owned()))
        }
    }
}

fn provider(app: &App) -> Result<&Provider, Error> {
    app.oidc.as_ref().ok_or_else(|| Error::NotFound("There is no such way to log in.".to_owned()))
}

fn denied(why: &str) -> Error {
    Error::Denied(why.to_owned())
}

/// A `Set-Cookie` of the attempt. Unlike all others `SameSite=Lax`: it is the provider, another
/// site, that leads the browser back.
fn carry(sealed: &str, life: TimeDelta, https: bool) -> HeaderValue {
    let (prefix, secure) = if https { ("__Host-", "; Secure") } else { ("", "") };
    let seconds = life.num_seconds();
    let text = format!(
        "{prefix}{ATTEMPT}={sealed}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::try_from(text).expect("base64 is visible ASCII")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use axum::http::header::COOKIE;

    use super::*;

    #[test]
    fn what_is_carried_is_read_back_and_taken_back() {
        for https in [false, true] {
            let set = carry("a+b/c", PATIENCE, https);
            let text = set.to_str().unwrap();
            assert_eq!(text.starts_with("__Host-") && text.ends_with("; Secure"), https, "{text}");
            let (pair, rules) = text.split_once("; ").unwrap();
            assert!(rules.starts_with("Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{rules}");
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, pair.parse().unwrap());
            assert_eq!(cookie::read(&headers, ATTEMPT, https), Some("a+b/c"));
            assert!(carry("", TimeDelta::zero(), https).to_str().unwrap().contains("Max-Age=0;"));
        }
    }
}
