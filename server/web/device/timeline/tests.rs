use serde_json::json;

use super::*;
use crate::web::device::samples::job;
use crate::web::views::sample;

fn event(id: u128, kind: &str, job: Option<u128>, detail: Value) -> Event {
    Event {
        at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(id as i64),
        event_id: Uuid::from_u128(id),
        kind: kind.to_owned(),
        job_id: job.map(Uuid::from_u128),
        detail,
    }
}

/// A job that failed, a start, and a job of which nothing else is known.
fn events() -> Vec<Event> {
    vec![
        event(5, "job.failed", Some(9), json!({ "kind": "reboot", "note": "it <x-evil>" })),
        event(4, "boot", None, json!({ "version": "7.16", "events": "1 BOOT" })),
        event(3, "job.created", Some(9), json!({ "kind": "reboot", "by": "ann" })),
        event(2, "job.created", Some(8), json!({ "kind": "methods", "by": "bob" })),
    ]
}

fn known() -> HashMap<Uuid, Job> {
    let id = Uuid::from_u128(9);
    HashMap::from([(id, Job { job_id: id, ..job("failed", json!({ "kind": "reboot" })) })])
}

pub(in crate::web::device) fn entries() -> Vec<Entry> {
    merged(&events(), &known(), DateTime::UNIX_EPOCH)
}

pub(in crate::web::device) fn samples() -> Vec<(View, Value)> {
    let page = |entries: Vec<Entry>, first: &str| TimelinePage {
        shell: Shell::sample(),
        head: Head::sample(),
        entries,
        first: first.to_owned(),
        next: first.to_owned(),
    };
    vec![
        sample(View::DeviceTimeline, &page(entries(), "/devices/1/timeline")),
        sample(View::DeviceTimeline, &page(Vec::new(), "")),
    ]
}

#[test]
fn what_happened_to_one_job_is_one_entry() {
    let entries = entries();
    let titles: Vec<&str> = entries.iter().map(|entry| entry.title.as_str()).collect();
    assert_eq!(titles, ["Reboot", "Started", "Ask for methods"]);
    let steps: Vec<&str> = entries[0].steps.iter().map(|step| step.words.as_str()).collect();
    assert_eq!(steps, ["It <x-evil>.", "Ordered by ann."]);
    assert_eq!((entries[0].state.as_str(), entries[0].line.as_str()), ("failed", "It <x-evil>."));
    assert!(entries[0].href.ends_with("/jobs/00000000-0000-0000-0000-000000000009"));
}

#[test]
fn a_job_that_is_forgotten_still_says_what_it_was() {
    let entry = &entries()[2];
    assert_eq!((entry.href.as_str(), entry.state.as_str()), ("", "queued"));
    assert_eq!((entry.line.as_str(), entry.steps.len()), ("Ordered by bob.", 0));
}

#[test]
fn an_event_of_no_job_has_its_detail() {
    let entry = &entries()[1];
    assert_eq!((entry.state.as_str(), entry.line.as_str()), ("online", "Version 7.16."));
    assert!(entry.detail.contains("1 BOOT"));
}

#[test]
fn a_new_place_is_told_by_what_is_new() {
    let placed = |site: Option<&str>, tags: &[&str]| json!({ "site": site, "tags": tags });
    let told = |before: Value, after: Value| {
        let detail = json!({ "by": "ann", "before": before, "after": after });
        line(&event(1, "device.changed", None, detail))
    };
    assert_eq!(
        told(placed(None, &[]), placed(Some("eu.lv"), &["pilot"])),
        "Put into eu.lv. Tagged pilot. By ann."
    );
    assert_eq!(
        told(placed(Some("eu.lv"), &["a", "b"]), placed(Some("eu.ee"), &["b", "c"])),
        "Moved from eu.lv to eu.ee. Tagged c, no more a. By ann."
    );
    assert_eq!(told(placed(Some("eu"), &[]), placed(None, &[])), "Taken out of eu. By ann.");
    let tied =
        json!({ "site": null, "tags": [], "uplink": "0193f6a1-0000-5000-8000-000000000001" });
    assert_eq!(told(placed(None, &[]), tied), "Another uplink. By ann.");
}

#[test]
fn a_report_is_a_step_of_its_job() {
    let events = [
        event(3, "job.done", Some(9), json!({ "kind": "upload", "note": null })),
        event(2, "transfer_complete", Some(9), json!({ "fault": null })),
        event(1, "file.received", Some(9), json!({ "name": "log.txt" })),
    ];
    let entries = merged(&events, &HashMap::new(), DateTime::UNIX_EPOCH);
    let steps: Vec<&str> = entries[0].steps.iter().map(|step| step.words.as_str()).collect();
    assert_eq!((entries.len(), entries[0].title.as_str()), (1, "Fetch a file from the device"));
    let told = ["Done.", "The device reports the transfer as complete.", "The file log.txt came."];
    assert_eq!(steps, told);
}

#[test]
fn a_kind_that_nobody_knows_is_told_as_it_is() {
    assert_eq!(called("something.new_here"), "Something new here");
    assert_eq!(shape("something.new_here"), "idle");
}
