//! Whole rollouts against devices of every kind, thousands of times, each time the same for the same
//! seed.
//!
//! The rules are the real ones: `device`, `gate`, `pace`, `assign`, and `jobs::upgrade`. What is
//! made up is around them: devices that upgrade, refuse, come back on the old version, never come
//! back, crash or fall silent hours later, or tell everything twice ([`router`], [`queue`]); Muster
//! that is away for an hour, sites that are open for a few ([`world`]); and two nodes that read in one moment and write in a later
//! one, lose their lease in between, and are killed between any two statements ([`node`]). A
//! statement is atomic, and changes a row only if it is as it was seen ([`store`], [`judge`]); that is
//! what PostgreSQL is trusted with.
//!
//! What must hold is checked where it could break: that no device is sent what it has, nor anything
//! twice, in `World::deliver`; that nothing begins while nothing may, and that nobody is left without
//! a next look, in `Store::write`; limits, and that nobody begins beside a partner that is sick, in
//! `Store::check_pace` and `check_errors`; the rest in [`check_end`].
//!
//! A rollout that is taken back gives its place to the one that does it, in the same world: with the
//! plan that the real one has (`plan_back`), and with the jobs and reports that the first one left.

mod dice;
mod judge;
mod node;
mod queue;
mod router;
mod store;
mod world;

use std::collections::BTreeMap;

use chrono::TimeDelta;

use self::dice::Dice;
use self::router::{Fate, Router};
use self::store::{Row, TARGET};
use self::world::World;
use super::device::Step;
use super::plan::{Checks, Deadlines, ErrorCondition, OnError, Pace, Plan, Success, Take, Wave};
use super::state::{DeviceState, State};

/// Rollouts that are played.
const SEEDS: u64 = 2_000;
/// Each ends within so many days.
const DAYS: i64 = 30;

/// How often what happened, to know that it did.
type Tally = BTreeMap<&'static str, u64>;

fn plan(dice: &mut Dice) -> Plan {
    let wave = |take| Wave { name: None, take, approval: false, soak_minutes: None };
    let waves = match dice.below(4) {
        0 => vec![wave(Take::Rest)],
        1 => vec![wave(Take::Count(1)), wave(Take::Percent(40.0))],
        2 => vec![wave(Take::Percent(10.0)), wave(Take::Percent(50.0)), wave(Take::Rest)],
        _ => vec![wave(Take::Count(2)), wave(Take::Count(3))],
    };
    let count = Some(1 + dice.below(3) as u32);
    let then = if dice.one_in(4) { OnError::Abort } else { OnError::Pause };
    let error = match dice.below(3) {
        0 => ErrorCondition { percent: Some(20.0), minimum: 3, count: None, then },
        1 => ErrorCondition { percent: None, minimum: 1, count, then },
        _ => ErrorCondition { percent: None, minimum: 1, count: None, then },
    };
    Plan {
        waves,
        success: Success { percent: 60.0, minimum: 1 },
        error,
        soak_minutes: dice.pick(&[0, 30, 120]),
        pace: Pace {
            concurrent: 1 + dice.below(5) as u32,
            per_minute: dice.pick(&[None, Some(1), Some(3)]),
            per_site: dice.pick(&[None, Some(1)]),
            ..Pace::default()
        },
        checks: Checks { uptime: !dice.one_in(5), ..Checks::default() },
        deadlines: Deadlines { offer_hours: 3, ..Deadlines::default() },
        retries: dice.below(3) as u32,
        ..Plan::default()
    }
}

/// Plays one rollout to its end.
fn play(seed: u64, tally: &mut Tally) {
    let (mut dice, mut extra) = (Dice::new(seed), Dice::new(!seed));
    let mut plan = plan(&mut dice);
    if extra.one_in(4) {
        plan.error.then = OnError::RollBack;
    }
    let mut world = World::new(seed, plan, dice, extra);
    while !world.store.is_over() {
        world.step();
        assert!(world.days() < DAYS, "seed {seed}: it does not end: {:?}", world.store);
    }
    match world.store.is_back {
        true => check_back(&world, tally),
        false => check_end(&world),
    }
    count(&world, tally);
}

/// What must hold of a rollout that was taken back.
fn check_back(world: &World, tally: &mut Tally) {
    world.store.check_counts(world.seed);
    for (row, router) in world.store.rows.iter().zip(&world.routers) {
        let id = || format!("seed {}, device {}: {row:?} {router:?}", world.seed, row.id);
        let state = row.device.state;
        assert!(state.is_final(), "left behind: {}", id());
        let had = row.device.steps.last().and_then(Step::version).unwrap_or_default();
        if state == DeviceState::Healthy {
            *tally.entry("changed back").or_default() += 1;
            let runs = router.version_when(row.finished_at);
            assert_eq!(runs, had, "not what it had: {}", id());
        }
        let sound = matches!(router.fate, Fate::Fine | Fate::SlowLine | Fate::Late);
        if sound && row.device.started_at.is_some() && state != DeviceState::Skipped {
            assert_eq!(state, DeviceState::Healthy, "it should be well again: {}", id());
        }
    }
}

