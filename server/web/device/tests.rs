#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::Config;
use crate::store::parameters::Entry;
use chrono::{TimeDelta, TimeZone};
use muster_cwmp::value::ValueType;
use serde_json::json;

const PASSWORD: &str = "Device.ManagementServer.Password";

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap()
}

fn document(entries: &[(&str, &str)]) -> Document {
    let entry = |value: &str| Entry {
        value: value.to_owned(),
        kind: ValueType::String,
        writable: Some(true),
        at: 0,
    };
    entries.iter().map(|(name, value)| ((*name).to_owned(), entry(value))).collect()
}

fn counters(entries: &[(&str, &str)]) -> Counters {
    entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn names<'a>(parameters: &'a Parameters<'_>) -> Vec<&'a str> {
    parameters.rows.iter().map(|row| row.name).collect()
}

fn job(kind: &str, args: Value) -> Job {
    Job {
        device_id: Uuid::nil(),
        job_id: Uuid::from_u128(9),
        kind: kind.into(),
        args,
        state: "waiting".into(),
        not_before: now(),
        expires_at: now(),
        confirm_by: None,
        attempts: 1,
        max_attempts: 3,
        lease: None,
        leased_until: None,
        idempotency_key: None,
        created_by: "api:<i>".into(),
        created_at: now() - TimeDelta::minutes(2),
        finished_at: None,
        result: None,
        fault: None,
        note: Some("accepted".into()),
    }
}

#[test]
fn counters_and_document_are_one_list_by_name() {
    let doc = document(&[("Device.A", "1"), ("Device.UpTime", "")]);
    let counters = counters(&[("Device.UpTime", "77"), ("Device.B.Stats.X", "5")]);
    let shown = parameters_of(&doc, &counters, "");
    assert_eq!(names(&shown), ["Device.A", "Device.B.Stats.X", "Device.UpTime"]);
    assert_eq!(shown.rows[2].value, "77");
    assert_eq!((shown.rows[2].kind, shown.rows[2].writable), ("string", "yes"));
    assert_eq!((shown.found, shown.all), (3, 3));
}

#[test]
fn a_secret_is_masked_and_cannot_be_guessed_by_the_filter() {
    let doc = document(&[(PASSWORD, "hunter2"), ("Device.X", "hunting")]);
    let counters = Counters::new();
    let shown = parameters_of(&doc, &counters, "");
    assert_eq!(shown.rows[0].value, MASK);
    let found = parameters_of(&doc, &counters, "hunt");
    assert_eq!(names(&found), ["Device.X"]);
}

#[test]
fn the_filter_looks_at_names_and_values_in_any_case() {
    let doc = document(&[("Device.WiFi.SSID.1.SSID", "Café"), ("Device.Y", "z")]);
    let counters = Counters::new();
    for filter in ["ssid", "CAFÉ"] {
        let shown = parameters_of(&doc, &counters, filter);
        assert_eq!((names(&shown), shown.all), (vec!["Device.WiFi.SSID.1.SSID"], 2));
    }
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let entries: Vec<String> = (0..PARAMETERS + 5).map(|i| format!("Device.P.{i}")).collect();
    let entries: Vec<(&str, &str)> = entries.iter().map(|name| (name.as_str(), "v")).collect();
    let doc = document(&entries);
    let counters = Counters::new();
    let shown = parameters_of(&doc, &counters, "");
    assert_eq!((shown.rows.len(), shown.found), (PARAMETERS, PARAMETERS + 5));
}

#[test]
fn the_arguments_of_a_job_are_masked() {
    let parameters = json!([{ "name": PASSWORD, "value": "hunter2" }]);
    let job = job("set", json!({ "kind": "set", "parameters": parameters }));
    let row = job_row(&job, now());
    assert!(row.args.contains(MASK) && !row.args.contains("hunter2"), "{}", row.args);
    assert!(!row.args.contains("kind"));
    assert_eq!(row.attempts, "1 of 3");
}

#[test]
fn nothing_is_told_as_nothing() {
    assert_eq!(told(&Value::Null), "");
    assert_eq!(told(&json!({})), "");
    assert_eq!(told(&json!({ "a": 1 })), "{\"a\":1}");
}

#[test]
fn waking_says_why_it_is_stuck() {
    let mut wake = Request {
        asked_at: now() - TimeDelta::seconds(30),
        not_before: now() + TimeDelta::seconds(90),
        attempts: 3,
        sent_at: None,
        last_error: Some("refused".into()),
    };
    let text = "asked 30 s ago, tried 3 times; last failure: refused; next attempt in 1 min";
    assert_eq!(waking(&wake, now()), text);
    wake.not_before = now();
    wake.last_error = None;
    assert_eq!(waking(&wake, now()), "asked 30 s ago, tried 3 times");
}

#[test]
fn the_page_renders_and_escapes_all_of_it() {
    let doc = document(&[("Device.<x>", "<script>alert(1)</script>")]);
    let counters = Counters::new();
    let job = job("get", json!({ "kind": "get", "names": ["<u>"] }));
    let event = Event {
        at: now(),
        event_id: Uuid::nil(),
        kind: "boot".into(),
        job_id: None,
        detail: json!({ "text": "<script>" }),
    };
    let file = DeviceArtifact {
        artifact_id: Uuid::nil(),
        job_id: Uuid::nil(),
        file_type: "1 Vendor Configuration File".into(),
        name: "configuration.rsc".into(),
        size: 1_536,
        sha256: vec![0xab; 32],
        created_at: now(),
    };
    let page = DevicePage {
        shell: Shell::new("<serial>", &Config::default()),
        id: Uuid::from_u128(7),
        serial: "<serial>",
        model: "hAP".into(),
        online: false,
        last_inform: When::new(now(), now()),
        unauthenticated: true,
        facts: vec![Fact { label: "Identity", value: "<em>".into() }],
        parameters: parameters_of(&doc, &counters, "\"x\""),
        jobs: vec![job_row(&job, now())],
        events: vec![event_row(&event, now())],
        files: vec![file_row(&file, now())],
    };
    let html = render(View::Device, &page).unwrap().0;
    for raw in ["<serial>", "<script>", "<u>", "<em>", "<i>", "\"x\"\""] {
        assert!(!html.contains(raw), "{raw}");
    }
    for part in ["&lt;serial&gt;", "silent", "configuration.rsc", "1.5 KiB", "abababababab"] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
}

#[test]
fn parameters_are_rows_of_the_page() {
    let doc = document(&[(PASSWORD, "hunter2"), ("Device.X", "<b>")]);
    let counters = Counters::new();
    let page = DevicePage {
        shell: Shell::new("A", &Config::default()),
        id: Uuid::from_u128(7),
        serial: "A",
        model: "hAP".into(),
        online: true,
        last_inform: When::new(now(), now()),
        unauthenticated: false,
        facts: Vec::new(),
        parameters: parameters_of(&doc, &counters, ""),
        jobs: Vec::new(),
        events: Vec::new(),
        files: Vec::new(),
    };
    let html = render(View::Device, &page).unwrap().0;
    assert!(html.contains(MASK) && html.contains("&lt;b&gt;") && html.contains("online"));
    assert!(!html.contains("hunter2") && !html.contains("<b>"));
}
