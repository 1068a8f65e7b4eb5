//! A request's body: read within caps, a deadline and a memory budget that all requests share. The
//! budget's [`Memory`] also bounds what others must hold whole.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Bodies up to this size, nearly all, are read without asking for a share of the budget.
const FREE: usize = 16 * 1024;
/// One permit of the budget.
const UNIT: usize = 64 * 1024;
/// A whole body must have come within this time: a trickle must not hold memory for ever.
const DEADLINE: Duration = Duration::from_secs(60);
/// Who finds no memory waits so long for others to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that was not taken: the HTTP status, and why in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// 400, 408, 413, 415 or 503.
    pub status: StatusCode,
    /// For the answer and the log.
    pub why: String,
}

fn refused(status: StatusCode, why: impl Into<String>) -> Refused {
    Refused { status, why: why.into() }
}

/// Memory that many take together, each a share that grows.
#[derive(Clone)]
pub struct Memory {
    permits: Arc<Semaphore>,
    patience: Duration,
}

impl Memory {
    /// `total` bytes for all; who finds too little waits for others to end, but not longer than this.
    pub fn new(total: usize, patience: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(total.div_ceil(UNIT))), patience }
    }

    /// Grows a share to `bytes`; `None` = others had too much for too long, and the share is gone. It
    /// returns when it is dropped.
    pub async fn reserve(
        &self,
        held: Option<OwnedSemaphorePermit>,
        bytes: usize,
    ) -> Option<OwnedSemaphorePermit> {
        let have = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let want = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(have)).ok()?;
        let wait = self.permits.clone().acquire_many_owned(want);
        let more = timeout(self.patience, wait).await.ok()?.ok()?;
        Some(match held {
            None => more,
            Some(mut held) => {
                held.merge(more);
                held
            }
        })
    }
}

/// What bodies may take: each, and together.
#[derive(Clone)]
pub struct Budget {
    memory: Memory,
    max: usize,
}

impl Budget {
    /// `max` bytes for one body, `total` for all that are in flight.
    pub fn new(max: usize, total: usize) -> Self {
        Self { memory: Memory::new(total, PATIENCE), max }
    }

