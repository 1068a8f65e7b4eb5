//! Claims: devices that are expected; `admission`: who took them, and which devices wait to be let in.
//!
//! Whatever makes, changes or removes a claim holds [`lock`], so that no two come to be for one
//! device; before any row, and after the tree of sites. A device that takes one holds only its own
//! row, and then the claim's.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::within::Within;

mod admission;

pub use admission::{
    Given, Newcomer, Taken, forget_stranger, is_full, let_in, look_again, look_again_at, macs,
    newcomer, note_refused, quarantine, silent, take, taken_by, waits,
};

/// A claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Which.
    pub claim_id: Uuid,
    /// Of the device that is expected, as it was said.
    pub serial: Option<String>,
    /// `E4:8D:8C:00:00:01`
    pub mac: Option<String>,
    /// What it is said to be.
    pub model: Option<String>,
    /// Path of the site where it comes to stand.
    pub site: Option<String>,
    /// The profile that is bound to it.
    pub profile_id: Option<Uuid>,
    /// The name of that.
    pub profile: Option<String>,
    /// For templates, sealed.
    pub variables: Value,
    /// In order, each once.
    pub tags: Vec<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// The password on the sticker, sealed.
    pub factory_sealed: Option<Vec<u8>>,
    /// Only a device that comes with the claim's own credential takes it.
    pub own_credential: bool,
    /// Who took it.
    pub device_id: Option<Uuid>,
    /// When.
    pub taken_at: Option<DateTime<Utc>>,
    /// Why the last device that wanted it did not get it.
    pub refused: Option<String>,
    /// When that was.
    pub refused_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed, or was taken.
    pub updated_at: DateTime<Utc>,
}

/// A claim as it is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewClaim {
    /// Which.
    pub claim_id: Uuid,
    /// See [`Claim::serial`].
    pub serial: Option<String>,
    /// See [`Claim::mac`].
    pub mac: Option<String>,
    /// See [`Claim::model`].
    pub model: Option<String>,
    /// See [`Claim::site`].
    pub site: Option<String>,
    /// See [`Claim::profile_id`].
    pub profile_id: Option<Uuid>,
    /// See [`Claim::variables`].
    pub variables: Value,
    /// See [`Claim::tags`].
    pub tags: Vec<String>,
    /// See [`Claim::customer`].
    pub customer: Option<String>,
    /// See [`Claim::factory_sealed`], in hexadecimal.
    pub factory_sealed: Option<String>,
    /// See [`Claim::own_credential`].
    pub own_credential: bool,
}

/// What narrows a list; empty fields do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `open`, `taken`, or `refused`: open, and a device that wanted it did not get it.
    pub state: Option<String>,
    /// At this site and below.
    pub site: Option<String>,
    /// How serial number, MAC address or the customer's number begin.
    pub text: Option<String>,
    /// The MAC address that the text is, if it is one: it may be a serial number all the same.
    pub mac: Option<String>,
}

/// Keeps every other change of claims out until the transaction ends.
pub async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('muster.claims'))").execute(conn).await?;
    Ok(())
}

/// Stores new claims, and writes those that are there, but for those that a device has taken; gives
/// how many were written.
pub async fn put(
    conn: &mut PgConnection,
    claims: &[NewClaim],
    by: &str,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        r#"
        insert into claims as c (claim_id, serial, mac, model, site, profile_id, variables, tags,
            customer, factory_sealed, own_credential, created_by, created_at, updated_at)
        select r.claim_id, r.serial, r.mac, r.model, r.site::ltree, r.profile_id, r.variables,
               r.tags, r.customer, decode(r.factory_sealed, 'hex'), r.own_credential, $2::text,
               $3::timestamptz, $3::timestamptz
        from jsonb_to_recordset($1::jsonb) as r (claim_id uuid, serial text, mac text, model text,
            site text, profile_id uuid, variables jsonb, tags text[], customer text,
            factory_sealed text, own_credential boolean)
        on conflict (claim_id) do update set
            serial = excluded.serial,
            mac = excluded.mac,
            model = excluded.model,
            site = excluded.site,
            profile_id = excluded.profile_id,
            variables = excluded.variables,
            tags = excluded.tags,
            customer = excluded.customer,
            factory_sealed = excluded.factory_sealed,
            own_credential = excluded.own_credential,
            refused = null,
            refused_at = null,
            updated_at = excluded.updated_at
        where c.device_id is null
        "#,
        Json(claims) as _,
        by,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// One claim.
pub async fn get(db: impl PgExecutor<'_>, claim_id: Uuid) -> Result<Option<Claim>, sqlx::Error> {
    Ok(find(db, &[claim_id], &[], &[]).await?.pop())
}

/// The claims with these ids, these serial numbers in any case of letters, or these MAC addresses.
pub async fn find(
    db: impl PgExecutor<'_>,
    ids: &[Uuid],
    serials: &[String],
    macs: &[String],
) -> Result<Vec<Claim>, sqlx::Error> {
    sqlx::query_as!(
        Claim,
        r#"select c.claim_id, c.serial, c.mac, c.model, c.site::text as site, c.profile_id,
                  p.name as "profile?", c.variables, c.tags, c.customer, c.factory_sealed,
                  c.own_credential, c.device_id, c.taken_at, c.refused, c.refused_at, c.created_by,
                  c.created_at, c.updated_at
           from claims c left join profiles p on p.profile_id = c.profile_id
           where c.claim_id = any($1)
              or upper(c.serial) = any(array(select upper(s) from unnest($2::text[]) as s))
              or c.mac = any($3)
           order by c.claim_id"#,
        ids,
        serials,
        macs
    )
    .fetch_all(db)
    .await
}

/// In the order in which they were made, after one; those at and below `within`, if that is said.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    within: Option<&[String]>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Claim>, sqlx::Error> {
    sqlx::query_as!(
        Claim,
        r#"select c.claim_id, c.serial, c.mac, c.model, c.site::text as site, c.profile_id,
                  p.name as "profile?", c.variables, c.tags, c.customer, c.factory_sealed,
                  c.own_credential, c.device_id, c.taken_at, c.refused, c.refused_at, c.created_by,
                  c.created_at, c.updated_at
           from claims c left join profiles p on p.profile_id = c.profile_id
           where ($1::text[] is null or c.site <@ any($1::text[]::ltree[]))
             and case $2::text
                 when 'open' then c.device_id is null
                 when 'taken' then c.device_id is not null
                 when 'refused' then c.device_id is null and c.refused is not null
                 else true end
             and ($3::text is null or c.site <@ $3::text::ltree)
             and ($4::text is null or starts_with(upper(c.serial), upper($4))
                  or starts_with(c.mac, upper($4)) or starts_with(upper(c.customer), upper($4))
                  or c.mac = $7)
             and ($5::uuid is null or c.claim_id > $5)
           order by c.claim_id limit $6"#,
        within,
        filter.state,
        filter.site,
        filter.text,
        after,
        limit,
        filter.mac
    )
    .fetch_all(pool)
    .await
}

