//! Giving a device its configuration back: by the words alone, and never before what it has is kept.

use muster_cwmp::rpc::{Request, Response};
use serde_json::{Value, json};

use super::{SERIAL, Site, WORDS, export};
use crate::harness::kit::device_path;
use crate::harness::talk::{Talk, begun, key_of, transferred};

const PERIODIC: &[&str] = &["2 PERIODIC"];

#[tokio::test]
async fn what_another_major_version_wrote_is_not_given_back() {
    let site = Site::start(&[SERIAL]).await;
    let old = export(20, "9.9.9.9").replace("RouterOS 7.16.1", "RouterOS 6.49.10");
    site.send(SERIAL, &old).await;
    site.send(SERIAL, &export(21, "9.9.9.9").replace("RouterOS 7.16.1", "RouterOS 7.2")).await;
    let backups = site.backups(SERIAL).await;
    let restore = async |backup: &Value| {
        let words = Some(json!({ "confirm": WORDS }));
        site.api.call("POST", &site.path(backup, "/restore"), words).await
    };
    let (status, problem) = restore(&backups[1]).await;
    let why = problem["detail"].as_str().unwrap();
    assert!(status == 409 && why.contains("6.49.10") && why.contains("7.16.1"), "{problem}");
    assert_eq!(restore(&backups[0]).await.0, 201);
}

#[tokio::test]
async fn a_device_is_given_its_configuration_back_when_the_words_are_said() {
    let site = Site::start(&[SERIAL]).await;
    site.send(SERIAL, &export(20, "9.9.9.9")).await;
    site.send(SERIAL, &export(21, "1.1.1.1")).await;
    let first = site.backups(SERIAL).await.remove(1);
    let restore = site.path(&first, "/restore");
    for body in [json!({}), json!({ "confirm": true }), json!({ "confirm": "yes" })] {
        assert_eq!(site.api.call("POST", &restore, Some(body)).await.0, 422);
    }
    let words = || Some(json!({ "confirm": WORDS }));
    let (status, ordered) = site.api.call("POST", &restore, words()).await;
    assert_eq!(status, 201, "{ordered}");
    let lacks = ordered["lacks"].to_string();
    assert!(lacks.contains("certificates") && !lacks.contains("pppoe"), "{lacks}");
    let job = ordered["job"]["job_id"].as_str().unwrap().to_owned();
    assert_eq!(ordered["job"]["args"]["file"]["type"], "overwrite");
    // Once more is the same; another one has to wait.
    let (status, again) = site.api.call("POST", &restore, words()).await;
    assert_eq!((status, &again["job"]["job_id"]), (200, &json!(job)));
    let other = site.backups(SERIAL).await.remove(0);
    assert_eq!(site.api.call("POST", &site.path(&other, "/restore"), words()).await.0, 409);

    // What it has is kept first.
    let mut talk = Talk::open(site.muster.cwmp, SERIAL, PERIODIC).await;
    let Request::Upload(call) = talk.asked().clone() else { panic!("{:?}", talk.request) };
    let path = call.url.strip_prefix("http://acs").unwrap();
    assert_eq!(site.put(path, export(22, "1.1.1.1").into_bytes()).await, 201);
    talk.answer(Response::Upload(begun())).await;
    assert_eq!(site.backups(SERIAL).await[0]["cause"], "change");
    let report = vec![transferred(&call.command_key, 0)];
    let events = ["7 TRANSFER COMPLETE", &format!("M Upload|{}", call.command_key)];
    let mut talk = Talk::reporting(site.muster.cwmp, SERIAL, &events, report).await;
    let Request::Download(call) = talk.asked().clone() else { panic!("{:?}", talk.request) };
    assert_eq!(call.command_key, key_of(&job));
    assert_eq!(call.file_type, "3 Vendor Configuration File");
    let path = call.url.strip_prefix("http://acs").unwrap();
    assert!(path.ends_with("/configuration.rsc"), "{path}");
    let url = format!("http://{}{path}", site.muster.cwmp);
    let file = site.muster.http().get(url).header("host", "acs").send().await.unwrap();
    assert_eq!(file.status(), 200);
    let file = file.text().await.unwrap();
    let at = |text: &str| file.find(text).unwrap_or_else(|| panic!("{text} is not in {file}"));
    assert!(at(":delay") < at("/tr069-client set acs-url=\"http://acs/\""), "{file}");
    assert!(at("acs-url=\"http://acs/\"") < at("password=hunter22"), "{file}");
    assert!(at("set servers=9.9.9.9") < file.rfind("/tr069-client set").unwrap(), "{file}");
    talk.answer(Response::Download(begun())).await;
    assert!(!site.muster.log().contains("hunter22"));
    // Nobody orders a device's own file otherwise.
    let artifact = first["artifact_id"].as_str().unwrap();
    let file = json!({ "type": "overwrite", "confirm": WORDS });
    let order = json!({ "kind": "download", "artifact_id": artifact, "file": file });
    let jobs = format!("{}/jobs", device_path(SERIAL));
    assert_eq!(site.api.call("POST", &jobs, Some(order)).await.0, 422);
}

#[tokio::test]
async fn nothing_is_given_back_where_what_is_there_could_not_be_kept() {
    let site = Site::start(&[SERIAL]).await;
    site.send(SERIAL, &export(20, "9.9.9.9")).await;
    let restore = site.path(&site.backups(SERIAL).await[0], "/restore");
    let (status, ordered) =
        site.api.call("POST", &restore, Some(json!({ "confirm": WORDS }))).await;
    assert_eq!(status, 201, "{ordered}");
    let mut talk = Talk::open(site.muster.cwmp, SERIAL, PERIODIC).await;
    assert!(matches!(talk.asked(), Request::Upload(_)), "{:?}", talk.request);
    talk.fault(9000).await;
    assert_eq!(talk.request, None);
    let job = site.api.job(ordered["job"]["job_id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "cancelled", "{job}");
    assert!(job["note"].as_str().unwrap().contains("could not be kept first"), "{job}");
}
