//! Which requests are heard, and what browsers are told about the answer.
//!
//! Owns the defence against DNS rebinding: a foreign site that gives its own name the address
//! 127.0.0.1 is, for a browser, allowed to read what this listener answers. Its requests carry its
//! name in `Host`, so only the names of this listener are served. Owns also that no foreign page can
//! send a form here (CSRF): what changes something must say that it comes from a page of ours.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::failure;
use super::viewer::text;
use crate::config::Config;
use crate::net::ConnInfo;

/// Nothing but what this listener serves: no inline script or style, no frame around it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

/// The names by which browsers may call this listener, beside its own addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Option<Arc<str>>);

impl Names {
    /// As configured.
    pub(super) fn of(config: &Config) -> Self {
        Self(config.web.public_url.as_deref().map(Arc::from))
    }
}

pub(super) async fn guard(State(ours): State<Names>, request: Request, next: Next) -> Response {
    // The address that was reached is the configured one, or one of this machine's own where the
    // listener is bound to all of them.
    let reached = request.extensions().get::<ConnInfo>().map(|info| info.local.ip());
    let host = text(request.headers(), HOST.as_str());
    let public = ours.0.as_deref().is_some_and(|url| names(url, host));
    let mut response = if !public && !host.is_some_and(|host| is_ours(host, reached)) {
        failure::page(
            StatusCode::MISDIRECTED_REQUEST,
            "This dashboard answers only to localhost, to its own address and to the name in \
             web.public_url. Open it under one of those, not under another name.",
        )
    } else if !request.method().is_safe() && !is_same_origin(request.headers()) {
        failure::page(
            StatusCode::FORBIDDEN,
            "This was not sent by a page of Muster, so nothing was done. Open the page again and \
             repeat it there.",
        )
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(policy, HeaderValue::from_static("same-origin"));
    // Pages show the state of a moment; assets say for themselves how long they hold.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a `Host` field names this listener: `localhost`, a loopback address, or the address that
/// the client reached.
fn is_ours(host: &str, reached: Option<IpAddr>) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    match bare.parse::<IpAddr>() {
        Ok(ip) => {
            let ip = ip.to_canonical();
            ip.is_loopback() || reached.is_some_and(|reached| reached.to_canonical() == ip)
        }
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// Whether a `Host` field has the host of this URL, which has no path; its port is the proxy's
/// affair.
pub(super) fn names(url: &str, host: Option<&str>) -> bool {
    let authority = |text: &str| text.parse::<Authority>().ok().filter(|_| !text.contains('@'));
    let Some(host) = host.and_then(authority) else { return false };
    let named = url.split_once("://").and_then(|(_, rest)| authority(rest.trim_end_matches('/')));
    named.is_some_and(|named| named.host().eq_ignore_ascii_case(host.host()))
}

/// Whether a page of this listener sent the request. Browsers say so in `Sec-Fetch-Site`, but over
/// plain HTTP only to the machine itself; `Origin` is in every form that is posted.
fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(headers, "origin").and_then(|origin| origin.split_once("://"));
    let host = text(headers, HOST.as_str());
    match (origin, host) {
        (Some((_, authority)), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    #[test]
    fn only_the_names_of_this_listener_are_ours() {
        let reached = Some(IpAddr::from([192, 0, 2, 7]));
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:8080",
            "192.0.2.7:8080",
            "[::ffff:192.0.2.7]:8080",
        ] {
            assert!(is_ours(host, reached), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "localhost.",
            "127.0.0.1.evil.example",
            "evil@localhost",
            "192.0.2.8",
            "[::2]",
            "::1",
            "0.0.0.0",
            "local host",
        ] {
            assert!(!is_ours(host, reached), "{host}");
        }
        assert!(!is_ours("192.0.2.7", None));
    }

    #[test]
    fn the_configured_name_is_ours_on_any_port() {
        for host in ["muster.example", "Muster.Example:8443"] {
            assert!(names("https://muster.example", Some(host)), "{host}");
        }
        for host in ["evil.example", "x@muster.example", "muster.example.evil.example", ""] {
            assert!(!names("https://muster.example:443", Some(host)), "{host}");
        }
        assert!(!names("https://muster.example", None));
    }

    #[test]
    fn a_form_of_a_foreign_page_is_not_taken() {
        let sent = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("localhost:8080"));
            for (name, value) in fields {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_same_origin(&headers)
        };
        assert!(sent(&[("sec-fetch-site", "same-origin")]));
        assert!(sent(&[("origin", "http://localhost:8080")]));
        assert!(sent(&[("origin", "https://LOCALHOST:8080")]));
        for fields in [
            &[][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://localhost:9090")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8080")],
        ] {
            assert!(!sent(fields), "{fields:?}");
        }
    }

    fn router() -> Router {
        let page = get(|| async { "secret" }).post(|| async { "changed" });
        let names = Names(Some("https://muster.example".into()));
        Router::new().route("/", page).layer(from_fn_with_state(names, guard))
    }

    async fn asked(host: Option<&str>) -> Response {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host.parse().unwrap());
        }
        router().oneshot(request).await.unwrap()
    }

    async fn body(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_foreign_name_gets_a_sentence_and_nothing_else() {
        for host in [Some("evil.example"), None] {
            let response = asked(host).await;
            assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
            let text = body(response).await;
            assert!(text.contains("answers only to localhost") && !text.contains("secret"));
        }
        assert_eq!(asked(Some("muster.example")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_foreign_form_changes_nothing() {
        let post = |site: &'static str| {
            Request::post("/")
                .header(HOST, "localhost:8080")
                .header("sec-fetch-site", site)
                .body(Body::empty())
                .unwrap()
        };
        let response = router().oneshot(post("cross-site")).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(!body(response).await.contains("changed"));
        let response = router().oneshot(post("same-origin")).await.unwrap();
        assert_eq!(body(response).await, "changed");
    }

    #[tokio::test]
    async fn every_answer_tells_the_browser_to_be_strict() {
        for host in ["localhost:8080", "evil.example"] {
            let response = asked(Some(host)).await;
            let headers = response.headers();
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"));
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[REFERRER_POLICY], "no-referrer");
            assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
        }
    }
}
