//! Webhooks: what happens reaches who is to be told, signed, once it can, and never goes where it
//! must not.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use muster::store::{deliveries, events};
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::PgPool;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::harness::cpe::{Cpe, inform, inform_with};
use crate::harness::kit::{Api, device_path};
use crate::harness::session::{ADMIN, Session};
use crate::harness::{Muster, eventually};

/// Receivers of tests are on this host.
const SETTINGS: &[(&str, &str)] =
    &[("MUSTER_ACS__AUTH", "none"), ("MUSTER_NOTIFY__ALLOWED_NETWORKS", "127.0.0.0/8")];

/// A call as it came.
#[derive(Debug, Clone)]
struct Call {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether whoever knows the secret sent this very body.
    fn is_signed(&self, secret: &str) -> bool {
        let (time, hex) = self.header("muster-signature").split_once(',').unwrap();
        let (time, hex) = (time.strip_prefix("t=").unwrap(), hex.strip_prefix("v1=").unwrap());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(&self.body);
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let age = chrono::Utc::now().timestamp() - time.parse::<i64>().unwrap();
        let own: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        age.abs() < 60 && own == hex
    }
}

/// Something that is called. It answers what it was told to, and 200 after that.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            calls: Arc::default(),
            answers: Arc::default(),
        };
        let router = Router::new().route("/hook", post(called)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn will_answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The first call of a kind, once it came.
    async fn told(&self, kind: &str) -> Call {
        eventually(&format!("it is told of {kind}"), || async {
            self.calls().into_iter().find(|call| call.header("muster-event") == kind)
        })
        .await
    }
}

