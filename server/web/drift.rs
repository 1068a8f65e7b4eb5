//! Drift: the devices that are not as they are wanted, and what of them differs.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::form::Complaints;
use super::format::{When, grouped};
use super::manage::{address, answer, cut, everywhere, site_paths, with_one_more};
use super::profiles::words;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::desired::differ::Difference;
use crate::error::Error;
use crate::service::desired as service;
use crate::store::wants::{Drifted, Filter};

/// Where they are listed.
const HOME: &str = "/drift";
/// Devices on a page.
const PAGE: usize = 100;
/// Differences of a device that are shown.
const SHOWN: usize = 5;
/// The states in which something differs, the worst first.
const STATES: [&str; 3] = ["blocked", "drifted", "pending"];

/// The routes of drift.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.on(Access::Needs(Right::Read), Method::GET, "/drift", get(page))
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct DriftQuery {
    state: String,
    site: String,
    /// What differs.
    name: String,
    #[serde(skip_serializing)]
    after: Option<Uuid>,
}

#[derive(Serialize)]
struct DriftPage {
    shell: Shell,
    here: String,
    stats: Vec<Stat>,
    states: Vec<Choice>,
    sites: Vec<String>,
    wanted: DriftQuery,
    rows: Vec<Row>,
    filtered: bool,
    /// The viewer sees the sweeps, which go through the whole fleet.
    may_sweep: bool,
    first: String,
    next: String,
    errors: Complaints,
}

/// How many are in a state, for `ui.stat`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Stat {
    label: &'static str,
    state: &'static str,
    count: String,
    /// Empty: they are in no list.
    href: String,
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
struct Row {
    href: String,
    serial: String,
    identity: String,
    model: String,
    site: String,
    state: &'static str,
    label: &'static str,
    reason: String,
    differences: Vec<Differs>,
    /// How many more there are.
    more: usize,
    since: Option<When>,
    compared: Option<When>,
}

#[derive(Debug, Serialize)]
struct Differs {
    name: String,
    wanted: String,
    seen: String,
    words: String,
}

/// `GET /drift`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<DriftQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let (found, errors) = found(&app, ctx, &query).await?;
    let (found, more) = cut(found, PAGE);
    let last = found.last().filter(|_| more).map(|device| device.device_id.to_string());
    let fields = [
        ("state", query.state.as_str()),
        ("site", query.site.as_str()),
        ("name", query.name.as_str()),
    ];
    let after = |id: &str| address(HOME, &[&fields[..], &[("after", id)]].concat());
    let given = query.after.map(|id| id.to_string()).unwrap_or_default();
    let page = DriftPage {
        shell: Shell::new(&viewer, &app.config, "Drift", Section::Drift),
        here: after(&given),
        stats: stats(&service::counts(&app, ctx).await?),
        states: STATES.map(|word| Choice { value: word, label: words::state(word).1 }).into(),
        sites: site_paths(&app, ctx).await?,
        rows: found.iter().map(|device| row(device, ctx.now)).collect(),
        filtered: fields.iter().any(|(_, value)| !value.is_empty()),
        may_sweep: everywhere(&viewer, Right::Read),
        first: query.after.map(|_| address(HOME, &fields)).unwrap_or_default(),
        next: last.map(|id| after(&id)).unwrap_or_default(),
        wanted: query,
        errors,
    };
    answer(View::Drift, &page, &page.errors)
}

/// The devices; none, and why, where the filter cannot be understood.
async fn found(
    app: &App,
    ctx: &Ctx,
    query: &DriftQuery,
) -> Result<(Vec<Drifted>, Complaints), Error> {
    let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter =
        Filter { state: said(&query.state), under: said(&query.site), name: said(&query.name) };
    match service::drifted(app, ctx, &filter, query.after, with_one_more(PAGE)).await {
        Ok(found) => Ok((found, Complaints::default())),
        Err(error @ Error::Invalid { .. }) => Ok((Vec::new(), Complaints::of(error, &[])?)),
        Err(error) => Err(error),
    }
}

