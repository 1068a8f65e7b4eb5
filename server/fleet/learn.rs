//! Putting what a session learned into a device's document, and its secrets beside it, sealed.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Datelike, Utc};
use muster_cwmp::value::ParameterValue;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::{Facts, is_volatile};
use super::secret::{Keys, is_secret};
use crate::error::Error;
use crate::jobs::machine::Learned;
use crate::store::parameters::{self, Counters, Document, Entry};
use crate::store::{device_secrets, devices, events};

/// Parameters a document may hold; more are not kept (and said so in the log).
pub const MAX_PARAMETERS: usize = 50_000;
/// Secrets that are kept of a device: one that makes up names must not fill the table.
const MAX_SECRETS: usize = 1_000;
/// Bytes of a secret's value that is kept: a private key has some thousand.
const MAX_SECRET: usize = 8 * 1024;
/// Bytes of its name; TR-069 allows 256 characters, and an index takes no entry of some kilobytes.
const MAX_NAME: usize = 1_024;
/// When RouterOS last wrote a crash file; year 1 = never.
const CRASH: &str = "Device.DeviceInfo.X_MIKROTIK_AutosupoutTime";

/// Merges what was learned; true = the document changed. Pure.
pub fn merge(doc: &mut Document, counters: &mut Counters, learned: &Learned, at: i64) -> bool {
    let mut changed = false;
    if let Some(path) = &learned.removed {
        let before = doc.len();
        doc.retain(|name, _| !name.starts_with(path.as_str()));
        changed |= doc.len() != before;
    }
    if let Some(path) = &learned.complete_below {
        let seen: HashSet<&str> = learned.values.iter().map(|v| v.name.as_str()).collect();
        let before = doc.len();
        doc.retain(|name, _| !name.starts_with(path.as_str()) || seen.contains(name.as_str()));
        changed |= doc.len() != before;
    }
    for value in learned.values.iter().chain(&learned.written) {
        changed |= put(doc, counters, value, at);
    }
    for info in learned.infos.iter().filter(|i| !i.name.ends_with('.')) {
        if let Some(entry) = doc.get_mut(&info.name)
            && entry.writable != Some(info.writable)
        {
            entry.writable = Some(info.writable);
            changed = true;
        }
    }
    changed
}

fn put(doc: &mut Document, counters: &mut Counters, value: &ParameterValue, at: i64) -> bool {
    if is_volatile(&value.name) && !is_secret(&value.name) {
        if counters.len() < MAX_PARAMETERS {
            counters.insert(value.name.clone(), value.value.clone());
        }
        return false;
    }
    // A secret's value is kept apart, sealed; that it exists is known to all.
    let shown = if is_secret(&value.name) { "" } else { value.value.as_str() };
    let room = doc.len() < MAX_PARAMETERS;
    match doc.get_mut(&value.name) {
        Some(entry) if entry.value == shown && entry.kind == value.kind => false,
        Some(entry) => {
            entry.value = shown.to_owned();
            entry.kind = value.kind;
            entry.at = at;
            true
        }
        None if !room => false,
        None => {
            let entry = Entry { value: shown.to_owned(), kind: value.kind, writable: None, at };
            doc.insert(value.name.clone(), entry);
            true
        }
    }
}

/// Stores what was learned in the caller's transaction, writing only what changed.
pub async fn store(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    learned: &Learned,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if *learned == Learned::default() {
        return Ok(());
    }
    store_secrets(conn, keys, device_id, learned, now).await?;
    let facts = Facts::from_parameters(&learned.values);
    if facts != Facts::default() || learned.methods.is_some() {
        devices::learn_facts(conn, device_id, &facts, learned.methods.as_deref(), now).await?;
    }
    // What the device took is so from now on, too.
    let facts = Facts::from_parameters(&learned.written);
    if facts != Facts::default() {
        devices::learn_facts(conn, device_id, &facts, None, now).await?;
    }
    let known = parameters::lock(conn, device_id).await?;
    let new = known.is_none();
    let mut doc = known.unwrap_or_default();
    let mut counters = Counters::new();
    let crash = doc.get(CRASH).map(|entry| entry.value.clone());
    let changed = merge(&mut doc, &mut counters, learned, now.timestamp());
    if let (Some(was), Some(is)) = (&crash, doc.get(CRASH))
        && crashed(was, &is.value)
    {
        let detail = json!({ "crash_at": is.value, "crash_before": was });
        events::append(conn, device_id, "crashed", None, &detail, now).await?;
    }
    let whole = learned
        .complete_below
        .as_deref()
        .is_some_and(|p| matches!(p, "Device." | "InternetGatewayDevice."));
    if changed || new {
        parameters::put(conn, device_id, &doc, whole, now).await?;
    } else if whole {
        parameters::touch(conn, device_id, now).await?;
    }
    if !counters.is_empty() {
        parameters::merge_counters(conn, device_id, &counters, now).await?;
    }
    Ok(())
}

