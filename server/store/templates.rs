//! Templates and their versions.
//!
//! Whatever makes, changes or removes one holds [`lock`]. A version never changes once it is there.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::fleet::template::Variable;

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Which.
    pub template_id: Uuid,
    /// What people call it.
    pub name: String,
    /// For people.
    pub description: String,
    /// The newest of its versions.
    pub version: i32,
    /// It comes with Muster.
    pub builtin: bool,
    /// It is for the bench: it was made to fit into what a board takes.
    pub bench: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// One version of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Of which template.
    pub template_id: Uuid,
    /// The template's name as it is now.
    pub name: String,
    /// Its number, from 1 on.
    pub version: i32,
    /// The template itself.
    pub body: String,
    /// What it declares.
    pub variables: Json<Vec<Variable>>,
    /// Why it was made.
    pub note: String,
    /// By whom.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What is told of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number.
    pub version: i32,
    /// Why it was made.
    pub note: String,
    /// By whom.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Keeps every other change of templates out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.templates'))")
        .execute(conn)
        .await?;
    Ok(())
}

/// The bench that is armed with a template at this time, as people call it: `eth1 on lab`.
pub async fn armed_bench(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select interface || ' on ' || host as "name!" from benches
           where armed_until > $2 and $1 in (arming ->> 'template', arming ->> 'mode_template')
           order by host, interface limit 1"#,
        name,
        now
    )
    .fetch_optional(conn)
    .await
}

/// The board that may be installed with a template at this time, by its address.
pub async fn armed_board(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select mac from bench_boards
         where install_until > $2 and install ->> 'template' = $1 order by mac limit 1",
        name,
        now
    )
    .fetch_optional(conn)
    .await
}

/// The name of a rollout that may still send what a template gives, or be taken back by it.
pub async fn needed_by_rollout(
    conn: &mut PgConnection,
    template_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select name from rollouts
         where state <> 'rolled_back'
           and (change -> 'undo' ->> 'template_id' = $1::uuid::text
                or (change ->> 'template_id' = $1::uuid::text
                    and state not in ('completed', 'aborted')))
         order by name limit 1",
        template_id
    )
    .fetch_optional(conn)
    .await
}

/// Stores a new template, without a version.
pub async fn insert(conn: &mut PgConnection, template: &Template) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into templates (template_id, name, description, version, builtin, bench, created_by,
                                created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        template.template_id,
        template.name,
        template.description,
        template.version,
        template.builtin,
        template.bench,
        template.created_by,
        template.created_at,
        template.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores a new version of a template.
pub async fn insert_version(conn: &mut PgConnection, version: &Version) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into template_versions (template_id, version, body, variables, note, created_by,
                                        created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        version.template_id,
        version.version,
        version.body,
        &version.variables as _,
        version.note,
        version.created_by,
        version.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what may change of a template.
pub async fn update(conn: &mut PgConnection, template: &Template) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update templates set name = $2, description = $3, version = $4, bench = $5, updated_at = $6
         where template_id = $1",
        template.template_id,
        template.name,
        template.description,
        template.version,
        template.bench,
        template.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a template with its versions.
pub async fn delete(conn: &mut PgConnection, template_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from templates where template_id = $1", template_id).execute(conn).await?;
    Ok(())
}

/// One template.
pub async fn get(
    db: impl PgExecutor<'_>,
    template_id: Uuid,
) -> Result<Option<Template>, sqlx::Error> {
    sqlx::query_as!(Template, "select * from templates where template_id = $1", template_id)
        .fetch_optional(db)
        .await
}

/// The template of this name.
pub async fn named(db: impl PgExecutor<'_>, name: &str) -> Result<Option<Template>, sqlx::Error> {
    sqlx::query_as!(Template, "select * from templates where name = $1", name)
        .fetch_optional(db)
        .await
}

/// In order of their names, after a name.
pub async fn list(
    pool: &PgPool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Template>, sqlx::Error> {
    sqlx::query_as!(
        Template,
        "select * from templates where $1::text is null or name > $1 order by name limit $2",
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// A version of a template: this one, or the newest where none is named.
pub async fn version(
    db: impl PgExecutor<'_>,
    template_id: Uuid,
    version: Option<i32>,
) -> Result<Option<Version>, sqlx::Error> {
    sqlx::query_as!(
        Version,
        r#"select v.template_id, t.name, v.version, v.body,
                  v.variables as "variables: Json<Vec<Variable>>", v.note, v.created_by, v.created_at
           from templates t join template_versions v using (template_id)
           where t.template_id = $1 and v.version = coalesce($2, t.version)"#,
        template_id,
        version
    )
    .fetch_optional(db)
    .await
}

/// The versions of a template, the newest first, before one.
pub async fn versions(
    pool: &PgPool,
    template_id: Uuid,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Told>, sqlx::Error> {
    sqlx::query_as!(
        Told,
        "select version, note, created_by, created_at from template_versions
         where template_id = $1 and ($2::int4 is null or version < $2)
         order by version desc limit $3",
        template_id,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Whether any version of a template is this one.
pub async fn has_version(
    conn: &mut PgConnection,
    template_id: Uuid,
    body: &str,
    variables: &Json<Vec<Variable>>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from template_versions
                          where template_id = $1 and body = $2 and variables = $3) as "is!""#,
        template_id,
        body,
        variables as _
    )
    .fetch_one(conn)
    .await
}

/// The names of the profiles that use a template, in order.
pub async fn users(conn: &mut PgConnection, template_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select name from profiles where desired->'template'->>'template_id' = $1::uuid::text
         order by name",
        template_id
    )
    .fetch_all(conn)
    .await
}
