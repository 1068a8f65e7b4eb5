use std::net::Ipv4Addr;

use chrono::DateTime;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::netboot::bench::Other;
use crate::service::bench as service;
use crate::store::bench::{Bench, BoardRow};

/// With hostile words, in a state.
pub(super) fn sample_board(state: &str) -> BoardRow {
    let evil = || Some("<x-evil>".to_owned());
    let at = Some(DateTime::UNIX_EPOCH);
    BoardRow {
        mac: "<x-evil>".to_owned(),
        bench_id: Uuid::from_u128(7),
        kind: "flashboot".to_owned(),
        state: state.to_owned(),
        reason: evil(),
        words: evil(),
        board_id: evil(),
        vendor_class: evil(),
        arch: evil(),
        free_bytes: Some(4_092),
        options: json!({ "43": "<x-evil>" }),
        claim_id: Some(Uuid::from_u128(8)),
        device_id: Some(Uuid::from_u128(9)),
        site: evil(),
        profile: evil(),
        profile_status: Some("unverified".to_owned()),
        strategy: Some("flashfig-direct".to_owned()),
        template: evil(),
        template_version: Some(3),
        script: Some("</pre><x-evil>".to_owned()),
        script_sha256: Some(vec![7; 32]),
        size: Some(3_412),
        address: "192.0.2.7/24".parse().ok(),
        step: evil(),
        sent_bytes: 100,
        total_bytes: 400,
        requests: 13,
        retries: 2,
        duration_ms: Some(2_400),
        first_seen_at: DateTime::UNIX_EPOCH,
        seen_at: DateTime::UNIX_EPOCH,
        offered_at: at,
        delivered_at: at,
        confirmed_at: at,
        done: true,
        deliveries: 2,
        install: None,
        install_until: None,
        updated_at: DateTime::UNIX_EPOCH,
        decided: false,
    }
}

/// A bench with hostile words, armed or not.
pub(super) fn sample_bench(armed: bool) -> service::Status {
    let evil = || "<x-evil>".to_owned();
    let arming = json!({
        "template": "<x-evil>", "template_version": 3, "profile": "<x-evil>", "strategy": "flashfig-direct", "any": true,
        "any_per_minute": 30, "any_until": "1970-01-01T01:00:00Z", "dhcp": true,
        "variables": { "note": "<x-evil>", "count": 7, "ppp_password": "********" },
        "mode_template": "<x-evil>", "accept_unverified": true,
    });
    service::Status {
        bench: Bench {
            bench_id: Uuid::from_u128(7),
            host: evil(),
            interface: evil(),
            address: "192.0.2.1/24".parse().ok(),
            problem: (!armed).then(evil),
            heard_at: DateTime::UNIX_EPOCH,
            others: json!([]),
            armed_until: armed.then_some(DateTime::UNIX_EPOCH),
            armed_at: armed.then_some(DateTime::UNIX_EPOCH),
            armed_by: armed.then(evil),
            arming: armed.then(|| arming.clone()),
            updated_at: DateTime::UNIX_EPOCH,
        },
        alive: armed,
        arming: serde_json::from_value(arming).ok().filter(|_| armed),
        remaining: armed.then_some(chrono::TimeDelta::minutes(7)),
        profile_status: Some("unverified".to_owned()),
        counts: [("refused".to_owned(), 1), ("delivered".to_owned(), 37)].into(),
        others: vec![Other {
            address: Ipv4Addr::new(192, 0, 2, 9),
            dhcp: true,
            times: 7,
            heard_at: DateTime::UNIX_EPOCH,
        }],
    }
}

#[test]
fn one_part_of_the_section_is_the_present_one() {
    for path in [HOME, BATCH, LABELS, ALLOWED, IMAGES, PROFILES] {
        let current: Vec<&str> =
            tabs(path).iter().filter(|tab| tab.current).map(|tab| tab.href).collect();
        assert_eq!(current, [path]);
    }
}

#[test]
fn what_is_told_here_is_told_of_a_sample() {
    assert!(sample_bench(true).arming.is_some(), "the sample is an arming");
    assert_eq!(sample_bench(false).arming, None);
}
