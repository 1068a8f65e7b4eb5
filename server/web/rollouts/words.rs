//! Rollouts in words: their states and those of their devices, what they do, to whom, and how. Pure.

use serde_json::Value;
use uuid::Uuid;

use crate::rollout::change::{Audience, Change};
use crate::rollout::device::Step;
use crate::rollout::plan::{Checks, OnError, Order, Pace, Plan, Take, Wave};
use crate::rollout::state::{DeviceState, State};
use crate::rollout::words::count_of;
use crate::web::manage::Fact;

/// Ids with the names that people know.
#[derive(Debug, Default)]
pub(super) struct Names(pub(super) Vec<(Uuid, String)>);

impl Names {
    /// The name; the id of what is there no more.
    pub(super) fn of(&self, id: Uuid) -> String {
        let named = self.0.iter().find(|(known, _)| *known == id);
        named.map_or_else(|| id.to_string(), |(_, name)| name.clone())
    }

    /// The id of this name, or of this id.
    pub(super) fn id(&self, name: &str) -> Option<Uuid> {
        let named = self.0.iter().find(|(_, known)| known == name);
        named.map(|(id, _)| *id).or_else(|| Uuid::try_parse(name).ok())
    }
}

/// A state's word among those of the style sheet.
pub(super) fn shape(state: State) -> &'static str {
    match state {
        State::Draft => "idle",
        State::AwaitingApproval | State::Paused => "warn",
        State::Scheduled => "queued",
        State::Running | State::RollingBack => "running",
        State::Soaking => "busy",
        State::Completed => "done",
        State::Aborted | State::RolledBack => "cancelled",
    }
}

/// A state as it stands alone.
pub(super) fn label(state: State) -> &'static str {
    if state == State::Draft { "draft" } else { state.words() }
}

/// The kind of note in which the reason of a state stands.
pub(super) fn mark(state: State) -> &'static str {
    match state {
        State::AwaitingApproval | State::Paused | State::Aborted | State::RollingBack => "warn",
        State::Completed => "done",
        _ => "idle",
    }
}

/// The same of a device's state, by its stored word.
pub(in crate::web) fn device_shape(state: &str) -> &'static str {
    match DeviceState::of(state) {
        Some(DeviceState::Waiting | DeviceState::Due | DeviceState::Offered) => "queued",
        Some(DeviceState::Downloading | DeviceState::Rebooting) => "running",
        Some(DeviceState::Verifying) => "busy",
        Some(DeviceState::Healthy) => "good",
        Some(DeviceState::Failed) => "failed",
        Some(DeviceState::TimedOut) => "late",
        Some(DeviceState::Skipped) | None => "none",
    }
}

/// What is done in a step.
pub(super) fn step(step: &Step) -> String {
    match step {
        Step::Upgrade { version, .. } => format!("upgrade to {version}"),
        Step::Backup => "keep its configuration".to_owned(),
        Step::Script { .. } | Step::Template => "run the script".to_owned(),
        Step::Report => "ask what became of the script".to_owned(),
        Step::Parameters => "write the parameters".to_owned(),
        Step::Routerboot => "write RouterBOOT".to_owned(),
        Step::Reboot => "restart".to_owned(),
        Step::Inspect => "ask what is installed".to_owned(),
    }
}

/// A stored word as people read it.
pub(in crate::web) fn plain(word: &str) -> String {
    word.replace('_', " ")
}

/// What it does, in a few words.
pub(super) fn what(change: &Change) -> String {
    match change {
        Change::Release { version, .. } => format!("RouterOS {version}"),
        Change::Script { .. } => "a script".to_owned(),
        Change::Template { template, .. } => format!("the template {template}"),
        Change::Parameters { parameters } => count_of(parameters.len() as u64, "parameter"),
        Change::PreviousRelease => "back to the RouterOS before".to_owned(),
        Change::PreviousParameters => "back to the parameters before".to_owned(),
    }
}

