//! The rules have an answer to everything.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::{at, device, sample, seen, upgrade, with_job};
use crate::fleet::health::Sample;
use crate::rollout::device::{Device, JobSeen, Seen, Step, Work, begin, look};
use crate::rollout::plan::Plan;
use crate::rollout::state::DeviceState;

fn any_state() -> impl Strategy<Value = DeviceState> {
    prop::sample::select(DeviceState::ALL.to_vec())
}

fn any_job() -> impl Strategy<Value = Option<JobSeen>> {
    let states =
        ["queued", "running", "waiting", "done", "failed", "cancelled", "expired", "unheard of"];
    let kinds = ["refresh", "upgrade"];
    let result = prop::sample::select(vec![
        None,
        Some(json!({ "version": "7.12.1" })),
        Some(json!({ "transferred": true })),
        Some(json!({ "impossible": true })),
        Some(json!({ "report": { "done": true, "failed": [] } })),
        Some(json!("odd")),
    ]);
    let fault = prop::sample::select(vec![None, Some(9010), Some(9003), Some(9019), Some(0)]);
    let state = prop::sample::select(states.to_vec());
    let kind = prop::sample::select(kinds.to_vec());
    let parts = (state, kind, fault, result, any_time());
    let job = parts.prop_map(|(state, kind, fault, result, ended_at)| JobSeen {
        state: state.to_owned(),
        kind: kind.to_owned(),
        fault,
        note: None,
        result,
        ended_at,
    });
    prop::option::of(job)
}

fn any_time() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    prop::option::of((-3_000_i64..3_000).prop_map(at))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is seen of whatever device: there is an answer, nobody is left behind, and nothing
    /// is begun that may not be.
    #[test]
    fn nobody_is_left_behind(
        state in any_state(),
        kinds in prop::collection::vec(0_u8..7, 0..4),
        (step, attempts) in (0_usize..5, 0_u32..4),
        times in (any_time(), any_time(), any_time(), any_time()),
        job in any_job(),
        version in prop::sample::select(vec![None, Some("7.12.1"), Some("7.16.1"), Some("odd")]),
        (last_inform, last_boot, refreshed_at, listening) in
            (any_time(), any_time(), any_time(), any_time()),
        running in any::<bool>(),
        interval in prop::sample::select(vec![None, Some(0), Some(300), Some(u32::MAX)]),
        wan_up in prop::option::of(any::<bool>()),
    ) {
        let steps = kinds.iter().map(|kind| match kind {
            0 => upgrade("7.12.1"),
            1 => upgrade("7.16.1"),
            2 => Step::Routerboot,
            3 => Step::Template,
            4 => Step::Report,
            5 => Step::Backup,
            _ => Step::Inspect,
        });
        let device = Device {
            steps: steps.collect(),
            step,
            attempts,
            started_at: times.0,
            changed_at: times.1,
            deadline_at: times.2,
            soak_until: times.3,
            baseline: Some(sample()),
            ..device(state, Vec::new())
        };
        let seen = Seen {
            running,
            listening_since: listening.unwrap_or(at(-5_000)),
            version: version.map(str::to_owned),
            last_inform: last_inform.unwrap_or(at(0)),
            inform_interval: interval,
            last_boot,
            refreshed_at,
            sample: Sample { wan_up, ..sample() },
            ..with_job(seen(0, ""), job)
        };
        let plan = Plan::default();
        let answer = if state == DeviceState::Waiting { begin } else { look };
        let next = answer(&device, &seen, &plan, at(0));
        let ended = next.state.is_final() && next.state != DeviceState::Healthy;
        if ended {
            prop_assert!(next.finished);
            prop_assert_eq!((next.due_at, next.work), (None, None));
        } else if next.state != DeviceState::Waiting && !next.finished {
            prop_assert!(next.due_at.is_some(), "{next:?}");
            let later = next.due_at.is_some_and(|due| due > at(0));
            prop_assert!(later || next.state == state, "{next:?}");
        }
        if let Some(Work::Step(step)) = next.work {
            prop_assert!(step < device.steps.len());
            let begins = device.is_untouched(step);
            prop_assert!(running || !begins, "a change begins although nothing may");
            let has = device.steps[step].version().is_some_and(|version| seen.runs(version));
            prop_assert!(!has, "it is sent what it has");
        }
        if next.work == Some(Work::Withdraw) {
            prop_assert_eq!(next.state, state);
        }
        if let Some(from) = next.not_before {
            prop_assert!(next.deadline_at.is_some_and(|deadline| deadline > from));
        }
        if matches!(next.state, DeviceState::Failed | DeviceState::TimedOut) && next.state != state {
            prop_assert!(next.reason.as_deref().is_some_and(|why| !why.is_empty()));
        }
    }
}
