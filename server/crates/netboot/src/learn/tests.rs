#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::payload::build;
use crate::profile::{Counts, Newline, Number, Status};

const BOARD: Mac = Mac([0xe4, 0x8d, 0x8c, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 9]);
const SCRIPT: &[u8] = b":delay 5s\n/system identity set name=\"a \\\"b\\\"\"\n";

type Frames = Vec<(Duration, Vec<u8>)>;

fn add(frames: &mut Frames, from: &str, to: &str, payload: &[u8]) {
    let source: SocketAddrV4 = from.parse().unwrap();
    let target = to.parse().unwrap();
    let macs = if source.port() == 1030 || source.port() == 68 {
        (BOARD, Mac::BROADCAST)
    } else {
        (SERVER, BOARD)
    };
    let frame = Datagram { macs, source, target, payload }.write().unwrap();
    let at = Duration::from_secs(1_700_000_000) + Duration::from_millis(10) * frames.len() as u32;
    frames.push((at, frame));
}

fn request() -> Request {
    let none = Ipv4Addr::UNSPECIFIED;
    let options = vec![
        (60, b"Flashboot".to_vec()),
        (128, b"952-hb".to_vec()),
        (129, vec![0, 0, 0x0f, 0x3c]),
        (43, vec![1, 2]),
    ];
    Request {
        xid: 9,
        secs: 0,
        flags: 0,
        ciaddr: none,
        giaddr: none,
        mac: BOARD,
        file: vec![],
        options,
    }
}

fn pair(value: &str) -> Vec<(String, String)> {
    vec![("blksize".to_owned(), value.to_owned())]
}

fn read_request(size: &str) -> Vec<u8> {
    Packet::Read { file: b"config", mode: b"octet", options: pair(size) }.write()
}

/// What is on the wire when a board is given this file.
fn capture(file: &[u8]) -> Frames {
    let mut frames = Frames::new();
    for _ in 0..2 {
        add(&mut frames, "0.0.0.0:68", "255.255.255.255:67", &request().write());
    }
    let (own, server) = (Ipv4Addr::new(10, 5, 0, 20), Ipv4Addr::new(10, 5, 0, 1));
    let mask = Ipv4Addr::new(255, 255, 255, 0);
    let reply = Reply::plain(&request(), own, server, mask, None, "config");
    add(&mut frames, "10.5.0.1:67", "255.255.255.255:68", &reply.write());
    add(&mut frames, "10.5.0.20:1030", "10.5.0.1:69", &read_request("1400"));
    let agreed = Packet::Options(pair("1400")).write();
    add(&mut frames, "10.5.0.1:5555", "10.5.0.20:1030", &agreed);
    let mut blocks: Vec<&[u8]> = file.chunks(1400).collect();
    if file.len().is_multiple_of(1400) {
        blocks.push(&[]);
    }
    for (block, bytes) in (1..).zip(blocks) {
        let data = Packet::Data { block, bytes }.write();
        add(&mut frames, "10.5.0.1:5555", "10.5.0.20:1030", &data);
        add(&mut frames, "10.5.0.20:1030", "10.5.0.1:5555", &Packet::Ack { block }.write());
    }
    frames
}

#[test]
fn a_capture_tells_who_asked_what_and_what_was_read() {
    for length in [0, 1, 1400, 3000] {
        let file = vec![b'x'; length];
        let learned = conversation(capture(&file));
        let read = learned.delivery().unwrap();
        assert_eq!(read.content(), Some(file.as_slice()), "{length}");
        assert_eq!((read.file.as_str(), read.mode.as_str(), read.asked), ("config", "octet", 1));
        assert_eq!((&read.options, &read.agreed), (&pair("1400"), &pair("1400")));
        assert_eq!(read.board, BOARD);
        assert_eq!(learned.requests.len(), 2);
        assert_eq!(learned.requests[1].at, Duration::from_millis(10));
        assert_eq!(learned.replies[0].what.file, b"config");
    }
    let text = conversation(capture(b"abc")).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].ends_with(
        "E4:8D:8C:00:00:01 asks: 60=466c617368626f6f74 `Flashboot`, 128=3935322d6862 `952-hb`, \
         129=00000f3c, 43=0102 (2 times)"
    ));
    assert!(lines[1].contains("10.5.0.1 answers E4:8D:8C:00:00:01: address 10.5.0.20"), "{text}");
    assert!(lines[2].ends_with("last with blksize=1400; agreed: blksize=1400; 3 bytes"), "{text}");
}

#[test]
fn what_comes_twice_counts_once_and_what_is_missing_is_said() {
    let file = vec![7; 3000];
    let mut twice = Frames::new();
    for frame in capture(&file) {
        twice.extend([frame.clone(), frame]);
    }
    let learned = conversation(twice);
    assert_eq!(learned.delivery().unwrap().content(), Some(file.as_slice()));

    let mut cut = capture(&file);
    // The second block.
    cut.remove(7);
    let learned = conversation(cut);
    assert!(learned.delivery().is_none());
    assert!(learned.to_string().contains("not whole: 1400 bytes were seen"), "{learned}");
}

#[test]
fn a_read_that_begins_anew_with_other_blocks_is_one_read() {
    let mut frames = capture(&[7; 3000]);
    frames.truncate(7);
    add(&mut frames, "10.5.0.20:1030", "10.5.0.1:69", &read_request("512"));
    for (block, bytes) in [(1, &[8; 512][..]), (2, &[9; 10][..])] {
        let data = Packet::Data { block, bytes }.write();
        add(&mut frames, "10.5.0.1:5555", "10.5.0.20:1030", &data);
    }
    let learned = conversation(frames);
    assert_eq!(learned.reads.len(), 1);
    let read = &learned.reads[0];
    assert_eq!((read.asked, read.content().map(<[u8]>::len)), (2, Some(522)));
}