/// What it does, for its own page.
pub(super) fn change(change: &Change, files: &Names) -> Vec<Fact> {
    match change {
        Change::Release { routerboot, downgrade, .. } => vec![
            Fact::new("What", what(change)),
            Fact::new("RouterBOOT", if *routerboot { "upgraded too" } else { "" }),
            Fact::new("Newer ones", if *downgrade { "taken down to it" } else { "skipped" }),
        ],
        Change::Script { artifact_id, undo_artifact_id } => vec![
            Fact::new("What", format!("the script {}", files.of(*artifact_id))),
            Fact::new(
                "Taken back by",
                match undo_artifact_id {
                    Some(undo) => format!("the script {}", files.of(*undo)),
                    None => "nothing: it cannot be rolled back".to_owned(),
                },
            ),
        ],
        Change::Template { template, version, variables, undo, .. } => {
            let set = |(name, value): (&String, &Value)| match value {
                Value::String(text) => format!("{name} = {text}"),
                value => format!("{name} = {value}"),
            };
            let values: Vec<String> = variables.0.iter().map(set).collect();
            let undo = undo.as_ref().map(|undo| numbered(&undo.template, undo.version));
            vec![
                Fact::new("What", numbered(template, *version)),
                Fact::new("With", values.join(", ")),
                Fact::new(
                    "Taken back by",
                    undo.unwrap_or_else(|| "nothing: it cannot be rolled back".to_owned()),
                ),
            ]
        }
        Change::Parameters { parameters } => {
            let set = |p: &crate::jobs::spec::SetParameter| format!("{} = {}", p.name, p.value);
            let all: Vec<String> = parameters.iter().map(set).collect();
            vec![Fact::new("What", all.join(", "))]
        }
        Change::PreviousRelease | Change::PreviousParameters => {
            vec![Fact::new("What", what(change))]
        }
    }
}

/// A template and its version.
fn numbered(template: &str, version: Option<i32>) -> String {
    match version {
        Some(version) => format!("the template {template}, version {version}"),
        None => format!("the template {template}"),
    }
}

/// For whom it is.
pub(super) fn whom(audience: &Audience, groups: &Names) -> String {
    let who = match (&audience.selector, audience.group_id) {
        (Some(selector), _) => selector.clone(),
        (None, Some(group)) => format!("the group {}", groups.of(group)),
        (None, None) => "the devices that the other rollout had changed".to_owned(),
    };
    if audience.dynamic { format!("{who}; also those that come to match later") } else { who }
}

/// Which devices a wave takes.
pub(super) fn take(take: &Take, groups: &Names) -> String {
    match take {
        Take::Devices(devices) => devices.join(", "),
        Take::Count(count) => count_of(u64::from(*count), "device"),
        Take::Percent(percent) => format!("{percent} %"),
        Take::Group(group) => format!("the group {}", groups.of(*group)),
        Take::Site(site) => format!("at {site} and below"),
        Take::Rest => "all that are left".to_owned(),
    }
}

fn wave(number: usize, wave: &Wave, groups: &Names) -> String {
    let mut text = match &wave.name {
        Some(name) => format!("{name}: {}", take(&wave.take, groups)),
        None => format!("wave {}: {}", number + 1, take(&wave.take, groups)),
    };
    if wave.approval {
        text.push_str(", once it is approved");
    }
    if let Some(minutes) = wave.soak_minutes {
        text.push_str(&format!(", watched for {}", span(u64::from(minutes))));
    }
    text
}

