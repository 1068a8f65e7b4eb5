//! The borders of a region: what stands outside is, to who may do something inside, not there.

mod bench;

use muster::access::right::Right;
use muster::web::Access;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{World, told};
use crate::harness::eventually;
use crate::harness::kit::{Api, texts};
use crate::harness::session::{Page, Session};

/// Devices in a site below the region, in another site, and in none.
const DEVICES: [(&str, Option<&str>); 3] =
    [("INSIDE1", Some("a.b.c")), ("OUTSIDE1", Some("x")), ("NOWHERE1", None)];

/// A fleet of which `a.b` is somebody's.
struct Region {
    world: World,
    /// Of the site `a.b`.
    site: String,
    /// Operates there.
    api: Api,
    /// The devices' ids, in their order.
    devices: Vec<String>,
    /// A job of each.
    jobs: Vec<String>,
}

impl Region {
    async fn start() -> Self {
        let world = World::start().await;
        let mut sites = Vec::new();
        for path in ["a", "a.b", "a.b.c", "x"] {
            sites.push(world.site(path).await);
        }
        let (mut devices, mut jobs) = (Vec::new(), Vec::new());
        for (serial, site) in DEVICES {
            let device = world.meet(serial).await;
            if site.is_some() {
                let path = format!("/api/v1/devices/{device}");
                let body = Some(json!({ "site": site }));
                assert_eq!(world.api.call("PATCH", &path, body).await.0, 200);
            }
            jobs.push(world.job(&device).await);
            devices.push(device);
        }
        let site = sites.swap_remove(1);
        let api = world.token(Right::Operate, Some(&site)).await;
        Self { world, site, api, devices, jobs }
    }

    /// What another right does there.
    async fn with(&self, right: Right) -> Api {
        self.world.token(right, Some(&self.site)).await
    }

    /// What the owner of everything finds.
    async fn get(&self, path: &str) -> Value {
        self.world.api.get(path).await
    }
}

#[tokio::test]
async fn a_table_of_claims_tells_nothing_of_who_is_outside() {
    let region = Region::start().await;
    let table = "serial,site\nINSIDE1,a.b\nOUTSIDE1,a.b\nNOWHERE1,a.b\nNOBODY,a.b\n";
    let request = region.api.request("POST", "/api/v1/claims/preview");
    let request = request.header("content-type", "text/csv").body(table);
    let told: Value = request.send().await.unwrap().json().await.unwrap();
    let is_in = |row: &Value| row["words"].as_str().is_some_and(|words| words.contains("already"));
    let seen: Vec<bool> = told["rows"].as_array().unwrap().iter().map(is_in).collect();
    assert_eq!(seen, [true, false, false, false], "{told}");
}

#[tokio::test]
async fn a_device_outside_is_to_them_as_one_that_is_not_there() {
    let region = Region::start().await;
    let world = &region.world;
    let admin = region.with(Right::Admin).await;
    let unknown = [Uuid::now_v7().to_string(), "serial:NOBODY".to_owned()];
    let serials = DEVICES.map(|(serial, _)| format!("serial:{serial}"));
    let outside = [
        (&region.devices[1], &unknown[0]),
        (&region.devices[2], &unknown[0]),
        (&serials[1], &unknown[1]),
        (&serials[2], &unknown[1]),
    ];
    let mut tried = 0;
    for operation in world.operations().await {
        if !operation.path.contains("{device_id}") {
            continue;
        }
        let path = world.real(&operation.path.replace("{device_id}", "DEVICE")).await;
        let at = |id: &str| path.replace("DEVICE", id);
        let what = format!("{} {}", operation.method, operation.path);
        for (outside, unknown) in outside {
            for (right, api) in [(Right::Operate, &region.api), (Right::Admin, &admin)] {
                let seen = world.call(api, &operation, &at(outside)).await;
                let seen = told(seen, outside).await;
                let none = told(world.call(api, &operation, &at(unknown)).await, unknown).await;
                assert_eq!(seen, none, "{what} of {outside} with {right}");
                let may = operation.right.is_none_or(|named| right.includes(named));
                assert_eq!(seen.0, if may { 404 } else { 403 }, "{what}: {seen:?}");
            }
        }
        tried += 1;
    }
    assert!(tried >= 14, "{tried} operations on a device");
    for device in &region.devices {
        region.get(&format!("/api/v1/devices/{device}")).await;
    }
    // Inside, the same calls do what they say.
    let inside = format!("/api/v1/devices/{}", serials[0]);
    region.api.get(&inside).await;
    assert_eq!(region.api.call("DELETE", &inside, None).await.0, 403);
    assert_eq!(admin.call("DELETE", &inside, None).await.0, 204);
}

