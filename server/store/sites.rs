//! Sites: a tree of places, and which place and tags a device has. A site's path is an `ltree`, here
//! always as text that has been checked (`fleet::site::SitePath`).
//!
//! Whatever changes the tree holds [`lock_tree`], whatever puts a device into it [`share_tree`],
//! each before any row: so a device never stands in a site that is not there.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::within::Within;
use crate::fleet::window::Window;

/// A site.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Which.
    pub site_id: Uuid,
    /// Where in the tree: `eu.lv.riga`.
    pub path: String,
    /// For people.
    pub name: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// A JSON object, for templates; secrets sealed.
    pub variables: Value,
    /// When its devices may be changed; empty = as the site above says.
    pub windows: Json<Vec<Window>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed, its path included.
    pub updated_at: DateTime<Utc>,
}

/// Keeps every other change of the tree, and every placing of a device, out until the transaction
/// ends.
pub async fn lock_tree(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.sites'))").execute(conn).await?;
    Ok(())
}

/// Keeps every change of the tree out until the transaction ends.
pub async fn share_tree(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock_shared(hashtext('muster.sites'))")
        .execute(conn)
        .await?;
    Ok(())
}

/// The same for who holds a row already, and so may not wait; false = the tree is being changed.
pub async fn try_share_tree(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock_shared(hashtext('muster.sites')) as "shared!""#
    )
    .fetch_one(conn)
    .await
}

/// Stores a new site.
pub async fn insert(conn: &mut PgConnection, site: &Site) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sites (site_id, path, name, time_zone, variables, windows, created_at,
                            updated_at)
         values ($1, $2::text::ltree, $3, $4, $5, $6, $7, $8)",
        site.site_id,
        site.path,
        site.name,
        site.time_zone,
        site.variables,
        &site.windows as _,
        site.created_at,
        site.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One site.
pub async fn get(db: impl PgExecutor<'_>, site_id: Uuid) -> Result<Option<Site>, sqlx::Error> {
    sqlx::query_as!(
        Site,
        r#"select site_id, path::text as "path!", name, time_zone, variables,
                  windows as "windows: Json<Vec<Window>>", created_at, updated_at
           from sites where site_id = $1"#,
        site_id
    )
    .fetch_optional(db)
    .await
}

/// Whether there is a site with this path.
pub async fn exists(db: impl PgExecutor<'_>, path: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from sites where path = $1::text::ltree) as "there!""#,
        path
    )
    .fetch_one(db)
    .await
}

/// The id of the site with this path.
pub async fn id_of(conn: &mut PgConnection, path: &str) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select site_id from sites where path = $1::text::ltree", path)
        .fetch_optional(conn)
        .await
}

/// Parents before their children, after a path; only those at and below `under`, if named, and of
/// these only those at and below one of `within`.
pub async fn list(
    pool: &PgPool,
    under: Option<&str>,
    within: Option<&[String]>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Site>, sqlx::Error> {
    sqlx::query_as!(
        Site,
        r#"select site_id, path::text as "path!", name, time_zone, variables,
                  windows as "windows: Json<Vec<Window>>", created_at, updated_at
           from sites
           where ($1::text is null or path <@ $1::text::ltree)
             and ($2::text[] is null or path <@ any($2::text[]::ltree[]))
             and ($3::text is null or path > $3::text::ltree)
           order by path limit $4"#,
        under,
        within,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// The site with this path and those that it is in, the nearest first.
pub async fn chain(pool: &PgPool, path: &str) -> Result<Vec<Site>, sqlx::Error> {
    sqlx::query_as!(
        Site,
        r#"select site_id, path::text as "path!", name, time_zone, variables,
                  windows as "windows: Json<Vec<Window>>", created_at, updated_at
           from sites
           where path @> $1::text::ltree
           order by path desc"#,
        path
    )
    .fetch_all(pool)
    .await
}

/// The sites with these paths, in no order.
pub async fn with_paths(pool: &PgPool, paths: &[String]) -> Result<Vec<Site>, sqlx::Error> {
    sqlx::query_as!(
        Site,
        r#"select site_id, path::text as "path!", name, time_zone, variables,
                  windows as "windows: Json<Vec<Window>>", created_at, updated_at
           from sites
           where path = any($1::text[]::ltree[])"#,
        paths
    )
    .fetch_all(pool)
    .await
}

/// How many devices stand at each site, of those within; `None` = at no site.
pub async fn devices(
    pool: &PgPool,
    within: Option<&Within>,
) -> Result<Vec<(Option<String>, i64)>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    let rows = sqlx::query!(
        r#"select site::text as "site?", count(*) as "devices!" from device_facts f
           where $1::text[] is null or f.site <@ any($1::text[]::ltree[])
              or ($2::uuid[] is not null and f.device_id in (
                  select m.device_id from group_members m where m.group_id = any($2::uuid[])))
           group by site"#,
        sites,
        groups
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.site, row.devices)).collect())
}

