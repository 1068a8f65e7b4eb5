//! Two benches that hear the same board, and programs that want the ports of one. The two are on wires of
//! their own, at whose ends one board asks with one address: to the server it is as if they shared a
//! segment.

use std::process::Stdio;
use std::time::Instant;

use muster_netboot::mac::Mac;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::lab::{Bench, script};
use super::pipe::{PAUSE, Pipe, flashboot, is_answer};
use super::wire::{PATIENCE, Wire, new_mac, ready};
use crate::harness::kit::Api;
use crate::harness::{LAB, Muster, eventually};

/// Bytes that a board has for a configuration.
const FREE: u32 = 4_040;
/// Boards that are heard at both.
const BOARDS: usize = 3;
/// How often each asks at both once it was answered.
const ROUNDS: u32 = 3;
/// A socket on an address and port that others may share, as some servers of TFTP have it.
const SHARED: &str = "
import socket, sys
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
held.bind((sys.argv[1], int(sys.argv[2])))
print('ready', flush=True)
sys.stdin.read()
";

/// The benches of a server by their interfaces, once they are there.
async fn ids(api: &Api, wires: &[Wire]) -> Vec<String> {
    eventually("the benches are there", || async {
        let list = api.found("/api/v1/bench").await?;
        let benches = list["items"].as_array()?;
        let id = |wire: &Wire| {
            let is_it = |bench: &&Value| {
                bench["interface"] == wire.server.as_str() && bench["address"].is_string()
            };
            Some(benches.iter().find(is_it)?["bench_id"].as_str()?.to_owned())
        };
        wires.iter().map(id).collect()
    })
    .await
}

/// Has a board ask at both until it was answered, and some more; gives who has answered it.
async fn answered(pipes: &mut [Pipe], mac: Mac) -> Vec<bool> {
    let (asked, end) = (flashboot(mac, FREE), Instant::now() + PATIENCE);
    let (mut told, mut rounds) = (vec![false; pipes.len()], 0);
    while rounds < ROUNDS {
        assert!(Instant::now() < end, "{mac} is not answered");
        for pipe in pipes.iter_mut() {
            pipe.ask_once(&asked).await;
        }
        for (pipe, told) in pipes.iter_mut().zip(&mut told) {
            while let Some((_, bytes)) = pipe.heard(PAUSE).await {
                *told |= is_answer(&bytes, &asked);
            }
        }
        rounds += u32::from(told.contains(&true));
    }
    told
}

/// Whether a bench has noted that it refused a board for this reason.
async fn has_refused(muster: &Muster, mac: Mac, bench_id: &str, reason: &str) -> bool {
    sqlx::query_scalar(
        "select exists (select from bench_log where mac = $1 and bench_id::text = $2
                        and state = 'refused' and detail ->> 'reason' = $3)",
    )
    .bind(mac.to_string())
    .bind(bench_id)
    .bind(reason)
    .fetch_one(&muster.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_board_that_two_benches_hear_is_served_by_one() {
    if !ready(&["python3"]) {
        return;
    }
    let wires = [Wire::plain(), Wire::plain()];
    let interfaces = format!("{},{}", wires[0].server, wires[1].server);
    let own = [("MUSTER_BENCH__INTERFACES", interfaces.as_str())];
    let mut muster = Muster::start(&[LAB, own.as_slice()].concat()).await;
    let api = Api::of(&mut muster);
    let ids = ids(&api, &wires).await;
    api.make("/api/v1/templates", json!({ "name": "two", "body": script(600), "bench": true }))
        .await;
    for id in &ids {
        let arming = json!({ "minutes": 30, "template": "two", "accept_unverified": true });
        api.send("POST", &format!("/api/v1/bench/{id}/arm"), arming).await;
    }
    let allow = async |mac: Mac| {
        let allowed = json!({ "kind": "mac", "value": mac.to_string() });
        api.make("/api/v1/bench/allowed", allowed).await;
    };
    let board = async |mac: Mac| api.get(&format!("/api/v1/bench/boards/{mac}")).await;
    let mut pipes = vec![Pipe::open(&wires[0], 68).await, Pipe::open(&wires[1], 68).await];

    for _ in 0..BOARDS {
        let mac = new_mac();
        allow(mac).await;
        let told = answered(&mut pipes, mac).await;
        let by: Vec<usize> = (0..ids.len()).filter(|index| told[*index]).collect();
        let [by] = by[..] else { panic!("{mac} was answered by {by:?}") };
        let other = &ids[1 - by];
        eventually("the other says why not", || async {
            has_refused(&muster, mac, other, "elsewhere").await.then_some(())
        })
        .await;
        // It may be answered before that is written, and what the other one writes is never over it.
        eventually("it is known as who is served", || async {
            let board = board(mac).await;
            (board["state"] == "offered" && board["bench_id"] == ids[by]).then_some(())
        })
        .await;
    }

    // One that is not armed writes nothing over what the other one does.
    api.send("POST", &format!("/api/v1/bench/{}/disarm", ids[1]), json!({})).await;
    let mac = new_mac();
    allow(mac).await;
    pipes[0].ask(&flashboot(mac, FREE)).await;
    eventually("it is offered something", || async {
        let board = api.found(&format!("/api/v1/bench/boards/{mac}")).await?;
        (board["state"] == "offered").then_some(())
    })
    .await;
    let end = Instant::now() + PATIENCE;
    while !has_refused(&muster, mac, &ids[1], "disarmed").await {
        assert!(Instant::now() < end, "the other does not note it");
        pipes[1].ask_once(&flashboot(mac, FREE)).await;
        pipes[1].heard(PAUSE).await;
    }
    let board = board(mac).await;
    assert_ne!(board["state"], "refused", "{board}");
    assert_eq!(board["bench_id"], ids[0].as_str());
}

#[tokio::test]
async fn a_port_that_another_program_has_is_the_problem_of_the_bench() {
    if !ready(&["python3"]) {
        return;
    }
    let bench = Bench::start(Wire::plain()).await;
    bench.template("ports", &script(600)).await;
    let address = bench.wire.address.to_string();
    let mut other = bench
        .wire
        .server_command("python3")
        .args(["-c", SHARED, address.as_str(), "69"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));

    bench.arm("ports", json!({})).await;
    eventually("it says what is wrong", || async {
        let status = bench.status().await;
        status["problem"].as_str()?.contains("UDP port 69").then_some(())
    })
    .await;
    other.kill().await.unwrap();
    eventually("it has the port", || async {
        bench.status().await["problem"].is_null().then_some(())
    })
    .await;
}
