//! What the server says of itself: metrics, health, spans, logs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::kit::{Api, device_path};
use crate::harness::talk::{Talk, introduce};
use crate::harness::{LAB, Muster, eventually};

async fn text(muster: &Muster, url: String) -> (u16, String) {
    let response = muster.http().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn metrics_and_health_are_served() {
    let muster = Muster::start(LAB).await;
    introduce(muster.cwmp, "METER").await;
    Talk::open(muster.cwmp, "METER", &["2 PERIODIC"]).await;
    let (status, page) = text(&muster, format!("http://{}/metrics", muster.metrics)).await;
    assert_eq!(status, 200);
    for line in ["muster_informs_total 2", "muster_jobs_total{kind=\"refresh\",state=\"done\"} 1"] {
        assert!(page.lines().any(|l| l == line), "no {line} in\n{page}");
    }
    for name in ["muster_informs_total", "muster_jobs_total", "muster_connections_open"] {
        assert!(page.contains(&format!("# HELP {name} ")), "{name} is not explained\n{page}");
    }
    for port in [muster.web, muster.metrics] {
        let (status, body) = text(&muster, format!("http://{port}/healthz")).await;
        assert_eq!((status, body.as_str()), (200, "ok\n"));
        let (status, body) = text(&muster, format!("http://{port}/readyz")).await;
        assert_eq!((status, body.as_str()), (200, "ready\n"));
    }
    let (status, _) = text(&muster, format!("http://{}/metrics", muster.web)).await;
    assert_eq!(status, 404, "not on the dashboard's port");
}

/// Requests as they came: first line and body.
type Kept = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that keeps what is sent to it.
fn collector() -> (SocketAddr, Kept) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let kept = Kept::default();
    let keeper = kept.clone();
    // A thread, because the server's orderly stop holds up the test's runtime.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keeper = keeper.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some(request) = read_request(&mut reader) {
                    keeper.lock().unwrap().push(request);
                    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    if reader.get_mut().write_all(reply).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, kept)
}

fn read_request(reader: &mut BufReader<std::net::TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim_end().to_owned(), body))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

#[tokio::test]
async fn spans_of_sessions_and_jobs_reach_the_collector() {
    let (address, kept) = collector();
    let endpoint = format!("http://{address}");
    let mut settings = LAB.to_vec();
    settings.push(("MUSTER_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()));
    let mut muster = Muster::start(&settings).await;
    let api = Api::of(&mut muster);
    introduce(muster.cwmp, "SPAN1").await;
    let device = api.get(&device_path("SPAN1")).await["device_id"].as_str().unwrap().to_owned();
    assert!(muster.stop(), "the last spans leave before the end");
    let kept = kept.lock().unwrap();
    assert!(!kept.is_empty(), "nothing was exported: {}", muster.log());
    assert!(kept.iter().all(|(first, _)| first == "POST /v1/traces HTTP/1.1"));
    let all: Vec<u8> = kept.iter().flat_map(|(_, body)| body.clone()).collect();
    // A span's name is field 5 of its message: tag 0x2A, length, text.
    for name in ["cwmp.session", "job"] {
        let field = [&[0x2A, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        assert!(contains(&all, &field), "no span {name}");
    }
    for text in ["muster", "service.name", "device.id", &device, "job.id", "credentials"] {
        assert!(contains(&all, text.as_bytes()), "no {text}");
    }
}

#[tokio::test]
async fn the_log_is_json_when_asked_and_names_device_and_job() {
    let mut settings = LAB.to_vec();
    settings.push(("MUSTER_TELEMETRY__LOG", "json"));
    let mut muster = Muster::start(&settings).await;
    let api = Api::of(&mut muster);
    introduce(muster.cwmp, "LOG1").await;
    let device = api.get(&device_path("LOG1")).await["device_id"].as_str().unwrap().to_owned();
    let get = json!({ "kind": "get", "names": ["Device.Nothing"] });
    let job = api.queue("LOG1", get).await;
    Talk::open(muster.cwmp, "LOG1", &["2 PERIODIC"]).await.fault(9005).await;
    let lines = eventually("the refusal is logged", || async {
        let log = muster.log();
        // What follows the last end of line is still being written.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<Value> = whole
            .lines()
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
            .collect();
        lines.iter().any(tells_of_9005).then_some(lines)
    })
    .await;
    let new = lines.iter().find(|l| l["message"] == "a new device").expect("first contact");
    assert_eq!((&new["device.id"], &new["device.serial"]), (&json!(device), &json!("LOG1")));
    assert!(new["timestamp"].is_string() && new["level"] == "INFO", "{new}");
    let failures: Vec<&Value> = lines.iter().filter(|l| tells_of_9005(l)).collect();
    assert_eq!(failures.len(), 1, "a failure is logged once: {failures:?}");
    assert_eq!(failures[0]["level"], "WARN");
    let failure = failures[0].to_string();
    assert!(failure.contains(&device) && failure.contains("device.id"), "{failure}");
    assert!(failure.contains(&job) && failure.contains("job.id"), "{failure}");
}

fn tells_of_9005(line: &Value) -> bool {
    line["message"].as_str().is_some_and(|m| m.contains("9005"))
}

#[tokio::test]
async fn an_open_lab_is_said_aloud() {
    let muster = Muster::start(LAB).await;
    let log = muster.log();
    let warning = log.lines().find(|l| l.contains("acs.auth is \"none\""));
    assert!(warning.expect("a warning").contains("WARN"), "{log}");
    let safe = Muster::start(&[]).await;
    assert!(!safe.log().contains("acs.auth is"), "{}", safe.log());
}
