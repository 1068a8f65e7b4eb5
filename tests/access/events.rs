//! The stream of events: as they happen, from where one was, and only of what one may see.

use std::collections::HashSet;
use std::time::Duration;

use muster::access::right::Right;
use muster::clock;
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{World, header, refused};
use crate::harness::eventually;
use crate::harness::kit::Api;

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Server-sent events as they come.
pub(super) struct Events {
    response: Response,
    bytes: Vec<u8>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) data: Value,
}

impl Events {
    pub(super) async fn follow(api: &Api, query: &str, last: Option<&str>) -> Self {
        let request = api.request("GET", &format!("/api/v1/events?{query}"));
        let request = match last {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
        Self { response, bytes: Vec::new() }
    }

    pub(super) async fn next(&mut self) -> Event {
        loop {
            while let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
                // What is no event keeps the connection open.
                if let Some(event) = read(&String::from_utf8(block).unwrap()) {
                    return event;
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk());
            let chunk = chunk.await.expect("an event in time").unwrap();
            self.bytes.extend_from_slice(&chunk.expect("a stream without end"));
        }
    }

    /// The next one that tells of these tags.
    async fn tagged(&mut self, tag: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.data["detail"]["after"]["tags"] == json!([tag]) {
                return event;
            }
        }
    }
}

fn read(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim_start().to_owned())
    };
    let data = serde_json::from_str(&field("data")?).unwrap();
    // What was missed has no id: it leads back to nothing.
    Some(Event { kind: field("event")?, id: field("id").unwrap_or_default(), data })
}

async fn tag(api: &Api, serial: &str, tag: &str) {
    let path = format!("/api/v1/devices/serial:{serial}");
    assert_eq!(api.call("PATCH", &path, Some(json!({ "tags": [tag] }))).await.0, 200);
}

#[tokio::test]
async fn events_are_followed_as_they_happen_and_from_where_one_was() {
    let world = World::start().await;
    let api = &world.api;
    let site = world.site("eu").await;
    world.meet("NORTH").await;
    let path = "/api/v1/devices/serial:NORTH";
    assert_eq!(api.call("PATCH", path, Some(json!({ "site": "eu" }))).await.0, 200);
    let north = world.token(Right::Read, Some(&site)).await;

    let mut all = Events::follow(api, "kind=device.", None).await;
    let mut own = Events::follow(&north, "", None).await;
    tag(api, "STANDING", "one").await;
    tag(api, "NORTH", "two").await;
    let one = all.tagged("one").await;
    assert_eq!((one.kind.as_str(), &one.data["serial"]), ("device.changed", &json!("STANDING")));
    assert_eq!((&one.data["site"], &one.data["job_id"]), (&Value::Null, &Value::Null));
    let two = all.tagged("two").await;
    assert_eq!((&two.data["serial"], &two.data["site"]), (&json!("NORTH"), &json!("eu")));
    // In a region nothing is heard of the others.
    loop {
        let event = own.next().await;
        assert_eq!(event.data["serial"], "NORTH", "{event:?}");
        if event.id == two.id {
            break;
        }
    }

    drop((all, own));
    tag(api, "NORTH", "three").await;
    tag(api, "STANDING", "four").await;
    tag(api, "NORTH", "five").await;
    let mut all = Events::follow(api, "kind=device.", Some(&two.id)).await;
    for (serial, tag) in [("NORTH", "three"), ("STANDING", "four"), ("NORTH", "five")] {
        let event = all.next().await;
        assert_eq!(event.data["serial"], serial, "{event:?}");
        assert_eq!(event.data["detail"]["after"]["tags"], json!([tag]), "{event:?}");
    }
    let mut own = Events::follow(&north, "kind=device.", Some(&two.id)).await;
    let mut one = Events::follow(api, "device_id=serial:NORTH&kind=device.", Some(&two.id)).await;
    for tag in ["three", "five"] {
        for events in [&mut own, &mut one] {
            let event = events.next().await;
            assert_eq!(event.data["detail"]["after"]["tags"], json!([tag]), "{event:?}");
        }
    }
    let bad = api.request("GET", "/api/v1/events").header("last-event-id", "x");
    assert_eq!(refused(bad).await.0, 422);
}

#[tokio::test]
async fn a_flood_of_one_time_does_not_stop_the_stream() {
    let world = World::start().await;
    let api = &world.api;
    let mut flood = Events::follow(api, "kind=flood", None).await;
    let mut all = Events::follow(api, "kind=device.", None).await;
    // As an order to many devices writes them; more than are read at once.
    let written = sqlx::query(
        "insert into events (device_id, at, event_id, kind, detail)
         select device_id, now(), gen_random_uuid(), 'flood', '{}'::jsonb
         from device_facts, generate_series(1, 2500)",
    )
    .execute(&world.muster.pool)
    .await
    .unwrap();
    assert_eq!(written.rows_affected(), 2_500);
    let mut ids = HashSet::new();
    while ids.len() < 2_500 {
        let event = flood.next().await;
        assert_eq!(event.kind, "flood", "{event:?}");
        assert!(ids.insert(event.id.clone()), "twice: {event:?}");
    }
    tag(api, "STANDING", "after").await;
    assert_eq!(all.tagged("after").await.data["serial"], "STANDING");
}

#[tokio::test]
async fn the_past_is_short_and_says_so() {
    let world = World::start().await;
    tag(&world.api, "STANDING", "one").await;
    let hour = chrono::TimeDelta::hours(1);
    let old = format!("{}-{}", (clock::now() - hour).timestamp_micros(), Uuid::nil().simple());
    let mut events = Events::follow(&world.api, "kind=device.changed", Some(&old)).await;
    let first = events.next().await;
    assert_eq!((first.kind.as_str(), &first.data), ("missed", &json!(0)));
    assert_eq!(events.next().await.kind, "device.changed");
}

/// How many are heard of.
async fn nodes(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from nodes").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_stream_and_is_not_lost() {
    let mut world = World::start().await;
    let pool = world.muster.pool.clone();
    eventually("a heartbeat", || async { (nodes(&pool).await == 1).then_some(()) }).await;
    let _events = Events::follow(&world.api, "", None).await;
    assert!(world.muster.stop());
    assert!(!world.muster.log().contains("drain time is over"), "{}", world.muster.log());
    assert_eq!(nodes(&pool).await, 0);
}
