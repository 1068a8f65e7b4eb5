//! What a rollout would do, drawn: beside the builder, and on a page of its own for a draft.

use axum::extract::{Path, State};
use axum::response::Html;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{path, words};
use crate::ctx::Shared;
use crate::service::rollouts as service;
use crate::service::rollouts::dry_run::{DryRun, PathPlan, WavePlan};
use crate::service::rollouts::trial::ScriptSample;
use crate::web::chart::percent;
use crate::web::failure::Failure;
use crate::web::format::{When, grouped, size};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// A dry run for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Drawn {
    devices: String,
    left_out: String,
    bytes: String,
    took: String,
    /// When it ends at the soonest; none = it changes nobody.
    ends: Option<When>,
    /// Devices of which it is assumed what they have; empty = of none.
    assumed: String,
    /// For `ui.shares`.
    waves: Vec<Share>,
    paths: Vec<Way>,
    skipped: Vec<Skipped>,
    /// What a template gives, in a sentence; empty = it is of none.
    scripts: String,
    /// Why it gives some devices no script.
    without: Vec<Skipped>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Share {
    label: String,
    href: String,
    count: String,
    percent: i64,
    /// When it ends; none = it changes nobody.
    until: Option<When>,
}

/// What is done to devices of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Way {
    devices: String,
    arch: String,
    from: String,
    steps: Vec<String>,
    bytes: String,
    assumed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Skipped {
    reason: String,
    devices: String,
}

#[derive(Serialize)]
struct DryRunPage {
    shell: Shell,
    here: String,
    name: String,
    drawn: Drawn,
}

/// `GET /rollouts/{id}/dry-run`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Html<String>, Failure> {
    let rollout = service::get(&app, viewer.ctx(), id).await?;
    let run = service::dry_run::of(&app, viewer.ctx(), id).await?;
    let title = format!("{}, dry run", rollout.row.name);
    let page = DryRunPage {
        shell: Shell::new(&viewer, &app.config, title, Section::Rollouts),
        here: path(id),
        name: rollout.row.name,
        drawn: drawn(&run, viewer.ctx().now),
    };
    Ok(render(View::RolloutDryRun, &page)?)
}

pub(super) fn drawn(run: &DryRun, now: DateTime<Utc>) -> Drawn {
    let wave = |wave: &WavePlan| Share {
        label: wave.name.clone(),
        href: String::new(),
        count: match wave.devices {
            0 => "no devices".to_owned(),
            n => {
                let fetched = (wave.bytes > 0).then(|| bytes(wave.bytes));
                let said = [Some(devices(n)), fetched, Some(words::span(wave.minutes))];
                said.into_iter().flatten().collect::<Vec<_>>().join(", ")
            }
        },
        percent: percent(signed(wave.devices), signed(run.devices)),
        until: (wave.devices > 0).then(|| When::new(wave.ends_at, now)),
    };
    let way = |path: &PathPlan| Way {
        devices: number(path.devices),
        arch: path.arch.clone().unwrap_or_default(),
        from: path.from.clone().unwrap_or_default(),
        steps: path.steps.clone(),
        bytes: bytes(path.bytes),
        assumed: path.assumed,
    };
    let skipped = |reason: &service::dry_run::Reason| Skipped {
        reason: reason.reason.clone(),
        devices: number(reason.devices),
    };
    let failures = run.scripts.iter().flat_map(|sample| &sample.failures);
    Drawn {
        devices: number(run.devices),
        left_out: number(run.left_out),
        bytes: bytes(run.bytes),
        took: words::span(run.minutes),
        ends: (run.devices > 0).then(|| When::new(run.ends_at, now)),
        assumed: if run.assumed == 0 { String::new() } else { devices(run.assumed) },
        waves: run.waves.iter().map(wave).collect(),
        paths: run.paths.iter().map(way).collect(),
        skipped: run.skipped.iter().map(skipped).collect(),
        scripts: run.scripts.as_ref().map(scripts).unwrap_or_default(),
        without: failures.map(skipped).collect(),
        warnings: run.warnings.clone(),
    }
}

