#![expect(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::super::tests::sample_bench;
use super::*;

fn pointer(form: &ArmForm) -> String {
    match form.read(&Variables::default(), DateTime::UNIX_EPOCH) {
        Err(Error::Invalid { pointer, .. }) => pointer,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it can be read"),
    }
}

#[test]
fn a_form_is_an_arming() {
    let form = ArmForm {
        minutes: " 90 ".to_owned(),
        template: "bench".to_owned(),
        any: true,
        any_minutes: "30".to_owned(),
        mode_template: " ".to_owned(),
        variable: vec!["vlan".to_owned(), String::new()],
        value: vec!["7".to_owned(), String::new()],
        ..ArmForm::default()
    };
    let (minutes, arming) = form.read(&Variables::default(), DateTime::UNIX_EPOCH).unwrap();
    assert_eq!(minutes, 90);
    assert_eq!(arming.any_until, Some(DateTime::UNIX_EPOCH + TimeDelta::minutes(30)));
    assert_eq!(arming.variables.0["vlan"], "7");
    assert_eq!((arming.mode_template, arming.strategy), (None, Strategy::FlashfigDirect));
    assert_eq!(form.rows().len(), 1 + BLANK);
    assert_eq!(form.consent(), Consent::default());
    let form = ArmForm { confirm: " eth1 ".to_owned(), accept_others: true, ..form };
    let consent = Consent { confirm: Some("eth1".to_owned()), accept_others: true };
    assert_eq!(form.consent(), consent);
}

#[test]
fn what_is_wrong_stands_at_its_field() {
    let with = |change: fn(&mut ArmForm)| {
        let mut form = ArmForm { template: "bench".to_owned(), ..ArmForm::default() };
        change(&mut form);
        pointer(&form)
    };
    assert_eq!(with(|form| form.minutes = "soon".to_owned()), "/minutes");
    assert_eq!(with(|form| form.any_per_minute.clear()), "/any_per_minute");
    assert_eq!(with(|form| form.any_minutes = "-1".to_owned()), "/any_minutes");
    assert_eq!(with(|form| form.strategy.clear()), "/strategy");
    for (name, value) in [("a", ""), ("", "x")] {
        let form = ArmForm {
            variable: vec![name.to_owned()],
            value: vec![value.to_owned()],
            ..ArmForm::default()
        };
        assert_eq!(pointer(&form), "/variables", "{name}={value}");
    }
    let until = complaints(Error::invalid("/any_until", "no")).unwrap();
    assert_eq!(until, Complaints::field("any_minutes", "no"));
}

#[test]
fn to_arm_again_is_to_say_again_what_is_dangerous_and_what_is_secret() {
    let arming = sample_bench(true).arming.unwrap();
    let form = ArmForm::of(&arming);
    assert!(arming.any && arming.accept_unverified && arming.dhcp);
    assert!(!form.any && !form.accept_unverified && !form.dhcp && !form.accept_others);
    assert!(!json!(form).to_string().contains(MASK));
    assert_eq!(pointer(&form), "/variables", "the secret is to be written again");
    let kept: Vec<(String, String)> =
        form.filled().into_iter().map(|row| (row.name, row.value)).collect();
    let expected = [("count", "7"), ("note", "<x-evil>"), ("ppp_password", "")];
    assert_eq!(kept, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let form = ArmForm { value: vec!["7".to_owned(); 3], ..form };
    let (_, again) = form.read(&arming.variables, DateTime::UNIX_EPOCH).unwrap();
    assert_eq!(again.variables.0["count"], 7, "what nobody changed is no text now");
    assert_eq!(again.variables.0["ppp_password"], "7");
}
