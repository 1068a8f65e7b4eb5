//! Static files: style sheet, icons, scripts and what makes the dashboard installable, from the
//! binary.
//!
//! A page names a file with its hash, and the browser keeps it for ever: after an upgrade the page
//! names another one. Without the hash it is asked for again each time.

use axum::extract::{Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::EmbeddedFile;
use serde::{Deserialize, Serialize};

use super::failure::{self, Failure};
use super::views::{self, View};

/// The version that a page asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    v: String,
}

/// Where a page finds a file below `static/`.
pub(super) fn url(path: &str) -> String {
    match views::static_file(path) {
        Some(file) => format!("/static/{path}?v={}", hash(&file)),
        None => format!("/static/{path}"),
    }
}

/// `GET /static/{path}`
pub(super) async fn asset(
    Path(path): Path<String>,
    Query(version): Query<Version>,
    headers: HeaderMap,
) -> Response {
    match views::static_file(&path) {
        Some(file) => sent(&path, file, &version.v, &headers),
        None => failure::not_found().await,
    }
}

/// `GET /manifest.webmanifest`
pub(super) async fn manifest(headers: HeaderMap) -> Response {
    at_root("manifest.webmanifest", &headers).await
}

/// `GET /sw.js`: it stands at the root, as that is how far a service worker reaches.
pub(super) async fn service_worker(headers: HeaderMap) -> Response {
    at_root("sw.js", &headers).await
}

async fn at_root(path: &str, headers: &HeaderMap) -> Response {
    match views::static_file(path) {
        Some(file) => sent(path, file, "", headers),
        None => failure::not_found().await,
    }
}

#[derive(Serialize)]
struct Nothing {}

/// `GET /offline`: what the service worker shows when the server is out of reach.
pub(super) async fn offline() -> Result<Html<String>, Failure> {
    Ok(views::render(View::Offline, &Nothing {})?)
}

fn sent(path: &str, file: EmbeddedFile, version: &str, headers: &HeaderMap) -> Response {
    let hash = hash(&file);
    let etag = format!("\"{hash}\"");
    let lasting = version == hash;
    let keep = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    let fields = [(CACHE_CONTROL, keep.to_owned()), (ETAG, etag)];
    if known {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, [(CONTENT_TYPE, media_type(path))], file.data).into_response()
}

fn hash(file: &EmbeddedFile) -> String {
    hex::encode(&file.metadata.sha256_hash()[..8])
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    vec![views::sample(View::Offline, &Nothing {})]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use sha2::{Digest, Sha256};

    async fn get(path: &str, version: &str, headers: HeaderMap) -> Response {
        let version = Version { v: version.to_owned() };
        asset(Path(path.to_owned()), Query(version), headers).await
    }

    #[tokio::test]
    async fn an_asset_has_its_type_and_is_sent_once() {
        let first = get("muster.css", "", HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        let again = get("muster.css", "", headers).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn only_what_is_named_with_its_hash_is_kept_for_ever() {
        let url = url("muster.js");
        let (path, version) = url.split_once("?v=").unwrap();
        assert_eq!((path, version.len()), ("/static/muster.js", 16));
        for (version, immutable) in [(version, true), ("", false), ("0123456789abcdef", false)] {
            let response = get("muster.js", version, HeaderMap::new()).await;
            let field = response.headers()[CACHE_CONTROL].to_str().unwrap();
            assert_eq!(field.contains("immutable"), immutable, "{version}: {field}");
        }
        assert_eq!(super::url("none.js"), "/static/none.js");
    }

    #[tokio::test]
    async fn nothing_outside_is_served() {
        for path in
            ["", "none.css", "../devices.html", "vendor", "/etc/hostname", "../../../Cargo.toml"]
        {
            let response = get(path, "", HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn it_can_be_installed() {
        let response = manifest(HeaderMap::new()).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "application/manifest+json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&body).unwrap();
        for icon in manifest["icons"].as_array().unwrap() {
            let path = icon["src"].as_str().unwrap().strip_prefix("/static/").unwrap();
            let file = get(path, "", HeaderMap::new()).await;
            assert_eq!(file.status(), StatusCode::OK, "{path}");
            assert_eq!(file.headers()[CONTENT_TYPE], icon["type"].as_str().unwrap(), "{path}");
        }
        let worker = service_worker(HeaderMap::new()).await;
        assert_eq!(worker.headers()[CACHE_CONTROL], "no-cache");
        assert!(offline().await.is_ok());
    }

    #[test]
    fn vendored_files_are_the_ones_that_are_named() {
        let note = views::static_file("VENDOR.md").unwrap();
        let note = String::from_utf8(note.data.into_owned()).unwrap();
        let script = views::static_file("vendor/htmx.min.js").unwrap();
        let hex = hex::encode(Sha256::digest(&script.data));
        assert!(note.contains(&hex), "{hex}");
    }
}
