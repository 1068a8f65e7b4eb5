//! Things that are edited: each is shown with its version, as its entity tag, and an edit may say
//! which version it is meant for. The one form of their answers.

use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use crate::error::Error;

/// A thing with its version.
pub(super) type Shown<V> = ([(HeaderName, String); 1], Json<V>);

/// A new thing with its version, and where it is.
pub(super) type Made<V> = (StatusCode, [(HeaderName, String); 1], Shown<V>);

/// Shows the version of this time.
pub(super) fn shown<V>(updated_at: DateTime<Utc>, view: V) -> Shown<V> {
    ([(header::ETAG, of(updated_at))], Json(view))
}

/// Shows a thing that was made, at this path.
pub(super) fn made<V>(path: String, shown: Shown<V>) -> Made<V> {
    (StatusCode::CREATED, [(header::LOCATION, path)], shown)
}

/// Which version an edit is meant for (RFC 9110 13.1.1).
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct IfMatch {
    /// `ETag` of the version that is meant; any when absent.
    #[param(rename = "If-Match")]
    tags: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let lines = parts.headers.get_all(header::IF_MATCH);
        let texts: Vec<&str> = lines.iter().map(|line| line.to_str().unwrap_or_default()).collect();
        Ok(Self { tags: (!texts.is_empty()).then(|| texts.join(",")) })
    }
}

impl IfMatch {
    /// Refuses an edit that is meant for another version than that of this time.
    pub(super) fn check(&self, updated_at: DateTime<Utc>) -> Result<(), Error> {
        let Some(tags) = &self.tags else { return Ok(()) };
        let current = of(updated_at);
        if tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == current) {
            return Ok(());
        }
        Err(Error::Stale(format!("it has changed meanwhile, to {current}: look at it again")))
    }
}

fn of(updated_at: DateTime<Utc>) -> String {
    format!("\"{}\"", updated_at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use axum::http::Request;

    use super::*;

    async fn sent(values: &[&str]) -> IfMatch {
        let mut request = Request::builder();
        for value in values {
            request = request.header(header::IF_MATCH, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn an_edit_is_for_the_version_that_it_names() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
        let ([(_, tag)], _) = shown(at, ());
        assert_eq!(tag, "\"1700000000000001\"");
        for good in [&[][..], &["*"], &[tag.as_str()], &["\"1\", \"1700000000000001\""]] {
            assert!(sent(good).await.check(at).is_ok(), "{good:?}");
        }
        assert!(sent(&["\"1\"", &tag]).await.check(at).is_ok());
        // If-Match compares strongly: a weak tag never matches.
        for bad in ["\"1\"", "", "1700000000000001", "W/\"1700000000000001\""] {
            let refused = sent(&[bad]).await.check(at);
            assert!(matches!(refused, Err(Error::Stale(_))), "{bad}");
        }
    }
}
