//! Figures as words, pictures and links. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::history::series;
use super::{DAY, Having, Pulse};
use crate::config::Config;
use crate::fleet::selector::quoted;
use crate::service::overview::Shares;
use crate::store::overview::{Problem, Share};
use crate::store::samples::Sample;
use crate::web::chart::{self, percent, share_bar, sparkline};
use crate::web::format::{When, acs_url, grouped};
use crate::web::jobs::{ended_since, words};

/// Points of a line: a quarter of an hour each.
const POINTS: usize = 96;
/// States in which a job is counted whenever it was made; in the others if it ended within a day.
const OPEN: [&str; 3] = ["queued", "running", "waiting"];
/// States of jobs that did not end well.
const PROBLEMS: &str = "failed,expired";

#[derive(Serialize)]
pub(super) struct FiguresPart {
    at: When,
    /// Whether the viewer sees the whole fleet, which alone has a history.
    everywhere: bool,
    /// Whether there is no device, as far as the viewer sees.
    empty: bool,
    first: FirstSteps,
    tiles: Vec<Tile>,
    informs: Option<Informs>,
    jobs: JobStates,
}

/// How the first device comes.
#[derive(Serialize)]
struct FirstSteps {
    router: String,
    simulator: String,
}

#[derive(Serialize)]
struct Tile {
    label: &'static str,
    value: String,
    href: String,
    state: &'static str,
    spark: String,
}

#[derive(Serialize)]
struct Informs {
    line: String,
    now: String,
    most: String,
    since: When,
    until: When,
}

#[derive(Serialize)]
struct JobStates {
    /// Empty where there is nothing to show.
    bar: String,
    key: Vec<KeyItem>,
}

#[derive(Serialize)]
struct KeyItem {
    label: String,
    href: String,
    count: String,
    tone: &'static str,
}

