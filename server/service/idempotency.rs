//! Requests that are sent again: a POST with an `Idempotency-Key` is done once, and asking again
//! gives the first answer.
//!
//! Owns the life of a key: taken before the work, kept with the answer, given back where nothing was
//! done, left without an answer where nobody knows how much was, forgotten after a day. Answers are
//! kept sealed: one may hold what not everybody may see. One with a secret is not kept.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::idempotency as store;

/// How long a key and its answer are kept.
const KEEP: TimeDelta = TimeDelta::hours(24);
/// The console's and Muster's own keys, which nobody else can use.
const NO_ACTOR: Uuid = Uuid::nil();

/// An answer as it was given first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body; text, since answers to POSTs are JSON.
    pub body: String,
}

/// What became of asking for a key.
#[derive(Debug)]
pub enum Begun {
    /// It is new: do the work, then [`finish`], or [`give_back`] where nothing was done.
    New,
    /// The work was done: this was its answer.
    Done(Answer),
    /// The same key came with another request.
    Other,
    /// The first request is still at work, or ended without an answer that is kept.
    Unknown,
}

/// Takes a key for the request of this hash.
///
/// # Errors
/// [`Error::Database`].
pub async fn begin(app: &App, ctx: &Ctx, key: &str, request_hash: &[u8]) -> Result<Begun, Error> {
    let actor = ctx.actor.id.unwrap_or(NO_ACTOR);
    let Some(kept) = store::take(&app.pool, actor, key, request_hash, ctx.now).await? else {
        return Ok(Begun::New);
    };
    if kept.request_hash != request_hash {
        return Ok(Begun::Other);
    }
    let (Some(status), Some(headers), Some(body)) = (kept.status, kept.headers, kept.body) else {
        return Ok(Begun::Unknown);
    };
    let broken = |e: serde_json::Error| Error::Internal(format!("a kept answer: {e}"));
    Ok(Begun::Done(Answer {
        status: u16::try_from(status).map_err(|e| Error::Internal(e.to_string()))?,
        headers: serde_json::from_value(headers).map_err(broken)?,
        body: app.keys.open(&body, &context(actor, key))?,
    }))
}

/// Keeps the answer to the request that took the key.
///
/// # Errors
/// [`Error::Database`].
pub async fn finish(app: &App, ctx: &Ctx, key: &str, answer: &Answer) -> Result<(), Error> {
    let actor = ctx.actor.id.unwrap_or(NO_ACTOR);
    let status = i16::try_from(answer.status).map_err(|e| Error::Internal(e.to_string()))?;
    let headers: Value =
        serde_json::to_value(&answer.headers).map_err(|e| Error::Internal(e.to_string()))?;
    let body = app.keys.seal(&answer.body, &context(actor, key));
    Ok(store::answered(&app.pool, actor, key, status, &headers, &body).await?)
}

/// Gives a key back whose request did nothing.
///
/// # Errors
/// [`Error::Database`].
pub async fn give_back(app: &App, ctx: &Ctx, key: &str) -> Result<(), Error> {
    Ok(store::free(&app.pool, ctx.actor.id.unwrap_or(NO_ACTOR), key).await?)
}

/// Forgets what is older than a day.
///
/// # Errors
/// [`Error::Database`].
pub async fn purge(app: &App, now: DateTime<Utc>) -> Result<u64, Error> {
    Ok(store::purge(&app.pool, now - KEEP).await?)
}

fn context(actor: Uuid, key: &str) -> String {
    format!("answer {actor} {key}")
}
