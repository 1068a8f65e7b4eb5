//! The support view: what somebody with a customer on the line sees of their device, and the few
//! things that they can do with it.
//!
//! Owns that nothing here can break a network: there are these actions and no others, each makes its
//! own job, and none takes the name of a parameter. It needs the right at the device's site, and what
//! the role's policy hides is taken away before anything is looked for.
//!
//! - `find`: the device of a customer. `actions`: what can be done.
//! - `wifi`, `clients`, and `fleet::internet`: what of a data model an agent wants to know, from what
//!   of it they may see (`seen`). `errands`: how far it is what they ordered.

mod actions;
mod clients;
mod errands;
mod find;
mod seen;
mod wifi;

pub use crate::fleet::internet::Internet;
pub use actions::{look, new_password, ping, reboot, reveal, set_wifi};
pub use clients::{Client, Medium, Signal};
pub use errands::{Errand, What};
pub use find::{recent, search};
pub use wifi::{Change, Network, Protection};

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use url::{Host, Url};

use self::seen::{Seen, covers};
use super::{devices, roles};
use crate::access::right::Right;
use crate::access::role::{LEAST_WIFI_PASSWORD, Policies, SupportPolicy, any_of};
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::internet::internet;
use crate::fleet::online;
use crate::store::device_secrets::{self, Named};
use crate::store::devices::Device;
use crate::store::jobs::{self, Job};
use crate::store::parameters::{self, Counters, Document};

/// Newest jobs among which errands are looked for.
const JOBS: i64 = 60;

/// A device as an agent sees it.
#[derive(Debug, Clone)]
pub struct View {
    /// The device. Not all of it is for agents.
    pub device: Device,
    /// What it calls itself, else its serial number.
    pub name: String,
    /// Its model, as far as that is shown.
    pub model: String,
    /// Its software version, as far as that is shown.
    pub version: Option<String>,
    /// Whether it informed lately enough.
    pub online: bool,
    /// When it was started, as far as that is known and shown.
    pub started_at: Option<DateTime<Utc>>,
    /// Its way to the Internet.
    pub internet: Internet,
    /// Its Wi-Fi networks.
    pub networks: Vec<Network>,
    /// What is connected to it.
    pub clients: Vec<Client>,
    /// When what is shown was last read from it; `None` = never.
    pub read_at: Option<DateTime<Utc>>,
    /// What was ordered of it, newest first.
    pub errands: Vec<Errand>,
    /// What the caller's roles tell agents.
    pub notes: String,
    /// Whether the caller may restart it.
    pub may_reboot: bool,
    /// The hosts that the caller may have it ping, an empty list for any; `None` = they may not.
    pub ping_hosts: Option<Vec<String>>,
}

/// What is stored of a device, for its view.
#[derive(Debug, Clone, Default)]
struct Stored {
    document: Document,
    counters: Option<(Counters, DateTime<Utc>)>,
    secrets: Vec<Named>,
    jobs: Vec<Job>,
}

/// A device as the caller's role shows it.
///
/// # Errors
/// As [`devices::find`], with the right to the support view.
pub async fn view(app: &App, ctx: &Ctx, name: &str) -> Result<View, Error> {
    let device = devices::find(app, ctx, name, Right::Support).await?;
    let policies = roles::support_policies(app, ctx, &device).await?;
    let id = device.device_id;
    let of_device = jobs::Filter { device_id: Some(id), ..jobs::Filter::default() };
    let stored = Stored {
        document: parameters::get(&app.pool, id).await?.unwrap_or_default(),
        counters: parameters::counters(&app.pool, id).await?,
        secrets: device_secrets::names(&app.pool, id).await?,
        jobs: jobs::list(&app.pool, &of_device, JOBS).await?,
    };
    Ok(View::of(device, &policies, stored, online::since(&app.config, ctx.now), ctx.now))
}

