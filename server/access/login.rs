//! Logging in: by password, by password and code, by an OIDC provider.
//!
//! Owns that an answer tells nothing of whether a login exists, neither by what it says nor by how
//! long it takes; that guessing is slow; and that each log-in, and each that failed, is in the audit
//! log. The OIDC protocol itself is not here: who comes through it has been proved.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Object};
use super::session::{self, NewSession};
use super::user::{check_login, keep_admin};
use super::{password, totp};
use crate::ctx::{Actor, ActorKind, App, Ctx};
use crate::error::Error;
use crate::store::roles;
use crate::store::users::{self as store, NewUser, Secrets};

/// How long there is between the password and the code.
const CHALLENGE: TimeDelta = TimeDelta::minutes(5);
/// How the audit log calls a log-in by a provider.
const BY_OIDC: &str = "single sign-on";

/// What became of an attempt.
pub enum Outcome {
    /// They are in.
    In(NewSession),
    /// The password is right; the code is asked for with this challenge, within five minutes.
    NeedCode(String),
    /// Something is wrong; what, is nobody's business.
    Wrong,
    /// Too many attempts: the next one in so many seconds.
    Slow(u32),
}

/// Who an OIDC provider says somebody is.
#[derive(Debug, Clone)]
pub struct OidcIdentity {
    /// The provider.
    pub issuer: String,
    /// What it calls them, for ever.
    pub subject: String,
    /// What they call themselves.
    pub login: String,
    /// Their name; may be empty.
    pub display_name: String,
    /// Names of the roles that they have everywhere; `None` = the provider does not say.
    pub roles: Option<Vec<String>>,
}

/// Logs in by a password.
///
/// # Errors
/// [`Error::Database`], [`Error::Internal`].
pub async fn with_password(
    app: &App,
    login: &str,
    password: &str,
    from: IpAddr,
    user_agent: &str,
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let login = login.trim();
    if let Err(seconds) = app.attempts.logins.attempt(login, from, now) {
        return Ok(Outcome::Slow(seconds));
    }
    let user = match check_login(login) {
        Ok(()) => store::secrets_named(&app.pool, login).await?,
        Err(_) => None,
    };
    let stored = user.as_ref().filter(|u| u.disabled_at.is_none());
    let stored = stored.and_then(|u| u.password_hash.clone());
    let right = password::verify(password.to_owned(), stored).await?;
    let Some(user) = user.as_ref().filter(|_| right) else {
        failed(app, user.as_ref(), "password", from, now).await?;
        return Ok(Outcome::Wrong);
    };
    if user.totp_sealed.is_some() {
        app.attempts.logins.proved(&user.login, from);
        return Ok(Outcome::NeedCode(challenge(app, user, now)));
    }
    admit(app, user, "password", None, (from, user_agent), now).await
}

/// Logs in by the code that a challenge asked for.
///
/// # Errors
/// [`Error::Database`], [`Error::Internal`].
pub async fn with_code(
    app: &App,
    challenge: &str,
    code: &str,
    from: IpAddr,
    user_agent: &str,
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let Some(user) = challenged(app, challenge, now).await? else { return Ok(Outcome::Wrong) };
    let Some(sealed) = &user.totp_sealed else { return Ok(Outcome::Wrong) };
    if let Err(seconds) = app.attempts.logins.attempt(&user.login, from, now) {
        return Ok(Outcome::Slow(seconds));
    }
    let secret = app.keys.open(sealed, &user.user_id.to_string())?;
    let Some(step) = totp::step(&secret, code, now)? else {
        failed(app, Some(&user), "code", from, now).await?;
        return Ok(Outcome::Wrong);
    };
    admit(app, &user, "password and code", Some(step), (from, user_agent), now).await
}

/// Logs in whom an OIDC provider has proved.
///
/// # Errors
/// [`Error::Conflict`] where the roles that it says would leave no administrator;
/// [`Error::Database`], [`Error::Internal`].
pub async fn with_oidc(
    app: &App,
    identity: OidcIdentity,
    from: IpAddr,
    user_agent: &str,
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let Some(user_id) = identified(&mut tx, app, &identity, from, now).await? else {
        drop(tx);
        failed(app, None, BY_OIDC, from, now).await?;
        return Ok(Outcome::Wrong);
    };
    if let Some(names) = &identity.roles {
        take_roles(&mut tx, user_id, names, from, now).await?;
    }
    let user = store::secrets(&mut *tx, user_id).await?;
    tx.commit().await?;
    let Some(user) = user else { return Ok(Outcome::Wrong) };
    if user.disabled_at.is_some() {
        failed(app, Some(&user), BY_OIDC, from, now).await?;
        return Ok(Outcome::Wrong);
    }
    admit(app, &user, BY_OIDC, None, (from, user_agent), now).await
}

/// Sealed with the password's hash: a challenge is worth nothing once the password has changed.
fn challenge(app: &App, user: &Secrets, now: DateTime<Utc>) -> String {
    let until = (now + CHALLENGE).timestamp().to_string();
    format!("{}.{}", user.user_id.simple(), app.keys.seal_text(&until, &bound_to(user)))
}

/// Whom a challenge asked, if there is still time.
async fn challenged(
    app: &App,
    challenge: &str,
    now: DateTime<Utc>,
) -> Result<Option<Secrets>, Error> {
    let Some((user_id, sealed)) = challenge.split_once('.') else { return Ok(None) };
    let Ok(user_id) = Uuid::try_parse(user_id) else { return Ok(None) };
    let Some(user) = store::secrets(&app.pool, user_id).await? else { return Ok(None) };
    let until = app.keys.open_text(sealed, &bound_to(&user)).ok();
    let until: Option<i64> = until.and_then(|text| text.parse().ok());
    Ok(until.is_some_and(|until| now.timestamp() < until).then_some(user))
}

