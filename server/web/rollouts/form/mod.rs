//! What the builder sends, and what it shows again: all of a rollout as text, so that what was typed
//! stays as it was typed. Pure.
//!
//! - `rows`: waves, days without changes, parameters and values. `plan`: the way of the plan to and fro.

mod plan;
mod rows;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use self::rows::{DaysRow, ParameterRow, WaveRow};
use super::words::Names;
use crate::error::Error;
use crate::fleet::variables::Variables;
use crate::rollout::change::{Audience, Change, UndoTemplate};
use crate::rollout::plan::Plan;
use crate::service::rollouts::write::RolloutFields;

/// What a rollout does, as the builder's address says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    #[default]
    Release,
    Script,
    Template,
    Parameters,
}

impl What {
    pub(super) const ALL: [Self; 4] =
        [Self::Release, Self::Script, Self::Template, Self::Parameters];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Script => "script",
            Self::Template => "template",
            Self::Parameters => "parameters",
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Release => "A RouterOS release",
            Self::Script => "A script",
            Self::Template => "A template",
            Self::Parameters => "Parameters",
        }
    }
}

/// The form. No `Debug`: a parameter may be a secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BuilderForm {
    /// The draft that is changed; none = a new one.
    pub(super) id: Option<Uuid>,
    /// The version of it for which the form was filled in.
    pub(super) version: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) what: What,
    /// The version: of RouterOS, or of the template, empty = its newest.
    pub(super) release: String,
    pub(super) routerboot: bool,
    pub(super) downgrade: bool,
    pub(super) script: String,
    /// The name of one.
    pub(super) template: String,
    /// What takes it back: a script, or the name of a template.
    pub(super) undo: String,
    pub(super) undo_version: String,
    /// Of parameters, or of the values of a template.
    pub(super) parameter: Vec<String>,
    pub(super) value: Vec<String>,
    pub(super) kind: Vec<String>,
    /// Empty = by the selector.
    pub(super) group: String,
    pub(super) selector: String,
    pub(super) dynamic: bool,
    pub(super) wave_name: Vec<String>,
    pub(super) wave_take: Vec<String>,
    pub(super) wave_what: Vec<String>,
    pub(super) wave_soak: Vec<String>,
    pub(super) wave_approval: Vec<String>,
    pub(super) order: String,
    pub(super) success_percent: String,
    pub(super) success_minimum: String,
    pub(super) error_percent: String,
    pub(super) error_minimum: String,
    pub(super) error_count: String,
    pub(super) error_then: String,
    pub(super) soak_minutes: String,
    pub(super) four_eyes: bool,
    pub(super) pace_concurrent: String,
    pub(super) pace_per_minute: String,
    pub(super) pace_per_day: String,
    pub(super) pace_per_site: String,
    pub(super) pace_per_uplink: String,
    pub(super) pace_megabits: String,
    pub(super) heed_windows: bool,
    /// Sent with each kind of change; only some show it.
    pub(super) backup: bool,
    pub(super) blackout_from: Vec<String>,
    pub(super) blackout_to: Vec<String>,
    pub(super) checks_missed_informs: String,
    pub(super) checks_crash: bool,
    pub(super) checks_uptime: bool,
    pub(super) checks_wan: bool,
    pub(super) checks_radios: bool,
    pub(super) checks_cpu_points: String,
    pub(super) checks_memory_percent: String,
    pub(super) checks_link_downs: String,
    pub(super) checks_signal_db: String,
    pub(super) checks_clients_percent: String,
    pub(super) deadlines_offer_hours: String,
    pub(super) deadlines_back_minutes: String,
    pub(super) deadlines_verify_minutes: String,
    pub(super) deadlines_baseline_minutes: String,
    pub(super) retries: String,
}

impl BuilderForm {
    /// An empty one, with the careful plan.
    pub(super) fn blank(what: What) -> Self {
        let mut form = Self { what, ..Self::default() };
        form.set_plan(&Plan::default(), &Names::default());
        form
    }

    /// Of a draft. Secrets come masked, and go back so.
    pub(super) fn of(fields: &RolloutFields, groups: &Names) -> Self {
        let mut form = Self {
            name: fields.name.clone(),
            description: fields.description.clone(),
            group: fields.audience.group_id.map(|id| id.to_string()).unwrap_or_default(),
            selector: fields.audience.selector.clone().unwrap_or_default(),
            dynamic: fields.audience.dynamic,
            ..Self::default()
        };
        form.set_change(&fields.change);
        form.set_plan(&fields.plan, groups);
        form
    }

    fn set_change(&mut self, change: &Change) {
        match change {
            Change::Release { version, routerboot, downgrade } => {
                self.what = What::Release;
                self.release.clone_from(version);
                self.routerboot = *routerboot;
                self.downgrade = *downgrade;
            }
            Change::Script { artifact_id, undo_artifact_id } => {
                self.what = What::Script;
                self.script = artifact_id.to_string();
                self.undo = undo_artifact_id.map(|id| id.to_string()).unwrap_or_default();
            }
            Change::Template { template, version, variables, undo, .. } => {
                let number = |version: Option<i32>| version.map(|v| v.to_string());
                self.what = What::Template;
                self.template.clone_from(template);
                self.release = number(*version).unwrap_or_default();
                if let Some(undo) = undo {
                    self.undo.clone_from(&undo.template);
                    self.undo_version = number(undo.version).unwrap_or_default();
                }
                for (name, value) in &variables.0 {
                    self.parameter.push(name.clone());
                    self.value.push(rows::written(value));
                }
            }
            Change::Parameters { parameters } => {
                self.what = What::Parameters;
                for row in parameters.iter().map(ParameterRow::of) {
                    self.parameter.push(row.name);
                    self.value.push(row.value);
                    self.kind.push(row.kind);
                }
            }
            // Made by a roll back, which begins at once: never a draft.
            Change::PreviousRelease | Change::PreviousParameters => {}
        }
    }

