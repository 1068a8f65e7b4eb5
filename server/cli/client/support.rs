//! `muster support`: a device as an agent sees it.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::connection::Connection;
use super::devices::named;
use super::http::Api;
use super::output::{compact, fields, maybe, maybe_time, show, table, time, yes};

/// `muster support`
#[derive(Debug, Args)]
pub struct Support {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Serial number or id of the device.
    name: String,
}

#[derive(Debug, Deserialize)]
struct View {
    name: String,
    serial: String,
    model: String,
    version: Option<String>,
    site: Option<String>,
    online: bool,
    last_inform: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    internet: Internet,
    networks: Vec<Network>,
    clients: Vec<Client>,
    read_at: Option<DateTime<Utc>>,
    errands: Vec<Errand>,
    notes: String,
}

#[derive(Debug, Deserialize)]
struct Internet {
    address: Option<String>,
    how: Option<String>,
    up: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Network {
    network: String,
    name: String,
    band: Option<String>,
    channel: Option<u32>,
    enabled: bool,
    protection: Value,
}

#[derive(Debug, Deserialize)]
struct Client {
    name: Option<String>,
    mac: String,
    address: Option<String>,
    medium: Value,
    network: Option<String>,
    signal: Value,
}

#[derive(Debug, Deserialize)]
struct Errand {
    what: Value,
    state: String,
    note: Option<String>,
    by: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn run(api: &Api, support: &Support) -> anyhow::Result<()> {
    let path = ["devices", &named(&support.name), "support"];
    show(api, &api.get(&path, &[]).await?, shown)
}

fn shown(v: View) -> String {
    let about = fields(&[
        ("name", v.name),
        ("serial", v.serial),
        ("model", v.model),
        ("version", maybe(v.version)),
        ("site", maybe(v.site)),
        ("online", yes(v.online)),
        ("last_inform", time(v.last_inform)),
        ("started_at", maybe_time(v.started_at)),
        ("address", maybe(v.internet.address)),
        ("by", maybe(v.internet.how)),
        ("line_up", maybe(v.internet.up.map(yes))),
        ("read_at", maybe_time(v.read_at)),
        ("notes", maybe(Some(v.notes))),
    ]);
    let networks = v.networks.into_iter().map(|n| {
        let (band, channel) = (maybe(n.band), maybe(n.channel.map(|c| c.to_string())));
        vec![n.network, n.name, band, channel, yes(n.enabled), compact(&n.protection)]
    });
    let clients = v.clients.into_iter().map(|c| {
        let (medium, signal) = (compact(&c.medium), compact(&c.signal));
        vec![maybe(c.name), c.mac, maybe(c.address), medium, maybe(c.network), signal]
    });
    let errands = v
        .errands
        .into_iter()
        .map(|e| vec![compact(&e.what), e.state, maybe(e.note), e.by, time(e.created_at)]);
    let parts = [
        part("networks", &NETWORKS, networks.collect()),
        part("clients", &CLIENTS, clients.collect()),
        part("errands", &ERRANDS, errands.collect()),
    ];
    format!("{about}{}", parts.concat())
}

const NETWORKS: [&str; 6] = ["network", "name", "band", "channel", "enabled", "protection"];
const CLIENTS: [&str; 6] = ["name", "mac", "address", "medium", "network", "signal"];
const ERRANDS: [&str; 5] = ["what", "state", "note", "by", "created_at"];

/// A table below a title, or nothing where there is nothing in it.
fn part(title: &str, header: &[&str], rows: Vec<Vec<String>>) -> String {
    match rows.is_empty() {
        true => String::new(),
        false => format!("\n\n{title}\n{}", table(header, &rows)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_none_of_has_no_table() {
        assert_eq!(part("clients", &CLIENTS, Vec::new()), "");
        let rows = vec![vec!["phone".to_owned()]];
        assert!(part("clients", &["name"], rows).starts_with("\n\nclients\nname"));
    }
}
