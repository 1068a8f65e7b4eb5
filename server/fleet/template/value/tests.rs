#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;

fn variables(list: Value) -> Vec<Variable> {
    serde_json::from_value(list).unwrap()
}

fn given(values: Value) -> Variables {
    serde_json::from_value(values).unwrap()
}

/// Where the fault of a declaration is.
fn place(list: Value) -> String {
    match check_variables(&variables(list.clone())) {
        Err(Error::Invalid { pointer, .. }) => pointer,
        other => panic!("{list}: {other:?}"),
    }
}

#[test]
fn what_can_be_declared() {
    let good = variables(json!([
        { "name": "ssid", "type": "string", "min": 1, "max": 32, "pattern": "[ -~]*",
          "required": true, "label": "Network name", "help": "as clients see it",
          "section": "Wireless" },
        { "name": "wifi_password", "type": "secret", "min": 8, "max": 63 },
        { "name": "lan", "type": "prefix", "default": "192.168.88.1/24" },
        { "name": "band", "type": "enum", "values": ["2ghz-ax", "5ghz-ax"], "default": "5ghz-ax" },
        { "name": "dns", "type": "list", "of": { "type": "ip" }, "max": 3, "default": ["9.9.9.9"] },
        { "name": "vlan", "type": "int", "min": 1, "max": 4094 },
        { "name": "guest", "type": "bool" },
        { "name": "wan_mac", "type": "mac" },
    ]));
    check_variables(&good).unwrap();
    // As it is stored it comes back.
    assert_eq!(variables(json!(good)), good);
}

#[test]
fn what_cannot_be_declared() {
    let one = |name: &str, kind: Value| {
        let mut variable = kind;
        variable["name"] = json!(name);
        json!([variable])
    };
    for name in ["", "2a", "a-b", "device", "loop", "null", "__tera_context", &"x".repeat(65)] {
        assert_eq!(place(one(name, json!({ "type": "string" }))), "/variables/0/name", "{name}");
    }
    // A secret is one by its name and by its type, or by neither.
    assert_eq!(place(one("wifi_key", json!({ "type": "secret" }))), "/variables/0/name");
    assert_eq!(place(one("wifi_psk", json!({ "type": "string" }))), "/variables/0/name");
    let default = json!({ "type": "secret", "default": "hunter22" });
    assert_eq!(place(one("wifi_psk", default)), "/variables/0/default");
    for kind in [
        json!({ "type": "int", "min": 2, "max": 1 }),
        json!({ "type": "enum", "values": [] }),
        json!({ "type": "enum", "values": ["a", "a"] }),
        json!({ "type": "list", "of": { "type": "list", "of": { "type": "ip" } } }),
        json!({ "type": "list", "of": { "type": "ip" }, "max": 0 }),
        json!({ "type": "string", "pattern": "a)|(b" }),
        json!({ "type": "string", "pattern": "(\\w{900}){900}" }),
        json!({ "type": "string", "min": 5, "max": 4 }),
    ] {
        assert_eq!(place(one("a", kind.clone())), "/variables/0", "{kind}");
    }
    let default = json!({ "type": "ip", "default": "300.1.1.1" });
    assert_eq!(place(one("a", default)), "/variables/0/default");
    let twice = json!([{ "name": "a", "type": "ip" }, { "name": "a", "type": "mac" }]);
    assert_eq!(place(twice), "/variables/1/name");
    let many: Vec<Value> =
        (0..=MAX_VARIABLES).map(|n| json!({ "name": format!("a{n}"), "type": "ip" })).collect();
    assert_eq!(place(json!(many)), "/variables");
}

#[test]
fn a_value_comes_in_one_form_however_it_is_written() {
    let declared = variables(json!([
        { "name": "ip", "type": "ip" }, { "name": "net", "type": "prefix" },
        { "name": "mac", "type": "mac" }, { "name": "n", "type": "int" },
        { "name": "on", "type": "bool" }, { "name": "text", "type": "string" },
        { "name": "dns", "type": "list", "of": { "type": "ip" } },
        { "name": "off", "type": "bool" }, { "name": "none", "type": "list", "of": { "type": "ip" } },
        { "name": "absent", "type": "string" }, { "name": "blank", "type": "ip" },
    ]));
    let values = resolve(
        &declared,
        &given(json!({
            "ip": " 2001:DB8::1 ", "net": "192.168.88.1/24", "mac": "e48d.8c00.0001", "n": "7",
            "on": "Yes", "text": 12, "dns": "9.9.9.9, 1.1.1.1", "blank": "", "other": "x",
        })),
    );
    let expected = json!({
        "ip": "2001:db8::1", "net": "192.168.88.1/24", "mac": "E4:8D:8C:00:00:01", "n": 7,
        "on": true, "text": "12", "dns": ["9.9.9.9", "1.1.1.1"], "off": false, "none": [],
    });
    assert_eq!(json!(values.unwrap()), expected);
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_without_the_values() {
    let declared = variables(json!([
        { "name": "ssid", "type": "string", "required": true },
        { "name": "wifi_password", "type": "secret", "min": 8, "required": true },
        { "name": "vlan", "type": "int", "min": 1, "max": 4094 },
        { "name": "site_code", "type": "string", "pattern": "[A-Z]{3}|x" },
        { "name": "dns", "type": "list", "of": { "type": "ip" }, "max": 1 },
    ]));
    let bad = given(json!({
        "ssid": "", "wifi_password": "hunter2", "vlan": 4095, "site_code": "RIGA", "dns": ["a"],
    }));
    let Err(Error::Invalid { pointer, message }) = resolve(&declared, &bad) else {
        panic!("it was taken")
    };
    assert_eq!(pointer, "/variables");
    for part in [
        "`ssid`: a value is required",
        "`wifi_password`: 8 to 1000 characters",
        "`vlan`: a whole number from 1 to 4094",
        "`site_code`: text that matches",
        "`dns`: in the list: an IP address",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
    let good = given(json!({
        "ssid": "a", "wifi_password": "hunter22", "vlan": 1, "site_code": "x", "dns": [],
    }));
    assert!(resolve(&declared, &good).is_ok());
}

#[test]
fn a_sample_is_of_each_kind() {
    let declared = variables(json!([
        { "name": "a", "type": "string", "min": 10, "required": true },
        { "name": "b", "type": "int", "min": 7 },
        { "name": "c", "type": "enum", "values": ["x", "y"], "default": "y" },
        { "name": "d", "type": "list", "of": { "type": "prefix" } },
        { "name": "e", "type": "bool" },
    ]));
    let all = json!({
        "a": "samplesamp", "b": 7, "c": "y", "d": ["192.168.88.1/24"], "e": true,
    });
    assert_eq!(json!(samples(&declared, true)), all);
    let needed = json!({ "a": "samplesamp", "c": "y", "d": [], "e": false });
    assert_eq!(json!(samples(&declared, false)), needed);
}
