//! What of a device's parameters is not as it is wanted, and what is to be done about it. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use muster_cwmp::value::ValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use utoipa::ToSchema;

use super::effective::{Effective, Layered};
use crate::fleet::profile::{Mode, Tolerance, Wanted};
use crate::fleet::secret::{MASK, is_secret};
use crate::jobs::spec::{MAX_PARAMETERS, SetParameter};
use crate::store::parameters::Document;

/// Values that were put back so long ago are not counted any more.
const REMEMBERED: TimeDelta = TimeDelta::days(2);
/// So often a value is put back within that time before the device is left alone.
const PUT_BACK: u32 = 3;
/// For so long it is left alone first, and at most; each further time doubles it.
const LEFT_ALONE: TimeDelta = TimeDelta::hours(1);
const LEFT_ALONE_MOST: TimeDelta = TimeDelta::days(1);
/// What a device refused is not tried again for so long.
const REFUSED_FOR: TimeDelta = TimeDelta::days(1);

/// Something that is not as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// A parameter's full name; or `template`, `release`, `configuration`.
    pub name: String,
    /// What is wanted; masked for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// What the device has; masked for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What it comes from, or why nothing is done about it.
    pub words: String,
    /// Muster is mending it.
    pub mended: bool,
    /// The layer that wants it.
    pub layer: String,
}

/// How often a value was put back. What was wanted is kept as a hash: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Of the value that was wanted.
    pub wanted: String,
    /// How often it was ordered.
    pub times: u32,
    /// When it was ordered last.
    pub at: DateTime<Utc>,
    /// Until when the device is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// What the device said when it refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// By name of parameter.
pub type Memory = BTreeMap<String, Undone>;

/// A device as it is compared.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What is known of its data model.
    pub document: &'a Document,
    /// Its secrets in clear, as far as they are known.
    pub secrets: &'a BTreeMap<String, String>,
    /// Differences that nobody wants to hear of.
    pub ignored: &'a [String],
    /// It is given what is given once: it is new, or was reset within a day, and has not been as it
    /// should be since.
    pub is_new: bool,
    /// How often values were put back.
    pub memory: &'a Memory,
    /// What values are hashed with: a plain hash of a short secret is no secret.
    pub key: &'a [u8; 32],
}

/// What comes of the comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compared {
    /// What differs, by name.
    pub differences: Vec<Difference>,
    /// What is to be written.
    pub set: Vec<SetParameter>,
    /// The memory once that is ordered.
    pub memory: Memory,
    /// When one that is left alone is tried again.
    pub again_at: Option<DateTime<Utc>>,
}

/// Compares the parameters.
pub fn parameters(effective: &Effective, seen: Seen<'_>, now: DateTime<Utc>) -> Compared {
    let mut compared = Compared::default();
    for (name, wanted) in &effective.parameters {
        if !seen.ignored.contains(name) {
            one(&mut compared, effective, name, wanted, seen, now);
        }
    }
    compared
}

fn one(
    compared: &mut Compared,
    effective: &Effective,
    name: &str,
    wanted: &Layered<Wanted>,
    seen: Seen<'_>,
    now: DateTime<Utc>,
) {
    let variable = wanted.value.variable.as_deref();
    let secret = is_secret(name) || variable.is_some_and(is_secret);
    let entry = seen.document.get(name);
    let shown = |text: &str| if secret { MASK.to_owned() } else { text.to_owned() };
    let value = value_of(&wanted.value, effective);
    let mut difference = Difference {
        name: name.to_owned(),
        wanted: value.as_deref().map(shown),
        seen: entry.filter(|_| !secret).map(|entry| entry.value.clone()),
        words: wanted.from.words(),
        mended: false,
        layer: wanted.from.layer.words(),
    };
    let remembered = seen.memory.get(name).filter(|memory| memory.at + REMEMBERED > now);
    let Some(value) = value else {
        let variable = wanted.value.variable.as_deref().unwrap_or_default();
        difference.words = format!("the variable `{variable}` has no value");
        return compared.differences.push(difference);
    };
    let Some(entry) = entry else {
        difference.words = "the device has no such parameter".to_owned();
        return compared.differences.push(difference);
    };
    let is_same = match is_secret(name) {
        true => seen.secrets.get(name) == Some(&value),
        false => same(&value, &entry.value, entry.kind, wanted.value.tolerance),
    };
    if is_same {
        if let Some(memory) = remembered {
            compared.memory.insert(name.to_owned(), memory.clone());
        }
        return;
    }
    let hash = hash(seen.key, &value);
    let remembered = remembered.filter(|memory| memory.wanted == hash);
    match verdict(wanted, entry.writable, remembered, seen.is_new, now) {
        Verdict::Leave => {}
        Verdict::Tell(words, again_at) => {
            difference.words = words;
            compared.again_at = earlier(compared.again_at, again_at);
            compared.memory.extend(remembered.map(|memory| (name.to_owned(), memory.clone())));
            compared.differences.push(difference);
        }
        Verdict::LeaveAlone(memory) => {
            difference.words = left_alone(&memory);
            compared.again_at = earlier(compared.again_at, memory.until);
            compared.memory.insert(name.to_owned(), memory);
            compared.differences.push(difference);
        }
        Verdict::Mend(_) if compared.set.len() >= MAX_PARAMETERS => {
            "its turn comes after the others".clone_into(&mut difference.words);
            compared.differences.push(difference);
        }
        Verdict::Mend(times) => {
            difference.mended = true;
            let memory = Undone { wanted: hash, times, at: now, until: None, refused: None };
            compared.memory.insert(name.to_owned(), memory);
            let kind = wanted.value.kind;
            compared.set.push(SetParameter { name: name.to_owned(), value, kind });
            compared.differences.push(difference);
        }
    }
}

