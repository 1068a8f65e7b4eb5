//! What a rollout under way costs, by how many devices it has and how many of them are due.
//!
//! The devices that are under way never come, and are due when the benchmark says so: what is
//! measured is the reconciler and its statements, and no device.

use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::TimeDelta;
use muster::clock;
use muster::store::rollouts::devices::due;
use muster::store::rollouts::devices::pick;
use muster::store::rollouts::waves;
use uuid::Uuid;

use super::until;
use crate::cli::benchmark::server::{Cpu, Server};

/// Devices under way.
pub(super) const ACTIVE: u32 = 1_000;
/// So many of them become due each second.
const DUE: [u32; 3] = [0, 100, ACTIVE];
/// How often each statement is timed.
const RUNS: usize = 200;
/// Devices that one statement looks at, and looks through, as the reconciler has it.
const BATCH: i64 = 50;
const CANDIDATES: i64 = 500;

/// Milliseconds of CPU time per second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    server: f64,
    postgres: f64,
}

impl Used {
    /// What is used beyond that: by the server, and by PostgreSQL.
    pub(super) fn beyond(self, other: Self) -> [f64; 2] {
        [self.server - other.server, self.postgres - other.postgres]
    }
}

/// One line of the table.
pub(super) struct Cost {
    devices: u32,
    due: u32,
    used: Used,
    /// Median milliseconds of each of [`STATEMENTS`].
    statements: [f64; 5],
}

/// What a tick asks when nothing is due, and what a batch of those that are due takes.
const STATEMENTS: [&str; 5] = ["none due", "a batch of due", "candidates", "in flight", "gate"];

/// What the server and its database cost where nothing is made due.
pub(super) async fn at_rest(server: &Server, seconds: u64) -> anyhow::Result<Used> {
    used(server, seconds, None).await
}

/// What a rollout under way costs more than that.
pub(super) async fn measure(
    server: &Server,
    id: Uuid,
    devices: u32,
    at_rest: Used,
    seconds: u64,
) -> anyhow::Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for due in DUE {
        let used = used(server, seconds, Some((id, due))).await?;
        let none_left = "select not exists (select from rollout_devices where rollout_id = $1
                             and state = 'offered' and due_at <= now())";
        until(server, "looked at", none_left, id).await?;
        let used = Used {
            server: used.server - at_rest.server,
            postgres: used.postgres - at_rest.postgres,
        };
        costs.push(Cost { devices, due, used, statements: statements(server, id).await? });
    }
    Ok(costs)
}

/// CPU time over some seconds, in each of which devices become due.
async fn used(server: &Server, seconds: u64, due: Option<(Uuid, u32)>) -> anyhow::Result<Used> {
    let cpu = || anyhow::Ok((Cpu::of_process(server.pid)?, Cpu::of_postgres(server.postmaster)?));
    let (before, begin) = (cpu()?, Instant::now());
    let mut second = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..seconds {
        second.tick().await;
        if let Some((id, devices)) = due.filter(|(_, devices)| *devices > 0) {
            make_due(server, id, devices).await?;
        }
    }
    second.tick().await;
    let after = cpu()?;
    let per_second = |seconds: f64| seconds * 1e3 / begin.elapsed().as_secs_f64();
    Ok(Used {
        server: per_second(after.0.seconds_since(before.0)),
        postgres: per_second(after.1.seconds_since(before.1)),
    })
}

/// Has devices looked at, as a job that came further does.
async fn make_due(server: &Server, id: Uuid, devices: u32) -> anyhow::Result<()> {
    let done = sqlx::query(
        "update rollout_devices set due_at = now()
         where (device_id, rollout_id) in (
             select device_id, rollout_id from rollout_devices
             where rollout_id = $1 and state = 'offered' limit $2)",
    )
    .bind(id)
    .bind(i64::from(devices))
    .execute(&server.pool)
    .await?;
    ensure!(done.rows_affected() > 0, "no device is under way");
    Ok(())
}

/// Median times of what a tick asks.
async fn statements(server: &Server, id: Uuid) -> anyhow::Result<[f64; 5]> {
    let mut conn = server.pool.acquire().await?;
    let now = clock::now();
    // By then all that are under way are due.
    let later = now + TimeDelta::days(60);
    let mut took: [Vec<f64>; 5] = Default::default();
    for _ in 0..RUNS {
        let begin = Instant::now();
        due::due(&mut *conn, id, now, BATCH).await?;
        took[0].push(milliseconds(begin));
        let begin = Instant::now();
        due::due(&mut *conn, id, later, BATCH).await?;
        took[1].push(milliseconds(begin));
        let begin = Instant::now();
        pick::candidates(&mut *conn, id, 0, false, CANDIDATES).await?;
        took[2].push(milliseconds(begin));
        let begin = Instant::now();
        pick::in_flight(&mut conn, id).await?;
        took[3].push(milliseconds(begin));
        let begin = Instant::now();
        waves::list(&mut *conn, id).await?;
        pick::held(&mut conn, id, 0).await?;
        took[4].push(milliseconds(begin));
    }
    Ok(took.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}

fn milliseconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

/// The table in Markdown.
pub(super) fn print(costs: &[Cost]) {
    println!();
    println!("more CPU ms per second than without a rollout; p50 ms of statements:");
    println!();
    println!(
        "| devices of the rollout | due per second | server | PostgreSQL | {} |",
        STATEMENTS.join(" | ")
    );
    println!("|---|---|---|---|{}", "---|".repeat(STATEMENTS.len()));
    for cost in costs {
        let statements = cost.statements.map(|ms| format!("{ms:.2}"));
        println!(
            "| {} | {} | {:.1} | {:.1} | {} |",
            cost.devices,
            cost.due.min(cost.devices),
            cost.used.server,
            cost.used.postgres,
            statements.join(" | ")
        );
    }
}
