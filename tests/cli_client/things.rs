//! Sites, groups and files.

use serde_json::json;

use super::fleet;
use crate::harness::cli::run;
use crate::harness::{LAB, Muster};

#[tokio::test]
async fn sites_and_groups_are_named_as_people_name_them() {
    let mut m = fleet(&["C1", "C2"]).await;
    for args in [
        &["sites", "create", "eu", "--name", "Europe"][..],
        &["sites", "create", "eu.lv", "--time-zone", "Europe/Riga", "--var", "vlan=20"],
        &["sites", "create", "eu.lv.riga"],
        &["devices", "place", "C1", "--site", "eu.lv.riga"],
        &["groups", "create", "first wave"],
        &["groups", "create", "under eu", "-q", "site under eu"],
        &["groups", "add", "first wave", "C1", "C2"],
        &["groups", "remove", "first wave", "C1"],
    ] {
        run(&mut m, args, 0).await;
    }
    let tree = run(&mut m, &["sites", "list"], 0).await;
    let lines: Vec<&str> = tree.out.lines().skip(1).collect();
    for (line, start) in lines.iter().zip(["eu ", "  lv ", "    riga "]) {
        assert!(line.starts_with(start), "{}", tree.out);
    }
    for (group, serial) in [("first wave", "C2"), ("under eu", "C1")] {
        let members = run(&mut m, &["groups", "devices", group, "--columns", "serial"], 0).await;
        assert_eq!(members.out, format!("serial\n{serial}\n"), "{group}");
    }
    let moved = run(&mut m, &["sites", "change", "eu.lv", "--to", "lv", "--json"], 0).await.json();
    assert_eq!((&moved["path"], &moved["variables"]["vlan"]), (&json!("lv"), &json!(20)));
    run(&mut m, &["sites", "delete", "lv"], 1).await;
    run(&mut m, &["sites", "delete", "lv", "--move-to", "eu"], 0).await;
    let gone = run(&mut m, &["sites", "change", "lv", "--name", "x"], 1).await;
    assert_eq!(gone.err, "muster: no site lv\n");
    assert!(run(&mut m, &["groups", "list"], 0).await.out.contains("site under eu"));
    run(&mut m, &["groups", "delete", "first wave"], 0).await;
    let gone = run(&mut m, &["groups", "add", "first wave", "C1"], 1).await;
    assert_eq!(gone.err, "muster: no group first wave\n");
}

#[tokio::test]
async fn files_are_stored_and_fetched_whole() {
    let mut m = Muster::start(LAB).await;
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let (source, copy) = (m.data_dir().join("a.rsc"), m.data_dir().join("copy"));
    std::fs::write(&source, &bytes).unwrap();
    let put = ["files", "put", source.to_str().unwrap(), "--type", "text/plain", "--json"];
    let stored = run(&mut m, &put, 0).await.json();
    assert_eq!(stored["name"], "a.rsc");
    assert_eq!(stored["content_type"], "text/plain");
    assert_eq!(stored["size"], bytes.len());
    let id = stored["artifact_id"].as_str().unwrap();
    assert!(run(&mut m, &["files", "list"], 0).await.out.contains(id));
    run(&mut m, &["files", "get", id, "-o", copy.to_str().unwrap()], 0).await;
    assert!(std::fs::read(&copy).unwrap() == bytes, "the copy differs");
    let text = ["files", "put", source.to_str().unwrap(), "--name", "../x"];
    run(&mut m, &text, 1).await;
    run(&mut m, &["files", "delete", id], 0).await;
    run(&mut m, &["files", "get", id, "-o", copy.to_str().unwrap()], 1).await;
    assert!(std::fs::read(&copy).unwrap() == bytes, "a failure leaves what is there alone");
}
