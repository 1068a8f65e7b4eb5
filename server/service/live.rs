//! What happens to devices, as it happens: the source of both streams of server-sent events.
//!
//! One task per node reads the newest events and hands them to all who follow; while nobody
//! follows, it reads nothing. It reads instead of being told: a NOTIFY in the transactions of
//! informs would make all of them wait for one lock of PostgreSQL. It must never show what somebody
//! may not see: each follower's reach is asked for each event.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::access::audit::masked;
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::clock;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::store::live::{self as store, Happened};

/// How often the newest events are read while somebody follows.
const BEAT: Duration = Duration::from_millis(500);
/// An event's time is when its transaction began: so long may one take and still be seen.
const OVERLAP: TimeDelta = TimeDelta::seconds(15);
/// Events of one reading, and of a follower that comes back.
const BATCH: i64 = 2_000;
/// Events that wait for a slow follower before it misses some.
const BUFFER: usize = 4_096;
/// Followers of one node.
const MAX_FOLLOWERS: usize = 500;

/// Who follows on this node.
#[derive(Debug)]
pub struct Live(broadcast::Sender<Arc<Happened>>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::Sender::new(BUFFER))
    }
}

/// Where in the stream somebody was: time and id of the last event seen.
pub type Place = (DateTime<Utc>, Uuid);

/// What a follower gets.
#[derive(Debug, Clone)]
pub enum News {
    /// Something happened.
    Happened(Arc<Happened>),
    /// So many events came too quickly for this follower: it should look at everything again.
    Missed(u64),
}

/// What of it somebody wants.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of one device only.
    pub device_id: Option<Uuid>,
    /// Of kinds that begin so, such as `job.`.
    pub kind: Option<String>,
    /// First what happened after this.
    pub after: Option<Place>,
}

