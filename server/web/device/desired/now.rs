//! How far a device is from what is wanted of it, and what that is: the part of the page that changes
//! by itself.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Known;
use crate::desired::differ::Difference;
use crate::desired::effective::{Effective, Layered, Source};
use crate::fleet::profile::{Mode, Wanted};
use crate::service::desired::View;
use crate::store::desired::Row;
use crate::web::format::When;
use crate::web::profiles::{path, words};

/// Lines of a script that are told when the device could not run them.
const LINES: usize = 20;

/// All of it.
#[derive(Serialize)]
pub(super) struct Now {
    id: Uuid,
    may_operate: bool,
    state: &'static str,
    label: &'static str,
    reason: String,
    facts: Vec<Told>,
    script: Option<Script>,
    /// Why it cannot undo a script by itself; empty = it can, or is to get none.
    rescue: String,
    differences: Vec<Differs>,
    ignored: Vec<String>,
    wanted: Vec<Part>,
}

/// For `ui.facts`.
#[derive(Debug, Serialize)]
struct Told {
    label: &'static str,
    value: String,
    at: Option<When>,
}

/// The script that it took last, or is to take.
#[derive(Debug, Serialize)]
struct Script {
    template: String,
    href: String,
    version: String,
    at: Option<When>,
    /// The job that brings it; empty = there is none.
    job: String,
    /// A word of the style sheet, and what the device said.
    state: &'static str,
    words: String,
    /// What it could not run.
    failed: Vec<String>,
}

/// Something that differs.
#[derive(Debug, Serialize)]
struct Differs {
    name: String,
    /// What it is, as people call it.
    label: String,
    wanted: String,
    seen: String,
    words: String,
    layer: String,
    mended: bool,
    /// What the device has can be accepted here.
    acceptable: bool,
    /// Where more of it stands; empty = nowhere.
    href: String,
}

/// Things that are wanted.
#[derive(Debug, Serialize)]
struct Part {
    title: &'static str,
    rows: Vec<Asked>,
}

/// Something that is wanted, and who says so.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Asked {
    name: String,
    value: String,
    /// What is done about a difference, where that is not to mend it.
    note: String,
    from: String,
    /// The profile; empty = it is none.
    href: String,
}

impl Now {
    pub(super) fn of(known: &Known, may_operate: bool, now: DateTime<Utc>) -> Self {
        let (view, row) = (&known.view, &known.view.row);
        let (state, label) = words::state(&row.state);
        let differences = row.differences.0.iter();
        Self {
            id: view.device_id,
            may_operate,
            state,
            label,
            reason: row.reason.clone().unwrap_or_default(),
            facts: facts(row, now),
            script: script(row, view.template.as_deref(), now),
            rescue: rescue(view),
            differences: differences
                .map(|one| differs(one, &view.effective, view.device_id))
                .collect(),
            ignored: view.wants.ignored.clone(),
            wanted: wanted(&view.effective, known),
        }
    }
}

fn facts(row: &Row, now: DateTime<Utc>) -> Vec<Told> {
    let at = |label, at: Option<DateTime<Utc>>| Told {
        label,
        value: String::new(),
        at: at.map(|at| When::new(at, now)),
    };
    let attempts = match row.attempts {
        0 => String::new(),
        n => format!("{n} in a row"),
    };
    vec![
        at("Compared", row.compared_at),
        at("Differs since", row.drifted_at),
        at("Compared next", row.due_at),
        Told { label: "Failed attempts", value: attempts, at: None },
    ]
}

fn script(row: &Row, template: Option<&str>, now: DateTime<Utc>) -> Option<Script> {
    let id = row.script_template?;
    let failed = failed(row.script_report.as_ref());
    let done = row.script_report.as_ref().is_some_and(|report| report["done"] == true);
    let silent = row.script_report.as_ref().is_some_and(|report| report["silent"] == true);
    let (state, words) = match (row.script_report.is_some(), failed.is_empty(), done) {
        (false, ..) => ("waiting", "the device has said nothing of it yet"),
        (true, ..) if silent => ("warn", "nobody knows what became of it"),
        (true, false, _) => ("failed", "the device could not run all of it"),
        (true, true, true) => ("done", "the device ran it whole"),
        (true, true, false) => ("warn", "the device did not come to its end"),
    };
    Some(Script {
        template: template.map_or_else(|| id.to_string(), str::to_owned),
        href: format!("/templates/{id}"),
        version: row.script_version.map(|version| version.to_string()).unwrap_or_default(),
        at: row.script_at.map(|at| When::new(at, now)),
        job: row.script_job.map(|job| format!("/jobs/{job}")).unwrap_or_default(),
        state,
        words: words.to_owned(),
        failed,
    })
}

