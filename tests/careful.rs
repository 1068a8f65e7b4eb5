//! Orders by hand are careful: what a device has is kept before it is changed, a factory configuration
//! is tried on one device first, and what replaces a whole configuration needs its words.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use muster_cwmp::rpc::{Request, Response};
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::kit::{Api, Fleet, device_path, raw_device, server, texts};
use crate::harness::talk::{Talk, begun, introduce, key_of, transferred};

const BULK: &str = "/api/v1/jobs/bulk";

fn download(artifact_id: &str, file: Value) -> Value {
    json!({ "kind": "download", "artifact_id": artifact_id, "file": file })
}

fn factory(artifact_id: &str) -> Value {
    let words = "replace the factory configuration";
    download(artifact_id, json!({ "type": "factory_configuration", "confirm": words }))
}

/// The kinds of a device's jobs that nobody has taken, in their order.
async fn line(api: &Api, serial: &str) -> Vec<String> {
    let list = api.get(&format!("/api/v1/jobs?state=queued&device_id=serial:{serial}")).await;
    texts(&list, "kind").into_iter().rev().collect()
}

/// Why an order is refused, which must be because of the present state.
async fn conflict(api: &Api, path: &str, body: Value) -> String {
    let (status, _, why) = api.refused("POST", path, Some(body)).await;
    assert_eq!(status, 409, "{why}");
    why
}

