//! Users: list, make, change, remove; their passwords, second factors and sessions.
//!
//! Owns that only an administrator of everything changes one, and that one such administrator is
//! always left. What people do with their own account is [`super::account`].

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::access::user::{UserFields, check_login, keep_admin, set_grants, state};
use crate::access::{first, password, session};
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::tokens;
use crate::store::user_sessions::{self, UserSession};
use crate::store::users::{self as store, Grant, NewUser, User};

/// A user with what they were granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: User,
    /// What they may do, and where.
    pub grants: Vec<Grant>,
}

/// A page of users, in order of logins, after a login.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Person>, Error> {
    ctx.require(Right::Admin)?;
    let users = store::list(&app.pool, after, limit).await?;
    let ids: Vec<Uuid> = users.iter().map(|user| user.user_id).collect();
    let grants = store::grants(&app.pool, &ids).await?;
    let of = |user: &User| -> Vec<Grant> {
        grants.iter().filter(|g| g.user_id == user.user_id).cloned().collect()
    };
    Ok(users.into_iter().map(|user| Person { grants: of(&user), user }).collect())
}

/// One user.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn get(app: &App, ctx: &Ctx, user_id: Uuid) -> Result<Person, Error> {
    ctx.require(Right::Admin)?;
    let mut conn = app.pool.acquire().await?;
    load(&mut conn, user_id).await
}

/// The user with this login.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn named(app: &App, ctx: &Ctx, login: &str) -> Result<Person, Error> {
    ctx.require(Right::Admin)?;
    match store::named(&app.pool, login).await? {
        Some(user_id) => get(app, ctx, user_id).await,
        None => Err(Error::NotFound(format!("no user `{login}`"))),
    }
}

async fn load(conn: &mut PgConnection, user_id: Uuid) -> Result<Person, Error> {
    let unknown = || Error::NotFound(format!("no user {user_id}"));
    let user = store::get(&mut *conn, user_id).await?.ok_or_else(unknown)?;
    let grants = store::grants(&mut *conn, &[user_id]).await?;
    Ok(Person { user, grants })
}

/// Makes a user. Without a password they log in by OIDC only; one that is given must be changed at
/// the first log-in.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what cannot be taken, [`Error::Conflict`] where the
/// login is somebody's.
pub async fn create(
    app: &App,
    ctx: &Ctx,
    login: &str,
    password: Option<String>,
    fields: UserFields,
) -> Result<Person, Error> {
    ctx.require_everywhere(Right::Admin)?;
    check_login(login)?;
    fields.check()?;
    let hash = match password {
        Some(password) => {
            password::check(&password, login)?;
            Some(password::hash(password).await?)
        }
        None => None,
    };
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    if store::named(&mut *tx, login).await?.is_some() {
        return Err(Error::Conflict(format!("there is a user `{login}` already")));
    }
    let user_id = Uuid::now_v7();
    let new = NewUser {
        user_id,
        login,
        display_name: fields.display_name.as_deref().unwrap_or_default(),
        password_hash: hash.as_deref(),
        must_change: hash.is_some(),
        oidc: None,
    };
    store::insert(&mut tx, &new, ctx.now).await?;
    if fields.disabled == Some(true) {
        store::update(&mut tx, user_id, new.display_name, Some(ctx.now), ctx.now).await?;
    }
    set_grants(&mut tx, user_id, fields.grants.as_deref().unwrap_or_default()).await?;
    let made = load(&mut tx, user_id).await?;
    let object = Object::new("user", user_id, login);
    let after = state(&made.user, &made.grants);
    audit::record(&mut tx, ctx, "user.create", object, (), after).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user_id, user.login = login, by = ctx.actor.name, "user made");
    Ok(made)
}

/// Changes a user. `check` says whether its version, the time of its last change, is the one that
/// is meant; `patch` gives the fields that it is to have. Who is disabled is logged out.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], [`Error::Invalid`]; [`Error::Conflict`] where no
/// administrator would be left; those of `check` and `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    user_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(UserFields) -> Result<UserFields, Error>,
) -> Result<Person, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let before = load(&mut tx, user_id).await?;
    check(before.user.updated_at)?;
    let fields = patch(UserFields::of(&before.user, &before.grants))?;
    fields.check()?;
    let had_admin = store::has_admin(&mut tx).await?;
    let disabled = fields.disabled.unwrap_or_default();
    let disabled_at = disabled.then(|| before.user.disabled_at.unwrap_or(ctx.now));
    let display_name = fields.display_name.as_deref().unwrap_or_default();
    store::update(&mut tx, user_id, display_name, disabled_at, ctx.now).await?;
    set_grants(&mut tx, user_id, fields.grants.as_deref().unwrap_or_default()).await?;
    keep_admin(&mut tx, had_admin).await?;
    if disabled {
        user_sessions::end_all(&mut tx, user_id, None).await?;
    }
    let after = load(&mut tx, user_id).await?;
    let object = Object::new("user", user_id, &after.user.login);
    let (was, is) = (state(&before.user, &before.grants), state(&after.user, &after.grants));
    audit::record(&mut tx, ctx, "user.change", object, was, is).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user_id, by = ctx.actor.name, "user changed");
    Ok(after)
}

