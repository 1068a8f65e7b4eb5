//! Desired state at the operator's pace and hours: who is new for how long, what a reset gives back, how
//! many devices are compared in a second, and when a new device may be upgraded.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::desired::board::{IDENTITY, PERIODIC, Plan, Stage, WELL, told, words};
use crate::harness::eventually;
use crate::rollout::lab::upload;

/// Above what boards say that they run.
const RELEASE: &str = "7.17.1";
/// By which a board reaches the internet.
const LINE: &str = "Device.PPP.Interface.1.Username";

impl Stage {
    async fn times(&self, query: &'static str) -> Vec<DateTime<Utc>> {
        sqlx::query_scalar(query).fetch_all(&self.muster.pool).await.unwrap()
    }
}

#[tokio::test]
async fn a_device_is_new_until_it_is_as_it_should_be_however_long_that_takes() {
    let stage = Stage::start().await;
    for serial in ["EARLY1", "LATE1"] {
        stage.make("/api/v1/claims", json!({ "serial": serial })).await;
    }
    let early = stage.board("EARLY1", Plan::Keeps);
    let late = stage.board("LATE1", Plan::Keeps);
    let parameters = json!({ IDENTITY: { "value": "attic" } });
    stage.want("names", true, json!({ "parameters": parameters })).await;
    early.in_state("in_sync").await;

    stage.want("release", true, json!({ "release": RELEASE })).await;
    late.until("its release cannot be had", |desired| told(desired, "release").is_some()).await;
    stage.settled().await;
    stage.sql("update device_facts set admitted_at = admitted_at - interval '30 days'").await;
    upload(&stage.api, RELEASE).await;
    stage.sql("update device_desired set due_at = now()").await;
    let job = late.ordered("upgrade", 1).await;
    assert_eq!(job["args"]["version"], RELEASE, "{job}");

    let by_rollout = |one: &Value| words(&one["words"]).contains("rollout");
    let is_told = |desired: &Value| told(desired, "release").is_some_and(by_rollout);
    early.until("it is told, for it is in use", is_told).await;
    assert!(early.jobs("upgrade").await.is_empty());
}

#[tokio::test]
async fn what_is_given_once_is_given_again_after_a_reset_and_not_after_another_name_of_the_acs() {
    let stage = Stage::start().await;
    let board = stage.known("RESET1", WELL).await;
    let once = json!({ IDENTITY: { "value": "attic", "mode": "once" } });
    stage.want("names", true, json!({ "parameters": once })).await;
    board.in_state("in_sync").await;

    board.change(IDENTITY, "ours").await;
    board.session("0 BOOTSTRAP").await;
    stage.settled().await;
    board.in_state("in_sync").await;
    assert_eq!(board.has(IDENTITY).await, "ours");

    board.change(IDENTITY, "MikroTik").await;
    board.session("0 BOOTSTRAP, 1 BOOT").await;
    eventually("it has its name again", || async {
        board.session(PERIODIC).await;
        (board.has(IDENTITY).await == "attic").then_some(())
    })
    .await;
    board.in_state("in_sync").await;

    board.change(IDENTITY, "ours").await;
    board.session("1 BOOT").await;
    stage.settled().await;
    board.in_state("in_sync").await;
    assert_eq!(board.has(IDENTITY).await, "ours", "it was reset, but is settled since");
}

#[tokio::test]
async fn a_reset_is_noted_also_of_a_device_of_which_nothing_is() {
    let stage = Stage::start().await;
    let board = stage.known("BARE1", WELL).await;
    stage.sql("delete from device_desired").await;
    board.session("0 BOOTSTRAP, 1 BOOT").await;
    let reset = "select count(*) from device_desired where reset_at is not null";
    assert_eq!(stage.count(reset).await, 1);
}

