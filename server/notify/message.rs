//! What is told: a document for a program, a text for a person. Pure.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::kind::{Kind, TEST};
use crate::store::deliveries::Due;

/// Events that a mail tells one by one; of more it tells how many there are.
const LINES: usize = 200;
/// Characters of what an event says for itself.
const MAX_WORDS: usize = 500;

/// What is posted.
pub(super) fn document(due: &Due) -> Value {
    json!({
        "id": due.delivery_id,
        "kind": due.kind,
        "at": due.at,
        "device": device(due),
        "detail": due.detail,
    })
}

fn device(due: &Due) -> Value {
    let Some(device_id) = due.device_id else { return Value::Null };
    json!({
        "device_id": device_id,
        "serial": due.serial,
        "oui": due.oui,
        "manufacturer": due.manufacturer,
        "product_class": due.product_class,
        "model": due.model,
        "identity": due.identity,
        "version": due.software_version,
        "site": due.site,
        "customer": due.customer,
        "tags": due.tags,
    })
}

/// What a mail about these events is about.
pub(super) fn subject(due: &[Due]) -> String {
    match due {
        [one] => format!("[Muster] {}: {}", one.kind, about(one)),
        many => format!("[Muster] {}", counted(many)),
    }
}

/// What a mail says; `base` is what browsers call this server.
pub(super) fn text(due: &[Due], base: Option<&str>) -> String {
    let mut text = String::new();
    for one in due.iter().take(LINES) {
        text.push_str(&paragraph(one, base));
        text.push('\n');
    }
    if due.len() > LINES {
        text.push_str(&format!("And more: {}.\n\n", counted(&due[LINES..])));
    }
    text.push_str("You get this as a webhook of Muster tells this address of such events.\n");
    text
}

/// `3 device.offline, 1 device.online`.
fn counted(due: &[Due]) -> String {
    let words = Kind::ALL.map(Kind::word).into_iter().chain([TEST]);
    let counts = words.filter_map(|word| {
        let count = due.iter().filter(|one| one.kind == word).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn paragraph(due: &Due, base: Option<&str>) -> String {
    let meaning = match due.kind.parse::<Kind>() {
        Ok(kind) => kind.meaning(),
        Err(_) => "This webhook was tried",
    };
    let mut lines = vec![format!("{meaning}: {}", about(due)), format!("  at: {}", exact(due.at))];
    let mut line = |label: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(format!("  {label}: {}", plain(value, MAX_WORDS)));
        }
    };
    line("site", due.site.as_deref());
    line("customer", due.customer.as_deref());
    line("version", due.software_version.as_deref());
    for field in ["kind", "from", "to", "reason", "note", "text", "silent_since"] {
        line(&field.replace('_', " "), due.detail[field].as_str());
    }
    if let (Some(base), Some(device_id), Some(_)) = (base, due.device_id, &due.serial) {
        lines.push(format!("  {base}/devices/{device_id}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Whom or what an event is about, in a few words.
fn about(due: &Due) -> String {
    let Some(device_id) = due.device_id else {
        let words = due.detail["name"].as_str().or(due.detail["text"].as_str());
        return plain(words.unwrap_or("a try"), 100);
    };
    let Some(serial) = &due.serial else { return format!("device {device_id}, removed since") };
    match due.identity.as_deref().filter(|identity| !identity.is_empty()) {
        Some(identity) => plain(&format!("{serial} ({identity})"), 100),
        None => plain(serial, 100),
    }
}

fn exact(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A text on one line, as devices may say anything.
fn plain(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(most).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn due(kind: &str, serial: Option<&str>) -> Due {
        Due {
            delivery_id: Uuid::from_u128(1),
            kind: kind.to_owned(),
            device_id: Some(Uuid::from_u128(2)),
            at: DateTime::UNIX_EPOCH,
            detail: json!({ "silent_since": "1970-01-01T00:00:00Z", "seconds": 960 }),
            attempts: 1,
            serial: serial.map(str::to_owned),
            oui: Some("E48D8C".to_owned()),
            manufacturer: Some("MikroTik".to_owned()),
            product_class: None,
            model: None,
            identity: Some("attic\r\nBcc: all@isp.example".to_owned()),
            software_version: Some("7.16.1".to_owned()),
            site: Some("eu.lv".to_owned()),
            customer: None,
            tags: Some(Vec::new()),
        }
    }

    #[test]
    fn a_document_names_event_and_device() {
        let told = document(&due("device.offline", Some("S1")));
        assert_eq!(told["id"], Uuid::from_u128(1).to_string());
        assert_eq!(
            (&told["kind"], &told["at"]),
            (&json!("device.offline"), &json!("1970-01-01T00:00:00Z"))
        );
        assert_eq!(
            (&told["device"]["serial"], &told["device"]["site"]),
            (&json!("S1"), &json!("eu.lv"))
        );
        assert_eq!(told["detail"]["seconds"], 960);
        let of_none = Due { device_id: None, ..due("rollout.state", None) };
        assert_eq!(document(&of_none)["device"], Value::Null);
    }

    #[test]
    fn a_mail_of_one_event_is_about_its_device_and_stays_on_its_lines() {
        let one = [due("device.offline", Some("S1"))];
        let subject = subject(&one);
        assert!(subject.starts_with("[Muster] device.offline: S1 (attic"), "{subject}");
        assert!(!subject.contains(['\r', '\n']), "{subject:?}");
        let text = text(&one, Some("https://muster.example"));
        assert!(text.starts_with("A device is not heard of any more: S1"), "{text}");
        let link = format!("https://muster.example/devices/{}", Uuid::from_u128(2));
        assert!(text.contains("  site: eu.lv\n") && text.contains(&link), "{text}");
        assert!(!text.contains("\nBcc"), "{text}");
        assert!(about(&due("device.offline", None)).contains("removed since"));
    }

    #[test]
    fn a_mail_of_many_events_does_not_tell_all_of_them() {
        let mut many = vec![due("device.offline", Some("S1")); LINES + 9];
        many.push(due("device.online", Some("S2")));
        assert_eq!(
            subject(&many),
            format!("[Muster] {} device.offline, 1 device.online", LINES + 9)
        );
        let text = text(&many, None);
        assert!(text.contains("And more: 9 device.offline, 1 device.online."), "{text}");
        assert_eq!(text.matches("A device is not heard of").count(), LINES);
    }
}
