#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::store::devices::Device;

pub(super) const EVIL: &str = "<x-evil>";

pub(super) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

pub(super) fn job(kind: &str, state: &str) -> Job {
    Job {
        device_id: Uuid::from_u128(7),
        job_id: Uuid::from_u128(8),
        kind: kind.to_owned(),
        args: json!({ "kind": kind, "parameters": [{ "name": EVIL, "value": EVIL }] }),
        state: state.to_owned(),
        not_before: now(),
        expires_at: now() + TimeDelta::days(7),
        confirm_by: None,
        attempts: 0,
        max_attempts: 5,
        lease: None,
        leased_until: None,
        idempotency_key: None,
        created_by: EVIL.to_owned(),
        created_at: now(),
        finished_at: None,
        result: None,
        fault: None,
        note: Some(EVIL.to_owned()),
        rollout_id: None,
        unkept: false,
    }
}

pub(super) fn device() -> Device {
    Device {
        device_id: Uuid::from_u128(7),
        manufacturer: "MikroTik".to_owned(),
        oui: "E48D8C".to_owned(),
        product_class: "hAP ac²".to_owned(),
        serial: EVIL.to_owned(),
        root: None,
        namespace: "urn:dslforum-org:cwmp-1-2".to_owned(),
        model: None,
        arch: None,
        identity: None,
        hardware_version: None,
        software_version: None,
        provisioning_code: None,
        parameter_key: None,
        connection_request_url: None,
        methods: None,
        auth: "device".to_owned(),
        site: Some("eu.lv".to_owned()),
        tags: Vec::new(),
        first_inform: now(),
        last_inform: now(),
        last_boot: None,
        last_bootstrap: None,
        events: String::new(),
        remote_addr: "192.0.2.7/32".parse().unwrap(),
        retry_count: 0,
        next_due: None,
        refreshed_at: None,
        reenrol_asked_at: None,
        customer: None,
        quarantined_at: None,
        quarantine_reason: None,
    }
}

/// The device may be operated.
fn all() -> HashSet<Uuid> {
    HashSet::from([Uuid::from_u128(7)])
}

fn names(site: &str) -> HashMap<Uuid, DeviceName> {
    let device_id = Uuid::from_u128(7);
    let name = DeviceName { device_id, serial: EVIL.to_owned(), site: Some(site.to_owned()) };
    HashMap::from([(device_id, name)])
}

fn a_list(jobs: &[Job], complaint: &str, filtered: bool) -> List {
    List {
        rows: jobs.iter().map(|job| row(job, &names("eu"), &all(), now())).collect(),
        query: "state=failed&device=%3Cx-evil%3E".to_owned(),
        first: "/jobs?kind=set&state=failed".to_owned(),
        next: if filtered { "/jobs?before=1".to_owned() } else { String::new() },
        filtered,
        complaint: complaint.to_owned(),
    }
}

pub(in crate::web) fn samples() -> Vec<(View, Value)> {
    let jobs = [job("set", "queued"), job("reboot", "failed"), job(EVIL, "waiting")];
    let lists = || {
        [
            a_list(&jobs, "", true),
            a_list(&[], EVIL, true),
            a_list(&[], "", true),
            a_list(&[], "", false),
        ]
    };
    let query = JobsQuery {
        device: EVIL.to_owned(),
        state: EVIL.to_owned(),
        since: EVIL.to_owned(),
        until: "2026-11-22".to_owned(),
        newest: "yes".to_owned(),
        ..Default::default()
    };
    let mut all = job::samples();
    for list in lists() {
        all.push(views::sample(View::JobsList, &ListFragment { list }));
    }
    for list in lists() {
        let page = JobsPage { shell: Shell::sample(), wanted: wanted(&query, Tz::UTC), list };
        all.push(views::sample(View::Jobs, &page));
    }
    all
}

fn filter(query: &JobsQuery) -> service::JobFilter {
    query.filter(Tz::Europe__Riga).unwrap()
}

