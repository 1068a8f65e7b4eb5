//! Rules of admission. People name one by its name; the API by its id.

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::cli::client::http::{Api, Page};
use crate::cli::client::output::{clean, done, fields, joined, maybe, show, show_page, yes};

/// `muster claims rules`
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// List rules, the first first: the first that fits a device lets it in.
    List,
    /// Make a rule; the last when --position is absent.
    Add {
        /// What people call it.
        name: String,
        #[command(flatten)]
        said: Said,
    },
    /// Change a rule: what is not said stays.
    Change {
        /// Name of the rule.
        name: String,
        /// What people are to call it.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        #[command(flatten)]
        said: Said,
    },
    /// Remove a rule; the devices that it let in stay what they are.
    Delete {
        /// Name of the rule.
        name: String,
    },
}

/// What is said of a rule.
#[derive(Debug, Default, Args)]
pub struct Said {
    /// Which devices it lets in.
    #[arg(short, long = "query", value_name = "SELECTOR")]
    query: Option<String>,
    /// Path of the site where they come to stand.
    #[arg(long, value_name = "PATH")]
    site: Option<String>,
    /// Name of the profile that is bound to them.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A tag that they get; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Its place among the rules, from 1 on.
    #[arg(long, value_name = "N")]
    position: Option<u32>,
    /// Whether it is looked at.
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
}

impl Said {
    /// The body of a request: what was said.
    fn body(self, name: Option<String>) -> Value {
        let mut body = Map::new();
        let texts = [
            ("name", name),
            ("selector", self.query),
            ("site", self.site),
            ("profile", self.profile),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                body.insert(field.to_owned(), Value::from(text));
            }
        }
        if !self.tags.is_empty() {
            body.insert("tags".to_owned(), Value::from(self.tags));
        }
        if let Some(position) = self.position {
            body.insert("position".to_owned(), Value::from(position));
        }
        if let Some(enabled) = self.enabled {
            body.insert("enabled".to_owned(), Value::from(enabled));
        }
        Value::Object(body)
    }
}

#[derive(Debug, Deserialize)]
struct Rule {
    rule_id: Uuid,
    position: u32,
    name: String,
    selector: String,
    site: Option<String>,
    profile: Option<String>,
    tags: Vec<String>,
    enabled: bool,
}

/// Where the API has them.
const RULES: &str = "accept-rules";

pub(super) async fn run(api: &Api, command: Rules) -> anyhow::Result<()> {
    match command {
        Rules::List => {
            let header = ["position", "name", "enabled", "selector", "site", "profile", "tags"];
            show_page(api, &api.get(&[RULES], &[]).await?, &header, |r: Rule| {
                let (position, tags) = (r.position.to_string(), joined(&r.tags));
                let (site, profile) = (maybe(r.site), maybe(r.profile));
                vec![position, r.name, yes(r.enabled), r.selector, site, profile, tags]
            })
        }
        Rules::Add { name, said } => {
            let body = said.body(Some(name));
            show(api, &api.call(Method::POST, &[RULES], Some(&body)).await?, view)
        }
        Rules::Change { name, to, said } => {
            let id = id_of(api, &name).await?;
            let body = said.body(to);
            show(api, &api.call(Method::PATCH, &[RULES, &id], Some(&body)).await?, view)
        }
        Rules::Delete { name } => {
            let id = id_of(api, &name).await?;
            api.delete(&[RULES, &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
    }
}

fn view(rule: Rule) -> String {
    fields(&[
        ("rule_id", rule.rule_id.to_string()),
        ("position", rule.position.to_string()),
        ("name", rule.name),
        ("enabled", yes(rule.enabled)),
        ("selector", rule.selector),
        ("site", maybe(rule.site)),
        ("profile", maybe(rule.profile)),
        ("tags", joined(&rule.tags)),
    ])
}

async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    let page: Page<Rule> = api.get(&[RULES], &[]).await?.read()?;
    let found = page.items.into_iter().find(|rule| rule.name == name);
    let rule = found.with_context(|| format!("no rule {}", clean(name)))?;
    Ok(rule.rule_id.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_said_is_sent() {
        let said = Said {
            query: Some("model = x".to_owned()),
            enabled: Some(false),
            position: Some(2),
            ..Said::default()
        };
        let body =
            json!({ "name": "lab", "selector": "model = x", "enabled": false, "position": 2 });
        assert_eq!(said.body(Some("lab".to_owned())), body);
        assert_eq!(Said::default().body(None), json!({}));
    }
}
