#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::TimeDelta;

use super::*;

const ETHERBOOT: Kind = Kind::Etherboot { arch: "arm64" };

fn now() -> DateTime<Utc> {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::minutes(5)
}

fn arming() -> Arming {
    Arming { template: "t".to_owned(), accept_unverified: true, ..Arming::default() }
}

fn profile() -> Profile {
    muster_netboot::profile::builtin()[0].clone()
}

/// A claimed board in flash-boot mode at an armed bench.
fn facts<'a>(arming: &'a Arming, profile: &'a Profile) -> Facts<'a> {
    Facts {
        now: now(),
        kind: Kind::Flashboot,
        arch: None,
        announced: false,
        armed: Some(Armed { arming, until: later() }),
        served: Some(Served { profile, matches: true }),
        claimed: true,
        allowed: false,
        serial_only: false,
        any_spent: false,
        done: false,
        taken: false,
        install_until: None,
    }
}

fn code(facts: &Facts<'_>) -> &'static str {
    match decide(facts) {
        Ok(grant) => panic!("it was served: {grant:?}"),
        Err(refusal) => {
            assert!(refusal.words.len() > 20, "{refusal:?}");
            refusal.code
        }
    }
}

fn what(facts: &Facts<'_>) -> What {
    decide(facts).unwrap().what
}

#[test]
fn each_refusal_has_its_code() {
    let (plain, profile) = (arming(), profile());
    let good = facts(&plain, &profile);
    assert_eq!(decide(&good), Ok(Grant { by: By::Claim, what: What::Script }));
    let stranger = Facts { claimed: false, ..good };
    let any = Arming { any: true, any_until: Some(later()), ..arming() };
    let expired = Arming { any_until: Some(now()), ..any.clone() };
    let never = Arming { any_until: None, ..any.clone() };
    let redirect = Arming { strategy: Strategy::EtherbootRedirect, ..arming() };
    let cautious = Arming { accept_unverified: false, ..arming() };
    let with = |arming| Some(Armed { arming, until: later() });
    let table: [(&str, Facts<'_>); 24] = [
        ("disarmed", Facts { armed: None, ..good }),
        ("disarmed", Facts { armed: Some(Armed { arming: &plain, until: now() }), ..good }),
        ("wrong_kind", Facts { kind: Kind::Other, ..good }),
        ("dhcp_off", Facts { kind: Kind::Dhcp, ..good }),
        ("dhcp_off", Facts { kind: Kind::Dhcp, arch: Some("arm64"), ..good }),
        ("not_claimed", stranger),
        ("serial_only", Facts { serial_only: true, ..stranger }),
        ("rate", Facts { armed: with(&any), any_spent: true, ..stranger }),
        ("any_expired", Facts { armed: with(&expired), ..stranger }),
        ("any_expired", Facts { armed: with(&never), ..stranger }),
        ("done", Facts { done: true, ..good }),
        ("taken", Facts { taken: true, ..good }),
        ("done", Facts { done: true, taken: true, ..good }),
        // It has started, and asks for other things now: what it had counts.
        ("done", Facts { done: true, kind: Kind::Dhcp, ..good }),
        ("done", Facts { done: true, kind: ETHERBOOT, install_until: Some(now()), ..good }),
        ("taken", Facts { taken: true, kind: Kind::Other, ..good }),
        ("no_profile", Facts { served: None, ..good }),
        (
            "no_profile",
            Facts { served: Some(Served { profile: &profile, matches: false }), ..good },
        ),
        ("no_profile", Facts { armed: with(&cautious), ..good }),
        ("not_armed_for_install", Facts { kind: ETHERBOOT, ..good }),
        ("not_armed_for_install", Facts { kind: ETHERBOOT, install_until: Some(now()), ..good }),
        ("not_armed_for_install", Facts { announced: true, ..good }),
        ("not_armed_for_install", Facts { armed: with(&redirect), ..good }),
        ("no_profile", Facts { served: None, install_until: Some(later()), ..good }),
    ];
    for (expected, facts) in table {
        assert_eq!(code(&facts), expected, "{facts:?}");
    }
}

#[test]
fn a_board_that_nobody_named_gets_nothing_whatever_else_is_so() {
    let (plain, profile) = (arming(), profile());
    let stranger = Facts { claimed: false, ..facts(&plain, &profile) };
    for kind in [Kind::Flashboot, ETHERBOOT] {
        for (done, announced) in [(false, false), (true, false), (false, true)] {
            // Also one that was armed for an installation and then taken off the list.
            for install_until in [None, Some(later())] {
                let facts = Facts { kind, done, announced, install_until, ..stranger };
                let had_it = done && install_until.is_none();
                let expected = if had_it { "done" } else { "not_claimed" };
                assert_eq!(code(&facts), expected, "{facts:?}");
            }
        }
    }
}

#[test]
fn a_claim_a_list_and_in_the_end_any_board() {
    let (plain, profile) = (arming(), profile());
    let any = Arming { any: true, any_until: Some(later()), ..arming() };
    let by = |facts: &Facts<'_>| decide(facts).unwrap().by;
    let claimed = facts(&plain, &profile);
    assert_eq!(by(&Facts { allowed: true, ..claimed }), By::Claim);
    let stranger = Facts { claimed: false, ..facts(&any, &profile) };
    assert_eq!(by(&Facts { allowed: true, ..stranger }), By::Allowed);
    assert_eq!(by(&stranger), By::Any);
    // The limit is for those that nobody named.
    assert_eq!(by(&Facts { claimed: true, any_spent: true, ..stranger }), By::Claim);
    assert_eq!(code(&Facts { done: true, ..stranger }), "done");
}

#[test]
fn nothing_is_formatted_that_was_not_armed_for_it() {
    let (plain, profile) = (arming(), profile());
    let redirecting = Arming { strategy: Strategy::EtherbootRedirect, dhcp: true, ..arming() };
    for arming in [&plain, &redirecting] {
        for kind in [Kind::Flashboot, ETHERBOOT, Kind::Dhcp, Kind::Other] {
            for (done, announced) in [(false, false), (true, false), (false, true), (true, true)] {
                for arch in [None, Some("arm64")] {
                    let facts = Facts { kind, done, announced, arch, ..facts(arming, &profile) };
                    let granted = decide(&facts).map(|grant| grant.what);
                    assert!(matches!(granted, Err(_) | Ok(What::Script)), "{facts:?}");
                    assert!(!(announced && granted.is_ok()), "{facts:?}");
                }
            }
        }
    }
}

#[test]
fn a_board_that_was_armed_for_it_is_led_to_its_installation() {
    let (plain, profile) = (arming(), profile());
    // That it had its delivery is no matter: somebody has named it since then.
    let armed = Facts { install_until: Some(later()), done: true, ..facts(&plain, &profile) };
    assert_eq!(what(&armed), What::Redirect);
    assert_eq!(what(&Facts { taken: true, ..armed }), What::Redirect);
    assert_eq!(what(&Facts { kind: ETHERBOOT, ..armed }), What::Image);
    assert_eq!(what(&Facts { kind: ETHERBOOT, announced: true, ..armed }), What::Install);
    let dhcp = Arming { dhcp: true, ..arming() };
    let armed = Facts { armed: Some(Armed { arming: &dhcp, until: later() }), ..armed };
    let board = Facts { kind: Kind::Dhcp, arch: Some("arm64"), ..armed };
    assert_eq!(what(&board), What::Image);
    let without = Profile { redirect: None, ..profile.clone() };
    let served = Some(Served { profile: &without, matches: true });
    assert_eq!(code(&Facts { served, ..armed }), "no_profile");
}

#[test]
fn clients_that_are_no_boards_get_the_script_where_that_is_armed() {
    let (dhcp, profile) = (Arming { dhcp: true, ..arming() }, profile());
    let served = Some(Served { profile: &profile, matches: false });
    for kind in [Kind::Dhcp, Kind::Other] {
        let facts = Facts { kind, served, ..facts(&dhcp, &profile) };
        assert_eq!(what(&facts), What::Script);
        assert_eq!(code(&Facts { claimed: false, ..facts }), "not_claimed");
        assert_eq!(code(&Facts { done: true, ..facts }), "done");
    }
}
