//! Desired state against boards that are slow, broken or away: scripts that fail, jobs that are
//! called back or cancelled, drift that falls between two stools.

pub mod board;
mod scripts;

use serde_json::{Value, json};

use self::board::{CODE, IDENTITY, PASSPHRASE, PERIODIC, Plan, Stage, WELL, told, words};
use crate::harness::eventually;
use crate::harness::kit::device_path;
use crate::rollout::lab::{quick, upload};

/// Above what boards say that they run.
const RELEASE: &str = "7.17.1";

#[tokio::test]
async fn a_script_that_was_not_fetched_is_sent_again_later_and_later() {
    let stage = Stage::start().await;
    let board = stage.known("AGAIN1", Plan::Fails(9010)).await;
    stage.want_script().await;
    let first = board.ordered("configure", 1).await;
    stage.no_second_attempts().await;
    let desired = board.in_state("blocked").await;
    assert!(words(&desired["reason"]).contains("9010"), "{desired}");
    assert_eq!(desired["script"], Value::Null, "it has not taken it");
    assert_eq!(desired["attempts"], 1);
    assert_eq!(board.jobs("configure").await[0]["state"], "failed");
    let wait = stage.wait().await;
    assert!((200.0..=360.0).contains(&wait), "{wait}");

    for event in ["1 BOOT", "4 VALUE CHANGE", "1 BOOT"] {
        board.session(event).await;
        stage.settled().await;
    }
    let jobs = board.jobs("configure").await;
    assert_eq!((jobs.len(), &jobs[0]["job_id"]), (1, &first["job_id"]), "{jobs:?}");
    let desired = board.desired().await;
    assert_eq!((&desired["state"], &desired["attempts"]), (&json!("blocked"), &json!(1)));

    stage.wait_is_over().await;
    board.ordered("configure", 2).await;
    stage.no_second_attempts().await;
    let desired = board.in_state("blocked").await;
    assert_eq!((&desired["attempts"], &desired["script"]), (&json!(2), &Value::Null));
    let longer = stage.wait().await;
    assert!((500.0..=720.0).contains(&longer), "{longer}");

    board.plans(WELL).await;
    stage.wait_is_over().await;
    board.ordered("configure", 3).await;
    let desired = board.in_state("in_sync").await;
    assert_eq!((&desired["attempts"], &desired["reason"]), (&json!(0), &Value::Null));
    assert!(!desired["script"].is_null(), "{desired}");
    assert_eq!(board.scripts().await.len(), 1);
}

#[tokio::test]
async fn a_script_that_is_refused_waits_unless_something_else_is_wanted() {
    let stage = Stage::start().await;
    let board = stage.known("REFUSED1", Plan::Refuses(9003)).await;
    let profile = stage.want_script().await;
    let desired = board.in_state("blocked").await;
    assert!(words(&desired["reason"]).contains("9003"), "{desired}");
    assert_eq!(desired["script"], Value::Null);
    stage.settled().await;
    let jobs = board.jobs("configure").await;
    assert_eq!((jobs.len(), &jobs[0]["attempts"]), (1, &json!(1)), "{jobs:?}");

    board.plans(WELL).await;
    let other = json!({ "desired": { "variables": { "dns": "192.0.2.9" } } });
    stage.change("PATCH", &profile, other).await;
    let desired = board.in_state("in_sync").await;
    assert_eq!(desired["attempts"], 0, "{desired}");
    let scripts = board.scripts().await;
    assert!(scripts.len() == 1 && scripts[0].contains("192.0.2.9"), "{scripts:?}");
}

#[tokio::test]
async fn a_script_that_waits_is_not_lost_to_a_change_that_does_not_concern_it() {
    let stage = Stage::start().await;
    let board = stage.known("LOST1", WELL).await;
    let profile = stage.want_script().await;
    board.ordered("configure", 1).await;
    for value in ["two", "three"] {
        let other = json!({ "desired": { "variables": { "unused": value } } });
        stage.change("PATCH", &profile, other).await;
        stage.settled().await;
    }
    board.in_state("in_sync").await;
    stage.settled().await;
    board.session(PERIODIC).await;
    let scripts = board.scripts().await;
    assert!(scripts.len() == 1 && scripts[0].contains("192.0.2.1"), "{scripts:?}");
    assert_eq!(board.fetches().await, 1);
    let desired = board.desired().await;
    let job = board.api.job(desired["script"]["job_id"].as_str().unwrap()).await;
    assert_eq!((&desired["state"], &job["state"]), (&json!("in_sync"), &json!("done")));
}

#[tokio::test]
async fn what_a_person_cancels_is_not_made_again_until_a_person_says_so() {
    let stage = Stage::start().await;
    let board = stage.known("CANCEL1", WELL).await;
    stage.want_script().await;
    let job = board.ordered("configure", 1).await;
    let cancel = format!("/api/v1/jobs/{}/cancel", job["job_id"].as_str().unwrap());
    assert_eq!(stage.api.call("POST", &cancel, None).await.0, 200);
    let desired = board.in_state("blocked").await;
    assert!(words(&desired["reason"]).contains("cancelled"), "{desired}");
    for event in ["4 VALUE CHANGE", "1 BOOT"] {
        board.session(event).await;
        stage.settled().await;
    }
    assert_eq!(board.jobs("configure").await.len(), 1);
    assert_eq!(board.desired().await["state"], "blocked");
    assert!(board.scripts().await.is_empty());

    board.say("POST", "/reapply", None).await;
    board.ordered("configure", 2).await;
    board.in_state("in_sync").await;
    assert_eq!(board.scripts().await.len(), 1);
}

