//! What happens to devices, as it happens: the source of both streams of server-sent events.
//!
//! One task per node reads the newest events and hands them to all who follow; while nobody
//! follows, it reads nothing. It reads instead of being told: a NOTIFY in the transactions of
//! informs would make all of them wait for one lock of PostgreSQL. It must never show what somebody
//! may not see: each follower's reach is asked for each event.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::store::live::{self as store, Happened, Of};

/// How often the newest events are read while somebody follows.
const BEAT: Duration = Duration::from_millis(500);
/// How far back each beat reads: an event's time is older than its commit.
const NEAR: TimeDelta = TimeDelta::seconds(5);
/// How far back some beats read: so long may a transaction take and its events still be seen.
const OVERLAP: TimeDelta = TimeDelta::seconds(60);
/// Each so many beats read all of [`OVERLAP`], which is too much for each of them when many events
/// happen.
const FAR_EACH: u64 = 20;
/// Events of one reading, and of a follower that comes back.
const BATCH: i64 = 2_000;
/// Readings of one beat; who follows is told that more was missed.
const MAX_READINGS: usize = 20;
/// Events that wait for a slow follower before it misses some.
const BUFFER: usize = 4_096;
/// Followers of one node.
const MAX_FOLLOWERS: usize = 500;
/// Streams of one user, or of one token.
const MAX_STREAMS: usize = 20;
/// How far back a follower may begin.
const MAX_PAST: TimeDelta = TimeDelta::minutes(10);

/// Who follows on this node.
#[derive(Debug)]
pub struct Live {
    news: broadcast::Sender<News>,
    /// Streams by the id of their user or token.
    streams: Arc<Mutex<HashMap<Option<Uuid>, usize>>>,
}

impl Default for Live {
    fn default() -> Self {
        Self { news: broadcast::Sender::new(BUFFER), streams: Arc::default() }
    }
}

impl Live {
    /// A place under both caps; also for those who follow the bench.
    pub(super) fn admit(&self, who: Option<Uuid>) -> Result<Follower, Error> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.values().sum::<usize>() >= MAX_FOLLOWERS {
            return Err(Error::Conflict("too many follow the events of this node".to_owned()));
        }
        let own = streams.entry(who).or_insert(0);
        if *own >= MAX_STREAMS {
            let what = format!("no more than {MAX_STREAMS} streams of events at once");
            return Err(Error::Conflict(what));
        }
        *own += 1;
        Ok(Follower { streams: Arc::clone(&self.streams), who })
    }
}

/// A stream's place among all, given back when dropped.
#[derive(Debug)]
pub(super) struct Follower {
    streams: Arc<Mutex<HashMap<Option<Uuid>, usize>>>,
    who: Option<Uuid>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = streams.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                streams.remove(&self.who);
            }
        }
    }
}

/// Where in the stream somebody was: time and id of the last event seen.
pub type Place = (DateTime<Utc>, Uuid);

/// What a follower gets.
#[derive(Debug, Clone)]
pub enum News {
    /// Something happened.
    Happened(Arc<Happened>),
    /// Some events are not told, so many of them, or 0 where nobody counted: this follower should
    /// look at everything again.
    Missed(u64),
}

/// What of it somebody wants.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of one device only.
    pub device_id: Option<Uuid>,
    /// Of kinds that begin so, such as `job.`.
    pub kind: Option<String>,
    /// First what happened after this; of the last ten minutes at most.
    pub after: Option<Place>,
}

/// Follows what happens to the devices in the reach of any of these rights, until the process
/// stops.
///
/// # Errors
/// [`Error::Denied`] without any of the rights; [`Error::Conflict`] when too many follow, or this
/// actor has too many streams; [`Error::Database`].
pub async fn follow(
    app: &App,
    ctx: &Ctx,
    rights: &[Right],
    wanted: Wanted,
) -> Result<impl Stream<Item = News> + Send + use<>, Error> {
    let reach = either(ctx, rights)?;
    let follower = app.live.admit(ctx.actor.id)?;
    // Before the past is read, so that nothing falls between.
    let receiver = app.live.news.subscribe();
    let past = match wanted.after {
        Some(place) => past(app, place, &reach, &wanted, ctx.now).await?,
        None => Vec::new(),
    };
    let known: HashSet<Uuid> = past.iter().filter_map(News::event_id).collect();
    let state = (receiver, known, follower);
    let coming = stream::unfold(state, |(mut receiver, known, follower)| async move {
        loop {
            let news = match receiver.recv().await {
                Ok(news) => news,
                Err(RecvError::Lagged(count)) => News::Missed(count),
                Err(RecvError::Closed) => return None,
            };
            if news.event_id().is_none_or(|id| !known.contains(&id)) {
                return Some((news, (receiver, known, follower)));
            }
        }
    });
    let coming = coming.filter(move |news| {
        let shown = match news {
            News::Happened(row) => is_wanted(&wanted, &reach, row),
            News::Missed(_) => true,
        };
        async move { shown }
    });
    let all = stream::iter(past).chain(coming);
    // What has no end of its own would hold up the stop of the listener.
    Ok(all.take_until(app.stop.clone().cancelled_owned()))
}

