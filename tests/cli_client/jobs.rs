//! Jobs: waited for, ordered of many, ordered again, and followed.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::fleet;
use crate::harness::cli::run;

#[tokio::test]
async fn a_job_nobody_comes_for_is_not_waited_for_without_end() {
    let mut m = fleet(&["C1"]).await;
    let wake = ["devices", "refresh", "C1", "--wait", "--deadline", "1"];
    let given_up = run(&mut m, &wake, 1).await;
    assert!(given_up.err.contains("after 1 seconds the job"), "{}", given_up.err);
    let job = run(&mut m, &["devices", "wake", "C1", "--json"], 0).await.json();
    let id = job["job_id"].as_str().unwrap();
    let cancelled = run(&mut m, &["jobs", "cancel", id, "--json"], 0).await.json();
    assert_eq!(cancelled["state"], "cancelled");
    run(&mut m, &["jobs", "cancel", id], 1).await;
}

#[tokio::test]
async fn a_bulk_job_reaches_as_many_as_were_seen() {
    let mut m = fleet(&["C1", "C2", "C3"]).await;
    for serial in ["C1", "C2"] {
        let place = ["devices", "place", serial, "--tag", "+pilot", "--tag", "+x", "--tag", "-x"];
        let tagged = run(&mut m, &place, 0).await;
        assert!(tagged.cells().contains(&vec!["tags", "pilot"]), "{}", tagged.out);
    }
    let file = m.data_dir().join("job.json");
    std::fs::write(&file, r#"{"kind":"get","names":["Device."],"wake":false}"#).unwrap();
    let bulk = ["jobs", "bulk", "-q", "tag = pilot", "--file", file.to_str().unwrap()];
    let with = |more: &[&'static str]| [bulk.as_slice(), more].concat();

    let asked = run(&mut m, &bulk, 1).await;
    assert!(asked.err.contains("2 devices match: --expected 2"), "{}", asked.err);
    let wrong = run(&mut m, &with(&["--expected", "3"]), 1).await;
    assert!(wrong.err.contains("2 devices match, not 3"), "{}", wrong.err);
    let none = run(&mut m, &["jobs", "list", "--kind", "get", "--json"], 0).await.json();
    assert_eq!(none["items"], json!([]), "nothing was done");
    let done = run(&mut m, &with(&["--expected", "2"]), 0).await;
    assert_eq!(done.out, "on 2 devices, 0 skipped\n");
    let again = run(&mut m, &with(&["--yes", "--json"]), 0).await.json();
    assert_eq!(again["created"], 2);
    let jobs = run(&mut m, &["jobs", "list", "--kind", "get", "--all", "--json"], 0).await.lines();
    assert_eq!(jobs.len(), 4);
    let nobody = ["jobs", "bulk", "-q", "tag = y", "--file", file.to_str().unwrap(), "--yes"];
    assert!(run(&mut m, &nobody, 1).await.err.contains("no device matches"));
}

#[tokio::test]
async fn a_job_is_ordered_again_and_its_way_is_told() {
    let mut m = fleet(&["C1"]).await;
    let job = run(&mut m, &["devices", "wake", "C1", "--json"], 0).await.json();
    let id = job["job_id"].as_str().unwrap();
    let open = run(&mut m, &["jobs", "again", id], 1).await;
    assert!(open.err.contains("not ended"), "{}", open.err);
    run(&mut m, &["jobs", "cancel", id], 0).await;
    let again = run(&mut m, &["jobs", "again", id, "--json"], 0).await.json();
    assert_eq!((&again["kind"], &again["state"]), (&job["kind"], &json!("queued")));
    assert_ne!(again["job_id"], job["job_id"]);
    let way = run(&mut m, &["jobs", "events", id], 0).await;
    assert!(way.out.contains("job.created") && way.out.contains("job.cancelled"), "{}", way.out);

    run(&mut m, &["sites", "create", "eu"], 0).await;
    let windows = run(&mut m, &["sites", "windows", "eu"], 0).await;
    assert!(windows.cells().contains(&vec!["open", "yes"]), "{}", windows.out);
    let seen = run(&mut m, &["support", "C1"], 0).await;
    assert!(seen.cells().contains(&vec!["serial", "C1"]), "{}", seen.out);
    for args in [
        &["devices", "sessions", "C1"][..],
        &["devices", "files", "C1"],
        &["views", "list"],
        &["roles", "create", "watch", "--right", "read,audit"],
        &["roles", "change", "watch", "--to", "night watch", "--right", "read"],
        &["roles", "delete", "night watch"],
        &["groups", "create", "all", "-q", "online"],
        &["groups", "change", "all", "--to", "some", "-q", "not online"],
        &["users", "create", "ann"],
        &["users", "change", "ann", "--display-name", "Ann"],
        &["users", "password", "ann"],
        &["users", "delete", "ann"],
    ] {
        run(&mut m, args, 0).await;
    }
    run(&mut m, &["devices", "files", "C1", "get", id], 1).await;
    run(&mut m, &["devices", "reveal", "C1", "Device.X_Password"], 1).await;
    run(&mut m, &["users", "remove-totp", "ann"], 1).await;
}

#[tokio::test]
async fn events_are_followed_as_they_happen() {
    let mut m = fleet(&["C1", "C2"]).await;
    let token = m.token();
    let mut child = Command::from(m.command())
        .args(["events", "follow", "-k", "job.", "--device", "C1", "--json"])
        .env("MUSTER_SERVER", format!("http://{}", m.web))
        .env("MUSTER_TOKEN", token)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Nothing says when it has begun to follow: what happens goes on until it is seen.
    let event: Value = loop {
        for serial in ["C2", "C1"] {
            let job = run(&mut m, &["devices", "refresh", serial, "--json"], 0).await.json();
            run(&mut m, &["jobs", "cancel", job["job_id"].as_str().unwrap()], 0).await;
        }
        let line = timeout(Duration::from_secs(1), lines.next_line());
        if let Ok(line) = line.await {
            break serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        }
    };
    assert_eq!(event["serial"], "C1", "{event}");
    assert!(event["kind"].as_str().unwrap().starts_with("job."), "{event}");
    child.kill().await.unwrap();
}
