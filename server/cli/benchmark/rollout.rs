//! `muster benchmark rollout`: what rollouts cost where there are many devices.
//!
//! - here: one over a large inventory that is tried and started, and whose devices never come.
//! - [`ticks`]: what it costs to look at that one, by how many of its devices are due.
//! - [`fleet`]: one that light simulated devices carry to its end.
//! - [`api`]: what is ordered, over REST.

pub(super) mod api;
mod fleet;
mod ticks;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::TimeDelta;
use clap::Args;
use muster_routeros::version::RosVersion;
use muster_sim::load::light::{ARCH, FIRST};
use muster_sim::load::{LoadOptions, Mode};
use serde_json::{Value, json};
use uuid::Uuid;

use self::api::Api;
use self::ticks::{ACTIVE, Cost, Used};
use crate::cli::benchmark::server::{Server, peak_kib, rss_kib};

/// What devices are brought to.
const TARGET: RosVersion = RosVersion::release(7, 16, 1);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);

/// `muster benchmark rollout`
#[derive(Debug, Args)]
pub(super) struct Rollout {
    /// Devices of the rollout that is tried, started and looked at; 0 leaves it out.
    #[arg(long, default_value_t = 1_000_000)]
    devices: u32,
    /// Seconds over which the cost of looking at it is measured, for each row.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Simulated devices of the rollout that goes to its end; 0 leaves it out.
    #[arg(long, default_value_t = 100_000)]
    fleet: u32,
    /// Seconds between two informs of each of these.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
    /// So many of them are under way at a time.
    #[arg(long, default_value_t = 25_000)]
    concurrent: u32,
    /// Sessions and downloads of theirs at a time.
    #[arg(long, default_value_t = 256)]
    connections: usize,
}

/// Runs it and prints tables in Markdown.
pub(super) async fn rollout(r: &Rollout) -> anyhow::Result<()> {
    if r.devices > 0 {
        large(r).await?;
    }
    if r.fleet > 0 {
        fleet::to_its_end(r).await?;
    }
    Ok(())
}

/// Tries, starts and looks at a rollout over a hundredth of the devices, then at one over all.
async fn large(r: &Rollout) -> anyhow::Result<()> {
    let server = Server::start(false).await?;
    let few = (r.devices / 100).max(1);
    fill(&server, r.devices, few).await?;
    let api = Api::of(&server).await?;
    api.upload(&TARGET, ARCH).await?;
    let at_rest = ticks::at_rest(&server, r.seconds).await?;
    println!();
    println!(
        "| devices of the rollout | dry run s | taken in s | server RSS before / peak of the dry run / peak MB |"
    );
    println!("|---|---|---|---|");
    let (mut costs, mut aborted): (Vec<Cost>, Vec<String>) = Default::default();
    for (devices, selector) in [(few, "tag = few"), (r.devices, "serial ~ \"*\"")] {
        let id = start(&server, &api, devices, selector).await?;
        costs.extend(ticks::measure(&server, id, devices, at_rest, r.seconds).await?);
        let begin = Instant::now();
        api.order(id, "abort", &json!({ "reason": "measured" })).await?;
        let over = "select due_at is null and leased_by is null from rollouts
                    where rollout_id = $1";
        until(&server, "over", over, id).await?;
        aborted.push(format!("{devices} devices {:.1} s", begin.elapsed().as_secs_f64()));
    }
    ticks::print(&costs);
    closed(&server, &api, r, at_rest).await?;
    println!();
    println!("aborted, and all orders called back: {}", aborted.join(", "));
    server.stop().await
}

/// Starts one over all on a day without changes, and looks at it once all its devices are put off.
async fn closed(server: &Server, api: &Api, r: &Rollout, at_rest: Used) -> anyhow::Result<()> {
    let today = muster::clock::now().date_naive();
    let (from, to) = (today - TimeDelta::days(1), today + TimeDelta::days(1));
    let mut plan = plan();
    plan["blackout"] = json!([{ "from": from, "to": to }]);
    let id = api.draft("serial ~ \"*\"", &plan).await?;
    api.order(id, "start", &json!({})).await?;
    let prepared = "select prepared_at is not null from rollouts where rollout_id = $1";
    until(server, "taken in", prepared, id).await?;
    let begin = Instant::now();
    let all = "select not exists (select from rollout_devices
                   where rollout_id = $1 and state = 'waiting' and due_at is null)";
    until(server, "put off", all, id).await?;
    let took = begin.elapsed().as_secs_f64();
    let [muster, postgres] = ticks::at_rest(server, r.seconds).await?.beyond(at_rest);
    println!();
    println!(
        "{} devices on a day without changes: put off within {took:.0} s; then {muster:.1} ms/s of the \
         server and {postgres:.1} ms/s of PostgreSQL more than without a rollout",
        r.devices
    );
    api.order(id, "abort", &json!({ "reason": "measured" })).await?;
    Ok(())
}

