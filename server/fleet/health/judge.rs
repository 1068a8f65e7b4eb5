//! Whether a device is well after a change: each check by itself, with the numbers that it saw.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::{number, span};
use super::{Check, CheckSeen, Sample, Verdict};
use crate::fleet::online::CUSTOMARY_INTERVAL;
use crate::jobs::upgrade::is_same;
use crate::rollout::plan::Checks;

/// Fewer Wi-Fi clients than these come and go by themselves.
const FEW_CLIENTS: i64 = 5;
/// A device says when it started to the second, but says it at some time during a session.
const UPTIME_SLACK: TimeDelta = TimeDelta::seconds(120);
/// Informs are late by so much without being missed.
const INFORM_SLACK: TimeDelta = TimeDelta::seconds(60);

/// What is seen of a device after a change.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// When it is looked at.
    pub now: DateTime<Utc>,
    /// Since when it runs what it should.
    pub changed_at: DateTime<Utc>,
    /// The version that it should run; `None` = the change was of something else.
    pub expected: Option<&'a str>,
    /// The one that it says it runs.
    pub version: Option<&'a str>,
    /// When it informed last.
    pub last_inform: DateTime<Utc>,
    /// How often it does, in seconds, as far as it is known.
    pub inform_interval: Option<u32>,
    /// Since when Muster hears devices without a break.
    pub listening_since: DateTime<Utc>,
    /// The last inform that said that it had started.
    pub last_boot: Option<DateTime<Utc>>,
    /// What was read of it after the change, and when; `None` = nothing yet.
    pub sample: Option<(&'a Sample, DateTime<Utc>)>,
}

/// Seconds of ten years: longer than any rollout.
const MOST_SILENCE: i64 = 10 * 365 * 86_400;

/// How long a device that may miss so many informs may be silent.
pub fn allowed_silence(inform_interval: Option<u32>, may_miss: u32) -> TimeDelta {
    let interval = inform_interval.filter(|seconds| *seconds > 0).unwrap_or(CUSTOMARY_INTERVAL);
    let informs = i64::from(may_miss).saturating_add(1);
    let seconds = i64::from(interval).saturating_mul(informs).min(MOST_SILENCE);
    TimeDelta::seconds(seconds) + INFORM_SLACK
}

/// Compares a device with what it was before, by the checks that are on. What is not known, now or
/// before, is not held against it, and is said.
pub fn judge(checks: &Checks, baseline: Option<&Sample>, seen: &Looked<'_>) -> Verdict {
    let pair = Pair { before: baseline, now: seen.sample.map(|(sample, _)| sample) };
    let found = [
        seen.expected.map(|expected| version(expected, seen)),
        checks.missed_informs.map(|may_miss| informs(may_miss, seen)),
        checks.crash.then(|| crash(pair)),
        checks.uptime.then(|| uptime(pair, seen)),
        checks.wan.then(|| wan(pair)),
        checks.cpu_points.map(|points| cpu(pair, points)),
        checks.memory_percent.map(|percent| memory(pair, percent)),
        checks.link_downs.map(|most| link_downs(pair, most)),
        checks.radios.then(|| radios(pair)),
        checks.signal_db.map(|db| signal(pair, db)),
        checks.clients_percent.map(|percent| clients(pair, percent)),
    ];
    Verdict::of(found.into_iter().flatten().collect())
}

/// Before and after, as far as there is a reading.
#[derive(Clone, Copy)]
struct Pair<'a> {
    before: Option<&'a Sample>,
    now: Option<&'a Sample>,
}

impl Pair<'_> {
    fn of<T>(self, value: impl Fn(&Sample) -> Option<T>) -> (Option<T>, Option<T>) {
        (self.before.and_then(&value), self.now.and_then(&value))
    }

    /// What cannot be compared, because one of the two is not known.
    fn unknown(
        self,
        check: Check,
        what: &str,
        before: Option<String>,
        now: Option<String>,
    ) -> CheckSeen {
        let words = match (&before, &now, self.now) {
            (_, None, None) => format!("{what}: not read since the change"),
            (_, None, Some(_)) => format!("{what}: it does not tell"),
            (None, Some(now), _) => format!("{what}: {now}; what it was before is not known"),
            (Some(before), Some(now), _) => format!("{what}: {now}, was {before}"),
        };
        CheckSeen { check, ok: None, before, now, words }
    }
}

