#![expect(clippy::unwrap_used, reason = "tests")]
use chrono::{DateTime, TimeDelta};

use super::*;
use crate::access::grant::{Grant, Grants, Place};

pub(super) fn entry(actor: &str) -> Entry {
    Entry {
        audit_id: Uuid::from_u128(7),
        at: DateTime::UNIX_EPOCH,
        actor_kind: "token".to_owned(),
        actor_id: None,
        actor: actor.to_owned(),
        address: Some("192.0.2.1/32".parse().unwrap()),
        action: "site.change".to_owned(),
        object_kind: "site".to_owned(),
        object_id: Uuid::from_u128(8).to_string(),
        object_name: "eu.lv".to_owned(),
        before: None,
        after: None,
    }
}

fn query(fields: &[(&str, &str)]) -> AuditQuery {
    let text = address("", fields);
    let fields = text.trim_start_matches('?');
    let pairs: std::collections::HashMap<_, _> =
        url::form_urlencoded::parse(fields.as_bytes()).collect();
    serde_json::from_value::<AuditQuery>(serde_json::to_value(pairs).unwrap()).unwrap().trimmed()
}

#[test]
fn an_address_leads_back_to_what_it_says() {
    let asked = [("actor", "ann"), ("action", "site."), ("text", " a&b "), ("since", "2026-11-22")];
    let read = query(&asked);
    assert_eq!(read.text, "a&b");
    let at = read.address(HOME, &[("before", "1")]);
    assert_eq!(at, "/audit?actor=ann&action=site.&text=a%26b&since=2026-11-22&before=1");
    assert!(read.is_narrow());
    assert!(!query(&[("before", "1"), ("format", "csv")]).is_narrow());
    assert!(query(&[("before", "1")]).before().is_err());
}

#[test]
fn days_are_those_of_the_reader() {
    let asked = query(&[("since", "2026-11-22"), ("until", "2026-11-22")]);
    let filter = asked.filter(Tz::Europe__Riga).unwrap();
    assert_eq!(filter.since.unwrap().to_rfc3339(), "2026-11-21T22:00:00+00:00");
    assert_eq!(filter.until.unwrap() - filter.since.unwrap(), TimeDelta::days(1));
    let none = query(&[]).filter(Tz::UTC).unwrap();
    assert!(none.since.is_none() && none.until.is_none() && none.actor.is_none());
}

#[test]
fn what_is_no_day_is_said_at_its_field() {
    for (field, pointer) in [("since", "/since"), ("until", "/until")] {
        match query(&[(field, "yesterday")]).filter(Tz::UTC).unwrap_err() {
            Error::Invalid { pointer: found, .. } => assert_eq!(found, pointer),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_link_leads_to_what_is_there_and_may_be_seen() {
    let all = Ctx::console(DateTime::UNIX_EPOCH);
    let auditor = Ctx {
        grants: Grants(vec![Grant { rights: vec![Right::Audit], place: Place::Everywhere }]),
        ..all.clone()
    };
    let changed = entry("ann");
    let href = format!("/sites/{}", changed.object_id);
    assert_eq!(object_href(&changed, &all), Some(href));
    assert_eq!(object_href(&changed, &auditor), None);
    let removed = Entry { action: "site.delete".to_owned(), ..entry("ann") };
    assert_eq!(object_href(&removed, &all), None);
    for (kind, id) in [("token", &changed.object_id), ("site", &"eu.lv".to_owned())] {
        let other = Entry { object_kind: kind.to_owned(), object_id: id.clone(), ..entry("ann") };
        assert_eq!(object_href(&other, &all), None, "{kind}");
    }
}

#[test]
fn who_is_no_person_is_told_apart() {
    let ctx = Ctx::console(DateTime::UNIX_EPOCH);
    assert_eq!(row(&entry("ci"), &ctx).kind, "token");
    let person = Entry { actor_kind: "user".to_owned(), ..entry("ann") };
    let row = row(&person, &ctx);
    assert_eq!((row.kind.as_str(), row.actor_href.as_str()), ("", "/audit?actor=ann"));
}
