//! What a device has is kept before a script runs there; and nobody is changed before.

use muster_cwmp::rpc::{Request, Response};
use muster_sim::sickness::{Ailment, Sickness};
use serde_json::{Value, json};

use super::lab::{IDENTITY, Range, at_once, far_window, naming, release, seed, serials, unseen};
use crate::harness::eventually;
use crate::harness::kit::{Api, device_path, raw_device};
use crate::harness::talk::{Talk, begun, transferred};

/// The configurations that a rollout had kept.
const KEPT: &str = "select c.body from device_backups b
     join jobs j using (device_id, job_id) join device_configs c using (device_id, sha256)
     where j.rollout_id = $1::uuid and b.cause = 'change'";
/// What it ordered of each device, in this order.
const ORDERED: &str = "select string_agg(kind, ' ' order by job_id) from jobs
     where rollout_id = $1::uuid and kind <> 'refresh' group by device_id";
/// Scripts that it ordered, but for those that were called back.
const SCRIPTS: &str = "select kind from jobs
     where rollout_id = $1::uuid and kind = 'download' and state <> 'cancelled'";
/// As if the device of a rollout had sent its configuration.
const SENT: &str = "with sent as (
         update jobs set state = 'done', finished_at = now()
         where rollout_id = $1::uuid and kind = 'upload' and state in ('queued', 'running')
         returning job_id)
     update rollout_devices set due_at = now() where job_id in (select job_id from sent)
     returning state";
/// As if it had run the script, and had not said so.
const LOST: &str = "with sent as (
         update jobs set state = 'failed', attempts = 1, finished_at = now()
         where rollout_id = $1::uuid and kind = 'download' and state = 'queued'
         returning job_id)
     update rollout_devices set due_at = now() where job_id in (select job_id from sent)
     returning state";

/// A plan that keeps what devices have, as plans do of which nothing else is said.
fn kept(mut plan: Value) -> Value {
    plan.as_object_mut().unwrap().remove("backup");
    plan
}

/// The only device of a rollout, once it is in this state, at this step.
async fn is(api: &Api, id: &str, state: &str, step: i64) -> Value {
    let path = format!("/api/v1/rollouts/{id}/devices");
    eventually(&format!("it is {state}, at step {step}"), || async {
        let page = api.get(&path).await;
        let device = page["items"].as_array()?.first()?.clone();
        (device["state"] == state && device["step"] == step).then_some(device)
    })
    .await
}

/// Orders something of a rollout that must be taken.
async fn order(api: &Api, id: &str, verb: &str) {
    let path = format!("/api/v1/rollouts/{id}/{verb}");
    let body = if verb == "start" { json!({}) } else { json!({ "reason": "not tonight" }) };
    let (status, told) = api.call("POST", &path, Some(body)).await;
    assert!((200..300).contains(&status), "{verb}: {status} {told}");
}

/// Starts a rollout that has a device called otherwise.
async fn begin(api: &Api, serial: &str, plan: Value) -> String {
    let body = json!({ "name": "names", "change": naming(api).await, "plan": plan,
                       "audience": { "selector": format!("serial = {serial}") } });
    let id = api.made("/api/v1/rollouts", body, "rollout_id").await;
    order(api, &id, "start").await;
    id
}

/// The rollout that takes this one back, once there is one.
async fn inverse(api: &Api, id: &str) -> String {
    eventually("another rollout takes it back", || async {
        let rollout = api.get(&format!("/api/v1/rollouts/{id}")).await;
        rollout["inverse_id"].as_str().map(str::to_owned)
    })
    .await
}

