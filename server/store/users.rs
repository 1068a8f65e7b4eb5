//! People who log in, and what they were granted.
//!
//! Whatever makes, changes or removes users, roles or grants holds [`lock`], so that there is always
//! an administrator left.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A person, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Which.
    pub user_id: Uuid,
    /// Unique whatever its case.
    pub login: String,
    /// For people; may be empty.
    pub display_name: String,
    /// Whether they may log in by a password.
    pub has_password: bool,
    /// Whether they must change it before anything else.
    pub must_change: bool,
    /// Whether a second factor is asked for.
    pub has_totp: bool,
    /// The OIDC provider that knows them.
    pub oidc_issuer: Option<String>,
    /// Since when they may not log in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Last log-in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When an administrator or a change of secrets last touched it.
    pub updated_at: DateTime<Utc>,
}

/// What proves that somebody is a user. It has no `Debug`: it is never printed.
pub struct Secrets {
    /// Which.
    pub user_id: Uuid,
    /// Their login, as it was given.
    pub login: String,
    /// PHC string; `None` = no log-in by password.
    pub password_hash: Option<String>,
    /// The TOTP secret, sealed with the user's id; `None` = no second factor.
    pub totp_sealed: Option<Vec<u8>>,
    /// Subject at the OIDC provider.
    pub oidc_subject: Option<String>,
    /// Since when they may not log in.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// A user to be stored.
pub struct NewUser<'a> {
    /// Which.
    pub user_id: Uuid,
    /// Not yet taken.
    pub login: &'a str,
    /// For people.
    pub display_name: &'a str,
    /// PHC string.
    pub password_hash: Option<&'a str>,
    /// Whether they must change it.
    pub must_change: bool,
    /// Issuer and subject.
    pub oidc: Option<(&'a str, &'a str)>,
}

/// A role that a user has somewhere: at a site and below, for a group, or everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who has it.
    pub user_id: Uuid,
    /// Which role.
    pub role_id: Uuid,
    /// Its name.
    pub role: String,
    /// At which site and below.
    pub site_id: Option<Uuid>,
    /// Path of the site.
    pub site: Option<String>,
    /// For the devices of which group.
    pub group_id: Option<Uuid>,
    /// Name of the group.
    pub group: Option<String>,
}

/// Keeps every other change of users, roles and grants out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.users'))").execute(conn).await?;
    Ok(())
}

/// Whether there is any user.
pub async fn any(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from users) as "there!""#).fetch_one(conn).await
}

/// Whether somebody is left who can log in and do everything everywhere: not one whom the provider
/// has yet to name.
pub async fn has_admin(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from users u
               join user_grants g on g.user_id = u.user_id
                   and g.site_id is null and g.group_id is null
               join roles r on r.role_id = g.role_id and 'admin' = any (r.rights)
               where u.disabled_at is null
                 and (u.password_hash is not null or u.oidc_subject is not null)
           ) as "there!""#
    )
    .fetch_one(conn)
    .await
}

/// Stores a new user.
pub async fn insert(
    conn: &mut PgConnection,
    user: &NewUser<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into users (user_id, login, display_name, password_hash, must_change, oidc_issuer,
                            oidc_subject, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        user.user_id,
        user.login,
        user.display_name,
        user.password_hash,
        user.must_change,
        user.oidc.map(|(issuer, _)| issuer),
        user.oidc.map(|(_, subject)| subject),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One user.
pub async fn get(db: impl PgExecutor<'_>, user_id: Uuid) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"select user_id, login, display_name, password_hash is not null as "has_password!",
                  must_change, totp_sealed is not null as "has_totp!", oidc_issuer, disabled_at,
                  last_login_at, created_at, updated_at
           from users where user_id = $1"#,
        user_id
    )
    .fetch_optional(db)
    .await
}

/// Id of the user with this login, in whatever case.
pub async fn named(db: impl PgExecutor<'_>, login: &str) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select user_id from users where lower(login) = lower($1)", login)
        .fetch_optional(db)
        .await
}

/// Id of the user whom an OIDC provider knows by this subject.
pub async fn known_as(
    db: impl PgExecutor<'_>,
    issuer: &str,
    subject: &str,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select user_id from users where oidc_issuer = $1 and oidc_subject = $2",
        issuer,
        subject
    )
    .fetch_optional(db)
    .await
}

