#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::fleet::secret::MASK;
use crate::rollout::plan::Take;

const OFFICE: Uuid = Uuid::from_u128(1);

fn groups() -> Names {
    Names(vec![(OFFICE, "first floor".to_owned())])
}

fn fields(change: Value, plan: Value) -> RolloutFields {
    let fields = json!({
        "name": "spring", "description": "All that is old", "change": change,
        "audience": { "selector": "version < 7.16", "dynamic": true }, "plan": plan,
    });
    serde_json::from_value(fields).unwrap()
}

/// As a browser sends it.
fn sent(form: &BuilderForm) -> BuilderForm {
    serde_json::from_value(serde_json::to_value(form).unwrap()).unwrap()
}

fn full_plan() -> Value {
    json!({
        "waves": [
            { "name": "canary", "take": { "devices": ["serial:A1", "serial:B2"] },
              "soak_minutes": 5 },
            { "take": { "count": 7 }, "approval": true },
            { "take": { "percent": 12.5 } },
            { "take": { "group": OFFICE } },
            { "take": { "site": "eu.lv" } },
            { "take": "rest" },
        ],
        "order": "topology",
        "success": { "percent": 99.5, "minimum": 3 },
        "error": { "percent": null, "minimum": 2, "count": 4, "then": "roll_back" },
        "soak_minutes": 90, "four_eyes": true, "heed_windows": false, "retries": 0,
        "backup": false,
        "pace": { "per_minute": 1, "per_day": 2, "concurrent": 3, "per_site": 4, "per_uplink": 5,
                  "megabits": 6 },
        "blackout": [{ "from": "2026-12-24", "to": "2026-12-26" }],
        "checks": { "missed_informs": null, "crash": false, "uptime": true, "wan": false,
                    "cpu_points": 1, "memory_percent": null, "link_downs": 0, "signal_db": 3,
                    "clients_percent": 4 },
        "deadlines": { "offer_hours": 1, "back_minutes": 2, "verify_minutes": 3,
                       "baseline_minutes": 4 },
    })
}

#[test]
fn what_is_written_comes_back_as_it_was() {
    let release = json!({ "kind": "release", "version": "7.16.1", "downgrade": true });
    let script = json!({ "kind": "script", "artifact_id": OFFICE });
    let undo = json!({ "kind": "script", "artifact_id": OFFICE,
                       "undo_artifact_id": Uuid::from_u128(2) });
    let set = json!({ "kind": "parameters", "parameters": [
        { "name": "Device.A", "value": " two blanks " },
        { "name": "Device.B", "value": "7", "type": "unsignedInt" },
        { "name": "Device.C.Password", "value": MASK },
    ] });
    let template = json!({ "kind": "template", "template": "home", "version": 3,
        "variables": { "ssid": "[attic", "dns": ["192.0.2.1", "192.0.2.2"], "wifi_password": MASK },
        "undo": { "template": "bare", "version": 1 } });
    let newest = json!({ "kind": "template", "template": "home", "variables": {} });
    for change in [release, script, undo, set, template, newest] {
        for plan in [json!({}), full_plan(), json!({ "waves": [] })] {
            let fields = fields(change.clone(), plan);
            let form = sent(&BuilderForm::of(&fields, &groups()));
            assert_eq!(form.fields(&groups()).unwrap(), fields);
        }
    }
}

#[test]
fn a_new_one_has_the_careful_plan_and_rows_for_more_waves() {
    let form = BuilderForm::blank(What::Release);
    assert_eq!(form.plan(&groups()).unwrap(), Plan::default());
    assert_eq!(form.waves().len(), Plan::default().waves.len() + 2);
    assert_eq!((form.parameters().len(), form.blackout().len()), (2, 2));
}

#[test]
fn an_empty_row_is_no_wave_and_a_half_filled_one_is_told() {
    let mut form = BuilderForm { release: "7.16".to_owned(), ..BuilderForm::blank(What::Release) };
    form.wave_take = ["", "count", ""].map(str::to_owned).into();
    form.wave_what = ["", "3", ""].map(str::to_owned).into();
    let plan = form.plan(&groups()).unwrap();
    assert_eq!(plan.waves.len(), 1);
    assert_eq!(plan.waves[0].take, Take::Count(3));
    form.wave_what[2] = "9".to_owned();
    let Err(Error::Invalid { pointer, message }) = form.fields(&groups()) else { panic!("taken") };
    assert_eq!(
        (field(&pointer).as_str(), message.as_str()),
        ("waves", "Wave 2: say what it takes")
    );
}