#[tokio::test]
async fn devices_that_come_together_are_compared_one_after_the_other() {
    let stage = Stage::with(&[("MUSTER_ZERO_TOUCH__RECONCILE_PER_SECOND", "1")]).await;
    let boards = ["P1", "P2", "P3", "P4", "P5"].map(|serial| stage.board(serial, WELL));
    for board in &boards {
        board.session(PERIODIC).await;
        stage.api.ready(&board.serial).await;
    }
    stage.settled().await;

    let start = stage.times("select now()").await[0];
    join_all(boards.iter().map(|board| board.session("4 VALUE CHANGE"))).await;
    stage.settled().await;
    let query = "select compared_at from device_desired order by compared_at";
    let compared = stage.times(query).await;
    assert_eq!(compared.iter().filter(|at| **at >= start).count(), boards.len(), "{compared:?}");
    for three in compared.windows(3) {
        assert!(three[2] - three[0] > TimeDelta::seconds(1), "{compared:?}");
    }
}

/// A maintenance window that opens in three days.
fn in_three_days() -> Value {
    let day = (Utc::now() + TimeDelta::days(3)).format("%a").to_string().to_lowercase();
    json!([{ "days": [day], "from": "00:00", "minutes": 60 }])
}

#[tokio::test]
async fn a_new_device_is_configured_at_once_and_upgraded_in_its_window() {
    let stage = Stage::start().await;
    let site = json!({ "path": "riga", "time_zone": "UTC", "windows": in_three_days() });
    let site = stage.api.make_at("/api/v1/sites", site).await;
    stage.make("/api/v1/claims", json!({ "serial": "NIGHT1", "site": "riga" })).await;
    upload(&stage.api, RELEASE).await;
    let desired = json!({
        "parameters": { IDENTITY: { "value": "cellar" } }, "release": RELEASE,
        "check_every_hours": 0,
    });
    stage.want("home", true, desired).await;
    let board = stage.board("NIGHT1", Plan::Keeps);
    let waits = |desired: &Value| {
        let why = |one: &Value| words(&one["words"]).contains("maintenance window of riga");
        told(desired, "release").is_some_and(why)
    };
    let desired = board.in_state("drifted").await;
    assert!(waits(&desired), "{desired}");
    stage.settled().await;
    assert_eq!(board.has(IDENTITY).await, "cellar");
    assert!(board.jobs("upgrade").await.is_empty());
    let due = stage.times("select due_at from device_desired").await[0];
    let wait = due - Utc::now();
    assert!(wait > TimeDelta::hours(46) && wait < TimeDelta::hours(73), "{wait}");

    stage.change("PATCH", &site, json!({ "windows": [] })).await;
    stage.sql("update device_desired set due_at = now()").await;
    board.ordered("upgrade", 1).await;
    stage.settled().await;

    // It closes before the device has come.
    stage.change("PATCH", &site, json!({ "windows": in_three_days() })).await;
    stage.sql("update device_desired set due_at = now()").await;
    eventually("the upgrade is called back", || async {
        (board.jobs("upgrade").await[0]["state"] == "cancelled").then_some(())
    })
    .await;
    board.until("it waits again", waits).await;
    assert_eq!((board.jobs("upgrade").await.len(), board.fetches().await), (1, 0));
}

