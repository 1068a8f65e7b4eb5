//! What a dry run says of time, and of who is not there.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Value, json};

use super::lab::{Range, at_once, gold, place, release, seed};

fn time(told: &Value) -> DateTime<Utc> {
    told["ends_at"].as_str().and_then(|at| at.parse().ok()).unwrap_or_else(|| panic!("{told:#}"))
}

fn warns(told: &Value, words: &str) -> bool {
    let warnings = told["warnings"].as_array().unwrap();
    warnings.iter().any(|warning| warning.as_str().unwrap().contains(words))
}

#[tokio::test]
async fn the_windows_of_the_largest_site_say_when_it_ends() {
    let range = Range::start(3, |options| options.seed = 7).await;
    // At the full hour: no window lasts past midnight.
    let opens = (Utc::now() + TimeDelta::hours(4)).duration_trunc(TimeDelta::hours(1)).unwrap();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let window = json!({ "days": days, "from": opens.format("%H:%M").to_string(), "minutes": 1 });
    let site = json!({ "path": "lv", "time_zone": "UTC", "windows": [window] });
    range.api.make("/api/v1/sites", site).await;
    // It has the windows of the site that it is in.
    range.api.make("/api/v1/sites", json!({ "path": "lv.riga", "time_zone": "UTC" })).await;
    for index in 0..2 {
        place(&range, index, json!({ "site": "lv.riga" })).await;
    }
    let mut plan = at_once();
    plan["heed_windows"] = json!(true);
    plan["soak_minutes"] = json!(60);
    plan["pace"] = json!({ "per_site": 1 });
    // One after the other, a minute each: one on the first day, the other one on the second.
    let told = range.dry_run(&gold(), plan.clone()).await;
    let work = TimeDelta::days(1) + TimeDelta::minutes(1);
    assert_eq!(time(&told), opens + work + TimeDelta::minutes(60), "{told:#}");
    assert_eq!(told["waves"][0]["ends_at"], told["ends_at"]);
    assert_eq!(told["minutes"], 62, "{told:#}");
    let tomorrow = (opens + TimeDelta::days(1)).date_naive();
    plan["blackout"] = json!([{ "from": tomorrow, "to": tomorrow }]);
    let later = range.dry_run(&gold(), plan.clone()).await;
    assert_eq!(time(&later) - time(&told), TimeDelta::days(1), "{later:#}");
    plan["heed_windows"] = json!(false);
    plan["blackout"] = json!([]);
    let now = Utc::now();
    let always = range.dry_run(&gold(), plan).await;
    let took = time(&always) - now;
    assert!(took >= TimeDelta::minutes(62) && took < TimeDelta::minutes(70), "{always:#}");
}

#[tokio::test]
async fn who_is_not_there_and_what_is_not_seen_is_said_before() {
    let range = Range::start(3, |options| options.seed = seed(3, |_| true)).await;
    range.fleet.finish().await;
    sqlx::query(
        "update devices set last_inform = now() - interval '2 days'
         where device_id = (select device_id from device_facts where serial = $1)",
    )
    .bind(range.fleet.serial(0))
    .execute(&range.muster.pool)
    .await
    .unwrap();
    let mut plan = at_once();
    let names = [format!("serial:{}", range.fleet.serial(1)), "serial:NOPE".to_owned()];
    plan["waves"] = json!([
        { "name": "canary", "take": { "devices": ["serial:NOWHERE"] } },
        { "name": "first", "take": { "devices": names } },
        { "take": "rest" },
    ]);
    let told = range.dry_run(&gold(), plan.clone()).await;
    assert_eq!((&told["away"], &told["waves"][2]["away"]), (&json!(1), &json!(1)), "{told:#}");
    for words in [
        "1 device is offline: a wave waits for its own, and gives them up after 24 h",
        "wave `canary` has no device",
        "1 of 1 device that wave `canary` names is not in the audience",
        "1 of 2 devices that wave `first` names is not in the audience",
    ] {
        assert!(warns(&told, words), "{words}: {told:#}");
    }
    assert!(!warns(&told, "wave `first` has no device"), "{told:#}");
    assert!(!warns(&told, "plain HTTP") && !warns(&told, "without a hand"), "{told:#}");
    let told = range.dry_run(&release(), at_once()).await;
    assert!(warns(&told, "packages over plain HTTP"), "{told:#}");
    let home = "insert into device_packages (device_id, packages, device_mode, source, learned_at)
         select device_id, '[]', 'home', 'script', now() from device_facts where serial = $1";
    sqlx::query(home).bind(range.fleet.serial(0)).execute(&range.muster.pool).await.unwrap();
    let script = range.api.store("gold.rsc", b"/system identity set name=gold\n").await;
    let change = json!({ "kind": "script", "artifact_id": script });
    let told = range.dry_run(&change, at_once()).await;
    assert!(warns(&told, "1 device would not come back without a hand"), "{told:#}");
    assert!(warns(&told, "its device-mode is home"), "{told:#}");
    assert!(warns(&told, "within 12 minutes, and the shortest soak is"), "{told:#}");
    let mut plan = at_once();
    plan["soak_minutes"] = json!(12);
    assert!(!warns(&range.dry_run(&change, plan).await, "the shortest soak"));
    let long = [b"# ".repeat(40_000).as_slice(), b"\n/system identity set name=gold\n"].concat();
    let long = range.api.store("long.rsc", &long).await;
    let told = range.dry_run(&json!({ "kind": "script", "artifact_id": long }), at_once()).await;
    assert!(warns(&told, "3 devices would not come back without a hand"), "{told:#}");
    assert!(warns(&told, "it gets the script as it is"), "{told:#}");
    assert!(!warns(&told, "the shortest soak"), "nothing undoes it: {told:#}");
    assert_eq!(told["paths"][0]["steps"], json!(["run the script"]), "{told:#}");
}
