//! The REST API as callers meet it: lists, problems, scopes, and a description that is true.

use serde_json::{Value, json};

use crate::harness::cpe::{inform, inform_with, meet};
use crate::harness::kit::{device_path, files_in, server};
use crate::harness::session::{ADMIN, Session};

fn serials(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|d| d["serial"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let (muster, api) = server().await;
    for n in 1..=5 {
        meet(muster.cwmp, &inform(&format!("API{n}"), &["2 PERIODIC"])).await;
    }
    let version = ("Device.DeviceInfo.SoftwareVersion", "6.49.10");
    meet(muster.cwmp, &inform_with("OLD", &["2 PERIODIC"], &[version])).await;

    let mut path = "/api/v1/devices?limit=4".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = api.get(&path).await;
        pages.push(serials(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/devices?limit=4&after={next}");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    let mut all = pages.concat();
    all.sort();
    assert_eq!(all, ["API1", "API2", "API3", "API4", "API5", "OLD"]);

    for (filter, expected) in [
        ("serial=API3", 1),
        ("serial=API", 0),
        ("product_class=hAP%20ac%C2%B2", 6),
        ("product_class=hAP", 0),
        ("software_version=7.16.1&serial=API1", 1),
        ("online=true", 6),
        ("online=false", 0),
    ] {
        let page = api.get(&format!("/api/v1/devices?{filter}")).await;
        assert_eq!(serials(&page).len(), expected, "{filter}");
    }
    sqlx::query("update devices set last_inform = now() - interval '1 day'")
        .execute(&muster.pool)
        .await
        .unwrap();
    let silent = api.get("/api/v1/devices?online=false").await;
    assert_eq!(serials(&silent).len(), 6);
    assert_eq!(silent["items"][0]["online"], false);
    let system = api.get("/api/v1/system").await;
    assert_eq!((&system["devices"], &system["devices_online"]), (&json!(6), &json!(0)));
    assert_eq!(system["auth"], "none");
}

#[tokio::test]
async fn a_devices_jobs_events_and_parameters_are_listed() {
    let (muster, api) = server().await;
    meet(muster.cwmp, &inform("ONE", &["0 BOOTSTRAP", "1 BOOT"])).await;
    let path = device_path("ONE");
    let device = api.get(&path).await;
    let by_id =
        api.get(&format!("/api/v1/devices/{}", device["device_id"].as_str().unwrap())).await;
    assert_eq!(by_id, device);
    for n in 0..3 {
        let job = json!({ "kind": "get", "names": [format!("Device.X{n}")], "wake": false });
        assert_eq!(api.call("POST", &format!("{path}/jobs"), Some(job)).await.0, 201);
    }
    let first = api.get("/api/v1/jobs?kind=get&state=queued&limit=2").await;
    let names = |page: &Value| -> Vec<Value> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|j| j["args"]["names"][0].clone()).collect()
    };
    assert_eq!(names(&first), ["Device.X2", "Device.X1"], "newest first");
    let before = first["next"].as_str().unwrap();
    let last = api.get(&format!("/api/v1/jobs?kind=get&limit=2&before={before}")).await;
    assert_eq!((names(&last), &last["next"]), (vec![json!("Device.X0")], &Value::Null));
    assert_eq!(names(&api.get("/api/v1/jobs?state=done").await).len(), 0);

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("{path}/events?limit=1{cursor}")).await;
        seen.push(page["items"][0]["kind"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&before={next}");
    }
    assert_eq!(seen, api.events("ONE").await);
    for kind in ["first_contact", "bootstrap", "boot", "job.created"] {
        assert!(seen.iter().any(|k| k == kind), "no {kind} in {seen:?}");
    }

    let parameters = api.get(&format!("{path}/parameters?prefix=Device.DeviceInfo.")).await;
    assert_eq!(parameters["items"].as_array().unwrap().len(), 3);
    assert_eq!(parameters["refreshed_at"], Value::Null, "an Inform is not the whole model");
    let found = api.get(&format!("{path}/parameters?search=7.16")).await;
    assert_eq!(found["items"][0]["name"], "Device.DeviceInfo.SoftwareVersion");
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn jobs_are_found_by_when_they_were_made_and_when_they_ended() {
    let (muster, api) = server().await;
    for serial in ["ONE", "TWO"] {
        meet(muster.cwmp, &inform(serial, &["2 PERIODIC"])).await;
    }
    let reboot = || json!({ "kind": "reboot" });
    let mut jobs = Vec::new();
    for (serial, state, hours) in
        [("ONE", "failed", 50), ("ONE", "expired", 3), ("ONE", "failed", 2), ("TWO", "failed", 1)]
    {
        let id = api.queue(serial, reboot()).await;
        sqlx::query(
            "update jobs set state = $2, finished_at = now() - make_interval(hours => $3),
                             created_at = now() - make_interval(hours => $3)
             where job_id = $1::uuid",
        )
        .bind(&id)
        .bind(state)
        .bind(hours)
        .execute(&muster.pool)
        .await
        .unwrap();
        jobs.push(id);
    }
    jobs.push(api.queue("TWO", reboot()).await);
    let found = async |query: &str| -> Vec<usize> {
        let list = api.get(&format!("/api/v1/jobs?kind=reboot{query}")).await;
        let place = |job: &Value| jobs.iter().position(|id| job["job_id"] == id.as_str()).unwrap();
        list["items"].as_array().unwrap().iter().map(place).collect()
    };
    let at = |hours: i64| {
        let at = chrono::Utc::now() - chrono::TimeDelta::hours(hours);
        at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    };
    let day = format!("&time=finished&since={}", at(24));
    assert_eq!(found("").await, [4, 3, 2, 1, 0]);
    assert_eq!(found(&day).await, [3, 2, 1], "one that is open has not ended");
    assert_eq!(found(&format!("{day}&state=failed")).await, [3, 2]);
    assert_eq!(found(&format!("{day}&state=failed,expired&newest=true")).await, [3, 2]);
    assert_eq!(found(&format!("{day}&state=expired&newest=true")).await, [1]);
    assert_eq!(found(&format!("&time=finished&until={}", at(24))).await, [0]);
    let hour = format!("&since={}&until={}", at(4), at(3));
    assert_eq!(found(&hour).await, [1], "when it was made");
    assert!(found(&format!("&since={}", at(0))).await.is_empty());
    let wrong = api.call("GET", "/api/v1/jobs?state=failed,broken", None).await;
    assert_eq!(wrong.0, 422, "{}", wrong.1);

    // The overview counts these, and leads to them.
    let mut admin = Session::opened(&muster, ADMIN).await;
    let overview = admin.get("/?whole=1").await.body.replace("&amp;", "&");
    let lists: Vec<&str> = overview
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .filter(|href| href.starts_with("/jobs?") && href.contains("since="))
        .collect();
    let rows = async |session: &mut Session, href: &str| {
        session.get(href).await.body.matches("<tr id=\"j-").count()
    };
    let mut counted = Vec::new();
    for href in lists {
        let newest = href.contains("newest=");
        counted.push((newest, rows(&mut admin, href).await));
    }
    // Two devices that are faulted; then two failed jobs and an expired one.
    assert_eq!(counted, [(true, 2), (false, 2), (false, 1)], "{overview}");
}

/// Sends a request that must fail, and checks the form of the answer.
async fn problem(request: reqwest::RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    let (got, url) = (response.status(), response.url().to_string());
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{url}: {text}");
    assert_eq!(headers["content-type"], "application/problem+json", "{url}: {text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&body["status"], &body["type"]), (&json!(status), &json!("about:blank")));
    assert!(!body["detail"].as_str().unwrap().is_empty() && body["title"].is_string(), "{body}");
    match status {
        401 => assert_eq!(headers["www-authenticate"], "Bearer"),
        405 => assert!(headers.contains_key("allow"), "{url}"),
        _ => {}
    }
    body
}

#[tokio::test]
async fn every_failure_is_a_problem() {
    let (muster, api) = server().await;
    meet(muster.cwmp, &inform("P1", &["2 PERIODIC"])).await;
    let none = "00000000-0000-7000-8000-000000000000";
    for path in [
        "/api/v1/devices/serial:P2".to_owned(),
        format!("/api/v1/devices/{none}"),
        "/api/v1/devices/nonsense".to_owned(),
        "/api/v1/jobs?device_id=serial:P2".to_owned(),
        format!("/api/v1/jobs?device_id={none}"),
        format!("/api/v1/jobs/{none}"),
        format!("/api/v1/artifacts/{none}"),
        "/api/v1/nothing".to_owned(),
        "/api/v2/devices".to_owned(),
    ] {
        problem(api.request("GET", &path), 404).await;
    }
    for (method, path) in [("DELETE", "/api/v1/jobs"), ("PUT", "/api/v1/devices")] {
        problem(api.request(method, path), 405).await;
    }
    for path in ["/api/v1/devices?serail=x", "/api/v1/devices?limit=x", "/api/v1/jobs?before=x"] {
        problem(api.request("GET", path), 400).await;
    }
    for path in ["/api/v1/devices?limit=0", "/api/v1/devices?limit=1001", "/api/v1/jobs?state=new"]
    {
        problem(api.request("GET", path), 422).await;
    }
    let jobs = format!("{}/jobs", device_path("P1"));
    for (body, pointer) in [
        (json!({ "kind": "get", "names": [] }), Some("/names")),
        (json!({ "kind": "get", "names": ["a b"] }), Some("/names/0")),
        (json!({ "kind": "reboot", "not_befor": "x" }), Some("/not_befor")),
        (json!({ "kind": "reboot", "not_before": "tomorrow" }), Some("/not_before")),
        (json!({ "kind": "delete_object", "object": "Device.X.1" }), Some("/object")),
        (json!({ "kind": "schedule_inform", "delay_seconds": 0 }), Some("/delay_seconds")),
        (json!({ "kind": "credentials" }), Some("/kind")),
        (json!({ "kind": "selfdestruct" }), None),
        (json!([]), None),
    ] {
        let found = problem(api.request("POST", &jobs).json(&body), 422).await;
        assert_eq!(found["pointer"].as_str(), pointer, "{body}: {found}");
    }
    let url = "Device.ManagementServer.URL";
    let set = json!({ "kind": "set", "parameters": [{ "name": url, "value": "http://x/" }] });
    problem(api.request("POST", &jobs).json(&set), 422).await;
    let json = ("content-type", "application/json");
    problem(api.request("POST", &jobs).header(json.0, json.1).body("{"), 400).await;
    problem(api.request("POST", &jobs).header("content-type", "text/plain").body("{}"), 415).await;
    let missing = format!("{}/jobs", device_path("P2"));
    problem(api.request("POST", &missing).json(&json!({ "kind": "reboot" })), 404).await;
}

#[tokio::test]
async fn a_token_opens_what_its_scope_says_until_it_is_revoked() {
    let (muster, api) = server().await;
    meet(muster.cwmp, &inform("T1", &["2 PERIODIC"])).await;
    let make = |scope: &str| {
        let (api, body) = (api.clone(), json!({ "name": scope, "scopes": [scope] }));
        async move {
            let (status, made) = api.call("POST", "/api/v1/tokens", Some(body)).await;
            assert_eq!(status, 201, "{made}");
            let text = |name: &str| made[name].as_str().unwrap().to_owned();
            (text("token_id"), api.with_token(&text("token")))
        }
    };
    let (_, reader) = make("read").await;
    let (operator_id, operator) = make("operate").await;
    let jobs = format!("{}/jobs", device_path("T1"));
    let reboot = || json!({ "kind": "reboot", "wake": false });
    let new_token = || json!({ "name": "x", "scopes": ["read"] });

    reader.get("/api/v1/devices").await;
    let denied = problem(reader.request("POST", &jobs).json(&reboot()), 403).await;
    assert_eq!(denied["detail"], "this needs the right `operate`");
    problem(reader.request("POST", "/api/v1/artifacts?name=x").body("x"), 403).await;
    problem(reader.request("GET", "/api/v1/tokens"), 403).await;

    let (status, job) = operator.call("POST", &jobs, Some(reboot())).await;
    assert_eq!((status, &job["created_by"]), (201, &json!("operate")));
    operator.get("/api/v1/jobs").await;
    problem(operator.request("POST", "/api/v1/tokens").json(&new_token()), 403).await;
    problem(operator.request("DELETE", &device_path("T1")), 403).await;

    let revoke = format!("/api/v1/tokens/{operator_id}");
    assert_eq!(api.call("DELETE", &revoke, None).await.0, 204);
    problem(operator.request("GET", "/api/v1/jobs"), 401).await;
    problem(api.request("DELETE", &revoke), 404).await;
    let list = api.get("/api/v1/tokens").await;
    let revoked = list["items"].as_array().unwrap().iter().find(|t| t["token_id"] == operator_id);
    assert!(revoked.unwrap()["revoked_at"].is_string(), "{list}");
    assert!(!list.to_string().contains("secret"), "{list}");

    let past = json!({ "name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z" });
    problem(api.request("POST", "/api/v1/tokens").json(&past), 422).await;
    sqlx::query("update api_tokens set expires_at = now() where name = 'read'")
        .execute(&muster.pool)
        .await
        .unwrap();
    problem(reader.request("GET", "/api/v1/devices"), 401).await;
}

#[tokio::test]
async fn wrong_tokens_are_held_back_and_good_ones_are_not() {
    let (muster, api) = server().await;
    let url = format!("http://{}/api/v1/devices", muster.web);
    problem(muster.http().get(&url), 401).await;
    problem(muster.http().get(&url).header("authorization", "Basic eDp5"), 401).await;
    problem(muster.http().get(&url).bearer_auth("nonsense"), 401).await;
    api.get("/api/v1/devices").await;
    let wrong = format!("mst_{}_wrong", "0123456789abcdef".repeat(2));
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let response = muster.http().get(&url).bearer_auth(&wrong).send().await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!((statuses[0], statuses[29]), (401, 429), "{statuses:?}");
    let held = problem(muster.http().get(&url).bearer_auth(&wrong), 429).await;
    assert!(held["detail"].as_str().unwrap().contains("wrong tokens"));
    api.get("/api/v1/devices").await;
}

#[tokio::test]
async fn the_description_is_true() {
    let (muster, _api) = server().await;
    let url = format!("http://{}/api/openapi.json", muster.web);
    let response = muster.http().get(url).send().await.unwrap();
    assert_eq!(response.status(), 200, "it needs no token");
    let description: Value = response.json().await.unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(description["info"]["title"].is_string() && description["info"]["version"].is_string());
    assert_eq!(description["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 15, "{}", paths.len());
    for (path, item) in paths {
        let address: Vec<&str> = path
            .split('/')
            .map(|part| match part.starts_with('{') {
                true => "00000000-0000-7000-8000-000000000000",
                false => part,
            })
            .collect();
        let url = format!("http://{}{}", muster.web, address.join("/"));
        for method in ["get", "put", "post", "delete", "patch"] {
            // Without a token, what exists says 401 and what does not says so.
            let expected = if item.get(method).is_some() { 401 } else { 405 };
            let verb = method.to_uppercase().parse().unwrap();
            problem(muster.http().request(verb, &url), expected).await;
        }
    }
    for path in ["/devices/{device_id}/jobs", "/jobs/{job_id}/cancel", "/artifacts"] {
        assert!(paths[&format!("/api/v1{path}")]["post"].is_object(), "{path}");
    }
}

#[tokio::test]
async fn files_are_stored_fetched_and_removed() {
    let (muster, api) = server().await;
    meet(muster.cwmp, &inform("F1", &["2 PERIODIC"])).await;
    let request = api.request("POST", "/api/v1/artifacts?name=tornis%207.rsc");
    let response = request.header("content-type", "text/plain").body("hello").send().await.unwrap();
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let artifact: Value = response.json().await.unwrap();
    assert_eq!((&artifact["name"], &artifact["size"]), (&json!("tornis 7.rsc"), &json!(5)));
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(artifact["sha256"], sha256);
    assert_eq!(api.get(&location).await, artifact);
    assert_eq!(api.get("/api/v1/artifacts").await["items"], json!([artifact]));
    let content = api.request("GET", &format!("{location}/content")).send().await.unwrap();
    assert_eq!(content.headers()["content-type"], "application/octet-stream");
    assert_eq!(content.text().await.unwrap(), "hello");

    problem(api.request("POST", "/api/v1/artifacts?name=a").body(""), 422).await;
    problem(api.request("POST", "/api/v1/artifacts?name=..%2Fa").body("x"), 422).await;
    problem(api.request("POST", "/api/v1/artifacts").body("x"), 400).await;

    let id = &artifact["artifact_id"];
    let job = json!({ "kind": "download", "artifact_id": id, "file": { "type": "alter" } });
    let job = api.queue("F1", job).await;
    problem(api.request("DELETE", &location), 409).await;
    assert_eq!(api.call("POST", &format!("/api/v1/jobs/{job}/cancel"), None).await.0, 200);
    assert_eq!(api.call("DELETE", &location, None).await.0, 204);
    problem(api.request("GET", &location), 404).await;
    problem(api.request("GET", &format!("{location}/content")), 404).await;
    // The two scripts of Muster's own stay.
    assert_eq!(files_in(&muster.data_dir().join("artifacts")), 2, "the bytes went, too");
}

#[tokio::test]
async fn enrolment_can_be_opened_to_a_device_again() {
    let (muster, api) = server().await;
    meet(muster.cwmp, &inform("E1", &["2 PERIODIC"])).await;
    let path = format!("{}/allow-enrolment", device_path("E1"));
    let (status, body) = api.call("POST", &path, Some(json!({ "hours": 2 }))).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["until"].is_string());
    assert!(api.events("E1").await.contains(&"enrolment.allowed".to_owned()));
    problem(api.request("POST", &path).json(&json!({ "hours": 0 })), 422).await;
    problem(api.request("POST", &path).json(&json!({ "hours": 1000 })), 422).await;
}