async fn column(pool: &sqlx::PgPool, of: &'static str, id: &str) -> Vec<String> {
    sqlx::query_scalar(of).bind(id).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn what_a_device_has_is_kept_before_a_script_and_not_before_it_is_taken_back() {
    let range = Range::start(2, |options| options.seed = 7).await;
    let pool = &range.muster.pool;
    let id = range.draft(naming(&range.api).await, kept(at_once())).await;
    assert_eq!(range.rollout(&id).await["plan"]["backup"], true);
    let run = range.order(&id, "dry-run", json!({})).await;
    let steps = json!(["keep its configuration", "run the script", "look whether it ran whole"]);
    assert_eq!(run["paths"][0]["steps"], steps, "{run:#}");
    range.order(&id, "start", json!({})).await;
    range.until(&id, "completed").await;
    let bodies = column(pool, KEPT, &id).await;
    assert_eq!(bodies.len(), 2);
    assert!(bodies.iter().all(|body| !body.contains("name=gold")), "{bodies:?}");
    assert_eq!(column(pool, ORDERED, &id).await, ["upload download upload"; 2]);

    range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
    let back = range.until(&id, "rolled_back").await;
    let inverse = back["inverse_id"].as_str().unwrap();
    assert_eq!(column(pool, ORDERED, inverse).await, ["download upload"; 2]);
}

#[tokio::test]
async fn what_a_device_has_is_kept_before_a_release_and_before_its_first_hop_alone() {
    let old = |versions: &[&str]| versions.iter().all(|version| version.starts_with("6."));
    let range = Range::start(1, |options| options.seed = seed(1, old)).await;
    let id = range.begin(release(), kept(at_once())).await;
    range.until(&id, "completed").await;
    let healthy = range.in_state(&id, "healthy").await;
    assert_eq!(healthy[0]["version"], "7.16.1", "{healthy:#?}");
    let pool = &range.muster.pool;
    assert_eq!(column(pool, ORDERED, &id).await, ["upload upgrade upgrade"]);
    let bodies = column(pool, KEPT, &id).await;
    assert!(bodies.len() == 1 && bodies[0].contains("/system identity"), "{bodies:?}");
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn a_device_that_cannot_send_it_is_not_changed_unless_the_plan_says_so() {
    let sickness: Sickness = "fault:9000:Upload=50%".parse().unwrap();
    let fits = |seed: &u64| {
        sickness.of(*seed, 0) != Ailment::None && sickness.of(*seed, 1) == Ailment::None
    };
    let seed = (1_u64..).find(fits).unwrap();
    let range = Range::start(2, |options| {
        options.seed = seed;
        options.sickness = sickness;
    })
    .await;
    let (sick, well) = (range.fleet.serial(0), range.fleet.serial(1));
    let name = async |serial: &str| range.api.known(serial, IDENTITY).await[0].1.clone();
    let change = naming(&range.api).await;
    // However many fail, it goes on.
    let mut plan = kept(at_once());
    plan["success"] = json!({ "percent": 0.0, "minimum": 0 });
    let id = range.begin(change.clone(), plan.clone()).await;
    range.until(&id, "completed").await;
    let failed = range.in_state(&id, "failed").await;
    assert_eq!(serials(&failed), [sick.as_str()], "{failed:#?}");
    let why = failed[0]["reason"].as_str().unwrap();
    assert!(why.starts_with("its configuration could not be kept first"), "{why}");
    assert_eq!(failed[0]["fault_class"], "give_up", "{failed:#?}");
    assert!(failed[0]["started_at"].is_null(), "nothing was done to it: {failed:#?}");
    assert_ne!(name(&sick).await, "gold");
    assert_eq!(name(&well).await, "gold");

    // Nor is there anything to be taken back from it.
    range.order(&id, "roll-back", json!({ "reason": "too loud" })).await;
    let back = range.until(&id, "rolled_back").await;
    let inverse = back["inverse_id"].as_str().unwrap();
    assert_eq!(serials(&range.in_state(inverse, "healthy").await), [well.as_str()]);
    assert_eq!(range.rollout(inverse).await["waves"][0]["total"], 1);

    plan["backup"] = json!(false);
    let id = range.begin(change, plan).await;
    range.until(&id, "completed").await;
    assert_eq!(column(&range.muster.pool, ORDERED, &id).await, ["download upload"; 2]);
    // It cannot send its log either: nobody knows what became of the script, until it is read.
    assert_eq!(serials(&range.in_state(&id, "failed").await), [sick.as_str()]);
    range.api.queue(&sick, json!({ "kind": "refresh" })).await;
    eventually("it is called otherwise", || async { (name(&sick).await == "gold").then_some(()) })
        .await;
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn a_file_that_is_not_the_whole_configuration_keeps_nothing() {
    let (muster, api) = raw_device("KEPT0").await;
    // Mostly it passes: it is asked for again where the plan says so.
    let mut plan = kept(unseen());
    plan["retries"] = json!(0);
    let body = json!({ "name": "names", "change": naming(&api).await, "plan": plan,
                       "audience": { "selector": "serial = KEPT0" } });
    let id = api.made("/api/v1/rollouts", body, "rollout_id").await;
    order(&api, &id, "start").await;
    is(&api, &id, "offered", 0).await;
    let mut talk = Talk::open(muster.cwmp, "KEPT0", &["2 PERIODIC"]).await;
    let Request::Upload(call) = talk.asked().clone() else { panic!("{:?}", talk.request) };
    let path = call.url.splitn(4, '/').nth(3).unwrap();
    let header = "# 2026-11-22 02:00:00 by RouterOS 7.16.1\n";
    let put = muster.http().put(format!("http://{}/{path}", muster.cwmp)).body(header);
    assert_eq!(put.send().await.unwrap().status(), 201);
    talk.answer(Response::Upload(begun())).await;
    let events = ["7 TRANSFER COMPLETE", &format!("M Upload|{}", call.command_key)];
    let report = vec![transferred(&call.command_key, 0)];
    Talk::reporting(muster.cwmp, "KEPT0", &events, report).await.agree().await;
    let device = is(&api, &id, "failed", 0).await;
    let why = device["reason"].as_str().unwrap();
    assert!(why.contains("could not be kept first") && why.contains("whole"), "{why}");
    assert_eq!(device["fault_class"], "retry", "{device:#}");
    assert_eq!(column(&muster.pool, SCRIPTS, &id).await, [""; 0]);
}

#[tokio::test]
async fn a_script_of_which_nobody_would_ask_the_log_goes_as_it_is() {
    let (muster, api) = raw_device("KEPT6").await;
    let id = begin(&api, "KEPT6", unseen()).await;
    is(&api, &id, "offered", 0).await;
    let talk = Talk::open(muster.cwmp, "KEPT6", &["2 PERIODIC"]).await;
    let Request::Download(call) = talk.asked().clone() else { panic!("{:?}", talk.request) };
    let path = call.url.splitn(4, '/').nth(3).unwrap();
    let fetch = async || {
        let url = format!("http://{}/{path}", muster.cwmp);
        muster.http().get(url).send().await.unwrap().text().await.unwrap()
    };
    let framed = fetch().await;
    assert!(framed.contains("name=gold") && framed.contains("muster-apply"), "{framed}");
    // As an older Muster planned it.
    let older = "update rollout_devices set steps = steps - 1 where rollout_id = $1::uuid";
    sqlx::query(older).bind(&id).execute(&muster.pool).await.unwrap();
    assert_eq!(fetch().await, "/system identity set name=gold\n");
}

#[tokio::test]
async fn nobody_is_changed_whose_rollout_stops_before_the_script_is_taken() {
    let (muster, api) = raw_device("KEPT1").await;
    let id = begin(&api, "KEPT1", kept(unseen())).await;
    is(&api, &id, "offered", 0).await;
    assert_eq!(column(&muster.pool, SENT, &id).await, ["offered"]);
    is(&api, &id, "offered", 1).await;
    assert_eq!(column(&muster.pool, SCRIPTS, &id).await, ["download"]);
    order(&api, &id, "pause").await;
    let device = is(&api, &id, "waiting", 0).await;
    assert!(device["started_at"].is_null(), "nothing was done to it: {device:#}");
    assert_eq!(column(&muster.pool, SCRIPTS, &id).await, [""; 0], "it is called back");

    // Days may lie between: it is kept anew.
    order(&api, &id, "resume").await;
    is(&api, &id, "offered", 0).await;
    let talk = Talk::open(muster.cwmp, "KEPT1", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
    order(&api, &id, "abort").await;
    assert_eq!(column(&muster.pool, SENT, &id).await.len(), 1);
    let device = is(&api, &id, "skipped", 0).await;
    assert_eq!(device["reason"], "the rollout was aborted", "{device:#}");
    assert_eq!(column(&muster.pool, SCRIPTS, &id).await, [""; 0]);
    drop(talk);
}

#[tokio::test]
async fn a_device_that_was_tried_again_and_called_back_is_taken_back_too() {
    let (muster, api) = raw_device("KEPT2").await;
    let id = begin(&api, "KEPT2", kept(unseen())).await;
    let path = format!("/api/v1/rollouts/{id}");
    is(&api, &id, "offered", 0).await;
    assert_eq!(column(&muster.pool, SENT, &id).await, ["offered"]);
    is(&api, &id, "offered", 1).await;
    assert_eq!(column(&muster.pool, LOST, &id).await, ["offered"]);
    let begun = is(&api, &id, "failed", 1).await["started_at"].clone();
    assert!(begun.is_string(), "{begun}");
    eventually("the gate pauses it", || async {
        (api.get(&path).await["state"] == "paused").then_some(())
    })
    .await;
    order(&api, &id, "retry").await;
    order(&api, &id, "resume").await;
    is(&api, &id, "offered", 0).await;
    order(&api, &id, "pause").await;
    let device = is(&api, &id, "waiting", 0).await;
    assert_eq!(device["started_at"], begun, "{device:#}");

    order(&api, &id, "roll-back").await;
    let device = is(&api, &inverse(&api, &id).await, "offered", 0).await;
    let steps = json!(["run the script", "tell what became of the script"]);
    assert_eq!(device["steps"], steps, "{device:#}");
}

#[tokio::test]
async fn what_was_kept_before_its_window_closed_is_not_changed_after_that() {
    let (muster, api) = raw_device("KEPT3").await;
    let site = json!({ "path": "riga", "time_zone": "UTC" });
    let site = api.make_at("/api/v1/sites", site).await;
    api.send("PATCH", &device_path("KEPT3"), json!({ "site": "riga" })).await;
    let mut plan = kept(unseen());
    plan["heed_windows"] = json!(true);
    let id = begin(&api, "KEPT3", plan).await;
    is(&api, &id, "offered", 0).await;
    let talk = Talk::open(muster.cwmp, "KEPT3", &["2 PERIODIC"]).await;
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
    api.send("PATCH", &site, json!({ "windows": [far_window()] })).await;
    assert_eq!(column(&muster.pool, SENT, &id).await, ["offered"]);
    let device = is(&api, &id, "waiting", 0).await;
    assert!(device["started_at"].is_null(), "nothing was done to it: {device:#}");
    let scripts = "select kind from jobs where rollout_id = $1::uuid and kind = 'download'";
    assert_eq!(column(&muster.pool, scripts, &id).await, [""; 0], "not even called back");
    drop(talk);
}

#[tokio::test]
async fn a_device_that_took_its_order_and_was_lost_is_taken_back_too() {
    let (muster, api) = raw_device("KEPT4").await;
    let mut plan = kept(unseen());
    plan["backup"] = json!(false);
    let id = begin(&api, "KEPT4", plan).await;
    is(&api, &id, "offered", 0).await;
    // As if it had been given it, and the session had broken off: it is to be given it again.
    let begun = "update jobs set attempts = 1 where rollout_id = $1::uuid returning state";
    assert_eq!(column(&muster.pool, begun, &id).await, ["queued"]);
    order(&api, &id, "abort").await;
    let device = is(&api, &id, "skipped", 0).await;
    assert!(device["started_at"].is_string(), "it may be changed: {device:#}");
    order(&api, &id, "roll-back").await;
    is(&api, &inverse(&api, &id).await, "offered", 0).await;
}

#[tokio::test]
async fn who_could_not_be_heard_while_muster_was_away_is_waited_for() {
    let (muster, api) = raw_device("KEPT5").await;
    let pool = &muster.pool;
    let sql = async |statement: &'static str| {
        sqlx::query(statement).execute(pool).await.unwrap();
    };
    sql("update devices set last_inform = now() - interval '20 minutes'").await;
    let id = begin(&api, "KEPT5", kept(unseen())).await;
    let put_off = async || {
        eventually("it is put off", || async {
            let later = "select state from rollout_devices
                         where rollout_id = $1::uuid and due_at > now()";
            column(pool, later, &id).await.pop()
        })
        .await
    };
    assert_eq!(put_off().await, "waiting");
    // The wave began long ago, and Muster has been there for a moment only.
    sql("update rollout_waves set started_at = now() - interval '2 days'").await;
    sql("update rollout_devices set due_at = now()").await;
    assert_eq!(put_off().await, "waiting");
    // Now it has been there all the time, and so has the device not.
    sql("update nodes set started_at = now() - interval '3 days'").await;
    sql("update devices set last_inform = now() - interval '2 days'").await;
    sql("update rollout_devices set due_at = now()").await;
    is(&api, &id, "timed_out", 0).await;
}
