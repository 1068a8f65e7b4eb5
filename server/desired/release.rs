//! Whether a device runs the release that is wanted of it, and the next step towards it. Pure.

use muster_routeros::inspect::Installed;
use muster_routeros::version::RosVersion;

use crate::firmware::catalogue::Catalogue;
use crate::firmware::hops;
use crate::firmware::refusal::Refusal;
use crate::firmware::set::Known;
use crate::jobs::spec::JobSpec;
use crate::store::desired::Facts;

/// What there is to do.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It runs it.
    There,
    /// The upgrade to the next release on the way.
    Upgrade(JobSpec),
    /// It is told, and why nothing is done.
    Tell(String),
}

/// Of a device that is new, the next step; of any other whether it differs.
pub(super) fn step(facts: &Facts, wanted: &str, is_new: bool, catalogue: &Catalogue) -> Step {
    let Ok(target) = wanted.parse::<RosVersion>() else {
        return Step::Tell(format!("`{wanted}` is no version of RouterOS"));
    };
    let installed: Option<Vec<Installed>> =
        facts.packages.clone().and_then(|packages| serde_json::from_value(packages).ok());
    let known = Known {
        arch: facts.arch.as_deref(),
        model: facts.model.as_deref(),
        product_class: Some(facts.product_class.as_str()),
        version: facts.version.as_deref(),
        installed: installed.as_deref(),
        allowed_versions: facts.allowed_versions.as_deref(),
        device_mode: facts.device_mode.as_deref(),
    };
    match hops::plan(&known, &target, false, catalogue) {
        // What runs something newer is left with it, also where it came so.
        Err(Refusal::AlreadyThere(_) | Refusal::Newer { .. }) => Step::There,
        Err(refusal) => Step::Tell(refusal.to_string()),
        Ok(_) if !is_new => {
            Step::Tell("a device that is in use is brought there by a rollout".to_owned())
        }
        Ok(path) => match path.hops.into_iter().next() {
            None => Step::There,
            Some(hop) => Step::Upgrade(JobSpec::Upgrade {
                version: hop.version.to_string(),
                packages: hop.packages.iter().map(|package| package.package_id).collect(),
                from: facts.version.clone(),
            }),
        },
    }
}
