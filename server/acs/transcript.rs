//! What was said in a session, for people who look for the reason of something.
//!
//! Pure but for [`Transcripts`], which stores. Owns what is worth keeping (a periodic session
//! without work is not) and how much of it. It never stands in the way of a session: nobody waits
//! for it, and nothing depends on it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use muster_cwmp::rpc::{Body, Inform};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::store::transcripts::{self as store, Finished, Line, Speaker};

mod budget;
mod summary;

use budget::{Budget, Share};

/// Messages of a session that are kept; more are counted.
pub const MAX_MESSAGES: u32 = 200;
/// Bytes of text of a session that are kept.
pub const MAX_BYTES: usize = 256 * 1024;
/// Bytes of text that all sessions of the process hold, also those that wait for the database.
/// Beyond them messages are only counted.
static ALL: Budget = Budget::new(64 << 20);
/// Sessions that may wait for the database.
const MAX_WAITING: usize = 256;
/// Sessions in one statement.
const BATCH: usize = 32;
/// How long a process that ends waits for the database to take what is left.
const CLOSE: Duration = Duration::from_secs(10);

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should: nobody had anything more to say.
    Done,
    /// The device fell silent.
    Lost,
    /// It took longer than a session may.
    TimedOut,
    /// The device opened another one, here or on another node.
    Superseded,
    /// Muster sent the device away.
    Refused,
}

impl Ending {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
        }
    }
}

/// What has been said so far.
pub struct Transcript {
    started_at: DateTime<Utc>,
    /// The lines as JSON, separated by commas: kept as text, which is what is counted and stored.
    lines: String,
    share: Share,
    kept: u32,
    messages: u32,
    /// Something happened.
    worth: bool,
    ending: Ending,
    why: Option<String>,
    /// Secrets that the device was told, in clear: never stored.
    told: Vec<String>,
}

impl Transcript {
    /// Of a session that this Inform opened. `news` = it says something that was not known.
    pub fn of(inform: &Inform, news: bool, started_at: DateTime<Utc>) -> Self {
        let mut transcript = Self::new(&ALL, started_at);
        transcript.worth = news;
        transcript.push(Speaker::Cpe, "Inform", started_at, |_| summary::inform(inform));
        transcript
    }

    /// Of a session whose Inform was not written down: a periodic one that said nothing new.
    pub fn of_quiet(started_at: DateTime<Utc>) -> Self {
        let mut transcript = Self::new(&ALL, started_at);
        let event = json!({ "event_code": "2 PERIODIC", "command_key": "" });
        transcript.push(Speaker::Cpe, "Inform", started_at, |_| json!({ "events": [event] }));
        transcript.push(Speaker::Acs, "InformResponse", started_at, |_| json!({}));
        transcript
    }

    fn new(budget: &'static Budget, started_at: DateTime<Utc>) -> Self {
        Self {
            started_at,
            lines: String::new(),
            share: budget.share(),
            kept: 0,
            messages: 0,
            worth: false,
            ending: Ending::Done,
            why: None,
            told: Vec::new(),
        }
    }

    /// The device said this.
    pub fn heard(&mut self, body: &Body, now: DateTime<Utc>) {
        self.worth = true;
        self.push(Speaker::Cpe, &summary::kind(body), now, |told| summary::summary(body, told));
    }

    /// The device sent an empty POST.
    pub fn heard_nothing(&mut self, now: DateTime<Utc>) {
        self.push(Speaker::Cpe, "Empty", now, |_| json!({}));
    }

    /// Muster said this.
    pub fn said(&mut self, body: &Body, now: DateTime<Utc>) {
        self.worth |= !matches!(body, Body::Response(_));
        self.told.extend(summary::secrets(body));
        self.push(Speaker::Acs, &summary::kind(body), now, |told| summary::summary(body, told));
    }

    /// Muster did not take a message, with this HTTP status.
    pub fn rejected(&mut self, status: u16, why: &str, now: DateTime<Utc>) {
        self.worth = true;
        let why: String = why.chars().take(500).collect();
        self.push(Speaker::Acs, "Rejected", now, |_| json!({ "status": status, "why": why }));
    }

    /// It did not end as it should; what is said first is what stays.
    pub fn broke(&mut self, ending: Ending, why: &str) {
        self.worth = true;
        if self.why.is_none() {
            self.ending = ending;
            self.why = Some(why.to_owned());
        }
    }

