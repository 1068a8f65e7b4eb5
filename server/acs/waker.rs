//! Sends connection requests: de-duplicated, paced, with back-off, and the reason of a failure kept
//! where an operator sees it.
//!
//! A reconciler: reads the table, begins a bounded batch, writes what came of each. It never waits
//! for one device before it calls the next. Success is the
//! device's session, not its 200 (K4): the session deletes the row.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::wake_client::{WakeError, WakePolicy, WakeTarget, connection_request};
use crate::clock;
use crate::ctx::Shared;
use crate::error::Error;
use crate::store::connection_requests::{self as store, Due};

/// Requests under way at once: silent devices each hold a place for the whole timeout.
const CONCURRENT: usize = 1_000;
/// Rows taken by one statement.
const BATCH: usize = 64;
/// Longest sleep when nothing rings: another node's rows are found this late.
const PATROL: Duration = Duration::from_secs(1);
/// Attempts after which only the device's own next inform is waited for.
const MAX_ATTEMPTS: i32 = 6;

/// Runs until the token is cancelled.
pub async fn run(app: Shared, stop: CancellationToken) {
    let policy = Arc::new(policy(&app));
    let mut sending = JoinSet::new();
    // Requests that may still begin in this second.
    let mut allowance = app.config.wake.per_second;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        let more = match pass(&app, &policy, &mut sending, &mut allowance).await {
            Ok(more) => more,
            Err(e) => {
                tracing::error!("connection requests are not sent: {}", e.private());
                false
            }
        };
        if more {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.wake_hint.notified() => {}
            _ = second.tick() => allowance = app.config.wake.per_second,
            Some(done) = sending.join_next() => ended(done),
            () = tokio::time::sleep(PATROL) => {}
        }
        while let Some(done) = sending.try_join_next() {
            ended(done);
        }
    }
}

fn ended(done: Result<Result<(), Error>, tokio::task::JoinError>) {
    if let Ok(Err(e)) = done {
        tracing::error!("what came of a connection request was not stored: {}", e.private());
    }
}

fn policy(app: &Shared) -> WakePolicy {
    let wake = &app.config.wake;
    WakePolicy {
        timeout: Duration::from_secs(wake.timeout_seconds),
        allow_basic: wake.allow_basic,
        forbidden: wake.forbidden_networks.clone(),
        allowed: wake.allowed_networks.clone(),
    }
}

/// Begins what may begin now, and waits for none of it; true = there may be more.
async fn pass(
    app: &Shared,
    policy: &Arc<WakePolicy>,
    sending: &mut JoinSet<Result<(), Error>>,
    allowance: &mut u32,
) -> Result<bool, Error> {
    let places = CONCURRENT.saturating_sub(sending.len()).min(BATCH);
    let limit = i64::from(*allowance).min(i64::try_from(places).unwrap_or(0));
    if limit == 0 {
        return Ok(false);
    }
    let lease = policy.timeout.as_secs_f64() + 10.0;
    let gap = app.config.wake.minimum_gap_seconds as f64;
    let due = store::take_due(&app.pool, limit, lease, gap, clock::now()).await?;
    let full = due.len() as i64 >= limit;
    *allowance = allowance.saturating_sub(u32::try_from(due.len()).unwrap_or(u32::MAX));
    for row in due {
        sending.spawn(one(app.clone(), policy.clone(), row));
    }
    Ok(full)
}

async fn one(app: Shared, policy: Arc<WakePolicy>, due: Due) -> Result<(), Error> {
    let result = match target(&app, &due)? {
        Ok(target) => connection_request(&target, &policy).await.map_err(|e| reason(&e)),
        Err(why) => Err(why),
    };
    let now = clock::now();
    let gap = i64::try_from(app.config.wake.minimum_gap_seconds).unwrap_or(30);
    match result {
        // K1: no session within the gap, and it is asked again.
        Ok(()) if due.attempts < MAX_ATTEMPTS => {
            metrics::counter!("muster_connection_requests_total", "result" => "sent").increment(1);
            store::sent(&app.pool, &due, now + TimeDelta::seconds(gap), now).await?;
        }
        Ok(()) => {
            let why = "the device takes connection requests but opens no session";
            store::failed(&app.pool, &due, why, now + TimeDelta::days(365)).await?;
        }
        Err(why) => {
            metrics::counter!("muster_connection_requests_total", "result" => "failed")
                .increment(1);
            tracing::info!(device.id = %due.device_id, "connection request failed: {why}");
            let again = match due.attempts {
                // Behind NAT it stays so: its own next inform is what helps.
                n if n >= MAX_ATTEMPTS => TimeDelta::days(365),
                n => TimeDelta::seconds(gap << n.clamp(0, 6)),
            };
            store::failed(&app.pool, &due, &why, now + again).await?;
        }
    }
    Ok(())
}

fn target(app: &Shared, due: &Due) -> Result<Result<WakeTarget, String>, Error> {
    let Some(url) = due.url.as_ref().filter(|u| !u.is_empty()) else {
        return Ok(Err("the device gave no connection request URL".to_owned()));
    };
    let (Some(username), Some(sealed)) = (&due.username, &due.sealed) else {
        return Ok(Err("the device has no connection request credentials yet".to_owned()));
    };
    let password = app.keys.open(sealed, &due.device_id.to_string())?;
    Ok(Ok(WakeTarget { url: url.clone(), username: username.clone(), password }))
}

fn reason(error: &WakeError) -> String {
    error.to_string()
}
