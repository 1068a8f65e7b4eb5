//! How benches and their boards are shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::cli::client::output::{clean_lines, compact, fields, maybe, maybe_time, time, yes};

/// Columns of a bench.
pub(super) const BENCH: [&str; 6] = ["interface", "host", "address", "armed", "serves", "boards"];
/// Columns of a board.
pub(super) const BOARD: [&str; 9] =
    ["mac", "board", "state", "for", "template", "size", "time", "tries", "why"];

/// An interface on which boards are served.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Bench {
    /// Which.
    pub bench_id: Uuid,
    host: String,
    interface: String,
    address: Option<String>,
    problem: Option<String>,
    alive: bool,
    heard_at: DateTime<Utc>,
    armed: bool,
    armed_until: Option<DateTime<Utc>>,
    armed_by: Option<String>,
    remaining_seconds: Option<i64>,
    arming: Option<Value>,
    profile_status: Option<String>,
    counts: BTreeMap<String, i64>,
    others: Vec<Other>,
}

/// Another server of BOOTP or DHCP.
#[derive(Debug, Clone, Deserialize)]
struct Other {
    address: String,
    dhcp: bool,
}

impl Bench {
    /// Whether people mean this one.
    pub(super) fn is(&self, name: &str) -> bool {
        self.interface == name || format!("{}:{}", self.host, self.interface) == name
    }

    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.interface.clone(),
            self.host.clone(),
            maybe(self.address.clone()),
            self.armed(),
            self.serves(),
            self.boards(),
        ]
    }

    /// For how much longer it is armed, or why not.
    fn armed(&self) -> String {
        if let Some(problem) = &self.problem {
            return problem.clone();
        }
        if !self.alive {
            return format!("its node is silent since {}", time(self.heard_at));
        }
        match self.remaining_seconds.filter(|_| self.armed) {
            Some(left) => format!("{}:{:02} left", left / 60, left % 60),
            None => "no".to_owned(),
        }
    }

    /// With which template, by which profile, and whom beside those that are claimed.
    fn serves(&self) -> String {
        let Some(arming) = self.arming.as_ref().filter(|_| self.armed) else {
            return maybe(None);
        };
        let status = self.profile_status.as_deref().unwrap_or("unknown");
        let (template, profile) = (compact(&arming["template"]), compact(&arming["profile"]));
        let any = if arming["any"] == true { ", also to boards that nobody claimed" } else { "" };
        let version = match arming["template_version"].as_i64() {
            Some(version) => format!(", version {version},"),
            None => String::new(),
        };
        format!("{template}{version} by {profile} ({status}){any}")
    }

    fn boards(&self) -> String {
        let said = self.counts.iter().map(|(state, count)| format!("{count} {}", spaced(state)));
        maybe(Some(said.collect::<Vec<_>>().join(", ")))
    }

    /// What else answers there, in a line each.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warn = |other: &Other| {
            let speaks = if other.dhcp { "DHCP" } else { "BOOTP" };
            format!("{}: {} answers there, too, by {speaks}", self.interface, other.address)
        };
        self.others.iter().map(warn).collect()
    }

    pub(super) fn detail(&self) -> String {
        fields(&[
            ("bench_id", self.bench_id.to_string()),
            ("host", self.host.clone()),
            ("interface", self.interface.clone()),
            ("address", maybe(self.address.clone())),
            ("armed", self.armed()),
            ("until", maybe_time(self.armed_until)),
            ("by", maybe(self.armed_by.clone())),
            ("serves", self.serves()),
            ("arming", maybe(self.arming.as_ref().map(compact))),
            ("boards", self.boards()),
        ])
    }
}

/// A board.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Board {
    /// Which.
    pub mac: String,
    /// Where it is.
    pub state: String,
    /// Why.
    pub words: Option<String>,
    /// Of what is under way.
    pub step: Option<String>,
    /// What it was sent, where that was asked for.
    pub script: Option<String>,
    /// When it was seen last.
    pub seen_at: DateTime<Utc>,
    kind: String,
    board_id: Option<String>,
    arch: Option<String>,
    free_bytes: Option<i64>,
    serial: Option<String>,
    customer: Option<String>,
    device_id: Option<Uuid>,
    site: Option<String>,
    profile: Option<String>,
    profile_status: Option<String>,
    strategy: Option<String>,
    template: Option<String>,
    template_version: Option<i64>,
    size: Option<i64>,
    sent_bytes: i64,
    total_bytes: i64,
    requests: i64,
    retries: i64,
    duration_ms: Option<i64>,
    delivered_at: Option<DateTime<Utc>>,
    confirmed_at: Option<DateTime<Utc>>,
    done: bool,
    deliveries: i64,
    install: Option<Value>,
    install_until: Option<DateTime<Utc>>,
}

