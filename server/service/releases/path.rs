//! The way of one device to a release.

use muster_routeros::version::RosVersion;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::firmware::hops::{self, Path};
use crate::firmware::refusal::Refusal;
use crate::firmware::set::Known;
use crate::service::devices;
use crate::store::devices::Device;
use crate::store::{device_packages, releases as store};

/// How a device gets to a release, or why it does not.
#[derive(Debug, Clone)]
pub struct Way {
    /// The device.
    pub device: Device,
    /// The release.
    pub target: RosVersion,
    /// Over which releases, with which packages; or why not.
    pub path: Result<Path, Refusal>,
}

/// The way of a device (its id, or `serial:` and its serial number) to a version, by what is known of
/// it and stored now; also to an older one, if `downgrade`.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`] for a device that is not there or not seen;
/// [`Error::Invalid`] for no version, and for what is none.
pub async fn path(
    app: &App,
    ctx: &Ctx,
    device: &str,
    version: Option<&str>,
    downgrade: bool,
) -> Result<Way, Error> {
    let device = devices::find(app, ctx, device, Right::Read).await?;
    let version =
        version.ok_or_else(|| Error::invalid("", "say to which version: version=7.16.1"))?;
    let target = version.parse::<RosVersion>().map_err(|e| Error::invalid("", e.to_string()))?;
    let said = device_packages::get(&app.pool, device.device_id).await?;
    let said = said.as_ref();
    let known = Known {
        arch: device.arch.as_deref(),
        model: device.model.as_deref(),
        product_class: Some(device.product_class.as_str()),
        version: device.software_version.as_deref(),
        installed: said.map(|said| said.packages.0.as_slice()),
        allowed_versions: said.and_then(|said| said.allowed_versions.as_deref()),
        device_mode: said.and_then(|said| said.device_mode.as_deref()),
    };
    let catalogue = store::catalogue(&app.pool).await?;
    let path = hops::plan(&known, &target, downgrade, &catalogue);
    Ok(Way { device, target, path })
}
