//! `muster benchmark`: what an ACS does per second and what it costs, on this machine.
//!
//! Without `--against` it runs a server of its own (this binary, a data directory that it removes)
//! and makes the devices known first, so that what is measured is the periodic inform and nothing
//! else. Server, PostgreSQL and generator share the machine: the figures are for comparing runs on
//! one machine, never machines.

mod desired;
mod pages;
mod render;
mod report;
mod rollout;
mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand};
use muster_sim::load::{LoadOptions, LoadReport, Mode, run_load};

use pages::first_paint;
use report::{Row, print_machine, print_rows};
use server::{Cpu, Server, rss_kib};

/// Sessions per second of the open loop.
const OFFERED: f64 = 2_000.0;

/// `muster benchmark`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Benchmark {
    #[command(subcommand)]
    what: Option<What>,
    /// Only make load on this ACS, which must know the devices already.
    #[arg(long, value_name = "ADDRESS:PORT")]
    against: Option<SocketAddr>,
    /// Seconds measured per row.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Seconds before that which are not measured.
    #[arg(long, default_value_t = 3)]
    warmup: u64,
    /// Distinct devices.
    #[arg(long, default_value_t = 100_000)]
    devices: u32,
    /// Connections of the closed loop.
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Sessions held open for the memory row.
    #[arg(long, default_value_t = 4_000)]
    open_sessions: usize,
    /// Devices in the inventory for the look-up and first-paint rows; 0 leaves them out.
    #[arg(long, default_value_t = 1_000_000)]
    inventory: u32,
}

/// What else there is to measure.
#[derive(Debug, Subcommand)]
enum What {
    /// Measure rollouts: one over a large inventory, what it costs to look at it, and one that
    /// simulated devices carry to its end.
    Rollout(rollout::Rollout),
    /// Measure a change of what is wanted on its way through the fleet.
    Desired(desired::Desired),
    /// Measure how many scripts templates give in a second.
    Render(render::Render),
}

/// What one row is about.
struct Scenario {
    name: &'static str,
    digest: bool,
    stored_parameters: usize,
    mode: Mode,
}

fn scenarios() -> Vec<Scenario> {
    let closed = |name, digest, stored_parameters| Scenario {
        name,
        digest,
        stored_parameters,
        mode: Mode::Closed,
    };
    vec![
        closed("closed loop, 25 stored parameters", false, 25),
        closed("closed loop, 300 stored parameters", false, 300),
        closed("closed loop, Digest", true, 25),
        Scenario {
            name: "open loop, 2,000/s offered",
            digest: false,
            stored_parameters: 25,
            mode: Mode::Open { rate: OFFERED },
        },
        Scenario {
            name: "open loop, 2,000/s offered, Digest",
            digest: true,
            stored_parameters: 25,
            mode: Mode::Open { rate: OFFERED },
        },
    ]
}

/// Runs it and prints a table in Markdown.
pub async fn benchmark(b: Benchmark) -> anyhow::Result<()> {
    print_machine()?;
    match &b.what {
        Some(What::Rollout(options)) => return rollout::rollout(options).await,
        Some(What::Desired(options)) => return desired::desired(options).await,
        Some(What::Render(options)) => return render::render(options).await,
        None => {}
    }
    if let Some(address) = b.against {
        let report = run_load(options(&b, address, Mode::Closed, None)).await?;
        print_rows(&[Row { name: "closed loop".to_owned(), report, server: None, postgres: None }]);
        return Ok(());
    }
    let mut rows = Vec::new();
    let wanted: Vec<Scenario> =
        scenarios().into_iter().filter(|s| s.name.contains(&b.only)).collect();
    // Two servers at most: authentication is a setting of the process.
    for digest in [false, true] {
        let of_kind: Vec<&Scenario> = wanted.iter().filter(|s| s.digest == digest).collect();
        if of_kind.is_empty() {
            continue;
        }
        let server = Server::start(digest).await?;
        for scenario in of_kind {
            rows.push(measure(&b, &server, scenario).await?);
            print_rows(&rows[rows.len() - 1..]);
        }
        server.stop().await?;
    }
    println!();
    print_rows(&rows);
    if "memory".contains(&b.only) {
        memory(&b).await?;
    }
    if b.inventory > 0 && ["look-up", "first paint"].iter().any(|row| row.contains(&b.only)) {
        inventory(&b).await?;
    }
    Ok(())
}

