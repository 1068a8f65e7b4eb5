//! What people do with their own account: password, second factor, sessions, preferences.
//!
//! Owns that what guards an account is changed only by who proves it anew: a session that was left
//! open is not enough.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::access::{first, password, totp};
use crate::ctx::{ActorKind, App, Ctx};
use crate::error::Error;
use crate::store::user_sessions::{self, UserSession};
use crate::store::users::{self as store, Secrets, User};

/// Bytes of a user's preferences, as JSON.
const MAX_PREFERENCES: usize = 16_384;
/// How long a second factor is offered.
const OFFER: TimeDelta = TimeDelta::minutes(15);

/// A second factor that is offered, and counts once a code of it has been sent back.
#[derive(Clone)]
pub struct TotpOffer {
    /// The secret as base 32, to be typed in.
    pub secret: String,
    /// The secret as an `otpauth://` URL.
    pub url: String,
    /// The URL's QR code, as SVG.
    pub picture: String,
    /// The secret, sealed: it comes back with the code.
    pub sealed: String,
}

/// Each right that the caller has, and where.
pub fn rights(ctx: &Ctx) -> Vec<(Right, Reach)> {
    let reach = |right: Right| (right, ctx.reach(right));
    Right::ALL.map(reach).into_iter().filter(|(_, reach)| !reach.is_nowhere()).collect()
}

/// Who the caller is, as administrators see them.
///
/// # Errors
/// [`Error::Denied`] for who is no person.
pub async fn get(app: &App, ctx: &Ctx) -> Result<User, Error> {
    let user_id = own(ctx)?;
    let gone = || Error::NotFound(format!("no user {user_id}"));
    store::get(&app.pool, user_id).await?.ok_or_else(gone)
}

/// Changes the caller's password and ends their other sessions.
///
/// # Errors
/// [`Error::Denied`] for who is no person; [`Error::Invalid`] at `/old_password` or `/password`;
/// [`Error::Conflict`] where there is no password, or after too many wrong ones.
pub async fn change_password(
    app: &App,
    ctx: &Ctx,
    session_id: Uuid,
    old: String,
    new: String,
) -> Result<(), Error> {
    let user = secrets(app, ctx).await?;
    password::check(&new, &user.login)?;
    let same = old == new;
    prove(app, ctx, &user, old, "/old_password").await?;
    if same {
        return Err(Error::invalid("/password", "this is the password that you have"));
    }
    let hash = password::hash(new).await?;
    let mut tx = app.pool.begin().await?;
    let now = store::secrets_locked(&mut tx, user.user_id).await?;
    if now.is_none_or(|now| now.password_hash != user.password_hash) {
        return Err(Error::Conflict("the password has changed meanwhile".to_owned()));
    }
    store::set_password(&mut tx, user.user_id, &hash, false, ctx.now).await?;
    user_sessions::end_all(&mut tx, user.user_id, Some(session_id)).await?;
    let object = Object::new("user", user.user_id, &user.login);
    audit::record(&mut tx, ctx, "user.password", object, (), json!({ "must_change": false }))
        .await?;
    tx.commit().await?;
    first::changed(app, &user.login);
    // Whoever guessed at codes knew the old one.
    app.attempts.codes.forget(&user.user_id);
    Ok(())
}

/// Offers a new second factor, for a quarter of an hour. Nothing is stored.
///
/// # Errors
/// [`Error::Denied`] for who is no person; [`Error::Conflict`] for who has no password.
pub async fn offer_totp(app: &App, ctx: &Ctx) -> Result<TotpOffer, Error> {
    let user = secrets(app, ctx).await?;
    has_password(&user)?;
    let secret = totp::new_secret();
    let until = (ctx.now + OFFER).timestamp();
    let sealed = app.keys.seal_text(&format!("{until} {secret}"), &offered_to(&user));
    offer(&user, secret, sealed)
}