fn scripts(sample: &ScriptSample) -> String {
    let tried = devices(sample.devices);
    match sample.rendered {
        0 => format!("Tried for {tried}, the template gives none of them a script."),
        n if n == sample.devices => format!(
            "Tried for {tried}, the template gives each of them a script, of {} at most.",
            bytes(sample.largest)
        ),
        n => format!(
            "Tried for {tried}, the template gives {} of them a script, of {} at most.",
            number(n),
            bytes(sample.largest)
        ),
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn number(count: u64) -> String {
    grouped(signed(count))
}

fn devices(count: u64) -> String {
    if count == 1 { "1 device".to_owned() } else { format!("{} devices", number(count)) }
}

fn bytes(count: u64) -> String {
    size(signed(count))
}

#[cfg(test)]
pub(super) fn sample_run() -> DryRun {
    let evil = || "<x-evil>".to_owned();
    let wave = |devices| WavePlan {
        name: evil(),
        devices,
        bytes: devices * 13_107_200,
        away: 0,
        minutes: devices * 70,
        ends_at: DateTime::UNIX_EPOCH,
        sample: Vec::new(),
    };
    let way = |assumed: bool| PathPlan {
        arch: Some(evil()),
        from: assumed.then(evil),
        steps: vec![evil(), "look whether it took".to_owned()],
        devices: 1_000,
        bytes: 13_107_200,
        assumed,
    };
    DryRun {
        devices: 2_000,
        left_out: 3,
        bytes: 26_214_400_000,
        minutes: 150,
        ends_at: DateTime::UNIX_EPOCH,
        away: 12,
        assumed: 1_000,
        waves: vec![wave(1), wave(1_999), wave(0)],
        paths: vec![way(true), way(false)],
        skipped: vec![service::dry_run::Reason { reason: evil(), devices: 3 }],
        scripts: Some(ScriptSample {
            devices: 50,
            rendered: 48,
            largest: 2_048,
            failures: vec![service::dry_run::Reason { reason: evil(), devices: 2 }],
        }),
        warnings: vec![evil()],
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let none = DryRun {
        devices: 0,
        left_out: 0,
        bytes: 0,
        minutes: 0,
        ends_at: DateTime::UNIX_EPOCH,
        away: 0,
        assumed: 0,
        waves: Vec::new(),
        paths: Vec::new(),
        skipped: Vec::new(),
        scripts: None,
        warnings: Vec::new(),
    };
    let page = |run: &DryRun| {
        let name = "<x-evil>".to_owned();
        let here = path(Uuid::nil());
        let drawn = drawn(run, DateTime::UNIX_EPOCH);
        let page = DryRunPage { shell: Shell::sample(), here, name, drawn };
        sample(View::RolloutDryRun, &page)
    };
    vec![page(&sample_run()), page(&none)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_told_in_units_that_people_know() {
        let drawn = drawn(&sample_run(), DateTime::UNIX_EPOCH);
        assert_eq!((drawn.took.as_str(), drawn.bytes.as_str()), ("2 h 30 min", "24.4 GiB"));
        let counts: Vec<(&str, i64)> =
            drawn.waves.iter().map(|wave| (wave.count.as_str(), wave.percent)).collect();
        assert_eq!(counts[0], ("1 device, 12.5 MiB, 1 h 10 min", 1));
        // Times that the reader's browser puts by its own clock, as it does elsewhere.
        let ends = Some(When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH));
        assert_eq!((&drawn.ends, &drawn.waves[0].until), (&ends, &ends));
        assert_eq!(drawn.waves[2].until, None);
        assert_eq!((counts[1].1, counts[2]), (99, ("no devices", 0)));
        assert_eq!(drawn.paths[0].from, "<x-evil>");
        assert_eq!(drawn.paths[1].from, "");
        assert!(drawn.scripts.contains("48 of them a script, of 2.0 KiB"), "{}", drawn.scripts);
        assert_eq!(drawn.without[0].devices, "2");
    }

    #[test]
    fn of_a_template_it_is_told_for_how_many_it_gives_a_script() {
        let of = |devices, rendered| {
            scripts(&ScriptSample { devices, rendered, ..ScriptSample::default() })
        };
        assert!(of(1, 1).contains("1 device, the template gives each"));
        assert!(of(50, 0).contains("50 devices, the template gives none"));
    }
}
