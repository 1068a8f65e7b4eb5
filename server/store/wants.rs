//! What people say of single devices' desired state, and which devices are far from it.
//!
//! Writes only what people say; what comes of comparing a device is `store::desired`'s. Whoever
//! writes here holds the device's row, as whoever compares does.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::within::Within;
use crate::desired::differ::Difference;

/// What is said of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The profile that is bound to the device itself.
    pub profile_id: Option<Uuid>,
    /// Values for templates; those of secrets sealed.
    pub variables: Value,
    /// `fleet::profile::Wanted` by name of parameter; values of secrets sealed.
    pub overrides: Value,
    /// Differences that nobody wants to hear of.
    pub ignored: Vec<String>,
}

/// Writes what is said of a device, and has it compared now.
pub async fn say(
    conn: &mut PgConnection,
    device_id: Uuid,
    said: &Said,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_desired (device_id, profile_id, variables, overrides, ignored, due_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (device_id) do update set
             profile_id = excluded.profile_id, variables = excluded.variables,
             overrides = excluded.overrides, ignored = excluded.ignored, due_at = excluded.due_at,
             leased_until = null",
        device_id,
        said.profile_id,
        said.variables,
        said.overrides,
        &said.ignored,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has what is wanted of a device read from it, and the device compared then.
pub async fn read_anew(
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into device_desired (device_id, due_at, check_due_at) values ($1, $2, $2)
         on conflict (device_id) do update set
             due_at = excluded.due_at, check_due_at = excluded.check_due_at,
             leased_until = null",
        device_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a template is called.
pub async fn template_name(
    pool: &PgPool,
    template_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("select name from templates where template_id = $1", template_id)
        .fetch_optional(pool)
        .await
}

/// A device that is not as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Drifted {
    /// Which.
    pub device_id: Uuid,
    /// Its serial number.
    pub serial: String,
    /// RouterOS system identity.
    pub identity: Option<String>,
    /// The board.
    pub model: Option<String>,
    /// Where it stands.
    pub site: Option<String>,
    /// pending, drifted, blocked.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// What differs; secrets masked.
    pub differences: Json<Vec<Difference>>,
    /// Since when something does.
    pub drifted_at: Option<DateTime<Utc>>,
    /// When it was compared last.
    pub compared_at: Option<DateTime<Utc>>,
}

/// Which of them are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state only.
    pub state: Option<String>,
    /// At this site and below only.
    pub under: Option<String>,
    /// Only those of which this differs.
    pub name: Option<String>,
}

/// Devices that are not as they are wanted, of those within, in order of their ids, after one.
pub async fn drifted(
    pool: &PgPool,
    filter: &Filter,
    within: Option<&Within>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Drifted>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        Drifted,
        r#"select f.device_id, f.serial, f.identity, f.model, f.site::text as "site?", x.state,
                  x.reason, x.differences as "differences: Json<Vec<Difference>>", x.drifted_at,
                  x.compared_at
           from device_desired x join device_facts f on f.device_id = x.device_id
           where x.state in ('drifted', 'blocked', 'pending')
             and ($3::text is null or x.state = $3)
             and ($4::text is null or f.site <@ $4::text::ltree)
             and ($5::text is null
                  or x.differences @> jsonb_build_array(jsonb_build_object('name', $5::text)))
             and ($1::text[] is null or f.site <@ any($1::text[]::ltree[])
                  or ($2::uuid[] is not null and f.device_id in (
                      select m.device_id from group_members m where m.group_id = any($2::uuid[]))))
             and ($6::uuid is null or x.device_id > $6)
           order by x.device_id limit $7"#,
        sites,
        groups,
        filter.state.as_deref(),
        filter.under.as_deref(),
        filter.name.as_deref(),
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// How many devices are in which state, of those within that were compared.
pub async fn states(
    pool: &PgPool,
    within: Option<&Within>,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    let rows = sqlx::query!(
        r#"select x.state, count(*) as "devices!"
           from device_desired x join device_facts f on f.device_id = x.device_id
           where $1::text[] is null or f.site <@ any($1::text[]::ltree[])
              or ($2::uuid[] is not null and f.device_id in (
                  select m.device_id from group_members m where m.group_id = any($2::uuid[])))
           group by x.state"#,
        sites,
        groups
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.state, row.devices)).collect())
}
