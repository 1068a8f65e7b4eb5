//! A rollout as a file: each device in a line of a spreadsheet, or the whole of it for programs.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::health::Verdict;
use crate::service::export::csv_of;
use crate::service::rollouts::read::{self, Why};
use crate::service::rollouts::{self as service, View, report};
use crate::store::rollouts::devices::list::ListRow;
use crate::store::rollouts::waves::WaveRow;
use crate::web::failure::Failure;
use crate::web::viewer::Viewer;

/// Columns of the spreadsheet.
const COLUMNS: [&str; 18] = [
    "serial",
    "device_id",
    "identity",
    "product_class",
    "arch",
    "site",
    "wave",
    "state",
    "reason",
    "from_version",
    "to_version",
    "version",
    "bytes",
    "attempts",
    "not_well",
    "started_at",
    "changed_at",
    "finished_at",
];

/// `GET /rollouts/{id}/report.csv`: its devices, those that were left out too.
pub(super) async fn csv(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx().clone();
    let pages = report::devices(app.clone(), ctx, id).await?;
    let head: Result<Vec<u8>, Error> = Ok(csv_of([COLUMNS.map(str::to_owned).to_vec()]));
    let lines = pages.map_ok(|page| csv_of(page.iter().map(line)));
    let body = Body::from_stream(stream::iter([head]).chain(lines));
    Ok((fields(id, "csv", "text/csv; charset=utf-8; header=present"), body).into_response())
}

/// `GET /rollouts/{id}/report.json`: all but its devices.
pub(super) async fn json(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let view = service::get(&app, viewer.ctx(), id).await?;
    let reasons = read::reasons(&app, viewer.ctx(), id).await?;
    let text = format!("{:#}\n", whole(&view, &reasons));
    Ok((fields(id, "json", "application/json"), text).into_response())
}

fn fields(id: Uuid, ending: &str, kind: &str) -> [(axum::http::HeaderName, String); 2] {
    let name = format!("attachment; filename=\"rollout-{id}.{ending}\"");
    [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)]
}

/// In the order of [`COLUMNS`].
fn line(d: &ListRow) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |at: Option<DateTime<Utc>>| {
        at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
    };
    let verdict: Option<Verdict> =
        d.verdict.as_ref().and_then(|verdict| serde_json::from_value(verdict.clone()).ok());
    vec![
        d.serial.clone(),
        d.device_id.to_string(),
        text(&d.identity),
        d.product_class.clone(),
        text(&d.arch),
        text(&d.site),
        d.wave.map(|wave| (wave + 1).to_string()).unwrap_or_default(),
        d.state.clone(),
        text(&d.reason),
        text(&d.from_version),
        text(&d.to_version),
        text(&d.version),
        d.bytes.to_string(),
        d.attempts.to_string(),
        verdict.map(|verdict| verdict.words()).unwrap_or_default(),
        time(d.started_at),
        time(d.changed_at),
        time(d.finished_at),
    ]
}

fn whole(view: &View, reasons: &[Why]) -> Value {
    let row = &view.row;
    let wave = |w: &WaveRow| {
        json!({
            "name": w.name, "total": w.total, "waiting": w.waiting, "active": w.active,
            "verifying": w.verifying, "healthy": w.healthy, "failed": w.failed,
            "timed_out": w.timed_out, "skipped": w.skipped, "started_at": w.started_at,
            "ended_at": w.ended_at, "approved_by": w.approved_by, "verdict": w.verdict,
        })
    };
    json!({
        "rollout_id": row.rollout_id, "name": row.name, "description": row.description,
        "change": view.change, "audience": view.audience, "plan": view.plan,
        "state": view.state, "reason": row.reason, "state_at": row.state_at,
        "created_by": row.created_by, "created_at": row.created_at,
        "started_by": row.started_by, "started_at": row.started_at,
        "approved_by": row.approved_by, "finished_at": row.finished_at,
        "waves": view.waves.iter().map(wave).collect::<Vec<_>>(), "reasons": reasons,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::devices::sample;
    use super::*;
    use crate::rollout::state::{DeviceState, State as Stage};

    #[test]
    fn a_device_is_a_line_with_all_columns() {
        let mut device = sample(DeviceState::Failed);
        device.identity = Some("=1+1".to_owned());
        assert_eq!(line(&device).len(), COLUMNS.len());
        let text = String::from_utf8(csv_of([line(&device)])).unwrap();
        assert!(text.contains(",'=1+1,") && text.contains(",2,failed,"), "{text}");
        assert!(
            text.contains(",6.49.10,7.16.1,7.12.1,1,1,<x-evil>,1970-01-01T00:00:00Z,,"),
            "{text}"
        );
    }

    #[test]
    fn the_whole_has_its_waves_and_why_devices_are_not_well() {
        let why = Why { state: "failed".to_owned(), reason: "it is dark".to_owned(), devices: 3 };
        let whole = whole(&service::offer::tests::view(Stage::Paused), &[why]);
        assert_eq!((&whole["state"], &whole["waves"][1]["failed"]), (&json!("paused"), &json!(1)));
        assert_eq!(whole["reasons"][0]["reason"], "it is dark");
        assert_eq!(whole["change"]["version"], "7.16.1");
    }
}
