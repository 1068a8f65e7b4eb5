//! How things are told to agents, and by them to customers. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::service::support::{Client, Errand, Medium, Signal, What};
use crate::web::format::When;

/// How far it is what was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// A word of `ui.state`.
    state: String,
    text: String,
    at: When,
}

impl Line {
    /// Of an errand of a device that is online or not.
    pub(super) fn of(errand: &Errand, online: bool, now: DateTime<Utc>) -> Self {
        let at = errand.finished_at.unwrap_or(errand.created_at);
        Self { state: errand.state.clone(), text: text(errand, online), at: When::new(at, now) }
    }
}

fn text(errand: &Errand, online: bool) -> String {
    let note = errand.note.as_deref().unwrap_or_default();
    match errand.state.as_str() {
        "queued" if !note.is_empty() => format!("Not yet: {note}."),
        "queued" if online => "The device is being called.".to_owned(),
        "queued" => "It is done as soon as the device is back.".to_owned(),
        "running" => "The device is at it.".to_owned(),
        "waiting" => waiting(errand.what).to_owned(),
        "done" => done(errand),
        "expired" => "The device did not come in time. Nothing was done.".to_owned(),
        "failed" if note.is_empty() => "It did not work.".to_owned(),
        "failed" => format!("It did not work: {note}."),
        _ if note.is_empty() => "It was taken back.".to_owned(),
        _ => format!("It was taken back: {note}."),
    }
}

fn waiting(what: What) -> &'static str {
    match what {
        What::Reboot => "The device restarts. That takes a minute or two.",
        What::Ping => "The device runs the test.",
        What::Wifi | What::Look => "The device has accepted it.",
    }
}

fn done(errand: &Errand) -> String {
    match errand.what {
        What::Wifi => "The device has confirmed the change.".to_owned(),
        What::Reboot => "The device is back.".to_owned(),
        What::Look => "All of this is fresh.".to_owned(),
        What::Ping => {
            let host = errand.host.as_deref().unwrap_or("the host");
            pinged(host, errand.result.as_ref().unwrap_or(&Value::Null))
        }
    }
}

/// The figures of `jobs::diagnose`.
fn pinged(host: &str, result: &Value) -> String {
    let number = |name: &str| result[name].as_u64().unwrap_or_default();
    let (good, bad) = (number("success"), number("failure"));
    if good == 0 {
        return format!("{host} does not answer.");
    }
    let answers = format!("{good} of {} answers from {host}", good + bad);
    match result["average_ms"].as_f64() {
        Some(average) => format!("{answers}, {average:.0} ms on average."),
        None => format!("{answers}."),
    }
}

/// Something that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ClientRow {
    name: String,
    /// `by cable`, or the name of a network.
    over: String,
    signal: &'static str,
    /// Bars of four, 0 = no signal is known.
    bars: u8,
    dbm: String,
    rate: String,
    address: String,
    mac: String,
}

impl ClientRow {
    /// `network` is the name of the one that it is in.
    pub(super) fn of(client: &Client, network: Option<&str>) -> Self {
        let (signal, bars) = client.signal.map_or(("", 0), signal);
        let over = match (client.medium, network) {
            (Medium::Wifi, Some(network)) => network,
            (Medium::Wifi, None) => "Wi-Fi",
            (Medium::Cable, _) => "cable",
            (Medium::Unknown, _) => "",
        };
        Self {
            name: client.name.clone().unwrap_or_else(|| client.mac.clone()),
            over: over.to_owned(),
            signal,
            bars,
            dbm: client.signal_dbm.map(|dbm| format!("{dbm} dBm")).unwrap_or_default(),
            rate: rates(client.down_kbps, client.up_kbps),
            address: client.address.clone().unwrap_or_default(),
            mac: client.mac.clone(),
        }
    }
}

fn signal(signal: Signal) -> (&'static str, u8) {
    match signal {
        Signal::Excellent => ("excellent", 4),
        Signal::Good => ("good", 3),
        Signal::Fair => ("fair", 2),
        Signal::Weak => ("weak", 1),
    }
}

/// `65 down, 54 up`: Mbit/s.
fn rates(down: Option<u32>, up: Option<u32>) -> String {
    let mbit = |kbps: u32| match kbps {
        kbps if kbps < 1_000 => "under 1".to_owned(),
        kbps => (kbps / 1_000).to_string(),
    };
    match (down, up) {
        (Some(down), Some(up)) => format!("{} down, {} up Mbit/s", mbit(down), mbit(up)),
        (Some(down), None) => format!("{} Mbit/s down", mbit(down)),
        (None, Some(up)) => format!("{} Mbit/s up", mbit(up)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
impl Line {
    pub(super) fn sample() -> Self {
        let at = When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        Self { state: "failed".to_owned(), text: "<x-evil>".to_owned(), at }
    }
}

#[cfg(test)]
impl ClientRow {
    pub(super) fn sample() -> Self {
        let evil = || "<x-evil>".to_owned();
        Self {
            name: evil(),
            over: evil(),
            signal: "good",
            bars: 3,
            dbm: "-61 dBm".to_owned(),
            rate: evil(),
            address: evil(),
            mac: evil(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn errand(what: What, state: &str, note: &str) -> Errand {
        Errand {
            job_id: Uuid::nil(),
            what,
            network: None,
            state: state.to_owned(),
            note: (!note.is_empty()).then(|| note.to_owned()),
            by: "ann".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            finished_at: None,
            host: Some("192.0.2.1".to_owned()),
            result: None,
        }
    }

    #[test]
    fn a_state_is_told_so_that_a_customer_understands_it() {
        for (what, state, note, online, expected) in [
            (What::Wifi, "queued", "", true, "The device is being called."),
            (What::Wifi, "queued", "", false, "It is done as soon as the device is back."),
            (
                What::Reboot,
                "waiting",
                "accepted",
                true,
                "The device restarts. That takes a minute or two.",
            ),
            (What::Wifi, "done", "", true, "The device has confirmed the change."),
            (
                What::Wifi,
                "failed",
                "the device refused: 9007",
                true,
                "It did not work: the device refused: 9007.",
            ),
            (
                What::Look,
                "expired",
                "x",
                false,
                "The device did not come in time. Nothing was done.",
            ),
            (
                What::Look,
                "cancelled",
                "cancelled by bob",
                true,
                "It was taken back: cancelled by bob.",
            ),
        ] {
            assert_eq!(text(&errand(what, state, note), online), expected);
        }
    }

    #[test]
    fn a_ping_is_told_by_its_figures() {
        let figures = json!({ "success": 3, "failure": 1, "average_ms": 12.4 });
        assert_eq!(
            pinged("192.0.2.1", &figures),
            "3 of 4 answers from 192.0.2.1, 12 ms on average."
        );
        let none = json!({ "success": 0, "failure": 4, "average_ms": null });
        assert_eq!(pinged("192.0.2.1", &none), "192.0.2.1 does not answer.");
        assert_eq!(pinged("h", &Value::Null), "h does not answer.");
    }

    #[test]
    fn rates_are_whole() {
        assert_eq!(rates(Some(144_400), Some(900)), "144 down, under 1 up Mbit/s");
        assert_eq!(rates(None, Some(54_000)), "54 Mbit/s up");
        assert_eq!(rates(None, None), "");
    }
}
