#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::DateTime;

use super::*;
use crate::fleet::selector::parse;

/// With hostile words.
pub(super) fn rule(position: i32) -> Rule {
    let evil = || "<x-evil>".to_owned();
    Rule {
        rule_id: Uuid::from_u128(position.unsigned_abs().into()),
        position,
        name: evil(),
        selector: evil(),
        site: Some(evil()).filter(|_| position > 1),
        profile_id: None,
        profile: Some(evil()).filter(|_| position > 1),
        tags: if position > 1 { vec![evil()] } else { Vec::new() },
        enabled: position > 1,
        created_by: evil(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

#[test]
fn a_rule_goes_up_and_down_but_not_beyond_the_ends() {
    let wrong = [None, Some("gone".to_owned())];
    let rows = rows(&[1, 2, 3].map(rule), &wrong);
    assert_eq!([&rows[0].wrong, &rows[1].wrong, &rows[2].wrong], ["", "gone", ""]);
    let places: Vec<_> = rows.iter().map(|row| (row.up, row.down)).collect();
    assert_eq!(places, [(None, Some(2)), (Some(1), Some(3)), (Some(2), None)]);
    let alone = super::rows(&[rule(1)], &[]);
    assert_eq!((alone[0].up, alone[0].down), (None, None));
}

#[test]
fn what_nobody_changes_stays_as_it_was() {
    for rule in [1, 2].map(rule) {
        let before = RuleFields::of(&rule);
        assert_eq!(RuleForm::of(&rule).fields(before.position), before);
    }
    let blank = RuleForm::default().fields(None);
    assert_eq!((blank.site, blank.position, blank.enabled), (None, None, false));
}

#[test]
fn only_those_that_wait_are_counted() {
    let read = |text: &str| parse(text, &|_| None);
    for text in ["serial ~ LAB*", "model = hEX or not site", "(site)"] {
        assert!(read(&waiting(text)).is_ok(), "{text}");
    }
    let wrong = read(&waiting("modle = x")).unwrap_err().to_string();
    assert!(wrong.contains("modle"), "{wrong}");
}
