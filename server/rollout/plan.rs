//! How a rollout goes: its waves, what must hold between them, how fast, when, and what healthy means.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How it goes. Every part has a default that is careful.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// In order. What no wave takes goes into a last one.
    pub waves: Vec<Wave>,
    /// In which order devices are taken within and over waves.
    pub order: Order,
    /// What must hold for the next wave to begin.
    pub success: Success,
    /// What ends it.
    pub error: ErrorCondition,
    /// Minutes that a wave is watched after its last device.
    pub soak_minutes: u32,
    /// Somebody else must approve it before it starts: whoever starts it cannot.
    pub four_eyes: bool,
    /// How fast.
    pub pace: Pace,
    /// Devices are begun only within the maintenance windows of their sites.
    pub heed_windows: bool,
    /// Days, by the clock of each site, on which no device is begun.
    pub blackout: Vec<Blackout>,
    /// The configuration of each device is kept before a release, a script, or what a template gives, comes
    /// there.
    pub backup: bool,
    /// What healthy means.
    pub checks: Checks,
    /// How long the steps may take.
    pub deadlines: Deadlines,
    /// How often a device is tried again after a failure that may pass.
    pub retries: u32,
}

/// A slice of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// For people; `wave 2` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which devices.
    pub take: Take,
    /// Somebody must approve it before it begins.
    #[serde(default)]
    pub approval: bool,
    /// Instead of the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_minutes: Option<u32>,
}

/// Which devices a wave takes, of those that no wave before it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// These, a canary list: ids or `serial:X`.
    Devices(Vec<String>),
    /// So many.
    Count(u32),
    /// So many of a hundred of all devices of the rollout; at least one.
    Percent(f64),
    /// Those of a group.
    Group(Uuid),
    /// Those at a site and below.
    Site(String),
    /// All that are left.
    Rest,
}

/// In which order devices are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Spread over the fleet, the same way each time.
    #[default]
    Spread,
    /// Site by site.
    Site,
    /// The farthest first: a device comes after all that reach the network through it.
    Topology,
}

/// What must hold for the next wave to begin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Success {
    /// Of a hundred devices of the wave that were begun, so many are healthy.
    pub percent: f64,
    /// So many were begun, at least; all, where the wave has fewer. Somebody may let a wave pass that
    /// has not so many.
    pub minimum: u32,
}

/// What ends a wave before its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorCondition {
    /// Of a hundred devices of the wave that are healthy or failed, more than so many failed. Those
    /// that never took their order say nothing of the change.
    pub percent: Option<f64>,
    /// Devices that must be healthy or failed before `percent` is looked at; all, where the wave has
    /// fewer.
    pub minimum: u32,
    /// So many devices of the wave failed.
    pub count: Option<u32>,
    /// What then.
    pub then: OnError,
}

/// What a rollout does when devices get sick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Nothing new begins until somebody decides.
    #[default]
    Pause,
    /// It ends; devices in flight finish.
    Abort,
    /// What was changed is changed back.
    RollBack,
}

/// How fast; `None` = without that limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Devices begun per minute.
    pub per_minute: Option<u32>,
    /// Devices begun per day (UTC).
    pub per_day: Option<u32>,
    /// Devices under way at a time.
    pub concurrent: u32,
    /// The same at each site (not counting those below it).
    pub per_site: Option<u32>,
    /// The same behind each uplink.
    pub per_uplink: Option<u32>,
    /// Megabits per second that its downloads may take together; the nodes share them equally.
    pub megabits: Option<u32>,
}

/// Days without changes, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackout {
    /// The first.
    pub from: NaiveDate,
    /// The last.
    pub to: NaiveDate,
}

