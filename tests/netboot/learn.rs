//! `muster bench learn`, from the wire to a profile.
//!
//! `dnsmasq` gives a file that these tests have made. So it is a real server's wire, a real file and, by
//! `tcpdump`, a real capture: they prove that the form of a file is found in what comes over a network.
//! It is not MikroTik's server: which form its files have is proven by nothing here.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use muster_netboot::mac::Mac;
use muster_netboot::payload::build;
use muster_netboot::profile::{self, Profile, Status};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use super::lab::{Bench, file, script};
use super::oracle::Dnsmasq;
use super::wire::{PATIENCE, Wire, new_mac, ready};
use crate::harness::{cli, eventually};

const MUSTER: &str = env!("CARGO_BIN_EXE_muster");
/// Bytes of the script: with what stands before it, three blocks of what a board asks for.
const SIZE: usize = 3_000;
/// What it says that it has found.
const FOUND: &str =
    "the script is 3000 of 3004 bytes; before it: 4 bytes, 31323320; behind it: nothing.";

/// A folder with the script in it, and its text.
fn known() -> (tempfile::TempDir, String) {
    let (dir, text) = (tempfile::tempdir().unwrap(), script(SIZE));
    std::fs::write(dir.path().join("known.rsc"), &text).unwrap();
    (dir, text)
}

/// Learns at the client's end; what is found goes into this file.
async fn learn(wire: &Wire, dir: &Path, how: &[&str], out: &str) {
    let [script, out] = ["known.rsc", out].map(|name| dir.join(name).display().to_string());
    let target = ["--script", script.as_str(), "--out", out.as_str()];
    let args = [["bench", "learn"].as_slice(), how, target.as_slice()].concat();
    let said = wire.run(MUSTER, &args).await;
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains(FOUND), "{}", said.text);
}

/// The profile that was learned, which makes the file that was sent.
fn learned(dir: &Path, name: &str, text: &str) -> Profile {
    let written = std::fs::read_to_string(dir.join(format!("{name}.toml"))).unwrap();
    let made = profile::read(&written).unwrap();
    assert_eq!(made.status, Status::Captured, "{written}");
    assert_eq!(made.payload.prefix, b"123 ", "{written}");
    assert!(made.payload.suffix.is_empty(), "{written}");
    assert_eq!(build(&made, text.as_bytes(), None), Ok(file(text)));
    let sent = std::fs::read(dir.join(format!("{name}.bin"))).unwrap();
    assert!(sent == file(text), "{} bytes were kept", sent.len());
    made
}

/// `tcpdump` at the client's end, which has begun to listen.
async fn capture(wire: &Wire, into: &Path) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut capturing = wire
        .client_command("tcpdump")
        .args(["--immediate-mode", "-U", "-n", "-s", "0", "-Z", "root", "-i", &wire.client, "-w"])
        .arg(into)
        .arg("udp or arp")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut says = BufReader::new(capturing.stderr.take().unwrap()).lines();
    loop {
        let line = timeout(PATIENCE, says.next_line()).await.expect("it listens in time").unwrap();
        if line.expect("it listens").contains("listening on") {
            // With what it says: who writes where nobody reads any more is ended.
            return (capturing, says);
        }
    }
}

#[tokio::test]
async fn a_profile_is_learned_of_a_server_that_is_asked_and_of_the_capture_of_that() {
    if !ready(&["python3", "dnsmasq", "tcpdump"]) {
        return;
    }
    let (dir, text) = known();
    let (dir, mac, wire) = (dir.path(), new_mac(), Wire::apart());
    let address = Ipv4Addr::from(u32::from(wire.address) + 76);
    let server = Dnsmasq::start(wire, mac, address, &file(&text)).await;
    let (wire, pcap) = (&server.wire, dir.join("wire.pcap"));
    let capturing = capture(wire, &pcap).await;

    let board = mac.to_string();
    let probe = ["probe", "--interface", wire.client.as_str(), "--mac", board.as_str()];
    learn(wire, dir, &probe, "probed.toml").await;
    let probed = learned(dir, "probed", &text);
    let evidence = format!("probe as 952-hb, server {}, board 952-hb", wire.address);
    assert_eq!(probed.evidence, evidence);

    // All is in the capture when the end of the file is.
    let end = &text.as_bytes()[SIZE - 50..];
    eventually("the transfer is captured", || async {
        let seen = std::fs::read(&pcap).ok()?;
        seen.windows(end.len()).any(|part| part == end).then_some(())
    })
    .await;
    drop(capturing);
    learn(wire, dir, &["pcap", pcap.to_str().unwrap()], "captured.toml").await;
    let captured = learned(dir, "captured", &text);
    let evidence = format!("capture wire.pcap, server {}, board 952-hb", wire.address);
    assert_eq!(captured, Profile { evidence, ..probed });
}

