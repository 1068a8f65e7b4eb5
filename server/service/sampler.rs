//! The fleet's pulse: a sample of it each minute, and the heartbeat of each node.
//!
//! Both run on every node at once. The first node of a minute counts the fleet for all; the others
//! add the informs that they took themselves.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::overview;
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::store::nodes::{self, Node};
use crate::store::samples::{self, Sample};

/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(15);
/// A node that was not heard of for so long does not send files any more.
const LOST: TimeDelta = TimeDelta::seconds(60);
/// Nodes are remembered this long after their last heartbeat.
const KEEP_NODES: TimeDelta = TimeDelta::days(1);
/// Samples are kept this long.
const KEEP_SAMPLES: TimeDelta = TimeDelta::days(400);

/// Runs until the token is cancelled; takes the heartbeat back then.
pub async fn run(app: Shared, stop: CancellationToken) {
    let started_at = clock::now();
    let mut sampled = None;
    // This node's informs that stand in samples already.
    let mut told = 0;
    loop {
        let now = clock::now();
        if let Err(e) = heartbeat(&app, started_at, now).await {
            tracing::error!("the heartbeat was not written: {}", e.private());
        }
        let (at, written) = (minute(now), app.informs.written());
        if sampled != Some(at) {
            match sample(&app, written - told, now).await {
                Ok(()) => {
                    (sampled, told) = (Some(at), written);
                    if let Err(e) = versions(&app, now).await {
                        tracing::error!("what devices run was not counted: {}", e.private());
                    }
                }
                Err(e) => tracing::error!("the fleet was not sampled: {}", e.private()),
            }
        }
        if tokio::time::timeout(BEAT, stop.cancelled()).await.is_ok() {
            break;
        }
    }
    // Whoever stopped is not lost.
    if let Err(e) = nodes::remove(&app.pool, &app.node).await {
        tracing::warn!("the heartbeat of this node was not taken back: {e}");
    }
}

/// Stores the sample of this minute, or adds to it if it is there; `informs` are those that this
/// node took since it did so before. What is too old is deleted.
///
/// # Errors
/// [`Error::Database`].
pub async fn sample(app: &App, informs: u64, now: DateTime<Utc>) -> Result<(), Error> {
    let at = minute(now);
    let informs = i64::try_from(informs).unwrap_or(i64::MAX);
    // Asked first, so that only one node has to count.
    if samples::add_informs(&app.pool, at, informs).await? {
        return Ok(());
    }
    let fleet = overview::fleet(app, None, now).await?;
    let sample = Sample {
        at,
        devices: fleet.devices,
        online: fleet.online,
        fresh: fleet.fresh,
        faulted: fleet.faulted,
        informs,
    };
    samples::insert(&app.pool, &sample).await?;
    samples::purge(&app.pool, now - KEEP_SAMPLES).await?;
    Ok(())
}

/// Adds what devices run to the sample of this minute, once an hour: to count it takes a second of a
/// million devices.
///
/// # Errors
/// [`Error::Database`].
pub async fn versions(app: &App, now: DateTime<Utc>) -> Result<(), Error> {
    if samples::has_versions(&app.pool, hour(now)).await? {
        return Ok(());
    }
    let counted = overview::by_version(app).await?;
    Ok(samples::add_versions(&app.pool, minute(now), &counted).await?)
}

/// Says that this node lives, and how it is; forgets those that have long been gone. With those that live
/// it shares what rollouts may take.
///
/// # Errors
/// [`Error::Database`].
pub async fn heartbeat(
    app: &App,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let node = Node {
        node: app.node.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        seen_at: now,
        status: json!({
            "sessions": app.sessions.len(),
            "pool_size": app.pool.size(),
            "pool_idle": app.pool.num_idle(),
            "informs_total": app.informs.written(),
        }),
    };
    nodes::put(&app.pool, &node).await?;
    nodes::purge(&app.pool, now - KEEP_NODES).await?;
    let living = nodes::living(&app.pool, now - LOST).await?;
    app.throttle.share(u32::try_from(living).unwrap_or(1));
    Ok(())
}

/// The beginning of a time's minute.
fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::minutes(1)).expect("a time of this age has its minute")
}

/// The beginning of a time's hour.
fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).expect("a time of this age has its hour")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn all_times_of_a_minute_have_one_sample() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let start = time("2030-01-02T03:04:00Z");
        assert_eq!(minute(start), start);
        assert_eq!(minute(time("2030-01-02T03:04:59.999Z")), start);
        assert_ne!(minute(time("2030-01-02T03:05:00Z")), start);
    }

    #[test]
    fn all_minutes_of_an_hour_have_one_count_of_versions() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let start = time("2030-01-02T03:00:00Z");
        assert_eq!([hour(start), hour(time("2030-01-02T03:59:59Z"))], [start, start]);
        assert_ne!(hour(time("2030-01-02T04:00:00Z")), start);
    }
}
