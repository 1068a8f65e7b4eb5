//! For what a bench is armed, and for what a board. Pure.
//!
//! Owns what may stand in either, and that secrets among the variables are sealed where they are
//! stored and masked where they are shown.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use muster_netboot::profile::{Profile, Status, Strategy};
use muster_routeros::package::{self, CLIENT, MAIN};
use muster_routeros::version::RosVersion;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;
use crate::fleet::secret::{Keys, MASK, is_secret};
use crate::fleet::variables::Variables;

/// Characters of a name.
const MAX_NAME: usize = 64;
/// Packages beside the main one.
const MAX_PACKAGES: usize = 32;
/// The profile where nobody names one: it comes with Muster.
pub const PROFILE: &str = "mikrotik-flashboot";
/// Any board is served for so long where nobody says until when.
const ANY: TimeDelta = TimeDelta::minutes(60);
/// Boards a minute that nobody named, at most and where nobody says how many.
const MAX_ANY_PER_MINUTE: u32 = 600;
const ANY_PER_MINUTE: u32 = 30;

/// For what a bench is armed. What is absent has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Arming {
    /// Name of the template that each board gets.
    pub template: String,
    /// Which version of it: the newest when the bench was armed, as Muster says and nobody else.
    pub template_version: Option<i32>,
    /// Name of the netboot profile: how the boards are served. `mikrotik-flashboot` when absent.
    pub profile: String,
    /// `flashfig-direct`: the board gets the script. `etherboot-redirect`: a board that is armed for an
    /// installation is sent on to its boot image, and others get nothing.
    #[schema(value_type = String, example = "flashfig-direct")]
    pub strategy: Strategy,
    /// Boards are served that nobody claimed or allowed.
    pub any: bool,
    /// So many of those a minute, 1 to 600; 30 when absent.
    pub any_per_minute: u32,
    /// Until when; an hour after the arming when absent, and never longer than the bench is armed.
    pub any_until: Option<DateTime<Utc>>,
    /// Clients that speak DHCP instead of BOOTP are answered.
    pub dhcp: bool,
    /// Values for the templates, over those of the board's claim. Those whose names are those of
    /// secrets are sealed and shown as `********`.
    pub variables: Variables,
    /// Name of the template of the mode script, which runs once before any other.
    pub mode_template: Option<String>,
    /// Which version of it: the newest when the bench was armed, as Muster says and nobody else.
    pub mode_version: Option<i32>,
    /// Needed for a profile that nobody has verified.
    pub accept_unverified: bool,
}

impl Default for Arming {
    fn default() -> Self {
        Self {
            template: String::new(),
            template_version: None,
            profile: PROFILE.to_owned(),
            strategy: Strategy::FlashfigDirect,
            any: false,
            any_per_minute: ANY_PER_MINUTE,
            any_until: None,
            dhcp: false,
            variables: Variables::default(),
            mode_template: None,
            mode_version: None,
            accept_unverified: false,
        }
    }
}