#[test]
fn a_query_narrows_by_what_is_set_and_goes_on_where_it_was() {
    let query =
        JobsQuery { state: " failed ".to_owned(), device: "A&B".to_owned(), ..Default::default() }
            .trimmed();
    let narrow = filter(&query);
    assert_eq!((narrow.state.as_deref(), narrow.kind), (Some("failed"), None));
    assert_eq!(narrow.device.as_deref(), Some("serial:A&B"));
    assert_eq!(narrow.limit, 51);
    assert_eq!(query.text(""), "state=failed&device=A%26B");
    assert_eq!(query.text("7"), "state=failed&device=A%26B&before=7");
    let id = Uuid::from_u128(7).to_string();
    let by_id = JobsQuery { device: id.clone(), ..Default::default() };
    assert_eq!(filter(&by_id).device, Some(id));
    assert!(!JobsQuery::default().filtered() && by_id.filtered());
    let nonsense = JobsQuery { before: "x".to_owned(), ..Default::default() };
    assert!(nonsense.filter(Tz::UTC).is_err());
    assert_eq!(address(""), "/jobs");
}

#[test]
fn days_are_those_of_the_reader_and_a_field_shows_what_it_can() {
    let day = "2026-11-22".to_owned();
    let query = JobsQuery { since: day.clone(), until: day, ..Default::default() };
    let narrow = filter(&query);
    assert_eq!(narrow.time, service::JobTime::Created);
    assert_eq!(narrow.since.unwrap().to_rfc3339(), "2026-11-21T22:00:00+00:00");
    assert_eq!(narrow.until.unwrap() - narrow.since.unwrap(), TimeDelta::days(1));
    assert!(query.filtered() && !wanted(&query, Tz::UTC).since.exact);
    let wrong = JobsQuery { since: "yesterday".to_owned(), ..Default::default() };
    assert!(wrong.filter(Tz::UTC).is_err() && wanted(&wrong, Tz::UTC).since.exact);
}

#[test]
fn a_link_to_what_ended_is_exact() {
    let since = now() + TimeDelta::microseconds(7);
    let href = ended_since("failed,expired", since, true);
    let (path, text) = href.split_once('?').unwrap();
    assert_eq!(path, "/jobs");
    let read: HashMap<String, String> =
        form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let query: JobsQuery = serde_json::from_value(json!(read)).unwrap();
    let narrow = filter(&query);
    assert_eq!((narrow.since, narrow.until, narrow.newest), (Some(since), None, true));
    assert_eq!(narrow.time, service::JobTime::Finished);
    assert_eq!(narrow.state.as_deref(), Some("failed,expired"));
    assert!(!ended_since("done", since, false).contains("newest"));
    // Its states can be chosen in the form, too.
    let shown = wanted(&query, Tz::UTC);
    assert!(shown.states.iter().any(|choice| choice.value == shown.state) && shown.since.exact);
}

#[test]
fn only_where_somebody_may_operate_can_they_cancel() {
    let queued = job("reboot", "queued");
    for (operable, can) in
        [(all(), true), (HashSet::from([Uuid::from_u128(8)]), false), (HashSet::new(), false)]
    {
        let row = row(&queued, &names("eu"), &operable, now());
        assert_eq!(row.can_cancel, can, "{operable:?}");
    }
    let gone = row(&queued, &HashMap::new(), &all(), now());
    assert!(!gone.can_cancel && gone.serial.is_empty());
    for state in ["running", "done", "failed", "cancelled", "expired"] {
        assert!(!can_cancel(&job("reboot", state)), "{state}");
    }
}

#[test]
fn a_job_says_when_it_is_tried_only_while_it_waits_for_that() {
    assert!(next_try(&job("reboot", "queued")).is_some());
    assert!(next_try(&job("reboot", "waiting")).is_none());
    let mut late = job("reboot", "queued");
    late.not_before = now() - TimeDelta::hours(3);
    let row = row(&late, &names("eu"), &all(), now());
    assert_eq!(row.next, Some(When::new(now(), now())));
}

#[test]
fn a_secret_that_was_asked_to_be_set_is_not_in_the_list() {
    let mut set = job("set", "queued");
    let name = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    set.args = json!({ "kind": "set", "parameters": [{ "name": name, "value": "hunter2" }] });
    let row = row(&set, &names("eu"), &all(), now());
    assert_eq!(row.summary, format!("{name} = ********"));
}
