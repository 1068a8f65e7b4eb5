//! Scripts on a device: those that arrive, those that somebody types, and those of its own scheduler;
//! and whether what they did has left the ACS within reach.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::Instant;

use crate::board::{Board, Effect};
use crate::device::Device;
use crate::doors::Typed;
use crate::menus::Item;
use crate::script;

/// Lines of scripts that the log keeps.
const MAX_LOG: usize = 500;
/// How long after a start what is to run then runs.
const STARTUP: Duration = Duration::from_secs(3);
const CLIENT: &str = "/tr069-client";
const SCHEDULER: &str = "/system/scheduler";
const SCRIPTS: &str = "/system/script";

impl Device {
    /// The device as a script sees it.
    pub(crate) fn board(&mut self) -> Board<'_> {
        let (air, status) = (self.air(), self.status());
        let mode = self.mode().map(|(mode, _)| mode);
        Board {
            model: &mut self.model,
            configuration: &mut self.configuration,
            backups: &mut self.backups,
            identity: &self.identity,
            air,
            status,
            mode,
            log: Vec::new(),
            effect: None,
        }
    }

    /// Runs a script, and does what it ordered; `Break` when the device has gone dark by it.
    pub(crate) async fn play(&mut self, script: &str) -> (Typed, ControlFlow<()>) {
        if self.run_known(script) {
            return (Typed::default(), ControlFlow::Continue(()));
        }
        let (error, log, effect) = {
            let mut board = self.board();
            let error = script::run(script, &mut board).err();
            if let Some(words) = &error {
                board.say("error", words);
            }
            (error, board.log, board.effect)
        };
        self.write_log(&log);
        self.sync_door();
        self.sync_alarms(false);
        self.report_changes();
        let flow = match effect {
            None => ControlFlow::Continue(()),
            Some(Effect::Reset) => self.factory_reset().await,
            Some(Effect::Reboot) => {
                self.boot(Vec::new()).await;
                ControlFlow::Continue(())
            }
            Some(Effect::Load(name)) => {
                if let Some(kept) = self.backups.remove(&name) {
                    (self.model, self.configuration) = *kept;
                    self.fit_model();
                    self.sync_door();
                }
                self.boot(Vec::new()).await;
                ControlFlow::Continue(())
            }
        };
        (Typed { log, error }, flow)
    }

    /// Adds lines to the log, which keeps the newest.
    pub(crate) fn write_log(&mut self, lines: &[String]) {
        let time = self.log_time();
        let mut log = self.firmware.log.take().map(String::from).unwrap_or_default();
        log.extend(lines.iter().map(|line| format!("{time} {line}\n")));
        let over = log.lines().count().saturating_sub(MAX_LOG);
        if over > 0 {
            log = log.split_inclusive('\n').skip(over).collect();
        }
        self.firmware.log = (!log.is_empty()).then(|| log.into());
    }

    /// Sets an alarm for each entry of the scheduler that has none, and takes away those of others.
    /// What runs once, at a start, is set only then. With device-mode `home` entries can be made, but
    /// never run (routeros.md section 9).
    pub(crate) fn sync_alarms(&mut self, starts: bool) {
        let set: Vec<u32> = self.alarms.iter().map(|(_, id)| *id).collect();
        let mut due: Vec<(u32, Duration)> = Vec::new();
        if self.mode().is_none_or(|(mode, _)| mode != "home") {
            let board = self.board();
            for item in board.items(SCHEDULER) {
                let read = |name: &str| board.read(SCHEDULER, &item, name);
                let every = script::seconds(&read("interval")).unwrap_or(0);
                let wait = match every {
                    0 if read("start-time") == "startup" => STARTUP,
                    every => Duration::from_secs(every.into()),
                };
                let again = every > 0 || starts || set.contains(&item.id);
                if read("disabled") != "yes" && again && !wait.is_zero() {
                    due.push((item.id, wait));
                }
            }
        }
        self.alarms.retain(|(_, id)| due.iter().any(|(other, _)| other == id));
        for (id, wait) in due {
            if !set.contains(&id) {
                self.alarms.push((Instant::now() + self.world.scaled(wait), id));
            }
        }
    }

    /// Runs what the scheduler has for now; `Break` as [`Self::play`].
    pub(crate) async fn wake_scheduler(&mut self, now: Instant) -> ControlFlow<()> {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.alarms).into_iter().partition(|(at, _)| *at <= now);
        self.alarms = later;
        for (_, id) in due {
            if let Some(script) = self.scheduled_script(id) {
                self.play(&script).await.1?;
            }
        }
        // Once a run is over, its entry waits again.
        self.sync_alarms(false);
        ControlFlow::Continue(())
    }

    /// What an entry of the scheduler runs: it names a script of the board, or is one.
    fn scheduled_script(&mut self, id: u32) -> Option<String> {
        let board = self.board();
        let entry = board.configuration.item(SCHEDULER, id)?;
        let event = board.read(SCHEDULER, entry, "on-event");
        let scripts = board.items(SCRIPTS);
        let named = scripts.iter().find(|item| board.read(SCRIPTS, item, "name") == event);
        Some(named.map(|item| board.read(SCRIPTS, item, "source")).unwrap_or(event))
    }

    /// Whether its client runs and has a way out.
    pub(crate) fn is_reachable(&self) -> bool {
        self.is_enabled() && self.has_uplink()
    }

    fn is_enabled(&self) -> bool {
        let client = self.configuration.items(CLIENT).first();
        client.and_then(|item| item.own("enabled")) != Some("no")
    }

    /// A DHCP or PPPoE client that is on, over a port that is on; a route, or a modem.
    fn has_uplink(&self) -> bool {
        let items = |menu: &str| self.configuration.items(menu).iter();
        let mut clients =
            items("/ip/dhcp-client").chain(items("/interface/pppoe-client")).peekable();
        if self.is_plain && clients.peek().is_none() {
            return true;
        }
        let port_is_on = |port: Option<&str>| {
            let mut ports = items("/interface/ethernet");
            ports.all(|item| item.own("default-name") != port || is_on(item))
        };
        let mut others = items("/ip/route").chain(items("/interface/lte"));
        clients.any(|item| is_on(item) && port_is_on(item.own("interface")))
            || others.any(|item| is_on(item))
    }

    fn status(&self) -> &'static str {
        match (self.is_enabled(), self.has_uplink() && self.failures == 0) {
            (false, _) => "disabled",
            (true, true) => "running",
            (true, false) => "error",
        }
    }
}

fn is_on(item: &Item) -> bool {
    item.own("disabled") != Some("yes")
}
