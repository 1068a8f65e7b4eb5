//! What a script did is known, or said not to be: logs that say nothing, or never come, boards that undo
//! what they were told, scripts that people order by hand.

use chrono::Utc;
use muster::files::link::{self, Link, LinkKind};
use muster::fleet::secret::Keys;
use muster_sim::profile::Identity;
use serde_json::{Value, json};
use uuid::Uuid;

use super::board::{Board, PERIODIC, Plan, Stage, WELL, told, words};
use crate::harness::kit::{Lab, device_path};
use crate::harness::{LAB, eventually};

/// The script is told to differ; gives what is wanted, and why it does.
async fn is_told(board: &Board) -> (Value, String) {
    let desired = board.until("its script is told", |d| told(d, "template").is_some()).await;
    let why = words(&told(&desired, "template").unwrap()["words"]).to_owned();
    (desired, why)
}

/// However often it comes, the script is not sent again by itself.
async fn is_left_alone(stage: &Stage, board: &Board) {
    for event in [PERIODIC, "1 BOOT"] {
        stage.wait_is_over().await;
        stage.settled().await;
        board.session(event).await;
        stage.settled().await;
    }
    assert_eq!(board.jobs("configure").await.len(), 1);
    assert_ne!(board.desired().await["state"], "in_sync");
}

/// The time is over in which a board was to report what it has accepted.
async fn never_reports(stage: &Stage) {
    stage
        .sql("update jobs set confirm_by = now() - interval '1 second' where state = 'waiting'")
        .await;
}

#[tokio::test]
async fn a_script_of_which_the_log_says_nothing_is_told_and_not_sent_again() {
    let stage = Stage::start().await;
    let board = stage.known("SILENT1", Plan::Runs(&[])).await;
    stage.want_script().await;
    let (desired, why) = is_told(&board).await;
    assert!(why.contains("log says nothing"), "{why}");
    let report = &desired["script"]["report"];
    assert_eq!((&report["silent"], &report["done"]), (&json!(true), &json!(false)), "{desired}");
    assert_eq!(desired["state"], "drifted");
    is_left_alone(&stage, &board).await;

    board.plans(WELL).await;
    board.say("POST", "/reapply", None).await;
    board.ordered("configure", 2).await;
    board.in_state("in_sync").await;
}

