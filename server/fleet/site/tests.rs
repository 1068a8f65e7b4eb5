#![expect(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::*;
use crate::fleet::variables::MAX_VARIABLES;

fn path(text: &str) -> SitePath {
    text.parse().unwrap()
}

fn pointer(fields: Value) -> String {
    let fields: SiteFields = serde_json::from_value(fields).unwrap();
    match checked(fields) {
        Err(Error::Invalid { pointer, .. }) => pointer,
        Err(other) => panic!("{other}"),
        Ok(draft) => panic!("{} was taken", draft.path),
    }
}

#[test]
fn a_path_is_labels_that_the_database_takes() {
    for good in ["eu", "eu.lv.riga", "EU.tower_7", &["x"; MAX_DEPTH].join(".")] {
        assert_eq!(path(good).as_str(), good);
    }
    let long = "x".repeat(MAX_LABEL + 1);
    let deep = ["x"; MAX_DEPTH + 1].join(".");
    for bad in ["", ".", "eu.", ".eu", "eu..lv", "eu lv", "eu.*", "rīga", &long, &deep] {
        assert!(bad.parse::<SitePath>().is_err(), "{bad}");
    }
    let why = "eu.tower-7".parse::<SitePath>().unwrap_err();
    assert!(why.contains("`-` in `tower-7`"), "{why}");
}

#[test]
fn a_place_is_in_those_whose_labels_begin_its_path() {
    let riga = path("eu.lv.riga");
    assert_eq!((riga.depth(), riga.label(), riga.parent()), (3, "riga", Some("eu.lv")));
    assert_eq!(path("eu").parent(), None);
    assert!(riga.is_under(&riga) && riga.is_under(&path("eu")));
    assert!(!riga.is_under(&path("eu.l")) && !path("eu.lv").is_under(&riga));
}

#[test]
fn what_is_not_said_has_its_default() {
    let fields = SiteFields { path: Some("eu.lv".to_owned()), ..SiteFields::default() };
    let draft = checked(fields).unwrap();
    assert_eq!((draft.name.as_str(), draft.time_zone.as_str()), ("lv", "UTC"));
    assert_eq!((draft.variables, draft.windows.0), (Variables::default(), vec![]));
}

#[test]
fn a_secret_is_sealed_and_one_that_came_back_masked_stays() {
    let of = |value: Value| -> Variables { serde_json::from_value(value).unwrap() };
    let (keys, id) = (Keys::new([7; 32]), Uuid::nil());
    let had = of(json!({ "ppp_password": "hunter2", "vlan": 7 }));
    let sent = of(json!({ "ppp_password": MASK, "vlan": 8 }));
    let stored = sealed(sent, &had, &keys, id).unwrap();
    assert!(!stored.to_string().contains("hunter2"), "{stored}");
    let opened = Variables::opened(&stored, &keys, &context(id)).unwrap();
    assert_eq!(opened, of(json!({ "ppp_password": "hunter2", "vlan": 8 })));
    assert!(sealed(of(json!({ "other_password": MASK })), &had, &keys, id).is_err());
}

#[test]
fn what_is_wrong_is_pointed_at() {
    assert_eq!(pointer(json!({})), "/path");
    assert_eq!(pointer(json!({ "path": "a-b" })), "/path");
    assert_eq!(pointer(json!({ "path": "a", "name": "" })), "/name");
    for zone in ["", "Riga", "europe/riga", "+02:00"] {
        assert_eq!(pointer(json!({ "path": "a", "time_zone": zone })), "/time_zone");
    }
    for name in ["", "7x", "a b", "a-b", &"x".repeat(65)] {
        assert_eq!(pointer(json!({ "path": "a", "variables": { name: 1 } })), "/variables");
    }
    for value in [json!("y".repeat(MAX_VARIABLES)), json!(["\0"]), json!({ "\0": 1 })] {
        assert_eq!(pointer(json!({ "path": "a", "variables": { "x": value } })), "/variables");
    }
    let window = json!({ "days": [], "from": "02:00", "minutes": 60 });
    assert_eq!(pointer(json!({ "path": "a", "windows": [window] })), "/windows/0/days");
    let zone = SiteFields {
        path: Some("eu".to_owned()),
        time_zone: Some("Europe/Riga".to_owned()),
        ..SiteFields::default()
    };
    assert!(checked(zone).is_ok());
}
