use serde_json::json;

use super::*;
use crate::rollout::state::DeviceState;
use crate::service::rollouts::offer::tests::view;
use crate::web::views::sample;

fn around(full: bool) -> Around {
    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let device = || devices::row(&devices::sample(DeviceState::Failed), now);
    let entry = |kind| story::entry(&story::sample(kind, json!({ "text": "<x-evil>" })), now);
    let why = |state: &str| Why { state: state.to_owned(), reason: evil(), devices: 3 };
    Around {
        files: Names(vec![(Uuid::nil(), evil())]),
        sick: if full { (0..=LATEST).map(|_| device()).collect() } else { Vec::new() },
        reasons: if full { vec![why("failed"), why("skipped")] } else { Vec::new() },
        story: if full { vec![entry("device"), entry("wave")] } else { Vec::new() },
    }
}

fn shown_as(state: Stage, full: bool) -> Shown {
    let mut rollout = view(state);
    let evil = Some("<x-evil>".to_owned());
    rollout.row.name = "<x-evil>".to_owned();
    if full {
        rollout.row.description = "<x-evil>".to_owned();
        rollout.row.reason = evil.clone();
        rollout.row.start_at = Some(DateTime::UNIX_EPOCH);
        rollout.row.soak_until = Some(DateTime::UNIX_EPOCH);
        rollout.row.inverse_of = Some(Uuid::nil());
        rollout.row.inverse_id = Some(Uuid::nil());
        rollout.waves[0].ended_at = Some(DateTime::UNIX_EPOCH);
        rollout.waves[1].approved_by = evil;
        rollout.waves[1].verdict = Some(verdict());
    } else {
        rollout.waves.clear();
    }
    let ctx = Ctx::console(DateTime::UNIX_EPOCH);
    rollout.row.scope = None;
    let offer = offer::of(&ctx, &rollout);
    told(&rollout, around(full), offer, &Names::default(), "Europe/Riga", DateTime::UNIX_EPOCH)
}

fn verdict() -> Value {
    let counts = json!({
        "total": 10, "waiting": 0, "active": 0, "verifying": 0, "healthy": 8, "failed": 2,
        "timed_out": 0, "skipped": 0, "held": 0, "forgiven": 0,
    });
    json!({ "words": "<x-evil>", "counts": counts, "checks": [
        { "check": "error_count", "ok": false, "value": 2.0, "limit": 1.0, "words": "<x-evil>" },
        { "check": "sample", "ok": null, "value": 2.0, "limit": 1.0, "words": "<x-evil>" },
    ] })
}

pub(in crate::web::rollouts) fn samples() -> Vec<(View, serde_json::Value)> {
    let page = |state: Stage, full: bool| {
        let plan = words::plan(&crate::rollout::plan::Plan::default(), &Names::default());
        let page = RolloutPage { shell: Shell::sample(), rollout: shown_as(state, full), plan };
        sample(View::Rollout, &page)
    };
    let mut samples: Vec<_> =
        Stage::ALL.into_iter().map(|state| page(state, state != Stage::Draft)).collect();
    samples.push(page(Stage::Running, false));
    let rollout = shown_as(Stage::Paused, true);
    samples.push(sample(View::RolloutState, &StateFragment { rollout }));
    samples
}

#[test]
fn a_page_asks_for_itself_while_something_can_change() {
    for state in Stage::ALL {
        let in_flight = shown_as(state, true);
        assert!(in_flight.live, "{state:?}: devices are in flight");
        let quiet = shown_as(state, false);
        let idle = state == Stage::Draft || state.is_final();
        assert_eq!(quiet.live, !idle, "{state:?}");
    }
}

#[test]
fn a_gate_is_told_with_what_it_saw() {
    let shown = shown_as(Stage::Paused, true);
    let states: Vec<&str> = shown.waves.iter().map(|wave| wave.label).collect();
    assert_eq!(states, ["good", "paused", "to come"]);
    let checks: Vec<&str> = shown.waves[1].checks.iter().map(|check| check.state).collect();
    assert_eq!(checks, ["bad", "idle"]);
    assert!(shown.waves[0].gate.is_empty());
    assert!(shown.waves[1].href.ends_with("/devices?wave=1"), "{}", shown.waves[1].href);
}

#[test]
fn of_many_sick_devices_a_few_are_shown_and_where_the_others_are() {
    let shown = shown_as(Stage::Running, true);
    assert_eq!(shown.sick.len(), LATEST);
    assert!(shown.more_sick.ends_with("/devices?state=failed%2Ctimed_out"), "{}", shown.more_sick);
    assert_eq!(shown_as(Stage::Running, false).more_sick, "");
}
