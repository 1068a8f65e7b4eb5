//! What became of a rollout: the whole in one answer, or each device in a row of a file.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::export::Format;
use super::super::extract::{PathArgs, QueryArgs};
use super::super::problem::Problem;
use super::RolloutPath;
use super::devices::RolloutDeviceView;
use super::view::{RolloutView, Totals};
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::export::csv_of;
use crate::service::rollouts::read::{self, Why};
use crate::service::rollouts::{self as service, View, report};
use crate::store::rollouts::devices::list::ListRow;

/// Columns of a spreadsheet.
const COLUMNS: [&str; 19] = [
    "serial",
    "device_id",
    "identity",
    "product_class",
    "arch",
    "site",
    "wave",
    "state",
    "reason",
    "fault_class",
    "from_version",
    "to_version",
    "version",
    "steps",
    "attempts",
    "bytes",
    "started_at",
    "changed_at",
    "finished_at",
];

/// What became of a rollout.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReportView {
    /// The rollout with its waves, and what their gates saw.
    rollout: RolloutView,
    /// How many devices are where.
    totals: Totals,
    /// From its beginning to its end, or to now, in seconds; null = it has not begun.
    seconds: Option<i64>,
    /// Why devices failed, did not come in time or were left out, the most frequent reason first; 50 at
    /// most.
    reasons: Vec<Why>,
}

impl ReportView {
    fn of(view: View, reasons: Vec<Why>, now: DateTime<Utc>) -> Self {
        let end = view.row.finished_at.unwrap_or(now);
        let seconds = view.row.started_at.map(|from| (end - from).num_seconds().max(0));
        let totals = Totals::of(&view.waves);
        Self { rollout: RolloutView::of(view), totals, seconds, reasons }
    }
}

/// The form of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// `csv` or `ndjson` for each device; otherwise as `Accept` says.
    #[param(inline)]
    format: Option<Format>,
}

/// Report on a rollout
///
/// At any time, also while it runs. As JSON the whole: waves, totals, reasons. As CSV or NDJSON each of
/// its devices, those that were left out too; cut after 15 minutes.
#[utoipa::path(
    get,
    path = "/api/v1/rollouts/{rollout_id}/report",
    tag = "rollouts",
    params(RolloutPath, ReportQuery),
    responses(
        (
            status = 200,
            description = "The report",
            content(
                (ReportView = "application/json"),
                (String = "text/csv"),
                (String = "application/x-ndjson")
            )
        ),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_rollout_report(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    QueryArgs(query): QueryArgs<ReportQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = path.rollout_id;
    let (media_type, ending, head, write): (_, _, Vec<u8>, Writer) =
        match Format::of(query.format, &headers) {
            Format::Json => {
                let view = service::get(&app, &ctx, id).await?;
                let reasons = read::reasons(&app, &ctx, id).await?;
                return Ok(Json(ReportView::of(view, reasons, ctx.now)).into_response());
            }
            Format::Csv => {
                let head = csv_of([COLUMNS.map(str::to_owned).to_vec()]);
                ("text/csv; charset=utf-8; header=present", "csv", head, csv_page)
            }
            Format::Ndjson => ("application/x-ndjson", "ndjson", Vec::new(), ndjson_page),
        };
    let pages = report::devices(app, ctx, id).await?;
    let lines = pages.and_then(move |page| async move { write(page) });
    let body = stream::iter([Ok(head)]).chain(lines);
    let name = format!("attachment; filename=\"rollout-{id}.{ending}\"");
    let fields =
        [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((fields, Body::from_stream(body)).into_response())
}

/// Writes a page of devices.
type Writer = fn(Vec<ListRow>) -> Result<Vec<u8>, Error>;

fn csv_page(page: Vec<ListRow>) -> Result<Vec<u8>, Error> {
    Ok(csv_of(page.into_iter().map(|row| record(RolloutDeviceView::of(row)))))
}

fn ndjson_page(page: Vec<ListRow>) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    for row in page {
        serde_json::to_writer(&mut lines, &RolloutDeviceView::of(row))
            .map_err(|e| Error::Internal(format!("a device cannot be written: {e}")))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// In the order of [`COLUMNS`].
fn record(d: RolloutDeviceView) -> Vec<String> {
    let text = |text: Option<String>| text.unwrap_or_default();
    let time = |at: Option<DateTime<Utc>>| {
        at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
    };
    vec![
        d.serial,
        d.device_id.to_string(),
        text(d.identity),
        d.product_class,
        text(d.arch),
        text(d.site),
        d.wave.map(|wave| wave.to_string()).unwrap_or_default(),
        d.state,
        text(d.reason),
        text(d.fault_class),
        text(d.from_version),
        text(d.to_version),
        text(d.version),
        d.steps.join("; "),
        d.attempts.to_string(),
        d.bytes.to_string(),
        time(d.started_at),
        time(d.changed_at),
        time(d.finished_at),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::Value;

    use super::super::devices::tests::row;
    use super::*;

    #[test]
    fn a_device_is_a_row_with_all_columns() {
        assert_eq!(record(RolloutDeviceView::of(row(1))).len(), COLUMNS.len());
        let csv = String::from_utf8(csv_page(vec![row(1), row(2)]).unwrap()).unwrap();
        assert_eq!(csv.lines().count(), 2);
        for part in [
            "HAP0001,",
            ",'=1+1,\"hAP, ac²\",arm,eu.lv,1,failed,came back on 7.12.1 instead of 7.16.1,retry,",
            ",2,12345,1970-01-01T00:00:00Z,,1970-01-01T00:00:00Z",
        ] {
            assert!(csv.contains(part), "{part} is missing in {csv}");
        }
    }

    #[test]
    fn programs_get_what_the_list_shows() {
        let lines = String::from_utf8(ndjson_page(vec![row(1), row(2)]).unwrap()).unwrap();
        let shown = serde_json::to_value(RolloutDeviceView::of(row(2))).unwrap();
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!((lines.lines().count(), last), (2, shown));
    }
}
