//! Every page of the dashboard, on a wide screen, in the dark and on a phone: nothing that the
//! console complains of, no barrier that axe finds, nothing wider than a phone, nothing heavy; and a
//! picture of each in `target/screenshots`.

use std::collections::BTreeSet;

use super::stops::{DEVICES, Stop, furnish, id};
use super::{Net, SSID};
use crate::harness::browser::{Browser, CONTROL, Look};
use crate::harness::session::{ADMIN, Session};

/// What is asked for by GET and is no page by itself: parts of pages, files, streams, and what only
/// leads elsewhere.
const NO_PAGES: [&str; 39] = [
    "/bench/live",
    "/bench/batch.csv",
    "/claims.csv",
    "/claims/rules/count",
    "/profiles/reach",
    "/profiles/{id}/reach",
    "/devices/{id}/desired/state",
    "/rollouts/list",
    "/rollouts/now",
    "/rollouts/count",
    "/rollouts/{id}/state",
    "/rollouts/{id}/report.csv",
    "/rollouts/{id}/report.json",
    "/static/{*path}",
    "/manifest.webmanifest",
    "/sw.js",
    "/login/oidc",
    "/login/oidc/callback",
    "/search.json",
    "/live",
    "/overview/figures",
    "/overview/shares",
    "/overview/problems",
    "/system/state",
    "/jobs/list",
    "/jobs/{id}/state",
    "/files/{id}/content",
    "/devices/{id}/summary",
    "/devices/{id}/jobs/{job_id}/card",
    "/devices/{id}/parameters/branch",
    "/devices/{id}/parameters/row",
    "/devices/{id}/files/{artifact_id}",
    "/devices/table",
    "/devices/count",
    "/devices/complete",
    "/devices.csv",
    "/groups/count",
    "/support/{id}/now",
    "/audit/export",
];
/// Bytes of a page as it is sent, its assets apart: `docs/design-system.md`.
const HEAVY: usize = 150_000;
/// Bytes that may be sent as they are.
const LIGHT: usize = 1_000;
/// Pages that are answers to a mistake: to the console each of them is an error.
const MISTAKES: [&str; 2] = ["devices-mistake", "nothing"];

/// Goes from page to page, and notes what is wrong with each.
struct Walk {
    browser: Browser,
    findings: Vec<String>,
}

impl Walk {
    async fn visit(&mut self, name: &str, path: &str) {
        self.browser.open(path).await;
        self.examine(name).await;
    }

    /// Looks at the page as it is now, in all three ways.
    async fn examine(&mut self, name: &str) {
        let mut known = BTreeSet::new();
        for look in Look::ALL {
            self.browser.look(look).await;
            self.browser.settled().await;
            let mut found = self.browser.barriers().await;
            if self.browser.is_too_wide().await {
                found.push("one has to scroll sideways".to_owned());
            }
            self.browser.picture(name, look).await;
            found.extend(self.complaints(name).await);
            // What was found in one look is not told again of the next.
            found.retain(|finding| known.insert(finding.clone()));
            self.findings.extend(found.iter().map(|what| format!("{name}, {look:?}: {what}")));
        }
        self.browser.look(Look::Light).await;
    }

    async fn complaints(&self, name: &str) -> Vec<String> {
        let mut said = self.browser.complaints().await;
        if MISTAKES.contains(&name) {
            said.retain(|line| !line.contains("responded with a status of 4"));
        }
        said
    }
}

#[tokio::test]
async fn every_page_is_whole_quiet_and_without_barriers_wherever_one_looks_at_it() {
    let net = Net::start(DEVICES).await;
    let stops = furnish(&net).await;
    let missed = missed(&stops);
    assert!(missed.is_empty(), "pages that nobody looks at: {missed:?}");
    let browser = Browser::start(net.muster.web).await;
    let mut walk = Walk { browser, findings: Vec::new() };
    let (login, stops) = stops.split_first().unwrap();
    walk.visit(login.0, &login.1).await;
    walk.browser.enter_as(&Session::opened(&net.muster, ADMIN).await).await;
    let admin = Session::opened(&net.muster, ADMIN).await;
    for (name, path) in stops {
        walk.visit(name, path).await;
        walk.findings.extend(weigh(&admin, name, path).await);
    }
    let device = format!("/devices/{}", id(&net, &net.with_wifi().serial).await);
    open_what_opens(&mut walk, &device).await;
    let given = std::fs::read_to_string(net.muster.data_dir().join("admin-password")).unwrap();
    send_forms(&mut walk, given.trim()).await;

    // Swagger UI: not of Muster's making, but it must work under its rules.
    walk.browser.open("/api/docs").await;
    walk.browser.click(".opblock-tag").await;
    walk.browser.find(".opblock").await;
    walk.browser.picture("api-docs", Look::Light).await;
    let said = walk.browser.complaints().await;
    walk.findings.extend(said.iter().map(|what| format!("api-docs: {what}")));
    let findings = walk.findings.join("\n");
    assert!(findings.is_empty(), "{} findings:\n{findings}", walk.findings.len());
    walk.browser.close().await;
}

/// What is wrong with the weight of a page on its way.
async fn weigh(admin: &Session, name: &str, path: &str) -> Option<String> {
    let request = admin.ask("GET", path).header("accept-encoding", "gzip");
    let page = request.send().await.unwrap();
    let gzipped = page.headers().get("content-encoding").is_some_and(|by| by == "gzip");
    let bytes = page.bytes().await.unwrap().len();
    if bytes > LIGHT && !gzipped {
        return Some(format!("{name}: {bytes} bytes, which are not gzipped"));
    }
    (bytes >= HEAVY).then(|| format!("{name}: {bytes} bytes, gzipped"))
}

