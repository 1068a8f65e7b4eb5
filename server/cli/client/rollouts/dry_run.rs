//! What a rollout would do, for people.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::output::{clean, fields, maybe, table, time};

#[derive(Debug, Deserialize)]
pub(super) struct DryRun {
    devices: u64,
    left_out: u64,
    bytes: u64,
    minutes: u64,
    ends_at: DateTime<Utc>,
    away: u64,
    assumed: u64,
    waves: Vec<WavePlan>,
    paths: Vec<PathPlan>,
    skipped: Vec<Reason>,
    scripts: Option<Scripts>,
    warnings: Vec<String>,
}

/// What a template gives for some of the devices.
#[derive(Debug, Deserialize)]
struct Scripts {
    devices: u64,
    rendered: u64,
    largest: u64,
    failures: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
struct WavePlan {
    name: String,
    devices: u64,
    bytes: u64,
    away: u64,
    minutes: u64,
    ends_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct PathPlan {
    arch: Option<String>,
    from: Option<String>,
    steps: Vec<String>,
    devices: u64,
    bytes: u64,
    assumed: bool,
}

#[derive(Debug, Deserialize)]
struct Reason {
    reason: String,
    devices: u64,
}

pub(super) fn view(run: DryRun) -> String {
    let mut parts = vec![fields(&[
        ("devices", run.devices.to_string()),
        ("left out", run.left_out.to_string()),
        ("assumed", run.assumed.to_string()),
        ("offline", run.away.to_string()),
        ("to download", size(run.bytes)),
        ("takes at least", span(run.minutes)),
        ("ends not before", time(run.ends_at)),
    ])];
    if !run.waves.is_empty() {
        let row = |w: &WavePlan| {
            let (devices, away) = (w.devices.to_string(), w.away.to_string());
            let (bytes, minutes) = (size(w.bytes), span(w.minutes));
            vec![w.name.clone(), devices, away, bytes, minutes, time(w.ends_at)]
        };
        let rows: Vec<Vec<String>> = run.waves.iter().map(row).collect();
        let header =
            ["wave", "devices", "offline", "to download", "takes at least", "ends not before"];
        parts.push(table(&header, &rows));
    }
    if !run.paths.is_empty() {
        let row = |p: PathPlan| {
            let steps = p.steps.join(", then ");
            let assumed = if p.assumed { "assumed" } else { "known" }.to_owned();
            let each = size(p.bytes);
            vec![p.devices.to_string(), maybe(p.arch), maybe(p.from), steps, each, assumed]
        };
        let rows: Vec<Vec<String>> = run.paths.into_iter().map(row).collect();
        parts.push(table(&["devices", "arch", "from", "steps", "each", "packages"], &rows));
    }
    if let Some(scripts) = run.scripts {
        parts.push(fields(&[
            ("template tried for", scripts.devices.to_string()),
            ("gives a script for", scripts.rendered.to_string()),
            ("the longest has", size(scripts.largest)),
        ]));
        if !scripts.failures.is_empty() {
            let row = |r: Reason| vec![r.devices.to_string(), r.reason];
            let rows: Vec<Vec<String>> = scripts.failures.into_iter().map(row).collect();
            parts.push(table(&["without a script", "why"], &rows));
        }
    }
    if !run.skipped.is_empty() {
        let row = |r: Reason| vec![r.devices.to_string(), r.reason];
        let rows: Vec<Vec<String>> = run.skipped.into_iter().map(row).collect();
        parts.push(table(&["left out", "why"], &rows));
    }
    parts.extend(run.warnings.iter().map(|words| format!("warning: {}", clean(words))));
    parts.join("\n\n")
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// Minutes, for people.
pub(super) fn span(minutes: u64) -> String {
    let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{rest} min"),
        (0, hours) => format!("{hours} h {rest} min"),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_told_as_people_tell_them() {
        for (bytes, words) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (12_345_678, "12.3 MB")]
        {
            assert_eq!(size(bytes), words);
        }
        assert_eq!(size(2_950_000_000), "2.9 GB");
        for (minutes, words) in
            [(0, "0 min"), (59, "59 min"), (62, "1 h 2 min"), (1_500, "1 d 1 h")]
        {
            assert_eq!(span(minutes), words);
        }
    }

    #[test]
    fn a_dry_run_says_who_and_how_and_who_not() {
        let run: DryRun = serde_json::from_value(json!({
            "devices": 190, "left_out": 10, "bytes": 2_000_000_000_u64, "minutes": 90,
            "assumed": 3, "away": 7, "ends_at": "2026-11-24T01:00:00Z",
            "waves": [{
                "name": "canary", "devices": 2, "bytes": 20, "away": 1, "minutes": 6,
                "ends_at": "2026-11-23T02:30:00Z", "sample": [],
            }],
            "paths": [{
                "arch": "arm", "from": "6.49.13", "steps": ["to 7.12.1", "to 7.16.1"],
                "devices": 50, "bytes": 20_000_000, "assumed": true,
            }],
            "scripts": {
                "devices": 50, "rendered": 48, "largest": 1_200,
                "failures": [{ "reason": "`ssid`: a value is required", "devices": 2 }],
            },
            "skipped": [{ "reason": "already there\u{9b}", "devices": 10 }],
            "warnings": ["it does not soak"],
        }))
        .unwrap();
        let text = view(run);
        for part in [
            "to 7.12.1, then to 7.16.1",
            "20.0 MB",
            "2026-11-24 01:00",
            "2026-11-23 02:30",
            "assumed",
            "1.2 kB",
            "`ssid`: a value is required",
            "already there",
            "warning: it does",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}