#[test]
fn values_that_are_no_text_are_written_as_people_write_them() {
    let change = json!({ "kind": "template", "template": "home",
        "variables": { "floor": 2, "guest": true, "none": null, "pin_secret": "[\"1\"]" } });
    let form = BuilderForm::of(&fields(change, json!({})), &groups());
    assert_eq!(form.value, ["2", "yes", "", "[\"1\"]"]);
    let Change::Template { variables, .. } = form.fields(&groups()).unwrap().change else {
        panic!("another change")
    };
    let expected = json!({ "floor": "2", "guest": "yes", "none": "", "pin_secret": "[\"1\"]" });
    assert_eq!(json!(variables), expected);
}

#[test]
fn devices_are_named_as_they_are_pasted() {
    let mut form = BuilderForm::blank(What::Release);
    form.wave_take = vec!["devices".to_owned()];
    form.wave_what = vec![format!("A1, serial:B2;\r\n{OFFICE}")];
    let plan = form.plan(&groups()).unwrap();
    let named = ["serial:A1".to_owned(), "serial:B2".to_owned(), OFFICE.to_string()];
    assert_eq!(plan.waves[0].take, Take::Devices(named.into()));
}

#[test]
fn what_cannot_be_read_is_said_at_its_field() {
    let good = || BuilderForm { release: "7.16".to_owned(), ..BuilderForm::blank(What::Release) };
    let text = |text: &str| text.to_owned();
    let wave = |take: &str, what: &str| BuilderForm {
        wave_take: vec![text(take)],
        wave_what: vec![text(what)],
        ..good()
    };
    for (form, place) in [
        (BuilderForm::blank(What::Release), "release"),
        (BuilderForm::blank(What::Script), "script"),
        (BuilderForm::blank(What::Template), "template"),
        (
            BuilderForm {
                template: text("home"),
                release: text("last"),
                ..BuilderForm::blank(What::Template)
            },
            "release",
        ),
        (BuilderForm { group: text("office"), ..good() }, "group"),
        (wave("group", "nobody's"), "waves"),
        (wave("percent", "many"), "waves"),
        (wave("percent", "NaN"), "waves"),
        (wave("count", "-1"), "waves"),
        (BuilderForm { soak_minutes: text(""), ..good() }, "soak_minutes"),
        (BuilderForm { success_percent: text("x"), ..good() }, "success_percent"),
        (BuilderForm { error_then: text("cry"), ..good() }, "error_then"),
        (BuilderForm { pace_per_day: text("1.5"), ..good() }, "pace_per_day"),
        (BuilderForm { checks_signal_db: text("loud"), ..good() }, "checks_signal_db"),
        (BuilderForm { deadlines_offer_hours: text("x"), ..good() }, "deadlines_offer_hours"),
        (BuilderForm { blackout_from: vec![text("Easter")], ..good() }, "blackout"),
    ] {
        match form.fields(&groups()) {
            Err(Error::Invalid { pointer, .. }) => assert_eq!(field(&pointer), place),
            other => panic!("{place}: {other:?}"),
        }
    }
}

#[test]
fn places_of_the_api_are_fields_of_the_form() {
    for (pointer, name) in [
        ("/name", "name"),
        ("/change/version", "release"),
        ("/change/undo_artifact_id", "undo"),
        ("/change/undo/version", "undo"),
        ("/change/template", "template"),
        ("/change/variables", "parameters"),
        ("/change/parameters/0/name", "parameters"),
        ("/audience", "selector"),
        ("/audience/group_id", "group"),
        ("/plan/waves/1/take/site", "waves"),
        ("/plan/blackout/0/to", "blackout"),
        ("/plan/error/then", "error_then"),
        ("/plan/soak_minutes", "soak_minutes"),
        ("", ""),
    ] {
        assert_eq!(field(pointer), name, "{pointer}");
    }
}
