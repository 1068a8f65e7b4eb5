//! Sessions of the dashboard: only a hash of each cookie is kept.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSession {
    /// Which.
    pub session_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// When they logged in.
    pub created_at: DateTime<Utc>,
    /// Last use, to the minute.
    pub seen_at: DateTime<Utc>,
    /// When it ends, however busy it is.
    pub expires_at: DateTime<Utc>,
    /// From where they logged in.
    pub address: ipnet::IpNet,
    /// With what.
    pub user_agent: String,
}

/// What a cookie opens, once for each role that its user has somewhere.
#[derive(Debug, Clone)]
pub struct Resumed {
    /// Which session.
    pub session_id: Uuid,
    /// Last use, to the minute.
    pub seen_at: DateTime<Utc>,
    /// Whose.
    pub user_id: Uuid,
    /// Their login.
    pub login: String,
    /// Their name.
    pub display_name: String,
    /// Theme, time zone, columns of lists.
    pub preferences: Value,
    /// Whether they must change their password.
    pub must_change: bool,
    /// Words of rights; `None` = they have no role.
    pub rights: Option<Vec<String>>,
    /// Path of the site, where it is for one.
    pub site: Option<String>,
    /// The group, where it is for one.
    pub group_id: Option<Uuid>,
    /// Its name.
    pub group: Option<String>,
}

/// Stores a new session.
pub async fn insert(
    conn: &mut PgConnection,
    session: &UserSession,
    token_hash: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into user_sessions (session_id, user_id, token_hash, created_at, seen_at,
                                    expires_at, address, user_agent)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        session.session_id,
        session.user_id,
        token_hash,
        session.created_at,
        session.seen_at,
        session.expires_at,
        session.address as ipnet::IpNet,
        session.user_agent
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a cookie opens now, if it was used since `idle_since` and its user may log in; nothing =
/// it opens nothing.
pub async fn resume(
    pool: &PgPool,
    token_hash: &[u8],
    idle_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Resumed>, sqlx::Error> {
    sqlx::query_as!(
        Resumed,
        r#"select s.session_id as "session_id!", s.seen_at as "seen_at!", u.user_id as "user_id!",
                  u.login as "login!", u.display_name as "display_name!",
                  u.preferences as "preferences!", u.must_change as "must_change!",
                  r.rights as "rights?", t.path::text as "site?", g.group_id as "group_id?",
                  m.name as "group?"
           from user_sessions s
           join users u on u.user_id = s.user_id and u.disabled_at is null
           left join user_grants g on g.user_id = u.user_id
           left join roles r on r.role_id = g.role_id
           left join sites t on t.site_id = g.site_id
           left join groups m on m.group_id = g.group_id
           where s.token_hash = $1 and s.seen_at > $2 and s.expires_at > $3"#,
        token_hash,
        idle_since,
        now
    )
    .fetch_all(pool)
    .await
}

/// Notes a use.
pub async fn seen(pool: &PgPool, session_id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update user_sessions set seen_at = $2 where session_id = $1 and seen_at < $2",
        session_id,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A user's sessions that are still good, the one used last first.
pub async fn list(
    pool: &PgPool,
    user_id: Uuid,
    idle_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<UserSession>, sqlx::Error> {
    sqlx::query_as!(
        UserSession,
        r#"select session_id, user_id, created_at, seen_at, expires_at,
                  address as "address: ipnet::IpNet", user_agent
           from user_sessions
           where user_id = $1 and seen_at > $2 and expires_at > $3
           order by seen_at desc"#,
        user_id,
        idle_since,
        now
    )
    .fetch_all(pool)
    .await
}

/// Ends a session of a user; false = they have no such session.
pub async fn end(
    conn: &mut PgConnection,
    user_id: Uuid,
    session_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from user_sessions where user_id = $1 and session_id = $2",
        user_id,
        session_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends all sessions of a user but one.
pub async fn end_all(
    conn: &mut PgConnection,
    user_id: Uuid,
    but: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from user_sessions where user_id = $1 and session_id is distinct from $2",
        user_id,
        but
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the sessions that are over.
pub async fn purge(
    conn: &mut PgConnection,
    idle_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from user_sessions where expires_at <= $2 or seen_at <= $1",
        idle_since,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
