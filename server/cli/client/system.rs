//! `muster system`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::http::Api;
use super::output::{fields, show};

#[derive(Debug, Deserialize)]
struct System {
    version: String,
    node: String,
    database: String,
    auth: String,
    devices: i64,
    devices_online: i64,
    devices_fresh: i64,
    devices_faulted: i64,
    jobs: BTreeMap<String, i64>,
}

pub(super) async fn run(api: &Api) -> anyhow::Result<()> {
    let answer = api.get(&["system"], &[]).await?;
    show(api, &answer, |s: System| {
        let mut shown = vec![
            ("version", s.version),
            ("node", s.node),
            ("database", s.database),
            ("auth", s.auth),
            ("devices", s.devices.to_string()),
            ("online", s.devices_online.to_string()),
            ("new", s.devices_fresh.to_string()),
            ("faulted", s.devices_faulted.to_string()),
        ];
        let jobs = s.jobs.iter().map(|(state, count)| format!("{count} {state}"));
        shown.push(("jobs", jobs.collect::<Vec<_>>().join(", ")));
        fields(&shown)
    })
}
