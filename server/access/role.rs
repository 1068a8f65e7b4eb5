//! Roles: sets of rights with a name, and what the support view shows to whom.
//!
//! Owns what a role may be made of, how stored words become grants, and which policy holds for
//! somebody with several roles. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::grant::{Grant, Grants};
use super::right::Right;
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::fleet::site::SitePath;
use crate::store::roles::{Held, Role};

/// The shipped role that may do everything.
pub const ADMINISTRATOR: Uuid = Uuid::from_u128(FIRST_SHIPPED);

const FIRST_SHIPPED: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0001;
const LAST_SHIPPED: u128 = FIRST_SHIPPED + 4;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 500;
/// Characters of a policy's notes.
const MAX_NOTES: usize = 4_000;
/// Names of parameters in a policy's list, and characters in one.
const MAX_NAMES: usize = 200;
const MAX_NAME: usize = 256;

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

    /// What either of two lets: a second role never takes away.
    fn or(mut self, other: Self) -> Self {
        self.hidden.retain(|name| other.hidden.contains(name));
        self.read_only.retain(|name| other.read_only.contains(name));
        if !other.notes.is_empty() && other.notes != self.notes {
            let between = if self.notes.is_empty() { "" } else { "\n\n" };
            self.notes = format!("{}{between}{}", self.notes, other.notes);
        }
        self.allow_reboot |= other.allow_reboot;
        self.allow_wifi |= other.allow_wifi;
        self.allow_ping |= other.allow_ping;
        self
    }

    fn check(&self) -> Result<(), Error> {
        for (field, names) in [("hidden", &self.hidden), ("read_only", &self.read_only)] {
            let long = |name: &String| !(1..=MAX_NAME).contains(&name.chars().count());
            if names.len() > MAX_NAMES || names.iter().any(long) {
                let why = format!("at most {MAX_NAMES} names of 1 to {MAX_NAME} characters");
                return Err(Error::invalid(format!("/support/{field}"), why));
            }
        }
        if self.notes.chars().count() > MAX_NOTES {
            let why = format!("at most {MAX_NOTES} characters");
            return Err(Error::invalid("/support/notes", why));
        }
        Ok(())
    }
}

/// The policy that holds at a site for who has these roles. Who may do more than support is not
/// held back by the support view.
pub fn policy(held: &[Held], site: Option<&str>) -> SupportPolicy {
    let mut policies = Vec::new();
    for role in held {
        let Some(grant) = grant(&role.rights, role.site.as_deref()) else { continue };
        let covers = Grants(vec![grant.clone()]);
        if !covers.reach(Right::Support).covers(site) {
            continue;
        }
        if grant
            .rights
            .iter()
            .any(|right| *right != Right::Support && right.includes(Right::Support))
        {
            return SupportPolicy::default();
        }
        policies.push(SupportPolicy::stored(role.support.as_ref()));
    }
    policies.into_iter().reduce(SupportPolicy::or).unwrap_or_default()
}

/// The grant of stored words at a stored path. A word that this version does not know grants
/// nothing, nor does a path that is none.
pub fn grant(words: &[String], site: Option<&str>) -> Option<Grant> {
    let rights: Vec<Right> = words.iter().filter_map(|word| word.parse().ok()).collect();
    match site.map(str::parse::<SitePath>).transpose() {
        Ok(site) => Some(Grant { rights, site }),
        Err(_) => None,
    }
}

/// Whether it came with Muster: its rights are the same everywhere.
pub fn is_shipped(role_id: Uuid) -> bool {
    (FIRST_SHIPPED..=LAST_SHIPPED).contains(&role_id.as_u128())
}

/// What people say of a role; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleFields {
    /// For people, 1 to 64 characters. A role always has one.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it allows. At least one.
    pub rights: Option<Vec<Right>>,
    /// What the support view shows, for a role with the right `support`; as shipped when absent.
    pub support: Option<SupportPolicy>,
}

impl RoleFields {
    /// What is said of a stored role.
    pub fn of(role: &Role) -> Self {
        Self {
            name: Some(role.name.clone()),
            description: Some(role.description.clone()),
            rights: Some(role.rights.iter().filter_map(|word| word.parse().ok()).collect()),
            support: role.support.as_ref().map(|value| SupportPolicy::stored(Some(value))),
        }
    }

