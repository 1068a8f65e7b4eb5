#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::super::tests::sample_board;
use super::event::more;
use super::*;

/// What happened to a board, with hostile words.
pub(super) fn sample_entry(state: &str) -> LogRow {
    LogRow {
        log_id: Uuid::nil(),
        mac: "<x-evil>".to_owned(),
        bench_id: Uuid::nil(),
        at: DateTime::UNIX_EPOCH,
        state: state.to_owned(),
        words: Some("<x-evil>".to_owned()),
        detail: json!({
            "by": "claim", "template": "<x-evil>", "template_version": 3, "size": 3_412,
            "file": "<x-evil>", "requests": 13, "retries": 0, "duration_ms": 2_400,
            "warnings": ["<x-evil>"],
        }),
    }
}

#[test]
fn an_installation_is_read_from_its_form() {
    let form = InstallForm {
        release: " 7.16.1 ".to_owned(),
        packages: "tr069-client, wifi-qcom".to_owned(),
        ..InstallForm::default()
    };
    let install = form.install();
    assert_eq!((install.release.as_str(), install.template), ("7.16.1", None));
    assert_eq!(install.packages, ["tr069-client", "wifi-qcom"]);
    assert_eq!(InstallForm::default().install().packages, ["tr069-client"]);
}

#[test]
fn what_it_is_armed_for_is_said_while_it_is() {
    let now = DateTime::UNIX_EPOCH;
    let mut row = sample_board("seen");
    assert!(installed(&row, now).is_none());
    row.install = Some(json!({ "release": "7.16.1", "packages": ["tr069-client"] }));
    row.install_until = Some(now + TimeDelta::minutes(5));
    let words = installed(&row, now).unwrap().words;
    let expected = "RouterOS 7.16.1 with tr069-client, and the default configuration of its vendor";
    assert_eq!(words, expected);
    assert!(installed(&row, now + TimeDelta::minutes(5)).is_none());
}

#[test]
fn what_happened_is_told_in_words() {
    let now = DateTime::UNIX_EPOCH;
    let told = event(&sample_entry("rearmed"), now);
    assert_eq!((told.title.as_str(), told.state), ("to be served once more", "idle"));
    let expected = "served as it is claimed, <x-evil>, version 3, 3,412 bytes, asked for <x-evil>, 13 requests, after 2.4 s, <x-evil>";
    assert_eq!(told.more, expected);
    let told = event(&sample_entry("timed_out"), now);
    assert_eq!((told.title.as_str(), told.state), ("timed out", "late"));
    assert_eq!(more(&json!({ "by": "ann" })), "", "a person stands in the words");
    assert_eq!(more(&json!([7])), "");
}

#[test]
fn who_got_nothing_has_got_nothing() {
    let mut row = sample_board("refused");
    let size = Fact::new("Size", "3,412 of 4,000 bytes");
    assert!(given(&row).contains(&size));
    (row.template, row.address) = (None, None);
    assert!(given(&row).is_empty());
}

#[test]
fn what_it_says_leads_to_whom_it_is_for() {
    let board = Board { row: sample_board("seen"), serial: None, customer: None };
    let claim = format!("/claims/{}", Uuid::from_u128(8));
    assert!(facts(&board).contains(&Linked::new("Claim", "its claim", claim)));
    let board = Board { row: BoardRow { claim_id: None, ..board.row }, ..board };
    assert!(facts(&board).contains(&Linked::new("Claim", "", "")));
}
