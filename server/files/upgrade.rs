//! What a device fetches for an upgrade: the list of its packages, made for it while it waits, and
//! the packages.
//!
//! A link to either is good only while an open upgrade of that device names what it leads to.

use uuid::Uuid;

use super::link::{self, Link};
use super::serve::Served;
use super::throttle::Pace;
use crate::clock;
use crate::ctx::App;
use crate::error::Error;
use crate::firmware::catalogue::Stored;
use crate::jobs::download::plain;
use crate::jobs::release;
use crate::jobs::spec::JobSpec;
use crate::store::packages::{self, Wanted};

/// The list that an upgrade fetches. Its links are this device's, and lead to `base`, by which the
/// device reached us for the list.
pub(super) async fn manifest(
    app: &App,
    link: &Link,
    job: &Wanted,
    base: &str,
) -> Result<String, Error> {
    let spec: JobSpec = serde_json::from_value(job.args.clone())
        .map_err(|e| Error::Internal(format!("job {}: {e}", job.job_id)))?;
    let late = spec.confirm_seconds().unwrap_or(0);
    let JobSpec::Upgrade { version, packages: wanted, .. } = spec else {
        return Err(Error::Internal(format!("job {} is no upgrade", job.job_id)));
    };
    let stored = packages::by_ids(&app.pool, &wanted).await?;
    let list = release::manifest(&version, &wanted, &stored).map_err(Error::NotFound)?;
    // Slow lines take their time between one package and the next.
    let expires = link::expiry(&app.config, clock::now().timestamp()) + late;
    let address = |package: &Stored| {
        let link = Link { subject: package.package_id, expires, ..*link };
        format!("{base}{}{}", link::path(&app.keys, &link), plain(&package.file_name))
    };
    let (device, packages) = (link.device_id, wanted.len());
    tracing::info!(device.id = %device, job.id = %job.job_id, %version, packages, "upgrade begins");
    Ok(list.xml(address))
}

/// A package that an upgrade names.
pub(super) async fn package(app: &App, package_id: Uuid, job: &Wanted) -> Result<Served, Error> {
    let mut found = packages::by_ids(&app.pool, &[package_id]).await?;
    let gone = || Error::NotFound("the package has been deleted".to_owned());
    let package = found.pop().ok_or_else(gone)?;
    let limit = job.megabits.and_then(|megabits| u32::try_from(megabits).ok());
    let pace = job.rollout_id.zip(limit);
    Ok(Served {
        id: package.package_id,
        name: package.file_name,
        size: package.size,
        sha256: package.sha256,
        content_type: "application/octet-stream".to_owned(),
        pace: pace.map(|(rollout_id, megabits)| Pace { rollout_id, megabits }),
    })
}
