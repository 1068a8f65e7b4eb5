//! Downloads that devices act on, and uploads that arrive.

use std::net::SocketAddr;

use muster_routeros::npk::{self, NewNpk};
use muster_routeros::package::{PackageName, file_name, parse_file_name};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::eventually;
use crate::harness::kit::{Lab, device_path};

const IDENTITY: &str = "Device.DeviceInfo.X_MIKROTIK_SystemIdentity";

/// A package that is what this file name says.
fn package(name: &str) -> Vec<u8> {
    let PackageName { name, version, arch } = parse_file_name(name).unwrap();
    npk::build(&NewNpk {
        name,
        version,
        arch,
        built_at: 1_700_000_000,
        description: String::new(),
        payload: 1_000,
    })
}

/// Serves the package of every name but those whose path holds `missing`, as a vendor's server
/// would.
async fn packages() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8_lossy(&head);
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (status, body) = if path.contains("missing") {
                ("404 Not Found", Vec::new())
            } else {
                ("200 OK", package(path))
            };
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(&[reply.as_bytes(), &body[..]].concat()).await;
        }
    });
    address
}

fn manifest(from: SocketAddr, names: &[String]) -> String {
    let link = |name: &String| format!("<link><url>http://{from}/{name}</url></link>");
    let links: String = names.iter().map(link).collect();
    format!("<upgrade version=\"1\" type=\"links\"><config/><links>{links}</links></upgrade>")
}

fn download(artifact_id: &str, file: Value) -> Value {
    json!({ "kind": "download", "artifact_id": artifact_id, "file": file })
}

#[tokio::test]
async fn firmware_is_fetched_by_its_manifest_and_booted() {
    let lab = Lab::start().await;
    let identity = lab.fleet.handle().identity(0);
    // What it can become in one step.
    let version = if identity.version.starts_with('6') { "6.99.1" } else { "7.99.1" };
    let of = |name| file_name(name, &version.parse().unwrap(), identity.arch());
    let names = ["routeros", "tr069-client"].map(of);
    let text = manifest(packages().await, &names);
    let artifact = lab.api.store("upgrade.xml", text.as_bytes()).await;
    let job = lab.run(download(&artifact, json!({ "type": "firmware" }))).await;
    assert_eq!(job["result"]["fault"], Value::Null, "{job}");
    let device = lab.api.ready(&lab.serial).await;
    assert_eq!(device["software_version"], version);
    let stats = lab.fleet.handle().stats();
    assert_eq!((stats.boots, stats.transfers, stats.dark), (2, 1, 0));
    let bytes = text.len() + names.iter().map(|name| package(name).len()).sum::<usize>();
    assert_eq!(stats.transfer_bytes, bytes as u64);
    assert!(lab.api.events(&lab.serial).await.contains(&"transfer_complete".to_owned()));
}

#[tokio::test]
async fn firmware_that_cannot_be_fetched_is_tried_again_later() {
    let lab = Lab::start().await;
    let text = manifest(packages().await, &["missing/routeros-9.9.1-arm.npk".to_owned()]);
    let artifact = lab.api.store("upgrade.xml", text.as_bytes()).await;
    let id = lab.order(download(&artifact, json!({ "type": "firmware" }))).await;
    let job = eventually("the fault is stored", || async {
        Some(lab.api.job(&id).await).filter(|j| !j["fault"].is_null())
    })
    .await;
    assert_eq!((&job["state"], &job["fault"]["code"]), (&json!("queued"), &json!(9016)));
    assert!(job["note"].as_str().unwrap().contains("tried again"), "{job}");
    assert_eq!(lab.fleet.handle().stats().boots, 1);
}

#[tokio::test]
async fn an_alter_changes_the_running_device() {
    let lab = Lab::start().await;
    // The name that an operator gave it says nothing: what it is, the job says.
    let script = b"/system identity set name=\"altered\"\n";
    let artifact = lab.api.store("whole-configuration.rsc", script).await;
    lab.run(download(&artifact, json!({ "type": "alter" }))).await;
    assert_eq!(lab.value(IDENTITY).await, "altered");
    assert_eq!(lab.fleet.handle().stats().boots, 1, "no reboot");
}

