//! What changed last night: devices whose configuration says something else than it did, those with
//! one and the same change together.

use std::collections::{HashMap, HashSet};

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Days, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::device::{place_of, place_text};
use super::failure::Failure;
use super::form::Complaints;
use super::format::When;
use super::manage::{address, answer, cut, with_one_more};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes, days};
use crate::access::right::Right;
use crate::ctx::Shared;
use crate::service::backups::{self as service, Changed};

/// Where they are told.
const HOME: &str = "/changes";
/// Changes on a page, of which one and the same is one row.
const PAGE: usize = 500;
/// Rows on a page.
const ROWS: usize = 100;
/// Devices that are named in a row before somebody asks for the others.
const NAMED: usize = 5;
/// Sites that are named in a row; of more there is only the number.
const PLACES: usize = 3;
/// When a night begins, on the day before: the hour by the clock of whoever looks.
const EVENING: u32 = 18;

/// The routes of what changed.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.on(Access::Needs(Right::Read), Method::GET, "/changes", get(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChangesQuery {
    /// A day, or an exact time; empty = last night.
    since: String,
    /// The last change of the page before.
    before: String,
}

#[derive(Serialize)]
struct ChangesPage {
    shell: Shell,
    tabs: Vec<Tab>,
    spans: Vec<Span>,
    /// As it was written.
    since: String,
    /// It is no day.
    exact: bool,
    /// What that means.
    from: Option<When>,
    /// Whose clock.
    zone: String,
    rows: Vec<Row>,
    first: String,
    next: String,
    errors: Complaints,
}

/// For `ui.tabs`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Tab {
    label: &'static str,
    href: &'static str,
    current: bool,
    count: Option<i64>,
}

/// A time since which people ask.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Span {
    label: &'static str,
    href: String,
    current: bool,
}

/// A change, and where it was seen.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    /// Where one of them shows it.
    href: String,
    added: i32,
    removed: i32,
    /// Nobody looked whether others have the same.
    unread: bool,
    /// How many devices.
    count: usize,
    /// Those that are named, and the others.
    named: Vec<Device>,
    others: Vec<Device>,
    places: String,
    at: When,
}

/// A device that shows it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Device {
    name: String,
    href: String,
}

/// `GET /changes`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ChangesQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let zone = days::zone(&viewer);
    let since = query.since.trim();
    let before = place_of(&query.before)?;
    let (from, errors) = match days::since(since, zone) {
        Ok(named) => {
            (Some(named.unwrap_or_else(|| last_night(ctx.now, zone))), Complaints::default())
        }
        Err(error) => (None, Complaints::of(error, &["since"])?),
    };
    let found = match from {
        Some(from) => service::changed(&app, ctx, from, before, with_one_more(PAGE)).await?,
        None => Vec::new(),
    };
    let (changes, more) = cut(found, PAGE);
    let (groups, taken) = grouped(&changes);
    let last = changes[..taken].last().filter(|_| more || taken < changes.len());
    let last = last.map(|last| place_text(last.change.at, last.change.device_id));
    let at = |before: &str| address(HOME, &[("since", since), ("before", before)]);
    let page = ChangesPage {
        shell: Shell::new(&viewer, &app.config, "What changed", Section::Drift),
        tabs: tabs(),
        spans: spans(since, ctx.now, zone),
        exact: !since.is_empty() && !days::is_day(since),
        from: from.map(|from| When::new(from, ctx.now)),
        zone: zone.name().to_owned(),
        rows: rows(groups, ctx.now),
        first: before.map(|_| at("")).unwrap_or_default(),
        next: last.map(|place| at(&place)).unwrap_or_default(),
        since: since.to_owned(),
        errors,
    };
    answer(View::Changes, &page, &page.errors)
}

/// This page, and the other one of what is not as it should be.
fn tabs() -> Vec<Tab> {
    let tab = |label, href, current| Tab { label, href, current, count: None };
    vec![tab("Drift", "/drift", false), tab("What changed", HOME, true)]
}

/// When last night began.
fn last_night(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let yesterday = now.with_timezone(&zone).date_naive().pred_opt();
    let evening = yesterday.and_then(|day| day.and_hms_opt(EVENING, 0, 0));
    let evening = evening.and_then(|evening| zone.from_local_datetime(&evening).earliest());
    evening.map_or(now - TimeDelta::days(1), |evening| evening.with_timezone(&Utc))
}

