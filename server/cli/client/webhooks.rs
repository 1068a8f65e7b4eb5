//! `muster webhooks`. People name a webhook by its name; the API by its id.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use muster::notify::Kind;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{Api, List, Span};
use super::output::{clean, done, fields, joined, list, maybe, maybe_time, show, time, yes};

/// `muster webhooks`
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// List webhooks by name.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Make a webhook and show the secret that signs its calls, once.
    Create {
        /// What it is called.
        name: String,
        #[command(flatten)]
        place: Place,
        /// Of what it is told, with commas between: device.first_seen, device.quarantined,
        /// device.offline, device.online, device.drifted, device.crashed, device.fault,
        /// rollout.state.
        #[arg(long, value_delimiter = ',', value_name = "KIND,...", required = true)]
        kinds: Vec<Kind>,
        /// Path of a site: only of devices there and below.
        #[arg(long, value_name = "PATH")]
        site: Option<String>,
    },
    /// Change a webhook: what is not said stays. One with a URL keeps to URLs, and to its secret.
    Change {
        /// Name of the webhook.
        name: String,
        #[command(flatten)]
        change: Change,
    },
    /// Remove a webhook, with what it was still to be told.
    Delete {
        /// Name of the webhook.
        name: String,
    },
    /// Tell a webhook something of no meaning, to see whether it arrives.
    Test {
        /// Name of the webhook.
        name: String,
    },
    /// List what a webhook was told, newest first.
    Deliveries {
        /// Name of the webhook.
        name: String,
        /// queued, delivered or dead.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Try again what a webhook could not be told: all that is dead, or one delivery.
    Again {
        /// Name of the webhook.
        name: String,
        /// Id of a delivery.
        #[arg(long, value_name = "ID")]
        delivery: Option<Uuid>,
    },
}

/// Where events go.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Place {
    /// They are posted there.
    #[arg(long)]
    url: Option<String>,
    /// They are written to this mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
}

