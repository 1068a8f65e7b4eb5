//! The values with which people may see what comes of a template. Pure.

use serde_json::Value;

use super::{Kind, Text, Values, Variable, Wrong, settle};
use crate::fleet::secret::{MASK, is_secret};
use crate::fleet::variables::Variables;

/// What [`settle`] gives with the mask in place of each secret, and with no rule of a secret applied:
/// whoever may write a rule could guess a secret by it.
pub fn settle_masked(variables: &[Variable], mut given: Variables) -> (Values, Vec<Wrong>) {
    for (name, value) in &mut given.0 {
        if is_secret(name) && !value.is_null() && *value != "" {
            *value = Value::from(MASK);
        }
    }
    let mut variables = variables.to_vec();
    for variable in &mut variables {
        if matches!(variable.kind, Kind::Secret(_)) {
            variable.kind = Kind::Secret(Text::default());
        }
    }
    settle(&variables, &given)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn no_secret_and_no_rule_of_one_is_seen() {
        let variables: Vec<Variable> = serde_json::from_value(json!([
            { "name": "wifi_password", "type": "secret", "min": 30, "required": true },
            { "name": "ppp_password", "type": "secret", "required": true },
            { "name": "ssid", "type": "string" },
        ]))
        .unwrap();
        let given = json!({ "wifi_password": "hunter22", "ppp_password": "", "ssid": "attic" });
        let (values, wrong) = settle_masked(&variables, serde_json::from_value(given).unwrap());
        assert_eq!([&values["wifi_password"], &values["ssid"]], [MASK, "attic"]);
        assert_eq!((wrong.len(), wrong[0].name.as_str()), (1, "ppp_password"));
    }
}
