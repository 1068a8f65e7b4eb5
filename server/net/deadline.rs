//! Two deadlines for a connection: how long a request head may take, and how long nothing at all
//! may move.
//!
//! Owns the bookkeeping. hyper's own header timeout is not used because it also runs while a
//! kept-alive connection waits for its next request, and a device that collects 5,000 parameters
//! between two requests of a session needs far longer than a request head may take.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// What a connection did last; shared by its stream, its service and its watchdog.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    /// When bytes last moved, in either direction.
    moved: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Accepted, nothing came yet; since when.
    Fresh(Instant),
    /// Waiting for a further request.
    Idle,
    /// A request head has begun; since when.
    Head(Instant),
    /// A request is being served: its body, its handler.
    Serving,
}

/// Which deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// The request head: a slow-loris client, or a silent one.
    Head,
    /// Nothing moved.
    Idle,
}

impl Late {
    /// Value of the metric label `reason`.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Head => "header_timeout",
            Self::Idle => "idle_timeout",
        }
    }
}

impl Activity {
    /// For a connection that was just accepted: its first request is due.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State { phase: Phase::Fresh(now), moved: now })))
    }

    /// A request head is complete.
    pub(super) fn request_begins(&self) {
        self.with(|state| state.phase = Phase::Serving);
    }

    /// Its response is on its way. The wait of a handler was no idleness of the client.
    pub(super) fn request_ends(&self) {
        let now = Instant::now();
        self.with(|state| *state = State { phase: Phase::Idle, moved: now });
    }

    /// Whether the client has sent nothing at all, so that nothing is lost by leaving it.
    pub(super) fn is_fresh(&self) -> bool {
        self.with(|state| matches!(state.phase, Phase::Fresh(_)))
    }

    fn bytes_read(&self) {
        let now = Instant::now();
        self.with(|state| {
            state.moved = now;
            state.phase = match state.phase {
                Phase::Idle => Phase::Head(now),
                // The time that passed in silence counts.
                Phase::Fresh(since) => Phase::Head(since),
                Phase::Head(_) | Phase::Serving => state.phase,
            };
        });
    }

    fn bytes_written(&self) {
        let now = Instant::now();
        self.with(|state| state.moved = now);
    }

    /// Returns once a deadline has passed. One timer per connection, set again only when it fires.
    pub(super) async fn late(&self, head: Duration, idle: Duration) -> Late {
        loop {
            let (at, late) = self.with(|state| match state.phase {
                Phase::Fresh(since) | Phase::Head(since) => (since + head, Late::Head),
                Phase::Idle | Phase::Serving => (state.moved + idle, Late::Idle),
            });
            if at <= Instant::now() {
                return late;
            }
            // Never longer than `head`: a head may begin while this sleeps.
            sleep_until(at.min(Instant::now() + head)).await;
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A stream that reports what moves to its [`Activity`].
pub(super) struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }

    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(result, Poll::Ready(Ok(written)) if written > 0) {
            self.activity.bytes_written();
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.bytes_read();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_head_that_does_not_come_or_end_is_late() {
        let activity = Activity::new();
        assert_eq!(activity.late(SHORT, LONG).await, Late::Head);
        activity.bytes_read();
        assert!(!activity.is_fresh());
        assert_eq!(activity.late(SHORT, LONG).await, Late::Head);
    }

    #[tokio::test]
    async fn between_requests_only_the_idle_deadline_runs() {
        let activity = Activity::new();
        activity.bytes_read();
        activity.request_begins();
        activity.request_ends();
        assert_eq!(activity.late(Duration::from_millis(1), SHORT).await, Late::Idle);
        activity.bytes_read();
        assert_eq!(activity.late(SHORT, LONG).await, Late::Head);
    }

    #[tokio::test]
    async fn a_body_that_stops_is_idle() {
        let activity = Activity::new();
        activity.request_begins();
        activity.bytes_read();
        assert_eq!(activity.late(Duration::from_millis(1), SHORT).await, Late::Idle);
    }
}
