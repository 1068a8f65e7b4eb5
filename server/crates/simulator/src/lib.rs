//! RouterOS-shaped simulated CPEs for demo, tests and load.
//!
//! A fleet is `devices` boards, each a task with its own data model, clock and timers, talking CWMP
//! to an ACS as MikroTik's client does: no SOAP header, Digest, seven forced parameters, one TCP
//! connection per session. They set, add, delete, upgrade, run scripts, test, reboot, and fall ill by
//! order. [`load`] is the other half: bare periodic sessions, as many as the ACS can take. [`boards`]
//! are devices that must first be served by a bench, from the wire up; [`desk`] is one without clock
//! and network, to try scripts on.
//!
//! Sockets and clocks are in `device`, `scripting`, `session`, `http`, `doors`, `control`, [`boards`] and
//! [`load`]; the rest is pure.
//! No connection of the server's own may go through this crate: it trusts any certificate unless
//! told otherwise.

#![forbid(unsafe_code)]

mod answer;
mod board;
pub mod boards;
mod catalogue;
pub mod claims;
mod configuration;
mod control;
mod cut;
pub mod desk;
mod device;
mod diagnose;
mod doors;
mod export;
mod firmware;
mod histogram;
mod household;
mod http;
pub mod load;
mod manifest;
mod menus;
mod model;
pub mod packages;
pub mod profile;
mod script;
mod scripting;
mod session;
pub mod sickness;
mod transfer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalogue::Catalogue;
use crate::configuration::Beginnings;
use crate::device::Device;
pub use crate::doors::Typed;
use crate::doors::{Door, Doors};
use crate::http::Client;
pub use crate::http::HttpError;
use crate::profile::{Identity, PROFILES};
use crate::sickness::Sickness;

/// What fleet to run.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// Number of boards.
    pub devices: u32,
    /// Where they inform.
    pub acs_url: String,
    /// The enrolment credential's user; the ACS may give each device its own later.
    pub username: String,
    /// The enrolment credential's password.
    pub password: String,
    /// Decides who the devices are and which of them are ill.
    pub seed: u64,
    /// What is wrong with which share of them.
    pub sickness: Sickness,
    /// They power up evenly over this time.
    pub ramp: Duration,
    /// PeriodicInformInterval of the factory configuration; whole seconds, at least one.
    pub periodic_interval: Duration,
    /// How much faster than real time intervals, delays, tests and retry waits pass; above 0.
    pub time_scale: f64,
    /// How long a reboot takes; not scaled.
    pub reboot_time: Duration,
    /// PEM file of the CA that signs the ACS's certificate; without it any certificate is trusted.
    pub ca_file: Option<PathBuf>,
    /// Where the fleet listens for connection requests; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where people may type scripts on the boards (`GET /devices`, `POST /devices/SERIAL/script`);
    /// a loopback address, since there is no password. None = nowhere.
    pub control: Option<SocketAddr>,
}

impl FleetOptions {
    /// A healthy fleet at real speed: all up within 10 s, informing every 5 minutes.
    pub fn new(devices: u32, acs_url: impl Into<String>) -> Self {
        Self {
            devices,
            acs_url: acs_url.into(),
            username: String::new(),
            password: String::new(),
            seed: 1,
            sickness: Sickness::default(),
            ramp: Duration::from_secs(10),
            periodic_interval: Duration::from_secs(300),
            time_scale: 1.0,
            reboot_time: Duration::from_secs(2),
            ca_file: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            control: None,
        }
    }
}

/// Why a fleet cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// `acs_url` is no http or https URL.
    #[error("the ACS URL `{0}` is no http or https URL")]
    AcsUrl(String),
    /// `time_scale` is not a positive number.
    #[error("the time scale must be above 0, not {0}")]
    TimeScale(f64),
    /// `control` is an address that others can reach.
    #[error("the control address must be one of this machine's own (127.0.0.1), not {0}")]
    Control(SocketAddr),
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The CA file is no good.
    #[error(transparent)]
    Tls(#[from] HttpError),
}

/// What a fleet has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetStats {
    /// Sessions that both sides ended in order.
    pub sessions_ok: u64,
    /// Sessions that were refused, broken off or not answered.
    pub sessions_failed: u64,
    /// Power-ups and reboots.
    pub boots: u64,
    /// Downloads and uploads that ended, well or not.
    pub transfers: u64,
    /// Bytes downloaded.
    pub transfer_bytes: u64,
    /// Connection requests that woke a device.
    pub connection_requests: u64,
    /// Devices that will not come back.
    pub dark: u64,
}

#[derive(Debug, Default)]
struct Stats {
    sessions_ok: AtomicU64,
    sessions_failed: AtomicU64,
    boots: AtomicU64,
    transfers: AtomicU64,
    transfer_bytes: AtomicU64,
    connection_requests: AtomicU64,
    dark: AtomicU64,
}

/// What all devices of a fleet share.
struct World {
    options: FleetOptions,
    client: Client,
    /// By position in [`PROFILES`].
    bases: Vec<Arc<Catalogue>>,
    /// Likewise.
    beginnings: Vec<Beginnings>,
    /// Where connection requests arrive.
    listen: SocketAddr,
    stats: Stats,
}

impl World {
    fn scaled(&self, wait: Duration) -> Duration {
        wait.div_f64(self.options.time_scale)
    }

    /// When device `index` is switched on.
    fn first(&self, index: u32) -> Duration {
        self.options.ramp.mul_f64(f64::from(index) / f64::from(self.options.devices))
    }
}

