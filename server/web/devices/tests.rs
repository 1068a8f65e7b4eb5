#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::store::devices::Device;
use crate::web::views::sample;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use uuid::Uuid;

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 9, 30, 0).unwrap()
}

pub(super) fn device(serial: &str) -> Device {
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
        events: "1 BOOT, 2 PERIODIC".into(),
        remote_addr: "192.0.2.7/32".parse().unwrap(),
        retry_count: 0,
        next_due: None,
        refreshed_at: None,
        reenrol_asked_at: None,
        customer: None,
        quarantined_at: None,
        quarantine_reason: None,
        site: None,
        tags: Vec::new(),
    }
}

fn table_of(devices: &[Device], columns: &[Column], empty: Empty) -> Table {
    let moment =
        Moment { now: now(), online_since: now() - TimeDelta::minutes(15), authenticated: true };
    Table {
        heads: columns.iter().map(|column| column.label()).collect(),
        rows: devices.iter().map(|device| table::row(device, columns, moment)).collect(),
        bulk: true,
        here: "/devices/table?q=a%26b".to_owned(),
        first: "/devices?q=a".to_owned(),
        next: "/devices?q=a&after=7".to_owned(),
        at: When::new(now(), now()),
        empty,
    }
}

fn page_of(query: &ListQuery, table: Option<Table>) -> ListPage {
    let kept = |owner: Option<&str>| Kept {
        id: "1".to_owned(),
        name: "<x-evil>".to_owned(),
        owner: owner.map(str::to_owned),
        shared: true,
        href: "/devices?q=online".to_owned(),
    };
    ListPage {
        shell: Shell::sample(),
        q: query.q.clone(),
        cols: query.cols(),
        error: table.is_none().then(|| "there is no field `<x-evil>`\n  ^^^".to_owned()),
        search: table.is_none().then(|| Search {
            selector: "serial ~ \"<x-evil>*\"".to_owned(),
            href: "/devices?q=x".to_owned(),
        }),
        quick: query.quick(),
        columns: ticks(&query.columns),
        views: vec![kept(None), kept(Some("<x-evil>"))],
        actions: Action::offers(&Ctx::console(now())),
        clear: LIST.to_owned(),
        usual: LIST.to_owned(),
        export: query.address("/devices.csv", ""),
        count: query.address("/devices/count", ""),
        roll_out: "/rollouts/new?selector=online".to_owned(),
        table,
    }
}

fn html(devices: &[Device]) -> String {
    let query = ListQuery::read("q=a%26b");
    let table = table_of(devices, &Column::ALL, Empty::End);
    render(View::Devices, &page_of(&query, Some(table))).unwrap().0
}

fn fragment(table: Table) -> String {
    render(View::DevicesTable, &TableFragment { table }).unwrap().0
}

fn whole_fleet() -> Empty {
    Empty::Fleet { command: command(&Config::default(), "enrol") }
}

pub(in crate::web) fn samples() -> Vec<(View, serde_json::Value)> {
    let mut evil = device("<x-evil>");
    evil.site = Some("<x-evil>".into());
    evil.tags = vec!["<x-evil>".into()];
    evil.auth = "none".into();
    evil.reenrol_asked_at = Some(now());
    evil.next_due = Some(now());
    let devices = vec![evil; PAGE];
    let query = ListQuery::read("q=%3Cx-evil%3E&cols=site");
    let full = || table_of(&devices, &Column::USUAL, Empty::End);
    let view_only = Table { bulk: false, ..table_of(&devices[..1], &Column::ALL, Empty::End) };
    let mut samples = vec![
        sample(View::Devices, &page_of(&query, Some(full()))),
        sample(View::Devices, &page_of(&query, Some(view_only))),
        sample(View::Devices, &page_of(&query, None)),
        sample(View::DevicesTable, &TableFragment { table: full() }),
        sample(View::DevicesCount, &CountFragment { count: grouped(1_000_000), one: false }),
        sample(View::DevicesCount, &CountFragment { count: grouped(1), one: true }),
    ];
    let empty = [Empty::Filter { clear: LIST.to_owned() }, Empty::End, Empty::Reach, whole_fleet()];
    samples.extend(empty.map(|empty| {
        let table = table_of(&[], &Column::USUAL, empty);
        sample(View::Devices, &page_of(&query, Some(table)))
    }));
    samples.extend(bulk::samples());
    samples.extend(views::samples());
    samples
}

