//! Rules of admission: which devices are let in that nobody claimed.
//!
//! Whatever makes, changes or removes a rule holds [`lock`], so that their order stays one.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which.
    pub rule_id: Uuid,
    /// Its place among the others, from 1 on: the first that fits holds.
    pub position: i32,
    /// What people call it; no two have the same.
    pub name: String,
    /// Which devices it lets in.
    pub selector: String,
    /// Path of the site where they come to stand.
    pub site: Option<String>,
    /// The profile that is bound to them.
    pub profile_id: Option<Uuid>,
    /// The name of that.
    pub profile: Option<String>,
    /// Tags that they get, in order, each once.
    pub tags: Vec<String>,
    /// It is looked at.
    pub enabled: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed, its place apart.
    pub updated_at: DateTime<Utc>,
}

/// Keeps every other change of rules out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.accept_rules'))")
        .execute(conn)
        .await?;
    Ok(())
}

/// All of them, the first first.
pub async fn all(db: impl PgExecutor<'_>) -> Result<Vec<Rule>, sqlx::Error> {
    sqlx::query_as!(
        Rule,
        r#"select r.rule_id, r.position, r.name, r.selector, r.site::text as site, r.profile_id,
                  p.name as "profile?", r.tags, r.enabled, r.created_by, r.created_at, r.updated_at
           from accept_rules r left join profiles p on p.profile_id = r.profile_id
           order by r.position, r.name"#
    )
    .fetch_all(db)
    .await
}

/// Stores a new rule, or writes what may change of one that is there, its place apart.
pub async fn put(conn: &mut PgConnection, rule: &Rule) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into accept_rules (rule_id, position, name, selector, site, profile_id, tags,
                                   enabled, created_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5::text::ltree, $6, $7, $8, $9, $10, $11)
         on conflict (rule_id) do update set
             name = excluded.name,
             selector = excluded.selector,
             site = excluded.site,
             profile_id = excluded.profile_id,
             tags = excluded.tags,
             enabled = excluded.enabled,
             updated_at = excluded.updated_at",
        rule.rule_id,
        rule.position,
        rule.name,
        rule.selector,
        rule.site.as_deref(),
        rule.profile_id,
        &rule.tags,
        rule.enabled,
        rule.created_by,
        rule.created_at,
        rule.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts the rules into this order.
pub async fn order(conn: &mut PgConnection, rules: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update accept_rules r set position = n.position
         from unnest($1::uuid[]) with ordinality as n (rule_id, position)
         where r.rule_id = n.rule_id and r.position <> n.position",
        rules
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a rule.
pub async fn delete(conn: &mut PgConnection, rule_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from accept_rules where rule_id = $1", rule_id).execute(conn).await?;
    Ok(())
}
