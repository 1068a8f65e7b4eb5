//! Zero touch at the door: claims, who takes them, who waits, and who is sent away.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use muster_cwmp::encode::request_name;
use muster_cwmp::rpc::Request;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::acs::{NAME, answer, call, events, finish, values};
use crate::harness::cpe::{Cpe, Reply, envelope, inform};
use crate::harness::kit::{Api, device_path};
use crate::harness::{LAB, Muster};

/// Nobody is let in but who is expected.
const SHUT: (&str, &str) = ("MUSTER_ZERO_TOUCH__UNKNOWN", "quarantine");
/// Devices are asked who they are, in the simplest way.
const ASKED: (&str, &str) = ("MUSTER_ACS__OFFER_BASIC", "always");
/// A port of the device that [`play`] plays.
const PORT: &str = "Device.Ethernet.Interface.1.MACAddress";
/// What may be asked of a device that waits.
const READS: [&str; 2] = ["GetParameterNames", "GetParameterValues"];

async fn lab(unknown: &str) -> (Muster, Api) {
    let mut muster = Muster::start(&[LAB[0], ("MUSTER_ZERO_TOUCH__UNKNOWN", unknown)]).await;
    let api = Api::of(&mut muster);
    (muster, api)
}

async fn make(api: &Api, path: &str, body: Value) -> Value {
    let (status, made) = api.call("POST", path, Some(body)).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn make_sites(api: &Api, paths: &[&str]) {
    for path in paths {
        make(api, "/api/v1/sites", json!({ "path": path })).await;
    }
}

/// Sends a table; gives status and answer.
async fn table(api: &Api, verb: &str, query: &[(&str, &str)], bytes: &[u8]) -> (u16, Value) {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let request = api.request("POST", &format!("/api/v1/claims/{verb}?{query}"));
    let request = request.header("content-type", "text/csv").body(bytes.to_vec());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The claim of this serial number.
async fn claim(api: &Api, serial: &str) -> Value {
    let page = api.get(&format!("/api/v1/claims?q={serial}")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    page["items"][0].clone()
}

/// A device informs; the session goes on.
async fn come(muster: &Muster, serial: &str) -> (Cpe, Reply) {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = cpe.post(&inform(serial, &["2 PERIODIC"])).await;
    (cpe, reply)
}

/// The same of a whole session; gives what it was asked.
async fn visit(muster: &Muster, serial: &str) -> Vec<&'static str> {
    let (mut cpe, reply) = come(muster, serial).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    finish(&mut cpe).await
}

/// Informs with this user name and password.
async fn come_as(muster: &Muster, serial: &str, login: (&str, &str)) -> (Cpe, Reply) {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", login.0, login.1)));
    let headers = [("Content-Type", "text/xml"), ("Authorization", basic.as_str())];
    let message = inform(serial, &["0 BOOTSTRAP", "1 BOOT"]);
    let reply = cpe.post_with(message.as_bytes(), &headers).await;
    (cpe, reply)
}

/// Plays a device whose port has this address, to the session's end; gives what it was asked.
async fn play(cpe: &mut Cpe, mac: &str) -> Vec<&'static str> {
    let mut asked = Vec::new();
    let mut reply = cpe.empty().await;
    while reply.status == 200 {
        let request = call(&reply);
        asked.push(request_name(&request));
        let text = match &request {
            Request::GetParameterValues(_) => values(&[(PORT, mac), (NAME, "")]),
            Request::GetParameterNames(_) => names(),
            other => answer(other),
        };
        reply = cpe.post(&text).await;
    }
    assert_eq!(reply.status, 204, "{reply:?}");
    asked
}

fn names() -> String {
    let interface = "Device.Ethernet.Interface.";
    let all =
        ["Device.", "Device.Ethernet.", interface, "Device.Ethernet.Interface.1.", PORT, NAME];
    let entry = |name: &str| {
        format!(
            "<ParameterInfoStruct><Name>{name}</Name><Writable>0</Writable></ParameterInfoStruct>"
        )
    };
    let entries: String = all.into_iter().map(entry).collect();
    envelope(&format!(
        "<cwmp:GetParameterNamesResponse><ParameterList>{entries}</ParameterList>\
         </cwmp:GetParameterNamesResponse>"
    ))
}

#[tokio::test]
async fn a_table_is_told_line_by_line_and_imported_whole_or_not_at_all() {
    let (_muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu", "eu.lv"]).await;
    make(&api, "/api/v1/profiles", json!({ "name": "home" })).await;
    // As a spreadsheet of western Europe writes it.
    let text = "\u{feff}Serial Number;MAC;Site;Profile;Customer;var.ppp_user;var.ppp_password\r\n\
                S1;e4-8d-8c-00-00-01;eu.lv;home;4711;jānis;hunter2\r\n\
                \r\n\
                S2;;nowhere;;;;\r\n\
                s1;;;;;;\r\n\
                ;E48D8C0000;;;;;\r\n\
                S3;;;garden;;;\r\n\
                S4;;;;;;\r\n";
    let (status, told) = table(&api, "preview", &[("site", "eu")], text.as_bytes()).await;
    assert_eq!(status, 200, "{told}");
    let lines: Vec<(u64, &str)> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["verdict"].as_str().unwrap()))
        .collect();
    let expected =
        [(2, "new"), (4, "wrong"), (5, "conflict"), (6, "wrong"), (7, "wrong"), (8, "new")];
    assert_eq!(lines, expected, "{told}");
    let words = |row: usize| told["rows"][row]["words"].as_str().unwrap();
    assert!(words(1).contains("no site nowhere"), "{told}");
    assert!(words(2).contains("line 2 has the same serial number"), "{told}");
    assert!(words(3).starts_with("mac: ") && words(4).contains("no profile `garden`"), "{told}");
    assert_eq!(
        told["counts"],
        json!({ "new": 2, "changes": 0, "same": 0, "conflict": 1, "wrong": 3 })
    );
    assert_eq!((&told["separator"], &told["encoding"]), (&json!(";"), &json!("utf8")));
    assert!(!told.to_string().contains("hunter2"), "{told}");
    assert_eq!(api.get("/api/v1/claims").await["items"], json!([]), "nothing is stored");

    let (status, refused) = table(&api, "import", &[("site", "eu")], text.as_bytes()).await;
    assert_eq!(status, 422, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("line 4: there is no site"), "{refused}");
    assert_eq!(api.get("/api/v1/claims").await["items"], json!([]), "not at all");

    let sha256 = told["sha256"].as_str().unwrap();
    let query = [("site", "eu"), ("skip_wrong", "true"), ("expected", sha256)];
    let (status, done) = table(&api, "import", &query, text.as_bytes()).await;
    assert_eq!((status, &done["counts"]["new"]), (200, &json!(2)), "{done}");
    let first = claim(&api, "S1").await;
    assert_eq!((&first["site"], &first["profile"]), (&json!("eu.lv"), &json!("home")));
    assert_eq!((&first["mac"], &first["state"]), (&json!("E4:8D:8C:00:00:01"), &json!("open")));
    assert_eq!(first["variables"], json!({ "ppp_user": "jānis", "ppp_password": "********" }));
    assert_eq!(claim(&api, "S4").await["site"], "eu");
    // It would do something else by now.
    let (status, stale) = table(&api, "import", &query, text.as_bytes()).await;
    assert_eq!(status, 412, "{stale}");

    let export = api.request("GET", "/api/v1/claims/export").send().await.unwrap();
    let export = export.text().await.unwrap();
    assert!(export.contains("S1,E4:8D:8C:00:00:01") && !export.contains("hunter2"), "{export}");
    let (status, told) = table(&api, "preview", &[], export.as_bytes()).await;
    assert_eq!((status, &told["counts"]["same"]), (200, &json!(2)), "{told}");
    let (_, told) = table(&api, "preview", &[], b"serial,customer\nS1,Andr\xe9\n").await;
    assert_eq!(
        (&told["encoding"], &told["rows"][0]["verdict"]),
        (&json!("latin1"), &json!("changes"))
    );
    assert_eq!(told["rows"][0]["claim"]["customer"], "André");
    assert_eq!(told["rows"][0]["words"], "customer");

    for (bytes, words) in [
        (b"serial,customer\nS1,\xc4\x81\nS2,\xe9\n".to_vec(), "line 3: "),
        (b"serial,colour\nS1,red\n".to_vec(), "line 1: there is no column `colour`"),
        (b"customer\n4711\n".to_vec(), "line 1: there is no column `serial`"),
        (b"serial\nS1\0\n".to_vec(), "line 2: "),
        (Vec::new(), "line 1: the file is empty"),
    ] {
        let (status, problem) = table(&api, "preview", &[], &bytes).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(words), "{problem}");
    }
}

