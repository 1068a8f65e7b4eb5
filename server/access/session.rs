//! Sessions of the dashboard: a random cookie, of which only the hash is kept.
//!
//! Owns when a session is over: idle too long, too old, ended, its user disabled. What its user may
//! do is read anew with each request, so that a grant that is taken back is gone at once.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Object};
use super::grant::Grants;
use super::role;
use crate::config::Config;
use crate::ctx::{Actor, ActorKind, App, Ctx};
use crate::error::Error;
use crate::store::user_sessions::{self as store, UserSession};

/// Characters of a cookie's value: 32 bytes in base 64.
const COOKIE: usize = 43;
/// Characters kept of what a browser calls itself.
const MAX_AGENT: usize = 200;
/// How exact `seen_at` is: no row is written with each request.
const SEEN: TimeDelta = TimeDelta::minutes(1);

/// A session that just began.
#[derive(Clone)]
pub struct NewSession {
    /// The cookie's value.
    pub cookie: String,
    /// When it ends, however busy it is.
    pub expires_at: DateTime<Utc>,
    /// What the browser is to keep for [`super::known::LIFE`], so that it is known at the next
    /// log-in; `None` after single sign-on, where nobody guesses.
    pub known: Option<String>,
}

/// A session, and who it is.
#[derive(Debug, Clone)]
pub struct Session {
    /// Which.
    pub session_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Their login.
    pub login: String,
    /// Their name; may be empty.
    pub display_name: String,
    /// Theme, time zone, columns of lists: a JSON object.
    pub preferences: Value,
    /// Whether they must change their password before anything else.
    pub must_change: bool,
    /// What they may do now.
    pub ctx: Ctx,
}

/// Begins a session.
///
/// # Errors
/// [`Error::Database`]
pub(super) async fn begin(
    conn: &mut PgConnection,
    config: &Config,
    user_id: Uuid,
    (from, user_agent): (IpAddr, &str),
    now: DateTime<Utc>,
) -> Result<NewSession, Error> {
    // Often enough to keep the table small, and no task of its own.
    store::purge(conn, idle_since(config, now), now).await?;
    let cookie = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hours = i32::try_from(config.web.session_hours).unwrap_or(i32::MAX);
    let session = UserSession {
        session_id: Uuid::now_v7(),
        user_id,
        created_at: now,
        seen_at: now,
        expires_at: now + TimeDelta::hours(hours.into()),
        address: from.to_canonical().into(),
        user_agent: user_agent.chars().take(MAX_AGENT).collect(),
    };
    store::insert(conn, &session, &hash(&cookie)).await?;
    Ok(NewSession { cookie, expires_at: session.expires_at, known: None })
}

/// Whose cookie this is; `None` = nobody's any more. Not `active` = a page asks by itself, which
/// does not keep a session from being idle.
///
/// # Errors
/// [`Error::Database`]
pub async fn resume(
    app: &App,
    cookie: &str,
    from: IpAddr,
    active: bool,
    now: DateTime<Utc>,
) -> Result<Option<Session>, Error> {
    if cookie.len() != COOKIE {
        return Ok(None);
    }
    let idle_since = idle_since(&app.config, now);
    let rows = store::resume(&app.pool, &hash(cookie), idle_since, now).await?;
    let granted = |row: &store::Resumed| {
        let group = (row.group_id, row.group.as_deref());
        role::grant(row.rights.as_ref()?, row.site.as_deref(), group)
    };
    let grants = Grants(rows.iter().filter_map(granted).collect());
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    if active && now - row.seen_at >= SEEN {
        store::seen(&app.pool, row.session_id, now).await?;
    }
    let actor = Actor { kind: ActorKind::User, id: Some(row.user_id), name: row.login.clone() };
    Ok(Some(Session {
        session_id: row.session_id,
        user_id: row.user_id,
        login: row.login,
        display_name: row.display_name,
        preferences: row.preferences,
        must_change: row.must_change,
        ctx: Ctx { actor, grants, from: Some(from), now },
    }))
}

/// Ends a session at its user's wish.
///
/// # Errors
/// [`Error::Database`]
pub async fn end(app: &App, session: &Session) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    store::end(&mut tx, session.user_id, session.session_id).await?;
    let user = Object::new("user", session.user_id, &session.login);
    audit::record(&mut tx, &session.ctx, "user.logout", user, (), ()).await?;
    tx.commit().await?;
    Ok(())
}

/// A session that was last used before this time is over.
pub fn idle_since(config: &Config, now: DateTime<Utc>) -> DateTime<Utc> {
    let minutes = i32::try_from(config.web.session_idle_minutes).unwrap_or(i32::MAX);
    now - TimeDelta::minutes(minutes.into())
}

fn hash(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_over_when_it_was_idle_too_long_however_long_that_is() {
        let now = DateTime::UNIX_EPOCH;
        let mut config = Config::default();
        config.web.session_idle_minutes = 5;
        assert_eq!(now - idle_since(&config, now), TimeDelta::minutes(5));
        config.web.session_idle_minutes = u64::MAX;
        assert!(idle_since(&config, now) < now);
    }

    #[test]
    fn a_cookie_has_the_length_that_is_asked_for() {
        assert_eq!(URL_SAFE_NO_PAD.encode([255; 32]).len(), COOKIE);
        assert_ne!(hash("a"), hash("b"));
    }
}
