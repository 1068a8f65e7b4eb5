//! What a rollout would do, before it does it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::trial::ScriptSample;
use super::{seen, trial};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::rollout::device::Step;
use crate::rollout::plan::{Pace, Plan};
use crate::rollout::reconcile::Work;
use crate::rollout::reconcile::survey::{self, Asked, Survey};
use crate::rollout::words::{count_of, part_of};
use crate::service::rollouts::write::RolloutFields;
use crate::store::rollouts::Rollout;

/// Reasons and kinds of devices that are listed one by one.
const MOST: usize = 50;
/// Minutes that a device takes for a hop, as an estimate: download, install, boot, verify.
const HOP_MINUTES: u64 = 6;

/// What a rollout would do.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DryRun {
    /// Devices that would be changed.
    pub devices: u64,
    /// Devices that would be left out.
    pub left_out: u64,
    /// What is downloaded in all, in bytes.
    pub bytes: u64,
    /// Minutes that it takes at least, by its pace, its downloads through one node and its soaks;
    /// windows and devices that are away make it longer.
    pub minutes: u64,
    /// Devices of which it is assumed, not known, what is installed.
    pub assumed: u64,
    /// Its waves.
    pub waves: Vec<WavePlan>,
    /// What is done to which kinds of devices, the most frequent first.
    pub paths: Vec<PathPlan>,
    /// Why devices are left out, the most frequent reason first.
    pub skipped: Vec<Reason>,
    /// What its template gives for some of them; null = it is of something else.
    pub scripts: Option<ScriptSample>,
    /// What to think of before it is started.
    pub warnings: Vec<String>,
}

/// A wave, as it would be.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WavePlan {
    /// For people.
    pub name: String,
    /// Its devices.
    pub devices: u64,
    /// What they download, in bytes.
    pub bytes: u64,
    /// Minutes that it takes at least, its soak included.
    pub minutes: u64,
    /// Its first devices, a few, by id.
    pub sample: Vec<Uuid>,
}

/// What is done to devices of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PathPlan {
    /// Their architecture.
    pub arch: Option<String>,
    /// What they run.
    pub from: Option<String>,
    /// The steps, in words.
    pub steps: Vec<String>,
    /// Devices.
    pub devices: u64,
    /// What each of them downloads, in bytes.
    pub bytes: u64,
    /// It is assumed, not known, what is installed on them.
    pub assumed: bool,
}

/// Why devices are left out.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Reason {
    /// In words.
    pub reason: String,
    /// How many.
    pub devices: u64,
}

/// What a rollout that is stored would do.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Denied`]; [`Error::Invalid`] where its devices cannot be found.
pub async fn of(app: &App, ctx: &Ctx, id: Uuid) -> Result<DryRun, Error> {
    let work = seen(app, ctx, id).await?;
    run(app, ctx, &work).await
}

/// What one would do that is not stored yet: for whoever writes it.
///
/// # Errors
/// As [`of`], and those of fields that make no sense.
pub async fn try_out(app: &App, ctx: &Ctx, fields: RolloutFields) -> Result<DryRun, Error> {
    ctx.require(Right::Operate)?;
    let row: Rollout = super::write::row(app, ctx, &fields).await?;
    let work = Work::of(row)?;
    run(app, ctx, &work).await
}

async fn run(app: &App, ctx: &Ctx, work: &Work) -> Result<DryRun, Error> {
    let survey = survey_of(app, ctx, work).await?;
    let mut run = told(&survey, &work.plan);
    if let Some(tried) = trial::tried(app, work, &survey).await? {
        run.warnings.extend(tried.warnings);
        run.scripts = Some(tried.sample);
    }
    Ok(run)
}

async fn survey_of(app: &App, ctx: &Ctx, work: &Work) -> Result<Survey, Error> {
    let asked = Asked {
        rollout_id: work.row.rollout_id,
        change: &work.change,
        audience: &work.audience,
        plan: &work.plan,
        reach: &work.reach,
        lease: None,
    };
    survey::survey(app, asked, ctx.now).await
}

fn told(survey: &Survey, plan: &Plan) -> DryRun {
    let mut per_class = vec![0_u64; survey.classes.len()];
    let mut per_wave: Vec<WavePlan> = survey
        .waves
        .iter()
        .map(|name| WavePlan {
            name: name.clone(),
            devices: 0,
            bytes: 0,
            minutes: 0,
            sample: Vec::new(),
        })
        .collect();
    let mut hops = vec![0_u64; survey.waves.len()];
    for entry in &survey.entries {
        per_class[entry.class as usize] += 1;
        let class = survey.class(entry);
        let Some(wave) = entry.wave().map(|wave| wave as usize) else { continue };
        let Some(to) = per_wave.get_mut(wave) else { continue };
        to.devices += 1;
        to.bytes += class.bytes;
        if to.sample.len() < 5 {
            to.sample.push(entry.device_id);
        }
        let long = class.steps.as_ref().map_or(0, Vec::len) as u64;
        hops[wave] = hops[wave].max(long);
    }
    for (number, wave) in per_wave.iter_mut().enumerate() {
        let soak = plan.waves.get(number).and_then(|wave| wave.soak_minutes);
        let soak = u64::from(soak.unwrap_or(plan.soak_minutes));
        if wave.devices > 0 {
            let each = hops[number] * HOP_MINUTES;
            wave.minutes = at_pace(&plan.pace, wave.devices, wave.bytes, each) + soak;
        }
    }
    let (mut paths, mut skipped) = (Vec::new(), BTreeMap::<&str, u64>::new());
    for (class, devices) in survey.classes.iter().zip(&per_class) {
        match &class.steps {
            Ok(steps) => paths.push(PathPlan {
                arch: class.arch.clone(),
                from: class.from.clone(),
                steps: steps.iter().map(in_words).collect(),
                devices: *devices,
                bytes: class.bytes,
                assumed: class.assumed,
            }),
            Err(why) => *skipped.entry(why).or_default() += devices,
        }
    }
    let mut skipped: Vec<Reason> = skipped
        .into_iter()
        .map(|(reason, devices)| Reason { reason: reason.to_owned(), devices })
        .collect();
    merge(&mut paths);
    skipped.sort_by_key(|reason| std::cmp::Reverse(reason.devices));
    let assumed = paths.iter().filter(|path| path.assumed).map(|path| path.devices).sum();
    let devices: u64 = per_wave.iter().map(|wave| wave.devices).sum();
    let left_out = skipped.iter().map(|reason| reason.devices).sum();
    let mut warnings = warnings(devices, assumed, &per_wave, plan);
    let counted = survey.classes.iter().zip(&per_class).filter(|(class, _)| class.steps.is_ok());
    let mut one_way = BTreeMap::<&str, u64>::new();
    for (why, devices) in counted.filter_map(|(class, n)| Some((class.one_way.as_deref()?, n))) {
        *one_way.entry(why).or_default() += devices;
    }
    for (why, devices) in one_way.into_iter().take(5) {
        warnings.push(format!("{} could not be taken back: {why}", count_of(devices, "device")));
    }
    paths.truncate(MOST);
    skipped.truncate(MOST);
    DryRun {
        devices,
        left_out,
        bytes: per_wave.iter().map(|wave| wave.bytes).sum(),
        minutes: per_wave.iter().map(|wave| wave.minutes).sum(),
        assumed,
        waves: per_wave,
        paths,
        skipped,
        scripts: None,
        warnings,
    }
}

