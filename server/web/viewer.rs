//! Who looks at a page, and by which way they came.
//!
//! Owns that a page of somebody is shown to nobody else: without a session a browser is led to the
//! log-in, and back again afterwards. What a session may do is for `service` to say; what a route
//! says of itself ([`Access`]) is asked here too, so that a page that calls no service is not open.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::uri::Uri;
use axum::http::{Extensions, HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use url::form_urlencoded;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::views::{self, View};
use super::{Access, cookie, guard, shell};
use crate::access::right::Right;
use crate::access::session::{self, Session};
use crate::clock;
use crate::config::Config;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::net::ConnInfo;

/// Where a password that was given must be changed.
pub(super) const PASSWORD: &str = "/password";
/// The field of a request that nobody asked for by hand (`muster.js`).
const POLL: &str = "x-muster-poll";
/// Bytes of an address to go on to.
const MAX_NEXT: usize = 2_000;

/// By which way a request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    /// The other end of the connection.
    pub(super) from: IpAddr,
    /// What the browser calls itself.
    pub(super) user_agent: String,
    /// The browser sees HTTPS, be it of this listener or of a proxy before it.
    pub(super) https: bool,
    /// htmx asks for a part of a page.
    pub(super) htmx: bool,
}

impl Visit {
    /// Of a request.
    pub(super) fn of(headers: &HeaderMap, extensions: &Extensions, config: &Config) -> Self {
        let info = extensions.get::<ConnInfo>();
        // Behind a proxy that ends TLS, only the configured address tells.
        let proxied = config.web.public_url.as_deref().is_some_and(|url| {
            url.starts_with("https://") && guard::names(url, text(headers, HOST.as_str()))
        });
        Self {
            from: info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.peer.ip()),
            user_agent: text(headers, USER_AGENT.as_str()).unwrap_or_default().to_owned(),
            https: info.is_some_and(|info| info.tls) || proxied,
            htmx: headers.contains_key("hx-request"),
        }
    }
}

impl FromRequestParts<Shared> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers, &parts.extensions, &app.config))
    }
}

/// Somebody with a session.
pub(super) struct Viewer {
    /// Theirs.
    pub(super) session: Session,
    /// What the page is to show once.
    pub(super) flash: Option<Flash>,
}

impl Viewer {
    /// Who they are to `service`.
    pub(super) fn ctx(&self) -> &Ctx {
        &self.session.ctx
    }

    /// Whether they may do this anywhere: for what a page offers.
    pub(super) fn may(&self, right: Right) -> bool {
        self.session.ctx.may(right)
    }

    /// A preference that is text.
    pub(super) fn preference(&self, name: &str) -> &str {
        self.session.preferences.get(name).and_then(|value| value.as_str()).unwrap_or_default()
    }
}

/// Why there is no page for a request.
pub(super) enum Refusal {
    /// Nobody is logged in.
    LogIn {
        /// Where they wanted to go.
        next: String,
        /// htmx asked.
        htmx: bool,
    },
    /// A link from elsewhere was followed: the browser kept the cookie back, and sends it when the
    /// same is asked for by a page of our own.
    Again(String),
    /// First another page.
    First(&'static str),
    /// It is not for them, or cannot be told.
    Failed(Failure),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::LogIn { next, htmx } => {
                let to = login_path(&next);
                if htmx {
                    return (StatusCode::UNAUTHORIZED, [("hx-redirect", to)]).into_response();
                }
                Redirect::to(&to).into_response()
            }
            Self::Again(to) => again(&to),
            Self::First(path) => Redirect::to(path).into_response(),
            Self::Failed(failure) => failure.into_response(),
        }
    }
}

impl FromRequestParts<Shared> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let visit = Visit::of(&parts.headers, &parts.extensions, &app.config);
        let access = parts.extensions.get::<Access>().copied();
        let access =
            access.ok_or_else(|| Error::Internal("a route without an access".to_owned()))?;
        let Some(session) = recognised(app, &parts.headers, &visit).await? else {
            return Err(stranger(&parts.method, &parts.uri, &parts.headers, visit.htmx));
        };
        admit(access, &session, parts.uri.path())?;
        Ok(Self { flash: flash::read(&parts.headers, visit.https), session })
    }
}

