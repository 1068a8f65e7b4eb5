//! `muster views`: selectors that people keep, named as they call them. By a program's token one sees
//! those that are shared, and changes none.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::http::{Api, List, Span};
use super::output::{clean, done, fields, joined, list, maybe, show, time, yes};

/// `muster views`
#[derive(Debug, Subcommand)]
pub enum Views {
    /// List one's own saved views, and those that are shared.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Keep a view.
    Create {
        /// What it is called.
        name: String,
        #[command(flatten)]
        what: What,
    },
    /// Change a view of one's own: what is not said stays.
    Change {
        /// Name of the view.
        name: String,
        /// What it is to be called.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        #[command(flatten)]
        what: What,
    },
    /// Remove a view of one's own.
    Delete {
        /// Name of the view.
        name: String,
    },
}

/// What a view holds.
#[derive(Debug, Args)]
pub struct What {
    /// Which devices; all of them when that is empty.
    #[arg(short, long = "query", value_name = "SELECTOR")]
    query: Option<String>,
    /// What is shown of each, with commas between.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,...")]
    columns: Option<Vec<String>>,
    /// Whether everybody sees it.
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    shared: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct View {
    view_id: Uuid,
    owner: String,
    name: String,
    selector: String,
    columns: Vec<String>,
    shared: bool,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Me {
    user_id: Option<Uuid>,
    name: String,
}

pub(super) async fn run(api: &Api, command: Views) -> anyhow::Result<()> {
    match command {
        Views::List { span } => {
            let header = ["name", "selector", "columns", "owner", "shared", "created_at"];
            list(api, &all(), &span, &header, |v: View| {
                let (selector, columns) = (maybe(Some(v.selector)), joined(&v.columns));
                vec![v.name, selector, columns, v.owner, yes(v.shared), time(v.created_at)]
            })
            .await
        }
        Views::Create { name, what } => {
            let body = patch(Some(name), what);
            show(api, &api.call(Method::POST, &["views"], Some(&body)).await?, view)
        }
        Views::Change { name, to, what } => {
            let (id, body) = (own(api, &name).await?, patch(to, what));
            show(api, &api.call(Method::PATCH, &["views", &id], Some(&body)).await?, view)
        }
        Views::Delete { name } => {
            let id = own(api, &name).await?;
            api.delete(&["views", &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
    }
}

fn all() -> List<'static> {
    List { path: vec!["views"], query: Vec::new(), cursor: "after" }
}

/// A merge patch of what was said.
fn patch(name: Option<String>, what: What) -> serde_json::Value {
    let said = [
        ("name", name.map(|name| json!(name))),
        ("selector", what.query.map(|query| json!(query))),
        ("columns", what.columns.map(|columns| json!(columns))),
        ("shared", what.shared.map(|shared| json!(shared))),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    serde_json::Value::Object(said.collect())
}

fn view(view: View) -> String {
    fields(&[
        ("view_id", view.view_id.to_string()),
        ("name", view.name),
        ("selector", maybe(Some(view.selector))),
        ("columns", joined(&view.columns)),
        ("shared", yes(view.shared)),
    ])
}

/// The id of one's own view of this name. Others may have shared one that is called the same.
async fn own(api: &Api, name: &str) -> anyhow::Result<String> {
    let me: Me = api.get(&["me"], &[]).await?.read()?;
    let is_own = |view: &View| view.name == name && (me.user_id.is_none() || view.owner == me.name);
    let found: Option<View> = api.find(&all(), is_own).await?;
    let found = found.with_context(|| format!("no view {}", clean(name)))?;
    Ok(found.view_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_is_changed() {
        let nothing = What { query: None, columns: None, shared: None };
        assert_eq!(patch(None, nothing), json!({}));
        let columns = Some(vec!["serial".to_owned(), "site".to_owned()]);
        let what = What { query: Some(String::new()), columns, shared: Some(false) };
        let said = json!({
            "name": "x", "selector": "", "columns": ["serial", "site"], "shared": false,
        });
        assert_eq!(patch(Some("x".to_owned()), what), said);
    }
}
