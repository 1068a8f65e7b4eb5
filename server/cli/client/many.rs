//! One thing done to many devices: which, how many, and whether it is meant.
//!
//! Owns that nobody is asked less than the number: it is told, or it is counted and agreed to.

use std::io::IsTerminal;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::groups;
use super::http::Api;
use super::output::{agreed, clean, show};

/// Many devices.
#[derive(Debug, Args)]
pub struct Many {
    /// Which devices.
    #[arg(short, long = "query", visible_alias = "where", value_name = "SELECTOR")]
    pub(super) query: String,
    /// How many devices you saw match; where they are not as many, nothing is done. Without it they
    /// are counted, and you are asked.
    #[arg(long, value_name = "N")]
    pub(super) expected: Option<u64>,
    /// Do not ask: go on with as many as are counted.
    #[arg(long)]
    pub(super) yes: bool,
}

/// What Muster notes of devices, changed for many.
#[derive(Debug, Subcommand)]
pub enum Changes {
    /// Put tags on all devices that a selector finds.
    Tag {
        /// Tags.
        #[arg(required = true, value_name = "TAG")]
        tags: Vec<String>,
        #[command(flatten)]
        many: Many,
    },
    /// Take tags off all devices that a selector finds.
    Untag {
        /// Tags.
        #[arg(required = true, value_name = "TAG")]
        tags: Vec<String>,
        #[command(flatten)]
        many: Many,
    },
    /// Move all devices that a selector finds to a site.
    Move {
        /// Path of the site.
        #[arg(required_unless_present = "no_site", conflicts_with = "no_site")]
        site: Option<String>,
        /// Take them out of their sites.
        #[arg(long)]
        no_site: bool,
        #[command(flatten)]
        many: Many,
    },
    /// Put all devices that a selector finds into a group without a selector.
    GroupAdd {
        /// Name of the group.
        group: String,
        #[command(flatten)]
        many: Many,
    },
    /// Take all devices that a selector finds out of a group without a selector.
    GroupRemove {
        /// Name of the group.
        group: String,
        #[command(flatten)]
        many: Many,
    },
}

#[derive(Debug, Deserialize)]
struct Count {
    count: u64,
}

#[derive(Debug, Deserialize)]
struct Changed {
    changed: u64,
    unchanged: u64,
    skipped: u64,
    reasons: Vec<Skipped>,
}

#[derive(Debug, Deserialize)]
struct Skipped {
    device_id: Uuid,
    why: String,
}

impl Many {
    /// The part of a request that says which devices, if whoever asks goes on with so many. `what`
    /// is done to them, in words.
    pub(super) async fn agreed(&self, api: &Api, what: &str) -> anyhow::Result<Value> {
        let expected = match self.expected {
            Some(expected) => expected,
            None => self.counted(api, what).await?,
        };
        Ok(json!({ "selector": self.query, "expected": expected }))
    }

    async fn counted(&self, api: &Api, what: &str) -> anyhow::Result<u64> {
        let query = [("q", self.query.as_str())];
        let Count { count } = api.get(&["devices", "count"], &query).await?.read()?;
        ensure!(count > 0, "no device matches: nothing was done");
        if self.yes {
            return Ok(count);
        }
        if !std::io::stdin().is_terminal() {
            bail!("{count} devices match: --expected {count} goes on with {}", clean(what));
        }
        ensure!(agreed(&format!("{what}: {count} devices?"))?, "nothing was done");
        Ok(count)
    }
}

/// Changes many devices.
pub(super) async fn change(api: &Api, changes: Changes) -> anyhow::Result<()> {
    let (what, change, many) = match changes {
        Changes::Tag { tags, many } => {
            let what = format!("tag {}", tags.join(", "));
            (what, json!({ "kind": "add_tags", "tags": tags }), many)
        }
        Changes::Untag { tags, many } => {
            let what = format!("untag {}", tags.join(", "));
            (what, json!({ "kind": "remove_tags", "tags": tags }), many)
        }
        Changes::Move { site: Some(site), many, .. } => {
            (format!("move to {site}"), json!({ "kind": "move", "site": site }), many)
        }
        Changes::Move { site: None, many, .. } => {
            ("move out of all sites".to_owned(), json!({ "kind": "move_out" }), many)
        }
        Changes::GroupAdd { group, many } => {
            let group_id = groups::id_of(api, &group).await?;
            let change = json!({ "kind": "add_to_group", "group_id": group_id });
            (format!("put into {group}"), change, many)
        }
        Changes::GroupRemove { group, many } => {
            let group_id = groups::id_of(api, &group).await?;
            let change = json!({ "kind": "remove_from_group", "group_id": group_id });
            (format!("take out of {group}"), change, many)
        }
    };
    let mut body = many.agreed(api, &what).await?;
    body["change"] = change;
    let answer = api.call(Method::POST, &["devices", "bulk"], Some(&body)).await?;
    show(api, &answer, view)
}

fn view(done: Changed) -> String {
    let Changed { changed, unchanged, skipped, reasons } = done;
    let mut lines =
        vec![format!("{changed} devices changed, {unchanged} were so already, {skipped} skipped")];
    lines.extend(reasons.iter().map(|r| format!("{}: {}", r.device_id, clean(&r.why))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_how_many_were_changed_and_why_others_were_not() {
        let done = |reasons| Changed { changed: 2, unchanged: 1, skipped: 1, reasons };
        let line = "2 devices changed, 1 were so already, 1 skipped";
        assert_eq!(view(done(Vec::new())), line);
        let why = "at most 50 tags\u{9b}".to_owned();
        let told = view(done(vec![Skipped { device_id: Uuid::nil(), why }]));
        assert_eq!(told, format!("{line}\n{}: at most 50 tags\u{fffd}", Uuid::nil()));
    }
}