#[tokio::test]
async fn an_overwrite_needs_its_words() {
    let lab = Lab::start().await;
    // It says nothing of the server, and would leave the device without one.
    let script = b"/system identity set name=\"replaced\"\n";
    let artifact = lab.api.store("change.alter", script).await;
    for file in [
        json!({ "type": "overwrite" }),
        json!({ "type": "overwrite", "confirm": true }),
        json!({ "type": "overwrite", "confirm": "yes" }),
        json!({ "type": "factory_configuration" }),
        json!({ "type": "alter", "confirm": "overwrite the whole configuration" }),
    ] {
        let (status, problem) = lab.denied(download(&artifact, file.clone())).await;
        assert_eq!(status, 422, "{file}: {problem}");
    }
    let words = json!({ "type": "overwrite", "confirm": "overwrite the whole configuration" });
    lab.run(download(&artifact, words)).await;
    eventually("the new configuration is read", || async {
        (lab.device().await["identity"] == "replaced").then_some(())
    })
    .await;
    assert_eq!(lab.fleet.handle().stats().boots, 2);

    // As it is, it has to say all that by itself.
    let script = format!(
        "/tr069-client set acs-url=\"http://{}/\" enabled=yes periodic-inform-enabled=yes \
         periodic-inform-interval=300s\n/system identity set name=\"as it is\"\n",
        lab.muster.cwmp
    );
    let artifact = lab.api.store("whole.rsc", script.as_bytes()).await;
    let words = json!({ "type": "overwrite", "confirm": "overwrite the whole configuration",
                        "as_it_is": true });
    lab.run(download(&artifact, words)).await;
    eventually("the last configuration is read", || async {
        (lab.device().await["identity"] == "as it is").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_factory_configuration_goes_in_and_comes_back() {
    let lab = Lab::start().await;
    let script = format!("/tr069-client set acs-url=\"http://{}/\"\n# ours\n", lab.muster.cwmp);
    let artifact = lab.api.store("factory.rsc", script.as_bytes()).await;
    let words = json!({
        "type": "factory_configuration", "confirm": "replace the factory configuration",
    });
    lab.run(download(&artifact, words)).await;
    assert_eq!(uploaded(&lab, json!({ "type": "factory_configuration" })).await, script);
}

#[tokio::test]
async fn what_a_device_cannot_take_fails_at_once() {
    let lab = Lab::start().await;
    let artifact = lab.api.store("page.html", b"<html></html>").await;
    let job = lab.refused(download(&artifact, json!({ "type": "web_content" }))).await;
    assert_eq!(job["fault"]["code"], 9003);
    let none = "00000000-0000-7000-8000-000000000000";
    let (status, problem) = lab.denied(download(none, json!({ "type": "firmware" }))).await;
    assert_eq!((status, &problem["pointer"]), (422, &json!("/artifact_id")), "{problem}");
}

/// Runs an upload job and gives the text of the file that came.
async fn uploaded(lab: &Lab, file: Value) -> String {
    let job = lab.run(json!({ "kind": "upload", "file": file })).await;
    let id = job["result"]["artifact_id"].as_str().unwrap();
    let files = format!("{}/artifacts", device_path(&lab.serial));
    let list = lab.api.get(&files).await;
    let listed = list["items"].as_array().unwrap().iter().find(|f| f["artifact_id"] == id);
    assert_eq!(listed.unwrap()["job_id"], job["job_id"]);
    let content = lab.api.request("GET", &format!("{files}/{id}/content")).send().await.unwrap();
    assert_eq!(content.status(), 200);
    assert!(content.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let text = content.text().await.unwrap();
    assert_eq!(listed.unwrap()["size"], text.len());
    text
}

#[tokio::test]
async fn a_device_sends_its_configuration_and_its_log() {
    let lab = Lab::start().await;
    let serial = format!("# serial number = {}", lab.serial);
    let export = uploaded(&lab, json!({ "type": "configuration" })).await;
    assert!(export.contains(&serial) && export.contains("/tr069-client"), "{export}");
    let instance = json!({ "type": "configuration_instance", "instance": 1 });
    assert!(uploaded(&lab, instance).await.contains(&serial));
    let log = uploaded(&lab, json!({ "type": "log" })).await;
    assert!(log.contains("router rebooted"), "{log}");
    let events = lab.api.events(&lab.serial).await;
    assert_eq!(events.iter().filter(|e| *e == "file.received").count(), 3);
}
