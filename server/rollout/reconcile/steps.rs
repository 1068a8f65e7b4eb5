//! What is done to a device, from what is known of it and the packages that are stored. Pure.

use muster_routeros::inspect::Installed;
use muster_routeros::version::RosVersion;

use super::survey::{Asked, Class};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::hops;
use crate::firmware::refusal::Refusal;
use crate::firmware::set::Known;
use crate::jobs::queue;
use crate::jobs::upgrade::is_same;
use crate::rollout::change::Change;
use crate::rollout::device::Step;
use crate::rollout::plan::Plan;
use crate::store::rollouts::survey::{ChangedRow, PlanRow};

/// A device to which nothing is done.
pub(super) fn left_out(row: &PlanRow, why: &str) -> Class {
    Class {
        arch: row.arch.clone(),
        from: row.version.clone(),
        to: None,
        steps: Err(why.to_owned()),
        bytes: 0,
        assumed: false,
        one_way: None,
        stranded: None,
    }
}

/// What is done to such a device. `is_small`: the script of the change, if it is of one, can be framed.
pub(super) fn planned(
    asked: &Asked<'_>,
    catalogue: &Catalogue,
    row: &PlanRow,
    before: Option<&ChangedRow>,
    is_small: bool,
) -> Class {
    if row.quarantined {
        return left_out(row, "it is in quarantine");
    }
    // Not which one: whoever writes this rollout need not see that one.
    if row.taken_by.is_some() {
        return left_out(row, "it is in another rollout that has not ended");
    }
    let mut class = Class { steps: Ok(Vec::new()), ..left_out(row, "") };
    match asked.change {
        Change::Release { version, routerboot, downgrade } => {
            to_release(&mut class, catalogue, row, version, *downgrade, *routerboot);
            // Another version may read it otherwise, and none writes it as the one before had it.
            keep_first(&mut class, asked.plan);
        }
        Change::PreviousRelease => match before.and_then(|b| b.from_version.as_deref()) {
            Some(version) => to_release(&mut class, catalogue, row, version, true, false),
            None => class.steps = Err("what it ran before is not known".to_owned()),
        },
        Change::Script { artifact_id, .. } => {
            let script = Step::Script { artifact_id: *artifact_id };
            // As `jobs::queue` does where it is sent.
            let is_framed = row.tells && is_small;
            by_script(&mut class, asked.plan, row, script, is_framed);
        }
        Change::Template { .. } => by_script(&mut class, asked.plan, row, Step::Template, true),
        Change::Parameters { .. } => class.steps = Ok(vec![Step::Parameters]),
        Change::PreviousParameters if before.is_some_and(|b| b.before.is_some()) => {
            class.steps = Ok(vec![Step::Parameters]);
        }
        Change::PreviousParameters => {
            class.steps = Err("what it had before is not known".to_owned());
        }
    }
    class
}

/// What may do anything to a configuration has that kept before it.
fn keep_first(class: &mut Class, plan: &Plan) {
    if let Ok(steps) = &mut class.steps
        && plan.backup
    {
        steps.insert(0, Step::Backup);
    }
}

fn by_script(class: &mut Class, plan: &Plan, row: &PlanRow, script: Step, is_framed: bool) {
    let report = is_framed.then_some(Step::Report);
    class.steps = Ok([script].into_iter().chain(report).collect());
    keep_first(class, plan);
    let (mode, runs) = (row.device_mode.as_deref(), row.version.as_deref());
    class.stranded = queue::way_back(is_framed, mode, runs).err();
}

fn to_release(
    class: &mut Class,
    catalogue: &Catalogue,
    row: &PlanRow,
    version: &str,
    downgrade: bool,
    routerboot: bool,
) {
    const BOOTER: [Step; 3] = [Step::Routerboot, Step::Reboot, Step::Inspect];
    class.to = Some(version.to_owned());
    let installed: Option<Vec<Installed>> =
        row.packages.clone().and_then(|p| serde_json::from_value(p).ok());
    let known = Known {
        arch: row.arch.as_deref(),
        model: row.model.as_deref(),
        product_class: Some(row.product_class.as_str()),
        version: row.version.as_deref(),
        installed: installed.as_deref(),
        allowed_versions: row.allowed_versions.as_deref(),
        device_mode: row.device_mode.as_deref(),
    };
    let Ok(target) = version.parse::<RosVersion>() else {
        class.steps = Err(format!("`{version}` is no version of RouterOS"));
        return;
    };
    match hops::plan(&known, &target, downgrade, catalogue) {
        Ok(path) => {
            class.bytes = path.bytes;
            class.assumed = path.assumed;
            let step = |hop: hops::Hop| Step::Upgrade {
                version: hop.version.to_string(),
                bytes: hop.packages.iter().map(|p| p.size).sum(),
                packages: hop.packages.into_iter().map(|p| p.package_id).collect(),
            };
            let mut steps: Vec<Step> = path.hops.into_iter().map(step).collect();
            if routerboot {
                steps.extend(BOOTER);
            }
            class.steps = Ok(steps);
            class.one_way = one_way(&known, version, catalogue);
        }
        // What it runs is right; what it starts with may be left over from before.
        Err(Refusal::AlreadyThere(there)) if routerboot => {
            class.steps = match booter_is_behind(row) {
                Some(true) => Ok(BOOTER.to_vec()),
                Some(false) => Err(format!("it runs {there} and its RouterBOOT already")),
                None => Err(format!(
                    "it runs {there} already, and has not said which RouterBOOT it has: inspect it"
                )),
            };
            class.one_way = Some("a RouterBOOT is not taken back".to_owned());
        }
        Err(refusal) => class.steps = Err(refusal.to_string()),
    }
}

/// Whether it starts with another RouterBOOT than its RouterOS brings; `None` = it has not said,
/// or not since it runs what it does.
fn booter_is_behind(row: &PlanRow) -> Option<bool> {
    let (runs, brings) = (row.booter_current.as_ref()?, row.booter_upgrade.as_ref()?);
    // A RouterOS brings the one of its own version: another was said before an upgrade.
    let current = row.version.as_ref().is_some_and(|version| is_same(brings, version));
    current.then(|| !is_same(brings, runs))
}

/// Why devices could not be taken back from this version to what they run; `None` = they could.
fn one_way(known: &Known<'_>, version: &str, catalogue: &Catalogue) -> Option<String> {
    let had: RosVersion = known.version?.parse().ok()?;
    let there = Known { version: Some(version), ..*known };
    hops::plan(&there, &had, true, catalogue).err().map(|refusal| refusal.to_string())
}
