//! `muster bench`: where factory-fresh boards are served, and what each got. People name a bench by its
//! interface, and a board by its MAC address.
//!
//! - here: benches, and what is said of single boards. - `arm`: what is said of an arming, and of an
//!   installation. - `view`: how benches and boards are shown. - `batch`: how batches are. - `follow`: as
//!   they come. - `given`: what goes with it: boards that are allowed, boot images, profiles.

mod arm;
mod batch;
mod follow;
mod given;
mod view;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::connection::Connection;
use super::http::{Answer, Api, List, Page, Span};
use super::output::{clean, clean_lines, compact, done, hint, list, maybe, print, show, time};
use arm::{Arm, Install};
use batch::{Batch, BatchRow};
use view::{Bench as BenchSeen, Board, LogEntry};

/// `muster bench`
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    connection: Connection,
    /// Show benches and boards as they come, until it is interrupted; with --json one line of JSON for
    /// each board that changes.
    #[arg(short, long)]
    follow: bool,
    /// The benches and the boards that were seen last when absent.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What an official server gives boards: a netboot profile of a capture, or by asking it. Needs no
    /// server of ours.
    #[command(subcommand)]
    Learn(crate::cli::Learn),
    /// Serve boards on a bench for some minutes.
    Arm(Arm),
    /// Serve no board on a bench any more.
    Disarm {
        /// Interface, HOST:INTERFACE, or id.
        bench: String,
    },
    /// List boards, those that were seen last first.
    Boards {
        /// seen, refused, offered, transferring, delivered, redirected, installing, installed,
        /// timed_out, failed, or confirmed.
        #[arg(long)]
        state: Option<String>,
        /// Seen last at this bench: interface, HOST:INTERFACE, or id.
        #[arg(long)]
        bench: Option<String>,
        /// How MAC address, board identifier, or the path of the site begin.
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Show a board, and what it was sent.
    Board {
        /// MAC address.
        mac: String,
        /// Print the script alone; secrets are masked.
        #[arg(long)]
        script: bool,
    },
    /// List what happened to a board, newest first.
    Log {
        /// MAC address.
        mac: String,
        #[command(flatten)]
        span: Span,
    },
    /// Let a board have its delivery once more.
    Rearm {
        /// MAC address.
        mac: String,
    },
    /// Let a board be installed anew, which formats it.
    Install(Install),
    /// Take back that a board may be installed.
    CancelInstall {
        /// MAC address.
        mac: String,
    },
    /// Forget a board: should it come again, it is a new one, and may be served.
    Forget {
        /// MAC address.
        mac: String,
    },
    /// See what became of the boards of claims.
    Batch {
        /// For this site and those in it.
        #[arg(long, value_name = "PATH")]
        site: Option<String>,
        /// Of this customer.
        #[arg(long, value_name = "NUMBER")]
        customer: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Boards that are served without a claim.
    #[command(subcommand)]
    Allowed(given::Allowed),
    /// Boot images, which boards run that are installed.
    #[command(subcommand)]
    Images(given::Images),
    /// Netboot profiles: how boards are served.
    #[command(subcommand)]
    Profiles(given::Profiles),
}

/// Where the API has the boards.
const BOARDS: [&str; 2] = ["bench", "boards"];

pub(super) async fn run(bench: Bench) -> anyhow::Result<()> {
    let Bench { connection, follow, command } = bench;
    ensure!(!(follow && command.is_some()), "--follow goes with no other command");
    if let Some(Command::Learn(learn)) = command {
        return crate::cli::learn(learn).await;
    }
    let api = &connection.open()?;
    let Some(command) = command else { return follow::show(api, follow).await };
    match command {
        Command::Learn(learn) => crate::cli::learn(learn).await,
        Command::Arm(arm) => {
            let id = id_of(api, &arm.bench).await?;
            let body = arm.body();
            show(api, &api.call(Method::POST, &["bench", &id, "arm"], Some(&body)).await?, one)
        }
        Command::Disarm { bench } => {
            let id = id_of(api, &bench).await?;
            show(api, &api.call(Method::POST, &["bench", &id, "disarm"], None).await?, one)
        }
        Command::Boards { state, bench, find, span } => {
            let bench = match bench {
                Some(bench) => Some(id_of(api, &bench).await?),
                None => None,
            };
            let parts = [("state", &state), ("bench", &bench), ("q", &find)];
            let query = narrowed(&parts);
            let boards = List { path: BOARDS.to_vec(), query, cursor: "after" };
            list(api, &boards, &span, &view::BOARD, |board: Board| board.row()).await
        }
        Command::Board { mac, script } => board(api, &mac, script).await,
        Command::Log { mac, span } => {
            let path = [&BOARDS[..], &[mac.as_str(), "log"]].concat();
            let log = List { path, query: Vec::new(), cursor: "before" };
            list(api, &log, &span, &["at", "state", "words", "detail"], |entry: LogEntry| {
                let (words, detail) = (maybe(entry.words), compact(&entry.detail));
                vec![time(entry.at), entry.state, words, detail]
            })
            .await
        }
        Command::Rearm { mac } => {
            show(api, &said(api, &mac, "rearm", None).await?, |board: Board| board.detail())
        }
        Command::Install(install) => {
            let mac = install.mac.clone();
            let answer = said(api, &mac, "install", Some(&install.body())).await?;
            show(api, &answer, |board: Board| board.detail())
        }
        Command::CancelInstall { mac } => {
            api.delete(&["bench", "boards", &mac, "install"], &[]).await?;
            done(api, &format!("{mac} may not be installed"))
        }
        Command::Forget { mac } => {
            api.delete(&["bench", "boards", &mac], &[]).await?;
            done(api, &format!("{mac} is forgotten"))
        }
        Command::Batch { site, customer, span } => batch(api, site, customer, &span).await,
        Command::Allowed(command) => given::allowed(api, command).await,
        Command::Images(command) => given::images(api, command).await,
        Command::Profiles(command) => given::profiles(api, command).await,
    }
}

fn one(bench: BenchSeen) -> String {
    bench.detail()
}

/// What narrows a list, as far as it was said.
fn narrowed<'a>(parts: &[(&'a str, &'a Option<String>)]) -> Vec<(&'a str, &'a str)> {
    parts.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect()
}

