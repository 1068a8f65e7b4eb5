#![expect(clippy::unwrap_used, reason = "tests")]
use chrono::TimeZone;
use serde_json::json;

use super::*;
use crate::web::device::samples;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap()
}

/// Of the time of these tests.
fn job(state: &str, args: Value) -> Job {
    Job { not_before: now(), ..samples::job(state, args) }
}

fn set(name: &str) -> Value {
    json!({ "kind": "set", "parameters": [{ "name": name, "value": "hunter2" }] })
}

fn around(request: Option<&Request>) -> Around<'_> {
    Around {
        request,
        last_inform: now() - TimeDelta::minutes(3),
        interval: TimeDelta::minutes(5),
        ahead: 0,
        now: now(),
    }
}

fn request() -> Request {
    Request { asked_at: now(), not_before: now(), attempts: 0, sent_at: None, last_error: None }
}

fn moments(progress: &Progress) -> Vec<String> {
    let words = |m: &Moment| {
        let at = serde_json::to_value(&m.at).unwrap();
        format!("{} {}", m.label, at["words"].as_str().unwrap())
    };
    progress.moments.iter().map(words).collect()
}

#[test]
fn a_queued_job_says_what_it_waits_for() {
    let reboot = job("queued", json!({ "kind": "reboot" }));
    let told = progress(&reboot, &Around { ahead: 2, ..around(None) });
    assert_eq!(told.line, "Waits for 2 jobs before it.");
    let told = progress(&reboot, &around(None));
    assert_eq!(
        (told.line.as_str(), moments(&told)),
        ("Waits for the device.", vec!["comes by itself in 2 min".to_owned()])
    );
    let calling = request();
    assert_eq!(progress(&reboot, &around(Some(&calling))).line, "The device is being called.");
    let called = Request { sent_at: Some(now()), ..request() };
    assert!(progress(&reboot, &around(Some(&called))).line.contains("was called"));
    let stuck = Request {
        last_error: Some("no route to host".to_owned()),
        not_before: now() + TimeDelta::minutes(1),
        ..request()
    };
    let told = progress(&reboot, &around(Some(&stuck)));
    assert_eq!(told.line, "The device cannot be called: no route to host.");
    assert!(told.advice.contains("comes by itself"));
    assert_eq!(moments(&told), ["comes by itself in 2 min", "is called again in 1 min"]);
    let given_up = Request { not_before: now() + TimeDelta::days(365), ..stuck };
    let late = Around { last_inform: now() - TimeDelta::hours(1), ..around(Some(&given_up)) };
    assert_eq!(moments(&progress(&reboot, &late)), ["was expected 55 min ago"]);
}

#[test]
fn an_attempt_that_failed_says_why_and_when_the_next_one_is() {
    let mut job = job("queued", json!({ "kind": "methods" }));
    job.not_before = now() + TimeDelta::minutes(2);
    job.note = Some("the device refused: 9002 (internal error); tried again in 120 s".to_owned());
    let told = progress(&job, &around(None));
    assert_eq!(told.line, "The device refused: 9002 (internal error). It is tried again.");
    assert_eq!(moments(&told), ["runs in 2 min"]);
}

#[test]
fn what_the_device_accepted_says_what_it_does_and_until_when() {
    let mut job = job("waiting", json!({ "kind": "reboot" }));
    job.confirm_by = Some(now() + TimeDelta::minutes(15));
    job.note = Some("accepted by the device; its report is due".to_owned());
    let told = progress(&job, &around(None));
    assert_eq!((told.line.contains("restarts"), told.advice.as_str()), (true, ""));
    assert_eq!(moments(&told), ["its report is due until in 15 min"]);
    job.note = Some("the session was lost while the job ran".to_owned());
    let told = progress(&job, &around(None));
    assert_eq!(told.advice, "The session was lost while the job ran.");
}

#[test]
fn a_result_is_told_in_words() {
    for (args, result, words) in [
        (set("Device.A"), json!({ "status": "applied" }), "The device took it."),
        (
            set("Device.A"),
            json!({ "status": "pending" }),
            "The device took it, and applies it with its next restart.",
        ),
        (
            json!({ "kind": "refresh" }),
            json!({ "parameters": 812, "skipped_count": 1 }),
            "812 parameters were read; 1 path could not be.",
        ),
        (
            json!({ "kind": "add_object", "object": "Device.X." }),
            json!({ "instance": 3 }),
            "The device made Device.X.3.",
        ),
    ] {
        let mut job = job("done", args);
        job.result = Some(result);
        assert_eq!(progress(&job, &around(None)).line, words);
    }
}

fn refused(name: &str) -> Progress {
    let mut job = job("failed", set(name));
    job.note = Some("the device refused: 9003 (invalid arguments)".to_owned());
    let part = json!({ "name": name, "code": 9007, "text": "hunter2 is too short" });
    let fault = json!({ "code": 9003, "text": "Invalid arguments", "parameters": [part] });
    job.fault = Some(fault);
    progress(&job, &around(None))
}

#[test]
fn a_fault_names_its_parameter_and_what_to_do() {
    let told = refused("Device.A");
    assert_eq!(
        told.line,
        "The device refused: 9003 (invalid arguments). Device.A: invalid parameter value \
         (9007): hunter2 is too short."
    );
    assert!(told.advice.contains("does not take this value"), "{}", told.advice);
}

#[test]
fn a_secret_that_the_device_repeats_is_not_shown() {
    let told = refused("Device.WiFi.AccessPoint.1.Security.KeyPassphrase");
    assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
    let mut job = job("failed", set("Device.ManagementServer.Password"));
    job.fault = Some(json!({ "code": 9007, "text": "hunter2 is too short" }));
    let told = progress(&job, &around(None));
    assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
}

#[test]
fn a_failure_without_a_fault_asks_to_look() {
    let mut job = job("failed", json!({ "kind": "delete_object", "object": "Device.X.1." }));
    job.note = Some("the session was lost while the job ran; outcome unknown".to_owned());
    let told = progress(&job, &around(None));
    assert_eq!(told.line, "The session was lost while the job ran; outcome unknown.");
    assert!(told.advice.contains("Look at the device"), "{}", told.advice);
}

#[test]
fn a_job_is_called_by_what_it_does_and_shows_no_secret() {
    assert_eq!(title(&job("queued", json!({ "kind": "reboot" }))), "Reboot");
    let name = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    let title = title(&job("queued", set(name)));
    assert!(title.contains(name) && !title.contains("hunter2"), "{title}");
}

#[test]
fn every_state_has_words() {
    for state in crate::service::jobs::STATES {
        let told = progress(&job(state, json!({ "kind": "reboot" })), &around(None));
        assert!(!told.line.is_empty(), "{state}");
    }
}
