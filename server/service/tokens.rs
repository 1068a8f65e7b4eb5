//! Tokens of the REST API: list, make, revoke.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::access::token;
use crate::access::user::ONE_PLACE;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::group;
use crate::fleet::label::check_name;
use crate::store::sites;
use crate::store::tokens::{self as store, Token};

/// A token to be made.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    /// 1 to 64 characters that say who uses it.
    pub name: String,
    /// At least one.
    pub scopes: Vec<Right>,
    /// At which site and below.
    pub site_id: Option<Uuid>,
    /// For the devices of which group; `None`, and no site = everywhere.
    pub group_id: Option<Uuid>,
    /// When it ends; `None` = never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// All tokens, also those that people have for themselves, newest first, revoked ones too.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Token>, Error> {
    ctx.require(Right::Admin)?;
    Ok(store::list(&app.pool, None).await?)
}

/// Makes a token and gives it in clear, the only time that it is seen.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a bad name, no scope, a site or group that is not there
/// or cannot bound it, or an end that has passed.
pub async fn create(app: &App, ctx: &Ctx, new: NewToken) -> Result<(String, Token), Error> {
    ctx.require_everywhere(Right::Admin)?;
    check(&new, ctx.now)?;
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let mut tx = app.pool.begin().await?;
    let site = match new.site_id {
        Some(site_id) => {
            let unknown = || Error::invalid("/site_id", format!("no site {site_id}"));
            Some(sites::get(&mut *tx, site_id).await?.ok_or_else(unknown)?.path)
        }
        None => None,
    };
    let group = match new.group_id {
        Some(group_id) => Some(group::as_scope(&mut tx, group_id, "/group_id").await?.name),
        None => None,
    };
    let token_id = Uuid::from_u128(rand::random());
    let (text, secret_hash) = token::make(token_id);
    let made = Token {
        token_id,
        name: new.name,
        user_id: None,
        scopes: scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        site_id: new.site_id,
        site,
        group_id: new.group_id,
        group,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    store::insert(&mut tx, &made, &secret_hash).await?;
    let object = Object::new("token", token_id, &made.name);
    audit::record(&mut tx, ctx, "token.create", object, (), state(&made)).await?;
    tx.commit().await?;
    tracing::info!(token.id = %token_id, token.name = made.name, by = ctx.actor.name, "token made");
    Ok((text, made))
}

/// Revokes a token, at once and for good.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] where there is none that is good.
pub async fn revoke(app: &App, ctx: &Ctx, token_id: Uuid) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let unknown = || Error::NotFound(format!("no good token {token_id}"));
    let mut tx = app.pool.begin().await?;
    let revoked = store::revoke(&mut tx, token_id, ctx.now).await?;
    let token = store::get(&mut *tx, token_id).await?.filter(|_| revoked).ok_or_else(unknown)?;
    let object = Object::new("token", token_id, &token.name);
    audit::record(&mut tx, ctx, "token.revoke", object, state(&token), ()).await?;
    tx.commit().await?;
    tracing::info!(token.id = %token_id, by = ctx.actor.name, "token revoked");
    Ok(())
}

pub(super) fn check(new: &NewToken, now: DateTime<Utc>) -> Result<(), Error> {
    check_name(&new.name)?;
    // The name stands beside what a caller did; these stand for others there.
    if ["muster", "console", "nobody"].contains(&new.name.to_lowercase().as_str()) {
        let why = format!("`{}` stands for somebody else in the audit log", new.name);
        return Err(Error::invalid("/name", why));
    }
    if new.scopes.is_empty() {
        let words = Right::ALL.map(Right::word).join(", ");
        return Err(Error::invalid("/scopes", format!("at least one of {words}")));
    }
    if new.site_id.and(new.group_id).is_some() {
        return Err(Error::invalid("/group_id", ONE_PLACE));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("/expires_at", "must be later than now"));
    }
    Ok(())
}

pub(super) fn state(token: &Token) -> Value {
    json!({
        "name": token.name, "user_id": token.user_id, "scopes": token.scopes, "site": token.site,
        "group": token.group, "expires_at": token.expires_at,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_token_says_who_uses_it_and_for_what() {
        let now = DateTime::UNIX_EPOCH;
        let new = |name: &str| NewToken {
            name: name.to_owned(),
            scopes: vec![Right::Read],
            site_id: None,
            group_id: None,
            expires_at: None,
        };
        assert!(check(&new("billing, Rīga"), now).is_ok());
        for bad in ["", " ci", "a\nb", "Muster", "console", "NOBODY", &"x".repeat(65)] {
            assert!(check(&new(bad), now).is_err(), "{bad}");
        }
        assert!(check(&NewToken { scopes: Vec::new(), ..new("ci") }, now).is_err());
        let somewhere = Some(Uuid::nil());
        let for_group = NewToken { group_id: somewhere, ..new("ci") };
        assert!(check(&for_group, now).is_ok());
        assert!(check(&NewToken { site_id: somewhere, ..for_group }, now).is_err());
        let ends = |at| NewToken { expires_at: Some(at), ..new("ci") };
        assert!(check(&ends(now), now).is_err());
        assert!(check(&ends(now + TimeDelta::seconds(1)), now).is_ok());
    }
}
