//! Roles: sets of rights with a name, and what the support view shows to whom.
//!
//! Owns what a role may be made of, how stored words become grants, and whose policies of the support
//! view (`policy`) hold where. Pure.

mod policy;

pub use policy::{
    LEAST_WIFI_PASSWORD, MOST_WIFI_PASSWORD, Policies, SupportPolicy, any_of, check_allowed,
    in_words, is_choice,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::grant::{Grant, GroupName, Place, Reach};
use super::right::Right;
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::store::roles::{Held, Role};

/// The shipped role that may do everything.
pub const ADMINISTRATOR: Uuid = Uuid::from_u128(FIRST_SHIPPED);

const FIRST_SHIPPED: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0001;
const LAST_SHIPPED: u128 = FIRST_SHIPPED + 4;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 500;

/// The policies that hold for a device that stands at this site and was put into these groups, for who
/// has these roles. Who may do more than support is not held back by the support view.
pub fn policies(held: &[Held], site: Option<&str>, groups: &[Uuid]) -> Policies {
    let mut policies = Vec::new();
    for role in held {
        let group = (role.group_id, role.group.as_deref());
        let Some(grant) = grant(&role.rights, role.site.as_deref(), group) else { continue };
        let supports = grant.rights.iter().any(|right| right.includes(Right::Support));
        if !supports || !Reach::at(grant.place).covers_device(site, groups) {
            continue;
        }
        if grant
            .rights
            .iter()
            .any(|right| *right != Right::Support && right.includes(Right::Support))
        {
            return Policies::default();
        }
        policies.push(SupportPolicy::stored(role.support.as_ref()));
    }
    policies.into_iter().collect()
}

/// The grant of stored words, at a stored path or for a group by its id and name, if any. A word that
/// this version does not know grants nothing, nor does a place that is none.
pub fn grant(
    words: &[String],
    site: Option<&str>,
    group: (Option<Uuid>, Option<&str>),
) -> Option<Grant> {
    let rights = words.iter().filter_map(|word| word.parse().ok()).collect();
    let place = match (site, group) {
        (None, (None, None)) => Place::Everywhere,
        (Some(site), (None, None)) => Place::Site(site.parse().ok()?),
        (None, (Some(group_id), Some(name))) => {
            Place::Group(GroupName { group_id, name: name.to_owned() })
        }
        _ => return None,
    };
    Some(Grant { rights, place })
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
        let site = site.map(str::to_owned);
        Held { rights, support: Some(support), site, group_id: None, group: None }
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        let words = ["read".to_owned(), "fly".to_owned()];
        let none = (None, None);
        let everywhere = grant(&words, None, none).unwrap();
        assert_eq!((everywhere.rights, everywhere.place), (vec![Right::Read], Place::Everywhere));
        let id = Some(Uuid::nil());
        for (site, group, place) in
            [(Some("eu.lv"), none, "eu.lv"), (None, (id, Some("vip")), "group vip")]
        {
            assert_eq!(grant(&words, site, group).unwrap().place.to_string(), place);
        }
        for (site, group) in [
            (Some("no path"), none),
            (None, (id, None)),
            (None, (None, Some("vip"))),
            (Some("eu"), (id, Some("vip"))),
        ] {
            assert_eq!(grant(&words, site, group), None, "never everywhere instead");
        }
    }

    #[test]
    fn a_policy_holds_where_its_role_does_and_a_second_role_only_adds() {
        let strict = json!({ "hidden": ["a", "b"], "notes": "x", "allow_reboot": false });
        let other = json!({ "hidden": ["b"], "notes": "y", "allow_ping": false });
        let both =
            [held(&["support"], None, strict.clone()), held(&["support"], Some("eu"), other)];
        let here = policies(&both, Some("eu.lv"), &[]);
        assert_eq!((here.hidden(), here.notes()), (vec!["b".to_owned()], "x\n\ny".to_owned()));
        assert!(here.may_reboot() && here.ping_hosts().is_some());
        let there = policies(&both, Some("us"), &[]);
        assert_eq!(there.hidden(), ["a", "b"]);
        assert!(!there.may_reboot());
        let vip = Uuid::from_u128(9);
        let (group_id, group) = (Some(vip), Some("vip".to_owned()));
        let for_some = Held { group_id, group, ..held(&["support"], None, strict.clone()) };
        assert!(!policies(std::slice::from_ref(&for_some), Some("us"), &[vip]).may_reboot());
        let free = held(&["support"], Some("eu"), json!({}));
        assert!(policies(&[for_some, free], Some("eu"), &[]).hidden().is_empty());
        let operator = [held(&["support"], None, strict.clone()), held(&["operate"], None, strict)];
        assert_eq!(policies(&operator, None, &[]), Policies::default());
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
        let long = SupportPolicy { notes: "x".repeat(4_001), ..SupportPolicy::default() };
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