fn bound_to(user: &Secrets) -> String {
    let hash = user.password_hash.as_deref().unwrap_or_default();
    format!("login {} {hash}", user.user_id)
}

/// Begins the session, unless what proved them is no longer true, or their code was taken before.
async fn admit(
    app: &App,
    proved: &Secrets,
    by: &str,
    step: Option<i64>,
    (from, user_agent): (IpAddr, &str),
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let mut tx = app.pool.begin().await?;
    // Locked: a password that is changed now ends this session too.
    let user = store::secrets_locked(&mut tx, proved.user_id).await?;
    let same = |user: &Secrets| {
        user.disabled_at.is_none()
            && user.password_hash == proved.password_hash
            && user.totp_sealed == proved.totp_sealed
    };
    let Some(user) = user.filter(same) else { return Ok(Outcome::Wrong) };
    if let Some(step) = step
        && !store::take_step(&mut tx, user.user_id, step).await?
    {
        drop(tx);
        failed(app, Some(&user), "code that was used before", from, now).await?;
        return Ok(Outcome::Wrong);
    }
    let session =
        session::begin(&mut tx, &app.config, user.user_id, (from, user_agent), now).await?;
    store::logged_in(&mut tx, user.user_id, now).await?;
    let actor = Actor { kind: ActorKind::User, id: Some(user.user_id), name: user.login.clone() };
    let ctx = Ctx { actor, from: Some(from), ..Ctx::nobody("", None, now) };
    let object = Object::new("user", user.user_id, &user.login);
    audit::record(&mut tx, &ctx, "user.login", object, (), json!({ "by": by })).await?;
    tx.commit().await?;
    app.attempts.logins.proved(&user.login, from);
    Ok(Outcome::In(session))
}

/// Notes an attempt that failed. A login that is nobody's is not written down: it may be a password
/// in the wrong field.
async fn failed(
    app: &App,
    user: Option<&Secrets>,
    wrong: &str,
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let name = user.map_or("unknown", |user| user.login.as_str());
    let id = user.map_or_else(String::new, |user| user.user_id.to_string());
    let ctx = Ctx::nobody(name, Some(from), now);
    let object = Object::new("user", id, name);
    let mut conn = app.pool.acquire().await?;
    audit::record(&mut conn, &ctx, "user.login_failed", object, (), json!({ "wrong": wrong })).await
}

/// The user of an identity: the one bound to it; one that an administrator made for it, without a
/// password; or a new one, where the configuration says so.
async fn identified(
    conn: &mut PgConnection,
    app: &App,
    identity: &OidcIdentity,
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, Error> {
    let known_as = (identity.issuer.as_str(), identity.subject.as_str());
    if let Some(user_id) = store::known_as(&mut *conn, known_as.0, known_as.1).await? {
        return Ok(Some(user_id));
    }
    let login = identity.login.trim();
    if check_login(login).is_err() {
        tracing::warn!("single sign-on: `{}` is no login", login.escape_debug());
        return Ok(None);
    }
    if let Some(user_id) = store::named(&mut *conn, login).await? {
        let user = store::secrets(&mut *conn, user_id).await?;
        // Whoever can choose a name at the provider must not become the local user of that name.
        let waiting = user.is_some_and(|u| u.password_hash.is_none() && u.oidc_subject.is_none());
        if !waiting {
            tracing::warn!(user.login = login, "single sign-on: the login is another user's");
            return Ok(None);
        }
        store::bind_oidc(conn, user_id, known_as, now).await?;
        return Ok(Some(user_id));
    }
    if !app.config.oidc.create_users {
        return Ok(None);
    }
    let user_id = Uuid::now_v7();
    let shown = identity.display_name.trim().chars().filter(|c| !c.is_control());
    let display_name: String = shown.take(64).collect();
    let user = NewUser {
        user_id,
        login,
        display_name: display_name.trim(),
        password_hash: None,
        must_change: false,
        oidc: Some(known_as),
    };
    store::insert(conn, &user, now).await?;
    let ctx = Ctx { from: Some(from), ..Ctx::muster(now) };
    let after = json!({ "login": login, "oidc_issuer": identity.issuer });
    audit::record(conn, &ctx, "user.create", Object::new("user", user_id, login), (), after)
        .await?;
    Ok(Some(user_id))
}

/// Gives a user the roles that the provider says, everywhere, in place of those that they had
/// everywhere; what they have at sites is Muster's own and stays.
async fn take_roles(
    conn: &mut PgConnection,
    user_id: Uuid,
    names: &[String],
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let everywhere = |grants: Vec<store::Grant>| -> Vec<String> {
        grants.into_iter().filter(|g| g.site_id.is_none()).map(|g| g.role).collect()
    };
    let before = everywhere(store::grants(&mut *conn, &[user_id]).await?);
    let roles = roles::named(&mut *conn, names).await?;
    let after: Vec<String> = roles.iter().map(|role| role.name.clone()).collect();
    if before == after {
        return Ok(());
    }
    let had_admin = store::has_admin(conn).await?;
    store::clear_grants(conn, user_id, false).await?;
    for role in &roles {
        store::grant(conn, user_id, role.role_id, None).await?;
    }
    keep_admin(conn, had_admin).await?;
    let ctx = Ctx { from: Some(from), ..Ctx::muster(now) };
    let user = store::get(&mut *conn, user_id).await?;
    let name = user.map(|user| user.login).unwrap_or_default();
    let (before, after) = (json!({ "roles": before }), json!({ "roles": after }));
    audit::record(conn, &ctx, "user.change", Object::new("user", user_id, &name), before, after)
        .await
}
