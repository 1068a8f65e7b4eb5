//! Profiles: what devices are to be. Pure.
//!
//! Owns the shape of desired state as people write it and its checks. How the layers become one is
//! `desired::effective`; how far a device is from it is `desired::differ`.

use std::collections::BTreeMap;

use muster_cwmp::value::ValueType;
use muster_routeros::version::RosVersion;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::secret::{Keys, MASK, is_secret};
use super::variables::Variables;
use crate::error::Error;
use crate::jobs::spec::{JobSpec, MAX_PARAMETERS, SetParameter};

/// What devices are to be. What is absent is left to the layers above, or to the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Desired {
    /// Parameters by full name.
    pub parameters: BTreeMap<String, Wanted>,
    /// The script that configures them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateUse>,
    /// For templates, and for parameters that name a variable.
    pub variables: Variables,
    /// The RouterOS release that a device is brought to when it is new. One that is in use already is
    /// told to differ, and brought there by a rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Seconds between periodic informs, spread by up to a tenth over the fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inform_interval_seconds: Option<u32>,
    /// When configurations are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// Days after which a device is given other credentials; 0 = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_credentials_days: Option<u32>,
    /// Hours between two readings of the parameters that are wanted, from 1 to 8760; 0 = never. 24
    /// when nobody says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_every_hours: Option<u32>,
}

/// What a parameter is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Value in XSD form; this or `variable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The variable whose value it is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Only where the device's own type is unknown or wrong.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<ValueType>,
    /// What counts as the same.
    #[serde(default, skip_serializing_if = "Tolerance::is_exact")]
    pub tolerance: Tolerance,
    /// What is done about a difference.
    #[serde(default, skip_serializing_if = "Mode::is_enforce")]
    pub mode: Mode,
}

/// What counts as the same value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tolerance {
    /// The same value: of numbers the same number, of booleans the same truth.
    #[default]
    Exact,
    /// In any case of letters.
    AnyCase,
    /// A list with commas between, in any order.
    AnyOrder,
    /// A number that is not further off than this.
    Within {
        /// How far, at least 0.
        by: f64,
    },
}

impl Tolerance {
    fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

/// What is done about a difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is told and mended.
    #[default]
    Enforce,
    /// It is told.
    Report,
    /// It is mended on a device that is new or was reset, and left to the device after that.
    Once,
}

impl Mode {
    fn is_enforce(&self) -> bool {
        *self == Self::Enforce
    }
}

/// A template in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateUse {
    /// Which.
    pub template_id: Uuid,
    /// Which of its versions; the newest, whichever that is, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
}

/// When configurations are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Hours between two, from 1 to 8760; 0 = never by the clock.
    pub every_hours: u32,
    /// And before each change that Muster makes by itself.
    #[serde(default = "yes")]
    pub before_changes: bool,
}

fn yes() -> bool {
    true
}

impl Desired {
    /// Refuses what cannot be wanted. What other rows it names is for the caller to look up.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer below `pointer`.
    pub fn check(&self, pointer: &str) -> Result<(), Error> {
        let invalid = |at: String, why: &str| Err(Error::invalid(format!("{pointer}{at}"), why));
        if self.parameters.len() > MAX_PARAMETERS {
            return invalid("/parameters".to_owned(), &format!("at most {MAX_PARAMETERS}"));
        }
        for (name, wanted) in &self.parameters {
            let at = format!("/parameters/{}", name.replace('~', "~0").replace('/', "~1"));
            wanted.check(name, &format!("{pointer}{at}"))?;
        }
        self.variables.check(&format!("{pointer}/variables"))?;
        if self.release.as_ref().is_some_and(|v| v.parse::<RosVersion>().is_err()) {
            return invalid("/release".to_owned(), "a version of RouterOS, such as 7.16.1");
        }
        if self.inform_interval_seconds.is_some_and(|s| !(10..=86_400 * 7).contains(&s)) {
            return invalid("/inform_interval_seconds".to_owned(), "from 10 to 604800");
        }
        if self.backup.is_some_and(|b| b.every_hours > 8_760) {
            return invalid("/backup/every_hours".to_owned(), "from 1 to 8760, or 0 for never");
        }
        if self.check_every_hours.is_some_and(|hours| hours > 8_760) {
            return invalid("/check_every_hours".to_owned(), "from 1 to 8760, or 0 for never");
        }
        if self.rotate_credentials_days.is_some_and(|days| days > 3_650) {
            return invalid("/rotate_credentials_days".to_owned(), "at most 3650, or 0 for never");
        }
        Ok(())
    }

