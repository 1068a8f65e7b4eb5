//! The list of devices: a page of a hundred, however many there are.
//!
//! Owns that it is there at once: nothing on it grows with the fleet, and how many devices match is
//! a question of its own, asked afterwards. The table asks for itself again, so that what is shown
//! is never pieced together.
//!
//! - `query`: what an address asks for, and the quick filters. `table`: columns and rows.
//! - `views`: what people keep of it. `export`: the list as a file.
//! - `bulk`, `ask`, `action`, `target`, `change`: one thing done to many devices.

mod action;
mod ask;
mod bulk;
mod change;
mod export;
mod query;
mod table;
mod target;
mod views;

pub(super) use table::model;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use self::action::{Action, Offers};
use self::query::{LIST, ListQuery, Quick, search_for};
use self::table::{Column, Moment, Row};
use self::views::Kept;
use super::failure::Failure;
use super::format::{When, acs_url, grouped};
use super::manage::address;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{View, render};
use super::{Access, Routes};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::config::{AuthMode, Config};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::online;
use crate::fleet::selector::Suggestion;
use crate::service::completion;
use crate::service::devices::{self as service, Asked};

/// Devices on a page.
const PAGE: usize = 100;

/// The list's routes.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, LIST, get(page))
        .on(read, Method::GET, "/devices/table", get(table_fragment))
        .on(read, Method::GET, "/devices/count", get(count_fragment))
        .on(read, Method::GET, "/devices/complete", get(complete))
        .on(read, Method::GET, "/devices.csv", get(export::csv))
        .on(read, Method::POST, "/devices/views", post(views::create))
        .on(read, Method::GET, "/devices/views/{id}", get(views::page))
        .on(read, Method::POST, "/devices/views/{id}", post(views::change))
        .on(read, Method::POST, "/devices/views/{id}/delete", post(views::delete))
        .on(operate, Method::POST, "/devices/bulk/confirm", post(bulk::confirm))
        .on(operate, Method::POST, "/devices/bulk", post(bulk::run))
}

#[derive(Serialize)]
struct ListPage {
    shell: Shell,
    q: String,
    /// The columns as a query says them; empty where they are the usual ones.
    cols: String,
    /// What is wrong with the selector, in lines that stand exactly below each other.
    error: Option<String>,
    /// What was probably meant by it.
    search: Option<Search>,
    quick: Vec<Quick>,
    columns: Vec<Tick>,
    views: Vec<Kept>,
    /// What can be done to many; of nothing, nothing is offered.
    actions: Vec<Offers>,
    /// All devices, in the same columns.
    clear: String,
    /// The same devices in the usual columns.
    usual: String,
    /// Where the list is as a file.
    export: String,
    /// Where the devices that match are counted.
    count: String,
    /// Where a rollout for them is written; empty where none was selected, and for who may not.
    roll_out: String,
    table: Option<Table>,
}

/// A selector that can be followed.
#[derive(Serialize)]
struct Search {
    selector: String,
    href: String,
}

/// A column that can be chosen.
#[derive(Serialize)]
struct Tick {
    word: &'static str,
    label: &'static str,
    checked: bool,
}

#[derive(Serialize)]
struct TableFragment {
    table: Table,
}

#[derive(Serialize)]
struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Row>,
    /// Rows can be chosen.
    bulk: bool,
    /// Where it is made again.
    here: String,
    /// Addresses; empty = there is no such page.
    first: String,
    next: String,
    /// When it was made: shows that it still lives.
    at: When,
    empty: Empty,
}

/// Why there may be no row, and what to do then.
#[derive(Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
enum Empty {
    /// None matches.
    Filter { clear: String },
    /// The page before was the last one.
    End,
    /// None stands where the viewer may look.
    Reach,
    /// There is none yet.
    Fleet { command: String },
}

#[derive(Serialize)]
struct CountFragment {
    count: String,
    /// It is one.
    one: bool,
}

