//! Rules of admission: what may stand in one, and which of them fits a device.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ctx::App;
use crate::error::Error;
use crate::fleet::label::{check_name, checked_tags};
use crate::fleet::online;
use crate::fleet::selector::{Expr, GroupMeaning, parse};
use crate::fleet::site::SitePath;
use crate::store::accept_rules::{self as store, Rule};
use crate::store::groups::{self, Group};
use crate::store::selector;

/// What people say of a rule; what is absent or null has its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleFields {
    /// What people call it, 1 to 64 characters. A rule always has one, and no two the same.
    pub name: Option<String>,
    /// Which devices it lets in. A rule always has one.
    pub selector: Option<String>,
    /// Path of the site where they come to stand.
    pub site: Option<String>,
    /// Name of the profile that is bound to them.
    pub profile: Option<String>,
    /// Tags that they get.
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Vec<String>,
    /// It is looked at; true when absent.
    #[schema(value_type = Option<bool>)]
    pub enabled: bool,
    /// Its place among the rules, from 1 on: the first that fits holds. The last when absent.
    #[schema(minimum = 1)]
    pub position: Option<u32>,
}

impl Default for RuleFields {
    fn default() -> Self {
        Self {
            name: None,
            selector: None,
            site: None,
            profile: None,
            tags: Vec::new(),
            enabled: true,
            position: None,
        }
    }
}

impl RuleFields {
    /// What is said of a stored rule.
    pub fn of(rule: &Rule) -> Self {
        Self {
            name: Some(rule.name.clone()),
            selector: Some(rule.selector.clone()),
            site: rule.site.clone(),
            profile: rule.profile.clone(),
            tags: rule.tags.clone(),
            enabled: rule.enabled,
            position: u32::try_from(rule.position).ok(),
        }
    }

    /// The rule with these fields. Its selector is for the caller to read, and its site and profile to
    /// look up.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the fields.
    pub fn onto(self, rule: Rule) -> Result<Rule, Error> {
        let name = self.name.ok_or_else(|| Error::invalid("/name", "a rule has a name"))?;
        check_name(&name)?;
        let none = || Error::invalid("/selector", "a rule has a selector");
        let selector = self.selector.ok_or_else(none)?;
        if let Some(site) = &self.site {
            site.parse::<SitePath>().map_err(|why| Error::invalid("/site", why))?;
        }
        if self.position == Some(0) {
            return Err(Error::invalid("/position", "from 1 on"));
        }
        Ok(Rule {
            name,
            selector,
            site: self.site,
            profile: self.profile,
            tags: checked_tags(self.tags)?,
            enabled: self.enabled,
            ..rule
        })
    }
}

/// The first rule that fits a device; `None` = none does.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn first_that_fits(
    app: &App,
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Rule>, Error> {
    let mut rules = store::all(&mut *conn).await?;
    rules.retain(|rule| rule.enabled);
    if rules.is_empty() {
        return Ok(None);
    }
    // By this connection: who holds a transaction asks for no second one.
    let groups = groups::all(conn).await?;
    let mut read: Vec<(Rule, Expr)> = Vec::new();
    for rule in rules {
        match parse(&rule.selector, &|name: &str| meaning(&groups, name)) {
            Ok(expr) => read.push((rule, expr)),
            // A group that it names may be gone.
            Err(error) => {
                tracing::warn!(rule = rule.name, "a rule of admission cannot be read: {error}")
            }
        }
    }
    let exprs: Vec<&Expr> = read.iter().map(|(_, expr)| expr).collect();
    let since = online::since(&app.config, now);
    let fits = selector::first_that_holds(conn, &exprs, device_id, now, since).await?;
    Ok(fits.and_then(|at| read.into_iter().nth(at)).map(|(rule, _)| rule))
}

fn meaning(groups: &[Group], name: &str) -> Option<GroupMeaning> {
    let group = groups.iter().find(|group| group.name == name)?;
    Some(match &group.selector {
        Some(text) => GroupMeaning::Selector(text.clone()),
        None => GroupMeaning::Members(group.group_id),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    fn rule() -> Rule {
        Rule {
            rule_id: Uuid::nil(),
            position: 3,
            name: String::new(),
            selector: String::new(),
            site: None,
            profile_id: None,
            profile: None,
            tags: Vec::new(),
            enabled: false,
            created_by: "ann".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn of(value: Value) -> Result<Rule, Error> {
        serde_json::from_value::<RuleFields>(value).unwrap().onto(rule())
    }

    #[test]
    fn a_rule_has_a_name_and_a_selector_and_is_on() {
        let made = of(json!({ "name": "lab", "selector": "site", "tags": ["b", "a"] })).unwrap();
        assert_eq!((made.enabled, made.position, made.tags.len()), (true, 3, 2));
        assert_eq!(RuleFields::of(&made).onto(made.clone()).unwrap(), made);
        for (value, pointer) in [
            (json!({ "selector": "site" }), "/name"),
            (json!({ "name": "lab" }), "/selector"),
            (json!({ "name": "lab", "selector": "site", "site": "e-u" }), "/site"),
            (json!({ "name": "lab", "selector": "site", "tags": ["a b"] }), "/tags/0"),
            (json!({ "name": "lab", "selector": "site", "position": 0 }), "/position"),
        ] {
            let shown = value.to_string();
            let Err(Error::Invalid { pointer: place, .. }) = of(value) else { panic!("{shown}") };
            assert_eq!(place, pointer, "{shown}");
        }
    }
}
