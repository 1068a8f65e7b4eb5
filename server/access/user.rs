//! Users: what people say of one, and that an administrator is always left.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;
use crate::fleet::group;
use crate::store::users::{self as store, Grant, User};
use crate::store::{roles, sites};

/// Characters of a login and of a name.
const MAX_NAME: usize = 64;
/// Roles of one user.
const MAX_GRANTS: usize = 100;
/// Why a grant, or a token, is not taken.
pub const ONE_PLACE: &str = "name a site or a group, not both";

/// A role at a site and below, for the devices of a group, or everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantFields {
    /// Which role.
    pub role_id: Uuid,
    /// At which site and all below it.
    pub site_id: Option<Uuid>,
    /// For the devices of which group, wherever they stand: one without a selector. Everywhere when
    /// neither a site nor a group is named.
    pub group_id: Option<Uuid>,
}

/// What administrators say of a user; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserFields {
    /// For people, at most 64 characters.
    pub display_name: Option<String>,
    /// Whether they may not log in; that also ends their sessions.
    pub disabled: Option<bool>,
    /// What they may do, and where.
    pub grants: Option<Vec<GrantFields>>,
}

impl UserFields {
    /// What is said of a stored user.
    pub fn of(user: &User, grants: &[Grant]) -> Self {
        let grants = grants.iter().map(|g| GrantFields {
            role_id: g.role_id,
            site_id: g.site_id,
            group_id: g.group_id,
        });
        Self {
            display_name: Some(user.display_name.clone()),
            disabled: Some(user.disabled_at.is_some()),
            grants: Some(grants.collect()),
        }
    }

    /// Refuses what cannot be said of anybody.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn check(&self) -> Result<(), Error> {
        let name = self.display_name.as_deref().unwrap_or_default();
        if name.chars().count() > MAX_NAME
            || name.trim() != name
            || name.chars().any(char::is_control)
        {
            let why = format!("at most {MAX_NAME} characters, no blanks at its ends");
            return Err(Error::invalid("/display_name", why));
        }
        let grants = self.grants.as_deref().unwrap_or_default();
        if grants.len() > MAX_GRANTS {
            return Err(Error::invalid("/grants", format!("at most {MAX_GRANTS} of them")));
        }
        match grants.iter().position(|grant| grant.site_id.and(grant.group_id).is_some()) {
            Some(i) => Err(Error::invalid(format!("/grants/{i}/group_id"), ONE_PLACE)),
            None => Ok(()),
        }
    }
}

/// Refuses what is no login; the fault is at `/login`. An e-mail address is one.
///
/// # Errors
/// [`Error::Invalid`]
pub fn check_login(login: &str) -> Result<(), Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if !(1..=MAX_NAME).contains(&login.len()) || !login.chars().all(good) {
        let why = format!("1 to {MAX_NAME} letters a to z, digits, `.`, `_`, `-`, `+` and `@`");
        return Err(Error::invalid("/login", why));
    }
    // The login stands beside what a person did; these stand for Muster's own doing.
    if ["muster", "console"].contains(&login.to_lowercase().as_str()) {
        return Err(Error::invalid("/login", format!("`{login}` stands for the server itself")));
    }
    Ok(())
}

/// Gives a user exactly these roles.
///
/// # Errors
/// [`Error::Invalid`] where one does not exist, or a group cannot bound it; [`Error::Database`].
pub async fn set_grants(
    conn: &mut PgConnection,
    user_id: Uuid,
    grants: &[GrantFields],
) -> Result<(), Error> {
    store::clear_grants(conn, user_id, true).await?;
    for (i, grant) in grants.iter().enumerate() {
        if roles::get(&mut *conn, grant.role_id).await?.is_none() {
            let why = format!("no role {}", grant.role_id);
            return Err(Error::invalid(format!("/grants/{i}/role_id"), why));
        }
        if let Some(site_id) = grant.site_id
            && sites::get(&mut *conn, site_id).await?.is_none()
        {
            let why = format!("no site {site_id}");
            return Err(Error::invalid(format!("/grants/{i}/site_id"), why));
        }
        if let Some(group_id) = grant.group_id {
            group::as_scope(conn, group_id, &format!("/grants/{i}/group_id")).await?;
        }
        store::grant(conn, user_id, grant.role_id, grant.site_id, grant.group_id).await?;
    }
    Ok(())
}

/// Refuses a change after which nobody could undo it. `had` = there was an administrator before.
///
/// # Errors
/// [`Error::Conflict`]; [`Error::Database`].
pub async fn keep_admin(conn: &mut PgConnection, had: bool) -> Result<(), Error> {
    if had && !store::has_admin(conn).await? {
        let why = "nobody would be left with the right `admin` everywhere: give it to somebody \
                   else first";
        return Err(Error::Conflict(why.to_owned()));
    }
    Ok(())
}

/// A user as the audit log shows one.
pub fn state(user: &User, grants: &[Grant]) -> Value {
    let grants: Vec<Value> = grants
        .iter()
        .map(|g| json!({ "role": g.role, "site": g.site, "group": g.group }))
        .collect();
    json!({
        "login": user.login, "display_name": user.display_name,
        "disabled": user.disabled_at.is_some(), "grants": grants,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_a_word_or_an_address() {
        for good in ["ann", "Ann.B-c_d", "ann+x@example.net", "7"] {
            assert!(check_login(good).is_ok(), "{good}");
        }
        for bad in ["", "ann b", "ann:b", "zvaigzne\u{101}", "Muster", "console", &"x".repeat(65)] {
            assert!(check_login(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_of_a_user_is_checked() {
        let named = |name: &str| UserFields {
            display_name: Some(name.to_owned()),
            ..UserFields::default()
        };
        assert!(named("Anna Bērziņa").check().is_ok() && UserFields::default().check().is_ok());
        for bad in [" Ann", "Ann\n", &"x".repeat(65)] {
            assert!(named(bad).check().is_err(), "{bad:?}");
        }
        let grant = GrantFields { role_id: Uuid::nil(), site_id: None, group_id: None };
        let granted = |grants: Vec<GrantFields>| {
            UserFields { grants: Some(grants), ..UserFields::default() }.check()
        };
        assert!(granted(vec![grant; MAX_GRANTS + 1]).is_err());
        let somewhere = Some(Uuid::nil());
        let at_site = GrantFields { site_id: somewhere, ..grant };
        let for_group = GrantFields { group_id: somewhere, ..grant };
        assert!(granted(vec![grant, at_site, for_group]).is_ok());
        let both = GrantFields { group_id: somewhere, ..at_site };
        let Err(Error::Invalid { pointer, .. }) = granted(vec![grant, both]) else {
            panic!("a grant holds at one place");
        };
        assert_eq!(pointer, "/grants/1/group_id");
    }
}
