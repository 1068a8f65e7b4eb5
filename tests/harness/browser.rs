//! A real Chromium, driven by WebDriver: what a person would click and read, what the console said,
//! what axe finds, and pictures.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::session::Session;
use super::{Muster, eventually};

/// Keys that are no letters (WebDriver, section 17.4.2).
pub const ENTER: char = '\u{e007}';
pub const CONTROL: char = '\u{e009}';

/// A browser with a profile of its own.
pub struct Browser {
    client: Option<Client>,
    driver: Child,
    base: String,
    _profile: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Wide, light.
    Light,
    /// Wide, dark.
    Dark,
    /// As wide as a phone, light.
    Phone,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Phone];

    fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Phone => "phone",
        }
    }
}

/// A command that WebDriver has not, and Chromium's driver has.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// A browser whose relative paths are of this server.
    pub async fn start(web: std::net::SocketAddr) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", profile.path())
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is not installed: apt-get install chromium-driver");
        let port = port(&mut driver);
        let options = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-extensions",
                "--window-size=1440,900", "--force-device-scale-factor=1", "--hide-scrollbars",
                format!("--user-data-dir={}", profile.path().join("profile").display()),
            ] },
        });
        let Value::Object(capabilities) = options else { unreachable!("an object, above") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium is not installed: apt-get install chromium");
        Self { client: Some(client), driver, base: format!("http://{web}"), _profile: profile }
    }

    fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    /// Ends it in order; only dropped, it is killed.
    pub async fn close(mut self) {
        let client = self.client.take().unwrap();
        client.close().await.unwrap();
    }

    /// Has the cookies of somebody who is logged in already, from the next page on.
    pub async fn enter_as(&self, somebody: &Session) {
        for (name, value) in &somebody.cookies {
            // As the server sets them, and no script could.
            let cookie = json!({
                "name": name, "value": value, "url": self.base, "path": "/", "httpOnly": true,
                "sameSite": "Strict",
            });
            let set = self.devtools("Network.setCookie", cookie).await;
            assert_eq!(set["success"], true, "{set}");
        }
    }

    /// Opens a path of the server, or a whole URL.
    pub async fn open(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.into() };
        self.client().goto(&url).await.unwrap();
    }

    /// Path and query of where it is.
    pub async fn path(&self) -> String {
        let url = self.client().current_url().await.unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |q| format!("{}?{q}", url.path()))
    }

    /// The element, once it is there and shown.
    pub async fn find(&self, css: &str) -> Element {
        eventually(&format!("{css} is shown"), || async {
            let element = self.client().find(Locator::Css(css)).await.ok()?;
            element.is_displayed().await.ok()?.then_some(element)
        })
        .await
    }

    /// Waits until a script of the page says true.
    pub async fn until(&self, what: &str, script: &str) {
        eventually(what, || async {
            // Between two pages there is none that could answer.
            let said = self.client().execute(script, Vec::new()).await.ok()?;
            (said == Value::Bool(true)).then_some(())
        })
        .await;
    }

    /// Waits until all of the page is there, also what it asks for by itself.
    pub async fn settled(&self) {
        let script = "return document.readyState === 'complete'
            && !document.querySelector('.wait, .htmx-request, [hx-trigger^=\"load\"]:empty')";
        self.until("all of the page has come", script).await;
    }

    /// Whether it is there now.
    pub async fn has(&self, css: &str) -> bool {
        self.client().find(Locator::Css(css)).await.is_ok()
    }

    /// Waits until an element of this kind shows this text.
    pub async fn sees(&self, css: &str, text: &str) {
        eventually(&format!("{css} shows `{text}`"), || async {
            for element in self.client().find_all(Locator::Css(css)).await.ok()? {
                if element.text().await.is_ok_and(|found| found.contains(text)) {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// What an element says.
    pub async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Clicks it, once it can be clicked.
    pub async fn click(&self, css: &str) {
        eventually(&format!("{css} takes a click"), || async {
            self.client().find(Locator::Css(css)).await.ok()?.click().await.ok()
        })
        .await;
    }

    /// Clicks the link, the button or the suggestion with exactly this text.
    pub async fn press(&self, text: &str) {
        let kinds = "self::a or self::button or parent::li[@role='option']";
        let path = format!("//*[{kinds}][normalize-space(.)='{text}']");
        eventually(&format!("`{text}` takes a click"), || async {
            for element in self.client().find_all(Locator::XPath(&path)).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) && element.click().await.is_ok() {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// Types into an empty field, in place of what it holds.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Types keys where they are.
    pub async fn type_in(&self, css: &str, keys: &str) {
        self.find(css).await.send_keys(keys).await.unwrap();
    }

    /// Strikes keys together, wherever the focus is.
    pub async fn strike(&self, keys: &[char]) {
        let mut chord = KeyActions::new("keys".to_owned());
        for value in keys.iter().copied() {
            chord = chord.then(KeyAction::Down { value });
        }
        for value in keys.iter().rev().copied() {
            chord = chord.then(KeyAction::Up { value });
        }
        self.client().perform_actions(chord).await.unwrap();
    }

    /// Picks an entry of a select by its text.
    pub async fn choose(&self, css: &str, label: &str) {
        self.find(css).await.select_by_label(label).await.unwrap();
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.client().execute(script, Vec::new()).await.unwrap()
    }

    async fn vendor(&self, path: &'static str, body: Value) -> Value {
        self.client().issue_cmd(Vendor { path, body }).await.unwrap()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.vendor("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// What the console said since it was last asked: errors and warnings.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.vendor("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let loud = |entry: &&Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
        entries.iter().filter(loud).map(|entry| entry["message"].to_string()).collect()
    }

    /// Looks at the page as this kind of screen does.
    pub async fn look(&self, look: Look) {
        let scheme = if look == Look::Dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let (width, height) = if look == Look::Phone { (390, 844) } else { (1440, 900) };
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": look == Look::Phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Whether one has to scroll sideways. The window's own width would not tell: on a phone it
    /// grows with what does not fit.
    pub async fn is_too_wide(&self) -> bool {
        let script = "const root = document.documentElement;
            return root.scrollWidth > root.clientWidth";
        self.run(script).await == Value::Bool(true)
    }

    /// The page's whole height as a picture in `target/screenshots`; where something stands over
    /// the page, what one sees of it.
    pub async fn picture(&self, name: &str, look: Look) {
        let over = "return document.querySelector('dialog[open], :popover-open') !== null";
        let whole = self.run(over).await == Value::Bool(false);
        let shot = json!({ "format": "png", "captureBeyondViewport": whole });
        let answer = self.devtools("Page.captureScreenshot", shot).await;
        let bytes = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            answer["data"].as_str().unwrap(),
        );
        let dir = target().join("screenshots");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{name}-{}.png", look.word())), bytes.unwrap()).unwrap();
    }

    /// What axe finds wrong with the page as it is now, by the rules of WCAG 2.2 A and AA.
    pub async fn barriers(&self) -> Vec<String> {
        if self.run("return typeof axe === 'undefined'").await == Value::Bool(true) {
            let axe =
                std::fs::read_to_string(axe()).expect("axe-core is missing: tests/run gets it");
            self.client().execute(&axe, Vec::new()).await.unwrap();
            // It is large: the pages to come have it from the browser.
            let script = json!({ "source": axe });
            self.devtools("Page.addScriptToEvaluateOnNewDocument", script).await;
        }
        let script = "const done = arguments[arguments.length - 1];
            const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
            axe.run(document, { runOnly: rules, resultTypes: ['violations'] })
               .then(r => done(r.violations.flatMap(v => v.nodes.map(n =>
                   v.id + ': ' + n.target.join(' ') + ': ' + n.failureSummary))));";
        let found = self.client().execute_async(script, Vec::new()).await.unwrap();
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|v| v.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that is killed leaves its browser behind: they are ended together.
        let group = Pid::from_raw(i32::try_from(self.driver.id()).unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.driver.wait();
    }
}

impl Muster {
    /// Starts it again, with these settings too: some name the address that it has by now.
    pub async fn again_with(&mut self, settings: &[(&str, &str)]) {
        assert!(self.stop());
        self.env.extend(settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        self.run().await;
    }
}

/// The port that the driver says it took.
fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let rest = line.split_once("successfully on port ")?.1;
        rest.trim_end_matches('.').parse().ok()
    });
    // What it says later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says its port")
}

/// Cargo's target directory: of the test's own binary.
fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_muster"));
    binary.ancestors().nth(2).unwrap().to_owned()
}

fn axe() -> PathBuf {
    target().join("tools/node_modules/axe-core/axe.min.js")
}
