//! An afternoon at the bench: it is armed, boards appear as they come, each with the reason why it got
//! nothing or with what it got, and the batch and its labels tell of all of them.
//!
//! No board is there: the rows are written as the bench writes them. That boards are served, and by whom
//! that is proven, is for the tests with sockets.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::Muster;
use crate::harness::browser::Browser;
use crate::harness::eventually;
use crate::harness::kit::Api;
use crate::harness::session::{ADMIN, Session};

/// Of the boards here.
const REFUSED: &str = "E4:8D:8C:00:00:01";
const SERVED: &str = "E4:8D:8C:00:00:02";
const UNSEEN: &str = "E4:8D:8C:00:00:03";
/// Why the one got nothing.
const WHY: &str = "nobody claimed or allowed it: claim its MAC address, or allow it";

/// A bench whose node is heard of for as long as a test runs.
pub(super) async fn bench(pool: &PgPool) -> Uuid {
    let bench_id = Uuid::now_v7();
    sqlx::query(
        "insert into benches (bench_id, host, interface, address, heard_at, others, updated_at)
         values ($1, 'lab', 'eth1', '192.0.2.1/24'::inet, now() + interval '1 hour', $2, now())",
    )
    .bind(bench_id)
    .bind(json!([{
        "address": "192.0.2.9", "dhcp": true, "times": 7, "heard_at": "2030-01-01T00:00:00Z",
    }]))
    .execute(pool)
    .await
    .unwrap();
    bench_id
}

/// A board comes, or goes on, to this state; `why` = a code and words.
pub(super) async fn comes(
    pool: &PgPool,
    bench_id: Uuid,
    mac: &str,
    state: &str,
    why: Option<(&str, &str)>,
) {
    sqlx::query(
        "insert into bench_boards (mac, bench_id, kind, state, reason, words, board_id,
             vendor_class, free_bytes, options, requests, first_seen_at, seen_at, updated_at)
         values ($1, $2, 'flashboot', $3, $4, $5, '952-hb', 'Flashboot', 4092, '{\"43\": \"0102\"}',
                 13, now(), now(), now())
         on conflict (mac) do update set state = $3, reason = $4, words = $5, seen_at = now(),
             updated_at = now()",
    )
    .bind(mac)
    .bind(bench_id)
    .bind(state)
    .bind(why.map(|(code, _)| code))
    .bind(why.map(|(_, words)| words))
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into bench_log (log_id, mac, bench_id, at, state, words, detail)
         values ($1, $2, $3, now(), $4, $5, '{\"requests\": 13, \"duration_ms\": 2400}')",
    )
    .bind(Uuid::now_v7())
    .bind(mac)
    .bind(bench_id)
    .bind(state)
    .bind(why.map(|(_, words)| words))
    .execute(pool)
    .await
    .unwrap();
}

/// The same board has had all of its script.
pub(super) async fn gets_its_script(pool: &PgPool, mac: &str) {
    sqlx::query(
        "update bench_boards set state = 'delivered', reason = null, words = null, done = true,
             deliveries = 1, profile = 'mikrotik-flashboot', profile_status = 'unverified',
             strategy = 'flashfig-direct', template = 'bench-bootstrap', template_version = 1,
             script = E'# for this board\\n/tr069-client set password=********\\n',
             script_sha256 = '\\x0707', size = 3412, address = '192.0.2.7/24', duration_ms = 2400,
             retries = 2, offered_at = now(), delivered_at = now(), updated_at = now()
         where mac = $1",
    )
    .bind(mac)
    .execute(pool)
    .await
    .unwrap();
}

async fn begin() -> (Muster, Api, Uuid, Browser) {
    let mut muster = Muster::start(&[]).await;
    let api = Api::of(&mut muster);
    let bench_id = bench(&muster.pool).await;
    let browser = Browser::start(muster.web).await;
    browser.enter_as(&Session::opened(&muster, ADMIN).await).await;
    (muster, api, bench_id, browser)
}

/// What the console said, but for forms that were answered with what is wrong.
async fn complaints(browser: &Browser) -> Vec<String> {
    let mut said = browser.complaints().await;
    said.retain(|line| !line.contains("status of 422"));
    said
}

