//! A stored file as an answer that is saved and never shown: the bytes are not ours, the origin is.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;

/// The answer with a file's bytes, whatever type somebody said that they have.
pub fn attachment<S>(name: &str, size: i64, sha256: &[u8], bytes: S) -> Response
where
    S: Stream<Item = Result<Bytes, object_store::Error>> + Send + 'static,
{
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, disposition(name)),
        (header::ETAG, format!("\"{}\"", hex::encode(sha256))),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}

/// `Content-Disposition` with the name twice: plain for old clients, and whole (RFC 6266 4.3).
fn disposition(name: &str) -> String {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let plain: String = name.chars().map(|c| if unreserved(c) { c } else { '_' }).collect();
    let mut whole = String::with_capacity(name.len());
    for byte in name.bytes() {
        if unreserved(char::from(byte)) {
            whole.push(char::from(byte));
        } else {
            write!(whole, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition("a\"; x=ī.rsc"),
            "attachment; filename=\"a___x__.rsc\"; filename*=UTF-8''a%22%3B%20x%3D%C4%AB.rsc"
        );
    }

    #[test]
    fn a_file_is_octets_to_be_saved() {
        let bytes = futures_util::stream::iter([Ok(Bytes::from_static(b"<script>"))]);
        let headers = attachment("page.html", 8, &[0xab], bytes).headers().clone();
        assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let disposition = headers[header::CONTENT_DISPOSITION].to_str();
        let saved = "attachment; filename=\"page.html\"";
        assert!(disposition.is_ok_and(|said| said.starts_with(saved)));
        assert_eq!(headers[header::CONTENT_LENGTH], "8");
        assert_eq!(headers[header::ETAG], "\"ab\"");
    }
}
