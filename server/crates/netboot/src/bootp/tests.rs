//! Messages as the specification has them, hostile ones, and what another codec makes of ours.
#![expect(clippy::unwrap_used, reason = "tests")]

use dhcproto::v4::{
    Decodable, Decoder, DhcpOption, Encodable, Encoder, Flags, Message, MessageType, Opcode,
    OptionCode, UnknownOption,
};
use proptest::prelude::*;

use super::*;

const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 88, 10);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 88, 11);
const NETWORK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 88, 1);
const NOWHERE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// The fixed fields of what a board in flash-boot mode sends.
fn fixed() -> Vec<u8> {
    let mut bytes = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef];
    bytes.resize(28, 0);
    bytes.extend(BOARD.0);
    bytes.resize(236, 0);
    bytes
}

/// The same with a vendor area of these bytes, filled up to 300.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = fixed();
    bytes.extend([0x63, 0x82, 0x53, 0x63]);
    bytes.extend(options);
    bytes.resize(bytes.len().max(300), 0);
    bytes
}

fn request(options: Vec<(u8, Vec<u8>)>) -> Request {
    Request {
        xid: 0xdead_beef,
        secs: 0,
        flags: 0,
        ciaddr: NOWHERE,
        giaddr: NOWHERE,
        mac: BOARD,
        file: Vec::new(),
        options,
    }
}

/// The options as RouterBOOT walks them: nothing but options up to the end, and no bound. Also how many
/// bytes of the message they take with all before them.
fn walk(bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, usize) {
    let (mut at, mut options) = (240, Vec::new());
    while bytes[at] != 255 {
        assert_ne!(bytes[at], 0, "a PAD");
        let length = usize::from(bytes[at + 1]);
        options.push((bytes[at], bytes[at + 2..at + 2 + length].to_vec()));
        at += 2 + length;
    }
    (options, at + 1)
}

#[test]
fn a_board_in_flash_boot_mode_is_read() {
    let bytes = with_options(b"\x3c\x09Flashboot\x80\x06952-hb\x81\x04\0\0\x0f\x3c\xff");
    let read = Request::read(&bytes).unwrap();
    let options =
        vec![(60, b"Flashboot".to_vec()), (128, b"952-hb".to_vec()), (129, vec![0, 0, 0x0f, 0x3c])];
    assert_eq!(read, request(options));
    assert_eq!(read.vendor_class().as_deref(), Some("Flashboot"));
    assert_eq!((read.message_type(), read.requested(), read.for_server()), (None, None, None));
    assert!(read.unknown().is_empty());
    // And is what is written.
    assert_eq!(read.write(), bytes);
}

#[test]
fn a_request_may_end_after_its_fixed_fields() {
    assert_eq!(Request::read(&fixed()), Ok(request(Vec::new())));
    // As may one whose vendor area is something else.
    let mut other = fixed();
    other.extend([1, 2, 3, 4, 53, 1, 1, 255]);
    assert_eq!(Request::read(&other), Ok(request(Vec::new())));
}

