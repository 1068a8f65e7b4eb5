//! What an agent can do with a device.
//!
//! Owns that each asks for the right at the device's site and the role's policy, makes its job
//! itself, and is in the audit log.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::errands::Errand;
use super::wifi::{self, Change};
use super::{Network, view};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::access::role::{Policies, check_allowed};
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::{DiagnosticTest, JobSpec};
use crate::service::{devices, roles, secrets};
use crate::store::devices::Device;
use crate::store::jobs::{self, Job};
use crate::store::parameters::{self, Document};

/// An agent waits with the customer: what has not begun by then is wanted no more.
const SOON: TimeDelta = TimeDelta::hours(1);
/// A device that is off gets its new name and password when it is back, if that is not too late.
const LATER: TimeDelta = TimeDelta::days(1);
/// Changes of one Wi-Fi network that may be open: the device takes each, one after the other.
const MAX_CHANGES: usize = 3;
/// Parts of either data model that the view is made of.
const PARTS: [&str; 9] = [
    "Device.DeviceInfo.",
    "Device.IP.Interface.",
    "Device.PPP.Interface.",
    "Device.DHCPv4.Client.",
    "Device.WiFi.",
    "Device.Hosts.",
    "InternetGatewayDevice.DeviceInfo.",
    "InternetGatewayDevice.WANDevice.",
    "InternetGatewayDevice.LANDevice.",
];

/// An errand that is to be made.
struct Wanted {
    spec: JobSpec,
    /// While one with this key is open, asking again gives that one.
    key: Option<String>,
    life: TimeDelta,
    /// The network that it changes.
    network: Option<Network>,
}

impl Wanted {
    /// While one with this key is open, asking again gives that one.
    fn once(spec: JobSpec, key: String) -> Self {
        Self { spec, key: Some(key), life: SOON, network: None }
    }
}

/// Gives a Wi-Fi network another name or password.
///
/// # Errors
/// As [`devices::find`], with the right to the support view; [`Error::Invalid`] at `/network`,
/// `/name` and `/password`, and where nothing would change; [`Error::Denied`] where the role or the
/// device does not let it be changed; [`Error::Conflict`] while the device has not taken changes
/// before.
pub async fn set_wifi(
    app: &App,
    ctx: &Ctx,
    name: &str,
    network: &str,
    change: &Change,
) -> Result<Errand, Error> {
    let view = view(app, ctx, name).await?;
    let network = view.network(network)?;
    let parameters = wifi::parameters(network, change)?;
    let spec = JobSpec::Set { parameters };
    let wanted = Wanted { spec, key: None, life: LATER, network: Some(network.clone()) };
    let before = json!({ "network": network.network, "wifi_name": network.name });
    let after = json!({
        "network": network.network,
        "wifi_name": change.name.as_ref().unwrap_or(&network.name),
        "password_changed": change.password.is_some(),
    });
    let told = ("device.set_wifi", before, after);
    let (job, _) = order(app, ctx, &view.device, vec![wanted], told).await?;
    errand(&job, &view.networks)
}

/// The password of a Wi-Fi network in clear. Each look is in the audit log.
///
/// # Errors
/// As [`view`]; [`Error::Invalid`] at `/network`; [`Error::NotFound`] where the password is not
/// known, or not shown by the role.
pub async fn reveal(app: &App, ctx: &Ctx, name: &str, network: &str) -> Result<String, Error> {
    let view = view(app, ctx, name).await?;
    let network = view.network(network)?;
    let Some(parameter) = &network.password_parameter else {
        return Err(Error::NotFound("this network has no password to be shown".to_owned()));
    };
    secrets::reveal_wifi(app, ctx, &view.device, parameter).await
}

/// A new password for a network that can be told by telephone. It is nobody's until it is set.
pub fn new_password(network: &Network) -> String {
    wifi::readable(&rand::random::<[u8; 64]>(), network.min_password)
}