#[test]
fn a_refusal_is_heard() {
    let mut frames = capture(b"");
    frames.truncate(4);
    let error = Packet::Error { code: 1, words: "no such file".to_owned() }.write();
    add(&mut frames, "10.5.0.1:5555", "10.5.0.20:1030", &error);
    let learned = conversation(frames);
    assert!(learned.delivery().is_none());
    assert!(learned.to_string().contains("refused: no such file"));
}

/// A file in a form that might be the vendor's.
fn packed(before: &[u8], script: &[u8], behind: &[u8]) -> Vec<u8> {
    [before, script, behind].concat()
}

#[test]
fn the_form_of_a_file_is_found_and_its_profile_makes_the_same_file() {
    let length = u32::try_from(SCRIPT.len()).unwrap();
    let field = |number, offset, counts| Some(Length { number, offset, counts });
    let crlf = String::from_utf8(SCRIPT.to_vec()).unwrap().replace('\n', "\r\n").into_bytes();
    for (file, length_field, newline) in [
        (packed(b"123 ", SCRIPT, b""), None, Newline::Lf),
        (packed(b"123 ", SCRIPT, b"\0"), None, Newline::Lf),
        (packed(b"", SCRIPT, b""), None, Newline::Lf),
        (packed(b"123 ", &crlf, b""), None, Newline::Crlf),
        (
            packed(&[b"123 ".as_slice(), &length.to_le_bytes()].concat(), SCRIPT, b""),
            field(Number::U32le, 4, Counts::Script),
            Newline::Lf,
        ),
        (
            packed(&(length as u16 + 3).to_be_bytes(), SCRIPT, b"abc"),
            field(Number::U16be, 0, Counts::Rest),
            Newline::Lf,
        ),
        (
            packed(&[(length + 5).to_le_bytes().as_slice(), b"#"].concat(), SCRIPT, b""),
            field(Number::U32le, 0, Counts::All),
            Newline::Lf,
        ),
    ] {
        let learned = conversation(capture(&file));
        let read = learned.delivery().unwrap();
        let inference = infer(read.content().unwrap(), Some(SCRIPT));
        assert!(inference.verbatim);
        assert_eq!((inference.length_field, inference.newline), (length_field, newline));
        let made = profile("seen", "a test", &learned, read, &inference).unwrap();
        assert_eq!(made.status, Status::Captured);
        assert_eq!(build(&made, SCRIPT, None), Ok(file));
        assert_eq!(made.reply.boot_file, "config");
        assert_eq!((made.reply.options.as_slice(), made.tftp.max_blksize), ([1].as_slice(), 1400));
        assert_eq!((made.matching.option60.as_str(), &made.redirect), ("Flashboot", &None));
        assert_eq!(made.board_id(&request()).as_deref(), Some("952-hb"));
        assert_eq!(made.free(&request()), Some(0xf3c));
    }
}

#[test]
fn a_board_that_says_less_has_a_profile_that_asks_less() {
    let mut bare = request();
    bare.options.retain(|(code, _)| *code == 60);
    let mut frames = capture(SCRIPT);
    frames.drain(..2);
    let mut all = Frames::new();
    add(&mut all, "0.0.0.0:68", "255.255.255.255:67", &bare.write());
    all.extend(frames);
    let learned = conversation(all);
    let read = learned.delivery().unwrap();
    let inference = infer(read.content().unwrap(), Some(SCRIPT));
    let made = profile("seen", "a test", &learned, read, &inference).unwrap();
    assert_eq!((made.matching.board_id_option, made.limits.free_space_option), (None, None));
}

#[test]
fn a_script_that_is_not_there_is_said_and_nothing_is_made_of_it() {
    let learned = conversation(capture(b"123 x\x9c\x4b\xcb"));
    let read = learned.delivery().unwrap();
    let inference = infer(read.content().unwrap(), Some(SCRIPT));
    assert!(inference.words.contains("script text not present verbatim"));
    assert!(profile("seen", "a test", &learned, read, &inference).is_err());
    // What only looks like a script is none either.
    let guess = infer(b"\x01\x02123 :log info x\n\0\0", None);
    assert_eq!(
        (guess.prefix.as_slice(), guess.suffix.as_slice()),
        (&b"\x01\x02123 "[..], &[0, 0][..])
    );
    assert!(profile("seen", "a test", &learned, read, &guess).is_err());
    assert_eq!(infer(b"", None).prefix, b"");
}

proptest! {
    #[test]
    fn no_capture_breaks_it(
        cut in prop::collection::vec((0..12_usize, 0..90_usize, any::<u8>()), 0..20),
    ) {
        let mut frames = capture(&[3; 3000]);
        for (which, at, byte) in cut {
            if let Some((_, frame)) = frames.get_mut(which) {
                if let Some(cell) = frame.get_mut(at) {
                    *cell = byte;
                }
                frame.truncate(60 + at);
            }
        }
        let learned = conversation(frames);
        prop_assert!(learned.to_string().len() < 100_000);
    }

    #[test]
    fn what_is_found_is_all_there_is(
        before in prop::collection::vec(any::<u8>(), 0..20),
        script in prop::collection::vec(any::<u8>(), 1..50),
        behind in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let file = packed(&before, &script, &behind);
        let inference = infer(&file, Some(&script));
        prop_assert!(inference.verbatim);
        prop_assert!(inference.prefix.len() <= before.len());
        let middle = file.len() - inference.prefix.len() - inference.suffix.len();
        prop_assert_eq!(middle, script.len());
        infer(&file, None);
    }
}
