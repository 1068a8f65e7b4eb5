//! Static files: style sheet, icon and vendored scripts, from the binary.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{failure, views};

pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = views::static_file(&path) else {
        return failure::not_found().await;
    };
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..16].iter().map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{hex}\"");
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    // Kept, but asked for again each time: after an upgrade nobody sees an old script.
    let fields = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, etag)];
    if known {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, [(CONTENT_TYPE, media_type(&path))], file.data).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use sha2::{Digest, Sha256};

    async fn get(path: &str, headers: HeaderMap) -> Response {
        asset(Path(path.to_owned()), headers).await
    }

    #[tokio::test]
    async fn an_asset_has_its_type_and_is_sent_once() {
        let first = get("muster.css", HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        let again = get("muster.css", headers).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn nothing_outside_is_served() {
        for path in
            ["", "none.css", "../devices.html", "vendor", "/etc/hostname", "../../../Cargo.toml"]
        {
            let response = get(path, HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn vendored_files_are_the_ones_that_are_named() {
        let note = views::static_file("VENDOR.md").unwrap();
        let note = String::from_utf8(note.data.into_owned()).unwrap();
        let script = views::static_file("vendor/htmx.min.js").unwrap();
        let hex: String = Sha256::digest(&script.data).iter().map(|b| format!("{b:02x}")).collect();
        assert!(note.contains(&hex), "{hex}");
    }
}
