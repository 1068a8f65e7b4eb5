//! What people order of rollouts, and what they are told.

use serde_json::json;

use super::lab::{Range, at_once, far_window, gold, place, quick, release, unlimited, unseen};
use crate::harness::eventually;

#[tokio::test]
async fn four_eyes_an_approved_wave_a_pause_and_an_abort() {
    let range = Range::start(10, |options| options.seed = 7).await;
    let mut plan = quick(unlimited());
    plan["four_eyes"] = json!(true);
    plan["waves"] = json!([{ "take": { "count": 2 } }, { "take": "rest", "approval": true }]);
    let id = range.begin(release(), plan).await;
    assert_eq!(range.rollout(&id).await["state"], "awaiting_approval");
    let path = format!("/api/v1/rollouts/{id}/approve");
    let (status, told) = range.api.call("POST", &path, None).await;
    assert_eq!(status, 403, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("somebody else"), "{told}");
    let other = range.muster.cli(&["token", "create", "--name", "second", "--scope", "approve"]);
    let second = range.api.with_token(other.trim());
    let (status, told) = second.call("POST", &path, None).await;
    assert_eq!(status, 200, "{told}");

    let paused = range.until(&id, "paused").await;
    assert_eq!((&paused["paused_by"], &paused["wave"]), (&json!("gate"), &json!(1)));
    assert_eq!(range.in_state(&id, "healthy").await.len(), 2);
    let (status, told) =
        second.call("POST", &format!("/api/v1/rollouts/{id}/approve-wave"), None).await;
    assert_eq!(status, 200, "{told}");
    range.order(&id, "abort", json!({ "reason": "enough seen" })).await;
    let (status, _) = range
        .api
        .call("POST", &format!("/api/v1/rollouts/{id}/resume"), Some(json!({ "reason": "x" })))
        .await;
    assert_eq!(status, 409);
    eventually("nobody waits and nobody is in flight", || async {
        let rollout = range.rollout(&id).await;
        let open = |field: &str| rollout["waves"][1][field].as_i64();
        (open("waiting") == Some(0) && open("active") == Some(0) && open("verifying") == Some(0))
            .then_some(())
    })
    .await;
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn a_pause_calls_back_what_no_device_has_taken() {
    let range = Range::start(4, |options| options.seed = 7).await;
    range.fleet.finish().await;
    let id = range.begin(release(), unseen()).await;
    eventually("the orders are there", || async {
        (!range.in_state(&id, "offered").await.is_empty()).then_some(())
    })
    .await;
    range.order(&id, "pause", json!({ "reason": "not tonight" })).await;
    eventually("they are called back", || async {
        let rollout = range.rollout(&id).await;
        (rollout["waves"][0]["active"] == 0).then_some(())
    })
    .await;
    let open: i64 =
        sqlx::query_scalar("select count(*) from jobs where kind = 'upgrade' and state = 'queued'")
            .fetch_one(&range.muster.pool)
            .await
            .unwrap();
    assert_eq!(open, 0);
    let rollout = range.rollout(&id).await;
    assert_eq!(
        (&rollout["paused_by"], &rollout["reason"]),
        (&json!("person"), &json!("not tonight"))
    );
    range.counts_hold(&id).await;
}

#[tokio::test]
async fn a_closed_window_puts_devices_off_and_says_until_when() {
    let range = Range::start(2, |options| options.seed = 7).await;
    // By the clock of the site.
    let site = json!({ "path": "lv", "time_zone": "Europe/Riga", "windows": [far_window()] });
    range.api.make("/api/v1/sites", site).await;
    for index in 0..2 {
        place(&range, index, json!({ "site": "lv" })).await;
    }
    let mut plan = quick(unlimited());
    plan["heed_windows"] = json!(true);
    let id = range.begin(release(), plan).await;
    let waiting = eventually("it says what it waits for", || async {
        let waiting = range.in_state(&id, "waiting").await;
        waiting.iter().any(|d| !d["reason"].is_null()).then_some(waiting)
    })
    .await;
    let why = waiting.iter().find_map(|d| d["reason"].as_str()).unwrap();
    assert!(why.contains("maintenance window of lv") && why.contains("03:00"), "{why}");
    assert!(range.in_state(&id, "offered").await.is_empty());
    eventually("all are put off", || async {
        let all =
            "select bool_and(due_at is not null) from rollout_devices where state = 'waiting'";
        let all: bool = sqlx::query_scalar(all).fetch_one(&range.muster.pool).await.unwrap();
        all.then_some(())
    })
    .await;
    // A wave is not counted anew each second until then: counts that are wrong stay so.
    let ticked = async |since: &'static str| {
        let state = "select pace::text || due_at::text from rollouts";
        let at: String = sqlx::query_scalar(state).fetch_one(&range.muster.pool).await.unwrap();
        eventually(since, || async {
            let is: String = sqlx::query_scalar(state).fetch_one(&range.muster.pool).await.unwrap();
            (is != at).then_some(())
        })
        .await;
    };
    let wrong = "update rollout_waves set waiting = 7 where rollout_id = $1::uuid";
    sqlx::query(wrong).bind(&id).execute(&range.muster.pool).await.unwrap();
    for _ in 0..2 {
        ticked("the rollout was looked at").await;
    }
    assert_eq!(range.rollout(&id).await["waves"][0]["waiting"], 7);
}

