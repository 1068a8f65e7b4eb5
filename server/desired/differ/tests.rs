#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::desired::effective::{Layer, Source};
use crate::store::parameters::Entry;
use serde_json::json;

const NAME: &str = "Device.DNS.Client.Server.1.DNSServer";
const SECRET: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn wanting(name: &str, wanted: Value) -> Effective {
    let wanted: Wanted = serde_json::from_value(wanted).unwrap();
    let from = Source { layer: Layer::Fleet, profile_id: None, profile: Some("base".to_owned()) };
    let said = Layered { value: wanted, from: from.clone(), enforce: true };
    let variables: crate::fleet::variables::Variables =
        serde_json::from_value(json!({ "dns": "1.1.1.1", "many": ["a", "b"], "yes": true }))
            .unwrap();
    let mut effective = Effective::default();
    effective.add_variables(&variables, &from);
    effective.parameters.insert(name.to_owned(), said);
    effective
}

fn having(name: &str, value: &str, kind: ValueType) -> Document {
    let entry = Entry { value: value.to_owned(), kind, writable: Some(true), at: 0 };
    Document::from([(name.to_owned(), entry)])
}

struct Device {
    document: Document,
    secrets: BTreeMap<String, String>,
    ignored: Vec<String>,
    memory: Memory,
    is_new: bool,
}

impl Device {
    fn having(value: &str) -> Self {
        Self {
            document: having(NAME, value, ValueType::String),
            secrets: BTreeMap::new(),
            ignored: Vec::new(),
            memory: Memory::new(),
            is_new: false,
        }
    }

    fn compared(&self, effective: &Effective, at: DateTime<Utc>) -> Compared {
        let seen = Seen {
            document: &self.document,
            secrets: &self.secrets,
            ignored: &self.ignored,
            is_new: self.is_new,
            memory: &self.memory,
            key: &[7; 32],
        };
        parameters(effective, seen, at)
    }
}

#[test]
fn what_is_as_it_should_be_costs_nothing_and_what_differs_is_written() {
    let effective = wanting(NAME, json!({ "variable": "dns" }));
    let same = Device::having("1.1.1.1").compared(&effective, now());
    assert_eq!(same, Compared::default());
    let other = Device::having("8.8.8.8").compared(&effective, now());
    assert_eq!(other.set.len(), 1);
    let difference = &other.differences[0];
    assert_eq!(
        (difference.wanted.as_deref(), difference.seen.as_deref()),
        (Some("1.1.1.1"), Some("8.8.8.8"))
    );
    assert!(difference.mended && difference.words.contains("base"));
}

#[test]
fn what_is_only_told_ignored_missing_or_fixed_is_not_written() {
    let report = wanting(NAME, json!({ "value": "x", "mode": "report" }));
    let told = Device::having("y").compared(&report, now());
    assert!(told.set.is_empty() && !told.differences[0].mended);

    let wanted = wanting(NAME, json!({ "value": "x" }));
    let ignoring = Device { ignored: vec![NAME.to_owned()], ..Device::having("y") };
    assert_eq!(ignoring.compared(&wanted, now()), Compared::default());
    let mut fixed = Device::having("y");
    fixed.document.get_mut(NAME).unwrap().writable = Some(false);
    let none = Device { document: Document::new(), ..Device::having("y") };
    for device in [fixed, none] {
        let compared = device.compared(&wanted, now());
        assert!(compared.set.is_empty() && compared.differences.len() == 1, "{compared:?}");
    }
    let unknown = wanting(NAME, json!({ "variable": "nothing" }));
    let compared = Device::having("y").compared(&unknown, now());
    assert!(compared.set.is_empty() && compared.differences[0].words.contains("`nothing`"));
}

#[test]
fn what_is_wanted_once_is_written_to_a_new_device_only() {
    let once = wanting(NAME, json!({ "value": "x", "mode": "once" }));
    let device = Device::having("y");
    assert_eq!(device.compared(&once, now()), Compared::default());
    let new = Device { is_new: true, ..device };
    assert_eq!(new.compared(&once, now()).set.len(), 1);
}

