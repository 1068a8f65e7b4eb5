//! `muster claims`. People name a claim by its serial number, its MAC address or its id; the API by its
//! id.
//!
//! - here: single claims. - `table`: many, as CSV. - `rules`: rules of admission.

mod rules;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::columns::{Columns, show_devices};
use super::devices::{detail, named};
use super::files::fetch_some;
use super::http::{Api, List, Span};
use super::output::{clean, compact, done, fields, joined, list, maybe, maybe_time, show, yes};
use super::sites::variable;

/// `muster claims`
#[derive(Debug, Subcommand)]
pub enum Claims {
    /// List claims in the order in which they were made.
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        span: Span,
    },
    /// Show a claim.
    Get {
        /// Serial number, MAC address, or id of the claim.
        claim: String,
    },
    /// Claim a device: it is let in when it comes, and is what the claim says.
    Add {
        #[command(flatten)]
        device: Named,
        #[command(flatten)]
        said: Said,
    },
    /// Change a claim that no device has taken: what is not said stays.
    Change {
        /// Serial number, MAC address, or id of the claim.
        claim: String,
        #[command(flatten)]
        device: Named,
        #[command(flatten)]
        said: Said,
    },
    /// Remove a claim; the device that took it stays what it is.
    Delete {
        /// Serial number, MAC address, or id of the claim.
        claim: String,
    },
    /// Show what a device is prepared with that is to take a claim; each look is in the audit log.
    Credential {
        /// Serial number, MAC address, or id of the claim.
        claim: String,
    },
    /// Show what a table of claims would do, line by line. Nothing is stored.
    Preview(table::Preview),
    /// Import a table of claims, once you have seen how much it would do.
    Import(table::Import),
    /// Write claims as CSV.
    Export {
        #[command(flatten)]
        which: Which,
        /// Where to; standard output when absent.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List devices in quarantine.
    Quarantine {
        #[command(flatten)]
        columns: Columns,
        #[command(flatten)]
        span: Span,
    },
    /// Let a device in that is in quarantine.
    Accept {
        /// Serial number or id.
        device: String,
        #[command(flatten)]
        said: Given,
    },
    /// Forget a device in quarantine: should it come again, it is a new one.
    Forget {
        /// Serial number or id.
        device: String,
    },
    /// Rules of admission: which devices are let in that nobody claimed.
    #[command(subcommand)]
    Rules(rules::Rules),
}

/// Which claims.
#[derive(Debug, Args)]
pub struct Which {
    /// open, taken, or refused: open, and a device that wanted it did not get it.
    #[arg(long)]
    state: Option<String>,
    /// For this site and those in it.
    #[arg(long, value_name = "PATH")]
    site: Option<String>,
    /// How serial number, MAC address or the customer's number begin.
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
}

impl Which {
    fn query(&self) -> Vec<(&str, &str)> {
        let parts = [("state", &self.state), ("site", &self.site), ("q", &self.find)];
        parts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect()
    }
}

/// Which device is expected.
#[derive(Debug, Default, Args)]
pub struct Named {
    /// Its serial number.
    #[arg(long)]
    serial: Option<String>,
    /// The MAC address of one of its Ethernet ports.
    #[arg(long)]
    mac: Option<String>,
}

/// What it is to be.
#[derive(Debug, Default, Args)]
pub struct Given {
    /// Path of the site where it comes to stand.
    #[arg(long, value_name = "PATH")]
    site: Option<String>,
    /// Name of the profile that is bound to it.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A tag that it gets; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The customer's number.
    #[arg(long, value_name = "NUMBER")]
    customer: Option<String>,
    /// A value for templates; may be repeated. A value that is JSON is taken as such. Others on this
    /// machine see secrets in the list of processes: an import from a file shows them nothing.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,
}

/// The same, and how it is known.
#[derive(Debug, Default, Args)]
pub struct Said {
    #[command(flatten)]
    given: Given,
    /// What it is said to be.
    #[arg(long)]
    model: Option<String>,
    /// The password on its sticker.
    #[arg(long, value_name = "PASSWORD")]
    factory_password: Option<String>,
    /// Only a device that comes with the claim's own credential takes it.
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    own_credential: Option<bool>,
}

impl Given {
    /// The body of a request: what was said.
    fn body(self) -> Map<String, Value> {
        let texts = [("site", self.site), ("profile", self.profile), ("customer", self.customer)];
        let mut body = texts_of(texts);
        if !self.tags.is_empty() {
            body.insert("tags".to_owned(), Value::from(self.tags));
        }
        if !self.variables.is_empty() {
            let variables = Map::from_iter(self.variables);
            body.insert("variables".to_owned(), Value::Object(variables));
        }
        body
    }
}

impl Said {
    /// The body of a request: what was said.
    fn body(self, device: Named) -> Value {
        let mut body = self.given.body();
        body.extend(texts_of([
            ("serial", device.serial),
            ("mac", device.mac),
            ("model", self.model),
            ("factory_password", self.factory_password),
        ]));
        if let Some(own) = self.own_credential {
            body.insert("own_credential".to_owned(), Value::from(own));
        }
        Value::Object(body)
    }
}

fn texts_of<const N: usize>(texts: [(&str, Option<String>); N]) -> Map<String, Value> {
    let said =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?))));
    said.collect()
}

