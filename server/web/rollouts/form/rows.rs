//! The parts of the builder of which there are several: waves, days without changes, parameters. Each
//! is a row of fields of the same names, in order; a row that is left empty is none. Pure.

use muster_cwmp::value::ValueType;
use serde::Serialize;
use serde_json::Value;

use super::super::words::Names;
use crate::error::Error;
use crate::fleet::secret::is_secret;
use crate::jobs::spec::SetParameter;
use crate::rollout::plan::{Blackout, Take, Wave};

/// Empty rows behind the filled ones.
const BLANK: usize = 2;

/// A wave as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::web::rollouts) struct WaveRow {
    pub(super) name: String,
    /// `percent`, `count`, `rest`, `group`, `site`, `devices`; empty = there is no such wave.
    pub(super) take: String,
    /// How many, or which.
    pub(super) what: String,
    pub(super) soak: String,
    /// `yes`: it waits until somebody approves it.
    pub(super) approval: String,
}

/// A parameter as it is written, or a value for a template, which has no type.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::web::rollouts) struct ParameterRow {
    pub(super) name: String,
    pub(super) value: String,
    /// As XSD calls it; empty = the device's own.
    pub(super) kind: String,
}

/// Days without changes as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::web::rollouts) struct DaysRow {
    pub(super) from: String,
    pub(super) to: String,
}

/// The filled rows, and a few empty ones.
pub(super) fn with_blank<R: Default>(rows: impl IntoIterator<Item = R>) -> Vec<R> {
    let mut rows: Vec<R> = rows.into_iter().collect();
    rows.extend((0..BLANK).map(|_| R::default()));
    rows
}

/// What stands in a row of a column.
pub(super) fn cell(column: &[String], row: usize) -> String {
    column.get(row).map(|text| text.trim().to_owned()).unwrap_or_default()
}

impl WaveRow {
    pub(super) fn is_blank(&self) -> bool {
        [&self.name, &self.take, &self.what, &self.soak].iter().all(|text| text.is_empty())
    }

    pub(super) fn of(wave: &Wave, groups: &Names) -> Self {
        let (take, what) = match &wave.take {
            Take::Devices(devices) => ("devices", devices.join(" ")),
            Take::Count(count) => ("count", count.to_string()),
            Take::Percent(percent) => ("percent", percent.to_string()),
            Take::Group(group) => ("group", groups.of(*group)),
            Take::Site(site) => ("site", site.clone()),
            Take::Rest => ("rest", String::new()),
        };
        Self {
            name: wave.name.clone().unwrap_or_default(),
            take: take.to_owned(),
            what,
            soak: wave.soak_minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
            approval: if wave.approval { "yes" } else { "no" }.to_owned(),
        }
    }

    /// The wave; `row` is its place, from 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/plan/waves`.
    pub(super) fn wave(&self, row: usize, groups: &Names) -> Result<Wave, Error> {
        let wrong = |why: String| Error::invalid("/plan/waves", format!("Wave {}: {why}", row + 1));
        let number = |unit: &str| wrong(format!("`{}` is no {unit}", self.what));
        let take = match self.take.as_str() {
            "percent" => Take::Percent(percent(&self.what).ok_or_else(|| number("percentage"))?),
            "count" => Take::Count(self.what.parse().map_err(|_| number("number of devices"))?),
            "group" => {
                let unknown = || wrong(format!("there is no group `{}`", self.what));
                Take::Group(groups.id(&self.what).ok_or_else(unknown)?)
            }
            "site" => Take::Site(self.what.clone()),
            "devices" => Take::Devices(devices(&self.what)),
            "rest" => Take::Rest,
            _ => return Err(wrong("say what it takes".to_owned())),
        };
        let soak = match self.soak.as_str() {
            "" => None,
            text => {
                let minutes = text.parse();
                Some(minutes.map_err(|_| wrong(format!("`{text}` is no number of minutes")))?)
            }
        };
        Ok(Wave {
            name: Some(self.name.clone()).filter(|name| !name.is_empty()),
            take,
            approval: self.approval == "yes",
            soak_minutes: soak,
        })
    }
}

/// A finite number; also with a comma, as many write it.
pub(super) fn percent(text: &str) -> Option<f64> {
    text.replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Devices by their ids, or by their serial numbers, with `serial:` or without.
fn devices(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let named =
        |word: &str| match word.starts_with("serial:") || uuid::Uuid::try_parse(word).is_ok() {
            true => word.to_owned(),
            false => format!("serial:{word}"),
        };
    words.filter(|word| !word.is_empty()).map(named).collect()
}

/// The value of a variable as people write it.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

impl ParameterRow {
    pub(super) fn is_blank(&self) -> bool {
        self.name.is_empty() && self.value.is_empty()
    }

    pub(super) fn of(parameter: &SetParameter) -> Self {
        let kind = parameter.kind.and_then(|kind| serde_json::to_value(kind).ok());
        Self {
            name: parameter.name.clone(),
            value: parameter.value.clone(),
            kind: kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default(),
        }
    }

    /// As the value of a variable: text, unless a list is written. What a number or a yes is, whoever
    /// declares the variable says.
    pub(super) fn variable(&self) -> Value {
        let list = self.value.starts_with('[') && !is_secret(&self.name);
        let read = list.then(|| serde_json::from_str(&self.value).ok()).flatten();
        read.unwrap_or_else(|| Value::from(self.value.as_str()))
    }

    /// # Errors
    /// [`Error::Invalid`] at `/change/parameters`.
    pub(super) fn parameter(self) -> Result<SetParameter, Error> {
        let kind: Option<ValueType> = match self.kind.as_str() {
            "" => None,
            word => {
                let kind = serde_json::from_value(Value::String(word.to_owned()));
                let wrong = |_| {
                    Error::invalid("/change/parameters", format!("{}: no type `{word}`", self.name))
                };
                Some(kind.map_err(wrong)?)
            }
        };
        Ok(SetParameter { name: self.name, value: self.value, kind })
    }
}

impl DaysRow {
    pub(super) fn is_blank(&self) -> bool {
        self.from.is_empty() && self.to.is_empty()
    }

    pub(super) fn of(days: &Blackout) -> Self {
        Self { from: days.from.to_string(), to: days.to.to_string() }
    }

    /// One day where only one is named.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/plan/blackout`.
    pub(super) fn days(&self) -> Result<Blackout, Error> {
        let day = |text: &str, other: &str| {
            let text = if text.is_empty() { other } else { text };
            let wrong = |_| {
                Error::invalid("/plan/blackout", format!("`{text}` is no day such as 2026-12-24"))
            };
            text.parse::<chrono::NaiveDate>().map_err(wrong)
        };
        Ok(Blackout { from: day(&self.from, &self.to)?, to: day(&self.to, &self.from)? })
    }
}
