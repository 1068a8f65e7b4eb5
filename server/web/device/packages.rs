//! What is installed on a device, which CWMP does not tell: a card of its page, and the order to tell
//! it anew.

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{address, card};
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::devices;
use crate::service::inspect::{self as service, Packages};
use crate::web::failure::Failure;
use crate::web::format::When;
use crate::web::profiles::told;
use crate::web::viewer::{Viewer, Visit};

/// The card.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Installed {
    id: Uuid,
    packages: Vec<Package>,
    /// When the device told it; none = it never did, and this is what boards like it have.
    at: Option<When>,
    /// Why nothing can be assumed either; empty = something can.
    unknown: String,
    facts: Vec<Said>,
    /// The viewer may have the device tell it.
    may_ask: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Package {
    name: String,
    version: String,
    enabled: bool,
}

/// For `ui.facts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Said {
    label: &'static str,
    value: String,
    at: Option<When>,
}

/// The card of a device.
pub(super) async fn of(
    app: &Shared,
    ctx: &Ctx,
    device_id: Uuid,
    may_ask: bool,
) -> Result<Installed, Error> {
    let known = service::packages(app, ctx, &device_id.to_string()).await?;
    Ok(installed(device_id, known, may_ask, ctx.now))
}

fn installed(id: Uuid, known: Packages, may_ask: bool, now: DateTime<Utc>) -> Installed {
    let package = |p: muster_routeros::inspect::Installed| Package {
        name: p.name,
        version: p.version,
        enabled: p.enabled,
    };
    let said = |label, value: Option<&String>| Said {
        label,
        value: value.cloned().unwrap_or_default(),
        at: None,
    };
    let told = known.said.as_ref();
    let booter = told.and_then(|told| match (&told.booter_current, &told.booter_upgrade) {
        (Some(runs), Some(brings)) if runs != brings => {
            Some(format!("{runs}; its RouterOS brings {brings}"))
        }
        (Some(runs), _) => Some(runs.clone()),
        (None, _) => None,
    });
    let facts = vec![
        said("RouterBOOT", booter.as_ref()),
        said("Device-mode", told.and_then(|told| told.device_mode.as_ref())),
        said("Versions it may be given", told.and_then(|told| told.allowed_versions.as_ref())),
        said("Learned", told.map(|told| how(&told.source)).as_ref()),
    ];
    Installed {
        id,
        at: told.map(|told| When::new(told.learned_at, now)),
        facts,
        unknown: known.unknown.unwrap_or_default(),
        packages: known.packages.into_iter().map(package).collect(),
        may_ask,
    }
}

/// How it was learned, in words.
fn how(source: &str) -> String {
    match source {
        "rest" => "over REST".to_owned(),
        source => format!("by a {source}"),
    }
}

/// `POST /devices/{id}/inspect`
pub(super) async fn inspect(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    // The log is what people wait for: when it has come, the answer is there.
    let (_, log) = service::order(&app, viewer.ctx(), &id).await?;
    card::answer(&app, &viewer, &visit, log).await
}

/// `POST /devices/{id}/inspect/direct`: asks the device itself. The page comes anew with what it said.
pub(super) async fn ask(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let device = devices::find(&app, viewer.ctx(), &id, Right::Operate).await?;
    let said = service::ask(&app, viewer.ctx(), &id).await;
    told(&address(device.device_id, ""), said.map(drop), "The device told what is installed.")
}

#[cfg(test)]
fn packages(assumed: bool, evil: &str) -> Packages {
    use crate::store::device_packages::DevicePackages;

    let package = |name: &str, enabled| muster_routeros::inspect::Installed {
        name: name.to_owned(),
        version: "7.16.1".to_owned(),
        enabled,
    };
    let packages = vec![package(evil, true), package("wireless", false)];
    let said = DevicePackages {
        packages: sqlx::types::Json(packages.clone()),
        booter_current: Some("7.12.1".to_owned()),
        booter_upgrade: Some("7.16.1".to_owned()),
        device_mode: Some(evil.to_owned()),
        allowed_versions: None,
        source: "script".to_owned(),
        learned_at: DateTime::UNIX_EPOCH,
    };
    Packages { packages, assumed, unknown: None, said: (!assumed).then_some(said), rescue: None }
}

/// Told, assumed, and not even that.
#[cfg(test)]
pub(super) fn samples() -> [Installed; 3] {
    let of = |known| installed(Uuid::from_u128(7), known, true, DateTime::UNIX_EPOCH);
    let none = Packages {
        packages: Vec::new(),
        unknown: Some("<x-evil>".to_owned()),
        ..packages(true, "")
    };
    [of(packages(false, "<x-evil>")), of(packages(true, "routeros")), of(none)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_has_no_time_and_what_was_said_has() {
        let [told, assumed, none] = samples();
        assert!(told.at.is_some() && assumed.at.is_none() && none.packages.is_empty());
        assert_eq!((told.packages.len(), assumed.packages.len()), (2, 2));
        let booter = &told.facts[0].value;
        assert_eq!(booter, "7.12.1; its RouterOS brings 7.16.1");
        assert_eq!(told.facts[3].value, "by a script");
        assert_eq!(how("rest"), "over REST");
        assert!(assumed.facts.iter().all(|fact| fact.value.is_empty()));
    }
}