/// What healthy means. A check that is `None` or false is off. What a device does not tell, or did
/// not tell before, is not held against it, and the verdict says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// Informs that it may miss in a row.
    pub missed_informs: Option<u32>,
    /// No new crash file (`X_MIKROTIK_AutosupoutTime`).
    pub crash: bool,
    /// It does not boot again by itself.
    pub uptime: bool,
    /// Its way to the Internet is up, if it was.
    pub wan: bool,
    /// Processor load may be so many points of a hundred above the baseline.
    pub cpu_points: Option<u32>,
    /// Free memory may be so many of a hundred below the baseline.
    pub memory_percent: Option<u32>,
    /// Ports may have lost their link so often since.
    pub link_downs: Option<u32>,
    /// It has as many radios as before.
    pub radios: bool,
    /// The mean signal of its Wi-Fi clients may be so many dB below the baseline.
    pub signal_db: Option<u32>,
    /// Of its Wi-Fi clients so many of a hundred may be missing; looked at from five clients on.
    pub clients_percent: Option<u32>,
}

/// How long steps may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// Hours in which a device that was begun must take its order.
    pub offer_hours: u32,
    /// Minutes from the order to the device being back on what it should run.
    pub back_minutes: u32,
    /// Minutes from then to a verdict of its health.
    pub verify_minutes: u32,
    /// Minutes that a baseline may be old; an older one is read anew before the change.
    pub baseline_minutes: u32,
}

impl Plan {
    /// For how long a wave is watched, by its number.
    pub fn soak(&self, wave: usize) -> TimeDelta {
        let own = self.waves.get(wave).and_then(|wave| wave.soak_minutes);
        TimeDelta::minutes(i64::from(own.unwrap_or(self.soak_minutes)))
    }
}

impl Checks {
    /// Whether a device is compared with what it was before: then that must be known. Of a crash file
    /// it is enough that there is none.
    pub fn compare(&self) -> bool {
        self.wan
            || self.radios
            || self.cpu_points.is_some()
            || self.memory_percent.is_some()
            || self.link_downs.is_some()
            || self.signal_db.is_some()
            || self.clients_percent.is_some()
    }

    /// Whether it takes a reading of the device to judge it.
    pub fn read(&self) -> bool {
        self.compare() || self.crash || self.uptime
    }

    /// Those that say of a device that was well that it is not any more. The others go up and down
    /// with what people do, and are looked at once.
    pub fn watched(&self) -> Self {
        Self {
            wan: false,
            radios: false,
            cpu_points: None,
            memory_percent: None,
            link_downs: None,
            signal_db: None,
            clients_percent: None,
            ..*self
        }
    }
}

impl Deadlines {
    /// See [`Deadlines::offer_hours`].
    pub fn offer(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.offer_hours))
    }

    /// See [`Deadlines::back_minutes`].
    pub fn back(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.back_minutes))
    }

    /// See [`Deadlines::verify_minutes`].
    pub fn verify(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.verify_minutes))
    }

    /// See [`Deadlines::baseline_minutes`].
    pub fn baseline(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.baseline_minutes))
    }
}

/// So much later, as far as there are times.
pub(crate) fn after(at: DateTime<Utc>, time: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(time).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Default for Plan {
    fn default() -> Self {
        let wave = |take| Wave { name: None, take, approval: false, soak_minutes: None };
        Self {
            waves: vec![wave(Take::Percent(1.0)), wave(Take::Percent(10.0)), wave(Take::Rest)],
            order: Order::default(),
            success: Success::default(),
            error: ErrorCondition::default(),
            soak_minutes: 60,
            four_eyes: false,
            pace: Pace::default(),
            heed_windows: true,
            blackout: Vec::new(),
            backup: true,
            checks: Checks::default(),
            deadlines: Deadlines::default(),
            retries: 1,
        }
    }
}

impl Default for Success {
    fn default() -> Self {
        Self { percent: 95.0, minimum: 1 }
    }
}

impl Default for ErrorCondition {
    fn default() -> Self {
        Self { percent: Some(5.0), minimum: 5, count: None, then: OnError::Pause }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            per_minute: None,
            per_day: None,
            concurrent: 100,
            per_site: None,
            per_uplink: None,
            megabits: None,
        }
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            missed_informs: Some(2),
            crash: true,
            uptime: true,
            wan: true,
            cpu_points: Some(40),
            memory_percent: Some(50),
            link_downs: Some(3),
            radios: true,
            signal_db: Some(10),
            clients_percent: Some(60),
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { offer_hours: 24, back_minutes: 30, verify_minutes: 15, baseline_minutes: 60 }
    }
}