#[tokio::test]
async fn a_script_that_may_have_cut_its_board_off_is_not_sent_again_and_again() {
    let stage = Stage::start().await;
    let board = stage.known("LOOP1", Plan::Keeps).await;
    stage.want_script().await;
    board.ordered("configure", 1).await;
    board.session(PERIODIC).await;
    assert_eq!(board.jobs("configure").await[0]["state"], "waiting");
    never_reports(&stage).await;
    let (desired, why) = is_told(&board).await;
    assert!(why.contains("log says nothing"), "{why}");
    assert_eq!(board.jobs("configure").await[0]["state"], "failed");
    assert!(!desired["script"].is_null(), "{desired}");
    is_left_alone(&stage, &board).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_no_success() {
    let stage = Stage::start().await;
    let board = stage.known("UNREAD1", WELL).await;
    board.keeps(Some("2 Vendor Log File")).await;
    stage.want_script().await;
    board.ordered("configure", 1).await;
    stage.no_second_uploads().await;
    let (desired, why) = is_told(&board).await;
    assert!(why.contains("could not be read"), "{why}");
    assert_eq!(desired["state"], "drifted");
    is_left_alone(&stage, &board).await;
}

#[tokio::test]
async fn a_script_whose_report_and_log_are_both_lost_is_not_sent_again() {
    let stage = Stage::start().await;
    let board = stage.known("BOTH1", Plan::Keeps).await;
    board.keeps(Some("2 Vendor Log File")).await;
    stage.want_script().await;
    board.ordered("configure", 1).await;
    stage.no_second_uploads().await;
    board.session(PERIODIC).await;
    never_reports(&stage).await;
    let (_, why) = is_told(&board).await;
    assert!(why.contains("could not be read"), "{why}");
    assert_eq!(board.jobs("configure").await[0]["state"], "failed");
    assert_eq!(board.jobs("upload").await[0]["state"], "failed");
    is_left_alone(&stage, &board).await;
}

#[tokio::test]
async fn a_script_whose_log_is_awaited_is_not_sent_again_when_something_else_is_wanted() {
    let stage = Stage::start().await;
    let board = stage.known("AWAITS1", Plan::Keeps).await;
    let profile = stage.want_script().await;
    let job = board.ordered("configure", 1).await;
    board.session(PERIODIC).await;
    never_reports(&stage).await;
    // Its board stays away meanwhile.
    board.api.job_in(words(&job["job_id"]), &["failed"]).await;
    let other = json!({ "desired": { "variables": { "unused": "two" } } });
    stage.change("PATCH", &profile, other).await;
    stage.settled().await;
    assert_eq!(board.jobs("upload").await[0]["state"], "queued", "its log is awaited");
    let (_, why) = is_told(&board).await;
    assert!(why.contains("log says nothing"), "{why}");
    is_left_alone(&stage, &board).await;
}

#[tokio::test]
async fn a_board_whose_configuration_cannot_be_kept_is_not_changed() {
    let stage = Stage::start().await;
    let board = stage.known("BEFORE1", WELL).await;
    board.keeps(Some("1 Vendor Configuration File")).await;
    let backup = json!({ "backup": { "every_hours": 0, "before_changes": true } });
    stage.want("kept", true, backup).await;
    stage.want_script().await;
    board.ordered("configure", 1).await;
    stage.no_second_uploads().await;
    let desired = board.in_state("blocked").await;
    assert!(words(&desired["reason"]).contains("could not be kept first"), "{desired}");
    assert_eq!(board.jobs("configure").await[0]["state"], "cancelled");
    assert_eq!((board.fetches().await, &desired["script"]), (0, &Value::Null));
    // Not as if a person had cancelled it.
    let wait = stage.wait().await;
    assert!((200.0..=360.0).contains(&wait), "{wait}");

    board.keeps(None).await;
    stage.wait_is_over().await;
    board.ordered("configure", 2).await;
    board.in_state("in_sync").await;
    assert_eq!(board.scripts().await.len(), 1);
}

#[tokio::test]
async fn nor_by_what_somebody_ordered_behind_its_backup() {
    let stage = Stage::start().await;
    let board = stage.known("BEFORE2", WELL).await;
    board.keeps(Some("1 Vendor Configuration File")).await;
    let artifact = board.api.store("dns.rsc", b"/ip dns set servers=192.0.2.1\n").await;
    let alter = json!({ "kind": "download", "artifact_id": artifact, "file": { "type": "alter" } });
    let backup = json!({ "kind": "upload", "file": { "type": "configuration" } });
    let before = board.api.queue(&board.serial, backup).await;
    stage
        .sql(
            "update jobs set idempotency_key = 'muster:before:backup:change' where kind = 'upload'",
        )
        .await;
    let behind = board.api.queue(&board.serial, alter).await;
    stage.no_second_uploads().await;
    board.session(PERIODIC).await;
    assert_eq!(board.api.job(&before).await["state"], "failed");
    let job = board.api.job(&behind).await;
    assert_eq!((&job["state"], board.fetches().await), (&json!("cancelled"), 0), "{job}");
    assert!(words(&job["note"]).contains("could not be kept first"), "{job}");
}

#[tokio::test]
async fn a_report_that_cannot_be_stored_is_sent_again() {
    let stage = Stage::start().await;
    let board = stage.known("LATER1", WELL).await;
    let tag = "0123456789abcdef0123456789abcdef";
    stage
        .sql(
            "insert into device_desired (device_id, script_sha256)
             select device_id, decode(repeat('0123456789abcdef', 4), 'hex') from devices
             on conflict (device_id) do update set script_sha256 = excluded.script_sha256",
        )
        .await;
    let upload = json!({ "kind": "upload", "file": { "type": "log" } });
    let subject: Uuid = board.api.queue(&board.serial, upload).await.parse().unwrap();
    stage
        .sql(
            "update jobs set idempotency_key = 'muster:apply-log:0123456789abcdef0123456789abcdef'
             where kind = 'upload'",
        )
        .await;
    let device = board.api.get(&device_path(&board.serial)).await;
    let device_id = device["device_id"].as_str().unwrap().parse().unwrap();
    let keys = Keys::load_or_make(&stage.muster.data_dir().join("secret.key")).unwrap();
    let expires = Utc::now().timestamp() + 60;
    let link = Link { kind: LinkKind::Upload, device_id, subject, expires };
    let url = format!("http://{}{}x", stage.muster.cwmp, link::path(&keys, &link));
    let put = async || {
        let log = format!("2026-11-22 02:00:01 script,info muster-apply: {tag} done\n");
        stage.muster.http().put(&url).body(log).send().await.unwrap().status().as_u16()
    };
    let reports = "select count(*) from device_desired where script_report is not null";
    let files = "select count(*) from device_artifacts";

    stage.sql("alter table device_desired rename column script_report to elsewhere").await;
    assert_eq!(put().await, 503);
    stage.sql("alter table device_desired rename column elsewhere to script_report").await;
    assert_eq!((stage.count(reports).await, stage.count(files).await), (0, 0));
    assert_eq!(put().await, 201);
    assert_eq!((stage.count(reports).await, stage.count(files).await), (1, 1));
}

/// A simulated board that can undo a script, its time a thousand times as fast, with a profile that wants
/// its configuration kept.
async fn rescued() -> Lab {
    let lab = Lab::with(LAB, |options| {
        options.time_scale = 1_000.0;
        let is_it = |seed: &u64| {
            let identity = Identity::derive(*seed, 0);
            (identity.profile().board, identity.version) == ("RB4011iGS+RM", "7.12.1")
        };
        options.seed = (1..).find(is_it).unwrap();
    })
    .await;
    want(&lab, "kept", json!({ "backup": { "every_hours": 24 } })).await;
    lab
}

async fn want(lab: &Lab, name: &str, desired: Value) {
    let profile = json!({ "name": name, "desired": desired });
    let id = lab.api.made("/api/v1/profiles", profile, "profile_id").await;
    let path = format!("/api/v1/profiles/{id}/bindings");
    lab.api.send("PUT", &path, json!({ "fleet": true })).await;
}

async fn want_template(lab: &Lab, body: &str) {
    let template = json!({ "name": "script", "body": body, "variables": [] });
    let id = lab.api.made("/api/v1/templates", template, "template_id").await;
    want(lab, "script", json!({ "template": { "template_id": id } })).await;
}

async fn desired(lab: &Lab, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = format!("{}/desired", device_path(&lab.serial));
    eventually(what, || async {
        let desired = lab.api.found(&path).await?;
        is_so(&desired).then_some(desired)
    })
    .await
}

/// Its backups, newest first, once there are so many, and whether each stands for what is wanted.
async fn backups(lab: &Lab, at_least: usize) -> Vec<bool> {
    let path = format!("{}/backups", device_path(&lab.serial));
    eventually("its configuration is kept", || async {
        let list = lab.api.found(&path).await?;
        let items = list["items"].as_array()?;
        let accepted = || items.iter().map(|one| one["accepted"] == true).collect();
        (items.len() >= at_least).then(accepted)
    })
    .await
}

#[tokio::test]
async fn a_board_that_undid_a_script_is_not_taken_for_well() {
    let lab = rescued().await;
    assert_eq!(backups(&lab, 1).await, [true]);
    want_template(&lab, "/ip dhcp-client remove [find]\n").await;
    let told_of = |desired: &Value| told(desired, "template").is_some();
    let found = desired(&lab, "its script is told", told_of).await;
    let why = words(&told(&found, "template").unwrap()["words"]);
    assert!(why.contains("log says nothing"), "{why}");
    assert_ne!(found["state"], "in_sync");
    // What it is now was kept, too, and is not what is wanted because of that.
    let accepted = backups(&lab, 2).await;
    assert_eq!((accepted.first(), accepted.last()), (Some(&false), Some(&true)), "{accepted:?}");

    for _ in 0..2 {
        let due = "update device_desired set due_at = now()";
        sqlx::query(due).execute(&lab.muster.pool).await.unwrap();
        eventually("it is compared", || async {
            let due = "select count(*) from device_desired where due_at <= now()";
            let due: i64 = sqlx::query_scalar(due).fetch_one(&lab.muster.pool).await.unwrap();
            (due == 0).then_some(())
        })
        .await;
    }
    let path = format!("/api/v1/jobs?device_id=serial:{}&kind=configure", lab.serial);
    let jobs = lab.api.get(&path).await;
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1, "{jobs}");
    lab.fleet.finish().await;
}

