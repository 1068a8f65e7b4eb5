//! The rules that each call of the API keeps: done once, not too often, given as a file, edited by
//! version.

use muster::access::right::Right;
use reqwest::Response;
use serde_json::{Value, json};

use super::{World, header, refused};
use crate::harness::kit::Api;
use crate::harness::session::Session;
use crate::harness::{LAB, Muster};

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Response {
    let request = api.request("POST", path).header("idempotency-key", key);
    request.json(body).send().await.unwrap()
}

#[tokio::test]
async fn a_post_with_a_key_is_done_once_and_answered_again() {
    let world = World::start().await;
    let (api, sites) = (&world.api, "/api/v1/sites");
    let body = json!({ "path": "eu" });
    let first = post(api, sites, "k-1", &body).await;
    assert_eq!((first.status().as_u16(), header(&first, "idempotency-replayed")), (201, None));
    let again = post(api, sites, "k-1", &body).await;
    assert_eq!(again.status(), 201);
    assert_eq!(header(&again, "idempotency-replayed"), Some("true"));
    for name in ["location", "etag", "content-type"] {
        assert!(header(&first, name).is_some(), "{name}");
        assert_eq!(header(&first, name), header(&again, name), "{name}");
    }
    assert_eq!(first.text().await.unwrap(), again.text().await.unwrap());

    // The key is of that request, and of that caller.
    let other = post(api, sites, "k-1", &json!({ "path": "us" })).await;
    assert_eq!(other.status(), 422);
    assert_eq!(post(api, "/api/v1/groups", "k-1", &json!({ "name": "g" })).await.status(), 422);
    let operator = world.token(Right::Operate, None).await;
    let theirs = post(&operator, sites, "k-1", &json!({ "path": "us" })).await;
    assert_eq!((theirs.status().as_u16(), header(&theirs, "idempotency-replayed")), (201, None));
    let list = api.get(sites).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");

    // What failed did nothing, and holds no key.
    let (parent, child) = (json!({ "path": "asia" }), json!({ "path": "asia.jp" }));
    assert_eq!(post(api, sites, "k-2", &child).await.status(), 422);
    assert_eq!(api.call("POST", sites, Some(parent)).await.0, 201);
    let child = post(api, sites, "k-2", &child).await;
    assert_eq!((child.status().as_u16(), header(&child, "idempotency-replayed")), (201, None));

    // It is not the key of the job that is made: that one holds while the job is open.
    let jobs = "/api/v1/devices/serial:STANDING/jobs";
    let reboot = json!({ "kind": "reboot", "wake": false, "idempotency_key": "own" });
    let job: Value = post(api, jobs, "k-3", &reboot).await.json().await.unwrap();
    assert_eq!(job["idempotency_key"], "own");
    let cancel = format!("/api/v1/jobs/{}/cancel", job["job_id"].as_str().unwrap());
    assert_eq!(api.call("POST", &cancel, None).await.0, 200);
    let again: Value = post(api, jobs, "k-3", &reboot).await.json().await.unwrap();
    assert_eq!(again, job, "the first answer, whatever became of it");
    let plain = json!({ "kind": "reboot", "wake": false });
    let job: Value = post(api, jobs, "k-4", &plain).await.json().await.unwrap();
    assert_eq!(job["idempotency_key"], Value::Null);

    for key in [String::new(), "x".repeat(201)] {
        assert_eq!(post(api, sites, &key, &body).await.status(), 400, "{key}");
    }
    let list = api.request("GET", sites).header("idempotency-key", "k-1").send().await.unwrap();
    assert_eq!((list.status().as_u16(), header(&list, "idempotency-replayed")), (200, None));
}