/// What is to be said of a device that is to get a script and has no way back.
fn rescue(view: &View) -> String {
    let why = view.rescue.as_ref().filter(|_| view.effective.template.is_some());
    why.cloned().unwrap_or_default()
}

/// The lines that the device could not run.
fn failed(report: Option<&Value>) -> Vec<String> {
    let failed = report.and_then(|report| report["failed"].as_array());
    let line = |one: &Value| {
        let words = one["words"].as_str().unwrap_or_default();
        // Of the whole.
        if one["line"] == 0 {
            return words.to_owned();
        }
        let line = format!("line {}: {words}", one["line"].as_u64().unwrap_or_default());
        line.trim_end_matches([':', ' ']).to_owned()
    };
    failed.into_iter().flatten().take(LINES).map(line).collect()
}

fn differs(one: &Difference, effective: &Effective, device_id: Uuid) -> Differs {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let label = match one.name.as_str() {
        "template" => "The script",
        "release" => "RouterOS",
        "configuration" => "The configuration",
        name => name,
    };
    Differs {
        label: label.to_owned(),
        wanted: text(&one.wanted),
        seen: text(&one.seen),
        words: one.words.clone(),
        layer: one.layer.clone(),
        mended: one.mended,
        acceptable: effective.parameters.contains_key(&one.name),
        href: match one.name.as_str() {
            "configuration" => format!("/devices/{device_id}/backups"),
            _ => String::new(),
        },
        name: one.name.clone(),
    }
}

/// All that is wanted, part by part; a part without anything is left out.
fn wanted(effective: &Effective, known: &Known) -> Vec<Part> {
    let parameters = effective.parameters.iter().map(|(name, wanted)| {
        let mode = if wanted.enforce { wanted.value.mode } else { Mode::Report };
        let note = if mode == Mode::Enforce { "" } else { words::mode(mode) };
        let same = words::tolerance(wanted.value.tolerance);
        let note: Vec<&str> = [note, &same].into_iter().filter(|part| !part.is_empty()).collect();
        asked(name, parameter(name, &wanted.value, effective), note.join(", "), &wanted.from)
    });
    let variables = effective.variables.iter().map(|(name, said)| {
        asked(name, words::value(name, &said.value), String::new(), &said.from)
    });
    let parts = [
        Part { title: "The device", rows: whole(effective, known) },
        Part { title: "Parameters", rows: parameters.collect() },
        Part { title: "Variables", rows: variables.collect() },
    ];
    parts.into_iter().filter(|part| !part.rows.is_empty()).collect()
}

/// What a parameter is to be; of a variable also its value.
fn parameter(name: &str, wanted: &Wanted, effective: &Effective) -> String {
    let said = words::is_to_be(name, wanted);
    let variable = wanted.variable.as_ref();
    match variable.and_then(|variable| Some((variable, effective.variables.get(variable)?))) {
        Some((variable, value)) => format!("{said}: {}", words::value(variable, &value.value)),
        None => said,
    }
}

/// What is wanted of the device as a whole.
fn whole(effective: &Effective, known: &Known) -> Vec<Asked> {
    fn row<T>(name: &str, said: Option<&Layered<T>>, say: impl Fn(&T) -> String) -> Option<Asked> {
        let said = said?;
        let note = if said.enforce { "" } else { words::mode(Mode::Report) };
        Some(asked(name, say(&said.value), note.to_owned(), &said.from))
    }
    let template = known.template.as_ref();
    let name = template.map(|template| template.template.name.clone());
    let rows = [
        row("Template", effective.template.as_ref(), |wanted| {
            let name = name.clone().unwrap_or_else(|| wanted.template_id.to_string());
            match wanted.version {
                Some(version) => format!("{name}, version {version}"),
                None => name,
            }
        }),
        row("RouterOS when it is new", effective.release.as_ref(), String::clone),
        row("It informs", effective.inform_interval_seconds.as_ref(), |s| words::interval(*s)),
        row("Its configuration is kept", effective.backup.as_ref(), |b| words::backup(*b)),
        row("Credentials", effective.rotate_credentials_days.as_ref(), |d| words::rotation(*d)),
        row("Parameters are read", effective.check_every_hours.as_ref(), |h| words::check(*h)),
    ];
    rows.into_iter().flatten().collect()
}

fn asked(name: &str, value: String, note: String, from: &Source) -> Asked {
    Asked {
        name: name.to_owned(),
        value,
        note,
        from: from.words(),
        href: from.profile_id.map(path).unwrap_or_default(),
    }
}

/// With all that there can be, or with nothing, for the tests of the pages.
#[cfg(test)]
pub(super) fn sample(full: bool) -> Now {
    let known = tests::known(full);
    Now::of(&known, full, DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