#[tokio::test]
async fn a_script_that_did_not_run_to_its_end_or_not_whole_is_a_difference() {
    let stage = Stage::start().await;
    let cut = stage.known("CUT1", Plan::Runs(&["begin"])).await;
    let partly = stage.known("PARTLY1", Plan::Runs(&["begin", "line 1 failed", "done"])).await;
    stage.want_script().await;
    for board in [&cut, &partly] {
        let desired =
            board.until("the script is told", |desired| told(desired, "template").is_some()).await;
        let report = &desired["script"]["report"];
        let done = board.serial == "PARTLY1";
        assert_eq!(report["done"], done, "{desired}");
        let why = words(&told(&desired, "template").unwrap()["words"]);
        assert!(!why.is_empty() && why.contains("line 1") == done, "{why}");
        assert_ne!(desired["state"], "in_sync");
        stage.settled().await;
        board.session(PERIODIC).await;
        assert_eq!(board.scripts().await.len(), 1, "it is not sent again by itself");
        assert_eq!(board.jobs("configure").await.len(), 1);
    }
}

#[tokio::test]
async fn what_nobody_has_taken_goes_with_the_binding() {
    let stage = Stage::start().await;
    let away = stage.known("AWAY1", WELL).await;
    let busy = stage.known("BUSY1", Plan::Keeps).await;
    let profile = stage.want_script().await;
    for board in [&away, &busy] {
        board.ordered("configure", 1).await;
    }
    busy.session(PERIODIC).await;
    assert_eq!(busy.jobs("configure").await[0]["state"], "waiting");
    let unbind = format!("{profile}/bindings?fleet=true");
    assert_eq!(stage.api.call("DELETE", &unbind, None).await.0, 204);
    stage.settled().await;
    assert_eq!(away.jobs("configure").await[0]["state"], "cancelled");
    let queued = stage.api.get("/api/v1/jobs?device_id=serial:AWAY1&state=queued").await;
    assert_eq!(queued["items"], json!([]), "nor what goes with it");
    assert_eq!(away.desired().await["state"], "unmanaged");
    assert_eq!(busy.jobs("configure").await[0]["state"], "waiting", "it has it");
    away.session("1 BOOT").await;
    stage.settled().await;
    away.session(PERIODIC).await;
    assert!(away.scripts().await.is_empty());
    assert_eq!(away.jobs("configure").await.len(), 1);
}

#[tokio::test]
async fn while_a_rollout_is_at_a_device_nobody_else_changes_it() {
    let stage = Stage::start().await;
    let board = stage.known("ROLLED1", WELL).await;
    let mut plan = quick(json!({ "percent": null, "count": null, "then": "pause" }));
    plan["waves"] = json!([{ "take": "rest" }]);
    plan["checks"] = json!({ "missed_informs": null, "crash": false, "uptime": false, "wan": false,
        "radios": false, "cpu_points": null, "memory_percent": null, "link_downs": null,
        "signal_db": null, "clients_percent": null });
    let parameter = json!({ "name": IDENTITY, "value": "cellar" });
    let rollout = json!({
        "name": "names", "plan": plan, "audience": { "selector": "serial = ROLLED1" },
        "change": { "kind": "parameters", "parameters": [parameter] },
    });
    let rollout = stage.make("/api/v1/rollouts", rollout).await;
    let rollout = format!("/api/v1/rollouts/{}", rollout["rollout_id"].as_str().unwrap());
    let start = stage.api.call("POST", &format!("{rollout}/start"), Some(json!({}))).await;
    assert!((200..300).contains(&start.0), "{start:?}");
    let offered = format!("{rollout}/devices?state=offered");
    eventually("it is offered", || async {
        let page = stage.api.get(&offered).await;
        (page["items"].as_array()?.len() == 1).then_some(())
    })
    .await;

    stage.want_script().await;
    stage.settled().await;
    let ours = "select count(*) from jobs where idempotency_key like 'muster:desired:%'";
    assert_eq!(stage.count(ours).await, 0);
    stage.sql("update device_desired set due_at = now()").await;
    stage.settled().await;
    assert_eq!(stage.count(ours).await, 0, "nor when its time has come");

    let pause = Some(json!({ "reason": "not tonight" }));
    let paused = stage.api.call("POST", &format!("{rollout}/pause"), pause).await;
    assert!((200..300).contains(&paused.0), "{paused:?}");
    eventually("it is called back", || async {
        let page = stage.api.get(&offered).await;
        page["items"].as_array()?.is_empty().then_some(())
    })
    .await;
    stage.sql("update device_desired set due_at = now()").await;
    board.ordered("configure", 1).await;
    board.in_state("in_sync").await;
    assert_eq!(board.has(IDENTITY).await, "attic");
}

