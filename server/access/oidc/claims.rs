//! What a provider says of a person, by the names that the configuration gives.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreIdToken;
use serde_json::{Map, Value};

/// Characters of a name; the rest is cut off.
const MAX_NAME: usize = 64;

/// All claims of a token that was verified before.
pub(super) fn of(token: &CoreIdToken) -> Option<Map<String, Value>> {
    let token = token.to_string();
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A claim by its name; dots lead into objects where no claim has the whole name.
pub(super) fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (outer, inner) = name.split_once('.')?;
    claim(claims.get(outer)?.as_object()?, inner)
}

pub(super) fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claim(claims, name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// True, also as some providers write it.
pub(super) fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

/// A person's name as Muster takes one.
pub(super) fn shown(name: String) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    name.trim_end().to_owned()
}

/// The texts of a list; a text alone is a list of one.
pub(super) fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(word)) => vec![word.clone()],
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_found_by_name_or_by_path() {
        let claims = json!({
            "preferred_username": " ann ", "name": "", "groups": ["operator", 7, "viewer"],
            "https://isp.example/roles": "support",
            "realm_access": { "roles": ["administrator"] },
        });
        let claims = claims.as_object().unwrap();
        assert_eq!(text(claims, "preferred_username").as_deref(), Some("ann"));
        assert_eq!(text(claims, "name"), None);
        assert_eq!(text(claims, "groups"), None);
        for (name, roles) in [
            ("groups", vec!["operator", "viewer"]),
            ("https://isp.example/roles", vec!["support"]),
            ("realm_access.roles", vec!["administrator"]),
            ("realm_access.groups", vec![]),
            ("preferred_username.roles", vec![]),
        ] {
            assert_eq!(words(claim(claims, name)), roles, "{name}");
        }
    }

    #[test]
    fn a_name_is_cut_to_what_is_shown() {
        assert_eq!(shown("Anna\n B\u{113}rzi\u{146}a".to_owned()), "Anna B\u{113}rzi\u{146}a");
        assert_eq!(shown(format!("{} {}", "x".repeat(63), "y")), "x".repeat(63));
    }
}
