//! `muster profiles`. People name a profile by its name; the API by its id.

use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::devices::{Assignment, assignment};
use super::http::{Api, List, Span};
use super::output::{
    clean, compact, done, fields, joined, list, maybe, object, show, table, time, yes,
};
use super::sites::variable;

/// `muster profiles`
#[derive(Debug, Subcommand)]
pub enum Profiles {
    /// List profiles by name.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Show a profile: what it wants, where it holds, and of how many devices.
    Get {
        /// Name of the profile.
        name: String,
    },
    /// Make a profile; it is for no device until it is bound.
    Create {
        /// What people call it.
        name: String,
        #[command(flatten)]
        about: About,
    },
    /// Change a profile: what is not said stays.
    Change {
        /// Name of the profile.
        name: String,
        /// What people are to call it.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// Remove a profile that nothing has any more.
    Delete {
        /// Name of the profile.
        name: String,
    },
    /// Say of which devices a profile is.
    Bind {
        /// Name of the profile.
        name: String,
        #[command(flatten)]
        place: Place,
        /// Of several in one place the one with the higher rank wins.
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        rank: i32,
    },
    /// Say that it is no more.
    Unbind {
        /// Name of the profile.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// What is said of a profile.
#[derive(Debug, Default, Args)]
pub struct About {
    /// For people.
    #[arg(long)]
    description: Option<String>,
    /// Tell differences and mend none.
    #[arg(long)]
    report_only: bool,
    /// Mend them.
    #[arg(long, conflicts_with = "report_only")]
    enforce: bool,
    /// What devices are to be: the object `desired` of the API, put over what is there.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Such as Device.DeviceInfo.ProvisioningCode=gold; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    parameters: Vec<Assignment>,
    /// A parameter of which nothing is wanted any more; may be repeated.
    #[arg(long = "unset", value_name = "NAME")]
    unset: Vec<String>,
    /// A variable for templates; may be repeated. Without a value it is taken away; a value that is
    /// JSON is taken as such.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,
}

/// Of which devices.
#[derive(Debug, Args)]
#[group(id = "place", required = true, multiple = false)]
pub struct Place {
    /// Those at the site with this path and below.
    #[arg(long, value_name = "PATH")]
    site: Option<String>,
    /// Those of the group of this name.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// All.
    #[arg(long)]
    fleet: bool,
}

#[derive(Debug, Deserialize)]
struct Profile {
    profile_id: Uuid,
    name: String,
    description: String,
    enforce: bool,
    desired: Value,
    bindings: Vec<Binding>,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Binding {
    site: Option<String>,
    group: Option<String>,
    rank: i32,
}

#[derive(Debug, Deserialize)]
struct Impact {
    devices: u64,
    themselves: u64,
}

impl Binding {
    fn words(&self) -> String {
        let place = match (&self.site, &self.group) {
            (Some(site), _) => format!("site {site}"),
            (None, Some(group)) => format!("group {group}"),
            (None, None) => "fleet".to_owned(),
        };
        if self.rank == 0 { place } else { format!("{place} (rank {})", self.rank) }
    }
}

impl About {
    /// The body of a request: a merge patch.
    fn patch(self, name: Option<String>) -> anyhow::Result<Value> {
        let mut patch = Map::new();
        for (field, text) in [("name", name), ("description", self.description)] {
            patch.extend(text.map(|text| (field.to_owned(), Value::from(text))));
        }
        if self.report_only || self.enforce {
            patch.insert("enforce".to_owned(), Value::from(self.enforce));
        }
        let mut desired = match self.file {
            Some(file) => object(&file, "what a profile wants")?,
            None => json!({}),
        };
        for parameter in self.parameters {
            // A value in place of the variable that it may have been.
            let wanted = json!({ "value": parameter.value, "variable": null });
            desired["parameters"][parameter.name] = wanted;
        }
        for name in self.unset {
            desired["parameters"][name] = Value::Null;
        }
        for (name, value) in self.variables {
            desired["variables"][name] = value;
        }
        if desired != json!({}) {
            patch.insert("desired".to_owned(), desired);
        }
        Ok(Value::Object(patch))
    }
}

impl Place {
    fn binding(self, rank: i32) -> Value {
        json!({ "site": self.site, "group": self.group, "fleet": self.fleet, "rank": rank })
    }

    fn query(&self) -> Vec<(&str, &str)> {
        let named = [("site", self.site.as_deref()), ("group", self.group.as_deref())];
        let fleet = self.fleet.then_some(("fleet", "true"));
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(fleet).collect()
    }
}

pub(super) async fn run(api: &Api, command: Profiles) -> anyhow::Result<()> {
    match command {
        Profiles::List { span } => {
            let header = ["name", "enforced", "bound", "description", "changed_at"];
            list(api, &all(), &span, &header, row).await
        }
        Profiles::Get { name } => get(api, &name).await,
        Profiles::Create { name, about } => {
            let body = about.patch(Some(name))?;
            show(api, &api.call(Method::POST, &["profiles"], Some(&body)).await?, view)
        }
        Profiles::Change { name, to, about } => {
            let id = id_of(api, &name).await?;
            let body = about.patch(to)?;
            show(api, &api.call(Method::PATCH, &["profiles", &id], Some(&body)).await?, view)
        }
        Profiles::Delete { name } => {
            let id = id_of(api, &name).await?;
            api.delete(&["profiles", &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
        Profiles::Bind { name, place, rank } => {
            let id = id_of(api, &name).await?;
            let (path, body) = (["profiles", &id, "bindings"], place.binding(rank));
            show(api, &api.call(Method::PUT, &path, Some(&body)).await?, view)
        }
        Profiles::Unbind { name, place } => {
            let id = id_of(api, &name).await?;
            api.delete(&["profiles", &id, "bindings"], &place.query()).await?;
            done(api, &format!("{name} is not bound there"))
        }
    }
}

fn all() -> List<'static> {
    List { path: vec!["profiles"], query: Vec::new(), cursor: "after" }
}

fn bound(bindings: &[Binding]) -> String {
    joined(&bindings.iter().map(Binding::words).collect::<Vec<_>>())
}

fn row(profile: Profile) -> Vec<String> {
    let bound = bound(&profile.bindings);
    let description = maybe(Some(profile.description));
    vec![profile.name, yes(profile.enforce), bound, description, time(profile.updated_at)]
}

async fn get(api: &Api, name: &str) -> anyhow::Result<()> {
    let id = id_of(api, name).await?;
    let answer = api.get(&["profiles", &id], &[]).await?;
    if api.json {
        return show(api, &answer, view);
    }
    let impact: Impact = api.get(&["profiles", &id, "impact"], &[]).await?.read()?;
    show(api, &answer, |profile| {
        let Impact { devices, themselves } = impact;
        let reach = format!("{devices} by where it is bound, {themselves} themselves");
        format!("{}\n\ndevices: {reach}", view(profile))
    })
}

fn view(profile: Profile) -> String {
    let about = fields(&[
        ("profile_id", profile.profile_id.to_string()),
        ("name", profile.name),
        ("description", maybe(Some(profile.description))),
        ("enforced", yes(profile.enforce)),
        ("bound", bound(&profile.bindings)),
        ("created_by", profile.created_by),
        ("created_at", time(profile.created_at)),
    ]);
    let rows = wants(&profile.desired);
    if rows.is_empty() {
        about
    } else {
        format!("{about}\n\n{}", table(&["wants", "value"], &rows))
    }
}

/// What a profile wants, a line for each.
fn wants(desired: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (field, value) in desired.as_object().into_iter().flatten() {
        match (field.as_str(), value.as_object()) {
            ("parameters", Some(parameters)) => {
                rows.extend(parameters.iter().map(|(n, wanted)| vec![n.clone(), value_of(wanted)]));
            }
            ("variables", Some(variables)) => {
                let row = |(n, value): (&String, &Value)| vec![format!("${n}"), compact(value)];
                rows.extend(variables.iter().map(row));
            }
            _ => rows.push(vec![field.clone(), compact(value)]),
        }
    }
    rows
}

/// What is wanted of a parameter, in a few words.
pub(super) fn value_of(wanted: &Value) -> String {
    let value = match wanted["variable"].as_str() {
        Some(variable) => format!("${variable}"),
        None => compact(&wanted["value"]),
    };
    match wanted["mode"].as_str() {
        Some(mode) => format!("{value} ({mode})"),
        None => value,
    }
}

/// The id of the profile of this name.
async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    let found: Option<Profile> = api.find(&all(), |profile: &Profile| profile.name == name).await?;
    let profile = found.with_context(|| format!("no profile {}", clean(name)))?;
    Ok(profile.profile_id.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_what_is_said_is_changed() {
        assert_eq!(About::default().patch(None).unwrap(), json!({}));
        let about = About {
            report_only: true,
            parameters: vec![assignment("Device.A=1").unwrap()],
            unset: vec!["Device.B".to_owned()],
            variables: vec![variable("vlan=20").unwrap(), variable("old=").unwrap()],
            ..About::default()
        };
        let expected = json!({ "name": "home", "enforce": false, "desired": {
            "parameters": { "Device.A": { "value": "1", "variable": null }, "Device.B": null },
            "variables": { "vlan": 20, "old": null },
        } });
        assert_eq!(about.patch(Some("home".to_owned())).unwrap(), expected);
    }

    #[test]
    fn a_place_is_named_the_same_way_to_bind_and_to_unbind() {
        let site = Place { site: Some("eu".to_owned()), group: None, fleet: false };
        assert_eq!(site.query(), [("site", "eu")]);
        assert_eq!(site.binding(2)["rank"], 2);
        let fleet = Place { site: None, group: None, fleet: true };
        assert_eq!(fleet.query(), [("fleet", "true")]);
    }

    #[test]
    fn what_is_wanted_is_told_in_a_line() {
        let desired = json!({
            "parameters": { "Device.A": { "variable": "dns", "mode": "report" } },
            "variables": { "dns": "9.9.9.9" }, "release": "7.16.1",
        });
        let expected = [["Device.A", "$dns (report)"], ["release", "7.16.1"], ["$dns", "9.9.9.9"]];
        assert_eq!(wants(&desired), expected);
    }
}