/// The same offer once more, for a page that is shown again.
///
/// # Errors
/// [`Error::Denied`] for who is no person; [`Error::Invalid`] for what is no offer of theirs, or no
/// longer.
pub async fn offer_again(app: &App, ctx: &Ctx, sealed: &str) -> Result<TotpOffer, Error> {
    let user = secrets(app, ctx).await?;
    offer(&user, opened(app, &user, sealed, ctx.now)?, sealed.to_owned())
}

/// Takes an offer whose code is right: from now on a code is asked for at each log-in.
///
/// # Errors
/// [`Error::Denied`] for who is no person; [`Error::Invalid`] at `/password` or `/code`, and where
/// the offer is none any more; [`Error::Conflict`] where there is a second factor already, or no
/// password, or after too many wrong ones or wrong codes.
pub async fn confirm_totp(
    app: &App,
    ctx: &Ctx,
    sealed: &str,
    password: String,
    code: &str,
) -> Result<(), Error> {
    let user = secrets(app, ctx).await?;
    let secret = opened(app, &user, sealed, ctx.now)?;
    // Who finds a session left open must not lock its user out with a factor of their own.
    prove(app, ctx, &user, password, "/password").await?;
    if let Err(seconds) = app.attempts.codes.attempt(user.user_id, ctx.now) {
        let why = format!("too many wrong codes: try again in {seconds} seconds");
        return Err(Error::Conflict(why));
    }
    let Some(step) = totp::step(&secret, code, ctx.now)? else {
        let why = "this is not the code that the app shows now; is the phone's clock right?";
        return Err(Error::invalid("/code", why));
    };
    let mut tx = app.pool.begin().await?;
    let now = store::secrets_locked(&mut tx, user.user_id).await?;
    if now.is_none_or(|now| now.totp_sealed.is_some()) {
        let why = "there is a second factor already: remove that one first";
        return Err(Error::Conflict(why.to_owned()));
    }
    let kept = app.keys.seal(&secret, &user.user_id.to_string());
    store::set_totp(&mut tx, user.user_id, Some(&kept), Some(step), ctx.now).await?;
    let object = Object::new("user", user.user_id, &user.login);
    let (was, is) = (json!({ "totp": false }), json!({ "totp": true }));
    audit::record(&mut tx, ctx, "user.totp", object, was, is).await?;
    tx.commit().await?;
    app.attempts.codes.forget(&user.user_id);
    Ok(())
}

/// Takes the caller's second factor away.
///
/// # Errors
/// [`Error::Denied`] for who is no person; [`Error::Invalid`] at `/password`; [`Error::Conflict`]
/// where there is none, or after too many wrong passwords.
pub async fn remove_totp(app: &App, ctx: &Ctx, password: String) -> Result<(), Error> {
    let user = secrets(app, ctx).await?;
    if user.totp_sealed.is_none() {
        return Err(Error::Conflict("you have no second factor".to_owned()));
    }
    prove(app, ctx, &user, password, "/password").await?;
    let mut tx = app.pool.begin().await?;
    store::set_totp(&mut tx, user.user_id, None, None, ctx.now).await?;
    let object = Object::new("user", user.user_id, &user.login);
    let (was, is) = (json!({ "totp": true }), json!({ "totp": false }));
    audit::record(&mut tx, ctx, "user.totp", object, was, is).await?;
    tx.commit().await?;
    Ok(())
}

/// The caller's sessions, the one used last first.
///
/// # Errors
/// [`Error::Denied`] for who is no person.
pub async fn sessions(app: &App, ctx: &Ctx) -> Result<Vec<UserSession>, Error> {
    super::users::sessions_of(app, ctx, own(ctx)?).await
}

/// Ends a session of the caller's.
///
/// # Errors
/// [`Error::Denied`] for who is no person, [`Error::NotFound`].
pub async fn revoke_session(app: &App, ctx: &Ctx, session_id: Uuid) -> Result<(), Error> {
    super::users::end_session(app, ctx, own(ctx)?, session_id).await
}

