//! What webhooks are to be told: a row per webhook and event, written in the transaction of the
//! event, so that neither is there without the other.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// Something that a webhook is told, was told, or could not be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// UUIDv7: the order.
    pub delivery_id: Uuid,
    /// Who is told.
    pub webhook_id: Uuid,
    /// The word of its kind.
    pub kind: String,
    /// Which device it is about.
    pub device_id: Option<Uuid>,
    /// Serial number of that device, while it is there.
    pub serial: Option<String>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Words and numbers.
    pub detail: Value,
    /// `queued`, `delivered` or `dead`.
    pub state: String,
    /// Attempts so far.
    pub attempts: i32,
    /// When it is tried next, while it is queued.
    pub next_at: DateTime<Utc>,
    /// What came back last.
    pub answer: Option<String>,
    /// When it was told, or given up.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A delivery that somebody has leased, with what is known of its device.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Which.
    pub delivery_id: Uuid,
    /// The word of its kind.
    pub kind: String,
    /// Which device it is about.
    pub device_id: Option<Uuid>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Words and numbers.
    pub detail: Value,
    /// Attempts with this one; they say whose lease it is.
    pub attempts: i32,
    /// Of the device, as this and all that follows; `None` = there is no such device any more.
    pub serial: Option<String>,
    /// Six hex digits.
    pub oui: Option<String>,
    /// As sent.
    pub manufacturer: Option<String>,
    /// As sent.
    pub product_class: Option<String>,
    /// From the data model.
    pub model: Option<String>,
    /// RouterOS system identity.
    pub identity: Option<String>,
    /// From the data model.
    pub software_version: Option<String>,
    /// Path of its site.
    pub site: Option<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// In order.
    pub tags: Option<Vec<String>>,
}

/// What became of a leased delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub delivery_id: Uuid,
    /// As leased.
    pub attempts: i32,
    /// `queued` = it is tried again.
    pub state: &'static str,
    /// When, if so.
    pub next_at: DateTime<Utc>,
}

/// Who is told of a kind of event.
struct Listener {
    webhook_id: Uuid,
    site: Option<String>,
}

/// The webhooks of a kind, which stay until the transaction ends.
async fn listeners(conn: &mut PgConnection, kind: &str) -> Result<Vec<Listener>, sqlx::Error> {
    // The key only: who changes a webhook meanwhile waits for nobody, and nobody for them.
    sqlx::query_as!(
        Listener,
        r#"select webhook_id, site::text as "site?" from webhooks
           where enabled and $1::text = any(kinds)
           for key share"#,
        kind
    )
    .fetch_all(conn)
    .await
}

