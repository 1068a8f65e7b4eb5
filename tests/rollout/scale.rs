//! A rollout of many devices costs what happens to it: what a tick asks touches few blocks, however
//! many devices wait, are watched or are put off. And many light devices carry one to its end.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use muster::store::rollouts::devices::due;
use muster::store::rollouts::devices::pick;
use muster::store::rollouts::waves;
use muster_sim::load::light::{LightFleet, LightOptions};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::lab::{release, upload};
use crate::harness::kit::Api;
use crate::harness::{LAB, Muster, eventually};

/// The rollout. Its first wave is under way or watched, its second waits, and in its third the first
/// ones wait for their windows.
const ROLLOUT: Uuid = Uuid::from_u128(4);
/// How often the server is asked before it says how it answers: from the sixth time on it may
/// settle on one plan for all arguments.
const WARM: usize = 8;

/// How the rows are made. They lie in no order of anything that is asked for: `k` is another
/// permutation than the ids.
const ROWS: [&str; 6] = [
    "insert into devices (device_id, first_inform, last_inform, session_id, node, remote_addr,
                          events, retry_count)
     select md5(i::text)::uuid, now(), now(), md5(i::text)::uuid, 'n', '10.0.0.1', '2 PERIODIC', 0
     from generate_series(0, 199999) i",
    "insert into device_facts (device_id, manufacturer, oui, product_class, serial, namespace, auth,
                               updated_at, site)
     select md5(i::text)::uuid, 'MikroTik', 'E48D8C', 'hAP', 'S' || i, 'urn:dslforum-org:cwmp-1-2',
            'device', now(), ('eu.r' || (i::bigint * 7919) % 200000 % 100)::ltree
     from generate_series(0, 199999) i",
    r#"insert into device_parameters (device_id, doc, refreshed_at, changed_at)
       select md5(i::text)::uuid, '{"Device.A": {"v": "1", "t": "xsd:string", "at": 0}}', now(), now()
       from generate_series(0, 199999) i"#,
    "insert into rollouts (rollout_id, name, change, audience, plan, state, state_at, created_by,
                           created_at, updated_at)
     values ('00000000-0000-0000-0000-000000000004', 'scale', '{}', '{}', '{}', 'paused', now(),
             'test', now(), now())",
    "insert into rollout_waves (rollout_id, wave, name)
     select '00000000-0000-0000-0000-000000000004', wave, 'wave ' || wave + 1
     from generate_series(0, 2) wave",
    "insert into rollout_devices (device_id, rollout_id, wave, position, state, fault_class, site,
                                  due_at)
     select md5(i::text)::uuid, '00000000-0000-0000-0000-000000000004',
            case when k < 80000 then 0 when k < 140000 then 1 else 2 end, k,
            case when k < 1000 then 'offered' when k < 1500 then 'failed'
                 when k < 80000 then 'healthy' else 'waiting' end,
            case when k between 1000 and 1499 and k % 10 = 0 then 'hold' end,
            ('eu.r' || k % 100)::ltree,
            case when k < 100 then now() - interval '1 minute'
                 when k < 1000 then now() + interval '1 day'
                 when k < 1500 then null
                 when k < 80000 then now() + interval '1 hour'
                 when k between 140000 and 189999 then now() + interval '6 hours' end
     from (select i, (i::bigint * 7919) % 200000 as k from generate_series(0, 199999) i) s",
];

/// Blocks for what finds nothing.
const NOTHING: i64 = 30;
/// Blocks for fifty devices with what is stored of them in six tables, or for a thousand rows that lie
/// anywhere. The smallest of the big tables has more.
const SOME: i64 = 2_500;
/// Blocks for five hundred devices that are looked through, each in four tables by their indexes:
/// some thirteen of each.
const LOOKED_THROUGH: i64 = 8_000;

/// The blocks that the server touches for a statement which this connection has asked before, found
/// by a part of its text, with these arguments in brackets; and its plan.
async fn blocks(conn: &mut PgConnection, part: &str, arguments: &str) -> (i64, Value) {
    let named: Vec<String> = sqlx::query_scalar(
        "select name from pg_prepared_statements where position($1 in statement) > 0",
    )
    .bind(part)
    .persistent(false)
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(named.len(), 1, "statements with `{part}`");
    let explain = format!(
        "explain (analyze, buffers, timing off, format json) execute {}{arguments}",
        named[0]
    );
    let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .persistent(false)
        .fetch_one(conn)
        .await
        .unwrap();
    let plan = plan[0]["Plan"].clone();
    let touched = |kind: &str| plan[kind].as_i64().unwrap();
    (touched("Shared Hit Blocks") + touched("Shared Read Blocks"), plan)
}

async fn fill(pool: &PgPool) {
    for rows in ROWS {
        sqlx::query(rows).execute(pool).await.unwrap();
    }
    sqlx::query("vacuum analyze").execute(pool).await.unwrap();
}