/// What `muster bench --follow --json` prints.
struct Followed {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Followed {
    fn start(bench: &mut Bench) -> Self {
        let mut process = Command::from(bench.muster.command())
            .args(["bench", "--follow", "--json"])
            .env("MUSTER_SERVER", format!("http://{}", bench.muster.web))
            .env("MUSTER_TOKEN", bench.muster.token())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { _process: process, lines }
    }

    /// Reads on until the board is in this state.
    async fn until(&mut self, mac: Mac, state: &str) {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("{mac} is never {state}")).unwrap();
            let board: Value = serde_json::from_str(&line.expect("it follows")).unwrap();
            if board["mac"] == mac.to_string() && board["state"] == state {
                return;
            }
        }
    }
}

/// Waits until the stream says so.
async fn changed(events: &mut Response) {
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("changed") {
        let chunk = timeout(PATIENCE, events.chunk()).await.expect("an event in time").unwrap();
        said.extend_from_slice(&chunk.expect("a stream that goes on"));
    }
}

/// Has a board ask our bench; it is delivered, and what it was given is kept as this.
async fn probe(bench: &Bench, dir: &Path, mac: Mac, name: &str) -> Value {
    bench.allow(mac).await;
    let (interface, board) = (bench.wire.client.as_str(), mac.to_string());
    let how = ["probe", "--interface", interface, "--mac", board.as_str(), "--free", "4092"];
    let named = [how.as_slice(), &["--name", name]].concat();
    learn(&bench.wire, dir, &named, &format!("{name}.toml")).await;
    bench.until(mac, "delivered").await
}

/// Both sides are ours here: that they agree proves that a profile goes all the way round, and no more.
/// What changes meanwhile is told as it does.
#[tokio::test]
async fn a_profile_that_was_learned_of_a_bench_serves_the_same_file() {
    if !ready(&[]) {
        return;
    }
    let (dir, text) = known();
    let dir = dir.path();
    let mut bench = Bench::start(Wire::plain()).await;
    bench.template("known", &text).await;
    bench.arm("known", json!({})).await;
    let events = bench.api.request("GET", "/api/v1/bench/events").send().await;
    let mut events = events.unwrap();
    assert_eq!(events.status(), 200);
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    // The first comes to whoever is the first to follow, without a change.
    changed(&mut events).await;

    let first = new_mac();
    let mut followed = Followed::start(&mut bench);
    let board = probe(&bench, dir, first, "learned").await;
    assert_eq!(board["profile"], "mikrotik-flashboot", "{board}");
    changed(&mut events).await;
    followed.until(first, "delivered").await;
    learned(dir, "learned", &text);

    let written = dir.join("learned.toml").display().to_string();
    let put = ["bench", "profiles", "put", "learned", written.as_str()];
    cli::run(&mut bench.muster, &put, 0).await;
    bench.arm("known", json!({ "profile": "learned" })).await;
    let status = bench.status().await;
    assert_eq!(status["profile_status"], "captured", "{status}");
    // Its node hears of the arming a little later.
    let (second, board) = eventually("a board is served by it", || async {
        let mac = new_mac();
        let board = probe(&bench, dir, mac, "again").await;
        (board["profile"] == "learned").then_some((mac, board))
    })
    .await;
    assert_eq!(board["profile_status"], "captured", "{board}");
    learned(dir, "again", &text);
    followed.until(second, "delivered").await;
}
