//! What the fleet ran over time, as a picture and in numbers. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_routeros::version::RosVersion;
use serde::Serialize;

use super::view::KeyItem;
use super::{HOME, on_version};
use crate::service::overview::{OTHER, Over};
use crate::store::samples::Versions;
use crate::web::chart::stacked;
use crate::web::format::{When, grouped};
use crate::web::manage::address;

/// Versions that have a part of their own.
const PARTS: usize = 5;
/// Their colours.
const TONES: [&str; PARTS] = ["a1", "a2", "a3", "a4", "a5"];
/// One of so many counts has a row in the table.
const ROW_EVERY: usize = 4;

/// What the fleet ran.
#[derive(Serialize)]
pub(super) struct Past {
    tabs: Vec<Tab>,
    /// Empty where there is too little to draw.
    picture: String,
    key: Vec<KeyItem>,
    since: When,
    until: When,
    /// Of the parts, in their order.
    names: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Tab {
    label: &'static str,
    href: String,
    current: bool,
    count: Option<i64>,
}

/// What it ran at a time.
#[derive(Serialize)]
struct Row {
    at: When,
    counts: Vec<Count>,
}

#[derive(Serialize)]
struct Count {
    name: String,
    devices: String,
}

impl Count {
    fn new(name: &str, devices: i64) -> Self {
        Self { name: name.to_owned(), devices: grouped(devices) }
    }
}

/// How far back an address means.
pub(super) fn over(word: &str) -> Over {
    if word == "year" { Over::Year } else { Over::Month }
}

/// As an address says it.
pub(super) fn word(over: Over) -> &'static str {
    match over {
        Over::Month => "",
        Over::Year => "year",
    }
}

/// `None` = nothing was counted, or it is not for the viewer to see.
pub(super) fn past(history: &[Versions], of: Over, now: DateTime<Utc>) -> Option<Past> {
    let (first, last) = (history.first()?, history.last()?);
    let names = named(history);
    let counted: Vec<Vec<i64>> = history.iter().map(|sample| counts(sample, &names)).collect();
    let mut parts: Vec<(&str, &'static str)> = names.iter().copied().zip(TONES).collect();
    if counted.iter().any(|counts| counts.last().is_some_and(|rest| *rest > 0)) {
        parts.push(("all others", "a6"));
    }
    let columns = columns(history, &counted, of);
    let label = match of {
        Over::Month => "Devices by the version that they ran, over the last 30 days",
        Over::Year => "Devices by the version that they ran, over the last year",
    };
    let drawn = columns.len() > 1;
    let now_there = parts.iter().zip(counted.last()?);
    let key = now_there.map(|((name, tone), count)| KeyItem {
        label: (*name).to_owned(),
        href: if names.contains(name) { on_version(name) } else { String::new() },
        count: grouped(*count),
        tone,
    });
    let key: Vec<KeyItem> = key.collect();
    let newest_first = history.iter().zip(&counted).rev().step_by(ROW_EVERY);
    let rows = newest_first.map(|(sample, counts)| Row {
        at: When::new(sample.at, now),
        counts: parts
            .iter()
            .zip(counts)
            .map(|((name, _), count)| Count::new(name, *count))
            .collect(),
    });
    let rows: Vec<Row> = rows.collect();
    Some(Past {
        tabs: tabs(of),
        picture: if drawn { stacked(&columns, &parts, label) } else { String::new() },
        key,
        since: When::new(first.at, now),
        until: When::new(last.at, now),
        names: parts.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows,
    })
}

fn tabs(of: Over) -> Vec<Tab> {
    let tab = |(label, over): (&'static str, Over)| Tab {
        label,
        href: address(HOME, &[("over", word(over))]),
        current: over == of,
        count: None,
    };
    [("30 days", Over::Month), ("A year", Over::Year)].map(tab).into()
}

/// The versions that most devices ran in all that time, as RouterOS orders them.
fn named(history: &[Versions]) -> Vec<&str> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (name, devices) in history.iter().flat_map(|sample| &sample.versions) {
        *sums.entry(name).or_default() += devices;
    }
    sums.remove(OTHER);
    let mut most: Vec<(&str, i64)> = sums.into_iter().collect();
    most.sort_by_key(|(_, devices)| -devices);
    let mut names: Vec<&str> = most.into_iter().take(PARTS).map(|(name, _)| name).collect();
    names.sort_by_key(|name| (name.parse::<RosVersion>().ok(), *name));
    names
}

