//! Who is served, who is told nothing, and what an answer is: asked on the wire, byte by byte.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use muster_netboot::bootp::{Reply, Request};
use muster_netboot::mac::Mac;
use muster_netboot::tftp::Packet;
use serde_json::json;

use super::lab::{Bench, FILE, file, script};
use super::pipe::{PAUSE, Pipe, flashboot, given, is_answer, options, request};
use super::transfers::read;
use super::wire::{PATIENCE, Wire, new_mac, ready};
use crate::harness::eventually;

/// Bytes that a board has for a configuration.
const FREE: u32 = 4_040;
/// Bytes of the script that it is given.
const SIZE: usize = 600;
/// MikroTik's wording.
const TOO_BIG: &str = "Not enough flash space, ignoring";
const CURL: &str = r#"curl -qsS --noproxy '*' -o "$3" "tftp://$1/$2""#;

async fn open() -> (Bench, Pipe) {
    let bench = Bench::start(Wire::plain()).await;
    bench.template("first", &script(SIZE)).await;
    let pipe = Pipe::open(&bench.wire, 68).await;
    (bench, pipe)
}

/// The same, armed like this, and so that it is known to serve.
async fn armed(arming: serde_json::Value) -> (Bench, Pipe) {
    let (bench, mut pipe) = open().await;
    bench.arm("first", arming).await;
    let mac = new_mac();
    bench.allow(mac).await;
    pipe.ask(&board(mac)).await;
    (bench, pipe)
}

/// What a board asks that has just been switched on.
fn board(mac: Mac) -> Request {
    flashboot(mac, FREE)
}

/// Has a board ask until it is refused for this reason, and sees that it is told nothing; gives the
/// words of the refusal.
async fn refused(bench: &Bench, pipe: &mut Pipe, asked: &Request, reason: &str) -> String {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        pipe.ask_once(asked).await;
        while let Some((_, bytes)) = pipe.heard(PAUSE).await {
            assert!(!is_answer(&bytes, asked), "{reason}: it was answered");
        }
        let board = bench.board(asked.mac).await.unwrap_or_default();
        if board["state"] == "refused" {
            assert_eq!(board["reason"], reason, "{board}");
            return board["words"].as_str().unwrap().to_owned();
        }
    }
    let board = bench.board(asked.mac).await;
    panic!("{} was not refused: {board:?}", asked.mac);
}

#[tokio::test]
async fn a_bench_that_is_not_armed_sees_and_says_nothing() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, mut pipe) = open().await;
    let mac = new_mac();
    bench.allow(mac).await;
    refused(&bench, &mut pipe, &board(mac), "disarmed").await;
    let seen = bench.board(mac).await.unwrap();
    assert_eq!((&seen["kind"], &seen["board_id"]), (&json!("flashboot"), &json!("952-hb")));
    assert_eq!(seen["free_bytes"], FREE);
    assert_eq!(bench.status().await["counts"]["refused"], 1);

    bench.arm("first", json!({})).await;
    let answer = pipe.ask(&board(mac)).await;
    bench.until(mac, "offered").await;
    bench.disarm().await;
    let gauge = format!("muster_bench_armed{{interface=\"{}\"}} 0", bench.wire.server);
    eventually("it is not armed any more", || async {
        let url = format!("http://{}/metrics", bench.muster.metrics);
        let text = bench.muster.http().get(url).send().await.ok()?.text().await.ok()?;
        text.contains(&gauge).then_some(())
    })
    .await;
    // What was offered is not there any more, and nobody is told so.
    bench.wire.give_client(given(&answer));
    let mut reads = Pipe::open(&bench.wire, 0).await;
    let asks = Packet::Read { file: FILE.as_bytes(), mode: b"octet", options: Vec::new() }.write();
    reads.send(SocketAddrV4::new(bench.wire.address, 69), &asks).await;
    refused(&bench, &mut pipe, &board(new_mac()), "disarmed").await;
    assert_eq!(reads.heard(PAUSE).await, None);

    let log = bench.api.get("/api/v1/audit?action=bench.").await;
    let entries = log["items"].as_array().unwrap().iter();
    let actions: Vec<_> = entries.map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["bench.disarm", "bench.arm", "bench.allow"]);
}

