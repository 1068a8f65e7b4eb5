//! How the layers become one: fleet < site < group < device, and within sites the nearer one. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fleet::profile::{Backup, Desired, TemplateUse, Wanted};
use crate::fleet::secret::{MASK, is_secret};
use crate::fleet::variables::Variables;

/// Where something that is wanted comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "layer", rename_all = "snake_case")]
#[schema(as = DesiredLayer)]
pub enum Layer {
    /// Wanted of every device.
    Fleet,
    /// Of those at a site and below.
    Site {
        /// Its path.
        site: String,
    },
    /// Of those of a group.
    Group {
        /// Its name.
        group: String,
    },
    /// Of this device alone.
    Device,
}

impl Layer {
    /// In words: `site eu.lv`.
    pub fn words(&self) -> String {
        match self {
            Self::Fleet => "fleet".to_owned(),
            Self::Site { site } => format!("site {site}"),
            Self::Group { group } => format!("group {group}"),
            Self::Device => "device".to_owned(),
        }
    }
}

/// A layer, and the profile that says so there; without one it is the variables of the site or the
/// device, or what was adopted from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DesiredSource)]
pub struct Source {
    /// Which layer.
    #[serde(flatten)]
    pub layer: Layer,
    /// The profile's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<Uuid>,
    /// The profile's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Source {
    /// In words: `site eu.lv, profile home`.
    pub fn words(&self) -> String {
        match &self.profile {
            Some(profile) => format!("{}, profile {profile}", self.layer.words()),
            None => self.layer.words(),
        }
    }
}

/// A value and the layer that it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Layered<T> {
    /// What is wanted.
    pub value: T,
    /// Who says so.
    pub from: Source,
    /// False: a difference is told and not mended.
    pub enforce: bool,
}

/// All that is wanted of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Effective {
    /// Parameters by name.
    pub parameters: BTreeMap<String, Layered<Wanted>>,
    /// The script that configures it.
    pub template: Option<Layered<TemplateUse>>,
    /// Values for templates, by name.
    #[schema(value_type = Object)]
    pub variables: BTreeMap<String, Layered<Value>>,
    /// The release that it is brought to when it is new.
    pub release: Option<Layered<String>>,
    /// Seconds between periodic informs, before they are spread.
    pub inform_interval_seconds: Option<Layered<u32>>,
    /// When its configuration is kept.
    pub backup: Option<Layered<Backup>>,
    /// Days after which it is given other credentials.
    pub rotate_credentials_days: Option<Layered<u32>>,
    /// Hours between two readings of what is wanted.
    pub check_every_hours: Option<Layered<u32>>,
}

/// One layer's say: a profile with its place, or variables alone.
#[derive(Debug, Clone, Copy)]
pub struct Say<'a> {
    /// Where it is said.
    pub layer: &'a Layer,
    /// The profile's id and name.
    pub profile: Option<(Uuid, &'a str)>,
    /// Differences are mended.
    pub enforce: bool,
    /// What is said.
    pub desired: &'a Desired,
}

impl Effective {
    /// Puts what the next nearer layer says over what is there.
    pub fn add(&mut self, say: Say<'_>) {
        let from = Source {
            layer: say.layer.clone(),
            profile_id: say.profile.map(|(id, _)| id),
            profile: say.profile.map(|(_, name)| name.to_owned()),
        };
        let desired = say.desired;
        for (name, wanted) in &desired.parameters {
            self.parameters.insert(name.clone(), layered(wanted, &from, say.enforce));
        }
        self.add_variables(&desired.variables, &from);
        fn over<T: Clone>(
            slot: &mut Option<Layered<T>>,
            said: Option<&T>,
            from: &Source,
            enforce: bool,
        ) {
            if let Some(said) = said {
                *slot = Some(layered(said, from, enforce));
            }
        }
        over(&mut self.template, desired.template.as_ref(), &from, say.enforce);
        over(&mut self.release, desired.release.as_ref(), &from, say.enforce);
        let interval = desired.inform_interval_seconds.as_ref();
        over(&mut self.inform_interval_seconds, interval, &from, say.enforce);
        over(&mut self.backup, desired.backup.as_ref(), &from, say.enforce);
        let rotate = desired.rotate_credentials_days.as_ref();
        over(&mut self.rotate_credentials_days, rotate, &from, say.enforce);
        over(&mut self.check_every_hours, desired.check_every_hours.as_ref(), &from, say.enforce);
    }

