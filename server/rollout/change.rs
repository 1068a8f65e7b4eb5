//! What a rollout changes on each of its devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;
use crate::fleet::secret::{Keys, MASK, is_secret};
use crate::jobs::spec::SetParameter;

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

impl Change {
    /// The word in lists and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Release { .. } => "release",
            Self::Script { .. } => "script",
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

    /// Seals the values of secret parameters, for the row.
    pub fn seal(&mut self, keys: &Keys) {
        for p in self.secrets_mut() {
            p.value = keys.seal_text(&p.value, &p.name);
        }
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// [`Error::Internal`] where another key sealed it.
    pub fn open(&mut self, keys: &Keys) -> Result<(), Error> {
        for p in self.secrets_mut() {
            p.value = keys.open_text(&p.value, &p.name)?;
        }
        Ok(())
    }

    /// As people may see it.
    pub fn masked(mut self) -> Self {
        for p in self.secrets_mut() {
            MASK.clone_into(&mut p.value);
        }
        self
    }

    /// Whether a secret is only the mask of one.
    pub fn has_masked(&self) -> bool {
        self.clone().secrets_mut().any(|p| p.value == MASK)
    }

    /// Gives secrets that came back masked the values that they had.
    pub fn keep_masked(&mut self, had: &Self) {
        let Self::Parameters { parameters: had } = had else { return };
        for p in self.secrets_mut().filter(|p| p.value == MASK) {
            if let Some(had) = had.iter().find(|had| had.name == p.name) {
                p.value.clone_from(&had.value);
            }
        }
    }
}
