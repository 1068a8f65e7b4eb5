//! A group as the bounds of a grant: its devices, wherever they stand, and nothing else.

use muster::access::right::Right;
use serde_json::{Value, json};
use uuid::Uuid;

use super::events::Events;
use super::scoped::somebody_waits;
use super::{World, told};
use crate::harness::kit::{Api, texts};
use crate::harness::session::Session;

/// Devices of the group, at a site and at none, and two like them that are not of it.
const DEVICES: [(&str, Option<&str>); 4] =
    [("OWN1", Some("x")), ("OWN2", None), ("OTHER1", Some("x")), ("OTHER2", None)];
/// So many of them are of the group; besides them there is one more in the fleet.
const OWN: usize = 2;

/// A fleet of which a group is somebody's.
struct Desk {
    world: World,
    group: String,
    /// Operates the group's devices.
    api: Api,
    /// The devices' ids, in their order.
    devices: Vec<String>,
    /// A job of each.
    jobs: Vec<String>,
}

impl Desk {
    async fn start() -> Self {
        let world = World::start().await;
        world.site("x").await;
        let group = world.make("/api/v1/groups", json!({ "name": "vip" }), "group_id").await;
        let (mut devices, mut jobs) = (Vec::new(), Vec::new());
        for (i, (serial, site)) in DEVICES.into_iter().enumerate() {
            let device = world.meet(serial).await;
            if site.is_some() {
                let path = format!("/api/v1/devices/{device}");
                let body = Some(json!({ "site": site }));
                assert_eq!(world.api.call("PATCH", &path, body).await.0, 200);
            }
            if i < OWN {
                assert_eq!(set_member(&world.api, "PUT", &group, &device).await.0, 204);
            }
            jobs.push(world.job(&device).await);
            devices.push(device);
        }
        let api = token(&world, Right::Operate, &group).await;
        Self { world, group, api, devices, jobs }
    }

    /// A user who may do this with the group's devices; gives the login.
    async fn user(&self, right: Right) -> String {
        let role = json!({ "name": self.world.word(), "rights": [right] });
        let role_id = self.world.make("/api/v1/roles", role, "role_id").await;
        let grants = json!([{ "role_id": role_id, "group_id": self.group }]);
        let user = json!({ "login": format!("desk.{right}"), "grants": grants });
        self.world.make("/api/v1/users", user, "login").await
    }
}

/// A token that may do this with a group's devices.
async fn token(world: &World, right: Right, group: &str) -> Api {
    let body =
        json!({ "name": format!("{right} of a group"), "scopes": [right], "group_id": group });
    world.api.with_token(&world.make("/api/v1/tokens", body, "token").await)
}

async fn set_member(api: &Api, method: &str, group: &str, device: &str) -> (u16, Value) {
    api.call(method, &format!("/api/v1/groups/{group}/devices/{device}"), None).await
}

/// The field of each thing on a page, in order.
async fn sorted(api: &Api, path: &str, field: &str) -> Vec<String> {
    let mut texts = texts(&api.get(path).await, field);
    texts.sort();
    texts
}

