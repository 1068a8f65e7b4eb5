#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::web::device::samples::device;

/// For somebody who only reads.
fn head(at: Tab) -> Head {
    let ctx = Ctx::nobody("ann", None, DateTime::UNIX_EPOCH);
    Head::new(&ctx, &Config::default(), &device(), at, May::of(&[Right::Read]))
}

#[test]
fn actions_are_offered_to_who_may_do_them() {
    let nothing = May { operate: false, secrets: false, admin: false };
    assert_eq!(May::of(&[Right::Support, Right::Read]), nothing);
    assert_eq!(May::of(&[Right::Read, Right::Operate]), May { operate: true, ..nothing });
    assert_eq!(May::of(&[Right::Secrets]), May { secrets: true, ..nothing });
    assert!(head(Tab::Files).asks.is_empty());
}

#[test]
fn the_tab_that_is_open_is_the_present_one() {
    let head = head(Tab::Jobs);
    let current: Vec<&str> =
        head.tabs.iter().filter(|tab| tab.current).map(|tab| tab.label).collect();
    assert_eq!(current, ["Jobs"]);
    assert!(head.tabs.iter().all(|tab| tab.href.starts_with("/devices/00000000-")));
}

#[test]
fn a_place_and_all_around_it_lead_to_their_devices() {
    let places = places(Some("eu.lv.riga"));
    let labels: Vec<&str> = places.iter().map(|place| place.label.as_str()).collect();
    assert_eq!(labels, ["eu", "lv", "riga"]);
    assert_eq!(places[1].href, "/devices?q=site+under+%22eu.lv%22");
    assert!(super::places(None).is_empty());
}

#[test]
fn a_device_is_called_by_its_identity_and_else_by_its_number() {
    assert_eq!(name(&device()), "Attic <x-evil>");
    let nameless = Device { identity: Some(" ".to_owned()), ..device() };
    assert_eq!(name(&nameless), nameless.serial);
    assert_eq!(model_of(&device()), "hAP <x-evil> (<x-evil>)");
}

#[test]
fn a_place_in_a_list_comes_back() {
    let at = DateTime::from_timestamp_micros(1_763_800_000_123_456).unwrap();
    let id = Uuid::from_u128(9);
    assert_eq!(place_of(&place_text(at, id)).unwrap(), Some((at, id)));
    assert_eq!(place_of("").unwrap(), None);
    for bad in ["x", "1_x", "x_1", "1", "99999999999999999999_0"] {
        assert!(place_of(bad).is_err(), "{bad}");
    }
}

#[test]
fn nothing_is_told_as_nothing() {
    for nothing in [json!(null), json!({}), json!([]), json!("")] {
        assert_eq!(pretty(&nothing), "");
    }
    assert_eq!(pretty(&json!({ "a": 1 })), "{\n  \"a\": 1\n}");
    assert_eq!(pretty(&json!(0)), "0");
    assert!(pretty(&json!("x".repeat(2 * JSON))).chars().count() <= JSON + 1);
}

#[test]
fn an_address_says_only_what_is_set() {
    assert_eq!(with_query("/a", &[("b", ""), ("c", "")]), "/a");
    assert_eq!(with_query("/a", &[("b", "x y&"), ("c", "")]), "/a?b=x+y%26");
}
