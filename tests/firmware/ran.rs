//! What the fleet ran: counted once an hour, told and shown.

use serde_json::{Value, json};

use super::server;
use crate::harness::eventually;
use crate::harness::session::{ADMIN, Session};
use crate::harness::talk::introduce;

const FIGURES: &str = "/api/v1/system/figures";

#[tokio::test]
async fn what_the_fleet_ran_is_counted_and_shown() {
    let (mut muster, api) = server().await;
    introduce(muster.cwmp, "S1").await;
    introduce(muster.cwmp, "S2").await;
    // As if nobody had counted in this hour: a server does so when it begins.
    sqlx::query("update fleet_samples set versions = null").execute(&muster.pool).await.unwrap();
    muster.kill();
    muster.run().await;
    let history = async |query: &str| -> Vec<Value> {
        let figures = api.get(&format!("{FIGURES}{query}")).await;
        figures["version_history"].as_array().unwrap().clone()
    };
    let counted =
        eventually("what devices run is counted", || async { history("").await.pop() }).await;
    assert_eq!(counted["versions"], json!({ "7.16.1": 2 }), "{counted}");

    sqlx::query(
        "insert into fleet_samples (at, devices, online, fresh, faulted, informs, versions)
         select date_trunc('hour', now()) - day * interval '1 day', 3, 0, 0, 0, 0,
                jsonb_build_object('7.12.1', day, '7.16.1', 2)
         from generate_series(1, 300) as days (day) on conflict (at) do nothing",
    )
    .execute(&muster.pool)
    .await
    .unwrap();
    for (query, least, most) in
        [("", 29, 32), ("?versions_over=month", 29, 32), ("?versions_over=year", 99, 103)]
    {
        let found = history(query).await;
        assert!((least..=most).contains(&found.len()), "{query}: {}", found.len());
        let times: Vec<&str> = found.iter().filter_map(|f| f["at"].as_str()).collect();
        assert!(times.is_sorted() && times.len() == found.len(), "{query}: {times:?}");
        assert_eq!(found.last(), Some(&counted), "{query}");
    }
    let path = format!("{FIGURES}?versions_over=ever");
    let (status, told) = api.call("GET", &path, None).await;
    assert!((400..500).contains(&status), "{status} {told}");

    let mut admin = Session::opened(&muster, ADMIN).await;
    for path in ["/releases", "/releases?over=year"] {
        let page = admin.get(path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for part in ["What they ran", "<path class=\"tone-a1\"", "In numbers", "7.12.1"] {
            assert!(page.body.contains(part), "{path}: no {part}: {}", page.body);
        }
    }

    // It was counted of all devices: who does not see them all is told nothing.
    let (_, site) = api.call("POST", "/api/v1/sites", Some(json!({ "path": "lv" }))).await;
    let token = json!({ "name": "riga", "scopes": ["read"], "site_id": site["site_id"] });
    let (status, token) = api.call("POST", "/api/v1/tokens", Some(token)).await;
    assert_eq!(status, 201, "{token}");
    let riga = api.with_token(token["token"].as_str().unwrap());
    assert_eq!(riga.get(FIGURES).await["version_history"], json!([]));
}