#[tokio::test]
async fn other_devices_than_those_that_were_approved_are_approved_again() {
    let range = Range::start(4, |options| options.seed = 7).await;
    let tag = async |index: u32| place(&range, index, json!({ "tags": ["pilot"] })).await;
    tag(0).await;
    let mut plan = at_once();
    plan["four_eyes"] = json!(true);
    let body = json!({ "name": "pilots", "change": gold(), "plan": plan,
                       "audience": { "selector": "tag = pilot" } });
    let id = range.api.made("/api/v1/rollouts", body, "rollout_id").await;
    let later = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
    range.order(&id, "start", json!({ "at": later })).await;
    let other = range.muster.cli(&["token", "create", "--name", "second", "--scope", "approve"]);
    let second = range.api.with_token(other.trim());
    let path = format!("/api/v1/rollouts/{id}/approve");
    let (status, told) = second.call("POST", &path, None).await;
    assert_eq!((status, &told["state"]), (200, &json!("scheduled")), "{told}");
    assert!(told["reason"].as_str().unwrap().contains("approved, for 1 device;"), "{told}");

    // Two more match before its time has come.
    tag(1).await;
    tag(2).await;
    sqlx::query(
        "update rollouts set start_at = now() - interval '1 second', due_at = now()
         where rollout_id = $1::uuid",
    )
    .bind(&id)
    .execute(&range.muster.pool)
    .await
    .unwrap();
    let paused = range.until(&id, "paused").await;
    let why = paused["reason"].as_str().unwrap();
    assert!(why.contains("for 1 device, and it finds 3 devices now"), "{why}");
    assert_eq!(paused["paused_by"], "gate");
    assert_eq!(range.in_state(&id, "waiting").await.len(), 3, "nobody has begun");
    let resume = format!("/api/v1/rollouts/{id}/resume");
    for (order, body, refusal) in
        [(&resume, Some(json!({ "reason": "go on" })), 409), (&path, None, 403)]
    {
        let (status, told) = range.api.call("POST", order, body).await;
        assert_eq!(status, refusal, "{order}: {told}");
    }
    let (status, told) = second.call("POST", &path, None).await;
    assert_eq!((status, &told["state"]), (200, &json!("running")), "{told}");
    range.until(&id, "completed").await;
    assert_eq!(range.in_state(&id, "healthy").await.len(), 3);
    range.counts_hold(&id).await;
}
