//! What a rollout changes on each of its devices.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;
use crate::fleet::secret::{Keys, MASK, is_secret};
use crate::fleet::variables::Variables;
use crate::jobs::spec::SetParameter;

/// What the values of a template are sealed with.
const VALUES: &str = "rollout";

/// What is done to each device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = RolloutChange)]
pub enum Change {
    /// Bring it to a RouterOS release, over as many hops as it takes.
    Release {
        /// Such as `7.16.1`.
        version: String,
        /// Then RouterBOOT too: a script, a second reboot, and a look whether it took.
        #[serde(default)]
        routerboot: bool,
        /// Devices that run a newer version are taken down to this one; else they are skipped.
        #[serde(default)]
        downgrade: bool,
    },
    /// Run a stored script (alter); it must do no harm when it runs twice.
    Script {
        /// The stored file.
        artifact_id: Uuid,
        /// The script that takes it back; without it this rollout cannot be rolled back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo_artifact_id: Option<Uuid>,
    },
    /// Run what a template gives for each device, by the values that are wanted of it at that time; it
    /// must do no harm when it runs twice.
    Template {
        /// The template's name.
        template: String,
        /// Which of its versions; the newest when absent, as it is when the rollout is written: a later
        /// one changes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<i32>,
        /// The template that has this name, noted when the rollout is written: another one that comes
        /// to have the name later changes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(read_only)]
        template_id: Option<Uuid>,
        /// Values that go over those that are wanted of a device; secrets among them are sealed and
        /// never shown.
        #[serde(default)]
        variables: Variables,
        /// The template that takes it back; without it this rollout cannot be rolled back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<UndoTemplate>,
    },
    /// Write parameters; secrets among them are sealed and never shown.
    Parameters {
        /// At least one; no name twice.
        parameters: Vec<SetParameter>,
    },
    /// Back to the version that each device had before: made by a roll back, not asked for.
    #[serde(rename = "previous_release")]
    #[schema(title = "PreviousRelease")]
    PreviousRelease,
    /// The values that each device had before: made by a roll back, not asked for.
    #[serde(rename = "previous_parameters")]
    #[schema(title = "PreviousParameters")]
    PreviousParameters,
}

/// The template that takes back what another one did, with the same values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RolloutUndoTemplate)]
pub struct UndoTemplate {
    /// Its name.
    pub template: String,
    /// Which of its versions; the newest when absent, as it is when the rollout is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// The template that has this name, noted when the rollout is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(read_only)]
    pub template_id: Option<Uuid>,
}

impl Change {
    /// The word in lists and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Release { .. } => "release",
            Self::Script { .. } => "script",
            Self::Template { .. } => "template",
            Self::Parameters { .. } => "parameters",
            Self::PreviousRelease => "previous_release",
            Self::PreviousParameters => "previous_parameters",
        }
    }
}

/// Whom a rollout is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// A group; this or `selector`, and not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    /// A selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Devices that come to match while it runs join its last wave; else those that match when it
    /// starts are all.
    #[serde(default)]
    pub dynamic: bool,
    /// For a roll back: the devices of this rollout, and nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(read_only)]
    pub rollout_id: Option<Uuid>,
}

impl Change {
    fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SetParameter> {
        let parameters: &mut [SetParameter] = match self {
            Self::Parameters { parameters } => parameters,
            _ => &mut [],
        };
        parameters.iter_mut().filter(|p| is_secret(&p.name))
    }

    /// Seals the values of secret parameters and variables, for the row.
    pub fn seal(&mut self, keys: &Keys) {
        if let Self::Template { variables, .. } = self {
            let sealed = variables.sealed(keys, VALUES);
            let values = sealed.as_object().into_iter().flatten();
            variables.0 = values.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        for p in self.secrets_mut() {
            p.value = keys.seal_text(&p.value, &p.name);
        }
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// [`Error::Internal`] where another key sealed it.
    pub fn open(&mut self, keys: &Keys) -> Result<(), Error> {
        if let Self::Template { variables, .. } = self {
            *variables = Variables::opened(&json!(variables), keys, VALUES)?;
        }
        for p in self.secrets_mut() {
            p.value = keys.open_text(&p.value, &p.name)?;
        }
        Ok(())
    }

    /// As people may see it.
    pub fn masked(mut self) -> Self {
        if let Self::Template { variables, .. } = &mut self {
            *variables = Variables::masked(&json!(variables));
        }
        for p in self.secrets_mut() {
            MASK.clone_into(&mut p.value);
        }
        self
    }

    /// Whether a secret is only the mask of one.
    pub fn has_masked(&self) -> bool {
        if let Self::Template { variables, .. } = self {
            return variables.0.iter().any(|(name, value)| is_secret(name) && *value == MASK);
        }
        self.clone().secrets_mut().any(|p| p.value == MASK)
    }

    /// Gives secrets that came back masked the values that they had.
    pub fn keep_masked(&mut self, had: &Self) {
        if let (Self::Template { variables, .. }, Self::Template { variables: had, .. }) =
            (&mut *self, had)
        {
            variables.keep_masked(had);
        }
        let Self::Parameters { parameters: had } = had else { return };
        for p in self.secrets_mut().filter(|p| p.value == MASK) {
            if let Some(had) = had.iter().find(|had| had.name == p.name) {
                p.value.clone_from(&had.value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn template(password: &str) -> Change {
        let change = json!({
            "kind": "template", "template": "home", "undo": { "template": "bare", "version": 2 },
            "variables": { "wifi_password": password, "ssid": "attic", "ports": [1, 2] },
        });
        serde_json::from_value(change).unwrap()
    }

    #[test]
    fn the_secrets_among_values_are_sealed_and_masked_and_come_back() {
        let (keys, clear) = (Keys::new([7; 32]), template("hunter22"));
        let mut sealed = clear.clone();
        sealed.seal(&keys);
        let row = serde_json::to_value(&sealed).unwrap();
        assert!(!row.to_string().contains("hunter22") && row["variables"]["ssid"] == "attic");
        let shown = sealed.clone().masked();
        assert_eq!(serde_json::to_value(&shown).unwrap()["variables"]["wifi_password"], MASK);
        let mut opened: Change = serde_json::from_value(row).unwrap();
        opened.open(&keys).unwrap();
        assert_eq!(opened, clear);
        let mut other = sealed;
        assert!(other.open(&Keys::new([8; 32])).is_err());

        let mut back = shown;
        assert!(back.has_masked() && !clear.has_masked());
        back.keep_masked(&Change::PreviousRelease);
        assert!(back.has_masked(), "nothing else had it");
        back.keep_masked(&clear);
        assert_eq!(back, clear);
    }

    #[test]
    fn what_a_template_is_not_given_is_left_open() {
        let bare = json!({ "kind": "template", "template": "home" });
        let change: Change = serde_json::from_value(bare).unwrap();
        let Change::Template { version, template_id, variables, undo, .. } = &change else {
            panic!("{change:?}")
        };
        assert_eq!((version, template_id, undo), (&None, &None, &None));
        assert_eq!((variables.0.len(), change.kind()), (0, "template"));
        let odd = json!({ "kind": "template", "template": "home", "values": {} });
        assert!(serde_json::from_value::<Change>(odd).is_err());
    }
}