/// Tries and starts one, and waits until its first devices were begun. Its devices never come.
async fn start(server: &Server, api: &Api, devices: u32, selector: &str) -> anyhow::Result<Uuid> {
    let id = api.draft(selector, &plan()).await?;
    let before = rss_kib(server.pid)?;
    let begin = Instant::now();
    let tried = api.order(id, "dry-run", &Value::Null).await?;
    let dry_run = begin.elapsed();
    let peak = peak_kib(server.pid)?;
    ensure!(tried["devices"] == devices, "the dry run finds other devices: {tried}");
    let begin = Instant::now();
    api.order(id, "start", &json!({})).await?;
    let prepared = "select prepared_at is not null from rollouts where rollout_id = $1";
    until(server, "taken in", prepared, id).await?;
    println!(
        "| {devices} | {:.1} | {:.1} | {:.0} / {:.0} / {:.0} |",
        dry_run.as_secs_f64(),
        begin.elapsed().as_secs_f64(),
        megabytes(before),
        megabytes(peak),
        megabytes(peak_kib(server.pid)?)
    );
    let all = i64::from(devices.min(ACTIVE));
    let begun = "select sum(active)::bigint >= $2 from rollout_waves where rollout_id = $1";
    let end = Instant::now() + PATIENCE;
    while !sqlx::query_scalar::<_, bool>(begun).bind(id).bind(all).fetch_one(&server.pool).await? {
        ensure!(Instant::now() < end, "not begun within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody can be called, and it is not the calls that are measured.
    sqlx::query("delete from connection_requests").execute(&server.pool).await?;
    sqlx::query("vacuum analyze").execute(&server.pool).await?;
    Ok(id)
}

/// One wave, so that all devices wait in the one that is under way. Without checks a device is
/// ordered at once, and need not be read before, nor send what it has.
fn plan() -> Value {
    json!({
        "waves": [{ "take": "rest" }], "soak_minutes": 0, "heed_windows": false, "backup": false,
        "pace": { "concurrent": ACTIVE },
        "checks": {
            "missed_informs": null, "crash": false, "uptime": false, "wan": false,
            "cpu_points": null, "memory_percent": null, "link_downs": null, "radios": false,
            "signal_db": null, "clients_percent": null,
        },
    })
}

/// Makes devices known that run what an upgrade starts from; the first `few` of them have a tag.
async fn fill(server: &Server, devices: u32, few: u32) -> anyhow::Result<()> {
    server.make_known(&load(server.cwmp, devices), 0, None).await?;
    sqlx::query(
        "update device_facts f
         set software_version = $1, version_key = $2, arch = $3,
             tags = case when few.device_id is null then '{}' else '{few}' end::text[]
         from device_facts a
         left join (select device_id from device_facts order by device_id limit $4) few
              using (device_id)
         where a.device_id = f.device_id",
    )
    .bind(FIRST.to_string())
    .bind(FIRST.key().to_vec())
    .bind(ARCH.word())
    .bind(i64::from(few))
    .execute(&server.pool)
    .await?;
    // As if they went on informing: those that are silent are put off.
    sqlx::query("update devices set last_inform = now() + interval '1 day'")
        .execute(&server.pool)
        .await?;
    sqlx::query("vacuum analyze").execute(&server.pool).await?;
    Ok(())
}

/// The load whose devices are made known.
fn load(acs_addr: SocketAddr, devices: u32) -> LoadOptions {
    LoadOptions {
        acs_addr,
        path: "/".to_owned(),
        devices,
        connections: 1,
        duration: Duration::ZERO,
        warmup: Duration::ZERO,
        mode: Mode::Closed,
        digest: None,
        params_per_inform: 22,
    }
}

/// Waits until this is true of a rollout.
async fn until(
    server: &Server,
    what: &str,
    statement: &'static str,
    id: Uuid,
) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !sqlx::query_scalar::<_, bool>(statement).bind(id).fetch_one(&server.pool).await? {
        ensure!(Instant::now() < end, "not {what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