    /// As it is stored: secrets sealed for this profile.
    pub fn sealed(&self, keys: &Keys, profile_id: Uuid) -> Value {
        let context = context(profile_id);
        let mut stored = self.clone();
        for (name, wanted) in &mut stored.parameters {
            if let Some(value) = wanted.value.as_mut().filter(|_| is_secret(name)) {
                *value = keys.seal_text(value, &format!("{context} {name}"));
            }
        }
        let variables = stored.variables.sealed(keys, &context);
        let mut stored = serde_json::to_value(&stored).unwrap_or_default();
        stored["variables"] = variables;
        stored
    }

    /// What [`Self::sealed`] stored, in clear.
    ///
    /// # Errors
    /// [`Error::Internal`] where another key sealed it, or it is no desired state.
    pub fn opened(stored: &Value, keys: &Keys, profile_id: Uuid) -> Result<Self, Error> {
        let context = context(profile_id);
        let mut desired: Self = serde_json::from_value(stored.clone())
            .map_err(|e| Error::Internal(format!("profile {profile_id}: {e}")))?;
        for (name, wanted) in &mut desired.parameters {
            if let Some(value) = wanted.value.as_mut().filter(|_| is_secret(name)) {
                *value = keys.open_text(value, &format!("{context} {name}"))?;
            }
        }
        desired.variables = Variables::opened(&stored["variables"], keys, &context)?;
        Ok(desired)
    }

    /// As people may see it, from what is stored or in clear.
    pub fn masked(mut self) -> Self {
        for (name, wanted) in &mut self.parameters {
            if let Some(value) = wanted.value.as_mut().filter(|_| is_secret(name)) {
                MASK.clone_into(value);
            }
        }
        self.variables =
            Variables::masked(&serde_json::to_value(&self.variables).unwrap_or_default());
        self
    }

    /// Gives secrets that came back masked the values that they had.
    pub fn keep_masked(&mut self, had: &Self) {
        for (name, wanted) in &mut self.parameters {
            if wanted.value.as_deref() == Some(MASK)
                && let Some(had) = had.parameters.get(name)
            {
                wanted.value.clone_from(&had.value);
            }
        }
        self.variables.keep_masked(&had.variables);
    }
}

impl Wanted {
    /// Refuses what cannot be wanted of the parameter `name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `pointer`.
    pub fn check(&self, name: &str, pointer: &str) -> Result<(), Error> {
        if self.value.is_some() == self.variable.is_some() {
            return Err(Error::invalid(
                pointer,
                "give `value` or `variable`, and one of them only",
            ));
        }
        if self.variable.as_deref().is_some_and(is_secret) && !is_secret(name) {
            let why = "a secret variable goes into a parameter that is a secret by its name, and into no other";
            return Err(Error::invalid(pointer, why));
        }
        let value = self.value.clone().unwrap_or_default();
        let one = SetParameter { name: name.to_owned(), value, kind: self.kind };
        if let Err(Error::Invalid { message, .. }) =
            (JobSpec::Set { parameters: vec![one] }).validate()
        {
            return Err(Error::invalid(pointer, message));
        }
        if let Tolerance::Within { by } = self.tolerance
            && !(by.is_finite() && by >= 0.0)
        {
            return Err(Error::invalid(format!("{pointer}/tolerance/by"), "a number from 0 on"));
        }
        Ok(())
    }
}

fn context(profile_id: Uuid) -> String {
    format!("profile {profile_id}")
}