#[derive(Serialize)]
pub(super) struct SharesPart {
    models: Vec<ShareItem>,
    versions: Vec<ShareItem>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ShareItem {
    label: String,
    href: String,
    count: String,
    percent: i64,
}

#[derive(Serialize)]
pub(super) struct ProblemItem {
    job: Uuid,
    device: Uuid,
    serial: String,
    site: String,
    title: String,
    state: String,
    why: String,
    at: When,
}

pub(super) fn figures(
    pulse: &Pulse,
    config: &Config,
    everywhere: bool,
    now: DateTime<Utc>,
) -> FiguresPart {
    FiguresPart {
        at: When::new(pulse.at, now),
        everywhere,
        empty: pulse.figures.fleet.devices == 0,
        first: first_steps(config),
        tiles: tiles(pulse),
        informs: informs(pulse, now),
        jobs: job_states(pulse),
    }
}

fn tiles(pulse: &Pulse) -> Vec<Tile> {
    let fleet = pulse.figures.fleet;
    // As many rows as devices: of each of them the newest such job.
    let problems = ended_since(PROBLEMS, pulse.at - DAY, true);
    let (faulted, tone) = if fleet.faulted > 0 { ("faulted", "bad") } else { ("none", "") };
    let tile = |label: &'static str, state: &'static str, count: i64, href: String| Tile {
        label,
        value: grouped(count),
        href,
        state,
        spark: String::new(),
    };
    let mut tiles = vec![
        tile("online", "online", fleet.online, devices("online")),
        tile("offline", "silent", fleet.devices - fleet.online, devices("not online")),
        tile("new in 24 h", "new", fleet.fresh, devices("first_inform newer 1d")),
        tile("faulted in 24 h", faulted, fleet.faulted, problems),
        tile("devices in all", "", fleet.devices, "/devices".to_owned()),
    ];
    /// A name, and the figure of a sample that it stands for.
    type Line = (&'static str, fn(&Sample) -> i64);
    let lines: [Line; 5] = [
        ("ok", |s| s.online),
        ("", |s| s.devices - s.online),
        ("", |s| s.fresh),
        (tone, |s| s.faulted),
        ("", |s| s.devices),
    ];
    for (tile, (tone, of)) in tiles.iter_mut().zip(lines) {
        tile.spark = spark(pulse, tile.label, tone, of);
    }
    tiles
}

/// How a figure went; nothing where it has no history.
fn spark(pulse: &Pulse, label: &str, tone: &str, of: fn(&Sample) -> i64) -> String {
    if pulse.history.is_empty() {
        return String::new();
    }
    let values = series(&pulse.history, (beginning(pulse), pulse.at), POINTS, of);
    sparkline(&values, &format!("{label}, over the last 24 hours"), tone)
}

/// Where the pictures begin: a day ago, or with a young installation's first sample; of less than an
/// hour a line says nothing.
fn beginning(pulse: &Pulse) -> DateTime<Utc> {
    let first = pulse.history.first().map_or(pulse.at, |sample| sample.at);
    first.clamp(pulse.at - DAY, pulse.at - TimeDelta::hours(1))
}

/// `None` = nothing was sampled yet, or the viewer does not see the whole fleet.
fn informs(pulse: &Pulse, now: DateTime<Utc>) -> Option<Informs> {
    let last = pulse.history.last()?;
    let most = pulse.history.iter().map(|sample| sample.informs).max()?;
    let (since, until) = (beginning(pulse), pulse.at);
    let values = series(&pulse.history, (since, until), POINTS, |sample| sample.informs);
    let label = format!("Informs per minute over the last 24 hours, {most} at most");
    Some(Informs {
        line: sparkline(&values, &label, ""),
        now: grouped(last.informs),
        most: grouped(most),
        since: When::new(since, now),
        until: When::new(until, now),
    })
}

fn job_states(pulse: &Pulse) -> JobStates {
    let mut parts: Vec<chart::Share<'static>> = Vec::new();
    for (label, tone) in words::STATES {
        let count = pulse.figures.jobs.get(label).copied().unwrap_or_default();
        if count > 0 {
            parts.push(chart::Share { label, count, tone });
        }
    }
    let key = |part: &chart::Share<'static>| KeyItem {
        label: part.label.to_owned(),
        href: match OPEN.contains(&part.label) {
            true => format!("/jobs?state={}", part.label),
            false => ended_since(part.label, pulse.at - DAY, false),
        },
        count: grouped(part.count),
        tone: part.tone,
    };
    JobStates {
        bar: if parts.is_empty() { String::new() } else { share_bar(&parts, "Jobs by state") },
        key: parts.iter().map(key).collect(),
    }
}

pub(super) fn shares(having: &Having) -> SharesPart {
    SharesPart {
        models: share_items(&having.models, "class"),
        versions: share_items(&having.versions, "version"),
    }
}

/// Parts of the fleet, each with the devices that have this value of `field`.
fn share_items(shares: &Shares, field: &str) -> Vec<ShareItem> {
    let item = |label: &str, href: String, count: i64| ShareItem {
        label: label.to_owned(),
        href,
        count: grouped(count),
        percent: percent(count, shares.all),
    };
    let named = |share: &Share| match share.value.as_deref() {
        None => item("not told", devices(&format!("not {field}")), share.devices),
        Some(value) => {
            let label = if value.is_empty() { "without a name" } else { value };
            item(label, devices(&format!("{field} = {}", quoted(value))), share.devices)
        }
    };
    let mut items: Vec<ShareItem> = shares.top.iter().map(named).collect();
    if shares.others > 0 {
        items.push(item("all others", String::new(), shares.others));
    }
    items
}

pub(super) fn problem(problem: &Problem, now: DateTime<Utc>) -> ProblemItem {
    ProblemItem {
        job: problem.job_id,
        device: problem.device_id,
        serial: problem.serial.clone(),
        site: problem.site.clone().unwrap_or_default(),
        title: words::title(&problem.kind).to_owned(),
        state: problem.state.clone(),
        why: words::why(problem.note.as_deref(), problem.fault.as_ref()),
        at: When::new(problem.finished_at, now),
    }
}

/// The list of devices that a selector finds.
fn devices(selector: &str) -> String {
    let text: String = form_urlencoded::byte_serialize(selector.as_bytes()).collect();
    format!("/devices?q={text}")
}

fn first_steps(config: &Config) -> FirstSteps {
    let url = acs_url(config);
    let credential = r#"username="enrol" password="PASSWORD""#;
    FirstSteps {
        router: format!("/tr069-client set enabled=yes acs-url=\"{url}\" {credential}"),
        simulator: format!("muster simulate --devices 25 --acs {url} --password PASSWORD"),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
