//! Logging in: by password, by password and code, by an OIDC provider.
//!
//! Owns that an answer tells nothing of whether a login exists, neither by what it says nor by how
//! long it takes; that guessing is slow, and holds nobody back who is at a browser of their own; and
//! that each log-in, and each of a user that failed, is in the audit log. The OIDC protocol itself
//! is not here: who comes through it has been proved.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Object};
use super::session::{self, NewSession};
use super::user::{check_login, keep_admin};
use super::{known, password, totp};
use crate::ctx::{Actor, ActorKind, App, Ctx};
use crate::error::Error;
use crate::store::roles;
use crate::store::users::{self as store, NewUser, Secrets};

/// How long there is between the password and the code.
pub(super) const CHALLENGE: TimeDelta = TimeDelta::minutes(5);
/// Seconds after which to try again where too many passwords wait to be looked at.
const BUSY: u32 = 5;
/// How long it takes at least to note a failure: whether there was something to write must not show.
const NOTE: Duration = Duration::from_millis(50);
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
    /// Whether the provider vouches that this is theirs, and not only typed in by them.
    pub vouched: bool,
    /// Their name; may be empty.
    pub display_name: String,
    /// Names of the roles that they have everywhere; `None` = the provider does not say.
    pub roles: Option<Vec<String>>,
}

/// Logs in by a password. `known` is what an earlier log-in gave this browser
/// ([`NewSession::known`]).
///
/// # Errors
/// [`Error::Database`], [`Error::Internal`].
pub async fn with_password(
    app: &App,
    login: &str,
    password: &str,
    known: Option<&str>,
    from: IpAddr,
    user_agent: &str,
    now: DateTime<Utc>,
) -> Result<Outcome, Error> {
    let login = login.trim();
    let user = match check_login(login) {
        Ok(()) => store::secrets_named(&app.pool, login).await?,
        Err(_) => None,
    };
    let device = known.zip(user.as_ref());
    let device = device.and_then(|(k, user)| known::device(&app.keys, k, user.user_id, now));
    let logins = &app.attempts.logins;
    if let Err(seconds) = logins.attempt(login, from, device, now) {
        return Ok(Outcome::Slow(seconds));
    }
    let place = password::line();
    // Whoever is known waits however long the line of strangers is.
    if place.is_none() && device.is_none() {
        logins.take_back(login, from, device);
        return Ok(Outcome::Slow(BUSY));
    }
    let stored = user.as_ref().filter(|u| u.disabled_at.is_none());
    let stored = stored.and_then(|u| u.password_hash.clone());
    let right = password::verify(password.to_owned(), stored).await?;
    drop(place);
    let Some(user) = user.as_ref().filter(|_| right) else {
        failed(app, user.as_ref(), "password", from, now).await?;
        return Ok(Outcome::Wrong);
    };
    if user.totp_sealed.is_some() {
        // The attempt stays counted until the code is right: the password alone exempts nobody.
        return Ok(match app.attempts.codes.blocked(&user.user_id, now) {
            Some(seconds) => Outcome::Slow(seconds),
            None => Outcome::NeedCode(challenge(app, user, device, now)),
        });
    }
    let outcome = admit(app, user, "password", None, (from, user_agent), now).await?;
    Ok(recognised(app, user, outcome, from, device, now))
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
    let asked = challenged(app, challenge, now).await?;
    let Some((user, device)) = asked else { return Ok(Outcome::Wrong) };
    let Some(sealed) = &user.totp_sealed else { return Ok(Outcome::Wrong) };
    if let Err(seconds) = app.attempts.codes.attempt(user.user_id, now) {
        return Ok(Outcome::Slow(seconds));
    }
    let secret = app.keys.open(sealed, &user.user_id.to_string())?;
    let Some(step) = totp::step(&secret, code, now)? else {
        failed(app, Some(&user), "code", from, now).await?;
        return Ok(Outcome::Wrong);
    };
    let by = "password and code";
    let outcome = admit(app, &user, by, Some(step), (from, user_agent), now).await?;
    if matches!(outcome, Outcome::In(_)) {
        app.attempts.codes.forget(&user.user_id);
    }
    Ok(recognised(app, &user, outcome, from, device, now))
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
    let user = store::secrets(&mut *tx, user_id).await?;
    let Some(user) = user else { return Ok(Outcome::Wrong) };
    if user.disabled_at.is_some() {
        // What the provider says of who may not log in changes nothing.
        drop(tx);
        failed(app, Some(&user), BY_OIDC, from, now).await?;
        return Ok(Outcome::Wrong);
    }
    if let Some(names) = &identity.roles {
        take_roles(&mut tx, user_id, names, from, now).await?;
    }
    tx.commit().await?;
    admit(app, &user, BY_OIDC, None, (from, user_agent), now).await
}

