//! What became of the jobs that were made before, each reckoned with once.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{CONFIGURE, CREDENTIALS, Decision, READ, SET, UPGRADE};
use crate::desired::KEY;
use crate::desired::differ;
use crate::desired::reconcile::Subject;

/// After a failure it is tried again; each further one doubles it.
const TRY_AGAIN: TimeDelta = TimeDelta::minutes(5);
const TRY_AGAIN_MOST: TimeDelta = TimeDelta::days(1);

/// Whether a job with this key changes the device, rather than reads it.
pub(super) fn changes(key: &str) -> bool {
    let name = key.strip_prefix(KEY).unwrap_or_default();
    matches!(name, UPGRADE | CONFIGURE | SET | CREDENTIALS)
}

/// Reckons with the jobs that have ended since this was done last, each once. After a failure nothing is
/// tried for a while; what the device refused by name is remembered, so that the rest is tried without
/// it.
pub(super) fn hear(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) {
    let row = &mut decision.row;
    let is_first = subject.row.compared_at.is_none();
    let mut failed: Option<(String, bool)> = None;
    for job in subject.jobs.iter().filter(|job| job.finished_at.is_some()) {
        if row.heard.0.insert(job.key.clone(), job.job_id) == Some(job.job_id) || is_first {
            continue;
        }
        let is_done = job.state == "done";
        if changes(&job.key) && is_done {
            (row.attempts, row.blocked_until) = (0, None);
            decision.changed = true;
        }
        if is_done || !(changes(&job.key) || job.key == format!("{KEY}{READ}")) {
            continue;
        }
        if job.key == format!("{KEY}{CONFIGURE}") {
            row.script_sha256 = None;
        }
        let refused = refused(job.fault.as_ref());
        if refused.iter().any(|(name, _)| row.undone.contains_key(name)) {
            differ::refuse(&mut row.undone.0, &refused, now);
            continue;
        }
        let said = job.note.clone().unwrap_or_else(|| job.state.clone());
        failed = Some((said, job.state == "cancelled"));
    }
    if let Some((said, cancelled)) = failed {
        row.attempts += 1;
        // Who cancels it does not want it again in a moment.
        let wait = if cancelled { TRY_AGAIN_MOST } else { backed_off(row.attempts) };
        row.blocked_until = Some(now + wait);
        row.reason = Some(said);
    }
}

/// The parameters that a fault names, with what it says of each.
fn refused(fault: Option<&Value>) -> Vec<(String, String)> {
    let list = fault.and_then(|fault| fault["parameters"].as_array());
    let one = |p: &Value| {
        let text = p["text"].as_str().unwrap_or_default();
        let code = p["code"].as_u64().unwrap_or_default();
        Some((p["name"].as_str()?.to_owned(), format!("{code} {text}").trim().to_owned()))
    };
    list.into_iter().flatten().filter_map(one).collect()
}

fn backed_off(attempts: i32) -> TimeDelta {
    let doublings = attempts.clamp(1, 12) - 1;
    (TRY_AGAIN * (1 << doublings)).min(TRY_AGAIN_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_failure_is_waited_for_longer_but_never_more_than_a_day() {
        assert_eq!(backed_off(1), TimeDelta::minutes(5));
        assert_eq!(backed_off(3), TimeDelta::minutes(20));
        assert_eq!(backed_off(i32::MAX), TimeDelta::days(1));
    }

    #[test]
    fn a_fault_names_what_was_refused() {
        let fault = json!({ "code": 9003, "text": "x", "parameters": [
            { "name": "Device.A", "code": 9008, "text": "not writable" } ] });
        assert_eq!(
            refused(Some(&fault)),
            [("Device.A".to_owned(), "9008 not writable".to_owned())]
        );
        assert!(refused(None).is_empty());
    }
}
