//! A tolerant reader and a strict writer for the fields of authentication headers.
//!
//! Must never panic or grow with its input beyond the caps of the parent module. It takes what
//! devices send: fields with or without commas, blanks around `=`, any case, folded lines,
//! unterminated quotes.

use super::{MAX_HEADER_BYTES, MAX_HEADER_FIELDS};

/// Why an authentication header cannot be used. None of these carries header text: it may hold a
/// password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Over [`MAX_HEADER_BYTES`].
    #[error("the authentication header is longer than {} bytes", MAX_HEADER_BYTES)]
    TooLong,
    /// Over [`MAX_HEADER_FIELDS`].
    #[error("the authentication header has more than {} fields", MAX_HEADER_FIELDS)]
    TooManyFields,
    /// Neither Basic nor Digest.
    #[error("the authentication scheme is neither Basic nor Digest")]
    UnknownScheme,
    /// A Digest without a field that it cannot do without.
    #[error("the Digest has no {0}")]
    Missing(&'static str),
    /// A hash that was not offered.
    #[error("the Digest algorithm is neither MD5 nor SHA-256")]
    UnknownAlgorithm,
    /// Basic credentials that are not base64 of `name:password`.
    #[error("the Basic credentials are not base64 of name:password")]
    BadBasic,
}

/// What a header consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A bare word: the name of a scheme.
    Word(String),
    /// `name=value`, the name in lower case, the value without its quotes.
    Field(String, String),
}

/// Splits a header value into its items, in order.
pub(super) fn items(header: &str) -> Result<Vec<Item>, HeaderError> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(HeaderError::TooLong);
    }
    let mut found = Vec::new();
    let mut rest = skip(header, true);
    while !rest.is_empty() {
        if found.len() == MAX_HEADER_FIELDS {
            return Err(HeaderError::TooManyFields);
        }
        let (word, after) = token(rest);
        let after = skip(after, false);
        rest = if let Some(value) = after.strip_prefix('=') {
            let (value, after) = token_or_quoted(skip(value, false));
            found.push(Item::Field(word.to_ascii_lowercase(), value));
            after
        } else if word.is_empty() {
            // A quoted string where a name should be: dropped, so that the loop gets on.
            quoted(after).1
        } else {
            found.push(Item::Word(word.to_owned()));
            after
        };
        rest = skip(rest, true);
    }
    Ok(found)
}

/// The first field of this lower-case name. A repeated field never overrides the first, so that
/// nothing can be smuggled in behind what an earlier reader saw.
pub(super) fn field(fields: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = fields.iter().position(|(key, _)| key == name)?;
    Some(fields.remove(at).1)
}

/// A value in quotes, as the strict side writes it. Control characters (which would split the
/// header) are left out.
pub(super) fn quote(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars().filter(|c| !c.is_control()) {
        if c == '"' || c == '\\' {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

/// Drops blanks and left-overs of folded lines (deviation 21), and commas where asked.
fn skip(text: &str, commas: bool) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || (commas && c == ','))
}

/// Up to the next blank, comma, `=` or quote.
fn token(text: &str) -> (&str, &str) {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '=' | '"');
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn token_or_quoted(text: &str) -> (String, &str) {
    if text.starts_with('"') {
        return quoted(text);
    }
    // `=` may stand inside an unquoted value: some clients leave the quotes off a base64 nonce.
    let ends = |c: char| c.is_whitespace() || c.is_control() || c == ',';
    let (value, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    (value.to_owned(), rest)
}

/// A quoted string, which may lack its end. Only `\"` and `\\` count as escapes: user names such as
/// `DOMAIN\user` come unescaped from clients that know no better.
fn quoted(text: &str) -> (String, &str) {
    let Some(body) = text.strip_prefix('"') else { return (String::new(), text) };
    let mut value = String::new();
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &body[at + 1..]),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            '\r' | '\n' => {}
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn pair(name: &str, value: &str) -> Item {
        Item::Field(name.to_owned(), value.to_owned())
    }

    #[test]
    fn takes_sloppy_fields() {
        let found = items("Digest  USERname = \"a\\\"b\\\\c\" realm=x,,nonce=ab==\r\n ,uri=\"\"");
        let expected = vec![
            Item::Word("Digest".to_owned()),
            pair("username", "a\"b\\c"),
            pair("realm", "x"),
            pair("nonce", "ab=="),
            pair("uri", ""),
        ];
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn keeps_a_lone_backslash_and_survives_a_missing_quote() {
        let found = items(r#"username="DOM\user, uri="#).unwrap();
        assert_eq!(found, vec![pair("username", r"DOM\user, uri=")]);
    }

    #[test]
    fn a_stray_quoted_string_does_not_stop_the_reader() {
        assert_eq!(items(r#""stray" a=1"#).unwrap(), vec![pair("a", "1")]);
    }

    #[test]
    fn has_caps() {
        assert_eq!(items(&"a".repeat(MAX_HEADER_BYTES + 1)), Err(HeaderError::TooLong));
        let many = "a=1,".repeat(MAX_HEADER_FIELDS + 1);
        assert_eq!(items(&many), Err(HeaderError::TooManyFields));
    }

    #[test]
    fn written_values_come_back() {
        let value = "a \"quoted\\\" back\\slash, ü";
        let header = format!("x={}", quote(value));
        assert_eq!(items(&header).unwrap(), vec![pair("x", value)]);
        assert_eq!(quote("a\r\nb"), "\"ab\"");
    }
}
