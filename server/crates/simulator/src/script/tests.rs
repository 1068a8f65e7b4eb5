//! Both directions of the script language.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalogue::Catalogue;

fn model(identity: &Identity) -> Model {
    Model::new(Arc::new(Catalogue::new(identity.profile())))
}

#[test]
fn every_way_to_write_a_menu_is_the_same() {
    let set = |menu: &str| Command {
        menu: menu.to_owned(),
        verb: "set".to_owned(),
        arguments: vec![("name".to_owned(), "a b".to_owned())],
    };
    for text in [
        "/system identity set name=\"a b\"",
        "/system/identity/set name=\"a b\" # the name",
        "# comment; set\n/system identity\nset name=\"a b\"",
        "/system identity { set name=\"a\\_b\" }",
        "/system identity set \\\n   name=\"a\\20b\"\r\n",
    ] {
        assert_eq!(parse(text), [set("/system/identity")], "{text}");
    }
    assert_eq!(parse("/ip dns\nadd x=1;set [find] y=2").len(), 2);
    assert_eq!(parse(":local x 5\n/ip dns"), []);
}

#[test]
fn a_script_changes_what_it_names() {
    let identity = Identity::derive(1, 1);
    let mut model = model(&identity);
    let understood = apply(
        "/system identity set name=core\n/ip dns set servers=9.9.9.9,1.1.1.1 foo=bar\n\
         /tr069-client set periodic-inform-interval=00:01:30 provisioning-code=\"x\\\"y\"",
        &mut model,
    );
    assert_eq!(understood, 4);
    assert_eq!(model.value(names::IDENTITY), "core");
    assert_eq!(model.value(names::INTERVAL), "90");
    assert_eq!(model.value(names::PROVISIONING_CODE), "x\"y");
    assert_eq!(model.value("Device.DNS.Client.ServerNumberOfEntries"), "2");
    assert_eq!(model.value("Device.DNS.Client.Server.3.DNSServer"), "1.1.1.1");
}

#[test]
fn reads_routeros_times() {
    let cases = [
        ("90", Some(90)),
        ("10s", Some(10)),
        ("1m30s", Some(90)),
        ("1d2h", Some(93_600)),
        ("1w", Some(604_800)),
        ("01:00:05", Some(3_605)),
        ("soon", None),
        ("99999999999s", None),
    ];
    for (text, expected) in cases {
        assert_eq!(seconds(text), expected, "{text}");
    }
}

#[test]
fn an_export_restores_all_but_secrets() {
    let identity = Identity::derive(1, 2);
    let mut before = model(&identity);
    let script = factory("http://acs:7547/?a=$b", "user\\1", "s3cret \"quoted\"", 300);
    assert_eq!(apply(&script, &mut before), 5);
    assert_eq!(before.value(names::PASSWORD), "s3cret \"quoted\"");
    before.put(names::IDENTITY, "caf\u{e9} \u{b2}");

    let text = export(&before, &identity, "2026-11-22 10:00:00");
    assert!(text.starts_with("# 2026-11-22 10:00:00 by RouterOS "));
    assert!(text.contains(&identity.serial));
    assert!(!text.contains("s3cret"));
    let mut after = model(&identity);
    apply(&text, &mut after);
    for name in [names::IDENTITY, names::URL, names::USERNAME, names::INTERVAL] {
        assert_eq!(after.value(name), before.value(name), "{name}");
    }
    assert_eq!(after.value(names::PASSWORD), "");
}

proptest! {
    #[test]
    fn a_quoted_value_comes_back(value in "\\PC{0,40}") {
        let commands = parse(&format!("/m set v={} w=1", quote(&value)));
        prop_assert_eq!(&commands[0].arguments[0].1, &value);
        prop_assert_eq!(commands[0].arguments.len(), 2);
    }

    #[test]
    fn any_text_parses(text in "[ -~\n]{0,200}") {
        let mut model = model(&Identity::derive(1, 3));
        prop_assert!(apply(&text, &mut model) <= text.len());
    }
}
