//! The file server: a device fetches what a download job names.
//!
//! Owns what a link is good for at this moment, and ranges, validators and lengths of the answers
//! (RFC 9110 sections 8.8, 13 and 14). Never
//! sends a chunked body: small HTTP clients in devices want a Content-Length, and show progress by it.

use std::convert::Infallible;
use std::ops::Range;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST,
    IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use uuid::Uuid;

use super::builtin::Builtin;
use super::link::{self, Link, LinkKind};
use super::sealed::Share;
use super::throttle::Pace;
use super::{failed, framed, refused, restore, upgrade};
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::jobs::queue;
use crate::jobs::spec::JobSpec;
use crate::net::ConnInfo;
use crate::store::{artifacts, jobs, packages};

/// Bytes of a made file that are on their way at a time.
const PIECE: usize = 64 << 10;

/// A stored file, whoever stored it.
#[derive(Debug, Clone)]
pub(super) struct Served {
    /// Its name in the file store.
    pub(super) id: Uuid,
    /// For the log.
    pub(super) name: String,
    /// Bytes.
    pub(super) size: i64,
    /// SHA-256 of the bytes.
    pub(super) sha256: Vec<u8>,
    /// Media type.
    pub(super) content_type: String,
    /// How fast it may go; `None` = as fast as it can.
    pub(super) pace: Option<Pace>,
}

/// What a link leads to.
enum Found {
    /// A stored file.
    File(Served),
    /// A list that was made just now.
    List(String),
    /// The script that stands in a job, or a configuration that the device is given back.
    Script(Bytes, Share),
}

/// `GET` and `HEAD /f/{token}/{name}`. The name is for the device only; the token says what it gets.
pub fn router() -> Router<Shared> {
    Router::new().route("/f/{token}/{name}", get(download))
}

