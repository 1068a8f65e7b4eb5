//! Whole lists as NDJSON: one item to a line, page by page, so that a list of any length takes no
//! more memory than one page.
//!
//! It reads by the service call that the list itself is read by, so that both show the same to the
//! same caller. An answer that breaks off is cut, and nobody takes a part for the whole.

use std::future::Future;
use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::export::Format;
use super::problem::Problem;
use crate::error::Error;
use crate::service::export;

/// Rows that are read at once.
pub(super) const PAGE: i64 = 500;

/// The form of a list that is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// A page, as JSON.
    Json,
    /// All rows, each as a line of JSON.
    Ndjson,
}

impl Form {
    /// What a request asks for: by its query, or else by what it accepts.
    pub(super) fn of(asked: Option<Self>, headers: &HeaderMap) -> Self {
        let accepted = || match Format::of(None, headers) {
            Format::Ndjson => Self::Ndjson,
            Format::Json | Format::Csv => Self::Json,
        };
        asked.unwrap_or_else(accepted)
    }
}

/// What is to be written next.
enum Next<R, C> {
    /// Rows that were read before anybody asked for them.
    Rows(Vec<R>),
    /// Those after a place.
    After(C),
    /// The list is at its end.
    Nothing,
}

/// All rows from a place on. `read` gives [`PAGE`] rows after a place, fewer only at the end; `place`
/// is that of a row.
///
/// # Errors
/// The problem of a list that cannot be begun. What fails later is logged, and cuts the answer, as
/// its age does.
pub(super) async fn all<R, C, V, F, Fut>(
    name: &str,
    read: F,
    begin: Option<C>,
    place: fn(&R) -> C,
    view: fn(R) -> V,
) -> Result<Response, Problem>
where
    R: Send + 'static,
    C: Send + 'static,
    V: Serialize + 'static,
    F: Fn(Option<C>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<R>, Error>> + Send + 'static,
{
    let began = Instant::now();
    // So that what is wrong with the question is an answer, and not a list that breaks off.
    let first = read(begin).await?;
    let pages = stream::try_unfold((read, Next::Rows(first)), move |(read, next)| async move {
        let rows = match next {
            Next::Rows(rows) => rows,
            Next::After(end) => {
                export::check_age(began.elapsed())?;
                read(Some(end)).await?
            }
            Next::Nothing => return Ok::<_, Error>(None),
        };
        let full = rows.len() as i64 >= PAGE;
        let end: Option<C> = rows.last().filter(|_| full).map(place);
        let next = end.map_or(Next::Nothing, Next::After);
        Ok(Some((written(rows, view)?, (read, next))))
    });
    let pages = pages.inspect_err(|e| tracing::error!(cause = %e.private(), "a list broke off"));
    let fields = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.ndjson\"")),
    ];
    Ok((fields, Body::from_stream(pages)).into_response())
}

fn written<R, V: Serialize>(rows: Vec<R>, view: fn(R) -> V) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, &view(row))
            .map_err(|e| Error::Internal(format!("a row cannot be written: {e}")))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The numbers after a place, to the last one.
    async fn numbers(after: Option<i64>, last: i64) -> Result<Vec<i64>, Error> {
        let first = after.map_or(0, |after| after + 1);
        Ok((first..=last).take(PAGE as usize).collect())
    }

    #[tokio::test]
    async fn a_list_is_written_whole_however_long() {
        for last in [-1, 0, PAGE - 2, PAGE - 1, PAGE, 3 * PAGE + 7] {
            let read = move |after: Option<i64>| numbers(after, last);
            let response = all("numbers", read, None, |n: &i64| *n, |n: i64| n).await.unwrap();
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-ndjson");
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let lines: Vec<i64> = text.lines().map(|line| line.parse().unwrap()).collect();
            assert_eq!(lines, (0..=last).collect::<Vec<i64>>(), "{last}");
        }
    }

    #[tokio::test]
    async fn what_breaks_off_has_no_end() {
        let read = |after: Option<i64>| async move {
            match after {
                None => numbers(None, PAGE).await,
                Some(_) => Err(Error::Internal("gone".to_owned())),
            }
        };
        let response = all("numbers", read, None, |n: &i64| *n, |n: i64| n).await.unwrap();
        assert!(axum::body::to_bytes(response.into_body(), 1 << 20).await.is_err());
    }

    #[test]
    fn the_query_says_more_than_the_header() {
        let accepting =
            |accept: &str| HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        assert_eq!(Form::of(None, &accepting("application/x-ndjson")), Form::Ndjson);
        assert_eq!(Form::of(None, &accepting("text/csv")), Form::Json);
        assert_eq!(Form::of(Some(Form::Json), &accepting("application/x-ndjson")), Form::Json);
    }
}
