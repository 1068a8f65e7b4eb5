#![expect(clippy::unwrap_used, reason = "tests")]
use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use super::*;
// Not the one of proptest.
use super::Strategy;
use crate::bootp::{MESSAGE_TYPE, VENDOR_CLASS};
use crate::mac::Mac;

fn flashboot() -> Profile {
    builtin()[0].clone()
}

fn request(options: &[(u8, &[u8])]) -> Request {
    Request {
        xid: 1,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac: Mac([2, 0, 0, 0, 0, 1]),
        file: Vec::new(),
        options: options.iter().map(|(code, value)| (*code, value.to_vec())).collect(),
    }
}

#[test]
fn ours_says_what_is_known_of_boards_in_flash_boot_mode() {
    let profile = flashboot();
    assert_eq!((profile.name.as_str(), profile.status), ("mikrotik-flashboot", Status::Unverified));
    assert_eq!(profile.payload.prefix, b"123 ");
    assert_eq!(profile.redirect.as_ref().map(|it| it.payload.as_slice()), Some(&b"doEB"[..]));
    assert_eq!(profile.mode, None);
    assert_eq!(
        (profile.limits.max_script, profile.limits.pad, profile.limits.overhead),
        (4000, 4, 4)
    );
    assert_eq!(profile.tftp.max_blksize, 1452);
}

#[test]
fn a_board_is_known_by_what_it_says() {
    let profile = flashboot();
    let board = request(&[(60, b"Flashboot"), (128, b"952-hb"), (129, &[0, 0, 0x0f, 0x3c])]);
    assert_eq!(matching(builtin(), &board), Some(&profile));
    assert_eq!(profile.board_id(&board).as_deref(), Some("952-hb"));
    assert_eq!(profile.free(&board), Some(3900));
    // Neither another mode, nor DHCP, nor somebody who says nothing.
    for other in [
        request(&[(VENDOR_CLASS, b"ARM64__boot")]),
        request(&[(VENDOR_CLASS, b"Flashboot2")]),
        request(&[(MESSAGE_TYPE, &[1]), (VENDOR_CLASS, b"Flashboot")]),
        request(&[]),
    ] {
        assert_eq!(matching(builtin(), &other), None, "{other:?}");
        assert_eq!(profile.board_id(&other), None);
    }
    assert_eq!(profile.board_id(&request(&[(128, b"")])), None);
    assert_eq!(profile.free(&request(&[(129, &[1, 2])])), None);
}

#[test]
fn the_answer_has_the_options_of_the_profile() {
    let mut profile = flashboot();
    let address = |n| Ipv4Addr::new(192, 168, 88, n);
    let mask = Ipv4Addr::new(255, 255, 255, 0);
    let answer = |profile: &Profile| {
        let board = request(&[(60, b"Flashboot")]);
        let reply = profile.reply(&board, address(11), address(10), mask, Some(address(1)));
        assert_eq!(reply.file, b"flashfig");
        reply.options.iter().map(|(code, _)| *code).collect::<Vec<u8>>()
    };
    assert_eq!(answer(&profile), [1, 3]);
    profile.reply.options = vec![1];
    assert_eq!(answer(&profile), [1]);
}

#[test]
fn words_are_read_as_they_are_written() {
    for status in Status::ALL {
        assert_eq!(status.to_string().parse(), Ok(status));
    }
    for strategy in Strategy::ALL {
        assert_eq!(strategy.to_string().parse(), Ok(strategy));
    }
    assert!("verified".parse::<Status>().is_err());
    assert!("flashfig".parse::<Strategy>().is_err());
    assert!(Status::Unverified < Status::HardwareVerified);
}

/// The profile that comes with us, with one text in the place of another.
fn with(old: &str, new: &str) -> Result<Profile, Wrong> {
    assert!(MIKROTIK_FLASHBOOT.contains(old), "{old}");
    read(&MIKROTIK_FLASHBOOT.replace(old, new))
}

