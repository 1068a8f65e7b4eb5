//! The list of rollouts, the newest first.

use axum::extract::{Query, State};
use axum::response::{Html, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bars::{self, Bar};
use super::{HOME, path, words};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::rollout::state::State as Stage;
use crate::service::rollouts::{self as service, View as Rollout};
use crate::store::rollouts::waves::WaveRow;
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::manage::{address, answer, cut, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Rollouts on a page.
const PAGE: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    state: String,
    before: String,
}

#[derive(Serialize)]
struct RolloutsPage {
    shell: Shell,
    states: Vec<Choice>,
    list: List,
    may_write: bool,
}

#[derive(Serialize)]
struct ListFragment {
    list: List,
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

#[derive(Serialize)]
struct List {
    rows: Vec<Row>,
    /// Where it is made again.
    here: String,
    first: String,
    next: String,
    filtered: bool,
}

/// A rollout in a list.
#[derive(Serialize)]
pub(super) struct Row {
    id: Uuid,
    href: String,
    name: String,
    what: String,
    state: &'static str,
    label: &'static str,
    reason: String,
    bar: Bar,
    /// Which wave is under way; empty before it has any.
    wave: String,
    since: When,
    by: String,
}

/// `GET /rollouts`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let state = stage(&query)?;
    let choice =
        |of: Stage| Choice { value: of.word(), label: words::label(of), chosen: state == Some(of) };
    let page = RolloutsPage {
        shell: Shell::new(&viewer, &app.config, "Rollouts", Section::Rollouts),
        states: Stage::ALL.into_iter().map(choice).collect(),
        list: list(&app, viewer.ctx(), &query).await?,
        may_write: viewer.may(Right::Operate),
    };
    answer(View::Rollouts, &page, &Complaints::default())
}

/// `GET /rollouts/list`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Html<String>, Failure> {
    let list = list(&app, viewer.ctx(), &query).await?;
    Ok(render(View::RolloutsList, &ListFragment { list })?)
}

fn stage(query: &ListQuery) -> Result<Option<Stage>, Error> {
    match query.state.as_str() {
        "" => Ok(None),
        word => Stage::of(word)
            .map(Some)
            .ok_or_else(|| Error::invalid("", "There is no such state: choose one of the list.")),
    }
}

async fn list(app: &App, ctx: &Ctx, query: &ListQuery) -> Result<List, Error> {
    let before = match query.before.as_str() {
        "" => None,
        id => Some(Uuid::try_parse(id).map_err(|_| {
            Error::invalid("", "This page does not exist: start from the first one.")
        })?),
    };
    let found = service::list(app, ctx, stage(query)?, before, with_one_more(PAGE)).await?;
    let (found, more) = cut(found, PAGE);
    let last = found.last().filter(|_| more).map(|rollout| rollout.row.rollout_id.to_string());
    let state = ("state", query.state.as_str());
    let fields = [state, ("before", query.before.as_str())];
    Ok(List {
        rows: found.iter().map(|rollout| row(rollout, ctx.now)).collect(),
        here: address("/rollouts/list", &fields),
        first: before.map(|_| address(HOME, &[state])).unwrap_or_default(),
        next: last.map(|id| address(HOME, &[state, ("before", id.as_str())])).unwrap_or_default(),
        filtered: !query.state.is_empty(),
    })
}

/// As it stands in a list.
pub(super) fn row(rollout: &Rollout, now: DateTime<Utc>) -> Row {
    let row = &rollout.row;
    let waves: Vec<&WaveRow> = rollout.waves.iter().collect();
    Row {
        id: row.rollout_id,
        href: path(row.rollout_id),
        name: row.name.clone(),
        what: words::what(&rollout.change),
        state: words::shape(rollout.state),
        label: words::label(rollout.state),
        reason: row.reason.clone().unwrap_or_default(),
        bar: bars::bar(&row.name, &waves),
        wave: match waves.len() {
            0 => String::new(),
            all => format!("wave {} of {all}", row.wave + 1),
        },
        since: When::new(row.state_at, now),
        by: row.started_by.clone().unwrap_or_else(|| row.created_by.clone()),
    }
}

#[cfg(test)]
pub(super) fn sample_row(state: Stage, full: bool) -> Row {
    let mut rollout = service::offer::tests::view(state);
    rollout.row.name = "<x-evil>".to_owned();
    rollout.row.reason = full.then(|| "<x-evil>".to_owned());
    rollout.row.created_by = "<x-evil>".to_owned();
    rollout.row.started_by = None;
    if !full {
        rollout.waves.clear();
    }
    row(&rollout, DateTime::UNIX_EPOCH)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let rows =
        || -> Vec<Row> { Stage::ALL.map(|state| sample_row(state, state != Stage::Draft)).into() };
    let list = |rows: Vec<Row>, filtered: bool| List {
        rows,
        here: "/rollouts/list".to_owned(),
        first: if filtered { HOME.to_owned() } else { String::new() },
        next: if filtered { String::new() } else { "/rollouts?before=1".to_owned() },
        filtered,
    };
    let page = |list: List, may_write: bool| {
        let states = vec![Choice { value: "draft", label: "draft", chosen: true }];
        sample(View::Rollouts, &RolloutsPage { shell: Shell::sample(), states, list, may_write })
    };
    vec![
        page(list(rows(), false), true),
        page(list(Vec::new(), true), false),
        page(list(Vec::new(), false), true),
        sample(View::RolloutsList, &ListFragment { list: list(rows(), true) }),
    ]
}
