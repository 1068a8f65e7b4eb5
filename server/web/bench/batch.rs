//! A batch: the claims for a site or of a customer, and what became of their boards.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::words::{self, NAMELESS, Standing, UNSEEN};
use super::{BATCH, LABELS, PAGE, Tab, board_path, said, tabs};
use crate::ctx::Shared;
use crate::error::Error;
use crate::service::bench::{self as service, Reason, Summary};
use crate::service::export::csv_of;
use crate::store::bench::{BatchFilter, BatchRow};
use crate::web::chart::{Share, share_bar};
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::{When, grouped};
use crate::web::manage::{address, answer, cut, or_complaint, row_id, site_paths, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Lines of a file that are read at once.
const CSV_PAGE: i64 = 1_000;
/// Columns of the file.
const COLUMNS: [&str; 14] = [
    "claim_id",
    "serial",
    "mac",
    "model",
    "site",
    "customer",
    "state",
    "reason",
    "words",
    "template",
    "size",
    "delivered_at",
    "confirmed_at",
    "device_id",
];

/// Which claims, and from which one on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BatchQuery {
    site: String,
    customer: String,
    /// Ids with commas between: for whoever has chosen some.
    claims: String,
    after: String,
}

impl BatchQuery {
    /// # Errors
    /// [`Error::Invalid`] for a claim that is none.
    pub(super) fn filter(&self) -> Result<BatchFilter, Error> {
        let none = |_| Error::invalid("", "A claim is named by its id.");
        let ids = self.claims.split(',').filter_map(said).map(|id| Uuid::try_parse(&id));
        let ids: Vec<Uuid> = ids.collect::<Result<_, _>>().map_err(none)?;
        Ok(BatchFilter {
            site: said(&self.site),
            customer: said(&self.customer),
            claims: Some(ids).filter(|ids| !ids.is_empty()),
        })
    }

    pub(super) fn filtered(&self) -> bool {
        [&self.site, &self.customer, &self.claims].into_iter().any(|text| said(text).is_some())
    }

    /// The claim after which a page begins; `None` = the first page.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub(super) fn place(&self) -> Result<Option<Uuid>, Error> {
        row_id(&self.after)
    }

    /// The same claims by another path, from one on.
    pub(super) fn at(&self, path: &str, after: &str) -> String {
        let (site, customer) = (self.site.trim(), self.customer.trim());
        let claims = self.claims.trim();
        let fields = [("site", site), ("customer", customer), ("claims", claims), ("after", after)];
        address(path, &fields)
    }
}

#[derive(Serialize)]
struct BatchPage {
    shell: Shell,
    tabs: Vec<Tab>,
    filter: BatchQuery,
    filtered: bool,
    sites: Vec<String>,
    /// What is wrong with the filter; empty = nothing.
    complaint: String,
    far: Far,
    rows: Vec<Row>,
    here: String,
    labels: String,
    export: String,
    first: String,
    next: String,
}

/// How far a batch is.
#[derive(Serialize)]
struct Far {
    /// `Of 40 claimed: 37 delivered, 2 confirmed, 1 refused.`; empty = there is no claim.
    words: String,
    /// SVG.
    svg: String,
    key: Vec<KeyItem>,
    reasons: Vec<Why>,
    /// That some claims name no board; empty = none does.
    nameless: String,
}

/// A part of the bar, for `ui.key`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct KeyItem {
    label: &'static str,
    href: String,
    count: String,
    tone: &'static str,
}

/// Why so many were refused or failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Why {
    count: String,
    words: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    mac: String,
    /// The page of its board; empty = no bench has seen it.
    board: String,
    state: Standing,
    why: String,
    given: String,
    delivered: Option<When>,
    confirmed: Option<When>,
    device: String,
    site: String,
    customer: String,
}

