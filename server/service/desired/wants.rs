//! What is wanted of a device alone, as people write it. Pure.
//!
//! Owns that its secrets are sealed for the device, masked for people, and that no mask becomes one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::desired::{reconcile, world};
use crate::error::Error;
use crate::fleet::profile::Wanted;
use crate::fleet::secret::{Keys, MASK, is_secret};
use crate::fleet::variables::Variables;
use crate::jobs::spec::MAX_PARAMETERS;
use crate::store::desired::Row;
use crate::store::wants::Said;

/// Characters in the name of a difference: as many as in that of a parameter.
const MAX_NAME: usize = 256;

/// What is wanted of a device alone; what is absent or null is nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = DeviceWants)]
pub struct Wants {
    /// Name of the profile that is bound to the device itself.
    pub profile: Option<String>,
    /// Values by name, for templates and parameters; those of secrets masked.
    pub variables: Variables,
    /// Parameters by full name, over what any profile says; values of secrets masked.
    pub overrides: BTreeMap<String, Wanted>,
    /// Names of differences that nobody wants to hear of.
    pub ignored: Vec<String>,
}

impl Wants {
    /// What is stored, in clear.
    pub(super) fn opened(row: &Row, profile: Option<String>, keys: &Keys) -> Result<Self, Error> {
        Ok(Self {
            profile,
            variables: world::device_variables(keys, row.device_id, &row.variables)?,
            overrides: reconcile::overrides(keys, row)?,
            ignored: row.ignored.clone(),
        })
    }

    /// As it is stored.
    pub(super) fn sealed(&self, profile_id: Option<Uuid>, device_id: Uuid, keys: &Keys) -> Said {
        let mut overrides = self.overrides.clone();
        for (name, value) in secrets(&mut overrides) {
            // It opens only as this parameter of this device.
            let context = format!("{} {name}", world::device_context(device_id));
            *value = keys.seal_text(value, &context);
        }
        Said {
            profile_id,
            variables: self.variables.sealed(keys, &world::device_context(device_id)),
            overrides: json!(overrides),
            ignored: self.ignored.clone(),
        }
    }

    /// As people may see it.
    pub(super) fn masked(&self) -> Self {
        let mut masked = self.clone();
        for (_, value) in secrets(&mut masked.overrides) {
            MASK.clone_into(value);
        }
        masked.variables = Variables::masked(&json!(masked.variables));
        masked
    }

    /// Gives secrets that came back masked the values that they had.
    pub(super) fn keep_masked(&mut self, had: &Self) {
        self.variables.keep_masked(&had.variables);
        for (name, value) in secrets(&mut self.overrides) {
            let known = had.overrides.get(name).and_then(|wanted| wanted.value.as_ref());
            if let Some(known) = known.filter(|_| value == MASK) {
                value.clone_from(known);
            }
        }
    }

    /// The same in order, if it can be wanted.
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        self.variables.check("/variables")?;
        if self.overrides.len() > MAX_PARAMETERS {
            return Err(Error::invalid("/overrides", format!("at most {MAX_PARAMETERS}")));
        }
        for (name, wanted) in &self.overrides {
            let at = name.replace('~', "~0").replace('/', "~1");
            wanted.check(name, &format!("/overrides/{at}"))?;
        }
        if self.ignored.len() > MAX_PARAMETERS {
            return Err(Error::invalid("/ignored", format!("at most {MAX_PARAMETERS}")));
        }
        check_each("/ignored", &self.ignored)?;
        self.ignored.sort();
        self.ignored.dedup();
        let of_overrides = secrets(&mut self.overrides).find(|(_, value)| *value == MASK);
        let masked = of_overrides.map(|(name, _)| name.clone()).or_else(|| {
            let is_mask = |(name, value): &(&String, &Value)| is_secret(name) && *value == MASK;
            self.variables.0.iter().find(is_mask).map(|(name, _)| name.clone())
        });
        match masked {
            Some(name) => {
                let why =
                    format!("`{name}` has no value yet that {MASK} could stand for: write it out");
                Err(Error::invalid("", why))
            }
            None => Ok(self),
        }
    }
}

/// The values that are secrets, with the names of their parameters.
fn secrets(
    overrides: &mut BTreeMap<String, Wanted>,
) -> impl Iterator<Item = (&String, &mut String)> {
    let secret = overrides.iter_mut().filter(|(name, _)| is_secret(name));
    secret.filter_map(|(name, wanted)| Some((name, wanted.value.as_mut()?)))
}

/// Refuses what is no list of names of differences.
pub(super) fn check_names(names: &[String]) -> Result<(), Error> {
    if !(1..=MAX_PARAMETERS).contains(&names.len()) {
        let why = format!("1 to {MAX_PARAMETERS} names, not {}", names.len());
        return Err(Error::invalid("/names", why));
    }
    check_each("/names", names)
}

fn check_each(pointer: &str, names: &[String]) -> Result<(), Error> {
    let wrong = |name: &String| {
        name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control)
    };
    match names.iter().position(wrong) {
        Some(i) => {
            let why = format!("a name has 1 to {MAX_NAME} characters");
            Err(Error::invalid(format!("{pointer}/{i}"), why))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

    fn wants(value: Value) -> Wants {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn secrets_are_masked_and_come_back_as_they_were() {
        let had = wants(json!({
            "variables": { "pppoe_password": "hunter22", "vlan": 7 },
            "overrides": { PASSPHRASE: { "value": "hunter23" }, "Device.A": { "value": "1" } },
        }));
        let masked = had.masked();
        assert!(!json!(masked).to_string().contains("hunter"), "{masked:?}");
        let mut back = Wants { ignored: vec!["b".to_owned(), "a".to_owned()], ..masked.clone() };
        back.keep_masked(&had);
        let back = back.checked().unwrap();
        assert_eq!(back, Wants { ignored: vec!["a".to_owned(), "b".to_owned()], ..had });
        assert!(masked.checked().is_err(), "nothing is known that the mask stands for");
    }

    #[test]
    fn what_cannot_be_wanted_is_pointed_at() {
        let pointer = |value: Value| match wants(value).checked().unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        };
        assert_eq!(pointer(json!({ "variables": { "a b": 1 } })), "/variables");
        assert_eq!(pointer(json!({ "overrides": { "Device.A": {} } })), "/overrides/Device.A");
        assert_eq!(pointer(json!({ "ignored": ["x", ""] })), "/ignored/1");
        assert!(check_names(&[]).is_err());
    }

    #[test]
    fn what_is_stored_is_sealed_and_opens_only_for_its_device() {
        let (keys, device) = (Keys::new([7; 32]), Uuid::from_u128(7));
        let clear = wants(json!({
            "variables": { "pppoe_password": "hunter22" },
            "overrides": { PASSPHRASE: { "value": "hunter23" } },
        }));
        let said = clear.sealed(None, device, &keys);
        assert!(!format!("{said:?}").contains("hunter"), "{said:?}");
        let Said { variables, overrides, .. } = said;
        let row = Row { variables, overrides, ..Row::new(device) };
        assert_eq!(Wants::opened(&row, None, &keys).unwrap(), clear);
        let other = Row { device_id: Uuid::nil(), ..row };
        assert!(Wants::opened(&other, None, &keys).is_err());
    }
}
