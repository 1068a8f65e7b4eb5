//! Text as RouterOS scripts write it, between double quotes.
//!
//! Owns both directions. What is quoted here is one string wherever it is put into a script, whatever
//! its characters are: it must never be put together from parts that were quoted on their own.

use crate::lex::{Token, TokenKind, lex};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The text as a whole literal, quotes and all, in ASCII without control characters.
pub fn quote(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for byte in text.bytes() {
        match byte {
            b'\\' => literal.push_str("\\\\"),
            b'"' => literal.push_str("\\\""),
            // Else it would begin a variable.
            b'$' => literal.push_str("\\$"),
            b'\n' => literal.push_str("\\n"),
            b'\r' => literal.push_str("\\r"),
            b'\t' => literal.push_str("\\t"),
            // A bare `?` asks a console for help.
            b' '..=b'~' if byte != b'?' => literal.push(char::from(byte)),
            // RouterOS wants capitals.
            _ => literal.extend(
                [b'\\', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]].map(char::from),
            ),
        }
    }
    literal.push('"');
    literal
}

/// The text of a whole literal; none where this is anything else, or is more than a constant
/// (`"$x"`). Bytes that are no UTF-8 come as U+FFFD.
pub fn unquote(literal: &str) -> Option<String> {
    match &mut lex(literal)[..] {
        [Token { kind: TokenKind::String(text), start: 0, end, .. }] if *end == literal.len() => {
            Some(std::mem::take(text))
        }
        _ => None,
    }
}

/// The text of what stands between the quotes of a constant.
pub(crate) fn unescape(inner: &str) -> String {
    let bytes = inner.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (byte, length) = match bytes[at] {
            b'\\' => escaped(&bytes[at + 1..]),
            byte => (Some(byte), 1),
        };
        text.extend(byte);
        at += length;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What a backslash and these bytes behind it stand for, and how many bytes that are with it.
fn escaped(rest: &[u8]) -> (Option<u8>, usize) {
    match *rest {
        [] => (Some(b'\\'), 1),
        // The text goes on behind the room in front of the next line.
        [b'\r', b'\n', ref next @ ..] => (None, 3 + blanks(next)),
        [b'\r' | b'\n', ref next @ ..] => (None, 2 + blanks(next)),
        // `\a`, `\b` and `\f` are letters, so a number begins with a digit or a capital.
        [high @ (b'0'..=b'9' | b'A'..=b'F'), low, ..] if low.is_ascii_hexdigit() => {
            (Some((digit(high) << 4) | digit(low)), 3)
        }
        [letter, ..] => (Some(plain(letter)), 2),
    }
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_uppercase() - b'A' + 10,
    }
}

fn plain(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 0x07,
        b'b' => 0x08,
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'_' => b' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters that mean something, and what may stand behind a backslash.
    const MEANING: &str = r##"[\\"$?\n\r\t#;{}()\[\] 0-9A-Fabnx_=\u{fc}]{0,40}"##;

    #[test]
    fn what_means_something_in_a_string_is_escaped() {
        assert_eq!(quote(""), r#""""#);
        assert_eq!(quote("plain 1.2.3.4/24"), r#""plain 1.2.3.4/24""#);
        assert_eq!(quote(r#"a\b"c$d"#), r#""a\\b\"c\$d""#);
        assert_eq!(quote("1\n2\r3\t4"), r#""1\n2\r3\t4""#);
        assert_eq!(quote("what?"), r#""what\3F""#);
        assert_eq!(quote("\0\u{7f}"), r#""\00\7F""#);
        assert_eq!(quote("h\u{fc}tte"), r#""h\C3\BCtte""#);
        assert_eq!(quote("#;{}[]()'`"), "\"#;{}[]()'`\"");
    }

    #[test]
    fn other_ways_of_writing_are_read_as_well() {
        let read = |literal: &str| unquote(literal);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(r#""a\_b\?""#), some("a b?"));
        assert_eq!(read(r#""\a\b\v\f""#), some("\u{7}\u{8}\u{b}\u{c}"));
        assert_eq!(read(r#""\3f\3F\Fx""#), some("??Fx"));
        assert_eq!(read("\"ab\\\r\n    cd\\\n  e\""), some("abcde"));
        assert_eq!(read(r#""\FF""#), some("\u{fffd}"));
        assert_eq!(read("\"\\\u{e9}\""), some("\u{e9}"));
    }

    #[test]
    fn what_is_no_constant_is_no_literal() {
        for other in ["", "a", r#""a"#, r#""a" "#, r#" "a""#, r#""a""b""#, r#""$x""#, r#""\""#] {
            assert_eq!(unquote(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_is_one_string_again(text in any::<String>()) {
            one_string(&text)?;
        }

        #[test]
        fn whatever_means_something_is_one_string(text in MEANING) {
            one_string(&text)?;
        }
    }

    fn one_string(text: &str) -> Result<(), TestCaseError> {
        let literal = quote(text);
        prop_assert!(literal.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'?'));
        prop_assert_eq!(unquote(&literal), Some(text.to_owned()));
        // Also among other things: nothing of it gets out.
        let line = format!("/x set a={literal} b=1");
        let strings: Vec<_> = lex(&line)
            .into_iter()
            .filter_map(|token| match token.kind {
                TokenKind::String(value) => Some(value),
                TokenKind::Error(_) => Some("error".repeat(20)),
                _ => None,
            })
            .collect();
        prop_assert_eq!(strings, vec![text.to_owned()]);
        Ok(())
    }
}
