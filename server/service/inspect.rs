//! What CWMP cannot tell of a device: what is installed on it, its RouterBOOT, its device-mode.
//!
//! Owns that to ask for it is two ordinary jobs: a script writes it into the device's log, and the
//! device sends its log. What the log says is kept as it arrives. Until then what is installed is
//! assumed, by the board and the version, and said to be so.

use muster_routeros::inspect::Installed;
use muster_routeros::version::RosVersion;
use serde_json::json;

use super::devices;
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::files::builtin::{self, Builtin};
use crate::firmware::set::{Known, package_set};
use crate::fleet::inspection;
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::{JobSpec, UploadFile};
use crate::store::device_packages::{self as store, DevicePackages};
use crate::store::devices::Device;
use crate::store::jobs::Job;

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
}

impl Packages {
    /// Of this device.
    pub fn of(device: &Device, said: Option<DevicePackages>) -> Self {
        if let Some(said) = said {
            let packages = said.packages.0.clone();
            return Self { packages, assumed: false, unknown: None, said: Some(said) };
        }
        match assumed(device) {
            Ok(packages) => Self { packages, assumed: true, unknown: None, said: None },
            Err(why) => Self { packages: vec![], assumed: true, unknown: Some(why), said: None },
        }
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
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    let ordered = |spec, key: &str| Order {
        created_by: ctx.actor.name.clone(),
        wake: true,
        own: false,
        ..Order::own(device.device_id, spec, key)
    };
    let script = ordered(Builtin::Inspect.job(), "inspect");
    let (script, made) = queue::create(&mut tx, &app.keys, script, ctx.now).await?;
    // By the script that it belongs to: the log of an earlier one may still be on its way.
    let key = inspection::key_of(script.job_id);
    let log = ordered(JobSpec::Upload { file: UploadFile::Log }, &key);
    let (log, _) = queue::create(&mut tx, &app.keys, log, ctx.now).await?;
    if made {
        let object = Object::new("device", device.device_id, &device.serial);
        let after = json!({ "jobs": [script.job_id, log.job_id] });
        audit::record(&mut tx, ctx, "device.inspect", object, (), after).await?;
    }
    tx.commit().await?;
    app.wake_hint.notify_one();
    Ok((script, log))
}
