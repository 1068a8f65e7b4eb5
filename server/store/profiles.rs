//! Profiles: what devices are to be, and of which devices that is said.
//!
//! Holds nothing in clear that is secret: [`Profile::desired`] is as `fleet::profile` sealed it.
//! Whatever makes, changes, binds or removes a profile holds [`lock`], so that none is removed while
//! it comes to be used.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::within::Within;

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Which.
    pub profile_id: Uuid,
    /// What people call it; no two have the same.
    pub name: String,
    /// For people.
    pub description: String,
    /// `fleet::profile::Desired`, sealed.
    pub desired: Value,
    /// False: differences are told and never mended.
    pub enforce: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed, its bindings apart.
    pub updated_at: DateTime<Utc>,
}

/// Where a profile is bound: at a site and below, for a group, or, without either, for the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingRow {
    /// Which profile.
    pub profile_id: Uuid,
    /// The site's id.
    pub site_id: Option<Uuid>,
    /// The site's path.
    pub site: Option<String>,
    /// The group's id.
    pub group_id: Option<Uuid>,
    /// The group's name.
    pub group: Option<String>,
    /// Of several in one layer the higher wins, then the later name.
    pub rank: i32,
}

/// Keeps every other change of profiles out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.profiles'))").execute(conn).await?;
    Ok(())
}