/// How it goes, part by part.
pub(super) fn plan(plan: &Plan, groups: &Names) -> Vec<Fact> {
    let waves: Vec<String> =
        plan.waves.iter().enumerate().map(|(i, w)| wave(i, w, groups)).collect();
    let blackout: Vec<String> =
        plan.blackout.iter().map(|days| format!("{} to {}", days.from, days.to)).collect();
    let success = &plan.success;
    let d = &plan.deadlines;
    vec![
        Fact::new("Waves", waves.join("; ")),
        Fact::new(
            "Order",
            match plan.order {
                Order::Spread => "spread over the fleet",
                Order::Site => "site by site",
                Order::Topology => "the farthest from the uplink first",
            },
        ),
        Fact::new(
            "A wave is good",
            format!(
                "when {} % are healthy, of at least {}",
                success.percent,
                count_of(u64::from(success.minimum), "device")
            ),
        ),
        Fact::new("It stops", errors(plan)),
        Fact::new("Watched after it", span(u64::from(plan.soak_minutes))),
        Fact::new("Four eyes", if plan.four_eyes { "somebody else approves it" } else { "" }),
        Fact::new("Pace", pace(&plan.pace)),
        Fact::new("Maintenance windows", if plan.heed_windows { "heeded" } else { "not heeded" }),
        Fact::new("Not on", blackout.join(", ")),
        Fact::new(
            "Before the change",
            if plan.backup { "the configuration is kept" } else { "nothing is kept" },
        ),
        Fact::new("Healthy means", checks(&plan.checks)),
        Fact::new(
            "Deadlines",
            format!(
                "{} h to take the order, {} to be back, {} to be verified; a baseline is at most {} old",
                d.offer_hours,
                span(u64::from(d.back_minutes)),
                span(u64::from(d.verify_minutes)),
                span(u64::from(d.baseline_minutes))
            ),
        ),
        Fact::new("Tried again", count_of(u64::from(plan.retries), "time")),
    ]
}

fn errors(plan: &Plan) -> String {
    let error = &plan.error;
    let mut when = Vec::new();
    if let Some(percent) = error.percent {
        let ended = count_of(u64::from(error.minimum), "ended device");
        when.push(format!("more than {percent} % failed, from {ended} on"));
    }
    if let Some(count) = error.count {
        when.push(format!("{count} failed"));
    }
    if when.is_empty() {
        return "only at the end of a wave that is not good".to_owned();
    }
    let then = match error.then {
        OnError::Pause => "it pauses",
        OnError::Abort => "it is aborted",
        OnError::RollBack => "it is rolled back",
    };
    format!("when {}: {then}", when.join(", or "))
}

fn pace(pace: &Pace) -> String {
    let limits = [
        (pace.per_minute, "begun per minute"),
        (pace.per_day, "begun per day"),
        (Some(pace.concurrent), "at a time"),
        (pace.per_site, "at a time at a site"),
        (pace.per_uplink, "at a time behind an uplink"),
        (pace.megabits, "Mbit/s of downloads"),
    ];
    let said = limits.into_iter().filter_map(|(most, of)| Some(format!("{} {of}", most?)));
    said.collect::<Vec<_>>().join(", ")
}

fn checks(c: &Checks) -> String {
    let flag = |on: bool, words: &str| on.then(|| words.to_owned());
    let all = [
        c.missed_informs.map(|n| format!("at most {} missed", count_of(u64::from(n), "inform"))),
        flag(c.crash, "no crash"),
        flag(c.uptime, "no restart by itself"),
        flag(c.wan, "WAN up"),
        c.cpu_points.map(|n| format!("processor at most {n} points busier")),
        c.memory_percent.map(|n| format!("free memory at most {n} % less")),
        c.link_downs.map(|n| format!("at most {} lost", count_of(u64::from(n), "link"))),
        c.signal_db.map(|n| format!("signal at most {n} dB weaker")),
        c.clients_percent.map(|n| format!("at most {n} % of the clients gone")),
    ];
    let on: Vec<String> = all.into_iter().flatten().collect();
    if on.is_empty() {
        "only that it is back on what it should run".to_owned()
    } else {
        on.join(", ")
    }
}