async fn cancel(api: &Api, job: &str) {
    let (status, body) = api.call("POST", &format!("/api/v1/jobs/{job}/cancel"), None).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn what_a_device_has_is_kept_before_it_is_changed() {
    let (_muster, api) = raw_device("CARE").await;
    let script = api.store("change.rsc", b"/ip dns set servers=9.9.9.9\n").await;
    let alter = download(&script, json!({ "type": "alter" }));
    let without = |mut job: Value| {
        job["backup"] = json!(false);
        job
    };
    api.queue("CARE", without(alter.clone())).await;
    assert_eq!(line(&api, "CARE").await, ["download"]);
    let reset = json!({ "kind": "factory_reset", "idempotency_key": "reset-1" });
    api.queue("CARE", reset.clone()).await;
    assert_eq!(line(&api, "CARE").await, ["download", "upload", "factory_reset"]);
    // One that is still to come is enough; and what was there already brings none.
    api.queue("CARE", alter.clone()).await;
    let path = format!("{}/jobs", device_path("CARE"));
    assert_eq!(api.call("POST", &path, Some(reset)).await.0, 200);
    assert_eq!(line(&api, "CARE").await, ["download", "upload", "factory_reset", "download"]);
    // What comes later has one of its own.
    let mut later = alter.clone();
    later["not_before"] = json!(Utc::now() + TimeDelta::days(2));
    api.queue("CARE", later).await;
    assert_eq!(line(&api, "CARE").await[4..], ["upload", "download"]);

    let (status, pointer, why) =
        api.refused("POST", &path, Some(without(json!({ "kind": "reboot" })))).await;
    assert_eq!((status, pointer.as_str()), (422, "/backup"), "{why}");
    let audit = api.get("/api/v1/audit?action=job.create").await;
    let entries = audit["items"].as_array().unwrap().iter();
    let said: Vec<&Value> = entries.map(|entry| &entry["after"]["backup"]).collect();
    assert_eq!(said, [&json!(true), &json!(true), &json!(true), &json!(false)]);
}

#[tokio::test]
async fn a_profile_may_say_that_nothing_is_kept_and_an_order_that_it_is() {
    let (muster, api) = raw_device("NONE").await;
    introduce(muster.cwmp, "OTHER").await;
    let body = json!({ "name": "careless",
                       "desired": { "backup": { "every_hours": 0, "before_changes": false } } });
    let profile = api.make_at("/api/v1/profiles", body).await;
    api.send("PUT", &format!("{profile}/bindings"), json!({ "fleet": true })).await;
    let reset = json!({ "kind": "factory_reset" });
    let of = |job: Value| json!({ "selector": "online", "expected": 2, "wake": false, "job": job });
    api.send("POST", BULK, of(reset.clone())).await;
    for serial in ["NONE", "OTHER"] {
        let line = line(&api, serial).await;
        assert!(!line.contains(&"upload".to_owned()), "{serial}: {line:?}");
    }
    let mut kept = reset.clone();
    kept["backup"] = json!(true);
    api.send("POST", BULK, of(kept)).await;
    for serial in ["NONE", "OTHER"] {
        let line = line(&api, serial).await;
        let at = line.iter().position(|kind| kind == "upload");
        assert_eq!(at.map(|at| line[at + 1].as_str()), Some("factory_reset"), "{serial}: {line:?}");
    }
}

#[tokio::test]
async fn a_change_is_called_back_where_nothing_could_be_kept() {
    let (muster, api) = raw_device("SICK").await;
    let reset = api.queue("SICK", json!({ "kind": "factory_reset" })).await;
    let mut talk = Talk::open(muster.cwmp, "SICK", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
    talk.fault(9000).await;
    let job = api.job_in(&reset, &["cancelled"]).await;
    assert!(job["note"].as_str().unwrap().contains("could not be kept"), "{job}");
    let again = json!({ "kind": "factory_reset", "backup": false });
    api.queue("SICK", again).await;
    let talk = Talk::open(muster.cwmp, "SICK", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::FactoryReset), "{:?}", talk.request);
}

#[tokio::test]
async fn what_is_empty_or_incomplete_or_cannot_be_stored_keeps_nothing() {
    let (muster, api) = raw_device("EMPTY").await;
    let rename = async |from: &str, to: &str| {
        let sql = format!("alter table device_backups rename column {from} to {to}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&muster.pool).await.unwrap();
    };
    let header = "# 2026-11-22 02:00:00 by RouterOS 7.16.1\n";
    let export = format!("{header}/ip dns\nset servers=9.9.9.9\n");
    let cut = format!("{export}#error exporting \"/ip/ipsec\" (timeout)\n");
    for (body, stored, answer) in [
        ("", true, 201),
        (header, true, 201),
        (cut.as_str(), true, 201),
        (export.as_str(), false, 503),
    ] {
        let reset = api.queue("EMPTY", json!({ "kind": "factory_reset" })).await;
        if !stored {
            rename("sha256", "elsewhere").await;
        }
        let mut talk = Talk::open(muster.cwmp, "EMPTY", &["2 PERIODIC"]).await;
        let Request::Upload(call) = talk.asked().clone() else { panic!("{:?}", talk.request) };
        let path = call.url.splitn(4, '/').nth(3).unwrap();
        let put = muster.http().put(format!("http://{}/{path}", muster.cwmp)).body(body.to_owned());
        assert_eq!(put.send().await.unwrap().status(), answer);
        talk.answer(Response::Upload(begun())).await;
        if !stored {
            rename("elsewhere", "sha256").await;
        }
        let events = ["7 TRANSFER COMPLETE", &format!("M Upload|{}", call.command_key)];
        let report = vec![transferred(&call.command_key, 0)];
        Talk::reporting(muster.cwmp, "EMPTY", &events, report).await.agree().await;
        let job = api.job_in(&reset, &["cancelled"]).await;
        assert!(job["note"].as_str().unwrap().contains("could not be kept"), "{job}");
    }
    // What came is there, for whoever wants to see it.
    let files = api.get(&format!("{}/artifacts", device_path("EMPTY"))).await;
    assert_eq!(files["items"].as_array().unwrap().len(), 3, "{files}");
}

#[tokio::test]
async fn what_was_ordered_without_a_backup_does_not_wait_for_one() {
    let (muster, api) = raw_device("MIXED").await;
    let reset = json!({ "kind": "factory_reset" });
    let waits = api.queue("MIXED", reset.clone()).await;
    let mut without = reset;
    without["backup"] = json!(false);
    let goes_on = api.queue("MIXED", without).await;
    let mut talk = Talk::open(muster.cwmp, "MIXED", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
    talk.fault(9000).await;
    assert_eq!(api.job(&waits).await["state"], "cancelled");
    assert!(matches!(talk.asked(), Request::FactoryReset), "{:?}", talk.request);
    assert_eq!(api.job(&goes_on).await["state"], "running");
}

#[tokio::test]
async fn a_factory_configuration_goes_to_others_once_its_first_device_is_back_with_it() {
    let (muster, api) = server().await;
    let fleet = Fleet::start(&muster, 2, |_| {}).await;
    let (first, second) = (fleet.serial(0), fleet.serial(1));
    for serial in [&first, &second] {
        api.ready(serial).await;
    }
    let script = format!(
        "/tr069-client set acs-url=\"http://{}/\" enabled=yes periodic-inform-enabled=yes \
         periodic-inform-interval=300s\n",
        muster.cwmp
    );
    let artifact = api.store("factory.rsc", script.as_bytes()).await;
    let order = factory(&artifact);
    let jobs = format!("{}/jobs", device_path(&second));
    let many = json!({ "selector": "online", "expected": 2, "job": order });

    assert!(conflict(&api, BULK, many.clone()).await.contains("on one device first"));
    // A reset before it says nothing of it.
    api.done(&api.order(&first, json!({ "kind": "factory_reset" })).await).await;
    api.ready(&first).await;
    for _ in 0..2 {
        // Its own device may have it again.
        api.done(&api.order(&first, order.clone()).await).await;
        assert!(conflict(&api, &jobs, order.clone()).await.contains("on one device first"));
        assert!(conflict(&api, BULK, many.clone()).await.contains("on one device first"));
    }
    let audit = api.get("/api/v1/audit?action=job.bulk").await;
    assert_eq!(audit["items"], json!([]), "nothing was begun");

    api.done(&api.order(&first, json!({ "kind": "factory_reset" })).await).await;
    // Known for longer than the jobs that say so.
    let later = Utc::now() + TimeDelta::days(100);
    muster::jobs::sweep::purge(&muster.pool, later).await.unwrap();
    let ended = "select count(*) from jobs where finished_at is not null and kind = 'download'";
    let ended: i64 = sqlx::query_scalar(ended).fetch_one(&muster.pool).await.unwrap();
    assert_eq!(ended, 0);
    api.done(&api.order(&second, order).await).await;
    assert_eq!(api.send("POST", BULK, many).await, json!({ "created": 2, "skipped": 0 }));
    // Another file is another trial.
    let other = api.store("factory.rsc", script.as_bytes()).await;
    let many = json!({ "selector": "online", "expected": 2, "job": factory(&other) });
    conflict(&api, BULK, many).await;
}

#[tokio::test]
async fn a_trial_that_came_to_nothing_is_none() {
    let (muster, api) = raw_device("FIRST").await;
    introduce(muster.cwmp, "SECOND").await;
    let artifact = api.store("factory.rsc", b"/tr069-client set acs-url=http://acs/\n").await;
    let job = api.queue("FIRST", factory(&artifact)).await;
    let jobs = format!("{}/jobs", device_path("SECOND"));
    conflict(&api, &jobs, factory(&artifact)).await;
    assert_eq!(line(&api, "SECOND").await, [""; 0], "no backup without its change");
    cancel(&api, &job).await;
    api.queue("SECOND", factory(&artifact)).await;
    let jobs = format!("{}/jobs", device_path("FIRST"));
    conflict(&api, &jobs, factory(&artifact)).await;
    // With its device the trial is gone.
    assert_eq!(api.call("DELETE", &device_path("SECOND"), None).await.0, 204);
    api.queue("FIRST", factory(&artifact)).await;
}

#[tokio::test]
async fn a_file_that_is_removed_while_it_is_ordered_is_missed() {
    let (muster, api) = raw_device("LATE").await;
    let file = api.store("change.rsc", b"/ip dns set servers=9.9.9.9\n").await;
    let order = download(&file, json!({ "type": "alter" }));
    let mut tx = muster.pool.begin().await.unwrap();
    let delete = "delete from artifacts where artifact_id = $1::text::uuid";
    sqlx::query(delete).bind(&file).execute(&mut *tx).await.unwrap();
    let remove = async {
        eventually("both wait", || async {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&muster.pool).await.unwrap();
            (waiting >= 2).then_some(())
        })
        .await;
        tx.commit().await.unwrap();
    };
    let jobs = format!("{}/jobs", device_path("LATE"));
    let many = json!({ "selector": "online", "expected": 1, "job": order });
    let (one, all, ()) = tokio::join!(
        api.call("POST", &jobs, Some(order.clone())),
        api.call("POST", BULK, Some(many)),
        remove
    );
    assert_eq!((one.0, &one.1["pointer"]), (422, &json!("/artifact_id")), "{}", one.1);
    assert_eq!((all.0, &all.1["pointer"]), (422, &json!("/job/artifact_id")), "{}", all.1);
    assert_eq!(line(&api, "LATE").await, [""; 0]);
}

#[tokio::test]
async fn of_ten_orders_at_once_one_takes_a_file_to_its_first_device() {
    let (muster, api) = server().await;
    let serials: Vec<String> = (0..10).map(|n| format!("RACE{n}")).collect();
    for serial in &serials {
        introduce(muster.cwmp, serial).await;
    }
    let artifact = api.store("factory.rsc", b"/tr069-client set acs-url=http://acs/\n").await;
    let order = factory(&artifact);
    let (api, order) = (&api, &order);
    let orders = serials.iter().map(|serial| async move {
        let path = format!("{}/jobs", device_path(serial));
        api.call("POST", &path, Some(order.clone())).await.0
    });
    let mut answers = join_all(orders).await;
    answers.sort_unstable();
    assert_eq!(answers, [201, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
    let jobs = api.get("/api/v1/jobs?state=queued").await;
    let sent = texts(&jobs, "kind").into_iter().filter(|kind| kind == "download").count();
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn a_reset_by_the_button_proves_a_file_too_and_until_then_its_trial_is_named() {
    let (muster, api) = raw_device("BUTTON").await;
    introduce(muster.cwmp, "SECOND").await;
    let artifact = api.store("factory.rsc", b"/tr069-client set acs-url=http://acs/\n").await;
    let mut order = factory(&artifact);
    order["backup"] = json!(false);
    let job = api.queue("BUTTON", order.clone()).await;
    let second = format!("{}/jobs", device_path("SECOND"));
    let many = json!({ "selector": "online", "expected": 2, "job": order });
    for (path, body) in [(second.as_str(), order.clone()), (BULK, many)] {
        let why = conflict(&api, path, body).await;
        assert!(why.contains("BUTTON") && why.contains(&job), "{why}");
    }

    let mut talk = Talk::open(muster.cwmp, "BUTTON", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Download(_)), "{:?}", talk.request);
    talk.answer(Response::Download(begun())).await;
    let key = key_of(&job);
    let events = ["7 TRANSFER COMPLETE", &format!("M Download|{key}")];
    let report = vec![transferred(&key, 0)];
    Talk::reporting(muster.cwmp, "BUTTON", &events, report).await.agree().await;
    api.done(&job).await;
    conflict(&api, &second, order.clone()).await;
    Talk::open(muster.cwmp, "BUTTON", &["0 BOOTSTRAP", "1 BOOT"]).await.agree().await;
    api.queue("SECOND", order).await;
}

#[tokio::test]
async fn many_devices_are_overwritten_only_by_the_words() {
    let (_muster, api) = raw_device("WORDS").await;
    let artifact = api.store("all.rsc", b"/tr069-client set acs-url=http://acs/\n").await;
    let body = |file: Value| {
        json!({ "selector": "online", "expected": 1, "wake": false,
                "job": download(&artifact, file) })
    };
    for file in [
        json!({ "type": "overwrite" }),
        json!({ "type": "overwrite", "confirm": true }),
        json!({ "type": "overwrite", "confirm": "replace the factory configuration" }),
    ] {
        let (status, pointer, why) = api.refused("POST", BULK, Some(body(file))).await;
        assert_eq!((status, pointer.as_str()), (422, "/job"), "{why}");
    }
    let words = json!({ "type": "overwrite", "confirm": "overwrite the whole configuration" });
    api.send("POST", BULK, body(words)).await;
    assert_eq!(line(&api, "WORDS").await, ["upload", "download"]);
}

#[tokio::test]
async fn one_backup_is_waited_for_as_long_as_the_last_change_that_wants_it() {
    let (_muster, api) = raw_device("TWICE").await;
    let reset = |hours: i64, key: &str| {
        json!({ "kind": "factory_reset", "idempotency_key": key,
                "expires_at": Utc::now() + TimeDelta::hours(hours) })
    };
    api.queue("TWICE", reset(1, "first")).await;
    let last = api.queue("TWICE", reset(48, "last")).await;
    assert_eq!(line(&api, "TWICE").await, ["upload", "factory_reset", "factory_reset"]);
    let list = api.get("/api/v1/jobs?state=queued&device_id=serial:TWICE").await;
    let jobs = list["items"].as_array().unwrap();
    let backup = jobs.iter().find(|job| job["kind"] == "upload").unwrap();
    assert_eq!(backup["expires_at"], api.job(&last).await["expires_at"]);
}

#[tokio::test]
async fn whose_backup_failed_is_called_back_and_what_has_one_of_its_own_is_not() {
    let (muster, api) = raw_device("THREE").await;
    let first = api.queue("THREE", json!({ "kind": "factory_reset" })).await;
    let later = json!({ "kind": "factory_reset", "not_before": Utc::now() + TimeDelta::days(2) });
    let later = api.queue("THREE", later).await;
    let last = api.queue("THREE", json!({ "kind": "factory_reset" })).await;
    let line = line(&api, "THREE").await;
    let two = ["upload", "factory_reset"];
    assert_eq!(line, [&two[..], &two[..], &["factory_reset"]].concat());
    // The time of the second one comes before the first backup has ended.
    let now = "update jobs set not_before = now() where not_before > now() + interval '1 day'";
    sqlx::query(now).execute(&muster.pool).await.unwrap();
    let mut talk = Talk::open(muster.cwmp, "THREE", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
    talk.fault(9000).await;
    for called_back in [&first, &last] {
        assert_eq!(api.job(called_back).await["state"], "cancelled");
    }
    assert_eq!(api.job(&later).await["state"], "queued");
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
}
