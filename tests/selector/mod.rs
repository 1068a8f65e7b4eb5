//! Selectors on the database: the SQL finds what the evaluator finds, and uses the indexes.

mod arbitrary;
mod million;

use std::collections::BTreeMap;

use muster::fleet::facts::{Facts, is_volatile};
use muster::fleet::selector::{View, evaluate, parse, push_where};
use muster::store::{devices, selector};
use muster_cwmp::rpc::DeviceId as CwmpDeviceId;
use muster_routeros::version::RosVersion;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use self::arbitrary::{VERSIONS, any_expr, any_view, now, online_since};
use crate::harness::{LAB, Muster};

const DEVICES: usize = 300;
const SELECTORS: usize = 500;

fn sample<T>(runner: &mut TestRunner, of: &impl Strategy<Value = T>) -> T {
    of.new_tree(runner).unwrap().current()
}

fn version_key(text: Option<&str>) -> Option<Vec<i32>> {
    Some(text?.parse::<RosVersion>().ok()?.key().to_vec())
}

async fn insert(pool: &PgPool, device_id: Uuid, view: &View) {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(
        "insert into devices (device_id, first_inform, last_inform, session_id, node, remote_addr,
                              events, retry_count)
         values ($1, $2, $3, $1, 'n', $4, $5, 0)",
    )
    .bind(device_id)
    .bind(view.first_inform)
    .bind(view.last_inform)
    .bind(ipnet::IpNet::from(view.address))
    .bind(view.events.join(", "))
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "insert into device_facts (device_id, manufacturer, oui, product_class, serial, namespace,
             model, arch, identity, hardware_version, software_version, provisioning_code, auth,
             last_boot, last_bootstrap, updated_at, version_key, site, tags, customer,
             quarantined_at)
         values ($1, $2, $3, $4, $5, 'urn:dslforum-org:cwmp-1-2', $6, $7, $8, $9, $10, $11, $12,
             $13, $14, $15, $16, $17::text::ltree, $18, $19, $20)",
    )
    .bind(device_id)
    .bind(&view.manufacturer)
    .bind(&view.oui)
    .bind(&view.product_class)
    .bind(&view.serial)
    .bind(&view.model)
    .bind(&view.arch)
    .bind(&view.identity)
    .bind(&view.hardware_version)
    .bind(&view.software_version)
    .bind(&view.provisioning_code)
    .bind(&view.auth)
    .bind(view.last_boot)
    .bind(view.last_bootstrap)
    .bind(now())
    .bind(version_key(view.software_version.as_deref()))
    .bind(view.site.as_ref().map(|site| site.as_str().to_owned()))
    .bind(&view.tags)
    .bind(&view.customer)
    .bind(view.quarantined.then(now))
    .execute(&mut *tx)
    .await
    .unwrap();
    insert_parameters(&mut tx, device_id, view).await;
    for group in &view.groups {
        sqlx::query("insert into group_members (device_id, group_id) values ($1, $2)")
            .bind(device_id)
            .bind(group)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// As the server keeps them: counters apart, and no row for a device of which nothing was read.
async fn insert_parameters(conn: &mut sqlx::PgConnection, device_id: Uuid, view: &View) {
    let (counters, steady): (BTreeMap<_, _>, BTreeMap<_, _>) =
        view.parameters.clone().into_iter().partition(|(name, _)| is_volatile(name));
    if !steady.is_empty() || view.refreshed_at.is_some() {
        let entry = |v: String| json!({ "v": v, "t": "xsd:string", "at": 0 });
        let doc: Map<String, Value> = steady.into_iter().map(|(n, v)| (n, entry(v))).collect();
        sqlx::query(
            "insert into device_parameters (device_id, doc, refreshed_at, changed_at)
             values ($1, $2, $3, $4)",
        )
        .bind(device_id)
        .bind(Value::Object(doc))
        .bind(view.refreshed_at)
        .bind(now())
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    if !counters.is_empty() {
        sqlx::query("insert into device_counters (device_id, doc, at) values ($1, $2, $3)")
            .bind(device_id)
            .bind(json!(counters))
            .bind(now())
            .execute(&mut *conn)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_database_finds_what_the_evaluator_finds() {
    let muster = Muster::start(LAB).await;
    let pool = &muster.pool;
    let mut runner = TestRunner::deterministic();
    let mut fleet = BTreeMap::new();
    for i in 0..DEVICES {
        let view = sample(&mut runner, &any_view());
        let device_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &i.to_le_bytes());
        insert(pool, device_id, &view).await;
        fleet.insert(device_id, view);
    }
    let exprs = any_expr();
    let mut telling = 0;
    for _ in 0..SELECTORS {
        let expr = sample(&mut runner, &exprs);
        let expected: Vec<Uuid> = fleet
            .iter()
            .filter(|(_, view)| evaluate(&expr, view, now()))
            .map(|(device_id, _)| *device_id)
            .collect();
        let found = selector::ids(pool, &expr, None, 1_000, now(), online_since()).await.unwrap();
        assert_eq!(found, expected, "{expr:#?}");
        telling += usize::from(!expected.is_empty() && expected.len() < DEVICES);
    }
    assert!(telling > SELECTORS / 4, "only {telling} selectors told devices apart");
    pages_and_count(pool, &fleet).await;
}

async fn pages_and_count(pool: &PgPool, fleet: &BTreeMap<Uuid, View>) {
    let expr = parse("site under eu or tag", &|_| None).unwrap();
    let expected: Vec<Uuid> = fleet
        .iter()
        .filter(|(_, view)| evaluate(&expr, view, now()))
        .map(|(device_id, _)| *device_id)
        .collect();
    let count = selector::count(pool, &expr, now(), online_since()).await.unwrap();
    assert_eq!(count, i64::try_from(expected.len()).unwrap());
    let mut found = Vec::new();
    loop {
        let after = found.last().copied();
        let page = selector::list(pool, &expr, after, 37, now(), online_since()).await.unwrap();
        if page.is_empty() {
            break;
        }
        for device in page {
            let view = &fleet[&device.device_id];
            assert_eq!(device.site.as_deref(), view.site.as_ref().map(|site| site.as_str()));
            assert_eq!((&device.tags, &device.serial), (&view.tags, &view.serial));
            assert_eq!(device.refreshed_at, view.refreshed_at);
            found.push(device.device_id);
        }
    }
    assert_eq!(found, expected);
}

/// Of 20,000 devices, 40 have each of what is looked for below.
const MANY: [&str; 4] = [
    "insert into devices (device_id, first_inform, last_inform, session_id, node, remote_addr,
                          events, retry_count)
     select md5(i::text)::uuid, now(), now(), md5(i::text)::uuid, 'n', '10.0.0.1', '2 PERIODIC', 0
     from generate_series(1, 20000) i",
    "insert into device_facts (device_id, manufacturer, oui, product_class, serial, namespace, auth,
                               updated_at, version_key, site, tags)
     select md5(i::text)::uuid, 'MikroTik', 'E48D8C',
            case when i % 500 = 2 then 'rare' else 'hAP ac' end, 'S' || i,
            'urn:dslforum-org:cwmp-1-2', 'device', now(),
            array[7, case when i % 500 = 0 then 2 else 10 + i % 10 end, 0, 3, 0],
            ('eu.lv.r' || i % 500 || '.t' || i)::ltree,
            case when i % 500 = 1 then '{pilot,a}' else '{a,b}' end::text[]
     from generate_series(1, 20000) i",
    "vacuum analyze devices",
    "vacuum analyze device_facts",
];

#[tokio::test]
async fn indexed_fields_use_their_indexes() {
    let muster = Muster::start(LAB).await;
    for statement in MANY {
        sqlx::query(statement).execute(&muster.pool).await.unwrap();
    }
    for (text, index, devices) in [
        ("serial = S77", "device_facts_serial", 1),
        ("serial in (S77, S78, S79)", "device_facts_serial", 3),
        ("class = rare", "device_facts_model", 40),
        ("version < 7.5", "device_facts_version_key", 40),
        ("version = 7.2", "device_facts_version_key", 40),
        ("site under eu.lv.r7", "device_facts_site", 40),
        ("site = eu.lv.r7.t7", "device_facts_site", 1),
        ("tag = pilot", "device_facts_tags", 40),
        ("tag = pilot and not online and version > 7.5", "device_facts_tags", 0),
        ("serial = S77 or tag = pilot", "device_facts_serial", 41),
    ] {
        let expr = parse(text, &|_| None).unwrap();
        let mut q = QueryBuilder::<Postgres>::new(
            "explain select f.device_id from device_facts f join devices d using (device_id)
             left join device_parameters p using (device_id) where ",
        );
        push_where(&mut q, &expr, now(), now());
        let plan: Vec<String> =
            q.build_query_scalar().persistent(false).fetch_all(&muster.pool).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{text}:\n{plan}");
        assert!(!plan.contains("Seq Scan on device_facts"), "{text}:\n{plan}");
        let found = selector::count(&muster.pool, &expr, now(), now()).await.unwrap();
        assert_eq!(found, devices, "{text}");
    }
}

async fn stored_key(pool: &PgPool, device_id: Uuid) -> Option<Vec<i32>> {
    sqlx::query_scalar("select version_key from device_facts where device_id = $1")
        .bind(device_id)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_version_key_follows_the_software_version() {
    let muster = Muster::start(LAB).await;
    let id = CwmpDeviceId {
        manufacturer: "MikroTik".to_owned(),
        oui: "E48D8C".to_owned(),
        product_class: "hAP".to_owned(),
        serial_number: "S1".to_owned(),
    };
    let device_id = Uuid::from_u128(1);
    let facts = |version: Option<&str>| Facts {
        software_version: version.map(str::to_owned),
        ..Facts::default()
    };
    let mut conn = muster.pool.acquire().await.unwrap();
    for (version, key) in [
        (Some("7.16.1 (stable)"), Some(vec![7, 16, 1, 3, 0])),
        (None, Some(vec![7, 16, 1, 3, 0])),
        (Some("1.0-vendor"), None),
        (Some("7.24rc2"), Some(vec![7, 24, 0, 2, 2])),
    ] {
        let facts = facts(version);
        let row = devices::FactsRow {
            device_id,
            id: &id,
            namespace: "urn:dslforum-org:cwmp-1-2",
            facts: &facts,
            auth: "none",
            booted: false,
            bootstrapped: false,
        };
        devices::merge_facts(&mut conn, &row, now()).await.unwrap();
        assert_eq!(stored_key(&muster.pool, device_id).await, key, "{version:?}");
    }
    for (version, key) in [
        (None, Some(vec![7, 24, 0, 2, 2])),
        (Some("7.24"), Some(vec![7, 24, 0, 3, 0])),
        (Some("x"), None),
    ] {
        devices::learn_facts(&mut conn, device_id, &facts(version), None, now()).await.unwrap();
        assert_eq!(stored_key(&muster.pool, device_id).await, key, "{version:?}");
    }
}

#[tokio::test]
async fn the_migration_reads_versions_as_the_server_does() {
    let muster = Muster::start(LAB).await;
    let mut texts: Vec<String> = VERSIONS.map(str::to_owned).to_vec();
    let odd = ["7.", " 7.1", "7.1.2.3", "7.16beta", "7.16rc1x", "1234567890.1", "7.1rc0123456789"];
    texts.extend(odd.map(str::to_owned));
    let mut runner = TestRunner::deterministic();
    let close = "[67](\\.[0-9]{1,3}){0,3}(alpha|beta|rc)?[0-9]{0,2}( [a-z(]{1,5})?[x.]?";
    for strategy in [close, "\\PC{0,8}"] {
        texts.extend((0..150).map(|_| sample(&mut runner, &strategy)));
    }
    for (i, text) in texts.iter().enumerate() {
        let device_id = Uuid::from_u128(i as u128);
        sqlx::query(
            "insert into device_facts (device_id, manufacturer, oui, product_class, serial,
                 namespace, auth, updated_at, software_version)
             values ($1, 'm', 'E48D8C', 'c', 's', 'n', 'none', $2, $3)",
        )
        .bind(device_id)
        .bind(now())
        .bind(text)
        .execute(&muster.pool)
        .await
        .unwrap();
    }
    let migration = include_str!("../../migrations/0004_fleet.sql");
    let start = migration.find("update device_facts").unwrap();
    let end = start + migration[start..].find(';').unwrap();
    sqlx::query(&migration[start..end]).execute(&muster.pool).await.unwrap();
    for (i, text) in texts.iter().enumerate() {
        let stored = stored_key(&muster.pool, Uuid::from_u128(i as u128)).await;
        assert_eq!(stored, version_key(Some(text)), "{text:?}");
    }
}