#[derive(Debug, Deserialize)]
struct Claim {
    claim_id: Uuid,
    state: String,
    serial: Option<String>,
    mac: Option<String>,
    model: Option<String>,
    site: Option<String>,
    profile: Option<String>,
    variables: Value,
    tags: Vec<String>,
    customer: Option<String>,
    factory_password: Option<String>,
    own_credential: bool,
    device_id: Option<Uuid>,
    taken_at: Option<DateTime<Utc>>,
    refused: Option<String>,
    created_by: String,
}

#[derive(Debug, Deserialize)]
struct Credential {
    username: String,
    password: String,
    factory_password: Option<String>,
}

pub(super) async fn run(api: &Api, command: Claims) -> anyhow::Result<()> {
    match command {
        Claims::List { which, span } => {
            let header = ["serial", "mac", "state", "site", "profile", "customer", "refused"];
            let claims = List { path: vec!["claims"], query: which.query(), cursor: "after" };
            list(api, &claims, &span, &header, row).await
        }
        Claims::Get { claim } => {
            let id = id_of(api, &claim).await?;
            show(api, &api.get(&["claims", &id], &[]).await?, view)
        }
        Claims::Add { device, said } => {
            let body = said.body(device);
            show(api, &api.call(Method::POST, &["claims"], Some(&body)).await?, view)
        }
        Claims::Change { claim, device, said } => {
            let id = id_of(api, &claim).await?;
            let body = said.body(device);
            show(api, &api.call(Method::PATCH, &["claims", &id], Some(&body)).await?, view)
        }
        Claims::Delete { claim } => {
            let id = id_of(api, &claim).await?;
            api.delete(&["claims", &id], &[]).await?;
            done(api, &format!("the claim for {claim} is removed"))
        }
        Claims::Credential { claim } => {
            let id = id_of(api, &claim).await?;
            let answer = api.call(Method::POST, &["claims", &id, "credential"], None).await?;
            show(api, &answer, |c: Credential| {
                fields(&[
                    ("username", c.username),
                    ("password", c.password),
                    ("factory_password", maybe(c.factory_password)),
                ])
            })
        }
        Claims::Preview(preview) => table::preview(api, preview).await,
        Claims::Import(import) => table::import(api, import).await,
        Claims::Export { which, output } => {
            fetch_some(api, &["claims", "export"], &which.query(), output.as_deref()).await
        }
        Claims::Quarantine { columns, span } => {
            let path = vec!["quarantine"];
            let devices = List { path, query: Vec::new(), cursor: "after" };
            show_devices(api, &devices, &span, &columns).await
        }
        Claims::Accept { device, said } => {
            let (name, body) = (named(&device), Value::Object(said.body()));
            let path = ["devices", name.as_str(), "accept"];
            show(api, &api.call(Method::POST, &path, Some(&body)).await?, detail)
        }
        Claims::Forget { device } => {
            api.delete(&["quarantine", &named(&device)], &[]).await?;
            done(api, &format!("{device} is forgotten"))
        }
        Claims::Rules(command) => rules::run(api, command).await,
    }
}

fn row(claim: Claim) -> Vec<String> {
    vec![
        maybe(claim.serial),
        maybe(claim.mac),
        claim.state,
        maybe(claim.site),
        maybe(claim.profile),
        maybe(claim.customer),
        maybe(claim.refused),
    ]
}

fn view(claim: Claim) -> String {
    let device = claim.device_id.map(|id| id.to_string());
    fields(&[
        ("claim_id", claim.claim_id.to_string()),
        ("state", claim.state),
        ("serial", maybe(claim.serial)),
        ("mac", maybe(claim.mac)),
        ("model", maybe(claim.model)),
        ("site", maybe(claim.site)),
        ("profile", maybe(claim.profile)),
        ("variables", compact(&claim.variables)),
        ("tags", joined(&claim.tags)),
        ("customer", maybe(claim.customer)),
        ("factory_password", maybe(claim.factory_password)),
        ("own_credential", yes(claim.own_credential)),
        ("device_id", maybe(device)),
        ("taken_at", maybe_time(claim.taken_at)),
        ("refused", maybe(claim.refused)),
        ("created_by", claim.created_by),
    ])
}

/// The id of the claim that is meant.
async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    if name.len() == 36 && Uuid::try_parse(name).is_ok() {
        return Ok(name.to_owned());
    }
    let claims = List { path: vec!["claims"], query: vec![("q", name)], cursor: "after" };
    let bare = |text: &str| text.replace([':', '-', '.', ' '], "").to_ascii_lowercase();
    let is_it = |claim: &Claim| {
        let serial = claim.serial.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(name.trim()));
        serial || claim.mac.as_deref().is_some_and(|mac| bare(mac) == bare(name))
    };
    let found: Option<Claim> = api.find(&claims, is_it).await?;
    let claim = found.with_context(|| format!("no claim for {}", clean(name)))?;
    Ok(claim.claim_id.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_said_is_sent() {
        let text = |text: &str| Some(text.to_owned());
        let given = Given {
            site: text("eu"),
            tags: vec!["a".to_owned()],
            variables: vec![("vlan".to_owned(), json!(7))],
            ..Given::default()
        };
        let said = Said { given, own_credential: Some(true), ..Said::default() };
        let device = Named { serial: text("A1"), mac: None };
        let body = json!({ "serial": "A1", "site": "eu", "tags": ["a"],
                           "variables": { "vlan": 7 }, "own_credential": true });
        assert_eq!(said.body(device), body);
        assert_eq!(Said::default().body(Named::default()), json!({}));
        let which = Which { state: text("open"), site: None, find: text("A") };
        assert_eq!(which.query(), [("state", "open"), ("q", "A")]);
    }
}
