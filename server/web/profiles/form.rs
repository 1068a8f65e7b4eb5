//! What the form of a profile sends, and what it shows again: all of it as text, so that what was
//! typed stays as it was typed. Pure.
//!
//! `row`: a parameter.

mod row;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use self::row::ParameterRow;
use super::values::Given;
use crate::error::Error;
use crate::fleet::profile::{Backup, Desired, TemplateUse, Wanted};
use crate::fleet::secret::is_secret;
use crate::service::profiles::{ProfileFields, View};
use crate::web::manage::version;

/// Empty rows behind the filled ones.
const BLANK: usize = 2;

/// The form. No `Debug`: a value may be a secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ProfileForm {
    /// The profile that is changed; none = a new one.
    pub(super) id: Option<Uuid>,
    /// The version of it for which the form was filled in.
    pub(super) version: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) enforce: bool,
    parameter: Vec<String>,
    source: Vec<String>,
    value: Vec<String>,
    kind: Vec<String>,
    tolerance: Vec<String>,
    by: Vec<String>,
    mode: Vec<String>,
    /// Its id; empty = none.
    pub(super) template: String,
    /// Empty = the newest.
    pub(super) template_version: String,
    /// What is said of variables; fields of their own.
    #[serde(skip)]
    pub(super) given: Given,
    release: String,
    inform_interval_seconds: String,
    backup_every_hours: String,
    backup_before_changes: bool,
    rotate_credentials_days: String,
    check_every_hours: String,
}

impl ProfileForm {
    /// An empty one.
    pub(super) fn blank(template: String) -> Self {
        Self { enforce: true, backup_before_changes: true, template, ..Self::default() }
    }

    /// Of a profile. What variables have a field follows from its template, so all of them stand with
    /// the others here.
    pub(super) fn of(view: &View) -> Self {
        let (profile, desired) = (&view.profile, &view.desired);
        let mut form = Self {
            id: Some(profile.profile_id),
            version: version(profile.updated_at),
            name: profile.name.clone(),
            description: profile.description.clone(),
            enforce: profile.enforce,
            release: desired.release.clone().unwrap_or_default(),
            inform_interval_seconds: text(desired.inform_interval_seconds),
            backup_every_hours: text(desired.backup.map(|backup| backup.every_hours)),
            backup_before_changes: desired.backup.is_none_or(|backup| backup.before_changes),
            rotate_credentials_days: text(desired.rotate_credentials_days),
            check_every_hours: text(desired.check_every_hours),
            given: Given::of(&desired.variables),
            ..Self::default()
        };
        if let Some(template) = &desired.template {
            form.template = template.template_id.to_string();
            form.template_version = text(template.version);
        }
        for (name, wanted) in &desired.parameters {
            form.push(ParameterRow::of(name, wanted));
        }
        form
    }

    fn push(&mut self, row: ParameterRow) {
        self.parameter.push(row.name);
        self.source.push(row.source);
        self.value.push(row.value);
        self.kind.push(row.kind);
        self.tolerance.push(row.tolerance);
        self.by.push(row.by);
        self.mode.push(row.mode);
    }

    /// The template with the version that is asked for; none where none is chosen.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/desired/template`.
    pub(super) fn template(&self) -> Result<Option<TemplateUse>, Error> {
        let id = match self.template.trim() {
            "" => return Ok(None),
            id => Uuid::try_parse(id),
        };
        let wrong = |_| Error::invalid("/desired/template", "Choose one that is offered.");
        let template_id = id.map_err(wrong)?;
        let version = number(&self.template_version, "/desired/template/version")?;
        Ok(Some(TemplateUse { template_id, version }))
    }

    /// What was written. Whether it makes sense is for `service` to say.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot be read, at the place of the request of the API.
    pub(super) fn fields(&self) -> Result<ProfileFields, Error> {
        let hours = number(&self.backup_every_hours, "/desired/backup/every_hours")?;
        let backup =
            |every_hours| Backup { every_hours, before_changes: self.backup_before_changes };
        let release = Some(self.release.trim().to_owned()).filter(|version| !version.is_empty());
        let seconds = number(&self.inform_interval_seconds, "/desired/inform_interval_seconds")?;
        let days = number(&self.rotate_credentials_days, "/desired/rotate_credentials_days")?;
        let desired = Desired {
            parameters: self.wanted()?,
            template: self.template()?,
            variables: self.given.read()?,
            release,
            inform_interval_seconds: seconds,
            backup: hours.map(backup),
            rotate_credentials_days: days,
            check_every_hours: number(&self.check_every_hours, "/desired/check_every_hours")?,
        };
        Ok(ProfileFields {
            name: Some(self.name.trim().to_owned()),
            description: Some(self.description.trim().to_owned()),
            enforce: Some(self.enforce),
            desired: Some(desired),
        })
    }

    fn wanted(&self) -> Result<BTreeMap<String, Wanted>, Error> {
        let mut all = BTreeMap::new();
        for row in self.filled() {
            let name = row.name.clone();
            if name.is_empty() {
                return Err(row::wrong("a value without the name of its parameter".to_owned()));
            }
            if all.insert(name.clone(), row.wanted()?).is_some() {
                return Err(row::wrong(format!("{name} stands there twice")));
            }
        }
        Ok(all)
    }

    fn filled(&self) -> Vec<ParameterRow> {
        let cell = |column: &[String], i: usize| column.get(i).cloned().unwrap_or_default();
        let row = |i: usize| ParameterRow {
            secret: is_secret(cell(&self.parameter, i).trim()),
            name: cell(&self.parameter, i).trim().to_owned(),
            source: cell(&self.source, i),
            // A value is what was typed, blanks and all.
            value: cell(&self.value, i),
            kind: cell(&self.kind, i).trim().to_owned(),
            tolerance: cell(&self.tolerance, i),
            by: cell(&self.by, i).trim().to_owned(),
            mode: cell(&self.mode, i),
        };
        let count = self.parameter.len().max(self.value.len());
        (0..count).map(row).filter(|row| !row.is_blank()).collect()
    }

    /// What was sent, but for what was left empty, and rows for more.
    pub(super) fn parameters(&self) -> Vec<ParameterRow> {
        let mut rows = self.filled();
        rows.extend((0..BLANK).map(|_| ParameterRow::default()));
        rows
    }
}

fn text<T: ToString>(number: Option<T>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// Empty = not said.
fn number<T: FromStr>(text: &str, pointer: &str) -> Result<Option<T>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |_| Error::invalid(pointer, format!("`{text}` is no whole number."));
    text.parse().map(Some).map_err(wrong)
}

/// The field of the form that a place in the request of the API is shown in; empty = none of them.
pub(super) fn field(pointer: &str) -> &str {
    let mut parts = pointer.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("desired"), Some("variables")) => "others",
        (Some("desired"), Some("template")) if pointer.ends_with("/version") => "template_version",
        (Some("desired"), Some("backup")) => "backup_every_hours",
        (Some("desired"), Some(part)) => part,
        (Some("desired" | "given"), None) | (None, _) => "",
        (Some(part), _) => part,
    }
}

/// The parameter of which a place in the request of the API speaks.
pub(super) fn parameter(pointer: &str) -> Option<String> {
    let rest = pointer.strip_prefix("/desired/parameters/")?;
    let name = rest.split('/').next()?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}
