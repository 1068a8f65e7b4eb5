//! What a selector finds: a page of devices, their ids, their number.
//!
//! Owns that people's questions leave the devices their connections: the pool is one and small, and
//! a question may look at the whole fleet. So only a few are answered at a time, see [`turn`].
//!
//! The condition is pushed by `fleet::selector`, which binds all that somebody wrote. These
//! statements are as many as there are selectors: they are not kept prepared, which would push the
//! server's own out of the cache, and are planned for the values at hand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::devices::{Device, push_select, push_tables};
use crate::fleet::selector::{Expr, Test, TextField, TextTest, push_where};

/// Questions that are answered at a time, of the connections that there are: a third of the twelve
/// that are usual. Of the process and not of a pool, of which there is one for such questions.
const TURNS: usize = 4;
static FREE: Semaphore = Semaphore::const_new(TURNS);
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a question of somebody who waits for the answer may take, as PostgreSQL says it.
const LONGEST: &str = "10s";

/// A turn at a question that may look at many devices; it ends when it is dropped. Whoever has one
/// must not ask for another one.
///
/// # Errors
/// [`sqlx::Error::PoolTimedOut`] where none comes up within five seconds.
pub async fn turn() -> Result<SemaphorePermit<'static>, sqlx::Error> {
    turn_of(&FREE, PATIENCE).await
}

async fn turn_of(free: &Semaphore, patience: Duration) -> Result<SemaphorePermit<'_>, sqlx::Error> {
    match tokio::time::timeout(patience, free.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) => Err(sqlx::Error::PoolClosed),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// A transaction in which no statement takes longer than somebody waits.
pub(super) async fn bounded(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("select set_config('statement_timeout', $1, true)")
        .bind(LONGEST)
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

/// Whether it asks for devices by their serial numbers: an index knows these, so it need not wait
/// for its turn.
fn is_light(expr: &Expr) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().any(is_light),
        Expr::Test(Test::Text(TextField::Serial, TextTest::OneOf(_))) => true,
        _ => false,
    }
}

/// Keyset page of the devices found, in order of id, after `after`. A device that informed since
/// `online_since` is online.
pub async fn list(
    pool: &PgPool,
    expr: &Expr,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<Vec<Device>, sqlx::Error> {
    let _turn = if is_light(expr) { None } else { Some(turn().await?) };
    let mut q = QueryBuilder::new("");
    push_list(&mut q, expr, after, limit, now, online_since);
    let mut tx = bounded(pool).await?;
    let found = q.build_query_as().persistent(false).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// Pushes the statement of [`list`].
pub fn push_list(
    q: &mut QueryBuilder<Postgres>,
    expr: &Expr,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) {
    push_select(q, after);
    push_where(q, expr, now, online_since);
    push_page(q, after, limit);
}

/// Keyset page of the ids of the devices found, in their order, after `after`. For orders to many:
/// it may take as long as any statement.
pub async fn ids(
    pool: &PgPool,
    expr: &Expr,
    after: Option<Uuid>,
    limit: i64,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let _turn = turn().await?;
    let mut q = QueryBuilder::<Postgres>::new("select f.device_id");
    push_tables(&mut q, after);
    q.push(" where ");
    push_where(&mut q, expr, now, online_since);
    push_page(&mut q, after, limit);
    q.build_query_scalar().persistent(false).fetch_all(pool).await
}

/// Those of these devices that it finds.
pub async fn among(
    pool: &PgPool,
    expr: &Expr,
    devices: &[Uuid],
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut q = QueryBuilder::<Postgres>::new("select f.device_id");
    push_tables(&mut q, None);
    q.push(" where f.device_id = any(").push_bind(devices.to_vec()).push(") and ");
    push_where(&mut q, expr, now, online_since);
    q.build_query_scalar().persistent(false).fetch_all(pool).await
}

/// The first of these that finds a device, by its place among them; in the caller's transaction, and
/// without a turn, for it looks at one device.
pub async fn first_that_holds(
    conn: &mut PgConnection,
    exprs: &[&Expr],
    device_id: Uuid,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<Option<usize>, sqlx::Error> {
    if exprs.is_empty() {
        return Ok(None);
    }
    let mut q = QueryBuilder::<Postgres>::new("select case");
    for (at, expr) in exprs.iter().enumerate() {
        q.push(" when ");
        push_where(&mut q, expr, now, online_since);
        q.push(" then ").push_bind(i64::try_from(at).unwrap_or(i64::MAX));
    }
    q.push(" end");
    push_tables(&mut q, None);
    q.push(" where f.device_id = ").push_bind(device_id);
    let found: Option<Option<i64>> =
        q.build_query_scalar().persistent(false).fetch_optional(conn).await?;
    Ok(found.flatten().and_then(|at| usize::try_from(at).ok()))
}

/// How many devices it finds.
pub async fn count(
    pool: &PgPool,
    expr: &Expr,
    now: DateTime<Utc>,
    online_since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let _turn = turn().await?;
    let mut q = QueryBuilder::<Postgres>::new("select count(*)");
    push_tables(&mut q, None);
    q.push(" where ");
    push_where(&mut q, expr, now, online_since);
    let mut tx = bounded(pool).await?;
    let count = q.build_query_scalar().persistent(false).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(count)
}

fn push_page(q: &mut QueryBuilder<Postgres>, after: Option<Uuid>, limit: i64) {
    if let Some(after) = after {
        q.push(" and f.device_id > ").push_bind(after);
    }
    q.push(" order by f.device_id limit ").push_bind(limit);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn no_more_questions_are_answered_at_a_time_than_there_are_turns() {
        let free = Semaphore::new(2);
        let wait = Duration::from_millis(10);
        let first = turn_of(&free, wait).await.unwrap();
        let _second = turn_of(&free, wait).await.unwrap();
        let third = turn_of(&free, wait).await;
        assert!(matches!(third, Err(sqlx::Error::PoolTimedOut)), "{third:?}");
        drop(first);
        assert!(turn_of(&free, wait).await.is_ok());
    }

    #[test]
    fn only_who_names_serial_numbers_does_not_wait() {
        let one_of = || TextTest::OneOf(vec!["S1".to_owned()]);
        let serial = || Expr::Test(Test::Text(TextField::Serial, one_of()));
        let model = || Expr::Test(Test::Text(TextField::Model, one_of()));
        assert!(is_light(&serial()) && is_light(&Expr::All(vec![model(), serial()])));
        for heavy in [
            model(),
            Expr::All(Vec::new()),
            Expr::Any(vec![serial(), model()]),
            Expr::Not(Box::new(serial())),
            Expr::Test(Test::Text(TextField::Serial, TextTest::Known)),
        ] {
            assert!(!is_light(&heavy), "{heavy:?}");
        }
    }
}
