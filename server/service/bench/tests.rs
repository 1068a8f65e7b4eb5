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
        let status = Status::of(bench, &[], now);
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
    let check = |consent: Consent, arming: &Arming| check_consent(&bench(), &[], &consent, arming);
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
        check_consent(bench, &others(bench, &[], now()), &consent, &Arming::default())
    };
    let refused = check(&heard(59), false);
    let Err(Error::Conflict(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("192.0.2.9"), "{why}");
    check(&heard(59), true).unwrap();
    check(&heard(61), false).unwrap();
    assert_eq!(Status::of(heard(1), &[], now()).others.len(), 1);
    let odd = Bench { others: json!([{ "address": 7 }]), ..bench() };
    assert!(Status::of(odd, &[], now()).others.is_empty());
}

#[test]
fn a_bench_of_ours_is_no_other_server_and_one_of_somebody_elses_is() {
    let at = now() - TimeDelta::minutes(1);
    let asked =
        |address: &str| json!({ "address": address, "dhcp": false, "times": 1, "heard_at": at });
    let own = Bench { others: json!([asked("10.77.0.2"), asked("10.77.0.3")]), ..bench() };
    let heard = |heard_at| {
        let address = Some("10.77.0.2/24".parse().unwrap());
        let all = [own.clone(), Bench { address, heard_at, ..bench() }];
        let status = Status::of(own.clone(), &all, now());
        status.others.iter().map(|other| other.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(heard(now()), ["10.77.0.3"]);
    let gone = now() - TimeDelta::hours(2);
    assert_eq!(heard(gone), ["10.77.0.2", "10.77.0.3"], "its address is another's by now");
}

#[test]
fn nobody_arms_a_second_bench_on_a_network_without_knowing() {
    let at = |id: u128, address: &str, minutes: i64| Bench {
        bench_id: Uuid::from_u128(id),
        address: Some(address.parse().unwrap()),
        armed_until: Some(now() + TimeDelta::minutes(minutes)),
        ..bench()
    };
    let own = at(1, "10.77.0.1/24", 5);
    let all = [
        own.clone(),
        Bench { host: "other".to_owned(), ..at(2, "10.77.0.2/24", 5) },
        at(3, "10.77.0.3/24", 0),
        at(4, "10.77.1.4/24", 5),
        at(5, "10.77.0.5/16", 5),
        Bench { address: None, ..at(6, "10.77.0.6/24", 5) },
    ];
    let beside = armed_beside(&own, &all, now());
    assert_eq!(beside, ["eth1 on other"]);
    assert!(armed_beside(&Bench { address: None, ..own.clone() }, &all, now()).is_empty());
    let consent = |accept_others: bool| Consent { confirm: None, accept_others };
    let refused = check_beside(&own, &consent(false), &beside);
    let Err(Error::Conflict(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("eth1 on other") && why.contains("accept_others"), "{why}");
    check_beside(&own, &consent(true), &beside).unwrap();
    check_beside(&own, &consent(false), &[]).unwrap();
}
