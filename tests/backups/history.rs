//! What is kept of what devices send, what changed, and what is drift.

use chrono::{DateTime, Utc};
use muster::fleet::backup::{self, Cause, Sent};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{SERIAL, Site, WORDS, export};
use crate::harness::eventually;
use crate::harness::kit::{device_path, files_in};

fn differences(desired: &Value) -> Vec<&str> {
    let all = desired["differences"].as_array().unwrap();
    all.iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_says_the_same_is_kept_once_and_what_changed_is_known() {
    let site = Site::start(&[SERIAL]).await;
    for text in [export(20, "9.9.9.9"), export(21, "9.9.9.9"), export(22, "1.1.1.1")] {
        site.send(SERIAL, &text).await;
    }
    let backups = site.backups(SERIAL).await;
    let told = |b: &Value| (b["changed"].clone(), b["added"].clone(), b["removed"].clone());
    let same = (json!(false), json!(0), json!(0));
    assert_eq!(backups.len(), 3);
    assert_eq!(told(&backups[0]), (json!(true), json!(1), json!(1)), "{}", backups[0]);
    assert_eq!((told(&backups[1]), told(&backups[2])), (same.clone(), same));
    assert_eq!(backups[1]["sha256"], backups[2]["sha256"]);
    assert!(backups.iter().all(|b| b["cause"] == "demand" && b["incomplete"] == json!([])));
    assert_eq!(site.count("select count(*) from device_configs").await, 2);
    assert!(site.api.events(SERIAL).await.contains(&"backup.kept".to_owned()));
    let page = site.api.get(&format!("{}/backups?limit=1", device_path(SERIAL))).await;
    assert_eq!(page["items"][0], backups[0]);
    let next = page["next"].as_str().unwrap();
    let page = site.api.get(&format!("{}/backups?before={next}", device_path(SERIAL))).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn no_secret_is_in_what_is_kept_or_shown() {
    let site = Site::start(&[SERIAL]).await;
    for dns in ["9.9.9.9", "1.1.1.1"] {
        site.send(SERIAL, &export(22, dns)).await;
    }
    let backups = site.backups(SERIAL).await;
    let text = site.api.get(&site.path(&backups[0], "")).await;
    let body = text["text"].as_str().unwrap();
    assert!(body.contains("user=ann") && body.contains("********"), "{body}");
    assert!(!body.contains("software id") && !body.contains("2026-11-22"), "{body}");
    assert_eq!(text["backup_id"], backups[0]["backup_id"]);
    let plain = site.api.request("GET", &site.path(&backups[0], ""));
    let plain = plain.header("accept", "text/plain").send().await.unwrap();
    assert_eq!(plain.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(plain.text().await.unwrap(), body);
    let shown = [
        text.to_string(),
        site.api.get(&site.path(&backups[0], "/diff")).await.to_string(),
        site.api.get(&format!("{}/events", device_path(SERIAL))).await.to_string(),
        site.muster.log(),
    ];
    assert!(shown.iter().all(|shown| !shown.contains("hunter22")), "{shown:?}");
    let kept = "select count(*) from device_configs where body like '%hunter22%'";
    assert_eq!(site.count(kept).await, 0);
    // The file as it came has it, for whoever may fetch that.
    let file = backups[0]["artifact_id"].as_str().unwrap();
    let file = format!("{}/artifacts/{file}/content", device_path(SERIAL));
    let file = site.api.request("GET", &file).send().await.unwrap();
    assert!(file.text().await.unwrap().contains("password=hunter22"));
}

#[tokio::test]
async fn two_backups_are_compared_word_by_word() {
    let site = Site::start(&[SERIAL]).await;
    for dns in ["9.9.9.9", "1.1.1.1", "8.8.8.8"] {
        site.send(SERIAL, &export(22, dns)).await;
    }
    let backups = site.backups(SERIAL).await;
    let (newest, first) = (&backups[0], &backups[2]);
    let diff = site.api.get(&site.path(newest, "/diff")).await;
    assert_eq!((&diff["from"], &diff["to"]), (&backups[1], newest));
    assert_eq!((&diff["added"], &diff["removed"]), (&json!(1), &json!(1)));
    let lines = diff["lines"].as_array().unwrap();
    let changed: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "changed").collect();
    assert_eq!(changed.len(), 1, "{diff}");
    assert_eq!(changed[0]["written"], Value::Null, "no script is known");
    let words = |side: &str| {
        let pieces = changed[0][side].as_array().unwrap().iter();
        let changed = pieces.filter(|piece| piece["changed"] == true);
        changed.map(|piece| piece["text"].as_str().unwrap()).collect::<String>()
    };
    assert!(words("before").contains('1') && words("after").contains('8'), "{diff}");
    assert!(!words("after").contains("servers"), "{diff}");

    let id = first["backup_id"].as_str().unwrap();
    let diff = site.api.get(&site.path(newest, &format!("/diff?with={id}"))).await;
    assert_eq!(&diff["from"], first);
    for (backup, with, status) in [
        (first, "before", 404),
        (newest, "yesterday", 422),
        (newest, "0193f6a1-0000-7000-8000-000000000001", 404),
    ] {
        let path = site.path(backup, &format!("/diff?with={with}"));
        assert_eq!(site.api.call("GET", &path, None).await.0, status, "{with}");
    }
}

#[tokio::test]
async fn what_a_device_could_not_export_is_neither_a_change_nor_to_be_given_back() {
    let site = Site::start(&[SERIAL]).await;
    site.send(SERIAL, &export(20, "9.9.9.9")).await;
    let cut = export(21, "9.9.9.9")
        .replace("/ip dns\nset servers=9.9.9.9\n", "#error exporting \"/ip/dns\" (timeout)\n");
    site.send(SERIAL, &cut).await;
    site.send(SERIAL, &export(22, "9.9.9.9")).await;
    let backups = site.backups(SERIAL).await;
    let incomplete = &backups[1];
    assert_eq!(incomplete["incomplete"].as_array().unwrap().len(), 1, "{incomplete}");
    assert!(backups.iter().all(|b| b["changed"] == false), "{backups:?}");
    assert_eq!(incomplete["accepted"], false);
    let accept = site.path(incomplete, "/accept");
    assert_eq!(site.api.call("POST", &accept, None).await.0, 409);
    let body = Some(json!({ "confirm": WORDS }));
    let (status, problem) = site.api.call("POST", &site.path(incomplete, "/restore"), body).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("/ip/dns"), "{problem}");
}

#[tokio::test]
async fn what_is_no_text_or_too_long_is_a_file_and_no_more() {
    let site = Site::start(&[SERIAL]).await;
    for body in [vec![0x88, 0xac, 0, 1], vec![b'#'; (8 << 20) + 1], Vec::new()] {
        site.send_for(SERIAL, "configuration", None, body).await;
    }
    site.send_for(SERIAL, "factory_configuration", None, export(20, "x").into_bytes()).await;
    assert_eq!(site.backups(SERIAL).await.len(), 0);
    let events = site.api.events(SERIAL).await;
    assert_eq!(events.iter().filter(|kind| *kind == "backup.skipped").count(), 3, "{events:?}");
    let files = site.api.get(&format!("{}/artifacts", device_path(SERIAL))).await;
    assert_eq!(files["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn of_backups_by_the_clock_that_say_the_same_one_file_is_enough() {
    let site = Site::start(&[SERIAL]).await;
    let clock = Some("muster:backup");
    for (day, key) in
        [(19, None), (20, clock), (21, clock), (22, Some("muster:before:backup:change"))]
    {
        let text = export(day, "9.9.9.9").into_bytes();
        site.send_for(SERIAL, "configuration", key, text).await;
    }
    let backups = site.backups(SERIAL).await;
    let causes: Vec<&str> = backups.iter().map(|b| b["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["change", "schedule", "schedule", "demand"]);
    assert_eq!(backups[1]["artifact_id"], backups[0]["artifact_id"]);
    assert_eq!(backups[2]["artifact_id"], backups[0]["artifact_id"]);
    // What somebody asked for stays.
    assert_ne!(backups[3]["artifact_id"], backups[0]["artifact_id"]);
    let files = site.api.get(&format!("{}/artifacts", device_path(SERIAL))).await;
    assert_eq!(files["items"].as_array().unwrap().len(), 2);
    // Beside the two scripts of Muster's own.
    assert_eq!(files_in(&site.muster.data_dir().join("artifacts")), 2 + 2);
}

#[tokio::test]
async fn a_file_with_another_secret_is_another_file() {
    let site = Site::start(&[SERIAL]).await;
    let clock = Some("muster:backup");
    for (day, secret) in [(20, "hunter22"), (21, "hunter23"), (22, "hunter23")] {
        let text = export(day, "9.9.9.9").replace("hunter22", secret).into_bytes();
        site.send_for(SERIAL, "configuration", clock, text).await;
    }
    let backups = site.backups(SERIAL).await;
    assert!(backups.iter().all(|b| b["sha256"] == backups[0]["sha256"]), "{backups:?}");
    assert_eq!(backups[1]["artifact_id"], backups[0]["artifact_id"]);
    let first = backups[2]["artifact_id"].as_str().unwrap();
    let first = format!("{}/artifacts/{first}/content", device_path(SERIAL));
    let first = site.api.request("GET", &first).send().await.unwrap();
    assert!(first.text().await.unwrap().contains("password=hunter22"));
}

#[tokio::test]
async fn old_backups_go_but_the_last_and_the_accepted_one() {
    let site = Site::start(&[SERIAL]).await;
    for n in 0..13 {
        site.send(SERIAL, &export(20, &format!("10.0.0.{n}"))).await;
    }
    assert_eq!(site.backups(SERIAL).await[0]["accepted"], true, "nothing is wanted of it");
    let oldest = site.backups(SERIAL).await.pop().unwrap();
    let (status, _) = site.api.call("POST", &site.path(&oldest, "/accept"), None).await;
    assert_eq!(status, 200);
    let age = "update device_backups set at = at - interval '91 days'";
    sqlx::query(age).execute(&site.muster.pool).await.unwrap();
    site.settled().await;
    let managed = "insert into device_desired (device_id, state) values ($1, 'in_sync')
                   on conflict (device_id) do update set state = excluded.state";
    let managed = sqlx::query(managed).bind(site.device(SERIAL).await);
    managed.execute(&site.muster.pool).await.unwrap();
    site.send(SERIAL, &export(22, "10.0.0.99")).await;
    let backups = site.backups(SERIAL).await;
    assert_eq!(backups.len(), 10 + 1);
    assert_eq!(backups[10]["backup_id"], oldest["backup_id"]);
    assert_eq!((&backups[0]["accepted"], &backups[10]["accepted"]), (&json!(false), &json!(true)));
    assert_eq!(site.count("select count(*) from device_configs").await, 11);
    let files = site.api.get(&format!("{}/artifacts", device_path(SERIAL))).await;
    assert_eq!(files["items"].as_array().unwrap().len(), 11);
    assert_eq!(files_in(&site.muster.data_dir().join("artifacts")), 11 + 2);
}

#[tokio::test]
async fn what_changed_last_night_is_seen_with_what_is_the_same_change() {
    let serials = ["NIGHT1", "NIGHT2", "NIGHT3", "NIGHT4"];
    let site = Site::start(&serials).await;
    for serial in serials {
        let text = export(21, "9.9.9.9").replace("name=attic", &format!("name={serial}"));
        site.send(serial, &text).await;
    }
    for (serial, dns) in serials.into_iter().zip(["1.1.1.1", "1.1.1.1", "8.8.8.8", "9.9.9.9"]) {
        site.send(serial, &export(22, dns).replace("name=attic", &format!("name={serial}"))).await;
    }
    let changed = site.api.get("/api/v1/backups/changed").await;
    let changed = changed["items"].as_array().unwrap();
    let serials: Vec<&str> = changed.iter().map(|c| c["serial"].as_str().unwrap()).collect();
    assert_eq!(serials, ["NIGHT3", "NIGHT2", "NIGHT1"], "newest first");
    assert!(
        changed.iter().all(|c| c["added"] == 1 && c["removed"] == 1 && !c["before_id"].is_null())
    );
    assert_eq!(changed[1]["same_as"], changed[2]["same_as"]);
    assert_ne!(changed[0]["same_as"], changed[1]["same_as"]);
    assert!(changed[0]["same_as"].is_string());

    let first = site.api.get("/api/v1/backups/changed?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let rest = site.api.get(&format!("/api/v1/backups/changed?before={next}")).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let later = site.api.get("/api/v1/backups/changed?since=2999-01-01T00:00:00Z").await;
    assert_eq!(later["items"], json!([]));

    // Who reads one site sees what changed there.
    let created = site.api.call("POST", "/api/v1/sites", Some(json!({ "path": "eu" }))).await.1;
    let place = Some(json!({ "site": "eu" }));
    assert_eq!(site.api.call("PATCH", &device_path("NIGHT2"), place).await.0, 200);
    let token = json!({ "name": "eu", "scopes": ["read"], "site_id": created["site_id"] });
    let token = site.api.call("POST", "/api/v1/tokens", Some(token)).await.1;
    let reader = site.api.with_token(token["token"].as_str().unwrap());
    let seen = reader.get("/api/v1/backups/changed").await;
    let seen = seen["items"].as_array().unwrap();
    assert_eq!((seen.len(), &seen[0]["serial"]), (1, &json!("NIGHT2")));
    let hidden = format!("{}/backups", device_path("NIGHT1"));
    assert_eq!(reader.call("GET", &hidden, None).await.0, 404);
    let take = format!("{}/backups", device_path("NIGHT2"));
    assert_eq!(reader.call("POST", &take, None).await.0, 403);
}

#[tokio::test]
async fn what_differs_from_the_accepted_one_is_drift_until_it_is_accepted_or_adopted() {
    let site = Site::start(&[SERIAL]).await;
    let profile = json!({ "name": "home", "desired": { "backup": { "every_hours": 24 } } });
    assert_eq!(site.api.call("POST", "/api/v1/profiles", Some(profile)).await.0, 201);
    let desired = format!("{}/desired", device_path(SERIAL));
    let wants = json!({ "profile": "home", "variables": { "dns": "9.9.9.9" } });
    assert_eq!(site.api.call("PATCH", &desired, Some(wants)).await.0, 200);
    let state = async |wanted: &str| {
        eventually(&format!("the device is {wanted}"), || async {
            let found = site.api.found(&desired).await?;
            (found["state"] == wanted).then_some(found)
        })
        .await
    };
    state("in_sync").await;

    site.send(SERIAL, &export(20, "9.9.9.9")).await;
    assert_eq!(site.backups(SERIAL).await[0]["accepted"], true, "it is the first");
    site.send(SERIAL, &export(21, "1.1.1.1")).await;
    let drifted = state("drifted").await;
    assert_eq!(differences(&drifted), ["configuration"], "{drifted}");
    let drifts = |events: &[String]| events.iter().filter(|kind| *kind == "drifted").count();
    assert_eq!(drifts(&site.api.events(SERIAL).await), 1);
    // The same once more is no news.
    site.send(SERIAL, &export(22, "1.1.1.1")).await;
    assert_eq!(drifts(&site.api.events(SERIAL).await), 1);

    let newest = site.backups(SERIAL).await.remove(0);
    assert_eq!(newest["accepted"], false);
    let diff = site.api.get(&site.path(&newest, "/diff?with=accepted")).await;
    let adoption = &diff["adoptions"][0];
    assert_eq!((&adoption["variable"], &adoption["to"]), (&json!("dns"), &json!("1.1.1.1")));
    let adopt = site.path(&newest, "/adopt");
    let other = Some(json!({ "variable": "ntp" }));
    assert_eq!(site.api.call("POST", &adopt, other).await.0, 409);
    let (status, adopted) = site.api.call("POST", &adopt, Some(json!({ "variable": "dns" }))).await;
    assert_eq!((status, &adopted), (200, adoption));
    assert_eq!(site.api.get(&desired).await["wants"]["variables"]["dns"], "1.1.1.1");

    let (status, accepted) = site.api.call("POST", &site.path(&newest, "/accept"), None).await;
    assert_eq!((status, &accepted["accepted"]), (200, &json!(true)));
    assert!(differences(&state("in_sync").await).is_empty());
    let audit = site.api.get("/api/v1/audit?limit=5").await.to_string();
    assert!(audit.contains("backup.accept"), "{audit}");
    let accepted: Vec<bool> =
        site.backups(SERIAL).await.iter().map(|b| b["accepted"] == true).collect();
    assert_eq!(accepted, [true, false, false]);
}

#[tokio::test]
async fn a_device_drifts_in_the_moment_in_which_its_drift_is_told() {
    let site = Site::start(&[SERIAL]).await;
    site.send(SERIAL, &export(20, "9.9.9.9")).await;
    site.settled().await;
    let device_id = site.device(SERIAL).await;
    // Nobody else compares it before this ends.
    let mut tx = site.muster.pool.begin().await.unwrap();
    let managed = "insert into device_desired (device_id, state) values ($1, 'in_sync')
                   on conflict (device_id) do update set state = excluded.state";
    sqlx::query(managed).bind(device_id).execute(&mut *tx).await.unwrap();
    for (dns, is) in [("1.1.1.1", "drifted"), ("8.8.8.8", "drifted"), ("9.9.9.9", "in_sync")] {
        let reading = backup::read(export(21, dns).as_bytes(), &[7; 32]).unwrap();
        let (job_id, artifact_id) = (Uuid::now_v7(), Uuid::now_v7());
        let sent = Sent { device_id, job_id, artifact_id, cause: Cause::Schedule, at: Utc::now() };
        backup::keep(&mut tx, &sent, &reading).await.unwrap();
        let told = "select state, drifted_at from device_desired where device_id = $1";
        let told: (String, Option<DateTime<Utc>>) =
            sqlx::query_as(told).bind(device_id).fetch_one(&mut *tx).await.unwrap();
        assert_eq!((told.0.as_str(), told.1.is_some()), (is, is == "drifted"), "{dns}");
    }
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn what_a_device_says_of_its_script_is_kept() {
    let site = Site::start(&[SERIAL]).await;
    site.settled().await;
    let tag = "0123456789abcdef0123456789abcdef";
    let took = "insert into device_desired (device_id, script_sha256)
                values ($1, decode($2, 'hex'))
                on conflict (device_id) do update set script_sha256 = excluded.script_sha256";
    let took = sqlx::query(took).bind(site.device(SERIAL).await).bind(format!("{tag}{tag}"));
    took.execute(&site.muster.pool).await.unwrap();
    let log = |tag: &str| {
        format!(
            "2026-11-22 02:00:00 script,error muster-apply: {tag} line 3 failed\n\
             2026-11-22 02:00:01 script,info muster-apply: {tag} done\n"
        )
        .into_bytes()
    };
    let report = async || {
        let report = "select script_report from device_desired where script_report is not null";
        let found: Option<Value> =
            sqlx::query_scalar(report).fetch_optional(&site.muster.pool).await.unwrap();
        found
    };
    // A log that somebody just wanted to see, and one of another script.
    let other = "fedcba9876543210fedcba9876543210";
    site.send_for(SERIAL, "log", None, log(tag)).await;
    site.send_for(SERIAL, "log", Some(&format!("muster:apply-log:{other}")), log(other)).await;
    assert_eq!(report().await, None);
    site.send_for(SERIAL, "log", Some(&format!("muster:apply-log:{tag}")), log(tag)).await;
    let said = report().await.expect("it is kept");
    assert_eq!((&said["done"], &said["failed"][0]["line"]), (&json!(true), &json!(3)), "{said}");
    assert!(site.api.events(SERIAL).await.contains(&"script.reported".to_owned()));
}

#[tokio::test]
async fn what_is_known_to_be_a_secret_since_then_is_masked_and_is_no_change() {
    let site = Site::start(&[SERIAL]).await;
    let text = format!("{}/snmp community\nadd name=hunter23\n", export(20, "9.9.9.9"));
    site.send(SERIAL, &text).await;
    let clear = "update device_configs
                 set body = replace(body, 'add name=\"********\"', 'add name=hunter23')";
    let known = "update device_configs set sha256 = sha256(convert_to(body, 'UTF8'))";
    let kept = "update device_backups b set whole = null, sha256 = c.sha256
                from device_configs c where c.device_id = b.device_id";
    for as_before in [clear, known, kept] {
        sqlx::query(as_before).execute(&site.muster.pool).await.unwrap();
    }
    let in_clear = "select count(*) from device_configs where body like '%hunter23%'";
    assert_eq!(site.count(in_clear).await, 1, "as it was kept before");
    site.send(SERIAL, &text).await;
    assert_eq!(site.count(in_clear).await, 0);
    let backups = site.backups(SERIAL).await;
    assert_eq!((backups.len(), &backups[0]["changed"]), (2, &json!(false)), "{backups:?}");
    assert_eq!(site.count("select count(*) from device_configs").await, 1);
}
