//! A batch: what became of the boards of claims.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::extract::QueryArgs;
use crate::api::page::{Limit, Page};
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::bench as service;
use crate::store::bench::{BatchFilter, BatchRow};

/// Which claims make a batch.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BatchQuery {
    /// Those for this site and those in it.
    site: Option<String>,
    /// Those of this customer.
    customer: Option<String>,
    /// These: ids with commas between, at most 1000.
    claims: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// A claim, and what became of its board.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchRowView {
    /// Which.
    claim_id: Uuid,
    /// Of the device that is expected.
    serial: Option<String>,
    /// Of its board; null = no bench can know it.
    mac: Option<String>,
    /// What it is said to be.
    model: Option<String>,
    /// Path of the site where it comes to stand.
    site: Option<String>,
    /// The customer's number.
    customer: Option<String>,
    /// What the board became.
    device_id: Option<Uuid>,
    /// Of the board; null = no bench has seen it.
    state: Option<String>,
    /// Why it is refused or failed: a code.
    reason: Option<String>,
    /// The same in words.
    words: Option<String>,
    /// What it was given.
    template: Option<String>,
    /// Bytes of that.
    size: Option<i32>,
    /// When it had all of it.
    delivered_at: Option<DateTime<Utc>>,
    /// When its device informed after that.
    confirmed_at: Option<DateTime<Utc>>,
}

impl BatchRowView {
    fn of(row: BatchRow) -> Self {
        Self {
            claim_id: row.claim_id,
            serial: row.serial,
            mac: row.mac,
            model: row.model,
            site: row.site,
            customer: row.customer,
            device_id: row.device_id,
            state: row.state,
            reason: row.reason,
            words: row.words,
            template: row.template,
            size: row.size,
            delivered_at: row.delivered_at,
            confirmed_at: row.confirmed_at,
        }
    }
}

/// So many boards were refused or failed for one reason.
#[derive(Debug, Serialize, ToSchema)]
struct BatchReason {
    /// A code.
    reason: String,
    /// How many.
    count: i64,
}

/// How far a batch is, and its claims. Each is counted in one of `no_mac` to `confirmed`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchView {
    /// Claims.
    claimed: i64,
    /// Those that name a serial number alone: no bench can know their boards.
    no_mac: i64,
    /// Those whose board no bench has seen.
    not_seen: i64,
    /// Those whose board was seen, and has got nothing yet.
    under_way: i64,
    /// Those whose board was refused.
    refused: i64,
    /// Those whose board did not get what it was to.
    failed: i64,
    /// Those whose board had all of it.
    delivered: i64,
    /// Those whose device has informed since.
    confirmed: i64,
    /// Why boards were refused or failed, the most frequent first.
    reasons: Vec<BatchReason>,
    /// The claims, in the order in which they were made.
    items: Vec<BatchRowView>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// See what became of a batch
///
/// The claims for a site, of a customer, or a few, each with its board; all that the caller sees when
/// nothing is said.
#[utoipa::path(
    get,
    path = "/api/v1/bench/batch",
    tag = "bench",
    params(BatchQuery),
    responses((status = 200, description = "The batch", body = BatchView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_batch(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<BatchQuery>,
) -> Result<Json<BatchView>, Problem> {
    let limit = Limit::new(query.limit)?;
    let claims = query.claims.as_deref().map(ids).transpose()?;
    let filter = BatchFilter { site: query.site, customer: query.customer, claims };
    let sum = service::batch_summary(&app, &ctx, &filter).await?;
    let rows = service::batch(&app, &ctx, &filter, query.after, limit.rows()).await?;
    let page = Page::of(rows, limit, |row| row.claim_id.to_string(), BatchRowView::of);
    let reasons = sum.reasons.into_iter();
    Ok(Json(BatchView {
        claimed: sum.claimed,
        no_mac: sum.no_mac,
        not_seen: sum.not_seen,
        under_way: sum.under_way,
        refused: sum.refused,
        failed: sum.failed,
        delivered: sum.delivered,
        confirmed: sum.confirmed,
        reasons: reasons.map(|r| BatchReason { reason: r.reason, count: r.count }).collect(),
        items: page.items,
        next: page.next,
    }))
}

fn ids(text: &str) -> Result<Vec<Uuid>, Error> {
    let id = |text: &str| {
        let none = |_| Error::invalid("", "claims: ids of claims with commas between");
        Uuid::try_parse(text.trim()).map_err(none)
    };
    text.split(',').map(id).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn claims_are_named_by_their_ids() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(ids(&format!("{one}, {other}")).unwrap(), [one, other]);
        assert!(ids("").is_err() && ids("8A0C").is_err());
    }
}