    /// What was written. Whether it makes sense is for `service` to say.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot be read, at the place of the request of the API.
    pub(super) fn fields(&self, groups: &Names) -> Result<RolloutFields, Error> {
        Ok(RolloutFields {
            name: self.name.trim().to_owned(),
            description: self.description.trim().to_owned(),
            change: self.change()?,
            audience: self.audience()?,
            plan: self.plan(groups)?,
        })
    }

    fn change(&self) -> Result<Change, Error> {
        match self.what {
            What::Release => Ok(Change::Release {
                version: match self.release.trim() {
                    "" => return Err(Error::invalid("/change/version", "Choose a release.")),
                    version => version.to_owned(),
                },
                routerboot: self.routerboot,
                downgrade: self.downgrade,
            }),
            What::Script => {
                let script = chosen(&self.script, "/change/artifact_id")?;
                let none = || Error::invalid("/change/artifact_id", "Choose a script.");
                Ok(Change::Script {
                    artifact_id: script.ok_or_else(none)?,
                    undo_artifact_id: chosen(&self.undo, "/change/undo_artifact_id")?,
                })
            }
            What::Template => self.template_change(),
            What::Parameters => {
                let rows = self.filled_parameters().into_iter();
                let parameters = rows.map(ParameterRow::parameter).collect::<Result<_, _>>()?;
                Ok(Change::Parameters { parameters })
            }
        }
    }

    fn template_change(&self) -> Result<Change, Error> {
        let template = match self.template.trim() {
            "" => return Err(Error::invalid("/change/template", "Choose a template.")),
            name => name.to_owned(),
        };
        let undo = match self.undo.trim() {
            "" => None,
            name => Some(UndoTemplate {
                template: name.to_owned(),
                version: numbered(&self.undo_version, "/change/undo/version")?,
                template_id: None,
            }),
        };
        let named = self.filled_parameters().into_iter();
        let variables = named.map(|row| (row.name.clone(), row.variable())).collect();
        Ok(Change::Template {
            template,
            version: numbered(&self.release, "/change/version")?,
            template_id: None,
            variables: Variables(variables),
            undo,
        })
    }

    fn audience(&self) -> Result<Audience, Error> {
        let selector = Some(self.selector.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Audience {
            group_id: chosen(&self.group, "/audience/group_id")?,
            selector,
            dynamic: self.dynamic,
            rollout_id: None,
        })
    }

    fn filled_parameters(&self) -> Vec<ParameterRow> {
        let count = self.parameter.len().max(self.value.len());
        let row = |i: usize| ParameterRow {
            name: rows::cell(&self.parameter, i),
            // A value is what was typed, blanks and all.
            value: self.value.get(i).cloned().unwrap_or_default(),
            kind: rows::cell(&self.kind, i),
        };
        (0..count).map(row).filter(|row| !row.is_blank()).collect()
    }

    /// What was sent, but for what was left empty, and rows for more.
    pub(super) fn parameters(&self) -> Vec<ParameterRow> {
        rows::with_blank(self.filled_parameters())
    }
}

/// The id that a choice stands for; none where nothing is chosen.
fn chosen(text: &str, pointer: &str) -> Result<Option<Uuid>, Error> {
    match text.trim() {
        "" => Ok(None),
        id => match Uuid::try_parse(id) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(Error::invalid(pointer, "Choose one that is offered.")),
        },
    }
}

/// The version of a template; none where none is written.
fn numbered(text: &str, pointer: &str) -> Result<Option<i32>, Error> {
    match text.trim() {
        "" => Ok(None),
        number => match number.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => {
                Err(Error::invalid(pointer, format!("`{number}` is no version of a template")))
            }
        },
    }
}

/// The field of the form that a place in the request of the API is shown in.
pub(super) fn field(pointer: &str) -> String {
    let mut parts = pointer.split('/').skip(1);
    let (part, place, below) = (parts.next(), parts.next(), parts.next());
    match (part, place, below) {
        (Some("change"), Some("version"), _) => "release",
        (Some("change"), Some("artifact_id"), _) => "script",
        (Some("change"), Some("undo_artifact_id" | "undo"), _) => "undo",
        (Some("change"), Some("template"), _) => "template",
        (Some("change"), ..) => "parameters",
        (Some("audience"), Some("group_id"), _) => "group",
        (Some("audience"), ..) => "selector",
        (Some("plan"), Some(place @ ("waves" | "blackout")), _) => place,
        (Some("plan"), Some(place), Some(below)) => return format!("{place}_{below}"),
        (Some("plan"), Some(place), None) => place,
        (Some(part), ..) => part,
        (None, ..) => "",
    }
    .to_owned()
}
