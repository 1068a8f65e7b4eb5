//! Reading a device's data model as it was last told. Pure.
//!
//! Owns that a secret has no value here, and that a table has the rows that the device told last: of
//! rows that are gone, counters are still there.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::secret::is_secret;
use crate::store::parameters::{Counters, Document};

/// What a device told of itself.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    document: &'a Document,
    counters: Option<&'a Counters>,
}

impl<'a> Reading<'a> {
    /// Of these parameters, with what was counted, if anything was.
    pub fn new(document: &'a Document, counters: Option<&'a Counters>) -> Self {
        Self { document, counters }
    }

    /// Whether it told nothing.
    pub fn is_empty(self) -> bool {
        self.document.is_empty()
    }

    /// A value; of a secret there is none, nor where it is empty.
    pub fn text(self, name: &str) -> Option<&'a str> {
        if is_secret(name) {
            return None;
        }
        let value = match self.document.get(name) {
            Some(entry) => Some(entry.value.as_str()),
            None => self.counters.and_then(|counters| counters.get(name)).map(String::as_str),
        };
        value.map(str::trim).filter(|value| !value.is_empty())
    }

    /// A value that is a number.
    pub fn number<T: FromStr>(self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// A value that is yes or no.
    pub fn flag(self, name: &str) -> Option<bool> {
        match self.text(name)? {
            "1" | "true" | "True" => Some(true),
            "0" | "false" | "False" => Some(false),
            _ => None,
        }
    }

    /// The numbers of a table's rows, in order. They are sparse on RouterOS.
    pub fn rows(self, table: &str) -> BTreeSet<u32> {
        let below = self.document.range(table.to_owned()..);
        below
            .take_while(|(name, _)| name.starts_with(table))
            .filter_map(|(name, _)| name[table.len()..].split_once('.')?.0.parse().ok())
            .collect()
    }

    /// The rows of a table, each as the path of its object.
    pub fn objects(self, table: &str) -> Vec<String> {
        self.rows(table).into_iter().map(|row| format!("{table}{row}.")).collect()
    }
}

/// A reference to an object, such as a value of `SSIDReference`, as its path: some devices leave out
/// the dot at its end.
pub fn as_object(reference: &str) -> String {
    format!("{}.", reference.trim().trim_end_matches('.'))
}

/// Parameters as a device would have told them, all of them strings that can be written.
#[cfg(test)]
pub(crate) fn sample(parameters: &[(&str, &str)]) -> (Document, Counters) {
    use super::facts::is_volatile;
    use crate::store::parameters::Entry;
    use muster_cwmp::value::ValueType;

    let (mut document, mut counters) = (Document::new(), Counters::new());
    for (name, value) in parameters {
        if is_volatile(name) && !is_secret(name) {
            counters.insert((*name).to_owned(), (*value).to_owned());
            continue;
        }
        let value = if is_secret(name) { String::new() } else { (*value).to_owned() };
        let entry = Entry { value, kind: ValueType::String, writable: Some(true), at: 0 };
        document.insert((*name).to_owned(), entry);
    }
    (document, counters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "Device.WiFi.AccessPoint.12.Security.KeyPassphrase";

    #[test]
    fn values_are_read_from_both_places_and_secrets_from_none() {
        let (document, counters) = sample(&[
            ("Device.WiFi.SSID.2.SSID", "Attic"),
            ("Device.WiFi.SSID.2.Enable", "true"),
            ("Device.WiFi.SSID.153.SSID", " "),
            ("Device.WiFi.SSIDNumberOfEntries", "2"),
            ("Device.DeviceInfo.UpTime", "77"),
            (KEY, "hunter2"),
        ]);
        let reading = Reading::new(&document, Some(&counters));
        assert_eq!(reading.text("Device.WiFi.SSID.2.SSID"), Some("Attic"));
        assert_eq!(reading.text("Device.WiFi.SSID.153.SSID"), None);
        assert_eq!(reading.number::<u64>("Device.DeviceInfo.UpTime"), Some(77));
        assert_eq!(reading.flag("Device.WiFi.SSID.2.Enable"), Some(true));
        assert_eq!(reading.text(KEY), None);
        let rows: Vec<u32> = reading.rows("Device.WiFi.SSID.").into_iter().collect();
        assert_eq!(rows, [2, 153]);
        let objects = reading.objects("Device.WiFi.SSID.");
        assert_eq!(objects, ["Device.WiFi.SSID.2.", "Device.WiFi.SSID.153."]);
        assert_eq!(Reading::new(&document, None).text("Device.DeviceInfo.UpTime"), None);
    }

    #[test]
    fn references_are_paths_with_or_without_their_last_dot() {
        assert_eq!(as_object("Device.WiFi.SSID.2"), "Device.WiFi.SSID.2.");
        assert_eq!(as_object(" Device.WiFi.SSID.2."), "Device.WiFi.SSID.2.");
    }
}
