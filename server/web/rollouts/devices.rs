//! All devices of a rollout: where each is, why, and what the checks saw of it.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{path, words};
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::health::{CheckSeen, Verdict};
use crate::rollout::device::Step;
use crate::rollout::state::DeviceState;
use crate::service::rollouts::{self as service, View as Rollout, read};
use crate::store::rollouts::devices::list::{Filter, ListRow};
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::manage::{address, answer, cut, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Devices on a page.
const PAGE: usize = 100;
/// The states of those that are not well, as one choice.
pub(super) const SICK: &str = "failed,timed_out";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DevicesQuery {
    /// States with commas between.
    state: String,
    /// From 0.
    wave: String,
    after: String,
}

#[derive(Serialize)]
struct DevicesPage {
    shell: Shell,
    here: String,
    name: String,
    /// What the list shows, for who comes back to it.
    shown: DevicesQuery,
    states: Vec<Choice>,
    waves: Vec<Choice>,
    devices: Vec<DeviceRow>,
    may_exclude: bool,
    filtered: bool,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

/// A device of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct DeviceRow {
    pub(super) id: Uuid,
    serial: String,
    identity: String,
    model: String,
    site: String,
    wave: String,
    state: &'static str,
    label: String,
    /// What it ran, is to run, and runs now.
    from: String,
    to: String,
    version: String,
    /// What is done to it now; empty where nothing is.
    step: String,
    reason: String,
    /// The job of this step.
    job: Option<Uuid>,
    /// Since when it is under way.
    since: Option<When>,
    checks: Vec<CheckRow>,
    /// It can be left out.
    excludable: bool,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct CheckRow {
    state: &'static str,
    words: String,
    before: String,
    now: String,
}

/// `GET /rollouts/{id}/devices`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Query(query): Query<DevicesQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let rollout = service::get(&app, ctx, id).await?;
    let found = read::devices(&app, ctx, id, &filter(&query)?).await?;
    let (found, more) = cut(found, PAGE);
    let last = found.last().filter(|_| more).map(place_text);
    let here = path(id);
    let list = format!("{here}/devices");
    let [state, wave] = [("state", query.state.as_str()), ("wave", query.wave.as_str())];
    let title = format!("{}, devices", rollout.row.name);
    let page = DevicesPage {
        shell: Shell::new(&viewer, &app.config, title, Section::Rollouts),
        states: states(&query.state),
        waves: waves(&rollout, &query.wave),
        devices: found.iter().map(|device| row(device, ctx.now)).collect(),
        may_exclude: service::offer::of(ctx, &rollout).exclude,
        filtered: !query.state.is_empty() || !query.wave.is_empty(),
        first: match query.after.is_empty() {
            true => String::new(),
            false => address(&list, &[state, wave]),
        },
        next: last
            .map(|after| address(&list, &[state, wave, ("after", after.as_str())]))
            .unwrap_or_default(),
        name: rollout.row.name,
        here,
        shown: query,
    };
    answer(View::RolloutDevices, &page, &Complaints::default())
}

fn filter(query: &DevicesQuery) -> Result<Filter, Error> {
    let none = || Error::invalid("", "This page does not exist: start from the first one.");
    let states = query.state.split(',').filter(|word| !word.is_empty());
    let states = states
        .map(|word| DeviceState::of(word).map(|state| state.word().to_owned()).ok_or_else(none))
        .collect::<Result<_, _>>()?;
    let wave = match query.wave.as_str() {
        "" => None,
        number => Some(number.parse().map_err(|_| none())?),
    };
    let after = match query.after.as_str() {
        "" => None,
        text => Some(place(text).ok_or_else(none)?),
    };
    Ok(Filter { states, wave, after, limit: with_one_more(PAGE), ..Filter::default() })
}

/// A place in the list: its turn and its id.
fn place(text: &str) -> Option<(i64, Uuid)> {
    let (position, id) = text.split_once('_')?;
    Some((position.parse().ok()?, Uuid::try_parse(id).ok()?))
}

fn place_text(device: &ListRow) -> String {
    format!("{}_{}", device.position, device.device_id.simple())
}

fn states(chosen: &str) -> Vec<Choice> {
    let choice = |value: &str, label: String| Choice {
        chosen: value == chosen,
        value: value.to_owned(),
        label,
    };
    let sick = choice(SICK, "failed or timed out".to_owned());
    let one = |state: DeviceState| choice(state.word(), words::plain(state.word()));
    [sick].into_iter().chain(DeviceState::ALL.into_iter().map(one)).collect()
}

fn waves(rollout: &Rollout, chosen: &str) -> Vec<Choice> {
    let choice = |wave: &crate::store::rollouts::waves::WaveRow| Choice {
        chosen: wave.wave.to_string() == chosen,
        value: wave.wave.to_string(),
        label: wave.name.clone(),
    };
    rollout.waves.iter().map(choice).collect()
}

/// A device as it is shown.
pub(super) fn row(device: &ListRow, now: DateTime<Utc>) -> DeviceRow {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let state = DeviceState::of(&device.state);
    let active = state.is_some_and(DeviceState::is_active);
    let out = [DeviceState::Waiting, DeviceState::Failed, DeviceState::TimedOut];
    DeviceRow {
        id: device.device_id,
        serial: device.serial.clone(),
        identity: text(&device.identity),
        model: device.product_class.clone(),
        site: text(&device.site),
        wave: device.wave.map(|wave| (wave + 1).to_string()).unwrap_or_default(),
        state: words::device_shape(&device.state),
        label: words::plain(&device.state),
        from: text(&device.from_version),
        to: text(&device.to_version),
        version: text(&device.version),
        step: if active { step(&device.steps, device.step) } else { String::new() },
        reason: text(&device.reason),
        job: device.job_id,
        since: device.finished_at.or(device.started_at).map(|at| When::new(at, now)),
        checks: device.verdict.as_ref().map(checks).unwrap_or_default(),
        excludable: state.is_some_and(|state| out.contains(&state)),
    }
}

/// The step that a device is at, such as `step 1 of 2: upgrade to 7.12.1`.
fn step(steps: &Value, at: i32) -> String {
    let steps: Vec<Step> = serde_json::from_value(steps.clone()).unwrap_or_default();
    let at = usize::try_from(at).unwrap_or_default();
    match (steps.get(at), steps.len()) {
        (None, _) => String::new(),
        (Some(step), 1) => words::step(step),
        (Some(step), all) => format!("step {} of {all}: {}", at + 1, words::step(step)),
    }
}

/// What the checks of the last look saw: what is not well comes first.
fn checks(verdict: &Value) -> Vec<CheckRow> {
    let verdict: Option<Verdict> = serde_json::from_value(verdict.clone()).ok();
    let mut seen = verdict.map(|verdict| verdict.checks).unwrap_or_default();
    seen.sort_by_key(|check| check.ok != Some(false));
    let row = |check: CheckSeen| CheckRow {
        state: match check.ok {
            Some(true) => "ok",
            Some(false) => "bad",
            None => "none",
        },
        words: check.words,
        before: check.before.unwrap_or_default(),
        now: check.now.unwrap_or_default(),
    };
    seen.into_iter().map(row).collect()
}

/// One that failed, and calls itself something evil.
#[cfg(test)]
pub(super) fn sample(state: DeviceState) -> ListRow {
    use serde_json::json;

    let evil = || "<x-evil>".to_owned();
    let at = DateTime::UNIX_EPOCH;
    ListRow {
        device_id: Uuid::from_u128(7),
        serial: evil(),
        identity: Some(evil()),
        product_class: evil(),
        arch: Some("arm".to_owned()),
        version: Some("7.12.1".to_owned()),
        site: Some(evil()),
        wave: Some(1),
        position: 12,
        state: state.word().to_owned(),
        reason: Some(evil()),
        fault_class: None,
        steps: json!([
            { "step": "upgrade", "version": "7.12.1", "packages": [], "bytes": 1 },
            { "step": "reboot" },
        ]),
        step: 0,
        attempts: 1,
        job_id: Some(Uuid::from_u128(8)),
        from_version: Some("6.49.10".to_owned()),
        to_version: Some("7.16.1".to_owned()),
        bytes: 1,
        baseline: None,
        verdict: Some(json!({ "healthy": false, "checks": [
            { "check": "wan", "ok": true, "before": "up", "now": "up", "words": evil() },
            { "check": "crash", "ok": false, "before": null, "now": evil(), "words": evil() },
            { "check": "cpu", "ok": null, "before": null, "now": null, "words": evil() },
        ] })),
        started_at: Some(at),
        changed_at: None,
        finished_at: None,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, Value)> {
    use crate::web::views::sample as render_with;

    let page = |devices: Vec<DeviceRow>, filtered: bool| {
        let rollout = service::offer::tests::view(crate::rollout::state::State::Running);
        let page = DevicesPage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: "<x-evil>".to_owned(),
            shown: DevicesQuery {
                state: SICK.to_owned(),
                wave: "1".to_owned(),
                after: "12_x".to_owned(),
            },
            states: states(SICK),
            waves: waves(&rollout, "1"),
            devices,
            may_exclude: true,
            filtered,
            first: String::new(),
            next: if filtered { String::new() } else { "/rollouts/1/devices?after=1".to_owned() },
        };
        render_with(View::RolloutDevices, &page)
    };
    let now = DateTime::UNIX_EPOCH;
    let all = DeviceState::ALL.map(|state| row(&sample(state), now));
    vec![page(all.into(), false), page(Vec::new(), true), page(Vec::new(), false)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn asked(state: &str, wave: &str, after: &str) -> Result<Filter, Error> {
        filter(&DevicesQuery { state: state.into(), wave: wave.into(), after: after.into() })
    }

    #[test]
    fn an_address_names_states_a_wave_and_a_place() {
        let after = place_text(&sample(DeviceState::Failed));
        let filter = asked(SICK, "1", &after).unwrap();
        assert_eq!(filter.states, ["failed", "timed_out"]);
        assert_eq!((filter.wave, filter.after), (Some(1), Some((12, Uuid::from_u128(7)))));
        assert!(asked("", "", "").unwrap().states.is_empty());
        for (state, wave, after) in
            [("lost", "", ""), ("", "x", ""), ("", "", "1"), ("", "", "1_x")]
        {
            assert!(asked(state, wave, after).is_err(), "{state} {wave} {after}");
        }
    }

    #[test]
    fn leaving_one_out_says_where_in_the_list_that_was() {
        let (view, page) = samples().remove(0);
        let html = crate::web::views::render(view, &page).unwrap().0;
        for (name, value) in [("state", SICK), ("wave", "1"), ("after", "12_x")] {
            let field = format!("type=\"hidden\" name=\"{name}\" value=\"{value}\"");
            assert!(html.contains(&field), "{name}");
        }
    }

    #[test]
    fn a_device_says_what_is_done_to_it_and_what_its_checks_saw() {
        let now = DateTime::UNIX_EPOCH;
        let under_way = row(&sample(DeviceState::Downloading), now);
        assert_eq!(under_way.step, "step 1 of 2: upgrade to 7.12.1");
        assert_eq!((under_way.wave.as_str(), under_way.excludable), ("2", false));
        let failed = row(&sample(DeviceState::Failed), now);
        assert_eq!((failed.step.as_str(), failed.excludable), ("", true));
        let seen: Vec<&str> = failed.checks.iter().map(|check| check.state).collect();
        assert_eq!(seen, ["bad", "ok", "none"]);
        assert_eq!(row(&sample(DeviceState::TimedOut), now).label, "timed out");
    }

    #[test]
    fn what_cannot_be_read_any_more_is_left_out() {
        assert!(checks(&Value::from("healthy")).is_empty());
        assert_eq!(step(&Value::Null, 0), "");
        assert_eq!(step(&serde_json::json!([{ "step": "reboot" }]), 0), "restart");
    }
}
