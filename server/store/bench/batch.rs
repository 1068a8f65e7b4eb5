//! What became of the boards of claims: a batch is the claims of a site, of a customer, or a few that
//! somebody names. Of a board that the asking may not see nothing is told: it is as if no bench had
//! seen it.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// Which claims; empty fields do not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchFilter {
    /// For this site and below.
    pub site: Option<String>,
    /// Of this customer.
    pub customer: Option<String>,
    /// These.
    pub claims: Option<Vec<Uuid>>,
}

/// A claim, and what became of its board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Which.
    pub claim_id: Uuid,
    /// Of the device that is expected.
    pub serial: Option<String>,
    /// Of its board; `None` = the bench cannot know it.
    pub mac: Option<String>,
    /// What it is said to be.
    pub model: Option<String>,
    /// Path of the site where it comes to stand.
    pub site: Option<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// Who took the claim, or what the board became.
    pub device_id: Option<Uuid>,
    /// Of the board; `None` = no bench has seen it.
    pub state: Option<String>,
    /// Why it is refused or failed: a code.
    pub reason: Option<String>,
    /// The same in words.
    pub words: Option<String>,
    /// What it was given.
    pub template: Option<String>,
    /// Bytes of that.
    pub size: Option<i32>,
    /// When it had all of it.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When its device informed after that.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// So many claims of a batch are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// They name a MAC address.
    pub has_mac: bool,
    /// Of their boards; `None` = no bench has seen them.
    pub state: Option<String>,
    /// Why these are refused or failed: a code.
    pub reason: Option<String>,
    /// How many.
    pub count: i64,
}

/// The claims of a batch, each with its board.
macro_rules! claimed {
    ($row:ident, $what:tt, $rest:tt, $filter:ident, $within:ident $(, $more:expr)*) => {
        sqlx::query_as!(
            $row,
            $what + r#"
               from claims c
               left join (bench_boards b left join device_facts f on f.device_id = b.device_id)
                 on b.mac = c.mac
                and ($1::text[] is null or coalesce(f.site, b.site) <@ any($1::text[]::ltree[])
                     or (coalesce(f.site, b.site) is null and b.claim_id is null
                         and b.device_id is null))
               where ($1::text[] is null or c.site <@ any($1::text[]::ltree[]))
                 and ($2::text is null or c.site <@ $2::text::ltree)
                 and ($3::text is null or c.customer = $3)
                 and ($4::uuid[] is null or c.claim_id = any($4))
               "# + $rest,
            $within,
            $filter.site,
            $filter.customer,
            $filter.claims.as_deref()
            $(, $more)*
        )
    };
}

/// A batch in the order of its claims, after one; those at and below `within`, if that is said.
pub async fn batch(
    pool: &PgPool,
    filter: &BatchFilter,
    within: Option<&[String]>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<BatchRow>, sqlx::Error> {
    claimed!(
        BatchRow,
        r#"select c.claim_id, c.serial, c.mac, c.model, c.site::text as "site?", c.customer,
                  coalesce(b.device_id, c.device_id) as "device_id?", b.state as "state?",
                  b.reason as "reason?", b.words as "words?", b.template as "template?",
                  b.size as "size?", b.delivered_at as "delivered_at?",
                  b.confirmed_at as "confirmed_at?""#,
        "and ($5::uuid is null or c.claim_id > $5) order by c.claim_id limit $6",
        filter,
        within,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// How many claims of a batch are in which state.
pub async fn tallies(
    pool: &PgPool,
    filter: &BatchFilter,
    within: Option<&[String]>,
) -> Result<Vec<Tally>, sqlx::Error> {
    claimed!(
        Tally,
        r#"select c.mac is not null as "has_mac!", b.state as "state?", b.reason as "reason?",
                  count(*) as "count!""#,
        "group by 1, 2, 3 order by 4 desc, 2, 3",
        filter,
        within
    )
    .fetch_all(pool)
    .await
}
