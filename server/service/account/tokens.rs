//! Tokens that people have for themselves: who comes with one may do what both its scopes and its
//! owner's roles let, and has the owner's views and account.
//!
//! Owns that nobody makes one with nothing but a session left open, or another token, nor one that may
//! more than the token with which they come.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::access::token;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::tokens::{NewToken, check, state};
use crate::store::tokens::{self as store, Token};
use crate::store::users;

/// Tokens of one person that are not revoked.
const MAX_TOKENS: i64 = 50;
/// How long a token of somebody is good who has no password here: nobody is told when the single
/// sign-on lets them in no more.
const LONGEST: TimeDelta = TimeDelta::days(90);

/// A token to be made. It has no `Debug`: it is never printed.
pub struct NewOwnToken {
    /// 1 to 64 characters that say what it is for.
    pub name: String,
    /// At least one; what their owner may not do, it may not either.
    pub scopes: Vec<Right>,
    /// When it ends; `None` = never, which takes a password.
    pub expires_at: Option<DateTime<Utc>>,
    /// The owner's password; of who logs in by single sign-on, none.
    pub password: Option<String>,
}

/// The caller's tokens, newest first, revoked ones too.
///
/// # Errors
/// [`Error::Conflict`] for who is no person.
pub async fn tokens(app: &App, ctx: &Ctx) -> Result<Vec<Token>, Error> {
    Ok(store::list(&app.pool, Some(super::own(ctx)?)).await?)
}

/// Makes a token of the caller's and gives it in clear, the only time that it is seen.
///
/// # Errors
/// [`Error::Conflict`] for who is no person, who has too many, who has no password or a second factor
/// and comes with a token, and after too many wrong passwords; [`Error::Invalid`] at `/password`, and
/// for a bad name, no scope or one that the token has not with which they come, or an end that has
/// passed or is too far.
pub async fn create_token(
    app: &App,
    ctx: &Ctx,
    new: NewOwnToken,
) -> Result<(String, Token), Error> {
    let user = super::secrets(app, ctx).await?;
    let NewOwnToken { name, mut scopes, expires_at, password } = new;
    scopes.sort_unstable();
    scopes.dedup();
    let new = NewToken { name, scopes, expires_at, ..NewToken::default() };
    check(&new, ctx.now)?;
    if user.password_hash.is_some() {
        let password = password.unwrap_or_default();
        super::prove(app, ctx, &user, password, "/password").await?;
    } else if super::by_token(ctx) {
        // It would outlive the token that made it, and could do more than that.
        let why = "you have no password here: make the token in the dashboard";
        return Err(Error::Conflict(why.to_owned()));
    } else if new.expires_at.is_none_or(|end| end > ctx.now + LONGEST) {
        let why = format!(
            "you have no password here: a token of yours ends within {} days",
            LONGEST.num_days()
        );
        return Err(Error::invalid("/expires_at", why));
    }
    let token_id = Uuid::from_u128(rand::random());
    let (text, secret_hash) = token::make(token_id);
    let made = Token {
        token_id,
        name: new.name,
        user_id: Some(user.user_id),
        scopes: new.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        site_id: None,
        site: None,
        group_id: None,
        group: None,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = app.pool.begin().await?;
    // Of two at once the second counts the first.
    if users::secrets_locked(&mut tx, user.user_id).await?.is_none() {
        return Err(Error::NotFound(format!("no user {}", user.user_id)));
    }
    within_own(&mut tx, ctx, &new.scopes).await?;
    if store::count_of(&mut tx, user.user_id).await? >= MAX_TOKENS {
        let why = format!("you have {MAX_TOKENS} tokens already: revoke one first");
        return Err(Error::Conflict(why));
    }
    store::insert(&mut tx, &made, &secret_hash).await?;
    let object = Object::new("token", token_id, &made.name);
    audit::record(&mut tx, ctx, "token.create", object, (), state(&made)).await?;
    tx.commit().await?;
    tracing::info!(token.id = %token_id, by = ctx.actor.name, "token made");
    Ok((text, made))
}

/// Refuses scopes that the token has not with which the caller comes.
async fn within_own(conn: &mut PgConnection, ctx: &Ctx, scopes: &[Right]) -> Result<(), Error> {
    let Some(token_id) = ctx.actor.id.filter(|_| super::by_token(ctx)) else { return Ok(()) };
    let own = store::get(conn, token_id).await?.map(|token| token.scopes).unwrap_or_default();
    let own: Vec<Right> = own.iter().filter_map(|word| word.parse().ok()).collect();
    match scopes.iter().find(|scope| !own.iter().any(|has| has.includes(**scope))) {
        Some(scope) => {
            let why = format!("the token with which you come has no scope `{scope}`");
            Err(Error::invalid("/scopes", why))
        }
        None => Ok(()),
    }
}

/// Revokes a token of the caller's, at once and for good.
///
/// # Errors
/// [`Error::Conflict`] for who is no person; [`Error::NotFound`] where they have none such that is
/// good; [`Error::Denied`] for who comes with another token.
pub async fn revoke_token(app: &App, ctx: &Ctx, token_id: Uuid) -> Result<(), Error> {
    let user_id = super::own(ctx)?;
    let unknown = || Error::NotFound(format!("no good token {token_id} of yours"));
    let mut tx = app.pool.begin().await?;
    let token = store::get(&mut *tx, token_id).await?;
    let token = token.filter(|token| token.user_id == Some(user_id)).ok_or_else(unknown)?;
    if super::by_token(ctx) && ctx.actor.id != Some(token_id) {
        let why = "a token revokes only itself: do this in the dashboard";
        return Err(Error::Denied(why.to_owned()));
    }
    if !store::revoke(&mut tx, token_id, ctx.now).await? {
        return Err(unknown());
    }
    let object = Object::new("token", token_id, &token.name);
    audit::record(&mut tx, ctx, "token.revoke", object, state(&token), ()).await?;
    tx.commit().await?;
    tracing::info!(token.id = %token_id, by = ctx.actor.name, "token revoked");
    Ok(())
}
