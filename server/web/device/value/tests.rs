use serde_json::json;

use super::*;
use crate::web::device::parameters::sample_place;
use crate::web::device::samples::{device, job, parameters};
use crate::web::views::sample;

const SECRET: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
const SSID: &str = "Device.WiFi.SSID.1.SSID";

fn editing(name: &str, errors: Complaints) -> Edit {
    let known = parameters();
    let rows = tree::rows(&known);
    form(&device(), &rows[name], None, errors)
}

pub(in crate::web::device) fn samples() -> Vec<(View, Value)> {
    let known = parameters();
    let rows = tree::rows(&known);
    let place = sample_place();
    let row = |clear: Option<&str>, change: Option<Change>| {
        let mut leaf = place.leaf(&rows[SECRET]);
        leaf.clear = clear.map(str::to_owned);
        leaf.change = change;
        sample(View::DeviceRow, &RowFragment { leaf })
    };
    let change = |again: &str| Change {
        device: place.id,
        again: again.to_owned(),
        href: "/devices/1/jobs/2".to_owned(),
        state: "failed".to_owned(),
        line: "<x-evil>".to_owned(),
        advice: "<x-evil>".to_owned(),
    };
    let page = |edit: Edit| EditPage { shell: Shell::sample(), head: Head::sample(), edit };
    let secret = SecretPage {
        shell: Shell::sample(),
        head: Head::sample(),
        name: SECRET.to_owned(),
        value: "<x-evil>".to_owned(),
        back: "/devices".to_owned(),
    };
    let wrong = || Complaints::whole("<x-evil>");
    let edit = |name| EditFragment { edit: Edit { inline: true, ..editing(name, wrong()) } };
    vec![
        row(None, None),
        row(Some("<x-evil>"), None),
        row(None, Some(change("/devices/1/parameters/row?name=x&job=2"))),
        row(None, Some(change(""))),
        sample(View::DeviceEditRow, &edit("Device.WiFi.SSID.1.Enable")),
        sample(View::DeviceEditRow, &edit(SECRET)),
        sample(View::DeviceEditRow, &edit("Device.DeviceInfo.Description")),
        sample(View::DeviceEdit, &page(editing(SSID, Complaints::default()))),
        sample(View::DeviceEdit, &page(editing(SSID, wrong()))),
        sample(View::DeviceSecret, &secret),
    ]
}

fn set(value: &str) -> Job {
    job("done", json!({ "kind": "set", "parameters": [{ "name": SSID, "value": value }] }))
}

fn read(state: &str, value: &str) -> Job {
    let told = json!({ "parameters": [{ "name": SSID, "value": value, "type": "string" }] });
    Job { result: Some(told), ..job(state, json!({ "kind": "get", "names": [SSID] })) }
}

fn said(set: &Job, read: &Job) -> (&'static str, String) {
    let said = confirmed(set, read).expect("it was asked");
    (said.state, said.line)
}

#[test]
fn a_change_is_confirmed_by_what_the_device_says_afterwards() {
    let (state, line) = said(&set("Attic"), &read("done", "Attic"));
    assert_eq!((state, line.as_str()), ("done", "Confirmed by the device: Attic"));
    let (state, line) = said(&set("Attic"), &read("done", "Cellar"));
    assert_eq!((state, line.as_str()), ("warn", "The device took it, but says: Cellar"));
    assert_eq!(said(&set("true"), &read("done", "1")).0, "done");
    let waiting = confirmed(&set("Attic"), &read("queued", ""));
    assert!(waiting.is_some_and(|said| said.is_due()));
    let mut failed = read("failed", "");
    failed.note = Some("the device refused: 9005".to_owned());
    let (state, line) = said(&set("Attic"), &failed);
    assert!(state == "warn" && line.contains("refused: 9005"), "{line}");
    let other = Job { result: Some(json!({ "parameters": [] })), ..read("done", "") };
    assert_eq!(confirmed(&set("Attic"), &other), None);
}

#[test]
fn the_form_of_a_secret_begins_empty() {
    let edit = editing(SECRET, Complaints::default());
    assert!(edit.secret && edit.value.is_empty());
    let edit = editing(SSID, Complaints::default());
    assert_eq!((edit.value.as_str(), edit.secret), ("Attic", false));
    assert!(edit.back.ends_with("?at=Device.WiFi.SSID.1."), "{}", edit.back);
}

#[test]
fn a_truth_value_is_chosen_in_the_words_of_the_device() {
    let values = |kind, present| -> Vec<&str> {
        choices(kind, present).iter().map(|choice| choice.value).collect()
    };
    assert_eq!(values("boolean", "1"), ["1", "0"]);
    assert_eq!(values("boolean", "false"), ["true", "false"]);
    assert!(values("boolean", "maybe").is_empty());
    assert!(values("string", "true").is_empty());
}