impl Board {
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.mac.clone(),
            maybe(self.board_id.clone()),
            self.standing(),
            maybe(self.serial.clone().or_else(|| self.customer.clone())),
            maybe(self.template.clone()),
            maybe(self.size.map(|size| size.to_string())),
            self.time(),
            format!("{}/{}", self.requests, self.retries),
            maybe(self.words.clone()),
        ]
    }

    /// Its state, with how far it is.
    pub(super) fn standing(&self) -> String {
        let state = spaced(&self.state);
        let under_way = matches!(self.state.as_str(), "transferring" | "installing");
        if !under_way || self.total_bytes <= 0 {
            return state;
        }
        let percent = self.sent_bytes.clamp(0, self.total_bytes) * 100 / self.total_bytes;
        match &self.step {
            Some(step) => format!("{state} {percent} %, {step}"),
            None => format!("{state} {percent} %"),
        }
    }

    fn time(&self) -> String {
        let seconds = |ms: i64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
        maybe(self.duration_ms.map(seconds))
    }

    pub(super) fn detail(&self) -> String {
        let version = self.template_version.map(|version| version.to_string());
        let device = self.device_id.map(|device| device.to_string());
        let about = fields(&[
            ("mac", self.mac.clone()),
            ("state", self.standing()),
            ("why", maybe(self.words.clone())),
            ("kind", self.kind.clone()),
            ("board", maybe(self.board_id.clone())),
            ("arch", maybe(self.arch.clone())),
            ("free_bytes", maybe(self.free_bytes.map(|free| free.to_string()))),
            ("serial", maybe(self.serial.clone())),
            ("customer", maybe(self.customer.clone())),
            ("site", maybe(self.site.clone())),
            ("device_id", maybe(device)),
            ("profile", maybe(self.profile.clone())),
            ("profile_status", maybe(self.profile_status.clone())),
            ("strategy", maybe(self.strategy.clone())),
            ("template", maybe(self.template.clone())),
            ("template_version", maybe(version)),
            ("size", maybe(self.size.map(|size| size.to_string()))),
            ("time", self.time()),
            ("requests", self.requests.to_string()),
            ("retries", self.retries.to_string()),
            ("seen_at", time(self.seen_at)),
            ("delivered_at", maybe_time(self.delivered_at)),
            ("confirmed_at", maybe_time(self.confirmed_at)),
            ("had_its_delivery", yes(self.done)),
            ("deliveries", self.deliveries.to_string()),
            ("install", maybe(self.install.as_ref().map(compact))),
            ("install_until", maybe_time(self.install_until)),
        ]);
        match &self.script {
            Some(script) => format!("{about}\n\n{}", clean_lines(script)),
            None => about,
        }
    }
}

/// What happened to a board.
#[derive(Debug, Deserialize)]
pub(super) struct LogEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Its state from then on.
    pub state: String,
    /// In words.
    pub words: Option<String>,
    /// More of it.
    pub detail: Value,
}

/// A code in words.
pub(super) fn spaced(code: &str) -> String {
    code.replace('_', " ")
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    pub(in crate::cli::client::bench) fn board(mac: &str, state: &str) -> Board {
        serde_json::from_value(json!({
            "mac": mac, "state": state, "kind": "flashboot", "board_id": "952-hb",
            "seen_at": "2030-01-01T00:00:00Z", "sent_bytes": 512, "total_bytes": 2048,
            "requests": 13, "retries": 1, "duration_ms": 2345, "done": false, "deliveries": 0,
        }))
        .unwrap()
    }

    pub(in crate::cli::client::bench) fn bench(remaining: Option<i64>) -> Bench {
        serde_json::from_value(json!({
            "bench_id": Uuid::nil(), "host": "lab", "interface": "eth1", "alive": true,
            "heard_at": "2030-01-01T00:00:00Z", "armed": remaining.is_some(),
            "remaining_seconds": remaining, "profile_status": "unverified",
            "arming": { "template": "bench", "template_version": 3, "profile": "mikrotik-flashboot", "any": true },
            "counts": { "delivered": 37, "timed_out": 1 }, "others": [{ "address": "192.0.2.7", "dhcp": true }],
        }))
        .unwrap()
    }

    #[test]
    fn a_bench_says_what_it_serves_and_how_sure_that_is() {
        let armed = bench(Some(3_605)).row();
        assert_eq!(armed[3], "60:05 left");
        assert_eq!(
            armed[4],
            "bench, version 3, by mikrotik-flashboot (unverified), also to boards that nobody claimed"
        );
        assert_eq!(armed[5], "37 delivered, 1 timed out");
        assert_eq!(armed.len(), BENCH.len());
        let not = bench(None).row();
        assert_eq!((not[3].as_str(), not[4].as_str()), ("no", "-"));
        assert!(bench(None).warnings()[0].contains("192.0.2.7"));
        assert!(bench(None).is("eth1") && bench(None).is("lab:eth1") && !bench(None).is("lab"));
    }

    #[test]
    fn a_board_says_how_far_it_is() {
        let row = board("E4:8D:8C:00:00:01", "transferring").row();
        assert_eq!(row.len(), BOARD.len());
        assert_eq!((row[2].as_str(), row[6].as_str()), ("transferring 25 %", "2.3 s"));
        assert_eq!(board("", "timed_out").standing(), "timed out");
        assert!(board("M", "seen").detail().contains("952-hb"));
    }
}
