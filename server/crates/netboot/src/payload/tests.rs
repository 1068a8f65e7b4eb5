use proptest::prelude::*;

use super::*;
use crate::profile::{self, Number};

fn flashboot() -> Profile {
    profile::builtin()[0].clone()
}

#[test]
fn a_script_stands_behind_the_word_that_says_what_it_is() {
    let file = build(&flashboot(), b":delay 5s\n", None);
    assert_eq!(file, Ok(b"123 :delay 5s\n".to_vec()));
    assert!(build(&flashboot(), b"", None).is_err());
}

#[test]
fn a_mode_script_goes_where_the_profile_says_or_nowhere() {
    let mut profile = flashboot();
    let words = build(&profile, b"a\n", Some(b"b\n")).expect_err("the profile has no place for it");
    assert!(words.contains("mikrotik-flashboot"), "{words}");
    profile.mode = Some(Mode { place: Place::After, separator: vec![0, 1] });
    assert_eq!(build(&profile, b"a\n", Some(b"b\n")), Ok(b"123 a\n\0\x01b\n".to_vec()));
    profile.mode = Some(Mode { place: Place::Before, separator: Vec::new() });
    assert_eq!(build(&profile, b"a\n", Some(b"b\n")), Ok(b"123 b\na\n".to_vec()));
    assert_eq!(build(&profile, b"a\n", None), Ok(b"123 a\n".to_vec()));
}

#[test]
fn a_length_stands_in_the_prefix_and_counts_what_it_says() {
    let mut profile = flashboot();
    profile.payload.prefix = b"LL??>".to_vec();
    profile.payload.suffix = vec![0];
    profile.payload.length_field = Number::U16be;
    profile.payload.length_offset = 2;
    for (counts, length) in [(Counts::Script, 4), (Counts::Rest, 6), (Counts::All, 10)] {
        profile.payload.length_counts = counts;
        let file = build(&profile, b"abc\n", None);
        let expected = [b'L', b'L', 0, length, b'>', b'a', b'b', b'c', b'\n', 0];
        assert_eq!(file, Ok(expected.to_vec()), "{counts:?}");
    }
    profile.payload.length_field = Number::U16le;
    assert!(build(&profile, &[b'a'; 70_000], None).is_err());
}

#[test]
fn lines_end_as_the_profile_says() {
    let mut profile = flashboot();
    profile.payload.newline = Newline::Crlf;
    assert_eq!(build(&profile, b"a\nb\n", None), Ok(b"123 a\r\nb\r\n".to_vec()));
}

#[test]
fn text_is_ascii_and_its_lines_are_ended() {
    assert_eq!(check_text(":delay 5s\n\t# ~\n"), Ok(()));
    for (script, words) in [
        ("", "the script is empty"),
        (":delay 5s", "the last line does not end with a line feed"),
        ("a\r\nb\n", "line 1: a carriage return: lines are to end with a line feed alone"),
        ("a\nb\0\n", "line 2: a control character"),
        ("a\n\nnaïve\n", "line 3: `ï` is not ASCII"),
    ] {
        assert_eq!(check_text(script), Err(words.to_owned()), "{script:?}");
    }
}

#[test]
fn the_limits_are_told_in_the_words_of_the_vendor() {
    let profile = flashboot();
    assert_eq!(fits(&profile, 4004, None), Ok(()));
    assert_eq!(
        fits(&profile, 4005, None).expect_err("one byte too many").to_string(),
        "Not enough flash space, ignoring: the script has 4,001 bytes, and at most 4,000 go"
    );
    // What is kept: the file, filled up to four bytes, and four more.
    for (file, free, good) in
        [(4004, 4008, true), (4004, 4007, false), (5, 12, true), (5, 11, false)]
    {
        assert_eq!(fits(&profile, file, Some(free)).is_ok(), good, "{file} into {free}");
    }
    assert_eq!(
        fits(&profile, 3904, Some(900)).expect_err("no room").to_string(),
        "Not enough flash space, ignoring: it takes 3,908 bytes, and the board has 900"
    );
}

#[test]
fn a_profile_may_allow_less_and_never_more() {
    let mut profile = flashboot();
    profile.limits.max_script = 100;
    assert_eq!(fits(&profile, 105, None), Err(TooBig::Script { size: 101, most: 100 }));
    profile.limits.max_script = 9000;
    assert_eq!(fits(&profile, 4005, None), Err(TooBig::Script { size: 4001, most: MAX_SCRIPT }));
}

#[test]
fn a_mode_script_counts_and_lines_as_they_are_sent() {
    let mut profile = flashboot();
    profile.mode = Some(Mode { place: Place::After, separator: vec![0; 10] });
    profile.payload.suffix = vec![0; 7];
    let size = |profile: &Profile, script: &[u8], mode: Option<&[u8]>| {
        let file = build(profile, script, mode).expect("the profile knows how");
        fits(profile, file.len(), None)
    };
    let script = [b'#'; 2_500];
    let most = MAX_SCRIPT;
    assert_eq!(
        size(&profile, &script, Some(script.as_slice())),
        Err(TooBig::Script { size: 5_010, most })
    );
    assert_eq!(size(&profile, &script, Some(&script[..1_490])), Ok(()));
    assert!(size(&profile, &script, Some(&script[..1_491])).is_err());
    // 3,950 bytes, of which a hundred end a line.
    let lines = [[b'#'; 38].as_slice(), b"\n"].concat().repeat(100);
    let script = [lines.as_slice(), &[b'#'; 50]].concat();
    assert_eq!((script.len(), size(&profile, &script, None)), (3_950, Ok(())));
    profile.payload.newline = Newline::Crlf;
    assert_eq!(size(&profile, &script, None), Err(TooBig::Script { size: 4_050, most }));
}

#[test]
fn numbers_are_read_by_people() {
    for (number, text) in
        [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
    {
        assert_eq!(grouped(number), text);
    }
}

proptest! {
    #[test]
    fn what_fits_is_no_larger_than_the_room(
        script in 1..6000_usize,
        free in proptest::option::of(0..6000_u32),
    ) {
        let profile = flashboot();
        let file = build(&profile, &vec![b'a'; script], None).expect("it is no empty script");
        if fits(&profile, file.len(), free).is_ok() {
            prop_assert!(script <= MAX_SCRIPT);
            let room = free.map_or(usize::MAX, |free| free as usize);
            prop_assert!(file.len() + 4 <= room);
        }
    }

    #[test]
    fn text_that_is_good_is_printable(script in "\\PC{0,40}\n?") {
        if check_text(&script).is_ok() {
            prop_assert!(script.is_ascii() && script.ends_with('\n') && !script.contains('\r'));
        }
    }
}
