//! Which bench serves a board that several hear: whoever takes its turn first, until that is over.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

/// For so long a board is the matter of the bench that serves it, from the last that was heard of that.
pub const TURN: TimeDelta = TimeDelta::seconds(60);

/// Whether the bench that wrote this of a board, and when, is about to serve it at the moment.
pub fn is_served(state: &str, updated_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    matches!(state, "offered" | "transferring" | "redirected" | "installing")
        && updated_at > now - TURN
}

/// Takes the turn to serve a board until a time, or goes on with it; false = another bench has it.
pub async fn take_turn(
    pool: &PgPool,
    mac: &str,
    bench_id: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query_scalar!(
        // Of two that come at once the second waits for the row of the first, and looks at that.
        r#"insert into bench_turns as t (mac, bench_id, until) values ($1, $2, $4)
           on conflict (mac) do update set bench_id = $2, until = $4
           where t.bench_id = $2 or t.until < $3
           returning true as "taken!""#,
        mac,
        bench_id,
        now,
        until
    )
    .fetch_optional(pool)
    .await?;
    Ok(taken.is_some())
}

/// Ends the turn of this bench, if it has it: whoever hears the board may serve it.
pub async fn end_turn(
    db: impl PgExecutor<'_>,
    mac: &str,
    bench_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from bench_turns where mac = $1 and bench_id = $2", mac, bench_id)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets the turns that are over.
pub(super) async fn purge(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from bench_turns where until < $1", now).execute(pool).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_served_while_something_was_heard_of_it_within_its_turn() {
        let now = DateTime::UNIX_EPOCH;
        let served =
            |state: &str, seconds: i64| is_served(state, now - TimeDelta::seconds(seconds), now);
        for state in ["offered", "transferring", "redirected", "installing"] {
            assert!(served(state, 59) && !served(state, 60), "{state}");
        }
        for state in ["seen", "refused", "delivered", "installed", "timed_out", "failed"] {
            assert!(!served(state, 0), "{state}");
        }
    }
}