    /// Reads a body to its end and undoes its content coding (H10). The permits return when the
    /// second part of the answer is dropped: keep it as long as the bytes.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refused> {
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse::<u64>().ok());
        if announced.is_some_and(|n| n > self.max as u64) {
            return Err(self.too_large());
        }
        let (bytes, mut permit) = self.collect(body).await?;
        let bytes = match coding(headers)? {
            None => bytes,
            Some(coding) => {
                // What it unfolds to may be anything up to the cap: reserve that.
                permit = Some(self.reserve(permit, self.max).await?);
                let budget = self.clone();
                // Some megabytes take milliseconds: not where other sessions wait.
                tokio::task::spawn_blocking(move || budget.unfold(coding, &bytes))
                    .await
                    .unwrap_or_else(|_| {
                        Err(refused(StatusCode::BAD_REQUEST, "the compressed body is broken"))
                    })?
            }
        };
        Ok((bytes, permit))
    }

    async fn collect(
        &self,
        mut body: Body,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refused> {
        let end = Instant::now() + DEADLINE;
        let mut gathered = Gathered::default();
        let mut permit = None;
        loop {
            let frame = timeout_at(end, body.frame())
                .await
                .map_err(|_| refused(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|e| {
                refused(StatusCode::BAD_REQUEST, format!("the body broke off: {e}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let so_far = gathered.len + data.len();
            if so_far > self.max {
                return Err(self.too_large());
            }
            if so_far > FREE {
                permit = Some(self.reserve(permit, so_far).await?);
            }
            gathered.push(data);
        }
        Ok((gathered.whole(), permit))
    }

    async fn reserve(
        &self,
        held: Option<OwnedSemaphorePermit>,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, Refused> {
        let busy = || refused(StatusCode::SERVICE_UNAVAILABLE, "too many large messages at once");
        self.memory.reserve(held, bytes).await.ok_or_else(busy)
    }

    fn unfold(&self, coding: Coding, bytes: &[u8]) -> Result<Bytes, Refused> {
        let mut out = Vec::new();
        let limit = self.max as u64 + 1;
        let read = match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).take(limit).read_to_end(&mut out),
            Coding::Deflate => {
                flate2::read::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out)
            }
        };
        read.map_err(|e| {
            refused(StatusCode::BAD_REQUEST, format!("the compressed body is broken: {e}"))
        })?;
        if out.len() > self.max {
            return Err(self.too_large());
        }
        Ok(out.into())
    }

    fn too_large(&self) -> Refused {
        let why = format!("a message has at most {} bytes (acs.max_body_bytes)", self.max);
        refused(StatusCode::PAYLOAD_TOO_LARGE, why)
    }
}

/// What has come of a body. Nearly all bodies are one frame and are not copied. Of a larger one the
/// pieces are kept in blocks of one size: a buffer that doubles would take twice the cap for a body
/// that is then refused, and a list of frames anything at all for frames of one byte.
#[derive(Default)]
struct Gathered {
    first: Option<Bytes>,
    blocks: Vec<Vec<u8>>,
    len: usize,
}

impl Gathered {
    fn push(&mut self, data: Bytes) {
        self.len += data.len();
        if self.first.is_none() && self.blocks.is_empty() {
            self.first = Some(data);
            return;
        }
        if let Some(first) = self.first.take() {
            self.append(&first);
        }
        self.append(&data);
    }

    fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.blocks.last().is_none_or(|block| block.len() == UNIT) {
                self.blocks.push(Vec::with_capacity(UNIT));
            }
            let Some(block) = self.blocks.last_mut() else { return };
            let (now, later) = data.split_at(data.len().min(UNIT - block.len()));
            block.extend_from_slice(now);
            data = later;
        }
    }

    fn whole(self) -> Bytes {
        self.first.unwrap_or_else(|| self.blocks.concat().into())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Refused> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    match value.to_str().unwrap_or("?").trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Coding::Gzip)),
        "deflate" => Ok(Some(Coding::Deflate)),
        other => Err(refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("content coding {other:?} is not known; gzip and deflate are"),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(data).unwrap();
        out.finish().unwrap()
    }

    fn headers(coding: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(CONTENT_ENCODING, coding.parse().unwrap());
        map
    }

    #[tokio::test]
    async fn a_gzipped_body_is_unfolded_and_a_bomb_is_not() {
        let budget = Budget::new(1 << 20, 8 << 20);
        let (bytes, _) = budget.read(&headers("gzip"), gzip(b"<a/>").into()).await.unwrap();
        assert_eq!(&bytes[..], b"<a/>");
        let bomb = gzip(&vec![b' '; 2 << 20]);
        assert!(bomb.len() < 10_000);
        let error = budget.read(&headers("gzip"), bomb.into()).await.unwrap_err();
        assert_eq!(error.status, StatusCode::PAYLOAD_TOO_LARGE);
        let error = budget.read(&headers("br"), Body::empty()).await.unwrap_err();
        assert_eq!(error.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let error = budget.read(&headers("gzip"), "no gzip".into()).await.unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
        assert_eq!(budget.memory.permits.available_permits(), 128, "all shares came back");
    }

    #[test]
    fn a_body_is_whole_however_it_came() {
        let all: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
        for size in [1, 7, 65_535, 65_536, 65_537, 200_000] {
            let mut gathered = Gathered::default();
            all.chunks(size).for_each(|c| gathered.push(Bytes::copy_from_slice(c)));
            assert_eq!(gathered.len, all.len());
            assert!(gathered.whole() == all, "in frames of {size}");
        }
        assert!(Gathered::default().whole().is_empty());
    }

    #[tokio::test]
    async fn the_cap_holds_with_and_without_an_announced_length() {
        let budget = Budget::new(100, 1_000);
        let error = budget.read(&HeaderMap::new(), vec![b'x'; 101].into()).await.unwrap_err();
        assert_eq!(error.status, StatusCode::PAYLOAD_TOO_LARGE);
        let mut map = HeaderMap::new();
        map.insert(CONTENT_LENGTH, "4000000000".parse().unwrap());
        let error = budget.read(&map, Body::empty()).await.unwrap_err();
        assert_eq!(error.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(budget.read(&HeaderMap::new(), vec![b'x'; 100].into()).await.is_ok());
    }
}
