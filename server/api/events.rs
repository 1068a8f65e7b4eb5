//! What happened to a device.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::devices::DevicePath;
use super::extract::{PathArgs, QueryArgs};
use super::job_view::masked;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::Shared;
use crate::error::Error;
use crate::store::events::{self as store, Event};

/// A page of events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// When.
    at: DateTime<Utc>,
    /// Which.
    event_id: Uuid,
    /// Such as `boot` or `job.done`.
    kind: String,
    /// The job it belongs to.
    job_id: Option<Uuid>,
    /// Words and numbers, by kind.
    detail: Value,
}

impl EventView {
    fn of(e: Event) -> Self {
        Self {
            at: e.at,
            event_id: e.event_id,
            kind: e.kind,
            job_id: e.job_id,
            detail: masked(e.detail),
        }
    }
}

/// List a device's events
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/events",
    tag = "devices",
    params(DevicePath, EventPage),
    responses((status = 200, description = "A page of events", body = Page<EventView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_events(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<EventPage>,
) -> Result<Json<Page<EventView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let before = query.before.as_deref().map(position).transpose()?;
    let device_id = path.load(&app.pool).await?.device_id;
    let rows = store::list(&app.pool, device_id, before, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, cursor, EventView::of)))
}

/// Events are ordered by time, then id; a cursor holds both.
fn cursor(event: &Event) -> String {
    format!("{}-{}", event.at.timestamp_micros(), event.event_id.simple())
}

fn position(cursor: &str) -> Result<(DateTime<Utc>, Uuid), Error> {
    let parse = || {
        let (at, id) = cursor.split_once('-')?;
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some((at, Uuid::try_parse(id).ok()?))
    };
    parse().ok_or_else(|| Error::invalid("", "before is no cursor that this list gave"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::clock;

    #[test]
    fn a_cursor_leads_back_to_its_event() {
        let event = Event {
            at: clock::now(),
            event_id: Uuid::now_v7(),
            kind: "boot".to_owned(),
            job_id: None,
            detail: Value::Null,
        };
        assert_eq!(position(&cursor(&event)).unwrap(), (event.at, event.event_id));
        for bad in ["", "-", "1", "1-x", "x-00000000000000000000000000000001", "9e99-0"] {
            assert!(position(bad).is_err(), "{bad}");
        }
    }
}
