//! `muster simulate`: simulated devices against any ACS.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use muster_sim::sickness::Sickness;
use muster_sim::{FleetOptions, claims, start_fleet};
use tokio_util::sync::CancellationToken;

/// `muster simulate`
#[derive(Debug, Args)]
pub struct Simulate {
    /// How many.
    #[arg(long, default_value_t = 25)]
    devices: u32,
    /// Where they inform.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7547")]
    acs: String,
    /// User of the enrolment credential.
    #[arg(long, default_value = "enrol")]
    username: String,
    /// Password of the enrolment credential (`muster enrolment` prints it).
    #[arg(long, env = "ENROLMENT_PASSWORD", default_value = "", hide_env_values = true)]
    password: String,
    /// Decides who the devices are and which of them are ill.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is wrong with which share, such as "slow:200ms=5%,fault:9002=1%,drop=1%". Ailments:
    /// slow:DURATION, fault:CODE[:METHOD], drop, reboot-loop, gone, crash, clock-skew:SECONDSs,
    /// small-reads; by an upgrade: stuck, transfer:CODE, crash-after:DURATION, wan-down, weak.
    #[arg(long, default_value = "")]
    sick: String,
    /// Seconds over which they power up.
    #[arg(long, default_value_t = 10)]
    ramp: u64,
    /// Seconds between periodic informs, as the factory set it.
    #[arg(long, default_value_t = 300)]
    interval: u64,
    /// How much faster than real time intervals and delays pass.
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// PEM file of the CA of the ACS's certificate; without it any certificate is trusted.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where scripts may be typed on them, on this machine: `GET /devices`, and
    /// `POST /devices/SERIAL/script` with the script as its body. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    control: Option<SocketAddr>,
    /// Prints the claims of these devices as CSV, and starts nothing.
    #[arg(long)]
    print_claims: bool,
    /// Paths of sites that the claims are for, in turn.
    #[arg(long, value_delimiter = ',', value_name = "SITE,...", requires = "print_claims")]
    sites: Vec<String>,
}

/// Runs them until a signal comes.
pub async fn simulate(s: Simulate) -> anyhow::Result<()> {
    if s.print_claims {
        let text = claims::csv(s.seed, s.devices, &s.sites);
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(());
    }
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let sickness: Sickness = s.sick.parse()?;
    let options = FleetOptions {
        username: s.username,
        password: s.password,
        seed: s.seed,
        sickness,
        ramp: Duration::from_secs(s.ramp),
        periodic_interval: Duration::from_secs(s.interval.max(1)),
        time_scale: s.time_scale,
        ca_file: s.ca,
        control: s.control,
        ..FleetOptions::new(s.devices, s.acs)
    };
    let stop = CancellationToken::new();
    tokio::spawn(super::stop_on_signal(stop.clone()));
    let fleet = start_fleet(options, stop).await?;
    if let Some(address) = fleet.control() {
        println!("scripts are typed at http://{address}/devices/SERIAL/script");
    }
    fleet.finished().await;
    let stats = fleet.stats();
    println!(
        "{} sessions ended in order, {} failed; {} boots, {} transfers, {} connection requests, {} dark",
        stats.sessions_ok,
        stats.sessions_failed,
        stats.boots,
        stats.transfers,
        stats.connection_requests,
        stats.dark
    );
    Ok(())
}
