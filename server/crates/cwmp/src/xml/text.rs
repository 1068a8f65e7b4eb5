//! Bytes to text: which encoding a body is in (facts H1, deviation 19).
//!
//! Never fails: what is not UTF-8 is read as ISO-8859-1, in which every byte means something.

use std::borrow::Cow;

/// Whether XML 1.0 (2.2, production Char) allows the character at all.
pub fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Reads a body as text: by byte order mark, else by the encoding that the XML declaration names,
/// else by `charset` (or, as some devices write, `encoding`) of the Content-Type, else as UTF-8.
/// What claims to be UTF-8 and is not is read as ISO-8859-1, which cannot fail.
///
/// Control characters that XML forbids are dropped: devices put them into SSIDs and host names, and
/// a NUL could not be stored.
pub fn to_text<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8_or_latin1(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => match declared_encoding(bytes).or_else(|| content_type.and_then(charset)) {
            Some(name) if is_latin1(name) => latin1(bytes),
            _ => utf8_or_latin1(bytes),
        },
    };
    let clean = text.bytes().all(|b| b >= b' ' || matches!(b, b'\t' | b'\n' | b'\r'));
    if clean { text } else { Cow::Owned(text.chars().filter(|&c| is_xml_char(c)).collect()) }
}

fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => latin1(bytes),
    }
}

fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|&b| char::from(b)).collect()),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// The encoding that `<?xml ... encoding="..."?>` names.
fn declared_encoding(bytes: &[u8]) -> Option<&str> {
    let head = bytes.trim_ascii_start();
    if !head.starts_with(b"<?xml") {
        return None;
    }
    let end = head.iter().take(256).position(|&b| b == b'>')?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?;
    let value = declaration.split_once("encoding")?.1.trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name)
}

fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let key = key.trim();
        let named = key.eq_ignore_ascii_case("charset") || key.eq_ignore_ascii_case("encoding");
        named.then(|| value.trim().trim_matches('"'))
    })
}

fn is_latin1(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(
        plain.to_ascii_lowercase().as_str(),
        "iso88591" | "iso885915" | "latin1" | "l1" | "windows1252" | "cp1252"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATIN: &[u8] = b"<a>caf\xe9</a>";
    const UTF: &str = "<a>caf\u{e9}</a>";

    #[test]
    fn plain_utf8_is_borrowed() {
        assert!(matches!(to_text(UTF.as_bytes(), None), Cow::Borrowed(UTF)));
    }

    #[test]
    fn byte_order_mark_beats_everything() {
        let mut body = vec![0xef, 0xbb, 0xbf];
        body.extend_from_slice(b"<?xml version='1.0' encoding='ISO-8859-1'?>");
        body.extend_from_slice(UTF.as_bytes());
        let text = to_text(&body, Some("text/xml; charset=ISO-8859-1"));
        assert!(text.starts_with("<?xml") && text.ends_with(UTF));
    }

    #[test]
    fn utf16_is_known_by_its_mark() {
        let little: Vec<u8> =
            "\u{feff}<a>\u{b2}</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> =
            "\u{feff}<a>\u{b2}</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(to_text(&little, None), "<a>\u{b2}</a>");
        assert_eq!(to_text(&big, None), "<a>\u{b2}</a>");
    }

    #[test]
    fn declaration_beats_content_type() {
        let mut body = b"\n<?xml version=\"1.0\" encoding = \"iso-8859-1\" ?>".to_vec();
        body.extend_from_slice(LATIN);
        assert!(to_text(&body, Some("text/xml; charset=utf-8")).ends_with(UTF));
        let mut body = b"<?xml version='1.0' encoding='UTF-8'?>".to_vec();
        body.extend_from_slice(UTF.as_bytes());
        assert!(to_text(&body, Some("text/xml; charset=iso-8859-1")).ends_with(UTF));
    }

    #[test]
    fn content_type_is_read_under_both_names() {
        for header in ["text/xml; charset=ISO-8859-1", "text/xml;encoding=\"latin1\""] {
            // Valid UTF-8 as well, so that only the header can decide.
            assert_eq!(to_text("\u{e9}".as_bytes(), Some(header)), "\u{c3}\u{a9}");
        }
        for header in ["", "text/xml", "text/xml; charset=", "text/xml; encoding=utf-8"] {
            assert_eq!(to_text("\u{e9}".as_bytes(), Some(header)), "\u{e9}");
        }
    }

    #[test]
    fn invalid_utf8_falls_back_to_latin1() {
        assert_eq!(to_text(LATIN, None), UTF);
        assert_eq!(to_text(LATIN, Some("text/xml; charset=utf-8")), UTF);
    }

    #[test]
    fn control_characters_are_dropped() {
        assert_eq!(to_text(b"<a>x\0\x1by\t\r\n</a>\0", None), "<a>xy\t\r\n</a>");
    }
}