enum Verdict {
    /// Nobody minds.
    Leave,
    /// Told, for this reason; and perhaps tried again later.
    Tell(String, Option<DateTime<Utc>>),
    /// The device has undone it too often.
    LeaveAlone(Undone),
    /// Written, for the n-th time.
    Mend(u32),
}

fn verdict(
    wanted: &Layered<Wanted>,
    writable: Option<bool>,
    memory: Option<&Undone>,
    is_new: bool,
    now: DateTime<Utc>,
) -> Verdict {
    if wanted.value.mode == Mode::Once && !is_new {
        return Verdict::Leave;
    }
    if wanted.value.mode == Mode::Report || !wanted.enforce {
        return Verdict::Tell(format!("{}; only reported", wanted.from.words()), None);
    }
    if writable == Some(false) {
        return Verdict::Tell("the device does not let it be written".to_owned(), None);
    }
    let Some(memory) = memory else { return Verdict::Mend(1) };
    if let Some(refused) = &memory.refused {
        let words = format!("the device refused it: {refused}");
        return Verdict::Tell(words, memory.until);
    }
    if memory.until.is_some_and(|until| until > now) {
        return Verdict::Tell(left_alone(memory), memory.until);
    }
    if memory.times < PUT_BACK || memory.until.is_some() {
        return Verdict::Mend(memory.times + 1);
    }
    let doublings = i32::try_from((memory.times - PUT_BACK).min(10)).unwrap_or(10);
    let wait = (LEFT_ALONE * 2_i32.pow(doublings.unsigned_abs())).min(LEFT_ALONE_MOST);
    Verdict::LeaveAlone(Undone { until: Some(now + wait), at: now, ..memory.clone() })
}

fn left_alone(memory: &Undone) -> String {
    let until = memory.until.map(|until| until.format(", tried again at %Y-%m-%d %H:%M UTC"));
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    format!("the device has undone it {} times{until}", memory.times)
}

/// What the device said of single parameters when it refused a job: these are not tried again for a
/// day, so that the others get their turn.
pub fn refuse(memory: &mut Memory, refused: &[(String, String)], now: DateTime<Utc>) {
    for (name, why) in refused {
        if let Some(memory) = memory.get_mut(name) {
            memory.refused = Some(why.clone());
            memory.until = Some(now + REFUSED_FOR);
            // Until then it is remembered.
            memory.at = now;
        }
    }
}

/// The value that is wanted, as CWMP writes it; `None` = its variable has none.
fn value_of(wanted: &Wanted, effective: &Effective) -> Option<String> {
    match (&wanted.value, &wanted.variable) {
        (Some(value), _) => Some(value.clone()),
        (None, Some(variable)) => match &effective.variables.get(variable)?.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(yes) => Some(if *yes { "1" } else { "0" }.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(items) => {
                let text =
                    |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                Some(items.iter().map(text).collect::<Vec<_>>().join(","))
            }
            Value::Null | Value::Object(_) => None,
        },
        (None, None) => None,
    }
}

/// Whether two values of this type count as the same.
pub fn same(wanted: &str, seen: &str, kind: ValueType, tolerance: Tolerance) -> bool {
    if wanted == seen {
        return true;
    }
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    match tolerance {
        Tolerance::Exact => match kind {
            ValueType::Boolean => truth(wanted).is_some() && truth(wanted) == truth(seen),
            ValueType::Int | ValueType::UnsignedInt | ValueType::Long | ValueType::UnsignedLong => {
                let whole = |text: &str| text.trim().parse::<i128>().ok();
                whole(wanted).is_some() && whole(wanted) == whole(seen)
            }
            _ => false,
        },
        Tolerance::AnyCase => wanted.to_lowercase() == seen.to_lowercase(),
        Tolerance::AnyOrder => items(wanted) == items(seen),
        Tolerance::Within { by } => match (number(wanted), number(seen)) {
            (Some(wanted), Some(seen)) => (wanted - seen).abs() <= by,
            _ => false,
        },
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn items(list: &str) -> Vec<&str> {
    let mut items: Vec<&str> = list.split(',').map(str::trim).filter(|i| !i.is_empty()).collect();
    items.sort_unstable();
    items
}

/// Half of a keyed SHA-256, in hex.
fn hash(key: &[u8; 32], text: &str) -> String {
    hex::encode(&keyed(key, text.as_bytes())[..16])
}

/// A keyed SHA-256.
pub(super) fn keyed(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// The earlier of two times, where there are any.
pub(super) fn earlier(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests;
