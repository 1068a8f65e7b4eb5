//! The hot path's one statement: many informs, one INSERT, one commit (design section 4).

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use std::net::IpAddr;
use uuid::Uuid;

/// One inform as the hot row keeps it.
#[derive(Debug, Clone)]
pub struct InformRow {
    /// Who.
    pub device_id: Uuid,
    /// The session that owns the device from now on.
    pub session_id: Uuid,
    /// Where it came from.
    pub remote_addr: IpAddr,
    /// Event codes joined by a comma and a space.
    pub events: String,
    /// As the CPE counts.
    pub retry_count: i32,
}

/// What the database knew of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Hash of what was merged last; `None` = nothing was ever merged: a new device.
    pub inform_hash: Option<Vec<u8>>,
    /// A job may run now.
    pub has_work: bool,
}

/// Writes all rows in one statement and one commit; gives what was known, by device. No device may
/// occur twice.
pub async fn write(
    pool: &PgPool,
    node: &str,
    rows: &[InformRow],
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Known)>, sqlx::Error> {
    let mut order: Vec<&InformRow> = rows.iter().collect();
    // Nodes that write overlapping batches must lock rows in one order.
    order.sort_unstable_by_key(|r| r.device_id);
    let ids: Vec<Uuid> = order.iter().map(|r| r.device_id).collect();
    let sessions: Vec<Uuid> = order.iter().map(|r| r.session_id).collect();
    let addresses: Vec<ipnet::IpNet> = order.iter().map(|r| r.remote_addr.into()).collect();
    let events: Vec<String> = order.iter().map(|r| r.events.clone()).collect();
    let retries: Vec<i32> = order.iter().map(|r| r.retry_count).collect();
    let known = sqlx::query!(
        r#"
        insert into devices (device_id, first_inform, last_inform, session_id, node, remote_addr,
                             events, retry_count)
        select i.device_id, $6, $6, i.session_id, $7, i.remote_addr, i.events, i.retry_count
        from unnest($1::uuid[], $2::uuid[], $3::inet[], $4::text[], $5::int[])
             as i (device_id, session_id, remote_addr, events, retry_count)
        on conflict (device_id) do update set
            last_inform = excluded.last_inform,
            session_id = excluded.session_id,
            node = excluded.node,
            remote_addr = excluded.remote_addr,
            events = excluded.events,
            retry_count = excluded.retry_count
        returning device_id, inform_hash, coalesce(next_due <= $6, false) as "has_work!"
        "#,
        &ids,
        &sessions,
        &addresses as &[ipnet::IpNet],
        &events,
        &retries,
        now,
        node
    )
    .fetch_all(pool)
    .await?;
    Ok(known
        .into_iter()
        .map(|r| (r.device_id, Known { inform_hash: r.inform_hash, has_work: r.has_work }))
        .collect())
}
