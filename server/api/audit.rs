//! The audit log: a page of it, or all of it as a file.

use std::net::IpAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::export::Format;
use super::extract::QueryArgs;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::audit;
use crate::store::audit::{Entry, Filter};

/// Who changed what.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryView {
    /// Which.
    audit_id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// user, token, console, muster or nobody.
    actor_kind: String,
    /// Id of the user or the token.
    actor_id: Option<Uuid>,
    /// Their name at that time.
    actor: String,
    /// From where.
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// What was done, such as `site.change`.
    action: String,
    /// To what kind of thing.
    object_kind: String,
    /// Which one.
    object_id: String,
    /// Its name at that time.
    object_name: String,
    /// Its state before, without secrets; null = there was none.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// Its state after, without secrets; null = there is none.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

impl EntryView {
    fn of(e: Entry) -> Self {
        Self {
            audit_id: e.audit_id,
            at: e.at,
            actor_kind: e.actor_kind,
            actor_id: e.actor_id,
            actor: e.actor,
            address: e.address.map(|net| net.addr()),
            action: e.action,
            object_kind: e.object_kind,
            object_id: e.object_id,
            object_name: e.object_name,
            before: e.before,
            after: e.after,
        }
    }
}

/// What of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Name of who did it.
    actor: Option<String>,
    /// The action, or its beginning: `site.` is all of sites.
    action: Option<String>,
    /// The kind of thing.
    object_kind: Option<String>,
    /// Id of the thing.
    object_id: Option<String>,
    /// Text in the thing's name or its state, in whatever case. Without `since` it is looked for in
    /// the 90 days before now, or before `until` where that is earlier.
    text: Option<String>,
    /// At or after this time.
    since: Option<DateTime<Utc>>,
    /// Before this time.
    until: Option<DateTime<Utc>>,
    /// `csv` or `ndjson` for the whole log in one answer; otherwise as `Accept` says.
    #[param(inline)]
    format: Option<Format>,
    /// Rows on a page, 1 to 1000; 100 when absent. Of no effect on `csv` and `ndjson`.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before. Of no effect on `csv` and `ndjson`.
    before: Option<Uuid>,
}

/// Read the audit log
///
/// Newest first: a page as JSON, or all of it as CSV or NDJSON, cut after 15 minutes.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    params(AuditQuery),
    responses(
        (
            status = 200,
            description = "The entries",
            content(
                (Page<EntryView> = "application/json"),
                (String = "text/csv"),
                (String = "application/x-ndjson")
            )
        ),
        Problem
    ),
    security(("token" = ["audit"]))
)]
pub(super) async fn list_audit(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<AuditQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = Filter {
        actor: query.actor,
        action: query.action,
        object_kind: query.object_kind,
        object_id: query.object_id,
        text: query.text,
        since: query.since,
        until: query.until,
    };
    let (format, media_type, name) = match Format::of(query.format, &headers) {
        Format::Json => {
            let limit = Limit::new(query.limit)?;
            let rows = audit::list(&app, &ctx, &filter, query.before, limit.rows()).await?;
            let cursor = |e: &Entry| e.audit_id.to_string();
            return Ok(Json(Page::of(rows, limit, cursor, EntryView::of)).into_response());
        }
        Format::Csv => (audit::Format::Csv, "text/csv; charset=utf-8; header=present", "audit.csv"),
        Format::Ndjson => (audit::Format::Ndjson, "application/x-ndjson", "audit.ndjson"),
    };
    let pieces = audit::export(app, ctx, filter, format).await?;
    let fields = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((fields, Body::from_stream(pieces)).into_response())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_page_and_an_export_show_the_same() {
        let entry = Entry {
            audit_id: Uuid::from_u128(7),
            at: DateTime::UNIX_EPOCH,
            actor_kind: "user".to_owned(),
            actor_id: Some(Uuid::from_u128(8)),
            actor: "ann".to_owned(),
            address: Some("192.0.2.1/32".parse().unwrap()),
            action: "site.change".to_owned(),
            object_kind: "site".to_owned(),
            object_id: "1".to_owned(),
            object_name: "eu.lv".to_owned(),
            before: None,
            after: Some(Value::from(1)),
        };
        let exported = audit::shown(&entry);
        assert_eq!(serde_json::to_value(EntryView::of(entry)).unwrap(), exported);
    }
}