/// Says something of a board.
async fn said(api: &Api, mac: &str, verb: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
    api.call(Method::POST, &["bench", "boards", mac, verb], body).await
}

async fn board(api: &Api, mac: &str, script: bool) -> anyhow::Result<()> {
    let answer = api.get(&["bench", "boards", mac], &[]).await?;
    if !script || api.json {
        return show(api, &answer, |board: Board| board.detail());
    }
    let board: Board = answer.read()?;
    let script = board.script.with_context(|| format!("{} was sent no script", clean(mac)))?;
    Ok(print(clean_lines(&script).trim_end())?)
}

async fn batch(
    api: &Api,
    site: Option<String>,
    customer: Option<String>,
    span: &Span,
) -> anyhow::Result<()> {
    let parts = [("site", &site), ("customer", &customer)];
    let query = narrowed(&parts);
    let of_it = List { path: vec!["bench", "batch"], query: query.clone(), cursor: "after" };
    list(api, &of_it, span, &batch::BATCH, |row: BatchRow| row.row()).await?;
    if !api.json {
        let sum: Batch = api.get(&of_it.path, &query).await?.read()?;
        hint(&sum.words());
    }
    Ok(())
}

/// The id of the bench that is meant.
async fn id_of(api: &Api, name: &str) -> anyhow::Result<String> {
    if name.len() == 36 && Uuid::try_parse(name).is_ok() {
        return Ok(name.to_owned());
    }
    let page: Page<BenchSeen> = api.get(&["bench"], &[]).await?.read()?;
    let found: Vec<BenchSeen> = page.items.into_iter().filter(|bench| bench.is(name)).collect();
    match found.as_slice() {
        [bench] => Ok(bench.bench_id.to_string()),
        [] => bail!("no bench {}: the nodes name their interfaces in [bench]", clean(name)),
        [_, ..] => bail!("several nodes have an interface {}: say HOST:INTERFACE", clean(name)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        Line::try_parse_from(format!("bench {line}").split(' ')).map(|line| line.command)
    }

    #[test]
    fn only_what_is_said_is_sent() {
        let Command::Arm(arm) = parsed("arm eth1 --template t --minutes 30").unwrap() else {
            panic!("it arms")
        };
        assert_eq!(arm.body(), json!({ "minutes": 30, "template": "t" }));
        let line = "arm eth1 --template t --minutes 30 --any --any-per-minute 5 --var vlan=7 \
                    --accept-unverified --any-until 2030-01-01T00:00:00Z --profile p \
                    --confirm eth1 --accept-others";
        let Command::Arm(arm) = parsed(line).unwrap() else { panic!("it arms") };
        let body = json!({
            "minutes": 30, "template": "t", "any": true, "any_per_minute": 5, "profile": "p",
            "variables": { "vlan": 7 }, "accept_unverified": true,
            "any_until": "2030-01-01T00:00:00Z", "confirm": "eth1", "accept_others": true,
        });
        assert_eq!(arm.body(), body);
        let line = "install M --release 7.16.1 --package wifi-qcom --confirm M";
        let Command::Install(install) = parsed(line).unwrap() else { panic!("it installs") };
        let body = json!({ "release": "7.16.1", "confirm": "M", "packages": ["wifi-qcom"] });
        assert_eq!(install.body(), body);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
        for line in [
            "arm eth1 --template t",
            "arm eth1 --minutes 5",
            "arm eth1 --template t --minutes 5 --any-per-minute 5",
            "arm eth1 --template t --minutes 5 --any",
            "arm eth1 --template t --minutes 5 --dhcp",
            "install M --release 7.16.1",
            "install M --confirm M",
            "allowed add place riga",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
