//! Pages of lists: so many rows after a cursor. No offsets: a list that grows meanwhile neither
//! repeats nor skips.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;

const DEFAULT: u32 = 100;
const MAX: u32 = 1_000;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    pub next: Option<String>,
}

/// How many rows a page has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(u32);

impl Limit {
    /// What was asked for; 1 to 1000, 100 when nothing was.
    pub(super) fn new(asked: Option<u32>) -> Result<Self, Error> {
        match asked.unwrap_or(DEFAULT) {
            limit @ 1..=MAX => Ok(Self(limit)),
            limit => Err(Error::invalid("", format!("limit is 1 to {MAX}, not {limit}"))),
        }
    }

    /// Rows to fetch: one more than is shown, which tells whether there is a next page.
    pub(super) fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl<T> Page<T> {
    /// A page of [`Limit::rows`] fetched rows.
    pub(super) fn of<R>(
        mut rows: Vec<R>,
        limit: Limit,
        cursor: impl Fn(&R) -> String,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let shown = limit.0 as usize;
        let more = rows.len() > shown;
        rows.truncate(shown);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { items: rows.into_iter().map(view).collect(), next }
    }
}

/// The cursor of what is ordered by time, then id.
pub(super) fn moment(at: DateTime<Utc>, id: Uuid) -> String {
    format!("{}-{}", at.timestamp_micros(), id.simple())
}

/// The place that [`moment`] wrote down.
pub(super) fn moment_of(cursor: &str) -> Result<(DateTime<Utc>, Uuid), Error> {
    let parse = || {
        let (at, id) = cursor.split_once('-')?;
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some((at, Uuid::try_parse(id).ok()?))
    };
    parse().ok_or_else(|| Error::invalid("", "that is no cursor that this list gave"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn page(rows: Vec<u32>, limit: u32) -> Page<u32> {
        Page::of(rows, Limit::new(Some(limit)).unwrap(), u32::to_string, |r| r * 10)
    }

    #[test]
    fn the_cursor_is_the_last_row_shown_and_only_where_more_follow() {
        let more = page(vec![1, 2, 3], 2);
        assert_eq!((more.items, more.next.as_deref()), (vec![10, 20], Some("2")));
        assert_eq!(page(vec![1, 2], 2), Page { items: vec![10, 20], next: None });
        assert_eq!(page(vec![], 2), Page { items: vec![], next: None });
    }

    #[test]
    fn a_limit_has_bounds() {
        assert_eq!(Limit::new(None).unwrap().rows(), 101);
        assert_eq!(Limit::new(Some(1_000)).unwrap().rows(), 1_001);
        for bad in [0, 1_001] {
            assert!(Limit::new(Some(bad)).is_err());
        }
    }

    #[test]
    fn a_moment_leads_back_to_its_place() {
        let place =
            (DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(), Uuid::now_v7());
        assert_eq!(moment_of(&moment(place.0, place.1)).unwrap(), place);
        for bad in ["", "-", "1", "1-x", "x-00000000000000000000000000000001", "9e99-0"] {
            assert!(moment_of(bad).is_err(), "{bad}");
        }
    }
}
