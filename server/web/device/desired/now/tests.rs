#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use sqlx::types::Json;

use super::*;

const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

/// A device of which much is wanted, with hostile words; or nothing.
pub(super) fn known(full: bool) -> Known {
    let device_id = Uuid::from_u128(7);
    let evil = || Some("<x-evil>".to_owned());
    let row = Row::new(device_id);
    if !full {
        let effective = Effective::default();
        let wants = serde_json::from_value(json!({})).unwrap();
        let (serial, template, rescue) = (String::new(), None, evil());
        let view = View { device_id, serial, row, effective, wants, template, rescue };
        return Known { view, template: None };
    }
    let difference = |name: &str, mended: bool| Difference {
        name: name.to_owned(),
        wanted: evil(),
        seen: evil(),
        words: "<x-evil>".to_owned(),
        mended,
        layer: "<x-evil>".to_owned(),
    };
    let differences = vec![
        difference("Device.<x-evil>", false),
        difference("template", true),
        difference("configuration", false),
    ];
    let row = Row {
        state: "blocked".to_owned(),
        reason: evil(),
        differences: Json(differences),
        drifted_at: Some(DateTime::UNIX_EPOCH),
        compared_at: Some(DateTime::UNIX_EPOCH),
        due_at: Some(DateTime::UNIX_EPOCH),
        script_template: Some(Uuid::from_u128(9)),
        script_version: Some(3),
        script_job: Some(Uuid::from_u128(8)),
        script_at: Some(DateTime::UNIX_EPOCH),
        script_report: Some(
            json!({ "done": true, "failed": [{ "line": 3, "words": "<x-evil>" }] }),
        ),
        attempts: 2,
        ..row
    };
    let site = json!({ "layer": "site", "site": "<x-evil>", "profile_id": Uuid::nil(),
                       "profile": "<x-evil>" });
    let said = |value: Value| json!({ "value": value, "from": site, "enforce": false });
    let effective = serde_json::from_value(json!({
        "parameters": {
            "Device.<x-evil>": said(json!({ "value": "<x-evil>" })),
            "Device.B": { "value": { "variable": "dns", "tolerance": { "is": "any_order" } },
                          "from": { "layer": "device" }, "enforce": true },
            PASSPHRASE: said(json!({ "value": "********" })),
        },
        "template": said(json!({ "template_id": Uuid::from_u128(9), "version": 3 })),
        "variables": { "dns": said(json!("<x-evil>")), "ppp_password": said(json!("********")) },
        "release": said(json!("7.16.1")),
        "inform_interval_seconds": said(json!(300)),
        "backup": said(json!({ "every_hours": 24, "before_changes": true })),
        "rotate_credentials_days": said(json!(90)),
        "check_every_hours": said(json!(24)),
    }));
    let view = View {
        device_id,
        serial: "<x-evil>".to_owned(),
        row,
        effective: effective.unwrap(),
        wants: serde_json::from_value(json!({ "ignored": ["<x-evil>"] })).unwrap(),
        template: evil(),
        rescue: evil(),
    };
    Known { view, template: None }
}

#[test]
fn each_value_is_told_with_the_layer_that_it_came_from() {
    let now = sample(true);
    let titles: Vec<&str> = now.wanted.iter().map(|part| part.title).collect();
    assert_eq!(titles, ["The device", "Parameters", "Variables"]);
    let row = |part: usize, name: &str| {
        now.wanted[part].rows.iter().find(|row| row.name == name).unwrap()
    };
    let release = row(0, "RouterOS when it is new");
    assert_eq!((release.value.as_str(), release.note.as_str()), ("7.16.1", "only reported"));
    assert_eq!(release.from, "site <x-evil>, profile <x-evil>");
    assert_eq!(release.href, format!("/profiles/{}", Uuid::nil()));
    assert_eq!(now.wanted[0].rows.len(), 6);
    let shared = row(1, "Device.B");
    assert_eq!(shared.value, "the variable dns: <x-evil>");
    assert_eq!((shared.note.as_str(), shared.from.as_str()), ("in any order", "device"));
    assert!(shared.href.is_empty());
    assert_eq!(row(1, PASSPHRASE).value, "a secret");
    assert_eq!(row(2, "ppp_password").value, "a secret");
    assert!(sample(false).wanted.is_empty());
}

#[test]
fn only_a_parameter_can_be_accepted_and_the_configuration_is_elsewhere() {
    let now = sample(true);
    let can: Vec<bool> = now.differences.iter().map(|one| one.acceptable).collect();
    assert_eq!(can, [true, false, false]);
    assert_eq!(now.differences[1].label, "The script");
    assert!(now.differences[2].href.ends_with("/backups"));
}

#[test]
fn what_the_device_said_of_its_script_is_told() {
    let of = |report: Option<Value>| {
        let row = Row { script_report: report, ..known(true).view.row };
        script(&row, None, DateTime::UNIX_EPOCH).unwrap()
    };
    assert_eq!(of(None).state, "waiting");
    let failed = json!({ "done": true, "failed": [{ "line": 3, "words": "no such item" },
                                                  { "line": 4, "words": "" }] });
    let told = of(Some(failed));
    assert_eq!(
        (told.state, told.failed),
        ("failed", vec!["line 3: no such item".to_owned(), "line 4".to_owned(),])
    );
    assert_eq!(of(Some(json!({ "done": true, "failed": [] }))).state, "done");
    assert_eq!(of(Some(json!({ "done": false, "failed": [] }))).state, "warn");
    let none = known(false);
    assert!(script(&none.view.row, None, DateTime::UNIX_EPOCH).is_none());
}

#[test]
fn that_there_is_no_way_back_is_told_where_a_script_is_wanted() {
    assert_eq!(sample(true).rescue, "<x-evil>");
    assert_eq!(sample(false).rescue, "");
    let view = View { rescue: None, ..known(true).view };
    assert_eq!(rescue(&view), "");
}