/// Minutes in words.
pub(super) fn span(minutes: u64) -> String {
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => count_of(days, "day"),
        (days, hours, _) => format!("{} {hours} h", count_of(days, "day")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn text(facts: &[Fact]) -> String {
        let facts = serde_json::to_value(facts).unwrap();
        let line = |fact: &Value| {
            format!("{}: {}", fact["label"].as_str().unwrap(), fact["value"].as_str().unwrap())
        };
        facts.as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_state_has_a_shape_and_a_word() {
        for state in State::ALL {
            assert!(
                !shape(state).is_empty() && !label(state).is_empty() && !mark(state).is_empty()
            );
        }
        assert_eq!(label(State::Draft), "draft");
        for state in DeviceState::ALL {
            let none = device_shape(state.word()) == "none";
            assert_eq!(none, state == DeviceState::Skipped, "{state:?}");
        }
        assert_eq!(device_shape("timed_out"), "late");
        assert_eq!(plain("timed_out"), "timed out");
    }

    #[test]
    fn the_careful_plan_can_be_said() {
        let said = text(&plan(&Plan::default(), &Names::default()));
        for part in [
            "Waves: wave 1: 1 %; wave 2: 10 %; wave 3: all that are left",
            "A wave is good: when 95 % are healthy, of at least 1 device",
            "It stops: when more than 5 % failed, from 5 ended devices on: it pauses",
            "Watched after it: 1 h",
            "Pace: 100 at a time",
            "Maintenance windows: heeded",
            "Before the change: the configuration is kept",
            "no crash, no restart by itself, WAN up",
            "24 h to take the order, 30 min to be back",
            "Tried again: 1 time",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    #[test]
    fn what_is_named_by_an_id_is_told_by_its_name() {
        let [office, gone] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let names = Names(vec![(office, "office".to_owned())]);
        let of = |group| Audience { group_id: Some(group), dynamic: true, ..Audience::default() };
        assert_eq!(
            whom(&of(office), &names),
            "the group office; also those that come to match later"
        );
        assert!(whom(&of(gone), &names).contains(&gone.to_string()));
        assert_eq!((names.id("office"), names.id("none")), (Some(office), None));
        assert_eq!(names.id(&gone.to_string()), Some(gone));
        let change = Change::Script { artifact_id: office, undo_artifact_id: None };
        let facts = text(&super::change(&change, &names));
        assert!(facts.contains("the script office") && facts.contains("cannot be rolled back"));
    }

    #[test]
    fn a_template_is_told_with_its_values_and_what_takes_it_back() {
        let change: Change = serde_json::from_value(json!({
            "kind": "template", "template": "home", "version": 3,
            "variables": { "floor": 2, "ssid": "attic" },
            "undo": { "template": "bare", "version": 1 },
        }))
        .unwrap();
        assert_eq!(what(&change), "the template home");
        let facts = text(&super::change(&change, &Names::default()));
        for part in [
            "What: the template home, version 3",
            "With: floor = 2, ssid = attic",
            "Taken back by: the template bare, version 1",
        ] {
            assert!(facts.contains(part), "{part} in {facts}");
        }
    }

    #[test]
    fn times_and_waves_are_told_as_people_say_them() {
        for (minutes, words) in [
            (0, "0 min"),
            (59, "59 min"),
            (60, "1 h"),
            (90, "1 h 30 min"),
            (1_440, "1 day"),
            (1_500, "1 day 1 h"),
            (2_880, "2 days"),
        ] {
            assert_eq!(span(minutes), words);
        }
        let canary = Wave {
            name: Some("canary".to_owned()),
            take: Take::Devices(vec!["serial:A".to_owned()]),
            approval: true,
            soak_minutes: Some(30),
        };
        let said = wave(0, &canary, &Names::default());
        assert_eq!(said, "canary: serial:A, once it is approved, watched for 30 min");
        let plan: Plan = serde_json::from_value(json!({ "error": { "percent": null } })).unwrap();
        assert!(errors(&plan).starts_with("only at the end"));
    }
}
