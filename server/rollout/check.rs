//! Refuses rollouts that make no sense, each at the place of the request where it does not. Pure:
//! whether what is named exists is for `service` to see.

use muster_routeros::version::RosVersion;
use uuid::Uuid;

use super::change::{Audience, Change};
use super::plan::{OnError, Plan, Take, Wave};
use crate::error::Error;
use crate::fleet::secret::is_secret;
use crate::fleet::selector::MAX_TEXT;
use crate::fleet::site::SitePath;
use crate::jobs::spec::JobSpec;

/// Waves of one rollout: more are no waves.
const MAX_WAVES: usize = 50;
/// Devices that a wave names one by one: more are a group.
const MAX_LISTED: usize = 10_000;
/// Characters of a wave's name.
const MAX_NAME: usize = 64;
/// Times without changes.
const MAX_BLACKOUTS: usize = 50;
/// Devices under way at a time.
pub(super) const MAX_CONCURRENT: u32 = 100_000;
/// How often a device is tried again.
const MAX_RETRIES: u32 = 10;
/// Minutes of 30 days: nothing takes longer.
const MONTH: u32 = 30 * 1_440;

/// Refuses a change that cannot be made; the fault is below `/change`.
///
/// # Errors
/// [`Error::Invalid`]
pub fn change(change: &Change) -> Result<(), Error> {
    match change {
        Change::Release { version, .. } => {
            let known: Result<RosVersion, _> = version.parse();
            known.map(|_| ()).map_err(|e| Error::invalid("/change/version", e.to_string()))
        }
        Change::Script { artifact_id, undo_artifact_id } => match undo_artifact_id {
            Some(undo) if undo == artifact_id => {
                let why = "a script does not take itself back";
                Err(Error::invalid("/change/undo_artifact_id", why))
            }
            _ => Ok(()),
        },
        Change::Template { template, version, variables, undo, .. } => {
            named("/change", template, *version)?;
            variables.check("/change/variables")?;
            let Some(undo) = undo else { return Ok(()) };
            named("/change/undo", &undo.template, undo.version)?;
            if (&undo.template, undo.version) == (template, *version) {
                let why =
                    "a template does not take itself back: name another one, or another version";
                return Err(Error::invalid("/change/undo", why));
            }
            Ok(())
        }
        Change::Parameters { parameters } => {
            let job = JobSpec::Set { parameters: parameters.clone() };
            job.validate().map_err(|error| below("/change", error))
        }
        Change::PreviousRelease | Change::PreviousParameters => {
            let why = "this is made by a roll back, and not asked for";
            Err(Error::invalid("/change/kind", why))
        }
    }
}

/// Refuses what names no template.
fn named(at: &str, template: &str, version: Option<i32>) -> Result<(), Error> {
    if template.trim().is_empty() {
        return Err(Error::invalid(format!("{at}/template"), "the name of a template"));
    }
    if version.is_some_and(|version| version < 1) {
        return Err(Error::invalid(format!("{at}/version"), "1 or more"));
    }
    Ok(())
}

/// The same fault, further down in the request.
fn below(path: &str, error: Error) -> Error {
    match error {
        Error::Invalid { pointer, message } => Error::invalid(format!("{path}{pointer}"), message),
        other => other,
    }
}

/// Refuses an audience that is nobody's, or two; the fault is below `/audience`. Whoever reads the
/// selector says what is wrong in it.
///
/// # Errors
/// [`Error::Invalid`]
pub fn audience(audience: &Audience) -> Result<(), Error> {
    if audience.rollout_id.is_some() {
        let why = "this is set by a roll back, and not asked for";
        return Err(Error::invalid("/audience/rollout_id", why));
    }
    match (&audience.group_id, &audience.selector) {
        (Some(_), None) => Ok(()),
        (None, Some(text)) if text.len() > MAX_TEXT => {
            let why = format!("at most {MAX_TEXT} bytes");
            Err(Error::invalid("/audience/selector", why))
        }
        (None, Some(_)) => Ok(()),
        (None, None) => Err(Error::invalid("/audience", "say for whom: a group or a selector")),
        (Some(_), Some(_)) => {
            Err(Error::invalid("/audience", "a group or a selector, and not both"))
        }
    }
}