#[test]
fn options_end_where_they_are_cut_off() {
    type Case = (&'static [u8], Vec<(u8, Vec<u8>)>);
    let cases: [Case; 6] = [
        (b"\0\0\x3c\x01a\0\xff\x3c\x01b", vec![(60, b"a".to_vec())]),
        (b"\x3c\x01a\x35", vec![(60, b"a".to_vec())]),
        (b"\x3c\x01a\x35\x02\x01", vec![(60, b"a".to_vec())]),
        (b"\x3c\x00", vec![(60, Vec::new())]),
        (b"\x3c\xffa", Vec::new()),
        (b"", Vec::new()),
    ];
    for (options, whole) in cases {
        let mut bytes = fixed();
        bytes.extend([0x63, 0x82, 0x53, 0x63]);
        bytes.extend(options);
        assert_eq!(Request::read(&bytes).unwrap().options, whole, "{options:?}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = fixed();
        bytes[at] = byte;
        Request::read(&bytes)
    };
    assert!(changed(0, 2).is_err(), "a reply");
    assert!(changed(0, 0).is_err(), "nothing");
    assert!(changed(1, 6).is_err(), "token ring");
    assert!(changed(2, 16).is_err(), "a long address");
    assert!(changed(28, 0xe5).is_err(), "a group's address");
    assert!(Request::read(&fixed()[..235]).is_err(), "cut off");
    assert!(Request::read(&[]).is_err());
    let mut long = fixed();
    long.resize(MAX_BYTES, 0);
    assert!(Request::read(&long).is_ok());
    long.push(0);
    assert_eq!(Request::read(&long), Err(Wrong("it is too long")));
    let mut nobody = fixed();
    nobody[28..34].fill(0);
    assert!(Request::read(&nobody).is_err());
    assert!(Reply::read(&fixed()).is_err());
}

#[test]
fn the_answer_to_a_plain_request_is_exact() {
    let to = Request { flags: 0x8000, giaddr: GATEWAY, ..request(vec![(60, b"x".to_vec())]) };
    let reply = Reply::plain(&to, ADDRESS, SERVER, NETWORK, Some(GATEWAY), "flashfig");
    let bytes = reply.write();
    let mut expected = vec![2, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0x80, 0, 0, 0, 0, 0];
    expected.extend(ADDRESS.octets());
    expected.extend(SERVER.octets());
    expected.extend([0; 4]);
    expected.extend(BOARD.0);
    expected.resize(108, 0);
    expected.extend(b"flashfig");
    expected.resize(236, 0);
    expected.extend([0x63, 0x82, 0x53, 0x63]);
    expected.extend([1, 4, 255, 255, 255, 0, 3, 4, 192, 168, 88, 1, 255]);
    expected.resize(300, 0);
    assert_eq!(bytes, expected);
    assert_eq!(Reply::read(&bytes), Ok(reply.clone()));
    assert_eq!(reply.message_type(), None);
    assert_eq!(reply.option(ROUTER), Some(GATEWAY.octets().as_slice()));
    let alone = Reply::plain(&to, ADDRESS, SERVER, NETWORK, None, "");
    assert_eq!(walk(&alone.write()).0, [(1, NETWORK.octets().to_vec())]);
}

#[test]
fn the_answers_of_dhcp_say_which_they_are() {
    let to = request(vec![(53, vec![DISCOVER])]);
    assert_eq!(to.message_type(), Some(1));
    let reply = |kind| Reply::dhcp(&to, kind, ADDRESS, SERVER, NETWORK, Some(GATEWAY), "f", 600);
    for (kind, code) in [(Kind::Offer, 2), (Kind::Ack, 5)] {
        let reply = reply(kind);
        assert_eq!(reply.message_type(), Some(code));
        assert_eq!(
            (reply.yiaddr, reply.siaddr, reply.file.as_slice()),
            (ADDRESS, SERVER, &b"f"[..])
        );
        let codes: Vec<u8> = walk(&reply.write()).0.into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, [53, 54, 51, 1, 3]);
        assert_eq!(reply.option(LEASE), Some(&[0, 0, 2, 88][..]));
    }
    let nak = reply(Kind::Nak);
    assert_eq!((nak.yiaddr, nak.siaddr, nak.file.len()), (NOWHERE, NOWHERE, 0));
    assert_eq!(walk(&nak.write()).0, [(53, vec![6]), (54, SERVER.octets().to_vec())]);
}

#[test]
fn what_clients_of_dhcp_want_is_read() {
    let read = request(vec![(50, ADDRESS.octets().to_vec()), (54, SERVER.octets().to_vec())]);
    assert_eq!((read.requested(), read.for_server()), (Some(ADDRESS), Some(SERVER)));
    let broken = request(vec![(50, vec![1, 2, 3]), (54, Vec::new()), (53, Vec::new())]);
    assert_eq!((broken.requested(), broken.for_server()), (None, None));
    assert_eq!(broken.message_type(), None);
}

#[test]
fn a_file_name_ends_within_its_field() {
    let to = request(Vec::new());
    let bytes = Reply::plain(&to, ADDRESS, SERVER, NETWORK, None, &"n".repeat(200)).write();
    assert_eq!(&bytes[108..236], [vec![b'n'; 127], vec![0]].concat());
    let full = Request { file: vec![b'n'; 128], ..to };
    assert_eq!(Request::read(&full.write()), Ok(full));
}

#[test]
fn a_vendor_class_is_kept_as_text() {
    let cases: [(&[u8], &str); 5] = [
        (b"ARM64__boot", "ARM64__boot"),
        (b"Flashboot\0\0", "Flashboot"),
        (b"a\0b\xff\n", "a?b??"),
        (b"", ""),
        (b"\0", ""),
    ];
    for (bytes, text) in cases {
        let class = request(vec![(60, bytes.to_vec())]).vendor_class();
        assert_eq!(class.as_deref(), Some(text), "{bytes:?}");
    }
    let long = request(vec![(60, vec![b'x'; 255])]).vendor_class().unwrap();
    assert_eq!(long.len(), MAX_VENDOR_CLASS);
    assert_eq!(request(Vec::new()).vendor_class(), None);
}

#[test]
fn what_nothing_is_known_of_is_kept_for_people() {
    let options = vec![(60, b"x".to_vec()), (43, vec![1, 0xab]), (93, vec![0, 11]), (43, vec![2])];
    let unknown = request(options).unknown();
    assert_eq!(unknown, BTreeMap::from([(43, "01ab02".to_owned()), (93, "000b".to_owned())]));
    // Not whatever somebody fills a message with.
    let many = (200..210).map(|code| (code, vec![0xab; 100])).collect();
    let unknown = request(many).unknown();
    assert_eq!((unknown.len(), unknown[&204].len(), unknown[&205].len()), (10, 200, 24));
    assert_eq!(unknown.values().map(String::len).sum::<usize>(), 2 * MAX_UNKNOWN);
}

#[test]
fn an_option_that_is_too_long_becomes_several() {
    let value: Vec<u8> = (0..=255).cycle().take(600).collect();
    let long = request(vec![(0, vec![9]), (43, value.clone()), (60, Vec::new()), (255, vec![9])]);
    let read = Request::read(&long.write()).unwrap();
    let codes: Vec<u8> = read.options.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [43, 43, 43, 60]);
    let parts: Vec<u8> = read
        .options
        .into_iter()
        .filter(|(code, _)| *code == 43)
        .flat_map(|(_, part)| part)
        .collect();
    assert_eq!(parts, value);
}

