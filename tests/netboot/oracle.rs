//! `dnsmasq`, a server that others wrote, is asked the same as ours, on a wire of its own with the same
//! addresses. What it says otherwise is left out here, and said why.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Stdio;

use muster_netboot::bootp::Request;
use muster_netboot::mac::Mac;
use muster_netboot::tftp::Packet;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Child;

use super::lab::{Bench, FILE, file, script};
use super::pipe::{PAUSE, Pipe, is_answer, options, request};
use super::wire::{Wire, new_mac, ready};

/// Seconds for which an address is lent; less than two minutes is not known there.
const LEASE: &str = "120";
/// The options that are compared: mask, router, lease, message type, server. It tells more, of which a
/// boot loader has no use.
const COMPARED: [u8; 5] = [1, 3, 51, 53, 54];
/// Bytes of a script whose file ends just with a block of 512 or 1024 bytes.
const EXACT: usize = 2_044;

/// The other server, at the server's end of a wire, and a client that it has answered.
pub struct Dnsmasq {
    _process: Child,
    _dir: TempDir,
    pipe: Pipe,
    /// The wire that it is at.
    pub wire: Wire,
}

impl Dnsmasq {
    /// One that gives this client this address, and a file of these bytes.
    pub async fn start(wire: Wire, mac: Mac, address: Ipv4Addr, content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().display();
        std::fs::write(dir.path().join(FILE), content).unwrap();
        let network = u32::from(wire.address) & 0xFFFF_FF00;
        let [first, last] = [network + 2, network + 254].map(Ipv4Addr::from);
        let process = wire
            .server_command("dnsmasq")
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
            .args(["--port=0", "--bind-dynamic", "--dhcp-authoritative", "--no-ping"])
            .args(["--user=root", "--pid-file=", "--log-facility=/dev/null"])
            .args(["--bootp-dynamic", "--enable-tftp"])
            .arg(format!("--interface={}", wire.server))
            .arg(format!("--dhcp-range={first},{last},{LEASE}"))
            .arg(format!("--dhcp-host={mac},{address},{LEASE}"))
            .arg(format!("--dhcp-boot={FILE}"))
            .arg(format!("--dhcp-option=3,{}", wire.address))
            .arg(format!("--dhcp-leasefile={place}/leases"))
            .arg(format!("--tftp-root={place}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wire.become_client(mac);
        let mut pipe = Pipe::open(&wire, 68).await;
        pipe.ask(&request(mac, &[])).await;
        Self { _process: process, _dir: dir, pipe, wire }
    }
}

/// The fixed fields, without the time, which ours leaves out.
fn fixed(answer: &[u8]) -> Vec<u8> {
    [&answer[..8], &answer[10..236]].concat()
}

fn compared(answer: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let told = options(answer).0.into_iter();
    told.filter(|(code, _)| COMPARED.contains(code)).collect()
}

/// Asks without any vendor area, as klibc does.
async fn ask_briefly(pipe: &mut Pipe, asked: &Request) -> Vec<u8> {
    let bytes = asked.write();
    for _ in 0..100 {
        pipe.send(SocketAddrV4::new(Ipv4Addr::BROADCAST, 67), &bytes[..236]).await;
        while let Some((_, answer)) = pipe.heard(PAUSE).await {
            if is_answer(&answer, asked) {
                return answer;
            }
        }
    }
    panic!("nobody answers a request without a vendor area");
}

#[tokio::test]
async fn our_answers_are_as_those_of_dnsmasq() {
    if !ready(&["python3", "dnsmasq"]) {
        return;
    }
    let settings = [("MUSTER_ACS__AUTH", "none"), ("MUSTER_BENCH__LEASE_SECONDS", LEASE)];
    let bench = Bench::with(Wire::plain(), &settings).await;
    bench.template("same", &script(600)).await;
    bench.arm("same", json!({ "dhcp": true })).await;
    let mac = new_mac();
    let mut ours = Pipe::open(&bench.wire, 68).await;
    let address = bench.introduce(&mut ours, mac).await;
    let mut other = Dnsmasq::start(bench.wire.twin(), mac, address, b"x").await;
    let theirs = &mut other.pipe;

    let (server, wanted) = (bench.wire.address.octets(), address.octets());
    // Of another network; within this one it gives whatever it is asked for.
    let stranger = Ipv4Addr::from(u32::from(address) ^ 0x200).octets();
    let class = (60, b"Flashboot".as_slice());
    let chosen = (54, server.as_slice());
    let (looks, takes) = ((53, [1_u8].as_slice()), (53, [3_u8].as_slice()));
    for (what, asked) in [
        ("plain", request(mac, &[])),
        ("of a board", request(mac, &[class, (128, b"952-hb".as_slice())])),
        ("discover", request(mac, &[looks, (55, [1_u8, 3].as_slice())])),
        ("request", request(mac, &[takes, chosen, (50, wanted.as_slice())])),
        ("request of another's", request(mac, &[takes, chosen, (50, stranger.as_slice())])),
    ] {
        let (our, their) = (ours.ask(&asked).await, theirs.ask(&asked).await);
        assert!(fixed(&our) == fixed(&their), "{what}:\n{our:?}\n{their:?}");
        assert_eq!(compared(&our), compared(&their), "{what}");
    }
    // Its options begin without their mark then, so that klibc does not read them. Ours have it.
    let short = request(mac, &[]);
    let (our, their) = (ask_briefly(&mut ours, &short).await, ask_briefly(theirs, &short).await);
    assert!(fixed(&our) == fixed(&their), "{our:?}\n{their:?}");
    assert_eq!(compared(&our).len(), 2);
}

/// What a server makes of a request to read with these options, and the file as it comes then, packet by
/// packet.
async fn conversation(
    wire: &Wire,
    wanted: &[(&str, &str)],
) -> (BTreeMap<String, String>, Vec<Vec<u8>>) {
    let mut pipe = Pipe::open(wire, 0).await;
    let options: Vec<(String, String)> =
        wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let asks = Packet::Read { file: FILE.as_bytes(), mode: b"octet", options }.write();
    pipe.send(SocketAddrV4::new(wire.address, 69), &asks).await;
    let (mut agreed, mut blocks) = (BTreeMap::<String, String>::new(), Vec::new());
    loop {
        let (from, packet) = pipe.receive().await;
        match Packet::read(&packet) {
            Ok(Packet::Options(told)) => {
                // It writes their names small.
                let small = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
                agreed = told.into_iter().map(small).collect();
                pipe.send(from, &Packet::Ack { block: 0 }.write()).await;
            }
            Ok(Packet::Data { block, bytes }) => {
                let size = agreed.get("blksize").map_or(512, |size| size.parse().unwrap());
                let is_last = bytes.len() < size;
                pipe.send(from, &Packet::Ack { block }.write()).await;
                if usize::from(block) == blocks.len() + 1 {
                    blocks.push(packet.clone());
                    if is_last {
                        return (agreed, blocks);
                    }
                }
            }
            told => panic!("{told:?}"),
        }
    }
}

#[tokio::test]
async fn our_transfers_are_as_those_of_dnsmasq() {
    if !ready(&["python3", "dnsmasq"]) {
        return;
    }
    let bench = Bench::start(Wire::plain()).await;
    bench.template("same", &script(EXACT)).await;
    bench.arm("same", json!({})).await;
    let mut pipe = Pipe::open(&bench.wire, 68).await;
    let address = Ipv4Addr::from(u32::from(bench.wire.address) + 76);
    let content = file(&script(EXACT));
    let other = Dnsmasq::start(bench.wire.twin(), new_mac(), address, &content).await;
    other.wire.give_client(address);
    let none: [(&str, &str); 0] = [];
    for wanted in [
        none.as_slice(),
        [("blksize", "1024")].as_slice(),
        [("blksize", "1024"), ("tsize", "0")].as_slice(),
        [("BLKSIZE", "512")].as_slice(),
        [("tsize", "0"), ("blksize", "1452")].as_slice(),
        [("nonsense", "1"), ("blksize", "8")].as_slice(),
    ] {
        bench.lend(&mut pipe, new_mac()).await;
        let our = conversation(&bench.wire, wanted).await;
        let their = conversation(&other.wire, wanted).await;
        assert_eq!(our.0, their.0, "{wanted:?}");
        assert!(our.1 == their.1, "{wanted:?}: {} blocks, {} blocks", our.1.len(), their.1.len());
    }
}