#[tokio::test]
async fn nobody_is_served_but_who_is_claimed_or_allowed() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, mut pipe) = armed(json!({})).await;
    refused(&bench, &mut pipe, &board(new_mac()), "not_claimed").await;
    // A serial number is not on the wire.
    bench.post("/api/v1/claims", json!({ "serial": "SERIAL1" })).await;
    let words = refused(&bench, &mut pipe, &board(new_mac()), "serial_only").await;
    assert!(words.contains("MAC address"), "{words}");

    let mac = new_mac();
    let claim = json!({ "mac": mac.to_string(), "customer": "C-1" });
    bench.post("/api/v1/claims", claim).await;
    pipe.ask(&board(mac)).await;
    assert_eq!(bench.until(mac, "offered").await["customer"], "C-1");

    let allowed = json!({ "kind": "board", "value": "952-hb" });
    bench.post("/api/v1/bench/allowed", allowed).await;
    pipe.ask(&board(new_mac())).await;
    let relayed = Request { giaddr: bench.wire.address, ..board(new_mac()) };
    pipe.ask_once(&relayed).await;
    refused(&bench, &mut pipe, &request(new_mac(), &[]), "wrong_kind").await;
    let loader = request(new_mac(), &[(60, b"ARM64__boot".as_slice())]);
    bench.allow(loader.mac).await;
    refused(&bench, &mut pipe, &loader, "not_armed_for_install").await;
    // What came before that was heard before it, and no relay is listened to.
    assert!(bench.board(relayed.mac).await.is_none());
}

#[tokio::test]
async fn any_board_is_served_where_that_was_said_and_so_many_a_minute() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, mut pipe) = armed(json!({ "any": true, "any_per_minute": 1 })).await;
    let (first, other, named) = (new_mac(), new_mac(), new_mac());
    pipe.ask(&board(first)).await;
    refused(&bench, &mut pipe, &board(other), "rate").await;
    // Neither who was counted already nor who was named.
    pipe.ask(&board(first)).await;
    bench.allow(named).await;
    pipe.ask(&board(named)).await;
    let log = bench.api.get(&format!("/api/v1/bench/boards/{first}/log")).await;
    let by = |entry: &serde_json::Value| entry["detail"]["by"] == "any";
    assert!(log["items"].as_array().unwrap().iter().any(by), "{log}");
}

#[tokio::test]
async fn a_board_is_served_once_before_somebody_says_so_again() {
    if !ready(&["python3", "curl"]) {
        return;
    }
    let (bench, mut pipe) = armed(json!({})).await;
    let (mac, dir) = (new_mac(), tempfile::tempdir().unwrap());
    let into = dir.path().join("read");
    bench.lend(&mut pipe, mac).await;
    read(&bench.wire, CURL, FILE, &into).await;
    assert!(std::fs::read(&into).unwrap() == file(&script(SIZE)));
    let told = bench.until(mac, "delivered").await;
    assert_eq!((&told["deliveries"], &told["done"]), (&json!(1), &json!(true)));
    assert!(told["duration_ms"].is_i64() && told["requests"].as_i64().unwrap() >= 1, "{told}");

    // Since RouterOS 7.16 every reset makes a board ask again.
    let end = Instant::now() + PATIENCE;
    while !bench.states(mac).await.contains(&"refused".to_owned()) {
        assert!(Instant::now() < end, "it was not refused");
        pipe.ask_once(&board(mac)).await;
        while let Some((_, bytes)) = pipe.heard(PAUSE).await {
            assert!(!is_answer(&bytes, &board(mac)), "it was answered");
        }
    }
    let told = bench.board(mac).await.unwrap();
    assert_eq!(told["state"], "delivered", "it stays what it is: {told}");
    bench.post(&format!("/api/v1/bench/boards/{mac}/rearm"), json!({})).await;
    pipe.ask(&board(mac)).await;
    let told = bench.until(mac, "offered").await;
    assert_eq!((&told["deliveries"], &told["done"]), (&json!(1), &json!(false)));
    let states = bench.states(mac).await;
    let wanted = ["offered", "transferring", "delivered", "refused", "rearmed", "offered"];
    let mut rest = states.iter();
    assert!(wanted.iter().all(|state| rest.any(|other| other == state)), "{states:?}");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_when_it_is_saved_or_before_it_is_offered() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, mut pipe) = armed(json!({})).await;
    let template = json!({ "name": "big", "body": script(4_001), "bench": true });
    let (status, problem) = bench.api.call("POST", "/api/v1/templates", Some(template)).await;
    assert!(status == 422 && problem.to_string().contains(TOO_BIG), "{status} {problem}");

    // Four bytes before the script, filled up to a multiple of four, and four more.
    let room = u32::try_from(SIZE).unwrap() + 4 + 4;
    let (fits, small) = (flashboot(new_mac(), room), flashboot(new_mac(), room - 1));
    bench.allow(fits.mac).await;
    bench.allow(small.mac).await;
    pipe.ask(&fits).await;
    let words = refused(&bench, &mut pipe, &small, "too_big").await;
    assert!(words.contains(TOO_BIG), "{words}");
}

