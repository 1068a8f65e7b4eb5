//! Who took a claim, which devices wait to be let in, and what they are given as they are.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// Ethernet addresses that are looked at of one device.
const MAX_MACS: i64 = 64;

/// The claim that a device took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub claim_id: Uuid,
    /// Only who comes with the claim's own credential is that device.
    pub own_credential: bool,
}

/// The claim that a device took, if it took one.
pub async fn taken_by(
    db: impl PgExecutor<'_>,
    device_id: Uuid,
) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as!(
        Taken,
        // Of several, as somebody may give it another one, what the strictest asks for holds.
        "select claim_id, own_credential from claims where device_id = $1
         order by own_credential desc, taken_at desc limit 1",
        device_id
    )
    .fetch_optional(db)
    .await
}

/// Gives a device a claim; false = another device has taken it meanwhile.
pub async fn take(
    conn: &mut PgConnection,
    claim_id: Uuid,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update claims set device_id = $2, taken_at = $3, refused = null, refused_at = null,
                updated_at = $3
         where claim_id = $1 and (device_id is null or device_id = $2)",
        claim_id,
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes why a device that wanted a claim did not get it.
pub async fn note_refused(
    conn: &mut PgConnection,
    claim_id: Uuid,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update claims set refused = $2, refused_at = $3 where claim_id = $1",
        claim_id,
        why,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a device is that may have to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// As it says.
    pub manufacturer: String,
    /// Six hex digits.
    pub oui: String,
    /// As it says.
    pub product_class: String,
    /// As it says.
    pub serial: String,
    /// From the data model.
    pub model: Option<String>,
    /// Root of its data model.
    pub root: Option<String>,
    /// Why it waits to be let in; `None` = it is in.
    pub quarantine_reason: Option<String>,
    /// Its last Inform came with a client certificate, which names it.
    pub proven: bool,
}

/// What is known of a device that may have to wait.
pub async fn newcomer(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Option<Newcomer>, sqlx::Error> {
    sqlx::query_as!(
        Newcomer,
        r#"select f.manufacturer, f.oui, f.product_class, f.serial, f.model, f.root,
                  case when f.quarantined_at is not null then coalesce(f.quarantine_reason, '')
                  end as quarantine_reason,
                  f.auth = 'certificate' as "proven!"
           from device_facts f where f.device_id = $1"#,
        device_id
    )
    .fetch_optional(conn)
    .await
}

/// The addresses of a device's own Ethernet ports, as far as they were read.
pub async fn macs(conn: &mut PgConnection, device_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct replace(upper(e.entry ->> 'v'), '-', ':') as "mac!"
           from device_parameters p cross join lateral jsonb_each(p.doc) as e (name, entry)
           where p.device_id = $1
             and e.name ~ '(\.Ethernet\.Interface|\.LANEthernetInterfaceConfig)\.[0-9]+\.MACAddress$'
             and e.entry ->> 'v' is not null
           limit $2"#,
        device_id,
        MAX_MACS
    )
    .fetch_all(conn)
    .await
}

/// Has a device wait to be let in; true = it did not wait before.
pub async fn quarantine(
    conn: &mut PgConnection,
    device_id: Uuid,
    why: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let new = sqlx::query_scalar!(
        r#"update device_facts f
           set quarantined_at = coalesce(f.quarantined_at, $3), quarantine_reason = $2,
               updated_at = $3
           from device_facts before
           where f.device_id = $1 and before.device_id = f.device_id
           returning before.quarantined_at is null as "new!""#,
        device_id,
        why,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(new == Some(true))
}

/// Whether so many devices wait to be let in, or more.
pub async fn is_full(conn: &mut PgConnection, most: i64) -> Result<bool, sqlx::Error> {
    let last = sqlx::query_scalar!(
        "select device_id from device_facts where quarantined_at is not null
         offset greatest($1::bigint - 1, 0) limit 1",
        most
    )
    .fetch_optional(conn)
    .await?;
    Ok(last.is_some())
}

/// Devices that have waited since before a time and were not heard of since then, the oldest first: a
/// bounded number, or that one alone.
pub async fn silent(
    db: impl PgExecutor<'_>,
    device_id: Option<Uuid>,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select f.device_id from device_facts f join devices d using (device_id)
         where f.quarantined_at < $2 and d.last_inform < $2
           and ($1::uuid is null or f.device_id = $1)
         order by f.quarantined_at limit $3",
        device_id,
        before,
        limit
    )
    .fetch_all(db)
    .await
}

/// Whether a device waits to be let in.
pub async fn waits(conn: &mut PgConnection, device_id: Uuid) -> Result<bool, sqlx::Error> {
    let waits = sqlx::query_scalar!(
        r#"select quarantined_at is not null as "waits!" from device_facts where device_id = $1"#,
        device_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(waits == Some(true))
}

/// What a device is given as it is let in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Path of a site that is there.
    pub site: Option<&'a str>,
    /// Beside those that it has.
    pub tags: &'a [String],
    /// The customer's number.
    pub customer: Option<&'a str>,
    /// The profile that is bound to it.
    pub profile_id: Option<Uuid>,
    /// By a claim, a rule or a person, and not because everybody is let in.
    pub admitted: bool,
}

/// Lets a device in. `variables` are sealed for the device, and go over those that it has.
pub async fn let_in(
    conn: &mut PgConnection,
    device_id: Uuid,
    given: Given<'_>,
    variables: &Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update device_facts set
             site = coalesce($2::text::ltree, site),
             tags = (array(select distinct t from unnest(tags || $3::text[]) as t order by t))[1:50],
             customer = coalesce($4, customer),
             quarantined_at = null,
             quarantine_reason = null,
             admitted_at = case when $6 then $5 else admitted_at end,
             updated_at = $5
         where device_id = $1",
        device_id,
        given.site,
        given.tags,
        given.customer,
        now,
        given.admitted
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into device_desired as x (device_id, profile_id, variables) values ($1, $2, $3)
         on conflict (device_id) do update set
             profile_id = coalesce(excluded.profile_id, x.profile_id),
             variables = x.variables || excluded.variables",
        device_id,
        given.profile_id,
        variables
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes news of whatever the devices that wait say next, as far as these claims name them: by serial
/// number in any case of letters, or by the address of a port.
pub async fn look_again_at(
    pool: &PgPool,
    serials: &[String],
    macs: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        // No hash is empty. Those that are just informing are looked at anyhow. What was read of the
        // devices is opened only where an address is asked for: see macs().
        r"update devices set inform_hash = ''
          where device_id in (
              select d.device_id from devices d join device_facts f using (device_id)
              where f.quarantined_at is not null and d.inform_hash <> ''
                and (upper(f.serial) in (select upper(s) from unnest($1::text[]) as s)
                     or (cardinality($2::text[]) > 0 and exists (
                         select from device_parameters p
                         cross join lateral jsonb_each(p.doc) as e (name, entry)
                         where p.device_id = f.device_id
                           and e.name like '%.MACAddress'
                           and e.name ~ '(\.Ethernet\.Interface|\.LANEthernetInterfaceConfig)\.[0-9]+\.MACAddress$'
                           and replace(upper(e.entry ->> 'v'), '-', ':') = any($2))))
              order by d.device_id
              for update of d skip locked)",
        serials,
        macs
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Makes news of whatever devices that wait say next, those that wait longest first, so many at most:
/// a rule may let them in.
pub async fn look_again(pool: &PgPool, limit: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        // As with look_again_at(); locked in the order of their ids, as everywhere.
        "with waiting as materialized (
             select device_id from device_facts where quarantined_at is not null
             order by quarantined_at limit $1)
         update devices set inform_hash = ''
         where device_id in (select d.device_id from devices d join waiting w using (device_id)
                             where d.inform_hash <> ''
                             order by d.device_id
                             for update of d skip locked)",
        limit
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets a device that was never let in and of which nothing was kept, if this session owns it.
pub async fn forget_stranger(
    pool: &PgPool,
    device_id: Uuid,
    session_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from devices where device_id = $1 and session_id = $2 and inform_hash is null",
        device_id,
        session_id
    )
    .execute(pool)
    .await?;
    Ok(())
}
