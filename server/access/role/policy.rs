//! What the support view shows by a role, and lets be changed, and to which values. Pure.
//!
//! Owns what holds for somebody with several roles: what any one of them lets, never what one lets
//! with the values of another.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::fleet::selector::Glob;

/// Characters of a Wi-Fi password (IEEE 802.11 J.4.1): one of 64 would be a key.
pub const LEAST_WIFI_PASSWORD: u8 = 8;
/// The most of them.
pub const MOST_WIFI_PASSWORD: u8 = 63;

/// Characters of a policy's notes.
const MAX_NOTES: usize = 4_000;
/// Names of parameters in a policy's list, and characters in one.
const MAX_NAMES: usize = 200;
const MAX_NAME: usize = 256;
/// Allowed values in a policy's list, and characters in one: a host has 253 at most.
const MAX_VALUES: usize = 50;
const MAX_VALUE: usize = 253;

/// What the support view shows, and lets be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SupportPolicy {
    /// Names of parameters that are not shown.
    pub hidden: Vec<String>,
    /// Names of parameters that are shown and cannot be changed.
    pub read_only: Vec<String>,
    /// What agents read beside the device.
    pub notes: String,
    /// Whether a device may be rebooted.
    pub allow_reboot: bool,
    /// Whether the Wi-Fi's name and password may be changed.
    pub allow_wifi: bool,
    /// Whether a device may be told to ping.
    pub allow_ping: bool,
    /// Names that a Wi-Fi network may be given: patterns as in selectors, where `*` stands for any
    /// text and the case of A to Z does not matter. Empty = any.
    pub wifi_names: Vec<String>,
    /// Characters that a new Wi-Fi password has at least, 8 to 63.
    #[schema(minimum = 8, maximum = 63)]
    pub min_wifi_password: u8,
    /// Hosts that a device may be told to ping, by name or address. Empty = any.
    pub ping_hosts: Vec<String>,
}

/// As shipped.
impl Default for SupportPolicy {
    fn default() -> Self {
        Self {
            hidden: Vec::new(),
            read_only: Vec::new(),
            notes: String::new(),
            allow_reboot: true,
            allow_wifi: true,
            allow_ping: true,
            wifi_names: Vec::new(),
            min_wifi_password: LEAST_WIFI_PASSWORD,
            ping_hosts: Vec::new(),
        }
    }
}

impl SupportPolicy {
    /// The stored one; what cannot be read allows nothing.
    pub fn stored(value: Option<&serde_json::Value>) -> Self {
        let Some(value) = value else { return Self::default() };
        serde_json::from_value(value.clone()).unwrap_or_else(|_| Self {
            allow_reboot: false,
            allow_wifi: false,
            allow_ping: false,
            ..Self::default()
        })
    }

    /// Refuses what no policy can be.
    ///
    /// # Errors
    /// [`Error::Invalid`] below `/support`.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (field, names) in [("hidden", &self.hidden), ("read_only", &self.read_only)] {
            if names.len() > MAX_NAMES || !names.iter().all(|name| has_length(name, MAX_NAME)) {
                let why = format!("at most {MAX_NAMES} names of 1 to {MAX_NAME} characters");
                return Err(Error::invalid(format!("/support/{field}"), why));
            }
        }
        if self.notes.chars().count() > MAX_NOTES {
            let why = format!("at most {MAX_NOTES} characters");
            return Err(Error::invalid("/support/notes", why));
        }
        let is_name = |name: &str| !name.chars().any(char::is_control);
        check_values("wifi_names", "names", &self.wifi_names, is_name)?;
        check_values("ping_hosts", "host names or IP addresses", &self.ping_hosts, is_host)?;
        if !(LEAST_WIFI_PASSWORD..=MOST_WIFI_PASSWORD).contains(&self.min_wifi_password) {
            let why = format!("{LEAST_WIFI_PASSWORD} to {MOST_WIFI_PASSWORD} characters");
            return Err(Error::invalid("/support/min_wifi_password", why));
        }
        Ok(())
    }
}

fn has_length(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
}

