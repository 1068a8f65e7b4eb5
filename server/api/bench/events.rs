//! That something changes on the benches, as it does, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt};

use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::bench as service;

/// A stream ends then, and is asked for again: a token that was revoked meanwhile opens nothing.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// Follow the benches
///
/// Server-sent events: `changed` says that a bench or a board is not as it was, and not which. Whoever
/// hears it looks again, and sees what they may. Open the stream before the first look, and nothing is
/// missed in between; so there are no ids to begin after. The first event may come without a change. The
/// stream ends after 15 minutes: follow again, and look.
#[utoipa::path(
    get,
    path = "/api/v1/bench/events",
    tag = "bench",
    responses((status = 200, description = "The events", content_type = "text/event-stream", body = String), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn follow_benches(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let changes = service::follow(&app, &ctx).await?;
    // Without any data it would be no event for a browser.
    let events = changes.map(|()| Ok(Event::default().event("changed").data("{}")));
    let events = events.take_until(tokio::time::sleep(LIFE));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}