/// Sealed with the password's hash: a challenge is worth nothing once the password has changed. The
/// known browser is in it, so that what was counted for the password is what is taken back.
fn challenge(app: &App, user: &Secrets, device: Option<Uuid>, now: DateTime<Utc>) -> String {
    let until = (now + CHALLENGE).timestamp();
    let device = device.map_or_else(String::new, |device| device.to_string());
    let sealed = app.keys.seal_text(&format!("{until} {device}"), &bound_to(user));
    format!("{}.{sealed}", user.user_id.simple())
}

/// Whom a challenge asked, and in which known browser, if there is still time.
async fn challenged(
    app: &App,
    challenge: &str,
    now: DateTime<Utc>,
) -> Result<Option<(Secrets, Option<Uuid>)>, Error> {
    let Some((user_id, sealed)) = challenge.split_once('.') else { return Ok(None) };
    let Ok(user_id) = Uuid::try_parse(user_id) else { return Ok(None) };
    let Some(user) = store::secrets(&app.pool, user_id).await? else { return Ok(None) };
    let Ok(text) = app.keys.open_text(sealed, &bound_to(&user)) else { return Ok(None) };
    let Some((until, device)) = text.split_once(' ') else { return Ok(None) };
    let in_time = until.parse().is_ok_and(|until: i64| now.timestamp() < until);
    Ok(in_time.then(|| (user, Uuid::try_parse(device).ok())))
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
    Ok(Outcome::In(session))
}

/// Whose password was right and who was let in: the attempt counts no longer, and their browser is
/// known from now on.
fn recognised(
    app: &App,
    user: &Secrets,
    outcome: Outcome,
    from: IpAddr,
    device: Option<Uuid>,
    now: DateTime<Utc>,
) -> Outcome {
    match outcome {
        Outcome::In(session) => {
            app.attempts.logins.proved(&user.login, from, device);
            let device = device.unwrap_or_else(|| Uuid::from_u128(rand::random()));
            let known = known::seal(&app.keys, user.user_id, device, now);
            Outcome::In(NewSession { known: Some(known), ..session })
        }
        other => other,
    }
}

/// Notes an attempt that failed.
async fn failed(
    app: &App,
    user: Option<&Secrets>,
    wrong: &str,
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    metrics::counter!("muster_login_failures_total").increment(1);
    let (noted, ()) = tokio::join!(note(app, user, wrong, from, now), tokio::time::sleep(NOTE));
    noted
}

/// A login that is nobody's is not written down: it may be a password in the wrong field. Nor is
/// each of them: strangers must not fill a log from which nothing is ever removed.
async fn note(
    app: &App,
    user: Option<&Secrets>,
    wrong: &str,
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (name, id, after) = match user {
        Some(user) => (user.login.as_str(), user.user_id.to_string(), json!({ "wrong": wrong })),
        None => {
            let Some(count) = app.attempts.strangers.tell(now) else { return Ok(()) };
            ("unknown", String::new(), json!({ "wrong": wrong, "count": count }))
        }
    };
    let ctx = Ctx::nobody(name, Some(from), now);
    let object = Object::new("user", id, name);
    let mut conn = app.pool.acquire().await?;
    audit::record(&mut conn, &ctx, "user.login_failed", object, (), after).await
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
        if !identity.vouched {
            let why = "single sign-on: the provider does not say that the address is verified";
            tracing::warn!(user.login = login, "{why}");
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
        store::grant(conn, user_id, role.role_id, None, None).await?;
    }
    keep_admin(conn, had_admin).await?;
    let ctx = Ctx { from: Some(from), ..Ctx::muster(now) };
    let user = store::get(&mut *conn, user_id).await?;
    let name = user.map(|user| user.login).unwrap_or_default();
    let (before, after) = (json!({ "roles": before }), json!({ "roles": after }));
    audit::record(conn, &ctx, "user.change", Object::new("user", user_id, &name), before, after)
        .await
}
