//! Boards as the bench knows them, by MAC address, and what happened to each.
//!
//! The bench writes what it sees with [`put_board`]; what people say of a board, each in a statement
//! of its own, is never written over by that.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::store::claims::{self, Claim};

/// A board.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardRow {
    /// `E4:8D:8C:00:00:01`
    pub mac: String,
    /// Where it was seen last.
    pub bench_id: Uuid,
    /// `flashboot`, `etherboot`, `dhcp` or `other`.
    pub kind: String,
    /// `seen`, `refused`, `offered`, `transferring`, `delivered`, `redirected`, `installing`,
    /// `installed`, `timed_out`, `failed` or `confirmed`.
    pub state: String,
    /// Why it is refused or failed: a code for programs.
    pub reason: Option<String>,
    /// The same in words.
    pub words: Option<String>,
    /// What it says of itself: `952-hb`.
    pub board_id: Option<String>,
    /// Its option 60.
    pub vendor_class: Option<String>,
    /// The architecture that this names.
    pub arch: Option<String>,
    /// Bytes that are free for a script.
    pub free_bytes: Option<i32>,
    /// Options that nobody knows: hexadecimal by number.
    pub options: Value,
    /// The claim that it is taken for.
    pub claim_id: Option<Uuid>,
    /// The device that it became.
    pub device_id: Option<Uuid>,
    /// Path of the site where it comes to stand.
    pub site: Option<String>,
    /// Profile of the boot protocol by which it was served.
    pub profile: Option<String>,
    /// How sure that is: `unverified`, `captured` or `hardware-verified`.
    pub profile_status: Option<String>,
    /// `flashfig-direct` or `etherboot-redirect`.
    pub strategy: Option<String>,
    /// Name of the template that it was given.
    pub template: Option<String>,
    /// Which version of that.
    pub template_version: Option<i32>,
    /// The script, secrets masked.
    pub script: Option<String>,
    /// Keyed hash of the script as it was sent.
    pub script_sha256: Option<Vec<u8>>,
    /// Bytes of the script as it was sent.
    pub size: Option<i32>,
    /// The address that it was given.
    pub address: Option<IpNet>,
    /// Of the transfer or the installation under way, in words.
    pub step: Option<String>,
    /// Bytes that it has.
    pub sent_bytes: i64,
    /// Bytes that it is to have.
    pub total_bytes: i64,
    /// Requests of this coming.
    pub requests: i32,
    /// What had to be sent again.
    pub retries: i32,
    /// From its first request to its last answer, in milliseconds.
    pub duration_ms: Option<i32>,
    /// When it was seen first.
    pub first_seen_at: DateTime<Utc>,
    /// When it was seen last.
    pub seen_at: DateTime<Utc>,
    /// When it was offered something last.
    pub offered_at: Option<DateTime<Utc>>,
    /// When it had all of it.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When its device informed after that.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// It had its delivery, and gets no other before somebody says so.
    pub done: bool,
    /// How many it had.
    pub deliveries: i32,
    /// It may be installed, which formats it: `netboot::arming::Install`.
    pub install: Option<Value>,
    /// Until then.
    pub install_until: Option<DateTime<Utc>>,
    /// When any of this last changed.
    pub updated_at: DateTime<Utc>,
}

/// What happened to a board.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// UUIDv7: the order.
    pub log_id: Uuid,
    /// To which.
    pub mac: String,
    /// Where.
    pub bench_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Its state from then on, or what somebody said of it: `rearmed`, `install_armed`,
    /// `install_cancelled`.
    pub state: String,
    /// In words.
    pub words: Option<String>,
    /// More of it; no secrets.
    pub detail: Value,
}

/// What narrows a list of boards; empty fields do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardFilter {
    /// One of the states.
    pub state: Option<String>,
    /// At this bench.
    pub bench_id: Option<Uuid>,
    /// How MAC address, board identifier or the site's path begin.
    pub text: Option<String>,
}

/// One board.
pub async fn load_board(
    db: impl PgExecutor<'_>,
    mac: &str,
) -> Result<Option<BoardRow>, sqlx::Error> {
    sqlx::query_as!(
        BoardRow,
        r#"select mac, bench_id, kind, state, reason, words, board_id, vendor_class, arch,
                  free_bytes, options, claim_id, device_id, site::text as "site?", profile,
                  profile_status, strategy, template, template_version, script, script_sha256, size,
                  address as "address: IpNet", step, sent_bytes, total_bytes, requests, retries,
                  duration_ms, first_seen_at, seen_at, offered_at, delivered_at, confirmed_at, done,
                  deliveries, install, install_until, updated_at
           from bench_boards where mac = $1"#,
        mac
    )
    .fetch_optional(db)
    .await
}

