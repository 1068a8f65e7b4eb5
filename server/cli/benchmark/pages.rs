//! How long the dashboard takes to show its pages where there are many devices: the whole answer of
//! the server, over loopback, without a browser.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{Client, header};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::server::Server;

/// Requests of each page.
const REQUESTS: usize = 20;
/// Name of the session's cookie, by plain HTTP.
const COOKIE: &str = "muster-session";
/// A selector that no index answers alone.
const SELECTOR: &str = "online and version < 8.0 and product_class = \"hAP ac²\"";

/// Shows pages of the dashboard of a server with so many devices, and prints what they took.
pub(super) async fn first_paint(server: &Server, devices: u32) -> anyhow::Result<()> {
    let cookie = session(server).await?;
    let device: Uuid = sqlx::query_scalar("select device_id from devices limit 1")
        .fetch_one(&server.pool)
        .await
        .context("a device")?;
    let client = Client::builder().redirect(Policy::none()).build()?;
    let mut search = url::Url::parse(&format!("http://{}/devices", server.web))?;
    search.query_pairs_mut().append_pair("q", SELECTOR);
    let at = |path: &str| url::Url::parse(&format!("http://{}{path}", server.web));
    let one = at(&format!("/devices/{device}"))?;
    let pages = [
        ("/", at("/")?),
        ("/devices", at("/devices")?),
        ("/devices?q=...", search),
        ("/devices/{id}", one),
        ("/sites", at("/sites")?),
    ];
    println!();
    println!("first paint with {devices} devices, {REQUESTS} requests each");
    println!("| page | p50 / p99 ms | bytes |");
    println!("|---|---|---|");
    for (name, page) in pages {
        let mut took = Vec::with_capacity(REQUESTS);
        let mut bytes = 0;
        for _ in 0..REQUESTS {
            let start = Instant::now();
            let request = client.get(page.clone()).header(header::COOKIE, &cookie);
            let response = request.send().await?;
            let status = response.status();
            ensure!(status.is_success(), "{name}: {status}");
            bytes = response.bytes().await?.len();
            took.push(start.elapsed());
        }
        took.sort_unstable();
        println!(
            "| {name} | {:.1} / {:.1} | {bytes} |",
            ms(took[REQUESTS / 2]),
            ms(took[REQUESTS - 1])
        );
    }
    Ok(())
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// The cookie of the first administrator, as if they had logged in and changed their password.
async fn session(server: &Server) -> anyhow::Result<String> {
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    let done = sqlx::query(
        "with known as (
             update users set must_change = false where login = 'admin' returning user_id
         )
         insert into user_sessions (session_id, user_id, token_hash, created_at, seen_at,
                                    expires_at, address, user_agent)
         select $1, user_id, $2, now(), now(), now() + interval '1 day', '127.0.0.1'::inet, 'bench'
         from known",
    )
    .bind(Uuid::now_v7())
    .bind(hash.to_vec())
    .execute(&server.pool)
    .await?;
    ensure!(done.rows_affected() == 1, "there is no first administrator");
    Ok(format!("{COOKIE}={secret}"))
}
