#![expect(clippy::unwrap_used, reason = "tests")]
use chrono::TimeZone;
use serde_json::{Value, json};

use super::*;
use crate::fleet::selector;
use crate::web::device::samples::{device, failed, job, parameters};
use crate::web::views::sample;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap()
}

fn request() -> Request {
    Request {
        asked_at: now() - TimeDelta::seconds(30),
        not_before: now() + TimeDelta::seconds(90),
        attempts: 3,
        sent_at: None,
        last_error: Some("connection refused".to_owned()),
    }
}

pub(in crate::web::device) fn samples() -> Vec<(View, Value)> {
    let may = May { operate: true, secrets: true, admin: true };
    let gauge = Gauge { percent: 95, short: true, at: Some(When::new(now(), now())) };
    let newest = [failed()];
    let full = Summary {
        id: Uuid::nil(),
        may,
        last_inform: When::new(now(), now()),
        started: Some(When::new(now(), now())),
        memory: Some(gauge.clone()),
        processor: Some(gauge),
        open: "3".to_owned(),
        failure: failure(&newest, &device(), now()),
        calling: "<x-evil>".to_owned(),
        asks: Some(When::new(now(), now())),
        jobs: vec![row(&newest[0], may, now())],
        entries: timeline::entries(),
    };
    let bare = Summary {
        started: None,
        memory: None,
        processor: None,
        failure: None,
        calling: String::new(),
        asks: None,
        jobs: Vec::new(),
        entries: Vec::new(),
        ..full.clone()
    };
    let [told, assumed, none] = packages::samples();
    let tied = || {
        let uplink = Link { label: "<x-evil>".to_owned(), href: "/devices/1".to_owned() };
        ties(uplink, &Ties { uplink: None, redundancy: Some("<x-evil>".to_owned()) })
    };
    let page = |summary: Summary, ordered: Option<Card>, installed| OverviewPage {
        shell: Shell::sample(),
        head: Head::sample(),
        ordered,
        summary,
        facts: [facts(&device(), now()), tied()].concat(),
        installed,
        links: links(&device()),
    };
    vec![
        sample(View::Device, &page(full.clone(), Some(card::sample(failed())), told)),
        sample(View::Device, &page(full.clone(), None, assumed)),
        sample(View::Device, &page(bare, None, none)),
        sample(View::DeviceSummary, &SummaryFragment { summary: full }),
    ]
}

#[test]
fn what_it_is_tells_times_as_times() {
    let facts = facts(&Device { next_due: None, refreshed_at: None, ..device() }, now());
    let of = |label: &str| facts.iter().find(|fact| fact.label == label).unwrap();
    let boot = of("Last boot");
    assert_eq!(boot.at, device().last_boot.map(|at| When::new(at, now())));
    assert_eq!((boot.value.as_str(), &of("Next work").at), ("", &None));
    assert_eq!(
        (of("Next work").value.as_str(), of("Data model read").value.as_str()),
        ("none", "never")
    );
}

fn known(name: &'static str, value: &'static str) -> (&'static str, Known<'static>) {
    let at = Some(now());
    (name, Known { name, value, kind: "", writable: None, at, counter: true })
}

#[test]
fn vital_signs_are_read_in_both_data_models() {
    for root in ["Device", "InternetGatewayDevice"] {
        let names = ["UpTime", "MemoryStatus.Free", "MemoryStatus.Total", "ProcessStatus.CPUUsage"];
        let names = names.map(|name| format!("{root}.DeviceInfo.{name}"));
        let values = ["3600", "32", "128", "93"];
        let row = |(name, value)| {
            let at = Some(now());
            (name, Known { name, value, kind: "", writable: None, at, counter: true })
        };
        let rows: Rows<'_> = names.iter().map(String::as_str).zip(values).map(row).collect();
        assert_eq!(started(&rows, None), Some(now() - TimeDelta::hours(1)));
        assert_eq!(
            memory(&rows, now()).map(|gauge| (gauge.percent, gauge.short)),
            Some((75, false))
        );
        assert_eq!(processor(&rows, now()).map(|gauge| gauge.short), Some(true));
    }
}

#[test]
fn what_a_device_does_not_tell_or_tells_wrong_is_left_out() {
    assert_eq!(memory(&Rows::new(), now()), None);
    let rows = Rows::from([
        known("Device.DeviceInfo.MemoryStatus.Free", "1"),
        known("Device.DeviceInfo.MemoryStatus.Total", "0"),
        known("Device.DeviceInfo.ProcessStatus.CPUUsage", "4294967295"),
        known("Device.DeviceInfo.UpTime", "18446744073709551615"),
    ]);
    assert_eq!((memory(&rows, now()), processor(&rows, now())), (None, None));
    assert_eq!(started(&rows, None), None);
}

#[test]
fn a_boot_after_the_reading_counts() {
    let rows = Rows::from([known("Device.DeviceInfo.UpTime", "3600")]);
    let boot = now() + TimeDelta::minutes(5);
    assert_eq!(started(&rows, Some(boot)), Some(boot));
    let earlier = now() - TimeDelta::days(9);
    assert_eq!(started(&rows, Some(earlier)), Some(now() - TimeDelta::hours(1)));
}

#[test]
fn calling_says_why_it_is_stuck() {
    assert_eq!(
        calling(&request(), now()),
        "Asked for 30 s ago, tried 3 times. The last attempt failed: Connection refused. The next \
         attempt is in 1 min."
    );
    let fresh = Request { attempts: 0, last_error: None, not_before: now(), ..request() };
    assert_eq!(calling(&fresh, now()), "Asked for 30 s ago, not tried yet.");
    let given_up = Request { not_before: now() + TimeDelta::days(365), ..request() };
    assert!(calling(&given_up, now()).ends_with("it comes by itself."));
}

#[test]
fn open_jobs_and_the_last_failure_are_found_among_the_newest() {
    let newest = [
        job("queued", json!({ "kind": "reboot" })),
        failed(),
        job("done", json!({ "kind": "get", "names": ["A"] })),
    ];
    assert_eq!(open(&newest), "1");
    assert!(
        failure(&newest, &device(), now()).is_some_and(|failed| failed.title.starts_with("Set"))
    );
    assert_eq!(failure(&newest[..1], &device(), now()), None);
    let many: Vec<Job> =
        (0..LOOKED_AT).map(|_| job("queued", json!({ "kind": "reboot" }))).collect();
    assert_eq!(open(&many), "100 or more");
}

#[test]
fn the_links_are_selectors_that_can_be_read() {
    let links = links(&device());
    assert_eq!(links.len(), 3);
    let tag = format!("tag = {}", quoted("pilot"));
    let found = links.iter().map(|link| {
        let (_, query) = link.href.split_once('?').unwrap();
        url::form_urlencoded::parse(query.as_bytes()).next().unwrap().1.into_owned()
    });
    for text in found.chain([tag, format!("site under {}", quoted("eu.lv"))]) {
        assert!(selector::parse(&text, &|_: &str| None).is_ok(), "{text}");
    }
}

#[test]
fn a_device_without_a_reading_shows_its_boot() {
    let known = parameters();
    let rows = tree::rows(&known);
    assert!(started(&rows, None).is_some(), "the sample has an uptime");
    assert_eq!(started(&Rows::new(), Some(now())), Some(now()));
}