#[tokio::test]
async fn an_answer_is_kept_where_nobody_can_read_it() {
    let world = World::start().await;
    let body = json!({ "path": "north" });
    let first: Value = post(&world.api, "/api/v1/sites", "s-1", &body).await.json().await.unwrap();
    let again: Value = post(&world.api, "/api/v1/sites", "s-1", &body).await.json().await.unwrap();
    assert_eq!(first, again);
    let kept = async |key: &str| -> Option<Vec<u8>> {
        sqlx::query_scalar("select body from idempotency_keys where key = $1")
            .bind(key)
            .fetch_one(&world.muster.pool)
            .await
            .unwrap()
    };
    let body = kept("s-1").await.unwrap();
    let holds = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!holds("north") && !holds("site_id"));

    // A new token is not kept at all, and not made twice.
    let body = json!({ "name": "ci", "scopes": ["read"] });
    let first = post(&world.api, "/api/v1/tokens", "t-1", &body).await;
    assert_eq!((first.status().as_u16(), header(&first, "cache-control")), (201, Some("no-store")));
    assert_eq!(post(&world.api, "/api/v1/tokens", "t-1", &body).await.status().as_u16(), 409);
    assert_eq!(kept("t-1").await, None);
    let made = "select count(*) from api_tokens where name = 'ci'";
    let made: i64 = sqlx::query_scalar(made).fetch_one(&world.muster.pool).await.unwrap();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn of_two_at_once_one_is_done() {
    let world = World::start().await;
    let mut done = 0;
    for n in 0..5 {
        let (key, body) = (format!("k-{n}"), json!({ "path": format!("s{n}") }));
        let ask = || post(&world.api, "/api/v1/sites", &key, &body);
        let (one, other) = tokio::join!(ask(), ask());
        let mut new = 0;
        for response in [one, other] {
            let replayed = header(&response, "idempotency-replayed").is_some();
            match (response.status().as_u16(), replayed) {
                (201, false) => new += 1,
                (201, true) => {}
                (409, false) => {
                    let problem: Value = response.json().await.unwrap();
                    assert!(problem["detail"].as_str().unwrap().contains("at work"), "{problem}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(new, 1);
        done += new;
    }
    let list = world.api.get("/api/v1/sites").await;
    assert_eq!(list["items"].as_array().unwrap().len(), done);
}

#[tokio::test]
async fn each_caller_has_so_many_requests_a_minute() {
    let few = [("MUSTER_WEB__API_REQUESTS_PER_MINUTE", "5")];
    let mut muster = Muster::start(&[LAB, &few].concat()).await;
    let api = Api::of(&mut muster);
    let ask = |api: &Api| api.request("GET", "/api/v1/me").send();
    for left in (0..5).rev() {
        let response = ask(&api).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "ratelimit-policy"), Some("\"default\";q=5;w=60"));
        let state = format!("\"default\";r={left}");
        assert_eq!(header(&response, "ratelimit"), Some(state.as_str()));
    }
    let response = ask(&api).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
    assert_eq!(header(&response, "ratelimit"), Some("\"default\";r=0"));
    let wait: u32 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((1..=13).contains(&wait), "{wait}");
    let other = muster.cli(&["token", "create", "--name", "other", "--scope", "read"]);
    assert_eq!(ask(&api.with_token(other.trim())).await.unwrap().status(), 200);
}

/// A list as a file.
async fn file(api: &Api, path: &str, accept: Option<&str>) -> (String, String) {
    let request = api.request("GET", path);
    let request = match accept {
        Some(accept) => request.header("accept", accept),
        None => request,
    };
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let disposition = header(&response, "content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename="), "{disposition}");
    let kind = header(&response, "content-type").unwrap().to_owned();
    (kind, response.text().await.unwrap())
}

#[tokio::test]
async fn lists_are_files_too_and_no_cell_is_a_formula() {
    let world = World::start().await;
    let api = &world.api;
    world.meet("=1+1").await;
    let token = json!({ "name": "=2+2", "scopes": ["read"] });
    world.make("/api/v1/tokens", token, "token_id").await;

    for (list, head, cell, field, value) in [
        ("/api/v1/devices", "device_id,serial,online,", ",'=1+1,true,", "serial", "=1+1"),
        ("/api/v1/audit", "audit_id,at,actor_kind,", ",'=2+2,", "object_name", "=2+2"),
    ] {
        let (kind, csv) = file(api, &format!("{list}?format=csv"), None).await;
        assert!(kind.starts_with("text/csv"), "{kind}");
        assert!(csv.starts_with(head) && csv.contains(cell), "{csv}");
        let (kind, accepted) = file(api, list, Some("text/csv")).await;
        assert!(kind.starts_with("text/csv") && accepted.starts_with(head), "{accepted}");
        for (path, accept) in [
            (format!("{list}?format=ndjson"), None),
            (list.to_owned(), Some("application/x-ndjson")),
        ] {
            let (kind, lines) = file(api, &path, accept).await;
            assert_eq!(kind, "application/x-ndjson");
            let rows: Vec<Value> =
                lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            // Programs get what was said.
            assert!(rows.iter().any(|row| row[field] == value), "{lines}");
        }
    }
    let (_, one) = file(api, "/api/v1/devices?format=ndjson&q=serial%20=%20STANDING", None).await;
    assert_eq!(one.lines().count(), 1, "{one}");
    let (_, none) = file(api, "/api/v1/devices?format=ndjson&serial=NOBODY", None).await;
    assert_eq!(none, "");
    let wrong = api.request("GET", "/api/v1/devices?format=csv&q=onlien");
    assert_eq!(refused(wrong).await.0, 422, "an answer, and no file that breaks off");
    assert_eq!(refused(api.request("GET", "/api/v1/devices?format=xml")).await.0, 400);

    let made = api.get("/api/v1/audit?action=token.&text=%3D2").await;
    let entry = &made["items"][0];
    assert_eq!((made["items"].as_array().unwrap().len(), &made["next"]), (1, &Value::Null));
    assert_eq!((&entry["actor_kind"], &entry["actor"]), (&json!("token"), &json!("test")));
    assert_eq!((&entry["address"], &entry["before"]), (&json!("127.0.0.1"), &Value::Null));
    assert_eq!(entry["after"]["scopes"], json!(["read"]));
    let at = entry["at"].as_str().unwrap();
    for (time, found) in [(format!("since={at}"), 1), (format!("until={at}"), 0)] {
        let list = api.get(&format!("/api/v1/audit?action=token.&text=%3D2&{time}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{time}: {list}");
    }
    let page = api.get("/api/v1/audit?limit=1").await;
    let next = format!("/api/v1/audit?limit=1&before={}", page["next"].as_str().unwrap());
    let older = api.get(&next).await;
    let id = |page: &Value| page["items"][0]["audit_id"].as_str().unwrap().to_owned();
    assert!(id(&older) < id(&page), "newest first: {page} {older}");
}

#[tokio::test]
async fn what_the_database_cannot_hold_is_the_callers_fault() {
    let world = World::start().await;
    let api = &world.api;
    for path in [
        "devices?serial=%00",
        "devices?q=serial%20=%20%22%00%22",
        "devices/serial:%00",
        "jobs?kind=%00",
        "audit?text=%00",
        "audit?actor=%00",
        "users?after=%00",
    ] {
        let (status, why) = refused(api.request("GET", &format!("/api/v1/{path}"))).await;
        assert_eq!(status, 422, "{path}: {why}");
    }
    let nul = "a\0b";
    let name = json!({ "name": nul });
    let role = json!({ "name": "r", "rights": ["support"], "support": { "notes": nul } });
    let set = json!({ "kind": "set", "parameters": [{ "name": "Device.X", "value": nul }] });
    for (method, path, body) in [
        ("POST", "tokens", json!({ "name": nul, "scopes": ["read"] })),
        ("POST", "users", json!({ "login": nul })),
        ("POST", "users", json!({ "login": "ann", "display_name": nul })),
        ("POST", "roles", json!({ "name": nul, "rights": ["read"] })),
        ("POST", "roles", json!({ "name": "r", "rights": ["read"], "description": nul })),
        ("POST", "roles", role),
        ("POST", "sites", json!({ "path": nul })),
        ("POST", "sites", json!({ "path": "eu", "variables": { "a": nul } })),
        ("POST", "groups", json!({ "name": "g", "selector": nul })),
        ("POST", "groups", name.clone()),
        ("PATCH", "devices/serial:STANDING", json!({ "tags": [nul] })),
        ("POST", "devices/serial:STANDING/jobs", set),
        ("POST", "devices/serial:STANDING/reveal", name),
    ] {
        let request = api.request(method, &format!("/api/v1/{path}")).json(&body);
        let (status, why) = refused(request).await;
        assert_eq!(status, 422, "{method} {path} {body}: {why}");
    }
    let mut admin = Session::opened(&world.muster, "admin").await;
    for path in ["/devices?q=%00", "/search?q=%00", "/login?next=%00"] {
        let page = admin.get(path).await;
        assert!(page.status < 500, "{path}: {page:?}");
    }
    let page = Session::stranger(&world.muster).try_password("adm\0in", "x\0").await;
    assert_eq!(page.status, 422, "{page:?}");
}

#[tokio::test]
async fn users_and_roles_are_edited_by_version() {
    let world = World::start().await;
    let api = &world.api;
    for (path, change) in [
        (world.real("/api/v1/users/{user_id}").await, json!({ "display_name": "Ann" })),
        (world.real("/api/v1/roles/{role_id}").await, json!({ "description": "reads" })),
    ] {
        let response = api.request("GET", &path).send().await.unwrap();
        let tag = header(&response, "etag").unwrap().to_owned();
        let edit = |method: &str, tag: &str| {
            let request = api.request(method, &path).header("if-match", tag);
            request.json(&change)
        };
        let first = edit("PATCH", &tag).send().await.unwrap();
        assert_eq!(first.status(), 200, "{path}");
        let newer = header(&first, "etag").unwrap().to_owned();
        assert_ne!(newer, tag, "{path}");
        for method in ["PATCH", "DELETE"] {
            let (status, why) = refused(edit(method, &tag)).await;
            assert_eq!(status, 412, "{method} {path}: {why}");
        }
        assert_eq!(edit("PATCH", "*").send().await.unwrap().status(), 200);
        let response = api.request("GET", &path).send().await.unwrap();
        let newest = header(&response, "etag").unwrap().to_owned();
        assert_eq!(edit("DELETE", &newest).send().await.unwrap().status(), 204, "{path}");
    }
}
