//! Who may ask, and what browsers are told about the answer.
//!
//! Owns the defence against DNS rebinding: a foreign site that gives its own name the address
//! 127.0.0.1 is, for a browser, allowed to read what this listener answers. Its requests carry its
//! name in `Host`, so only the names of this listener are served.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::failure;
use crate::net::ConnInfo;

/// Nothing but what this listener serves: no inline script or style, no frame around it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

pub(super) async fn guard(request: Request, next: Next) -> Response {
    // The address that was reached is the configured one, or one of this machine's own where the
    // listener is bound to all of them.
    let reached = request.extensions().get::<ConnInfo>().map(|info| info.local.ip());
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let ours = host.is_some_and(|host| is_ours(host, reached));
    let mut response = match ours {
        true => next.run(request).await,
        false => failure::page(
            StatusCode::MISDIRECTED_REQUEST,
            "This dashboard answers only to localhost and to its own address. Open it under one of \
             those, not under another name.",
        ),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
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

    async fn asked(host: Option<&str>) -> Response {
        let router: Router =
            Router::new().route("/", get(|| async { "secret" })).layer(from_fn(guard));
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host.parse().unwrap());
        }
        router.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_foreign_name_gets_a_sentence_and_nothing_else() {
        for host in [Some("evil.example"), None] {
            let response = asked(host).await;
            assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains("answers only to localhost") && !text.contains("secret"));
        }
    }

    #[tokio::test]
    async fn every_answer_tells_the_browser_to_be_strict() {
        for host in ["localhost:8080", "evil.example"] {
            let response = asked(Some(host)).await;
            let headers = response.headers();
            assert!(
                headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'self'")
            );
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[REFERRER_POLICY], "no-referrer");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
        }
    }
}