fn version(expected: &str, seen: &Looked<'_>) -> CheckSeen {
    let words = match seen.version {
        Some(runs) if is_same(expected, runs) => format!("runs {runs}"),
        Some(runs) => format!("runs {runs} instead of {expected}"),
        None => "does not say which version it runs".to_owned(),
    };
    let ok = seen.version.map(|runs| is_same(expected, runs));
    CheckSeen {
        check: Check::Version,
        ok,
        before: None,
        now: seen.version.map(str::to_owned),
        words,
    }
}

fn informs(may_miss: u32, seen: &Looked<'_>) -> CheckSeen {
    // While Muster did not listen, nobody was silent.
    let silent = seen.now - seen.last_inform.max(seen.listening_since);
    let allowed = allowed_silence(seen.inform_interval, may_miss);
    let ok = silent <= allowed;
    let said = span(seen.now - seen.last_inform);
    let words = match ok {
        true => format!("informed {said} ago"),
        false => format!("has not informed for {said}; {} would be fine", span(allowed)),
    };
    CheckSeen { check: Check::Informs, ok: Some(ok), before: None, now: Some(said), words }
}

fn crash(pair: Pair<'_>) -> CheckSeen {
    // TR-106 3.2: the unknown time. A device that never crashed says it.
    let never = |at: &String| at.starts_with("0001-");
    let (before, now) = pair.of(|sample| sample.crash.clone());
    let said = |at: &Option<String>| {
        at.as_ref().map(|at| if never(at) { "never".to_owned() } else { at.clone() })
    };
    let (was, is) = (said(&before), said(&now));
    let judged = match (&before, &now) {
        (_, Some(now)) if never(now) => Some((true, "wrote no crash file".to_owned())),
        (Some(before), Some(now)) if before == now => {
            Some((true, "wrote no crash file since".to_owned()))
        }
        (Some(_), Some(now)) => Some((false, format!("crashed: wrote a crash file at {now}"))),
        (None, _) | (_, None) => None,
    };
    match judged {
        Some((ok, words)) => {
            CheckSeen { check: Check::Crash, ok: Some(ok), before: was, now: is, words }
        }
        None => pair.unknown(Check::Crash, "crash file", was, is),
    }
}

/// An inform that says that it started, after the change, is a restart, unless what was read since
/// then says that it has been up for longer: a session that is lost has its events told again.
fn uptime(pair: Pair<'_>, seen: &Looked<'_>) -> CheckSeen {
    let said = |sample: &Sample| sample.uptime.map(|up| span(TimeDelta::seconds(up.min(1 << 32))));
    let (before, now) = pair.of(said);
    let booted = seen.last_boot.filter(|at| *at > seen.changed_at);
    let disproved = booted.is_some_and(|at| {
        seen.sample.is_some_and(|(sample, read_at)| {
            let up = sample.uptime.map(|up| TimeDelta::seconds(up.min(1 << 32)));
            read_at > at && up.is_some_and(|up| read_at - up <= seen.changed_at + UPTIME_SLACK)
        })
    });
    let (ok, words) = match booted.filter(|_| !disproved) {
        Some(at) => {
            let since = span(at - seen.changed_at);
            (false, format!("restarted by itself {since} after the change"))
        }
        None => match &now {
            Some(up) => (true, format!("has not restarted by itself: up for {up}")),
            None => (true, "has not restarted by itself".to_owned()),
        },
    };
    CheckSeen { check: Check::Uptime, ok: Some(ok), before, now, words }
}

fn wan(pair: Pair<'_>) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.wan_up);
    let said = |up: Option<bool>| up.map(|up| if up { "up" } else { "down" }.to_owned());
    let seen = |ok, words: &str| CheckSeen {
        check: Check::Wan,
        ok: Some(ok),
        before: said(before),
        now: said(now),
        words: words.to_owned(),
    };
    match (before, now) {
        (_, Some(true)) => seen(true, "its way to the Internet is up"),
        (Some(true), Some(false)) => seen(false, "its way to the Internet is down, and was up"),
        (Some(false), Some(false)) => {
            seen(true, "its way to the Internet is down, as it was before the change")
        }
        (None, Some(false)) | (_, None) => {
            pair.unknown(Check::Wan, "its way to the Internet", said(before), said(now))
        }
    }
}