#[test]
fn another_codec_writes_what_we_read() {
    let mut message = Message::new_with_id(7, NOWHERE, NOWHERE, NOWHERE, NOWHERE, &BOARD.0);
    message.set_flags(Flags::default().set_broadcast()).set_secs(3).set_fname_str("boot");
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    options.insert(DhcpOption::ClassIdentifier(b"udhcp 1.35".to_vec()));
    options.insert(DhcpOption::RequestedIpAddress(ADDRESS));
    options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::Unknown(224), vec![1, 2])));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    let read = Request::read(&bytes).unwrap();
    assert_eq!((read.xid, read.secs, read.flags, read.mac), (7, 3, 0x8000, BOARD));
    assert_eq!((read.message_type(), read.requested()), (Some(DISCOVER), Some(ADDRESS)));
    assert_eq!(read.vendor_class().as_deref(), Some("udhcp 1.35"));
    assert_eq!((read.file.as_slice(), read.unknown().len()), (&b"boot"[..], 1));
}

#[test]
fn another_codec_reads_what_we_write() {
    let to = request(vec![(53, vec![REQUEST])]);
    for (reply, kind) in [
        (Reply::plain(&to, ADDRESS, SERVER, NETWORK, Some(GATEWAY), "flashfig"), None),
        (
            Reply::dhcp(&to, Kind::Ack, ADDRESS, SERVER, NETWORK, Some(GATEWAY), "flashfig", 600),
            Some(MessageType::Ack),
        ),
    ] {
        let bytes = reply.write();
        let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(message.opcode(), Opcode::BootReply);
        assert_eq!((message.xid(), message.chaddr()), (to.xid, BOARD.0.as_slice()));
        assert_eq!((message.yiaddr(), message.siaddr()), (ADDRESS, SERVER));
        assert_eq!(message.giaddr(), NOWHERE);
        assert_eq!(message.fname(), Some(b"flashfig\0".as_slice()));
        let options = message.opts();
        assert_eq!(options.msg_type(), kind);
        let mask = DhcpOption::SubnetMask(NETWORK);
        assert_eq!(options.get(OptionCode::SubnetMask), Some(&mask));
        let routers = DhcpOption::Router(vec![GATEWAY]);
        assert_eq!(options.get(OptionCode::Router), Some(&routers));
        if kind.is_some() {
            let lease = DhcpOption::AddressLeaseTime(600);
            assert_eq!(options.get(OptionCode::AddressLeaseTime), Some(&lease));
            let server = DhcpOption::ServerIdentifier(SERVER);
            assert_eq!(options.get(OptionCode::ServerIdentifier), Some(&server));
        }
    }
}

