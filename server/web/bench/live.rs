//! Hints for pages that are open: something changed on a bench, look again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt};

use crate::ctx::Shared;
use crate::service::bench as service;
use crate::web::failure::Failure;
use crate::web::viewer::Viewer;

/// A stream ends then, and the browser asks again: a session that was revoked follows no longer.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// `GET /bench/live`
pub(super) async fn follow(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let changes = service::follow(&app, viewer.ctx()).await?;
    let hints = changes.map(|()| Ok(Event::default().data("changed")));
    let hints = hints.take_until(tokio::time::sleep(LIFE));
    Ok(Sse::new(hints).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}
