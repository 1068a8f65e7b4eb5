//! Sweeps: changes of what is wanted, on their way through the fleet. All of them, those of one
//! profile, and what is ordered of one: to wait, to go on, to end, and how fast it goes.

use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::form::{Complaints, Form};
use super::format::{When, grouped};
use super::manage::{address, answer, cut, everywhere, with_one_more};
use super::profiles::{told, words};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::devices;
use crate::service::sweeps::{self as service, Order, SweepChange};
use crate::store::sweeps::Sweep;

/// Where they are listed.
const HOME: &str = "/sweeps";
/// Sweeps on a page.
const PAGE: usize = 50;
/// Among so many of the newest those of a profile are looked for, and so many of them are shown.
const RECENT: i64 = 200;
const SHOWN: usize = 10;
/// Of so many that are under way it is counted how many devices they have before them.
const COUNTED: usize = 5;

/// The routes of sweeps.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.on(Access::Needs(Right::Read), Method::GET, "/sweeps", get(page)).on(
        Access::Needs(Right::Operate),
        Method::POST,
        "/sweeps/{id}",
        post(change),
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    /// Only those of the profile of this name.
    of: String,
    before: Option<Uuid>,
}

#[derive(Serialize)]
struct SweepsPage {
    shell: Shell,
    of: String,
    list: List,
}

/// A list of them.
#[derive(Serialize)]
pub(super) struct List {
    /// Where it is made again.
    here: String,
    /// The profile whose they are; empty = all.
    of: String,
    rows: Vec<Row>,
    may_change: bool,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct Row {
    id: Uuid,
    state: &'static str,
    label: &'static str,
    reason: String,
    /// Which devices it goes through.
    whom: String,
    seen: i64,
    /// The same as people read it.
    seen_words: String,
    /// How many it goes through; none where that was not counted.
    total: Option<i64>,
    total_words: String,
    differing: String,
    pace: i32,
    by: String,
    since: When,
    ended: Option<When>,
    open: bool,
    paused: bool,
}

/// `GET /sweeps`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let page = SweepsPage {
        shell: Shell::new(&viewer, &app.config, "Sweeps", Section::Profiles),
        list: list(&app, &viewer, &query.of, query.before).await?,
        of: query.of,
    };
    answer(View::Sweeps, &page, &Complaints::default())
}

/// Those of the profile of this name, or all of them, before one.
///
/// # Errors
/// As those of `service::sweeps`.
pub(super) async fn list(
    app: &App,
    viewer: &Viewer,
    of: &str,
    before: Option<Uuid>,
) -> Result<List, Error> {
    let ctx = viewer.ctx();
    let (sweeps, more) = if of.is_empty() {
        cut(service::list(app, ctx, before, with_one_more(PAGE)).await?, PAGE)
    } else {
        let mut recent = service::list(app, ctx, None, RECENT).await?;
        recent.retain(|sweep| is_of(&sweep.reason, of));
        (cut(recent, SHOWN).0, false)
    };
    let last = sweeps.last().filter(|_| more).map(|sweep| sweep.sweep_id.to_string());
    let this = before.map(|id| id.to_string()).unwrap_or_default();
    let mut rows = Vec::with_capacity(sweeps.len());
    let mut counted = 0;
    for sweep in &sweeps {
        let mut row = row(sweep, ctx.now);
        if row.open && counted < COUNTED {
            counted += 1;
            row = row.of(total(app, ctx, sweep).await?);
        }
        rows.push(row);
    }
    Ok(List {
        here: address(HOME, &[("of", of), ("before", this.as_str())]),
        of: of.to_owned(),
        rows,
        may_change: everywhere(viewer, Right::Operate),
        first: before.map(|_| HOME.to_owned()).unwrap_or_default(),
        next: last.map(|id| address(HOME, &[("before", id.as_str())])).unwrap_or_default(),
    })
}

/// Whether a sweep is one that a change of the profile of this name began, by what it says of itself.
fn is_of(reason: &str, profile: &str) -> bool {
    let rest = reason.strip_prefix("the profile ").and_then(|rest| rest.strip_prefix(profile));
    rest.is_some_and(|rest| {
        rest == " was changed"
            || rest.starts_with(" was bound ")
            || rest.starts_with(" was unbound ")
    })
}