/// Restarts a device; gives the errand, and whether it is new.
///
/// # Errors
/// As [`devices::find`], with the right to the support view; [`Error::Denied`] where the role does
/// not let it.
pub async fn reboot(app: &App, ctx: &Ctx, name: &str) -> Result<(Errand, bool), Error> {
    let (device, policies) = find(app, ctx, name).await?;
    if !policies.may_reboot() {
        return Err(denied("restart devices"));
    }
    let wanted = Wanted::once(JobSpec::Reboot, "reboot".to_owned());
    let told = ("device.reboot", Value::Null, json!({}));
    let (job, made) = order(app, ctx, &device, vec![wanted], told).await?;
    Ok((errand(&job, &[])?, made))
}

/// Has a device ping a host; gives the errand, and whether it is new.
///
/// # Errors
/// As [`devices::find`], with the right to the support view; [`Error::Invalid`] at `/host`;
/// [`Error::Denied`] where the role does not let it.
pub async fn ping(app: &App, ctx: &Ctx, name: &str, host: &str) -> Result<(Errand, bool), Error> {
    let (device, policies) = find(app, ctx, name).await?;
    let hosts = policies.ping_hosts().ok_or_else(|| denied("have devices ping"))?;
    check_allowed(&hosts, "/host", host)?;
    let host = host.to_owned();
    let after = json!({ "host": host });
    let test = DiagnosticTest::Ping { host, count: 4, size: 64, timeout_ms: 1_000 };
    let spec = JobSpec::Diagnose { test };
    spec.validate().map_err(|error| match error {
        Error::Invalid { message, .. } => Error::invalid("/host", message),
        other => other,
    })?;
    let wanted = Wanted::once(spec, "ping".to_owned());
    let told = ("device.ping", Value::Null, after);
    let (job, made) = order(app, ctx, &device, vec![wanted], told).await?;
    Ok((errand(&job, &[])?, made))
}

/// Has a device tell once more how it is, as far as agents see it; gives the last of the errands, and
/// whether any is new.
///
/// # Errors
/// As [`devices::find`], with the right to the support view.
pub async fn look(app: &App, ctx: &Ctx, name: &str) -> Result<(Errand, bool), Error> {
    let (device, _) = find(app, ctx, name).await?;
    let document = parameters::get(&app.pool, device.device_id).await?.unwrap_or_default();
    let refresh = |path: Option<&str>| {
        let spec = JobSpec::Refresh { path: path.map(str::to_owned) };
        Wanted::once(spec, format!("look:{}", path.unwrap_or_default()))
    };
    let parts = parts(&document);
    let wanted: Vec<Wanted> = match parts.is_empty() {
        true => vec![refresh(None)],
        false => parts.iter().map(|path| refresh(Some(*path))).collect(),
    };
    let told = ("device.look", Value::Null, json!({ "paths": parts }));
    let (job, made) = order(app, ctx, &device, wanted, told).await?;
    Ok((errand(&job, &[])?, made))
}

/// The parts that a device has: one that it does not have would fail, and hold up what comes after.
fn parts(document: &Document) -> Vec<&'static str> {
    let has = |path: &&str| {
        let mut from = document.range((*path).to_owned()..);
        from.next().is_some_and(|(name, _)| name.starts_with(path))
    };
    PARTS.into_iter().filter(has).collect()
}

async fn find(app: &App, ctx: &Ctx, name: &str) -> Result<(Device, Policies), Error> {
    let device = devices::find(app, ctx, name, Right::Support).await?;
    let policies = roles::support_policies(app, ctx, &device).await?;
    Ok((device, policies))
}

fn denied(what: &str) -> Error {
    Error::Denied(format!("your role does not let you {what}"))
}

