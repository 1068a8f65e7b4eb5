//! The commands that go over the REST API: a thin, typed client, for this machine or a far one.
//!
//! Owns arguments, requests and how answers are shown. It must never touch the database or the
//! configuration of a server, nor know a rule that the API knows: what may be done is for the server
//! to say.

mod account;
mod audit;
mod backups;
mod bench;
mod claims;
mod columns;
mod completion;
mod connection;
mod desired;
mod device_more;
mod device_place;
mod devices;
mod events;
mod files;
mod groups;
mod http;
mod jobs;
mod many;
mod order;
mod output;
mod profiles;
mod releases;
mod roles;
mod rollouts;
mod sites;
mod support;
mod system;
mod templates;
mod tokens;
mod users;
mod views;
mod webhooks;

pub use completion::Completion;

use std::io;

use clap::{Args, Subcommand};

use connection::Connection;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Remote {
    /// Devices: find, look at, change, wake, restart, reset, remove.
    Devices(On<devices::Devices>),
    /// Jobs: list, look at, order on one device or many, cancel.
    Jobs(On<jobs::Jobs>),
    /// Rollouts: write, try, start, follow, pause, take back, report.
    Rollouts(On<rollouts::Rollouts>),
    /// What happens to devices, as it happens.
    Events(On<events::Events>),
    /// A device as an agent with the customer on the line sees it.
    Support(support::Support),
    /// Releases of RouterOS: upload packages, list, withdraw, remove; the way of a device to one.
    Releases(On<releases::Releases>),
    /// Files for devices: store, list, fetch, remove.
    Files(On<files::Files>),
    /// Configurations of devices: history, what differs, accept, give back.
    Backups(On<backups::Backups>),
    /// Sites: the tree of places where devices stand.
    Sites(On<sites::Sites>),
    /// Webhooks: who is told what happens; make, change, try, see what arrived.
    Webhooks(On<webhooks::Webhooks>),
    /// Templates: RouterOS scripts with variables; check, preview, copy.
    Templates(On<templates::Templates>),
    /// Claims: devices that are expected; import, quarantine, rules of admission.
    Claims(On<claims::Claims>),
    /// The bench: where factory-fresh boards are served, and what each got.
    Bench(bench::Bench),
    /// Groups: named sets of devices.
    Groups(On<groups::Groups>),
    /// What devices are to be: list, make, change, bind, remove.
    Profiles(On<profiles::Profiles>),
    /// What is wanted of single devices, drift, and changes on their way.
    Desired(On<desired::Desired>),
    /// Saved views of the device list: list, keep, change, remove.
    Views(On<views::Views>),
    /// One's own account: password, second factor, sessions, preferences, tokens.
    Account(On<account::Account>),
    /// People: make, change, list, grant roles, shut out, remove.
    Users(On<users::Users>),
    /// Roles: what they allow; make, change, remove.
    Roles(On<roles::Roles>),
    /// Tokens for programs: make, list, revoke.
    Tokens(On<tokens::Tokens>),
    /// The audit log: who changed what.
    Audit(On<audit::Audit>),
    /// The installation at a glance.
    System(Connection),
}

/// A command, and the server on which it is done.
#[derive(Debug, Args)]
pub struct On<C: Subcommand> {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: C,
}

