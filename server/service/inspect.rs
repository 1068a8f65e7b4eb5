//! What CWMP cannot tell of a device: what is installed on it, its RouterBOOT, its device-mode.
//!
//! Owns that to ask for it is two ordinary jobs: a script writes it into the device's log, and the
//! device sends its log; of many devices, the same two on each. What the log says is kept as it
//! arrives. Until then what is installed is assumed, by the board and the version, and said to be so.
//! A device that Muster can call may be asked itself, in place of the two jobs.

use std::time::Duration;

use muster_routeros::inspect::Installed;
use muster_routeros::version::RosVersion;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::devices;
use super::devices::many::{self, Bulk, Which};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::acs::wake_client::WakePolicy;
use crate::ctx::{App, Ctx, Shared};
use crate::desired::{reconcile, world};
use crate::direct::{self, Asked, Login};
use crate::error::Error;
use crate::files::builtin::{self, Builtin};
use crate::firmware::set::{Known, package_set};
use crate::fleet::admission::WAITS;
use crate::fleet::identity::is_routeros;
use crate::fleet::inspection::{self, By};
use crate::fleet::variables::Variables;
use crate::jobs::bulk::{Made, Stopped};
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::store::device_packages::{self as store, DevicePackages};
use crate::store::devices::Device;
use crate::store::jobs::Job;

/// Devices to a transaction: none of their informs waits for long.
const BATCH: usize = 20;
/// How long a device may take that is asked itself.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is installed on a device, as far as that is known.
#[derive(Debug, Clone)]
pub struct Packages {
    /// What it said is installed; else what a board like it has as a rule.
    pub packages: Vec<Installed>,
    /// It never said so.
    pub assumed: bool,
    /// Why nothing can be assumed either, in words.
    pub unknown: Option<String>,
    /// What else it said, how and when; `None` = nothing yet.
    pub said: Option<DevicePackages>,
    /// Why it does not undo a script by itself that cuts it off; `None` = it does.
    pub rescue: Option<&'static str>,
}

impl Packages {
    /// Of this device.
    pub fn of(device: &Device, said: Option<DevicePackages>) -> Self {
        let mode = said.as_ref().and_then(|said| said.device_mode.as_deref());
        let tells = is_routeros(&device.manufacturer);
        let rescue = queue::way_back(tells, mode, device.software_version.as_deref()).err();
        let (packages, unknown) = match &said {
            Some(said) => (said.packages.0.clone(), None),
            None => assumed(device).map_or_else(|why| (vec![], Some(why)), |all| (all, None)),
        };
        Self { packages, assumed: said.is_none(), unknown, said, rescue }
    }
}

/// What a board like this has with its version, as a rule.
fn assumed(device: &Device) -> Result<Vec<Installed>, String> {
    let unknown = || "the device has not told its RouterOS version".to_owned();
    let version = device.software_version.as_deref().ok_or_else(unknown)?;
    let release = version.parse::<RosVersion>().map_err(|e| e.to_string())?;
    let known = Known {
        arch: device.arch.as_deref(),
        model: device.model.as_deref(),
        product_class: Some(device.product_class.as_str()),
        version: Some(version),
        installed: None,
        allowed_versions: None,
        device_mode: None,
    };
    let set = package_set(&known, &release).map_err(|refusal| refusal.to_string())?;
    let installed = |name| Installed { name, version: release.to_string(), enabled: true };
    Ok(set.names.into_iter().map(installed).collect())
}

/// What is installed on a device.
///
/// # Errors
/// As [`devices::find`].
pub async fn packages(app: &App, ctx: &Ctx, name: &str) -> Result<Packages, Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    let said = store::get(&app.pool, device.device_id).await?;
    Ok(Packages::of(&device, said))
}

/// Has a device tell it anew; gives the job of the script and that of the log. Asked for again while
/// the script has not run, it gives the same two.
///
/// # Errors
/// As [`devices::find`]; [`Error::Conflict`] for a device with too many jobs.
pub async fn order(app: &App, ctx: &Ctx, name: &str) -> Result<(Job, Job), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    // Somebody may have removed it since this server started.
    builtin::store(app, Builtin::Inspect, ctx.now).await?;
    let mut tx = app.pool.begin().await?;
    let (script, log, made) = ordered(&mut tx, app, ctx, device.device_id).await?;
    if made {
        let object = Object::new("device", device.device_id, &device.serial);
        let after = json!({ "jobs": [script.job_id, log.job_id] });
        audit::record(&mut tx, ctx, "device.inspect", object, (), after).await?;
    }
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok((script, log))
}