fn check_values(
    field: &str,
    what: &str,
    values: &[String],
    is_good: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let good = |value: &String| has_length(value, MAX_VALUE) && is_good(value);
    if values.len() <= MAX_VALUES && values.iter().all(good) {
        return Ok(());
    }
    let why = format!("at most {MAX_VALUES} {what} of 1 to {MAX_VALUE} characters");
    Err(Error::invalid(format!("/support/{field}"), why))
}

/// Whether it has only what hosts are made of, so that it is no pattern: `192.0.2.*` would allow
/// names of strangers, too.
fn is_host(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b))
}

/// What the roles of somebody show and let at a place: what any of them does there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies(Vec<SupportPolicy>);

/// As shipped.
impl Default for Policies {
    fn default() -> Self {
        Self::from(SupportPolicy::default())
    }
}

impl From<SupportPolicy> for Policies {
    fn from(policy: SupportPolicy) -> Self {
        Self(vec![policy])
    }
}

/// Of several roles; of none as shipped.
impl FromIterator<SupportPolicy> for Policies {
    fn from_iter<I: IntoIterator<Item = SupportPolicy>>(policies: I) -> Self {
        let policies: Vec<SupportPolicy> = policies.into_iter().collect();
        if policies.is_empty() { Self::default() } else { Self(policies) }
    }
}

impl Policies {
    /// Each role's.
    pub fn each(&self) -> impl Iterator<Item = &SupportPolicy> {
        self.0.iter()
    }

    /// Names of parameters that are not shown: those that each role hides.
    pub fn hidden(&self) -> Vec<String> {
        let Some((first, others)) = self.0.split_first() else { return Vec::new() };
        let by_all = |name: &&String| others.iter().all(|other| other.hidden.contains(name));
        first.hidden.iter().filter(by_all).cloned().collect()
    }

    /// What agents read beside the device.
    pub fn notes(&self) -> String {
        let mut notes: Vec<&str> = Vec::new();
        for policy in self.each() {
            if !policy.notes.is_empty() && !notes.contains(&policy.notes.as_str()) {
                notes.push(&policy.notes);
            }
        }
        notes.join("\n\n")
    }

    /// Whether a device may be rebooted.
    pub fn may_reboot(&self) -> bool {
        self.each().any(|policy| policy.allow_reboot)
    }

    /// The hosts that a device may be told to ping, an empty list for any; `None` = it may not.
    pub fn ping_hosts(&self) -> Option<Vec<String>> {
        any_of(self.each().filter(|policy| policy.allow_ping).map(|policy| &policy.ping_hosts))
    }
}

/// The values that any of these lists allows, of which an empty one allows all; `None` = there is no
/// list.
pub fn any_of<'a>(lists: impl Iterator<Item = &'a Vec<String>>) -> Option<Vec<String>> {
    lists.cloned().reduce(|mut one, other| {
        if one.is_empty() || other.is_empty() {
            return Vec::new();
        }
        for value in other {
            if !one.contains(&value) {
                one.push(value);
            }
        }
        one
    })
}

/// Refuses a value that a list does not allow; an empty list allows all.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`, with what is allowed.
pub fn check_allowed(list: &[String], pointer: &str, value: &str) -> Result<(), Error> {
    if list.is_empty() || list.iter().any(|one| Glob::new(one).matches(value)) {
        return Ok(());
    }
    Err(Error::invalid(pointer, format!("your role allows: {}", in_words(list))))
}

/// A list of allowed values for people.
pub fn in_words(list: &[String]) -> String {
    let values = list.join(", ");
    if list.iter().any(|value| is_pattern(value)) {
        return format!("{values} (* stands for any text)");
    }
    values
}

/// Whether a list of allowed values names each of them, so that one can be chosen.
pub fn is_choice(list: &[String]) -> bool {
    !list.is_empty() && !list.iter().any(|value| is_pattern(value))
}