#[tokio::test]
async fn a_bench_is_armed_boards_appear_with_reasons_and_it_is_disarmed() {
    let (muster, _api, bench_id, browser) = begin().await;
    browser.open("/bench").await;
    browser.sees(".note", "experimental, not verified on hardware").await;
    browser.sees("#bench h2", "eth1").await;
    browser.sees("#bench", "Disarmed: boards are seen, and none is answered.").await;
    browser.sees("#bench", "Another server answers on this segment: 192.0.2.9 by DHCP").await;
    browser.sees("#bench", "No board yet").await;
    arm(&browser).await;
    assert!(armed(&muster.pool).await);

    comes(&muster.pool, bench_id, REFUSED, "refused", Some(("not_claimed", WHY))).await;
    browser.sees("#bench td", REFUSED).await;
    browser.sees("#bench td .state", "refused").await;
    browser.sees("#bench td", WHY).await;
    look_at_one(&browser, &muster.pool, bench_id).await;

    browser.open("/bench").await;
    browser.sees("#bench td", "3,412 of 4,000 bytes").await;
    browser.press("Disarm").await;
    browser.sees(".toast", "eth1 is disarmed").await;
    browser.sees("#bench", "Disarmed: boards are seen, and none is answered.").await;
    assert!(!armed(&muster.pool).await);
    assert_eq!(complaints(&browser).await, [""; 0]);
    browser.close().await;
}

async fn armed(pool: &PgPool) -> bool {
    let statement = "select coalesce(bool_or(armed_until > now()), false) from benches";
    sqlx::query_scalar(statement).fetch_one(pool).await.unwrap()
}

/// Arms the bench, which asks first whether one knows what is not verified.
async fn arm(browser: &Browser) {
    browser.press("Arm").await;
    browser.sees("h1", "Arm eth1").await;
    browser.sees(".note", "experimental, not verified on hardware").await;
    browser.choose("#template", "bench-bootstrap").await;
    browser.choose("#profile", "mikrotik-flashboot (unverified)").await;
    browser.fill("#minutes", "30").await;
    browser.press("Arm it").await;
    browser.sees("#accept_unverified-error", "nobody has verified the profile").await;
    browser.click("[name=accept_unverified]").await;
    // Strangers are served by whoever has named the interface once more.
    browser.click("[name=any]").await;
    browser.press("Arm it").await;
    browser.sees("#confirm-error", "type the name of the interface again, eth1").await;
    browser.fill("#confirm", "eth1").await;
    browser.press("Arm it").await;
    browser.sees(".note", "other servers of BOOTP or DHCP were heard on eth1").await;
    browser.sees("form", "Arm it although 192.0.2.9 may answer, too").await;
    browser.click("[name=accept_others]").await;
    browser.click("[name=any]").await;
    browser.press("Arm it").await;
    browser.sees(".note", "eth1 is armed until").await;
    browser.sees("#bench .state", "armed").await;
    browser.sees("#bench", "Only boards are served that are claimed or allowed.").await;
    browser.sees("#bench .state", "unverified").await;
}

/// The page of a board, which follows it; it is to be served once more, and forgotten.
async fn look_at_one(browser: &Browser, pool: &PgPool, bench_id: Uuid) {
    comes(pool, bench_id, SERVED, "offered", None).await;
    browser.press(SERVED).await;
    browser.sees("h1", SERVED).await;
    browser.sees("#board .state", "offered").await;
    gets_its_script(pool, SERVED).await;
    browser.sees("#board .state", "delivered").await;
    browser.sees("#board", "3,412 of 4,000 bytes").await;
    browser.sees("#board", "experimental, not verified on hardware").await;
    browser.click("#board summary").await;
    browser.sees("#board pre", "password=********").await;
    browser.sees("#board", "It had its delivery").await;
    browser.press("Serve it once more").await;
    browser.sees(".toast", "is served once more").await;
    browser.sees("#board .timeline", "to be served once more").await;
    let done: bool = sqlx::query_scalar("select done from bench_boards where mac = $1")
        .bind(SERVED)
        .fetch_one(pool)
        .await
        .unwrap();
    assert!(!done);
    browser.open(&format!("/bench/boards/{REFUSED}")).await;
    browser.sees("#board", WHY).await;
    browser.sees("#board .button", "Claim this MAC address").await;
    browser.press("Allow it").await;
    browser.sees("h1", "Allowed boards").await;
    let filled = format!("return document.querySelector('#value').value === '{REFUSED}'");
    browser.until("its address stands there", &filled).await;
    browser.open(&format!("/bench/boards/{REFUSED}")).await;
    browser.press("Forget…").await;
    browser.fill("#forget-confirm", REFUSED).await;
    browser.press("Forget").await;
    browser.sees(".note", "is forgotten").await;
}