/// Makes the jobs, one after the other, with what the audit log is told: the action, and the state
/// before and after. Gives the last job, and whether any is new.
async fn order(
    app: &App,
    ctx: &Ctx,
    device: &Device,
    wanted: Vec<Wanted>,
    (action, before, mut after): (&str, Value, Value),
) -> Result<(Job, bool), Error> {
    let mut tx = app.pool.begin().await?;
    devices::hold_in_place(&mut tx, ctx, device).await?;
    let (mut last, mut fresh) = (None, Vec::new());
    for Wanted { spec, key, life, network } in wanted {
        if let Some(network) = &network {
            let open = jobs::open(&mut tx, device.device_id).await?;
            room_for_change(&open, network)?;
        }
        let order = Order {
            expires_at: Some(ctx.now + life),
            // In the part of the keys that is Muster's own, so that no other order has it.
            idempotency_key: key.map(|key| format!("muster:support:{key}")),
            created_by: ctx.actor.name.clone(),
            wake: true,
            own: false,
            rollout: None,
            // The customer is on the line, and what an agent changes is wanted.
            unkept: true,
            not_before: None,
            device_id: device.device_id,
            spec,
        };
        let (job, made) = queue::create(&mut tx, &app.keys, order, ctx.now).await?;
        if made {
            fresh.push(job.job_id);
        }
        last = Some(job);
    }
    let job = last.ok_or_else(|| Error::Internal("an order of nothing".to_owned()))?;
    if !fresh.is_empty() {
        after["jobs"] = json!(fresh);
        let object = Object::new("device", device.device_id, &device.serial);
        audit::record(&mut tx, ctx, action, object, before, after).await?;
    }
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok((job, !fresh.is_empty()))
}

/// Refuses one more change of a network that has too many open ones.
fn room_for_change(open: &[Job], network: &Network) -> Result<(), Error> {
    let networks = std::slice::from_ref(network);
    let changes = open.iter().filter(|job| job.kind == "set");
    if changes.filter(|job| Errand::of(job, networks).is_some()).count() < MAX_CHANGES {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{MAX_CHANGES} changes of this network wait for the device: it must take one of them first"
    )))
}

fn errand(job: &Job, networks: &[Network]) -> Result<Errand, Error> {
    let unknown = || Error::Internal(format!("a job {} is no errand", job.kind));
    Errand::of(job, networks).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::support::seen::{Seen, sample};

    const SSID: &str = "Device.WiFi.SSID.1.SSID";

    fn set(parameter: &str) -> Job {
        let now = chrono::DateTime::UNIX_EPOCH;
        Job {
            device_id: uuid::Uuid::nil(),
            job_id: uuid::Uuid::nil(),
            kind: "set".to_owned(),
            args: json!({ "kind": "set", "parameters": [{ "name": parameter, "value": "x" }] }),
            state: "queued".to_owned(),
            not_before: now,
            expires_at: now,
            confirm_by: None,
            attempts: 0,
            max_attempts: 5,
            lease: None,
            leased_until: None,
            idempotency_key: None,
            created_by: "ann".to_owned(),
            created_at: now,
            finished_at: None,
            result: None,
            fault: None,
            note: None,
            rollout_id: None,
            unkept: false,
        }
    }

    fn attic() -> Network {
        let (document, counters) = sample(&[
            (SSID, "Attic"),
            ("Device.WiFi.AccessPoint.1.SSIDReference", "Device.WiFi.SSID.1."),
        ]);
        wifi::networks(&Seen::new(document, counters, &[])).remove(0)
    }

    #[test]
    fn a_network_has_few_open_changes() {
        let network = &attic();
        let other = set("Device.ManagementServer.PeriodicInformInterval");
        let reboot = Job { kind: "reboot".to_owned(), ..other.clone() };
        let mut open = vec![other, reboot, set(SSID), set(SSID)];
        assert!(room_for_change(&open, network).is_ok());
        open.push(set(SSID));
        assert!(matches!(room_for_change(&open, network), Err(Error::Conflict(_))));
    }

    #[test]
    fn a_device_is_asked_for_what_it_has() {
        let of = |names: &[&str]| {
            let parameters: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x")).collect();
            parts(&sample(&parameters).0)
        };
        assert!(of(&[]).is_empty());
        assert_eq!(
            of(&["Device.DeviceInfo.ModelName", "Device.WiFi.SSID.1.SSID", "Device.WiFiX"]),
            ["Device.DeviceInfo.", "Device.WiFi."]
        );
        assert_eq!(
            of(&["InternetGatewayDevice.LANDevice.1.Hosts.HostNumberOfEntries"]),
            ["InternetGatewayDevice.LANDevice."]
        );
    }

    #[test]
    fn what_is_made_up_differs() {
        let network = attic();
        assert_ne!(new_password(&network), new_password(&network));
    }
}
