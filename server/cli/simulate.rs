//! `muster simulate`: simulated devices against any ACS, and simulated boards on a bench.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use muster_sim::boards::{self, BoardOptions, BoardStats, start_boards};
use muster_sim::sickness::Sickness;
use muster_sim::{FleetHandle, FleetOptions, claims, start_fleet};
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
    /// Seconds over which they power up; 10 when absent, and boards all at once.
    #[arg(long, value_name = "SECONDS")]
    ramp: Option<u64>,
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
    /// Instead of devices: so many boards on a bench, as they come from the factory, played on the wire
    /// by a boot loader that was written here after what is known of RouterBOOT. That they are served
    /// proves that Muster agrees with itself, and nothing about real boards. What they are given they
    /// run, and become the devices of the same numbers and the same --seed, which inform the ACS that
    /// their script names. Needs root, or CAP_NET_RAW.
    #[arg(long, value_name = "N", requires = "interface", conflicts_with_all = ["devices", "acs"])]
    boards: Option<u32>,
    /// The interface that leads to the bench, such as one end of a veth pair. Each board has a hardware
    /// address of its own on it; one of hardware must be in promiscuous mode.
    #[arg(long, value_name = "INTERFACE", requires = "boards")]
    interface: Option<String>,
    /// How far boards are when they are switched on.
    #[arg(long, value_enum, default_value_t = Begin::Flashboot, requires = "boards")]
    begin: Begin,
    /// A board that got nothing is switched off and on again until it has something, and one that got all
    /// goes on acknowledging a last block that comes again: what the wire loses leaves none behind.
    #[arg(long, requires = "boards")]
    lossless: bool,
    /// Prints the claims of these devices as CSV, and starts nothing.
    #[arg(long)]
    print_claims: bool,
    /// Paths of sites that the claims are for, in turn.
    #[arg(long, value_delimiter = ',', value_name = "SITE,...", requires = "print_claims")]
    sites: Vec<String>,
}

/// How far a board is when it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Begin {
    /// It waits 2.4 s for a configuration.
    Flashboot,
    /// Somebody held its button: it waits 40 s for a boot image.
    Etherboot,
    /// A boot image runs already: it announces itself to be installed.
    Installer,
}

/// Runs them until a signal comes.
pub async fn simulate(s: Simulate) -> anyhow::Result<()> {
    if s.print_claims {
        let text = claims::csv(s.seed, s.boards.unwrap_or(s.devices), &s.sites);
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
    let ramp = s.ramp.unwrap_or(if s.boards.is_some() { 0 } else { 10 });
    let options = FleetOptions {
        username: s.username,
        password: s.password,
        seed: s.seed,
        sickness,
        ramp: Duration::from_secs(ramp),
        periodic_interval: Duration::from_secs(s.interval.max(1)),
        time_scale: s.time_scale,
        ca_file: s.ca,
        control: s.control,
        ..FleetOptions::new(s.boards.unwrap_or(s.devices), s.acs)
    };
    let stop = CancellationToken::new();
    tokio::spawn(super::stop_on_signal(stop.clone()));
    match s.interface {
        Some(interface) => {
            let begin = match s.begin {
                Begin::Flashboot => boards::Begin::Flashboot,
                Begin::Etherboot => boards::Begin::Etherboot,
                Begin::Installer => boards::Begin::Installer,
            };
            let options = BoardOptions { fleet: options, interface, begin, lossless: s.lossless };
            let handle = start_boards(options, stop.clone()).await?;
            where_to_type(&handle.fleet);
            tokio::select! {
                stats = handle.settled() => println!("{}", said(&stats)),
                () = stop.cancelled() => println!("{}", said(&handle.stats())),
            }
            live(&handle.fleet).await;
        }
        None => {
            let fleet = start_fleet(options, stop).await?;
            where_to_type(&fleet);
            live(&fleet).await;
        }
    }
    Ok(())
}

fn where_to_type(fleet: &FleetHandle) {
    if let Some(address) = fleet.control() {
        println!("scripts are typed at http://{address}/devices/SERIAL/script");
    }
}

/// What has become of boards: one line, which programs may read, too.
fn said(stats: &BoardStats) -> String {
    format!(
        "{} boards: {} have a script, {} are installed, {} refused what they got, {} got nothing, \
         {} broke off, {} are busy; {} switched on again; slowest {:.3} s",
        stats.boards,
        stats.stored,
        stats.installed,
        stats.refused,
        stats.missed,
        stats.broken,
        stats.busy,
        stats.again,
        stats.slowest.as_secs_f64()
    )
}

async fn live(fleet: &FleetHandle) {
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
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        simulate: Simulate,
    }

    fn parsed(line: &str) -> Result<Simulate, clap::Error> {
        let words = ["simulate"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.simulate)
    }

    #[test]
    fn boards_need_a_bench_and_the_options_of_boards_need_boards() {
        Cli::command().debug_assert();
        assert_eq!(parsed("").unwrap().begin, Begin::Flashboot);
        let boards = parsed("--boards 40 --interface board0 --begin etherboot --lossless").unwrap();
        assert_eq!(
            (boards.boards, boards.begin, boards.lossless),
            (Some(40), Begin::Etherboot, true)
        );
        assert_eq!(
            parsed("--boards 3 --interface board0 --ramp 0 --seed 11").unwrap().ramp,
            Some(0)
        );
        for wrong in [
            "--boards 40",
            "--interface board0",
            "--lossless",
            "--begin installer",
            "--boards 40 --interface board0 --devices 3",
            "--boards 40 --interface board0 --acs http://x/",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_has_become_of_boards_is_one_line() {
        let stats = BoardStats { boards: 3, stored: 2, missed: 1, ..BoardStats::default() };
        assert_eq!(
            said(&stats),
            "3 boards: 2 have a script, 0 are installed, 0 refused what they got, 1 got nothing, \
             0 broke off, 0 are busy; 0 switched on again; slowest 0.000 s"
        );
    }
}
