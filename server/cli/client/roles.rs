//! `muster roles`. What a role allows is changed in the dashboard or over the API.

use anyhow::Context;
use clap::Subcommand;
use serde::Deserialize;
use uuid::Uuid;

use super::http::{Api, Page};
use super::output::{clean, joined, maybe, show_page};

/// `muster roles`
#[derive(Debug, Subcommand)]
pub enum Roles {
    /// List roles and what they allow.
    List,
}

#[derive(Debug, Deserialize)]
struct Role {
    role_id: Uuid,
    name: String,
    description: String,
    rights: Vec<String>,
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
    }
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