fn cpu(pair: Pair<'_>, points: u32) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.cpu);
    compared(pair, Check::Cpu, "processor load", "%", before, now, |before| {
        let most = (before + i64::from(points)).min(100);
        (Bound::Most, most)
    })
}

fn memory(pair: Pair<'_>, percent: u32) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.memory_free_percent);
    compared(pair, Check::Memory, "free memory", "%", before, now, |before| {
        (Bound::Least, before * left(percent))
    })
}

fn signal(pair: Pair<'_>, db: u32) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.signal);
    compared(pair, Check::Signal, "signal of its Wi-Fi clients", "dBm", before, now, |before| {
        (Bound::Least, before - f64::from(db))
    })
}

/// Ports count from the last start on, so that a count that is lower than before is all of it.
fn link_downs(pair: Pair<'_>, most: u32) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.link_downs);
    let said = |count: Option<i64>| count.map(|count| count.to_string());
    let (Some(was), Some(is)) = (before, now) else {
        return pair.unknown(Check::LinkDowns, "links lost", said(before), said(now));
    };
    let since = if is < was { is } else { is - was };
    let ok = since <= i64::from(most);
    let words = match ok {
        true => format!("links lost since: {since}"),
        false => format!("links lost since: {since}; {most} would be fine"),
    };
    let check = Check::LinkDowns;
    CheckSeen { check, ok: Some(ok), before: said(before), now: said(now), words }
}

fn radios(pair: Pair<'_>) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.radios);
    compared(pair, Check::Radios, "radios", "", before, now, |before| (Bound::Least, before))
}

fn clients(pair: Pair<'_>, percent: u32) -> CheckSeen {
    let (before, now) = pair.of(|sample| sample.clients);
    if let (Some(was), Some(is)) = (before, now)
        && was < FEW_CLIENTS
    {
        let words = format!("Wi-Fi clients: {is}, was {was}; too few to go by");
        let (before, now) = (Some(was.to_string()), Some(is.to_string()));
        return CheckSeen { check: Check::Clients, ok: None, before, now, words };
    }
    compared(pair, Check::Clients, "Wi-Fi clients", "", before, now, |before| {
        // Clients are few: exact. Rounded down, in favour of the device.
        (Bound::Least, (before as f64 * left(percent)).floor() as i64)
    })
}

/// What is left of one when so many of a hundred are gone.
fn left(percent: u32) -> f64 {
    f64::from(100 - percent.min(100)) / 100.0
}

/// On which side of a limit a value may be.
#[derive(Clone, Copy)]
enum Bound {
    Most,
    Least,
}

/// A value that may be written and compared.
trait Figure: Copy + PartialOrd {
    fn said(self) -> String;
}

impl Figure for i64 {
    fn said(self) -> String {
        self.to_string()
    }
}

impl Figure for f64 {
    fn said(self) -> String {
        number(self)
    }
}

/// A value against a limit that follows from what it was before.
fn compared<T: Figure>(
    pair: Pair<'_>,
    check: Check,
    what: &str,
    unit: &str,
    before: Option<T>,
    now: Option<T>,
    limit: impl Fn(T) -> (Bound, T),
) -> CheckSeen {
    let said = |value: T| format!("{} {unit}", value.said()).trim_end().to_owned();
    let (Some(was), Some(is)) = (before, now) else {
        return pair.unknown(check, what, before.map(said), now.map(said));
    };
    let (bound, limit) = limit(was);
    let (ok, at) = match bound {
        Bound::Most => (is <= limit, "at most"),
        Bound::Least => (is >= limit, "at least"),
    };
    let mut words = format!("{what}: {}, was {}", said(is), said(was));
    if !ok {
        words.push_str(&format!("; {at} {} would be fine", said(limit)));
    }
    CheckSeen { check, ok: Some(ok), before: Some(said(was)), now: Some(said(is)), words }
}