#[tokio::test]
async fn lists_numbers_and_bulk_jobs_end_at_the_border() {
    let region = Region::start().await;
    let api = &region.api;
    assert_eq!(texts(&api.get("/api/v1/devices").await, "serial"), ["INSIDE1"]);
    assert_eq!(texts(&api.get("/api/v1/devices?online=true").await, "serial"), ["INSIDE1"]);
    let all = "q=not%20serial%20%3D%20X";
    let found = api.get(&format!("/api/v1/devices?{all}")).await;
    assert_eq!(texts(&found, "serial"), ["INSIDE1"]);
    for query in [String::new(), format!("?{all}")] {
        let path = format!("/api/v1/devices/count{query}");
        assert_eq!(api.get(&path).await["count"], 1, "{path}");
    }
    let csv = api.request("GET", "/api/v1/devices?format=csv").send().await.unwrap();
    let csv = csv.text().await.unwrap();
    assert!(csv.contains("INSIDE1") && !csv.contains("OUTSIDE1"), "{csv}");
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert_eq!(api.get("/api/v1/system").await["devices"], 1);
    assert_eq!(region.get("/api/v1/devices/count").await["count"], 4);

    let jobs = api.get("/api/v1/jobs").await;
    let owners = texts(&jobs, "device_id");
    assert!(!owners.is_empty() && owners.iter().all(|id| *id == region.devices[0]), "{jobs}");
    let unknown = Uuid::now_v7().to_string();
    for (method, end) in [("GET", ""), ("POST", "/cancel")] {
        let ask = async |id: &str| {
            let request = api.request(method, &format!("/api/v1/jobs/{id}{end}"));
            told(request.send().await.unwrap(), id).await
        };
        let none = ask(&unknown).await;
        assert_eq!(none.0, 404, "{none:?}");
        for job in &region.jobs[1..] {
            assert_eq!(ask(job).await, none);
        }
    }
    for query in ["jobs?device_id", "events?device_id"] {
        let path = format!("/api/v1/{query}={}", region.devices[1]);
        assert_eq!(api.call("GET", &path, None).await.0, 404, "{path}");
    }

    let bulk = |expected: u64| {
        Some(json!({ "selector": "not serial = X", "expected": expected, "wake": false,
                     "job": { "kind": "get", "names": ["Device.X"] } }))
    };
    let (status, problem) = api.call("POST", "/api/v1/jobs/bulk", bulk(4)).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("1 devices match, not 4"), "{problem}");
    let done = api.call("POST", "/api/v1/jobs/bulk", bulk(1)).await;
    assert_eq!(done, (200, json!({ "created": 1, "skipped": 0 })));
    let made = region.get("/api/v1/jobs?kind=get").await;
    assert_eq!(texts(&made, "device_id"), [region.devices[0].as_str()]);

    let change = |change: Value, expected: u64| {
        let body = json!({ "selector": "not serial = X", "expected": expected, "change": change });
        api.call("POST", "/api/v1/devices/bulk", Some(body))
    };
    let tag = json!({ "kind": "add_tags", "tags": ["seen"] });
    let (status, problem) = change(tag.clone(), 4).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("1 devices match, not 4"), "{problem}");
    let (status, done) = change(tag.clone(), 1).await;
    assert_eq!((status, &done["changed"]), (200, &json!(1)), "{done}");
    let seen = region.get("/api/v1/devices?q=tag%20%3D%20seen").await;
    assert_eq!(texts(&seen, "serial"), ["INSIDE1"]);
    for (place, end) in [
        (json!({ "kind": "move", "site": "x" }), "at x"),
        (json!({ "kind": "move", "site": "gone" }), "at gone"),
        (json!({ "kind": "move_out" }), "outside of all sites"),
    ] {
        let (status, problem) = change(place, 1).await;
        let why = format!("this needs the right `operate` {end}");
        assert_eq!((status, &problem["detail"]), (403, &json!(why)));
    }
    // Those that somebody names and may not see are as those that are not there.
    let named = json!({ "device_ids": region.devices, "expected": 3, "change": tag });
    let (status, done) = api.call("POST", "/api/v1/devices/bulk", Some(named)).await;
    assert_eq!((status, &done["unchanged"], &done["skipped"]), (200, &json!(1), &json!(2)));
    for reason in done["reasons"].as_array().unwrap() {
        let why = format!("no device {}", reason["device_id"].as_str().unwrap());
        assert_eq!(reason["why"], why);
    }
}