    fn push(
        &mut self,
        from: Speaker,
        kind: &str,
        at: DateTime<Utc>,
        summary: impl FnOnce(&[String]) -> Value,
    ) {
        self.messages = self.messages.saturating_add(1);
        if self.kept >= MAX_MESSAGES || self.lines.len() >= MAX_BYTES {
            return;
        }
        let line = Line { at, from, kind: kind.to_owned(), summary: summary(&self.told) };
        let text = serde_json::to_string(&line).expect("a line is plain data");
        if self.lines.len() + text.len() < MAX_BYTES && self.share.take(text.len() + 1) {
            if self.kept > 0 {
                self.lines.push(',');
            }
            self.lines.push_str(&text);
            self.kept += 1;
        }
    }

    /// The session is over; `None` = nothing happened that anybody would want to read.
    pub fn finish(mut self, session: Identity, now: DateTime<Utc>) -> Option<Ended> {
        if !self.worth {
            return None;
        }
        if self.ending == Ending::Done {
            self.push(Speaker::Acs, "End", now, |_| json!({}));
        }
        let omitted = self.messages - self.kept;
        let why = json!(self.why);
        let row = Finished {
            device_id: session.device_id,
            session_id: session.session_id,
            started_at: self.started_at,
            ended_at: now,
            remote_addr: session.remote_addr,
            outcome: self.ending.word(),
            messages: self.messages,
            body: format!(r#"{{"omitted":{omitted},"why":{why},"entries":[{}]}}"#, self.lines),
        };
        Some(Ended { row, share: self.share })
    }
}

/// What is kept of a session that is over, with what it holds of the memory of all.
#[derive(Debug)]
pub struct Ended {
    row: Finished,
    share: Share,
}

/// Which session it was.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Whose.
    pub device_id: Uuid,
    /// Which.
    pub session_id: Uuid,
    /// Where it came from.
    pub remote_addr: std::net::IpAddr,
}

/// Stores transcripts, in a task of its own: a session that ends hands its own over and goes.
pub struct Transcripts {
    /// `None` = closed.
    task: Mutex<Option<Task>>,
}

struct Task {
    queue: mpsc::Sender<Ended>,
    handle: JoinHandle<()>,
}

impl Transcripts {
    /// Starts the task.
    pub fn start(pool: PgPool, node: String) -> Self {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let handle = tokio::spawn(write(pool, node, waiting));
        Self { task: Mutex::new(Some(Task { queue, handle })) }
    }

    /// Has one stored; while too many wait it is dropped, and counted.
    pub fn keep(&self, ended: Ended) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|task| task.queue.try_send(ended).is_err()) {
            dropped(1);
        }
    }

    /// Takes no more, and waits until what was taken is stored, but not for ever: before the
    /// database is closed.
    pub async fn close(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Task { queue, mut handle }) = task else { return };
        drop(queue);
        if tokio::time::timeout(CLOSE, &mut handle).await.is_err() {
            handle.abort();
            tracing::error!("the database did not take what was said in the last sessions");
        }
    }
}

async fn write(pool: PgPool, node: String, mut waiting: mpsc::Receiver<Ended>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        // The shares are given back when the rows are written.
        let (rows, shares): (Vec<Finished>, Vec<Share>) =
            batch.drain(..).map(|ended| (ended.row, ended.share)).unzip();
        put(&pool, &node, &rows).await;
        drop(shares);
    }
}

/// Stores all, or at least those that are not at fault.
async fn put(pool: &PgPool, node: &str, rows: &[Finished]) {
    let Err(e) = store::put_many(pool, node, rows).await else { return };
    // A database that is away takes no single row either.
    if e.as_database_error().is_none() {
        tracing::error!(sessions = rows.len(), "what was said was not stored: {e}");
        dropped(rows.len());
        return;
    }
    for row in rows {
        if let Err(e) = store::put_many(pool, node, std::slice::from_ref(row)).await {
            let (device, session) = (row.device_id, row.session_id);
            tracing::error!(
                device.id = %device, session.id = %session, "what was said was not stored: {e}"
            );
            dropped(1);
        }
    }
}