async fn called(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.calls.lock().unwrap().push(Call { headers, body: body.to_vec() });
    let answer = receiver.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

async fn server() -> (Muster, Api) {
    let mut muster = Muster::start(SETTINGS).await;
    let api = Api::of(&mut muster);
    (muster, api)
}

/// Makes a webhook; gives its id and its secret.
async fn hook(
    api: &Api,
    name: &str,
    url: &str,
    kinds: &[&str],
    site: Option<&str>,
) -> (String, String) {
    let body = json!({ "name": name, "url": url, "kinds": kinds, "site": site });
    let (status, made) = api.call("POST", "/api/v1/webhooks", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("webhook_id"), text("secret"))
}

/// What a webhook was told, newest first.
async fn told(api: &Api, webhook_id: &str) -> Vec<Value> {
    let page = api.get(&format!("/api/v1/webhooks/{webhook_id}/deliveries")).await;
    page["items"].as_array().unwrap().clone()
}

/// The newest delivery of a webhook, once that is so.
async fn newest(api: &Api, webhook_id: &str, what: &str, is_so: fn(&Value) -> bool) -> Value {
    eventually(what, || async { told(api, webhook_id).await.into_iter().next().filter(is_so) })
        .await
}

/// Lets the time of the next attempt come.
async fn due_now(pool: &PgPool) {
    sqlx::query("update deliveries set next_at = now() where state = 'queued'")
        .execute(pool)
        .await
        .unwrap();
}

async fn meet(muster: &Muster, message: &str) {
    let reply = Cpe::connect(muster.cwmp).await.post(message).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

async fn device_id(api: &Api, serial: &str) -> Uuid {
    let device = api.get(&device_path(serial)).await;
    device["device_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_happens_is_posted_and_signed() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let kinds = ["device.first_seen", "device.crashed", "rollout.state"];
    let (id, secret) = hook(&api, "noc", &receiver.url(), &kinds, None).await;
    let crash = |at| {
        let crash = [("Device.DeviceInfo.X_MIKROTIK_AutosupoutTime", at)];
        inform_with("HOOK1", &["1 BOOT"], &crash)
    };
    meet(&muster, &crash("0001-01-01T00:00:00Z")).await;
    let call = receiver.told("device.first_seen").await;
    assert!(call.is_signed(&secret) && !call.is_signed("another"), "{call:?}");
    let body = call.json();
    assert_eq!(body["id"], call.header("muster-delivery"));
    assert_eq!(
        (&body["kind"], &body["device"]["serial"]),
        (&json!("device.first_seen"), &json!("HOOK1"))
    );
    assert_eq!(body["device"]["version"], "7.16.1");
    assert_eq!(body["detail"]["auth"], "none");

    meet(&muster, &crash("2026-11-22T09:30:00Z")).await;
    let call = receiver.told("device.crashed").await;
    assert_eq!(call.json()["detail"]["crash_at"], "2026-11-22T09:30:00Z");

    let parameter = json!({ "name": "Device.DeviceInfo.ProvisioningCode", "value": "x" });
    let rollout = json!({ "name": "spring", "audience": { "selector": "serial = NOBODY" },
                          "change": { "kind": "parameters", "parameters": [parameter] } });
    let (status, made) = api.call("POST", "/api/v1/rollouts", Some(rollout)).await;
    assert_eq!(status, 201, "{made}");
    let start = format!("/api/v1/rollouts/{}/start", made["rollout_id"].as_str().unwrap());
    let (status, answer) = api.call("POST", &start, Some(json!({}))).await;
    assert!((200..300).contains(&status), "{answer}");
    let body = receiver.told("rollout.state").await.json();
    assert_eq!((&body["device"], &body["detail"]["name"]), (&Value::Null, &json!("spring")));

    let first = newest(&api, &id, "all is delivered", |d| d["state"] == "delivered").await;
    assert_eq!((&first["answer"], &first["attempts"]), (&json!("200 OK"), &json!(1)));
    let listed = api.get("/api/v1/webhooks").await.to_string();
    let stored = api.get(&format!("/api/v1/webhooks/{id}")).await.to_string();
    let log = api.get("/api/v1/audit?action=webhook.").await.to_string();
    for text in [&listed, &stored, &log, &muster.log()] {
        assert!(!text.contains(&secret), "{text}");
    }
    assert!(log.contains("webhook.create") && !log.contains("/hook"), "{log}");
}

#[tokio::test]
async fn a_call_that_fails_is_repeated_until_it_arrives() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    receiver.will_answer(&[500, 302]);
    let (id, _) = hook(&api, "sick", &receiver.url(), &["device.fault"], None).await;
    let (status, test) = api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    assert_eq!((status, &test["kind"], &test["state"]), (201, &json!("test"), &json!("queued")));
    let failed =
        newest(&api, &id, "it failed", |d| d["attempts"] == 1 && !d["answer"].is_null()).await;
    assert_eq!(failed["answer"], "500 Internal Server Error");
    let next: chrono::DateTime<chrono::Utc> = failed["next_at"].as_str().unwrap().parse().unwrap();
    let pause = (next - chrono::Utc::now()).num_seconds();
    assert!((1..=12).contains(&pause), "{pause}");
    due_now(&muster.pool).await;
    let failed = newest(&api, &id, "it failed again", |d| {
        d["attempts"] == 2 && d["answer"].as_str().is_some_and(|a| a.contains("302"))
    })
    .await;
    assert!(failed["answer"].as_str().unwrap().contains("not followed"), "{failed}");
    due_now(&muster.pool).await;
    let done = newest(&api, &id, "it arrived", |d| d["state"] == "delivered").await;
    assert_eq!((&done["attempts"], &done["next_at"]), (&json!(3), &Value::Null));
    let ids: Vec<String> =
        receiver.calls().iter().map(|c| c.header("muster-delivery").to_owned()).collect();
    assert_eq!(ids, vec![test["delivery_id"].as_str().unwrap(); 3]);

    // Nobody is there, and then somebody is.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (id, _) =
        hook(&api, "late", &format!("http://{address}/hook"), &["device.fault"], None).await;
    api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    let failed = newest(&api, &id, "nobody answered", |d| !d["answer"].is_null()).await;
    assert!(failed["answer"].as_str().unwrap().contains("refused"), "{failed}");
    let late = Receiver::at(address).await;
    due_now(&muster.pool).await;
    late.told("test").await;
}

#[tokio::test]
async fn what_is_given_up_is_kept_and_can_be_tried_again() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    receiver.will_answer(&[500, 500]);
    let (id, _) = hook(&api, "sick", &receiver.url(), &["device.fault"], None).await;
    api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    let failed = newest(&api, &id, "it failed", |d| !d["answer"].is_null()).await;
    let again = format!("/api/v1/deliveries/{}/again", failed["delivery_id"].as_str().unwrap());
    assert_eq!(api.call("POST", &again, None).await.0, 409, "it is not given up");
    sqlx::query("update deliveries set attempts = 29, next_at = now()")
        .execute(&muster.pool)
        .await
        .unwrap();
    let dead = newest(&api, &id, "it is given up", |d| d["state"] == "dead").await;
    assert_eq!((&dead["attempts"], &dead["next_at"]), (&json!(30), &Value::Null));
    let page = api.get(&format!("/api/v1/webhooks/{id}/deliveries?state=dead")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.call("POST", &again, None).await.0, 200);
    newest(&api, &id, "it arrived", |d| d["state"] == "delivered").await;
    let all = format!("/api/v1/webhooks/{id}/again");
    assert_eq!(api.call("POST", &all, None).await, (200, json!({ "deliveries": 0 })));

    // What is to be told to one that is off is given up, without a call.
    let calls = receiver.calls().len();
    let body = json!({ "enabled": false });
    assert_eq!(api.call("PATCH", &format!("/api/v1/webhooks/{id}"), Some(body)).await.0, 200);
    assert_eq!(api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await.0, 409);
    let mut conn = muster.pool.acquire().await.unwrap();
    let now = muster::clock::now();
    deliveries::insert(&mut conn, id.parse().unwrap(), "test", &json!({}), now).await.unwrap();
    let dead = newest(&api, &id, "it is given up", |d| d["state"] == "dead").await;
    assert!(dead["answer"].as_str().unwrap().contains("switched off"), "{dead}");
    assert_eq!(receiver.calls().len(), calls);
}

#[tokio::test]
async fn a_webhook_of_a_site_is_told_of_its_devices_only() {
    let (muster, api) = server().await;
    for path in ["eu", "eu.lv", "us"] {
        let site = json!({ "path": path });
        assert_eq!(api.call("POST", "/api/v1/sites", Some(site)).await.0, 201);
    }
    let nowhere = json!({ "name": "x", "url": "https://192.0.2.1/", "kinds": ["device.fault"],
                          "site": "asia" });
    let (status, problem) = api.call("POST", "/api/v1/webhooks", Some(nowhere)).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/site")), "{problem}");
    let receiver = Receiver::start().await;
    let kinds = ["device.crashed"];
    let (all, _) = hook(&api, "all", &receiver.url(), &kinds, None).await;
    let (eu, _) = hook(&api, "eu", &receiver.url(), &kinds, Some("eu")).await;
    let (other, _) = hook(&api, "other", &receiver.url(), &["device.fault"], None).await;
    let mut tx = muster.pool.begin().await.unwrap();
    for (serial, site) in [("S1", Some("eu.lv")), ("S2", Some("us")), ("S3", None)] {
        meet(&muster, &inform(serial, &["2 PERIODIC"])).await;
        let body = Some(json!({ "site": site }));
        assert_eq!(api.call("PATCH", &device_path(serial), body).await.0, 200);
        let id = device_id(&api, serial).await;
        let now = muster::clock::now();
        events::append(&mut tx, id, "crashed", None, &json!({}), now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let serials = async |id: &str| -> Vec<String> {
        let mut of: Vec<String> = told(&api, id)
            .await
            .iter()
            .map(|delivery| delivery["serial"].as_str().unwrap().to_owned())
            .collect();
        of.sort();
        of
    };
    assert_eq!(serials(&all).await, ["S1", "S2", "S3"]);
    assert_eq!(serials(&eu).await, ["S1"]);
    assert!(serials(&other).await.is_empty());
}

#[tokio::test]
async fn an_event_and_what_is_told_of_it_are_there_together_or_not_at_all() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let (id, _) = hook(&api, "noc", &receiver.url(), &["device.fault"], None).await;
    meet(&muster, &inform("ONCE", &["2 PERIODIC"])).await;
    let device = device_id(&api, "ONCE").await;
    let now = muster::clock::now();
    for commits in [false, true] {
        let mut tx = muster.pool.begin().await.unwrap();
        for kind in ["job.failed", "job.done"] {
            events::append(&mut tx, device, kind, None, &json!({}), now).await.unwrap();
        }
        match commits {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
        let failed = api.events("ONCE").await.iter().filter(|kind| *kind == "job.failed").count();
        assert_eq!(
            (failed, told(&api, &id).await.len()),
            (usize::from(commits), usize::from(commits))
        );
    }
    receiver.told("device.fault").await;
    newest(&api, &id, "it is delivered", |d| d["state"] == "delivered").await;
    assert_eq!(receiver.calls().len(), 1);
}

/// Lets a node look at once at who is away, whoever looked last.
async fn look(pool: &PgPool) {
    sqlx::query("delete from settings where name = 'presence'").execute(pool).await.unwrap();
}

#[tokio::test]
async fn who_falls_silent_is_told_of_once_and_who_is_back_too() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let kinds = ["device.offline", "device.online"];
    hook(&api, "noc", &receiver.url(), &kinds, None).await;
    for serial in ["GONE", "HERE"] {
        meet(&muster, &inform(serial, &["2 PERIODIC"])).await;
    }
    let gone = device_id(&api, "GONE").await;
    sqlx::query("update devices set last_inform = now() - interval '1 hour' where device_id = $1")
        .bind(gone)
        .execute(&muster.pool)
        .await
        .unwrap();
    // This server just began: what it did not hear before does not count.
    look(&muster.pool).await;
    eventually("somebody looked", || async {
        let looked = "select 1 from settings where name = 'presence'";
        sqlx::query_scalar::<_, i32>(looked).fetch_optional(&muster.pool).await.unwrap()
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let offline =
        async || api.events("GONE").await.iter().filter(|kind| *kind == "offline").count();
    assert_eq!(offline().await, 0);

    // Another node has been there for a day.
    sqlx::query(
        "insert into nodes (node, version, started_at, seen_at, status)
         values ('other', '0', now() - interval '1 day', now() + interval '1 hour', '{}')",
    )
    .execute(&muster.pool)
    .await
    .unwrap();
    let told = |kind: &'static str| {
        let (receiver, pool) = (receiver.clone(), muster.pool.clone());
        async move {
            eventually(kind, || async {
                look(&pool).await;
                receiver.calls().into_iter().find(|call| call.header("muster-event") == kind)
            })
            .await
        }
    };
    let body = told("device.offline").await.json();
    assert_eq!(body["device"]["serial"], "GONE");
    assert!(body["detail"]["seconds"].as_i64().unwrap() >= 3_600, "{body}");
    meet(&muster, &inform("GONE", &["2 PERIODIC"])).await;
    let body = told("device.online").await.json();
    assert_eq!(body["device"]["serial"], "GONE");
    assert_eq!(offline().await, 1);
    let kinds: Vec<String> =
        receiver.calls().iter().map(|c| c.header("muster-event").to_owned()).collect();
    assert_eq!(kinds, ["device.offline", "device.online"], "each once, and of nobody else");
}

#[tokio::test]
async fn a_webhook_cannot_be_aimed_at_this_host() {
    let mut muster = Muster::start(&[("MUSTER_ACS__AUTH", "none")]).await;
    let api = Api::of(&mut muster);
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    for url in
        [format!("http://127.0.0.1:{port}/hook"), format!("http://[::ffff:7f00:1]:{port}/hook")]
    {
        let body = json!({ "name": "x", "url": url, "kinds": ["device.fault"] });
        let (status, problem) = api.call("POST", "/api/v1/webhooks", Some(body)).await;
        assert_eq!((status, &problem["pointer"]), (422, &json!("/url")), "{problem}");
    }
    // Where a name leads shows only when it is called.
    let url = format!("http://localhost:{port}/hook");
    let (id, _) = hook(&api, "sly", &url, &["device.fault"], None).await;
    api.call("POST", &format!("/api/v1/webhooks/{id}/test"), None).await;
    let failed = newest(&api, &id, "it is refused", |d| !d["answer"].is_null()).await;
    assert!(failed["answer"].as_str().unwrap().contains("notify.allowed_networks"), "{failed}");
    assert!(receiver.calls().is_empty());
    let mail = json!({ "name": "m", "email": "noc@isp.example", "kinds": ["device.fault"] });
    let (status, problem) = api.call("POST", "/api/v1/webhooks", Some(mail)).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/email")), "{problem}");
}

/// A mail server that takes everything; gives its address, and what it took.
async fn mail_server() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let box_of = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_mail(stream, box_of.clone()));
        }
    });
    (address, taken)
}

