//! RFC 9457 problem details: the one form of every failed answer of the API.
//!
//! Owns the way from a domain error to an HTTP status, and the one log line of a failure: it is
//! written here, where the failure is answered. It must never show a private cause to a caller.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::error::Error;

/// Media type of a problem (RFC 9457 3).
const MEDIA_TYPE: &str = "application/problem+json";
/// Seconds after which a caller may ask again when the database or the file store is away.
const RETRY_SECONDS: u32 = 5;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status tells the kind of problem (RFC 9457 4.2.1).
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and, where that is known, what would be right.
    pub detail: String,
    /// Where in the request's body: an RFC 6901 pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: detail.into(),
            pointer: None,
            retry_after: None,
        }
    }

    /// 401: no token, or none that is good.
    pub fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// 429: may be tried again after so many seconds.
    pub fn too_many(detail: &str, seconds: u32) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    fn of(error: &Error) -> Self {
        let status = match error {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Conflict(_) => StatusCode::CONFLICT,
            Error::Stale(_) => StatusCode::PRECONDITION_FAILED,
            Error::Denied(_) => StatusCode::FORBIDDEN,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Busy(_) | Error::Database(_) | Error::Files(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut problem = Self::new(status, error.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            problem.retry_after = Some(RETRY_SECONDS);
        }
        if let Error::Invalid { pointer, .. } = error
            && !pointer.is_empty()
        {
            problem.pointer = Some(pointer.clone());
        }
        problem
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::of(&error);
        if problem.status >= 500 {
            tracing::error!(status = problem.status, cause = %error.private(), "API request failed");
        } else {
            tracing::debug!(status = problem.status, cause = %error.private(), "API request refused");
        }
        problem
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = [(header::CONTENT_TYPE, MEDIA_TYPE)];
        let mut response = (status, content_type, Json(&self)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 15.5.2: a 401 without a challenge is none.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// As each operation's `default` response in the API's description.
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::response::Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description(
                "The request was not done: 400 malformed, 401 no good token, 403 scope missing, \
                 404 unknown, 409 not in this state, 412 changed meanwhile, 413 too large, 415 not \
                 JSON, 422 not possible as asked, 429 too many wrong tokens, 500 a fault of the \
                 server, 503 the database or the file store is away",
            )
            .content(MEDIA_TYPE, content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}

/// Answers what is below `/api` and is no resource.
pub(super) async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {}", uri.path()))
}

/// Answers a method that a resource does not have; the router adds `Allow`.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_error_has_its_status_and_keeps_its_cause_to_itself() {
        let cases = [
            (Error::NotFound("no job 1".into()), 404, "no job 1"),
            (Error::invalid("/names", "at least one"), 422, "at least one"),
            (Error::Conflict("running".into()), 409, "running"),
            (Error::Denied("no".into()), 403, "no"),
            (Error::TooLarge("at most 5".into()), 413, "at most 5"),
            (Error::Database(sqlx::Error::PoolTimedOut), 503, "the database is not available"),
            (Error::Internal("the key is hunter2".into()), 500, "internal error"),
        ];
        for (error, status, detail) in cases {
            let problem = Problem::from(error);
            assert_eq!((problem.status, problem.detail.as_str()), (status, detail));
            assert_eq!(problem.retry_after.is_some(), status == 503);
            assert_eq!(problem.pointer.as_deref(), (status == 422).then_some("/names"));
            assert!(!serde_json::to_string(&problem).unwrap().contains("hunter2"));
        }
    }

    #[test]
    fn a_problem_is_sent_as_one() {
        let response = Problem::too_many("slower", 7).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        let response = Problem::unauthorized("who?").into_response();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        let json = serde_json::to_value(Problem::unauthorized("who?")).unwrap();
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "who?",
        });
        assert_eq!(json, expected);
    }
}
