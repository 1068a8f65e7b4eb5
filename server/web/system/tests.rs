#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::store::system::{Database, Migration};

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn node(name: &str, version: &str, silent: i64) -> Node {
    Node {
        node: name.to_owned(),
        version: version.to_owned(),
        started_at: now() - TimeDelta::days(3),
        seen_at: now() - TimeDelta::seconds(silent),
        status: json!({
            "sessions": 1_234, "pool_size": 8, "pool_idle": 3, "informs_total": 1_000_000,
        }),
    }
}

fn queues(due: i64) -> Queues {
    let jobs = [("queued", 12), ("running", 3), ("failed", 9)];
    let due = Due { count: due, since: (due > 0).then(|| now() - TimeDelta::minutes(5)) };
    Queues {
        jobs: jobs
            .map(|(state, count)| (state.to_owned(), count))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        jobs_due: due,
        wakes_due: due,
    }
}

fn database(known: usize) -> DatabaseState {
    let migration =
        |version| Migration { version, description: "<x-evil>".to_owned(), installed_on: now() };
    DatabaseState {
        database: Database {
            version: "15.18 <x-evil>".to_owned(),
            name: "muster".to_owned(),
            bytes: 1 << 30,
            connections: 12,
            max_connections: 100,
        },
        applied: vec![migration(1), migration(2)],
        known,
    }
}

fn space(free: Option<u64>) -> Space {
    Space { directory: "/var/lib/<x-evil>".into(), free, total: free.map(|_| 1_000 << 20) }
}

pub(in crate::web) fn samples() -> Vec<(View, Value)> {
    let nodes = [node("<x-evil>", "0.1.0", 5), node("other", "0.2.0", 600)];
    let state = |due| told(&nodes, &queues(due), "<x-evil>", now());
    let page = SystemPage {
        shell: Shell::sample(),
        state: state(5),
        database: database_facts(&database(2), true, now()),
        disks: vec![disk(&space(Some(1 << 20))), disk(&space(None))],
        settings: settings(&Config::default()),
        metrics: "<x-evil>".to_owned(),
    };
    vec![
        views::sample(View::System, &page),
        views::sample(View::SystemState, &StateFragment { state: state(0) }),
    ]
}

#[test]
fn a_node_that_is_not_heard_of_is_lost() {
    let part = told(&[node("a", "0.1.0", 60), node("b", "0.1.0", 61)], &queues(0), "b", now());
    let shown: Vec<(&str, &str, bool)> =
        part.nodes.iter().map(|node| (node.name.as_str(), node.state, node.here)).collect();
    assert_eq!(shown, [("a", "online", false), ("b", "lost", true)]);
    assert_eq!(part.nodes[0].connections, "5 of 8");
    assert_eq!(part.nodes[0].sessions, "1\u{202f}234");
}

#[test]
fn nodes_of_several_versions_are_told_of_while_they_live() {
    let mixed = |silent: i64| {
        let nodes = [node("a", "0.1.0", 1), node("b", "0.2.0", silent)];
        told(&nodes, &queues(0), "a", now()).mixed
    };
    assert!(mixed(1) && !mixed(3_600));
}

#[test]
fn what_waits_is_counted_and_says_since_when() {
    let rows = queue_rows(&queues(5), now());
    let shown: Vec<(&str, &str)> = rows.iter().map(|row| (row.label, row.value.as_str())).collect();
    let expected = [
        ("jobs queued", "12"),
        ("of them due", "5"),
        ("jobs running", "3"),
        ("jobs awaiting a report", "0"),
        ("devices to be woken", "5"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(rows[1].since, Some(When::new(now() - TimeDelta::minutes(5), now())));
    assert_eq!(queue_rows(&queues(0), now())[1].since, None);
}

#[test]
fn migrations_that_another_node_made_are_told() {
    let value = |known| database_facts(&database(known), false, now()).pop().unwrap().value;
    assert!(value(2).starts_with("2 applied, the last one"), "{}", value(2));
    assert!(value(1).starts_with("2 applied (this node knows 1)"), "{}", value(1));
}

#[test]
fn a_disk_that_is_nearly_full_is_said_loudly() {
    assert_eq!(disk(&space(Some(99 << 20))).state, "warn");
    assert_eq!(disk(&space(Some(101 << 20))).state, "ok");
    assert_eq!(disk(&space(None)).state, "warn");
}

#[test]
fn settings_hold_no_secret() {
    let mut config = Config::default();
    config.database.url = Some(serde_json::from_value(json!("postgres://u:hunter2@db/x")).unwrap());
    config.oidc.issuer = Some("https://id.example".to_owned());
    config.oidc.client_secret = Some(serde_json::from_value(json!("hunter2")).unwrap());
    let shown = settings(&config);
    assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
    let with = Fact { label: "OpenID Connect", value: "with https://id.example".to_owned() };
    assert!(shown.contains(&with));
}
