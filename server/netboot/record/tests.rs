#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;
use std::sync::Arc;

use muster_netboot::board::{Gives, Kind, Offer, Verdict};

use super::*;
use crate::netboot::policy::HAD_IT;

const MAC: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);

fn request(options: Vec<(u8, Vec<u8>)>) -> Request {
    Request {
        xid: 1,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac: MAC,
        file: Vec::new(),
        options,
    }
}

#[test]
fn what_a_board_says_is_kept_and_what_it_said_before_in_another_mode_too() {
    let profiles = profile::builtin();
    let flashboot = request(vec![
        (60, b"Flashboot".to_vec()),
        (128, b"952-hb".to_vec()),
        (129, 3_900_u32.to_be_bytes().to_vec()),
        (200, vec![0xab, 1]),
    ]);
    let said = Said::of(&flashboot, profiles);
    let mut row = fresh(MAC, Uuid::nil(), DateTime::UNIX_EPOCH);
    row.arch = Some("mipsbe".to_owned());
    note_said(&mut row, &said);
    assert_eq!((row.board_id.as_deref(), row.free_bytes), (Some("952-hb"), Some(3_900)));
    assert_eq!((row.arch.as_deref(), &row.options), (Some("mipsbe"), &json!({ "200": "ab01" })));
    let etherboot = request(vec![(60, b"ARM64__boot".to_vec()), (93, vec![0, 11])]);
    note_said(&mut row, &Said::of(&etherboot, profiles));
    assert_eq!((row.arch.as_deref(), row.board_id.as_deref()), (Some("arm64"), Some("952-hb")));
    assert_eq!((row.free_bytes, row.vendor_class.as_deref()), (Some(3_900), Some("ARM64__boot")));
    assert_eq!(row.options, json!({ "93": "000b", "200": "ab01" }));
    // What it says now counts.
    let other = request(vec![
        (60, b"Flashboot".to_vec()),
        (129, 100_u32.to_be_bytes().to_vec()),
        (200, vec![2]),
    ]);
    note_said(&mut row, &Said::of(&other, profiles));
    assert_eq!((row.board_id.as_deref(), row.free_bytes), (Some("952-hb"), Some(100)));
    assert_eq!(row.options, json!({ "93": "000b", "200": "02" }));
}

#[test]
fn of_options_only_so_much_is_kept() {
    let digits = |bytes: usize| "ab".repeat(bytes);
    let said = BTreeMap::from([(200, digits(500))]);
    let before = json!({ "201": digits(13), "202": digits(12), "203": digits(1), "200": "00" });
    let kept = options(&before, &said);
    assert_eq!(kept, json!({ "200": digits(500), "202": digits(12) }));
    let full = BTreeMap::from([(200, digits(MAX_UNKNOWN))]);
    assert_eq!(options(&before, &full), json!(full));
}

#[test]
fn a_delivery_is_had_at_the_moment_of_its_last_byte() {
    let second = Duration::from_secs;
    let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap();
    let network = "192.168.88.1/24".parse().unwrap();
    let mut row = fresh(MAC, Uuid::nil(), at(0));
    let mut board = Board::new(MAC, second(0));
    let asks = request(vec![(60, b"Flashboot".to_vec())]);
    board.request(asks, Kind::Flashboot, second(1));
    let offer = Offer {
        address: Ipv4Addr::new(192, 168, 88, 9),
        file: "flashfig".to_owned(),
        content: Arc::from(b"123 #\n".as_slice()),
        gives: Gives::Script,
    };
    board.verdict(Verdict::Offer(offer), second(1));
    note_stage(&mut row, &board, network, true, at(1));
    assert_eq!((row.state.as_str(), row.offered_at, row.done), ("offered", Some(at(1)), false));
    assert_eq!(row.address.unwrap().to_string(), "192.168.88.9/24");
    board.read_began(second(2));
    board.delivered(6, second(3));
    note_stage(&mut row, &board, network, true, at(3));
    assert_eq!((row.state.as_str(), row.done), ("delivered", true));
    assert_eq!((row.delivered_at, row.duration_ms), (Some(at(3)), Some(2_000)));
    // Said once more, it is no other delivery.
    note_stage(&mut row, &board, network, false, at(4));
    assert_eq!(row.delivered_at, Some(at(3)));
    let more = Detail { by: Some("claim".to_owned()), ..Detail::default() };
    let log = entry(&row, &board, more, at(4));
    assert_eq!(log.state, "delivered");
    assert_eq!(log.detail, json!({ "by": "claim", "requests": 1, "duration_ms": 2_000 }));

    // Switched on once more it stays what it is, whatever is said of that; its log tells it.
    for code in [HAD_IT, "dhcp_off", "disarmed"] {
        let mut board = Board::new(MAC, second(60));
        board.request(request(vec![(60, b"Flashboot".to_vec())]), Kind::Flashboot, second(60));
        let words = "it gets no other".to_owned();
        board.verdict(Verdict::Refuse { code, words }, second(60));
        let before = row.clone();
        note_stage(&mut row, &board, network, true, at(60));
        assert_eq!(row, BoardRow { updated_at: at(60), ..before });
        let log = entry(&row, &board, Detail::default(), at(60));
        assert_eq!(
            (log.state.as_str(), log.words.as_deref()),
            ("refused", Some("it gets no other"))
        );
        assert_eq!(log.detail, json!({ "reason": code, "requests": 1 }));
    }
}
