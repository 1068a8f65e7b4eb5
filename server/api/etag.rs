//! Entity tags of what can be edited: an edit may say which version it is meant for.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};

use super::problem::Problem;

/// The header of an answer that shows the version of this time.
pub(super) fn headers(updated_at: DateTime<Utc>) -> [(HeaderName, String); 1] {
    [(header::ETAG, of(updated_at))]
}

/// Refuses an edit that is meant for another version (RFC 9110 13.1.1); one that does not say which
/// is meant for any.
pub(super) fn check(headers: &HeaderMap, updated_at: DateTime<Utc>) -> Result<(), Problem> {
    let mut wanted = headers.get_all(header::IF_MATCH).iter().peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    let current = of(updated_at);
    let mut tags = wanted.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    if tags.any(|tag| tag.trim() == "*" || tag.trim() == current) {
        return Ok(());
    }
    let why = format!("it has changed meanwhile, to {current}: look at it again");
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, why))
}

fn of(updated_at: DateTime<Utc>) -> String {
    format!("\"{}\"", updated_at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_edit_is_for_the_version_that_it_names() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
        let [(_, tag)] = headers(at);
        assert_eq!(tag, "\"1700000000000001\"");
        let sent = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_MATCH, value.parse().unwrap());
            }
            check(&headers, at)
        };
        for good in [&[][..], &["*"], &[tag.as_str()], &["\"1\", \"1700000000000001\""]] {
            assert!(sent(good).is_ok(), "{good:?}");
        }
        assert!(sent(&["\"1\"", &tag]).is_ok());
        // If-Match compares strongly: a weak tag never matches.
        for bad in ["\"1\"", "", "1700000000000001", "W/\"1700000000000001\""] {
            assert_eq!(sent(&[bad]).unwrap_err().status, 412, "{bad}");
        }
    }
}
