//! Whether a wave is good, and what then. Pure.
//!
//! Owns the order of the questions: what got sick comes first, whatever else is the case; then
//! whether the wave may begin, goes on, has come to an end, was good, and was watched for long
//! enough. A failure that somebody has seen, and resumed the rollout in spite of, is asked about no
//! more.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::{OnError, Plan, after};
use super::words::{are, count_of, part_of};
use crate::fleet::health::span;
use crate::store::rollouts::waves::WaveRow;

/// How many devices of a wave are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WaveCounts)]
pub struct Counts {
    /// All that were assigned to it.
    pub total: u64,
    /// Not begun.
    pub waiting: u64,
    /// Due, offered, downloading or rebooting.
    pub active: u64,
    /// Run what they should, and are looked at.
    pub verifying: u64,
    /// Well.
    pub healthy: u64,
    /// Not well.
    pub failed: u64,
    /// Never took their order.
    pub timed_out: u64,
    /// Left out.
    pub skipped: u64,
    /// Of the failed, those whose fault lies with the rollout, and that nobody has seen.
    pub held: u64,
    /// Of the failed and timed out, those that somebody has seen.
    pub forgiven: u64,
}

impl Counts {
    /// Of a wave as it is stored, `held` of whose devices blame the rollout beyond those that are
    /// forgiven.
    pub fn of(row: &WaveRow, held: i64) -> Self {
        let count = |devices: i64| u64::try_from(devices).unwrap_or_default();
        Self {
            total: count(row.total),
            waiting: count(row.waiting),
            active: count(row.active),
            verifying: count(row.verifying),
            healthy: count(row.healthy),
            failed: count(row.failed),
            timed_out: count(row.timed_out),
            skipped: count(row.skipped),
            held: count(held),
            forgiven: count(row.forgiven),
        }
    }

    /// Those that take part.
    fn meant(&self) -> u64 {
        self.total.saturating_sub(self.skipped)
    }

    /// Those that came to their end other than well, and that nobody has seen.
    fn unseen(&self) -> u64 {
        (self.failed + self.timed_out).saturating_sub(self.forgiven)
    }

    /// The failed among these: as many as there can be.
    fn sick(&self) -> u64 {
        self.failed.min(self.unseen())
    }

    /// Those that came to their end.
    fn ended(&self) -> u64 {
        self.healthy + self.failed + self.timed_out
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Devices may begin.
    Go,
    /// Somebody must let the wave begin.
    Approve,
    /// Nothing, until something happens to a device or this time has come.
    Wait {
        /// `None` = only when something happens.
        until: Option<DateTime<Utc>>,
    },
    /// All have come to their end, and are watched from now on.
    Soak {
        /// For so long.
        until: DateTime<Utc>,
    },
    /// The next wave begins.
    Next,
    /// It was the last wave, and it was good.
    Complete,
    /// It was not.
    Fail {
        /// What is done about it.
        then: OnError,
    },
}

/// What a gate saw when it decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateVerdict {
    /// What it decided and why, for people.
    pub words: String,
    /// What it looked at, one by one.
    pub checks: Vec<GateCheck>,
    /// The devices that it counted.
    pub counts: Counts,
}

/// One thing that a gate looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateCheck {
    /// Which one.
    pub check: GateRule,
    /// Null = too early to say.
    pub ok: Option<bool>,
    /// The number that it saw.
    pub value: f64,
    /// The one that is the limit.
    pub limit: f64,
    /// Both, for people.
    pub words: String,
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// Failures that lie with the rollout itself: none is fine.
    Held,
    /// Failed devices.
    ErrorCount,
    /// Failed devices, of a hundred.
    ErrorPercent,
    /// Healthy devices, of a hundred.
    SuccessPercent,
    /// Devices that were begun.
    Sample,
}

/// Decides about the wave of this number. `approved` = somebody let it begin; `last` = there is none
/// after it; `soak_until` = it is watched already.
pub fn decide(
    plan: &Plan,
    wave: usize,
    counts: &Counts,
    soak_until: Option<DateTime<Utc>>,
    approved: bool,
    last: bool,
    now: DateTime<Utc>,
) -> (Decision, GateVerdict) {
    let errors = errors(plan, counts);
    if let Some(bad) = errors.iter().find(|check| check.ok == Some(false)) {
        // Whatever the plan says: who is at fault here is not the device.
        let then = if bad.check == GateRule::Held { OnError::Pause } else { plan.error.then };
        let words = format!("the error condition holds: {}", bad.words);
        return (Decision::Fail { then }, verdict(words, errors, counts));
    }
    let decided = |decision, words: String| (decision, verdict(words, errors.clone(), counts));
    let begun = counts.active + counts.verifying + counts.ended() > 0;
    let asks = plan.waves.get(wave).is_some_and(|wave| wave.approval);
    if asks && !approved && !begun && counts.meant() > 0 {
        return decided(Decision::Approve, "it waits for somebody to let it begin".to_owned());
    }
    if counts.waiting > 0 {
        let of = part_of(counts.waiting, counts.meant(), "device");
        let words = format!("{of} {} still to begin", are(counts.waiting));
        return decided(Decision::Go, words);
    }
    let under_way = counts.active + counts.verifying;
    if under_way > 0 {
        let of = part_of(under_way, counts.meant(), "device");
        let words = format!("{of} {} under way", are(under_way));
        return decided(Decision::Wait { until: None }, words);
    }
    let pass = if last { Decision::Complete } else { Decision::Next };
    if counts.meant() == 0 {
        return decided(pass, "no device of it had anything to do".to_owned());
    }
    let success = successes(plan, counts, approved);
    let good = success.iter().all(|check| check.ok != Some(false));
    let bad: Vec<&str> = success.iter().filter(|c| c.ok == Some(false)).map(says).collect();
    let bad = bad.join("; ");
    let checks = errors.iter().cloned().chain(success.iter().cloned()).collect();
    let (decision, words) = if good {
        let healthy = healthy(counts, counts.ended());
        watched(plan, wave, soak_until, now, pass, healthy)
    } else {
        (Decision::Fail { then: OnError::Pause }, format!("it is not good enough: {bad}"))
    };
    (decision, verdict(words, checks, counts))
}

