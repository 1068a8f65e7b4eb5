//! Whether the values of a claim fit what the template of its profile declares. Pure.
//!
//! One that is missing may still be given by another layer: only what is said can be wrong here.

use serde_json::Value;

use crate::fleet::secret::MASK;
use crate::fleet::template::{Variable, settle};
use crate::fleet::variables::Variables;

/// What is wrong with values, with their names; `None` = they fit. Nobody here knows what a mask stands
/// for, and no value is repeated: it may be a secret.
pub fn unfit(declared: &[Variable], given: &Variables) -> Option<String> {
    let (_, wrong) = settle(declared, given);
    let known = |name: &str| given.0.get(name).and_then(Value::as_str) != Some(MASK);
    let wrong = wrong.into_iter().filter(|wrong| !wrong.missing && known(&wrong.name));
    let words: Vec<String> =
        wrong.map(|wrong| format!("`{}`: {}", wrong.name, wrong.words)).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_said_can_be_wrong_and_no_value_is_repeated() {
        let declared: Vec<Variable> = serde_json::from_value(json!([
            { "name": "vlan", "type": "int", "max": 4094 },
            { "name": "wifi_password", "type": "secret", "min": 8 },
            { "name": "ssid", "type": "string", "required": true },
        ]))
        .unwrap();
        let of = |given: Value| unfit(&declared, &serde_json::from_value(given).unwrap());
        assert_eq!(of(json!({})), None);
        // As a table has it, and what nobody declared.
        assert_eq!(of(json!({ "vlan": "7", "wifi_password": MASK, "other": [] })), None);
        let words = of(json!({ "vlan": "many", "wifi_password": "hunter2" })).unwrap();
        let (vlan, password) = words.split_once("; ").unwrap();
        assert_eq!(vlan, "`vlan`: a whole number up to 4094");
        assert_eq!(password, "`wifi_password`: 8 to 1000 characters");
    }
}
