//! `muster roles`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use muster::access::right::Right;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{Api, Page};
use super::output::{clean, done, fields, joined, maybe, pretty, said, show, show_page};

/// `muster roles`
#[derive(Debug, Subcommand)]
pub enum Roles {
    /// List roles and what they allow.
    List,
    /// Show a role, and what the support view shows and allows by it.
    Get {
        /// What it is called.
        name: String,
    },
    /// Make a role.
    Create {
        /// What it is called.
        name: String,
        /// What it allows, with commas between: support, read, operate, approve, bench, secrets,
        /// audit, admin.
        #[arg(long = "right", value_delimiter = ',', value_name = "RIGHT,...", required = true)]
        rights: Vec<Right>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
        /// File with what the support view shows and allows, as JSON; - is standard input.
        #[arg(long, value_name = "FILE")]
        support: Option<PathBuf>,
    },
    /// Change a role: what is not said stays. It holds at once for all who have it.
    Change {
        /// What it is called.
        name: String,
        #[command(flatten)]
        change: Change,
    },
    /// Remove a role that nobody has.
    Delete {
        /// What it is called.
        name: String,
    },
}

/// What is to become of a role.
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
pub struct Change {
    /// What it is to be called.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// What it is to allow, with commas between; these and no others.
    #[arg(long = "right", value_delimiter = ',', value_name = "RIGHT,...")]
    rights: Vec<Right>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// File with what of the support view is to change, as JSON; - is standard input. What it does
    /// not name stays; null takes it, or all of it, back to how it is shipped.
    #[arg(long, value_name = "FILE")]
    support: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Role {
    role_id: Uuid,
    name: String,
    description: String,
    rights: Vec<String>,
    support: Option<Value>,
}

pub(super) async fn run(api: &Api, command: Roles) -> anyhow::Result<()> {
    match command {
        Roles::List => {
            let header = ["name", "rights", "description", "role_id"];
            show_page(api, &api.get(&["roles"], &[]).await?, &header, |r: Role| {
                let (rights, what_for) = (joined(&r.rights), maybe(Some(r.description)));
                vec![r.name, rights, what_for, r.role_id.to_string()]
            })
        }
        Roles::Get { name } => {
            let id = id_of(api, &name).await?.to_string();
            show(api, &api.get(&["roles", &id], &[]).await?, view)
        }
        Roles::Create { name, rights, description, support } => {
            let body = json!({
                "name": name,
                "rights": rights,
                "description": description,
                "support": support.as_deref().map(read_policy).transpose()?,
            });
            show(api, &api.call(Method::POST, &["roles"], Some(&body)).await?, view)
        }
        Roles::Change { name, change } => {
            let id = id_of(api, &name).await?.to_string();
            let Change { to, rights, description, support } = change;
            let mut body = said([("name", to), ("description", description)]);
            if !rights.is_empty() {
                body["rights"] = json!(rights);
            }
            if let Some(file) = support {
                body["support"] = read_policy(&file)?;
            }
            show(api, &api.call(Method::PATCH, &["roles", &id], Some(&body)).await?, view)
        }
        Roles::Delete { name } => {
            let id = id_of(api, &name).await?.to_string();
            api.delete(&["roles", &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
    }
}

fn view(role: Role) -> String {
    let shown = fields(&[
        ("role_id", role.role_id.to_string()),
        ("name", role.name),
        ("rights", joined(&role.rights)),
        ("description", maybe(Some(role.description))),
    ]);
    match role.support {
        Some(support) => format!("{shown}\n\nsupport\n{}", pretty(&support)),
        None => shown,
    }
}

/// What the support view shows, in a file or on standard input. What may be in it is for the server
/// to say.
fn read_policy(file: &Path) -> anyhow::Result<Value> {
    let place = || file.display().to_string();
    let text = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    serde_json::from_str(&text.with_context(place)?).with_context(place)
}

/// The id of a role.
pub(super) async fn id_of(api: &Api, name: &str) -> anyhow::Result<Uuid> {
    let page: Page<Role> = api.get(&["roles"], &[]).await?.read()?;
    let found = page.items.into_iter().find(|role| role.name == name);
    let role = found.with_context(|| {
        format!("no role {}; `muster roles list` names those there are", clean(name))
    })?;
    Ok(role.role_id)
}
