//! Desired state in words: the states of devices and sweeps, and what is wanted. Pure.

use serde::Serialize;
use serde_json::Value;

use crate::fleet::profile::{Backup, Desired, Mode, Tolerance, Wanted};
use crate::fleet::secret::is_secret;
use crate::web::format::grouped;
use crate::web::manage::Fact;

/// What stands for a secret.
const SECRET: &str = "a secret";

/// How far a device is from what is wanted: a word of the style sheet, and as people say it.
pub(in crate::web) fn state(state: &str) -> (&'static str, &'static str) {
    match state {
        "in_sync" => ("good", "as it is wanted"),
        "pending" => ("busy", "being mended"),
        "drifted" => ("warn", "differs"),
        "blocked" => ("failed", "blocked"),
        _ => ("none", "not managed"),
    }
}

/// The same of a sweep.
pub(in crate::web) fn sweep(state: &str) -> (&'static str, &'static str) {
    match state {
        "running" => ("running", "under way"),
        "paused" => ("warn", "paused"),
        "done" => ("done", "done"),
        _ => ("cancelled", "called off"),
    }
}

/// So many devices.
pub(in crate::web) fn devices(count: i64) -> String {
    format!("{} device{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// What the value of a parameter is to be.
pub(in crate::web) fn is_to_be(name: &str, wanted: &Wanted) -> String {
    match (&wanted.value, &wanted.variable) {
        (Some(_), _) if is_secret(name) => SECRET.to_owned(),
        (Some(value), _) if value.is_empty() => "empty".to_owned(),
        (Some(value), _) => value.clone(),
        (None, Some(variable)) => format!("the variable {variable}"),
        (None, None) => String::new(),
    }
}

/// What counts as the same, where that is more than the same value.
pub(in crate::web) fn tolerance(tolerance: Tolerance) -> String {
    match tolerance {
        Tolerance::Exact => String::new(),
        Tolerance::AnyCase => "in any case of letters".to_owned(),
        Tolerance::AnyOrder => "in any order".to_owned(),
        Tolerance::Within { by } => format!("up to {by} more or less"),
    }
}

/// What is done about a difference.
pub(in crate::web) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "mended",
        Mode::Report => "only reported",
        Mode::Once => "mended on a new device, then left to it",
    }
}

/// The value of a variable.
pub(in crate::web) fn value(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "none: what is said above does not hold".to_owned(),
        _ if is_secret(name) => SECRET.to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => {
            let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// How often devices come.
pub(in crate::web) fn interval(seconds: u32) -> String {
    format!("every {}, spread by a tenth", span(u64::from(seconds)))
}

/// When configurations are kept.
pub(in crate::web) fn backup(backup: Backup) -> String {
    let clock = match backup.every_hours {
        0 => "never by the clock".to_owned(),
        hours => format!("every {}", span(u64::from(hours) * 3_600)),
    };
    match backup.before_changes {
        true => format!("{clock}, and before each change that Muster makes by itself"),
        false => clock,
    }
}

/// When devices are given other credentials.
pub(in crate::web) fn rotation(days: u32) -> String {
    match days {
        0 => "never changed".to_owned(),
        days => format!("changed every {}", span(u64::from(days) * 86_400)),
    }
}

/// How often what is wanted is read from a device.
pub(in crate::web) fn check(hours: u32) -> String {
    match hours {
        0 => "never by the clock".to_owned(),
        hours => format!("every {}", span(u64::from(hours) * 3_600)),
    }
}

/// Seconds in their largest unit that is whole.
fn span(seconds: u64) -> String {
    match seconds {
        86_400 => "day".to_owned(),
        s if s % 86_400 == 0 => format!("{} days", s / 86_400),
        3_600 => "hour".to_owned(),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        60 => "minute".to_owned(),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// What a profile wants beside its template, parameters and variables.
pub(super) fn wants(desired: &Desired) -> Vec<Fact> {
    vec![
        Fact::new("RouterOS of new devices", desired.release.clone().unwrap_or_default()),
        Fact::new("They inform", desired.inform_interval_seconds.map(interval).unwrap_or_default()),
        Fact::new("Configurations are kept", desired.backup.map(backup).unwrap_or_default()),
        Fact::new("Credentials", desired.rotate_credentials_days.map(rotation).unwrap_or_default()),
        Fact::new("Parameters are read", desired.check_every_hours.map(check).unwrap_or_default()),
    ]
}

/// A parameter that is wanted, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Parameter {
    name: String,
    value: String,
    same: String,
    mode: &'static str,
}

/// The parameters of a profile; where it is not enforced, all of them are only reported.
pub(super) fn parameters(desired: &Desired, enforce: bool) -> Vec<Parameter> {
    let one = |(name, wanted): (&String, &Wanted)| Parameter {
        name: name.clone(),
        value: is_to_be(name, wanted),
        same: tolerance(wanted.tolerance),
        mode: mode(if enforce { wanted.mode } else { Mode::Report }),
    };
    desired.parameters.iter().map(one).collect()
}

/// A variable with its value, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Said {
    name: String,
    value: String,
}

/// The variables of a profile.
pub(super) fn variables(desired: &Desired) -> Vec<Said> {
    let one =
        |(name, said): (&String, &Value)| Said { name: name.clone(), value: value(name, said) };
    desired.variables.0.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn desired(value: Value) -> Desired {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_state_has_a_shape_and_words() {
        assert_eq!(state("drifted"), ("warn", "differs"));
        assert_eq!(state("unmanaged").0, "none");
        for word in ["running", "paused", "done", "cancelled"] {
            assert!(!sweep(word).0.is_empty() && !sweep(word).1.is_empty());
        }
        assert_eq!((devices(1), devices(0)), ("1 device".to_owned(), "0 devices".to_owned()));
    }

    #[test]
    fn what_is_wanted_is_said_without_its_secrets() {
        let wanted = desired(json!({
            "parameters": {
                "Device.A": { "value": "1", "tolerance": { "is": "within", "by": 2.5 } },
                "Device.B": { "variable": "dns", "mode": "once" },
                "Device.WiFi.AccessPoint.1.Security.KeyPassphrase": { "value": "hunter22" },
            },
            "variables": { "dns": ["192.0.2.1", "192.0.2.2"], "pppoe_password": "hunter22",
                           "vlan": 7, "guest": false, "old": null, "note": "" },
        }));
        let told = json!({ "p": parameters(&wanted, true), "v": variables(&wanted) }).to_string();
        assert!(!told.contains("hunter22"), "{told}");
        for words in [
            "up to 2.5 more or less",
            "the variable dns",
            "then left to it",
            "a secret",
            "192.0.2.1, 192.0.2.2",
            "does not hold",
            "empty",
        ] {
            assert!(told.contains(words), "{words} in {told}");
        }
        let told = parameters(&wanted, false);
        assert!(told.iter().all(|one| one.mode == "only reported"), "{told:?}");
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        assert_eq!(interval(300), "every 5 min, spread by a tenth");
        assert_eq!(check(1), "every hour");
        assert_eq!(check(48), "every 2 days");
        assert_eq!(rotation(0), "never changed");
        assert_eq!(rotation(90), "changed every 90 days");
        let kept = backup(Backup { every_hours: 24, before_changes: true });
        assert!(kept.starts_with("every day, and before"), "{kept}");
        assert_eq!(span(90), "90 s");
        assert_eq!(span(7_200), "2 h");
    }
}
