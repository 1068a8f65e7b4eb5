//! The page of a board: what it got, what it says of itself and what happened to it; serving it once
//! more, and forgetting it. `event`: what happened, in words. `installation`: installing it.

mod event;
pub(super) mod installation;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_netboot::profile::Strategy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::event::{Event, event};
use self::installation::{InstallForm, Installation, Offered, installed};
use super::words::{self, Standing, Surety};
use super::{ALLOWED, Choice, HOME, PAGE, board_path, may_change, profile_path};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::service::bench::{self as service, Board};
use crate::store::bench::{BoardRow, LogRow};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{
    Confirmation, Fact, address, answer, cut, everywhere, row_id, with_one_more,
};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogQuery {
    before: String,
}

#[derive(Serialize)]
struct BoardPage<'a> {
    shell: Shell,
    here: String,
    mac: String,
    state: Standing,
    why: String,
    meaning: &'static str,
    /// What is under way.
    step: String,
    percent: Option<i64>,
    done: bool,
    times: Vec<Fact>,
    /// What it got; empty = nothing.
    given: Vec<Fact>,
    profile: String,
    profile_href: String,
    status: Option<Surety>,
    script: String,
    facts: Vec<Linked>,
    options: Vec<BoardOption>,
    events: Vec<Event>,
    first: String,
    next: String,
    installed: Option<Installation>,
    /// It may be served again, installed and forgotten.
    may_rearm: bool,
    /// It gets nothing before somebody says so.
    spent: bool,
    /// Where it is claimed, and where allowed; empty = that is not what it lacks, or for others to do.
    claim: String,
    allow: String,
    history: String,
    draft: &'a InstallForm,
    releases: Vec<Choice>,
    templates: Vec<Choice>,
    errors: Complaints,
}

/// An option that nobody knows.
#[derive(Serialize)]
struct BoardOption {
    number: String,
    hex: String,
}

/// `GET /bench/boards/{mac}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(mac): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, &mac, &query, &InstallForm::default(), Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    mac: &str,
    query: &LogQuery,
    draft: &InstallForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let board = service::board(app, ctx, mac).await?;
    let before = row_id(&query.before)?;
    let found = service::log(app, ctx, mac, before, with_one_more(PAGE)).await?;
    let (log, more) = cut(found, PAGE);
    let last = log.last().filter(|_| more).map(|entry| entry.log_id.to_string());
    let here = board_path(&board.row.mac);
    let may_rearm = ctx.reach(Right::Bench).covers(board.row.site.as_deref());
    let offered = match may_rearm {
        true => Offered::read(app, ctx).await?,
        false => Offered::default(),
    };
    let may_audit = everywhere(viewer, Right::Audit);
    let mut page = board_page(
        Shell::new(viewer, &app.config, &board.row.mac, Section::Bench),
        &board,
        &log,
        draft,
        ctx.now,
    );
    page.may_rearm = may_rearm;
    let nameless = matches!(board.row.reason.as_deref(), Some("not_claimed" | "serial_only"));
    if nameless && viewer.may(Right::Operate) {
        page.claim = address("/claims/new", &[("mac", board.row.mac.as_str())]);
    }
    if nameless && may_change(viewer) {
        page.allow = address(ALLOWED, &[("kind", "mac"), ("value", board.row.mac.as_str())]);
    }
    (page.releases, page.templates) = (offered.releases, offered.templates);
    page.history = match may_audit {
        true => address("/audit", &[("kind", "board"), ("object", board.row.mac.as_str())]),
        false => String::new(),
    };
    page.first = before.map(|_| here.clone()).unwrap_or_default();
    page.next = last.map(|id| address(&here, &[("before", id.as_str())])).unwrap_or_default();
    page.errors = errors;
    answer(View::BenchBoard, &page, &page.errors)
}

/// All that the board itself says; what depends on who looks is not in there.
fn board_page<'a>(
    shell: Shell,
    board: &Board,
    log: &[LogRow],
    draft: &'a InstallForm,
    now: DateTime<Utc>,
) -> BoardPage<'a> {
    let row = &board.row;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    BoardPage {
        shell,
        here: board_path(&row.mac),
        mac: row.mac.clone(),
        state: words::standing(&row.state),
        why: text(&row.words),
        meaning: words::meaning(&row.state),
        step: text(&row.step),
        percent: words::so_far(row),
        done: row.done,
        times: times(row, now),
        given: given(row),
        profile: text(&row.profile),
        profile_href: row.profile.as_deref().map(profile_path).unwrap_or_default(),
        status: row.profile_status.as_deref().map(words::surety),
        script: text(&row.script),
        facts: facts(board),
        options: options(&row.options),
        events: log.iter().map(|entry| event(entry, now)).collect(),
        first: String::new(),
        next: String::new(),
        installed: installed(row, now),
        may_rearm: false,
        spent: row.done || row.reason.as_deref() == Some("taken"),
        claim: String::new(),
        allow: String::new(),
        history: String::new(),
        draft,
        releases: Vec::new(),
        templates: Vec::new(),
        errors: Complaints::default(),
    }
}

fn times(row: &BoardRow, now: DateTime<Utc>) -> Vec<Fact> {
    let at = |at: Option<DateTime<Utc>>| at.map(|at| When::new(at, now).both()).unwrap_or_default();
    vec![
        Fact::new("Seen", at(Some(row.seen_at))),
        Fact::new("Offered", at(row.offered_at)),
        Fact::new("Delivered", at(row.delivered_at)),
        Fact::new("Confirmed", at(row.confirmed_at)),
        Fact::new("It took", row.duration_ms.map(words::took).unwrap_or_default()),
        Fact::new("Requests", words::number(row.requests.into())),
        Fact::new("Sent again", words::number(row.retries.into())),
        Fact::new("Deliveries", words::number(row.deliveries.into())),
    ]
}