/// Stores a new profile.
pub async fn insert(conn: &mut PgConnection, profile: &Profile) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into profiles (profile_id, name, description, desired, enforce, created_by,
                               created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        profile.profile_id,
        profile.name,
        profile.description,
        profile.desired,
        profile.enforce,
        profile.created_by,
        profile.created_at,
        profile.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what may change of a profile.
pub async fn update(conn: &mut PgConnection, profile: &Profile) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update profiles set name = $2, description = $3, desired = $4, enforce = $5,
                updated_at = $6
         where profile_id = $1",
        profile.profile_id,
        profile.name,
        profile.description,
        profile.desired,
        profile.enforce,
        profile.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a profile that nothing names.
pub async fn delete(conn: &mut PgConnection, profile_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from profiles where profile_id = $1", profile_id).execute(conn).await?;
    Ok(())
}

/// One profile.
pub async fn get(
    db: impl PgExecutor<'_>,
    profile_id: Uuid,
) -> Result<Option<Profile>, sqlx::Error> {
    sqlx::query_as!(Profile, "select * from profiles where profile_id = $1", profile_id)
        .fetch_optional(db)
        .await
}

/// One profile, which nothing new names until the transaction ends.
pub async fn hold(
    conn: &mut PgConnection,
    profile_id: Uuid,
) -> Result<Option<Profile>, sqlx::Error> {
    sqlx::query_as!(
        Profile,
        // Whoever comes to name it takes a share: a claim by its foreign key, a device by [`share`].
        "select * from profiles where profile_id = $1 for update",
        profile_id
    )
    .fetch_optional(conn)
    .await
}

/// The profile of this name, which stays there until the transaction ends.
pub async fn share(conn: &mut PgConnection, name: &str) -> Result<Option<Profile>, sqlx::Error> {
    sqlx::query_as!(Profile, "select * from profiles where name = $1 for key share", name)
        .fetch_optional(conn)
        .await
}

/// The profile of this name.
pub async fn named(db: impl PgExecutor<'_>, name: &str) -> Result<Option<Profile>, sqlx::Error> {
    sqlx::query_as!(Profile, "select * from profiles where name = $1", name)
        .fetch_optional(db)
        .await
}

/// In order of their names, after a name.
pub async fn list(
    pool: &PgPool,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Profile>, sqlx::Error> {
    sqlx::query_as!(
        Profile,
        "select * from profiles where $1::text is null or name > $1 order by name limit $2",
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// All of them.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Profile>, sqlx::Error> {
    sqlx::query_as!(Profile, "select * from profiles").fetch_all(conn).await
}

/// Where all of them are bound.
pub async fn bindings(conn: &mut PgConnection) -> Result<Vec<BindingRow>, sqlx::Error> {
    sqlx::query_as!(
        BindingRow,
        r#"select b.profile_id, b.site_id, s.path::text as "site?", b.group_id,
                  g.name as "group?", b.rank
           from profile_bindings b
           left join sites s using (site_id)
           left join groups g using (group_id)"#
    )
    .fetch_all(conn)
    .await
}

/// Where these profiles are bound: the fleet first, then sites, then groups, by their names.
pub async fn bindings_of(
    db: impl PgExecutor<'_>,
    profile_ids: &[Uuid],
) -> Result<Vec<BindingRow>, sqlx::Error> {
    sqlx::query_as!(
        BindingRow,
        r#"select b.profile_id, b.site_id, s.path::text as "site?", b.group_id,
                  g.name as "group?", b.rank
           from profile_bindings b
           left join sites s using (site_id)
           left join groups g using (group_id)
           where b.profile_id = any($1)
           order by b.site_id is not null or b.group_id is not null, g.name nulls first, s.path"#,
        profile_ids
    )
    .fetch_all(db)
    .await
}

/// Binds a profile, or gives its binding there another rank.
pub async fn bind(
    conn: &mut PgConnection,
    profile_id: Uuid,
    (site_id, group_id): (Option<Uuid>, Option<Uuid>),
    rank: i32,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into profile_bindings (profile_id, site_id, group_id, rank, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (profile_id, site_id, group_id) do update set rank = excluded.rank",
        profile_id,
        site_id,
        group_id,
        rank,
        by,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Unbinds a profile; false = it was not bound there.
pub async fn unbind(
    conn: &mut PgConnection,
    profile_id: Uuid,
    (site_id, group_id): (Option<Uuid>, Option<Uuid>),
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from profile_bindings
         where profile_id = $1 and site_id is not distinct from $2
           and group_id is not distinct from $3",
        profile_id,
        site_id,
        group_id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What names a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// Devices to which it is bound themselves.
    pub devices: i64,
    /// Claims that give it.
    pub claims: i64,
    /// Rules of admission that give it.
    pub rules: i64,
}

/// What names a profile, its bindings apart.
pub async fn uses(conn: &mut PgConnection, profile_id: Uuid) -> Result<Uses, sqlx::Error> {
    sqlx::query_as!(
        Uses,
        r#"select (select count(*) from device_desired where profile_id = $1) as "devices!",
                  (select count(*) from claims where profile_id = $1) as "claims!",
                  (select count(*) from accept_rules where profile_id = $1) as "rules!""#,
        profile_id
    )
    .fetch_one(conn)
    .await
}

/// How many devices a profile is bound to themselves, of those within.
pub async fn count_bound(
    pool: &PgPool,
    profile_id: Uuid,
    within: Option<&Within>,
) -> Result<i64, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_scalar!(
        r#"select count(*) as "devices!"
           from device_desired d join device_facts f using (device_id)
           where d.profile_id = $1
             and ($2::text[] is null or f.site <@ any($2::text[]::ltree[])
                  or ($3::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($3::uuid[]))))"#,
        profile_id,
        sites,
        groups
    )
    .fetch_one(pool)
    .await
}

/// Has the devices compared to which a profile is bound themselves, so many a second; gives how many
/// they are.
pub async fn touch_bound(
    conn: &mut PgConnection,
    profile_id: Uuid,
    per_second: u32,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update device_desired d
         set due_at = case when d.due_at <= $3::timestamptz then $3
                           else least(d.due_at, $3 + make_interval(secs => bound.turn / $2::float8))
                      end,
             leased_until = null
         from (select device_id, (row_number() over (order by device_id) - 1)::float8 as turn
               from device_desired where profile_id = $1) bound
         where bound.device_id = d.device_id",
        profile_id,
        f64::from(per_second),
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Whether there is such a template, with this version where one is named.
pub async fn has_template(
    conn: &mut PgConnection,
    template_id: Uuid,
    version: Option<i32>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from template_versions
                          where template_id = $1 and ($2::int4 is null or version = $2))
                  as "there!""#,
        template_id,
        version
    )
    .fetch_one(conn)
    .await
}

/// The names of profiles bound to this very site.
pub async fn at_site(conn: &mut PgConnection, site_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select name from profiles join profile_bindings using (profile_id) where site_id = $1
         order by name",
        site_id
    )
    .fetch_all(conn)
    .await
}

/// The names of profiles bound to this group.
pub async fn for_group(
    conn: &mut PgConnection,
    group_id: Uuid,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select name from profiles join profile_bindings using (profile_id) where group_id = $1
         order by name",
        group_id
    )
    .fetch_all(conn)
    .await
}
