//! `muster desired`: what is wanted of single devices, how far they are from it, and the sweeps that
//! bring a change of it through the fleet.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::devices::{Assignment, assignment, named};
use super::http::{Answer, Api, List, Span};
use super::output::{compact, fields, joined, list, maybe, maybe_time, show, table, time};
use super::profiles::value_of;
use super::sites::variable;

/// `muster desired`. DEVICE is a serial number, or a device's id.
#[derive(Debug, Subcommand)]
pub enum Desired {
    /// Show what is wanted of a device, which layer says so, and what differs.
    Get {
        /// Serial number or id.
        device: String,
    },
    /// Want something else of a device alone.
    Change {
        /// Serial number or id.
        device: String,
        #[command(flatten)]
        change: Change,
    },
    /// Read from a device what is wanted of it, and compare it.
    Compare {
        /// Serial number or id.
        device: String,
    },
    /// Put a device back to what is wanted of it, also what it was left alone with.
    Reapply {
        /// Serial number or id.
        device: String,
    },
    /// Want of a device from now on what it has.
    Accept {
        /// Serial number or id.
        device: String,
        /// Parameters that differ.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Hear no more of differences of a device.
    Ignore {
        /// Serial number or id.
        device: String,
        /// Parameters, or template, release or configuration.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Hear of them again.
    Heed {
        /// Serial number or id.
        device: String,
        /// As they were ignored.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// List devices that are not as they are wanted.
    Drift {
        /// Only those in this state.
        #[arg(long)]
        state: Option<State>,
        /// Only those at this site and below.
        #[arg(long, value_name = "PATH")]
        under: Option<String>,
        /// Only those of which this differs.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Count devices by how far they are from what is wanted.
    Count,
    /// List changes of what is wanted on their way through the fleet, newest first.
    Sweeps {
        #[command(flatten)]
        span: Span,
    },
    /// Show such a change, pause it, let it go on, call it off, or change its pace.
    Sweep {
        /// Its id.
        sweep: Uuid,
        /// Whether it goes on.
        #[arg(long)]
        state: Option<Order>,
        /// Devices a second.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        pace: Option<u32>,
    },
}

/// A state in which something differs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum State {
    /// It is being mended.
    Pending,
    /// It is only told.
    Drifted,
    /// Something is in the way.
    Blocked,
}

/// What becomes of a sweep.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Order {
    /// It goes on.
    Running,
    /// It stays where it is.
    Paused,
    /// It ends.
    Cancelled,
}

/// What is to become of it.
#[derive(Debug, Default, Args)]
#[group(id = "wanted", required = true, multiple = true)]
pub struct Change {
    /// Name of the profile that is bound to the device itself.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// None is.
    #[arg(long, conflicts_with = "profile")]
    no_profile: bool,
    /// A parameter, over what profiles say; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    parameters: Vec<Assignment>,
    /// A parameter of which only profiles say something again; may be repeated.
    #[arg(long = "unset", value_name = "NAME")]
    unset: Vec<String>,
    /// A variable of the device; may be repeated. Without a value it is taken away; a value that is
    /// JSON is taken as such.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,
}

#[derive(Debug, Deserialize)]
struct Standing {
    state: String,
    reason: Option<String>,
    differences: Vec<Difference>,
    drifted_at: Option<DateTime<Utc>>,
    compared_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    effective: Value,
    wants: Wants,
    script: Option<Script>,
    rescue: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Difference {
    name: String,
    wanted: Option<String>,
    seen: Option<String>,
    words: String,
    mended: bool,
}

#[derive(Debug, Deserialize)]
struct Wants {
    profile: Option<String>,
    ignored: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Script {
    template: Option<String>,
    version: Option<i32>,
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Drifted {
    serial: String,
    site: Option<String>,
    state: String,
    reason: Option<String>,
    differences: Vec<Difference>,
    drifted_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Counts {
    states: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Sweep {
    sweep_id: Uuid,
    reason: String,
    selector: Option<String>,
    state: String,
    per_second: u32,
    seen: u64,
    differing: u64,
    created_by: String,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl Change {
    /// The body of a request: a merge patch.
    fn patch(self) -> Value {
        let mut patch = Map::new();
        if self.profile.is_some() || self.no_profile {
            patch.insert("profile".to_owned(), Value::from(self.profile));
        }
        let set = self.parameters.into_iter();
        let set = set.map(|p| (p.name, json!({ "value": p.value, "variable": null })));
        let unset = self.unset.into_iter().map(|name| (name, Value::Null));
        let overrides: Map<String, Value> = set.chain(unset).collect();
        let variables: Map<String, Value> = self.variables.into_iter().collect();
        for (field, values) in [("overrides", overrides), ("variables", variables)] {
            if !values.is_empty() {
                patch.insert(field.to_owned(), Value::Object(values));
            }
        }
        Value::Object(patch)
    }
}

pub(super) async fn run(api: &Api, command: Desired) -> anyhow::Result<()> {
    match command {
        Desired::Get { device } => {
            show(api, &api.get(&["devices", &named(&device), "desired"], &[]).await?, standing)
        }
        Desired::Change { device, change } => {
            let path = ["devices", &named(&device), "desired"];
            show(api, &api.call(Method::PATCH, &path, Some(&change.patch())).await?, standing)
        }
        Desired::Compare { device } => order(api, &device, "compare", None).await,
        Desired::Reapply { device } => order(api, &device, "reapply", None).await,
        Desired::Accept { device, names } => order(api, &device, "accept", Some(names)).await,
        Desired::Ignore { device, names } => order(api, &device, "ignore", Some(names)).await,
        Desired::Heed { device, names } => heed(api, &device, &names).await,
        Desired::Drift { state, under, name, span } => {
            let state = state.map(word);
            let query = [("state", &state), ("under", &under), ("name", &name)];
            let said = query.into_iter().filter_map(|(n, text)| Some((n, text.as_deref()?)));
            let drift = List { path: vec!["drift"], query: said.collect(), cursor: "after" };
            let header = ["serial", "site", "state", "since", "differs", "reason"];
            list(api, &drift, &span, &header, drifted).await
        }
        Desired::Count => show(api, &api.get(&["drift", "count"], &[]).await?, counts),
        Desired::Sweeps { span } => {
            let sweeps = List { path: vec!["sweeps"], query: Vec::new(), cursor: "before" };
            let header = ["sweep_id", "state", "seen", "differing", "created_at", "reason"];
            list(api, &sweeps, &span, &header, sweep_row).await
        }
        Desired::Sweep { sweep, state, pace } => {
            let id = sweep.to_string();
            let path = ["sweeps", id.as_str()];
            show(api, &changed(api, &path, state, pace).await?, sweep_view)
        }
    }
}

/// The word of a choice.
fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

async fn order(
    api: &Api,
    device: &str,
    what: &str,
    names: Option<Vec<String>>,
) -> anyhow::Result<()> {
    let body = names.map(|names| json!({ "names": names }));
    let path = ["devices", &named(device), "desired", what];
    show(api, &api.call(Method::POST, &path, body.as_ref()).await?, standing)
}

async fn heed(api: &Api, device: &str, names: &[String]) -> anyhow::Result<()> {
    let path = ["devices", &named(device), "desired"];
    let now: Standing = api.get(&path, &[]).await?.read()?;
    let mut ignored = now.wants.ignored;
    ignored.retain(|name| !names.contains(name));
    let body = json!({ "ignored": ignored });
    show(api, &api.call(Method::PATCH, &path, Some(&body)).await?, standing)
}

async fn changed(
    api: &Api,
    path: &[&str],
    state: Option<Order>,
    pace: Option<u32>,
) -> anyhow::Result<Answer> {
    let mut patch = Map::new();
    patch.extend(state.map(|order| ("state".to_owned(), Value::from(word(order)))));
    patch.extend(pace.map(|pace| ("per_second".to_owned(), Value::from(pace))));
    if patch.is_empty() {
        return api.get(path, &[]).await;
    }
    api.call(Method::PATCH, path, Some(&Value::Object(patch))).await
}

fn standing(s: Standing) -> String {
    let script = s.script.map(|script| {
        let version = script.version.map(|v| format!(" version {v}")).unwrap_or_default();
        format!("{}{version}, {}", maybe(script.template), maybe_time(script.at))
    });
    let mut text = fields(&[
        ("state", s.state),
        ("reason", maybe(s.reason)),
        ("compared_at", maybe_time(s.compared_at)),
        ("drifted_at", maybe_time(s.drifted_at)),
        ("due_at", maybe_time(s.due_at)),
        ("profile", maybe(s.wants.profile)),
        ("ignored", joined(&s.wants.ignored)),
        ("script", maybe(script)),
        ("rescue", maybe(s.rescue)),
    ]);
    for part in [differences(&s.differences), effective(&s.effective)].into_iter().flatten() {
        text = format!("{text}\n\n{part}");
    }
    text
}

fn differences(differences: &[Difference]) -> Option<String> {
    let row = |d: &Difference| {
        let (wanted, seen) = (maybe(d.wanted.clone()), maybe(d.seen.clone()));
        let mended = if d.mended { "being mended" } else { "only reported" };
        vec![d.name.clone(), wanted, seen, mended.to_owned(), d.words.clone()]
    };
    let rows: Vec<Vec<String>> = differences.iter().map(row).collect();
    let header = ["differs", "wanted", "seen", "done", "why"];
    (!rows.is_empty()).then(|| table(&header, &rows))
}

/// What is wanted, a line for each, with the layer that says so.
fn effective(effective: &Value) -> Option<String> {
    let rows = effective_rows(effective);
    (!rows.is_empty()).then(|| table(&["wants", "value", "layer", "profile"], &rows))
}

fn effective_rows(effective: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let row = |name: String, value: String, layered: &Value| {
        let from = &layered["from"];
        let place = from["site"].as_str().or(from["group"].as_str());
        let layer = compact(&from["layer"]);
        let layer = place.map_or(layer.clone(), |place| format!("{layer} {place}"));
        vec![name, value, layer, compact(&from["profile"])]
    };
    for (field, value) in effective.as_object().into_iter().flatten() {
        match (field.as_str(), value.as_object()) {
            (_, None) => {}
            ("parameters", Some(parameters)) => rows.extend(
                parameters.iter().map(|(n, of)| row(n.clone(), value_of(&of["value"]), of)),
            ),
            ("variables", Some(variables)) => rows.extend(
                variables.iter().map(|(n, of)| row(format!("${n}"), compact(&of["value"]), of)),
            ),
            (field, Some(_)) => rows.push(row(field.to_owned(), compact(&value["value"]), value)),
        }
    }
    rows
}

fn drifted(d: Drifted) -> Vec<String> {
    let names: Vec<String> = d.differences.into_iter().map(|one| one.name).collect();
    let since = maybe_time(d.drifted_at);
    vec![d.serial, maybe(d.site), d.state, since, joined(&names), maybe(d.reason)]
}

fn counts(counts: Counts) -> String {
    let rows: Vec<(String, String)> =
        counts.states.into_iter().map(|(state, devices)| (state, devices.to_string())).collect();
    fields(&rows)
}

fn sweep_row(s: Sweep) -> Vec<String> {
    let (seen, differing) = (s.seen.to_string(), s.differing.to_string());
    vec![s.sweep_id.to_string(), s.state, seen, differing, time(s.created_at), s.reason]
}

fn sweep_view(s: Sweep) -> String {
    fields(&[
        ("sweep_id", s.sweep_id.to_string()),
        ("reason", s.reason),
        ("selector", maybe(s.selector)),
        ("state", s.state),
        ("per_second", s.per_second.to_string()),
        ("seen", s.seen.to_string()),
        ("differing", s.differing.to_string()),
        ("created_by", s.created_by),
        ("created_at", time(s.created_at)),
        ("finished_at", maybe_time(s.finished_at)),
    ])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_what_is_said_is_changed() {
        assert_eq!(Change::default().patch(), json!({}));
        let change = Change { no_profile: true, ..Change::default() };
        assert_eq!(change.patch(), json!({ "profile": null }));
        let change = Change {
            profile: Some("home".to_owned()),
            parameters: vec![assignment("Device.A=1").unwrap()],
            unset: vec!["Device.B".to_owned()],
            variables: vec![variable("vlan=20").unwrap()],
            ..Change::default()
        };
        let expected = json!({
            "profile": "home", "variables": { "vlan": 20 },
            "overrides": { "Device.A": { "value": "1", "variable": null }, "Device.B": null },
        });
        assert_eq!(change.patch(), expected);
    }

    #[test]
    fn a_device_that_cannot_undo_a_script_is_told_with_the_reason() {
        let of = |rescue: Value| {
            let wants = json!({ "profile": null, "ignored": [] });
            let answer = json!({ "state": "in_sync", "differences": [], "effective": {},
                                 "wants": wants, "rescue": rescue });
            standing(serde_json::from_value(answer).unwrap())
        };
        let told = |text: &str, why: &str| {
            text.lines().any(|line| line.starts_with("rescue") && line.trim_end().ends_with(why))
        };
        assert!(told(&of(json!("it allows no scheduler")), "it allows no scheduler"));
        assert!(told(&of(Value::Null), "-"));
    }

    #[test]
    fn what_is_wanted_stands_beside_the_layer_that_says_so() {
        let from = json!({ "layer": "site", "site": "eu.lv", "profile": "home" });
        let effective = json!({
            "parameters": { "Device.A": { "value": { "value": "1" }, "from": from, "enforce": true } },
            "release": { "value": "7.16.1", "from": { "layer": "fleet" }, "enforce": true },
            "template": null,
        });
        let expected =
            [["Device.A", "1", "site eu.lv", "home"], ["release", "7.16.1", "fleet", "-"]];
        assert_eq!(effective_rows(&effective), expected);
    }
}
