//! In which order what a rollout changes is locked: its row, devices, what stands of them in it, the
//! counts of its waves. Whoever removes a device locks that device first, and the rest in the same order:
//! so they may wait for each other, but never in a ring.

use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::lab::{at_once, gold};
use crate::harness::Muster;
use crate::harness::eventually;
use crate::harness::kit::{Api, device_path, raw_device};
use crate::harness::talk::introduce;

const DEVICES: &str = "select from rollout_devices for update nowait";
const WAVES: &str = "select from rollout_waves for update nowait";

/// Writes a rollout for all devices, and pauses it once they are begun; gives where it is.
async fn paused(api: &Api) -> String {
    let body = json!({ "name": "ours", "change": gold(), "plan": at_once(),
                       "audience": { "selector": "serial ~ \"S*\"" } });
    let rollout =
        format!("/api/v1/rollouts/{}", api.made("/api/v1/rollouts", body, "rollout_id").await);
    api.send("POST", &format!("{rollout}/start"), json!({})).await;
    counted(api, &rollout, "active", 2).await;
    order(api, &rollout, "pause").await;
    counted(api, &rollout, "waiting", 2).await;
    rollout
}

/// Once so many devices of the wave are there.
async fn counted(api: &Api, rollout: &str, place: &str, devices: u64) {
    eventually(place, || async {
        (api.get(rollout).await["waves"][0][place] == devices).then_some(())
    })
    .await;
}

async fn order(api: &Api, rollout: &str, verb: &str) -> Value {
    api.send("POST", &format!("{rollout}/{verb}"), json!({ "reason": "seen" })).await
}

/// Changes what is stored.
async fn alter(pool: &PgPool, statements: &[&'static str]) {
    for statement in statements {
        sqlx::query(*statement).execute(pool).await.unwrap();
    }
}

/// Locks these rows, as somebody else; gives the transaction and its process.
async fn hold(pool: &PgPool, rows: &'static str) -> (Transaction<'static, Postgres>, i32) {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(rows).execute(&mut *tx).await.unwrap();
    let process = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap();
    (tx, process)
}

/// Lets go of rows once whoever works on a rollout waits for them, and has locked none of `free`.
async fn let_go(pool: &PgPool, held: (Transaction<'static, Postgres>, i32), free: &[&'static str]) {
    let (tx, process) = held;
    eventually("whoever works on the rollout waits", || async {
        let waits: bool = sqlx::query_scalar(
            "select exists (
                 select from pg_stat_activity a
                 join pg_locks l on l.pid = a.pid and l.relation = 'rollouts'::regclass
                                    and l.mode = 'RowShareLock'
                 where $1 = any(pg_blocking_pids(a.pid)))",
        )
        .bind(process)
        .fetch_one(pool)
        .await
        .unwrap();
        waits.then_some(())
    })
    .await;
    alter(pool, free).await;
    tx.commit().await.unwrap();
}

async fn two_devices() -> (Muster, Api) {
    let (muster, api) = raw_device("S1").await;
    introduce(muster.cwmp, "S2").await;
    (muster, api)
}

#[tokio::test]
async fn who_begins_devices_locks_them_before_what_the_rollout_has_of_them() {
    let (muster, api) = two_devices().await;
    let rollout = paused(&api).await;
    // They were put off, and that time has passed.
    alter(&muster.pool, &["update rollout_devices set due_at = now() - interval '1 minute'"]).await;
    let held = hold(&muster.pool, "select from devices for update").await;
    order(&api, &rollout, "resume").await;
    let_go(&muster.pool, held, &[DEVICES, WAVES]).await;
    counted(&api, &rollout, "active", 2).await;
}

#[tokio::test]
async fn who_forgives_failures_or_tries_them_again_locks_the_counts_last() {
    let (muster, api) = two_devices().await;
    let rollout = paused(&api).await;
    for (verb, place) in [("retry", "waiting"), ("resume", "forgiven")] {
        alter(
            &muster.pool,
            &[
                "update rollout_devices set state = 'failed', fault_class = 'hold', job_id = null",
                "update rollout_waves set waiting = 0, failed = 2",
            ],
        )
        .await;
        let held = hold(&muster.pool, "select from rollout_devices for update").await;
        tokio::join!(order(&api, &rollout, verb), let_go(&muster.pool, held, &[WAVES]));
        counted(&api, &rollout, place, 2).await;
    }
}

#[tokio::test]
async fn who_moves_a_site_waits_for_a_rollout_before_its_devices() {
    let (muster, api) = two_devices().await;
    let site = api.make_at("/api/v1/sites", json!({ "path": "lv" })).await;
    for serial in ["S1", "S2"] {
        api.send("PATCH", &device_path(serial), json!({ "site": "lv" })).await;
    }
    let rollout = paused(&api).await;
    let held = hold(&muster.pool, "select from rollouts for update").await;
    tokio::join!(
        api.send("PATCH", &site, json!({ "path": "ee" })),
        let_go(&muster.pool, held, &[DEVICES])
    );
    assert_eq!(api.get(&format!("{rollout}/devices")).await["items"][0]["site"], "ee");
}

#[tokio::test]
async fn a_device_that_was_removed_while_it_was_taken_in_keeps_no_rollout_from_its_end() {
    let (muster, api) = two_devices().await;
    let rollout = paused(&api).await;
    sqlx::query(
        "insert into rollout_devices (device_id, rollout_id, wave, state)
         select $1, rollout_id, 0, 'waiting' from rollouts",
    )
    .bind(Uuid::now_v7())
    .execute(&muster.pool)
    .await
    .unwrap();
    alter(
        &muster.pool,
        &[
            "update rollout_devices r set state = 'healthy', job_id = null
             where exists (select from devices d where d.device_id = r.device_id)",
            "update rollout_waves set total = 3, waiting = 1, healthy = 2",
        ],
    )
    .await;
    order(&api, &rollout, "resume").await;
    let ended = eventually("it ends without that one", || async {
        let rollout = api.get(&rollout).await;
        (rollout["state"] == "completed").then_some(rollout)
    })
    .await;
    assert_eq!(ended["waves"][0]["total"], 2, "{ended:#}");
}