/// Removes a user, their sessions and what only they see. What they did stays in the audit log.
/// `check` as with [`change`].
///
/// # Errors
/// As [`change`].
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    user_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let before = load(&mut tx, user_id).await?;
    check(before.user.updated_at)?;
    let had_admin = store::has_admin(&mut tx).await?;
    store::delete(&mut tx, user_id).await?;
    keep_admin(&mut tx, had_admin).await?;
    let object = Object::new("user", user_id, &before.user.login);
    let was = state(&before.user, &before.grants);
    audit::record(&mut tx, ctx, "user.delete", object, was, ()).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user_id, by = ctx.actor.name, "user removed");
    Ok(())
}

/// Gives a user a password that they must change at the next log-in, logs them out and revokes the
/// tokens of their own: whoever made one may have known the old password.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], [`Error::Invalid`].
pub async fn set_password(
    app: &App,
    ctx: &Ctx,
    user_id: Uuid,
    password: String,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let login = get(app, ctx, user_id).await?.user.login;
    password::check(&password, &login)?;
    let hash = password::hash(password).await?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    load(&mut tx, user_id).await?;
    store::set_password(&mut tx, user_id, &hash, true, ctx.now).await?;
    user_sessions::end_all(&mut tx, user_id, None).await?;
    let revoked = tokens::revoke_all_of(&mut tx, user_id, ctx.now).await?;
    let object = Object::new("user", user_id, &login);
    let after = json!({ "must_change": true, "tokens_revoked": revoked });
    audit::record(&mut tx, ctx, "user.password", object, (), after).await?;
    tx.commit().await?;
    first::changed(app, &login);
    // Whoever guessed at codes knew the old one.
    app.attempts.codes.forget(&user_id);
    tracing::info!(user.id = %user_id, by = ctx.actor.name, "password set");
    Ok(())
}

/// Takes a user's second factor away: they lost their phone.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] where there is none.
pub async fn remove_totp(app: &App, ctx: &Ctx, user_id: Uuid) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let user = load(&mut tx, user_id).await?.user;
    if !user.has_totp {
        return Err(Error::Conflict(format!("`{}` has no second factor", user.login)));
    }
    store::set_totp(&mut tx, user_id, None, None, ctx.now).await?;
    let object = Object::new("user", user_id, &user.login);
    let (was, is) = (json!({ "totp": true }), json!({ "totp": false }));
    audit::record(&mut tx, ctx, "user.totp", object, was, is).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user_id, by = ctx.actor.name, "second factor removed");
    Ok(())
}

/// A user's sessions, the one used last first.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn sessions(app: &App, ctx: &Ctx, user_id: Uuid) -> Result<Vec<UserSession>, Error> {
    get(app, ctx, user_id).await?;
    sessions_of(app, ctx, user_id).await
}

/// Ends a session of a user.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn revoke_session(
    app: &App,
    ctx: &Ctx,
    user_id: Uuid,
    session_id: Uuid,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    end_session(app, ctx, user_id, session_id).await
}

/// [`sessions`], when the right has been asked for.
pub(super) async fn sessions_of(
    app: &App,
    ctx: &Ctx,
    user_id: Uuid,
) -> Result<Vec<UserSession>, Error> {
    let idle_since = session::idle_since(&app.config, ctx.now);
    Ok(user_sessions::list(&app.pool, user_id, idle_since, ctx.now).await?)
}

/// [`revoke_session`], when the right has been asked for.
pub(super) async fn end_session(
    app: &App,
    ctx: &Ctx,
    user_id: Uuid,
    session_id: Uuid,
) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    let user = load(&mut tx, user_id).await?.user;
    if !user_sessions::end(&mut tx, user_id, session_id).await? {
        return Err(Error::NotFound(format!("no session {session_id} of `{}`", user.login)));
    }
    let object = Object::new("user", user_id, &user.login);
    let ended = json!({ "session_id": session_id });
    audit::record(&mut tx, ctx, "user.end_session", object, ended, ()).await?;
    tx.commit().await?;
    Ok(())
}