/// The session that a request's cookie names. What a page asks for by itself does not keep it from
/// being idle: its script marks that, and a stream is nothing else.
pub(super) async fn recognised(
    app: &App,
    headers: &HeaderMap,
    visit: &Visit,
) -> Result<Option<Session>, Error> {
    let Some(cookie) = cookie::read(headers, cookie::SESSION, visit.https) else {
        return Ok(None);
    };
    session::resume(app, cookie, visit.from, is_active(headers), clock::now()).await
}

/// Whether somebody at the browser asked, as far as the browser says.
fn is_active(headers: &HeaderMap) -> bool {
    let streams =
        text(headers, ACCEPT.as_str()).is_some_and(|a| a.starts_with("text/event-stream"));
    !streams && !headers.contains_key(POLL)
}

/// Whether this session gets as far as the page's own questions.
fn admit(access: Access, session: &Session, path: &str) -> Result<(), Refusal> {
    if session.must_change && !matches!(access, Access::Session | Access::Anyone) {
        return Err(Refusal::First(PASSWORD));
    }
    let Access::Needs(right) = access else { return Ok(()) };
    if session.ctx.may(right) {
        return Ok(());
    }
    // Who logs in is led to the start, which is not for everybody.
    match shell::first_page(&session.ctx) {
        Some(start) if path == "/" => Err(Refusal::First(start)),
        _ => Err(Error::Denied(format!("This page needs the right `{right}`.")).into()),
    }
}

/// What becomes of a request without a session.
fn stranger(method: &Method, uri: &Uri, headers: &HeaderMap, htmx: bool) -> Refusal {
    let here = uri.path_and_query().map_or("/", |path| path.as_str());
    if htmx {
        // The page that asked, not the part that it asked for.
        let page = text(headers, "hx-current-url").and_then(|url| url.parse::<Uri>().ok());
        let next = page.as_ref().and_then(Uri::path_and_query).map_or("/", |path| path.as_str());
        return Refusal::LogIn { next: next.to_owned(), htmx };
    }
    let cross = text(headers, "sec-fetch-site") == Some("cross-site");
    if cross && *method == Method::GET && text(headers, "sec-fetch-mode") == Some("navigate") {
        return Refusal::Again(here.to_owned());
    }
    // A form cannot be sent again after the log-in: back to the start.
    let next = if *method == Method::GET { here } else { "/" };
    Refusal::LogIn { next: next.to_owned(), htmx }
}

/// The log-in that leads to `next` afterwards.
fn login_path(next: &str) -> String {
    match safe_next(next) {
        "/" => "/login".to_owned(),
        next => {
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            format!("/login?{query}")
        }
    }
}

/// Where to go after the log-in: a page of ours, whatever the query says.
pub(super) fn safe_next(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/\\");
    let plain = next.chars().all(|c| !c.is_control());
    let loops = next.starts_with("/login") || next.starts_with("/logout");
    if local && plain && !loops && next.len() <= MAX_NEXT { next } else { "/" }
}

#[derive(Serialize)]
struct Again<'a> {
    to: &'a str,
}

