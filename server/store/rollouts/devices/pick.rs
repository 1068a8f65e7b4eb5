//! Devices of a rollout that may be begun, and what holds them back.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A device that may be begun.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateRow {
    /// Whose.
    pub device_id: Uuid,
    /// Where it stands.
    pub site: Option<String>,
    /// What it reaches the network through.
    pub uplink: Option<Uuid>,
    /// What backs it up.
    pub redundancy: Option<String>,
    /// When it informed last.
    pub last_inform: DateTime<Utc>,
    /// Its step: it may be tried again.
    pub step: i32,
    /// The job of that.
    pub job_id: Option<Uuid>,
    /// When it was begun, if it is tried again.
    pub started_at: Option<DateTime<Utc>>,
}

/// The next waiting devices of a wave, in order: those that are not put off, nor under way in another
/// rollout; with `topology` also not those through which others of it reach the network that have
/// not come to their end.
pub async fn candidates(
    db: impl PgExecutor<'_>,
    rollout_id: Uuid,
    wave: i32,
    topology: bool,
    limit: i64,
) -> Result<Vec<CandidateRow>, sqlx::Error> {
    sqlx::query_as!(
        CandidateRow,
        "select r.device_id, f.site::text as site, r.uplink, r.redundancy, d.last_inform, r.step,
                r.job_id, r.started_at
         from rollout_devices r
         join devices d using (device_id)
         join device_facts f using (device_id)
         where r.rollout_id = $1 and r.wave = $2 and r.state = 'waiting' and r.due_at is null
           and not exists (
               select 1 from rollout_devices x
               where x.device_id = r.device_id and x.rollout_id <> r.rollout_id
                 and x.state in ('due', 'offered', 'downloading', 'rebooting', 'verifying'))
           -- Whoever reaches the network through it goes first.
           and not ($3 and exists (
               select 1 from rollout_devices c
               where c.uplink = r.device_id and c.rollout_id = r.rollout_id and c.wave <= r.wave
                 and c.state in ('waiting', 'due', 'offered', 'downloading', 'rebooting',
                                 'verifying')))
         order by r.position limit $4",
        rollout_id,
        wave,
        topology,
        limit
    )
    .fetch_all(db)
    .await
}

/// A device of a redundancy set that did not come to a good end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SickRow {
    /// Whose.
    pub device_id: Uuid,
    /// For people.
    pub serial: String,
    /// Its set.
    pub redundancy: String,
    /// `failed`, `timed_out`, or `waiting` to be tried again.
    pub state: String,
    /// When it came to its end; `None` = it is to be tried again.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The devices of these redundancy sets, in this rollout, that did not come to a good end and are not
/// left out.
pub async fn sick(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    sets: &[String],
) -> Result<Vec<SickRow>, sqlx::Error> {
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as!(
        SickRow,
        r#"select r.device_id, f.serial, r.redundancy as "redundancy!", r.state,
                  case when r.state <> 'waiting'
                       then coalesce(r.finished_at, r.started_at, to_timestamp(0)) end as ended_at
           from rollout_devices r join device_facts f using (device_id)
           where r.rollout_id = $1 and r.redundancy = any($2)
             and (r.state in ('failed', 'timed_out')
                  or (r.state = 'waiting' and r.started_at is not null))"#,
        rollout_id,
        sets
    )
    .fetch_all(conn)
    .await
}

/// Puts waiting devices off, because none of them may be changed before.
pub async fn put_off(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    devices: &[Uuid],
    until: DateTime<Utc>,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices set due_at = $3, reason = $4
         where rollout_id = $1 and device_id = any($2) and state = 'waiting'",
        rollout_id,
        devices,
        until,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether any device is put off.
pub async fn any_put_off(conn: &mut PgConnection, rollout_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from rollout_devices
             where rollout_id = $1 and state = 'waiting' and due_at is not null) as "any!""#,
        rollout_id
    )
    .fetch_one(conn)
    .await
}

