//! Selectors on a million devices: what is indexed stays so, and a page costs a page, wherever in the
//! list it is.

use muster::fleet::selector::{GroupMeaning, parse};
use muster::store::within::Within;
use muster::store::{devices, selector};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::arbitrary::now;
use crate::harness::{LAB, Muster};

/// How the rows of each table are made. A hundred devices have each of what is rare below. Rows lie
/// in no order of their ids, as devices that come one by one.
const TABLES: [(&str, &str); 3] = [
    (
        "devices",
        "insert into devices (device_id, first_inform, last_inform, session_id, node, remote_addr,
                              events, retry_count)
         select md5(i::text)::uuid, now(), now(), md5(i::text)::uuid, 'n', '10.0.0.1',
                '2 PERIODIC', 0
         from generate_series(1, 1000000) i",
    ),
    (
        "device_facts",
        "insert into device_facts (device_id, manufacturer, oui, product_class, serial, namespace,
                                   model, auth, updated_at, version_key, site, tags)
         select md5(i::text)::uuid, 'MikroTik', 'E48D8C', 'c' || i % 20, 'S' || i,
                'urn:dslforum-org:cwmp-1-2', case when i % 10000 = 1 then 'rare' else 'hAP' end,
                'device', now(),
                array[7, case when i % 10000 = 2 then 2 else 10 + i % 10 end, 0, 3, 0],
                case when i % 2 = 1 then ('eu.lv.r' || i % 100 || '.t' || i % 10000)::ltree end,
                case when i % 10000 = 3 then '{pilot,a}' else '{a,b}' end::text[]
         from generate_series(1, 1000000) i",
    ),
    (
        "device_parameters",
        r#"insert into device_parameters (device_id, doc, refreshed_at, changed_at)
           select md5(i::text)::uuid, '{"Device.A": {"v": "1", "t": "xsd:string", "at": 0}}', now(),
                  now()
           from generate_series(1, 1000000) i"#,
    ),
];

const EXPLAIN: &str = "explain (analyze, buffers, timing off, format json) ";

/// Of which a hundred devices are static members.
const GROUP: Uuid = Uuid::from_u128(1);
const MEMBERS: &str = "insert into group_members (device_id, group_id)
                       select md5(i::text)::uuid, $1 from generate_series(4, 1000000, 10000) i";

/// Blocks that a page of a hundred devices may touch: some ten of each device, for it stands in four
/// tables, each with an index. Reading all of the smallest table would be ten times as many.
const PAGE: i64 = 2_000;
/// The same where one device of twenty is found: those between are passed over.
const THIN_PAGE: i64 = 8_000;

async fn run(conn: &mut PgConnection, statement: String) {
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(conn).await.unwrap();
}

/// Fills a table. Its indexes are made anew when the rows are there, which takes half the time.
async fn fill(pool: &PgPool, table: &str, rows: &'static str) {
    let mut conn = pool.acquire().await.unwrap();
    let indexes: Vec<(String, String)> =
        sqlx::query_as("select indexname::text, indexdef from pg_indexes where tablename = $1")
            .bind(table)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    run(&mut conn, format!("alter table {table} drop constraint {table}_pkey")).await;
    for (name, _) in &indexes {
        run(&mut conn, format!("drop index if exists {name}")).await;
    }
    sqlx::query(rows).execute(&mut *conn).await.unwrap();
    for (_, definition) in indexes {
        run(&mut conn, definition).await;
    }
    run(&mut conn, format!("analyze {table}")).await;
}

/// The big tables that a plan reads from end to end.
fn read_whole(node: &Value, found: &mut Vec<String>) {
    let table = node["Relation Name"].as_str().unwrap_or_default();
    if node["Node Type"] == "Seq Scan" && TABLES.iter().any(|(name, _)| *name == table) {
        found.push(table.to_owned());
    }
    for inner in node["Plans"].as_array().into_iter().flatten() {
        read_whole(inner, found);
    }
}

