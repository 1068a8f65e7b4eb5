//! What every call of the API passes: who asks, how often they may, and whether they asked before.
//!
//! Owns the three in that order, for everything below `/api/v1`. It must never look into a body but
//! to hash it.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use hyper::StatusCode;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::idempotency::{self, Answer, Begun};

/// Header of the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Length of a key.
const MAX_KEY: usize = 200;
/// A body up to this size is part of what makes two requests the same.
const MAX_HASHED: usize = 4 << 20;
/// Of what is kept: more than any POST answers, since a job repeats what it was ordered to set.
const MAX_ANSWER: usize = 8 << 20;

type Buckets = RateLimiter<Uuid, HashMapStateStore<Uuid>, DefaultClock, StateInformationMiddleware>;

/// How often each caller may ask: so many requests a minute, and as many at once.
#[derive(Debug)]
pub(super) struct Rates {
    buckets: Buckets,
    per_minute: NonZeroU32,
}

impl Rates {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let quota = Quota::with_period(Duration::from_secs(60) / per_minute.get())
            .expect("a part of a minute is more than nothing")
            .allow_burst(per_minute);
        let buckets = RateLimiter::hashmap(quota).with_middleware::<StateInformationMiddleware>();
        Self { buckets, per_minute }
    }

    /// Requests that are left now, or the seconds until the next one may come.
    fn ask(&self, caller: Uuid) -> Result<u32, u32> {
        // Callers come and go: full buckets are forgotten before there are many.
        if self.buckets.len() > 10_000 {
            self.buckets.retain_recent();
        }
        match self.buckets.check_key(&caller) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(wait) => {
                let wait = wait.wait_time_from(DefaultClock::default().now());
                Err(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
            }
        }
    }

    fn headers(&self, left: u32, headers: &mut HeaderMap) {
        let most = self.per_minute;
        let policy = format!("\"default\";q={most};w=60");
        let state = format!("\"default\";r={left}");
        for (name, value) in [(POLICY, policy), (LIMIT, state)] {
            headers.insert(name, HeaderValue::try_from(value).expect("digits and quotes"));
        }
    }
}