#[tokio::test]
async fn a_device_is_what_its_claim_says_from_first_contact_on() {
    let (mut muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu"]).await;
    make(&api, "/api/v1/profiles", json!({ "name": "home" })).await;
    let body = json!({
        "serial": "expected1", "site": "eu", "profile": "home", "tags": ["pilot"], "model": "hEX",
        "customer": "4711", "variables": { "wifi_password": "hunter22", "wifi_name": "Attic" },
        "factory_password": "hunter33",
    });
    let made = make(&api, "/api/v1/claims", body.clone()).await;
    assert!(!made.to_string().contains("hunter"), "{made}");
    let (status, problem) = api.call("POST", "/api/v1/claims", Some(body)).await;
    assert_eq!(status, 409, "{problem}");
    let path = format!("/api/v1/claims/{}", made["claim_id"].as_str().unwrap());
    let patch = json!({ "customer": "4712", "factory_password": "********" });
    let (status, changed) = api.call("PATCH", &path, Some(patch)).await;
    assert_eq!((status, &changed["customer"]), (200, &json!("4712")), "{changed}");
    assert_eq!(changed["factory_password"], "********");

    // In any case of letters.
    let asked = visit(&muster, "EXPECTED1").await;
    assert!(asked.contains(&"SetParameterValues"), "it is told its credentials: {asked:?}");
    let device = api.get(&device_path("EXPECTED1")).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["pilot"])));
    assert_eq!((&device["customer"], &device["quarantined_at"]), (&json!("4712"), &Value::Null));
    let found = api.get("/api/v1/devices?q=customer%3D4712%20and%20not%20quarantined").await;
    assert_eq!(found["items"][0]["serial"], "EXPECTED1");
    let taken = api.get(&path).await;
    assert_eq!((&taken["state"], &taken["device_id"]), (&json!("taken"), &device["device_id"]));
    let told = events(&mut muster, "EXPECTED1", "claim.taken").await;
    assert_eq!(told.len(), 1);
    assert!(told[0]["detail"]["warning"].as_str().unwrap().contains("hEX"), "{told:?}");
    let (profile, variables): (Option<String>, Value) = sqlx::query_as(
        "select p.name, d.variables from device_desired d left join profiles p using (profile_id)",
    )
    .fetch_one(&muster.pool)
    .await
    .unwrap();
    assert_eq!((profile.as_deref(), &variables["wifi_name"]), (Some("home"), &json!("Attic")));
    assert!(variables["wifi_password"].is_object(), "sealed: {variables}");

    let (status, problem) = api.call("PATCH", &path, Some(json!({ "site": null }))).await;
    assert_eq!(status, 409, "{problem}");
    // It is open again when the device is gone.
    assert_eq!(api.call("DELETE", &device_path("EXPECTED1"), None).await.0, 204);
    assert_eq!(api.get(&path).await["state"], "open");
    visit(&muster, "EXPECTED1").await;
    assert_eq!(api.get(&path).await["state"], "taken");
    let (status, shown) = api.call("POST", &format!("{path}/credential"), None).await;
    assert_eq!((status, &shown["factory_password"]), (200, &json!("hunter33")), "{shown}");
    assert!(!muster.log().contains("hunter"), "a password is in the log");
}

