//! The command line. Thin: each command builds what it needs and hands over.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use muster::config::{Config, ConfigError};
use muster::{boot, clock, doctor, store, telemetry};
use tokio_util::sync::CancellationToken;

mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fleet provisioning and ACS (TR-069) for MikroTik RouterOS devices and other CPEs.
#[derive(Debug, Parser)]
#[command(name = "muster", version)]
struct Cli {
    /// Configuration file; muster.toml here or in /etc/muster when absent.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: CWMP for devices, dashboard and REST API for people.
    Serve {
        /// Serve factory-fresh boards on this interface, too; may be given more than once.
        #[arg(long, value_name = "IF")]
        bench_interface: Vec<String>,
    },
    /// Check configuration and machine, and say how to mend what is wrong.
    Doctor,
    /// Bring the database schema up to date, without serving.
    Migrate,
    /// Tokens for the REST API.
    #[command(subcommand)]
    Token(cli::Token),
    /// Users, from the server's own console: rescues who cannot log in.
    #[command(subcommand)]
    User(cli::User),
    /// Print the ACS URL and the credential with which new devices come.
    Enrolment,
    /// Run simulated RouterOS devices against an ACS.
    Simulate(cli::Simulate),
    /// Make RouterOS packages for simulated devices; a real device refuses them.
    MakePackages(cli::MakePackages),
    /// Measure an ACS with periodic inform sessions, as devices make them.
    Benchmark(cli::Benchmark),
    #[command(hide = true)]
    RenderWorker(cli::RenderWorker),
    /// Print what a shell needs to complete commands and options.
    Completion(cli::Completion),
    #[command(flatten)]
    Remote(Box<cli::Remote>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::RenderWorker(worker) = &cli.command {
        return cli::render_worker(worker);
    }
    // The only provider built in; a second installation would be the only error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&anyhow::anyhow!("no runtime: {e}")),
    };
    let config = Config::load(cli.config.as_deref(), std::env::vars());
    match run(&runtime, config, cli) {
        Ok(code) => code,
        Err(e) => fail(&e),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("muster: {error:#}");
    ExitCode::FAILURE
}

fn run(
    runtime: &tokio::runtime::Runtime,
    config: Result<Config, ConfigError>,
    cli: Cli,
) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve { bench_interface } => {
            let mut config = config?;
            config.add_benches(bench_interface, "--bench-interface")?;
            serve(runtime, config)?;
        }
        Command::Doctor => {
            let report = runtime.block_on(doctor::run(config));
            print!("{report}");
            return Ok(ExitCode::from(report.exit_code()));
        }
        Command::Migrate => runtime.block_on(migrate(config?))?,
        Command::Token(token) => runtime.block_on(cli::token(config?, token))?,
        Command::User(user) => runtime.block_on(cli::user(config?, user))?,
        Command::Enrolment => cli::enrolment(&config?)?,
        Command::Simulate(options) => runtime.block_on(cli::simulate(options))?,
        Command::MakePackages(options) => cli::make_packages(&options)?,
        Command::Benchmark(options) => runtime.block_on(cli::benchmark(options))?,
        Command::RenderWorker(_) => unreachable!("it runs without a runtime"),
        Command::Completion(completion) => completion.print(Cli::command())?,
        Command::Remote(command) => runtime.block_on(cli::remote(*command))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(runtime: &tokio::runtime::Runtime, config: Config) -> anyhow::Result<()> {
    let _inside = runtime.enter();
    let guard = telemetry::init(&config.telemetry)?;
    let metrics = telemetry::install_metrics()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(cli::stop_on_signal(stop.clone()));
        boot::serve(config, metrics, stop).await
    });
    // The last spans leave while the runtime still lives.
    drop(guard);
    outcome
}

async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = boot::Database::open(&config).await?;
    let done = store::migrate(&database.pool, clock::now()).await.context("the database schema");
    database.close().await;
    done?;
    println!("the schema is up to date");
    Ok(())
}
