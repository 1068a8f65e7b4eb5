//! One device, brought to a release: a rollout like any other, of one wave, that begins at once. So
//! there is one machinery, and one truth of what became of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{View, act, dry_run, write};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::selector::quoted;
use crate::rollout::change::{Audience, Change};
use crate::rollout::plan::{ErrorCondition, OnError, Plan, Success, Take, Wave};
use crate::service::devices;
use crate::service::rollouts::write::RolloutFields;
use crate::store::devices::Device;

/// What one device is brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceUpgrade {
    /// Such as `7.16.1`.
    pub version: String,
    /// Also where it runs a newer one.
    #[serde(default)]
    pub downgrade: bool,
    /// Then RouterBOOT too.
    #[serde(default)]
    pub routerboot: bool,
    /// Its configuration is kept first, and without that it is not upgraded; true where nothing is said.
    #[serde(default = "careful")]
    pub backup: bool,
}

fn careful() -> bool {
    true
}

/// Brings a device to a release now, whatever the maintenance windows say.
///
/// # Errors
/// As `devices::find` and [`write::create`]; [`Error::Conflict`] where nothing would be done, with why.
pub async fn upgrade(
    app: &App,
    ctx: &Ctx,
    device: &str,
    wanted: &DeviceUpgrade,
) -> Result<View, Error> {
    let device = devices::find(app, ctx, device, Right::Operate).await?;
    let fields = fields(&device, wanted);
    let run = dry_run::try_out(app, ctx, fields.clone()).await?;
    if run.devices == 0 {
        let why = run.skipped.into_iter().next().map(|skipped| skipped.reason);
        let gone = || "the device is not found any more".to_owned();
        return Err(Error::Conflict(why.unwrap_or_else(gone)));
    }
    let draft = write::create(app, ctx, fields).await?;
    act::start(app, ctx, draft.row.rollout_id, None).await
}

fn fields(device: &Device, wanted: &DeviceUpgrade) -> RolloutFields {
    RolloutFields {
        name: format!("{} to {}", short(&device.serial), short(&wanted.version)).trim().to_owned(),
        description: String::new(),
        change: Change::Release {
            version: wanted.version.clone(),
            routerboot: wanted.routerboot,
            downgrade: wanted.downgrade,
        },
        audience: Audience { selector: Some(selector(device)), ..Audience::default() },
        plan: Plan { backup: wanted.backup, ..plan() },
    }
}

/// As much of a word as fits into a name.
fn short(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(28).collect()
}

/// What no other device is called.
fn selector(device: &Device) -> String {
    let parts =
        [("serial", &device.serial), ("oui", &device.oui), ("class", &device.product_class)];
    let said = parts.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(field, value)| format!("{field} = {}", quoted(value)))
        .collect::<Vec<_>>()
        .join(" and ")
}

/// It ends with its device, well or not: nobody is to be asked what becomes of the others.
fn plan() -> Plan {
    Plan {
        waves: vec![Wave { name: None, take: Take::Rest, approval: false, soak_minutes: None }],
        // However it ends, it ends: nobody waits for a decision about one device.
        success: Success { percent: 0.0, minimum: 0 },
        error: ErrorCondition { percent: None, minimum: 1, count: Some(1), then: OnError::Abort },
        soak_minutes: 0,
        heed_windows: false,
        ..Plan::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::check;

    #[test]
    fn the_plan_for_one_device_is_one_that_is_taken() {
        let plan = plan();
        assert!(check::plan(&plan).is_ok());
        assert_eq!((plan.waves.len(), plan.soak_minutes, plan.heed_windows), (1, 0, false));
    }
}
