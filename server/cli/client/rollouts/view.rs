//! How rollouts are read and shown.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::output::{compact, fields, maybe, maybe_time, table, time};
use super::dry_run::span;

#[derive(Debug, Deserialize)]
pub(super) struct Rollout {
    pub rollout_id: Uuid,
    pub name: String,
    pub change: Value,
    pub audience: Value,
    pub state: String,
    pub reason: Option<String>,
    pub state_at: DateTime<Utc>,
    pub wave: usize,
    pub soak_until: Option<DateTime<Utc>>,
    pub start_at: Option<DateTime<Utc>>,
    pub inverse_id: Option<Uuid>,
    pub created_by: String,
    pub started_by: Option<String>,
    pub approved_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub waves: Vec<Wave>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wave {
    pub name: String,
    pub total: u64,
    pub waiting: u64,
    pub active: u64,
    pub verifying: u64,
    pub healthy: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub skipped: u64,
    pub verdict: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub event_id: Uuid,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor: String,
    pub text: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RolloutDevice {
    pub serial: String,
    pub wave: Option<u32>,
    pub state: String,
    pub from_version: Option<String>,
    pub to_version: Option<String>,
    pub version: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ordered {
    pub devices: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub rollout: Rollout,
    pub seconds: Option<u64>,
    pub reasons: Vec<Why>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Why {
    pub state: String,
    pub reason: String,
    pub devices: u64,
}

/// What a rollout does, in a few words.
pub(super) fn change(change: &Value) -> String {
    let kind = compact(&change["kind"]);
    match kind.as_str() {
        "release" => format!("RouterOS {}", compact(&change["version"])),
        "script" => format!("script {}", compact(&change["artifact_id"])),
        "template" => match change["version"].as_i64() {
            Some(version) => {
                format!("template {}, version {version}", compact(&change["template"]))
            }
            None => format!("template {}", compact(&change["template"])),
        },
        "parameters" => {
            format!("{} parameters", change["parameters"].as_array().map_or(0, Vec::len))
        }
        _ => kind,
    }
}

/// Whom a rollout is for.
fn audience(audience: &Value) -> String {
    let whom = ["selector", "group_id", "rollout_id"]
        .into_iter()
        .find_map(|field| audience[field].as_str().map(|text| (field, text)));
    whom.map_or_else(|| "-".to_owned(), |(field, text)| format!("{field} {text}"))
}

pub(super) fn view(r: Rollout) -> String {
    let about = fields(&[
        ("rollout_id", r.rollout_id.to_string()),
        ("name", r.name),
        ("change", change(&r.change)),
        ("audience", audience(&r.audience)),
        ("state", r.state),
        ("reason", maybe(r.reason)),
        ("since", time(r.state_at)),
        ("soak_until", maybe_time(r.soak_until)),
        ("start_at", maybe_time(r.start_at)),
        ("created_by", r.created_by),
        ("created_at", time(r.created_at)),
        ("started_by", maybe(r.started_by)),
        ("approved_by", maybe(r.approved_by)),
        ("started_at", maybe_time(r.started_at)),
        ("finished_at", maybe_time(r.finished_at)),
        ("taken_back_by", maybe(r.inverse_id.map(|id| id.to_string()))),
    ]);
    if r.waves.is_empty() {
        return about;
    }
    format!("{about}\n\n{}", waves(&r.waves))
}

fn waves(waves: &[Wave]) -> String {
    let header = [
        "wave",
        "total",
        "waiting",
        "active",
        "verifying",
        "healthy",
        "failed",
        "timed_out",
        "skipped",
        "gate",
    ];
    let row = |w: &Wave| {
        let numbers = [
            w.total,
            w.waiting,
            w.active,
            w.verifying,
            w.healthy,
            w.failed,
            w.timed_out,
            w.skipped,
        ];
        let gate = w.verdict.as_ref().map(|verdict| compact(&verdict["words"]));
        let numbers = numbers.into_iter().map(|n| n.to_string());
        [w.name.clone()].into_iter().chain(numbers).chain([maybe(gate)]).collect::<Vec<String>>()
    };
    table(&header, &waves.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn report(r: Report) -> String {
    let took = r.seconds.map_or_else(|| "not begun".to_owned(), |s| span(s / 60));
    let mut text = format!("{}\n\ntook  {took}", view(r.rollout));
    if !r.reasons.is_empty() {
        let row = |w: Why| vec![w.devices.to_string(), w.state, w.reason];
        let rows: Vec<Vec<String>> = r.reasons.into_iter().map(row).collect();
        text = format!("{text}\n\n{}", table(&["devices", "state", "reason"], &rows));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    /// A rollout in this state, in the second of its two waves.
    pub(in crate::cli::client::rollouts) fn rollout(state: &str) -> Rollout {
        let at = "2026-11-22T12:00:00Z";
        let wave = |name: &str, healthy: u64, failed: u64, waiting: u64| {
            json!({
                "wave": 0, "name": name, "total": healthy + failed + waiting, "waiting": waiting,
                "active": 0, "verifying": 0, "healthy": healthy, "failed": failed, "timed_out": 0,
                "skipped": 0, "forgiven": 0, "verdict": { "words": "2 of 20 failed\u{9b}" },
            })
        };
        serde_json::from_value(json!({
            "rollout_id": "0193f6a1-0000-7000-8000-000000000001", "name": "spring\u{9b}2J",
            "change": { "kind": "release", "version": "7.16.1" },
            "audience": { "selector": "tag = pilot" }, "plan": {}, "state": state,
            "reason": "2 of 20 failed", "state_at": at, "wave": 1, "soak_until": null,
            "start_at": null, "inverse_id": null, "created_by": "ann", "started_by": "ann",
            "approved_by": null, "created_at": at, "started_at": at, "finished_at": null,
            "waves": [wave("canary", 2, 0, 0), wave("wave 2", 10, 2, 8)],
        }))
        .unwrap()
    }

    #[test]
    fn a_rollout_shows_its_waves_and_steers_no_terminal() {
        let text = view(rollout("paused"));
        for part in ["RouterOS 7.16.1", "selector tag = pilot", "canary", "2 of 20 failed"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn a_change_is_told_in_a_few_words() {
        for (value, words) in [
            (json!({ "kind": "release", "version": "7.16.1" }), "RouterOS 7.16.1"),
            (json!({ "kind": "script", "artifact_id": "x" }), "script x"),
            (json!({ "kind": "template", "template": "home" }), "template home"),
            (
                json!({ "kind": "template", "template": "home", "version": 3 }),
                "template home, version 3",
            ),
            (json!({ "kind": "parameters", "parameters": [1, 2] }), "2 parameters"),
            (json!({ "kind": "previous_release" }), "previous_release"),
        ] {
            assert_eq!(change(&value), words);
        }
        assert_eq!(audience(&json!({ "group_id": "g" })), "group_id g");
    }

    #[test]
    fn a_report_says_why() {
        let why = Why { state: "failed".to_owned(), reason: "old".to_owned(), devices: 2 };
        let told = report(Report {
            rollout: rollout("completed"),
            seconds: Some(3_720),
            reasons: vec![why],
        });
        assert!(told.contains("took  1 h 2 min"), "{told}");
        assert!(told.lines().last().unwrap().contains("old"), "{told}");
    }
}