fn dropped(sessions: usize) {
    metrics::counter!("muster_transcripts_dropped_total").increment(sessions as u64);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::clock;
    use crate::store::transcripts::Body as Kept;
    use muster_cwmp::rpc::{Request, Response};
    use muster_cwmp::value::ParameterValue;

    fn finished(transcript: Transcript) -> Option<(Finished, Kept)> {
        let session = Identity {
            device_id: Uuid::from_u128(1),
            session_id: Uuid::from_u128(2),
            remote_addr: std::net::IpAddr::from([127, 0, 0, 1]),
        };
        let row = transcript.finish(session, clock::now())?.row;
        let kept = serde_json::from_str(&row.body).unwrap();
        Some((row, kept))
    }

    fn kinds(kept: &Kept) -> Vec<&str> {
        kept.entries.iter().map(|l| l.kind.as_str()).collect()
    }

    fn values(count: usize, length: usize) -> Body {
        let value = ParameterValue::string("Device.A", "x".repeat(length));
        Body::Response(Response::GetParameterValues(vec![value; count]))
    }

    fn inform_response() -> Body {
        Body::Response(Response::Inform { max_envelopes: 1 })
    }

    #[test]
    fn a_session_in_which_nothing_happens_is_not_kept() {
        let mut transcript = Transcript::of(&Inform::default(), false, clock::now());
        transcript.said(&inform_response(), clock::now());
        transcript.heard_nothing(clock::now());
        assert!(finished(transcript).is_none());
        assert!(finished(Transcript::of(&Inform::default(), true, clock::now())).is_some());
    }

    #[test]
    fn what_is_said_stands_in_order() {
        let mut transcript = Transcript::of(&Inform::default(), false, clock::now());
        transcript.said(&inform_response(), clock::now());
        transcript.heard_nothing(clock::now());
        transcript.said(&Body::Request(Request::GetRpcMethods), clock::now());
        transcript.rejected(400, "not XML", clock::now());
        transcript.heard(&Body::Response(Response::GetRpcMethods(Vec::new())), clock::now());
        let (row, kept) = finished(transcript).unwrap();
        let said = [
            "Inform",
            "InformResponse",
            "Empty",
            "GetRPCMethods",
            "Rejected",
            "GetRPCMethodsResponse",
            "End",
        ];
        assert_eq!(kinds(&kept), said);
        assert_eq!((row.outcome, row.messages, kept.omitted), ("done", 7, 0));
        assert_eq!(kept.entries[4].from, Speaker::Acs);
        assert_eq!(kept.entries[5].from, Speaker::Cpe);
    }

    #[test]
    fn the_first_reason_of_a_bad_end_is_kept_also_of_a_quiet_session() {
        let mut transcript = Transcript::of_quiet(clock::now());
        transcript.broke(Ending::Superseded, "a newer one");
        transcript.broke(Ending::Lost, "later");
        let (row, kept) = finished(transcript).unwrap();
        assert_eq!((row.outcome, kept.why.as_deref()), ("superseded", Some("a newer one")));
        assert_eq!(kinds(&kept), ["Inform", "InformResponse"]);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut many = Transcript::of(&Inform::default(), true, clock::now());
        (0..300).for_each(|_| many.heard(&values(1, 1), clock::now()));
        let (row, kept) = finished(many).unwrap();
        assert_eq!((kept.entries.len(), kept.omitted, row.messages), (200, 102, 302));

        let mut large = Transcript::of(&Inform::default(), true, clock::now());
        (0..40).for_each(|_| large.heard(&values(100, 900), clock::now()));
        let (row, kept) = finished(large).unwrap();
        assert!(row.body.len() < MAX_BYTES + 100, "{}", row.body.len());
        assert_eq!(kept.omitted as usize + kept.entries.len(), row.messages as usize);
        assert!(kept.omitted >= 15, "{}", kept.omitted);
    }

    #[test]
    fn where_all_sessions_hold_enough_messages_are_only_counted() {
        static SMALL: Budget = Budget::new(2_000);
        let mut first = Transcript::new(&SMALL, clock::now());
        let mut second = Transcript::new(&SMALL, clock::now());
        first.heard(&values(1, 900), clock::now());
        (0..5).for_each(|_| second.heard(&values(1, 900), clock::now()));
        drop(first);
        second.heard(&values(1, 400), clock::now());
        let (row, kept) = finished(second).unwrap();
        assert_eq!((row.messages, kept.omitted), (7, 5), "{:?}", kinds(&kept));
    }

    #[test]
    fn what_was_told_is_not_repeated() {
        use muster_cwmp::fault::{Fault, FaultCode};
        use muster_cwmp::rpc::SetParameterValues;
        let mut transcript = Transcript::of(&Inform::default(), true, clock::now());
        let name = "Device.ManagementServer.ConnectionRequestPassword";
        let set = SetParameterValues {
            parameters: vec![ParameterValue::string(name, "hunter2")],
            parameter_key: String::new(),
        };
        transcript.said(&Body::Request(Request::SetParameterValues(set)), clock::now());
        let fault = Fault::new(FaultCode(9007), "hunter2 is too short");
        transcript.heard(&Body::Fault(fault), clock::now());
        let (row, _) = finished(transcript).unwrap();
        assert!(!row.body.contains("hunter2"), "{}", row.body);
        assert!(row.body.contains("ConnectionRequestPassword"));
    }
}
