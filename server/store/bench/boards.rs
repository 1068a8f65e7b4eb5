//! Boards as the bench knows them, by MAC address, and what people say of each.
//!
//! One whose device is here stands where that does: readers take the site of the device over the one
//! that is stored with the board. One without a site is seen by all who see any, as long as it is
//! nobody's.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::store::claims::{self, Claim};

/// A board.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// No column: what it says of claim and site comes of a decision, and is to be stored.
    pub decided: bool,
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

/// Boards with the sites where they stand, as far as a condition goes.
macro_rules! placed {
    ($which:tt, $($arg:expr),+) => {
        sqlx::query_as!(
            BoardRow,
            r#"select b.mac, b.bench_id, b.kind, b.state, b.reason, b.words, b.board_id, b.vendor_class,
                      b.arch, b.free_bytes, b.options, b.claim_id, b.device_id,
                      coalesce(f.site, b.site)::text as "site?", b.profile, b.profile_status, b.strategy,
                      b.template, b.template_version, b.script, b.script_sha256, b.size,
                      b.address as "address: IpNet", b.step, b.sent_bytes, b.total_bytes, b.requests,
                      b.retries, b.duration_ms, b.first_seen_at, b.seen_at, b.offered_at,
                      b.delivered_at, b.confirmed_at, b.done, b.deliveries, b.install, b.install_until,
                      b.updated_at, false as "decided!"
               from bench_boards b left join device_facts f on f.device_id = b.device_id
               where "# + $which,
            $($arg),+
        )
    };
}

/// One board.
pub async fn load_board(
    db: impl PgExecutor<'_>,
    mac: &str,
) -> Result<Option<BoardRow>, sqlx::Error> {
    placed!("b.mac = $1", mac).fetch_optional(db).await
}

/// Those that were seen last first, after one; at and below `within` if that is said, and then those
/// that are nobody's and have no site, too.
pub async fn boards(
    pool: &PgPool,
    filter: &BoardFilter,
    within: Option<&[String]>,
    after: Option<(DateTime<Utc>, &str)>,
    limit: i64,
) -> Result<Vec<BoardRow>, sqlx::Error> {
    let (seen_at, mac) = after.unzip();
    placed!(
        r#"($1::text[] is null or coalesce(f.site, b.site) <@ any($1::text[]::ltree[])
                  or (coalesce(f.site, b.site) is null and b.claim_id is null
                      and b.device_id is null))
             and ($2::text is null or b.state = $2)
             and ($3::uuid is null or b.bench_id = $3)
             and ($4::text is null or starts_with(b.mac, upper($4))
                  or starts_with(upper(b.board_id), upper($4))
                  or starts_with(coalesce(f.site, b.site)::text, lower($4)))
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
        r#"select b.bench_id, b.state, count(*) as "count!"
           from bench_boards b left join device_facts f on f.device_id = b.device_id
           where $1::text[] is null or coalesce(f.site, b.site) <@ any($1::text[]::ltree[])
              or (coalesce(f.site, b.site) is null and b.claim_id is null and b.device_id is null)
           group by b.bench_id, b.state order by b.bench_id, b.state"#,
        within
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.bench_id, row.state, row.count)).collect())
}

/// Lets a board have its delivery once more; false = there is none.
pub async fn rearm(
    conn: &mut PgConnection,
    mac: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update bench_boards set done = false, rearmed_at = $2, updated_at = $2 where mac = $1",
        mac,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// When somebody said last that a board is served once more.
pub async fn rearmed_at(pool: &PgPool, mac: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let found = sqlx::query_scalar!("select rearmed_at from bench_boards where mac = $1", mac)
        .fetch_optional(pool)
        .await?;
    Ok(found.flatten())
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
pub async fn delete_board(
    conn: &mut PgConnection,
    mac: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!(
        // Who follows the benches sees by the times of what is there that something changed.
        "with gone as (delete from bench_boards where mac = $1 returning bench_id)
         update benches set updated_at = greatest(updated_at, $2)
         where bench_id in (select bench_id from gone)",
        mac,
        now
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected() > 0)
}

/// Forgets boards that are nobody's, had nothing, and were not seen since a time; so many at most.
pub(super) async fn purge(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from bench_boards where mac in (
             select mac from bench_boards
             where seen_at < $1 and not done and claim_id is null and device_id is null
               and install is null
             order by seen_at limit $2
             -- One that is written just now has come again.
             for update skip locked)",
        before,
        limit
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Renames `from` to `to` in the sites of boards and of what happened to them, at and below it.
pub async fn move_sites(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update bench_boards
         set site = moved(site, $1::text::ltree, $2::text::ltree), updated_at = $3
         where site <@ $1::text::ltree",
        from,
        to,
        now
    )
    .execute(&mut *conn)
    .await?;
    // Who may read it goes by the name of the site.
    sqlx::query!(
        "update bench_log set site = moved(site, $1::text::ltree, $2::text::ltree)
         where site <@ $1::text::ltree",
        from,
        to
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The claim that names this MAC address, whether a device has taken it or not.
pub async fn claim_for(db: impl PgExecutor<'_>, mac: &str) -> Result<Option<Claim>, sqlx::Error> {
    Ok(claims::find(db, &[], &[], &[mac.to_owned()]).await?.pop())
}

/// Whether there are open claims that name a serial number alone: no board that is on the wire can be
/// told to be one of these.
pub async fn serial_only_claims(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from claims where mac is null and device_id is null) as "any!""#
    )
    .fetch_one(pool)
    .await
}