#[tokio::test]
async fn lists_numbers_and_orders_are_of_the_group_alone() {
    let desk = Desk::start().await;
    let api = &desk.api;
    let own = ["OWN1", "OWN2"];
    let all = "q=not%20serial%20%3D%20X";
    for query in [String::new(), format!("?{all}"), "?online=true".to_owned()] {
        assert_eq!(sorted(api, &format!("/api/v1/devices{query}"), "serial").await, own, "{query}");
    }
    for query in [String::new(), format!("?{all}")] {
        let path = format!("/api/v1/devices/count{query}");
        assert_eq!(api.get(&path).await["count"], OWN, "{path}");
    }
    let csv = api.request("GET", "/api/v1/devices?format=csv").send().await.unwrap();
    let csv = csv.text().await.unwrap();
    assert!(csv.contains("OWN1") && csv.contains("OWN2") && !csv.contains("OTHER"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + OWN, "{csv}");

    let jobs = sorted(api, "/api/v1/jobs", "device_id").await;
    let mut expected = desk.devices[..OWN].to_vec();
    expected.sort();
    assert!(!jobs.is_empty() && jobs.iter().all(|id| expected.contains(id)), "{jobs:?}");
    let system = api.get("/api/v1/system").await;
    assert_eq!((&system["devices"], &system["devices_online"]), (&json!(OWN), &json!(OWN)));
    let figures = api.get("/api/v1/system/figures").await;
    for part in
        [&figures["fleet"]["devices"], &figures["models"]["all"], &figures["versions"]["all"]]
    {
        assert_eq!(*part, OWN, "{figures}");
    }
    assert_eq!(figures["history"], json!([]), "it was counted of all");
    assert_eq!(desk.world.api.get("/api/v1/devices/count").await["count"], DEVICES.len() + 1);
    // No site is theirs, not even one at which such a device stands.
    assert_eq!(api.get("/api/v1/sites").await["items"], json!([]));
    let me = api.get("/api/v1/me").await;
    assert_eq!(me["rights"]["operate"], json!(["group:vip"]));

    let path = format!("/api/v1/devices/{}", desk.devices[0]);
    let job = Some(json!({ "kind": "queued_transfers", "wake": false }));
    assert_eq!(api.call("POST", &format!("{path}/jobs"), job).await.0, 201);
    let tagged = api.call("PATCH", &path, Some(json!({ "tags": ["seen"] }))).await;
    assert_eq!((tagged.0, &tagged.1["site"]), (200, &json!("x")), "it stays where it is");
    for (site, place) in [(json!("y"), "at y"), (Value::Null, "outside of all sites")] {
        let (status, problem) = api.call("PATCH", &path, Some(json!({ "site": site }))).await;
        let why = format!("this needs the right `operate` {place}");
        assert_eq!((status, &problem["detail"]), (403, &json!(why)));
    }
    let bulk = |expected: usize| {
        Some(json!({ "selector": "not serial = X", "expected": expected, "wake": false,
                     "job": { "kind": "get", "names": ["Device.X"] } }))
    };
    let (status, problem) = api.call("POST", "/api/v1/jobs/bulk", bulk(5)).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("2 devices match, not 5"), "{problem}");
    let done = api.call("POST", "/api/v1/jobs/bulk", bulk(OWN)).await;
    assert_eq!(done, (200, json!({ "created": OWN, "skipped": 0 })));
    let made = sorted(&desk.world.api, "/api/v1/jobs?kind=get", "device_id").await;
    assert_eq!(made, expected);
}

#[tokio::test]
async fn a_device_that_is_not_of_the_group_is_not_there() {
    let desk = Desk::start().await;
    let world = &desk.world;
    let unknown = [Uuid::now_v7().to_string(), "serial:NOBODY".to_owned()];
    let serial = "serial:OTHER1".to_owned();
    let outside =
        [(&desk.devices[2], &unknown[0]), (&desk.devices[3], &unknown[0]), (&serial, &unknown[1])];
    let mut tried = 0;
    for operation in world.operations().await {
        let may = operation.right.is_none_or(|named| Right::Operate.includes(named));
        if !operation.path.contains("{device_id}") || !may {
            continue;
        }
        let path = world.real(&operation.path.replace("{device_id}", "DEVICE")).await;
        let at = |id: &str| path.replace("DEVICE", id);
        let what = format!("{} {}", operation.method, operation.path);
        for (outside, unknown) in outside {
            let seen = told(world.call(&desk.api, &operation, &at(outside)).await, outside).await;
            let none = told(world.call(&desk.api, &operation, &at(unknown)).await, unknown).await;
            assert_eq!(seen, none, "{what} of {outside}");
            assert_eq!(seen.0, 404, "{what}: {seen:?}");
        }
        tried += 1;
    }
    assert!(tried >= 14, "{tried} operations on a device");
    let unknown = Uuid::now_v7().to_string();
    for (method, end) in [("GET", ""), ("POST", "/cancel")] {
        let ask = async |id: &str| {
            let request = desk.api.request(method, &format!("/api/v1/jobs/{id}{end}"));
            told(request.send().await.unwrap(), id).await
        };
        let none = ask(&unknown).await;
        assert_eq!(none.0, 404, "{none:?}");
        for job in &desk.jobs[OWN..] {
            assert_eq!(ask(job).await, none);
        }
    }
    // What they see and may not do is another matter.
    let own = format!("/api/v1/devices/{}", desk.devices[1]);
    desk.api.get(&own).await;
    assert_eq!(desk.api.call("DELETE", &own, None).await.0, 403);
    let admin = token(world, Right::Admin, &desk.group).await;
    assert_eq!(admin.call("DELETE", &own, None).await.0, 204);
    for (path, body) in [
        ("/api/v1/users", json!({ "login": "own" })),
        ("/api/v1/tokens", json!({ "name": "own", "scopes": ["admin"] })),
        ("/api/v1/sites", json!({ "path": "own" })),
        ("/api/v1/groups", json!({ "name": "own" })),
    ] {
        let (status, problem) = admin.call("POST", path, Some(body)).await;
        assert_eq!(status, 403, "{path}: {problem}");
    }
}