#[test]
fn a_device_is_a_row_of_words() {
    let mut device = device("HEX0123");
    device.site = Some("eu.lv".into());
    device.tags = vec!["pilot".into()];
    device.next_due = Some(now() - TimeDelta::hours(1));
    let html = html(&[device]);
    for part in [
        "HEX0123",
        "hAP ac²",
        "7.16.1",
        "192.0.2.7",
        "5 min ago",
        "2026-11-22 09:25:00 UTC",
        "1 BOOT, 2 PERIODIC",
        "href=\"/devices/00000000-0000-0000-0000-000000000007\"",
        "is-online",
        "/devices?q=site+under+eu.lv",
        "/devices?q=tag+%3D+%22pilot%22",
        ">now</time>",
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
    for raw in ["<script>alert", "<img src=x", "<b>", "'\"&"] {
        assert!(!html.contains(raw), "{raw}");
    }
}

#[test]
fn the_table_asks_for_itself_with_the_same_filter() {
    let html = html(&[device("A")]);
    assert!(html.contains("hx-get=\"/devices/table?q=a%26b\""), "{html}");
    // A selector may look at the whole fleet: it is asked less often.
    assert!(html.contains("data-gap=\"15\" hx-trigger=\"muster:changed, every 30s\""));
    let all = page_of(&ListQuery::read(""), Some(table_of(&[], &Column::USUAL, Empty::End)));
    let all = render(View::Devices, &all).unwrap().0;
    assert!(all.contains("data-gap=\"2\" hx-trigger=\"muster:changed, every 30s\""), "{all}");
    assert!(html.contains("hx-get=\"/devices/count?q=a%26b\""), "the number comes afterwards");
}

#[test]
fn what_needs_somebody_is_loud_and_the_rest_is_not() {
    let quiet = html(&[device("A")]);
    assert!(!quiet.contains("class=\"loud\"") && !quiet.contains("asks to enrol again"));
    let mut open = device("A");
    open.auth = "none".into();
    open.reenrol_asked_at = Some(now());
    let loud = html(&[open.clone()]);
    assert!(loud.contains("class=\"loud\"") && loud.contains("asks to enrol again"));
    // Where nobody is authenticated, the banner above says it for all.
    let moment = Moment { now: now(), online_since: now(), authenticated: false };
    let row = serde_json::to_value(table::row(&open, &[Column::Serial], moment)).unwrap();
    assert_eq!(row["unauthenticated"], false);
}

#[test]
fn an_empty_list_says_what_to_do_next() {
    let html = fragment(table_of(&[], &Column::USUAL, whole_fleet()));
    let command = "/tr069-client set enabled=yes acs-url=&quot;http://SERVER:7547&quot;";
    assert!(html.contains(command), "{html}");
    assert!(html.contains("muster enrolment") && html.contains("muster simulate"));
}

#[test]
fn a_filter_that_matches_nothing_says_so() {
    let empty = Empty::Filter { clear: "/devices?cols=site".to_owned() };
    let html = fragment(table_of(&[], &Column::USUAL, empty));
    assert!(html.contains("No device matches") && html.contains("/devices?cols=site"), "{html}");
    assert!(!html.contains("tr069-client"), "{html}");
}

#[test]
fn a_selector_that_cannot_be_read_shows_where_and_offers_a_search() {
    let query = ListQuery::read("q=HEX01");
    let html = render(View::Devices, &page_of(&query, None)).unwrap().0;
    assert!(html.contains("<pre id=\"q-error\">") && html.contains("^^^"), "{html}");
    assert!(html.contains("aria-describedby=\"q-error\""));
    assert!(html.contains("serial ~ ") && !html.contains("<table"));
}

#[test]
fn what_is_sent_twice_in_a_hurry_is_sent_once() {
    for (name, text) in crate::web::views::sources() {
        for tag in text.split('<').filter(|tag| tag.contains("hx-post=")) {
            // A preview is asked for anew with each key, and the last question is the one that counts.
            let looks = tag.contains("hx-sync=\"this:replace\"");
            assert!(looks || tag.contains("hx-sync=\"this:drop\""), "{name}: <{tag}");
        }
    }
}

#[test]
fn only_who_may_operate_is_offered_to() {
    let mut table = table_of(&[device("A")], &Column::USUAL, Empty::End);
    table.bulk = false;
    let html = render(View::Devices, &page_of(&ListQuery::read(""), Some(table))).unwrap().0;
    assert!(!html.contains("/devices/bulk") && !html.contains("name=\"id\""), "{html}");
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

#[test]
fn every_column_has_a_word_and_a_label_of_its_own() {
    for (i, column) in Column::ALL.iter().enumerate() {
        assert_eq!(Column::named(column.word()), Some(*column));
        for other in &Column::ALL[i + 1..] {
            assert_ne!(column.label(), other.label());
        }
    }
}
