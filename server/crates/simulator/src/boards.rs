//! Boards on a bench, from the wire up: each has a hardware address of its own and the boot loader of
//! [`muster_netboot::booter`], and one raw socket plays them all. What a board is given it then runs, and
//! becomes the simulated device of its number, which informs the ACS that its script names.
//!
//! A self-authored test double, made from the same notes as the server: that it is served proves
//! consistency, not compatibility with any board. [`probe`] is the same boot loader for official servers:
//! what those give is evidence.

mod card;
mod hardware;
mod life;
pub mod probe;
mod socket;
mod table;

use std::sync::Arc;
use std::time::Duration;

pub use muster_netboot::booter::Begin;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::socket::Socket;
use self::table::{Rules, Table};
use crate::{FleetError, FleetHandle, FleetOptions, Ground};

/// What boards to put on which bench.
#[derive(Debug, Clone)]
pub struct BoardOptions {
    /// The devices that they become. Where they inform, and with which credential, their scripts say:
    /// what stands here of that is not asked.
    pub fleet: FleetOptions,
    /// The interface that leads to the bench. It needs no address. One of hardware must be in promiscuous
    /// mode, since the boards have addresses of their own.
    pub interface: String,
    /// How far they are when they are switched on.
    pub begin: Begin,
    /// No loss on the wire leaves a board behind: one that got nothing is switched off and on again, and
    /// one that got all goes on acknowledging a last block that comes again.
    pub lossless: bool,
}

impl BoardOptions {
    /// So many boards as from the factory, switched on at once.
    pub fn new(boards: u32, interface: impl Into<String>) -> Self {
        let fleet = FleetOptions { ramp: Duration::ZERO, ..FleetOptions::new(boards, "") };
        let (interface, begin) = (interface.into(), Begin::Flashboot);
        Self { fleet, interface, begin, lossless: false }
    }
}

/// What has become of the boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BoardStats {
    /// All of them.
    pub boards: u32,
    /// Those that are not through with their boot loader.
    pub busy: u32,
    /// Those that have stored a configuration.
    pub stored: u32,
    /// Those that were installed.
    pub installed: u32,
    /// Those that were given what they do not take.
    pub refused: u32,
    /// Those that got nothing in time.
    pub missed: u32,
    /// Those whose installation broke off.
    pub broken: u32,
    /// How often one was switched off and on again.
    pub again: u32,
    /// Those that started with what they were given, and inform nobody.
    pub silent: u32,
    /// The longest that one took from when it was switched on, the last time, to when it had all.
    pub slowest: Duration,
}

/// Why no boards can be played.
#[derive(Debug, thiserror::Error)]
pub enum BoardsError {
    /// The devices that they are to become cannot be.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The interface is no good.
    #[error("cannot play boards on {interface}: {words}")]
    Interface {
        /// As asked for.
        interface: String,
        /// Why, and what to do.
        words: String,
    },
}

/// Boards that are played.
pub struct BoardsHandle {
    /// The devices that they become.
    pub fleet: FleetHandle,
    stats: watch::Receiver<BoardStats>,
}

impl BoardsHandle {
    /// What has become of them so far.
    pub fn stats(&self) -> BoardStats {
        *self.stats.borrow()
    }

    /// Returns once no board is busy with its boot loader any more; what has become of them then.
    pub async fn settled(&self) -> BoardStats {
        let mut stats = self.stats.clone();
        match stats.wait_for(|stats| stats.busy == 0).await {
            Ok(stats) => *stats,
            // They have ended before.
            Err(_) => self.stats(),
        }
    }
}

/// Switches them on; they run until `shutdown`.
///
/// # Errors
/// [`BoardsError`] when the options are no good, or the interface cannot be used.
pub async fn start_boards(
    options: BoardOptions,
    shutdown: CancellationToken,
) -> Result<BoardsHandle, BoardsError> {
    let socket = Socket::open(&options.interface)?;
    let boards = options.fleet.devices;
    let ground = Ground::open(options.fleet).await?;
    let (tell, stats) = watch::channel(BoardStats { boards, busy: boards, ..Default::default() });
    let tasks = TaskTracker::new();
    let rules = Rules { begin: options.begin, lossless: options.lossless };
    let table = Table::new(socket, &ground, rules, tasks.clone(), Arc::new(tell), shutdown.clone());
    tasks.spawn(table.run());
    let fleet = ground.serve(tasks, shutdown);
    tracing::info!(boards, interface = %options.interface, "simulated boards are switched on");
    Ok(BoardsHandle { fleet, stats })
}