#[test]
fn what_nobody_knows_is_refused_with_its_line() {
    let line = MIKROTIK_FLASHBOOT.lines().position(|line| line.starts_with("pad = ")).unwrap() + 1;
    let Wrong(words) = with("pad = 4", "padd = 4").unwrap_err();
    assert!(words.starts_with(&format!("line {line}: ")) && words.contains("padd"), "{words}");
    for (old, new) in [
        ("status = \"unverified\"", "status = \"proven\""),
        ("pad = 4", "pad = 70000"),
        ("dst = \"broadcast\"", "dst = \"unicast\""),
        ("newline = \"lf\"", "newline = \"cr\""),
        ("prefix_hex = \"31323320\"", "prefix_hex = \"3132332\""),
        ("prefix_hex = \"31323320\"", "prefix_hex = \"é0\""),
        ("on = \"final_ack\"", "on = \"hope\""),
    ] {
        let Wrong(words) = with(old, new).unwrap_err();
        assert!(words.starts_with("line "), "{new}: {words}");
    }
    assert!(with("[profile.success]\n", "").is_err());
    assert!(with("pad = 4", "pad = ").is_err());
}

#[test]
fn what_can_be_said_in_one_way_alone_need_not_be_said() {
    assert_eq!(with("dst = \"broadcast\"\n", ""), Ok(flashboot()));
    assert_eq!(with("on = \"final_ack\"\n", ""), Ok(flashboot()));
    let (before, _) = MIKROTIK_FLASHBOOT.split_once("[profile.success]").unwrap();
    assert_eq!(read(before), Ok(flashboot()));
}

#[test]
fn what_is_out_of_bounds_is_refused_with_its_key() {
    let long = "ab".repeat(257);
    let mode = format!("\"6f\"\n[profile.mode]\nplace = \"after\"\nseparator_hex = \"{long}\"");
    let prefix = format!("prefix_hex = \"{long}\"");
    for (old, new, key) in [
        ("mikrotik-flashboot\"", "Mikrotik\"", "profile.name"),
        ("name = \"mikrotik-flashboot\"", "name = \"\"", "profile.name"),
        ("evidence = \"static", "evidence = \"\\nstatic", "profile.evidence"),
        ("option60 = \"Flashboot\"", "option60 = \"\"", "profile.match.option60"),
        ("board_id_option = 128", "board_id_option = 255", "profile.match.board_id_option"),
        ("free_space_encoding = \"u32be\"", "", "profile.limits.free_space_encoding"),
        ("max_script = 4000", "max_script = 0", "profile.limits.max_script"),
        ("pad = 4", "pad = 0", "profile.limits.pad"),
        ("boot_file = \"flashfig\"", "boot_file = \"a\\tb\"", "profile.reply.boot_file"),
        ("options = [1, 3]", "options = [1, 3, 53]", "profile.reply.options"),
        ("options = [1, 3]", "options = [3, 3]", "profile.reply.options"),
        ("max_blksize = 1452", "max_blksize = 7", "profile.tftp.max_blksize"),
        ("answer_deadline_ms = 100", "answer_deadline_ms = 0", "profile.tftp.answer_deadline_ms"),
        ("length_field = \"none\"", "length_field = \"u16le\"\nlength_offset = 3", "length_offset"),
        ("\"646f4542\"", "\"\"", "profile.redirect.payload_hex"),
        ("\"646f4542\"", mode.as_str(), "profile.mode.separator_hex"),
        ("prefix_hex = \"31323320\"", prefix.as_str(), "profile.payload.prefix_hex"),
    ] {
        let Wrong(words) = with(old, new).unwrap_err();
        assert!(words.contains(key), "{new}: {words}");
    }
}

#[test]
fn a_file_has_one_profile() {
    assert!(read("").is_err());
    let two = format!("{MIKROTIK_FLASHBOOT}\n{MIKROTIK_FLASHBOOT}");
    assert_eq!(
        read(&two),
        Err(Wrong("there is to be one [[profile]], and there are 2".to_owned()))
    );
    assert_eq!(
        read("profile = []"),
        Err(Wrong("there is to be one [[profile]], and there are 0".to_owned()))
    );
    assert!(read(&" ".repeat(MAX_TEXT + 1)).unwrap_err().0.contains("at most"));
    assert!(read(&"x".repeat(MAX_TEXT)).unwrap_err().0.len() < 1000);
}