/// A step, for people.
fn in_words(step: &Step) -> String {
    match step {
        Step::Upgrade { version, packages, .. } => {
            format!("upgrade to {version}, {}", count_of(packages.len() as u64, "package"))
        }
        Step::Script { .. } => "run the script".to_owned(),
        Step::Template => "run what the template gives for it".to_owned(),
        Step::Report => "look whether it ran whole".to_owned(),
        Step::Parameters => "write the parameters".to_owned(),
        Step::Routerboot => "write the RouterBOOT that comes with it".to_owned(),
        Step::Reboot => "restart".to_owned(),
        Step::Inspect => "look whether it took".to_owned(),
    }
}

/// Kinds of devices that differ in what is not told here are one; the most frequent first.
fn merge(paths: &mut Vec<PathPlan>) {
    let mut merged: Vec<PathPlan> = Vec::new();
    for path in paths.drain(..) {
        let same = |m: &&mut PathPlan| {
            m.arch == path.arch
                && m.from == path.from
                && m.steps == path.steps
                && m.bytes == path.bytes
                && m.assumed == path.assumed
        };
        match merged.iter_mut().find(same) {
            Some(m) => m.devices += path.devices,
            None => merged.push(path),
        }
    }
    merged.sort_by_key(|path| std::cmp::Reverse(path.devices));
    *paths = merged;
}

/// Minutes for so many devices, each of which takes so long, with so many bytes of downloads in all.
fn at_pace(pace: &Pace, devices: u64, bytes: u64, each: u64) -> u64 {
    let slots = u64::from(pace.concurrent).max(1);
    let by_slots = devices.div_ceil(slots) * each.max(1);
    let by_minute = pace.per_minute.map_or(0, |most| devices.div_ceil(u64::from(most).max(1)));
    let by_day =
        pace.per_day.map_or(0, |most| devices.saturating_sub(1) / u64::from(most).max(1) * 1_440);
    // As one node sends it; several are faster.
    let a_minute = |megabits: u32| u64::from(megabits.max(1)) * 1_000_000 / 8 * 60;
    let by_bytes = pace.megabits.map_or(0, |megabits| bytes.div_ceil(a_minute(megabits)));
    by_slots.max(by_minute + each).max(by_day).max(by_bytes)
}

fn warnings(devices: u64, assumed: u64, waves: &[WavePlan], plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    if devices == 0 {
        warnings.push("no device would be changed".to_owned());
    }
    if assumed > 0 {
        warnings.push(format!(
            "what is installed is assumed from the model, of {}: inspect first to know it",
            count_of(assumed, "device")
        ));
    }
    if let Some(first) = waves.iter().find(|wave| wave.devices > 0)
        && devices >= 20
        && first.devices * 5 > devices
    {
        warnings.push(format!(
            "the first wave takes {}: a smaller one would show trouble earlier",
            part_of(first.devices, devices, "device")
        ));
    }
    if plan.error.percent.is_none() && plan.error.count.is_none() {
        warnings.push("it has no error condition: it stops only at the end of a wave".to_owned());
    }
    if plan.soak_minutes == 0 {
        warnings.push("it does not soak: a crash some minutes later is not seen".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_of_all_limits_says_how_long_it_takes() {
        let pace = Pace { concurrent: 100, ..Plan::default().pace };
        let pace = Pace { per_minute: None, per_day: None, megabits: None, ..pace };
        assert_eq!(at_pace(&pace, 1_000, 0, 6), 60);
        let slowly = Pace { per_minute: Some(10), ..pace };
        assert_eq!(at_pace(&slowly, 1_000, 0, 6), 106);
        let daily = Pace { per_day: Some(300), ..pace };
        assert_eq!(at_pace(&daily, 1_000, 0, 6), 3 * 1_440);
        // 8 Mbit/s are 60 MB a minute.
        let thin = Pace { megabits: Some(8), ..pace };
        assert_eq!(at_pace(&thin, 1_000, 12_000_000_000, 6), 200);
        assert_eq!(at_pace(&thin, 1_000, 60_000_000, 6), 60);
    }
}