/// A page that asks for `to`, which is one of ours: so the browser sends cookies along although it
/// came here by a link, or by a redirect, of another site.
pub(super) fn again(to: &str) -> Response {
    let to = safe_next(to);
    match views::render(View::Again, &Again { to }) {
        Ok(html) => html.into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    vec![views::sample(View::Again, &Again { to: "/devices?q=<x-evil>" })]
}

/// A header field that is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::access::grant::{Grant, Grants, Place};
    use crate::ctx::{Actor, ActorKind};
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    fn session(right: Right, must_change: bool) -> Session {
        let actor = Actor { kind: ActorKind::User, id: None, name: "ann".to_owned() };
        let grants = Grants(vec![Grant { rights: vec![right], place: Place::Everywhere }]);
        Session {
            session_id: Uuid::nil(),
            user_id: Uuid::nil(),
            login: "ann".to_owned(),
            display_name: String::new(),
            preferences: json!({}),
            must_change,
            ctx: Ctx { actor, grants, from: None, now: DateTime::UNIX_EPOCH },
        }
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn after_the_log_in_one_lands_on_a_page_of_ours() {
        for good in ["/", "/devices?q=a%20b", "/devices/1#jobs"] {
            assert_eq!(safe_next(good), good);
        }
        let long = format!("/{}", "x".repeat(MAX_NEXT));
        for evil in [
            "",
            "devices",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/login",
            "/logout",
            &long,
        ] {
            assert_eq!(safe_next(evil), "/", "{evil:?}");
        }
        assert_eq!(login_path("/devices?q=a&b"), "/login?next=%2Fdevices%3Fq%3Da%26b");
        assert_eq!(login_path("//evil.example"), "/login");
    }

    #[test]
    fn what_a_page_asks_for_by_itself_is_no_activity() {
        assert!(is_active(&headers(&[])));
        assert!(is_active(&headers(&[("accept", "text/html"), ("hx-request", "true")])));
        assert!(!is_active(&headers(&[("hx-request", "true"), ("x-muster-poll", "1")])));
        assert!(!is_active(&headers(&[("accept", "text/event-stream")])));
    }

    #[test]
    fn a_stranger_is_led_to_the_log_in_and_back() {
        let uri: Uri = "/devices?q=x".parse().unwrap();
        let led = |method, fields: &[(&'static str, &str)], htmx| match stranger(
            &method,
            &uri,
            &headers(fields),
            htmx,
        ) {
            Refusal::LogIn { next, .. } => next,
            Refusal::Again(to) => format!("again {to}"),
            _ => panic!("neither"),
        };
        assert_eq!(led(Method::GET, &[], false), "/devices?q=x");
        assert_eq!(led(Method::POST, &[], false), "/");
        let page = [("hx-current-url", "http://localhost:8080/jobs?state=failed")];
        assert_eq!(led(Method::GET, &page, true), "/jobs?state=failed");
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!(led(Method::GET, &link, false), "again /devices?q=x");
        let own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
        assert_eq!(led(Method::GET, &own, false), "/devices?q=x");
    }

    #[test]
    fn a_part_of_a_page_leads_the_whole_page_to_the_log_in() {
        let refusal = Refusal::LogIn { next: "/jobs".to_owned(), htmx: true };
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["hx-redirect"], "/login?next=%2Fjobs");
    }

    #[test]
    fn a_route_is_asked_for_its_right() {
        let reader = session(Right::Read, false);
        assert!(admit(Access::Needs(Right::Read), &reader, "/devices").is_ok());
        assert!(admit(Access::Known, &reader, "/account").is_ok());
        let refused = admit(Access::Needs(Right::Admin), &reader, "/users");
        assert!(matches!(refused, Err(Refusal::Failed(_))));
    }

    #[test]
    fn the_start_leads_everybody_to_what_they_may_see() {
        let agent = session(Right::Support, false);
        let led = admit(Access::Needs(Right::Read), &agent, "/");
        assert!(matches!(led, Err(Refusal::First("/support"))));
        let refused = admit(Access::Needs(Right::Read), &agent, "/devices");
        assert!(matches!(refused, Err(Refusal::Failed(_))));
    }

    #[test]
    fn a_password_that_was_given_is_changed_first() {
        let new = session(Right::Admin, true);
        for access in [Access::Known, Access::Needs(Right::Read)] {
            assert!(matches!(admit(access, &new, "/"), Err(Refusal::First(PASSWORD))));
        }
        assert!(admit(Access::Session, &new, PASSWORD).is_ok());
    }

    #[test]
    fn https_is_seen_also_behind_a_proxy() {
        let mut config = Config::default();
        let visit = |config: &Config, host: &'static str| {
            let fields = headers(&[("host", host), ("user-agent", "x")]);
            Visit::of(&fields, &Extensions::new(), config)
        };
        assert!(!visit(&config, "muster.example").https);
        config.web.public_url = Some("https://muster.example".to_owned());
        assert!(visit(&config, "muster.example").https);
        assert!(!visit(&config, "localhost:8080").https);
        config.web.public_url = Some("http://muster.example".to_owned());
        assert!(!visit(&config, "muster.example").https);
        assert_eq!(visit(&config, "a").user_agent, "x");
    }

    #[tokio::test]
    async fn again_is_a_page_that_asks_for_ours_only() {
        let html = |to: &'static str| async move {
            let body = again(to).into_body();
            let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        assert!(html("/devices").await.contains("url=/devices"));
        assert!(html("//evil.example").await.contains("url=/\""));
    }
}
