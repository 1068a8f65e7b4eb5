//! A claim as a form, all of it as text, so that what was typed stays as it was typed. Pure.
//!
//! Its variables have the fields that `profiles::values` makes of what a template declares. The
//! password on the sticker is shown as a mask, and stays what it is while that stands there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{said, tags};
use crate::error::Error;
use crate::fleet::claim::ClaimFields;
use crate::fleet::variables::Variables;
use crate::store::claims::Claim;
use crate::web::manage::version;
use crate::web::profiles::values::Given;

/// Fields of the form, for what is wrong with them.
pub(super) const FIELDS: [&str; 10] = [
    "serial",
    "mac",
    "model",
    "site",
    "profile",
    "customer",
    "tags",
    "factory_password",
    "variables",
    "others",
];

/// The form. No `Debug`: a value may be a secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ClaimForm {
    /// The claim that is changed; none = a new one.
    pub(super) id: Option<Uuid>,
    /// The version of the claim for which it was filled in; empty for a new one.
    pub(super) version: String,
    serial: String,
    pub(super) mac: String,
    model: String,
    site: String,
    pub(super) profile: String,
    customer: String,
    pub(super) tags: String,
    factory_password: String,
    pub(super) own_credential: bool,
    /// What is said of variables; fields of their own.
    #[serde(skip)]
    pub(super) given: Given,
}

/// A variable with its value.
#[derive(Serialize)]
pub(super) struct VariableRow {
    name: String,
    value: String,
}

impl ClaimForm {
    /// Of a claim that is to be made, as far as it is known.
    pub(super) fn blank(serial: String, site: String, profile: String) -> Self {
        Self { serial, site, profile, ..Self::default() }
    }

    /// Of a claim that is stored. What variables have a field follows from its profile, so all of them
    /// stand with the others here.
    pub(super) fn of(claim: &Claim) -> Self {
        let text = |text: Option<String>| text.unwrap_or_default();
        let fields = ClaimFields::of(claim);
        Self {
            id: Some(claim.claim_id),
            version: version(claim.updated_at),
            serial: text(fields.serial),
            mac: text(fields.mac),
            model: text(fields.model),
            site: text(fields.site),
            profile: text(fields.profile),
            customer: text(fields.customer),
            tags: fields.tags.join(" "),
            factory_password: text(fields.factory_password),
            own_credential: fields.own_credential,
            given: Given::of(&fields.variables),
        }
    }

    /// What was written; secrets that stay are masked.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/others`.
    pub(super) fn fields(&self) -> Result<ClaimFields, Error> {
        Ok(ClaimFields {
            serial: said(&self.serial),
            mac: said(&self.mac),
            model: said(&self.model),
            site: said(&self.site),
            profile: said(&self.profile),
            variables: self.given.read()?,
            tags: tags(&self.tags),
            customer: said(&self.customer),
            // Blanks may be part of it.
            factory_password: Some(self.factory_password.clone()).filter(|text| !text.is_empty()),
            own_credential: self.own_credential,
        })
    }
}

/// Variables as the page of a claim shows them.
pub(super) fn rows(variables: &Variables) -> Vec<VariableRow> {
    let row =
        |(name, value): (&String, &Value)| VariableRow { name: name.clone(), value: shown(value) };
    variables.0.iter().map(row).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::fleet::secret::{Keys, MASK};
    use crate::fleet::template::Variable;
    use crate::web::profiles::values::Values;

    fn variables(value: Value) -> Variables {
        serde_json::from_value(value).unwrap()
    }

    /// What the template of its profile declares.
    fn declared() -> Vec<Variable> {
        let declared = json!([{ "name": "vlan", "type": "int" }, { "name": "dns", "type": "list",
            "of": { "type": "ip" } }, { "name": "ppp_password", "type": "secret" }]);
        serde_json::from_value(declared).unwrap()
    }

    #[test]
    fn what_nobody_changes_comes_back_as_it_was() {
        let keys = Keys::new([7; 32]);
        let had = variables(json!({
            "vlan": 7, "dns": ["192.0.2.1"], "gone": null, "note": "a\r\nb", "blank": " x ",
            "ppp_password": "hunter2", "wifi_password": "hunter3",
        }));
        let claim = Claim {
            variables: had.sealed(&keys, "claim"),
            factory_sealed: Some(vec![7]),
            ..super::super::tests::claim(false)
        };
        let before = ClaimFields::of(&claim);
        let form = ClaimForm::of(&claim);
        assert!(!form.given.others.contains("hunter"));
        assert_eq!(form.fields().unwrap(), before);
        assert_eq!(before.factory_password.as_deref(), Some(MASK));
        // With fields, as a browser sends them; the rest stays with the others.
        let values = json!(Values::again(&declared(), &form.given, &BTreeMap::new()));
        assert!(!values.to_string().contains("hunter"), "{values}");
        let all = values["parts"][0]["fields"].as_array().unwrap();
        let text = |key: &str| -> Vec<String> {
            all.iter().map(|field| field[key].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(text("kind"), ["int", "list", "secret"]);
        let given = Given {
            variable: text("name"),
            given: text("value"),
            given_kind: text("kind"),
            kept: vec!["ppp_password".to_owned()],
            others: values["others"].as_str().unwrap().to_owned(),
            ..Given::default()
        };
        assert!(!given.others.contains("vlan") && given.others.contains("wifi_password"));
        assert_eq!(ClaimForm { given, ..form }.fields().unwrap(), before);
    }

    #[test]
    fn what_is_typed_has_the_type_of_its_field() {
        let given = Given {
            variable: ["vlan", "ppp_user", "none"].map(str::to_owned).into(),
            given: ["8", "anna", ""].map(str::to_owned).into(),
            given_kind: ["int", "text", "text"].map(str::to_owned).into(),
            others: r#"{ "vlan": 7, "mtu": 1492 }"#.to_owned(),
            ..Given::default()
        };
        let form = ClaimForm {
            serial: " HGF1 ".to_owned(),
            site: " ".to_owned(),
            tags: "b, a".to_owned(),
            factory_password: " ".to_owned(),
            given,
            ..ClaimForm::default()
        };
        let fields = form.fields().unwrap();
        let said = json!({ "vlan": 8, "ppp_user": "anna", "mtu": 1492 });
        assert_eq!(fields.variables, variables(said));
        assert_eq!((fields.serial.as_deref(), fields.site), (Some("HGF1"), None));
        assert_eq!(fields.tags, ["b", "a"]);
        assert_eq!(fields.factory_password.as_deref(), Some(" "));
        let given = Given { others: "{ no".to_owned(), ..Given::default() };
        let broken = ClaimForm { given, ..ClaimForm::default() };
        let Err(Error::Invalid { pointer, .. }) = broken.fields() else { panic!("taken") };
        assert_eq!(pointer, "/others");
    }
}
