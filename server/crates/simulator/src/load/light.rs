//! Light devices: what a board does of CWMP and of an upgrade, and nothing else, so that a hundred
//! thousand of them fit into one process.
//!
//! A light device informs periodically, takes the order of an upgrade, fetches the list of packages
//! and each package in it and reads their headers, restarts, comes back on the version of the main
//! package with its TransferComplete, and lets itself be read: some two dozen parameters, those that
//! it informs of. It shares them with all others: it has no data model, no radios, no login, and
//! hears no connection requests. What else is ordered of it it refuses, but for parameters that are
//! set, which it forgets. Between two sessions it is a timer and some hundred bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use muster_cwmp::cpe::{CpeAction, CpeEvent, CpeSession, Outcome, retry_wait};
use muster_cwmp::encode::{Dialect, encode};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{
    Download, EventStruct, Inform, ParameterInfo, Request, Response, Status, TransferComplete,
    TransferResponse,
};
use muster_cwmp::value::{ParameterValue, Timestamp};
use muster_routeros::arch::Arch;
use muster_routeros::package::MAIN;
use muster_routeros::version::RosVersion;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use super::{PLACEHOLDER, periodic};
use crate::http::{Client, HttpError, Peer};
use crate::script::names;
use crate::session::exchange;
use crate::transfer::{self, Arrival};

/// The RouterOS that they run at first.
pub const FIRST: RosVersion = RosVersion::release(7, 12, 1);
/// What their packages are made for.
pub const ARCH: Arch = Arch::Arm;

/// RouterOS speaks CWMP 1.0 (routeros.md section 2).
const NAMESPACE: &str = "urn:dslforum-org:cwmp-1-0";
/// Parameters of one Inform; real ones carry 7 to 30.
const PARAMETERS: usize = 22;
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
const ARCH_NAME: &str = "Device.DeviceInfo.X_MIKROTIK_ArchName";
const UPTIME: &str = "Device.DeviceInfo.UpTime";
const FIRMWARE: &str = "1 Firmware Upgrade Image";

/// Which devices.
#[derive(Debug, Clone)]
pub struct LightOptions {
    /// The ACS, by plain HTTP and without a login.
    pub acs_addr: SocketAddr,
    /// How many; their identities are those of a load of so many.
    pub devices: u32,
    /// Between two sessions of a device to which nothing happens; whole seconds. The first ones are
    /// spread over this time.
    pub interval: Duration,
    /// How long a restart takes.
    pub reboot_time: Duration,
    /// Sessions and transfers at a time; whoever comes then waits.
    pub connections: usize,
}

/// What they have done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LightStats {
    /// Sessions that both sides ended in order.
    pub sessions: u64,
    /// Sessions that were refused or broken off.
    pub failed: u64,
    /// Upgrades whose files did not come.
    pub faults: u64,
    /// Bytes downloaded.
    pub bytes: u64,
    /// Devices that have had a session that ended in order.
    pub heard: u32,
    /// Devices that took an upgrade once.
    pub once: u32,
    /// Devices that took more than one.
    pub more: u32,
}

/// A running fleet of light devices; they stop when it is dropped.
pub struct LightFleet {
    world: Arc<World>,
    _devices: JoinSet<()>,
}

impl LightFleet {
    /// Starts them.
    ///
    /// # Errors
    /// [`HttpError`] where the address makes no URL.
    pub fn start(options: LightOptions) -> Result<Self, HttpError> {
        let world = Arc::new(World::new(options)?);
        let mut devices = JoinSet::new();
        let count = world.options.devices;
        for index in 0..count {
            let first = world.options.interval.mul_f64(f64::from(index) / f64::from(count));
            devices.spawn(Device::new(Arc::clone(&world), index).live(first));
        }
        Ok(Self { world, _devices: devices })
    }

