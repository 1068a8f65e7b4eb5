#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::web::views::sample;

/// With hostile words; `taken` by a device, or refused to one.
pub(super) fn claim(taken: bool) -> Claim {
    let evil = || Some("<x-evil>".to_owned());
    Claim {
        claim_id: Uuid::from_u128(7),
        serial: evil(),
        mac: evil(),
        model: evil(),
        site: evil(),
        profile_id: None,
        profile: evil(),
        variables: json!({ "ppp_user": "<x-evil>", "ppp_password": { "$sealed": "x" } }),
        tags: vec!["<x-evil>".to_owned()],
        customer: evil(),
        factory_sealed: Some(vec![7]),
        own_credential: true,
        device_id: taken.then(|| Uuid::from_u128(8)),
        taken_at: taken.then_some(DateTime::UNIX_EPOCH),
        refused: evil().filter(|_| !taken),
        refused_at: (!taken).then_some(DateTime::UNIX_EPOCH),
        created_by: "<x-evil>".to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

pub(super) fn offered() -> Offered {
    Offered { sites: vec!["<x-evil>".to_owned()], profiles: choices(vec!["<x-evil>".to_owned()]) }
}

pub(super) fn samples() -> Vec<(View, Value)> {
    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let page = |rows: Vec<Row>, filter: ListQuery, complaint: String| ClaimsPage {
        shell: Shell::sample(),
        tabs: tabs_of(HOME, 7),
        counts: counts((1, 2, 3)),
        filtered: filter.filtered(),
        filter,
        states: states(),
        sites: vec![evil()],
        complaint,
        rows,
        here: HOME.to_owned(),
        export: "/claims.csv".to_owned(),
        may_claim: true,
        first: HOME.to_owned(),
        next: HOME.to_owned(),
    };
    let asked = || ListQuery { q: evil(), site: evil(), ..ListQuery::default() };
    let full = page(vec![row(&claim(true), now), row(&claim(false), now)], asked(), String::new());
    let looking = ClaimsPage { may_claim: false, ..page(Vec::new(), asked(), String::new()) };
    vec![
        sample(View::Claims, &full),
        sample(View::Claims, &looking),
        sample(View::Claims, &page(Vec::new(), asked(), evil())),
        sample(View::Claims, &page(Vec::new(), ListQuery::default(), String::new())),
    ]
}

#[test]
fn a_claim_says_how_far_it_is_and_why() {
    let now = DateTime::UNIX_EPOCH;
    let (taken, refused) = (row(&claim(true), now), row(&claim(false), now));
    assert_eq!((taken.state.label, refused.state.label), ("taken", "refused"));
    assert_eq!((taken.refused.as_str(), refused.refused.as_str()), ("", "<x-evil>"));
    assert!(taken.device.starts_with("/devices/") && refused.device.is_empty());
    let open = Claim { refused: None, serial: None, ..claim(false) };
    assert_eq!(state(&open).label, "open");
    let open = row(&open, now);
    assert_eq!((open.name.as_str(), open.mac.as_str()), ("<x-evil>", ""));
    // Each state that a list can be narrowed to is offered, and counted.
    for state in service::STATES {
        assert!(states().iter().any(|choice| choice.value == state), "{state}");
        assert!(counts((0, 0, 0)).iter().any(|count| count.state.label == state), "{state}");
    }
}

#[test]
fn a_filter_is_kept_from_page_to_page() {
    let query = ListQuery { state: "open".to_owned(), q: " a&b ".to_owned(), ..Default::default() };
    assert_eq!(query.at(HOME, "7"), "/claims?state=open&q=a%26b&after=7");
    assert!(query.filtered() && !ListQuery::default().filtered());
    assert_eq!(query.filter().text.as_deref(), Some("a&b"));
    let id = Uuid::from_u128(7);
    assert_eq!(row_id(&id.to_string()).unwrap(), Some(id));
    assert_eq!(row_id("").unwrap(), None);
    assert!(row_id("7").is_err());
}

#[test]
fn tags_are_read_however_they_are_typed() {
    assert_eq!(tags(" pilot, tower;new\tx "), ["pilot", "tower", "new", "x"]);
    assert!(tags(" , ").is_empty());
    let current: Vec<&str> =
        tabs_of(RULES, 0).iter().filter(|tab| tab.current).map(|tab| tab.href).collect();
    assert_eq!(current, [RULES]);
}
