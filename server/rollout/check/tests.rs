#![expect(clippy::unwrap_used, reason = "tests")]
use chrono::NaiveDate;

use super::*;
use crate::jobs::spec::SetParameter;
use crate::rollout::plan::{
    Blackout, Checks, Deadlines, ErrorCondition, Pace, Plan, Success, Take, Wave,
};

fn refused(result: Result<(), Error>) -> String {
    let Err(Error::Invalid { pointer, message }) = result else { panic!("{result:?}") };
    assert!(!message.is_empty());
    pointer
}

fn wave(take: Take) -> Wave {
    Wave { name: None, take, approval: false, soak_minutes: None }
}

fn set(name: &str) -> Change {
    let one = SetParameter { name: name.to_owned(), value: "x".to_owned(), kind: None };
    Change::Parameters { parameters: vec![one] }
}

#[test]
fn what_is_good_is_taken() {
    assert!(plan(&Plan::default()).is_ok());
    let json = r#"{ "waves": [
            { "take": { "devices": ["serial:HB108", "0191d2c0-0000-7000-8000-000000000001"] } },
            { "take": { "count": 10 }, "approval": true },
            { "take": { "percent": 12.5 }, "name": "friends", "soak_minutes": 0 },
            { "take": { "site": "eu.lv" } },
            { "take": "rest" } ],
        "error": { "count": 3, "then": "roll_back" } }"#;
    let written: Plan = serde_json::from_str(json).unwrap();
    assert!(plan(&written).is_ok());
    assert!(written.backup, "who does not say so has it kept");
    let release =
        Change::Release { version: "7.16.1".to_owned(), routerboot: true, downgrade: false };
    assert!(change(&release).is_ok() && together(&release, &written).is_ok());
    let group = Audience { group_id: Some(Uuid::nil()), ..Audience::default() };
    let all = Audience { selector: Some("online".to_owned()), ..Audience::default() };
    assert!(audience(&group).is_ok() && audience(&all).is_ok());
}

#[test]
fn plans_that_cannot_be_followed_are_pointed_at() {
    let base = Plan::default;
    let waves = |takes: Vec<Take>| Plan { waves: takes.into_iter().map(wave).collect(), ..base() };
    let day = |day| NaiveDate::from_ymd_opt(2026, 12, day).unwrap();
    let days = Blackout { from: day(27), to: day(24) };
    for (bad, pointer) in [
        (waves(vec![Take::Rest, Take::Count(1)]), "/plan/waves/1/take"),
        (waves(vec![Take::Count(0)]), "/plan/waves/0/take/count"),
        (waves(vec![Take::Percent(0.0)]), "/plan/waves/0/take/percent"),
        (waves(vec![Take::Percent(f64::NAN)]), "/plan/waves/0/take/percent"),
        (waves(vec![Take::Percent(100.5)]), "/plan/waves/0/take/percent"),
        (waves(vec![Take::Devices(vec![])]), "/plan/waves/0/take/devices"),
        (waves(vec![Take::Devices(vec!["serial:".to_owned()])]), "/plan/waves/0/take/devices/0"),
        (waves(vec![Take::Site("eu lv".to_owned())]), "/plan/waves/0/take/site"),
        (waves(vec![Take::Count(1); MAX_WAVES + 1]), "/plan/waves"),
        (
            Plan { waves: vec![Wave { name: Some(" ".to_owned()), ..wave(Take::Rest) }], ..base() },
            "/plan/waves/0/name",
        ),
        (
            Plan {
                waves: vec![Wave { soak_minutes: Some(u32::MAX), ..wave(Take::Rest) }],
                ..base()
            },
            "/plan/waves/0/soak_minutes",
        ),
        (
            Plan { success: Success { percent: 101.0, minimum: 1 }, ..base() },
            "/plan/success/percent",
        ),
        (
            Plan {
                error: ErrorCondition { percent: Some(-1.0), ..ErrorCondition::default() },
                ..base()
            },
            "/plan/error/percent",
        ),
        (
            Plan {
                error: ErrorCondition { count: Some(0), ..ErrorCondition::default() },
                ..base()
            },
            "/plan/error/count",
        ),
        (Plan { soak_minutes: u32::MAX, ..base() }, "/plan/soak_minutes"),
        (
            Plan { pace: Pace { concurrent: 0, ..Pace::default() }, ..base() },
            "/plan/pace/concurrent",
        ),
        (Plan { blackout: vec![days], ..base() }, "/plan/blackout/0/to"),
        (
            Plan { checks: Checks { signal_db: Some(0), ..Checks::default() }, ..base() },
            "/plan/checks/signal_db",
        ),
        (
            Plan {
                deadlines: Deadlines { offer_hours: u32::MAX, ..Deadlines::default() },
                ..base()
            },
            "/plan/deadlines/offer_hours",
        ),
        (Plan { retries: 11, ..base() }, "/plan/retries"),
    ] {
        assert_eq!(refused(plan(&bad)), pointer);
    }
}