/// Where any of these rights holds.
fn either(ctx: &Ctx, rights: &[Right]) -> Result<Reach, Error> {
    let reaches = rights.iter().map(|right| ctx.reach(*right));
    let reach = reaches.fold(Reach::nowhere(), Reach::or);
    if reach.is_nowhere() {
        let words: Vec<String> = rights.iter().map(|right| format!("`{right}`")).collect();
        return Err(Error::Denied(format!("this needs the right {}", words.join(" or "))));
    }
    Ok(reach)
}

/// What happened after a place, as far as it is told; first that something is missing, if so.
async fn past(
    app: &App,
    place: Place,
    reach: &Reach,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<Vec<News>, Error> {
    let of = Of { device_id: wanted.device_id, kind: wanted.kind.clone(), within: reach.within() };
    let (place, too_old) = clamped(place, now);
    let rows = store::since(&app.pool, place, &of, BATCH).await?;
    let missed = (too_old || is_full(&rows)).then_some(News::Missed(0));
    let happened = rows.into_iter().map(|row| News::Happened(Arc::new(row)));
    Ok(missed.into_iter().chain(happened).collect())
}

/// Where to begin instead of at a place, and whether that leaves something out.
fn clamped(place: Place, now: DateTime<Utc>) -> (Place, bool) {
    let oldest = now - MAX_PAST;
    if place.0 < oldest { ((oldest, Uuid::nil()), true) } else { (place, false) }
}

fn is_full(rows: &[Happened]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|n| n >= BATCH)
}

fn is_wanted(wanted: &Wanted, reach: &Reach, row: &Happened) -> bool {
    wanted.device_id.is_none_or(|id| id == row.device_id)
        && wanted.kind.as_deref().is_none_or(|kind| row.kind.starts_with(kind))
        && reach.covers_device(row.site.as_deref(), &row.groups)
}

impl News {
    fn event_id(&self) -> Option<Uuid> {
        match self {
            Self::Happened(row) => Some(row.event_id),
            Self::Missed(_) => None,
        }
    }
}

/// The event's detail without secrets.
pub fn shown_detail(row: &Happened) -> Value {
    masked(row.detail.clone())
}

/// Reads the newest events for those who follow, until `stop`.
pub async fn run(app: Shared, stop: CancellationToken) {
    // From the beginning on: somebody may follow before the first beat.
    let mut told = Told::from(clock::now());
    let mut beats: u64 = 0;
    while tokio::time::timeout(BEAT, stop.cancelled()).await.is_err() {
        let now = clock::now();
        if app.live.news.receiver_count() == 0 {
            told = Told::from(now);
            continue;
        }
        beats += 1;
        let back = if beats.is_multiple_of(FAR_EACH) { OVERLAP } else { NEAR };
        if let Err(e) = tell(&app, &mut told, back, now).await {
            tracing::warn!("the newest events could not be read: {e}");
        }
    }
}

/// One beat: hands on what is new since so long before the last one.
async fn tell(
    app: &App,
    told: &mut Told,
    back: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut place = told.begin(back);
    for _ in 0..MAX_READINGS {
        let rows = store::since(&app.pool, place, &Of::default(), BATCH).await?;
        let next = next(&rows);
        for row in told.fresh(rows) {
            // Without a receiver there is nobody to miss it.
            let _ = app.live.news.send(News::Happened(Arc::new(row)));
        }
        match next {
            Some(next) => place = next,
            None => {
                told.done(now);
                return Ok(());
            }
        }
    }
    // The flood is not followed for ever: what is newest comes next.
    let _ = app.live.news.send(News::Missed(0));
    told.done(now);
    Ok(())
}

/// Behind which event to read on; `None` = these were the last. By time and id: more than one
/// reading may have the same time.
fn next(rows: &[Happened]) -> Option<Place> {
    rows.last().filter(|_| is_full(rows)).map(|row| (row.at, row.event_id))
}

/// What has been handed on already.
#[derive(Debug)]
struct Told {
    /// When somebody began to follow: what is older is not told.
    since: DateTime<Utc>,
    /// Up to when all was read.
    read: DateTime<Utc>,
    /// What was handed on, by its time.
    seen: HashMap<Uuid, DateTime<Utc>>,
}

impl Told {
    fn from(now: DateTime<Utc>) -> Self {
        Self { since: now, read: now, seen: HashMap::new() }
    }

    /// Where a beat begins that looks back so far.
    fn begin(&self, back: TimeDelta) -> Place {
        (self.since.max(self.read - back), Uuid::nil())
    }

    /// The rows that are new.
    fn fresh(&mut self, mut rows: Vec<Happened>) -> Vec<Happened> {
        rows.retain(|row| self.seen.insert(row.event_id, row.at).is_none());
        rows
    }

