//! The page of one rollout, which tells its story: where it is and why, its waves as they fill up,
//! what their gates saw, who is not well, and what happened. It asks for itself as long as something
//! can change by itself.

use axum::extract::{Path, State};
use axum::response::Html;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::act::{Ask, asks};
use super::bars::{self, Bar};
use super::devices::{self, DeviceRow, SICK};
use super::path;
use super::story::{self, Entry};
use super::words::{self, Names};
use crate::access::grant::GROUP;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::rollout::change::Change;
use crate::rollout::gate::GateVerdict;
use crate::rollout::plan::Take;
use crate::rollout::state::State as Stage;
use crate::service::rollouts::offer::{self, Offer};
use crate::service::rollouts::read::{self, Why};
use crate::service::rollouts::{self as service, View as Rollout};
use crate::service::{artifacts, groups};
use crate::store::rollouts::devices::list::Filter;
use crate::store::rollouts::waves::WaveRow;
use crate::web::days;
use crate::web::failure::Failure;
use crate::web::format::{When, grouped};
use crate::web::manage::{Fact, address, cut, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Devices that are not well, and entries of the story, that are shown here.
const LATEST: usize = 10;

#[derive(Serialize)]
struct RolloutPage {
    shell: Shell,
    rollout: Shown,
    /// How it goes, which does not change any more once it has begun.
    plan: Vec<Fact>,
}

#[derive(Serialize)]
struct StateFragment {
    rollout: Shown,
}

/// A rollout as it is shown.
#[derive(Serialize)]
struct Shown {
    here: String,
    name: String,
    description: String,
    state: &'static str,
    label: &'static str,
    /// The kind of note in which its reason stands.
    mark: &'static str,
    reason: String,
    since: When,
    /// When it begins, or how long its wave is still watched.
    until: Option<When>,
    /// It is yet to be started.
    draft: bool,
    /// Something can change by itself.
    live: bool,
    /// Its devices are being found.
    preparing: bool,
    offer: Offer,
    asks: Vec<Ask>,
    /// Whose clock times in the forms are of.
    zone: &'static str,
    facts: Vec<Fact>,
    /// The rollout that takes it back, and the one that it takes back; empty = there is none.
    inverse: String,
    original: String,
    total: Bar,
    waves: Vec<Wave>,
    sick: Vec<DeviceRow>,
    /// Where all of them are; empty = these are all.
    more_sick: String,
    reasons: Vec<Reason>,
    story: Vec<Entry>,
}

/// A wave with what its gate saw.
#[derive(Debug, Serialize)]
struct Wave {
    name: String,
    state: &'static str,
    label: &'static str,
    bar: Bar,
    href: String,
    started: Option<When>,
    ended: Option<When>,
    approved_by: String,
    /// What its gate decided last, in words; empty = nothing yet.
    gate: String,
    checks: Vec<Check>,
}

/// One thing that a gate looked at.
#[derive(Debug, Serialize)]
struct Check {
    state: &'static str,
    words: String,
}

/// Why devices are not well, or were left out.
#[derive(Debug, Serialize)]
struct Reason {
    state: &'static str,
    label: String,
    reason: String,
    devices: String,
    href: String,
}

/// `GET /rollouts/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Html<String>, Failure> {
    let view = service::get(&app, viewer.ctx(), id).await?;
    let groups = group_names(&app, viewer.ctx(), &view).await?;
    let page = RolloutPage {
        shell: Shell::new(&viewer, &app.config, &view.row.name, Section::Rollouts),
        plan: words::plan(&view.plan, &groups),
        rollout: shown(&app, &viewer, view, &groups).await?,
    };
    Ok(render(View::Rollout, &page)?)
}

/// `GET /rollouts/{id}/state`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Html<String>, Failure> {
    let view = service::get(&app, viewer.ctx(), id).await?;
    let groups = group_names(&app, viewer.ctx(), &view).await?;
    let rollout = shown(&app, &viewer, view, &groups).await?;
    Ok(render(View::RolloutState, &StateFragment { rollout })?)
}