/// Lets a bounded number of devices that were put off until now wait for their turn again.
pub async fn put_on(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices set due_at = null, reason = null
         where rollout_id = $1 and state = 'waiting' and device_id in (
             select device_id from rollout_devices
             where rollout_id = $1 and state = 'waiting' and due_at <= $2 limit $3)",
        rollout_id,
        now,
        limit
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the devices of a wave that were removed from the inventory while they were taken in: nobody
/// would ever begin them.
pub async fn forget_gone(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    wave: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from rollout_devices r
         where r.rollout_id = $1 and r.wave = $2 and r.state = 'waiting' and r.due_at is null
           and not exists (select from devices d where d.device_id = r.device_id)",
        rollout_id,
        wave
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is under way: devices in flight by site and uplink, in this rollout; and which redundancy
/// sets have one in flight, in any.
#[derive(Debug, Clone, Default)]
pub struct InFlight {
    /// By site.
    pub sites: Vec<(Option<String>, i64)>,
    /// By uplink.
    pub uplinks: Vec<(Uuid, i64)>,
    /// Sets of which one is in flight.
    pub redundancy: Vec<String>,
    /// Those through which others reach the network, of this rollout.
    pub devices: Vec<Uuid>,
    /// All of them.
    pub all: i64,
}

/// If the rollout has devices of redundancy sets: keeps every other one that has some from beginning any
/// until the transaction ends. What they have begun is then seen by [`in_flight`]. The rollout's row must
/// be locked.
pub async fn lock_sets(conn: &mut PgConnection, rollout_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtext('muster.redundancy'))
         where exists (select from rollout_devices
                       where rollout_id = $1 and redundancy is not null)",
        rollout_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts what is under way.
pub async fn in_flight(conn: &mut PgConnection, rollout_id: Uuid) -> Result<InFlight, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select site::text as site, uplink, count(*) as "devices!" from rollout_devices
           where rollout_id = $1
             and state in ('due', 'offered', 'downloading', 'rebooting', 'verifying')
           group by site, uplink"#,
        rollout_id
    )
    .fetch_all(&mut *conn)
    .await?;
    let redundancy = sqlx::query_scalar!(
        r#"select distinct redundancy as "redundancy!" from rollout_devices
           where redundancy is not null
             and state in ('due', 'offered', 'downloading', 'rebooting', 'verifying')"#
    )
    .fetch_all(&mut *conn)
    .await?;
    let devices = sqlx::query_scalar!(
        "select r.device_id from rollout_devices r
         where r.rollout_id = $1
           and r.state in ('due', 'offered', 'downloading', 'rebooting', 'verifying')
           and exists (select 1 from rollout_devices c where c.uplink = r.device_id)",
        rollout_id
    )
    .fetch_all(conn)
    .await?;
    let mut found = InFlight { redundancy, devices, ..InFlight::default() };
    for row in rows {
        found.all += row.devices;
        if let Some(uplink) = row.uplink {
            found.uplinks.push((uplink, row.devices));
        }
        found.sites.push((row.site, row.devices));
    }
    Ok(found)
}

/// How many devices of a wave failed in a way that says that others will, too.
pub async fn held(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    wave: i32,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "devices!" from rollout_devices
           where rollout_id = $1 and state = 'failed' and wave = $2 and fault_class = 'hold'"#,
        rollout_id,
        wave
    )
    .fetch_one(conn)
    .await
}

/// Has the healthy devices of a wave looked at once more at the end of its soak.
pub async fn soak(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    wave: i32,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices set due_at = least(due_at, $3)
         where rollout_id = $1 and wave = $2 and state = 'healthy' and due_at > $3",
        rollout_id,
        wave,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Looks at a bounded number of healthy devices no more, of one wave or of all; how many these were.
pub async fn rest(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    wave: Option<i32>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update rollout_devices
         set due_at = null, finished_at = coalesce(finished_at, changed_at)
         where rollout_id = $1 and device_id in (
             select device_id from rollout_devices
             where rollout_id = $1 and state = 'healthy' and due_at is not null
               and ($2::integer is null or wave = $2)
             limit $3)",
        rollout_id,
        wave,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Devices that were begun, but whose first order no device has taken, and where they stand now; a
/// bounded number, in the order of their ids, those after one of them.
pub async fn not_taken(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Uuid, Option<String>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select r.device_id, f.site::text as site from rollout_devices r
         join device_facts f using (device_id)
         left join jobs j on j.device_id = r.device_id and j.job_id = r.job_id
         where r.rollout_id = $1 and r.state in ('due', 'offered')
           -- That its configuration was kept is no change.
           and (r.step = 0 or (r.step = 1 and r.steps->0->>'step' = 'backup'))
           and r.changed_at is null and coalesce(j.state, 'queued') = 'queued'
           and ($3::uuid is null or r.device_id > $3)
         order by r.device_id limit $2",
        rollout_id,
        limit,
        after
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.site)).collect())
}

/// Puts what each of these devices had before another rollout into this one, which takes it back.
pub async fn carry_over(
    conn: &mut PgConnection,
    rollout_id: Uuid,
    from: Uuid,
    devices: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices r set before = o.before
         from rollout_devices o
         where r.rollout_id = $1 and o.rollout_id = $2 and o.device_id = r.device_id
           and r.device_id = any($3) and o.before is not null",
        rollout_id,
        from,
        devices
    )
    .execute(conn)
    .await?;
    Ok(())
}