impl Arming {
    /// The same in order, for a bench that is armed until then. Whether templates and profile are there
    /// is for the caller to look up.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the fields.
    pub fn checked(self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Self, Error> {
        let template = name("/template", &self.template)?;
        let profile = name("/profile", &self.profile)?;
        let mode_template =
            self.mode_template.as_deref().map(|text| name("/mode_template", text)).transpose()?;
        if !(1..=MAX_ANY_PER_MINUTE).contains(&self.any_per_minute) {
            let why = format!("1 to {MAX_ANY_PER_MINUTE} boards a minute");
            return Err(Error::invalid("/any_per_minute", why));
        }
        let any_until = match (self.any, self.any_until) {
            (false, _) => None,
            (true, None) => Some(until.min(now + ANY)),
            (true, Some(at)) if at <= now => {
                return Err(Error::invalid("/any_until", "a time that is still to come"));
            }
            (true, Some(at)) => Some(until.min(at)),
        };
        self.variables.check("/variables")?;
        for (name, value) in &self.variables.0 {
            if is_secret(name) && value.as_str() == Some(MASK) {
                let why = format!("`{name}` has no value yet that {MASK} could stand for");
                return Err(Error::invalid("/variables", why));
            }
        }
        Ok(Self { template, profile, mode_template, any_until, ..self })
    }

    /// Whether it goes with the profile that it names.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the fields, saying what would be right.
    pub fn check_profile(&self, profile: &Profile) -> Result<(), Error> {
        if profile.status == Status::Unverified && !self.accept_unverified {
            let why = format!(
                "nobody has verified the profile {}: whether boards take what is sent by it is not \
                 proven. Arm with accept_unverified to try it all the same",
                profile.name
            );
            return Err(Error::invalid("/accept_unverified", why));
        }
        Ok(())
    }

    /// As it is stored with its bench.
    pub fn sealed(&self, keys: &Keys, bench_id: Uuid) -> Value {
        let mut stored = serde_json::to_value(self).expect("an arming is plain data");
        stored["variables"] = self.variables.sealed(keys, &context(bench_id));
        stored
    }

    /// What [`Self::sealed`] stored, in clear.
    ///
    /// # Errors
    /// [`Error::Internal`] for what is none, and where another key sealed it.
    pub fn opened(stored: &Value, keys: &Keys, bench_id: Uuid) -> Result<Self, Error> {
        let variables = Variables::opened(&stored["variables"], keys, &context(bench_id))?;
        Ok(Self { variables, ..Self::read(stored)? })
    }

    /// What [`Self::sealed`] stored, as people may see it.
    ///
    /// # Errors
    /// [`Error::Internal`] for what is none.
    pub fn masked(stored: &Value) -> Result<Self, Error> {
        let variables = Variables::masked(&stored["variables"]);
        Ok(Self { variables, ..Self::read(stored)? })
    }

    fn read(stored: &Value) -> Result<Self, Error> {
        serde_json::from_value(stored.clone())
            .map_err(|e| Error::Internal(format!("the arming of a bench cannot be read: {e}")))
    }
}

/// What the variables of an arming are sealed for.
fn context(bench_id: Uuid) -> String {
    format!("bench {bench_id}")
}

/// For what a board is armed by its name. It formats the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BenchInstall)]
pub struct Install {
    /// The RouterOS version that it gets.
    pub release: String,
    /// Names of the packages beside the main one; `tr069-client` when absent.
    #[serde(default = "client")]
    pub packages: Vec<String>,
    /// Name of the template that becomes its default configuration; absent = that of the vendor.
    #[serde(default)]
    pub template: Option<String>,
}

impl Install {
    /// The same in order. Whether release, packages and template are there is for the caller to look up.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the fields.
    pub fn checked(self) -> Result<Self, Error> {
        let release = self.release.trim().parse::<RosVersion>();
        let release = release.map_err(|e| Error::invalid("/release", e.to_string()))?.to_string();
        let template = self.template.as_deref().map(|t| name("/template", t)).transpose()?;
        if self.packages.len() > MAX_PACKAGES {
            return Err(Error::invalid("/packages", format!("at most {MAX_PACKAGES}")));
        }
        let mut packages = BTreeSet::new();
        for (i, text) in self.packages.iter().enumerate() {
            let pointer = format!("/packages/{i}");
            if !package::is_name(text) {
                return Err(Error::invalid(pointer, "the name of a package, such as tr069-client"));
            }
            // It comes anyhow, and first.
            if package::plain_name(text) != MAIN {
                packages.insert(text.clone());
            }
        }
        Ok(Self { release, packages: packages.into_iter().collect(), template })
    }
}

fn client() -> Vec<String> {
    vec![CLIENT.to_owned()]
}

fn name(pointer: &str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if !(1..=MAX_NAME).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            pointer,
            format!("a name, 1 to {MAX_NAME} characters on one line"),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn arming(value: Value) -> Arming {
        serde_json::from_value(value).unwrap()
    }

    fn pointer<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result {
            Err(Error::Invalid { pointer, .. }) => pointer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bench_is_armed_for_one_template_and_for_nobody_else_unless_that_is_said() {
        let (now, until) = (at("2030-01-01T00:00:00Z"), at("2030-01-01T08:00:00Z"));
        let armed = arming(json!({ "template": " bench " })).checked(now, until).unwrap();
        assert_eq!((armed.template.as_str(), armed.profile.as_str()), ("bench", PROFILE));
        assert!(!armed.any && !armed.dhcp && !armed.accept_unverified);
        assert_eq!((armed.any_until, armed.strategy), (None, Strategy::FlashfigDirect));
    }

    #[test]
    fn any_board_is_served_for_an_hour_and_never_longer_than_the_bench_is_armed() {
        let now = at("2030-01-01T00:00:00Z");
        let any = |until: &str, more: Option<&str>| {
            let value = json!({ "template": "t", "any": true, "any_until": more });
            arming(value).checked(now, at(until))
        };
        let hour = at("2030-01-01T01:00:00Z");
        assert_eq!(any("2030-01-01T08:00:00Z", None).unwrap().any_until, Some(hour));
        let half = "2030-01-01T00:30:00Z";
        assert_eq!(any(half, None).unwrap().any_until, Some(at(half)));
        assert_eq!(any(half, Some("2030-01-01T02:00:00Z")).unwrap().any_until, Some(at(half)));
        assert_eq!(pointer(any(half, Some("2030-01-01T00:00:00Z"))), "/any_until");
        let not = json!({ "template": "t", "any_until": half });
        assert_eq!(arming(not).checked(now, hour).unwrap().any_until, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        let (now, until) = (at("2030-01-01T00:00:00Z"), at("2030-01-01T08:00:00Z"));
        for (value, place) in [
            (json!({}), "/template"),
            (json!({ "template": "a\nb" }), "/template"),
            (json!({ "template": "t", "profile": "" }), "/profile"),
            (json!({ "template": "t", "mode_template": " " }), "/mode_template"),
            (json!({ "template": "t", "any_per_minute": 0 }), "/any_per_minute"),
            (json!({ "template": "t", "any_per_minute": 601 }), "/any_per_minute"),
            (json!({ "template": "t", "variables": { "2": 1 } }), "/variables"),
            (json!({ "template": "t", "variables": { "ppp_password": MASK } }), "/variables"),
        ] {
            let shown = value.to_string();
            assert_eq!(pointer(arming(value).checked(now, until)), place, "{shown}");
        }
        let strange = json!({ "template": "t", "strategy": "magic" });
        assert!(serde_json::from_value::<Arming>(strange).is_err());
        assert!(serde_json::from_value::<Arming>(json!({ "templat": "t" })).is_err());
    }

    #[test]
    fn secrets_are_sealed_for_their_bench_and_masked_for_people() {
        let (keys, bench) = (Keys::new([7; 32]), Uuid::from_u128(1));
        let variables = json!({ "wifi_password": "hunter22", "wifi_name": "home" });
        let armed = arming(json!({ "template": "t", "variables": variables }));
        let stored = armed.sealed(&keys, bench);
        assert!(!stored.to_string().contains("hunter22"));
        assert_eq!(Arming::opened(&stored, &keys, bench).unwrap(), armed);
        assert!(Arming::opened(&stored, &keys, Uuid::from_u128(2)).is_err());
        let shown = Arming::masked(&stored).unwrap();
        assert_eq!(shown.variables.0["wifi_password"], MASK);
        assert_eq!(shown.variables.0["wifi_name"], "home");
        assert!(Arming::masked(&json!({ "template": 1 })).is_err());
    }

    #[test]
    fn nobody_arms_for_what_is_not_verified_without_saying_so() {
        let profile = &muster_netboot::profile::builtin()[0];
        assert_eq!(profile.name, PROFILE);
        let armed = arming(json!({ "template": "t" }));
        assert_eq!(pointer(armed.check_profile(profile)), "/accept_unverified");
        let knowing = Arming { accept_unverified: true, ..armed.clone() };
        knowing.check_profile(profile).unwrap();
        let captured = Profile { status: Status::Captured, ..profile.clone() };
        armed.check_profile(&captured).unwrap();
    }

    #[test]
    fn an_installation_names_a_version_and_packages() {
        let install = |value: Value| serde_json::from_value::<Install>(value).unwrap();
        let checked = install(json!({ "release": "7.16.1" })).checked().unwrap();
        assert_eq!(checked.packages, [CLIENT]);
        let twice = json!({ "release": "7.16.1", "packages": ["wifi-qcom", MAIN, "wifi-qcom"] });
        assert_eq!(install(twice).checked().unwrap().packages, ["wifi-qcom"]);
        for (value, place) in [
            (json!({ "release": "seven" }), "/release"),
            (json!({ "release": "7.16.1", "packages": ["a b"] }), "/packages/0"),
            (json!({ "release": "7.16.1", "template": "" }), "/template"),
        ] {
            let shown = value.to_string();
            assert_eq!(pointer(install(value).checked()), place, "{shown}");
        }
    }
}