/// What is read beside the rollout itself.
struct Around {
    files: Names,
    /// One more than is shown tells whether there are more.
    sick: Vec<DeviceRow>,
    reasons: Vec<Why>,
    story: Vec<Entry>,
}

async fn shown(app: &App, viewer: &Viewer, view: Rollout, groups: &Names) -> Result<Shown, Error> {
    let (ctx, id) = (viewer.ctx(), view.row.rollout_id);
    let filter = Filter {
        states: SICK.split(',').map(str::to_owned).collect(),
        limit: with_one_more(LATEST),
        ..Filter::default()
    };
    let sick = read::devices(app, ctx, id, &filter).await?;
    let story = read::story(app, ctx, id, None, with_one_more(LATEST)).await?;
    let around = Around {
        files: file_names(app, ctx, &view).await?,
        sick: sick.iter().map(|device| devices::row(device, ctx.now)).collect(),
        reasons: read::reasons(app, ctx, id).await?,
        story: story.iter().take(LATEST).map(|entry| story::entry(entry, ctx.now)).collect(),
    };
    let offer = offer::of(ctx, &view);
    Ok(told(&view, around, offer, groups, days::zone(viewer).name(), ctx.now))
}

/// The groups that a rollout names. One that is there no more has no name.
async fn group_names(app: &App, ctx: &Ctx, view: &Rollout) -> Result<Names, Error> {
    let taken = view.plan.waves.iter().filter_map(|wave| match wave.take {
        Take::Group(group) => Some(group),
        _ => None,
    });
    let mut names = Names::default();
    let scope = view.row.scope.iter().flatten();
    let bounds = scope.filter_map(|place| Uuid::try_parse(place.strip_prefix(GROUP)?).ok());
    for id in taken.chain(view.audience.group_id).chain(bounds) {
        match groups::get(app, ctx, id).await {
            Ok(group) => names.0.push((id, group.name)),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

/// The files that a rollout sends.
async fn file_names(app: &App, ctx: &Ctx, view: &Rollout) -> Result<Names, Error> {
    let mut names = Names::default();
    let Change::Script { artifact_id, undo_artifact_id } = &view.change else {
        return Ok(names);
    };
    for id in [*artifact_id].into_iter().chain(*undo_artifact_id) {
        match artifacts::get(app, ctx, id).await {
            Ok(file) => names.0.push((id, file.name)),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

fn told(
    view: &Rollout,
    around: Around,
    offer: Offer,
    groups: &Names,
    zone: &'static str,
    now: DateTime<Utc>,
) -> Shown {
    let row = &view.row;
    let here = path(row.rollout_id);
    let all: Vec<&WaveRow> = view.waves.iter().collect();
    let in_flight = view.waves.iter().any(|wave| wave.active + wave.verifying > 0);
    let idle = view.state == Stage::Draft || view.state.is_final();
    let until = match view.state {
        Stage::Scheduled | Stage::AwaitingApproval => row.start_at,
        Stage::Soaking => row.soak_until,
        _ => None,
    };
    let devices = format!("{here}/devices");
    let (sick, more) = cut(around.sick, LATEST);
    let link = |id: Option<Uuid>| id.map(path).unwrap_or_default();
    Shown {
        name: row.name.clone(),
        description: row.description.clone(),
        state: words::shape(view.state),
        label: words::label(view.state),
        mark: words::mark(view.state),
        reason: row.reason.clone().unwrap_or_default(),
        since: When::new(row.state_at, now),
        until: until.map(|at| When::new(at, now)),
        draft: view.state == Stage::Draft,
        live: !idle || in_flight,
        preparing: view.state == Stage::Running && row.prepared_at.is_none(),
        asks: asks(&offer),
        offer,
        zone,
        facts: facts(view, &around.files, groups, now),
        inverse: link(row.inverse_id),
        original: link(row.inverse_of),
        total: bars::bar("All waves", &all),
        waves: view.waves.iter().map(|wave| self::wave(view, wave, &devices, now)).collect(),
        sick,
        more_sick: if more { address(&devices, &[("state", SICK)]) } else { String::new() },
        reasons: around.reasons.iter().map(|why| reason(why, &devices)).collect(),
        story: around.story,
        here,
    }
}

/// Where it may go.
fn bounds(places: &[String], groups: &Names) -> String {
    let words = |place: &String| match place.strip_prefix(GROUP) {
        Some(id) => {
            let name = Uuid::try_parse(id).map_or_else(|_| id.to_owned(), |id| groups.of(id));
            format!("in group {name}")
        }
        None => format!("at {place} and below"),
    };
    format!("only {}", places.iter().map(words).collect::<Vec<_>>().join(", "))
}

/// What it is, for whom, and by whom.
fn facts(view: &Rollout, files: &Names, groups: &Names, now: DateTime<Utc>) -> Vec<Fact> {
    let row = &view.row;
    let time = |at: Option<DateTime<Utc>>| at.map(|at| When::new(at, now).both());
    let who = |name: &Option<String>| name.clone().unwrap_or_default();
    let mut facts = words::change(&view.change, files);
    facts.extend([
        Fact::new("For", words::whom(&view.audience, groups)),
        Fact::new("Where", row.scope.as_ref().map(|s| bounds(s, groups)).unwrap_or_default()),
        Fact::new(
            "Written by",
            format!("{}, {}", row.created_by, When::new(row.created_at, now).both()),
        ),
        Fact::new("Started by", who(&row.started_by)),
        Fact::new("Approved by", who(&row.approved_by)),
        Fact::new("Begun", time(row.started_at).unwrap_or_default()),
        Fact::new("Ended", time(row.finished_at).unwrap_or_default()),
    ]);
    facts
}

fn wave(view: &Rollout, wave: &WaveRow, devices: &str, now: DateTime<Utc>) -> Wave {
    let (state, label) = wave_state(view, wave);
    let verdict = wave.verdict.as_ref().and_then(gate);
    let check = |ok: Option<bool>| match ok {
        Some(true) => "ok",
        Some(false) => "bad",
        None => "idle",
    };
    let time = |at: Option<DateTime<Utc>>| at.map(|at| When::new(at, now));
    let number = wave.wave.to_string();
    Wave {
        name: wave.name.clone(),
        state,
        label,
        bar: bars::bar(&wave.name, &[wave]),
        href: address(devices, &[("wave", number.as_str())]),
        started: time(wave.started_at),
        ended: time(wave.ended_at),
        approved_by: wave.approved_by.clone().unwrap_or_default(),
        gate: verdict.as_ref().map(|seen| seen.words.clone()).unwrap_or_default(),
        checks: verdict
            .map(|seen| seen.checks)
            .unwrap_or_default()
            .into_iter()
            .map(|seen| Check { state: check(seen.ok), words: seen.words })
            .collect(),
    }
}

fn gate(verdict: &Value) -> Option<GateVerdict> {
    serde_json::from_value(verdict.clone()).ok()
}

/// Where a wave is: its shape and its word.
fn wave_state(view: &Rollout, wave: &WaveRow) -> (&'static str, &'static str) {
    if wave.ended_at.is_some() || wave.wave < view.row.wave {
        return ("good", "good");
    }
    if wave.wave > view.row.wave {
        return ("idle", "to come");
    }
    match view.state {
        Stage::Draft | Stage::AwaitingApproval | Stage::Scheduled => ("idle", "to come"),
        Stage::Running => ("running", "under way"),
        Stage::Soaking => ("busy", "watched"),
        Stage::Paused => ("warn", "paused"),
        Stage::Completed => ("good", "good"),
        Stage::Aborted | Stage::RollingBack | Stage::RolledBack => ("cancelled", "ended"),
    }
}

fn reason(why: &Why, devices: &str) -> Reason {
    Reason {
        state: words::device_shape(&why.state),
        label: words::plain(&why.state),
        reason: match why.reason.as_str() {
            "" => "nobody said why".to_owned(),
            reason => reason.to_owned(),
        },
        devices: grouped(why.devices),
        href: address(devices, &[("state", why.state.as_str())]),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
