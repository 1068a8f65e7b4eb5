//! What a rollout would do, before it does it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_routeros::apply::Rescue;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::forecast::{self, Span};
use super::trial::ScriptSample;
use super::{seen, trial};
use crate::access::right::Right;
use crate::config::AcsConfig;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::files::link;
use crate::fleet::health::span;
use crate::rollout::device::Step;
use crate::rollout::plan::Plan;
use crate::rollout::reconcile::Work;
use crate::rollout::reconcile::survey::{self, Asked, Class, Survey};
use crate::rollout::words::{are, count_of, part_of};
use crate::service::rollouts::write::RolloutFields;
use crate::store::rollouts::Rollout;

/// Reasons and kinds of devices that are listed one by one.
const MOST: usize = 50;

/// What a rollout would do.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DryRun {
    /// Devices that would be changed.
    pub devices: u64,
    /// Devices that would be left out.
    pub left_out: u64,
    /// What is downloaded in all, in bytes.
    pub bytes: u64,
    /// Minutes that it takes at least, by its pace, its downloads and its soaks, if every site were
    /// always open.
    pub minutes: u64,
    /// When it ends at the soonest, begun now or at its time, with the windows of the sites and the days
    /// without changes. Devices that are away and approvals make it later. No wave is reckoned with for
    /// longer than 400 days.
    pub ends_at: DateTime<Utc>,
    /// Devices that would be changed and are offline.
    pub away: u64,
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
    /// Those of them that are offline.
    pub away: u64,
    /// Minutes that it takes at least, its soak included, if every site were always open.
    pub minutes: u64,
    /// When it ends at the soonest, its soak included.
    pub ends_at: DateTime<Utc>,
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
    let spans = forecast::of(app, work, &survey, ctx.now).await?;
    let mut run = told(&survey, &work.plan, &spans, ctx.now);
    run.warnings.extend(of_what_is_sent(&survey, &app.config.acs));
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

/// `spans` has one for each wave.
fn told(survey: &Survey, plan: &Plan, spans: &[Span], now: DateTime<Utc>) -> DryRun {
    let mut per_class = vec![0_u64; survey.classes.len()];
    let mut per_wave: Vec<WavePlan> = survey
        .waves
        .iter()
        .zip(spans)
        .map(|(name, span)| WavePlan {
            name: name.clone(),
            devices: 0,
            bytes: 0,
            away: 0,
            minutes: span.minutes,
            ends_at: span.ends_at,
            sample: Vec::new(),
        })
        .collect();
    for entry in &survey.entries {
        per_class[entry.class as usize] += 1;
        let class = survey.class(entry);
        let Some(wave) = entry.wave().map(|wave| wave as usize) else { continue };
        let Some(to) = per_wave.get_mut(wave) else { continue };
        to.devices += 1;
        to.bytes += class.bytes;
        to.away += u64::from(entry.away);
        if to.sample.len() < 5 {
            to.sample.push(entry.device_id);
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
    let away = per_wave.iter().map(|wave| wave.away).sum();
    let mut warnings = warnings(devices, assumed, &per_wave, plan);
    warnings.extend(of_waves(survey, away, plan));
    let counted = survey.classes.iter().zip(&per_class).filter(|(class, _)| class.steps.is_ok());
    let mut one_way = BTreeMap::<&str, u64>::new();
    for (why, devices) in counted.filter_map(|(class, n)| Some((class.one_way.as_deref()?, n))) {
        *one_way.entry(why).or_default() += devices;
    }
    for (why, devices) in one_way.into_iter().take(5) {
        warnings.push(format!("{} could not be taken back: {why}", count_of(devices, "device")));
    }
    warnings.extend(of_stranded(survey, &per_class));
    warnings.extend(of_way_back(survey, &per_wave, plan));
    paths.truncate(MOST);
    skipped.truncate(MOST);
    DryRun {
        devices,
        left_out,
        bytes: per_wave.iter().map(|wave| wave.bytes).sum(),
        minutes: per_wave.iter().map(|wave| wave.minutes).sum(),
        ends_at: spans.last().map_or(now, |span| span.ends_at),
        away,
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
        Step::Backup => "keep its configuration".to_owned(),
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

/// Who is not there: in waves that are for somebody, and of those that are to be changed.
fn of_waves(survey: &Survey, away: u64, plan: &Plan) -> Vec<String> {
    let empty = survey.empty_waves.iter().map(|name| format!("wave `{name}` has no device"));
    let mut warnings: Vec<String> = empty.collect();
    warnings.extend(survey.misses.iter().map(|miss| {
        let (missing, of) = (miss.missing as u64, miss.of as u64);
        format!(
            "{} that wave `{}` names {} not in the audience",
            part_of(missing, of, "device"),
            miss.wave,
            are(missing)
        )
    }));
    if away > 0 {
        warnings.push(format!(
            "{} {} offline: a wave waits for its own, and gives them up after {}",
            count_of(away, "device"),
            are(away),
            span(plan.deadlines.offer())
        ));
    }
    warnings
}

/// Who does not come back by itself where the script cuts it off, and why.
fn of_stranded(survey: &Survey, per_class: &[u64]) -> Vec<String> {
    let mut stranded = BTreeMap::<&str, u64>::new();
    for (class, devices) in survey.classes.iter().zip(per_class) {
        if let Some(why) = class.stranded {
            *stranded.entry(why).or_default() += devices;
        }
    }
    let one = |(why, devices)| {
        let many = count_of(devices, "device");
        format!("{many} would not come back without a hand, were they cut off by the script: {why}")
    };
    stranded.into_iter().map(one).collect()
}

/// That a wave may be over before a board that its script cuts off has undone it.
fn of_way_back(survey: &Survey, waves: &[WavePlan], plan: &Plan) -> Option<String> {
    let undoes = |class: &Class| {
        let steps = class.steps.as_ref();
        class.stranded.is_none() && steps.is_ok_and(|steps| steps.contains(&Step::Report))
    };
    if !survey.classes.iter().any(undoes) {
        return None;
    }
    let watched = waves.iter().enumerate().filter(|(_, wave)| wave.devices > 0);
    let shortest = watched.map(|(at, _)| plan.soak(at)).min()?;
    (shortest < TimeDelta::minutes(Rescue::TAKEN_AFTER.into())).then(|| {
        format!(
            "a board that the script cuts off after its end undoes it within {} minutes, and the \
             shortest soak is {}: let it soak for longer",
            Rescue::TAKEN_AFTER,
            span(shortest)
        )
    })
}

/// What is known of a change before anybody is sent it.
fn of_what_is_sent(survey: &Survey, acs: &AcsConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    let upgrades = |steps: &Vec<Step>| steps.iter().any(|s| matches!(s, Step::Upgrade { .. }));
    if link::is_plain(acs) && survey.classes.iter().any(|c| c.steps.as_ref().is_ok_and(upgrades)) {
        let why =
            "devices fetch their packages over plain HTTP: set acs.tls, or an https acs.public_url";
        warnings.push(why.to_owned());
    }
    warnings
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