/// Dialogs, menus and lists that stand over a page.
async fn open_what_opens(walk: &mut Walk, device: &str) {
    walk.browser.open(device).await;
    walk.browser.press("Reboot…").await;
    walk.browser.find("#reboot[open]").await;
    walk.examine("over-reboot").await;
    walk.browser.open(device).await;
    walk.browser.press("More").await;
    walk.examine("over-more").await;
    walk.browser.open(&format!("{device}/parameters?q=ssid.1.ssid")).await;
    walk.browser.click(&format!("[aria-label='Edit {SSID}']")).await;
    walk.browser.find("form.change").await;
    walk.examine("over-parameter").await;
    walk.browser.open("/").await;
    walk.browser.strike(&[CONTROL, 'k']).await;
    walk.browser.find(".palette [role=option]").await;
    walk.examine("over-palette").await;
    walk.browser.open("/").await;
    walk.browser.strike(&['?']).await;
    walk.browser.find("#keys[open]").await;
    walk.examine("over-keys").await;
    walk.browser.open("/devices").await;
    walk.browser.press("Views").await;
    walk.examine("over-views").await;
    walk.browser.open("/devices").await;
    walk.browser.type_in("#q", "model ").await;
    walk.browser.find(".combo [role=option]").await;
    walk.examine("over-suggestions").await;
}

/// Pages that answer to a form, and show what is shown only once, to who has this password.
async fn send_forms(walk: &mut Walk, password: &str) {
    walk.browser.open("/devices").await;
    walk.browser.click("[name=all]").await;
    walk.browser.choose("#action", "Add a tag").await;
    walk.browser.press("Go on").await;
    walk.browser.fill("#tag", "seen").await;
    walk.examine("devices-bulk").await;
    walk.browser.press(&format!("Add a tag: {DEVICES} devices")).await;
    walk.browser.sees(".stats", "devices changed").await;
    walk.examine("devices-bulk-done").await;
    let forms = [("Run a script", "devices-bulk-script"), ("Ping a host", "devices-bulk-test")];
    for (action, name) in forms {
        walk.browser.open("/devices").await;
        walk.browser.click("[name=all]").await;
        walk.browser.choose("#action", action).await;
        walk.browser.press("Go on").await;
        if action == "Run a script" {
            walk.browser.sees(".note", "1 device: its device-mode is home").await;
        }
        walk.examine(name).await;
    }
    walk.browser.open("/tokens/new").await;
    walk.browser.fill("#name", "monitoring").await;
    walk.browser.click("[name=scopes][value=read]").await;
    walk.browser.press("Make the token").await;
    walk.browser.sees("h1", "The token monitoring").await;
    walk.examine("token-made").await;
    walk.browser.open("/account/tokens/new").await;
    walk.browser.fill("#name", "my scripts").await;
    walk.browser.click("[name=scopes][value=read]").await;
    walk.browser.fill("#password", password).await;
    walk.browser.press("Make the token").await;
    walk.browser.sees("h1", "The token my scripts").await;
    walk.examine("account-token-made").await;
    walk.browser.open("/claims/import").await;
    let table =
        "serial,site,customer,var.wifi_password\nNEW1,eu,7,hunter22\nNEW1,,,\nNEW2,nowhere,,\n";
    walk.browser.fill("#text", table).await;
    walk.browser.press("Look at it first").await;
    walk.browser.sees("h2", "What the table would do").await;
    walk.browser.sees(".note", "Secrets stand in 1 of these claims").await;
    walk.examine("claims-import-told").await;
    walk.browser.open("/claims?q=HGF09ABCDE1").await;
    walk.browser.press("HGF09ABCDE1").await;
    walk.browser.press("Show its credential").await;
    walk.browser.sees("h1", "What HGF09ABCDE1 comes with").await;
    walk.examine("claim-credential").await;
    walk.browser.open("/claims/scan").await;
    for code in ["SCAN1", "SCAN1"] {
        walk.browser.type_in("#code", &format!("{code}\u{e007}")).await;
    }
    walk.browser.sees("#scanned b", "No").await;
    walk.examine("claims-scanned").await;
    walk.browser.open("/users/new").await;
    walk.browser.fill("#login", "bob").await;
    walk.browser.press("Make the user").await;
    walk.browser.sees("h1", "bob is made").await;
    walk.examine("user-made").await;
    walk.browser.open("/account").await;
    walk.browser.press("Set it up").await;
    walk.browser.find(".qr").await;
    walk.examine("account-factor").await;
}

/// Pages that no stop belongs to.
fn missed(stops: &[Stop]) -> Vec<&'static str> {
    let fits = |route: &str, path: &str| {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let (route, path): (Vec<&str>, Vec<&str>) =
            (route.split('/').collect(), path.split('/').collect());
        let same = |(a, b): (&&str, &&str)| a == b || a.starts_with('{');
        route.len() == path.len() && route.iter().zip(&path).all(same)
    };
    let visited = |route: &str| stops.iter().any(|(_, path)| fits(route, path));
    let pages = muster::web::routes().into_iter().filter(|route| route.method == "GET");
    let pages = pages.map(|route| route.path).filter(|path| !NO_PAGES.contains(path));
    pages.filter(|path| !visited(path)).collect()
}
