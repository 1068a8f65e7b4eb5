//! The benches, each with what it is armed for, and their boards as they come.

use axum::extract::{Query, State};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::words::{self, Standing, Surety};
use super::{Choice, HOME, PAGE, Tab, board_path, choice, may_change, profile_path, said, tabs};
use crate::ctx::Shared;
use crate::error::Error;
use crate::netboot::arming::Arming;
use crate::netboot::bench::Other;
use crate::service::bench::{self as service, Board, BoardFilter, Place, Status};
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::manage::{Fact, address, answer, cut, no_page, or_complaint, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Between time and address in the place of a page.
const BETWEEN: char = '~';

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    state: String,
    bench: String,
    q: String,
    after: String,
}

impl ListQuery {
    /// # Errors
    /// [`Error::Invalid`] for a bench that is none.
    fn filter(&self) -> Result<BoardFilter, Error> {
        let none = |_| Error::invalid("", "There is no such bench.");
        let bench_id = said(&self.bench).map(|id| Uuid::try_parse(&id)).transpose();
        Ok(BoardFilter {
            state: said(&self.state),
            bench_id: bench_id.map_err(none)?,
            text: said(&self.q),
        })
    }

    fn filtered(&self) -> bool {
        [&self.state, &self.bench, &self.q].into_iter().any(|text| said(text).is_some())
    }

    /// The same boards from one on.
    fn at(&self, after: &str) -> String {
        let (state, bench, q) = (self.state.trim(), self.bench.trim(), self.q.trim());
        address(HOME, &[("state", state), ("bench", bench), ("q", q), ("after", after)])
    }
}

/// Where a page begins, as its address says it.
fn written((seen_at, mac): &Place) -> String {
    let seen_at = seen_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    format!("{seen_at}{BETWEEN}{mac}")
}

/// The board after which a page begins; `None` = the first page.
fn after(text: &str) -> Result<Option<Place>, Error> {
    let Some(text) = said(text) else { return Ok(None) };
    let read = |text: &str| {
        let (seen_at, mac) = text.split_once(BETWEEN)?;
        let seen_at = DateTime::parse_from_rfc3339(seen_at).ok()?;
        Some((seen_at.with_timezone(&Utc), mac.to_owned()))
    };
    read(&text).map(Some).ok_or_else(no_page)
}

#[derive(Serialize)]
struct ListPage {
    shell: Shell,
    tabs: Vec<Tab>,
    benches: Vec<BenchView>,
    may_arm: bool,
    filter: ListQuery,
    filtered: bool,
    states: Vec<Choice>,
    places: Vec<Choice>,
    /// What is wrong with the filter; empty = nothing.
    complaint: String,
    rows: Vec<Row>,
    /// Where this page is.
    here: String,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct BenchView {
    id: Uuid,
    href: String,
    interface: String,
    host: String,
    state: Standing,
    problem: String,
    /// Its node is silent.
    late: bool,
    heard: When,
    /// Other servers that answer there.
    others: Vec<String>,
    armed: Option<ArmedView>,
    counts: Vec<Count>,
}

/// What a bench is armed for.
#[derive(Serialize)]
struct ArmedView {
    until: When,
    by: String,
    any: bool,
    facts: Vec<Fact>,
    profile: String,
    profile_href: String,
    status: Option<Surety>,
}

/// How many boards there are of a state.
#[derive(Serialize)]
struct Count {
    state: Standing,
    href: String,
    value: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    mac: String,
    /// What it says that it is.
    board: String,
    state: Standing,
    /// How much it has of what is under way, in hundredths.
    percent: Option<i64>,
    why: String,
    given: String,
    size: String,
    profile: String,
    status: Option<Surety>,
    /// The page of its claim; empty = it has none.
    claim: String,
    device: String,
    /// What its claim calls it: a serial number, a customer.
    named: String,
    site: String,
    requests: String,
    retries: String,
    time: String,
    seen: When,
}

/// `GET /bench`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = after(&query.after)?;
    let benches = service::status(&app, ctx).await?;
    let read = async {
        let filter = query.filter()?;
        service::boards(&app, ctx, filter, after.clone(), with_one_more(PAGE)).await
    };
    let (found, complaint) = or_complaint(read.await)?;
    let (boards, more) = cut(found, PAGE);
    let last = boards.last().filter(|_| more);
    let last = last.map(|board| written(&(board.row.seen_at, board.row.mac.clone())));
    let page = ListPage {
        shell: Shell::new(&viewer, &app.config, "Bench", Section::Bench),
        tabs: tabs(HOME),
        benches: benches.iter().map(|status| bench(status, ctx.now)).collect(),
        may_arm: may_change(&viewer),
        filtered: query.filtered(),
        states: states(),
        places: places(&benches),
        complaint,
        rows: boards.iter().map(|board| row(board, ctx.now)).collect(),
        here: query.at(&query.after),
        first: after.map(|_| query.at("")).unwrap_or_default(),
        next: last.map(|last| query.at(&last)).unwrap_or_default(),
        filter: query,
    };
    answer(View::Bench, &page, &Complaints::default())
}