/// The gate of the API.
pub(super) async fn pass(
    State((app, rates)): State<(Shared, std::sync::Arc<Rates>)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let ctx = match super::auth::authenticate(&mut parts, &app).await {
        Ok(ctx) => ctx,
        Err(problem) => return problem.into_response(),
    };
    let left = match rates.ask(ctx.actor.id.unwrap_or_default()) {
        Ok(left) => left,
        Err(seconds) => {
            let problem = Problem::too_many("too many requests: slow down", seconds);
            let mut response = problem.into_response();
            rates.headers(0, response.headers_mut());
            return response;
        }
    };
    parts.extensions.insert(ctx.clone());
    let request = Request::from_parts(parts, body);
    let mut response = match once(app, ctx, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    rates.headers(left, response.headers_mut());
    response
}

/// Does a POST with a key once.
async fn once(app: Shared, ctx: Ctx, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key_of(&request)? else { return Ok(next.run(request).await) };
    let (request, hash) = hashed(request).await?;
    match idempotency::begin(&app, &ctx, &key, &hash).await? {
        Begun::New => {}
        Begun::Done(answer) => return Ok(again(answer)),
        Begun::Other => {
            let why = "this Idempotency-Key came with another request before: use a new one";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
        Begun::Unknown => {
            let why = "the first request with this Idempotency-Key is still at work, or ended \
                       without an answer that is kept: look at what it did before you use a new \
                       key";
            return Err(Error::Conflict(why.to_owned()).into());
        }
    }
    // A task of its own: a caller who goes away must not leave the key without an answer.
    let work = tokio::spawn(async move {
        let response = next.run(request).await;
        match keep(&app, &ctx, &key, response).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    });
    work.await.map_err(|e| Error::Internal(format!("a request died: {e}")).into())
}

/// The key of a POST, if it has one.
fn key_of(request: &Request) -> Result<Option<String>, Problem> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let Some(key) = request.headers().get(KEY) else { return Ok(None) };
    let good = |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.is_ascii();
    match key.to_str().ok().filter(good) {
        Some(key) => Ok(Some(key.to_owned())),
        None => {
            let why = format!("Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters");
            Err(Problem::new(StatusCode::BAD_REQUEST, why))
        }
    }
}

/// The request and the hash of what it asks. The bytes of a file are not read for it: its name and
/// size stand for it.
async fn hashed(request: Request) -> Result<(Request, Vec<u8>), Problem> {
    let (parts, body) = request.into_parts();
    let mut hash = Sha256::new();
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    hash.update(format!("{} {target}\n", parts.method));
    let json = parts.headers.get(header::CONTENT_TYPE);
    let json = json.and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("json"));
    if !json {
        if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
            hash.update(length.as_bytes());
        }
        return Ok((Request::from_parts(parts, body), hash.finalize().to_vec()));
    }
    let bytes = axum::body::to_bytes(body, MAX_HASHED).await.map_err(|_| {
        let why = format!("a request with an Idempotency-Key has at most {MAX_HASHED} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    })?;
    hash.update(&bytes);
    Ok((Request::from_parts(parts, Body::from(bytes)), hash.finalize().to_vec()))
}

/// What becomes of a key when its request has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is given back.
    Free,
    /// It is kept with the answer.
    Kept,
    /// It stays without one: whoever asks again is told to look.
    Unanswered,
}

/// By the answer's status, whether it shows a secret, and its length where that is known.
fn fate(status: StatusCode, secret: bool, length: Option<u64>) -> Fate {
    // What was refused did nothing. What failed may have done a part, as an order for many devices.
    // And what may not be stored anywhere, such as a secret, is not kept here either: it is shown
    // again, but nothing is made again.
    if status.is_client_error() || (status.is_success() && secret && status != StatusCode::CREATED)
    {
        Fate::Free
    } else if !secret
        && status.is_success()
        && length.is_some_and(|length| length <= MAX_ANSWER as u64)
    {
        Fate::Kept
    } else {
        Fate::Unanswered
    }
}

/// Settles the key, and gives the answer on. It was done, whether that can be kept or not.
async fn keep(app: &Shared, ctx: &Ctx, key: &str, response: Response) -> Result<Response, Problem> {
    let status = response.status();
    let secret = response.headers().get(header::CACHE_CONTROL).is_some_and(|v| v == "no-store");
    let length = response.body().size_hint().upper();
    let response = match fate(status, secret, length) {
        Fate::Free => {
            settled(idempotency::give_back(app, ctx, key).await);
            return Ok(response);
        }
        Fate::Unanswered => {
            let status = status.as_u16();
            tracing::warn!(status, length, "an Idempotency-Key stays without an answer");
            return Ok(response);
        }
        Fate::Kept => response,
    };
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_ANSWER)
        .await
        .map_err(|e| Error::Internal(format!("the answer to a POST: {e}")))?;
    let named = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let headers = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
    let headers = headers.iter().filter_map(named).collect();
    match String::from_utf8(bytes.to_vec()) {
        Ok(body) => {
            let answer = Answer { status: status.as_u16(), headers, body };
            settled(idempotency::finish(app, ctx, key, &answer).await);
        }
        Err(e) => tracing::error!("the answer to a POST is no text and not kept: {e}"),
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// What happened to a key must not change what is said of the request.
fn settled(outcome: Result<(), Error>) {
    if let Err(e) = outcome {
        tracing::error!(cause = %e.private(), "an Idempotency-Key stays without an answer");
    }
}

/// The first answer once more.
fn again(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Bytes::from(answer.body)).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_caller_has_so_many_requests_and_the_next_one_has_all_of_its_own() {
        let rates = Rates::new(NonZeroU32::new(3).unwrap());
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!([rates.ask(one), rates.ask(one), rates.ask(one)], [Ok(2), Ok(1), Ok(0)]);
        assert!((1..=21).contains(&rates.ask(one).unwrap_err()));
        assert_eq!(rates.ask(other), Ok(2));
    }

    async fn hash(method: &str, uri: &str, kind: &str, body: &'static str) -> Vec<u8> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", kind)
            .header("content-length", body.len())
            .body(Body::from(body))
            .unwrap();
        hashed(request).await.unwrap().1
    }

    #[tokio::test]
    async fn two_requests_are_the_same_by_path_and_body() {
        let first = hash("POST", "/api/v1/sites", "application/json", "{}").await;
        assert_eq!(first, hash("POST", "/api/v1/sites", "application/json", "{}").await);
        assert_ne!(first, hash("POST", "/api/v1/sites", "application/json", "[]").await);
        assert_ne!(first, hash("POST", "/api/v1/groups", "application/json", "{}").await);
        let file = hash("POST", "/api/v1/artifacts?name=a", "application/zip", "abc").await;
        assert_ne!(file, hash("POST", "/api/v1/artifacts?name=a", "application/zip", "abcd").await);
        assert_ne!(file, hash("POST", "/api/v1/artifacts?name=b", "application/zip", "abc").await);
    }

    #[test]
    fn a_key_is_given_back_only_where_nothing_was_done() {
        let of = |status: u16, secret: bool, length: Option<u64>| {
            fate(StatusCode::from_u16(status).unwrap(), secret, length)
        };
        for status in [400, 403, 404, 409, 413, 422, 429] {
            assert_eq!(of(status, false, Some(100)), Fate::Free, "{status}");
        }
        for status in [500, 503] {
            assert_eq!(of(status, false, Some(100)), Fate::Unanswered, "{status}");
        }
        assert_eq!(of(200, true, Some(100)), Fate::Free);
        assert_eq!(of(201, true, Some(100)), Fate::Unanswered, "a token is not made twice");
        let most = MAX_ANSWER as u64;
        assert_eq!(of(201, false, Some(0)), Fate::Kept);
        assert_eq!(of(201, false, Some(most)), Fate::Kept);
        assert_eq!(of(201, false, Some(most + 1)), Fate::Unanswered);
        assert_eq!(of(201, false, None), Fate::Unanswered);
    }

    #[test]
    fn the_length_of_json_is_known_before_it_is_read() {
        let response = axum::Json(serde_json::json!({ "a": 1 })).into_response();
        assert_eq!(response.body().size_hint().upper(), Some(7));
    }

    #[test]
    fn a_key_is_a_short_word_of_a_post() {
        let request = |method: &str, key: &str| {
            let builder = Request::builder().method(method).uri("/").header(KEY, key);
            key_of(&builder.body(Body::empty()).unwrap())
        };
        assert_eq!(request("POST", "abc").unwrap().as_deref(), Some("abc"));
        assert_eq!(request("GET", "abc").unwrap(), None);
        assert_eq!(request("POST", "").unwrap_err().status, 400);
        assert_eq!(request("POST", &"x".repeat(201)).unwrap_err().status, 400);
    }
}