#[tokio::test]
async fn an_upgrade_is_not_taken_after_its_window_has_closed() {
    let stage = Stage::start().await;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let all_day = json!([{ "days": days, "from": "00:00", "minutes": 1440 }]);
    let site = json!({ "path": "riga", "time_zone": "UTC", "windows": in_three_days() });
    let site = stage.api.make_at("/api/v1/sites", site).await;
    stage.make("/api/v1/claims", json!({ "serial": "LATE1", "site": "riga" })).await;
    upload(&stage.api, RELEASE).await;
    stage.want("home", true, json!({ "release": RELEASE, "check_every_hours": 0 })).await;
    let board = stage.board("LATE1", Plan::Keeps);
    let waits = |desired: &Value| {
        let why = |one: &Value| words(&one["words"]).contains("maintenance window of riga");
        desired["state"] == "drifted" && told(desired, "release").is_some_and(why)
    };
    board.until("it waits for its window", waits).await;
    stage.settled().await;
    stage.change("PATCH", &site, json!({ "windows": all_day })).await;
    board.ordered("upgrade", 1).await;
    stage.settled().await;
    let closes = stage.times("select expires_at from jobs where kind = 'upgrade'").await[0];
    assert_eq!(closes.time(), chrono::NaiveTime::MIN, "the end of a day");
    assert!(closes - Utc::now() <= TimeDelta::hours(24), "{closes}");

    // The time has passed, and nobody has looked yet.
    let windows = serde_json::to_string(&in_three_days()).unwrap();
    let sites =
        sqlx::query("update sites set windows = $1::jsonb, updated_at = now()").bind(windows);
    sites.execute(&stage.muster.pool).await.unwrap();
    stage.sql("update jobs set expires_at = now() where kind = 'upgrade'").await;
    board.session(PERIODIC).await;
    let late = board.jobs("upgrade").await;
    assert_eq!((&late[0]["state"], board.fetches().await), (&json!("expired"), 0));
    board.until("it waits for the next one, and is not blocked", waits).await;
}

#[tokio::test]
async fn the_configuration_is_kept_before_what_may_cut_a_device_off() {
    let stage = Stage::start().await;
    let board = stage.board("BEFORE1", WELL);
    board.change(LINE, "old").await;
    board.session(PERIODIC).await;
    stage.api.ready("BEFORE1").await;
    stage.settled().await;
    let wanted = |parameters: Value| {
        let backup = json!({ "every_hours": 0, "before_changes": true });
        json!({ "parameters": parameters, "backup": backup })
    };
    let names = json!({ IDENTITY: { "value": "cellar" } });
    let profile = stage.want("home", true, wanted(names)).await;
    eventually("it is renamed", || async {
        board.session(PERIODIC).await;
        (board.has(IDENTITY).await == "cellar").then_some(())
    })
    .await;
    board.in_state("in_sync").await;
    let before = "select count(*) from jobs where idempotency_key like 'muster:before:%'";
    assert_eq!(stage.count(before).await, 0, "its name cuts nobody off");

    let line = json!({ IDENTITY: { "value": "cellar" }, LINE: { "value": "new" } });
    stage.change("PATCH", &profile, json!({ "desired": wanted(line) })).await;
    eventually("it has the other login", || async {
        board.session(PERIODIC).await;
        (board.has(LINE).await == "new").then_some(())
    })
    .await;
    let first = "select count(*) from jobs b join jobs s using (device_id)
                 where b.idempotency_key like 'muster:before:%'
                   and s.kind = 'set' and s.job_id > b.job_id";
    assert_eq!(stage.count(first).await, 1, "kept first, then written");
}

#[tokio::test]
async fn an_unchanged_device_costs_no_more_than_its_inform() {
    let stage = Stage::start().await;
    let board = stage.known("SAME1", WELL).await;
    let parameters = json!({ IDENTITY: { "value": "attic" } });
    let desired = json!({ "parameters": parameters, "check_every_hours": 0 });
    stage.want("names", true, desired).await;
    board.in_state("in_sync").await;
    stage.settled().await;
    let query = "select compared_at from device_desired";
    let compared = stage.times(query).await;

    // Whoever asked one of these tables anything would wait. All of them at once or none: who has
    // one and waits for the next may be waited for.
    let held = eventually("nobody reads these tables", || async {
        let mut tx = stage.muster.pool.begin().await.unwrap();
        let lock = "lock table device_desired, device_facts, device_parameters, device_packages,
                               device_credentials, device_secrets, connection_requests, jobs, events,
                               profiles, profile_bindings, templates, sites, sweeps
                    in access exclusive mode nowait";
        sqlx::query(lock).execute(&mut *tx).await.ok().map(|_| tx)
    })
    .await;
    let sessions = async {
        for _ in 0..20 {
            board.session(PERIODIC).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sessions).await.expect("no session waits");
    held.rollback().await.unwrap();
    stage.settled().await;
    assert_eq!(stage.times(query).await, compared);
}