prop_compose! {
    fn options()(
        options in prop::collection::vec(
            (1..=254_u8, prop::collection::vec(any::<u8>(), 0..=255)), 0..6,
        ),
    ) -> Vec<(u8, Vec<u8>)> {
        options
    }
}

prop_compose! {
    fn requests()(
        xid in any::<u32>(),
        secs in any::<u16>(),
        flags in any::<u16>(),
        addresses in any::<[u32; 2]>(),
        mac in any::<[u8; 5]>(),
        file in prop::collection::vec(1..=255_u8, 0..=127),
        options in options(),
    ) -> Request {
        Request {
            xid,
            secs,
            flags,
            ciaddr: Ipv4Addr::from(addresses[0]),
            giaddr: Ipv4Addr::from(addresses[1]),
            mac: Mac([2, mac[0], mac[1], mac[2], mac[3], mac[4]]),
            file,
            options,
        }
    }
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_is_written(request in requests()) {
        let bytes = request.write();
        prop_assert!(bytes.len() >= MIN_BYTES);
        prop_assert_eq!(Request::read(&bytes), Ok(request));
    }

    #[test]
    fn a_reply_is_what_a_board_takes(
        request in requests(),
        addresses in any::<[u32; 3]>(),
        router in prop::option::of(any::<u32>()),
        file in "[ -~]{0,200}",
    ) {
        let [yiaddr, siaddr, mask] = addresses.map(Ipv4Addr::from);
        let reply =
            Reply::plain(&request, yiaddr, siaddr, mask, router.map(Ipv4Addr::from), &file);
        let bytes = reply.write();
        prop_assert!(bytes.len() >= MIN_BYTES);
        let (options, end) = walk(&bytes);
        prop_assert!(options.iter().all(|(code, _)| matches!(*code, 1 | 3)));
        prop_assert!(bytes[end..].iter().all(|byte| *byte == 0), "something behind the end");
        prop_assert_eq!(&bytes[24..28], [0; 4], "a relay");
        prop_assert_eq!(&bytes[4..8], request.xid.to_be_bytes());
        prop_assert_eq!(&bytes[28..34], request.mac.0);
        prop_assert_eq!(bytes[235], 0, "a name without an end");
        let read = Reply::read(&bytes).unwrap();
        prop_assert_eq!((read.yiaddr, read.siaddr), (yiaddr, siaddr));
        prop_assert_eq!(&read.file[..], &file.as_bytes()[..file.len().min(127)]);
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = Request::read(&bytes);
        let _ = Reply::read(&bytes);
        // Behind the first checks.
        let mut behind = with_options(&bytes);
        if let Ok(read) = Request::read(&behind) {
            prop_assert_eq!(Request::read(&read.write()), Ok(read));
        }
        behind[0] = 2;
        if let Ok(read) = Reply::read(&behind) {
            prop_assert_eq!(Reply::read(&read.write()), Ok(read));
        }
    }
}
