//! A new rollout, as the command line says it: the usual in words, the plan from a file.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::output::object;

use super::super::devices::{Assignment, assignment};
use super::super::groups;
use super::super::http::Api;
use super::super::sites::variable;

/// A new rollout.
#[derive(Debug, Args)]
pub struct New {
    /// For people; what it does, when absent.
    #[arg(long)]
    name: Option<String>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    what: What,
    /// With --release: then RouterBOOT too.
    #[arg(long, requires = "release", conflicts_with_all = ["script", "template", "set"])]
    routerboot: bool,
    /// With --release: devices that run a newer version are taken down to it.
    #[arg(long, requires = "release", conflicts_with_all = ["script", "template", "set"])]
    downgrade: bool,
    /// With --template: a value that goes over those of the devices; may be repeated. Without a value
    /// it is taken away; a value that is JSON, such as a number or a list, is taken as such.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable, requires = "template",
          conflicts_with_all = ["release", "script", "set"])]
    variables: Vec<(String, Value)>,
    /// What takes it back: with --script a stored file, by its id, with --template a template.
    #[arg(long, value_name = "ID|NAME[@VERSION]", conflicts_with_all = ["release", "set"])]
    undo: Option<String>,
    #[command(flatten)]
    whom: Whom,
    /// Devices that come to match while it runs join its last wave.
    #[arg(long)]
    dynamic: bool,
    /// File with the plan as JSON, as the API takes it; - is standard input. A careful one when absent.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

/// One of these.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
pub struct What {
    /// Bring devices to this RouterOS release, over as many hops as it takes.
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// Run a stored file as a script; it must do no harm when it runs twice.
    #[arg(long, value_name = "ID")]
    script: Option<Uuid>,
    /// Run what a template gives for each device; the newest version of it, unless one is named.
    #[arg(long, value_name = "NAME[@VERSION]")]
    template: Option<String>,
    /// Write a parameter; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<Assignment>,
}

/// One of these.
#[derive(Debug, Args)]
#[group(id = "whom", required = true, multiple = false)]
pub struct Whom {
    /// Name of a group.
    #[arg(long)]
    group: Option<String>,
    /// Which devices.
    #[arg(short, long = "query", visible_alias = "where", value_name = "SELECTOR")]
    query: Option<String>,
}

impl New {
    /// The rollout as the API takes it.
    pub(super) async fn body(&self, api: &Api) -> anyhow::Result<Value> {
        let group = match &self.whom.group {
            Some(name) => Some(groups::id_of(api, name).await?),
            None => None,
        };
        let mut audience = json!({ "dynamic": self.dynamic });
        if let Some(group_id) = group {
            audience["group_id"] = Value::from(group_id);
        }
        if let Some(selector) = &self.whom.query {
            audience["selector"] = Value::from(selector.as_str());
        }
        let (usual, change) = self.change()?;
        let mut body = json!({
            "name": self.name.as_deref().unwrap_or(&usual),
            "change": change,
            "audience": audience,
        });
        if let Some(description) = &self.description {
            body["description"] = Value::from(description.as_str());
        }
        if let Some(file) = &self.plan {
            body["plan"] = object(file, "a plan")?;
        }
        Ok(body)
    }