    /// What they have done so far.
    pub fn stats(&self) -> LightStats {
        let world = &self.world;
        let upgraded = |matches: fn(u32) -> bool| {
            let count = world.upgrades.iter().filter(|n| matches(n.load(Relaxed))).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        LightStats {
            sessions: world.sessions.load(Relaxed),
            failed: world.failed.load(Relaxed),
            faults: world.faults.load(Relaxed),
            bytes: world.bytes.load(Relaxed),
            heard: world.heard.load(Relaxed),
            once: upgraded(|n| n == 1),
            more: upgraded(|n| n > 1),
        }
    }
}

/// What all of them share.
struct World {
    options: LightOptions,
    url: Url,
    client: Client,
    /// What they inform of.
    inform: Inform,
    /// What they let be read.
    readable: Vec<ParameterValue>,
    places: Semaphore,
    sessions: AtomicU64,
    failed: AtomicU64,
    faults: AtomicU64,
    bytes: AtomicU64,
    heard: AtomicU32,
    /// Upgrades that each of them has taken.
    upgrades: Vec<AtomicU32>,
}

impl World {
    fn new(options: LightOptions) -> Result<Self, HttpError> {
        let address = format!("http://{}/", options.acs_addr);
        let url = Url::parse(&address).map_err(|_| HttpError::Url(address))?;
        let mut inform = periodic(PARAMETERS, &FIRST.to_string());
        set(&mut inform.parameters, ARCH_NAME, ARCH.word());
        let mut readable = inform.parameters.clone();
        set(&mut readable, UPTIME, "0");
        set(&mut readable, names::INTERVAL, &options.interval.as_secs().to_string());
        Ok(Self {
            url,
            client: Client::new(None)?,
            inform,
            readable,
            places: Semaphore::new(options.connections.max(1)),
            sessions: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            heard: AtomicU32::new(0),
            upgrades: (0..options.devices).map(|_| AtomicU32::new(0)).collect(),
            options,
        })
    }
}

/// Gives a parameter its value, or adds it.
fn set(list: &mut Vec<ParameterValue>, name: &str, value: &str) {
    match list.iter_mut().find(|p| p.name == name) {
        Some(p) => value.clone_into(&mut p.value),
        None => list.push(ParameterValue::string(name, value)),
    }
}

struct Device {
    world: Arc<World>,
    index: u32,
    version: RosVersion,
    booted: Instant,
    heard: bool,
    /// Events that no completed session has delivered (N14).
    events: Vec<EventStruct>,
    /// Reports that the ACS has not acknowledged (N14).
    outbox: Vec<Request>,
    /// An upgrade that it has accepted.
    order: Option<Box<Download>>,
}

impl Device {
    fn new(world: Arc<World>, index: u32) -> Self {
        Self {
            world,
            index,
            version: FIRST,
            booted: Instant::now(),
            heard: false,
            events: Vec::new(),
            outbox: Vec::new(),
            order: None,
        }
    }

    async fn live(mut self, first: Duration) {
        let mut next = Instant::now() + first;
        loop {
            sleep_until(next).await;
            if self.events.is_empty() {
                self.raise("2 PERIODIC", "");
            }
            // Boxed, because those that wait should not hold room for a session each.
            let completed = Box::pin(self.session()).await;
            next = Instant::now()
                + match completed {
                    true => self.world.options.interval,
                    false => retry_wait(1, rand::random()),
                };
            if let Some(order) = self.order.take() {
                Box::pin(self.upgrade(&order)).await;
                next = Instant::now();
            }
        }
    }

    fn raise(&mut self, code: &str, command_key: &str) {
        let (event_code, command_key) = (code.to_owned(), command_key.to_owned());
        self.events.push(EventStruct { event_code, command_key });
    }

    /// One session; whether it ended in order.
    async fn session(&mut self) -> bool {
        let world = Arc::clone(&self.world);
        let _place = world.places.acquire().await.expect("nobody closes it");
        let mut machine = CpeSession::new(NAMESPACE);
        let completed = self.converse(&mut machine).await == Outcome::Completed;
        self.outbox = machine.into_undelivered();
        if !completed {
            world.failed.fetch_add(1, Relaxed);
            return false;
        }
        self.events.clear();
        world.sessions.fetch_add(1, Relaxed);
        if !std::mem::replace(&mut self.heard, true) {
            world.heard.fetch_add(1, Relaxed);
        }
        true
    }

    async fn converse(&mut self, machine: &mut CpeSession) -> Outcome {
        let mut peer = Peer::new(self.world.client.clone(), self.world.url.clone(), "", "");
        let queue = std::mem::take(&mut self.outbox);
        let mut action = machine.step(CpeEvent::Start { inform: Box::new(self.inform()), queue });
        loop {
            let event = match action {
                CpeAction::Send(envelope) => {
                    post(&mut peer, Bytes::from(encode(&envelope, Dialect::RouterOs))).await
                }
                CpeAction::SendEmpty => post(&mut peer, Bytes::new()).await,
                CpeAction::Handle(request) => CpeEvent::Answer(self.answer(request)),
                // It has no login, and its ACS is where it is.
                CpeAction::Authenticate | CpeAction::Redirect => CpeEvent::Timeout,
                CpeAction::End(outcome) => return outcome,
            };
            action = machine.step(event);
        }
    }