    /// Writes it into a role, checked.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Conflict`] where a shipped role would become another one.
    pub fn write(self, role: &mut Role) -> Result<(), Error> {
        let Some(name) = self.name else {
            return Err(Error::invalid("/name", "a role has a name"));
        };
        check_name(&name)?;
        let description = self.description.unwrap_or_default();
        if description.chars().count() > MAX_DESCRIPTION {
            let why = format!("at most {MAX_DESCRIPTION} characters");
            return Err(Error::invalid("/description", why));
        }
        let mut rights = self.rights.unwrap_or_default();
        rights.sort_unstable();
        rights.dedup();
        if rights.is_empty() {
            return Err(Error::invalid("/rights", "a role allows something"));
        }
        if let Some(policy) = &self.support {
            if !rights.contains(&Right::Support) {
                let why = "only a role with the right `support` has a policy of the support view";
                return Err(Error::invalid("/support", why));
            }
            policy.check()?;
        }
        let words: Vec<String> = rights.iter().map(|right| right.word().to_owned()).collect();
        if is_shipped(role.role_id) {
            let mut before = role.rights.clone();
            before.sort_by_key(|word| words.iter().position(|other| other == word));
            if (&name, &description, &words) != (&role.name, &role.description, &before) {
                let why = "a shipped role stays what it is, but for its support view: make one of \
                           your own";
                return Err(Error::Conflict(why.to_owned()));
            }
        }
        role.name = name;
        role.description = description;
        role.rights = words;
        role.support = self.support.map(|policy| serde_json::json!(policy));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn role(role_id: u128, rights: &[&str]) -> Role {
        Role {
            role_id: Uuid::from_u128(role_id),
            name: "r".to_owned(),
            description: String::new(),
            rights: rights.iter().map(|word| (*word).to_owned()).collect(),
            support: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn held(rights: &[&str], site: Option<&str>, support: serde_json::Value) -> Held {
        let rights = rights.iter().map(|word| (*word).to_owned()).collect();
        Held { rights, site: site.map(str::to_owned), support: Some(support) }
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        let words = ["read".to_owned(), "fly".to_owned()];
        assert_eq!(grant(&words, None).unwrap().rights, [Right::Read]);
        assert!(grant(&words, Some("eu.lv")).unwrap().site.is_some());
        assert_eq!(grant(&words, Some("no path")), None, "never everywhere instead");
        let broken = SupportPolicy::stored(Some(&json!({ "allow_reboot": "yes" })));
        assert!(!broken.allow_reboot && !broken.allow_wifi && !broken.allow_ping);
    }

    #[test]
    fn a_policy_holds_where_its_role_does_and_a_second_role_only_adds() {
        let strict = json!({ "hidden": ["a", "b"], "notes": "x", "allow_reboot": false });
        let other = json!({ "hidden": ["b"], "notes": "y", "allow_ping": false });
        let both =
            [held(&["support"], None, strict.clone()), held(&["support"], Some("eu"), other)];
        let here = policy(&both, Some("eu.lv"));
        assert_eq!(
            (here.hidden.as_slice(), here.notes.as_str()),
            (&["b".to_owned()][..], "x\n\ny")
        );
        assert!(here.allow_reboot && here.allow_ping);
        let there = policy(&both, Some("us"));
        assert_eq!(there.hidden, ["a", "b"]);
        assert!(!there.allow_reboot);
        let operator = [held(&["support"], None, strict.clone()), held(&["operate"], None, strict)];
        assert_eq!(policy(&operator, None), SupportPolicy::default());
    }

    #[test]
    fn a_shipped_role_changes_only_its_support_view() {
        let mut support = role(FIRST_SHIPPED + 4, &["support"]);
        let fields = RoleFields::of(&support);
        let policy = SupportPolicy { allow_reboot: false, ..SupportPolicy::default() };
        let edit = RoleFields { support: Some(policy), ..fields.clone() };
        edit.write(&mut support).unwrap();
        assert_eq!(support.support.as_ref().unwrap()["allow_reboot"], false);
        let wider = RoleFields { rights: Some(vec![Right::Support, Right::Admin]), ..fields };
        assert!(matches!(wider.write(&mut support), Err(Error::Conflict(_))));
        let mut operator = role(FIRST_SHIPPED + 1, &["operate", "bench"]);
        RoleFields::of(&operator).write(&mut operator).unwrap();
        assert!(is_shipped(ADMINISTRATOR) && !is_shipped(Uuid::from_u128(LAST_SHIPPED + 1)));
    }

    #[test]
    fn a_role_is_checked() {
        let good = RoleFields::of(&role(1, &["support", "read"]));
        let mut made = role(1, &[]);
        good.clone().write(&mut made).unwrap();
        assert_eq!(made.rights, ["support", "read"]);
        let long = SupportPolicy { notes: "x".repeat(MAX_NOTES + 1), ..SupportPolicy::default() };
        for (place, bad) in [
            ("/name", RoleFields { name: None, ..good.clone() }),
            ("/rights", RoleFields { rights: None, ..good.clone() }),
            ("/support/notes", RoleFields { support: Some(long), ..good.clone() }),
            (
                "/support",
                RoleFields {
                    rights: Some(vec![Right::Read]),
                    support: Some(SupportPolicy::default()),
                    ..good
                },
            ),
        ] {
            let Err(Error::Invalid { pointer, .. }) = bad.write(&mut made) else {
                panic!("{place}");
            };
            assert_eq!(pointer, place);
        }
    }
}