/// One connection of a mail server. What is taken begins with whom it is from and for.
async fn serve_mail(stream: TcpStream, taken: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test\r\n").await.ok()?;
    let mut mail = String::new();
    while let Some(line) = lines.next_line().await.ok()? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "MAIL" | "RCPT" => {
                mail.push_str(&line);
                mail.push('\n');
                "250 ok\r\n"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.ok()?;
                while let Some(line) = lines.next_line().await.ok()?.filter(|line| line != ".") {
                    mail.push_str(&line);
                    mail.push('\n');
                }
                taken.lock().unwrap().push(std::mem::take(&mut mail));
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 test\r\n",
        };
        write.write_all(answer.as_bytes()).await.ok()?;
    }
    Some(())
}

#[tokio::test]
async fn people_are_told_by_mail_in_one_mail_for_many_events() {
    let (address, taken) = mail_server().await;
    let port = address.port().to_string();
    let mut muster = Muster::start(&[
        ("MUSTER_ACS__AUTH", "none"),
        ("MUSTER_SMTP__SERVER", "127.0.0.1"),
        ("MUSTER_SMTP__PORT", port.as_str()),
        ("MUSTER_SMTP__SECURITY", "none"),
        ("MUSTER_SMTP__FROM", "Muster <muster@isp.example>"),
    ])
    .await;
    let api = Api::of(&mut muster);
    let body = json!({ "name": "noc", "email": "noc@isp.example",
                       "kinds": ["device.crashed", "device.fault"] });
    let (status, made) = api.call("POST", "/api/v1/webhooks", Some(body)).await;
    assert_eq!((status, &made["secret"]), (201, &Value::Null), "{made}");
    let id = made["webhook_id"].as_str().unwrap().to_owned();
    let mut tx = muster.pool.begin().await.unwrap();
    for serial in ["MAIL1", "MAIL2"] {
        meet(&muster, &inform(serial, &["2 PERIODIC"])).await;
        let device = device_id(&api, serial).await;
        let detail = json!({ "note": "it did\r\nBcc: all@isp.example" });
        let now = muster::clock::now();
        events::append(&mut tx, device, "job.failed", None, &detail, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mail = eventually("a mail came", || async { taken.lock().unwrap().first().cloned() }).await;
    assert!(mail.starts_with("MAIL FROM:<muster@isp.example>"), "{mail}");
    assert!(mail.contains("RCPT TO:<noc@isp.example>"), "{mail}");
    assert!(mail.contains("Subject: [Muster] 2 device.fault"), "{mail}");
    assert!(mail.contains("MAIL1") && mail.contains("MAIL2"), "{mail}");
    assert!(!mail.contains("\nBcc:"), "{mail}");
    newest(&api, &id, "it is delivered", |d| d["state"] == "delivered").await;
    assert_eq!(taken.lock().unwrap().len(), 1);
    let url = json!({ "url": "https://192.0.2.1/", "email": null });
    let (status, _) = api.call("PATCH", &format!("/api/v1/webhooks/{id}"), Some(url)).await;
    assert_eq!(status, 422, "it stays with mail");
}

#[tokio::test]
async fn the_dashboard_makes_tries_and_removes_a_webhook() {
    let (muster, api) = server().await;
    let receiver = Receiver::start().await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    let url = receiver.url();
    let fields =
        [("name", "noc"), ("target", url.as_str()), ("kinds", "device.offline"), ("site", "")];
    let wrong = admin.post("/webhooks", &[("name", "noc"), ("target", "x")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    let made = admin.post("/webhooks", &fields).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let secret = made.copyable();
    let list = api.get("/api/v1/webhooks").await;
    let here = format!("/webhooks/{}", list["items"][0]["webhook_id"].as_str().unwrap());
    assert_eq!(admin.post(&format!("{here}/test"), &[]).await.status, 303);
    assert!(receiver.told("test").await.is_signed(&secret));
    let page = eventually("the page says so", || {
        let mut admin = admin.copy();
        let here = here.clone();
        async move {
            let page = admin.get(&format!("{here}?state=delivered")).await;
            page.body.contains("200 OK").then_some(page)
        }
    })
    .await;
    assert!(!page.body.contains(&secret), "{}", page.body);
    let version = page.input("version");
    let off = [
        ("version", version.as_str()),
        ("name", "noc"),
        ("target", url.as_str()),
        ("kinds", "device.fault"),
    ];
    assert_eq!(admin.post(&here, &off).await.status, 303);
    let webhook = api.get(&format!("/api/v1{here}")).await;
    assert_eq!((&webhook["enabled"], &webhook["kinds"]), (&json!(false), &json!(["device.fault"])));
    assert_eq!(admin.post(&here, &off).await.status, 422, "somebody changed it meanwhile");
    assert_eq!(admin.post(&format!("{here}/delete"), &[("confirm", "noc")]).await.status, 303);
    assert_eq!(api.call("GET", &format!("/api/v1{here}"), None).await.0, 404);
}
