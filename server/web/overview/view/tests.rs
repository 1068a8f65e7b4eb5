#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::fleet::selector::parse;
use crate::service::overview::{Figures, Fleet};

const EVIL: &str = "<x-evil> \"\\";

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn pulse(devices: i64, jobs: &[(&str, i64)], history: bool) -> Pulse {
    let sample = |minutes: i64| Sample {
        at: now() - TimeDelta::minutes(minutes),
        devices,
        online: devices / 2,
        fresh: 1,
        faulted: 0,
        informs: 1_000 + minutes,
    };
    let fleet = Fleet { devices, online: devices / 2, fresh: 1, faulted: devices / 10 };
    let jobs = jobs.iter().map(|(state, count)| ((*state).to_owned(), *count));
    Pulse {
        at: now(),
        figures: Figures { fleet, jobs: jobs.collect::<BTreeMap<_, _>>() },
        history: if history { vec![sample(60), sample(30), sample(0)] } else { Vec::new() },
    }
}

fn having(value: &str) -> Having {
    let share = |value: Option<&str>, devices| Share {
        value: value.map(str::to_owned),
        devices,
        all: 1_000_000,
    };
    let shares = Shares {
        top: vec![share(Some(value), 900_000), share(None, 90_000), share(Some(""), 9_000)],
        others: 1_000,
        all: 1_000_000,
    };
    Having { models: shares.clone(), versions: shares }
}

fn one_problem() -> Problem {
    Problem {
        job_id: Uuid::from_u128(7),
        device_id: Uuid::from_u128(8),
        serial: EVIL.to_owned(),
        site: Some("eu.lv".to_owned()),
        kind: "set".to_owned(),
        state: "failed".to_owned(),
        note: Some(EVIL.to_owned()),
        fault: Some(json!({ "code": 9005, "text": EVIL })),
        finished_at: now(),
    }
}

pub(in crate::web::overview) fn samples() -> Vec<(FiguresPart, SharesPart, Vec<ProblemItem>)> {
    let config = Config::default();
    let full = pulse(1_234_567, &[("queued", 5), ("failed", 1)], true);
    vec![
        (
            figures(&full, &config, true, now()),
            shares(&having(EVIL)),
            vec![problem(&one_problem(), now())],
        ),
        (figures(&pulse(0, &[], false), &config, true, now()), shares(&having("")), Vec::new()),
        (figures(&pulse(0, &[], false), &config, false, now()), shares(&having("")), Vec::new()),
        (figures(&pulse(7, &[], false), &config, false, now()), shares(&having("")), Vec::new()),
    ]
}

/// What a link into the list of devices asks for.
fn selector(href: &str) -> Option<String> {
    let query = href.strip_prefix("/devices?")?;
    let (name, value) = form_urlencoded::parse(query.as_bytes()).next()?;
    (name == "q").then(|| value.into_owned())
}

#[test]
fn each_figure_links_to_a_list_that_can_be_read() {
    let figures = figures(&pulse(40, &[], true), &Config::default(), true, now());
    let shares = shares(&having(EVIL));
    let tiles = figures.tiles.iter().map(|tile| tile.href.clone());
    let items = shares.models.iter().chain(&shares.versions).map(|item| item.href.clone());
    let hrefs: Vec<String> = tiles.chain(items).collect();
    let selectors: Vec<String> = hrefs.iter().filter_map(|href| selector(href)).collect();
    assert_eq!(selectors.len(), 3 + 6, "{hrefs:?}");
    for text in &selectors {
        assert!(parse(text, &|_| None).is_ok(), "{text}");
    }
    assert!(selectors.contains(&"class = \"<x-evil> \\\"\\\\\"".to_owned()), "{selectors:?}");
    assert!(selectors.contains(&"not version".to_owned()), "{selectors:?}");
}

#[test]
fn the_figures_are_those_that_were_counted() {
    let figures = figures(&pulse(40, &[], true), &Config::default(), true, now());
    let shown: Vec<(&str, &str)> =
        figures.tiles.iter().map(|tile| (tile.label, tile.value.as_str())).collect();
    let expected = [
        ("online", "20"),
        ("offline", "20"),
        ("new in 24 h", "1"),
        ("faulted in 24 h", "4"),
        ("devices in all", "40"),
    ];
    assert_eq!(shown, expected);
    assert!(figures.tiles.iter().all(|tile| tile.spark.starts_with("<svg")));
    assert_eq!(figures.tiles[3].state, "faulted");
    let faulted = ended_since("failed,expired", now() - DAY, true);
    assert_eq!(figures.tiles[3].href, faulted, "as many rows as devices");
    let informs = figures.informs.unwrap();
    assert_eq!((informs.now.as_str(), informs.most.as_str()), ("1\u{202f}000", "1\u{202f}060"));
}

#[test]
fn without_a_history_there_is_no_line() {
    let figures = figures(&pulse(5, &[], false), &Config::default(), false, now());
    assert!(figures.informs.is_none());
    assert!(figures.tiles.iter().all(|tile| tile.spark.is_empty()));
    assert_eq!(figures.tiles[3].state, "none", "nothing is faulted");
}

#[test]
fn jobs_stand_by_state_and_states_without_any_do_not() {
    let states = job_states(&pulse(1, &[("failed", 2), ("queued", 1), ("done", 0)], false));
    let shown: Vec<(&str, &str)> =
        states.key.iter().map(|item| (item.label.as_str(), item.href.as_str())).collect();
    let failed = "/jobs?state=failed&time=finished&since=2024-10-03T00%3A00%3A00.000000Z";
    assert_eq!(shown, [("queued", "/jobs?state=queued"), ("failed", failed)]);
    assert!(job_states(&pulse(1, &[], false)).bar.is_empty());
}

#[test]
fn what_is_not_named_stands_at_the_end() {
    let items = share_items(&having("hAP").models, "class");
    let labels: Vec<&str> = items.iter().map(|item| item.label.as_str()).collect();
    assert_eq!(labels, ["hAP", "not told", "without a name", "all others"]);
    assert_eq!((items[0].percent, items[3].href.as_str()), (90, ""));
}

#[test]
fn the_first_steps_name_this_server() {
    let mut config = Config::default();
    config.acs.public_url = Some("https://acs.example".to_owned());
    let steps = first_steps(&config);
    assert!(steps.router.contains("acs-url=\"https://acs.example\""), "{}", steps.router);
    assert!(steps.simulator.contains("--acs https://acs.example "), "{}", steps.simulator);
}