/// How many ran each of these, and at last how many ran anything else.
fn counts(sample: &Versions, names: &[&str]) -> Vec<i64> {
    let versions = &sample.versions;
    let of = |name: &&str| versions.get(*name).copied().unwrap_or_default();
    let mut counts: Vec<i64> = names.iter().map(of).collect();
    let all: i64 = versions.values().sum();
    let rest = all - counts.iter().sum::<i64>();
    counts.push(rest);
    counts
}

/// The counts at equal distances, from the first to the last that there is.
fn columns(history: &[Versions], counted: &[Vec<i64>], of: Over) -> Vec<Option<Vec<i64>>> {
    let step = of.step().num_seconds();
    let place = |sample: &Versions| sample.at.timestamp().div_euclid(step);
    let Some((first, last)) = history.first().zip(history.last()) else { return Vec::new() };
    let begin = place(first);
    let length = usize::try_from(place(last) - begin).unwrap_or_default() + 1;
    let mut columns = vec![None; length];
    for (sample, counts) in history.iter().zip(counted) {
        let index = usize::try_from(place(sample) - begin).unwrap_or_default();
        if let Some(column) = columns.get_mut(index) {
            *column = Some(counts.clone());
        }
    }
    columns
}

#[cfg(test)]
pub(super) fn sample_history(name: &str) -> Vec<Versions> {
    let at = |hours: i64, devices: i64| Versions {
        at: DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hours),
        versions: BTreeMap::from([
            ("7.9".to_owned(), 10 - devices),
            ("7.16.1".to_owned(), devices),
            (name.to_owned(), 1),
            (OTHER.to_owned(), 2),
        ]),
    };
    vec![at(1, 1), at(7, 4), at(25, 9)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn versions_stand_in_their_order_and_the_rest_at_last() {
        let history = sample_history("6.49.10");
        let past = past(&history, Over::Month, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(past.names, ["6.49.10", "7.9", "7.16.1", "all others"]);
        let key: Vec<(&str, &str)> =
            past.key.iter().map(|item| (item.label.as_str(), item.count.as_str())).collect();
        assert_eq!(key, [("6.49.10", "1"), ("7.9", "1"), ("7.16.1", "9"), ("all others", "2")]);
        assert_eq!(past.picture.matches("<path").count(), 4);
        assert!(past.key[2].href.contains("7.16.1") && past.key[3].href.is_empty());
        // The newest first, and not each of them.
        assert_eq!(past.rows.len(), 1);
        let row: Vec<&str> = past.rows[0].counts.iter().map(|c| c.devices.as_str()).collect();
        assert_eq!(row, ["1", "1", "9", "2"]);
        assert!(past.tabs[0].current && !past.tabs[1].current);
        assert_eq!(past.tabs[1].href, "/releases?over=year");
    }

    #[test]
    fn what_was_not_counted_is_a_gap_and_one_count_is_no_picture() {
        let history = sample_history("x");
        let names = named(&history);
        let counted: Vec<Vec<i64>> = history.iter().map(|s| counts(s, &names)).collect();
        let month = columns(&history, &counted, Over::Month);
        let there: Vec<bool> = month.iter().map(Option::is_some).collect();
        assert_eq!(there, [true, true, false, false, true]);
        let year = past(&history, Over::Year, DateTime::UNIX_EPOCH).unwrap();
        assert!(year.picture.is_empty() && year.tabs[1].current);
        assert!(past(&[], Over::Month, DateTime::UNIX_EPOCH).is_none());
    }

    #[test]
    fn only_the_most_frequent_versions_have_a_part() {
        let versions = (1..=9_i64).map(|n| (format!("7.{n}"), n)).collect();
        let history = [Versions { at: DateTime::UNIX_EPOCH, versions }];
        let names = named(&history);
        assert_eq!(names, ["7.5", "7.6", "7.7", "7.8", "7.9"]);
        assert_eq!(counts(&history[0], &names), [5, 6, 7, 8, 9, 10]);
        for of in [Over::Month, Over::Year] {
            assert_eq!(over(word(of)), of);
        }
    }
}
