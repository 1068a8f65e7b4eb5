//! `muster templates`. People name a template by its name; the API by its id. `view`: how one is
//! shown. `tried`: what is wrong with one, and what it gives.

mod tried;
mod view;

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::devices::named;
use super::http::{Api, List, Span};
use super::output::{clean, clean_lines, done, list, maybe, print, said, show, time, yes};
use super::sites::variable;
use tried::{lint, preview};
use view::{version_view, view};

/// `muster templates`
#[derive(Debug, Subcommand)]
pub enum Templates {
    /// List templates by name.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Show a template.
    Get {
        /// Name of the template.
        name: String,
        /// This version of it; the newest when absent.
        #[arg(long, value_name = "N")]
        version: Option<i32>,
        /// Only the template itself, as it is written into a file.
        #[arg(long)]
        body: bool,
    },
    /// List the versions of a template, newest first.
    Versions {
        /// Name of the template.
        name: String,
        #[command(flatten)]
        span: Span,
    },
    /// Make a template.
    Create {
        /// What people call it.
        name: String,
        /// The RouterOS script with {{ variables }}; - is standard input.
        #[arg(short, long, value_name = "FILE")]
        body: PathBuf,
        #[command(flatten)]
        about: About,
    },
    /// Change a template: what is not said stays. Another body or other variables make a new version.
    Change {
        /// Name of the template.
        name: String,
        /// What people are to call it.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        /// The RouterOS script with {{ variables }}; - is standard input.
        #[arg(short, long, value_name = "FILE")]
        body: Option<PathBuf>,
        #[command(flatten)]
        about: About,
    },
    /// Remove a template that no profile uses.
    Delete {
        /// Name of the template.
        name: String,
    },
    /// Make a template of one's own of another, such as one that comes with Muster.
    Copy {
        /// Name of the template.
        name: String,
        /// Name of the copy.
        to: String,
    },
    /// Say what is wrong with a template; exit code 1 if something is.
    Lint {
        /// The RouterOS script with {{ variables }}; - is standard input.
        #[arg(value_name = "FILE")]
        body: PathBuf,
        /// TOML file with its `[[variables]]`.
        #[arg(long, value_name = "FILE")]
        variables: Option<PathBuf>,
        /// It is to be for the bench.
        #[arg(long)]
        bench: bool,
    },
    /// Show what a template gives; nothing is sent. Secrets are masked.
    Preview {
        #[command(flatten)]
        which: Which,
        /// TOML file with the `[[variables]]` of --body.
        #[arg(long, value_name = "FILE", requires = "body")]
        variables: Option<PathBuf>,
        /// What --body names is to be for the bench.
        #[arg(long, requires = "body")]
        bench: bool,
        /// This version of the template; the newest when absent.
        #[arg(long, value_name = "N", requires = "name")]
        version: Option<i32>,
        /// Serial number or id of the device that it is for.
        #[arg(long)]
        device: Option<String>,
        /// A value, over that of the device; may be repeated. A value that is JSON is taken as such.
        #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
        values: Vec<(String, Value)>,
    },
}

/// What is previewed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Name of the template.
    name: Option<String>,
    /// A RouterOS script with {{ variables }} that is not stored; - is standard input.
    #[arg(short, long, value_name = "FILE")]
    body: Option<PathBuf>,
}

