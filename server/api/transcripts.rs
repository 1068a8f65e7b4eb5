//! What was said in a device's CWMP sessions.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::devices::DevicePath;
use super::extract::{PathArgs, QueryArgs};
use super::page::{Limit, Page, moment, moment_of};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::transcripts;
use crate::store::transcripts::{Body, Conversation, Line, Speaker};

/// A page of sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
}

/// A device's session in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SessionPath {
    /// Id of the device, or `serial:` and its serial number where only one device has it.
    device_id: String,
    /// Id of the session.
    session_id: Uuid,
}

/// A session in which something happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Which.
    session_id: Uuid,
    /// When its Inform came.
    started_at: DateTime<Utc>,
    /// When it was over.
    ended_at: DateTime<Utc>,
    /// With which server.
    node: String,
    /// Address it came from.
    remote_addr: String,
    /// How it ended: done; lost, the device fell silent; timed_out, it took too long; superseded,
    /// the device opened another one; refused, the server sent the device away.
    outcome: String,
    /// Messages that were said.
    messages: i32,
}

impl SessionView {
    fn of(c: Conversation) -> Self {
        Self {
            session_id: c.session_id,
            started_at: c.started_at,
            ended_at: c.ended_at,
            node: c.node,
            remote_addr: c.remote_addr.addr().to_string(),
            outcome: c.outcome,
            messages: c.messages,
        }
    }
}

/// A session with what was said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionTranscript {
    #[serde(flatten)]
    session: SessionView,
    /// The messages, in order.
    entries: Vec<SessionEntry>,
    /// Messages that were said and are not kept: a long session's last ones.
    omitted: u32,
    /// Why it did not end as it should; null = it did.
    why: Option<String>,
}

/// A message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionEntry {
    /// When.
    at: DateTime<Utc>,
    /// `cpe`, the device, or `acs`, the server.
    from: &'static str,
    /// The method, such as `Inform` or `GetParameterValuesResponse`; `Fault`; `Empty`, a POST
    /// without a message; `Rejected`, a message that was not taken; `End`.
    kind: String,
    /// What it said, by kind; secrets are `********`, long lists and texts are cut.
    summary: Value,
}

impl SessionEntry {
    fn of(line: Line) -> Self {
        let from = match line.from {
            Speaker::Cpe => "cpe",
            Speaker::Acs => "acs",
        };
        Self { at: line.at, from, kind: line.kind, summary: line.summary }
    }
}

/// List a device's sessions
///
/// Newest first; of the last 50 within 30 days. A periodic session in which nothing happened is not
/// among them.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/sessions",
    tag = "devices",
    params(DevicePath, SessionPage),
    responses((status = 200, description = "A page of sessions", body = Page<SessionView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_device_sessions(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    QueryArgs(query): QueryArgs<SessionPage>,
) -> Result<Json<Page<SessionView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let before = query.before.as_deref().map(moment_of).transpose()?;
    let rows = transcripts::list(&app, &ctx, &path.device_id, before, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |s| moment(s.started_at, s.session_id), SessionView::of)))
}

/// Get a session of a device
///
/// What was said in it, message by message.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/sessions/{session_id}",
    tag = "devices",
    params(SessionPath),
    responses((status = 200, description = "The session", body = SessionTranscript), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_device_session(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SessionPath>,
) -> Result<Json<SessionTranscript>, Problem> {
    let (session, body) = transcripts::get(&app, &ctx, &path.device_id, path.session_id).await?;
    let Body { entries, omitted, why } = body;
    let entries = entries.into_iter().map(SessionEntry::of).collect();
    Ok(Json(SessionTranscript { session: SessionView::of(session), entries, omitted, why }))
}