fn options(b: &Benchmark, address: SocketAddr, mode: Mode, digest: Option<String>) -> LoadOptions {
    LoadOptions {
        acs_addr: address,
        path: "/".to_owned(),
        devices: b.devices,
        connections: b.connections,
        duration: Duration::from_secs(b.seconds),
        warmup: Duration::from_secs(b.warmup),
        mode,
        digest: digest.map(|password| ("bench".to_owned(), password)),
        params_per_inform: 22,
    }
}

async fn measure(b: &Benchmark, server: &Server, s: &Scenario) -> anyhow::Result<Row> {
    let password = s.digest.then(|| "bench-password".to_owned());
    let options = options(b, server.cwmp, s.mode, password.clone());
    server.make_known(&options, s.stored_parameters, password.as_deref()).await?;
    let warm = LoadOptions {
        duration: options.warmup.max(Duration::from_secs(1)),
        warmup: Duration::ZERO,
        ..options.clone()
    };
    run_load(warm).await?;
    let before = (Cpu::of_process(server.pid)?, Cpu::of_postgres(server.postmaster)?);
    let report = run_load(LoadOptions { warmup: Duration::ZERO, ..options }).await?;
    let after = (Cpu::of_process(server.pid)?, Cpu::of_postgres(server.postmaster)?);
    anyhow::ensure!(report.sessions > 0, "no session succeeded: {report:?}");
    let per_thousand = |used: f64| used * 1_000.0 / report.sessions as f64;
    Ok(Row {
        name: s.name.to_owned(),
        server: Some(per_thousand(after.0.seconds_since(before.0))),
        postgres: Some(per_thousand(after.1.seconds_since(before.1))),
        report,
    })
}

/// Memory idle, and per session that is open.
async fn memory(b: &Benchmark) -> anyhow::Result<()> {
    let server = Server::start(false).await?;
    let idle = rss_kib(server.pid)?;
    let mut load = options(b, server.cwmp, Mode::Closed, None);
    load.devices = u32::try_from(b.open_sessions).context("--open-sessions")?;
    server.make_known(&load, 25, None).await?;
    let mut informs = muster_sim::load::Informs::new(&load);
    let mut held = Vec::with_capacity(b.open_sessions);
    let before = rss_kib(server.pid)?;
    for device in 0..load.devices {
        held.push(muster_sim::load::hold_session(server.cwmp, informs.of(device)).await?);
    }
    let after = rss_kib(server.pid)?;
    println!();
    println!("RSS idle: {:.1} MB", idle as f64 / 1024.0);
    println!(
        "RSS per open session: {:.1} KB ({} sessions)",
        after.saturating_sub(before) as f64 / held.len() as f64,
        held.len()
    );
    drop(held);
    server.stop().await
}

/// What people do where there are many devices.
async fn inventory(b: &Benchmark) -> anyhow::Result<()> {
    let server = Server::start(false).await?;
    let mut load = options(b, server.cwmp, Mode::Closed, None);
    load.devices = b.inventory;
    server.make_known(&load, 0, None).await?;
    if "look-up".contains(&b.only) {
        look_up(b, &server).await?;
    }
    if "first paint".contains(&b.only) {
        first_paint(&server, b.inventory).await?;
    }
    server.stop().await
}

/// Finding a device by its serial among many, as the API does.
async fn look_up(b: &Benchmark, server: &Server) -> anyhow::Result<()> {
    let mut took: Vec<Duration> = Vec::new();
    for i in 0..2_000u32 {
        let serial = format!("{:012X}", (i.wrapping_mul(7_919)) % b.inventory);
        let start = Instant::now();
        let found = muster::store::devices::by_serial(&server.pool, &serial).await?;
        took.push(start.elapsed());
        anyhow::ensure!(found.len() == 1, "{serial}: {} devices", found.len());
    }
    took.sort_unstable();
    println!(
        "find by serial among {}: p50 {:.2} ms, p99 {:.2} ms",
        b.inventory,
        took[took.len() / 2].as_secs_f64() * 1e3,
        took[took.len() * 99 / 100].as_secs_f64() * 1e3
    );
    Ok(())
}

/// Every session of a report, for a row.
pub(super) fn refused_share(report: &LoadReport) -> f64 {
    let all = report.sessions + report.errors + report.with_work;
    (report.errors + report.with_work) as f64 * 100.0 / all.max(1) as f64
}
