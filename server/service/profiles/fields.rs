//! What people say of a profile. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::fleet::label::check_name;
use crate::fleet::profile::Desired;
use crate::fleet::secret::{MASK, is_secret};
use crate::store::profiles::Profile;

/// Characters in a description.
const MAX_DESCRIPTION: usize = 1_000;

/// What people say of a profile; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFields {
    /// What people call it, 1 to 64 characters. A profile always has one, and no two the same.
    pub name: Option<String>,
    /// For people, at most 1000 characters; empty when absent.
    pub description: Option<String>,
    /// False: differences are told and never mended. True when absent.
    pub enforce: Option<bool>,
    /// What devices are to be; nothing when absent. Values of secrets come back as `********`, which
    /// leaves them as they are.
    pub desired: Option<Desired>,
}

/// The same, checked and whole.
#[derive(Debug)]
pub(super) struct Draft {
    pub name: String,
    pub description: String,
    pub enforce: bool,
    /// Secrets in clear.
    pub desired: Desired,
}

/// What a stored profile wants, secrets masked.
pub(super) fn shown(profile: &Profile) -> Result<Desired, Error> {
    let broken = |e| Error::Internal(format!("profile {}: {e}", profile.profile_id));
    let desired: Desired = serde_json::from_value(profile.desired.clone()).map_err(broken)?;
    Ok(desired.masked())
}

impl ProfileFields {
    /// What is said of a stored profile; secrets masked.
    ///
    /// # Errors
    /// [`Error::Internal`] where what is stored is no profile.
    pub fn of(profile: &Profile) -> Result<Self, Error> {
        Ok(Self {
            name: Some(profile.name.clone()),
            description: Some(profile.description.clone()),
            enforce: Some(profile.enforce),
            desired: Some(shown(profile)?),
        })
    }

    /// Checked, with its secrets in clear: one that came back masked is the one that it `had`.
    pub(super) fn checked(self, had: &Desired) -> Result<Draft, Error> {
        let Some(name) = self.name else {
            return Err(Error::invalid("/name", "a profile has a name"));
        };
        check_name(&name)?;
        let description = self.description.unwrap_or_default();
        if description.chars().count() > MAX_DESCRIPTION || description.contains('\0') {
            let why = format!("at most {MAX_DESCRIPTION} characters, and no U+0000");
            return Err(Error::invalid("/description", why));
        }
        let mut desired = self.desired.unwrap_or_default();
        desired.keep_masked(had);
        desired.check("/desired")?;
        if let Some(name) = masked(&desired) {
            let why =
                format!("`{name}` has no value yet that {MASK} could stand for: write it out");
            return Err(Error::invalid("/desired", why));
        }
        Ok(Draft { name, description, enforce: self.enforce.unwrap_or(true), desired })
    }
}

/// The first secret whose value is not known here, but only the mask of one.
fn masked(desired: &Desired) -> Option<&str> {
    let parameters = desired.parameters.iter();
    let parameters = parameters.map(|(name, wanted)| (name.as_str(), wanted.value.as_deref()));
    let variables = desired.variables.0.iter();
    let variables = variables.map(|(name, value)| (name.as_str(), value.as_str()));
    let mut all = parameters.chain(variables);
    all.find(|(name, value)| is_secret(name) && *value == Some(MASK)).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    const PASSPHRASE: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

    fn fields(value: Value) -> ProfileFields {
        serde_json::from_value(value).unwrap()
    }

    fn pointer(value: Value) -> String {
        match fields(value).checked(&Desired::default()).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let draft = fields(json!({ "name": "home" })).checked(&Desired::default()).unwrap();
        assert_eq!((draft.name.as_str(), draft.description.as_str()), ("home", ""));
        assert!(draft.enforce && draft.desired == Desired::default());
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        assert_eq!(pointer(json!({})), "/name");
        assert_eq!(pointer(json!({ "name": "x", "description": "\0" })), "/description");
        let wanted = |wanted: Value| json!({ "name": "x", "desired": { "parameters": { "Device.A": wanted } } });
        assert_eq!(pointer(wanted(json!({}))), "/desired/parameters/Device.A");
        let tolerance = json!({ "value": "1", "tolerance": { "is": "within", "by": -1.0 } });
        assert_eq!(pointer(wanted(tolerance)), "/desired/parameters/Device.A/tolerance/by");
        let release = json!({ "name": "x", "desired": { "release": "newest" } });
        assert_eq!(pointer(release), "/desired/release");
    }

    #[test]
    fn a_secret_that_came_back_masked_stays_and_no_mask_becomes_a_secret() {
        let with = |passphrase: &str, password: &str| {
            let parameters = json!({ PASSPHRASE: { "value": passphrase } });
            let variables = json!({ "pppoe_password": password });
            let desired = json!({ "parameters": parameters, "variables": variables });
            fields(json!({ "name": "x", "desired": desired }))
        };
        let had = with("hunter22", "hunter23").desired.unwrap();
        let draft = with(MASK, MASK).checked(&had).unwrap();
        assert_eq!(draft.desired, had);
        assert!(with(MASK, "other").checked(&Desired::default()).is_err());
        assert!(with("other", MASK).checked(&Desired::default()).is_err());
    }
}