    fn inform(&self) -> Inform {
        let told = &self.world.inform;
        let mut inform = Inform { events: self.events.clone(), ..told.clone() };
        inform.device_id.serial_number = self.serial();
        inform.current_time = timestamp();
        inform.parameters = told.parameters.iter().map(|p| self.own(p)).collect();
        inform
    }

    fn serial(&self) -> String {
        format!("{:012X}", self.index)
    }

    /// A parameter as this device has it.
    fn own(&self, shared: &ParameterValue) -> ParameterValue {
        let value = match shared.name.as_str() {
            VERSION => self.version.to_string(),
            UPTIME => self.booted.elapsed().as_secs().to_string(),
            _ if shared.value == PLACEHOLDER => self.serial(),
            _ => shared.value.clone(),
        };
        ParameterValue::new(shared.name.clone(), value, shared.kind)
    }

    fn answer(&mut self, request: Request) -> Result<Response, Fault> {
        let readable = &self.world.readable;
        match request {
            Request::GetParameterNames(call) => {
                let below = readable.iter().filter(|p| p.name.starts_with(&call.path));
                let info =
                    |p: &ParameterValue| ParameterInfo { name: p.name.clone(), writable: false };
                Ok(Response::GetParameterNames(below.map(info).collect()))
            }
            Request::GetParameterValues(names) => {
                let is_asked = |p: &&ParameterValue| {
                    let is_below = |n: &String| n.ends_with('.') && p.name.starts_with(n.as_str());
                    names.iter().any(|n| p.name == *n || is_below(n))
                };
                let asked = readable.iter().filter(is_asked).map(|p| self.own(p));
                Ok(Response::GetParameterValues(asked.collect()))
            }
            Request::SetParameterValues(_) => Ok(Response::SetParameterValues(Status::Applied)),
            Request::Download(call) if call.file_type == FIRMWARE => {
                self.order = Some(Box::new(call));
                Ok(Response::Download(TransferResponse {
                    status: Status::Pending,
                    start_time: Timestamp::unknown(),
                    complete_time: Timestamp::unknown(),
                }))
            }
            _ => Err(Fault::new(FaultCode::METHOD_NOT_SUPPORTED, "Method not supported")),
        }
    }

    /// Fetches what was ordered and restarts on it. Reports it in the next session, as boards do.
    async fn upgrade(&mut self, order: &Download) {
        let world = Arc::clone(&self.world);
        let start_time = timestamp();
        let place = world.places.acquire().await.expect("nobody closes it");
        let fetched = transfer::download(&world.client, order).await;
        drop(place);
        let fault = match fetched {
            Ok((arrival, bytes)) => {
                world.bytes.fetch_add(bytes, Relaxed);
                self.install(&arrival);
                sleep(world.options.reboot_time).await;
                self.booted = Instant::now();
                self.raise("1 BOOT", "");
                None
            }
            Err(fault) => {
                world.faults.fetch_add(1, Relaxed);
                Some(fault)
            }
        };
        self.raise("7 TRANSFER COMPLETE", "");
        self.raise("M Download", &order.command_key);
        self.outbox.push(Request::TransferComplete(TransferComplete {
            command_key: order.command_key.clone(),
            fault,
            start_time,
            complete_time: timestamp(),
        }));
    }

    fn install(&mut self, arrival: &Arrival) {
        let Arrival::Firmware(packages) = arrival else { return };
        let fits = |name: &str, arch: Arch| name == MAIN && arch == ARCH;
        if let Some(main) = packages.iter().find(|p| fits(&p.name, p.arch)) {
            self.version = main.version;
            self.world.upgrades[self.index as usize].fetch_add(1, Relaxed);
        }
    }
}

async fn post(peer: &mut Peer, body: Bytes) -> CpeEvent {
    exchange(peer, body).await.unwrap_or(CpeEvent::Timeout)
}

fn timestamp() -> Timestamp {
    Timestamp(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, false))
}

#[cfg(test)]
mod tests;
