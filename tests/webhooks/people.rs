//! People: told by mail, and at work in the dashboard.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use muster::store::events;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::receiver::Receiver;
use super::{device_id, hook, newest, server};
use crate::harness::cpe::{inform, meet};
use crate::harness::kit::Api;
use crate::harness::session::{ADMIN, Session};
use crate::harness::{Muster, eventually};

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
        meet(muster.cwmp, &inform(serial, &["2 PERIODIC"])).await;
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
async fn the_whole_url_is_for_who_administers_everything() {
    let (_muster, api) = server().await;
    let url = "https://hooks.example/let-me-in";
    let (id, _) = hook(&api, "noc", url, &["device.offline"], None).await;
    let site = api.made("/api/v1/sites", json!({ "path": "lv" }), "site_id").await;
    let token = json!({ "name": "riga", "scopes": ["admin"], "site_id": site });
    let riga = api.with_token(&api.made("/api/v1/tokens", token, "token").await);
    for path in ["/api/v1/webhooks".to_owned(), format!("/api/v1/webhooks/{id}")] {
        let (whole, part) = (api.get(&path).await.to_string(), riga.get(&path).await.to_string());
        assert!(whole.contains(url), "{whole}");
        assert!(part.contains("https://hooks.example"), "{part}");
        assert!(!part.contains("let-me-in"), "{part}");
    }
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