fn states() -> Vec<Choice> {
    let all = words::states().map(|(state, label)| choice(state, label));
    [choice("", "any")].into_iter().chain(all).collect()
}

fn places(benches: &[Status]) -> Vec<Choice> {
    let place = |status: &Status| {
        let bench = &status.bench;
        choice(bench.bench_id.to_string(), format!("{} of {}", bench.interface, bench.host))
    };
    [choice("", "any")].into_iter().chain(benches.iter().map(place)).collect()
}

fn bench(status: &Status, now: DateTime<Utc>) -> BenchView {
    let bench = &status.bench;
    let id = bench.bench_id.to_string();
    let count = |(state, _): (&'static str, &'static str)| {
        let count = status.counts.get(state).copied().filter(|count| *count > 0)?;
        Some(Count {
            state: words::standing(state),
            href: address(HOME, &[("state", state), ("bench", id.as_str())]),
            value: words::number(count),
        })
    };
    BenchView {
        id: bench.bench_id,
        href: format!("{HOME}/{id}"),
        interface: bench.interface.clone(),
        host: bench.host.clone(),
        state: standing(status),
        problem: bench.problem.clone().unwrap_or_default(),
        late: !status.alive,
        heard: When::new(bench.heard_at, now),
        others: others(&status.others, now),
        armed: armed(status, now),
        counts: words::states().filter_map(count).collect(),
    }
}

fn standing(status: &Status) -> Standing {
    let any = status.arming.as_ref().is_some_and(|arming| arming.any);
    let (word, label) = match (&status.bench.problem, status.alive, status.remaining) {
        (_, false, _) => ("late", "its node is silent"),
        (Some(_), ..) => ("failed", "cannot serve"),
        (None, _, Some(_)) if any => ("warn", "armed, for unclaimed boards, too"),
        (None, _, Some(_)) => ("busy", "armed"),
        (None, _, None) => ("idle", "disarmed"),
    };
    Standing { word, label }
}

/// What a bench is armed for now.
fn armed(status: &Status, now: DateTime<Utc>) -> Option<ArmedView> {
    status.remaining?;
    let until = status.bench.armed_until?;
    let arming = status.arming.as_ref();
    Some(ArmedView {
        until: When::new(until, now),
        by: status.bench.armed_by.clone().unwrap_or_default(),
        any: arming.is_some_and(|arming| arming.any),
        facts: arming.map(|arming| facts(status, arming, now)).unwrap_or_default(),
        profile: arming.map(|arming| arming.profile.clone()).unwrap_or_default(),
        profile_href: arming.map(|arming| profile_path(&arming.profile)).unwrap_or_default(),
        status: status.profile_status.as_deref().map(words::surety),
    })
}

