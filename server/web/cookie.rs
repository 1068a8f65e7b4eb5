//! Cookies of the dashboard: read, set and taken back in one way.
//!
//! Each is `SameSite=Strict`, `HttpOnly` and for all paths. Reached by HTTPS its name begins with
//! `__Host-`, so that no other host of the same domain can have set it, and it is never sent in
//! clear. What a cookie holds is looked up, opened where Muster sealed it, or shown as text, never
//! believed.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use chrono::TimeDelta;

/// The session.
pub(super) const SESSION: &str = "muster-session";
/// That somebody has logged in with this browser before.
pub(super) const KNOWN: &str = "muster-known";
/// A message for the next page.
pub(super) const FLASH: &str = "muster-flash";

/// The value of a cookie.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str, https: bool) -> Option<&'a str> {
    let name = full(name, https);
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    fields
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// A `Set-Cookie` for this long. The value is of one of base 64's alphabets.
pub(super) fn set(name: &str, value: &str, life: TimeDelta, https: bool) -> HeaderValue {
    let seconds = life.num_seconds().max(0);
    let secure = if https { "; Secure" } else { "" };
    let name = full(name, https);
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).expect("base64 is visible ASCII")
}

/// A `Set-Cookie` that takes a cookie back.
pub(super) fn clear(name: &str, https: bool) -> HeaderValue {
    set(name, "", TimeDelta::zero(), https)
}

fn full(name: &str, https: bool) -> String {
    if https { format!("__Host-{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; muster-session=abc".parse().unwrap());
        headers.append(COOKIE, "__Host-muster-session=def".parse().unwrap());
        assert_eq!(read(&headers, SESSION, false), Some("abc"));
        assert_eq!(read(&headers, SESSION, true), Some("def"));
        assert_eq!(read(&headers, FLASH, false), None);
        assert_eq!(read(&HeaderMap::new(), SESSION, false), None);
    }

    #[test]
    fn a_cookie_that_was_cleared_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "muster-session=".parse().unwrap());
        assert_eq!(read(&headers, SESSION, false), None);
    }

    #[test]
    fn what_is_set_is_strict() {
        let plain = set(SESSION, "abc", TimeDelta::hours(1), false);
        let expected = "muster-session=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict";
        assert_eq!(plain, expected);
        let secure = set(SESSION, "abc", TimeDelta::hours(1), true);
        let text = secure.to_str().unwrap();
        assert!(text.starts_with("__Host-muster-session=abc; Path=/;"), "{text}");
        assert!(text.ends_with("; Secure"), "{text}");
        assert!(clear(FLASH, false).to_str().unwrap().contains("Max-Age=0"));
    }
}
