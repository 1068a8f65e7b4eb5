//! The life of one simulated board: power, clock, timers, and what it does between sessions.
//!
//! Owns every moment at which a device acts of its own accord: first boot, periodic informs, retry
//! back-off, scheduled informs, transfers, tests, reboots. What is said within a session is
//! [`crate::session`]'s and [`crate::answer`]'s; what scripts do is [`crate::scripting`]'s.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_cwmp::cpe::retry_wait;
use muster_cwmp::fault::Fault;
use muster_cwmp::rpc::{EventStruct, Request, TransferComplete};
use muster_cwmp::value::Timestamp;
use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::World;
use crate::board::Backups;
use crate::configuration::Factory;
use crate::diagnose::Test;
use crate::doors::Door;
use crate::firmware::Firmware;
use crate::household::Burden;
use crate::menus::Configuration;
use crate::model::Model;
use crate::profile::{Identity, device_rng};
use crate::script::names;
use crate::sickness::Ailment;
use crate::transfer::{self, Arrival, Order, Transfer};

const CRASH: &str = "Device.DeviceInfo.X_MIKROTIK_AutosupoutTime";
/// Stands for never, where a timer is off.
const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Keeps the draws of a device's life apart from those of its identity.
const STREAM: u64 = 0x11FE_0000_0000_0001;

/// What a session has ordered for after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Power {
    /// Reboot, with the job's CommandKey.
    Reboot(String),
    /// FactoryReset, which has none (C8).
    FactoryReset,
}

/// One board. `Break` from its steps means that it has gone dark for good.
pub(crate) struct Device {
    pub(crate) world: Arc<World>,
    pub(crate) identity: Identity,
    pub(crate) model: Model,
    pub(crate) configuration: Configuration,
    /// That began without a way out: the device is on a network that needs none.
    pub(crate) is_plain: bool,
    /// Those that were made on the board itself.
    pub(crate) backups: Backups,
    pub(crate) firmware: Firmware,
    pub(crate) ailment: Ailment,
    pub(crate) door: Arc<Door>,
    pub(crate) rng: SmallRng,
    /// Events that no completed session has delivered (N14).
    pub(crate) events: Vec<EventStruct>,
    /// CPE requests that the ACS has not acknowledged (N14).
    pub(crate) outbox: Vec<Request>,
    pub(crate) transfers: Vec<Transfer>,
    /// ScheduleInform: when, and its CommandKey.
    pub(crate) scheduled: Vec<(Instant, String)>,
    /// Tests under way: when they end.
    pub(crate) tests: Vec<(Instant, Test)>,
    /// When which entries of its own scheduler are due.
    pub(crate) alarms: Vec<(Instant, u32)>,
    pub(crate) power: Option<Power>,
    /// Sessions that failed since the last good one or the last boot.
    pub(crate) failures: u32,
    pub(crate) factory: Factory,
    /// When it will crash.
    pub(crate) crash: Option<Instant>,
    booted: Instant,
    periodic: Instant,
    retry: Option<Instant>,
}

impl Device {
    /// Device `index` of the fleet, in its box.
    pub(crate) fn new(world: Arc<World>, index: u32, identity: Identity, door: Arc<Door>) -> Self {
        let (seed, now) = (world.options.seed, Instant::now());
        let base = Arc::clone(&world.bases[identity.profile_index]);
        let mut device = Self {
            ailment: world.options.sickness.of(seed, index),
            rng: device_rng(seed ^ STREAM, index),
            model: Model::new(base),
            configuration: Configuration::default(),
            is_plain: false,
            backups: Backups::new(),
            firmware: Firmware::new(&identity),
            world,
            identity,
            door,
            events: Vec::new(),
            outbox: Vec::new(),
            transfers: Vec::new(),
            scheduled: Vec::new(),
            tests: Vec::new(),
            alarms: Vec::new(),
            power: None,
            failures: 0,
            factory: Factory::Fleet,
            crash: None,
            booted: now,
            periodic: now + NEVER,
            retry: None,
        };
        let (script, beginning) = (device.factory_script(), device.first_configuration());
        device.configure(&script, device.identity.version, beginning);
        device
    }

    /// Lives from its first power-up, `first` from now, until `shutdown` or until it goes dark.
    pub(crate) async fn live(mut self, first: Duration, shutdown: CancellationToken) {
        let door = Arc::clone(&self.door);
        let life = async {
            sleep(first).await;
            self.raise("0 BOOTSTRAP", "");
            self.power_up(Vec::new());
            while self.turn().await.is_continue() {}
            self.world.stats.dark.fetch_add(1, Relaxed);
            tracing::info!(device.serial = %self.identity.serial, "simulated device has gone dark");
        };
        shutdown.run_until_cancelled(life).await;
        door.close();
    }