#[test]
fn without_what_is_unknown_it_is_a_profile_too() {
    let profile = with("[profile.redirect]\n", "[profile.mode]\nplace = \"after\"\n#").unwrap_err();
    assert!(profile.0.contains("payload_hex"), "{profile}");
    let profile = with("payload_hex = \"646f4542\"", "").unwrap_err();
    assert!(profile.0.contains("payload_hex"), "{profile}");
    let short = "[profile.redirect]\n# \"doEB\": a file that begins so sends the board into Etherboot \
                 mode.\npayload_hex = \"646f4542\"\n";
    let profile = with(short, "[profile.mode]\nplace = \"after\"\n").unwrap();
    assert_eq!(profile.redirect, None);
    assert_eq!(profile.mode, Some(Mode { place: Place::After, separator: Vec::new() }));
}

fn numbers() -> impl Generator<Value = Number> {
    let mut all = Number::ALL.to_vec();
    all.push(Number::None);
    proptest::sample::select(all)
}

fn bytes(most: usize) -> impl Generator<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..=most)
}

prop_compose! {
    fn profiles()(
        name in "[a-z0-9][a-z0-9-]{0,39}",
        status in proptest::sample::select(Status::ALL.to_vec()),
        evidence in "\\PC{0,60}",
        option60 in "[ -~]{1,64}",
        require_option53 in any::<bool>(),
        ids in (proptest::option::of(1..=254_u8), proptest::option::of(1..=254_u8)),
        limits in (any::<u16>(), 1..=4096_u16, 0..=4096_u16),
        boot_file in "[ -~]{0,127}",
        options in proptest::sample::select(vec![Vec::<u8>::new(), vec![1], vec![3, 1]]),
        tftp in (8..=65464_u16, any::<bool>(), 1..=10_000_u16),
        around in (bytes(256), bytes(256), bytes(256), bytes(1023)),
        length in (numbers(), any::<u16>()),
        counts in proptest::sample::select(vec![Counts::Script, Counts::Rest, Counts::All]),
        crlf in any::<bool>(),
        mode in proptest::option::of(any::<bool>()),
        redirect in any::<bool>(),
    ) -> Profile {
        let (mut prefix, suffix, separator, mut payload) = around;
        let (length_field, offset) = length;
        prefix.resize(prefix.len().max(length_field.width()), 7);
        let room = prefix.len() - length_field.width() + 1;
        payload.push(1);
        Profile {
            name,
            status,
            evidence,
            matching: Matching { option60, require_option53, board_id_option: ids.0 },
            limits: Limits {
                free_space_option: ids.1,
                free_space_encoding: ids.1.map_or(Number::None, |_| Number::U32be),
                max_script: limits.0.max(1),
                pad: limits.1,
                overhead: limits.2,
            },
            reply: ReplyRules { boot_file, options, dst: Destination::Broadcast },
            tftp: Tftp { max_blksize: tftp.0, accept_any_name: tftp.1, answer_deadline_ms: tftp.2 },
            payload: Payload {
                prefix,
                suffix,
                length_field,
                length_offset: u16::try_from(usize::from(offset) % room).unwrap(),
                length_counts: counts,
                newline: if crlf { Newline::Crlf } else { Newline::Lf },
            },
            mode: mode.map(|after| Mode {
                place: if after { Place::After } else { Place::Before },
                separator,
            }),
            redirect: redirect.then_some(Redirect { payload }),
            success: Success { on: SuccessOn::FinalAck },
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(profile in profiles()) {
        let text = profile.write();
        prop_assert_eq!(read(&text), Ok(profile), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}", at in any::<prop::sample::Index>()) {
        let _ = read(&text);
        // Within a profile that is one.
        let mut whole = MIKROTIK_FLASHBOOT.to_owned();
        whole.insert_str(at.index(whole.len()), &text);
        if let Ok(profile) = read(&whole) {
            prop_assert_eq!(read(&profile.write()), Ok(profile));
        }
    }

    #[test]
    fn a_number_is_read_as_it_is_written(form in numbers(), number in any::<u32>()) {
        match form.write(number) {
            Some(bytes) if form != Number::None => {
                prop_assert_eq!(bytes.len(), form.width());
                prop_assert_eq!(form.read(&bytes), Some(number));
            }
            Some(bytes) => prop_assert!(bytes.is_empty()),
            None => prop_assert!(form.width() == 2 && number > u32::from(u16::MAX)),
        }
    }
}