    /// Puts variables over those that are there. One that is null takes the one above away.
    pub fn add_variables(&mut self, variables: &Variables, from: &Source) {
        for (name, value) in &variables.0 {
            match value {
                Value::Null => drop(self.variables.remove(name)),
                value => drop(self.variables.insert(name.clone(), layered(value, from, true))),
            }
        }
    }

    /// Puts what was adopted from the device itself over all.
    pub fn add_overrides(&mut self, overrides: &BTreeMap<String, Wanted>) {
        let from = Source { layer: Layer::Device, profile_id: None, profile: None };
        for (name, wanted) in overrides {
            self.parameters.insert(name.clone(), layered(wanted, &from, true));
        }
    }

    /// The variables without where they came from.
    pub fn values(&self) -> Variables {
        Variables(self.variables.iter().map(|(n, v)| (n.clone(), v.value.clone())).collect())
    }

    /// Whether nothing at all is wanted.
    pub fn is_nothing(&self) -> bool {
        let mut bare = self.clone();
        bare.variables.clear();
        bare == Self::default()
    }

    /// As people may see it.
    pub fn masked(mut self) -> Self {
        for (name, wanted) in &mut self.parameters {
            if let Some(value) = wanted.value.value.as_mut().filter(|_| is_secret(name)) {
                MASK.clone_into(value);
            }
        }
        for (name, value) in &mut self.variables {
            if is_secret(name) {
                value.value = Value::String(MASK.to_owned());
            }
        }
        self
    }
}

fn layered<T: Clone>(value: &T, from: &Source, enforce: bool) -> Layered<T> {
    Layered { value: value.clone(), from: from.clone(), enforce }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn desired(value: Value) -> Desired {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_nearer_layer_wins_name_by_name_and_says_who_it_is() {
        let fleet = desired(json!({
            "parameters": { "Device.A": { "value": "1" }, "Device.B": { "value": "1" } },
            "variables": { "dns": "9.9.9.9", "ntp": "a", "old": 1 },
            "release": "7.16.1",
        }));
        let site = desired(json!({
            "parameters": { "Device.B": { "value": "2" } },
            "variables": { "dns": "1.1.1.1", "old": null },
        }));
        let (at, all) = (Layer::Site { site: "eu.lv".to_owned() }, Layer::Fleet);
        let mut effective = Effective::default();
        assert!(effective.is_nothing());
        let profile = Some((Uuid::nil(), "base"));
        effective.add(Say { layer: &all, profile, enforce: true, desired: &fleet });
        effective.add(Say { layer: &at, profile: None, enforce: false, desired: &site });
        let of = |name: &str| {
            let wanted = &effective.parameters[name];
            (wanted.value.value.clone().unwrap(), wanted.from.words(), wanted.enforce)
        };
        assert_eq!(of("Device.A"), ("1".to_owned(), "fleet, profile base".to_owned(), true));
        assert_eq!(of("Device.B"), ("2".to_owned(), "site eu.lv".to_owned(), false));
        assert_eq!(json!(effective.values()), json!({ "dns": "1.1.1.1", "ntp": "a" }));
        assert_eq!(effective.release.as_ref().unwrap().from.layer, Layer::Fleet);
        assert!(!effective.is_nothing());
        let shown = json!(effective);
        assert_eq!(shown["parameters"]["Device.B"]["from"]["site"], "eu.lv");
    }

    #[test]
    fn what_was_adopted_from_the_device_is_over_all_and_secrets_are_masked() {
        let mut effective = Effective::default();
        let name = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
        let wanted = Wanted { value: Some("hunter22".to_owned()), ..Wanted::default() };
        effective.add_overrides(&BTreeMap::from([(name.to_owned(), wanted)]));
        let variables = serde_json::from_value(json!({ "pppoe_password": "hunter23" })).unwrap();
        let from = Source { layer: Layer::Device, profile_id: None, profile: None };
        effective.add_variables(&variables, &from);
        assert_eq!(effective.parameters[name].from.layer, Layer::Device);
        assert!(!json!(effective.masked()).to_string().contains("hunter"));
    }
}