#[tokio::test]
async fn of_two_hundred_thousand_devices_a_tick_reads_those_that_matter() {
    let mut muster = Muster::start(LAB).await;
    muster.kill();
    fill(&muster.pool).await;
    let mut conn = muster.pool.acquire().await.unwrap();
    let (now, past) = (Utc::now(), Utc::now() - TimeDelta::days(1));
    for _ in 0..WARM {
        assert_eq!(due::due(&mut *conn, ROLLOUT, now, 50).await.unwrap().len(), 50);
        assert_eq!(due::due(&mut *conn, ROLLOUT, past, 50).await.unwrap().len(), 0);
        for wave in [1, 2] {
            let found = pick::candidates(&mut *conn, ROLLOUT, wave, false, 500).await;
            assert_eq!(found.unwrap().len(), 500);
        }
        pick::put_on(&mut conn, ROLLOUT, past, 500).await.unwrap();
        assert!(pick::any_put_off(&mut conn, ROLLOUT).await.unwrap());
        let flying = pick::in_flight(&mut conn, ROLLOUT).await.unwrap();
        assert_eq!((flying.all, flying.sites.len()), (1_000, 100));
        assert_eq!(pick::held(&mut conn, ROLLOUT, 0).await.unwrap(), 50);
        assert!(pick::sick(&mut conn, ROLLOUT, &["core".to_owned()]).await.unwrap().is_empty());
        assert_eq!(waves::list(&mut *conn, ROLLOUT).await.unwrap().len(), 3);
    }
    let (due, candidates) = ("order by r.due_at limit", "order by r.position limit $4");
    let wave = |wave: i32, topology: bool| format!("('{ROLLOUT}', {wave}, {topology}, 500)");
    for (what, part, arguments, most) in [
        ("none is due", due, format!("('{ROLLOUT}', '{past}', 50)"), NOTHING),
        ("a hundred are due", due, format!("('{ROLLOUT}', '{now}', 50)"), SOME),
        ("candidates", candidates, wave(1, false), LOOKED_THROUGH),
        ("leaves first", candidates, wave(1, true), LOOKED_THROUGH),
        ("candidates among those put off", candidates, wave(2, false), LOOKED_THROUGH),
        (
            "none is put on",
            "due_at <= $2 limit $3",
            format!("('{ROLLOUT}', '{past}', 500)"),
            NOTHING,
        ),
        ("some are put off", "due_at is not null) as", format!("('{ROLLOUT}')"), NOTHING),
        ("in flight", "group by site, uplink", format!("('{ROLLOUT}')"), SOME),
        ("redundancy in flight", "select distinct redundancy", String::new(), NOTHING),
        ("uplinks in flight", "where c.uplink = r.device_id)", format!("('{ROLLOUT}')"), SOME),
        ("sick partners", "r.redundancy = any($2)", format!("('{ROLLOUT}', '{{core}}')"), NOTHING),
        ("held", "fault_class = 'hold'", format!("('{ROLLOUT}', 0)"), SOME),
        ("waves", "from rollout_waves where rollout_id = $1", format!("('{ROLLOUT}')"), NOTHING),
    ] {
        let (touched, plan) = blocks(&mut conn, part, &arguments).await;
        assert!(touched <= most, "{what}: {touched} blocks: {plan:#}");
    }
}

#[tokio::test]
async fn light_devices_are_upgraded_once_each() {
    const DEVICES: u32 = 60;
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    upload(&api, "7.16.1").await;
    let fleet = LightFleet::start(LightOptions {
        acs_addr: muster.cwmp,
        devices: DEVICES,
        interval: Duration::from_secs(1),
        reboot_time: Duration::from_millis(50),
        connections: 16,
    })
    .unwrap();
    eventually("all are read", || async {
        let read = "select count(*) from device_parameters where refreshed_at is not null";
        let read: i64 = sqlx::query_scalar(read).fetch_one(&muster.pool).await.unwrap();
        (read == i64::from(DEVICES)).then_some(())
    })
    .await;
    let body = json!({
        "name": "light", "change": release(), "audience": { "selector": "serial ~ \"*\"" },
        "plan": { "waves": [{ "take": "rest" }], "soak_minutes": 0, "heed_windows": false,
                  "backup": false },
    });
    let (status, made) = api.call("POST", "/api/v1/rollouts", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/v1/rollouts/{}", made["rollout_id"].as_str().unwrap());
    let (status, _) = api.call("POST", &format!("{path}/start"), Some(json!({}))).await;
    assert_eq!(status, 200);
    eventually("it is over", || async {
        (api.get(&path).await["state"] == "completed").then_some(())
    })
    .await;
    let stats = fleet.stats();
    assert_eq!((stats.once, stats.more, stats.faults), (DEVICES, 0, 0), "{stats:?}");
    let versions: Vec<String> =
        sqlx::query_scalar("select distinct software_version from device_facts")
            .fetch_all(&muster.pool)
            .await
            .unwrap();
    assert_eq!(versions, ["7.16.1"]);
}
