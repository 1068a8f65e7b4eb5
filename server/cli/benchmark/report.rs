//! The benchmark's table, and the machine it was made on.

use muster_sim::load::LoadReport;

use super::refused_share;

/// One line of the table.
pub(super) struct Row {
    pub name: String,
    pub report: LoadReport,
    /// CPU-seconds per 1,000 sessions of the server.
    pub server: Option<f64>,
    /// The same of PostgreSQL.
    pub postgres: Option<f64>,
}

/// Names the machine: figures without it mean nothing.
pub(super) fn print_machine() -> anyhow::Result<()> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("unknown CPU", |l| l.trim_start_matches(['\t', ' ', ':']));
    let cores = std::thread::available_parallelism()?;
    let memory = read("/proc/meminfo")
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    println!(
        "machine: {cores} cores of {model}, {:.0} GiB, Linux {}; server, PostgreSQL and generator share it",
        memory as f64 / 1_048_576.0,
        kernel.trim()
    );
    Ok(())
}

/// The table in Markdown.
pub(super) fn print_rows(rows: &[Row]) {
    println!(
        "| load | sessions/s | p50 / p99 ms | server CPU-s per 1,000 | PostgreSQL CPU-s per 1,000 | not ended by 204 |"
    );
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let cpu = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.3}"));
        println!(
            "| {} | {:.0} | {:.1} / {:.1} | {} | {} | {:.2} % |",
            row.name,
            row.report.per_second,
            row.report.p50.as_secs_f64() * 1e3,
            row.report.p99.as_secs_f64() * 1e3,
            cpu(row.server),
            cpu(row.postgres),
            refused_share(&row.report)
        );
    }
}