/// Whether a crash file was written between two readings of when the last one was. Pure.
fn crashed(was: &str, is: &str) -> bool {
    let time = |text: &str| {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        (at.year() > 1).then_some(at)
    };
    time(is).is_some_and(|is| time(was).is_none_or(|was| is > was))
}

/// Writes the secrets that are news, and forgets those whose parameter is gone. A bootstrap forgets
/// none: RouterOS bootstraps also when only its ACS is another, and never tells a password again.
async fn store_secrets(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    learned: &Learned,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let told = secrets(learned);
    if told.is_empty() && learned.removed.is_none() && learned.complete_below.is_none() {
        return Ok(());
    }
    let known = device_secrets::all(conn, device_id).await?;
    let mut gone = gone(learned, known.keys());
    let mut room = MAX_SECRETS.saturating_sub(known.len());
    let mut news = Vec::new();
    for (name, value) in told {
        let context = context(device_id, name);
        match (value, known.get(name)) {
            (None, None) => {}
            (None, Some(_)) => gone.push(name.to_owned()),
            (Some(value), Some(sealed)) => {
                if keys.open(sealed, &context).ok().as_deref() != Some(value) {
                    news.push((name.to_owned(), keys.seal(value, &context)));
                }
            }
            (Some(value), None) if room > 0 => {
                room -= 1;
                news.push((name.to_owned(), keys.seal(value, &context)));
            }
            // It has as many as it may.
            (Some(_), None) => {}
        }
    }
    if !gone.is_empty() {
        device_secrets::remove(conn, device_id, &gone).await?;
    }
    if !news.is_empty() {
        device_secrets::put_many(conn, device_id, news, now).await?;
    }
    Ok(())
}

/// The value of a secret parameter in clear, if it is known.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`] when it was sealed with another key.
pub async fn known_secret(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    name: &str,
) -> Result<Option<String>, Error> {
    match device_secrets::get(conn, device_id, name).await? {
        Some(sealed) => Ok(Some(keys.open(&sealed, &context(device_id, name))?)),
        None => Ok(None),
    }
}

/// A sealed value opens only as this parameter of this device.
fn context(device_id: Uuid, name: &str) -> String {
    format!("{device_id} {name}")
}

/// What was learned of secrets, by name; `None` = it has none any more. An empty answer says
/// nothing: that is how devices hide a password. An empty value that a device took says what it
/// says.
fn secrets(learned: &Learned) -> BTreeMap<&str, Option<&str>> {
    let mut out = BTreeMap::new();
    for v in learned.values.iter().filter(|v| is_kept(v) && !is_hidden(&v.value)) {
        out.insert(v.name.as_str(), Some(v.value.as_str()));
    }
    for v in learned.written.iter().filter(|v| is_kept(v)) {
        out.insert(v.name.as_str(), (!v.value.is_empty()).then_some(v.value.as_str()));
    }
    out
}

fn is_kept(v: &ParameterValue) -> bool {
    is_secret(&v.name) && v.name.len() <= MAX_NAME && v.value.len() <= MAX_SECRET
}

/// Whether a device shows this in place of what it does not tell.
fn is_hidden(value: &str) -> bool {
    value == "(null)" || value.chars().all(|c| matches!(c, '*' | '•'))
}