impl View {
    fn of(
        device: Device,
        policies: &Policies,
        stored: Stored,
        online_since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        let hidden = policies.hidden();
        let shown = Shown::new(&device, &hidden);
        let (counters, counted_at) = match stored.counters {
            Some((counters, at)) => (counters, Some(at)),
            None => (Counters::new(), None),
        };
        let seen = Seen::new(stored.document, counters, &hidden);
        let mut networks = wifi::networks(&seen);
        for network in &mut networks {
            allow(network, policies);
            network.password_known_since = known_since(network, &stored.secrets);
        }
        let own = device
            .connection_request_url
            .as_deref()
            .filter(|_| shown.has("ManagementServer.ConnectionRequestURL"));
        Self {
            name: shown.name(),
            model: shown.model(),
            version: device
                .software_version
                .clone()
                .filter(|_| shown.has("DeviceInfo.SoftwareVersion")),
            online: device.last_inform >= online_since,
            started_at: device
                .last_boot
                .filter(|_| shown.has("DeviceInfo.UpTime"))
                .or_else(|| started(&seen, shown.root, counted_at?)),
            internet: internet(seen.reading(), own.and_then(host_of)),
            clients: clients::clients(&seen, &networks),
            read_at: read_at(&device, &stored.jobs),
            errands: errands::errands(&stored.jobs, &networks, now),
            networks,
            notes: policies.notes(),
            may_reboot: policies.may_reboot(),
            ping_hosts: policies.ping_hosts(),
            device,
        }
    }

    /// The network of this name in orders.
    fn network(&self, key: &str) -> Result<&Network, Error> {
        let found = self.networks.iter().find(|network| network.network == key);
        found.ok_or_else(|| Error::invalid("/network", "the device has no such Wi-Fi network"))
    }

    /// The newest errand of a kind.
    pub fn errand(&self, what: What, network: Option<&str>) -> Option<&Errand> {
        self.errands.iter().find(|e| e.what == what && e.network.as_deref() == network)
    }
}

/// The facts of a device, as far as the parameters that they come from are shown.
struct Shown<'a> {
    device: &'a Device,
    hidden: &'a [String],
    root: &'a str,
}

impl<'a> Shown<'a> {
    fn new(device: &'a Device, hidden: &'a [String]) -> Self {
        Self { device, hidden, root: device.root.as_deref().unwrap_or("Device.") }
    }

    fn has(&self, name: &str) -> bool {
        !covers(self.hidden, &format!("{}{name}", self.root))
    }

    fn name(&self) -> String {
        let identity = self.device.identity.as_deref().unwrap_or_default().trim();
        let shown = !identity.is_empty() && self.has("DeviceInfo.X_MIKROTIK_SystemIdentity");
        if shown { identity.to_owned() } else { self.device.serial.clone() }
    }

    fn model(&self) -> String {
        let class = &self.device.product_class;
        match self.device.model.as_ref().filter(|_| self.has("DeviceInfo.ModelName")) {
            Some(model) if model != class && !model.is_empty() => format!("{class} ({model})"),
            Some(_) | None => class.clone(),
        }
    }
}

/// Takes away what no role lets be changed, and says what the rest may become.
fn allow(network: &mut Network, policies: &Policies) {
    let names = any_of(letting(policies, &network.name_parameter).map(|role| &role.wifi_names));
    network.may_rename &= names.is_some();
    network.allowed_names = names.unwrap_or_default();
    let password = network.password_parameter.as_deref().unwrap_or_default();
    let least = letting(policies, password).map(|role| role.min_wifi_password).min();
    network.may_set_password &= least.is_some();
    network.min_password = least.unwrap_or(LEAST_WIFI_PASSWORD);
}

/// The policies by which a parameter of a Wi-Fi network may be changed.
fn letting<'a>(
    policies: &'a Policies,
    parameter: &'a str,
) -> impl Iterator<Item = &'a SupportPolicy> {
    policies.each().filter(move |policy| {
        let held_back = covers(&policy.hidden, parameter) || covers(&policy.read_only, parameter);
        policy.allow_wifi && !held_back
    })
}

fn known_since(network: &Network, secrets: &[Named]) -> Option<DateTime<Utc>> {
    let parameter = network.password_parameter.as_deref()?;
    secrets.iter().find(|secret| secret.name == parameter).map(|secret| secret.learned_at)
}

/// By how long it ran when that was last read.
fn started(seen: &Seen, root: &str, counted_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let seconds: u32 = seen.number(&format!("{root}DeviceInfo.UpTime"))?;
    Some(counted_at - TimeDelta::seconds(i64::from(seconds)))
}

/// The address in a URL; a name is none.
fn host_of(url: &str) -> Option<IpAddr> {
    match Url::parse(url).ok()?.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// When the device was last asked for all of it, or for what an agent sees.
fn read_at(device: &Device, jobs: &[Job]) -> Option<DateTime<Utc>> {
    let looked = jobs.iter().filter(|job| job.kind == "refresh" && job.state == "done");
    looked.filter_map(|job| job.finished_at).chain(device.refreshed_at).max()
}

#[cfg(test)]
mod tests;
