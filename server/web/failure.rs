//! Errors as pages, mapped and logged here and nowhere else.
//!
//! A handler's failure is words first: [`dress`] makes a page of them, with the navigation of whoever
//! looks. A part of a page that htmx asked for stays words, which the page shows as a message.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::flash;
use super::shell::{Section, Shell};
use super::viewer::{self, Viewer, Visit};
use super::views::{self, View};
use crate::ctx::Shared;
use crate::error::Error;

/// A page that could not be made.
pub(super) struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The words of a failure, until they are a page.
#[derive(Clone)]
struct Told(String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Invalid { .. } => StatusCode::BAD_REQUEST,
            Error::Conflict(_) => StatusCode::CONFLICT,
            Error::Stale(_) => StatusCode::PRECONDITION_FAILED,
            Error::Denied(_) => StatusCode::FORBIDDEN,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Busy(_) | Error::Database(_) | Error::Files(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(error = %self.0.private(), "a page could not be made");
        }
        told(status, &self.0.to_string())
    }
}

fn told(status: StatusCode, message: &str) -> Response {
    let mut response = (status, message.to_owned()).into_response();
    response.extensions_mut().insert(Told(message.to_owned()));
    response
}

#[derive(Serialize)]
struct ErrorPage<'a> {
    shell: Shell,
    status: u16,
    reason: &'a str,
    message: &'a str,
}

/// Makes pages of failures.
pub(super) async fn dress(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let visit = Visit::of(request.headers(), request.extensions(), &app.config);
    let headers = request.headers().clone();
    let mut response = next.run(request).await;
    let Some(Told(message)) = response.extensions_mut().remove::<Told>() else { return response };
    if visit.htmx {
        return response;
    }
    // Only for the navigation: where that cannot be told either, the page goes without.
    let session = match response.status().is_server_error() {
        true => None,
        false => viewer::recognised(&app, &headers, &visit).await.ok().flatten(),
    };
    let reason = response.status().canonical_reason().unwrap_or("Error");
    let shell = match session {
        Some(session) => {
            let flash = flash::read(&headers, visit.https);
            let viewer = Viewer { session, flash };
            Shell::new(&viewer, &app.config, reason, Section::None)
        }
        None => Shell::bare(reason, None),
    };
    if let Some(html) = html(response.status(), shell, &message) {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::from(html);
    }
    response
}

/// A small page that says what went wrong, to anybody.
pub(super) fn page(status: StatusCode, message: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    match html(status, Shell::bare(reason, None), message) {
        Some(html) => (status, axum::response::Html(html)).into_response(),
        None => (status, message.to_owned()).into_response(),
    }
}

/// `None` = the template itself is broken: words are better than nothing.
fn html(status: StatusCode, shell: Shell, message: &str) -> Option<String> {
    let reason = status.canonical_reason().unwrap_or("Error");
    let context = ErrorPage { shell, status: status.as_u16(), reason, message };
    match views::render(View::Error, &context) {
        Ok(html) => Some(html.0),
        Err(error) => {
            tracing::error!(error = %error.private(), "the error page could not be made");
            None
        }
    }
}

pub(super) async fn not_found() -> Response {
    told(StatusCode::NOT_FOUND, "There is no such page.")
}

pub(super) async fn method_not_allowed() -> Response {
    told(StatusCode::METHOD_NOT_ALLOWED, "This page can only be looked at.")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let page =
        ErrorPage { shell: Shell::sample(), status: 404, reason: "Not Found", message: "<x-evil>" };
    vec![views::sample(View::Error, &page)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    async fn body(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_error_is_told_in_its_public_words_only() {
        let error = Error::Internal("the password is hunter2".to_owned());
        let response = Failure::from(error).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.extensions().get::<Told>().is_some());
        assert_eq!(body(response).await, "internal error");
    }

    #[tokio::test]
    async fn what_was_asked_for_is_escaped() {
        let response = page(StatusCode::NOT_FOUND, "no <b>device</b>");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let html = body(response).await;
        assert!(html.contains("no &lt;b&gt;device"), "{html}");
    }
}
