//! Messages that are shown once: what a form did, on the page that comes after it.
//!
//! A handler answers with [`to`]; the layer here makes of it what the browser's request was: a
//! redirect with a cookie that the next page shows and takes back, or, for htmx, two events of the
//! page (`muster:toast` with the message, `muster:changed` for whatever shows old data).

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cookie;
use super::viewer::Visit;
use crate::ctx::Shared;

/// How long a message waits for its page.
const LIFE: TimeDelta = TimeDelta::minutes(1);
/// Characters of a message: a cookie has 4096 bytes.
const MAX_TEXT: usize = 500;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flash {
    kind: Kind,
    text: String,
}

/// How it ended; the words of the `is-*` classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Done,
    Failed,
}

impl Flash {
    /// It was done.
    pub(super) fn done(text: impl Into<String>) -> Self {
        Self { kind: Kind::Done, text: text.into() }
    }

    /// It was not.
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, text: text.into() }
    }
}

/// To another page, which shows the message. An htmx request stays where it is.
pub(super) fn to(path: &str, flash: Flash) -> Response {
    let mut response = Redirect::to(path).into_response();
    response.extensions_mut().insert(flash);
    response
}

/// The message that a request brings along.
pub(super) fn read(headers: &HeaderMap, https: bool) -> Option<Flash> {
    let text = cookie::read(headers, cookie::FLASH, https)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Sends messages on their way, and takes back those that a page has shown.
pub(super) async fn carry(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let visit = Visit::of(request.headers(), request.extensions(), &app.config);
    let waiting = cookie::read(request.headers(), cookie::FLASH, visit.https).is_some();
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Flash>() {
        Some(flash) if visit.htmx => stay(&mut response, &flash),
        Some(flash) => {
            let set = cookie::set(cookie::FLASH, &packed(&flash), LIFE, visit.https);
            response.headers_mut().append(SET_COOKIE, set);
        }
        None if waiting && !visit.htmx && is_page(&response) => {
            let clear = cookie::clear(cookie::FLASH, visit.https);
            response.headers_mut().append(SET_COOKIE, clear);
        }
        None => {}
    }
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

fn packed(flash: &Flash) -> String {
    let text = flash.text.chars().take(MAX_TEXT).collect();
    let flash = Flash { kind: flash.kind, text };
    URL_SAFE_NO_PAD.encode(json!(flash).to_string())
}

/// Nothing to swap, but two events.
fn stay(response: &mut Response, flash: &Flash) {
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().remove(LOCATION);
    let events = json!({ "muster:toast": flash, "muster:changed": {} });
    let events = HeaderValue::try_from(ascii(&events)).expect("it was made visible ASCII");
    response.headers_mut().insert(HeaderName::from_static("hx-trigger"), events);
}

/// JSON for a header field: what is not ASCII is escaped, as browsers read fields as Latin-1.
fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            ' '..='~' => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use axum::http::header::COOKIE;

    #[test]
    fn a_message_survives_its_cookie() {
        let flash = Flash::done("Rīga; \"saved\"");
        let mut headers = HeaderMap::new();
        let field = format!("muster-flash={}", packed(&flash));
        headers.insert(COOKIE, field.parse().unwrap());
        assert_eq!(read(&headers, false), Some(flash));
    }

    #[test]
    fn what_is_no_message_is_none() {
        for value in ["x", "", "e30", "!!"] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("muster-flash={value}").parse().unwrap());
            assert_eq!(read(&headers, false), None, "{value}");
        }
    }

    #[test]
    fn a_long_message_fits_into_a_cookie() {
        let packed = packed(&Flash::failed("ā".repeat(5_000)));
        assert!(packed.len() < 3_000, "{}", packed.len());
    }

    #[test]
    fn htmx_stays_and_is_told() {
        let mut response = to("/users", Flash::failed("Rīga 𝄞\n"));
        let flash = response.extensions_mut().remove::<Flash>().unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        stay(&mut response, &flash);
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert!(!response.headers().contains_key(LOCATION));
        let events = response.headers()["hx-trigger"].to_str().unwrap();
        let events: Value = serde_json::from_str(events).unwrap();
        assert_eq!(events["muster:toast"], json!({ "kind": "failed", "text": "Rīga 𝄞\n" }));
        assert!(events["muster:changed"].is_object());
    }
}
