//! A parameter in the form of a profile: a row of fields of the same names. Pure.

use muster_cwmp::value::ValueType;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::fleet::profile::{Mode, Tolerance, Wanted};
use crate::fleet::secret::{MASK, is_secret};

/// A parameter as it is written. No `Debug`: it may be a secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::web::profiles) struct ParameterRow {
    pub(super) name: String,
    /// `variable`; anything else: the value itself.
    pub(super) source: String,
    pub(super) value: String,
    /// As XSD calls it; empty = the device's own.
    pub(super) kind: String,
    /// `exact`, `any_case`, `any_order` or `within`.
    pub(super) tolerance: String,
    /// How far off it may be.
    pub(super) by: String,
    /// `enforce`, `report` or `once`.
    pub(super) mode: String,
    /// By its name: what stands in it is not for everybody to see.
    pub(super) secret: bool,
}

/// What is wrong with the parameters.
pub(super) fn wrong(why: String) -> Error {
    Error::invalid("/desired/parameters", why)
}

impl ParameterRow {
    pub(super) fn is_blank(&self) -> bool {
        self.name.is_empty() && self.value.is_empty()
    }

    /// The row of a secret is empty: left so, it stays what it is.
    pub(super) fn of(name: &str, wanted: &Wanted) -> Self {
        let (source, value) = match (&wanted.value, &wanted.variable) {
            (_, Some(variable)) => ("variable", variable.clone()),
            (Some(value), None) if value == MASK && is_secret(name) => ("value", String::new()),
            (value, None) => ("value", value.clone().unwrap_or_default()),
        };
        let (tolerance, by) = match wanted.tolerance {
            Tolerance::Exact => ("exact", String::new()),
            Tolerance::AnyCase => ("any_case", String::new()),
            Tolerance::AnyOrder => ("any_order", String::new()),
            Tolerance::Within { by } => ("within", by.to_string()),
        };
        let mode = match wanted.mode {
            Mode::Enforce => "enforce",
            Mode::Report => "report",
            Mode::Once => "once",
        };
        let kind = wanted.kind.and_then(|kind| serde_json::to_value(kind).ok());
        Self {
            name: name.to_owned(),
            source: source.to_owned(),
            value,
            kind: kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default(),
            tolerance: tolerance.to_owned(),
            by,
            mode: mode.to_owned(),
            secret: is_secret(name),
        }
    }

    /// # Errors
    /// [`Error::Invalid`] at `/desired/parameters`.
    pub(super) fn wanted(self) -> Result<Wanted, Error> {
        let kind = self.kind()?;
        let tolerance = self.tolerance()?;
        let mode = match self.mode.as_str() {
            "report" => Mode::Report,
            "once" => Mode::Once,
            _ => Mode::Enforce,
        };
        let (value, variable) = match self.source.as_str() {
            "variable" => (None, Some(self.value.trim().to_owned())),
            _ if self.value.is_empty() && is_secret(&self.name) => (Some(MASK.to_owned()), None),
            _ => (Some(self.value), None),
        };
        Ok(Wanted { value, variable, kind, tolerance, mode })
    }

    fn kind(&self) -> Result<Option<ValueType>, Error> {
        if self.kind.is_empty() {
            return Ok(None);
        }
        let kind = serde_json::from_value(Value::String(self.kind.clone()));
        kind.map(Some).map_err(|_| wrong(format!("{}: no type `{}`", self.name, self.kind)))
    }

    fn tolerance(&self) -> Result<Tolerance, Error> {
        match self.tolerance.as_str() {
            "any_case" => Ok(Tolerance::AnyCase),
            "any_order" => Ok(Tolerance::AnyOrder),
            "within" => {
                // Also with a comma, as many write it.
                let by = self.by.replace(',', ".").parse::<f64>().ok();
                let none = || wrong(format!("{}: say by how much it may differ", self.name));
                Ok(Tolerance::Within { by: by.ok_or_else(none)? })
            }
            _ => Ok(Tolerance::Exact),
        }
    }
}