/// How many devices it goes through; none where its selector cannot be read any more.
async fn total(app: &App, ctx: &Ctx, sweep: &Sweep) -> Result<Option<i64>, Error> {
    match devices::count(app, ctx, sweep.selector.as_deref()).await {
        Ok(count) => Ok(Some(count)),
        Err(Error::Invalid { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn row(sweep: &Sweep, now: DateTime<Utc>) -> Row {
    let (state, label) = words::sweep(&sweep.state);
    Row {
        id: sweep.sweep_id,
        state,
        label,
        reason: sweep.reason.clone(),
        whom: sweep.selector.clone().unwrap_or_else(|| "the whole fleet".to_owned()),
        seen: sweep.seen,
        seen_words: grouped(sweep.seen),
        total: None,
        total_words: String::new(),
        differing: grouped(sweep.differing),
        pace: sweep.per_second,
        by: sweep.created_by.clone(),
        since: When::new(sweep.created_at, now),
        ended: sweep.finished_at.map(|at| When::new(at, now)),
        open: matches!(sweep.state.as_str(), "running" | "paused"),
        paused: sweep.state == "paused",
    }
}

impl Row {
    /// With how many devices it goes through. Some may have come to it since it began.
    fn of(self, total: Option<i64>) -> Self {
        let total = total.map(|total| total.max(self.seen).max(1));
        Self { total_words: total.map(grouped).unwrap_or_default(), total, ..self }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChangeForm {
    /// `running`, `paused` or `cancelled`; empty = as it is.
    state: String,
    per_second: Option<u32>,
    /// The profile from whose sweeps one comes.
    of: String,
}

/// `POST /sweeps/{id}`
async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<ChangeForm>,
) -> Result<Response, Failure> {
    let back = address(HOME, &[("of", sent.of.as_str())]);
    let (state, done) = match sent.state.as_str() {
        "running" => (Some(Order::Running), "It goes on."),
        "paused" => (Some(Order::Paused), "It stays where it is until somebody lets it go on."),
        "cancelled" => {
            (Some(Order::Cancelled), "It has ended. Devices that it came to stay changed.")
        }
        _ => (None, "It is saved."),
    };
    let order = SweepChange { state, per_second: sent.per_second };
    let changed = service::change(&app, viewer.ctx(), id, order).await;
    told(&back, changed.map(drop), done)
}

#[cfg(test)]
fn sweep(state: &str) -> Sweep {
    let evil = || "<x-evil>".to_owned();
    let now = DateTime::UNIX_EPOCH;
    Sweep {
        sweep_id: Uuid::from_u128(7),
        reason: evil(),
        selector: (state != "done").then(evil),
        per_second: 200,
        state: state.to_owned(),
        cursor: None,
        seen: 12_000,
        differing: 7,
        created_by: evil(),
        created_at: now,
        finished_at: (state == "done").then_some(now),
    }
}

/// One in each state, for the tests of the pages.
#[cfg(test)]
pub(super) fn sample() -> List {
    let now = DateTime::UNIX_EPOCH;
    let one = |state: &str| row(&sweep(state), now);
    let rows = vec![
        one("running").of(Some(50_000)),
        one("paused").of(None),
        one("done"),
        one("cancelled"),
    ];
    List {
        here: HOME.to_owned(),
        of: "<x-evil>".to_owned(),
        rows,
        may_change: true,
        first: String::new(),
        next: HOME.to_owned(),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample as of;

    let page = |list: List, profile: &str| {
        of(View::Sweeps, &SweepsPage { shell: Shell::sample(), of: profile.to_owned(), list })
    };
    let none = || List { rows: Vec::new(), next: String::new(), ..sample() };
    vec![
        page(sample(), "<x-evil>"),
        page(none(), ""),
        page(List { may_change: false, ..sample() }, ""),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_of_a_profile_are_known_by_what_they_say() {
        for reason in [
            "the profile home was changed",
            "the profile home was bound at eu.lv",
            "the profile home was unbound for the fleet",
        ] {
            assert!(is_of(reason, "home"), "{reason}");
        }
        for reason in [
            "the profile home office was changed",
            "the profile home was was changed",
            "the variables of eu were changed",
        ] {
            assert!(!is_of(reason, "home"), "{reason}");
        }
    }

    #[test]
    fn one_that_is_under_way_says_how_far_it_is() {
        let now = DateTime::UNIX_EPOCH;
        let far = row(&sweep("running"), now).of(Some(50_000));
        assert_eq!((far.seen, far.total), (12_000, Some(50_000)));
        let gone = row(&sweep("paused"), now).of(Some(10));
        assert_eq!(gone.total, Some(12_000), "it is never further than its end");
        assert!(gone.open && gone.paused && row(&sweep("done"), now).ended.is_some());
    }
}