/// How many are open, taken, and refused; at and below `within`, if that is said.
pub async fn counts(
    pool: &PgPool,
    within: Option<&[String]>,
) -> Result<(i64, i64, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"select count(*) filter (where device_id is null) as "open!",
                  count(*) filter (where device_id is not null) as "taken!",
                  count(*) filter (where device_id is null and refused is not null) as "refused!"
           from claims where $1::text[] is null or site <@ any($1::text[]::ltree[])"#,
        within
    )
    .fetch_one(pool)
    .await?;
    Ok((row.open, row.taken, row.refused))
}

/// The names of all variables that claims have, in order; at and below `within`, if that is said.
pub async fn variable_names(
    pool: &PgPool,
    within: Option<&[String]>,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct name as "name!"
           from claims c cross join lateral jsonb_object_keys(c.variables) as v (name)
           where $1::text[] is null or c.site <@ any($1::text[]::ltree[])
           order by 1"#,
        within
    )
    .fetch_all(pool)
    .await
}

/// Removes a claim; the device that took it stays what it is.
pub async fn delete(conn: &mut PgConnection, claim_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from claims where claim_id = $1", claim_id).execute(conn).await?;
    Ok(())
}

/// Which of these sites there are.
pub async fn sites_among(
    conn: &mut PgConnection,
    paths: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select path::text as "path!" from sites where path = any($1::text[]::ltree[])"#,
        paths
    )
    .fetch_all(conn)
    .await
}

/// The profiles of these names, with them.
pub async fn profiles_among(
    conn: &mut PgConnection,
    names: &[String],
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!("select name, profile_id from profiles where name = any($1)", names)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.profile_id)).collect())
}

/// Which of these serial numbers, in upper case, devices have that are in, and within, if that is said.
pub async fn serials_in(
    conn: &mut PgConnection,
    serials: &[String],
    within: Option<&Within>,
) -> Result<Vec<String>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_scalar!(
        r#"select distinct upper(serial) as "serial!" from device_facts f
           where upper(serial) = any($1) and quarantined_at is null
             and ($2::text[] is null or f.site <@ any($2::text[]::ltree[])
                  or ($3::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($3::uuid[]))))"#,
        serials,
        sites,
        groups
    )
    .fetch_all(conn)
    .await
}

/// Renames `from` to `to` in the sites of claims and of rules of admission, at and below it.
pub async fn move_sites(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update claims
         set site = moved(site, $1::text::ltree, $2::text::ltree), updated_at = $3
         where site <@ $1::text::ltree",
        from,
        to,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update accept_rules
         set site = moved(site, $1::text::ltree, $2::text::ltree), updated_at = $3
         where site <@ $1::text::ltree",
        from,
        to,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a claim that no device has taken, and whether a rule of admission, names this very site.
pub async fn names_site(conn: &mut PgConnection, path: &str) -> Result<(bool, bool), sqlx::Error> {
    let row = sqlx::query!(
        r#"select exists (select from claims
                          where site = $1::text::ltree and device_id is null) as "claims!",
                  exists (select from accept_rules where site = $1::text::ltree) as "rules!""#,
        path
    )
    .fetch_one(conn)
    .await?;
    Ok((row.claims, row.rules))
}
