//! Errors as pages, mapped and logged here and nowhere else.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::views::{self, Shell, View};
use crate::error::Error;

/// A page that could not be made.
pub(super) struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Invalid { .. } => StatusCode::BAD_REQUEST,
            Error::Conflict(_) => StatusCode::CONFLICT,
            Error::Denied(_) => StatusCode::FORBIDDEN,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Database(_) | Error::Files(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(error = %self.0.private(), "a page could not be made");
        }
        page(status, &self.0.to_string())
    }
}

#[derive(Serialize)]
struct ErrorPage<'a> {
    shell: Shell,
    status: u16,
    reason: &'a str,
    message: &'a str,
}

/// A small page that says what went wrong.
pub(super) fn page(status: StatusCode, message: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let context =
        ErrorPage { shell: Shell::bare(reason), status: status.as_u16(), reason, message };
    match views::render(View::Error, &context) {
        Ok(html) => (status, html).into_response(),
        // The template itself is broken: words are better than nothing.
        Err(error) => {
            tracing::error!(error = %error.private(), "the error page could not be made");
            (status, message.to_owned()).into_response()
        }
    }
}

pub(super) async fn not_found() -> Response {
    page(StatusCode::NOT_FOUND, "There is no such page.")
}

pub(super) async fn method_not_allowed() -> Response {
    page(StatusCode::METHOD_NOT_ALLOWED, "This page can only be looked at.")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn an_error_is_a_page_with_its_public_words_only() {
        let error = Error::Internal("the password is hunter2".to_owned());
        let response = Failure::from(error).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(html.contains("internal error") && !html.contains("hunter2"), "{html}");
    }

    #[tokio::test]
    async fn what_was_asked_for_is_escaped() {
        let response = Failure::from(Error::NotFound("no <b>device</b>".into())).into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(html.contains("no &lt;b&gt;device"), "{html}");
    }
}