/// `GET /devices`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Failure> {
    let query = ListQuery::read(raw.as_deref().unwrap_or_default());
    let (table, error) = match table(&app, viewer.ctx(), &query).await {
        Ok(table) => (Some(table), None),
        Err(Error::Invalid { pointer, message }) if pointer == "/q" => (None, Some(message)),
        Err(other) => return Err(other.into()),
    };
    let search = search_for(&query.q).filter(|_| error.is_some());
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ListPage {
        shell: Shell::new(&viewer, &app.config, "Devices", Section::Devices),
        cols: query.cols(),
        error,
        search: search.map(|selector| Search {
            href: query.of(selector.clone()).address(LIST, ""),
            selector,
        }),
        quick: query.quick(),
        columns: ticks(&query.columns),
        views: views::kept(&app, &viewer).await?,
        actions: Action::offers(viewer.ctx()),
        clear: query.of(String::new()).address(LIST, ""),
        usual: ListQuery::new(query.q.clone(), Vec::new(), String::new()).address(LIST, ""),
        export: query.address("/devices.csv", ""),
        count: query.address("/devices/count", ""),
        roll_out: match query.q.is_empty() || !viewer.may(Right::Operate) {
            true => String::new(),
            false => address("/rollouts/new", &[("selector", query.q.as_str())]),
        },
        q: query.q,
        table,
    };
    Ok((status, render(View::Devices, &page)?).into_response())
}

/// `GET /devices/table`
async fn table_fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Failure> {
    let query = ListQuery::read(raw.as_deref().unwrap_or_default());
    let table = table(&app, viewer.ctx(), &query).await?;
    Ok(render(View::DevicesTable, &TableFragment { table })?.into_response())
}

/// `GET /devices/count`: how many match.
async fn count_fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Failure> {
    let query = ListQuery::read(raw.as_deref().unwrap_or_default());
    let count = service::count(&app, viewer.ctx(), query.selector().as_deref()).await?;
    let fragment = CountFragment { count: grouped(count), one: count == 1 };
    Ok(render(View::DevicesCount, &fragment)?.into_response())
}

/// What stands in an input, and where its cursor is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    q: String,
    /// In UTF-16 code units, as browsers count.
    cursor: usize,
}

/// `GET /devices/complete`: what can come next in a selector.
async fn complete(
    viewer: Viewer,
    State(app): State<Shared>,
    typed: Result<Query<Typed>, QueryRejection>,
) -> Result<Json<Vec<Suggestion>>, Failure> {
    let Query(typed) = typed.map_err(|e| Error::invalid("", e.body_text()))?;
    Ok(Json(completion::suggest(&app, viewer.ctx(), &typed.q, typed.cursor).await?))
}

async fn table(app: &App, ctx: &Ctx, query: &ListQuery) -> Result<Table, Error> {
    let after = query.after()?;
    // One more than is shown tells whether there is a next page.
    let limit = i64::try_from(PAGE + 1).expect("a small number");
    let asked = Asked { selector: query.selector(), after, limit, ..Asked::default() };
    let mut found = service::list(app, ctx, &asked).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more).map(|device| device.device_id.to_string());
    let moment = Moment {
        now: ctx.now,
        online_since: online::since(&app.config, ctx.now),
        authenticated: app.config.acs.auth != AuthMode::None,
    };
    let empty = match (after, query.q.is_empty(), ctx.reach(Right::Read)) {
        (Some(_), ..) => Empty::End,
        (None, false, _) => Empty::Filter { clear: query.of(String::new()).address(LIST, "") },
        (None, true, Reach::Within { .. }) => Empty::Reach,
        (None, true, Reach::Everywhere) => {
            Empty::Fleet { command: command(&app.config, &app.enrolment.username) }
        }
    };
    Ok(Table {
        heads: query.columns.iter().map(|column| column.label()).collect(),
        rows: found.iter().map(|device| table::row(device, &query.columns, moment)).collect(),
        bulk: ctx.may(Right::Operate),
        here: query.here("/devices/table"),
        first: after.map(|_| query.address(LIST, "")).unwrap_or_default(),
        next: last.map(|id| query.address(LIST, &id)).unwrap_or_default(),
        at: When::new(ctx.now, ctx.now),
        empty,
    })
}

fn ticks(chosen: &[Column]) -> Vec<Tick> {
    // The serial number is there whatever is chosen.
    let free = Column::ALL.into_iter().filter(|column| *column != Column::Serial);
    let tick = |column: Column| Tick {
        word: column.word(),
        label: column.label(),
        checked: chosen.contains(&column),
    };
    free.map(tick).collect()
}

/// What makes a router come here.
fn command(config: &Config, username: &str) -> String {
    let url = acs_url(config);
    format!(
        "/tr069-client set enabled=yes acs-url=\"{url}\" username=\"{username}\" password=\"...\""
    )
}

#[cfg(test)]
pub(super) use tests::samples;

#[cfg(test)]
mod tests;
