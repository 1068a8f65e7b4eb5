use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::web::jobs::tests::{EVIL, device, job, now};
use crate::web::views::sample;

fn event(kind: &str, detail: Value) -> Event {
    let event_id = Uuid::from_u128(9);
    Event { at: now(), event_id, kind: kind.to_owned(), job_id: None, detail }
}

fn shown(job: &Job, operable: bool) -> JobPart {
    let events = [
        event("job.created", json!({ "kind": "set", "by": EVIL })),
        event("job.failed", json!({ "kind": "set", "note": EVIL, "fault": null })),
        event(EVIL, json!({})),
    ];
    told(job, &device(), &events, operable, now())
}

pub(in crate::web::jobs) fn samples() -> Vec<(View, Value)> {
    let mut failed = job("set", "failed");
    failed.fault = Some(json!({
        "code": 9003, "text": EVIL, "parameters": [{ "name": EVIL, "code": 9007, "text": EVIL }],
    }));
    failed.result =
        Some(json!({ "status": EVIL, "parameters": [{ "name": EVIL, "value": EVIL }] }));
    failed.idempotency_key = Some(EVIL.to_owned());
    failed.finished_at = Some(now());
    let mut waiting = job("factory_reset", "waiting");
    waiting.confirm_by = Some(now());
    let mut reset = job("factory_reset", "done");
    reset.finished_at = Some(now());
    let mut all = Vec::new();
    for job in [&failed, &waiting, &reset, &job("reboot", "queued")] {
        let page = JobPage { shell: Shell::sample(), job: shown(job, true) };
        all.push(sample(View::Job, &page));
        all.push(sample(View::JobState, &JobFragment { job: shown(job, false) }));
    }
    all
}

#[test]
fn who_may_not_operate_is_offered_nothing() {
    let mut ended = job("reboot", "failed");
    ended.finished_at = Some(now());
    let queued = job("reboot", "queued");
    for (job, operable, offered) in [
        (&ended, true, (false, true)),
        (&ended, false, (false, false)),
        (&queued, true, (true, false)),
        (&queued, false, (false, false)),
        (&job("reboot", "running"), true, (false, false)),
        (&job("reboot", "waiting"), true, (true, false)),
    ] {
        let part = shown(job, operable);
        assert_eq!((part.can_cancel, part.can_order), offered, "{} {operable}", job.state);
    }
    let mut own = job("credentials", "done");
    own.finished_at = Some(now());
    assert!(!shown(&own, true).can_order, "nobody orders what is Muster's own");
}

#[test]
fn secrets_of_what_was_asked_and_answered_are_not_shown() {
    let list =
        json!([{ "name": "Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "value": "hunter2" }]);
    let mut job = job("set", "done");
    job.args = json!({ "kind": "set", "parameters": list });
    job.result = Some(json!({ "parameters": list }));
    let part = shown(&job, true);
    assert_eq!(part.asked.rows[0].value, crate::fleet::secret::MASK);
    assert_eq!(part.answered.rows[0].value, crate::fleet::secret::MASK);
}

#[test]
fn the_newest_step_comes_first_with_its_reason() {
    let part = shown(&job("set", "failed"), true);
    let titles: Vec<&str> = part.history.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, [EVIL, "Failed", "Ordered"]);
    assert_eq!((part.history[1].state, part.history[1].detail.as_str()), ("failed", EVIL));
    assert_eq!(part.history[2].detail, format!("by {EVIL}"));
}

#[test]
fn times_are_told_that_still_matter() {
    let mut queued = job("reboot", "queued");
    queued.not_before = now() - TimeDelta::hours(1);
    let part = shown(&queued, true);
    assert_eq!(part.next, Some(When::new(now(), now())), "due since long is due now");
    assert!(part.expires.is_some() && part.finished.is_none());
    queued.attempts = 1;
    assert!(shown(&queued, true).expires.is_none(), "it has run");
    let mut done = job("reboot", "done");
    done.finished_at = Some(now());
    done.confirm_by = Some(now());
    let part = shown(&done, true);
    assert!(part.next.is_none() && part.expires.is_none() && part.confirm_by.is_none());
}

#[test]
fn what_could_strand_a_device_is_confirmed() {
    let file = |kind: &str, file: Value| {
        let mut job = job(kind, "failed");
        job.args = match kind {
            "download" => json!({ "kind": kind, "file": file }),
            _ => json!({ "kind": kind, "download": { "file": file } }),
        };
        is_drastic(&job)
    };
    for kind in ["download", "schedule_download"] {
        assert!(file(kind, json!({ "type": "overwrite" })), "{kind}");
        assert!(file(kind, json!({ "type": "factory_configuration" })), "{kind}");
        assert!(!file(kind, json!({ "type": "alter" })), "{kind}");
    }
    assert!(is_drastic(&job("factory_reset", "done")) && !is_drastic(&job("reboot", "done")));
}