#[tokio::test]
async fn only_what_happens_to_the_group_is_heard() {
    let desk = Desk::start().await;
    let mut own = Events::follow(&desk.api, "kind=device.", None).await;
    let tag = async |serial: &str, tag: &str| {
        let path = format!("/api/v1/devices/serial:{serial}");
        let body = Some(json!({ "tags": [tag] }));
        assert_eq!(desk.world.api.call("PATCH", &path, body).await.0, 200);
    };
    tag("OTHER1", "one").await;
    tag("OWN2", "two").await;
    tag("STANDING", "three").await;
    tag("OWN1", "four").await;
    let mut heard = Vec::new();
    let last = loop {
        let event = own.next().await;
        assert!(event.data["serial"].as_str().unwrap().starts_with("OWN"), "{event:?}");
        // Of how they were put into the group, more or less is heard.
        if let Some(tag) = event.data["detail"]["after"]["tags"][0].as_str() {
            heard.push(tag.to_owned());
        }
        if heard.last().is_some_and(|tag| tag == "four") {
            break event.id;
        }
    };
    assert_eq!(heard, ["two", "four"]);
    // The past, which the database narrows, is the same.
    tag("OTHER2", "five").await;
    tag("OWN2", "six").await;
    let mut again = Events::follow(&desk.api, "kind=device.", Some(&last)).await;
    let event = again.next().await;
    assert_eq!(event.data["detail"]["after"]["tags"], json!(["six"]), "{event:?}");
}

#[tokio::test]
async fn a_device_that_is_taken_out_is_out_of_reach_at_once() {
    let desk = Desk::start().await;
    let world = &desk.world;
    let login = desk.user(Right::Operate).await;
    let mut person = Session::opened(&world.muster, &login).await;
    let page = person.get("/devices").await;
    assert!(page.status == 200 && page.body.contains("OWN1"), "{page:?}");
    for serial in ["OTHER1", "OTHER2", "STANDING"] {
        assert!(!page.body.contains(serial), "{}", page.body);
        let found = person.get(&format!("/search.json?q={serial}")).await;
        assert_eq!((found.status, found.body.as_str()), (200, "[]"), "{serial}");
    }
    let own = format!("/devices/{}", desk.devices[0]);
    let page = person.get(&own).await;
    assert!(page.status == 200 && page.body.contains("/wake"), "they may operate it: {page:?}");
    let account = person.get("/account").await;
    assert!(account.body.contains("operate at group vip"), "{}", account.body);

    assert_eq!(set_member(&world.api, "DELETE", &desk.group, &desk.devices[0]).await.0, 204);
    assert_eq!(person.get(&own).await.status, 404);
    assert_eq!(desk.api.call("GET", &format!("/api/v1{own}"), None).await.0, 404);
    assert_eq!(sorted(&desk.api, "/api/v1/devices", "serial").await, ["OWN2"]);

    // Also while an order waits for the device.
    let id = &desk.devices[1];
    let device_id: Uuid = id.parse().unwrap();
    let device = format!("/api/v1/devices/{id}");
    let order = json!({ "kind": "queued_transfers", "wake": false });
    let bulk = json!({ "selector": "serial = OWN2", "expected": 1, "wake": false,
                       "job": { "kind": "queued_transfers" } });
    let skipped = Some(json!({ "created": 0, "skipped": 1 }));
    for (path, body, expected) in [
        (format!("{device}/wake"), None, None),
        (format!("{device}/jobs"), Some(order), None),
        (format!("/api/v1/jobs/{}/cancel", desk.jobs[1]), None, None),
        ("/api/v1/jobs/bulk".to_owned(), Some(bulk), skipped),
    ] {
        let mut tx = world.muster.pool.begin().await.unwrap();
        let lock = "select from devices where device_id = $1 for update";
        sqlx::query(lock).bind(device_id).execute(&mut *tx).await.unwrap();
        let take_it_out = async {
            somebody_waits(&world.muster.pool).await;
            let out = "delete from group_members where device_id = $1";
            sqlx::query(out).bind(device_id).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        };
        let ((status, told), ()) = tokio::join!(desk.api.call("POST", &path, body), take_it_out);
        match expected {
            Some(expected) => assert_eq!((status, told), (200, expected), "{path}"),
            None => assert_eq!(status, 404, "{path}: {told}"),
        }
        assert_eq!(set_member(&world.api, "PUT", &desk.group, id).await.0, 204);
    }
}

