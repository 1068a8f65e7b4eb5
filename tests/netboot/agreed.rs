//! What benches and nodes agree on by the database alone: no wire is needed.

use chrono::{DateTime, TimeDelta, Utc};
use muster::store::bench::{TURN, ensure_builtin_profiles, take_turn};
use muster_netboot::profile::{Profile, builtin};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::eventually;
use crate::harness::kit::{Api, raw_device, server};

/// Boards that wait for their device, and are newer than those that are waited for.
const NEWER: i32 = 600;

/// A bench that only the database knows.
async fn bench(pool: &PgPool, interface: &str, address: &str) -> Uuid {
    let bench_id = Uuid::now_v7();
    sqlx::query(
        "insert into benches (bench_id, host, interface, address, heard_at, updated_at)
         values ($1, 'lab', $2, $3::text::inet, now(), now())",
    )
    .bind(bench_id)
    .bind(interface)
    .bind(address)
    .execute(pool)
    .await
    .unwrap();
    bench_id
}

async fn arm(api: &Api, bench_id: Uuid, accept_others: bool) -> (u16, Value) {
    let arming = json!({ "minutes": 30, "template": "bench-bootstrap", "accept_unverified": true,
                         "accept_others": accept_others });
    api.call("POST", &format!("/api/v1/bench/{bench_id}/arm"), Some(arming)).await
}

#[tokio::test]
async fn of_two_benches_that_hear_a_board_at_once_one_has_its_turn() {
    let (muster, _) = server().await;
    let (pool, now) = (&muster.pool, Utc::now());
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for n in 0..20 {
        let mac = format!("02:4D:42:00:00:{n:02X}");
        let take = async |bench_id: Uuid, at: DateTime<Utc>| {
            take_turn(pool, &mac, bench_id, at, at + TURN).await.unwrap()
        };
        let (first, second) = tokio::join!(take(one, now), take(other, now));
        assert!(first != second, "{mac}: {first} {second}");
        let (has_it, has_not) = if first { (one, other) } else { (other, one) };
        // It goes on with that as long as it likes; the other one comes when it is over.
        let later = now + TURN / 2;
        assert!(take(has_it, later).await);
        assert!(!take(has_not, now + TURN).await);
        assert!(take(has_not, later + TURN + TimeDelta::milliseconds(1)).await);
    }
}

#[tokio::test]
async fn nobody_arms_a_second_bench_on_a_network_without_saying_so() {
    let (muster, api) = server().await;
    let one = bench(&muster.pool, "eth1", "10.77.0.1/24").await;
    let same = bench(&muster.pool, "eth2", "10.77.0.2/24").await;
    let apart = bench(&muster.pool, "eth3", "10.77.1.1/24").await;
    assert_eq!(arm(&api, one, false).await.0, 200);
    // To arm it anew is no matter.
    assert_eq!(arm(&api, one, false).await.0, 200);
    assert_eq!(arm(&api, apart, false).await.0, 200);
    let (status, problem) = arm(&api, same, false).await;
    assert!(status == 409 && problem.to_string().contains("eth1 on lab"), "{status} {problem}");
    assert_eq!(arm(&api, same, true).await.0, 200);
}