#[test]
fn a_device_that_keeps_undoing_a_value_is_left_alone_for_longer_and_longer() {
    let effective = wanting(NAME, json!({ "value": "x" }));
    let mut device = Device::having("y");
    let mut at = now();
    let mut waits = Vec::new();
    for _ in 0..3 {
        let compared = device.compared(&effective, at);
        assert_eq!(compared.set.len(), 1);
        device.memory = compared.memory;
        at += TimeDelta::minutes(1);
    }
    for _ in 0..3 {
        let compared = device.compared(&effective, at);
        assert!(compared.set.is_empty(), "{compared:?}");
        assert!(compared.differences[0].words.contains("undone"));
        let again = compared.again_at.unwrap();
        waits.push(again - at);
        device.memory = compared.memory;
        // Asked again meanwhile it waits on.
        let meanwhile = device.compared(&effective, at + TimeDelta::minutes(1));
        assert!(meanwhile.set.is_empty() && meanwhile.again_at == Some(again));
        let tried = device.compared(&effective, again);
        assert_eq!(tried.set.len(), 1);
        device.memory = tried.memory;
        at = again + TimeDelta::minutes(1);
    }
    assert!(waits.is_sorted() && waits[0] < waits[2], "{waits:?}");
    // Another value is another matter.
    let other = wanting(NAME, json!({ "value": "z" }));
    assert_eq!(device.compared(&other, at).set.len(), 1);
}

#[test]
fn what_a_device_refused_is_told_and_the_rest_gets_its_turn() {
    let effective = wanting(NAME, json!({ "value": "x" }));
    let mut device = Device::having("y");
    device.memory = device.compared(&effective, now()).memory;
    refuse(&mut device.memory, &[(NAME.to_owned(), "9007 Invalid value".to_owned())], now());
    let compared = device.compared(&effective, now() + TimeDelta::hours(1));
    assert!(compared.set.is_empty() && compared.differences[0].words.contains("9007"));
    assert_eq!(device.compared(&effective, now() + TimeDelta::days(3)).set.len(), 1);
}

#[test]
fn a_secret_is_compared_and_never_shown() {
    let effective = wanting(SECRET, json!({ "value": "hunter22" }));
    let mut device = Device::having("");
    device.document = having(SECRET, "", ValueType::String);
    let compared = device.compared(&effective, now());
    assert_eq!(compared.set[0].value, "hunter22");
    assert!(!format!("{:?} {:?}", compared.differences, compared.memory).contains("hunter"));
    device.secrets.insert(SECRET.to_owned(), "hunter22".to_owned());
    assert_eq!(device.compared(&effective, now()), Compared::default());
}

#[test]
fn the_same_is_the_same_in_any_way_of_writing_that_is_let_pass() {
    use ValueType::{Boolean, String, UnsignedInt};
    for (wanted, seen, kind, tolerance, is_same) in [
        ("1", "true", Boolean, Tolerance::Exact, true),
        ("1", "0", Boolean, Tolerance::Exact, false),
        ("1", "true", String, Tolerance::Exact, false),
        ("007", "7", UnsignedInt, Tolerance::Exact, true),
        ("Home", "HOME", String, Tolerance::AnyCase, true),
        ("a,b", "b, a", String, Tolerance::AnyOrder, true),
        ("a,b", "a", String, Tolerance::AnyOrder, false),
        ("300", "310", UnsignedInt, Tolerance::Within { by: 10.0 }, true),
        ("300", "311", UnsignedInt, Tolerance::Within { by: 10.0 }, false),
        ("300", "x", UnsignedInt, Tolerance::Within { by: 10.0 }, false),
    ] {
        assert_eq!(same(wanted, seen, kind, tolerance), is_same, "{wanted} {seen} {tolerance:?}");
    }
}