/// Asks a device itself, and gives what it said. How is in its variables; where, in what it said of
/// itself: whoever asks has no say in that.
///
/// # Errors
/// As [`devices::find`]; [`Error::Conflict`] for one in quarantine, and where it cannot be asked or does
/// not answer as it should, with the reason in words.
pub async fn ask(app: &App, ctx: &Ctx, name: &str) -> Result<Packages, Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    // No password goes to a device that nobody has let in.
    if device.quarantined_at.is_some() {
        return Err(Error::Conflict(WAITS.to_owned()));
    }
    let login = Login::of(&variables(app, device.device_id).await?).map_err(Error::Conflict)?;
    let url = device.connection_request_url.as_deref();
    let asked = Asked { url, serial: &device.serial };
    let wake = &app.config.wake;
    let policy = WakePolicy {
        forbidden: wake.forbidden_networks.clone(),
        allowed: wake.allowed_networks.clone(),
        ..WakePolicy::default()
    };
    let (address, said) =
        direct::inspect(asked, &login, &policy, DEADLINE).await.map_err(Error::Conflict)?;
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    // Dated by the question: it is no older than that.
    inspection::learn(&mut tx, device.device_id, By::Rest, said, ctx.now).await?;
    let object = Object::new("device", device.device_id, &device.serial);
    let after = json!({ "via": "direct", "address": address });
    audit::record(&mut tx, ctx, "device.inspect", object, (), after).await?;
    let said = store::get(&mut *tx, device.device_id).await?;
    tx.commit().await?;
    Ok(Packages::of(&device, said))
}

/// The variables of a device's effective state, in clear.
async fn variables(app: &App, device_id: Uuid) -> Result<Variables, Error> {
    let world = world::current(app).await?;
    let subject = reconcile::load(app, &world, &[device_id]).await?.pop();
    let subject = subject.ok_or_else(|| Error::NotFound(format!("no device {device_id}")))?;
    Ok(subject.effective.values())
}

/// Makes the two jobs on a device, both or none, or finds them; whether they are new.
async fn ordered(
    tx: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    device_id: Uuid,
) -> Result<(Job, Job, bool), Error> {
    devices::hold(tx, ctx, device_id, Right::Operate).await?;
    let order = |spec, key: &str| Order {
        created_by: ctx.actor.name.clone(),
        wake: true,
        own: false,
        ..Order::own(device_id, spec, key)
    };
    // Dropped, it takes back a script whose log had no room in the device's line.
    let mut both = tx.begin().await?;
    let script = order(Builtin::Inspect.job(), "inspect");
    let (script, made) = queue::create(&mut both, &app.keys, script, ctx.now).await?;
    // By the script that it belongs to: the log of an earlier one may still be on its way.
    let key = inspection::key_of(script.job_id);
    let log = order(JobSpec::Upload { file: UploadFile::Log }, &key);
    let (log, _) = queue::create(&mut both, &app.keys, log, ctx.now).await?;
    both.commit().await?;
    Ok((script, log, made))
}

/// Has each device that is meant, where the caller may operate, tell it anew, if and only if they are
/// `expected`. It goes on to its end also when the call is dropped. Devices that wait to be inspected
/// already are passed over.
///
/// # Errors
/// [`Stopped`] with how far it came. Pointers of [`Error::Invalid`] are into
/// `{"selector", "device_ids", "expected"}`; [`Error::Conflict`] names the real number of devices.
pub async fn order_many(
    app: &Shared,
    ctx: &Ctx,
    which: &Which,
    expected: usize,
) -> Result<Made, Stopped> {
    let nothing = |error: Error| Stopped { made: Made::default(), error };
    let (bulk, devices) = begin(app, ctx, which, expected).await.map_err(nothing)?;
    let work = {
        let (app, ctx) = (app.clone(), ctx.clone());
        async move {
            let mut made = Made::default();
            let stopped = on_all(&app, &ctx, &devices, &mut made).await.err();
            let why = stopped.as_ref().map(ToString::to_string);
            let told = json!({ "created": made.created, "skipped": made.skipped, "stopped": why });
            (stopped.map_or(Ok(made), |error| Err(Stopped { made, error })), told)
        }
    };
    let done = many::carry_out(app, ctx, (bulk, "device.inspect_bulk_end"), work).await;
    done.unwrap_or_else(|error| Err(nothing(error)))
}

/// The devices of an order for many, once it is on record: no job of it is made before.
async fn begin(
    app: &App,
    ctx: &Ctx,
    which: &Which,
    expected: usize,
) -> Result<(Bulk, Vec<Uuid>), Error> {
    let devices = many::found(app, ctx, which, expected).await?;
    // Somebody may have removed it since this server started.
    builtin::store(app, Builtin::Inspect, ctx.now).await?;
    let bulk = Bulk::new("inspect");
    let told = json!({
        "selector": which.selector(),
        "device_ids": which.ids(),
        "devices": expected,
    });
    bulk.record(app, ctx, "device.inspect_bulk", told).await?;
    Ok((bulk, devices))
}

/// Makes the jobs on each device, and counts them. The devices are in order of their ids, as everything
/// is that locks several.
async fn on_all(app: &App, ctx: &Ctx, devices: &[Uuid], made: &mut Made) -> Result<(), Error> {
    for batch in devices.chunks(BATCH) {
        // The time of each batch: whoever follows events misses none of a long order.
        let ctx = many::at_present(ctx);
        let mut done = Made::default();
        let mut tx = app.pool.begin().await?;
        for device_id in batch {
            match ordered(&mut tx, app, &ctx, *device_id).await {
                Ok((.., true)) => done.created += 1,
                // It may have been removed or moved since it was found, or its line is full.
                Ok((.., false))
                | Err(Error::NotFound(_) | Error::Denied(_) | Error::Conflict(_)) => {
                    done.skipped += 1;
                }
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
        made.created += done.created;
        made.skipped += done.skipped;
    }
    Ok(())
}