/// Those that were seen last first, after one; those without a site, and those at and below `within`,
/// if that is said.
pub async fn boards(
    pool: &PgPool,
    filter: &BoardFilter,
    within: Option<&[String]>,
    after: Option<(DateTime<Utc>, &str)>,
    limit: i64,
) -> Result<Vec<BoardRow>, sqlx::Error> {
    let (seen_at, mac) = after.unzip();
    sqlx::query_as!(
        BoardRow,
        r#"select mac, bench_id, kind, state, reason, words, board_id, vendor_class, arch,
                  free_bytes, options, claim_id, device_id, site::text as "site?", profile,
                  profile_status, strategy, template, template_version, script, script_sha256, size,
                  address as "address: IpNet", step, sent_bytes, total_bytes, requests, retries,
                  duration_ms, first_seen_at, seen_at, offered_at, delivered_at, confirmed_at, done,
                  deliveries, install, install_until, updated_at
           from bench_boards b
           where ($1::text[] is null or b.site is null or b.site <@ any($1::text[]::ltree[]))
             and ($2::text is null or b.state = $2)
             and ($3::uuid is null or b.bench_id = $3)
             and ($4::text is null or starts_with(b.mac, upper($4))
                  or starts_with(upper(b.board_id), upper($4))
                  or starts_with(b.site::text, lower($4)))
             and ($5::timestamptz is null or b.seen_at < $5 or (b.seen_at = $5 and b.mac > $6))
           order by b.seen_at desc, b.mac limit $7"#,
        within,
        filter.state,
        filter.bench_id,
        filter.text,
        seen_at,
        mac,
        limit
    )
    .fetch_all(pool)
    .await
}

/// How many boards are in which state, by bench; as [`boards`] narrows them.
pub async fn counts(
    pool: &PgPool,
    within: Option<&[String]>,
) -> Result<Vec<(Uuid, String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select bench_id, state, count(*) as "count!" from bench_boards b
           where $1::text[] is null or b.site is null or b.site <@ any($1::text[]::ltree[])
           group by bench_id, state order by bench_id, state"#,
        within
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.bench_id, row.state, row.count)).collect())
}

/// Writes a board as the bench knows it, but for what people say of it: `install` and `install_until`
/// stay as they are in the row, `done` is only set, and only by a delivery, and `deliveries` counts
/// those by itself: each other time of `delivered_at` is one more.
pub async fn put_board(conn: &mut PgConnection, board: &BoardRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into bench_boards as b (mac, bench_id, kind, state, reason, words, board_id,
             vendor_class, arch, free_bytes, options, claim_id, device_id, site, profile,
             profile_status, strategy, template, template_version, script, script_sha256, size,
             address, step, sent_bytes, total_bytes, requests, retries, duration_ms, first_seen_at,
             seen_at, offered_at, delivered_at, confirmed_at, done, updated_at, deliveries)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::ltree, $15, $16,
             $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32,
             $33::timestamptz, $34, $35, $36,
             case when $33::timestamptz is null then 0 else 1 end)
         on conflict (mac) do update set
             bench_id = excluded.bench_id,
             kind = excluded.kind,
             state = excluded.state,
             reason = excluded.reason,
             words = excluded.words,
             board_id = excluded.board_id,
             vendor_class = excluded.vendor_class,
             arch = excluded.arch,
             free_bytes = excluded.free_bytes,
             options = excluded.options,
             claim_id = excluded.claim_id,
             -- Who it became is found out beside this.
             device_id = coalesce(excluded.device_id, b.device_id),
             site = excluded.site,
             profile = excluded.profile,
             profile_status = excluded.profile_status,
             strategy = excluded.strategy,
             template = excluded.template,
             template_version = excluded.template_version,
             script = excluded.script,
             script_sha256 = excluded.script_sha256,
             size = excluded.size,
             address = excluded.address,
             step = excluded.step,
             sent_bytes = excluded.sent_bytes,
             total_bytes = excluded.total_bytes,
             requests = excluded.requests,
             retries = excluded.retries,
             duration_ms = excluded.duration_ms,
             seen_at = excluded.seen_at,
             offered_at = excluded.offered_at,
             delivered_at = coalesce(excluded.delivered_at, b.delivered_at),
             confirmed_at = coalesce(excluded.confirmed_at, b.confirmed_at),
             -- Somebody may have armed it again since this was read.
             done = b.done or (excluded.done
                 and excluded.delivered_at is distinct from b.delivered_at),
             deliveries = b.deliveries + case
                 when excluded.delivered_at is not null
                  and excluded.delivered_at is distinct from b.delivered_at then 1 else 0 end,
             updated_at = excluded.updated_at",
        board.mac,
        board.bench_id,
        board.kind,
        board.state,
        board.reason,
        board.words,
        board.board_id,
        board.vendor_class,
        board.arch,
        board.free_bytes,
        board.options,
        board.claim_id,
        board.device_id,
        board.site,
        board.profile,
        board.profile_status,
        board.strategy,
        board.template,
        board.template_version,
        board.script,
        board.script_sha256,
        board.size,
        board.address as Option<IpNet>,
        board.step,
        board.sent_bytes,
        board.total_bytes,
        board.requests,
        board.retries,
        board.duration_ms,
        board.first_seen_at,
        board.seen_at,
        board.offered_at,
        board.delivered_at,
        board.confirmed_at,
        board.done,
        board.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what happened to a board, once: an entry may come again where it is not known whether it was
