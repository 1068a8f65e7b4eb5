//! The dashboard: what it shows, what it never does, and that it lives in a real browser.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::cpe::{inform, meet};
use crate::harness::kit::{Api, Lab};
use crate::harness::session::{ADMIN, Session};
use crate::harness::{LAB, Muster};

/// What would be done by a page that takes names for markup.
const EVIL: &str = "<script>alert(1)</script>\"'";

#[tokio::test]
async fn pages_show_the_devices() {
    let lab = Lab::start().await;
    let mut admin = Session::opened(&lab.muster, ADMIN).await;
    let device = lab.device().await;
    let own = format!("/devices/{}", device["device_id"].as_str().unwrap());
    for path in ["/devices", "/devices/table", &own] {
        let page = admin.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains(&lab.serial), "{path}: {}", page.body);
    }
    let list = admin.get("/devices").await.body;
    assert!(list.contains(&format!("href=\"{own}\"")), "{list}");
    assert!(list.contains("Devices are not authenticated."), "a lab is loud");
    let page = admin.get(&own).await.body;
    assert!(page.contains(device["software_version"].as_str().unwrap()), "{page}");
    for tab in ["timeline", "parameters", "diagnose", "sessions", "jobs", "files"] {
        assert_eq!(admin.get(&format!("{own}/{tab}")).await.status, 200, "{tab}");
    }
    let found = admin.get(&format!("{own}/parameters?q=SOFTWAREversion")).await.body;
    assert!(found.contains("SoftwareVersion"), "{found}");
    let none = admin.get("/devices?q=serial%20=%20nobody").await.body;
    assert!(none.contains("No device matches") && !none.contains(&lab.serial), "{none}");
    for path in ["/nothing", "/devices/nonsense", "/static/nothing.js", "/static/../base.html"] {
        assert_eq!(admin.get(path).await.status, 404, "{path}");
    }
    for path in ["/", "/static/muster.css", "/static/vendor/htmx.min.js", "/static/muster.svg"] {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    assert_eq!(admin.post("/", &[]).await.status, 405);
}

#[tokio::test]
async fn what_somebody_says_is_text_not_markup() {
    let mut muster = Muster::start(LAB).await;
    let api = Api::of(&mut muster);
    meet(
        muster.cwmp,
        &inform("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&apos;", &["2 PERIODIC"]),
    )
    .await;
    let list = api.get("/api/v1/devices").await;
    assert_eq!(list["items"][0]["serial"], EVIL);
    let own = format!("/devices/{}", list["items"][0]["device_id"].as_str().unwrap());
    let mut pages = vec![own.clone()];
    for tab in ["timeline", "parameters", "sessions", "jobs", "files", "placement", "remove"] {
        pages.push(format!("{own}/{tab}"));
    }
    for (kind, id, body) in [
        ("sites", "site_id", json!({ "path": "eu", "name": EVIL })),
        ("groups", "group_id", json!({ "name": EVIL, "description": EVIL })),
        ("roles", "role_id", json!({ "name": EVIL, "description": EVIL, "rights": ["read"] })),
        ("users", "user_id", json!({ "login": "evil", "display_name": EVIL })),
        ("tokens", "token_id", json!({ "name": EVIL, "scopes": ["read"] })),
    ] {
        let (status, made) = api.call("POST", &format!("/api/v1/{kind}"), Some(body)).await;
        assert_eq!(status, 201, "{made}");
        if kind != "tokens" {
            pages.push(format!("/{kind}/{}", made[id].as_str().unwrap()));
        }
    }
    let plain = muster::web::routes().into_iter().filter(|route| route.method == "GET");
    pages.extend(plain.filter(|r| !r.path.contains('{')).map(|r| r.path.to_owned()));
    let asked = "%22%3E%3Cscript%3Ealert(1)";
    for path in ["/devices?q=", "/search?q=", "/jobs?kind=", "/audit?text=", "/login?next=/"] {
        pages.push(format!("{path}{asked}"));
    }
    let mut admin = Session::opened(&muster, ADMIN).await;
    for path in &pages {
        let page = admin.get(path).await;
        assert!(page.status < 500, "{path}: {page:?}");
        let kind = page.headers.get("content-type");
        // A file of devices is no page.
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
            assert!(!page.body.contains("<script>alert"), "{path}: {}", page.body);
        }
    }
    for path in ["/devices", "/devices/table", &own] {
        let page = admin.get(path).await;
        assert!(page.body.contains("&lt;script&gt;alert(1)"), "{path}: {}", page.body);
    }
    let page = Session::stranger(&muster).try_password(EVIL, "x").await;
    assert!(page.status == 422 && !page.body.contains("<script>alert"), "{}", page.body);
}

#[tokio::test]
async fn only_its_own_names_are_served_and_browsers_are_kept_strict() {
    let muster = Muster::start(LAB).await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    let port = muster.web.port();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        ("evil.example".to_owned(), 421),
        (format!("localhost.evil.example:{port}"), 421),
    ] {
        for path in ["/devices", "/static/muster.css"] {
            let request = admin.ask("GET", path).header("host", &host);
            let page = admin.fetch(request).await;
            assert_eq!(page.status, status, "{host}{path}");
        }
    }
    let mut pages = vec![Session::stranger(&muster).get("/login").await];
    for path in ["/devices", "/account", "/nothing"] {
        pages.push(admin.get(path).await);
    }
    for page in &pages {
        let header = |name: &str| page.headers[name].to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        let html = &page.body;
        for inline in ["onclick", "<style", "style=", "javascript:"] {
            assert!(!html.contains(inline), "{inline} in {html}");
        }
        assert!(!html.contains("https://"), "nothing comes from elsewhere: {html}");
    }
}

#[tokio::test]
async fn a_browser_shows_a_device_that_appears_while_it_looks() {
    let muster = Muster::start(LAB).await;
    meet(muster.cwmp, &inform("EARLYBIRD", &["2 PERIODIC"])).await;
    let given = std::fs::read_to_string(muster.data_dir().join("admin-password")).unwrap();
    let (given, own) = (given.trim(), "three-quiet-lighthouses");
    let browser = Browser::start(muster.web).await;
    browser.open("/devices").await;
    browser.fill("#login", ADMIN).await;
    browser.fill("#password", given).await;
    browser.press("Log in").await;
    browser.sees("h1", "Choose your own password").await;
    browser.fill("#old_password", given).await;
    browser.fill("#password", own).await;
    browser.fill("#again", own).await;
    browser.press("Change the password").await;
    browser.sees("h1", "Overview").await;
    browser.open("/devices").await;
    browser.sees("#devices", "EARLYBIRD").await;
    meet(muster.cwmp, &inform("LATECOMER", &["2 PERIODIC"])).await;
    browser.sees("#devices", "LATECOMER").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}
