//! What the template of a rollout gives for some of its devices, before any of them is sent anything.
//!
//! Owns that no secret comes into it: variables get the mask in place of each before anything is made of
//! them, and no rule of a secret is applied.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::dry_run::Reason;
use crate::ctx::App;
use crate::desired::reconcile::{self, Subject};
use crate::desired::script;
use crate::desired::world::{self, World};
use crate::error::Error;
use crate::fleet::template::{Wrong, settle_masked};
use crate::render::Failure;
use crate::rollout::reconcile::Work;
use crate::rollout::reconcile::scripts::Source;
use crate::rollout::reconcile::survey::Survey;
use crate::rollout::words::part_of;

/// Devices for which a template is tried, at most.
const SAMPLE: usize = 50;
/// Of these at a time.
const AT_ONCE: usize = 8;
/// Profiles that are named.
const NAMED: usize = 3;

/// What a template gives for some of the devices, 50 at most.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ScriptSample {
    /// Devices for which it was tried.
    pub devices: u64,
    /// Those for which it gives a script.
    pub rendered: u64,
    /// Bytes of the longest of these.
    pub largest: u64,
    /// Why it gives the others none, the most frequent reason first.
    pub failures: Vec<Reason>,
}

/// What came of it.
pub(super) struct Tried {
    /// For people.
    pub sample: ScriptSample,
    /// What to think of before it is started.
    pub warnings: Vec<String>,
}

/// Tries the template of a rollout; `None` = it is of something else.
pub(super) async fn tried(app: &App, work: &Work, survey: &Survey) -> Result<Option<Tried>, Error> {
    let Some(source) = Source::of(app, work).await? else { return Ok(None) };
    let world = world::current(app).await?;
    let taken = survey.entries.iter().filter(|entry| entry.wave().is_some());
    let some = some(taken.map(|entry| entry.device_id).collect());
    let subjects = reconcile::load(app, &world, &some).await?;
    let total = subjects.len() as u64;
    let profiles = profiles(&subjects);
    let rendering = subjects.into_iter().map(|subject| length(app, &world, &source, subject));
    let lengths: Vec<Result<Length, Error>> =
        futures_util::stream::iter(rendering).buffer_unordered(AT_ONCE).collect().await;
    let mut sample = ScriptSample { devices: total, ..ScriptSample::default() };
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    for length in lengths {
        match length? {
            Ok(bytes) => {
                sample.rendered += 1;
                sample.largest = sample.largest.max(bytes);
            }
            Err(why) => *failures.entry(why).or_default() += 1,
        }
    }
    sample.failures =
        failures.into_iter().map(|(reason, devices)| Reason { reason, devices }).collect();
    sample.failures.sort_by_key(|reason| std::cmp::Reverse(reason.devices));
    let warnings = warnings(&sample, &profiles);
    Ok(Some(Tried { sample, warnings }))
}

/// Some of these, from first to last.
fn some(taken: Vec<Uuid>) -> Vec<Uuid> {
    let apart = taken.len().div_ceil(SAMPLE).max(1);
    taken.into_iter().step_by(apart).collect()
}

/// Those that a profile gives a template, and who says so.
struct Profiles {
    devices: u64,
    from: BTreeSet<String>,
}

fn profiles(subjects: &[Subject]) -> Profiles {
    let wanted = subjects.iter().filter_map(|subject| subject.effective.template.as_ref());
    let wanted: Vec<String> =
        wanted.filter(|wanted| wanted.enforce).map(|wanted| wanted.from.words()).collect();
    Profiles { devices: wanted.len() as u64, from: wanted.into_iter().collect() }
}

/// Bytes of a script, or why there is none.
type Length = Result<u64, String>;

async fn length(
    app: &App,
    world: &World,
    source: &Source,
    subject: Subject,
) -> Result<Length, Error> {
    let (values, wrong) = settle_masked(&source.template.variables, source.given(&subject));
    if !wrong.is_empty() {
        let one = |wrong: &Wrong| format!("`{}`: {}", wrong.name, wrong.words);
        return Ok(Err(wrong.iter().map(one).collect::<Vec<_>>().join("; ")));
    }
    let context = script::context(app, world, &subject).with(&values, &app.enrolment.username);
    let template = &source.template;
    match app.render.try_out(&template.name, &template.body, context).await {
        Ok(script) => Ok(Ok(script.len() as u64)),
        Err(failure @ Failure::Busy) => Err(failure.into()),
        Err(failure) => Ok(Err(failure.to_string())),
    }
}

fn warnings(sample: &ScriptSample, profiles: &Profiles) -> Vec<String> {
    let mut warnings = Vec::new();
    let without = sample.devices - sample.rendered;
    if without > 0 {
        let many = part_of(without, sample.devices, "device");
        warnings.push(format!("the template gives no script for {many} that it was tried for"));
    }
    if profiles.devices > 0 {
        let from: Vec<&str> = profiles.from.iter().take(NAMED).map(String::as_str).collect();
        let more = if profiles.from.len() > NAMED { " and others" } else { "" };
        warnings.push(format!(
            "profiles give a template to {} of the {} looked at ({}{more}): it is sent to them again \
             once it, or a value of it, changes",
            profiles.devices,
            sample.devices,
            from.join("; "),
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_think_of_is_told_and_nothing_else() {
        let sample = ScriptSample { devices: 50, rendered: 50, ..ScriptSample::default() };
        let nobody = Profiles { devices: 0, from: BTreeSet::new() };
        assert!(warnings(&sample, &nobody).is_empty());
        let from = (0..5).map(|n| format!("site s{n}, profile home")).collect();
        let partly = ScriptSample { rendered: 48, ..sample };
        let told = warnings(&partly, &Profiles { devices: 7, from });
        assert!(told[0].contains("2 of 50 devices"), "{told:?}");
        assert!(told[1].contains("7 of the 50") && told[1].contains("and others"), "{told:?}");
    }

    #[test]
    fn a_few_stand_for_many() {
        let of = |many: u128| some((0..many).map(Uuid::from_u128).collect()).len();
        assert_eq!([of(0), of(1), of(50), of(51), of(100), of(1_000)], [0, 1, 50, 26, 50, 50]);
    }
}
