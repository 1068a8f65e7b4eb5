//! Other servers on the segment that answer each client alone, so that nobody else hears them: the bench
//! asks. `dnsmasq` is one.

use std::net::Ipv4Addr;
use std::process::Stdio;

use serde_json::{Value, json};

use super::lab::{Bench, script};
use super::wire::{Wire, ready};
use crate::harness::eventually;

#[tokio::test]
async fn a_server_that_answers_each_client_alone_is_noticed_when_somebody_arms() {
    if !ready(&["dnsmasq"]) {
        return;
    }
    let bench = Bench::start(Wire::plain()).await;
    bench.template("first", &script(600)).await;
    let near = |n: u32| Ipv4Addr::from(u32::from(bench.wire.address) + n);
    let (other, first, last) = (near(76), near(100), near(110));
    bench.wire.give_client(other);
    let dir = tempfile::tempdir().unwrap();
    let _server = bench
        .wire
        .client_command("dnsmasq")
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
        .args(["--port=0", "--bind-dynamic", "--dhcp-authoritative", "--no-ping"])
        .args(["--user=root", "--pid-file=", "--log-facility=/dev/null"])
        .arg(format!("--interface={}", bench.wire.client))
        .arg(format!("--dhcp-range={first},{last},120"))
        .arg(format!("--dhcp-leasefile={}/leases", dir.path().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is not there at once, and each arming asks.
    let heard = eventually("it is noticed", || async {
        bench.arm("first", json!({})).await;
        let others = bench.status().await["others"].as_array()?.clone();
        others.into_iter().find(|one| one["address"] == other.to_string())
    })
    .await;
    assert_eq!(heard["dhcp"], true, "{heard}");
    assert_eq!(others(&bench).await.len(), 1, "the bench is none to itself");

    // Whoever arms beside it says that they know.
    let id = bench.status().await["bench_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/bench/{id}/arm");
    let unaware = json!({ "minutes": 5, "template": "first", "accept_unverified": true });
    let (status, _, words) = bench.api.refused("POST", &path, Some(unaware)).await;
    assert!(status == 409 && words.contains(&other.to_string()), "{status} {words}");
    // Its offer was not taken.
    let leases = std::fs::read_to_string(dir.path().join("leases")).unwrap_or_default();
    assert!(leases.trim().is_empty(), "{leases}");
}

async fn others(bench: &Bench) -> Vec<Value> {
    bench.status().await["others"].as_array().unwrap().clone()
}