#[tokio::test]
async fn a_configuration_that_was_changed_by_hand_is_put_back_and_no_drift_any_more() {
    let lab = rescued().await;
    backups(&lab, 1).await;
    want_template(&lab, "/ip dns set servers=192.0.2.1\n").await;
    desired(&lab, "it has its script", |d| {
        d["state"] == "in_sync" && d["script"]["report"]["done"] == true
    })
    .await;
    eventually("what it is now is wanted", || async {
        let accepted = backups(&lab, 2).await;
        (accepted[0] && !accepted[1..].contains(&true)).then_some(())
    })
    .await;

    let typed = lab.fleet.handle().run(0, "/ip dns set servers=203.0.113.9\n").await.unwrap();
    assert_eq!(typed.error, None);
    let take = format!("{}/backups", device_path(&lab.serial));
    let taken = lab.api.call("POST", &take, None).await;
    assert!((200..300).contains(&taken.0), "{taken:?}");
    desired(&lab, "the drift is told", |d| told(d, "configuration").is_some()).await;
    let reapply = format!("{}/desired/reapply", device_path(&lab.serial));
    assert_eq!(lab.api.call("POST", &reapply, None).await.0, 200);
    let is_back = |d: &Value| d["state"] == "in_sync" && d["differences"] == json!([]);
    desired(&lab, "it is put back", is_back).await;
    lab.fleet.finish().await;
}

