//! A rollout that a fleet of light simulated devices carries to its end.

use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::{DateTime, Utc};
use muster_sim::load::light::{ARCH, LightFleet, LightOptions, LightStats};
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::Api;
use super::{PATIENCE, Rollout, TARGET, load, megabytes};
use crate::cli::benchmark::server::{Cpu, Server, peak_kib, rss_kib};

/// How long a restart takes.
const REBOOT: Duration = Duration::from_secs(2);
/// Parameters that are stored of a device before it is heard for the first time.
const STORED: usize = 25;

/// Runs it and prints what it took.
pub(super) async fn to_its_end(r: &Rollout) -> anyhow::Result<()> {
    let server = Server::start(false).await?;
    // With logins of their own, or each would be given one by a job first.
    server.make_known(&load(server.cwmp, r.fleet), STORED, Some("bench-password")).await?;
    let api = Api::of(&server).await?;
    api.upload(&TARGET, ARCH).await?;
    let fleet = LightFleet::start(LightOptions {
        acs_addr: server.cwmp,
        devices: r.fleet,
        interval: Duration::from_secs(u64::from(r.interval)),
        reboot_time: REBOOT,
        connections: r.connections,
    })?;
    all_heard(&fleet, r).await?;
    sqlx::query("vacuum analyze").execute(&server.pool).await?;

    let cpu = || anyhow::Ok((Cpu::of_process(server.pid)?, Cpu::of_postgres(server.postmaster)?));
    let id = api.draft("serial ~ \"*\"", &plan(r)).await?;
    let (before, stats, memory) = (cpu()?, fleet.stats(), rss_kib(server.pid)?);
    let begin = Instant::now();
    api.order(id, "start", &json!({})).await?;
    let state = ended(&server, id).await?;
    let took = begin.elapsed().as_secs_f64();
    let (after, now) = (cpu()?, fleet.stats());

    let per_thousand = |used: f64| used * 1_000.0 / f64::from(r.fleet);
    println!();
    println!(
        "rollout of {} light devices, each informing every {} s: {state}",
        r.fleet, r.interval
    );
    println!();
    println!(
        "| s | devices/minute | sessions/s | server RSS before / peak MB | server CPU-s per 1,000 devices | PostgreSQL CPU-s per 1,000 devices | sessions that failed |"
    );
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {took:.0} | {:.0} | {:.0} | {:.0} / {:.0} | {:.1} | {:.1} | {} |",
        f64::from(r.fleet) * 60.0 / took,
        (now.sessions - stats.sessions) as f64 / took,
        megabytes(memory),
        megabytes(peak_kib(server.pid)?),
        per_thousand(after.0.seconds_since(before.0)),
        per_thousand(after.1.seconds_since(before.1)),
        now.failed - stats.failed
    );
    print_times(&server, id).await?;
    exactly_once(&server, id, r.fleet, &now).await?;
    drop(fleet);
    server.stop().await
}

/// The careful checks, but no soak, baselines that stay young enough for the whole of it, and nothing kept
/// first: these devices have no configuration.
fn plan(r: &Rollout) -> Value {
    json!({
        "waves": [{ "take": { "percent": 1.0 } }, { "take": "rest" }],
        "soak_minutes": 0, "heed_windows": false, "pace": { "concurrent": r.concurrent },
        "backup": false,
        "deadlines": { "baseline_minutes": 1_440 },
    })
}

/// Waits until each of them has been there once: from then on they inform evenly.
async fn all_heard(fleet: &LightFleet, r: &Rollout) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(600 + u64::from(r.interval));
    loop {
        let stats = fleet.stats();
        if stats.heard == r.fleet {
            return Ok(());
        }
        ensure!(Instant::now() < end, "not all devices can inform: {stats:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until the rollout is over, or somebody would have to decide.
async fn ended(server: &Server, id: Uuid) -> anyhow::Result<String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let (state, reason): (String, Option<String>) =
            sqlx::query_as("select state, reason from rollouts where rollout_id = $1")
                .bind(id)
                .fetch_one(&server.pool)
                .await?;
        match state.as_str() {
            "running" | "soaking" => {}
            "completed" => return Ok(state),
            _ => return Ok(format!("{state}: {}", reason.unwrap_or_default())),
        }
        ensure!(Instant::now() < end, "not over within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// When its parts were over, from the start on.
async fn print_times(server: &Server, id: Uuid) -> anyhow::Result<()> {
    let (started, prepared): (DateTime<Utc>, Option<DateTime<Utc>>) = sqlx::query_as(
        "select min(e.at), r.prepared_at from rollouts r join rollout_events e using (rollout_id)
         where r.rollout_id = $1 and e.kind <> 'created' group by r.rollout_id",
    )
    .bind(id)
    .fetch_one(&server.pool)
    .await?;
    let waves: Vec<(String, i64, Option<DateTime<Utc>>)> = sqlx::query_as(
        "select name, total, ended_at from rollout_waves where rollout_id = $1 order by wave",
    )
    .bind(id)
    .fetch_all(&server.pool)
    .await?;
    let since = |at: Option<DateTime<Utc>>| {
        at.map_or("-".to_owned(), |at| format!("{:.0} s", (at - started).as_seconds_f64()))
    };
    println!();
    println!("taken in after {}", since(prepared));
    for (name, total, ended_at) in waves {
        println!("{name}, {total} devices, over after {}", since(ended_at));
    }
    Ok(())
}

/// That each device was upgraded once, by what the devices did and by what the database says.
async fn exactly_once(
    server: &Server,
    id: Uuid,
    devices: u32,
    stats: &LightStats,
) -> anyhow::Result<()> {
    let left: Vec<(String, String, i64)> = sqlx::query_as(
        "select state, coalesce(reason, ''), count(*) from rollout_devices
         where rollout_id = $1 and state <> 'healthy'
         group by state, reason order by count(*) desc limit 20",
    )
    .bind(id)
    .fetch_all(&server.pool)
    .await?;
    let most: i64 = sqlx::query_scalar(
        "select coalesce(max(n), 0) from (
             select count(*) as n from jobs where kind = 'upgrade' group by device_id) c",
    )
    .fetch_one(&server.pool)
    .await?;
    println!(
        "upgraded once {}, more than once {}, downloads that failed {}, {:.1} MB; most orders of one device {most}",
        stats.once,
        stats.more,
        stats.faults,
        stats.bytes as f64 / 1e6
    );
    for (state, reason, count) in &left {
        println!("{count} {state}: {reason}");
    }
    ensure!(
        stats.once == devices && stats.more == 0 && most == 1 && left.is_empty(),
        "not every device was upgraded exactly once"
    );
    Ok(())
}