/// A running fleet.
pub struct FleetHandle {
    world: Arc<World>,
    doors: Arc<Doors>,
    control: Option<SocketAddr>,
    tasks: TaskTracker,
}

impl FleetHandle {
    /// What it has done so far.
    pub fn stats(&self) -> FleetStats {
        let stats = &self.world.stats;
        FleetStats {
            sessions_ok: stats.sessions_ok.load(Relaxed),
            sessions_failed: stats.sessions_failed.load(Relaxed),
            boots: stats.boots.load(Relaxed),
            transfers: stats.transfers.load(Relaxed),
            transfer_bytes: stats.transfer_bytes.load(Relaxed),
            connection_requests: stats.connection_requests.load(Relaxed),
            dark: stats.dark.load(Relaxed),
        }
    }

    /// Where connection requests arrive.
    pub fn listener(&self) -> SocketAddr {
        self.world.listen
    }

    /// Where scripts may be typed, if anywhere.
    pub fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Who device `index` is.
    pub fn identity(&self, index: u32) -> Identity {
        Identity::derive(self.world.options.seed, index)
    }

    /// Changes a parameter on device `index` as if by hand; with notification on, the device
    /// reports it. Nothing happens when there is no such device or parameter.
    pub fn change(&self, index: u32, name: &str, value: &str) {
        if let Some(door) = self.doors.at(&self.identity(index).request_path) {
            door.change(name, value);
        }
    }

    /// Types a script on device `index` as if by hand, once it is up; what became of it. None when there
    /// is no such device, or it has gone dark.
    pub async fn run(&self, index: u32, script: &str) -> Option<Typed> {
        let answer = self.doors.at(&self.identity(index).request_path)?.enter(script);
        answer.await.ok()
    }

    /// Returns once every device and the listeners have stopped, after `shutdown`.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

/// Starts a fleet; it runs until `shutdown`.
///
/// # Errors
/// [`FleetError`] when the options are no good or the listener cannot be opened.
pub async fn start_fleet(
    options: FleetOptions,
    shutdown: CancellationToken,
) -> Result<FleetHandle, FleetError> {
    let url = url::Url::parse(&options.acs_url).ok();
    if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return Err(FleetError::AcsUrl(options.acs_url));
    }
    let ground = Ground::open(options).await?;
    let tasks = TaskTracker::new();
    let world = &ground.world;
    let devices = world.options.devices;
    for index in 0..devices {
        let (identity, door) = ground.place(index);
        let device = Device::new(Arc::clone(world), index, identity, door);
        tasks.spawn(device.live(world.first(index), shutdown.clone()));
    }
    let (listen, acs_url) = (world.listen, world.options.acs_url.clone());
    let fleet = ground.serve(tasks, shutdown);
    tracing::info!(devices, acs.url = %acs_url, %listen, "simulated fleet started");
    Ok(fleet)
}

/// What a fleet stands on before its first device lives.
struct Ground {
    world: Arc<World>,
    doors: Arc<Doors>,
    listener: TcpListener,
    control: Option<(TcpListener, SocketAddr)>,
}

impl Ground {
    async fn open(options: FleetOptions) -> Result<Self, FleetError> {
        if !(options.time_scale.is_finite() && options.time_scale > 0.0) {
            return Err(FleetError::TimeScale(options.time_scale));
        }
        let client = Client::new(options.ca_file.as_deref())?;
        let (listener, listen) = open(options.listen).await?;
        let control = match options.control {
            Some(address) if address.ip().is_loopback() => Some(open(address).await?),
            Some(address) => return Err(FleetError::Control(address)),
            None => None,
        };
        let bases: Vec<_> = PROFILES.iter().map(|p| Arc::new(Catalogue::new(p))).collect();
        let beginnings =
            (0..).zip(&bases).map(|(index, base)| Beginnings::new(index, base)).collect();
        let doors = (0..options.devices)
            .map(|index| Identity::derive(options.seed, index))
            .map(|identity| (identity.request_path, Arc::new(Door::default())))
            .collect();
        let stats = Stats::default();
        let world = Arc::new(World { options, client, bases, beginnings, listen, stats });
        Ok(Self { world, doors: Arc::new(Doors::new(doors)), listener, control })
    }

    /// Who device `index` is, and its door.
    fn place(&self, index: u32) -> (Identity, Arc<Door>) {
        let identity = Identity::derive(self.world.options.seed, index);
        let door = self.doors.at(&identity.request_path).cloned().unwrap_or_default();
        (identity, door)
    }

    /// Opens the doors; the fleet has ended once all these tasks have.
    fn serve(self, tasks: TaskTracker, shutdown: CancellationToken) -> FleetHandle {
        let Self { world, doors, listener, control } = self;
        let typed_at = control.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = control {
            let (world, doors) = (Arc::clone(&world), Arc::clone(&doors));
            tasks.spawn(control::serve(world, doors, listener, shutdown.clone()));
        }
        tasks.spawn(Arc::clone(&doors).serve(listener, shutdown));
        tasks.close();
        FleetHandle { world, doors, control: typed_at, tasks }
    }
}

async fn open(address: SocketAddr) -> Result<(TcpListener, SocketAddr), FleetError> {
    let opened = TcpListener::bind(address).await;
    let opened = opened.and_then(|listener| listener.local_addr().map(|at| (listener, at)));
    opened.map_err(|source| FleetError::Listen { address, source })
}

#[cfg(test)]
mod tests;
