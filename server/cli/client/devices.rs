//! `muster devices`.

use anyhow::ensure;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::{Columns, Device, all_fields, show_devices};
use super::device_more::{self, DeviceFile, Inspect};
use super::device_place::{self, Place};
use super::http::{Api, List, Span};
use super::jobs::{self, Waiting};
use super::many::{self, Changes};
use super::order::Before;
use super::output::{
    clean, compact, done, fields, hint, joined, list, maybe, maybe_time, show, table, time, yes,
};
use super::rollouts::{self, Upgrade};

/// `muster devices`. NAME is a serial number, or a device's id.
#[derive(Debug, Subcommand)]
pub enum Devices {
    /// List devices: all, or those that a selector finds.
    List {
        /// Such as 'model ~ "hAP*" and not online'.
        #[arg(short, long = "query", value_name = "SELECTOR")]
        query: Option<String>,
        #[command(flatten)]
        columns: Columns,
        #[command(flatten)]
        span: Span,
    },
    /// Show all that is known of a device, its parameters apart.
    Get {
        /// Serial number or id.
        name: String,
    },
    /// Show a device's parameters as last read.
    Parameters {
        /// Serial number or id.
        name: String,
        /// Only those with this text in name or value, in any case.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those whose names begin like this.
        #[arg(long, value_name = "PATH")]
        prefix: Option<String>,
    },
    /// Write parameters on a device: all of them or none.
    Set {
        /// Serial number or id.
        name: String,
        /// Such as Device.DeviceInfo.ProvisioningCode=riga-7.
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = assignment)]
        parameters: Vec<Assignment>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List what happened to a device, newest first.
    Events {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        span: Span,
    },
    /// List a device's CWMP sessions, newest first, or show what was said in one.
    Sessions {
        /// Serial number or id.
        name: String,
        /// Id of a session.
        session: Option<Uuid>,
        #[command(flatten)]
        span: Span,
    },
    /// Show a secret of a device in clear; each look is in the audit log.
    Reveal {
        /// Serial number or id.
        name: String,
        /// Full name of the parameter.
        parameter: String,
    },
    /// Let a device that lost its own credential enrol again.
    AllowEnrolment {
        /// Serial number or id.
        name: String,
        /// For how long.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=168))]
        hours: u32,
    },
    /// List the files that a device sent, newest first, or fetch one.
    Files {
        /// Serial number or id.
        name: String,
        #[command(subcommand)]
        wanted: Option<DeviceFile>,
        #[command(flatten)]
        span: Span,
    },
    /// Say where a device stands, tag it, and say what it hangs on and what backs it up.
    Place(Place),
    #[command(flatten)]
    Changes(Changes),
    /// Have a device come now.
    Wake {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Restart a device.
    Reboot {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Read a device's whole data model anew.
    Refresh {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Show what is installed on a device: packages, RouterBOOT, device-mode.
    Packages {
        /// Serial number or id.
        name: String,
    },
    /// Have a device tell what is installed on it, or all that a selector finds: by a script, and its
    /// log.
    Inspect(Inspect),
    /// Bring a device to a RouterOS release now: a rollout of one device.
    Upgrade {
        /// Serial number or id.
        name: String,
        #[command(flatten)]
        upgrade: Upgrade,
    },
    /// Set a device back to its factory settings.
    FactoryReset {
        /// Serial number or id.
        name: String,
        /// Its serial number again, to the letter.
        #[arg(long, value_name = "SERIAL")]
        confirm: String,
        #[command(flatten)]
        before: Before,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Remove a device from Muster, with all that is known of it.
    Delete {
        /// Serial number or id.
        name: String,
        /// Its serial number again, to the letter.
        #[arg(long, value_name = "SERIAL")]
        confirm: String,
    },
}

/// A parameter and the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub(super) name: String,
    pub(super) value: String,
}

pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Assignment { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err("a name and a value, as in Device.DeviceInfo.ProvisioningCode=riga-7".to_owned()),
    }
}

/// What a path of the API calls a device: an id in its usual form is one, all else a serial number.
pub(super) fn named(name: &str) -> String {
    let id = name.len() == 36 && Uuid::try_parse(name).is_ok();
    if id || name.starts_with("serial:") { name.to_owned() } else { format!("serial:{name}") }
}

#[derive(Debug, Deserialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    device: Device,
    methods: Option<Vec<String>>,
    connection_request: Option<WakeState>,
    uplink: Option<Uuid>,
    redundancy: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WakeState {
    asked_at: DateTime<Utc>,
    attempts: i32,
    last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    refreshed_at: Option<DateTime<Utc>>,
    items: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    value: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    writable: Option<bool>,
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Event {
    at: DateTime<Utc>,
    kind: String,
    job_id: Option<Uuid>,
    detail: Value,
}

pub(super) async fn run(api: &Api, command: Devices) -> anyhow::Result<()> {
    match command {
        Devices::List { query, columns, span } => {
            let query = query.iter().map(|q| ("q", q.as_str())).collect();
            let devices = List { path: vec!["devices"], query, cursor: "after" };
            show_devices(api, &devices, &span, &columns).await
        }
        Devices::Get { name } => {
            show(api, &api.get(&["devices", &named(&name)], &[]).await?, detail)
        }
        Devices::Parameters { name, search, prefix } => {
            parameters(api, &name, search.as_deref(), prefix.as_deref()).await
        }
        Devices::Set { name, parameters, waiting } => {
            let entry = |a: &Assignment| json!({ "name": a.name, "value": a.value });
            let entries: Vec<Value> = parameters.iter().map(entry).collect();
            let job = json!({ "kind": "set", "parameters": entries });
            jobs::order(api, &name, &job, &waiting).await
        }
        Devices::Events { name, span } => events(api, &name, &span).await,
        Devices::Sessions { name, session, span } => {
            device_more::sessions(api, &name, session, &span).await
        }
        Devices::Reveal { name, parameter } => device_more::reveal(api, &name, &parameter).await,
        Devices::AllowEnrolment { name, hours } => {
            device_more::allow_enrolment(api, &name, hours).await
        }
        Devices::Files { name, wanted, span } => {
            device_more::device_files(api, &name, wanted, &span).await
        }
        Devices::Place(place) => device_place::run(api, place).await,
        Devices::Changes(changes) => many::change(api, changes).await,
        Devices::Wake { name, waiting } => {
            let path = ["devices", &named(&name), "wake"];
            let answer = api.call(Method::POST, &path, None).await?;
            jobs::follow(api, answer, &waiting).await
        }
        Devices::Reboot { name, waiting } => {
            jobs::order(api, &name, &json!({ "kind": "reboot" }), &waiting).await
        }
        Devices::Refresh { name, waiting } => {
            jobs::order(api, &name, &json!({ "kind": "refresh" }), &waiting).await
        }
        Devices::Packages { name } => device_more::packages(api, &name).await,
        Devices::Inspect(asked) => device_more::inspect(api, asked).await,
        Devices::Upgrade { name, upgrade } => rollouts::upgrade(api, &name, upgrade).await,
        Devices::FactoryReset { name, confirm, before, waiting } => {
            let id = confirmed(api, &name, &confirm).await?.to_string();
            let mut job = json!({ "kind": "factory_reset" });
            before.say(&mut job);
            jobs::order(api, &id, &job, &waiting).await
        }
        Devices::Delete { name, confirm } => {
            let id = confirmed(api, &name, &confirm).await?.to_string();
            api.delete(&["devices", &id], &[]).await?;
            done(api, &format!("{confirm} is removed"))
        }
    }
}

pub(super) fn detail(detail: Detail) -> String {
    let mut all = all_fields(&detail.device);
    all.push(("methods".to_owned(), joined(&detail.methods.unwrap_or_default())));
    all.push(("uplink".to_owned(), maybe(detail.uplink.map(|id| id.to_string()))));
    all.push(("redundancy".to_owned(), maybe(detail.redundancy)));
    if let Some(wake) = detail.connection_request {
        let error = wake.last_error.map(|e| format!(": {e}")).unwrap_or_default();
        let words = format!("since {}, {} attempts{error}", time(wake.asked_at), wake.attempts);
        all.push(("being_woken".to_owned(), words));
    }
    fields(&all)
}

async fn parameters(
    api: &Api,
    name: &str,
    search: Option<&str>,
    prefix: Option<&str>,
) -> anyhow::Result<()> {
    let narrow = [("search", search), ("prefix", prefix)];
    let query: Vec<(&str, &str)> =
        narrow.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let answer = api.get(&["devices", &named(name), "parameters"], &query).await?;
    show(api, &answer, |found: Parameters| {
        let row = |p: Parameter| {
            let writable = maybe(p.writable.map(yes));
            vec![p.name, p.value, maybe(p.kind), writable, maybe_time(p.at)]
        };
        let rows: Vec<Vec<String>> = found.items.into_iter().map(row).collect();
        hint(&format!("read whole: {}", maybe_time(found.refreshed_at)));
        table(&["name", "value", "type", "writable", "at"], &rows)
    })
}

async fn events(api: &Api, name: &str, span: &Span) -> anyhow::Result<()> {
    let name = named(name);
    let path = vec!["devices", name.as_str(), "events"];
    let events = List { path, query: Vec::new(), cursor: "before" };
    list(api, &events, span, &["at", "kind", "job_id", "detail"], |e: Event| {
        let job = maybe(e.job_id.map(|id| id.to_string()));
        vec![time(e.at), e.kind, job, compact(&e.detail)]
    })
    .await
}

/// The id of the device, if it is the one whose serial number was said.
async fn confirmed(api: &Api, name: &str, serial: &str) -> anyhow::Result<Uuid> {
    let device: Device = api.get(&["devices", &named(name)], &[]).await?.read()?;
    ensure!(
        device.serial == serial,
        "its serial number is {}, not {serial}: nothing was done",
        clean(&device.serial)
    );
    Ok(device.device_id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_is_a_serial_number_unless_it_looks_like_an_id() {
        let id = "0193f6a1-0000-5000-8000-000000000001";
        for (name, path) in [
            ("8A0C07C3F3BB", "serial:8A0C07C3F3BB"),
            ("serial:8A0C", "serial:8A0C"),
            (id, id),
            // 32 hexadecimal digits may well be a serial number.
            ("0193f6a1000050008000000000000001", "serial:0193f6a1000050008000000000000001"),
            ("..", "serial:.."),
        ] {
            assert_eq!(named(name), path);
        }
    }

    #[test]
    fn a_value_may_hold_anything() {
        let one = assignment("Device.X=a=b c").unwrap();
        assert_eq!((one.name.as_str(), one.value.as_str()), ("Device.X", "a=b c"));
        assert_eq!(assignment("Device.X=").unwrap().value, "");
        assert!(assignment("=1").is_err() && assignment("Device.X").is_err());
    }
}