/// stored.
pub async fn append_log(conn: &mut PgConnection, row: &LogRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into bench_log (log_id, mac, bench_id, at, state, words, detail)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (log_id) do nothing",
        row.log_id,
        row.mac,
        row.bench_id,
        row.at,
        row.state,
        row.words,
        row.detail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What happened to a board, the newest first, before an entry.
pub async fn log(
    pool: &PgPool,
    mac: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LogRow>, sqlx::Error> {
    sqlx::query_as!(
        LogRow,
        "select log_id, mac, bench_id, at, state, words, detail from bench_log
         where mac = $1 and ($2::uuid is null or log_id < $2)
         order by log_id desc limit $3",
        mac,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Lets a board have its delivery once more; false = there is none.
pub async fn rearm(
    conn: &mut PgConnection,
    mac: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update bench_boards set done = false, updated_at = $2 where mac = $1",
        mac,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Lets a board be installed until a time; false = there is none.
pub async fn put_install(
    conn: &mut PgConnection,
    mac: &str,
    install: &Value,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update bench_boards set install = $2, install_until = $3, updated_at = $4 where mac = $1",
        mac,
        install,
        until,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes back that a board may be installed; false = it might not.
pub async fn cancel_install(
    conn: &mut PgConnection,
    mac: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update bench_boards set install = null, install_until = null, updated_at = $2
         where mac = $1 and install is not null",
        mac,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends that a board may be installed, as it was: by this arming it is formatted once. What somebody
/// said meanwhile stays.
pub async fn install_over(
    conn: &mut PgConnection,
    mac: &str,
    install: &Value,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update bench_boards set install = null, install_until = null
         where mac = $1 and install = $2 and install_until = $3",
        mac,
        install,
        until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a board; what happened to it stays.
pub async fn delete_board(conn: &mut PgConnection, mac: &str) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!("delete from bench_boards where mac = $1", mac).execute(conn).await?;
    Ok(gone.rows_affected() > 0)
}

/// Renames `from` to `to` in the sites of boards, at and below it.
pub async fn move_sites(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        // subpath() refuses an offset at the path's very end.
        "update bench_boards set
             site = case when site = $1::text::ltree then $2::text::ltree
                    else $2::text::ltree || subpath(site, nlevel($1::text::ltree)) end,
             updated_at = $3
         where site <@ $1::text::ltree",
        from,
        to,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The claim that names this MAC address, whether a device has taken it or not.
pub async fn claim_for(db: impl PgExecutor<'_>, mac: &str) -> Result<Option<Claim>, sqlx::Error> {
    Ok(claims::find(db, &[], &[], &[mac.to_owned()]).await?.pop())
}

/// How many open claims name a serial number alone: no board that is on the wire can be told to be
/// one of these.
pub async fn serial_only_claims(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!" from claims where mac is null and device_id is null"#
    )
    .fetch_one(pool)
    .await
}
