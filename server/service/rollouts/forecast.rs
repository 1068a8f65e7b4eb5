//! When the waves of a rollout end, as far as that can be told.
//!
//! Owns which devices are reckoned together: those at sites that are open at the same times.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::ctx::App;
use crate::error::Error;
use crate::fleet::window::Hours;
use crate::rollout::device::Step;
use crate::rollout::pace::forecast::{Load, One};
use crate::rollout::plan::{Plan, after};
use crate::rollout::reconcile::Work;
use crate::rollout::reconcile::begin::{Place, Sites};
use crate::rollout::reconcile::survey::Survey;

/// Minutes that a device takes to come back from a restart, as an estimate: what it downloads and installs
/// before, and being looked at after, included.
const RESTART_MINUTES: u64 = 6;

/// How long a wave takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Minutes, its soak included, if every site were always open.
    pub minutes: u64,
    /// When it ends, its soak included; one without devices ends with the one before it.
    pub ends_at: DateTime<Utc>,
}

/// Of each wave, in order. Who is away is reckoned with as if they came.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn of(
    app: &App,
    work: &Work,
    survey: &Survey,
    now: DateTime<Utc>,
) -> Result<Vec<Span>, Error> {
    let doors = Doors::of(app, &work.plan, survey).await?;
    let from = work.row.start_at.map_or(now, |at| at.max(now));
    Ok(spans(&work.plan, survey, &doors, from))
}

/// When sites are open: the different ways, and which is whose.
struct Doors<'a> {
    /// The first is that of what stands at no site.
    ways: Vec<Place>,
    of: HashMap<&'a str, usize>,
}

impl<'a> Doors<'a> {
    async fn of(app: &App, plan: &Plan, survey: &'a Survey) -> Result<Self, Error> {
        let nowhere = Place { hours: Hours::any_time(), zone: Tz::UTC };
        let mut doors = Self { ways: vec![nowhere], of: HashMap::new() };
        if !plan.heed_windows && plan.blackout.is_empty() {
            return Ok(doors);
        }
        let taken = survey.entries.iter().filter(|entry| entry.wave().is_some());
        let sites: BTreeSet<&str> = taken.filter_map(|entry| survey.site(entry)).collect();
        let paths: BTreeSet<String> = sites.iter().copied().map(str::to_owned).collect();
        let Some(mut places) = Sites::load(app, paths).await?.0 else { return Ok(doors) };
        for site in sites {
            let Some(place) = places.remove(site) else { continue };
            let way = heeded(place, plan);
            let known = doors.ways.iter().position(|known| *known == way);
            let at = known.unwrap_or(doors.ways.len());
            if known.is_none() {
                doors.ways.push(way);
            }
            doors.of.insert(site, at);
        }
        Ok(doors)
    }

    fn at(&self, site: Option<&str>) -> usize {
        site.and_then(|site| self.of.get(site)).copied().unwrap_or_default()
    }
}

/// What of it the plan heeds: without that, sites that differ in nothing else are the same.
fn heeded(place: Place, plan: &Plan) -> Place {
    let hours = match plan.heed_windows {
        true => Hours { site: None, ..place.hours },
        false => Hours::any_time(),
    };
    Place { hours, zone: if plan.blackout.is_empty() { Tz::UTC } else { place.zone } }
}

/// Minutes that a device takes for these steps, as an estimate.
fn minutes(steps: &[Step]) -> u64 {
    let each = steps.iter().map(|step| match step {
        Step::Upgrade { .. } | Step::Reboot => RESTART_MINUTES,
        Step::Backup
        | Step::Script { .. }
        | Step::Template
        | Step::Report
        | Step::Parameters
        | Step::Routerboot
        | Step::Inspect => 1,
    });
    each.sum()
}

fn spans(plan: &Plan, survey: &Survey, doors: &Doors<'_>, from: DateTime<Utc>) -> Vec<Span> {
    let waves = survey.waves.len();
    let mut whole = vec![Load::default(); waves];
    let mut parts = vec![vec![Load::default(); doors.ways.len()]; waves];
    for entry in &survey.entries {
        let Some(wave) = entry.wave().map(|wave| wave as usize) else { continue };
        if wave >= waves {
            continue;
        }
        let (class, site) = (survey.class(entry), survey.site(entry));
        let one = One {
            site,
            uplink: survey.uplinks.get(&entry.device_id).copied(),
            redundancy: survey.redundancy.get(&entry.device_id).map(String::as_str),
            minutes: class.steps.as_ref().map_or(0, |steps| minutes(steps)),
            bytes: class.bytes,
        };
        whole[wave].add(one);
        parts[wave][doors.at(site)].add(one);
    }
    let mut at = from;
    let loads = whole.iter().zip(&parts).enumerate();
    loads
        .map(|(number, (whole, parts))| {
            if whole.devices == 0 {
                return Span { minutes: 0, ends_at: at };
            }
            let (pace, soak) = (&plan.pace, plan.soak(number));
            // However their windows lie, they share one pace.
            let together = whole.finish(pace, &Hours::any_time(), Tz::UTC, &[], at);
            let mut end = together;
            for (load, way) in parts.iter().zip(&doors.ways) {
                let own = load.finish(pace, &way.hours, way.zone, &plan.blackout, at);
                end = end.max(own);
            }
            at = after(end, soak);
            let soak = u64::try_from(soak.num_minutes()).unwrap_or_default();
            Span { minutes: whole.minutes(pace) + soak, ends_at: at }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_restarts_a_device_takes_long() {
        let script = [Step::Backup, Step::Script { artifact_id: uuid::Uuid::nil() }];
        assert_eq!(minutes(&script), 2);
        assert_eq!(minutes(&[Step::Backup, Step::Template, Step::Report]), 3);
        let hop = |version: &str| Step::Upgrade {
            version: version.to_owned(),
            packages: Vec::new(),
            bytes: 0,
        };
        let booter = [Step::Routerboot, Step::Reboot, Step::Inspect];
        let hops = [hop("7.12.1"), hop("7.16.1")];
        assert_eq!(minutes(&[&hops[..], &booter[..]].concat()), 12 + 8);
    }
}