    /// All up to now was read. A beat that failed does not say so, and the next one looks as far
    /// back again.
    fn done(&mut self, now: DateTime<Utc>) {
        self.read = now;
        let keep = now - OVERLAP;
        self.seen.retain(|_, at| *at >= keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::grant::{self, Grant, Grants, GroupName};

    fn row(id: u128, at: i64) -> Happened {
        Happened {
            device_id: Uuid::from_u128(1),
            serial: "S".to_owned(),
            site: Some("eu.lv".to_owned()),
            groups: vec![Uuid::from_u128(5)],
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
        let mut told = Told::from(at(100));
        assert_eq!(told.fresh(vec![row(1, 100), row(2, 101)]).len(), 2);
        told.done(at(101));
        // One of a slow transaction, older than what was told already.
        let fresh = told.fresh(vec![row(1, 100), row(3, 100), row(2, 101)]);
        assert_eq!(fresh.iter().map(|r| r.event_id.as_u128()).collect::<Vec<_>>(), [3]);
        // Nothing of before somebody followed.
        assert_eq!(told.begin(OVERLAP), (at(100), Uuid::nil()));
        told.done(at(200));
        assert_eq!(told.begin(NEAR), (at(195), Uuid::nil()));
        assert_eq!(told.begin(OVERLAP), (at(140), Uuid::nil()));
        assert!(told.seen.is_empty(), "what cannot be read again need not be known");
    }

    #[test]
    fn a_flood_of_one_time_is_followed_to_its_end() {
        // As the database reads them: behind a place, in their order.
        let flood: Vec<Happened> = (1..=4_500).map(|id| row(id, 5)).collect();
        let read = |place: Place| -> Vec<Happened> {
            let behind = flood.iter().filter(|row| (row.at, row.event_id) > place);
            behind.take(2_000).cloned().collect()
        };
        let mut told = Told::from(at(0));
        let mut place = Some(told.begin(NEAR));
        let mut sizes = Vec::new();
        while let Some(behind) = place {
            let rows = read(behind);
            place = next(&rows);
            sizes.push(told.fresh(rows).len());
        }
        assert_eq!(sizes, [2_000, 2_000, 500]);
    }

    #[test]
    fn the_past_goes_back_ten_minutes() {
        let id = Uuid::from_u128(7);
        assert_eq!(clamped((at(400), id), at(1_000)), ((at(400), id), false));
        assert_eq!(clamped((at(399), id), at(1_000)), ((at(400), Uuid::nil()), true));
    }

    #[test]
    fn nobody_takes_all_the_places() {
        let live = Live::default();
        let (ann, bob) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        let mut streams: Vec<Follower> =
            (0..MAX_STREAMS).map(|_| live.admit(ann).expect("a place")).collect();
        assert!(live.admit(ann).is_err());
        assert!(live.admit(bob).is_ok(), "others have their own");
        streams.pop();
        assert!(live.admit(ann).is_ok(), "a place is given back");
        streams.clear();
        assert!(live.streams.lock().expect("no test panics with it").is_empty());
        let _all: Vec<Follower> = (0..MAX_FOLLOWERS)
            .map(|n| live.admit(Some(Uuid::from_u128(n as u128))).expect("a place"))
            .collect();
        assert!(live.admit(Some(Uuid::max())).is_err(), "the node is full");
    }

    #[test]
    fn either_right_reaches() {
        let grant = |right, site: &str| Grant {
            rights: vec![right],
            place: grant::Place::Site(site.parse().expect("a path")),
        };
        let mut ctx = Ctx::nobody("ann", None, at(0));
        assert!(either(&ctx, &[Right::Read, Right::Support]).is_err());
        ctx.grants = Grants(vec![grant(Right::Read, "eu"), grant(Right::Support, "us")]);
        let both = either(&ctx, &[Right::Read, Right::Support]).expect("a reach");
        assert!(both.covers(Some("eu.lv")) && both.covers(Some("us")));
        assert!(!both.covers(Some("asia")) && !both.covers(None));
        let one = either(&ctx, &[Right::Read]).expect("a reach");
        assert!(one.covers(Some("eu")) && !one.covers(Some("us")));
    }

    #[test]
    fn each_sees_only_what_is_in_reach_and_wanted() {
        let under = |site: &str| Reach::at(grant::Place::Site(site.parse().expect("a path")));
        let of = |group| {
            let group_id = Uuid::from_u128(group);
            Reach::at(grant::Place::Group(GroupName { group_id, name: "vip".to_owned() }))
        };
        let all = Wanted::default();
        assert!(is_wanted(&all, &Reach::Everywhere, &row(1, 0)));
        assert!(is_wanted(&all, &under("eu"), &row(1, 0)));
        assert!(!is_wanted(&all, &under("us"), &row(1, 0)));
        assert!(is_wanted(&all, &of(5), &row(1, 0)) && !is_wanted(&all, &of(6), &row(1, 0)));
        let jobs = Wanted { kind: Some("job.".to_owned()), ..Wanted::default() };
        assert!(is_wanted(&jobs, &Reach::Everywhere, &row(1, 0)));
        let other = Wanted { device_id: Some(Uuid::from_u128(2)), ..Wanted::default() };
        assert!(!is_wanted(&other, &Reach::Everywhere, &row(1, 0)));
    }
}