/// Has the webhooks of a kind told of something of each of these devices: those that are told of all
/// devices, or of those at the device's site.
pub async fn tell(
    conn: &mut PgConnection,
    kind: &str,
    told: &[(Uuid, Value)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let listeners = listeners(conn, kind).await?;
    if listeners.is_empty() {
        return Ok(());
    }
    let devices: Vec<Uuid> = told.iter().map(|(device_id, _)| *device_id).collect();
    let details: Vec<Value> = told.iter().map(|(_, detail)| detail.clone()).collect();
    for listener in listeners {
        let ids: Vec<Uuid> = told.iter().map(|_| Uuid::now_v7()).collect();
        sqlx::query!(
            "insert into deliveries (delivery_id, webhook_id, kind, device_id, at, detail, next_at)
             select n.delivery_id, $1, $2, n.device_id, $3, n.detail, $3
             from unnest($4::uuid[], $5::uuid[], $6::jsonb[]) as n (delivery_id, device_id, detail)
             left join device_facts f on f.device_id = n.device_id
             where $7::text is null or f.site <@ $7::text::ltree",
            listener.webhook_id,
            kind,
            at,
            &ids,
            &devices,
            &details,
            listener.site
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Has the webhooks of a kind told of something that is of no device: those that are told of all.
pub async fn tell_of_no_device(
    conn: &mut PgConnection,
    kind: &str,
    detail: &Value,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let listeners = listeners(conn, kind).await?;
    for listener in listeners.iter().filter(|listener| listener.site.is_none()) {
        insert(conn, listener.webhook_id, kind, detail, at).await?;
    }
    Ok(())
}

/// Has one webhook told of something that is of no device; gives the delivery's id.
pub async fn insert(
    conn: &mut PgConnection,
    webhook_id: Uuid,
    kind: &str,
    detail: &Value,
    at: DateTime<Utc>,
) -> Result<Uuid, sqlx::Error> {
    let delivery_id = Uuid::now_v7();
    sqlx::query!(
        "insert into deliveries (delivery_id, webhook_id, kind, at, detail, next_at)
         values ($1, $2, $3, $4, $5, $4)",
        delivery_id,
        webhook_id,
        kind,
        at,
        detail
    )
    .execute(conn)
    .await?;
    Ok(delivery_id)
}

/// The webhooks that are to be told something now.
pub async fn waiting(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select w.webhook_id from webhooks w
         where exists (
             select from deliveries d
             where d.webhook_id = w.webhook_id and d.state = 'queued' and d.next_at <= $1
               and (d.leased_until is null or d.leased_until <= $1))",
        now
    )
    .fetch_all(pool)
    .await
}

/// Takes what a webhook is to be told now, for an attempt that ends before `until`: then anybody may
/// take it again.
pub async fn lease(
    pool: &PgPool,
    webhook_id: Uuid,
    limit: i64,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        // Another node takes others meanwhile.
        r#"with due as (
               select delivery_id from deliveries
               where webhook_id = $1 and state = 'queued' and next_at <= $2
                 and (leased_until is null or leased_until <= $2)
               order by next_at, delivery_id
               limit $3
               for update skip locked
           ), leased as (
               update deliveries d set leased_until = $4, attempts = d.attempts + 1
               from due where d.delivery_id = due.delivery_id
               returning d.delivery_id, d.kind, d.device_id, d.at, d.detail, d.attempts
           )
           select l.delivery_id as "delivery_id!", l.kind as "kind!", l.device_id as "device_id?",
                  l.at as "at!", l.detail as "detail!", l.attempts as "attempts!",
                  f.serial as "serial?", f.oui as "oui?", f.manufacturer as "manufacturer?",
                  f.product_class as "product_class?", f.model as "model?",
                  f.identity as "identity?", f.software_version as "software_version?",
                  f.site::text as "site?", f.customer as "customer?", f.tags as "tags?"
           from leased l left join device_facts f on f.device_id = l.device_id
           order by l.at, l.delivery_id"#,
        webhook_id,
        now,
        limit,
        until
    )
    .fetch_all(pool)
    .await
}

/// Writes down what became of leased deliveries, but of those that somebody else has taken since.
pub async fn settle(
    pool: &PgPool,
    settled: &[Settled],
    answer: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = settled.iter().map(|s| s.delivery_id).collect();
    let attempts: Vec<i32> = settled.iter().map(|s| s.attempts).collect();
    let states: Vec<String> = settled.iter().map(|s| s.state.to_owned()).collect();
    let next: Vec<DateTime<Utc>> = settled.iter().map(|s| s.next_at).collect();
    sqlx::query!(
        "update deliveries d set
             state = n.state, next_at = n.next_at, answer = $5, leased_until = null,
             finished_at = case when n.state = 'queued' then null else $6::timestamptz end
         from unnest($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[])
                  as n (delivery_id, attempts, state, next_at)
         where d.delivery_id = n.delivery_id and d.attempts = n.attempts and d.state = 'queued'",
        &ids,
        &attempts,
        &states,
        &next,
        answer,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// One of them.
pub async fn get(
    db: impl PgExecutor<'_>,
    delivery_id: Uuid,
) -> Result<Option<Delivery>, sqlx::Error> {
    sqlx::query_as!(
        Delivery,
        r#"select d.delivery_id as "delivery_id!", d.webhook_id as "webhook_id!",
                  d.kind as "kind!", d.device_id as "device_id?", f.serial as "serial?",
                  d.at as "at!", d.detail as "detail!", d.state as "state!",
                  d.attempts as "attempts!", d.next_at as "next_at!", d.answer as "answer?",
                  d.finished_at as "finished_at?"
           from deliveries d left join device_facts f on f.device_id = d.device_id
           where d.delivery_id = $1"#,
        delivery_id
    )
    .fetch_optional(db)
    .await
}

/// Those of a webhook, newest first, before an id; only those in a state, if one is named.
pub async fn list(
    pool: &PgPool,
    webhook_id: Uuid,
    state: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Delivery>, sqlx::Error> {
    sqlx::query_as!(
        Delivery,
        r#"select d.delivery_id as "delivery_id!", d.webhook_id as "webhook_id!",
                  d.kind as "kind!", d.device_id as "device_id?", f.serial as "serial?",
                  d.at as "at!", d.detail as "detail!", d.state as "state!",
                  d.attempts as "attempts!", d.next_at as "next_at!", d.answer as "answer?",
                  d.finished_at as "finished_at?"
           from deliveries d left join device_facts f on f.device_id = d.device_id
           where d.webhook_id = $1 and ($2::text is null or d.state = $2)
             and ($3::uuid is null or d.delivery_id < $3)
           order by d.delivery_id desc
           limit $4"#,
        webhook_id,
        state,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Has a dead one tried again; false = it is not dead.
pub async fn again(
    conn: &mut PgConnection,
    delivery_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update deliveries set state = 'queued', attempts = 0, next_at = $2, finished_at = null
         where delivery_id = $1 and state = 'dead'",
        delivery_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Has all dead ones of a webhook tried again; how many there were.
pub async fn all_again(
    conn: &mut PgConnection,
    webhook_id: Uuid,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update deliveries set state = 'queued', attempts = 0, next_at = $2, finished_at = null
         where webhook_id = $1 and state = 'dead'",
        webhook_id,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets a bounded number of those that ended before a time.
pub async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from deliveries where delivery_id in (
             select delivery_id from deliveries where finished_at < $1 limit $2)",
        before,
        limit
    )
    .execute(pool)
    .await?;
    Ok(())
}