/// `GET /bench/batch`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<BatchQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = query.place()?;
    let read = async {
        let filter = query.filter()?;
        let summary = service::batch_summary(&app, ctx, &filter).await?;
        let rows = service::batch(&app, ctx, &filter, after, with_one_more(PAGE)).await?;
        Ok::<_, Error>((summary, rows))
    };
    let ((summary, found), complaint) = or_complaint(read.await)?;
    let (rows, more) = cut(found, PAGE);
    let last = rows.last().filter(|_| more).map(|row| row.claim_id.to_string());
    let page = BatchPage {
        shell: Shell::new(&viewer, &app.config, "Batch", Section::Bench),
        tabs: tabs(BATCH),
        filtered: query.filtered(),
        sites: site_paths(&app, ctx).await?,
        complaint,
        far: far(&summary),
        rows: rows.iter().map(|found| row(found, ctx.now)).collect(),
        here: query.at(BATCH, &query.after),
        labels: query.at(LABELS, ""),
        export: query.at("/bench/batch.csv", ""),
        first: after.map(|_| query.at(BATCH, "")).unwrap_or_default(),
        next: last.map(|id| query.at(BATCH, &id)).unwrap_or_default(),
        filter: query,
    };
    answer(View::BenchBatch, &page, &Complaints::default())
}

/// The parts of a batch that there are: what they are called, their colours, and how many.
fn parts(summary: &Summary) -> Vec<(&'static str, &'static str, i64)> {
    let all = [
        ("confirmed", "ok", summary.confirmed),
        ("delivered", "a2", summary.delivered),
        ("under way", "a1", summary.under_way),
        ("refused", "bad", summary.refused),
        ("failed", "warn", summary.failed),
        ("not seen", "idle", summary.not_seen),
        ("without a MAC address", "none", summary.no_mac),
    ];
    all.into_iter().filter(|(.., count)| *count > 0).collect()
}

fn far(summary: &Summary) -> Far {
    let parts = parts(summary);
    let said: Vec<String> =
        parts.iter().map(|(label, _, count)| format!("{} {label}", grouped(*count))).collect();
    let words = format!("Of {} claimed: {}.", grouped(summary.claimed), said.join(", "));
    let shares: Vec<Share<'_>> =
        parts.iter().map(|&(label, tone, count)| Share { label, count, tone }).collect();
    let key = parts.iter().filter(|(_, tone, _)| *tone != "none");
    let nameless = match summary.no_mac {
        0 => String::new(),
        count => format!(
            "Claims by serial number alone: {}. Such a claim names no board on the wire: put its MAC \
             address into the claim.",
            grouped(count)
        ),
    };
    let why = |Reason { reason, count }: &Reason| Why {
        count: grouped(*count),
        words: words::reason(reason),
    };
    Far {
        svg: match shares.is_empty() {
            true => String::new(),
            false => share_bar(&shares, &words),
        },
        words: if summary.claimed == 0 { String::new() } else { words },
        key: key
            .map(|&(label, tone, count)| KeyItem {
                label,
                href: String::new(),
                count: grouped(count),
                tone,
            })
            .collect(),
        reasons: summary.reasons.iter().map(why).collect(),
        nameless,
    }
}

/// What people call the device of a claim: its serial number, or else its MAC address.
pub(super) fn name(row: &BatchRow) -> String {
    row.serial.clone().or_else(|| row.mac.clone()).unwrap_or_default()
}

fn row(row: &BatchRow, now: DateTime<Utc>) -> Row {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let seen = row.mac.as_deref().filter(|_| row.state.is_some());
    let unseen = if row.mac.is_some() { UNSEEN } else { NAMELESS };
    Row {
        href: format!("/claims/{}", row.claim_id),
        name: name(row),
        mac: text(&row.mac),
        board: seen.map(board_path).unwrap_or_default(),
        state: row.state.as_deref().map_or(unseen, words::standing),
        why: text(&row.words),
        given: text(&row.template),
        delivered: row.delivered_at.map(|at| When::new(at, now)),
        confirmed: row.confirmed_at.map(|at| When::new(at, now)),
        device: row.device_id.map(|id| format!("/devices/{id}")).unwrap_or_default(),
        site: text(&row.site),
        customer: text(&row.customer),
    }
}