/// Times since which people ask, with that which was asked.
fn spans(since: &str, now: DateTime<Utc>, zone: Tz) -> Vec<Span> {
    let today = now.with_timezone(&zone).date_naive();
    let day = |days: u64| today.checked_sub_days(Days::new(days)).unwrap_or(today).to_string();
    [("Last night", String::new()), ("Today", day(0)), ("7 days", day(7)), ("30 days", day(30))]
        .into_iter()
        .map(|(label, from)| Span {
            label,
            href: address(HOME, &[("since", from.as_str())]),
            current: since == from,
        })
        .collect()
}

/// The changes by what changed, each where it was seen first, as many rows as a page has; and how many
/// of the changes are in them.
fn grouped(changes: &[Changed]) -> (Vec<Vec<&Changed>>, usize) {
    let mut groups: Vec<Vec<&Changed>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (taken, change) in changes.iter().enumerate() {
        let same = change.same_as.as_deref();
        match same.and_then(|same| known.get(same).copied()) {
            Some(group) => groups[group].push(change),
            None if groups.len() == ROWS => return (groups, taken),
            None => {
                known.extend(same.map(|same| (same, groups.len())));
                groups.push(vec![change]);
            }
        }
    }
    (groups, changes.len())
}

/// The row of each group: first what most devices have, then what is newest.
fn rows(groups: Vec<Vec<&Changed>>, now: DateTime<Utc>) -> Vec<Row> {
    let mut rows: Vec<Row> = groups.iter().filter_map(|group| row(group, now)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

/// None for a group of none.
fn row(group: &[&Changed], now: DateTime<Utc>) -> Option<Row> {
    let newest = group.first()?;
    let devices: HashSet<Uuid> = group.iter().map(|one| one.change.device_id).collect();
    let mut named: Vec<Device> = group.iter().map(|one| device(one)).collect();
    let others = named.split_off(NAMED.min(named.len()));
    Some(Row {
        href: device(newest).href,
        added: newest.change.added,
        removed: newest.change.removed,
        unread: newest.same_as.is_none(),
        count: devices.len(),
        named,
        others,
        places: places(group),
        at: When::new(newest.change.at, now),
    })
}

fn device(changed: &Changed) -> Device {
    let change = &changed.change;
    let identity = change.identity.as_deref().unwrap_or_default().trim();
    let here = format!("/devices/{}/backups/{}", change.device_id, change.backup_id);
    Device {
        name: if identity.is_empty() { change.serial.clone() } else { identity.to_owned() },
        // What it said before may be forgotten.
        href: if change.before_id.is_some() { format!("{here}/diff") } else { here },
    }
}

/// The sites at which it was seen.
fn places(group: &[&Changed]) -> String {
    let mut sites: Vec<&str> = group.iter().filter_map(|one| one.change.site.as_deref()).collect();
    sites.sort_unstable();
    sites.dedup();
    match sites.len() {
        0..=PLACES => sites.join(", "),
        many => format!("{many} sites"),
    }
}

#[cfg(test)]
fn sample_change(device: u128, same_as: Option<&str>) -> Changed {
    let change = crate::store::backups::Changed {
        device_id: Uuid::from_u128(device),
        serial: "HAP0001<x-evil>".to_owned(),
        identity: Some("Attic <x-evil>".to_owned()),
        site: Some(format!("eu.<x-evil>{device}")),
        backup_id: Uuid::from_u128(100 + device),
        at: DateTime::UNIX_EPOCH,
        sha256: vec![0xab; 32],
        added: 3,
        removed: 1,
        before_id: Some(Uuid::from_u128(50 + device)),
        before_sha256: Some(vec![0xcd; 32]),
    };
    Changed { change, same_as: same_as.map(str::to_owned) }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let page = |changes: &[Changed], since: &str, errors: Complaints| {
        let is_wrong = errors != Complaints::default();
        let page = ChangesPage {
            shell: Shell::sample(),
            tabs: tabs(),
            spans: spans(since, now, Tz::UTC),
            since: since.to_owned(),
            exact: is_wrong,
            from: (!is_wrong).then(|| When::new(now, now)),
            zone: "UTC".to_owned(),
            rows: rows(grouped(changes).0, now),
            first: since.to_owned(),
            next: since.to_owned(),
            errors,
        };
        sample(View::Changes, &page)
    };
    let many: Vec<Changed> = (0..8).map(|device| sample_change(device, Some("a"))).collect();
    let one = [sample_change(1, None)];
    vec![
        page(&many, "", Complaints::default()),
        page(&one, "1970-01-01", Complaints::default()),
        page(&[], "", Complaints::default()),
        page(&[], "<x-evil>", Complaints::field("since", "<x-evil>")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        let at = DateTime::parse_from_rfc3339(text).expect("a time");
        at.with_timezone(&Utc)
    }

    #[test]
    fn last_night_began_in_the_evening_of_whoever_looks() {
        let riga = Tz::Europe__Riga;
        for (now, night) in [
            ("2026-11-22T06:00:00Z", "2026-11-21T16:00:00Z"),
            // Shortly after midnight in Riga it is still the day before in UTC.
            ("2026-11-22T22:30:00Z", "2026-11-22T16:00:00Z"),
            ("2026-11-22T21:30:00Z", "2026-11-21T16:00:00Z"),
        ] {
            assert_eq!(last_night(at(now), riga), at(night), "{now}");
        }
        assert_eq!(last_night(at("2026-11-22T06:00:00Z"), Tz::UTC), at("2026-11-21T18:00:00Z"));
    }

    #[test]
    fn what_was_asked_is_marked() {
        let now = at("2026-11-22T23:00:00Z");
        let current = |since: &str| -> Vec<&'static str> {
            let spans = spans(since, now, Tz::Europe__Riga);
            spans.into_iter().filter(|span| span.current).map(|span| span.label).collect()
        };
        assert_eq!(current(""), ["Last night"]);
        assert_eq!(current("2026-11-23"), ["Today"]);
        assert_eq!(current("2026-11-16"), ["7 days"]);
        assert!(current("2026-11-01").is_empty());
        assert_eq!(spans("", now, Tz::UTC)[1].href, "/changes?since=2026-11-22");
    }

    #[test]
    fn the_same_change_is_one_row_and_what_nobody_looked_into_is_one_each() {
        let changes = [
            sample_change(1, Some("a")),
            sample_change(2, None),
            sample_change(3, Some("b")),
            sample_change(4, None),
            sample_change(5, Some("b")),
            sample_change(5, Some("b")),
        ];
        let (groups, taken) = grouped(&changes);
        assert_eq!((groups.len(), taken), (4, changes.len()));
        let rows = rows(groups, DateTime::UNIX_EPOCH);
        let counts: Vec<usize> = rows.iter().map(|row| row.count).collect();
        assert_eq!(counts, [2, 1, 1, 1], "what most have comes first; a device is one device");
        assert_eq!(rows[0].named.len(), 3);
        assert_eq!(rows.iter().filter(|row| row.unread).count(), 2);
    }

    #[test]
    fn a_page_has_so_many_rows_and_the_next_one_goes_on_behind_them() {
        let name = |n: usize| (n % (ROWS + 1)).to_string();
        let changes: Vec<Changed> = (0..2 * ROWS)
            .map(|n| sample_change(u128::try_from(n).expect("small"), Some(&name(n))))
            .collect();
        let (groups, taken) = grouped(&changes);
        assert_eq!((groups.len(), taken), (ROWS, ROWS));
        assert_eq!(grouped(&changes[taken..]).1, ROWS);
    }

    #[test]
    fn a_row_names_a_few_devices_and_places() {
        let changes: Vec<Changed> = (0..8).map(|n| sample_change(n, Some("a"))).collect();
        let rows = rows(grouped(&changes).0, DateTime::UNIX_EPOCH);
        let row = &rows[0];
        assert_eq!((row.named.len(), row.others.len(), row.count), (NAMED, 8 - NAMED, 8));
        assert_eq!(row.places, "8 sites");
        assert!(row.href.ends_with("/diff"), "{row:?}");
        let mut one = sample_change(1, None);
        one.change.before_id = None;
        one.change.identity = Some(" ".to_owned());
        let told = device(&one);
        assert_eq!(told.name, one.change.serial);
        assert!(!told.href.ends_with("/diff"), "there is nothing to compare it with");
    }
}