/// Follows what happens to the devices in reach.
///
/// # Errors
/// [`Error::Denied`] without the right to read, or the support view's; [`Error::Conflict`] when too many follow.
pub async fn follow(
    app: &App,
    ctx: &Ctx,
    wanted: Wanted,
) -> Result<impl Stream<Item = News> + Send + use<>, Error> {
    let reach = match ctx.reach(Right::Read) {
        reach if reach.is_nowhere() => ctx.require(Right::Support)?,
        reach => reach,
    };
    if app.live.0.receiver_count() >= MAX_FOLLOWERS {
        return Err(Error::Conflict("too many follow the events of this node".to_owned()));
    }
    // Before the past is read, so that nothing falls between.
    let receiver = app.live.0.subscribe();
    let past = match wanted.after {
        Some((at, id)) => {
            let mut rows = store::since(&app.pool, at, BATCH).await?;
            rows.retain(|row| (row.at, row.event_id) > (at, id));
            rows.into_iter().map(Arc::new).collect()
        }
        None => Vec::new(),
    };
    let known: HashSet<Uuid> = past.iter().map(|row: &Arc<Happened>| row.event_id).collect();
    let coming = stream::unfold((receiver, known), |(mut receiver, known)| async move {
        loop {
            match receiver.recv().await {
                Ok(row) if known.contains(&row.event_id) => {}
                Ok(row) => return Some((News::Happened(row), (receiver, known))),
                Err(RecvError::Lagged(count)) => {
                    return Some((News::Missed(count), (receiver, known)));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let all = stream::iter(past.into_iter().map(News::Happened)).chain(coming);
    Ok(all.filter(move |news| {
        let shown = match news {
            News::Happened(row) => is_wanted(&wanted, &reach, row),
            News::Missed(_) => true,
        };
        async move { shown }
    }))
}

fn is_wanted(wanted: &Wanted, reach: &Reach, row: &Happened) -> bool {
    wanted.device_id.is_none_or(|id| id == row.device_id)
        && wanted.kind.as_deref().is_none_or(|kind| row.kind.starts_with(kind))
        && reach.covers(row.site.as_deref())
}

/// The event's detail without secrets.
pub fn shown_detail(row: &Happened) -> Value {
    masked(row.detail.clone())
}

/// Reads the newest events for those who follow, until `stop`.
pub async fn run(app: Shared, stop: CancellationToken) {
    // From the beginning on: somebody may follow before the first beat.
    let mut told = Told { from: Some(clock::now()), ..Told::default() };
    while tokio::time::timeout(BEAT, stop.cancelled()).await.is_err() {
        let now = clock::now();
        if app.live.0.receiver_count() == 0 {
            told = Told { from: Some(now), ..Told::default() };
            continue;
        }
        let from = told.from.unwrap_or(now);
        match store::since(&app.pool, from, BATCH).await {
            Ok(rows) => {
                for row in told.fresh(rows, now) {
                    // Without a receiver there is nobody to miss it.
                    let _ = app.live.0.send(Arc::new(row));
                }
            }
            Err(e) => tracing::warn!("the newest events could not be read: {e}"),
        }
    }
}

/// What has been handed on already.
#[derive(Debug, Default)]
struct Told {
    /// From when on to read.
    from: Option<DateTime<Utc>>,
    /// What was handed on, by its time.
    seen: HashMap<Uuid, DateTime<Utc>>,
}

impl Told {
    /// The rows that are new; moves on.
    fn fresh(&mut self, rows: Vec<Happened>, now: DateTime<Utc>) -> Vec<Happened> {
        let full = i64::try_from(rows.len()).is_ok_and(|n| n >= BATCH);
        let last = rows.last().map(|row| row.at);
        let fresh: Vec<Happened> = rows
            .into_iter()
            .filter(|row| self.seen.insert(row.event_id, row.at).is_none())
            .collect();
        let from = self.from.unwrap_or(now);
        self.from = match last {
            // More than one reading holds: go on behind it, or a flood would stand still.
            Some(last) if full => Some(last.max(from)),
            Some(_) | None => Some(from.max(now - OVERLAP)),
        };
        let keep = self.from.unwrap_or(now) - OVERLAP;
        self.seen.retain(|_, at| *at >= keep);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u128, at: i64) -> Happened {
        Happened {
            device_id: Uuid::from_u128(1),
            serial: "S".to_owned(),
            site: Some("eu.lv".to_owned()),
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(at),
            event_id: Uuid::from_u128(id),
            kind: "job.done".to_owned(),
            job_id: None,
            detail: Value::Null,
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn an_event_is_told_once_also_when_it_comes_late() {
        let mut told = Told { from: Some(at(100)), ..Told::default() };
        assert_eq!(told.fresh(vec![row(1, 100), row(2, 101)], at(101)).len(), 2);
        // One of a slow transaction, older than what was told already.
        let fresh = told.fresh(vec![row(1, 100), row(3, 100), row(2, 101)], at(102));
        assert_eq!(fresh.iter().map(|r| r.event_id.as_u128()).collect::<Vec<_>>(), [3]);
        assert_eq!(told.from, Some(at(100)));
        assert!(told.fresh(Vec::new(), at(200)).is_empty());
        assert_eq!(told.from, Some(at(185)));
        assert!(told.seen.is_empty(), "what cannot be read again need not be known");
    }

    #[test]
    fn a_flood_is_followed_to_its_end() {
        let mut told = Told { from: Some(at(0)), ..Told::default() };
        let flood = (0..BATCH).map(|n| row(n as u128 + 1, 5)).collect();
        assert_eq!(told.fresh(flood, at(10)).len(), 2_000);
        assert_eq!(told.from, Some(at(5)));
    }

    #[test]
    fn each_sees_only_what_is_in_reach_and_wanted() {
        let under = |site: &str| Reach::Under(vec![site.parse().expect("a path")]);
        let all = Wanted::default();
        assert!(is_wanted(&all, &Reach::Everywhere, &row(1, 0)));
        assert!(is_wanted(&all, &under("eu"), &row(1, 0)));
        assert!(!is_wanted(&all, &under("us"), &row(1, 0)));
        let jobs = Wanted { kind: Some("job.".to_owned()), ..Wanted::default() };
        assert!(is_wanted(&jobs, &Reach::Everywhere, &row(1, 0)));
        let other = Wanted { device_id: Some(Uuid::from_u128(2)), ..Wanted::default() };
        assert!(!is_wanted(&other, &Reach::Everywhere, &row(1, 0)));
    }
}