/// Refuses a plan that cannot be followed; the fault is below `/plan`.
///
/// # Errors
/// [`Error::Invalid`]
pub fn plan(plan: &Plan) -> Result<(), Error> {
    waves(&plan.waves)?;
    percent("/plan/success/percent", plan.success.percent)?;
    if let Some(most) = plan.error.percent {
        percent("/plan/error/percent", most)?;
    }
    if plan.blackout.len() > MAX_BLACKOUTS {
        let why = format!("at most {MAX_BLACKOUTS} times without changes");
        return Err(Error::invalid("/plan/blackout", why));
    }
    if let Some(i) = plan.blackout.iter().position(|days| days.from > days.to) {
        let why = "the last day is not before the first";
        return Err(Error::invalid(format!("/plan/blackout/{i}/to"), why));
    }
    let (pace, checks, deadlines) = (&plan.pace, &plan.checks, &plan.deadlines);
    for (place, value, range) in [
        ("soak_minutes", Some(plan.soak_minutes), 0..=MONTH),
        ("retries", Some(plan.retries), 0..=MAX_RETRIES),
        ("error/count", plan.error.count, 1..=u32::MAX),
        ("pace/per_minute", pace.per_minute, 1..=u32::MAX),
        ("pace/per_day", pace.per_day, 1..=u32::MAX),
        ("pace/concurrent", Some(pace.concurrent), 1..=MAX_CONCURRENT),
        ("pace/per_site", pace.per_site, 1..=u32::MAX),
        ("pace/per_uplink", pace.per_uplink, 1..=u32::MAX),
        ("pace/megabits", pace.megabits, 1..=1_000_000),
        ("checks/missed_informs", checks.missed_informs, 0..=100),
        ("checks/cpu_points", checks.cpu_points, 1..=100),
        ("checks/memory_percent", checks.memory_percent, 1..=100),
        ("checks/link_downs", checks.link_downs, 0..=1_000_000),
        ("checks/signal_db", checks.signal_db, 1..=100),
        ("checks/clients_percent", checks.clients_percent, 1..=100),
        ("deadlines/offer_hours", Some(deadlines.offer_hours), 1..=MONTH / 60),
        ("deadlines/back_minutes", Some(deadlines.back_minutes), 1..=MONTH),
        ("deadlines/verify_minutes", Some(deadlines.verify_minutes), 1..=MONTH),
        ("deadlines/baseline_minutes", Some(deadlines.baseline_minutes), 1..=MONTH),
    ] {
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            let (least, most) = (range.start(), range.end());
            let why = match *most {
                u32::MAX => format!("{least} or more, not {value}"),
                _ => format!("{least} to {most}, not {value}"),
            };
            return Err(Error::invalid(format!("/plan/{place}"), why));
        }
    }
    Ok(())
}

fn percent(pointer: &str, value: f64) -> Result<(), Error> {
    if (0.0..=100.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(pointer, "0 to 100"))
}

fn waves(waves: &[Wave]) -> Result<(), Error> {
    if waves.len() > MAX_WAVES {
        return Err(Error::invalid("/plan/waves", format!("at most {MAX_WAVES} waves")));
    }
    let rest = waves.iter().position(|wave| wave.take == Take::Rest);
    if let Some(i) = rest.map(|i| i + 1).filter(|i| *i < waves.len()) {
        let why = "`rest` leaves nothing to a wave after it";
        return Err(Error::invalid(format!("/plan/waves/{i}/take"), why));
    }
    for (i, wave) in waves.iter().enumerate() {
        let at = |field: &str| format!("/plan/waves/{i}/{field}");
        if let Some(name) = &wave.name
            && (name.trim().is_empty() || name.chars().count() > MAX_NAME)
        {
            return Err(Error::invalid(at("name"), format!("1 to {MAX_NAME} characters")));
        }
        if wave.soak_minutes.is_some_and(|minutes| minutes > MONTH) {
            return Err(Error::invalid(at("soak_minutes"), format!("0 to {MONTH}")));
        }
        take(&at("take"), &wave.take)?;
    }
    Ok(())
}

fn take(at: &str, take: &Take) -> Result<(), Error> {
    match take {
        Take::Devices(names) if !(1..=MAX_LISTED).contains(&names.len()) => {
            let why = format!("1 to {MAX_LISTED} devices; more are a group");
            Err(Error::invalid(format!("{at}/devices"), why))
        }
        Take::Devices(names) => match names.iter().position(|name| !is_device(name)) {
            Some(i) => {
                let why = "the id of a device, or `serial:` and its serial number";
                Err(Error::invalid(format!("{at}/devices/{i}"), why))
            }
            None => Ok(()),
        },
        Take::Count(0) => Err(Error::invalid(format!("{at}/count"), "1 or more")),
        Take::Percent(share) if !is_share(*share) => {
            Err(Error::invalid(format!("{at}/percent"), "more than 0, and 100 at most"))
        }
        Take::Site(path) => {
            let known: Result<SitePath, _> = path.parse();
            known.map(|_| ()).map_err(|e| Error::invalid(format!("{at}/site"), e))
        }
        Take::Count(_) | Take::Percent(_) | Take::Group(_) | Take::Rest => Ok(()),
    }
}

fn is_share(percent: f64) -> bool {
    percent > 0.0 && percent <= 100.0
}

fn is_device(name: &str) -> bool {
    match name.strip_prefix("serial:") {
        Some(serial) => !serial.trim().is_empty(),
        None => name.parse::<Uuid>().is_ok(),
    }
}

/// Refuses a plan that takes back what cannot be taken back.
///
/// # Errors
/// [`Error::Invalid`]
pub fn together(change: &Change, plan: &Plan) -> Result<(), Error> {
    if plan.error.then != OnError::RollBack {
        return Ok(());
    }
    let why = match change {
        Change::Script { undo_artifact_id: None, .. } => {
            "a script is taken back by another one: name it as `undo_artifact_id`, or pause instead"
        }
        Change::Template { undo: None, .. } => {
            "what a template did is taken back by another one: name it as `undo`, or pause instead"
        }
        Change::Parameters { parameters } if parameters.iter().any(|p| is_secret(&p.name)) => {
            "devices do not tell the secrets that they have, so that they cannot be written back: \
             pause instead"
        }
        Change::Release { .. }
        | Change::Script { .. }
        | Change::Template { .. }
        | Change::Parameters { .. }
        | Change::PreviousRelease
        | Change::PreviousParameters => return Ok(()),
    };
    Err(Error::invalid("/plan/error/then", why))
}

#[cfg(test)]
mod tests;