#[tokio::test]
async fn whoever_looks_is_told_that_something_changed() {
    let muster = Muster::start(&[]).await;
    let bench_id = bench(&muster.pool).await;
    let admin = Session::opened(&muster, ADMIN).await;
    let request = admin.ask("GET", "/bench/live").header("accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    comes(&muster.pool, bench_id, REFUSED, "seen", None).await;
    // Before what keeps the stream alive is due.
    let hint = tokio::time::timeout(Duration::from_secs(15), stream.chunk()).await;
    let hint = hint.expect("a hint").unwrap().expect("the stream goes on");
    assert!(String::from_utf8_lossy(&hint).contains("changed"), "{hint:?}");
}

#[tokio::test]
async fn a_batch_tells_what_became_of_each_claim_and_has_a_label_for_it() {
    let (muster, api, bench_id, browser) = begin().await;
    api.made("/api/v1/sites", json!({ "path": "eu" }), "site_id").await;
    for (serial, mac) in [
        ("HGF1", json!(REFUSED)),
        ("HGF2", json!(SERVED)),
        ("HGF3", json!(UNSEEN)),
        ("HGF4", Value::Null),
    ] {
        let claim = json!({ "serial": serial, "mac": mac, "site": "eu", "customer": "4711" });
        api.made("/api/v1/claims", claim, "claim_id").await;
    }
    let big = "Not enough flash space, ignoring: 4,100 of 4,000 bytes";
    comes(&muster.pool, bench_id, REFUSED, "refused", Some(("too_big", big))).await;
    comes(&muster.pool, bench_id, SERVED, "offered", None).await;
    gets_its_script(&muster.pool, SERVED).await;

    browser.open("/bench/batch").await;
    browser.fill("[name=site]", "eu").await;
    browser.press("Show").await;
    let far = "Of 4 claimed: 1 delivered, 1 refused, 1 not seen, 1 without a MAC address.";
    browser.sees("#batch p", far).await;
    browser.sees("#batch li", "1: too big").await;
    browser.sees("#batch", "put its MAC address into the claim").await;
    browser.sees("#batch td .state", "no MAC address in its claim").await;
    browser.sees("#batch td", big).await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    let csv = admin.get("/bench/batch.csv?site=eu").await;
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 5, "{}", csv.body);
    let first = format!("HGF1,{REFUSED},,eu,4711,refused,too_big,");
    assert!(lines[1].contains(&first), "{}", lines[1]);
    // What becomes of them shows by itself.
    comes(&muster.pool, bench_id, UNSEEN, "refused", Some(("done", "it had its delivery"))).await;
    browser.sees("#batch p", "1 delivered, 2 refused").await;

    browser.click(".head .end a[href^='/bench/labels']").await;
    browser.sees("h1", "Labels").await;
    let drawn = "return document.querySelectorAll('.label svg').length === 4";
    browser.until("each has its code", drawn).await;
    browser.sees(".label", "HGF4").await;
    browser.sees(".label", SERVED).await;
    assert_eq!(complaints(&browser).await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn boards_are_allowed_and_a_profile_is_made_out_of_another() {
    let (muster, _api, _bench_id, browser) = begin().await;
    browser.open("/bench/allowed").await;
    browser.choose("#kind", "All boards of a model, by the name that they give themselves").await;
    browser.fill("#value", "952-hb").await;
    browser.press("Allow").await;
    browser.sees("td", "952-hb").await;
    browser.press("Allow no longer").await;
    browser.sees(".empty", "None is allowed").await;

    browser.open("/bench/profiles").await;
    browser.sees("td .state", "unverified").await;
    browser.press("mikrotik-flashboot").await;
    browser.sees("pre", "Flashboot").await;
    browser.press("Make one of your own out of it").await;
    browser.press("Save").await;
    browser.sees("#body-error", "There is a profile mikrotik-flashboot").await;
    let renamed = "const body = document.querySelector('#body');
        body.value = body.value.replace('mikrotik-flashboot', 'lab');
        return body.value.includes('\"lab\"')";
    assert_eq!(browser.run(renamed).await, true);
    browser.press("Save").await;
    browser.sees(".note", "The profile lab is kept.").await;
    eventually("it is stored", || async {
        let statement = "select count(*) from netboot_profiles where name = 'lab'";
        let count: i64 = sqlx::query_scalar(statement).fetch_one(&muster.pool).await.ok()?;
        (count == 1).then_some(())
    })
    .await;
    assert_eq!(complaints(&browser).await, [""; 0]);
    browser.close().await;
}