fn is_pattern(value: &str) -> bool {
    value.contains(['*', '?', '\\'])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn an_old_policy_is_read_and_one_that_is_not_understood_allows_nothing() {
        let before = json!({ "hidden": ["a"], "allow_ping": false });
        let policy = SupportPolicy::stored(Some(&before));
        assert_eq!((policy.min_wifi_password, policy.wifi_names.len()), (8, 0));
        assert!(policy.allow_wifi && !policy.allow_ping && policy.hidden == ["a"]);
        for broken in [
            json!({ "allow_reboot": "yes" }),
            json!({ "min_wifi_password": 256 }),
            json!({ "wifi_name": ["Home"] }),
        ] {
            let nothing = SupportPolicy::stored(Some(&broken));
            let any = nothing.allow_reboot || nothing.allow_wifi || nothing.allow_ping;
            assert!(!any, "{broken}");
        }
    }

    #[test]
    fn a_policy_is_checked() {
        let good = SupportPolicy {
            wifi_names: list(&["Home*", "Bērziņi"]),
            min_wifi_password: 63,
            ping_hosts: list(&["192.0.2.1", "2001:db8::1", "www.example.com"]),
            ..SupportPolicy::default()
        };
        good.check().unwrap();
        let base = SupportPolicy::default;
        for (place, bad) in [
            ("hidden", SupportPolicy { hidden: list(&[""]), ..base() }),
            ("read_only", SupportPolicy { read_only: vec!["x".repeat(257)], ..base() }),
            ("notes", SupportPolicy { notes: "x".repeat(MAX_NOTES + 1), ..base() }),
            ("wifi_names", SupportPolicy { wifi_names: list(&["a\nb"]), ..base() }),
            ("wifi_names", SupportPolicy { wifi_names: vec!["x".to_owned(); 51], ..base() }),
            ("min_wifi_password", SupportPolicy { min_wifi_password: 7, ..base() }),
            ("min_wifi_password", SupportPolicy { min_wifi_password: 64, ..base() }),
            ("ping_hosts", SupportPolicy { ping_hosts: list(&["192.0.2.*"]), ..base() }),
            ("ping_hosts", SupportPolicy { ping_hosts: list(&[""]), ..base() }),
        ] {
            let Err(Error::Invalid { pointer, .. }) = bad.check() else { panic!("{place}") };
            assert_eq!(pointer, format!("/support/{place}"));
        }
    }

    #[test]
    fn a_value_is_one_of_those_that_are_allowed() {
        let refused =
            |values: &[&str], value: &str| match check_allowed(&list(values), "/name", value) {
                Err(Error::Invalid { message, .. }) => message,
                other => panic!("{value}: {other:?}"),
            };
        let allowed: [(&[&str], &str); 4] = [
            (&[], "anything"),
            (&["1", "6"], "6"),
            (&["Home*", "Guest"], "home 7"),
            (&["Home*", "Guest"], "Guest"),
        ];
        for (values, value) in allowed {
            assert!(check_allowed(&list(values), "/name", value).is_ok(), "{values:?} {value}");
        }
        assert_eq!(refused(&["1", "6", "11"], "7"), "your role allows: 1, 6, 11");
        let words = "your role allows: Home*, Guest (* stands for any text)";
        assert_eq!(refused(&["Home*", "Guest"], "My Home"), words);
        assert!(is_choice(&list(&["1", "6"])));
        assert!(!is_choice(&list(&["1", "Home*"])) && !is_choice(&[]));
    }

    #[test]
    fn a_second_role_allows_its_own_values_and_no_others() {
        let of = |allow_ping: bool, hosts: &[&str]| SupportPolicy {
            allow_ping,
            ping_hosts: list(hosts),
            ..SupportPolicy::default()
        };
        let hosts = |policies: [SupportPolicy; 2]| Policies::from_iter(policies).ping_hosts();
        assert_eq!(
            hosts([of(true, &["a", "b"]), of(true, &["b", "c"])]),
            Some(list(&["a", "b", "c"]))
        );
        assert_eq!(hosts([of(true, &["a"]), of(true, &[])]), Some(Vec::new()), "any");
        assert_eq!(hosts([of(true, &["a"]), of(false, &[])]), Some(list(&["a"])), "not any");
        assert_eq!(hosts([of(false, &[]), of(false, &["a"])]), None);
        assert_eq!(Policies::from_iter([]), Policies::default());
    }
}
