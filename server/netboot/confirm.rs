//! Whether boards that had their delivery have come: a delivery is proven by the first inform of the
//! device that the board became, and by nothing before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::record::Detail;
use crate::clock;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::store::bench::{self, Confirmable, LogRow};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Each so many looks the devices that began anew are looked through, and their addresses read, which
/// takes longer.
const BY_ADDRESS_EACH: u64 = 5;
/// Boards that are noted at once.
const LIMIT: i64 = 500;

/// Looks until the token is cancelled; on every node, as the one with the bench may be gone.
pub async fn run(app: Shared, stop: CancellationToken) {
    let mut looks: u64 = 0;
    while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
        looks += 1;
        let by_address = looks.is_multiple_of(BY_ADDRESS_EACH);
        if let Err(e) = pass(&app, by_address, clock::now()).await {
            tracing::error!("which boards have come was not looked up: {}", e.private());
        }
    }
}

/// Notes the boards whose device has informed since they had their delivery; gives how many. A device is
/// known by the claim that it took, or `by_address`, too.
///
/// # Errors
/// [`Error::Database`].
pub async fn pass(app: &App, by_address: bool, now: DateTime<Utc>) -> Result<usize, Error> {
    let mut confirmed = 0;
    for come in bench::confirmable(&app.pool, by_address, now, LIMIT).await? {
        let mut tx = app.pool.begin().await?;
        if bench::confirm(&mut tx, &come.mac, come.device_id, now).await? {
            bench::append_log(&mut tx, &entry(&come, now)).await?;
            tx.commit().await?;
            metrics::counter!("muster_bench_boards_total", "state" => "confirmed").increment(1);
            confirmed += 1;
        }
    }
    Ok(confirmed)
}

fn entry(come: &Confirmable, now: DateTime<Utc>) -> LogRow {
    let detail = Detail { device_id: Some(come.device_id), ..Detail::default() };
    LogRow {
        log_id: Uuid::now_v7(),
        mac: come.mac.clone(),
        bench_id: come.bench_id,
        at: now,
        state: "confirmed".to_owned(),
        words: Some("its device has informed".to_owned()),
        detail: json!(detail),
    }
}