    /// What it is called when nobody calls it anything, and what it does.
    fn change(&self) -> anyhow::Result<(String, Value)> {
        match &self.what {
            What { release: Some(version), .. } => {
                let change = json!({
                    "kind": "release", "version": version, "routerboot": self.routerboot,
                    "downgrade": self.downgrade,
                });
                Ok((format!("RouterOS {version}"), change))
            }
            What { script: Some(id), .. } => {
                let mut change = json!({ "kind": "script", "artifact_id": id });
                if let Some(undo) = &self.undo {
                    change["undo_artifact_id"] = json!(undo);
                }
                Ok((format!("script {id}"), change))
            }
            What { template: Some(named), .. } => {
                let mut change = versioned(named);
                let usual = change["template"].as_str().unwrap_or_default().to_owned();
                change["kind"] = json!("template");
                change["variables"] = Value::Object(Map::from_iter(self.variables.clone()));
                if let Some(undo) = &self.undo {
                    change["undo"] = versioned(undo);
                }
                Ok((usual, change))
            }
            What { set, .. } if !set.is_empty() => {
                let entry = |a: &Assignment| json!({ "name": a.name, "value": a.value });
                let entries: Vec<Value> = set.iter().map(entry).collect();
                Ok((
                    "parameters".to_owned(),
                    json!({ "kind": "parameters", "parameters": entries }),
                ))
            }
            // clap wants one of them.
            What { .. } => bail!("say what the rollout is to do"),
        }
    }
}

/// A template, and the version that is named behind an `@`.
fn versioned(text: &str) -> Value {
    let parts = text.rsplit_once('@').filter(|(name, _)| !name.is_empty());
    match parts.and_then(|(name, version)| Some((name, version.parse::<i32>().ok()?))) {
        Some((name, version)) => json!({ "template": name, "version": version }),
        None => json!({ "template": text }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;

    use super::*;
    use muster::rollout::change::Change;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        new: New,
    }

    fn parsed(words: &str) -> Result<New, clap::Error> {
        let words = ["muster"].into_iter().chain(words.split(' '));
        Cli::try_parse_from(words).map(|cli| cli.new)
    }

    #[test]
    fn what_is_said_in_words_is_a_change_of_the_api() {
        let id = Uuid::nil();
        for (words, kind) in [
            ("--release 7.16.1 --routerboot --where online".to_owned(), "release"),
            (format!("--script {id} --undo {id} --group pilot"), "script"),
            ("--set Device.A=1 --set Device.B=2 -q online".to_owned(), "parameters"),
            ("--template home@3 --var floor=2 --undo bare -q online".to_owned(), "template"),
        ] {
            let (name, change) = parsed(&words).unwrap().change().unwrap();
            let change: Change = serde_json::from_value(change).unwrap();
            assert_eq!((change.kind(), name.len() <= 64), (kind, true), "{words}");
        }
    }

    #[test]
    fn a_template_is_named_with_its_version_or_without() {
        let line =
            "--template home --var ssid=attic --var dns=[\"192.0.2.1\"] --undo a@b@7 -q online";
        let (name, change) = parsed(line).unwrap().change().unwrap();
        let expected = json!({
            "kind": "template", "template": "home",
            "variables": { "ssid": "attic", "dns": ["192.0.2.1"] },
            "undo": { "template": "a@b", "version": 7 },
        });
        assert_eq!((name.as_str(), change), ("home", expected));
        for odd in ["home@", "@3", "me@home"] {
            assert_eq!(versioned(odd), json!({ "template": odd }));
        }
    }

    #[test]
    fn it_is_for_somebody_and_does_one_thing() {
        for wrong in [
            "--release 7.16.1",
            "--where online",
            "--release 7.16.1 --where online --group pilot",
            "--release 7.16.1 --set A=1 --where online",
            "--set A=1 --routerboot --where online",
            "--release 7.16.1 --undo x --where online",
            "--template home --release 7.16.1 --where online",
            "--template home --set A=1 --where online",
            "--release 7.16.1 --var floor=2 --where online",
            "--set A=1 --undo x --where online",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_plan_is_read_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("plan.json");
        std::fs::write(&file, r#"{"soak_minutes":5}"#).unwrap();
        assert_eq!(object(&file, "a plan").unwrap()["soak_minutes"], 5);
        for bad in ["", "[]", "{"] {
            std::fs::write(&file, bad).unwrap();
            assert!(
                format!("{:#}", object(&file, "a plan").unwrap_err()).contains("plan.json"),
                "{bad}"
            );
        }
    }
}