#[tokio::test]
async fn what_failed_of_a_script_that_somebody_ordered_stands_in_its_job() {
    let lab = Lab::start().await;
    let script = "/ip pool add name=p ranges=10.0.0.1\n/ip pool add name=p ranges=10.0.0.2\n\
                  /system identity set name=\"past it\"\n";
    let artifact = lab.api.store("pools.rsc", script.as_bytes()).await;
    let job = json!({ "kind": "download", "artifact_id": artifact, "file": { "type": "alter" } });
    let id = lab.order(job).await;
    let job = eventually("the log has been read", || async {
        Some(lab.api.job(&id).await).filter(|job| !job["result"]["report"].is_null())
    })
    .await;
    let report = &job["result"]["report"];
    assert_eq!((&job["state"], &report["done"]), (&json!("done"), &json!(true)), "{job}");
    assert_eq!(report["failed"].as_array().unwrap().len(), 1, "{job}");
    assert_eq!(report["failed"][0]["line"], 2, "{job}");
    // The report of the log's transfer was lost, say: what is known stays.
    let mut conn = lab.muster.pool.acquire().await.unwrap();
    let of = |field: &str| job[field].as_str().unwrap().parse().unwrap();
    let (device, ran, nothing) = (of("device_id"), of("job_id"), json!({ "silent": true }));
    let is_told =
        muster::store::jobs::add_report(&mut conn, device, ran, &nothing, true).await.unwrap();
    assert!(!is_told && lab.api.job(&id).await["result"]["report"] == *report);
    drop(conn);
    let stored = format!("/api/v1/artifacts/{artifact}/content");
    let stored = lab.api.request("GET", &stored).send().await.unwrap();
    assert_eq!(stored.text().await.unwrap(), script, "the file is as it came");
    assert!(lab.api.events(&lab.serial).await.contains(&"script.reported".to_owned()));
}

/// Somebody has a board run a script, and no backup before it; gives the job.
async fn by_hand(board: &Board) -> String {
    let artifact = board.api.store("dns.rsc", b"/ip dns set servers=192.0.2.1\n").await;
    let file = json!({ "type": "alter" });
    let job = json!({ "kind": "download", "artifact_id": artifact, "file": file, "backup": false });
    board.api.queue(&board.serial, job).await
}

