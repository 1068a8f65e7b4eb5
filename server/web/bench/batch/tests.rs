#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

pub(super) fn summary() -> Summary {
    let reason = |reason: &str, count| Reason { reason: reason.to_owned(), count };
    Summary {
        claimed: 40,
        no_mac: 1,
        not_seen: 1,
        refused: 1,
        delivered: 35,
        confirmed: 2,
        reasons: vec![reason("too_big", 1), reason("<x-evil>", 1)],
        ..Summary::default()
    }
}

#[test]
fn how_far_a_batch_is_is_one_sentence_and_a_bar() {
    let far = far(&summary());
    let words = "Of 40 claimed: 2 confirmed, 35 delivered, 1 refused, 1 not seen, 1 without a \
                 MAC address.";
    assert_eq!(far.words, words);
    assert!(far.svg.contains(words), "{}", far.svg);
    let keys: Vec<&str> = far.key.iter().map(|item| item.label).collect();
    assert_eq!(keys, ["confirmed", "delivered", "refused", "not seen"]);
    assert!(far.reasons[0].words.starts_with("too big"));
    assert!(far.nameless.starts_with("Claims by serial number alone: 1."));
}

#[test]
fn without_claims_there_is_nothing_to_say() {
    let far = far(&Summary::default());
    assert_eq!((far.words.as_str(), far.svg.as_str(), far.nameless.as_str()), ("", "", ""));
}

#[test]
fn a_batch_is_a_site_a_customer_or_a_few_claims() {
    let id = Uuid::from_u128(7);
    let query = BatchQuery {
        site: " eu.lv ".to_owned(),
        claims: format!("{id}, ,{id}"),
        ..BatchQuery::default()
    };
    let filter = query.filter().unwrap();
    assert_eq!((filter.site.as_deref(), filter.customer), (Some("eu.lv"), None));
    assert_eq!(filter.claims, Some(vec![id, id]));
    assert!(query.filtered() && !BatchQuery::default().filtered());
    assert_eq!(BatchQuery::default().filter().unwrap(), BatchFilter::default());
    let wrong = BatchQuery { claims: "x".to_owned(), ..BatchQuery::default() };
    assert!(wrong.filter().is_err());
    let nowhere = BatchQuery { after: "x".to_owned(), ..BatchQuery::default() };
    assert!(nowhere.place().is_err());
}

#[test]
fn a_claim_leads_to_its_board_once_that_was_seen() {
    let now = DateTime::UNIX_EPOCH;
    let mut claim = sample_row(Some("delivered"));
    claim.mac = Some("E4:8D:8C:00:00:01".to_owned());
    assert_eq!(row(&claim, now).board, "/bench/boards/E4:8D:8C:00:00:01");
    claim.state = None;
    assert_eq!((row(&claim, now).board.as_str(), row(&claim, now).state), ("", UNSEEN));
    claim.mac = None;
    assert_eq!(row(&claim, now).state.label, "no MAC address in its claim");
}

#[test]
fn a_line_has_all_columns_and_is_no_formula() {
    let mut claim = sample_row(Some("delivered"));
    claim.customer = Some("=1+1".to_owned());
    assert_eq!(line(&claim).len(), COLUMNS.len());
    let text = String::from_utf8(csv_of([line(&claim)])).unwrap();
    assert!(text.contains(",'=1+1,delivered,"), "{text}");
}
