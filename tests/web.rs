//! The dashboard: what it shows, what it never does, and that it lives in a real browser.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::cpe::{Cpe, inform};
use crate::harness::kit::{Api, Lab};
use crate::harness::{LAB, Muster};

async fn page(muster: &Muster, path: &str) -> (u16, String) {
    let url = format!("http://{}{path}", muster.web);
    let response = muster.http().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn meet(to: SocketAddr, serial: &str) {
    let reply = Cpe::connect(to).await.post(&inform(serial, &["2 PERIODIC"])).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn pages_show_the_devices() {
    let lab = Lab::start().await;
    let device = lab.device().await;
    let own = format!("/devices/{}", device["device_id"].as_str().unwrap());
    for path in ["/", "/fragments/devices", &own] {
        let (status, html) = page(&lab.muster, path).await;
        assert_eq!(status, 200, "{path}");
        assert!(html.contains(&lab.serial), "{path}: {html}");
    }
    let (_, list) = page(&lab.muster, "/").await;
    assert!(list.contains(&format!("href=\"{own}\"")), "{list}");
    assert!(list.contains("Devices are not authenticated."), "a lab is loud");
    let (_, html) = page(&lab.muster, &own).await;
    for text in ["Device.DeviceInfo.SoftwareVersion", "refresh", "first_contact", "Methods"] {
        assert!(html.contains(text), "no {text} in {html}");
    }
    let (_, html) = page(&lab.muster, &format!("{own}?q=SOFTWAREversion")).await;
    assert!(html.contains("1 shown of 1 that match"), "{html}");
    let (_, html) = page(&lab.muster, "/?serial=nobody").await;
    assert!(html.contains("No device matches") && !html.contains(&lab.serial), "{html}");
    for path in ["/nothing", "/devices/nonsense", "/static/nothing.js", "/static/../base.html"] {
        assert_eq!(page(&lab.muster, path).await.0, 404, "{path}");
    }
    for path in ["/static/muster.css", "/static/vendor/htmx.min.js", "/static/muster.svg"] {
        assert_eq!(page(&lab.muster, path).await.0, 200, "{path}");
    }
    let url = format!("http://{}/", lab.muster.web);
    assert_eq!(lab.muster.http().post(url).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn what_a_device_says_is_text_not_markup() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    meet(muster.cwmp, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&apos;").await;
    let list = api.get("/api/v1/devices").await;
    assert_eq!(list["items"][0]["serial"], "<script>alert(1)</script>\"'");
    let own = format!("/devices/{}", list["items"][0]["device_id"].as_str().unwrap());
    for path in ["/", "/fragments/devices", &own] {
        let (status, html) = page(&muster, path).await;
        assert_eq!(status, 200);
        assert!(!html.contains("<script>alert"), "{path}: {html}");
        assert!(html.contains("&lt;script&gt;alert(1)"), "{path}: {html}");
    }
    let (_, html) = page(&muster, "/?serial=%22%3E%3Cscript%3Ealert(1)").await;
    assert!(!html.contains("<script>alert"), "{html}");
}

#[tokio::test]
async fn only_its_own_names_are_served_and_browsers_are_kept_strict() {
    let muster = Muster::start(LAB).await;
    let ask = |host: String| {
        let request = muster.http().get(format!("http://{}/", muster.web)).header("host", host);
        async move { request.send().await.unwrap() }
    };
    let port = muster.web.port();
    for good in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        assert_eq!(ask(good).await.status(), 200);
    }
    for evil in ["evil.example".to_owned(), format!("localhost.evil.example:{port}")] {
        let response = ask(evil).await;
        assert_eq!(response.status(), 421);
    }
    let response = ask(format!("localhost:{port}")).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'self'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    let (_, html) = page(&muster, "/").await;
    assert!(!html.contains("onclick") && !html.contains("<style") && !html.contains("style="));
    assert!(!html.contains("https://"), "nothing comes from elsewhere: {html}");
}

/// Stands between a browser and the dashboard: a device appears at the very moment at which the
/// page, already shown, first asks for news.
async fn between(web: SocketAddr, cwmp: SocketAddr, serial: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let appeared = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((browser, _)) = listener.accept().await {
            let appeared = appeared.clone();
            tokio::spawn(async move {
                let (mut from, mut to) = browser.into_split();
                let (mut answers, mut asks) = TcpStream::connect(web).await.unwrap().into_split();
                tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
                let mut chunk = vec![0; 64 * 1024];
                while let Ok(n @ 1..) = from.read(&mut chunk).await {
                    let text = String::from_utf8_lossy(&chunk[..n]);
                    if text.starts_with("GET /fragments/devices")
                        && !appeared.swap(true, Ordering::SeqCst)
                    {
                        meet(cwmp, serial).await;
                    }
                    if asks.write_all(&chunk[..n]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_browser_shows_a_device_that_appears_while_it_looks() {
    let muster = Muster::start(LAB).await;
    meet(muster.cwmp, "EARLYBIRD").await;
    let door = between(muster.web, muster.cwmp, "LATECOMER").await;
    let profile = tempfile::tempdir().unwrap();
    let browser = tokio::process::Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-extensions"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .env("HOME", profile.path())
        // Time in the page flies while nothing is on its way: four polls take no eight seconds.
        .args(["--virtual-time-budget=8000", "--dump-dom"])
        .arg(format!("http://{door}/"))
        .kill_on_drop(true)
        .output();
    let limit = Duration::from_secs(90);
    let output = tokio::time::timeout(limit, browser).await.expect("the browser ends");
    let output = output.expect("chromium is not installed: apt-get install chromium");
    let dom = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(dom.contains("EARLYBIRD"), "{dom}\n{errors}");
    assert!(dom.contains("LATECOMER"), "{dom}\n{errors}");
}
