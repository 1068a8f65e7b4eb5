//! Clients that take a connection and do not use it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::serves_the_next;
use crate::harness::cpe::Cpe;
use crate::harness::{LAB, Muster};

/// A request head has 10 s; a slow machine may need longer to notice.
const PATIENCE: Duration = Duration::from_secs(25);

/// Connects, says this much, and waits to be hung up on.
async fn silent(to: SocketAddr, says: &str) -> Duration {
    let started = Instant::now();
    let mut cpe = Cpe::connect(to).await;
    cpe.send(says.as_bytes()).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, cpe.read()).await.expect("it is hung up on");
    assert!(ended.is_none(), "nobody asked: {ended:?}");
    started.elapsed()
}

/// Sends a head byte by byte, for as long as it is let.
async fn trickle(to: SocketAddr) -> Duration {
    let started = Instant::now();
    let mut cpe = Cpe::connect(to).await;
    cpe.send(b"POST / HTTP/1.1\r\nHost: acs\r\nX-Slow: ").await.unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    while cpe.send(b"x").await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "it is hung up on");
        pace.tick().await;
    }
    started.elapsed()
}

#[tokio::test]
async fn who_sends_no_head_in_time_is_hung_up_on_and_holds_up_nobody() {
    let muster = Muster::start(LAB).await;
    let to = muster.cwmp;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..20 {
        clients.spawn(silent(to, ""));
        clients.spawn(silent(to, "POST / HTTP/1.1\r\nHost:"));
        clients.spawn(trickle(to));
    }
    serves_the_next(&muster).await;
    while let Some(lasted) = clients.join_next().await {
        let lasted = lasted.unwrap();
        assert!(lasted > Duration::from_secs(5), "a slow link is given time: {lasted:?}");
    }
    serves_the_next(&muster).await;
    let url = format!("http://{}/metrics", muster.metrics);
    let text = muster.http().get(url).send().await.unwrap().text().await.unwrap();
    let counted = text
        .lines()
        .filter(|line| line.starts_with("muster_connections_refused_total"))
        .find(|line| line.contains("\"cwmp\"") && line.contains("\"header_timeout\""))
        .and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    assert!(counted.is_some_and(|n| n >= 60.0), "counted: {counted:?}");
}