/// What is to become of a webhook.
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
pub struct Change {
    /// What it is to be called.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Where events are to be posted.
    #[arg(long, conflicts_with = "email")]
    url: Option<String>,
    /// The mail address to which they are to be written.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Of what it is to be told.
    #[arg(long, value_delimiter = ',', value_name = "KIND,...")]
    kinds: Option<Vec<Kind>>,
    /// Only of devices at this site and below.
    #[arg(long, value_name = "PATH", conflicts_with = "no_site")]
    site: Option<String>,
    /// Of all devices.
    #[arg(long)]
    no_site: bool,
    /// Whether it is told anything.
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Webhook {
    webhook_id: Uuid,
    name: String,
    url: Option<String>,
    email: Option<String>,
    kinds: Vec<String>,
    site: Option<String>,
    enabled: bool,
    /// Only where it was made just now.
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delivery {
    delivery_id: Uuid,
    kind: String,
    serial: Option<String>,
    at: DateTime<Utc>,
    state: String,
    attempts: i32,
    next_at: Option<DateTime<Utc>>,
    answer: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TriedAgain {
    deliveries: u64,
}

pub(super) async fn run(api: &Api, command: Webhooks) -> anyhow::Result<()> {
    match command {
        Webhooks::List { span } => {
            let header = ["name", "to", "kinds", "site", "enabled"];
            list(api, &all(), &span, &header, |w: Webhook| {
                let (kinds, site) = (joined(&w.kinds), maybe(w.site));
                vec![w.name, maybe(w.url.or(w.email)), kinds, site, yes(w.enabled)]
            })
            .await
        }
        Webhooks::Create { name, place, kinds, site } => {
            let Place { url, email } = place;
            let body = json!({
                "name": name, "url": url, "email": email, "kinds": kinds, "site": site,
            });
            show(api, &api.call(Method::POST, &["webhooks"], Some(&body)).await?, view)
        }
        Webhooks::Change { name, change } => {
            let id = id_of(api, &name).await?;
            let body = patch(change);
            show(api, &api.call(Method::PATCH, &["webhooks", &id], Some(&body)).await?, view)
        }
        Webhooks::Delete { name } => {
            let id = id_of(api, &name).await?;
            api.delete(&["webhooks", &id], &[]).await?;
            done(api, &format!("{name} is removed"))
        }
        Webhooks::Test { name } => {
            let id = id_of(api, &name).await?;
            let answer = api.call(Method::POST, &["webhooks", &id, "test"], None).await?;
            show(api, &answer, delivery)
        }
        Webhooks::Deliveries { name, state, span } => {
            let id = id_of(api, &name).await?;
            let query = state.iter().map(|state| ("state", state.as_str())).collect();
            let path = vec!["webhooks", id.as_str(), "deliveries"];
            let header = ["delivery_id", "at", "kind", "serial", "state", "attempts", "answer"];
            list(api, &List { path, query, cursor: "before" }, &span, &header, row).await
        }
        Webhooks::Again { name: _, delivery: Some(delivery_id) } => {
            let path = ["deliveries", &delivery_id.to_string(), "again"];
            show(api, &api.call(Method::POST, &path, None).await?, delivery)
        }
        Webhooks::Again { name, delivery: None } => {
            let id = id_of(api, &name).await?;
            let answer = api.call(Method::POST, &["webhooks", &id, "again"], None).await?;
            show(api, &answer, |tried: TriedAgain| {
                format!("{} deliveries are tried again", tried.deliveries)
            })
        }
    }
}

fn all() -> List<'static> {
    List { path: vec!["webhooks"], query: Vec::new(), cursor: "after" }
}

/// A merge patch of what was said.
fn patch(change: Change) -> Value {
    let Change { to, url, email, kinds, site, no_site, enabled } = change;
    let site = if no_site { Some(Value::Null) } else { site.map(Value::from) };
    let said = [
        ("name", to.map(Value::from)),
        ("url", url.map(Value::from)),
        ("email", email.map(Value::from)),
        ("kinds", kinds.map(|kinds| json!(kinds))),
        ("site", site),
        ("enabled", enabled.map(Value::from)),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(said.collect())
}

fn view(webhook: Webhook) -> String {
    let mut shown = vec![
        ("webhook_id", webhook.webhook_id.to_string()),
        ("name", webhook.name),
        ("to", maybe(webhook.url.or(webhook.email))),
        ("kinds", joined(&webhook.kinds)),
        ("site", maybe(webhook.site)),
        ("enabled", yes(webhook.enabled)),
    ];
    if let Some(secret) = webhook.secret {
        shown.push(("secret", secret));
    }
    fields(&shown)
}

fn row(d: Delivery) -> Vec<String> {
    vec![
        d.delivery_id.to_string(),
        time(d.at),
        d.kind,
        maybe(d.serial),
        d.state,
        d.attempts.to_string(),
        maybe(d.answer),
    ]
}

fn delivery(d: Delivery) -> String {
    fields(&[
        ("delivery_id", d.delivery_id.to_string()),
        ("kind", d.kind),
        ("state", d.state),
        ("next_at", maybe_time(d.next_at)),
        ("answer", maybe(d.answer)),
    ])
}

/// The id of the webhook of this name.
async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    let found: Option<Webhook> = api.find(&all(), |webhook: &Webhook| webhook.name == name).await?;
    let webhook = found.with_context(|| format!("no webhook {}", clean(name)))?;
    Ok(webhook.webhook_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_is_changed() {
        let nothing = || Change {
            to: None,
            url: None,
            email: None,
            kinds: None,
            site: None,
            no_site: false,
            enabled: None,
        };
        assert_eq!(patch(nothing()), json!({}));
        assert_eq!(patch(Change { no_site: true, ..nothing() }), json!({ "site": null }));
        let kinds = Some(vec![Kind::DeviceOffline]);
        let some = Change { kinds, enabled: Some(false), ..nothing() };
        assert_eq!(patch(some), json!({ "kinds": ["device.offline"], "enabled": false }));
    }
}
