use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::rollout::plan::{ErrorCondition, Success, Take, Wave};

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn plan() -> Plan {
    Plan {
        error: ErrorCondition {
            percent: Some(5.0),
            minimum: 5,
            count: None,
            then: OnError::RollBack,
        },
        ..Plan::default()
    }
}

/// 100 devices, of which these are healthy, failed and timed out; the others wait.
fn counts(healthy: u64, failed: u64, timed_out: u64) -> Counts {
    let waiting = 100 - healthy - failed - timed_out;
    Counts { total: 100, waiting, healthy, failed, timed_out, ..Counts::default() }
}

fn run(plan: &Plan, counts: &Counts) -> (Decision, String) {
    let (decision, verdict) = decide(plan, 0, counts, None, false, false, at(0));
    (decision, verdict.words)
}

#[test]
fn devices_begin_until_too_many_failed() {
    let plan = plan();
    assert_eq!(run(&plan, &counts(0, 0, 0)).0, Decision::Go);
    // Too few to say.
    assert_eq!(run(&plan, &counts(2, 2, 0)).0, Decision::Go);
    assert_eq!(run(&plan, &counts(38, 2, 0)).0, Decision::Go);
    let (decision, words) = run(&plan, &counts(30, 3, 0));
    assert_eq!(decision, Decision::Fail { then: OnError::RollBack });
    assert_eq!(
        words,
        "the error condition holds: 3 of 33 devices failed, 9.1 %; up to 5 % is fine"
    );
    // Those that never took their order make it neither better nor worse.
    assert_eq!(run(&plan, &counts(30, 2, 60)).0, Decision::Fail { then: OnError::RollBack });
    assert_eq!(run(&plan, &counts(40, 0, 60)).0, Decision::Fail { then: OnError::Pause });
    // Of a small wave all of it is enough to say.
    let one = Counts { total: 1, failed: 1, ..Counts::default() };
    assert_eq!(run(&plan, &one).0, Decision::Fail { then: OnError::RollBack });
    let counted = Plan {
        error: ErrorCondition { percent: None, count: Some(3), ..plan.error },
        ..plan.clone()
    };
    assert_eq!(run(&counted, &counts(0, 2, 9)).0, Decision::Go);
    assert_eq!(run(&counted, &counts(90, 3, 0)).0, Decision::Fail { then: OnError::RollBack });
}

#[test]
fn a_fault_of_the_rollout_itself_pauses_it_at_the_first_device() {
    let held = Counts { held: 1, ..counts(90, 1, 0) };
    assert_eq!(run(&plan(), &held).0, Decision::Fail { then: OnError::Pause });
    let seen = Counts { held: 0, forgiven: 1, ..held };
    assert_eq!(run(&plan(), &seen).0, Decision::Go);
    // The next that fails is judged by what it is itself.
    let ordinary = Counts { failed: 2, waiting: 8, ..seen };
    assert_eq!(run(&plan(), &ordinary).0, Decision::Go);
    let another = Counts { held: 1, ..ordinary };
    assert_eq!(run(&plan(), &another).0, Decision::Fail { then: OnError::Pause });
}

#[test]
fn what_somebody_has_seen_is_asked_about_no_more() {
    let seen = Counts { forgiven: 12, ..counts(30, 10, 2) };
    assert_eq!(run(&plan(), &seen).0, Decision::Go);
    let more = Counts { failed: 14, waiting: 54, ..seen };
    assert_eq!(run(&plan(), &more).0, Decision::Fail { then: OnError::RollBack });
    let ended = Counts { waiting: 0, healthy: 88, ..seen };
    assert!(matches!(run(&plan(), &ended).0, Decision::Soak { .. }));
    let none = Counts { total: 5, failed: 5, forgiven: 5, ..Counts::default() };
    assert!(matches!(run(&plan(), &none).0, Decision::Soak { .. }));
}

#[test]
fn a_wave_that_ended_is_watched_and_then_passes() {
    let plan = plan();
    let good = counts(96, 0, 4);
    let until = at(60);
    assert_eq!(run(&plan, &good).0, Decision::Soak { until });
    let soaking = |now, last| decide(&plan, 0, &good, Some(until), false, last, now).0;
    assert_eq!(soaking(at(59), false), Decision::Wait { until: Some(until) });
    assert_eq!(soaking(until, false), Decision::Next);
    assert_eq!(soaking(until, true), Decision::Complete);
    // One that got sick meanwhile.
    let sick = Counts { healthy: 90, failed: 6, ..good };
    let (decision, _) = decide(&plan, 0, &sick, Some(until), false, false, at(30));
    assert_eq!(decision, Decision::Fail { then: OnError::RollBack });
    let hasty = Plan { soak_minutes: 0, ..plan.clone() };
    assert_eq!(run(&hasty, &good).0, Decision::Next);
    // Nobody passes while one is under way, whatever the time is.
    for busy in
        [Counts { healthy: 95, active: 1, ..good }, Counts { healthy: 95, verifying: 1, ..good }]
    {
        let (decision, _) = decide(&plan, 0, &busy, Some(until), false, false, at(90));
        assert_eq!(decision, Decision::Wait { until: None });
    }
}

