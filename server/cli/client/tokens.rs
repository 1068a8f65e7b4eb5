//! `muster tokens`: over the API. The first one is made on the server, by `muster token`.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use muster::access::right::Right;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::http::{Answer, Api};
use super::output::{done, fields, joined, maybe, maybe_time, show, show_page};
use super::{groups, sites};

/// `muster tokens`
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// List tokens, without their secrets.
    List,
    /// Make a token and show it, once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do, with commas between: support, read, operate, approve, bench, secrets,
        /// audit, admin.
        #[arg(long, value_delimiter = ',', value_name = "RIGHT,...", default_value = "operate")]
        scope: Vec<Right>,
        /// Path of the site at and below which it may do that.
        #[arg(long, value_name = "PATH", conflicts_with = "group")]
        site: Option<String>,
        /// Name of the group with whose devices it may do that; everywhere without a site and a group.
        #[arg(long, value_name = "NAME")]
        group: Option<String>,
        /// Days until it ends; never when absent.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Revoke a token, at once and for good.
    Revoke {
        /// Id of the token.
        #[arg(value_name = "TOKEN")]
        token_id: Uuid,
    },
}

#[derive(Debug, Deserialize)]
struct Token {
    token_id: Uuid,
    name: String,
    scopes: Vec<String>,
    site: Option<String>,
    group: Option<String>,
    created_by: String,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Created {
    token: String,
    token_id: Uuid,
    expires_at: Option<DateTime<Utc>>,
}

pub(super) async fn run(api: &Api, command: Tokens) -> anyhow::Result<()> {
    match command {
        Tokens::List => list_tokens(api, &["tokens"]).await,
        Tokens::Create { name, scope, site, group, days } => {
            let site_id = match site {
                Some(path) => Some(sites::id_of(api, &path).await?),
                None => None,
            };
            let group_id = match group {
                Some(name) => Some(groups::id_of(api, &name).await?),
                None => None,
            };
            let end = days.map(|days| muster::clock::now() + TimeDelta::days(i64::from(days)));
            let body = json!({
                "name": name,
                "scopes": scope,
                "site_id": site_id,
                "group_id": group_id,
                "expires_at": end,
            });
            show_made(api, &api.call(Method::POST, &["tokens"], Some(&body)).await?)
        }
        // Not `token`: an option of all commands has that name.
        Tokens::Revoke { token_id } => {
            api.delete(&["tokens", &token_id.to_string()], &[]).await?;
            done(api, &format!("{token_id} is revoked"))
        }
    }
}

/// Shows a token that was made, with its secret.
pub(super) fn show_made(api: &Api, answer: &Answer) -> anyhow::Result<()> {
    show(api, answer, |made: Created| {
        fields(&[
            ("token", made.token),
            ("token_id", made.token_id.to_string()),
            ("expires_at", maybe_time(made.expires_at)),
        ])
    })
}

/// Lists the tokens that there are at this path.
pub(super) async fn list_tokens(api: &Api, path: &[&str]) -> anyhow::Result<()> {
    let answer = api.get(path, &[]).await?;
    let header = [
        "token_id",
        "name",
        "scopes",
        "site",
        "group",
        "created_by",
        "expires_at",
        "last_used_at",
        "state",
    ];
    show_page(api, &answer, &header, |t: Token| {
        let state = match t.revoked_at {
            Some(_) => "revoked",
            None => "good",
        };
        vec![
            t.token_id.to_string(),
            t.name,
            joined(&t.scopes),
            maybe(t.site),
            maybe(t.group),
            t.created_by,
            maybe_time(t.expires_at),
            maybe_time(t.last_used_at),
            state.to_owned(),
        ]
    })
}