#[tokio::test]
async fn a_profile_stays_what_it_is_under_a_bench_that_is_armed_with_it() {
    let (muster, api) = server().await;
    let pool = &muster.pool;
    let bench_id = bench(pool, "eth1", "10.77.0.1/24").await;
    let lab = "/api/v1/bench/profiles/lab";
    // Whoever arms, writes or removes waits for whoever does so already.
    let waits = async |method: &str, path: &str, kind: &str, body: String| {
        let mut tx = pool.begin().await.unwrap();
        let lock = "select pg_advisory_xact_lock(hashtext('muster.netboot_profiles'))";
        sqlx::query(lock).execute(&mut *tx).await.unwrap();
        let request = api.request(method, path).header("content-type", kind).body(body);
        let release = async {
            eventually("it waits", || async {
                let waiting: bool = sqlx::query_scalar(
                    "select exists (select from pg_locks where locktype = 'advisory' and not granted
                         and objid::bigint = hashtext('muster.netboot_profiles')::bigint & 4294967295
                         and database = (select oid from pg_database
                                         where datname = current_database()))",
                )
                .fetch_one(pool)
                .await
                .unwrap();
                waiting.then_some(())
            })
            .await;
            tx.commit().await.unwrap();
        };
        let (response, ()) = tokio::join!(request.send(), release);
        let response = response.unwrap();
        assert!(response.status().is_success(), "{method} {path}: {:?}", response.text().await);
    };
    let [shipped, ..] = builtin() else { panic!("one comes with Muster") };
    let own = Profile { name: "lab".to_owned(), ..shipped.clone() };
    waits("PUT", lab, "text/plain", own.write()).await;
    waits("DELETE", lab, "text/plain", String::new()).await;
    let arming = json!({ "minutes": 30, "template": "bench-bootstrap", "accept_unverified": true });
    let path = format!("/api/v1/bench/{bench_id}");
    waits("POST", &format!("{path}/arm"), "application/json", arming.to_string()).await;

    // Nor does another version of Muster bring its own before that is over.
    let newer = [(shipped.name.clone(), "# newer\n".to_owned(), "captured".to_owned())];
    let brought = async || {
        ensure_builtin_profiles(pool, &newer, Utc::now()).await.unwrap();
        let body = "select body from netboot_profiles where name = $1";
        let body: String =
            sqlx::query_scalar(body).bind(&shipped.name).fetch_one(pool).await.unwrap();
        body == newer[0].1
    };
    assert!(!brought().await);
    api.send("POST", &format!("{path}/disarm"), json!({})).await;
    assert!(brought().await);
}

#[tokio::test]
async fn boards_are_confirmed_however_late_they_come_and_however_many_wait() {
    let (muster, api) = raw_device("LATE1").await;
    let pool = &muster.pool;
    let device = api.get("/api/v1/devices/serial:LATE1").await;
    let device: Uuid = device["device_id"].as_str().unwrap().parse().unwrap();
    let bench_id = bench(pool, "eth1", "10.77.0.1/24").await;
    // One whose claim was taken just now; one that has it for long, and began anew just now.
    let (taken, anew) = ("E4:8D:8C:0B:00:01", "E4:8D:8C:0B:00:02");
    sqlx::query(
        "insert into claims (claim_id, mac, device_id, taken_at, created_by, created_at, updated_at)
         select gen_random_uuid(), mac, $1, taken_at, 'lab', now(), now()
         from (values ($2, now()), ($3, now() - interval '6 days')) as c (mac, taken_at)",
    )
    .bind(device)
    .bind(taken)
    .bind(anew)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("update device_facts set last_bootstrap = now() where device_id = $1")
        .bind(device)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query(
        "insert into bench_boards (mac, bench_id, kind, state, first_seen_at, seen_at, offered_at,
             delivered_at, done, deliveries, updated_at)
         select mac, $1, 'flashboot', 'delivered', at, at, at, at, true, 1, at
         from (select '02:4D:42:01:' || n / 100 || ':' || n % 100 as mac, now() as at
               from generate_series(1, $2) as n
               union all
               select mac, now() - interval '5 days' from unnest(array[$3, $4]) as late (mac)) as b",
    )
    .bind(bench_id)
    .bind(NEWER)
    .bind(taken)
    .bind(anew)
    .execute(pool)
    .await
    .unwrap();
    eventually("both are confirmed", || async {
        let confirmed: Vec<String> = sqlx::query_scalar(
            "select mac from bench_boards where state = 'confirmed' and device_id = $1
             order by mac",
        )
        .bind(device)
        .fetch_all(pool)
        .await
        .unwrap();
        (confirmed == [taken, anew]).then_some(())
    })
    .await;
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from bench_boards where state = 'delivered'")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(waiting, i64::from(NEWER));
}
