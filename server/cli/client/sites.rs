//! `muster sites`. People name a site by its path; the API by its id.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::http::{Api, List, Page, Span};
use super::output::{
    clean, compact, done, fields, joined, list, maybe, maybe_time, show, table, yes,
};

/// `muster sites`
#[derive(Debug, Subcommand)]
pub enum Sites {
    /// List sites as a tree.
    List {
        /// Only this site and those in it.
        #[arg(long, value_name = "PATH")]
        under: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Show when the devices of a site may be changed.
    Windows {
        /// Path of the site.
        path: String,
    },
    /// Make a site; its parent must exist.
    Create {
        /// Where in the tree, such as eu.lv.riga.
        path: String,
        #[command(flatten)]
        about: About,
    },
    /// Change a site, or move it with all that is in it.
    Change {
        /// Path of the site.
        path: String,
        /// Where it is to be.
        #[arg(long, value_name = "PATH")]
        to: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// Remove a site.
    Delete {
        /// Path of the site.
        path: String,
        /// Path of the site to which devices and sites in it go.
        #[arg(long, value_name = "PATH")]
        move_to: Option<String>,
    },
}

/// What is said of a site.
#[derive(Debug, Args)]
pub struct About {
    /// For people.
    #[arg(long)]
    name: Option<String>,
    /// IANA name, such as Europe/Riga.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// A variable for templates; may be repeated. Without a value it is taken away; a value that is
    /// JSON is taken as such.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,
}

pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("a name and a value, as in ntp=10.0.0.1".to_owned());
    };
    if value.is_empty() {
        return Ok((name.to_owned(), Value::Null));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

impl About {
    /// The body of a request: a merge patch.
    fn patch(self, path: Option<String>) -> Value {
        let mut patch = Map::new();
        for (field, text) in [("path", path), ("name", self.name), ("time_zone", self.time_zone)] {
            if let Some(text) = text {
                patch.insert(field.to_owned(), Value::from(text));
            }
        }
        if !self.variables.is_empty() {
            patch.insert("variables".to_owned(), Value::Object(Map::from_iter(self.variables)));
        }
        Value::Object(patch)
    }
}

#[derive(Debug, Deserialize)]
struct Site {
    site_id: Uuid,
    path: String,
    name: String,
    time_zone: String,
    variables: Value,
}

/// When devices may be changed.
#[derive(Debug, Deserialize)]
struct Hours {
    site: Option<String>,
    time_zone: String,
    windows: Vec<Window>,
    open: bool,
    next_open: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Window {
    days: Vec<String>,
    from: String,
    minutes: u16,
}

impl Site {
    /// The last label of its path, as far to the right as it is deep.
    fn branch(&self) -> String {
        let label = self.path.rsplit('.').next().unwrap_or_default();
        format!("{}{label}", "  ".repeat(self.path.matches('.').count()))
    }
}

pub(super) async fn run(api: &Api, command: Sites) -> anyhow::Result<()> {
    match command {
        Sites::List { under, span } => {
            let query = under.iter().map(|path| ("under", path.as_str())).collect();
            let sites = List { path: vec!["sites"], query, cursor: "after" };
            list(api, &sites, &span, &["site", "name", "time_zone", "path"], |s: Site| {
                vec![s.branch(), s.name, s.time_zone, s.path]
            })
            .await
        }
        Sites::Windows { path } => {
            let id = id_of(api, &path).await?.to_string();
            show(api, &api.get(&["sites", &id, "windows"], &[]).await?, hours)
        }
        Sites::Create { path, about } => {
            let body = about.patch(Some(path));
            show(api, &api.call(Method::POST, &["sites"], Some(&body)).await?, view)
        }
        Sites::Change { path, to, about } => {
            let id = id_of(api, &path).await?.to_string();
            let body = about.patch(to);
            show(api, &api.call(Method::PATCH, &["sites", &id], Some(&body)).await?, view)
        }
        Sites::Delete { path, move_to } => {
            let id = id_of(api, &path).await?.to_string();
            let query: Vec<(&str, &str)> =
                move_to.iter().map(|path| ("move_to", path.as_str())).collect();
            api.delete(&["sites", &id], &query).await?;
            done(api, &format!("{path} is removed"))
        }
    }
}

fn hours(h: Hours) -> String {
    let about = fields(&[
        ("said_by", maybe(h.site)),
        ("time_zone", h.time_zone),
        ("open", yes(h.open)),
        ("next_open", maybe_time(h.next_open)),
    ]);
    if h.windows.is_empty() {
        return about;
    }
    let row = |w: Window| vec![joined(&w.days), w.from, w.minutes.to_string()];
    let rows: Vec<Vec<String>> = h.windows.into_iter().map(row).collect();
    format!("{about}\n\n{}", table(&["days", "from", "minutes"], &rows))
}

fn view(site: Site) -> String {
    fields(&[
        ("site_id", site.site_id.to_string()),
        ("path", site.path),
        ("name", site.name),
        ("time_zone", site.time_zone),
        ("variables", compact(&site.variables)),
    ])
}

/// The id of the site at a path.
pub(super) async fn id_of(api: &Api, path: &str) -> anyhow::Result<Uuid> {
    let here = List { path: vec!["sites"], query: vec![("under", path)], cursor: "after" };
    // A site stands before those in it.
    let page: Page<Site> = api.page(&here, 1, None).await?.read()?;
    let site = page.items.into_iter().find(|site| site.path == path);
    Ok(site.with_context(|| format!("no site {}", clean(path)))?.site_id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_said_is_changed() {
        let about = |variables: &[&str]| About {
            name: None,
            time_zone: Some("Europe/Riga".to_owned()),
            variables: variables.iter().map(|text| variable(text).unwrap()).collect(),
        };
        assert_eq!(about(&[]).patch(None), json!({ "time_zone": "Europe/Riga" }));
        let all = about(&["ntp=10.0.0.1", "vlan=20", "old=", "eq=a=b", "text=\"7\""]);
        let expected = json!({
            "path": "eu.lv", "time_zone": "Europe/Riga",
            "variables": { "ntp": "10.0.0.1", "vlan": 20, "old": null, "eq": "a=b", "text": "7" },
        });
        assert_eq!(all.patch(Some("eu.lv".to_owned())), expected);
        assert!(variable("ntp").is_err());
    }

    #[test]
    fn a_site_stands_below_the_one_that_it_is_in() {
        let branch = |path: &str| {
            let site = Site {
                site_id: Uuid::nil(),
                path: path.to_owned(),
                name: String::new(),
                time_zone: String::new(),
                variables: Value::Null,
            };
            site.branch()
        };
        assert_eq!((branch("eu"), branch("eu.lv.riga")), ("eu".into(), "    riga".into()));
    }
}
