#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::fleet::secret::MASK;
use crate::store::profiles::Profile;

const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

fn view(desired: Value) -> View {
    let now = DateTime::UNIX_EPOCH;
    let profile = Profile {
        profile_id: Uuid::from_u128(7),
        name: "home".to_owned(),
        description: "for homes".to_owned(),
        desired: desired.clone(),
        enforce: false,
        created_by: "ann".to_owned(),
        created_at: now,
        updated_at: now,
    };
    View { profile, desired: serde_json::from_value(desired).unwrap(), bindings: Vec::new() }
}

/// As a browser sends it; what it says of variables has fields of its own.
fn sent(form: &ProfileForm) -> ProfileForm {
    let fields: ProfileForm = serde_json::from_value(serde_json::to_value(form).unwrap()).unwrap();
    ProfileForm { given: form.given.clone(), ..fields }
}

fn with_row(name: &str, value: &str) -> ProfileForm {
    let mut form = ProfileForm::blank(String::new());
    let row =
        ParameterRow { name: name.to_owned(), value: value.to_owned(), ..ParameterRow::default() };
    form.push(row);
    form
}

fn pointer(form: &ProfileForm) -> String {
    match form.fields().unwrap_err() {
        Error::Invalid { pointer, .. } => pointer,
        other => panic!("{other}"),
    }
}

#[test]
fn a_profile_comes_back_as_it_was() {
    let desired = json!({
        "parameters": {
            "Device.A": { "value": " x ", "type": "unsignedInt", "mode": "once" },
            "Device.B": { "variable": "dns", "tolerance": { "is": "any_order" } },
            "Device.C": { "value": "50", "tolerance": { "is": "within", "by": 2.5 } },
            "Device.D": { "value": "", "tolerance": { "is": "any_case" }, "mode": "report" },
            PASSPHRASE: { "value": MASK },
        },
        "template": { "template_id": Uuid::from_u128(9), "version": 3 },
        "variables": { "dns": ["192.0.2.1"], "pppoe_password": MASK },
        "release": "7.16.1",
        "inform_interval_seconds": 300,
        "backup": { "every_hours": 0, "before_changes": false },
        "rotate_credentials_days": 90,
        "check_every_hours": 0,
    });
    let view = view(desired);
    let form = ProfileForm::of(&view);
    assert!(form.parameters().iter().all(|row| row.value != MASK), "no secret is shown");
    let fields = sent(&form).fields().unwrap();
    assert_eq!(fields.desired, Some(view.desired));
    assert_eq!(fields.name.as_deref(), Some("home"));
    assert_eq!((fields.description.as_deref(), fields.enforce), (Some("for homes"), Some(false)));
    let nothing = ProfileForm::blank(String::new()).fields().unwrap();
    assert_eq!((nothing.desired, nothing.enforce), (Some(Desired::default()), Some(true)));
}

#[test]
fn rows_that_are_left_empty_are_none_and_there_are_some_for_more() {
    let mut form = with_row("Device.A", "1");
    form.push(ParameterRow::default());
    assert_eq!(form.fields().unwrap().desired.unwrap().parameters.len(), 1);
    assert_eq!(form.parameters().len(), 1 + BLANK);
}

#[test]
fn what_cannot_be_read_is_pointed_at() {
    assert_eq!(pointer(&with_row("", "1")), "/desired/parameters");
    let mut twice = with_row("Device.A", "1");
    twice.push(ParameterRow { name: "Device.A".to_owned(), ..ParameterRow::default() });
    assert_eq!(pointer(&twice), "/desired/parameters");
    let mut off = with_row("Device.A", "1");
    off.tolerance[0] = "within".to_owned();
    assert_eq!(pointer(&off), "/desired/parameters");
    off.by[0] = "0,5".to_owned();
    assert!(off.fields().is_ok());
    let mut kind = with_row("Device.A", "1");
    kind.kind[0] = "float".to_owned();
    assert_eq!(pointer(&kind), "/desired/parameters");
    let blank = || ProfileForm::blank(String::new());
    let hours = ProfileForm { check_every_hours: "often".to_owned(), ..blank() };
    assert_eq!(pointer(&hours), "/desired/check_every_hours");
    assert_eq!(pointer(&ProfileForm::blank("x".to_owned())), "/desired/template");
    let given = Given { others: "[".to_owned(), ..Given::default() };
    assert_eq!(pointer(&ProfileForm { given, ..blank() }), "/others");
}

#[test]
fn an_error_stands_at_its_field() {
    for (pointer, name) in [
        ("/name", "name"),
        ("/desired", ""),
        ("/given", ""),
        ("", ""),
        ("/others", "others"),
        ("/desired/variables", "others"),
        ("/desired/template", "template"),
        ("/desired/template/version", "template_version"),
        ("/desired/backup/every_hours", "backup_every_hours"),
        ("/desired/release", "release"),
        ("/desired/parameters/Device.A/tolerance/by", "parameters"),
    ] {
        assert_eq!(field(pointer), name, "{pointer}");
    }
    let named = parameter("/desired/parameters/Device.A~1~0/tolerance/by");
    assert_eq!(named.as_deref(), Some("Device.A/~"));
    assert_eq!(parameter("/desired/release"), None);
}
