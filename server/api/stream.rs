//! What happens to devices, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use super::extract::QueryArgs;
use super::page::{moment, moment_of};
use super::problem::Problem;
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::service::devices;
use crate::service::live::{self, News, Wanted};

/// A stream ends then, and is asked for again: a token that was revoked meanwhile opens nothing.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// What of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Of one device: its id, or `serial:` and its serial.
    device_id: Option<String>,
    /// Of kinds that begin so, such as `job.`.
    kind: Option<String>,
}

/// Follow events
///
/// Server-sent events: `event` is the kind, `id` leads back to it (`Last-Event-ID`), `data` is JSON
/// with `device_id`, `serial`, `site`, `at`, `kind`, `job_id` and `detail`. An event `missed` says
/// how many are not told, or 0 where nobody counted: look at the state anew. The stream ends after
/// 15 minutes: follow again with the last id, which leads back 10 minutes at most.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "devices",
    params(
        StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "Begin after this event")
    ),
    responses((status = 200, description = "The events", content_type = "text/event-stream", body = String), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn follow_events(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<StreamQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    ctx.require(Right::Read)?;
    let device_id: Option<Uuid> = match &query.device_id {
        Some(name) => Some(devices::find(&app, &ctx, name, Right::Read).await?.device_id),
        None => None,
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = last.filter(|id| !id.is_empty()).map(moment_of).transpose()?;
    let wanted = Wanted { device_id, kind: query.kind, after };
    let news = live::follow(&app, &ctx, &[Right::Read], wanted).await?;
    let events = news.map(|news| Ok(event(&news))).take_until(tokio::time::sleep(LIFE));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

fn event(news: &News) -> Event {
    match news {
        News::Missed(count) => Event::default().event("missed").data(count.to_string()),
        News::Happened(row) => {
            let data = json!({
                "device_id": row.device_id, "serial": row.serial, "site": row.site, "at": row.at,
                "kind": row.kind, "job_id": row.job_id, "detail": live::shown_detail(row),
            });
            Event::default()
                .event(&row.kind)
                .id(moment(row.at, row.event_id))
                .data(data.to_string())
        }
    }
}
