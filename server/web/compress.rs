//! Answers that are smaller on the way: pages, style sheets, scripts and JSON, of dashboard and API,
//! gzipped for whoever takes that.
//!
//! Owns which answers those are. Never a stream, whose parts must not wait for each other (events,
//! lists as CSV or NDJSON), nor a stored file, whose length is told.
//!
//! Never an answer with a secret in it, either: whoever has a browser ask for pages with a guess of
//! theirs in them could tell by the length whether the guess stands there twice (BREACH). Secrets of
//! devices, passwords, second factors and new tokens are shown in answers to POST alone, so only
//! answers to GET are compressed. Beside that, another site's requests come without the session's
//! cookie (`SameSite=Strict`), the API takes no cookie at all, and no page holds a token against
//! forged forms.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// Bytes that are sent as they are: they fit into the packet that is sent anyway.
const LEAST: u16 = 1_000;
/// Media types that are compressed: all of them texts that are there at once.
const TEXTS: [&str; 8] = [
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/problem+json",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
];

/// A listener's routes, with answers compressed.
pub fn compressed(router: Router) -> Router {
    let gzip = CompressionLayer::new().compress_when(SizeAbove::new(LEAST).and(is_text));
    router.layer(gzip).layer(from_fn(only_reading))
}

fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    TEXTS.contains(&kind)
}

/// Takes no encoding but for what is read.
async fn only_reading(mut request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::io::Read as _;

    use axum::body::{Body, Bytes};
    use axum::http::header::{CONTENT_ENCODING, VARY};
    use axum::routing::get;
    use flate2::read::GzDecoder;
    use tower::ServiceExt as _;

    use super::*;

    const BODY: &str = "[\"much the same, much the same, much the same, much the same\"]";

    async fn asked(method: Method, kind: &'static str, times: usize, accept: &str) -> Response {
        let answer = move || async move { ([(CONTENT_TYPE, kind)], BODY.repeat(times)) };
        let router = compressed(Router::new().route("/", get(answer).post(answer)));
        let request = Request::builder().method(method).header(ACCEPT_ENCODING, accept);
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn body(response: Response) -> Bytes {
        axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap()
    }

    fn is_gzipped(response: &Response) -> bool {
        response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip")
    }

    #[tokio::test]
    async fn a_page_is_smaller_on_the_way_and_the_same_there() {
        let page = asked(Method::GET, "text/html; charset=utf-8", 100, "gzip, deflate, br").await;
        assert!(is_gzipped(&page), "{page:?}");
        assert_eq!(page.headers()[VARY], "accept-encoding");
        let sent = body(page).await;
        assert!(sent.len() < BODY.len() * 10, "{}", sent.len());
        let mut text = String::new();
        GzDecoder::new(sent.as_ref()).read_to_string(&mut text).unwrap();
        assert_eq!(text, BODY.repeat(100));
    }

    #[tokio::test]
    async fn what_streams_shows_a_secret_or_is_short_is_sent_as_it_is() {
        let (get, html) = (Method::GET, "text/html");
        for (method, kind, times, accept) in [
            (Method::POST, html, 100, "gzip"),
            (get.clone(), html, 1, "gzip"),
            (get.clone(), html, 100, "identity"),
            (get.clone(), html, 100, "gzip;q=0"),
            (get.clone(), "text/event-stream", 100, "gzip"),
            (get.clone(), "application/x-ndjson", 100, "gzip"),
            (get.clone(), "text/csv; charset=utf-8; header=present", 100, "gzip"),
            (get.clone(), "application/octet-stream", 100, "gzip"),
            (get, "image/png", 100, "gzip"),
        ] {
            let what = format!("{method} {kind} {times} {accept}");
            let response = asked(method, kind, times, accept).await;
            assert!(!response.headers().contains_key(CONTENT_ENCODING), "{what}");
            assert_eq!(body(response).await.len(), BODY.len() * times, "{what}");
        }
    }
}