#[tokio::test]
async fn nobody_widens_what_a_group_bounds() {
    let desk = Desk::start().await;
    let (world, group) = (&desk.world, &desk.group);
    let admin = &world.api;
    // What a selector finds is changed by whoever tags devices.
    let wide = json!({ "name": "tagged", "selector": "tag = mine" });
    let wide = world.make("/api/v1/groups", wide, "group_id").await;
    let role = world.make("/api/v1/roles", json!({ "name": "r", "rights": ["read"] }), "role_id");
    let role = role.await;
    let site = world.site("z").await;
    let gone = Uuid::now_v7();
    for (place, pointer) in [
        (json!({ "group_id": wide }), "group_id"),
        (json!({ "group_id": gone }), "group_id"),
        (json!({ "group_id": group, "site_id": site }), "group_id"),
    ] {
        let mut grant = place.clone();
        grant["role_id"] = json!(role);
        let user = json!({ "login": "wide", "grants": [grant] });
        let (status, problem) = admin.call("POST", "/api/v1/users", Some(user)).await;
        let at = format!("/grants/0/{pointer}");
        assert_eq!((status, &problem["pointer"]), (422, &json!(at)), "{problem}");
        let mut new = place;
        new["name"] = json!("wide");
        new["scopes"] = json!(["read"]);
        let (status, problem) = admin.call("POST", "/api/v1/tokens", Some(new)).await;
        let at = format!("/{pointer}");
        assert_eq!((status, &problem["pointer"]), (422, &json!(at)), "{problem}");
    }
    let path = format!("/api/v1/groups/{group}");
    let (status, problem) = admin.call("PATCH", &path, Some(json!({ "selector": "online" }))).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/selector")), "{problem}");

    // Who operates a device puts it into any group, but for one that bounds somebody.
    let x = admin.get("/api/v1/sites?under=x").await["items"][0]["site_id"].clone();
    let region = world.token(Right::Operate, x.as_str()).await;
    let free = world.make("/api/v1/groups", json!({ "name": "free" }), "group_id").await;
    assert_eq!(set_member(&region, "PUT", &free, &desk.devices[2]).await.0, 204);
    let bulk = json!({ "selector": "serial = OTHER1", "expected": 1,
                       "change": { "kind": "add_to_group", "group_id": group } });
    let (status, problem) = region.call("POST", "/api/v1/devices/bulk", Some(bulk)).await;
    assert_eq!(status, 403, "{problem}");
    for (api, method, device) in [
        (&region, "PUT", &desk.devices[2]),
        (&region, "DELETE", &desk.devices[0]),
        (&desk.api, "DELETE", &desk.devices[1]),
    ] {
        let (status, problem) = set_member(api, method, group, device).await;
        assert_eq!(status, 403, "{method}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("`operate` everywhere"), "{problem}");
    }
    assert_eq!(sorted(&desk.api, "/api/v1/devices", "serial").await, ["OWN1", "OWN2"]);

    // It stays while somebody is bounded by it; and a revoked token is nobody.
    let login = desk.user(Right::Read).await;
    let (status, problem) = admin.call("DELETE", &path, None).await;
    assert_eq!(status, 409);
    let why = problem["detail"].as_str().unwrap();
    assert!(why.contains(&format!("`{login}`")) && why.contains("`operate of a group`"), "{why}");
    let users = admin.get("/api/v1/users").await;
    let user = users["items"].as_array().unwrap().iter().find(|user| user["login"] == *login);
    let grant = &user.unwrap()["grants"][0];
    assert_eq!((&grant["group"], &grant["site_id"]), (&json!("vip"), &Value::Null));
    let user = user.unwrap()["user_id"].as_str().unwrap();
    let told = admin.get(&format!("/api/v1/audit?object_kind=user&object_id={user}")).await;
    assert_eq!(told["items"][0]["after"]["grants"][0]["group"], "vip", "{told}");
    assert_eq!(admin.call("DELETE", &format!("/api/v1/users/{user}"), None).await.0, 204);
    assert_eq!(admin.call("DELETE", &path, None).await.0, 409, "the token is left");
    for token in admin.get("/api/v1/tokens").await["items"].as_array().unwrap() {
        if token["group_id"] == **group {
            let path = format!("/api/v1/tokens/{}", token["token_id"].as_str().unwrap());
            assert_eq!(admin.call("DELETE", &path, None).await.0, 204);
        }
    }
    assert_eq!(admin.call("DELETE", &path, None).await.0, 204);
    assert_eq!(desk.api.call("GET", "/api/v1/me", None).await.0, 401);
}
