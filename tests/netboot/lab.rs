//! A server with a bench, and whatever its tests have in common.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use muster_netboot::mac::Mac;
use muster_routeros::version::RosVersion;
use serde_json::{Value, json};

use super::pipe::{Pipe, flashboot, given, request};
use super::wire::{Said, Wire, own};
use crate::harness::kit::Api;
use crate::harness::{LAB, Muster, eventually};

/// Bytes that stand before a script on the wire.
const PREFIX: &[u8] = b"123 ";
/// What boards are told to read.
pub const FILE: &str = "flashfig";
/// What boards are installed with.
pub const RELEASE: &str = "7.16.1";

/// A server whose bench is at one end of a wire.
pub struct Bench {
    /// An admin's.
    pub api: Api,
    /// The server; it ends before the wire.
    pub muster: Muster,
    /// The wire.
    pub wire: Wire,
    id: String,
}

impl Bench {
    /// One without authentication of devices.
    pub async fn start(wire: Wire) -> Self {
        Self::with(wire, LAB).await
    }

    /// One with these settings.
    pub async fn with(wire: Wire, settings: &[(&str, &str)]) -> Self {
        let own = [("MUSTER_BENCH__INTERFACES", wire.server.as_str())];
        let mut muster = Muster::start(&[settings, own.as_slice()].concat()).await;
        let api = Api::of(&mut muster);
        let interface = wire.server.as_str();
        let id = eventually("the bench is there", || async {
            let list = api.found("/api/v1/bench").await?;
            let mut benches = list["items"].as_array()?.iter();
            let bench = benches.find(|bench| bench["interface"] == interface)?;
            let good = bench["problem"].is_null() && bench["address"].is_string();
            good.then(|| bench["bench_id"].as_str().unwrap().to_owned())
        })
        .await;
        Self { api, muster, wire, id }
    }

