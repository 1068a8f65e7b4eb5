//! Putting what a session learned into a device's document.

use chrono::{DateTime, Utc};
use muster_cwmp::value::ParameterValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::{Facts, is_volatile};
use super::secret::is_secret;
use crate::error::Error;
use crate::jobs::machine::Learned;
use crate::store::devices;
use crate::store::parameters::{self, Counters, Document, Entry};

/// Parameters a document may hold; more are not kept (and said so in the log).
pub const MAX_PARAMETERS: usize = 50_000;

/// Merges what was learned; true = the document changed. Pure.
pub fn merge(doc: &mut Document, counters: &mut Counters, learned: &Learned, at: i64) -> bool {
    let mut changed = false;
    if let Some(path) = &learned.removed {
        let before = doc.len();
        doc.retain(|name, _| !name.starts_with(path.as_str()));
        changed |= doc.len() != before;
    }
    if let Some(path) = &learned.complete_below {
        let seen: std::collections::HashSet<&str> =
            learned.values.iter().map(|v| v.name.as_str()).collect();
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
    if is_volatile(&value.name) {
        if counters.len() < MAX_PARAMETERS {
            counters.insert(value.name.clone(), value.value.clone());
        }
        return false;
    }
    // A secret's value is nobody's business here; that it exists is.
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
    device_id: Uuid,
    learned: &Learned,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if *learned == Learned::default() {
        return Ok(());
    }
    let facts = Facts::from_parameters(&learned.values);
    if facts != Facts::default() || learned.methods.is_some() {
        devices::learn_facts(conn, device_id, &facts, learned.methods.as_deref(), now).await?;
    }
    let known = parameters::lock(conn, device_id).await?;
    let new = known.is_none();
    let mut doc = known.unwrap_or_default();
    let mut counters = Counters::new();
    let changed = merge(&mut doc, &mut counters, learned, now.timestamp());
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
    fn the_value_of_a_secret_is_not_kept() {
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
