#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

/// One variable of each kind.
pub(super) fn declared() -> Vec<Variable> {
    let list = json!([
        { "name": "ssid", "type": "string", "min": 1, "max": 32, "label": "Network <x-evil>",
          "help": "What phones show <x-evil>", "section": "Wi-Fi <x-evil>", "required": true },
        { "name": "wifi_password", "type": "secret", "min": 10, "section": "Wi-Fi <x-evil>" },
        { "name": "note", "type": "string" },
        { "name": "gateway", "type": "ip" },
        { "name": "vlan", "type": "int", "min": 1, "max": 4094, "default": 7 },
        { "name": "guest", "type": "bool" },
        { "name": "band", "type": "enum", "values": ["2.4 GHz", "<x-evil>"] },
        { "name": "dns", "type": "list", "of": { "type": "ip" }, "max": 3 },
    ]);
    serde_json::from_value(list).unwrap()
}

fn variables(value: Value) -> Variables {
    serde_json::from_value(value).unwrap()
}

fn form(given: Value) -> Values {
    Values::of(&declared(), &variables(given), &[], &BTreeMap::new())
}

/// As a browser sends it back.
fn sent(values: &Values) -> Result<Variables, Error> {
    let fields: Vec<&Field> = values.parts.iter().flat_map(|part| &part.fields).collect();
    let of = |text: fn(&Field) -> String| fields.iter().map(|f| text(f)).collect::<Vec<String>>();
    let kept: Vec<String> = fields.iter().filter(|f| f.kept).map(|f| f.name.clone()).collect();
    Given {
        variable: of(|field| field.name.clone()),
        given: of(|field| field.value.replace('\n', "\r\n")),
        given_kind: of(|field| field.kind.to_owned()),
        kept,
        forget: Vec::new(),
        others: values.others.clone(),
    }
    .read()
}

fn field<'v>(values: &'v Values, name: &str) -> &'v Field {
    values.parts.iter().flat_map(|part| &part.fields).find(|field| field.name == name).unwrap()
}

#[test]
fn what_is_stored_comes_back_as_it_was() {
    let given = variables(json!({
        "ssid": " Attic ", "wifi_password": MASK, "note": "two\nlines", "gateway": "192.0.2.1",
        "vlan": 9, "guest": false, "band": "2.4 GHz", "dns": ["192.0.2.1", "192.0.2.2"],
        "undeclared": { "any": [1, null] }, "old_password": MASK,
    }));
    let values = Values::of(&declared(), &given, &[], &BTreeMap::new());
    assert_eq!(sent(&values).unwrap(), given);
    assert!(check(&declared(), &given).is_ok(), "a mask is not measured");
    // What a field could not give back stands with the others.
    for odd in [
        json!({ "ssid": "" }),
        json!({ "vlan": null }),
        json!({ "band": "5 GHz" }),
        json!({ "dns": [] }),
    ] {
        assert_eq!(sent(&form(odd.clone())).unwrap(), variables(odd));
    }
    assert_eq!(sent(&form(json!({}))).unwrap(), Variables::default());
}

#[test]
fn a_stored_secret_is_not_shown_stays_when_left_and_goes_when_that_is_said() {
    let values = form(json!({ "wifi_password": MASK }));
    let secret = field(&values, "wifi_password");
    assert!(secret.value.is_empty() && secret.kept && secret.kind == "secret");
    let given = |text: &str, forget: bool| {
        let names = vec!["wifi_password".to_owned()];
        let given = Given {
            variable: names.clone(),
            given: vec![text.to_owned()],
            given_kind: vec!["secret".to_owned()],
            kept: names.clone(),
            forget: if forget { names } else { Vec::new() },
            others: String::new(),
        };
        json!(given.read().unwrap())
    };
    assert_eq!(given("", false), json!({ "wifi_password": MASK }));
    assert_eq!(given("", true), json!({}));
    assert_eq!(given("hunter2222", false), json!({ "wifi_password": "hunter2222" }));
}

#[test]
fn what_does_not_fit_is_told_at_its_field_and_stays_there() {
    let given = variables(json!({ "vlan": "many", "dns": ["x"], "wifi_password": "short" }));
    assert!(check(&declared(), &given).is_err());
    let values = Values::of(&declared(), &given, &[], &BTreeMap::new());
    for name in ["vlan", "dns", "wifi_password"] {
        assert!(!field(&values, name).error.is_empty(), "{name}");
    }
    assert_eq!(field(&values, "vlan").value, "many");
    assert!(field(&values, "ssid").error.is_empty(), "another layer may give it");
}

#[test]
fn fields_stand_under_their_headings_and_say_what_they_may_be() {
    let values = form(json!({}));
    let titles: Vec<&str> = values.parts.iter().map(|part| part.title.as_str()).collect();
    assert_eq!(titles, ["Wi-Fi <x-evil>", ""]);
    let ssid = field(&values, "ssid");
    assert!(ssid.required && ssid.label.starts_with("Network"));
    assert_eq!(ssid.hint, "What phones show <x-evil>. 1 to 32 characters.");
    let vlan = field(&values, "vlan");
    assert_eq!((vlan.min.as_str(), vlan.max.as_str()), ("1", "4094"));
    assert_eq!(vlan.hint, "1 to 4094. Without it: 7.");
    assert_eq!(field(&values, "dns").hint.split(". ").next(), Some("One a line, at most 3"));
    assert_eq!(field(&values, "band").options.len(), 3);
    let above = BTreeMap::from([("vlan".to_owned(), "8, of site eu".to_owned())]);
    let values = Values::of(&declared(), &Variables::default(), &[], &above);
    assert!(field(&values, "vlan").hint.ends_with("Without it: 8, of site eu."));
}

#[test]
fn what_is_no_json_stands_there_again() {
    let given = Given {
        variable: vec!["ssid".to_owned()],
        given: vec!["Attic".to_owned()],
        given_kind: vec!["text".to_owned()],
        others: "{ no".to_owned(),
        ..Given::default()
    };
    assert!(matches!(given.read(), Err(Error::Invalid { pointer, .. }) if pointer == "/others"));
    let values = Values::again(&declared(), &given, &BTreeMap::new());
    assert_eq!(values.others, "{ no");
    assert_eq!(field(&values, "ssid").value, "Attic");
}