/// Paths within `within` that begin with this text, in either case, in order.
pub async fn beginning(
    pool: &PgPool,
    text: &str,
    within: Option<&[String]>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select path::text as "path!" from sites
           where starts_with(lower(path::text), lower($1::text))
             and ($2::text[] is null or path <@ any($2::text[]::ltree[]))
           order by path limit $3"#,
        text,
        within,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Writes what may change of a site, but its path.
pub async fn update(conn: &mut PgConnection, site: &Site) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sites set name = $2, time_zone = $3, variables = $4, windows = $5, updated_at = $6
         where site_id = $1",
        site.site_id,
        site.name,
        site.time_zone,
        site.variables,
        &site.windows as _,
        site.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a site's row.
pub async fn delete(conn: &mut PgConnection, site_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sites where site_id = $1", site_id).execute(conn).await?;
    Ok(())
}

/// Whether a role of somebody, and whether a token that is not revoked, names a site. It stays so
/// until the transaction ends.
///
/// Revoked tokens are good nowhere: they stop naming it.
pub async fn named(conn: &mut PgConnection, site_id: Uuid) -> Result<(bool, bool), sqlx::Error> {
    // Whoever comes to name it takes a share of this lock, by the foreign key.
    sqlx::query!("select from sites where site_id = $1 for update", site_id)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "update api_tokens set site_id = null where site_id = $1 and revoked_at is not null",
        site_id
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        r#"select exists (select from user_grants where site_id = $1) as "grants!",
                  exists (select from api_tokens where site_id = $1) as "tokens!""#,
        site_id
    )
    .fetch_one(conn)
    .await?;
    Ok((row.grants, row.tokens))
}

/// Whether there are sites below a path, and whether devices stand at it.
pub async fn in_use(conn: &mut PgConnection, path: &str) -> Result<(bool, bool), sqlx::Error> {
    let row = sqlx::query!(
        r#"select exists (select from sites
                          where path <@ $1::text::ltree and path <> $1::text::ltree) as "sites!",
                  exists (select from device_facts where site = $1::text::ltree) as "devices!""#,
        path
    )
    .fetch_one(conn)
    .await?;
    Ok((row.sites, row.devices))
}

/// Labels in the longest path at and below this one; `None` = there is no site.
pub async fn deepest(conn: &mut PgConnection, path: &str) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar!("select max(nlevel(path)) from sites where path <@ $1::text::ltree", path)
        .fetch_one(conn)
        .await
}

/// The first site outside `from` that stands where one below `from` would come to stand if `from`
/// became `to`.
pub async fn in_the_way(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select there.path::text as "path!"
           from sites below
           join sites there
             on there.path = moved(below.path, $1::text::ltree, $2::text::ltree)
           where below.path <@ $1::text::ltree and below.path <> $1::text::ltree
             and not there.path <@ $1::text::ltree
           order by there.path limit 1"#,
        from,
        to
    )
    .fetch_optional(conn)
    .await
}

/// Renames `from` to `to` in the paths of all sites at and below it. No site may stand at or below
/// `to`.
pub async fn move_sites(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sites
         set path = moved(path, $1::text::ltree, $2::text::ltree), updated_at = $3
         where path <@ $1::text::ltree",
        from,
        to,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Renames `from` to `to` in the sites of all devices at and below it, each with its event; gives
/// how many there were.
///
/// The tree's top may hold the whole fleet: the statement gets ten minutes.
pub async fn move_devices(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    sqlx::query("select set_config('statement_timeout', '10min', true)")
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query!(
        r#"
        with moved as (
            update device_facts f set
                site = moved(f.site, $1::text::ltree, $2::text::ltree),
                updated_at = $4::timestamptz
            from device_facts old
            where old.site <@ $1::text::ltree and f.device_id = old.device_id
            returning f.device_id, old.site as site_before, f.site as site_after
        )
        insert into events (device_id, at, event_id, kind, detail)
        select device_id, $4::timestamptz, gen_random_uuid(), 'device.changed',
               jsonb_build_object('by', $3::text,
                                  'before', jsonb_build_object('site', site_before::text),
                                  'after', jsonb_build_object('site', site_after::text))
        from moved
        "#,
        from,
        to,
        by,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// What operators say of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// In order, each once.
    pub tags: Vec<String>,
    /// The device through which it reaches the network.
    pub uplink: Option<Uuid>,
    /// Devices with the same label back each other up.
    pub redundancy: Option<String>,
}

/// What operators say of a device; locks its facts until the transaction ends.
pub async fn placement(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Option<Placed>, sqlx::Error> {
    sqlx::query_as!(
        Placed,
        r#"select site::text as "site?", tags, uplink, redundancy
           from device_facts where device_id = $1 for update"#,
        device_id
    )
    .fetch_optional(conn)
    .await
}

/// Where a device stands, which is nowhere else until the transaction ends; outer `None` = there is
/// no such device.
pub async fn of_device(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Option<Option<String>>, sqlx::Error> {
    let row = sqlx::query!(
        // The weakest lock that [`placement`] waits for: informs go on.
        r#"select site::text as "site?" from device_facts where device_id = $1 for key share"#,
        device_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| row.site))
}

/// Writes what operators say of a device, also where rollouts keep it.
pub async fn place(
    conn: &mut PgConnection,
    device_id: Uuid,
    placed: &Placed,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_facts
         set site = $2::text::ltree, tags = $3, uplink = $4, redundancy = $5, updated_at = $6
         where device_id = $1",
        device_id,
        placed.site.as_deref(),
        &placed.tags,
        placed.uplink,
        placed.redundancy.as_deref(),
        now
    )
    .execute(&mut *conn)
    .await?;
    // Rollouts go by what stands with their devices. Locked after the facts, as by who moves a site.
    sqlx::query!(
        "update rollout_devices set uplink = $2, redundancy = $3
         where device_id = $1
           and (uplink is distinct from $2 or redundancy is distinct from $3)",
        device_id,
        placed.uplink,
        placed.redundancy.as_deref()
    )
    .execute(conn)
    .await?;
    Ok(())
}