fn stats(counts: &BTreeMap<String, i64>) -> Vec<Stat> {
    let stat = |word: &str, href: String| {
        let (state, label) = words::state(word);
        let count = grouped(counts.get(word).copied().unwrap_or_default());
        Stat { label, state, count, href }
    };
    let differing = STATES.map(|word| stat(word, address(HOME, &[("state", word)])));
    let others = ["in_sync", "unmanaged"].map(|word| stat(word, String::new()));
    differing.into_iter().chain(others).collect()
}

fn row(device: &Drifted, now: DateTime<Utc>) -> Row {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (state, label) = words::state(&device.state);
    let differs = |one: &Difference| Differs {
        name: one.name.clone(),
        wanted: text(&one.wanted),
        seen: text(&one.seen),
        words: one.words.clone(),
    };
    let all = &device.differences.0;
    Row {
        href: format!("/devices/{}/desired", device.device_id),
        serial: device.serial.clone(),
        identity: text(&device.identity),
        model: text(&device.model),
        site: text(&device.site),
        state,
        label,
        reason: text(&device.reason),
        differences: all.iter().take(SHOWN).map(differs).collect(),
        more: all.len().saturating_sub(SHOWN),
        since: device.drifted_at.map(|at| When::new(at, now)),
        compared: device.compared_at.map(|at| When::new(at, now)),
    }
}

#[cfg(test)]
fn drifted(differences: usize) -> Drifted {
    let evil = || "<x-evil>".to_owned();
    let now = DateTime::UNIX_EPOCH;
    let difference = || Difference {
        name: evil(),
        wanted: Some(evil()),
        seen: None,
        words: evil(),
        mended: false,
        layer: evil(),
    };
    Drifted {
        device_id: Uuid::from_u128(7),
        serial: evil(),
        identity: Some(evil()),
        model: Some(evil()),
        site: Some(evil()),
        state: "blocked".to_owned(),
        reason: Some(evil()),
        differences: sqlx::types::Json((0..differences).map(|_| difference()).collect()),
        drifted_at: Some(now),
        compared_at: Some(now),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let evil = || "<x-evil>".to_owned();
    let page = |devices: &[Drifted], filtered: bool, errors: Complaints| {
        let page = DriftPage {
            shell: Shell::sample(),
            here: HOME.to_owned(),
            stats: stats(&BTreeMap::from([("drifted".to_owned(), 12_000)])),
            states: vec![Choice { value: "drifted", label: "differs" }],
            sites: vec![evil()],
            wanted: DriftQuery { state: evil(), site: evil(), name: evil(), after: None },
            rows: devices.iter().map(|device| row(device, DateTime::UNIX_EPOCH)).collect(),
            filtered,
            may_sweep: !filtered,
            first: String::new(),
            next: HOME.to_owned(),
            errors,
        };
        super::views::sample(View::Drift, &page)
    };
    vec![
        page(&[drifted(1), drifted(SHOWN + 2)], false, Complaints::default()),
        page(&[], true, Complaints::whole("<x-evil>")),
        page(&[], false, Complaints::default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_as_far_as_a_row_can_hold_it() {
        let row = row(&drifted(SHOWN + 2), DateTime::UNIX_EPOCH);
        assert_eq!((row.differences.len(), row.more), (SHOWN, 2));
        assert_eq!((row.state, row.label), ("failed", "blocked"));
        assert!(row.href.ends_with("/desired"));
    }

    #[test]
    fn each_state_is_counted_and_those_that_differ_lead_to_their_devices() {
        let stats = stats(&BTreeMap::from([("drifted".to_owned(), 1), ("in_sync".to_owned(), 5)]));
        let counts: Vec<&str> = stats.iter().map(|stat| stat.count.as_str()).collect();
        assert_eq!(counts, ["0", "1", "0", "5", "0"]);
        assert_eq!(stats[1].href, "/drift?state=drifted");
        assert!(stats[3].href.is_empty());
    }
}