#[test]
fn a_wave_that_is_not_good_enough_waits_for_somebody() {
    let (decision, words) = run(&plan(), &counts(94, 0, 6));
    assert_eq!(decision, Decision::Fail { then: OnError::Pause });
    assert!(words.ends_with("94 of 100 devices are healthy, 94 %; 95 % are needed"), "{words}");
    let plan = Plan { success: Success { percent: 95.0, minimum: 10 }, ..plan() };
    // More than take part cannot be asked for.
    let few = Counts { total: 100, skipped: 97, healthy: 3, ..Counts::default() };
    assert!(matches!(run(&plan, &few).0, Decision::Soak { .. }));
    let nobody = Counts { total: 100, skipped: 100, ..Counts::default() };
    assert_eq!(run(&plan, &nobody).0, Decision::Next);
    assert_eq!(run(&plan, &Counts::default()).0, Decision::Next);
}

#[test]
fn a_wave_that_asks_for_it_waits_for_an_approval_before_it_begins() {
    let wave = Wave { name: None, take: Take::Rest, approval: true, soak_minutes: None };
    let plan = Plan { waves: vec![wave], ..plan() };
    assert_eq!(run(&plan, &counts(0, 0, 0)).0, Decision::Approve);
    let (decision, _) = decide(&plan, 0, &counts(0, 0, 0), None, true, true, at(0));
    assert_eq!(decision, Decision::Go);
    // The one behind the last asks nobody.
    let (decision, _) = decide(&plan, 1, &counts(0, 0, 0), None, false, true, at(0));
    assert_eq!(decision, Decision::Go);
}

#[test]
fn one_device_is_told_as_one() {
    let one = Counts { total: 1, healthy: 1, ..Counts::default() };
    let hasty = Plan { soak_minutes: 0, ..plan() };
    let (_, verdict) = decide(&hasty, 0, &one, None, false, true, at(0));
    let said = [verdict.words].into_iter().chain(verdict.checks.into_iter().map(|c| c.words));
    for words in said {
        assert!(!words.contains("1 devices") && !words.contains("1 are"), "{words}");
    }
    let waits = Counts { total: 2, waiting: 1, healthy: 1, ..Counts::default() };
    assert_eq!(run(&plan(), &waits).1, "1 of 2 devices is still to begin");
}

#[test]
fn an_audience_that_is_another_one_is_told_apart() {
    for (meant, found) in [(0, 0), (100, 100), (100, 110), (100, 90), (1, 1), (11, 12)] {
        assert_eq!(another_audience(meant, found), None, "{meant} and {found}");
    }
    for (meant, found) in [(0, 1), (100, 111), (100, 89), (1, 2), (9, 10), (5_000, 0)] {
        assert!(another_audience(meant, found).is_some(), "{meant} and {found}");
    }
    let words = another_audience(1, 30).unwrap_or_default();
    assert!(words.contains("for 1 device, and it finds 30 devices now"), "{words}");
}

#[test]
fn waves_whose_devices_are_nobody_are_named() {
    assert_eq!(without_devices(&[]), None);
    let of = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        without_devices(&names).unwrap_or_default()
    };
    assert!(of(&["canary"]).starts_with("wave `canary` has no device: "));
    assert!(of(&["canary", "riga"]).starts_with("waves `canary`, `riga` have no device: "));
}

#[test]
fn a_verdict_is_stored_with_its_numbers() -> Result<(), serde_json::Error> {
    let (_, verdict) = decide(&plan(), 0, &counts(94, 0, 6), None, false, false, at(0));
    let rules: Vec<GateRule> = verdict.checks.iter().map(|check| check.check).collect();
    let expected =
        [GateRule::Held, GateRule::ErrorPercent, GateRule::SuccessPercent, GateRule::Sample];
    assert_eq!(rules, expected);
    let success = &verdict.checks[2];
    assert_eq!((success.ok, success.value, success.limit), (Some(false), 94.0, 95.0));
    let stored = serde_json::to_value(&verdict)?;
    assert_eq!(stored["checks"][2]["check"], "success_percent");
    assert_eq!(serde_json::from_value::<GateVerdict>(stored)?, verdict);
    Ok(())
}

proptest! {
    /// Whatever the numbers are: only a wave of which nobody waits or is under way passes, and only
    /// where nothing got sick beyond what the plan takes.
    #[test]
    fn nothing_passes_that_should_not(
        parts in prop::array::uniform7(0_u64..30),
        forgiven in 0_u64..20,
        held in 0_u64..3,
        soaked in any::<bool>(),
        approved in any::<bool>(),
        count in prop::option::of(1_u32..10),
    ) {
        let [waiting, active, verifying, healthy, failed, timed_out, skipped] = parts;
        let total = parts.iter().sum();
        let counts = Counts {
            total, waiting, active, verifying, healthy, failed, timed_out, skipped, held, forgiven,
        };
        let plan = Plan { error: ErrorCondition { count, ..plan().error }, ..plan() };
        let soak = soaked.then(|| at(-1));
        let (decision, verdict) = decide(&plan, 0, &counts, soak, approved, false, at(0));
        prop_assert!(!verdict.words.is_empty());
        let unseen = (failed + timed_out).saturating_sub(forgiven);
        match decision {
            Decision::Next | Decision::Complete => {
                prop_assert_eq!(waiting + active + verifying, 0);
                prop_assert!(soaked || healthy + failed + timed_out == 0);
                prop_assert!(healthy * 100 >= 95 * (healthy + unseen));
            }
            Decision::Go => {
                prop_assert!(waiting > 0);
                prop_assert!(count.is_none_or(|most| failed.min(unseen) < u64::from(most)));
            }
            Decision::Soak { .. } => prop_assert!(!soaked && waiting + active + verifying == 0),
            Decision::Wait { .. } => prop_assert!(active + verifying > 0),
            Decision::Fail { .. } => prop_assert!(unseen > 0 || !approved),
            Decision::Approve => prop_assert_ne!(decision, Decision::Approve, "nobody asks"),
        }
    }
}