async fn download(
    State(app): State<Shared>,
    Extension(conn): Extension<ConnInfo>,
    Path((token, _name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let now = clock::now().timestamp();
    let Some(link) = link::open(&app.keys, LinkKind::Download, &token, now) else {
        return refused(LinkKind::Download);
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let public_url = app.config.acs.public_url.as_deref();
    let base = link::base(public_url, conn.tls, host, conn.local);
    let answered = match found(&app, &link, &base).await {
        Ok(Found::File(file)) => answer(&app, &link, &file, &method, &headers).await,
        Ok(Found::List(text)) => Ok(made(&method, "text/xml", text.into(), None)),
        Ok(Found::Script(text, share)) => Ok(made(&method, "text/plain", text, share)),
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| failed(&link, &error))
}

/// What a link is good for while a job of its device is open.
async fn found(app: &App, link: &Link, base: &str) -> Result<Found, Error> {
    if let Some(job_id) = jobs::fetches(&app.pool, link.device_id, link.subject).await? {
        if link.subject == Builtin::Inspect.artifact_id() {
            // Made for this job: by the nonce in it the answer is known.
            let script = Builtin::Inspect.served(&app.keys, link.device_id, job_id);
            return Ok(Found::Script(script.into(), None));
        }
        let Some(artifact) = artifacts::get(&app.pool, link.subject).await? else {
            // One that the device sent itself, or none.
            let (file, share) = restore::file(app, link, base).await?;
            return Ok(Found::Script(file, share));
        };
        let framed = framed::file(app, link.device_id, job_id, &artifact, base).await?;
        if let Some((file, share)) = framed {
            return Ok(Found::Script(file, share));
        }
        return Ok(Found::File(Served {
            id: artifact.artifact_id,
            name: artifact.name,
            size: artifact.size,
            sha256: artifact.sha256,
            content_type: artifact.content_type,
            pace: None,
        }));
    }
    match packages::wanted(&app.pool, link.device_id, link.subject).await? {
        Some(job) if job.job_id == link.subject => {
            Ok(Found::List(upgrade::manifest(app, link, &job, base).await?))
        }
        Some(job) => Ok(Found::File(upgrade::package(app, link.subject, &job).await?)),
        None => script(app, link).await,
    }
}

/// What a configuration's job holds: what was decided, whatever has changed since.
async fn script(app: &App, link: &Link) -> Result<Found, Error> {
    let gone = || Error::NotFound("no open job of the device fetches this file".to_owned());
    let job = jobs::configures(&app.pool, link.device_id, link.subject).await?.ok_or_else(gone)?;
    match queue::opened(&app.keys, &job)? {
        JobSpec::Configure { script, .. } => Ok(Found::Script(script.into(), None)),
        other => Err(Error::Internal(format!("a {} job has no script", other.kind()))),
    }
}

/// Made for this device: there is nothing to go on with, and nothing to keep.
/// Its share of the memory is given back once the device has it.
fn made(method: &Method, content_type: &'static str, text: Bytes, share: Share) -> Response {
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CONTENT_LENGTH, HeaderValue::from(text.len())),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let body = match (method, share) {
        (&Method::HEAD, _) => Body::empty(),
        (_, None) => Body::from(text),
        (_, share) => Body::from_stream(stream::iter(in_parts(text, share))),
    };
    (fields, body).into_response()
}

/// A text in parts, of which each is asked for once those before it are on their way. The share is kept
/// until there is none left.
fn in_parts(
    mut text: Bytes,
    share: Share,
) -> impl Iterator<Item = Result<Bytes, Infallible>> + Send {
    std::iter::from_fn(move || {
        let _kept = &share;
        let part = text.split_to(text.len().min(PIECE));
        (!part.is_empty()).then_some(Ok(part))
    })
}

async fn answer(
    app: &App,
    link: &Link,
    file: &Served,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let size = app.files.size(file.id).await?;
    if i64::try_from(size) != Ok(file.size) {
        let (id, listed) = (file.id, file.size);
        return Err(Error::Internal(format!("file {id} has {size} bytes, its row says {listed}")));
    }
    let etag = etag(&file.sha256);
    let selected = select(method, headers, &etag, size);
    let (status, length, body) = match &selected {
        Selected::NotModified => (StatusCode::NOT_MODIFIED, None, Body::empty()),
        Selected::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, Some(0), Body::empty()),
        Selected::Whole if method == Method::HEAD => (StatusCode::OK, Some(size), Body::empty()),
        Selected::Whole => {
            let bytes = app.files.read(file.id, None).await?;
            (StatusCode::OK, Some(size), body(app, file, bytes))
        }
        Selected::Part(range) => {
            let bytes = app.files.read(file.id, Some(range.clone())).await?;
            let length = range.end - range.start;
            (StatusCode::PARTIAL_CONTENT, Some(length), body(app, file, bytes))
        }
    };
    if method == Method::GET && status.is_success() {
        let length = length.unwrap_or_default();
        let (device, name) = (link.device_id, &file.name);
        tracing::info!(device.id = %device, artifact.id = %file.id, name, length, "download starts");
    }
    let mut fields = describe(file, &etag, &selected, size);
    if let Some(length) = length {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok((status, fields, body).into_response())
}

/// The bytes, as fast as they may go.
fn body(
    app: &App,
    file: &Served,
    bytes: BoxStream<'static, Result<Bytes, object_store::Error>>,
) -> Body {
    match file.pace {
        Some(pace) => Body::from_stream(app.throttle.slowed(pace, bytes)),
        None => Body::from_stream(bytes),
    }
}

/// The header fields beside the length.
fn describe(file: &Served, etag: &str, selected: &Selected, size: u64) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(ETAG, text(etag));
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The path is a secret of one device: nothing on the way may keep the answer for others.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    match selected {
        Selected::Whole => {}
        Selected::Part(r) => {
            let part = format!("bytes {}-{}/{size}", r.start, r.end - 1);
            fields.insert(CONTENT_RANGE, text(&part));
        }
        Selected::Beyond => {
            fields.insert(CONTENT_RANGE, text(&format!("bytes */{size}")));
            return fields;
        }
        Selected::NotModified => return fields,
    }
    fields.insert(CONTENT_TYPE, text(&file.content_type));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields
}

/// A media type that an operator stored may not be fit for a header.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}

fn etag(sha256: &[u8]) -> String {
    format!("\"{}\"", hex::encode(sha256))
}

/// What of a file is to be sent.
#[derive(Debug, PartialEq, Eq)]
enum Selected {
    Whole,
    Part(Range<u64>),
    NotModified,
    Beyond,
}

/// RFC 9110 13.2.2: If-None-Match comes before Range; 14.2: Range counts for GET only, and what is
/// not understood of it is ignored.
fn select(method: &Method, headers: &HeaderMap, etag: &str, size: u64) -> Selected {
    let field = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    if field(IF_NONE_MATCH).is_some_and(|tags| names(tags, etag)) {
        return Selected::NotModified;
    }
    // 13.1.5: compared strongly. No dates are sent, so a date never matches.
    let changed = field(IF_RANGE).is_some_and(|tag| tag.trim() != etag);
    match field(RANGE) {
        Some(range) if method == Method::GET && !changed => part(range, size),
        _ => Selected::Whole,
    }
}

/// 13.1.2: a list of tags, compared weakly, or `*`.
fn names(tags: &str, etag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
    tags.trim() == "*" || tags.split(',').any(plain)
}

/// RFC 9110 14.1.1 and 14.1.2. Several ranges at once are answered with the whole file, which 14.2
/// allows.
fn part(header: &str, size: u64) -> Selected {
    let Some((unit, set)) = header.split_once('=') else { return Selected::Whole };
    let Some((first, last)) = set.trim().split_once('-') else { return Selected::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selected::Whole;
    }
    let range = match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => first..size,
        (Some(first), Some(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Selected::Whole,
    };
    if range.is_empty() { Selected::Beyond } else { Selected::Part(range) }
}

/// A position; one beyond what can be counted is beyond every file.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn selected(method: Method, fields: &[(HeaderName, &'static str)]) -> Selected {
        let fields = fields.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v)));
        select(&method, &fields.collect(), TAG, 100)
    }

    #[test]
    fn a_single_range_is_taken_in_its_three_forms() {
        for (header, expected) in [
            ("bytes=0-9", 0..10),
            ("bytes=10-10", 10..11),
            ("Bytes = 10-", 10..100),
            ("bytes=90-1000", 90..100),
            ("bytes=0-99999999999999999999999999", 0..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
        ] {
            assert_eq!(part(header, 100), Selected::Part(expected), "{header}");
        }
    }

    #[test]
    fn a_range_behind_the_end_cannot_be_satisfied() {
        for header in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"]
        {
            assert_eq!(part(header, 100), Selected::Beyond, "{header}");
        }
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(part(header, 0), Selected::Beyond, "{header} of an empty file");
        }
    }

    #[test]
    fn what_is_not_a_single_range_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=0x1-2",
            "lines=0-1",
            "bytes=1--2",
        ] {
            assert_eq!(part(header, 100), Selected::Whole, "{header}");
        }
    }

    #[test]
    fn if_none_match_comes_before_the_range() {
        for tags in [TAG, "*", "\"x\", \"abc\"", "W/\"abc\""] {
            let fields = [(IF_NONE_MATCH, tags), (RANGE, "bytes=0-1")];
            assert_eq!(selected(Method::GET, &fields), Selected::NotModified, "{tags}");
        }
        assert_eq!(selected(Method::HEAD, &[(IF_NONE_MATCH, TAG)]), Selected::NotModified);
        assert_eq!(selected(Method::GET, &[(IF_NONE_MATCH, "\"abcd\"")]), Selected::Whole);
    }

    #[test]
    fn if_range_gives_a_part_only_of_the_same_file() {
        let range = (RANGE, "bytes=0-1");
        let same = [range.clone(), (IF_RANGE, TAG)];
        assert_eq!(selected(Method::GET, &same), Selected::Part(0..2));
        for other in ["\"old\"", "W/\"abc\"", "Sat, 29 Oct 1994 19:43:31 GMT"] {
            let fields = [range.clone(), (IF_RANGE, other)];
            assert_eq!(selected(Method::GET, &fields), Selected::Whole, "{other}");
        }
        assert_eq!(selected(Method::HEAD, &[range]), Selected::Whole, "HEAD has no ranges");
    }

    #[test]
    fn the_tag_is_the_hash_in_quotes() {
        assert_eq!(etag(&[0x0a, 0xff]), "\"0aff\"");
    }
}