#[tokio::test]
async fn an_answer_is_just_what_boot_loaders_read() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, mut pipe) = armed(json!({ "dhcp": true })).await;
    let (mac, server) = (new_mac(), bench.wire.address);
    bench.allow(mac).await;
    let mut asked = board(mac);
    asked.options.push((43, vec![1, 2]));
    let answer = pipe.ask(&asked).await;
    assert_eq!(answer.len(), 300);
    assert_eq!(answer[..4], [2, 1, 6, 0]);
    assert_eq!(answer[8..16], [0, 0, 0x80, 0, 0, 0, 0, 0], "no time, its flags, no address before");
    assert_eq!(answer[20..24], server.octets());
    assert_eq!(answer[24..28], [0; 4], "a relay would be taken for the router");
    assert_eq!(answer[28..34], mac.0);
    assert_eq!(answer[34..108], [0; 74]);
    let name = [FILE.as_bytes(), [0; 120].as_slice()].concat();
    assert_eq!(answer[108..236], name);
    let (told, rest) = options(&answer);
    let network = [(1_u8, vec![255_u8, 255, 255, 0]), (3, server.octets().to_vec())];
    assert_eq!(told, network, "and above all no message type");
    assert!(rest.iter().all(|byte| *byte == 0), "nothing but filling behind the end");
    let address = given(&answer);
    assert_ne!(address, server);

    // The same board asks again and again, by the same question or by others: one coming, one address.
    for repeated in [asked.clone(), asked.clone(), board(mac), board(mac)] {
        assert_eq!(given(&pipe.ask(&repeated).await), address);
    }
    let told = bench.until(mac, "offered").await;
    assert_eq!((&told["deliveries"], &told["options"]["43"]), (&json!(0), &json!("0102")));
    assert_eq!(bench.states(mac).await, ["offered"]);
}

#[tokio::test]
async fn another_server_on_the_segment_is_noticed() {
    if !ready(&["python3"]) {
        return;
    }
    let (bench, pipe) = open().await;
    drop(pipe);
    let other = Ipv4Addr::from(u32::from(bench.wire.address) + 76);
    bench.wire.give_client(other);
    let mut server = Pipe::open(&bench.wire, 67).await;
    let (asked, mask) = (request(new_mac(), &[]), Ipv4Addr::new(255, 255, 255, 0));
    let reply = Reply::plain(&asked, Ipv4Addr::from(u32::from(other) + 1), other, mask, None, "x");
    server.send(SocketAddrV4::new(Ipv4Addr::BROADCAST, 68), &reply.write()).await;
    let heard = eventually("it is noticed", || async {
        let others = bench.status().await["others"].as_array()?.clone();
        others.first().cloned()
    })
    .await;
    assert_eq!((&heard["address"], &heard["dhcp"]), (&json!(other.to_string()), &json!(false)));
}