fn facts(status: &Status, arming: &Arming, now: DateTime<Utc>) -> Vec<Fact> {
    let any = arming.any_until.filter(|_| arming.any).map(|until| {
        let until = When::new(until, now).both();
        format!("at most {} a minute, until {until}", words::number(arming.any_per_minute.into()))
    });
    let variables: Vec<&str> = arming.variables.0.keys().map(String::as_str).collect();
    let since = status.bench.armed_at.map(|at| When::new(at, now).both());
    let own = status.bench.address.map(|address| address.to_string());
    vec![
        Fact::new(
            "Template",
            words::given(Some(arming.template.as_str()), arming.template_version),
        ),
        Fact::new(
            "Mode script",
            words::given(arming.mode_template.as_deref(), arming.mode_version),
        ),
        Fact::new("A board gets", words::strategy(arming.strategy)),
        Fact::new("Boards that nobody claimed", any.unwrap_or_default()),
        Fact::new("DHCP", if arming.dhcp { "answered, too" } else { "" }),
        Fact::new("Variables", variables.join(", ")),
        Fact::new("Armed", since.unwrap_or_default()),
        Fact::new("Its own address", own.unwrap_or_default()),
    ]
}

/// Other servers of a segment.
pub(super) fn others(found: &[Other], now: DateTime<Utc>) -> Vec<String> {
    let one = |other: &Other| {
        let by = if other.dhcp { "DHCP" } else { "BOOTP" };
        let heard = When::new(other.heard_at, now).both();
        format!("{} by {by}, heard {heard}", other.address)
    };
    found.iter().map(one).collect()
}

fn row(board: &Board, now: DateTime<Utc>) -> Row {
    let Board { row, serial, customer } = board;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let named = [serial.clone(), customer.as_ref().map(|number| format!("customer {number}"))];
    Row {
        href: board_path(&row.mac),
        mac: row.mac.clone(),
        board: row.board_id.clone().or_else(|| row.arch.clone()).unwrap_or_default(),
        state: words::standing(&row.state),
        percent: words::so_far(row),
        why: row.words.clone().or_else(|| row.step.clone()).unwrap_or_default(),
        given: words::given(row.template.as_deref(), row.template_version),
        size: words::size_of(row),
        profile: text(&row.profile),
        status: row.profile_status.as_deref().map(words::surety),
        claim: row.claim_id.map(|id| format!("/claims/{id}")).unwrap_or_default(),
        device: row.device_id.map(|id| format!("/devices/{id}")).unwrap_or_default(),
        named: named.into_iter().flatten().collect::<Vec<_>>().join(", "),
        site: text(&row.site),
        requests: words::number(row.requests.into()),
        retries: words::number(row.retries.into()),
        time: row.duration_ms.map(words::took).unwrap_or_default(),
        seen: When::new(row.seen_at, now),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::tests::{sample_bench, sample_board};
    use crate::web::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let page = |benches: &[Status], states_of: &[&str], filter: ListQuery, complaint: String| {
        let board = |state: &&str| Board {
            row: sample_board(state),
            serial: Some(evil()),
            customer: Some(evil()),
        };
        let page = ListPage {
            shell: Shell::sample(),
            tabs: tabs(HOME),
            benches: benches.iter().map(|status| bench(status, now)).collect(),
            may_arm: complaint.is_empty(),
            filtered: filter.filtered(),
            states: states(),
            places: places(benches),
            complaint,
            rows: states_of.iter().map(|state| row(&board(state), now)).collect(),
            here: filter.at(""),
            first: filter.after.clone(),
            next: filter.at("x"),
            filter,
        };
        sample(View::Bench, &page)
    };
    let filter = || ListQuery { q: evil(), bench: evil(), ..ListQuery::default() };
    let benches = [sample_bench(true), sample_bench(false)];
    let all = crate::service::bench::STATES;
    vec![
        page(&benches, &all, ListQuery::default(), String::new()),
        page(&benches[..1], &[], ListQuery::default(), String::new()),
        page(&[], &[], ListQuery::default(), String::new()),
        page(&benches, &[], filter(), evil()),
        page(&benches, &[], filter(), String::new()),
        page(&benches, &[], ListQuery { after: HOME.to_owned(), ..filter() }, String::new()),
    ]
}

#[cfg(test)]
mod tests;