    /// Sends what must be taken.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.api.call("POST", path, Some(body)).await;
        assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
        answer
    }

    /// Makes a template of the bench.
    pub async fn template(&self, name: &str, body: &str) {
        let template = json!({ "name": name, "body": body, "bench": true });
        self.post("/api/v1/templates", template).await;
    }

    /// Arms it for half an hour, for this and that a board gets this template.
    pub async fn arm(&self, template: &str, mut arming: Value) -> Value {
        arming["minutes"] = json!(30);
        arming["template"] = json!(template);
        arming["accept_unverified"] = json!(true);
        arming["accept_others"] = json!(true);
        arming["confirm"] = json!(self.wire.server);
        self.post(&format!("/api/v1/bench/{}/arm", self.id), arming).await
    }

    /// Disarms it.
    pub async fn disarm(&self) {
        self.post(&format!("/api/v1/bench/{}/disarm", self.id), json!({})).await;
    }

    /// The bench as the API shows it.
    pub async fn status(&self) -> Value {
        let list = self.api.get("/api/v1/bench").await;
        let benches = list["items"].as_array().unwrap();
        benches.iter().find(|bench| bench["bench_id"] == self.id.as_str()).unwrap().clone()
    }

    /// Lets a board be served.
    pub async fn allow(&self, mac: Mac) {
        let allowed = json!({ "kind": "mac", "value": mac.to_string() });
        self.post("/api/v1/bench/allowed", allowed).await;
    }

    /// The board as the API shows it, if it was seen.
    pub async fn board(&self, mac: Mac) -> Option<Value> {
        self.api.found(&format!("/api/v1/bench/boards/{mac}")).await
    }

    /// The board, once this is so of it.
    pub async fn once(&self, mac: Mac, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("board {mac} is {what}"), || async {
            let board = self.board(mac).await?;
            so(&board).then_some(board)
        })
        .await
    }

    /// The board, once it is in this state.
    pub async fn until(&self, mac: Mac, state: &str) -> Value {
        self.once(mac, state, |board| board["state"] == state).await
    }

    /// The board, once it is refused for this reason.
    pub async fn refused(&self, mac: Mac, reason: &str) -> Value {
        let board = self
            .once(mac, reason, |board| board["state"] == "refused" && board["reason"] == reason)
            .await;
        let words = board["words"].as_str().unwrap();
        assert!(words.len() > 20, "{board}");
        board
    }

    /// The states that a board came through, in their order.
    pub async fn states(&self, mac: Mac) -> Vec<String> {
        let log = self.api.get(&format!("/api/v1/bench/boards/{mac}/log")).await;
        let entries = log["items"].as_array().unwrap().iter().rev();
        entries.map(|entry| entry["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Stores a boot image.
    pub async fn image(&self, arch: &str, bytes: &[u8]) {
        let path = format!("/api/v1/bench/images/{arch}");
        let sent = self.api.request("PUT", &path).body(bytes.to_vec()).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
    }

    /// Stores packages to install, for an architecture that simulated devices do not have.
    pub async fn packages(&self, arch: &str) {
        let version: RosVersion = RELEASE.parse().unwrap();
        for name in ["routeros", "tr069-client"] {
            let (file, bytes) =
                muster_sim::packages::file(name, &version, arch.parse().unwrap(), 3_000);
            let path = format!("/api/v1/releases/packages?name={file}");
            let sent = self.api.request("POST", &path).body(bytes).send().await.unwrap();
            assert!(sent.status().is_success(), "{file}: {}", sent.text().await.unwrap());
        }
    }

    /// Lets a board be installed that was seen, which sends it its boot image first.
    pub async fn let_install(&self, mac: Mac, template: Option<&str>) -> Value {
        let install =
            json!({ "confirm": mac.to_string(), "release": RELEASE, "template": template });
        self.post(&format!("/api/v1/bench/boards/{mac}/install"), install).await
    }

    /// Lets a board be served and has it ask once, so that it is known; gives the address that it is
    /// lent. The bench is armed for all kinds of clients.
    pub async fn introduce(&self, pipe: &mut Pipe, mac: Mac) -> Ipv4Addr {
        self.allow(mac).await;
        let address = given(&pipe.ask(&request(mac, &[])).await);
        self.until(mac, "offered").await;
        address
    }

    /// Makes the client's end a board that is lent an address; gives that.
    pub async fn lend(&self, pipe: &mut Pipe, mac: Mac) -> Ipv4Addr {
        self.allow(mac).await;
        self.wire.become_client(mac);
        let address = given(&pipe.ask(&flashboot(mac, 4_040)).await);
        self.wire.give_client(address);
        address
    }

    /// The same by BusyBox's client of DHCP, with these options beside; gives what it was told.
    pub async fn lease(&self, mac: Mac, more: &[&str]) -> BTreeMap<String, String> {
        self.wire.become_client(mac);
        let script = own("lease.sh");
        let mut args = vec!["-i", self.wire.client.as_str(), "-s", script.as_str()];
        args.extend(["-f", "-q", "-n", "-t", "40", "-T", "1"]);
        args.extend(more);
        let said = self.wire.run("udhcpc", &args).await;
        assert_eq!(said.code, Some(0), "{}", said.text);
        assigned(&said)
    }
}

/// Variables that a program has printed as a shell would read them.
pub fn assigned(said: &Said) -> BTreeMap<String, String> {
    let lines = said.text.lines().filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

/// A script of just so many bytes that a bench takes, and whose blocks all differ.
pub fn script(bytes: usize) -> String {
    let mut text = ":delay 5s\n/system identity set name=bench\n".to_owned();
    for line in 0.. {
        let left = bytes - text.len();
        if left < 80 {
            text += &format!("#{}\n", "x".repeat(left - 2));
            break;
        }
        text += &format!("# line {line} of a script that fills some blocks\n");
    }
    assert_eq!(text.len(), bytes);
    text
}

/// What of a script goes over the wire.
pub fn file(script: &str) -> Vec<u8> {
    [PREFIX, script.as_bytes()].concat()
}

/// Bytes that nobody has packed, whose blocks all differ, begun as boot images are.
pub fn image(bytes: usize) -> Vec<u8> {
    let mut image = b"\x7fELF".to_vec();
    let mut seed = 1_u32;
    while image.len() < bytes {
        // Marsaglia's xorshift.
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        image.extend(seed.to_be_bytes());
    }
    image.truncate(bytes);
    image
}