/// How the server makes a page of a hundred.
async fn plan(pool: &PgPool, text: &str, after: Option<Uuid>) -> Value {
    let expr = parse(text, &|_| Some(GroupMeaning::Members(GROUP))).unwrap();
    let mut q = QueryBuilder::<Postgres>::new(EXPLAIN);
    selector::push_list(&mut q, &expr, after, 100, now(), now());
    explained(pool, q).await
}

/// How it finds those that begin so.
async fn plan_of_beginning(pool: &PgPool, text: &str, within: Option<&Within>) -> Value {
    let mut q = QueryBuilder::<Postgres>::new(EXPLAIN);
    devices::push_beginning(&mut q, &[text.to_owned()], within, 20);
    explained(pool, q).await
}

async fn explained(pool: &PgPool, mut q: QueryBuilder<Postgres>) -> Value {
    let plan: Value = q.build_query_scalar().persistent(false).fetch_one(pool).await.unwrap();
    plan[0]["Plan"].clone()
}

#[tokio::test]
async fn of_a_million_devices_a_page_is_found_by_the_indexes() {
    let mut muster = Muster::start(LAB).await;
    muster.kill();
    let pool = &muster.pool;
    let [devices, facts, parameters] = TABLES.map(|(table, rows)| fill(pool, table, rows));
    tokio::join!(devices, facts, parameters);
    sqlx::query(MEMBERS).bind(GROUP).execute(pool).await.unwrap();
    sqlx::query("analyze group_members").execute(pool).await.unwrap();

    for (text, most) in [
        ("serial = S77777", PAGE),
        ("serial in (S1, S77777, S999999)", PAGE),
        ("class = c3", THIN_PAGE),
        ("model = rare", PAGE),
        ("model = hAP", PAGE),
        ("version = 7.2", PAGE),
        ("version < 7.5", PAGE),
        ("version < 7.16", PAGE),
        ("site under eu.lv.r7.t7", PAGE),
        ("site = eu.lv.r7.t7", PAGE),
        ("site under eu", PAGE),
        ("tag = pilot", PAGE),
        ("tag = a", PAGE),
        ("tag = gone", PAGE),
        ("group = some", PAGE),
        ("tag = pilot and not version > 7.30 and (site under eu.lv or not site)", PAGE),
        ("serial = S77777 or tag = pilot", PAGE),
        ("not serial = S77777", PAGE),
        ("online or not online", PAGE),
    ] {
        for after in [None, Some(Uuid::from_u128(1 << 127))] {
            let plan = plan(pool, text, after).await;
            bounded(&format!("{text} after {after:?}"), &plan, most);
        }
    }
    // Of one device, of ten thousand, of all, and of none; half of the fleet stands below the site.
    let eu = Within { sites: vec!["eu".to_owned()], groups: Vec::new() };
    for text in ["s77777", "S77", "S", "nobody"] {
        for within in [None, Some(&eu)] {
            let plan = plan_of_beginning(pool, text, within).await;
            bounded(&format!("what begins with {text} within {within:?}"), &plan, PAGE);
        }
    }
    let found = devices::beginning(pool, &["s77777".to_owned()], None, 20).await.unwrap();
    let serials: Vec<&str> = found.iter().map(|device| device.serial.as_str()).collect();
    assert_eq!((serials.len(), serials[0]), (11, "S77777"), "it and what begins with it");
}

/// That it reads no big table from end to end, and touches at most so many blocks.
fn bounded(what: &str, plan: &Value, most: i64) {
    let mut whole = Vec::new();
    read_whole(plan, &mut whole);
    assert!(whole.is_empty(), "{what} reads all of {whole:?}: {plan:#}");
    let blocks = |kind: &str| plan[kind].as_i64().unwrap();
    let blocks = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
    assert!(blocks <= most, "{what} touches {blocks} blocks: {plan:#}");
}
