//! Hints for pages that are open: something happened to a device, look again.
//!
//! Server-sent events that hold no more than which device and what kind: the page asks for its
//! fragments anew, so that what is shown is never pieced together from messages.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::failure::Failure;
use super::viewer::Viewer;
use crate::access::right::Right;
use crate::ctx::Shared;
use crate::service::live::{self, News, Wanted};

/// A stream ends then, and the browser asks again: a session that was revoked follows no longer.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// Of which device.
#[derive(Debug, Deserialize)]
pub(super) struct LiveQuery {
    /// All that may be seen when absent.
    device: Option<Uuid>,
}

/// `GET /live`.
pub(super) async fn follow(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<LiveQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let wanted = Wanted { device_id: query.device, ..Wanted::default() };
    // Pages for support have less on them, but it changes like all else.
    let rights = [Right::Read, Right::Support];
    let news = live::follow(&app, viewer.ctx(), &rights, wanted).await?;
    let hints = news.map(|news| Ok(hint(&news))).take_until(tokio::time::sleep(LIFE));
    Ok(Sse::new(hints).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

fn hint(news: &News) -> Event {
    let data = match news {
        News::Missed(_) => json!({ "device_id": null, "kind": "missed" }),
        News::Happened(row) => {
            json!({ "device_id": row.device_id, "kind": row.kind, "job_id": row.job_id })
        }
    };
    Event::default().data(data.to_string())
}
