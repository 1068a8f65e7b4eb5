//! What people do with their own account: password, second factor, sessions, preferences, and
//! `tokens` of their own.
//!
//! Owns that what guards an account is changed only by who proves it anew: a session that was left
//! open is not enough, nor is a token. Where there is a second factor, a token and the password are
//! not enough either: they would go around it.

mod tokens;

pub use tokens::{NewOwnToken, create_token, revoke_token, tokens};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::access::{first, password, totp};
use crate::ctx::{ActorKind, App, Ctx};
use crate::error::Error;
use crate::store::user_sessions::{self, UserSession};
use crate::store::users::{self as store, Secrets, User};

/// How the dashboard can look; `auto` = as the system does.
pub const THEMES: [&str; 3] = ["auto", "light", "dark"];
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
/// [`Error::Conflict`] for who is no person.
pub async fn get(app: &App, ctx: &Ctx) -> Result<User, Error> {
    let user_id = own(ctx)?;
    let gone = || Error::NotFound(format!("no user {user_id}"));
    store::get(&app.pool, user_id).await?.ok_or_else(gone)
}

/// Changes the caller's password and ends their sessions, but for the one that is named. Tokens of
/// theirs stay good.
///
/// # Errors
/// [`Error::Conflict`] for who is no person; [`Error::Invalid`] at `/old_password` or `/password`;
/// [`Error::Conflict`] where there is no password, for who has a second factor and comes with a token,
/// or after too many wrong passwords.
pub async fn change_password(
    app: &App,
    ctx: &Ctx,
    session_id: Option<Uuid>,
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
    user_sessions::end_all(&mut tx, user.user_id, session_id).await?;
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
/// [`Error::Conflict`] for who is no person; [`Error::Conflict`] for who has no password.
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
/// [`Error::Conflict`] for who is no person; [`Error::Invalid`] for what is no offer of theirs, or no
/// longer.
pub async fn offer_again(app: &App, ctx: &Ctx, sealed: &str) -> Result<TotpOffer, Error> {
    let user = secrets(app, ctx).await?;
    offer(&user, opened(app, &user, sealed, ctx.now)?, sealed.to_owned())
}

/// Takes an offer whose code is right: from now on a code is asked for at each log-in.
///
/// # Errors
/// [`Error::Conflict`] for who is no person; [`Error::Invalid`] at `/password` or `/code`, and where
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
/// [`Error::Conflict`] for who is no person; [`Error::Invalid`] at `/password`; [`Error::Conflict`]
/// where there is none, for who comes with a token, or after too many wrong passwords.
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
/// [`Error::Conflict`] for who is no person.
pub async fn sessions(app: &App, ctx: &Ctx) -> Result<Vec<UserSession>, Error> {
    super::users::sessions_of(app, ctx, own(ctx)?).await
}

/// Ends a session of the caller's.
///
/// # Errors
/// [`Error::Conflict`] for who is no person, [`Error::Denied`] for who comes with a token,
/// [`Error::NotFound`].
pub async fn revoke_session(app: &App, ctx: &Ctx, session_id: Uuid) -> Result<(), Error> {
    let user_id = own(ctx)?;
    if by_token(ctx) {
        // Who stole one must not throw its owner out, who is about to revoke it.
        let why = "a token ends no session: do this in the dashboard";
        return Err(Error::Denied(why.to_owned()));
    }
    super::users::end_session(app, ctx, user_id, session_id).await
}

/// The caller's preferences: `theme`, one of [`THEMES`], and `time_zone`, by its IANA name; what is
/// not there is as each browser has it.
///
/// # Errors
/// [`Error::Conflict`] for who is no person.
pub async fn preferences(app: &App, ctx: &Ctx) -> Result<Value, Error> {
    let user_id = own(ctx)?;
    let mut conn = app.pool.acquire().await?;
    let stored = store::preferences(&mut conn, user_id).await?;
    stored.ok_or_else(|| Error::NotFound(format!("no user {user_id}")))
}

/// Merges into the caller's preferences; null removes one.
///
/// # Errors
/// [`Error::Conflict`] for who is no person; [`Error::Invalid`] at the preference that cannot be.
pub async fn prefer(app: &App, ctx: &Ctx, changes: Map<String, Value>) -> Result<Value, Error> {
    let user_id = own(ctx)?;
    for (name, value) in &changes {
        check_preference(name, value)?;
    }
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
    if after != before {
        store::set_preferences(&mut tx, user_id, &after).await?;
        let object = Object::new("user", user_id, &ctx.actor.name);
        audit::record(&mut tx, ctx, "user.preferences", object, before, &after).await?;
        tx.commit().await?;
    }
    Ok(after)
}

fn check_preference(name: &str, value: &Value) -> Result<(), Error> {
    let why = match (name, value) {
        ("theme" | "time_zone", Value::Null) => return Ok(()),
        ("theme", Value::String(word)) if THEMES.contains(&word.as_str()) => return Ok(()),
        ("theme", _) => format!("there is no such theme: {}", THEMES.join(", ")),
        ("time_zone", Value::String(zone)) if zone.parse::<Tz>().is_ok() => return Ok(()),
        ("time_zone", _) => {
            "there is no such time zone: they are called as in Europe/Riga".to_owned()
        }
        _ => "there is no such preference: theme, time_zone".to_owned(),
    };
    // RFC 6901: the name is a stranger's.
    let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    Err(Error::invalid(pointer, why))
}

fn own(ctx: &Ctx) -> Result<Uuid, Error> {
    let why = "only people have an account, and this is a program's token: take one of your own, \
               from your account in the dashboard";
    ctx.actor.person().ok_or_else(|| Error::Conflict(why.to_owned()))
}

/// Whether a person comes with a token of theirs.
fn by_token(ctx: &Ctx) -> bool {
    matches!(ctx.actor.kind, ActorKind::Personal(_))
}

async fn secrets(app: &App, ctx: &Ctx) -> Result<Secrets, Error> {
    let user_id = own(ctx)?;
    let gone = || Error::NotFound(format!("no user {user_id}"));
    store::secrets(&app.pool, user_id).await?.ok_or_else(gone)
}

/// Refuses who does not know the password, or has a second factor and comes with a token, which no
/// code was asked for. Guessing is as slow as at the log-in, but counted apart:
/// what strangers do there holds nobody back who is in.
async fn prove(
    app: &App,
    ctx: &Ctx,
    user: &Secrets,
    password: String,
    pointer: &str,
) -> Result<(), Error> {
    has_password(user)?;
    if by_token(ctx) && user.totp_sealed.is_some() {
        let why = "with a second factor set up, do this in the dashboard";
        return Err(Error::Conflict(why.to_owned()));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_preferred_is_kept() {
        for (name, value) in [
            ("theme", json!("dark")),
            ("theme", Value::Null),
            ("time_zone", json!("Europe/Riga")),
            ("time_zone", Value::Null),
        ] {
            assert!(check_preference(name, &value).is_ok(), "{name}: {value}");
        }
        for (name, value, place) in [
            ("theme", json!("pink"), "/theme"),
            ("theme", json!(7), "/theme"),
            ("time_zone", json!("Mars/Olympus"), "/time_zone"),
            ("time_zone", json!(["UTC"]), "/time_zone"),
            ("a/b", Value::Null, "/a~1b"),
        ] {
            match check_preference(name, &value) {
                Err(Error::Invalid { pointer, .. }) => assert_eq!(pointer, place),
                other => panic!("{name}: {value}: {other:?}"),
            }
        }
    }
}