/// What it got; nothing where it got nothing.
fn given(row: &BoardRow) -> Vec<Fact> {
    let strategy: Option<Strategy> = row.strategy.as_deref().and_then(|word| word.parse().ok());
    let sha256 = row.script_sha256.as_deref().map(hex::encode);
    let all = vec![
        Fact::new("Template", words::given(row.template.as_deref(), row.template_version)),
        Fact::new("Size", words::size_of(row)),
        Fact::new("It gets", strategy.map(words::strategy).unwrap_or_default()),
        Fact::new("Address", row.address.map(|net| net.addr().to_string()).unwrap_or_default()),
        Fact::new("Keyed hash", sha256.unwrap_or_default()),
    ];
    if row.template.is_none() && row.address.is_none() { Vec::new() } else { all }
}

fn facts(board: &Board) -> Vec<Linked> {
    let row = &board.row;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let free = row.free_bytes.map(|free| format!("{} bytes", words::number(free.into())));
    let claim = row.claim_id.map(|id| format!("/claims/{id}")).unwrap_or_default();
    let device = row.device_id.map(|id| format!("/devices/{id}")).unwrap_or_default();
    let called = board.serial.clone().unwrap_or_else(|| "its claim".to_owned());
    vec![
        Linked::new("Asks for", words::kind(&row.kind), ""),
        Linked::new("Board", text(&row.board_id), ""),
        Linked::new("Boot loader", text(&row.vendor_class), ""),
        Linked::new("Architecture", text(&row.arch), ""),
        Linked::new("Room for a script", free.unwrap_or_default(), ""),
        Linked::new("Claim", if claim.is_empty() { String::new() } else { called }, claim),
        Linked::new("Customer", text(&board.customer), ""),
        Linked::new("Device", if device.is_empty() { "" } else { "what it became" }, device),
        Linked::new("Site", text(&row.site), ""),
    ]
}

/// Label and value that may lead somewhere, as `ui.facts` shows them.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Linked {
    label: &'static str,
    value: String,
    href: String,
}

impl Linked {
    fn new(label: &'static str, value: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label, value: value.into(), href: href.into() }
    }
}

fn options(options: &Value) -> Vec<BoardOption> {
    let one = |(number, hex): (&String, &Value)| BoardOption {
        number: number.clone(),
        hex: hex.as_str().map_or_else(|| hex.to_string(), str::to_owned),
    };
    options.as_object().into_iter().flatten().map(one).collect()
}

/// `POST /bench/boards/{mac}/rearm`
pub(super) async fn rearm(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(mac): Path<String>,
) -> Result<Response, Failure> {
    let board = service::rearm(&app, viewer.ctx(), &mac).await?;
    let done = format!("{} is served once more when it asks, on an armed bench.", board.row.mac);
    Ok(flash::to(&board_path(&board.row.mac), Flash::done(done)))
}

/// `POST /bench/boards/{mac}/forget`
pub(super) async fn forget(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(mac): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let known = service::board(&app, ctx, &mac).await?.row.mac;
    let forgotten = match sent.check(&known) {
        Ok(()) => service::forget(&app, ctx, &mac).await,
        Err(error) => Err(error),
    };
    match forgotten {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("{known} is forgotten.")))),
        Err(error) => {
            let (query, draft) = (LogQuery::default(), InstallForm::default());
            let errors = Complaints::of(error, &[])?;
            shown(&app, &viewer, &mac, &query, &draft, errors).await
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use self::installation::FIELDS;
    use super::choice;
    use super::tests::sample_board;
    use crate::web::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let draft = InstallForm {
        release: evil(),
        packages: evil(),
        template: evil(),
        minutes: evil(),
        confirm: evil(),
    };
    let board = |row: BoardRow| Board { row, serial: Some(evil()), customer: Some(evil()) };
    let page = |board: &Board, log: &[LogRow], may_rearm: bool, errors: Complaints| {
        let mut page = board_page(Shell::sample(), board, log, &draft, now);
        page.may_rearm = may_rearm;
        (page.claim, page.allow) = (HOME.to_owned(), HOME.to_owned());
        page.history = if may_rearm { "/audit".to_owned() } else { String::new() };
        page.releases = vec![choice(evil(), evil())];
        page.templates = vec![choice(evil(), evil())];
        (page.first, page.next) = (HOME.to_owned(), HOME.to_owned());
        page.errors = errors;
        sample(View::BenchBoard, &page)
    };
    let log: Vec<LogRow> =
        ["offered", "rearmed", "strange"].into_iter().map(tests::sample_entry).collect();
    let mut armed = sample_board("installing");
    armed.install = Some(serde_json::json!({ "release": "7.16.1", "template": "<x-evil>" }));
    armed.install_until = Some(now + chrono::TimeDelta::minutes(5));
    let mut bare = sample_board("seen");
    (bare.template, bare.address, bare.words) = (None, None, None);
    bare.options = Value::Null;
    let wrong = FIELDS.map(|field| Complaints::field(field, "<x-evil>"));
    let mut all = vec![
        page(&board(sample_board("delivered")), &log, true, Complaints::whole("<x-evil>")),
        page(&board(armed.clone()), &log, true, Complaints::default()),
        page(&board(armed), &[], false, Complaints::default()),
        page(&board(bare.clone()), &[], false, Complaints::default()),
    ];
    all.extend(wrong.into_iter().map(|errors| page(&board(bare.clone()), &[], true, errors)));
    all
}

#[cfg(test)]
mod tests;