    /// Adds an event unless it waits already.
    pub(crate) fn raise(&mut self, code: &str, command_key: &str) {
        let event =
            EventStruct { event_code: code.to_owned(), command_key: command_key.to_owned() };
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    /// The device's clock, which may be wrong.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let Ailment::ClockSkew(seconds) = self.ailment else { return Utc::now() };
        let skewed =
            TimeDelta::try_seconds(seconds).and_then(|skew| Utc::now().checked_add_signed(skew));
        skewed.unwrap_or_else(Utc::now)
    }

    /// The same as RouterOS sends it, with an offset.
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp(self.now().to_rfc3339_opts(SecondsFormat::Secs, false))
    }

    /// Counters that move by themselves, set when somebody looks.
    pub(crate) fn refresh_counters(&mut self) {
        let uptime = self.booted.elapsed().as_secs().to_string();
        let memory = self.identity.profile().memory;
        let burden = Burden::of(&self.identity);
        let free = memory / 100 * burden.free + self.rng.random_range(0..memory / 100);
        let load = burden.processor + self.rng.random_range(0..6_u32);
        self.model.preset("Device.DeviceInfo.UpTime", &uptime);
        self.model.preset("Device.DeviceInfo.MemoryStatus.Free", &free.to_string());
        self.model.preset("Device.DeviceInfo.ProcessStatus.CPUUsage", &load.to_string());
    }

    /// After the session: timers, and the back-off of TR-069 3.2.1.1 (N9).
    pub(crate) fn session_over(&mut self, completed: bool) {
        let now = Instant::now();
        self.sync_door();
        if completed {
            self.failures = 0;
            self.retry = None;
            self.periodic = now + self.interval();
        } else {
            self.failures += 1;
            let wait = retry_wait(self.failures, self.rng.random());
            self.retry = Some(now + self.world.scaled(wait));
        }
    }

    /// Tells the listener who may knock.
    pub(crate) fn sync_door(&self) {
        let user = self.model.value(names::REQUEST_USERNAME);
        self.door.set_credentials(user, self.model.value(names::REQUEST_PASSWORD));
    }

    /// One step: a session if one is due, else whatever comes first.
    async fn turn(&mut self) -> ControlFlow<()> {
        let due = !self.events.is_empty() && self.retry.is_none_or(|at| at <= Instant::now());
        if due {
            // Boxed, because ten thousand idle devices should not hold room for a session each.
            let completed = Box::pin(self.session()).await;
            return Box::pin(self.after_session(completed)).await;
        }
        let (next, door) = (self.next_due(), Arc::clone(&self.door));
        let rung = tokio::select! {
            () = door.rung() => true,
            () = sleep_until(next) => false,
        };
        if rung {
            Box::pin(self.visit()).await?;
        }
        self.raise_due();
        let now = Instant::now();
        if self.crash.take_if(|at| *at <= now).is_some() {
            self.leave_crash();
            Box::pin(self.boot(Vec::new())).await;
            return ControlFlow::Continue(());
        }
        if self.alarms.iter().any(|(at, _)| *at <= now) {
            Box::pin(self.wake_scheduler(now)).await?;
        }
        match self.transfers.iter().position(|transfer| transfer.due <= now) {
            Some(ready) => {
                let transfer = self.transfers.remove(ready);
                Box::pin(self.carry_out(transfer.order)).await
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn next_due(&self) -> Instant {
        let scheduled = self.scheduled.iter().map(|(at, _)| *at);
        let transfers = self.transfers.iter().map(|transfer| transfer.due);
        let tests = self.tests.iter().map(|(at, _)| *at);
        let retry = self.retry.filter(|_| !self.events.is_empty());
        let alarms = self.alarms.iter().map(|(at, _)| *at);
        let others = retry.into_iter().chain(self.crash).chain(alarms);
        scheduled.chain(transfers).chain(tests).chain(others).fold(self.periodic, Instant::min)
    }

    async fn visit(&mut self) -> ControlFlow<()> {
        let visit = self.door.take();
        if visit.knocked {
            self.world.stats.connection_requests.fetch_add(1, Relaxed);
            self.raise("6 CONNECTION REQUEST", "");
            self.retry = None;
        }
        for (name, value) in visit.changes {
            self.model.put(&name, &value);
        }
        for order in visit.scripts {
            let (typed, flow) = self.play(&order.script).await;
            // Whoever typed it may be gone.
            let _ = order.reply.send(typed);
            flow?;
        }
        self.report_changes();
        ControlFlow::Continue(())
    }

    pub(crate) fn report_changes(&mut self) {
        if self.model.has_active_change() {
            self.raise("4 VALUE CHANGE", "");
        }
    }

    fn raise_due(&mut self) {
        let now = Instant::now();
        if self.periodic <= now {
            self.periodic = now + self.interval();
            self.raise("2 PERIODIC", "");
        }
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.scheduled).into_iter().partition(|(at, _)| *at <= now);
        self.scheduled = later;
        for (_, key) in due {
            self.raise("3 SCHEDULED", "");
            self.raise("M ScheduleInform", &key);
        }
        self.end_tests(now);
    }

    fn interval(&self) -> Duration {
        match self.model.value(names::INTERVAL).parse() {
            Ok(seconds) if self.model.value(names::PERIODIC) == "1" => {
                self.world.scaled(Duration::from_secs(seconds))
            }
            Ok(_) | Err(_) => NEVER,
        }
    }

    async fn after_session(&mut self, completed: bool) -> ControlFlow<()> {
        match self.power.take() {
            Some(Power::Reboot(key)) => {
                let event = EventStruct { event_code: "M Reboot".to_owned(), command_key: key };
                self.boot(vec![event]).await;
            }
            Some(Power::FactoryReset) => self.factory_reset().await?,
            None if completed && self.ailment == Ailment::RebootLoop => {
                sleep(10 * self.world.options.reboot_time).await;
                self.boot(Vec::new()).await;
            }
            None => {}
        }
        ControlFlow::Continue(())
    }

    /// Forgets all that it was told, and boots as new.
    pub(crate) async fn factory_reset(&mut self) -> ControlFlow<()> {
        self.outbox.clear();
        self.transfers.clear();
        self.scheduled.clear();
        self.events.clear();
        self.backups.clear();
        self.reset()?;
        self.raise("0 BOOTSTRAP", "");
        self.boot(Vec::new()).await;
        ControlFlow::Continue(())
    }

    async fn carry_out(&mut self, order: Order) -> ControlFlow<()> {
        let (start, world) = (self.timestamp(), Arc::clone(&self.world));
        let key = order.command_key().to_owned();
        match order {
            Order::Upload(call) => {
                let sent = match transfer::document(&call) {
                    Ok(document) => {
                        let text = self.print(document);
                        transfer::upload(&world.client, &call, text).await
                    }
                    Err(fault) => Err(fault),
                };
                self.complete("M Upload", &key, sent.err(), start);
                ControlFlow::Continue(())
            }
            Order::Download(call) => {
                let fetched = match self.ailment {
                    Ailment::Transfer(code) => Err(Fault::new(code, "simulated fault")),
                    _ => transfer::download(&world.client, &call).await,
                };
                match fetched {
                    Ok((arrival, bytes)) => {
                        world.stats.transfer_bytes.fetch_add(bytes, Relaxed);
                        self.complete("M Download", &key, None, start);
                        self.arrive(arrival).await
                    }
                    Err(fault) => {
                        self.complete("M Download", &key, Some(fault), start);
                        ControlFlow::Continue(())
                    }
                }
            }
        }
    }

    /// TransferComplete waits for the next session, after a reboot too.
    fn complete(&mut self, method: &str, key: &str, fault: Option<Fault>, start_time: Timestamp) {
        self.world.stats.transfers.fetch_add(1, Relaxed);
        self.outbox.push(Request::TransferComplete(TransferComplete {
            command_key: key.to_owned(),
            fault,
            start_time,
            complete_time: self.timestamp(),
        }));
        self.raise("7 TRANSFER COMPLETE", "");
        self.raise(method, key);
    }

    async fn arrive(&mut self, arrival: Arrival) -> ControlFlow<()> {
        match arrival {
            Arrival::Factory(script) => self.factory = Factory::Replaced(script),
            Arrival::Alter(script) => return Box::pin(self.play(&script)).await.1,
            Arrival::Overwrite(script) => {
                let before = self.model.value(names::URL).to_owned();
                self.overwrite(&script)?;
                if self.model.value(names::URL) != before {
                    self.raise("0 BOOTSTRAP", "");
                }
                self.boot(Vec::new()).await;
            }
            Arrival::Firmware(packages) => return self.install(&packages).await,
        }
        ControlFlow::Continue(())
    }

    pub(crate) async fn boot(&mut self, events: Vec<EventStruct>) {
        self.forget_tests();
        self.firmware.boot();
        sleep(self.world.options.reboot_time).await;
        if self.ailment == Ailment::Crash {
            self.leave_crash();
        }
        self.power_up(events);
    }

    /// A crash leaves a file for its makers, and the time of it.
    fn leave_crash(&mut self) {
        let now = self.timestamp().0;
        self.model.put(CRASH, &now);
    }

    fn power_up(&mut self, events: Vec<EventStruct>) {
        self.world.stats.boots.fetch_add(1, Relaxed);
        self.booted = Instant::now();
        self.failures = 0;
        self.retry = None;
        self.periodic = self.booted + self.interval();
        self.alarms.clear();
        self.sync_alarms(true);
        self.raise("1 BOOT", "");
        for event in events {
            self.raise(&event.event_code, &event.command_key);
        }
    }
}