/// Why devices do not begin whom somebody has not meant: since somebody said yes to `meant` devices,
/// more than a tenth of them came or went. `None` = not so many.
pub fn another_audience(meant: u64, found: u64) -> Option<String> {
    let changed = found.abs_diff(meant).saturating_mul(10) > meant;
    changed.then(|| {
        format!(
            "somebody agreed to it for {}, and it finds {} now: look whether that is meant, then \
             let it go on or abort it",
            devices(meant),
            devices(found)
        )
    })
}

/// Why devices do not begin whose canaries are nobody: these waves are for certain devices, and have
/// none. `None` = each has some.
pub fn without_devices(waves: &[String]) -> Option<String> {
    let names: Vec<String> = waves.iter().map(|name| format!("`{name}`")).collect();
    let (what, has) = if names.len() == 1 { ("wave", "has") } else { ("waves", "have") };
    (!names.is_empty()).then(|| {
        format!(
            "{what} {} {has} no device: those that the plan names are not found, are left out, or are in a \
             wave before; abort it and mend the plan, or resume: it goes on without them",
            names.join(", ")
        )
    })
}

/// A good wave passes when it was watched for long enough.
fn watched(
    plan: &Plan,
    wave: usize,
    soak_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    pass: Decision,
    healthy: String,
) -> (Decision, String) {
    let soak = plan.soak(wave);
    match soak_until {
        None if soak.is_zero() => (pass, healthy),
        None => {
            let words = format!("{healthy}; they are watched for {}", span(soak));
            (Decision::Soak { until: after(now, soak) }, words)
        }
        Some(until) if now < until => {
            let words = format!("{healthy}; they are watched for {} more", span(until - now));
            (Decision::Wait { until: Some(until) }, words)
        }
        Some(_) => (pass, format!("{healthy}, and stayed so for {}", span(soak))),
    }
}

fn verdict(words: String, checks: Vec<GateCheck>, counts: &Counts) -> GateVerdict {
    GateVerdict { words, checks, counts: *counts }
}

/// So many devices, for people.
fn devices(count: u64) -> String {
    count_of(count, "device")
}

/// How many of so many devices are well, for people.
fn healthy(counts: &Counts, of: u64) -> String {
    format!("{} {} healthy", part_of(counts.healthy, of, "device"), are(counts.healthy))
}

fn says(check: &GateCheck) -> &str {
    &check.words
}

/// What says that devices get sick.
fn errors(plan: &Plan, counts: &Counts) -> Vec<GateCheck> {
    let sick = counts.sick();
    let mut checks = Vec::new();
    // Both are of those that nobody has seen: the held are among the sick.
    let held = counts.held.min(sick);
    let words = match held {
        0 => "no device says that the rollout is at fault".to_owned(),
        _ => format!("{} failed in a way that will meet the others, too", devices(held)),
    };
    checks.push(check(GateRule::Held, Some(held == 0), held as f64, 0.0, words));
    if let Some(most) = plan.error.count {
        let words = format!("{} failed; from {most} on it is too many", devices(sick));
        let ok = Some(sick < u64::from(most));
        checks.push(check(GateRule::ErrorCount, ok, sick as f64, f64::from(most), words));
    }
    if let Some(most) = plan.error.percent {
        let judged = counts.healthy + sick;
        let needed = u64::from(plan.error.minimum).min(counts.meant()).max(1);
        let share = share(sick, judged);
        let what = format!("{} failed, {}", part_of(sick, judged, "device"), percent(share));
        let (ok, words) = match judged >= needed {
            true => (Some(share <= most), format!("{what}; up to {} is fine", percent(most))),
            false => (None, format!("{what}; looked at from {} on", devices(needed))),
        };
        checks.push(check(GateRule::ErrorPercent, ok, share, most, words));
    }
    checks
}

/// What says that a wave that has ended was good.
fn successes(plan: &Plan, counts: &Counts, approved: bool) -> Vec<GateCheck> {
    let least = plan.success.percent;
    let judged = counts.healthy + counts.unseen();
    // Of a wave whose every failure was seen nothing is left to judge.
    let value = if judged == 0 { 100.0 } else { share(counts.healthy, judged) };
    let words =
        format!("{}, {}; {} are needed", healthy(counts, judged), percent(value), percent(least));
    let healthy = check(GateRule::SuccessPercent, Some(value >= least), value, least, words);
    // Those that timed out never took their order: nothing was seen of them.
    let begun = counts.healthy + counts.failed;
    let needed = u64::from(plan.success.minimum).min(counts.meant());
    let (ok, words) = match begun >= needed {
        true => (true, format!("begun: {}; {needed} {} needed", devices(begun), are(needed))),
        false => (
            approved,
            format!(
                "begun: {}; {needed} {} needed, or an approval of the wave",
                devices(begun),
                are(needed)
            ),
        ),
    };
    let sample = check(GateRule::Sample, Some(ok), begun as f64, needed as f64, words);
    vec![healthy, sample]
}

fn check(check: GateRule, ok: Option<bool>, value: f64, limit: f64, words: String) -> GateCheck {
    GateCheck { check, ok, value, limit, words }
}

/// So many of a hundred; of none it is none. Counts of devices are exact in a float.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn percent(value: f64) -> String {
    let text = format!("{value:.1}");
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests;