/// Waits until somebody waits for a lock that somebody else holds.
pub(super) async fn somebody_waits(pool: &PgPool) {
    eventually("somebody waits for a row", || async {
        let waiting = "select exists (select from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock')";
        let waiting: bool = sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap();
        waiting.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_device_that_is_moved_away_meanwhile_is_out_of_reach() {
    let region = Region::start().await;
    let pool = &region.world.muster.pool;
    let admin = region.with(Right::Admin).await;
    let (id, job) = (&region.devices[0], &region.jobs[0]);
    let device_id: Uuid = id.parse().unwrap();
    let device = format!("/api/v1/devices/{id}");
    let group = region.world.make("/api/v1/groups", json!({ "name": "some" }), "group_id").await;
    let order = json!({ "kind": "queued_transfers", "wake": false });
    let bulk = json!({ "selector": "serial = INSIDE1", "expected": 1, "wake": false,
                       "job": { "kind": "queued_transfers" } });
    let skipped = json!({ "created": 0, "skipped": 1 });
    let change = json!({ "selector": "serial = INSIDE1", "expected": 1,
                         "change": { "kind": "add_tags", "tags": ["x"] } });
    let reasons = json!([{ "device_id": id, "why": format!("no device {id}") }]);
    let unchanged = json!({ "changed": 0, "unchanged": 0, "skipped": 1, "reasons": reasons });
    for (method, path, body, expected) in [
        ("DELETE", device.clone(), None, None),
        ("POST", format!("{device}/wake"), None, None),
        ("POST", format!("{device}/allow-enrolment"), Some(json!({ "hours": 1 })), None),
        ("POST", format!("{device}/reveal"), Some(json!({ "name": "Device.X_Password" })), None),
        ("POST", format!("{device}/jobs"), Some(order), None),
        ("POST", format!("/api/v1/jobs/{job}/cancel"), None, None),
        ("PUT", format!("/api/v1/groups/{group}/devices/{id}"), None, None),
        ("POST", "/api/v1/jobs/bulk".to_owned(), Some(bulk), Some(skipped)),
        ("POST", "/api/v1/devices/bulk".to_owned(), Some(change), Some(unchanged)),
    ] {
        let mut tx = pool.begin().await.unwrap();
        let lock = "select from devices where device_id = $1 for update";
        sqlx::query(lock).bind(device_id).execute(&mut *tx).await.unwrap();
        let move_it = async {
            somebody_waits(pool).await;
            let away = "update device_facts set site = 'x' where device_id = $1";
            sqlx::query(away).bind(device_id).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        };
        let ((status, told), ()) = tokio::join!(admin.call(method, &path, body), move_it);
        match expected {
            Some(expected) => assert_eq!((status, told), (200, expected), "{method} {path}"),
            None => assert_eq!(status, 404, "{method} {path}: {told}"),
        }
        let back = "update device_facts set site = 'a.b.c' where device_id = $1";
        sqlx::query(back).bind(device_id).execute(pool).await.unwrap();
    }
    // Nothing was done.
    assert_eq!(region.get(&format!("/api/v1/jobs/{job}")).await["state"], "queued");
    let jobs = region.get("/api/v1/jobs?kind=queued_transfers").await;
    assert_eq!(texts(&jobs, "job_id"), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_region_is_moved_and_what_is_of_all_is_only_seen() {
    let region = Region::start().await;
    let (world, api) = (&region.world, &region.api);
    let denied = async |method: &str, path: &str, body: Option<Value>, why: &str| {
        let (status, problem) = api.call(method, path, body).await;
        assert_eq!((status, &problem["detail"]), (403, &json!(why)), "{method} {path}");
    };
    // Sites: those in the region, and room for more of them.
    assert_eq!(texts(&api.get("/api/v1/sites").await, "path"), ["a.b", "a.b.c"]);
    let root = "this needs the right `operate` everywhere";
    denied("POST", "/api/v1/sites", Some(json!({ "path": "b" })), root).await;
    let beside = "this needs the right `operate` at a";
    denied("POST", "/api/v1/sites", Some(json!({ "path": "a.d" })), beside).await;
    let made = api.call("POST", "/api/v1/sites", Some(json!({ "path": "a.b.d" }))).await;
    assert_eq!(made.0, 201, "{}", made.1);
    let own = format!("/api/v1/sites/{}", region.site);
    denied("PATCH", &own, Some(json!({ "path": "top" })), root).await;
    let all = region.get("/api/v1/sites").await;
    let unknown = Uuid::now_v7().to_string();
    for site in all["items"].as_array().unwrap() {
        let (id, path) = (site["site_id"].as_str().unwrap(), site["path"].as_str().unwrap());
        if path.starts_with("a.b") {
            continue;
        }
        for (method, body) in
            [("GET", None), ("PATCH", Some(json!({ "name": "n" }))), ("DELETE", None)]
        {
            let at = |id: &str| {
                let request = api.request(method, &format!("/api/v1/sites/{id}"));
                if let Some(body) = &body { request.json(body) } else { request }
            };
            let seen = told(at(id).send().await.unwrap(), id).await;
            let none = told(at(&unknown).send().await.unwrap(), &unknown).await;
            assert_eq!((seen.0, &seen), (404, &none), "{method} {path}");
        }
    }
    // Devices go nowhere else; and whether there is such a place is not theirs to know.
    let inside = format!("/api/v1/devices/{}", region.devices[0]);
    for (site, place) in [
        (json!("x"), "at x"),
        (json!("gone"), "at gone"),
        (json!("a"), "at a"),
        (Value::Null, "outside of all sites"),
    ] {
        let why = format!("this needs the right `operate` {place}");
        denied("PATCH", &inside, Some(json!({ "site": site })), &why).await;
    }
    let moved = api.call("PATCH", &inside, Some(json!({ "site": "a.b" }))).await;
    assert_eq!((moved.0, &moved.1["site"]), (200, &json!("a.b")));

    // Files and groups are of all: each sees them, stores a file, and takes their own away; those of
    // others takes whoever operates everything. A name is no proof of whose a file is.
    let file = format!("/api/v1/artifacts/{}", world.api.store("all.rsc", b"x").await);
    let stored = format!("/api/v1/artifacts/{}", api.store("own.rsc", b"x").await);
    let group = world.make("/api/v1/groups", json!({ "name": "all" }), "group_id").await;
    let group = format!("/api/v1/groups/{group}");
    for serial in ["OUTSIDE1", "NOWHERE1"] {
        let path = format!("{group}/devices/serial:{serial}");
        assert_eq!(world.api.call("PUT", &path, None).await.0, 204);
    }
    for path in [&file, &group] {
        api.get(path).await;
        denied("DELETE", path, None, root).await;
    }
    let (me, namesake) = (api.get("/api/v1/me").await, region.with(Right::Operate).await);
    assert_eq!(namesake.get("/api/v1/me").await["name"], me["name"]);
    assert_eq!(namesake.call("DELETE", &stored, None).await.0, 403);
    assert_eq!(api.call("DELETE", &stored, None).await.0, 204);
    denied("PATCH", &group, Some(json!({ "name": "n" })), root).await;
    denied("POST", "/api/v1/groups", Some(json!({ "name": "n" })), root).await;
    let own = format!("{group}/devices/serial:INSIDE1");
    assert_eq!(api.call("PUT", &own, None).await.0, 204);
    let members = api.get(&format!("{group}/devices")).await;
    assert_eq!(texts(&members, "serial"), ["INSIDE1"]);

    // The log and people are of all, and a part of them is nobody's.
    let (auditor, admin) = (region.with(Right::Audit).await, region.with(Right::Admin).await);
    for path in ["/api/v1/audit", "/api/v1/audit?format=csv"] {
        let (status, problem) = auditor.call("GET", path, None).await;
        let why = "this needs the right `audit` everywhere";
        assert_eq!((status, &problem["detail"]), (403, &json!(why)), "{path}");
    }
    for (path, body) in [
        ("/api/v1/users", json!({ "login": "own" })),
        ("/api/v1/roles", json!({ "name": "own", "rights": ["admin"] })),
        ("/api/v1/tokens", json!({ "name": "own", "scopes": ["admin"] })),
    ] {
        let (status, problem) = admin.call("POST", path, Some(body)).await;
        let why = "this needs the right `admin` everywhere";
        assert_eq!((status, &problem["detail"]), (403, &json!(why)), "{path}");
    }
}

#[tokio::test]
async fn the_dashboard_of_a_region_shows_the_region() {
    let region = Region::start().await;
    let world = &region.world;
    let login = world.user(Right::Operate, Some(&region.site)).await;
    let mut person = Session::opened(&world.muster, &login).await;
    let page = person.get("/devices").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("INSIDE1"), "{}", page.body);
    for serial in ["OUTSIDE1", "NOWHERE1", "STANDING"] {
        assert!(!page.body.contains(serial), "{}", page.body);
        let found = person.get(&format!("/search.json?q={serial}")).await;
        assert_eq!((found.status, found.body.as_str()), (200, "[]"), "{serial}");
    }
    let own = person.get(&format!("/devices/{}", region.devices[0])).await;
    assert!(own.status == 200 && own.body.contains("INSIDE1"), "{own:?}");
    // What is of no site is not filled in first and refused then.
    for home in ["/profiles", "/templates", "/claims/rules"] {
        let page = person.copy().get(&format!("{home}/new")).await;
        assert_eq!((page.status, page.location()), (303, home), "{page:?}");
    }

    let unknown = Uuid::now_v7().to_string();
    let site = region.get("/api/v1/sites?under=x").await["items"][0]["site_id"].clone();
    let site = site.as_str().unwrap().to_owned();
    let mut tried = 0;
    for route in muster::web::routes() {
        let Access::Needs(named) = route.access else { continue };
        let Some((kind, rest)) = route.path.split_once("/{") else { continue };
        if route.method != "GET" || !Right::Operate.includes(named) {
            continue;
        }
        let id = match kind {
            "/devices" | "/support" => &region.devices[1],
            "/jobs" => &region.jobs[1],
            "/sites" => &site,
            _ => continue,
        };
        let end = rest.split_once('}').unwrap().1;
        let path = world.real(&format!("{kind}/ID{end}")).await;
        let seen = person.get(&path.replace("ID", id)).await;
        let none = person.get(&path.replace("ID", &unknown)).await;
        let plain = |page: &Page, id: &str| (page.status, page.body.replace(id, "ID"));
        assert_eq!(plain(&seen, id), plain(&none, &unknown), "{route:?}");
        // 400: what the page wants to know beside the id was not said.
        assert!([400, 404].contains(&seen.status), "{route:?}: {seen:?}");
        tried += usize::from(seen.status == 404);
    }
    assert!(tried >= 8, "{tried} pages");
}