#[tokio::test]
async fn drift_is_told_although_the_device_was_compared_while_it_was_read() {
    let stage = Stage::start().await;
    let board = stage.known("DRIFT1", WELL).await;
    let parameters = json!({ IDENTITY: { "value": "attic" } });
    stage.want("names", true, json!({ "parameters": parameters })).await;
    board.in_state("in_sync").await;
    assert!(board.jobs("get").await.is_empty());

    board.say("POST", "/compare", None).await;
    let check = board.ordered("get", 1).await;
    assert_eq!(check["state"], "queued");
    stage.sql("update device_desired set due_at = now()").await;
    stage.settled().await;
    board.change(IDENTITY, "by hand").await;
    eventually("it is put back", || async {
        board.session(PERIODIC).await;
        (board.has(IDENTITY).await == "attic").then_some(())
    })
    .await;
    board.in_state("in_sync").await;
    let events = format!("{}/events?limit=1000", device_path("DRIFT1"));
    let events = stage.api.get(&events).await;
    let events = events["items"].as_array().unwrap().iter();
    let drifted: Vec<&Value> = events.filter(|event| event["kind"] == "drifted").collect();
    assert_eq!(drifted.len(), 1, "{drifted:?}");
    let difference = &drifted[0]["detail"]["differences"][0];
    assert_eq!((&difference["name"], &difference["seen"]), (&json!(IDENTITY), &json!("by hand")));
}

#[tokio::test]
async fn only_who_was_expected_is_brought_to_the_release() {
    let stage = Stage::start().await;
    upload(&stage.api, RELEASE).await;
    stage.want("release", true, json!({ "release": RELEASE })).await;
    stage.make("/api/v1/claims", json!({ "serial": "EXPECTED1" })).await;
    let expected = stage.board("EXPECTED1", Plan::Keeps);
    let stranger = stage.board("STRANGER1", Plan::Keeps);

    // Let in because everybody is: it may have been in use for years.
    let desired = stranger.until("it is told", |desired| told(desired, "release").is_some()).await;
    let difference = told(&desired, "release").unwrap();
    assert_eq!(
        (&difference["wanted"], &difference["seen"]),
        (&json!(RELEASE), &json!("7.16.1")),
        "{desired}"
    );
    assert_eq!(desired["state"], "drifted");
    stranger.session("1 BOOT").await;
    stage.settled().await;
    assert!(stranger.jobs("upgrade").await.is_empty());

    let job = eventually("it is brought there", || async {
        expected.session(PERIODIC).await;
        expected.jobs("upgrade").await.pop()
    })
    .await;
    assert_eq!(job["args"]["version"], RELEASE, "{job}");
}

#[tokio::test]
async fn a_secret_goes_only_where_secrets_are_kept() {
    let stage = Stage::start().await;
    let board = stage.known("SECRET1", WELL).await;
    let open = json!({ CODE: { "variable": "wifi_password" } });
    let profile = json!({ "name": "leak", "desired": { "parameters": open } });
    let (status, problem) = stage.api.call("POST", "/api/v1/profiles", Some(profile)).await;
    assert_eq!(status, 422, "{problem}");
    assert!(words(&problem["pointer"]).starts_with("/desired/parameters/"), "{problem}");
    let own = Some(json!({ "overrides": open }));
    let (status, problem) = stage.api.call("PATCH", &board.path(""), own).await;
    assert_eq!(status, 422, "{problem}");

    let desired = json!({
        "parameters": {
            PASSPHRASE: { "variable": "wifi_password" }, CODE: { "variable": "code" },
        },
        "variables": { "wifi_password": "hunter22", "code": "gold" },
    });
    stage.want("watch", false, desired).await;
    let desired = board.until("both are told", |d| told(d, CODE).is_some()).await;
    assert_eq!(told(&desired, CODE).unwrap()["wanted"], "gold");
    assert_eq!(told(&desired, PASSPHRASE).unwrap()["wanted"], "********");
    // One that was stored when nobody minded.
    stage
        .sql(
            "update profiles set updated_at = now() + interval '1 second', desired = jsonb_set(desired,
             '{parameters,Device.DeviceInfo.ProvisioningCode,variable}', '\"wifi_password\"')",
        )
        .await;
    board.say("POST", "/compare", None).await;
    let is_other =
        |d: &Value| told(d, CODE).is_some_and(|difference| difference["wanted"] != "gold");
    let desired = board.until("the other is told", is_other).await;
    stage.settled().await;
    let mut shown = desired.to_string();
    for path in [board.path(""), "/api/v1/drift".to_owned(), "/api/v1/jobs".to_owned()] {
        shown += &stage.api.get(&path).await.to_string();
    }
    shown +=
        &stage.api.get(&format!("{}/events?limit=1000", device_path("SECRET1"))).await.to_string();
    assert!(!shown.contains("hunter"), "{shown}");
    let stored = "select count(*) from device_desired where differences::text like '%hunter%'";
    assert_eq!(stage.count(stored).await, 0);
}
