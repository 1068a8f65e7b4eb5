//! What of a device's data model an agent is shown: all but what their role hides, and no secret.
//! Pure.
//!
//! What is hidden is taken away before anything is looked for: so nothing can be shown or changed
//! by way of it.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::fleet::reading::Reading;
pub(super) use crate::fleet::reading::as_object;
#[cfg(test)]
pub(super) use crate::fleet::reading::sample;
use crate::store::parameters::{Counters, Document};

/// A device's parameters without those that are hidden.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    document: Document,
    counters: Counters,
}

impl Seen {
    /// What is left of them without the `hidden` ones.
    pub(super) fn new(mut document: Document, mut counters: Counters, hidden: &[String]) -> Self {
        document.retain(|name, _| !covers(hidden, name));
        counters.retain(|name, _| !covers(hidden, name));
        Self { document, counters }
    }

    /// Whether the device has this parameter.
    pub(super) fn has(&self, name: &str) -> bool {
        self.document.contains_key(name)
    }

    /// Whether it can be written, as far as the device told.
    pub(super) fn is_writable(&self, name: &str) -> bool {
        self.document.get(name).is_some_and(|entry| entry.writable != Some(false))
    }

    /// What is left, to be read.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading::new(&self.document, Some(&self.counters))
    }

    /// A value; of a secret there is none, nor where it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.reading().text(name)
    }

    /// A value that is a number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.reading().number(name)
    }

    /// A value that is yes or no.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.reading().flag(name)
    }

    /// The numbers of a table's rows, in order.
    pub(super) fn rows(&self, table: &str) -> BTreeSet<u32> {
        self.reading().rows(table)
    }
}

/// Whether one of a role's names stands for a parameter: it is that one, or ends in a dot and is
/// above it. `{i}` and `*` stand for the number of any row.
pub(super) fn covers(names: &[String], parameter: &str) -> bool {
    names.iter().any(|name| stands_for(name, parameter))
}

fn stands_for(pattern: &str, parameter: &str) -> bool {
    let (pattern, above) = match pattern.strip_suffix('.') {
        Some(path) => (path, true),
        None => (pattern, false),
    };
    let mut parts = parameter.split('.');
    for part in pattern.split('.') {
        let same = parts.next().is_some_and(|found| {
            let row = !found.is_empty() && found.bytes().all(|b| b.is_ascii_digit());
            found == part || (row && matches!(part, "{i}" | "*"))
        });
        if !same {
            return false;
        }
    }
    parts.next().is_some() == above
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "Device.WiFi.AccessPoint.12.Security.KeyPassphrase";

    fn seen(hidden: &[&str]) -> Seen {
        let (document, counters) = sample(&[
            ("Device.WiFi.SSID.2.SSID", "Attic"),
            ("Device.WiFi.SSID.2.Enable", "true"),
            ("Device.WiFi.SSID.153.SSID", " "),
            ("Device.WiFi.SSIDNumberOfEntries", "2"),
            ("Device.DeviceInfo.UpTime", "77"),
            (KEY, "hunter2"),
        ]);
        let hidden: Vec<String> = hidden.iter().map(|name| (*name).to_owned()).collect();
        Seen::new(document, counters, &hidden)
    }

    #[test]
    fn a_secret_is_there_and_has_no_value() {
        let seen = seen(&[]);
        assert_eq!(seen.text("Device.WiFi.SSID.2.SSID"), Some("Attic"));
        assert_eq!((seen.text(KEY), seen.has(KEY), seen.is_writable(KEY)), (None, true, true));
    }

    #[test]
    fn what_is_hidden_is_not_there() {
        let seen = seen(&["Device.WiFi.AccessPoint.", "Device.DeviceInfo.UpTime"]);
        assert!(!seen.has(KEY) && seen.has("Device.WiFi.SSID.2.SSID"));
        assert_eq!(seen.text("Device.DeviceInfo.UpTime"), None);
    }

    #[test]
    fn a_name_of_a_role_stands_for_rows_of_every_number() {
        let names = |pattern: &str| covers(&[pattern.to_owned()], KEY);
        for yes in [
            KEY,
            "Device.WiFi.",
            "Device.WiFi.AccessPoint.{i}.Security.KeyPassphrase",
            "Device.WiFi.AccessPoint.*.",
        ] {
            assert!(names(yes), "{yes}");
        }
        for no in [
            "",
            ".",
            "Device.WiFi",
            "Device.WiFi.AccessPoint.1.Security.KeyPassphrase",
            "Device.*.AccessPoint.12.Security.KeyPassphrase",
            "Device.WiFi.AccessPoint.12.Security.KeyPassphrase.",
            "Device.WiFi.AccessPoint.12.Security",
        ] {
            assert!(!names(no), "{no}");
        }
    }
}
