//! Of the bench: boards, their log, batches and labels.

use muster::access::right::Right;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Region;
use crate::harness::kit::{Api, texts};
use crate::harness::session::Session;

/// Boards below the region, in another site, and in none: one that is claimed, one that became a
/// device, and one that is nobody's.
const BOARDS: [&str; 5] = [
    "E4:8D:8C:0A:00:01",
    "E4:8D:8C:0A:00:02",
    "E4:8D:8C:0A:00:03",
    "E4:8D:8C:0A:00:04",
    "E4:8D:8C:0A:00:05",
];

/// Has them seen at a bench, with their claims; what was before, and elsewhere, stands in the log of
/// the first, too.
async fn boards(region: &Region) {
    let (world, pool) = (&region.world, &region.world.muster.pool);
    let bench_id: Uuid = world.bench().await.parse().unwrap();
    let mut claims = Vec::new();
    for (serial, mac, site) in [
        ("HGFIN", BOARDS[0], json!("a.b.c")),
        ("HGFOUT", BOARDS[1], json!("x")),
        ("HGFNONE", BOARDS[2], Value::Null),
    ] {
        let claim = json!({ "serial": serial, "mac": mac, "site": site });
        let id: Uuid = world.make("/api/v1/claims", claim, "claim_id").await.parse().unwrap();
        claims.push(id);
    }
    let device: Uuid = region.devices[2].parse().unwrap();
    for (mac, site, claim, device) in [
        (BOARDS[0], Some("a.b.c"), Some(claims[0]), None),
        (BOARDS[1], Some("x"), Some(claims[1]), None),
        (BOARDS[2], None, Some(claims[2]), None),
        (BOARDS[3], None, None, Some(device)),
        (BOARDS[4], None, None, None),
    ] {
        sqlx::query(
            "insert into bench_boards (mac, bench_id, kind, state, site, claim_id, device_id,
                 first_seen_at, seen_at, updated_at)
             values ($1, $2, 'flashboot', 'seen', $3::text::ltree, $4, $5, now(), now(), now())",
        )
        .bind(mac)
        .bind(bench_id)
        .bind(site)
        .bind(claim)
        .bind(device)
        .execute(pool)
        .await
        .unwrap();
    }
    for (words, site) in [("elsewhere", "x"), ("here", "a.b.c")] {
        sqlx::query(
            "insert into bench_log (log_id, mac, bench_id, at, state, words, site)
             values ($1, $2, $3, now(), 'seen', $4, $5::text::ltree)",
        )
        .bind(Uuid::now_v7())
        .bind(BOARDS[0])
        .bind(bench_id)
        .bind(words)
        .bind(site)
        .execute(pool)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn of_the_bench_they_see_the_boards_of_the_region_and_those_of_nobody() {
    let region = Region::start().await;
    boards(&region).await;
    let (api, bench) = (&region.api, region.with(Right::Bench).await);
    let seen = async |api: &Api| {
        let mut macs = texts(&api.get("/api/v1/bench/boards").await, "mac");
        macs.sort_unstable();
        macs
    };
    assert_eq!(seen(api).await, [BOARDS[0], BOARDS[4]]);
    assert_eq!(seen(&region.world.api).await, BOARDS);
    for (api, count) in [(api, 2), (&region.world.api, 5)] {
        assert_eq!(api.get("/api/v1/bench").await["items"][0]["counts"], json!({ "seen": count }));
    }

    let told = async |api: &Api, method: &str, mac: &str, end: &str| {
        let path = format!("/api/v1/bench/boards/{mac}{end}");
        let (status, problem) = api.call(method, &path, None).await;
        (status, problem["detail"].to_string().replace(mac, "MAC"))
    };
    for (method, end) in
        [("GET", ""), ("GET", "/log"), ("POST", "/rearm"), ("DELETE", "/install"), ("DELETE", "")]
    {
        let none = told(&bench, method, "E4:8D:8C:0A:FF:FF", end).await;
        assert_eq!(none.0, 404, "{method} {end}: {none:?}");
        for mac in &BOARDS[1..4] {
            assert_eq!(told(&bench, method, mac, end).await, none, "{method} {mac}{end}");
        }
        // That of nobody is seen, and is not theirs to serve.
        let expected = if method == "GET" { 200 } else { 403 };
        let of_nobody = told(&bench, method, BOARDS[4], end).await;
        assert_eq!(of_nobody.0, expected, "{method} {end}: {of_nobody:?}");
    }
    let log = api.get(&format!("/api/v1/bench/boards/{}/log", BOARDS[0])).await;
    assert_eq!(texts(&log, "words"), ["here"]);
    assert_eq!(told(&bench, "POST", BOARDS[0], "/rearm").await.0, 200);

    let batch = api.get("/api/v1/bench/batch").await;
    assert_eq!(texts(&batch, "serial"), ["HGFIN"]);
    assert_eq!((&batch["claimed"], &batch["under_way"]), (&json!(1), &json!(1)), "{batch}");
    let login = region.world.user(Right::Read, Some(&region.site)).await;
    let mut person = Session::opened(&region.world.muster, &login).await;
    for path in ["/bench/labels", "/bench/batch", "/bench/batch.csv", "/bench"] {
        let page = person.get(path).await;
        assert!(page.status == 200 && page.body.contains(BOARDS[0]), "{path}: {page:?}");
        for text in [BOARDS[1], BOARDS[2], BOARDS[3], "HGFOUT", "HGFNONE"] {
            assert!(!page.body.contains(text), "{path} shows {text}");
        }
    }

    // What is in the log of a board that is forgotten stays with the site where it was.
    assert_eq!(told(&bench, "DELETE", BOARDS[0], "").await.0, 204);
    let site = "select site::text from bench_log where state = 'forgotten' and mac = $1";
    let site: Option<String> = sqlx::query_scalar(site)
        .bind(BOARDS[0])
        .fetch_one(&region.world.muster.pool)
        .await
        .unwrap();
    assert_eq!(site.as_deref(), Some("a.b.c"));
}