/// What else is said of a template.
#[derive(Debug, Args)]
pub struct About {
    /// TOML file with its `[[variables]]`.
    #[arg(long, value_name = "FILE")]
    variables: Option<PathBuf>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    /// Why this version is made.
    #[arg(short = 'm', long)]
    note: Option<String>,
    /// It is for the bench: it must fit into what a board takes.
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    bench: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    template_id: Uuid,
    name: String,
    description: String,
    version: i32,
    builtin: bool,
    bench: bool,
    created_by: String,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Told {
    version: i32,
    note: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn run(api: &Api, command: Templates) -> anyhow::Result<()> {
    match command {
        Templates::List { span } => list_templates(api, &span).await,
        Templates::Get { name, version, body } => get(api, &name, version, body).await,
        Templates::Versions { name, span } => versions(api, &name, &span).await,
        Templates::Create { name, body, about } => {
            let body = about.patch(Some(name), Some(&body))?;
            show(api, &api.call(Method::POST, &["templates"], Some(&body)).await?, view)
        }
        Templates::Change { name, to, body, about } => {
            let id = id_of(api, &name).await?;
            let body = about.patch(to, body.as_deref())?;
            show(api, &api.call(Method::PATCH, &["templates", &id], Some(&body)).await?, view)
        }
        Templates::Delete { name } => {
            let id = id_of(api, &name).await?;
            api.delete(&["templates", &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
        Templates::Copy { name, to } => {
            let id = id_of(api, &name).await?;
            let body = json!({ "name": to });
            let path = ["templates", &id, "copy"];
            show(api, &api.call(Method::POST, &path, Some(&body)).await?, view)
        }
        Templates::Lint { body, variables, bench } => {
            lint(api, &body, variables.as_deref(), bench).await
        }
        Templates::Preview { which, variables, bench, version, device, values } => {
            let device = device.as_deref().map(named);
            let mut asked = json!({ "device": device, "values": Map::from_iter(values) });
            let answer = match (which.name, which.body) {
                (Some(name), _) => {
                    asked["version"] = json!(version);
                    let id = id_of(api, &name).await?;
                    api.call(Method::POST, &["templates", &id, "preview"], Some(&asked)).await?
                }
                (None, body) => {
                    asked["body"] = json!(text(&body.context("a template")?)?);
                    asked["variables"] = declared(variables.as_deref())?;
                    asked["bench"] = json!(bench);
                    api.call(Method::POST, &["templates", "preview"], Some(&asked)).await?
                }
            };
            preview(api, &answer)
        }
    }
}

impl About {
    /// The body of a request: a merge patch.
    fn patch(self, name: Option<String>, body: Option<&Path>) -> anyhow::Result<Value> {
        let body = body.map(text).transpose()?;
        let mut patch = said([
            ("name", name),
            ("body", body),
            ("description", self.description),
            ("note", self.note),
        ]);
        if let Some(file) = &self.variables {
            patch["variables"] = declared(Some(file))?;
        }
        if let Some(bench) = self.bench {
            patch["bench"] = json!(bench);
        }
        Ok(patch)
    }
}

/// The text of a file, or what comes on standard input.
fn text(file: &Path) -> anyhow::Result<String> {
    let text = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin()),
        false => std::fs::read_to_string(file),
    };
    text.with_context(|| file.display().to_string())
}

/// What a TOML file declares; without one nothing.
fn declared(file: Option<&Path>) -> anyhow::Result<Value> {
    let Some(file) = file else { return Ok(json!([])) };
    let document: Value =
        toml::from_str(&text(file)?).with_context(|| file.display().to_string())?;
    let variables = document.get("variables").filter(|variables| variables.is_array()).cloned();
    variables.with_context(|| format!("{}: it has no [[variables]]", file.display()))
}

fn all() -> List<'static> {
    List { path: vec!["templates"], query: Vec::new(), cursor: "after" }
}

async fn list_templates(api: &Api, span: &Span) -> anyhow::Result<()> {
    let header = ["name", "version", "builtin", "bench", "description", "created_by", "updated_at"];
    list(api, &all(), span, &header, |t: Summary| {
        let (version, builtin, bench) = (t.version.to_string(), yes(t.builtin), yes(t.bench));
        let about = maybe(Some(t.description));
        vec![t.name, version, builtin, bench, about, t.created_by, time(t.updated_at)]
    })
    .await
}

async fn versions(api: &Api, name: &str, span: &Span) -> anyhow::Result<()> {
    let id = id_of(api, name).await?;
    let path = vec!["templates", id.as_str(), "versions"];
    let of_it = List { path, query: Vec::new(), cursor: "before" };
    list(api, &of_it, span, &["version", "note", "created_by", "created_at"], |v: Told| {
        vec![v.version.to_string(), maybe(Some(v.note)), v.created_by, time(v.created_at)]
    })
    .await
}

async fn get(api: &Api, name: &str, version: Option<i32>, body: bool) -> anyhow::Result<()> {
    let id = id_of(api, name).await?;
    let number = version.unwrap_or_default().to_string();
    let path = match version {
        Some(_) => vec!["templates", id.as_str(), "versions", number.as_str()],
        None => vec!["templates", id.as_str()],
    };
    let answer = api.get(&path, &[]).await?;
    if body && !api.json {
        #[derive(Deserialize)]
        struct Body {
            body: String,
        }
        let Body { body } = answer.read()?;
        return Ok(print(clean_lines(&body).trim_end())?);
    }
    match version {
        Some(_) => show(api, &answer, version_view),
        None => show(api, &answer, view),
    }
}

/// The id of the template of this name.
pub(super) async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    let found: Option<Summary> = api.find(&all(), |one: &Summary| one.name == name).await?;
    let template = found.with_context(|| format!("no template {}", clean(name)))?;
    Ok(template.template_id.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;

    use super::*;

    #[test]
    fn variables_come_from_a_table_of_toml() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let toml = "name = \"x\"\n[[variables]]\nname = \"ssid\"\ntype = \"string\"\nmax = 32\n\
                    [[variables]]\nname = \"dns\"\ntype = \"list\"\nof = { type = \"ip\" }\n";
        file.write_all(toml.as_bytes()).unwrap();
        let expected = json!([
            { "name": "ssid", "type": "string", "max": 32 },
            { "name": "dns", "type": "list", "of": { "type": "ip" } },
        ]);
        assert_eq!(declared(Some(file.path())).unwrap(), expected);
        assert_eq!(declared(None).unwrap(), json!([]));
        let about = About {
            variables: Some(file.path().to_owned()),
            description: None,
            note: Some("why".to_owned()),
            bench: Some(true),
        };
        let patch = about.patch(None, None).unwrap();
        assert_eq!(patch, json!({ "note": "why", "variables": expected, "bench": true }));
        file.as_file().set_len(9).unwrap();
        assert!(declared(Some(file.path())).is_err());
    }
}
