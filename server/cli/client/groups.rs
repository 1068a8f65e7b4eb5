//! `muster groups`. People name a group by its name; the API by its id.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::columns::{Columns, show_devices};
use super::devices::named;
use super::http::{Api, List, Span};
use super::output::{clean, done, fields, list, maybe, said, show, time};

/// `muster groups`
#[derive(Debug, Subcommand)]
pub enum Groups {
    /// List groups by name.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Make a group: of what a selector finds, or of what is put into it.
    Create {
        /// What selectors call it.
        name: String,
        /// Which devices are in it, at any time; without it those that are added.
        #[arg(short, long = "query", value_name = "SELECTOR")]
        query: Option<String>,
        /// For people.
        #[arg(long)]
        description: Option<String>,
    },
    /// Change a group: what is not said stays. One with a selector keeps to selectors.
    Change {
        /// Name of the group.
        name: String,
        #[command(flatten)]
        change: Change,
    },
    /// Remove a group; its devices stay.
    Delete {
        /// Name of the group.
        name: String,
    },
    /// List the devices of a group.
    Devices {
        /// Name of the group.
        name: String,
        #[command(flatten)]
        columns: Columns,
        #[command(flatten)]
        span: Span,
    },
    /// Put devices into a group without a selector.
    Add {
        /// Name of the group.
        name: String,
        /// Serial numbers or ids.
        #[arg(required = true, value_name = "DEVICE")]
        devices: Vec<String>,
    },
    /// Take devices out of a group without a selector.
    Remove {
        /// Name of the group.
        name: String,
        /// Serial numbers or ids.
        #[arg(required = true, value_name = "DEVICE")]
        devices: Vec<String>,
    },
}

/// What is to become of a group.
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
pub struct Change {
    /// What selectors are to call it.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Which devices are to be in it.
    #[arg(short, long = "query", value_name = "SELECTOR")]
    query: Option<String>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Group {
    group_id: Uuid,
    name: String,
    description: String,
    selector: Option<String>,
    created_by: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn run(api: &Api, command: Groups) -> anyhow::Result<()> {
    match command {
        Groups::List { span } => {
            let header = ["name", "selector", "description", "created_by", "created_at"];
            list(api, &all(), &span, &header, |g: Group| {
                let (selector, what_for) = (maybe(g.selector), maybe(Some(g.description)));
                vec![g.name, selector, what_for, g.created_by, time(g.created_at)]
            })
            .await
        }
        Groups::Create { name, query, description } => {
            let body = json!({ "name": name, "selector": query, "description": description });
            show(api, &api.call(Method::POST, &["groups"], Some(&body)).await?, view)
        }
        Groups::Change { name, change } => {
            let id = id_of(api, &name).await?;
            let Change { to, query, description } = change;
            let body = said([("name", to), ("selector", query), ("description", description)]);
            show(api, &api.call(Method::PATCH, &["groups", &id], Some(&body)).await?, view)
        }
        Groups::Delete { name } => {
            let id = id_of(api, &name).await?;
            api.delete(&["groups", &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
        Groups::Devices { name, columns, span } => {
            let id = id_of(api, &name).await?;
            let path = vec!["groups", id.as_str(), "devices"];
            let devices = List { path, query: Vec::new(), cursor: "after" };
            show_devices(api, &devices, &span, &columns).await
        }
        Groups::Add { name, devices } => set_members(api, &name, &devices, Method::PUT).await,
        Groups::Remove { name, devices } => set_members(api, &name, &devices, Method::DELETE).await,
    }
}

fn all() -> List<'static> {
    List { path: vec!["groups"], query: Vec::new(), cursor: "after" }
}

fn view(group: Group) -> String {
    fields(&[
        ("group_id", group.group_id.to_string()),
        ("name", group.name),
        ("selector", maybe(group.selector)),
        ("description", maybe(Some(group.description))),
    ])
}

/// The id of the group of this name.
pub(super) async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    let found: Option<Group> = api.find(&all(), |group: &Group| group.name == name).await?;
    let group = found.with_context(|| format!("no group {}", clean(name)))?;
    Ok(group.group_id.to_string())
}

async fn set_members(
    api: &Api,
    name: &str,
    devices: &[String],
    method: Method,
) -> anyhow::Result<()> {
    let id = id_of(api, name).await?;
    for device in devices {
        let path = ["groups", id.as_str(), "devices", &named(device)];
        api.call(method.clone(), &path, None).await.with_context(|| clean(device))?;
    }
    let done_to = if method == Method::PUT { "in" } else { "not in" };
    done(api, &format!("{} devices are {done_to} {name}", devices.len()))
}