#[tokio::test]
async fn who_is_not_expected_waits_is_read_and_is_sent_nothing_else() {
    let (mut muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu"]).await;
    for _ in 0..2 {
        let asked = visit(&muster, "STRANGER").await;
        assert!(asked.iter().all(|method| READS.contains(method)), "{asked:?}");
    }
    assert_eq!(events(&mut muster, "STRANGER", "quarantined").await.len(), 1);
    let path = device_path("STRANGER");
    let device = api.get(&path).await;
    assert!(device["quarantined_at"].is_string() && device["refreshed_at"].is_string(), "{device}");
    assert!(device["quarantine_reason"].as_str().unwrap().contains("nobody claimed"), "{device}");
    let waiting = api.get("/api/v1/quarantine").await;
    assert_eq!(waiting["items"][0]["serial"], "STRANGER");

    for (what, body) in [("jobs", Some(json!({ "kind": "reboot" }))), ("wake", None)] {
        let (status, problem) = api.call("POST", &format!("{path}/{what}"), body).await;
        assert_eq!(status, 409, "{what}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("quarantine"), "{problem}");
    }
    let many = json!({ "selector": "quarantined", "expected": 1, "job": { "kind": "reboot" } });
    let (status, made) = api.call("POST", "/api/v1/jobs/bulk", Some(many)).await;
    assert!(status < 300 && made["skipped"] == 1, "{status} {made}");

    let wrong = json!({ "site": "nowhere" });
    assert_eq!(api.call("POST", &format!("{path}/accept"), Some(wrong)).await.0, 422);
    let given = json!({ "site": "eu", "tags": ["pilot"], "customer": "7" });
    let (status, device) = api.call("POST", &format!("{path}/accept"), Some(given)).await;
    assert_eq!(status, 200, "{device}");
    assert_eq!((&device["site"], &device["quarantined_at"]), (&json!("eu"), &Value::Null));
    assert_eq!(claim(&api, "STRANGER").await["state"], "taken");
    let (status, problem) = api.call("POST", &format!("{path}/accept"), Some(json!({}))).await;
    assert_eq!(status, 409, "{problem}");
    let asked = visit(&muster, "STRANGER").await;
    assert!(asked.contains(&"SetParameterValues") && asked.contains(&"GetRPCMethods"), "{asked:?}");

    visit(&muster, "OTHER").await;
    let other = "/api/v1/quarantine/serial:OTHER";
    assert_eq!(api.call("DELETE", other, None).await.0, 204);
    assert_eq!(api.call("DELETE", other, None).await.0, 404);
    assert_eq!(api.call("DELETE", "/api/v1/quarantine/serial:STRANGER", None).await.0, 409);
}

#[tokio::test]
async fn a_claim_that_comes_later_lets_in_who_waits() {
    let (muster, api) = lab("quarantine").await;
    visit(&muster, "EARLY").await;
    visit(&muster, "EARLY").await;
    make(&api, "/api/v1/claims", json!({ "serial": "EARLY" })).await;
    // It says nothing new, and is looked at all the same.
    let asked = visit(&muster, "EARLY").await;
    assert!(asked.contains(&"SetParameterValues"), "{asked:?}");
    assert!(api.get(&device_path("EARLY")).await["quarantined_at"].is_null());
}

#[tokio::test]
async fn rules_let_in_whom_nobody_claimed_the_first_that_fits() {
    let (mut muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu", "us"]).await;
    let rules = "/api/v1/accept-rules";
    let rest = json!({ "name": "rest", "selector": "manufacturer = MikroTik", "site": "us" });
    make(&api, rules, rest).await;
    let first = json!({ "name": "lab", "selector": "serial ~ LAB*", "site": "eu", "tags": ["lab"],
                        "position": 1 });
    let first = make(&api, rules, first).await;
    for (body, status) in [
        (json!({ "name": "lab", "selector": "site" }), 409),
        (json!({ "name": "x", "selector": "modle = x" }), 422),
        (json!({ "name": "x", "selector": "site", "site": "asia" }), 422),
        (json!({ "name": "x", "selector": "site", "profile": "none" }), 422),
    ] {
        assert_eq!(api.call("POST", rules, Some(body.clone())).await.0, status, "{body}");
    }
    let order: Vec<Value> = api.get(rules).await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| json!([rule["position"], rule["name"]]))
        .collect();
    assert_eq!(order, [json!([1, "lab"]), json!([2, "rest"])]);
    visit(&muster, "LAB1").await;
    let device = api.get(&device_path("LAB1")).await;
    assert_eq!((&device["site"], &device["tags"]), (&json!("eu"), &json!(["lab"])));
    let told = events(&mut muster, "LAB1", "admitted").await;
    assert_eq!(told[0]["detail"]["rule"], "lab");
    visit(&muster, "HOME1").await;
    assert_eq!(api.get(&device_path("HOME1")).await["site"], "us");

    let path = format!("{rules}/{}", first["rule_id"].as_str().unwrap());
    let off = json!({ "enabled": false, "position": 2 });
    let (status, changed) = api.call("PATCH", &path, Some(off)).await;
    assert_eq!((status, &changed["position"]), (200, &json!(2)), "{changed}");
    visit(&muster, "LAB2").await;
    assert_eq!(api.get(&device_path("LAB2")).await["site"], "us");
    assert_eq!(api.call("DELETE", &path, None).await.0, 204);
    assert_eq!(api.get(rules).await["items"][0]["position"], 1);
}

#[tokio::test]
async fn who_is_refused_leaves_nothing_behind() {
    let (muster, api) = lab("refuse").await;
    make(&api, "/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    for _ in 0..2 {
        let (_cpe, reply) = come(&muster, "STRANGER").await;
        assert_eq!(reply.status, 403, "{reply:?}");
    }
    visit(&muster, "EXPECTED").await;
    let known: Vec<String> = sqlx::query_scalar(
        "select f.serial from devices d left join device_facts f using (device_id)",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap();
    assert_eq!(known, ["EXPECTED"]);
    assert!(muster.log().contains("unclaimed"));
}

#[tokio::test]
async fn a_claim_by_address_is_found_when_the_address_is_read() {
    let (muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu"]).await;
    make(&api, "/api/v1/claims", json!({ "mac": "e48d.8c00.0007", "site": "eu" })).await;
    let (mut cpe, reply) = come(&muster, "NAMELESS").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = play(&mut cpe, "E4:8D:8C:00:00:07").await;
    let told = asked.iter().position(|method| *method == "SetParameterValues");
    let read = asked.iter().position(|method| *method == "GetParameterValues");
    assert!(read.is_some() && told > read, "in the same session, after it was read: {asked:?}");
    let device = api.get(&device_path("NAMELESS")).await;
    assert_eq!((&device["site"], &device["quarantined_at"]), (&json!("eu"), &Value::Null));

    let (mut cpe, _) = come(&muster, "ANOTHER").await;
    play(&mut cpe, "E4:8D:8C:00:00:08").await;
    assert!(api.get(&device_path("ANOTHER")).await["quarantined_at"].is_string());
}

#[tokio::test]
async fn who_is_in_takes_no_claim_by_address_but_from_somebody_who_may_give_it() {
    let (muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu"]).await;
    let us = make(&api, "/api/v1/sites", json!({ "path": "us" })).await;
    let rule = json!({ "name": "rest", "selector": "manufacturer = MikroTik", "site": "us" });
    make(&api, "/api/v1/accept-rules", rule).await;
    let body = json!({ "mac": "e48d.8c00.0007", "site": "eu", "customer": "4711" });
    let made = make(&api, "/api/v1/claims", body).await;
    let path = format!("/api/v1/claims/{}", made["claim_id"].as_str().unwrap());

    let (mut cpe, reply) = come(&muster, "GREEDY").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    play(&mut cpe, "E4:8D:8C:00:00:07").await;
    let device = api.get(&device_path("GREEDY")).await;
    assert_eq!((&device["site"], &device["customer"]), (&json!("us"), &Value::Null));
    let refused = api.get(&path).await;
    assert_eq!(refused["state"], "refused", "{refused}");
    let why = "the device GREEDY, which is in already, has this address: accept it by hand";
    assert_eq!(refused["refused"], why);
    let since = admitted_at(&muster, "GREEDY").await;
    assert!(since.is_some(), "by a rule");

    // To operate where the device stands is not enough.
    let token = json!({ "name": "us", "scopes": ["operate"], "site_id": us["site_id"] });
    let token = make(&api, "/api/v1/tokens", token).await;
    let accept = format!("{}/accept", device_path("GREEDY"));
    let there = api.with_token(token["token"].as_str().unwrap());
    assert_eq!(there.call("POST", &accept, Some(json!({}))).await.0, 403);
    assert_eq!(api.get(&path).await["state"], "refused");
    let (status, device) = api.call("POST", &accept, Some(json!({}))).await;
    assert_eq!(status, 200, "{device}");
    assert_eq!((&device["site"], &device["customer"]), (&json!("eu"), &json!("4711")));
    assert_eq!(api.get(&path).await["state"], "taken");
    assert_eq!(admitted_at(&muster, "GREEDY").await, since, "it is no new device by that");
    assert_eq!(api.call("POST", &accept, Some(json!({}))).await.0, 409);
}

/// When a device was let in by a claim, a rule or somebody.
async fn admitted_at(muster: &Muster, serial: &str) -> Option<DateTime<Utc>> {
    sqlx::query_scalar("select admitted_at from device_facts where serial = $1")
        .bind(serial)
        .fetch_one(&muster.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn who_is_let_in_because_all_are_is_not_new_and_who_is_expected_is() {
    let (muster, api) = lab("accept").await;
    make(&api, "/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    visit(&muster, "EXPECTED").await;
    visit(&muster, "ANYBODY").await;
    assert!(admitted_at(&muster, "EXPECTED").await.is_some());
    assert_eq!(admitted_at(&muster, "ANYBODY").await, None);
}

#[tokio::test]
async fn only_who_is_named_is_looked_at_again() {
    let (muster, api) = lab("quarantine").await;
    for serial in ["ONE", "OTHER"] {
        visit(&muster, serial).await;
    }
    for (serial, mac) in [("PORT7", "E4:8D:8C:00:00:07"), ("PORT8", "E4:8D:8C:00:00:08")] {
        let (mut cpe, _) = come(&muster, serial).await;
        play(&mut cpe, mac).await;
    }
    for (claim, named) in [
        (json!({ "serial": "one" }), vec!["ONE"]),
        // With a serial number it is for no other device.
        (json!({ "serial": "NOBODY", "mac": "e48d.8c00.0008" }), vec!["ONE"]),
        (json!({ "mac": "e48d.8c00.0007" }), vec!["ONE", "PORT7"]),
    ] {
        make(&api, "/api/v1/claims", claim).await;
        assert_eq!(looked_at_again(&muster).await, named);
    }
    make(&api, "/api/v1/accept-rules", json!({ "name": "lab", "selector": "serial = X" })).await;
    assert_eq!(looked_at_again(&muster).await, ["ONE", "OTHER", "PORT7", "PORT8"]);
}

/// Devices whose next Inform is news whatever it says.
async fn looked_at_again(muster: &Muster) -> Vec<String> {
    sqlx::query_scalar(
        "select f.serial from devices d join device_facts f using (device_id)
         where d.inform_hash = '' order by f.serial",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn no_more_wait_than_there_is_room_for() {
    let (muster, api) = lab("quarantine").await;
    make(&api, "/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    visit(&muster, "EARLY").await;
    sqlx::query(
        "insert into device_facts (device_id, manufacturer, oui, product_class, serial, auth,
                                   namespace, updated_at, quarantined_at, quarantine_reason)
         select gen_random_uuid(), 'x', '000000', 'x', 'W' || n, 'none', 'x', now(), now(), 'x'
         from generate_series(2, $1) as n",
    )
    .bind(muster::fleet::admission::MAX_WAITING)
    .execute(&muster.pool)
    .await
    .unwrap();
    let (_cpe, reply) = come(&muster, "STRANGER").await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(muster.log().contains("unclaimed"));
    // Who waits, and who is expected, comes as ever.
    visit(&muster, "EARLY").await;
    visit(&muster, "EXPECTED").await;
    assert!(api.get(&device_path("EXPECTED")).await["quarantined_at"].is_null());
    sqlx::query("delete from device_facts where serial = 'W2'")
        .execute(&muster.pool)
        .await
        .unwrap();
    visit(&muster, "STRANGER").await;
    assert!(api.get(&device_path("STRANGER")).await["quarantined_at"].is_string());
}

#[tokio::test]
async fn who_waits_and_is_silent_for_a_month_is_forgotten() {
    let (muster, api) = lab("quarantine").await;
    make(&api, "/api/v1/claims", json!({ "serial": "EXPECTED" })).await;
    for serial in ["EXPECTED", "SILENT", "HEARD"] {
        visit(&muster, serial).await;
    }
    for statement in [
        "update device_facts set quarantined_at = now() - interval '31 days'
         where quarantined_at is not null",
        "update devices set last_inform = now() - interval '31 days'
         where device_id in (select device_id from device_facts where serial <> 'HEARD')",
    ] {
        sqlx::query(statement).execute(&muster.pool).await.unwrap();
    }
    let expire = muster::fleet::admission::expire;
    assert_eq!(expire(&muster.pool, Utc::now()).await.unwrap(), 1);
    assert_eq!(expire(&muster.pool, Utc::now()).await.unwrap(), 0);
    let left: Vec<String> = sqlx::query_scalar(
        "select f.serial from devices d join device_facts f using (device_id) order by f.serial",
    )
    .fetch_all(&muster.pool)
    .await
    .unwrap();
    assert_eq!(left, ["EXPECTED", "HEARD"]);
}

#[tokio::test]
async fn who_lies_about_its_serial_number_does_not_get_a_claim_with_its_own_credential() {
    let mut muster = Muster::start(&[SHUT, ASKED]).await;
    let api = Api::of(&mut muster);
    make_sites(&api, &["eu"]).await;
    let (user, password) = muster.enrolment();
    let enrolment = (user.as_str(), password.as_str());
    let body = json!({ "serial": "PRECIOUS", "site": "eu", "own_credential": true,
                       "variables": { "ppp_password": "hunter2" } });
    let made = make(&api, "/api/v1/claims", body).await;
    let path = format!("/api/v1/claims/{}", made["claim_id"].as_str().unwrap());

    // It knows what every new device knows, and the serial number from somebody's box.
    let (mut cpe, reply) = come_as(&muster, "PRECIOUS", enrolment).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = finish(&mut cpe).await;
    assert!(asked.iter().all(|method| READS.contains(method)), "{asked:?}");
    let liar = api.get(&device_path("PRECIOUS")).await;
    assert!(liar["quarantined_at"].is_string() && liar["site"].is_null(), "{liar}");
    let refused = api.get(&path).await;
    assert_eq!(refused["state"], "refused", "{refused}");
    assert!(refused["refused"].as_str().unwrap().contains("credential"), "{refused}");

    let (status, shown) = api.call("POST", &format!("{path}/credential"), None).await;
    assert_eq!(status, 200, "{shown}");
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    let (user, password) = (text("username"), text("password"));
    let wrong = format!("{password}x");
    assert_eq!(come_as(&muster, "PRECIOUS", (&user, &wrong)).await.1.status, 401);
    // The credential is good for its own claim, and for no other serial number.
    let (mut cpe, reply) = come_as(&muster, "THIEF", (&user, &password)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    finish(&mut cpe).await;
    let thief = api.get(&device_path("THIEF")).await;
    assert!(thief["quarantine_reason"].as_str().unwrap().contains("PRECIOUS"), "{thief}");
    assert_eq!(api.get(&path).await["state"], "refused");

    let (mut cpe, reply) = come_as(&muster, "PRECIOUS", (&user, &password)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = finish(&mut cpe).await;
    assert!(asked.contains(&"SetParameterValues"), "it gets its own: {asked:?}");
    let device = api.get(&device_path("PRECIOUS")).await;
    assert_eq!((&device["site"], &device["auth"]), (&json!("eu"), &json!("claim")));
    assert_eq!(api.get(&path).await["state"], "taken");
    // It has not used its own credential yet: nobody else is it all the same.
    assert_eq!(come_as(&muster, "PRECIOUS", enrolment).await.1.status, 401);
    let (_cpe, reply) = come_as(&muster, "PRECIOUS", (&user, &password)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!muster.log().contains(&password), "a password is in the log");
}

#[tokio::test]
async fn claims_move_with_their_sites_and_are_seen_where_they_are_for() {
    let (_muster, api) = lab("quarantine").await;
    make_sites(&api, &["eu", "us"]).await;
    let site = make(&api, "/api/v1/sites", json!({ "path": "eu.lv" })).await;
    let site_id = site["site_id"].as_str().unwrap().to_owned();
    for (serial, place) in [("A1", Some("eu.lv")), ("A2", Some("us")), ("A3", None)] {
        make(&api, "/api/v1/claims", json!({ "serial": serial, "site": place })).await;
    }
    let token = json!({ "name": "latvia", "scopes": ["operate"], "site_id": site_id });
    let token = make(&api, "/api/v1/tokens", token).await;
    let latvia = api.with_token(token["token"].as_str().unwrap());
    let seen = latvia.get("/api/v1/claims").await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
    let path = format!("/api/v1/claims/{}", claim(&api, "A2").await["claim_id"].as_str().unwrap());
    assert_eq!(latvia.call("GET", &path, None).await.0, 404);
    assert_eq!(latvia.call("DELETE", &path, None).await.0, 404);
    for body in [json!({ "serial": "A4" }), json!({ "serial": "A4", "site": "us" })] {
        assert_eq!(latvia.call("POST", "/api/v1/claims", Some(body)).await.0, 403);
    }
    let (_, told) =
        table(&latvia, "preview", &[], b"serial,site\nA4,eu.lv\nA5,us\nA2,eu.lv\n").await;
    let verdicts: Vec<&str> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["new", "wrong", "conflict"], "{told}");

    let moved = json!({ "path": "eu.latvia" });
    let (status, _) = api.call("PATCH", &format!("/api/v1/sites/{site_id}"), Some(moved)).await;
    assert_eq!(status, 200);
    assert_eq!(claim(&api, "A1").await["site"], "eu.latvia");
    let us = api.get("/api/v1/sites?under=us").await["items"][0]["site_id"].clone();
    let us = format!("/api/v1/sites/{}", us.as_str().unwrap());
    let (status, problem) = api.call("DELETE", &us, None).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(api.call("DELETE", &format!("{us}?move_to=eu"), None).await.0, 204);
    assert_eq!(claim(&api, "A2").await["site"], "eu");
}
