#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use chrono::TimeZone;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap()
}

fn device(serial: &str) -> Device {
    Device {
        device_id: Uuid::from_u128(7),
        manufacturer: "MikroTik".into(),
        oui: "E48D8C".into(),
        product_class: "hAP ac²".into(),
        serial: serial.into(),
        root: Some("Device.".into()),
        namespace: "urn:dslforum-org:cwmp-1-2".into(),
        model: Some("hAP ac²".into()),
        arch: None,
        identity: None,
        hardware_version: None,
        software_version: Some("7.16.1".into()),
        provisioning_code: None,
        parameter_key: None,
        connection_request_url: None,
        methods: None,
        auth: "device".into(),
        first_inform: now() - TimeDelta::days(1),
        last_inform: now() - TimeDelta::minutes(5),
        last_boot: None,
        last_bootstrap: None,
        events: "1 BOOT,2 PERIODIC".into(),
        remote_addr: "192.0.2.7/32".parse().unwrap(),
        retry_count: 0,
        next_due: None,
        refreshed_at: None,
        reenrol_asked_at: None,
        site: None,
        tags: Vec::new(),
    }
}

fn table(rows: Vec<Row>) -> Table {
    Table {
        rows,
        at: "09:30:00 UTC".into(),
        query: ListQuery { serial: "a&b".into(), ..ListQuery::default() }.text(""),
        next: None,
        first: None,
        filtered: false,
        acs_url: acs_url(&Config::default()),
    }
}

fn html(devices: &[Device]) -> String {
    let rows = devices.iter().map(|d| row(d, now() - TimeDelta::minutes(15), now())).collect();
    let page = ListPage {
        shell: Shell::new("Devices", &Config::default()),
        form: Form { serial: "a&b", model: "", version: "", filtered: true },
        counts: Counts {
            all: 3,
            online: 2,
            jobs: vec![JobCount { state: "waiting".into(), count: 4 }],
        },
        table: table(rows),
    };
    render(View::Devices, &page).unwrap().0
}

#[test]
fn a_device_is_a_row_of_words() {
    let html = html(&[device("HEX0123")]);
    for part in [
        "HEX0123",
        "hAP ac²",
        "7.16.1",
        "192.0.2.7",
        "5 min ago",
        "2026-11-22 09:25:00 UTC",
        "1 BOOT, 2 PERIODIC",
        "/devices/00000000-0000-0000-0000-000000000007",
        "online",
        "/api/openapi.json",
        "waiting",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
}

#[test]
fn what_a_device_calls_itself_cannot_become_markup() {
    let mut evil = device("<script>alert(1)</script>");
    evil.product_class = "\"><img src=x>".into();
    evil.software_version = Some("'\"&".into());
    evil.events = "<b>".into();
    let html = html(&[evil]);
    assert!(html.contains("&lt;script&gt;alert(1)"));
    for raw in ["<script>alert", "<img", "<b>", "'\"&"] {
        assert!(!html.contains(raw), "{raw}");
    }
}

#[test]
fn the_page_has_no_inline_script_or_style() {
    let html = html(&[device("A")]);
    assert_eq!(html.matches("<script").count(), html.matches("<script src=").count());
    for inline in ["<style", " style=", " onclick=", "hx-on", "javascript:"] {
        assert!(!html.contains(inline), "{inline}");
    }
}

#[test]
fn the_table_asks_for_itself_with_the_same_filter() {
    let html = html(&[device("A")]);
    assert!(html.contains("hx-get=\"/fragments/devices?serial=a%26b\""), "{html}");
    assert!(html.contains("hx-trigger=\"every 2s\""));
}

#[test]
fn an_unauthenticated_device_is_loud_and_others_are_not() {
    let mut open = device("A");
    assert!(!html(&[open.clone()]).contains("not authenticated"));
    open.auth = "none".into();
    assert!(html(&[open]).contains("not authenticated"));
}

#[test]
fn an_empty_list_says_what_to_do_next() {
    let html = html(&[]);
    assert!(html.contains("http://&lt;this machine&#39;s address&gt;:7547/"), "{html}");
    assert!(html.contains("muster enrolment"));
}

#[test]
fn a_filter_that_matches_nothing_says_so() {
    let mut table = table(Vec::new());
    table.filtered = true;
    let html = render(View::DevicesTable, &TableFragment { table }).unwrap().0;
    assert!(html.contains("No device matches") && !html.contains("muster enrolment"), "{html}");
}

#[test]
fn the_next_page_keeps_the_filter() {
    let query = ListQuery { model: " hAP ac² ".into(), after: "x".into(), ..ListQuery::default() };
    assert_eq!(query.text("1&2"), "model=hAP+ac%C2%B2&after=1%262");
    assert_eq!(query.filter().product_class.as_deref(), Some("hAP ac²"));
    assert_eq!(query.filter().serial, None);
    assert!(query.after().is_err() && query.filtered());
    assert_eq!(ListQuery::default().text(""), "");
}

#[test]
fn the_acs_url_is_the_public_one_where_there_is_one() {
    let mut config = Config::default();
    config.acs.listen = "192.0.2.1:7547".parse().unwrap();
    config.acs.tls = TlsMode::SelfMade;
    assert_eq!(acs_url(&config), "https://192.0.2.1:7547/");
    config.acs.public_url = Some("http://acs.example:80".into());
    assert_eq!(acs_url(&config), "http://acs.example:80/");
}

#[test]
fn a_model_is_named_once() {
    let mut device = device("A");
    assert_eq!(model(&device), "hAP ac²");
    device.model = Some("RBD52G".into());
    assert_eq!(model(&device), "hAP ac² (RBD52G)");
    device.model = None;
    assert_eq!(model(&device), "hAP ac²");
}