/// `GET /bench/batch.csv`: all that the list finds.
pub(super) async fn csv(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<BatchQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx().clone();
    let filter = query.filter()?;
    let name = format!("batch-{}.csv", ctx.now.format("%Y-%m-%d"));
    // The first lines before anything is sent: what is wrong is told as a page.
    let begin = service::batch(&app, &ctx, &filter, None, CSV_PAGE).await?;
    let head: Result<Vec<u8>, Error> = Ok(csv_of([COLUMNS.map(str::to_owned).to_vec()]));
    let lines = stream::try_unfold(Some(begin), move |rows| {
        let (app, ctx, filter) = (app.clone(), ctx.clone(), filter.clone());
        async move {
            let Some(rows) = rows else { return Ok::<_, Error>(None) };
            let full = i64::try_from(rows.len()).is_ok_and(|count| count >= CSV_PAGE);
            let next = match rows.last().filter(|_| full) {
                Some(last) => {
                    let after = Some(last.claim_id);
                    Some(service::batch(&app, &ctx, &filter, after, CSV_PAGE).await?)
                }
                None => None,
            };
            Ok(Some((csv_of(rows.iter().map(line)), next)))
        }
    });
    let fields = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((fields, Body::from_stream(stream::iter([head]).chain(lines))).into_response())
}

/// In the order of [`COLUMNS`].
fn line(row: &BatchRow) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |at: Option<DateTime<Utc>>| {
        at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
    };
    vec![
        row.claim_id.to_string(),
        text(&row.serial),
        text(&row.mac),
        text(&row.model),
        text(&row.site),
        text(&row.customer),
        text(&row.state),
        text(&row.reason),
        text(&row.words),
        text(&row.template),
        row.size.map(|size| size.to_string()).unwrap_or_default(),
        time(row.delivered_at),
        time(row.confirmed_at),
        row.device_id.map(|id| id.to_string()).unwrap_or_default(),
    ]
}

/// A claim of a batch with hostile words, whose board is in a state or was not seen.
#[cfg(test)]
pub(super) fn sample_row(state: Option<&str>) -> BatchRow {
    let evil = || Some("<x-evil>".to_owned());
    let at = state.map(|_| DateTime::UNIX_EPOCH);
    BatchRow {
        claim_id: Uuid::from_u128(8),
        serial: evil(),
        mac: evil(),
        model: evil(),
        site: evil(),
        customer: evil(),
        device_id: state.map(|_| Uuid::from_u128(9)),
        state: state.map(str::to_owned),
        reason: evil(),
        words: evil(),
        template: evil(),
        size: Some(3_412),
        delivered_at: at,
        confirmed_at: at,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |summary: &Summary, rows: &[BatchRow], filter: BatchQuery, complaint: String| {
        let page = BatchPage {
            shell: Shell::sample(),
            tabs: tabs(BATCH),
            filtered: filter.filtered(),
            sites: vec![evil()],
            complaint,
            far: far(summary),
            rows: rows.iter().map(|found| row(found, DateTime::UNIX_EPOCH)).collect(),
            here: filter.at(BATCH, ""),
            labels: filter.at(LABELS, ""),
            export: filter.at("/bench/batch.csv", ""),
            first: filter.after.clone(),
            next: String::new(),
            filter,
        };
        sample(View::BenchBatch, &page)
    };
    let filter = || BatchQuery { site: evil(), customer: evil(), ..BatchQuery::default() };
    let rows = [sample_row(Some("confirmed")), sample_row(Some("refused")), sample_row(None)];
    let some = tests::summary();
    let none = Summary::default();
    vec![
        page(&some, &rows, filter(), String::new()),
        page(&none, &[], BatchQuery::default(), String::new()),
        page(&none, &[], filter(), evil()),
        page(&none, &[], filter(), String::new()),
        page(&some, &[], BatchQuery { after: BATCH.to_owned(), ..filter() }, String::new()),
    ]
}

#[cfg(test)]
mod tests;