/// In order of logins, after a login.
pub async fn list(
    pool: &PgPool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<User>, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"select user_id, login, display_name, password_hash is not null as "has_password!",
                  must_change, totp_sealed is not null as "has_totp!", oidc_issuer, disabled_at,
                  last_login_at, created_at, updated_at
           from users
           where $1::text is null or lower(login) > lower($1)
           order by lower(login) limit $2"#,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// What proves that somebody is this user.
pub async fn secrets(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
) -> Result<Option<Secrets>, sqlx::Error> {
    sqlx::query_as!(
        Secrets,
        "select user_id, login, password_hash, totp_sealed, oidc_subject, disabled_at
         from users where user_id = $1",
        user_id
    )
    .fetch_optional(db)
    .await
}

/// [`secrets`] of the user with this login, in whatever case: one statement, whether there is such
/// a user or not.
pub async fn secrets_named(
    db: impl PgExecutor<'_>,
    login: &str,
) -> Result<Option<Secrets>, sqlx::Error> {
    sqlx::query_as!(
        Secrets,
        "select user_id, login, password_hash, totp_sealed, oidc_subject, disabled_at
         from users where lower(login) = lower($1)",
        login
    )
    .fetch_optional(db)
    .await
}

/// [`secrets`], with the row locked until the transaction ends.
pub async fn secrets_locked(
    conn: &mut PgConnection,
    user_id: Uuid,
) -> Result<Option<Secrets>, sqlx::Error> {
    sqlx::query_as!(
        Secrets,
        "select user_id, login, password_hash, totp_sealed, oidc_subject, disabled_at
         from users where user_id = $1 for update",
        user_id
    )
    .fetch_optional(conn)
    .await
}

/// Writes what an administrator says of a user, but the grants.
pub async fn update(
    conn: &mut PgConnection,
    user_id: Uuid,
    display_name: &str,
    disabled_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update users set display_name = $2, disabled_at = $3, updated_at = $4 where user_id = $1",
        user_id,
        display_name,
        disabled_at,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a user another password.
pub async fn set_password(
    conn: &mut PgConnection,
    user_id: Uuid,
    password_hash: &str,
    must_change: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update users set password_hash = $2, must_change = $3, updated_at = $4 where user_id = $1",
        user_id,
        password_hash,
        must_change,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a user a second factor whose codes are good after `step`, or takes it away.
pub async fn set_totp(
    conn: &mut PgConnection,
    user_id: Uuid,
    sealed: Option<&[u8]>,
    step: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update users set totp_sealed = $2, totp_step = $3, updated_at = $4 where user_id = $1",
        user_id,
        sealed,
        step,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the code of a time step; false = that step, or a later one, was taken before.
pub async fn take_step(
    conn: &mut PgConnection,
    user_id: Uuid,
    step: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update users set totp_step = $2
         where user_id = $1 and (totp_step is null or totp_step < $2)",
        user_id,
        step
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Binds a user to a subject of an OIDC provider.
pub async fn bind_oidc(
    conn: &mut PgConnection,
    user_id: Uuid,
    (issuer, subject): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update users set oidc_issuer = $2, oidc_subject = $3, updated_at = $4 where user_id = $1",
        user_id,
        issuer,
        subject,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes a log-in.
pub async fn logged_in(
    conn: &mut PgConnection,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update users set last_login_at = $2 where user_id = $1", user_id, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// A user's preferences.
pub async fn preferences(
    conn: &mut PgConnection,
    user_id: Uuid,
) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!("select preferences from users where user_id = $1 for update", user_id)
        .fetch_optional(conn)
        .await
}

/// Keeps a user's preferences.
pub async fn set_preferences(
    conn: &mut PgConnection,
    user_id: Uuid,
    preferences: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update users set preferences = $2 where user_id = $1", user_id, preferences)
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes a user with all that is theirs.
pub async fn delete(conn: &mut PgConnection, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from users where user_id = $1", user_id).execute(conn).await?;
    Ok(())
}

/// What these users were granted, in order of roles, sites and groups.
pub async fn grants(db: impl PgExecutor<'_>, user_ids: &[Uuid]) -> Result<Vec<Grant>, sqlx::Error> {
    sqlx::query_as!(
        Grant,
        r#"select g.user_id as "user_id!", g.role_id as "role_id!", r.name as "role!",
                  g.site_id as "site_id?", s.path::text as "site?",
                  g.group_id as "group_id?", m.name as "group?"
           from user_grants g
           join roles r on r.role_id = g.role_id
           left join sites s on s.site_id = g.site_id
           left join groups m on m.group_id = g.group_id
           where g.user_id = any ($1)
           order by r.name, s.path nulls first, m.name nulls first"#,
        user_ids
    )
    .fetch_all(db)
    .await
}

/// Takes back what a user was granted everywhere, and at sites and for groups too if `all`.
pub async fn clear_grants(
    conn: &mut PgConnection,
    user_id: Uuid,
    all: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from user_grants
         where user_id = $1 and ($2 or (site_id is null and group_id is null))",
        user_id,
        all
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Grants a role, at a site and below, for the devices of a group, or everywhere.
pub async fn grant(
    conn: &mut PgConnection,
    user_id: Uuid,
    role_id: Uuid,
    site_id: Option<Uuid>,
    group_id: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into user_grants (user_id, role_id, site_id, group_id) values ($1, $2, $3, $4)
         on conflict do nothing",
        user_id,
        role_id,
        site_id,
        group_id
    )
    .execute(conn)
    .await?;
    Ok(())
}
