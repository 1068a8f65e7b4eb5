//! `muster benchmark desired`: what it costs to bring a change of what is wanted through the fleet.
//!
//! The devices never come: what is measured is comparing them and making their jobs, as fast as one
//! node can, and then comparing them again when nothing differs.

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use muster_sim::load::{LoadOptions, Mode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::rollout::api::Api;
use crate::cli::benchmark::server::{Cpu, Server, peak_kib, rss_kib};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// The most that may be asked for, more than a node can do.
const AS_FAST_AS_CAN_BE: u32 = 10_000;
/// Parameters that are stored of a device.
const STORED: usize = 25;

/// `muster benchmark desired`
#[derive(Debug, Args)]
pub(super) struct Desired {
    /// Devices.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    devices: u32,
}

/// Runs it and prints a table in Markdown.
pub(super) async fn desired(d: &Desired) -> anyhow::Result<()> {
    let server = Server::start(false).await?;
    let load = LoadOptions {
        acs_addr: server.cwmp,
        path: "/".to_owned(),
        devices: d.devices,
        connections: 1,
        duration: Duration::ZERO,
        warmup: Duration::ZERO,
        mode: Mode::Closed,
        digest: None,
        params_per_inform: 22,
    };
    server.make_known(&load, STORED, None).await?;
    sqlx::query("update device_parameters set refreshed_at = now()").execute(&server.pool).await?;
    let name: String = sqlx::query_scalar(
        "select k from device_parameters, jsonb_object_keys(doc) k
         where k not like 'Device.ManagementServer%' order by k limit 1",
    )
    .fetch_one(&server.pool)
    .await?;
    sqlx::query("vacuum analyze").execute(&server.pool).await?;
    let api = Api::of(&server).await?;
    println!();
    println!(
        "| {} devices | s | devices/s | jobs | server CPU-s | PostgreSQL CPU-s | server RSS before / peak MB |",
        d.devices
    );
    println!("|---|---|---|---|---|---|---|");
    let told = json!({ "parameters": { &name: { "value": "bench", "mode": "report" } } });
    let profile =
        api.made("/api/v1/profiles", &json!({ "name": "bench", "desired": told })).await?;
    let path = format!("/api/v1/profiles/{}", profile["profile_id"].as_str().unwrap_or_default());
    swept(&server, &api, d, "bound, differences told", async {
        api.put(&format!("{path}/bindings"), &json!({ "fleet": true })).await
    })
    .await?;
    let enforced =
        json!({ "desired": { "parameters": { &name: { "value": "bench", "mode": "enforce" } } } });
    swept(&server, &api, d, "changed, differences mended", api.patched(&path, &enforced)).await?;
    // As if the devices had taken it.
    sqlx::query("delete from jobs").execute(&server.pool).await?;
    sqlx::query(
        "update device_parameters set doc = jsonb_set(doc, array[$1, 'v'], '\"bench\"'::jsonb)",
    )
    .bind(&name)
    .execute(&server.pool)
    .await?;
    sqlx::query("vacuum analyze").execute(&server.pool).await?;
    let described = json!({ "desired": { "parameters": { &name: { "value": "bench" } }, "check_every_hours": 0 } });
    swept(&server, &api, d, "changed, nothing differs", api.patched(&path, &described)).await?;
    server.stop().await
}

/// Orders something that begins a sweep, lets it go as fast as it can, and waits for its end.
async fn swept(
    server: &Server,
    api: &Api,
    d: &Desired,
    what: &str,
    order: impl Future<Output = anyhow::Result<Value>>,
) -> anyhow::Result<()> {
    let cpu = || anyhow::Ok((Cpu::of_process(server.pid)?, Cpu::of_postgres(server.postmaster)?));
    let (before, memory) = (cpu()?, rss_kib(server.pid)?);
    order.await?;
    let begin = Instant::now();
    let newest = "select sweep_id from sweeps order by sweep_id desc limit 1";
    let sweep: Uuid = sqlx::query_scalar(newest).fetch_one(&server.pool).await?;
    api.patched(&format!("/api/v1/sweeps/{sweep}"), &json!({ "per_second": AS_FAST_AS_CAN_BE }))
        .await?;
    let end = Instant::now() + PATIENCE;
    let seen = loop {
        let (state, seen): (String, i64) =
            sqlx::query_as("select state, seen from sweeps where sweep_id = $1")
                .bind(sweep)
                .fetch_one(&server.pool)
                .await?;
        if state == "done" {
            break seen;
        }
        ensure!(Instant::now() < end, "not over within {PATIENCE:?}: {seen} seen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let took = begin.elapsed().as_secs_f64();
    ensure!(seen == i64::from(d.devices), "the sweep came to {seen} devices");
    let jobs: i64 = sqlx::query_scalar("select count(*) from jobs").fetch_one(&server.pool).await?;
    let after = cpu()?;
    println!(
        "| {what} | {took:.1} | {:.0} | {jobs} | {:.1} | {:.1} | {:.0} / {:.0} |",
        f64::from(d.devices) / took,
        after.0.seconds_since(before.0),
        after.1.seconds_since(before.1),
        memory as f64 / 1024.0,
        peak_kib(server.pid)? as f64 / 1024.0,
    );
    Ok(())
}
