//! `muster views`: selectors that people keep. A token has none of its own.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Deserialize;

use super::http::{Api, List, Span};
use super::output::{joined, list, maybe, time, yes};

/// `muster views`
#[derive(Debug, Subcommand)]
pub enum Views {
    /// List saved views that are shared.
    List {
        #[command(flatten)]
        span: Span,
    },
}

#[derive(Debug, Deserialize)]
struct View {
    owner: String,
    name: String,
    selector: String,
    columns: Vec<String>,
    shared: bool,
    created_at: DateTime<Utc>,
}

pub(super) async fn run(api: &Api, command: Views) -> anyhow::Result<()> {
    let Views::List { span } = command;
    let views = List { path: vec!["views"], query: Vec::new(), cursor: "after" };
    let header = ["name", "selector", "columns", "owner", "shared", "created_at"];
    list(api, &views, &span, &header, |v: View| {
        let (selector, columns) = (maybe(Some(v.selector)), joined(&v.columns));
        vec![v.name, selector, columns, v.owner, yes(v.shared), time(v.created_at)]
    })
    .await
}