/// Merges into the caller's preferences; null removes one.
///
/// # Errors
/// [`Error::Denied`] for who is no person; [`Error::Invalid`] for too many.
pub async fn prefer(
    app: &App,
    ctx: &Ctx,
    changes: serde_json::Map<String, Value>,
) -> Result<Value, Error> {
    let user_id = own(ctx)?;
    let mut tx = app.pool.begin().await?;
    let stored = store::preferences(&mut tx, user_id).await?;
    let Some(before) = stored else { return Err(Error::NotFound(format!("no user {user_id}"))) };
    let mut fields = before.as_object().cloned().unwrap_or_default();
    for (name, value) in changes {
        match value {
            Value::Null => drop(fields.remove(&name)),
            value => drop(fields.insert(name, value)),
        }
    }
    let after = Value::Object(fields);
    if after.to_string().len() > MAX_PREFERENCES {
        return Err(Error::invalid("", format!("at most {MAX_PREFERENCES} bytes of preferences")));
    }
    if after != before {
        store::set_preferences(&mut tx, user_id, &after).await?;
        let object = Object::new("user", user_id, &ctx.actor.name);
        audit::record(&mut tx, ctx, "user.preferences", object, before, &after).await?;
        tx.commit().await?;
    }
    Ok(after)
}

fn own(ctx: &Ctx) -> Result<Uuid, Error> {
    match (ctx.actor.kind, ctx.actor.id) {
        (ActorKind::User, Some(user_id)) => Ok(user_id),
        _ => Err(Error::Denied("only people have an account of their own".to_owned())),
    }
}

async fn secrets(app: &App, ctx: &Ctx) -> Result<Secrets, Error> {
    let user_id = own(ctx)?;
    let gone = || Error::NotFound(format!("no user {user_id}"));
    store::secrets(&app.pool, user_id).await?.ok_or_else(gone)
}

/// Refuses who does not know the password. Guessing is as slow as at the log-in, but counted apart:
/// what strangers do there holds nobody back who is in.
async fn prove(
    app: &App,
    ctx: &Ctx,
    user: &Secrets,
    password: String,
    pointer: &str,
) -> Result<(), Error> {
    has_password(user)?;
    if let Err(seconds) = app.attempts.proofs.attempt(user.user_id, ctx.now) {
        let why = format!("too many wrong passwords: try again in {seconds} seconds");
        return Err(Error::Conflict(why));
    }
    if !password::verify(password, user.password_hash.clone()).await? {
        return Err(Error::invalid(pointer, "this is not your password"));
    }
    app.attempts.proofs.forget(&user.user_id);
    Ok(())
}

/// Without one there is nothing that a second factor could be second to, nor a way to remove it.
fn has_password(user: &Secrets) -> Result<(), Error> {
    if user.password_hash.is_none() {
        let why = "you have no password here: you log in by single sign-on";
        return Err(Error::Conflict(why.to_owned()));
    }
    Ok(())
}

fn offered_to(user: &Secrets) -> String {
    format!("totp offer {}", user.user_id)
}

/// The secret of an offer to this user that is not too old.
fn opened(app: &App, user: &Secrets, sealed: &str, now: DateTime<Utc>) -> Result<String, Error> {
    let text = app.keys.open_text(sealed, &offered_to(user)).unwrap_or_default();
    match text.split_once(' ') {
        Some((until, secret)) if until.parse().is_ok_and(|until: i64| now.timestamp() < until) => {
            Ok(secret.to_owned())
        }
        _ => Err(Error::invalid("", "this was offered too long ago: begin again with a new one")),
    }
}

fn offer(user: &Secrets, secret: String, sealed: String) -> Result<TotpOffer, Error> {
    let url = totp::url(&secret, &user.login)?;
    Ok(TotpOffer { picture: totp::picture(&url)?, secret, url, sealed })
}
