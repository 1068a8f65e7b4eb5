#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

#[test]
fn nothing_is_armed_without_an_end() {
    assert_eq!(minutes_of(1).unwrap(), TimeDelta::minutes(1));
    assert_eq!(minutes_of(MAX_MINUTES).unwrap(), TimeDelta::days(1));
    for bad in [0, MAX_MINUTES + 1, u32::MAX] {
        assert!(matches!(minutes_of(bad), Err(Error::Invalid { .. })), "{bad}");
    }
}

fn now() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn bench() -> Bench {
    Bench {
        bench_id: Uuid::nil(),
        host: "h".to_owned(),
        interface: "eth1".to_owned(),
        address: None,
        problem: None,
        heard_at: now(),
        others: json!([]),
        armed_until: None,
        armed_at: None,
        armed_by: None,
        arming: Some(json!({ "template": 1 })),
        updated_at: now(),
    }
}

#[test]
fn a_bench_is_armed_until_its_time_is_over_and_there_while_its_node_says_so() {
    let now = now();
    let at = |until: Option<i64>, heard: i64| {
        let bench = Bench {
            heard_at: now + TimeDelta::seconds(heard),
            armed_until: until.map(|seconds| now + TimeDelta::seconds(seconds)),
            ..bench()
        };
        let status = Status::of(bench, now);
        assert_eq!(status.arming, None, "what cannot be read is not told");
        (status.remaining.map(|left| left.num_seconds()), status.alive)
    };
    assert_eq!(at(Some(60), -5), (Some(60), true));
    assert_eq!(at(Some(0), -21), (None, false));
    assert_eq!(at(None, 0), (None, true));
}
#[test]
fn whoever_serves_strangers_names_the_interface_again() {
    let typed = |text: Option<&str>| {
        let confirm = text.map(str::to_owned);
        Consent { confirm, accept_others: false }
    };
    let plain = Arming::default();
    let any = Arming { any: true, ..Arming::default() };
    let dhcp = Arming { dhcp: true, ..Arming::default() };
    let check =
        |consent: Consent, arming: &Arming| check_consent(&bench(), &consent, arming, now());
    check(typed(None), &plain).unwrap();
    for arming in [&any, &dhcp] {
        check(typed(Some(" eth1 ")), arming).unwrap();
        for wrong in [None, Some(""), Some("eth2")] {
            let refused = check(typed(wrong), arming);
            let Err(Error::Invalid { pointer, message }) = refused else { panic!("{refused:?}") };
            assert!(pointer == "/confirm" && message.contains("eth1"), "{message}");
        }
    }
}

#[test]
fn nobody_arms_beside_another_server_without_knowing() {
    let heard = |minutes: i64| {
        let at = now() - TimeDelta::minutes(minutes);
        let other = json!({ "address": "192.0.2.9", "dhcp": true, "times": 1, "heard_at": at });
        Bench { others: json!([other]), ..bench() }
    };
    let check = |bench: &Bench, accept_others: bool| {
        let consent = Consent { confirm: None, accept_others };
        check_consent(bench, &consent, &Arming::default(), now())
    };
    let refused = check(&heard(59), false);
    let Err(Error::Conflict(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("192.0.2.9"), "{why}");
    check(&heard(59), true).unwrap();
    check(&heard(61), false).unwrap();
    assert_eq!(Status::of(heard(1), now()).others.len(), 1);
    let odd = Bench { others: json!([{ "address": 7 }]), ..bench() };
    assert!(Status::of(odd, now()).others.is_empty());
}
