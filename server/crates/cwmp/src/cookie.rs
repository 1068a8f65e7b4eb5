//! Reading the `Cookie` header as devices send it.
//!
//! Owns leniency towards cookies. Must never trust one: what it holds is looked up, not believed.

/// Longest `Cookie` header that is read, in bytes.
pub const MAX_COOKIE_BYTES: usize = 8192;

/// The value of the cookie called `name`, or `None`. Takes plain cookies, a `Path=/` appended to
/// them, the older form `$Version="0"; ID=x;$Path=/` (RFC 2965), quoted values, and commas between
/// cookies (TR-069 3.4.2, H4, deviation 12); so the value of our own cookies must hold neither
/// comma, semicolon nor quote. The first non-empty one of several wins.
pub fn cookie(header: &str, name: &str) -> Option<String> {
    if header.len() > MAX_COOKIE_BYTES {
        return None;
    }
    let mut quoted = false;
    let separator = |c: char| {
        quoted ^= c == '"';
        !quoted && matches!(c, ';' | ',')
    };
    header
        .split(separator)
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, value)| key.trim() == name && !bare(value).is_empty())
        .map(|(_, value)| bare(value).to_owned())
}

/// Without blanks and quotes, one of which may lack.
fn bare(value: &str) -> &str {
    value.trim().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_seen_form() {
        for header in [
            "ID=x",
            "ID=x; Path=/",
            "$Version=\"0\"; ID=x;$Path=/",
            "$Version=1, ID=\"x\", $Path=\"/\"",
            "other=\"a;b\"; ID = \"x\" ;HttpOnly",
            "ID=; ID=x; ID=y",
            "ID=\"x",
        ] {
            assert_eq!(cookie(header, "ID").as_deref(), Some("x"), "{header}");
        }
    }

    #[test]
    fn takes_no_other_cookie() {
        for header in ["", "ID", "ID=", "XID=x", "id=x", "a=\"; ID=x\"", "$ID=x"] {
            assert_eq!(cookie(header, "ID"), None, "{header}");
        }
        let long = format!("ID=x; pad={}", "a".repeat(MAX_COOKIE_BYTES));
        assert_eq!(cookie(&long, "ID"), None);
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(cookie("ID=YWI=", "ID").as_deref(), Some("YWI="));
    }
}