/// Runs one.
///
/// # Errors
/// What the server refused, with its words; a server that does not answer; a job waited for that
/// did not end well.
pub async fn remote(command: Remote) -> anyhow::Result<()> {
    let done = match command {
        Remote::Devices(on) => devices::run(&on.connection.open()?, on.command).await,
        Remote::Jobs(on) => jobs::run(&on.connection.open()?, on.command).await,
        Remote::Rollouts(on) => rollouts::run(&on.connection.open()?, on.command).await,
        Remote::Events(on) => events::run(&on.connection.open()?, on.command).await,
        Remote::Support(on) => support::run(&on.connection.open()?, &on).await,
        Remote::Releases(on) => releases::run(&on.connection.open()?, on.command).await,
        Remote::Files(on) => files::run(&on.connection.open()?, on.command).await,
        Remote::Backups(on) => backups::run(&on.connection.open()?, on.command).await,
        Remote::Sites(on) => sites::run(&on.connection.open()?, on.command).await,
        Remote::Webhooks(on) => webhooks::run(&on.connection.open()?, on.command).await,
        Remote::Templates(on) => templates::run(&on.connection.open()?, on.command).await,
        Remote::Claims(on) => claims::run(&on.connection.open()?, on.command).await,
        Remote::Bench(bench) => bench::run(bench).await,
        Remote::Groups(on) => groups::run(&on.connection.open()?, on.command).await,
        Remote::Profiles(on) => profiles::run(&on.connection.open()?, on.command).await,
        Remote::Desired(on) => desired::run(&on.connection.open()?, on.command).await,
        Remote::Views(on) => views::run(&on.connection.open()?, on.command).await,
        Remote::Account(on) => account::run(&on.connection.open()?, on.command).await,
        Remote::Users(on) => users::run(&on.connection.open()?, on.command).await,
        Remote::Roles(on) => roles::run(&on.connection.open()?, on.command).await,
        Remote::Tokens(on) => tokens::run(&on.connection.open()?, on.command).await,
        Remote::Audit(on) => audit::run(&on.connection.open()?, on.command).await,
        Remote::System(connection) => system::run(&connection.open()?).await,
    };
    match done {
        // `muster devices list --all | head`: who has read enough is no failure.
        Err(e) if is_broken_pipe(&e) => Ok(()),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "muster")]
    struct Cli {
        #[command(subcommand)]
        command: Remote,
    }

    fn parsed(line: &str) -> Result<Remote, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_commands_are_well_made() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_manual_is_one() {
        let manual = include_str!("../../../docs/cli.md");
        let mut seen = 0;
        for line in manual.lines().filter(|line| line.starts_with("muster ")) {
            let words = words(line);
            // What the other commands take is tested where they are.
            if matches!(words[1].as_str(), "completion" | "token" | "user") {
                continue;
            }
            if let Err(e) = Cli::try_parse_from(&words) {
                panic!("{line}: {e}");
            }
            seen += 1;
        }
        assert!(seen > 60, "{seen}");
    }

    /// The words of a line as a shell makes them, redirections and pipes cut off.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        let mut quoted = false;
        for c in line.chars().chain([' ']) {
            match (c, quote) {
                (c, Some(open)) if c == open => quote = None,
                (c, Some(_)) => word.push(c),
                ('\'' | '"', None) => (quote, quoted) = (Some(c), true),
                (' ', None) => {
                    if !word.is_empty() || quoted {
                        words.push(std::mem::take(&mut word));
                    }
                    quoted = false;
                }
                (c, None) => word.push(c),
            }
        }
        let end = words.iter().position(|w| matches!(w.as_str(), "|" | ">" | "<" | "&&"));
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    #[test]
    fn the_connection_may_stand_anywhere() {
        for line in [
            "muster devices --json --server http://h:1 list",
            "muster devices list --json --server http://h:1",
        ] {
            let Remote::Devices(on) = parsed(line).unwrap() else { panic!("{line}") };
            assert!(format!("{:?}", on.connection).contains("json: true"), "{:?}", on.connection);
        }
        let wrong = parsed("muster system --server ftp://x/").unwrap_err();
        assert_eq!((wrong.kind(), wrong.exit_code()), (ErrorKind::ValueValidation, 2));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
        for line in [
            "muster devices",
            "muster devices get",
            "muster devices list --columns serial,modle",
            "muster devices list --limit 0",
            "muster devices list --limit 5 --all",
            "muster devices set X",
            "muster devices set X Device.A",
            "muster devices set X =1",
            "muster devices place X",
            "muster devices place X --tag a+b",
            "muster devices place X --uplink Y --no-uplink",
            "muster devices upgrade X",
            "muster devices place X --site eu --no-site",
            "muster devices factory-reset X",
            "muster devices delete X",
            "muster devices reboot X --deadline 5",
            "muster devices reveal X",
            "muster devices allow-enrolment X --hours 169",
            "muster devices files X get seven",
            "muster devices sessions X seven",
            "muster events follow --device",
            "muster support",
            "muster groups change pilot",
            "muster roles create watch",
            "muster roles change watch",
            "muster roles create watch --right king",
            "muster users change ann",
            "muster users password",
            "muster jobs get seven",
            "muster jobs again seven",
            "muster jobs list --since yesterday",
            "muster views change",
            "muster views create x --shared=perhaps",
            "muster account password",
            "muster account totp confirm x 123456",
            "muster account tokens create --name x",
            "muster account end-session seven",
            "muster jobs bulk -q online",
            "muster jobs bulk -q online --ping a --traceroute b",
            "muster devices tag pilot",
            "muster devices tag -q online",
            "muster devices move -q online",
            "muster devices move eu --no-site -q online",
            "muster devices group-add -q online",
            "muster releases upload",
            "muster releases withdraw 7.16.1",
            "muster releases path X",
            "muster sites create",
            "muster sites change eu --var ntp",
            "muster groups add pilot",
            "muster users grant ann",
            "muster tokens create",
            "muster tokens revoke x",
            "muster audit export --format xml",
            "muster rollouts create --release 7.16.1",
            "muster rollouts create --where online",
            "muster rollouts pause spring",
            "muster rollouts exclude spring -m dead",
            "muster rollouts start spring --at noon",
            "muster rollouts devices spring --wave 0",
            "muster rollouts report spring --format xml",
            "muster backups restore X 0193f6a1-0000-7000-8000-000000000007",
            "muster backups diff X seven",
            "muster backups adopt X",
            "muster webhooks create noc --kinds device.offline",
            "muster webhooks create noc --url https://x --email a@b --kinds device.offline",
            "muster webhooks create noc --url https://x --kinds device.lost",
            "muster webhooks change noc",
            "muster backups changed --since yesterday",
            "muster bench arm eth1 --minutes 60",
            "muster bench install E4:8D:8C:00:00:01 --release 7.16.1",
        ] {
            let refused = parsed(line).expect_err(line);
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_no_failure() {
        assert!(is_broken_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(!is_broken_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
        assert!(!is_broken_pipe(&anyhow::anyhow!("no")));
    }
}
