//! What became of the jobs that were made before, each reckoned with once.

use chrono::{DateTime, TimeDelta, Utc};
use muster_routeros::apply::{Report, UNREAD};
use serde_json::{Value, json};

use super::{CONFIGURE, CREDENTIALS, Decision, READ, SET, UPGRADE};
use crate::desired::KEY;
use crate::desired::differ;
use crate::desired::reconcile::Subject;
use crate::jobs::queue::{APPLY_LOG, NOT_KEPT};
use crate::store::desired::{OwnJob, Row};

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
/// it. A script that may have been run is not tried again: what became of it is told.
pub(super) fn hear(decision: &mut Decision, subject: &Subject, now: DateTime<Utc>) {
    let row = &mut decision.row;
    let is_first = subject.row.compared_at.is_none();
    // First: a script whose report and whose log are both lost may have run, too.
    unread(row, &subject.jobs);
    let mut failed: Option<(String, bool)> = None;
    for job in subject.jobs.iter().filter(|job| job.finished_at.is_some()) {
        if row.heard.0.insert(job.key.clone(), job.job_id) == Some(job.job_id) || is_first {
            continue;
        }
        let is_done = job.state == "done" || is_told(job, row);
        if changes(&job.key) && is_done {
            (row.attempts, row.blocked_until) = (0, None);
            decision.changed = true;
        }
        if is_done || !(changes(&job.key) || job.key == format!("{KEY}{READ}")) {
            continue;
        }
        // Nobody refused it: its window closed before the device had taken it, or the device was away.
        if job.key == format!("{KEY}{UPGRADE}") && job.state == "expired" {
            continue;
        }
        if job.key == format!("{KEY}{CONFIGURE}") {
            (row.script_sha256, row.script_report) = (None, None);
        }
        let refused = refused(job.fault.as_ref());
        if refused.iter().any(|(name, _)| row.undone.contains_key(name)) {
            differ::refuse(&mut row.undone.0, &refused, now);
            continue;
        }
        let said = job.note.clone().unwrap_or_else(|| job.state.clone());
        failed = Some((said, job.state == "cancelled" && said_by_a_person(job)));
    }
    // There is one for each script that it ever had.
    let is_there = |key: &String| subject.jobs.iter().any(|job| job.key == *key);
    row.heard.0.retain(|key, _| !key.starts_with(APPLY_LOG) || is_there(key));
    if let Some((said, cancelled)) = failed {
        row.attempts += 1;
        // Who cancels it does not want it again in a moment.
        let wait = if cancelled { TRY_AGAIN_MOST } else { backed_off(row.attempts) };
        row.blocked_until = Some(now + wait);
        row.reason = Some(said);
    }
}

/// Whether this job failed to bring a script, for all that is known, and it is told what became of the
/// script, by the device's log or because that never came: that counts for more than a report of the
/// transfer that never came. It would cut itself off with the same script again and again.
fn is_told(job: &OwnJob, row: &Row) -> bool {
    let may_have_run = job.attempts > 0 && job.fault.is_none() && job.state == "failed";
    job.key == format!("{KEY}{CONFIGURE}") && may_have_run && row.script_report.is_some()
}

/// Notes of the script that the device took last that nobody knows what became of it, where the job
/// that was to bring its log has ended without that.
fn unread(row: &mut Row, jobs: &[OwnJob]) {
    let Some(hash) = row.script_sha256.as_deref().filter(|_| row.script_report.is_none()) else {
        return;
    };
    // As [`Ready::tag`](crate::desired::script::Ready) has it.
    let key = format!("{APPLY_LOG}{}", &hex::encode(hash)[..32]);
    let is_lost = |job: &OwnJob| job.key == key && job.finished_at.is_some() && job.state != "done";
    if jobs.iter().any(is_lost) {
        row.script_report = Some(json!(Report::silent(UNREAD)));
    }
}

/// Whether a person cancelled this job, rather than Muster because it had no backup.
fn said_by_a_person(job: &OwnJob) -> bool {
    job.note.as_deref() != Some(NOT_KEPT)
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
    use uuid::Uuid;

    #[test]
    fn each_failure_is_waited_for_longer_but_never_more_than_a_day() {
        assert_eq!(backed_off(1), TimeDelta::minutes(5));
        assert_eq!(backed_off(3), TimeDelta::minutes(20));
        assert_eq!(backed_off(i32::MAX), TimeDelta::days(1));
    }

    fn job(key: &str, state: &str) -> OwnJob {
        OwnJob {
            device_id: Uuid::nil(),
            job_id: Uuid::nil(),
            key: key.to_owned(),
            state: state.to_owned(),
            attempts: 1,
            note: None,
            fault: None,
            finished_at: Some(DateTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn what_the_log_says_of_a_script_counts_for_more_than_a_report_that_never_came() {
        let key = format!("{KEY}{CONFIGURE}");
        let told = Row { script_report: Some(json!({})), ..Row::new(Uuid::nil()) };
        assert!(is_told(&job(&key, "failed"), &told));
        assert!(!is_told(&job(&key, "failed"), &Row::new(Uuid::nil())));
        assert!(!is_told(&job(&format!("{KEY}{SET}"), "failed"), &told));
        let refused = OwnJob { fault: Some(json!({ "code": 9010 })), ..job(&key, "failed") };
        assert!(!is_told(&refused, &told), "it was not fetched");
        assert!(!is_told(&OwnJob { attempts: 0, ..job(&key, "expired") }, &told));
    }

    #[test]
    fn a_log_that_never_came_is_no_success() {
        let taken = Row { script_sha256: Some(vec![0xab; 32]), ..Row::new(Uuid::nil()) };
        let key = format!("{APPLY_LOG}{}", "ab".repeat(16));
        let after = |key: &str, state: &str| {
            let mut row = taken.clone();
            unread(&mut row, &[job(key, state)]);
            row.script_report
        };
        for state in ["failed", "expired", "cancelled"] {
            let report = after(&key, state).expect("it is told");
            assert_eq!(report["silent"], true, "{report}");
        }
        assert_eq!(after(&key, "done"), None);
        assert_eq!(after(&format!("{APPLY_LOG}{}", "cd".repeat(16)), "failed"), None);
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