/// Those whose parameter is gone: deleted, or absent from what was read completely.
fn gone<'n>(learned: &Learned, known: impl Iterator<Item = &'n String>) -> Vec<String> {
    let values = learned.values.iter().map(|v| v.name.as_str());
    let infos = learned.infos.iter().map(|i| i.name.as_str());
    let seen: HashSet<&str> = values.chain(infos).filter(|name| is_secret(name)).collect();
    let below = |path: &Option<String>, name: &str| {
        path.as_deref().is_some_and(|path| name.starts_with(path))
    };
    known
        .filter(|name| {
            let name = name.as_str();
            below(&learned.removed, name)
                || (below(&learned.complete_below, name) && !seen.contains(name))
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_cwmp::rpc::ParameterInfo;

    fn values(list: &[(&str, &str)]) -> Vec<ParameterValue> {
        list.iter().map(|(n, v)| ParameterValue::string(*n, *v)).collect()
    }

    #[test]
    fn only_news_changes_the_document_and_only_news_gets_a_new_time() {
        let (mut doc, mut counters) = (Document::new(), Counters::new());
        let learned = Learned {
            values: values(&[("Device.A", "1"), ("Device.DeviceInfo.UpTime", "5")]),
            infos: vec![ParameterInfo { name: "Device.A".into(), writable: true }],
            ..Learned::default()
        };
        assert!(merge(&mut doc, &mut counters, &learned, 100));
        assert!(!merge(&mut doc, &mut counters, &learned, 200));
        assert_eq!((doc["Device.A"].at, doc["Device.A"].writable), (100, Some(true)));
        assert!(!doc.contains_key("Device.DeviceInfo.UpTime"));
        assert_eq!(counters["Device.DeviceInfo.UpTime"], "5");
    }

    #[test]
    fn a_complete_read_forgets_what_is_gone_and_a_partial_one_does_not() {
        let (mut doc, mut counters) = (Document::new(), Counters::new());
        let first = Learned {
            values: values(&[("Device.A.1", "x"), ("Device.B", "y")]),
            ..Learned::default()
        };
        merge(&mut doc, &mut counters, &first, 1);
        let partial = Learned { values: values(&[("Device.A.2", "x")]), ..Learned::default() };
        merge(&mut doc, &mut counters, &partial, 2);
        assert_eq!(doc.len(), 3);
        let whole = Learned { complete_below: Some("Device.A.".into()), ..partial };
        assert!(merge(&mut doc, &mut counters, &whole, 3));
        let names: Vec<_> = doc.keys().map(String::as_str).collect();
        assert_eq!(names, ["Device.A.2", "Device.B"]);
    }

    #[test]
    fn a_crash_is_a_later_time_than_the_one_before() {
        let (never, first, second) =
            ("0001-01-01T00:00:00Z", "2026-11-22T09:30:00Z", "2026-11-23T09:30:00Z");
        for (was, is, expected) in [
            (never, never, false),
            (never, first, true),
            ("", first, true),
            (first, first, false),
            (first, second, true),
            (second, first, false),
            (first, never, false),
            (first, "", false),
            (first, "yesterday", false),
        ] {
            assert_eq!(crashed(was, is), expected, "{was} to {is}");
        }
    }

    const SECRET: &str = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";

    #[test]
    fn a_secret_is_learned_when_it_is_told_or_taken_and_an_empty_answer_says_nothing() {
        let read = |value| Learned { values: values(&[(SECRET, value)]), ..Learned::default() };
        let set = |value| Learned { written: values(&[(SECRET, value)]), ..Learned::default() };
        for (learned, known) in [
            (read("hunter2"), Some(Some("hunter2"))),
            (read(""), None),
            (read("********"), None),
            (read("****"), None),
            (read("(null)"), None),
            (set("hunter2"), Some(Some("hunter2"))),
            (set(""), Some(None)),
        ] {
            assert_eq!(secrets(&learned).get(SECRET).copied(), known, "{learned:?}");
        }
        let open = Learned { values: values(&[("Device.A", "1")]), ..Learned::default() };
        assert!(secrets(&open).is_empty());
        let long = "x".repeat(MAX_SECRET + 1);
        assert!(secrets(&read(&long)).is_empty());
    }

    #[test]
    fn a_secret_goes_with_its_parameter() {
        let known = [SECRET.to_owned()];
        let below = || Some("Device.WiFi.".to_owned());
        let is_gone = |learned: &Learned| !gone(learned, known.iter()).is_empty();
        assert!(!is_gone(&Learned::default()));
        assert!(is_gone(&Learned { removed: below(), ..Learned::default() }));
        assert!(is_gone(&Learned { complete_below: below(), ..Learned::default() }));
        let hidden = Learned {
            values: values(&[(SECRET, "")]),
            complete_below: below(),
            ..Learned::default()
        };
        assert!(!is_gone(&hidden));
        let named = Learned {
            infos: vec![ParameterInfo { name: SECRET.into(), writable: true }],
            complete_below: below(),
            ..Learned::default()
        };
        assert!(!is_gone(&named));
        let elsewhere = Learned { removed: Some("Device.IP.".into()), ..Learned::default() };
        assert!(!is_gone(&elsewhere));
    }

    #[test]
    fn the_value_of_a_secret_is_not_in_the_document() {
        let (mut doc, mut counters) = (Document::new(), Counters::new());
        let learned = Learned {
            written: values(&[("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "hunter2")]),
            ..Learned::default()
        };
        merge(&mut doc, &mut counters, &learned, 1);
        assert!(!format!("{doc:?}").contains("hunter2"));
        assert_eq!(doc.len(), 1);
    }
}