/// What became of such a script, once the board's log says so, or that it says nothing.
async fn report_of(board: &Board, job: &str) -> Value {
    eventually("the log has been read", || async {
        board.session(PERIODIC).await;
        let report = board.api.job(job).await["result"]["report"].clone();
        (!report.is_null()).then_some(report)
    })
    .await
}

/// What was kept of its configuration last.
async fn newest_backup(board: &Board) -> Value {
    let path = format!("{}/backups", device_path(&board.serial));
    board.api.get(&path).await["items"][0].clone()
}

#[tokio::test]
async fn a_script_that_somebody_ordered_and_that_cut_its_board_off_is_asked_for_too() {
    let stage = Stage::start().await;
    let board = stage.known("CUTBYHAND", Plan::Keeps).await;
    let job = by_hand(&board).await;
    board.session(PERIODIC).await;
    never_reports(&stage).await;
    assert_eq!(report_of(&board, &job).await["silent"], true);
    assert_eq!(board.api.job(&job).await["state"], "failed");
    // One that was not fetched has nothing to say.
    board.plans(Plan::Fails(9002)).await;
    let job = by_hand(&board).await;
    stage.sql("update jobs set max_attempts = 1 where state = 'queued'").await;
    for _ in 0..2 {
        board.session(PERIODIC).await;
    }
    assert_eq!(board.api.job(&job).await["state"], "failed");
    assert_eq!(board.jobs("upload").await.len(), 1);
}

/// Has its configuration sent because somebody wants to see it.
async fn send_backup(board: &Board) {
    let take = format!("{}/backups", device_path(&board.serial));
    let (status, taken) = board.api.call("POST", &take, None).await;
    assert_eq!(status, 201, "{taken}");
    for _ in 0..2 {
        board.session(PERIODIC).await;
    }
    board.api.done(words(&taken["job_id"])).await;
}

/// A board that sends its configuration every day, and has sent it; nothing else is wanted of it.
async fn kept(stage: &Stage, serial: &'static str) -> Board {
    let board = stage.known(serial, WELL).await;
    stage.want("kept", true, json!({ "backup": { "every_hours": 24 } })).await;
    let first = eventually("its configuration is kept", || async {
        board.session(PERIODIC).await;
        Some(newest_backup(&board).await).filter(|newest| !newest.is_null())
    })
    .await;
    assert_eq!(first["accepted"], true, "{first}");
    board
}

/// What came of its configuration, without anybody asking for it, once it is what is wanted.
async fn sent_at_once(board: &Board) -> Value {
    eventually("what the script left is what is wanted", || async {
        board.session(PERIODIC).await;
        Some(newest_backup(board).await).filter(|newest| newest["accepted"] == true)
    })
    .await
}

#[tokio::test]
async fn what_a_script_by_hand_left_is_accepted_only_where_it_ran_whole() {
    let stage = Stage::start().await;
    let board = kept(&stage, "HALFBYHAND").await;
    let report = report_of(&board, &by_hand(&board).await).await;
    assert_eq!(report["done"], true, "{report}");
    let newest = sent_at_once(&board).await;
    assert_eq!((&newest["changed"], &newest["cause"]), (&json!(true), &json!("change")));
    board.plans(Plan::Runs(&["begin", "line 1 failed"])).await;
    let report = report_of(&board, &by_hand(&board).await).await;
    assert_eq!(report["done"], false, "{report}");
    send_backup(&board).await;
    let newest = newest_backup(&board).await;
    assert_eq!((&newest["changed"], &newest["accepted"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_board_that_undoes_a_script_after_its_end_differs_from_what_the_script_left() {
    let stage = Stage::start().await;
    let board = kept(&stage, "UNDONEBYHAND").await;
    let report = report_of(&board, &by_hand(&board).await).await;
    assert_eq!(report["done"], true, "{report}");
    sent_at_once(&board).await;
    // Ten minutes later it puts back what it was, and restarts.
    board.plans(Plan::Keeps).await;
    send_backup(&board).await;
    let drifted = board.until("it is told", |d| told(d, "configuration").is_some()).await;
    let words = words(&told(&drifted, "configuration").unwrap()["words"]).to_owned();
    assert!(words.contains("removed"), "{words}");
    assert_eq!(newest_backup(&board).await["accepted"], false);
}
