//! Variables of templates: values by name, as sites, profiles, claims and devices give them.
//!
//! Owns what a name may be, and that a value whose name is that of a secret is sealed wherever it is
//! stored, masked wherever it is shown. There is no second way to say that something is secret:
//! `wifi_password` is, `wifi_name` is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::secret::{Keys, MASK, is_secret};
use crate::error::Error;

/// Bytes of all values of one place together, as JSON.
pub const MAX_VARIABLES: usize = 16 * 1024;
/// What a sealed value is stored as: an object with this one member.
const SEALED: &str = "$sealed";

/// Values by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Variables(pub BTreeMap<String, Value>);

impl Variables {
    /// Refuses names that are none, and values that are too much or that no row can hold.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `pointer`.
    pub fn check(&self, pointer: &str) -> Result<(), Error> {
        for name in self.0.keys() {
            let mut chars = name.chars();
            let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !first || name.len() > 64 || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let why = format!(
                    "`{}`: a variable's name is a letter or `_`, then letters, digits and `_`, at most 64",
                    name.escape_debug()
                );
                return Err(Error::invalid(pointer, why));
            }
        }
        let large = serde_json::to_string(self).map_or(usize::MAX, |text| text.len());
        if large > MAX_VARIABLES || self.0.values().any(holds_nul) {
            let why = format!("at most {MAX_VARIABLES} bytes as JSON, and no U+0000 in them");
            return Err(Error::invalid(pointer, why));
        }
        let sealed = |value: &Value| value.get(SEALED).is_some();
        if self.0.values().any(sealed) {
            return Err(Error::invalid(pointer, format!("`{SEALED}` is no value")));
        }
        for (name, value) in self.0.iter().filter(|(name, _)| is_secret(name)) {
            if !matches!(value, Value::String(_) | Value::Null) {
                return Err(Error::invalid(pointer, format!("`{name}` is a secret: it is text")));
            }
        }
        Ok(())
    }

    /// As it is stored; `context` is the place (`site ID`, `profile ID` ...), and must be the same to
    /// open it.
    pub fn sealed(&self, keys: &Keys, context: &str) -> Value {
        let store = |name: &String, value: &Value| match value {
            Value::String(text) if is_secret(name) => {
                serde_json::json!({ SEALED: keys.seal_text(text, &format!("{context} {name}")) })
            }
            other => other.clone(),
        };
        Value::Object(self.0.iter().map(|(n, v)| (n.clone(), store(n, v))).collect())
    }

    /// What [`Self::sealed`] stored, in clear.
    ///
    /// # Errors
    /// [`Error::Internal`] where another key sealed it.
    pub fn opened(stored: &Value, keys: &Keys, context: &str) -> Result<Self, Error> {
        let mut opened = BTreeMap::new();
        for (name, value) in stored.as_object().into_iter().flatten() {
            let value = match value.get(SEALED).and_then(Value::as_str) {
                Some(sealed) => {
                    Value::String(keys.open_text(sealed, &format!("{context} {name}"))?)
                }
                None => value.clone(),
            };
            opened.insert(name.clone(), value);
        }
        Ok(Self(opened))
    }

    /// As people see it: secrets masked, whether they are sealed here or in clear.
    pub fn masked(stored: &Value) -> Self {
        let shown = |name: &String, value: &Value| match value {
            Value::Null => Value::Null,
            _ if is_secret(name) => Value::String(MASK.to_owned()),
            other => other.clone(),
        };
        let members = stored.as_object().into_iter().flatten();
        Self(members.map(|(n, v)| (n.clone(), shown(n, v))).collect())
    }

    /// Gives secrets that came back masked the values that they had.
    pub fn keep_masked(&mut self, had: &Self) {
        let masked = Value::String(MASK.to_owned());
        for (name, value) in &mut self.0 {
            if *value == masked
                && is_secret(name)
                && let Some(had) = had.0.get(name)
            {
                value.clone_from(had);
            }
        }
    }

    /// Whether there is a secret among them.
    pub fn holds_secret(&self) -> bool {
        self.0.iter().any(|(name, value)| is_secret(name) && !value.is_null())
    }

    /// Puts these over what is there: the nearer layer wins, name by name.
    pub fn over(&mut self, nearer: &Self) {
        self.0.extend(nearer.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// PostgreSQL's jsonb cannot hold U+0000.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(k, v)| k.contains('\0') || holds_nul(v)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Variables {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_called_a_secret_is_sealed_and_masked_and_the_rest_is_not() {
        let keys = Keys::new([7; 32]);
        let clear =
            of(json!({ "wifi_password": "hunter22", "wifi_name": "home", "ports": [1, 2] }));
        let stored = clear.sealed(&keys, "site 1");
        assert!(!stored.to_string().contains("hunter22"));
        assert_eq!(stored["wifi_name"], "home");
        assert_eq!(Variables::opened(&stored, &keys, "site 1").unwrap(), clear);
        assert!(Variables::opened(&stored, &keys, "site 2").is_err());
        for seen in [&stored, &json!(clear)] {
            assert_eq!(json!(Variables::masked(seen))["wifi_password"], MASK);
        }
        let mut back = Variables::masked(&stored);
        back.0.insert("wifi_name".to_owned(), json!("away"));
        back.keep_masked(&clear);
        assert_eq!(
            back,
            of(json!({ "wifi_password": "hunter22", "wifi_name": "away", "ports": [1, 2] }))
        );
    }

    #[test]
    fn a_name_is_a_name_and_a_secret_is_text() {
        assert!(of(json!({ "a": 1, "_b2": null, "x_secret": "s" })).check("/v").is_ok());
        for bad in [
            json!({ "2a": 1 }),
            json!({ "a b": 1 }),
            json!({ "x_secret": 5 }),
            json!({ "a": "\0" }),
            json!({ "a": { "$sealed": "x" } }),
        ] {
            assert!(of(bad.clone()).check("/v").is_err(), "{bad}");
        }
        assert!(of(json!({ "a": "x".repeat(MAX_VARIABLES) })).check("/v").is_err());
    }
}