#[test]
fn changes_and_audiences_that_make_no_sense_are_pointed_at() {
    let release =
        Change::Release { version: "latest".to_owned(), routerboot: false, downgrade: false };
    assert_eq!(refused(change(&release)), "/change/version");
    assert_eq!(refused(change(&set("Device.X."))), "/change/parameters/0/name");
    assert_eq!(refused(change(&Change::PreviousRelease)), "/change/kind");
    let circle = Change::Script { artifact_id: Uuid::nil(), undo_artifact_id: Some(Uuid::nil()) };
    assert_eq!(refused(change(&circle)), "/change/undo_artifact_id");
    assert_eq!(refused(audience(&Audience::default())), "/audience");
    let selector = Some("x".repeat(MAX_TEXT + 1));
    let long = Audience { selector, ..Audience::default() };
    assert_eq!(refused(audience(&long)), "/audience/selector");
    let both = Audience { group_id: Some(Uuid::nil()), ..long };
    assert_eq!(refused(audience(&both)), "/audience");
    let of_another = Audience { rollout_id: Some(Uuid::nil()), ..Audience::default() };
    assert_eq!(refused(audience(&of_another)), "/audience/rollout_id");
}

fn template(fields: serde_json::Value) -> Change {
    let mut change = serde_json::json!({ "kind": "template", "template": "home" });
    for (name, value) in fields.as_object().unwrap() {
        change[name] = value.clone();
    }
    serde_json::from_value(change).unwrap()
}

#[test]
fn a_template_has_a_name_and_values_that_can_be_kept() {
    use serde_json::json;
    let good =
        json!({ "version": 3, "variables": { "ssid": "attic" }, "undo": { "template": "bare" } });
    assert!(change(&template(good)).is_ok());
    let older = json!({ "version": 3, "undo": { "template": "home", "version": 2 } });
    assert!(change(&template(older)).is_ok());
    for (bad, pointer) in [
        (json!({ "template": " " }), "/change/template"),
        (json!({ "version": 0 }), "/change/version"),
        (json!({ "variables": { "a b": 1 } }), "/change/variables"),
        (json!({ "undo": { "template": "" } }), "/change/undo/template"),
        (json!({ "undo": { "template": "bare", "version": -1 } }), "/change/undo/version"),
        (json!({ "undo": { "template": "home" } }), "/change/undo"),
    ] {
        assert_eq!(refused(change(&template(bad))), pointer);
    }
}

#[test]
fn nothing_is_promised_to_be_taken_back_that_cannot_be() {
    let error = ErrorCondition { then: OnError::RollBack, ..ErrorCondition::default() };
    let backwards = Plan { error, ..Plan::default() };
    let script = |undo| Change::Script { artifact_id: Uuid::nil(), undo_artifact_id: undo };
    let undone = script(Some(Uuid::from_u128(1)));
    assert_eq!(refused(together(&script(None), &backwards)), "/plan/error/then");
    assert!(together(&undone, &backwards).is_ok());
    assert!(together(&script(None), &Plan::default()).is_ok());
    let kept = template(serde_json::json!({}));
    let taken_back = template(serde_json::json!({ "undo": { "template": "bare" } }));
    assert_eq!(refused(together(&kept, &backwards)), "/plan/error/then");
    assert!(together(&taken_back, &backwards).is_ok());
    let secret = set("Device.WiFi.AccessPoint.1.Security.KeyPassphrase");
    assert_eq!(refused(together(&secret, &backwards)), "/plan/error/then");
    assert!(together(&set("Device.DeviceInfo.ProvisioningCode"), &backwards).is_ok());
}