fn check_end(world: &World) {
    world.store.check_counts(world.seed);
    for (row, router) in world.store.rows.iter().zip(&world.routers) {
        let id = || format!("seed {}, device {}: {row:?} {router:?}", world.seed, row.id);
        let state = row.device.state;
        assert!(state.is_final(), "left behind: {}", id());
        if state == DeviceState::Healthy {
            let runs = router.version_when(row.finished_at);
            assert_eq!(runs, TARGET, "not what it should run: {}", id());
            assert!(!is_missed(world, row, router), "nobody saw that it is sick: {}", id());
        }
        if row.device.started_at.is_none() || state == DeviceState::Skipped {
            continue;
        }
        let may_be: &[DeviceState] = match router.fate {
            Fate::Fine | Fate::SlowLine | Fate::Repeats | Fate::Late => &[DeviceState::Healthy],
            Fate::StaysOld | Fate::Dark | Fate::LosesLine => &[DeviceState::Failed],
            Fate::Absent => &[DeviceState::TimedOut, DeviceState::Healthy],
            Fate::Crashes(_) | Fate::Dies(_) | Fate::Refuses(..) => {
                &[DeviceState::Failed, DeviceState::Healthy]
            }
        };
        assert!(may_be.contains(&state), "it should be {may_be:?}: {}", id());
    }
}

/// Whether a device got sick so long before its wave was let go that somebody should have seen it.
fn is_missed(world: &World, row: &Row, router: &Router) -> bool {
    let (Some(sick), Some(changed), Some(end)) =
        (router.sick_at, row.device.changed_at, row.finished_at)
    else {
        return false;
    };
    let seen_after = match router.fate {
        // It says so when it is there again, unless a node stalls just then.
        Fate::Crashes(_) => TimeDelta::minutes(4),
        // Nobody says so: it may miss two informs.
        _ => TimeDelta::minutes(30),
    };
    sick > changed && sick + seen_after < end && world.hears(sick) && world.hears(end)
}

fn count(world: &World, tally: &mut Tally) {
    let mut add = |what, times: u64| *tally.entry(what).or_default() += times;
    add(world.store.state.word(), 1);
    for row in &world.store.rows {
        add(row.device.state.word(), 1);
    }
    for (what, times) in &world.store.tally {
        add(*what, *times);
    }
}

#[test]
fn thousands_of_rollouts_end_as_they_should() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8) as u64;
    let all = std::thread::scope(|scope| {
        let play_some = |first: u64| {
            move || {
                let mut tally = Tally::new();
                for seed in (first..SEEDS).step_by(threads as usize) {
                    play(seed, &mut tally);
                }
                tally
            }
        };
        let handles: Vec<_> = (0..threads).map(|first| scope.spawn(play_some(first))).collect();
        let mut all = Tally::new();
        for handle in handles {
            match handle.join() {
                Ok(tally) => {
                    for (what, times) in tally {
                        *all.entry(what).or_default() += times;
                    }
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    // A simulation in which nothing happens proves nothing.
    for what in [
        State::Completed.word(),
        State::Aborted.word(),
        DeviceState::Healthy.word(),
        DeviceState::Failed.word(),
        DeviceState::Skipped.word(),
        DeviceState::TimedOut.word(),
        "paused by the gate",
        "paused by somebody",
        "soaked",
        "tried again",
        "withdrawn",
        "called back",
        "killed",
        "lease lost",
        "written too late",
        "news while it was looked at",
        "said twice",
        "read in part",
        "reported late",
        "sick after it was healthy",
        "looked at again after a start",
        "looked at anew by order",
        "put off by a window",
        "called back at closing",
        "waits beside a sick one",
        "left out beside a sick one",
        "taken back",
        "changed back",
        "second hop",
        "away",
    ] {
        let times = all.get(what).copied().unwrap_or_default();
        assert!(times >= 20, "{what}: {times} times only: {all:?}");
    }
}

/// The same seed is the same story, to the last number.
#[test]
fn a_seed_is_a_story() {
    for seed in [1, 77] {
        let [mut once, mut twice] = [Tally::new(), Tally::new()];
        play(seed, &mut once);
        play(seed, &mut twice);
        assert_eq!(once, twice);
    }
}
