//! Sends connection requests: de-duplicated, paced, with back-off, and the reason of a failure kept
//! where an operator sees it.
//!
//! A reconciler: reads the table, sends one bounded batch, writes what came of it. Success is the
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

/// Requests under way at once.
const CONCURRENT: i64 = 64;
/// Longest sleep when nothing rings: another node's rows are found this late.
const PATROL: Duration = Duration::from_secs(1);
/// Attempts after which only the device's own next inform is waited for.
const MAX_ATTEMPTS: i32 = 6;

/// Runs until the token is cancelled.
pub async fn run(app: Shared, stop: CancellationToken) {
    let policy = Arc::new(policy(&app));
    loop {
        let more = match pass(&app, &policy).await {
            Ok(more) => more,
            Err(e) => {
                tracing::error!("connection requests are not sent: {}", e.private());
                false
            }
        };
        if more && !stop.is_cancelled() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.wake_hint.notified() => {}
            () = tokio::time::sleep(PATROL) => {}
        }
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

/// One batch; true = there were as many as fit, so there may be more.
async fn pass(app: &Shared, policy: &Arc<WakePolicy>) -> Result<bool, Error> {
    let started = tokio::time::Instant::now();
    let limit = CONCURRENT.min(i64::from(app.config.wake.per_second));
    let lease = policy.timeout.as_secs_f64() + 10.0;
    let due = store::take_due(&app.pool, limit, lease, clock::now()).await?;
    let full = due.len() as i64 >= limit;
    let count = due.len();
    let mut tasks = JoinSet::new();
    for row in due {
        tasks.spawn(one(app.clone(), policy.clone(), row));
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok(Err(e)) = done {
            tracing::error!("what came of a connection request was not stored: {}", e.private());
        }
    }
    if full {
        // The rate holds over all devices: a batch may not end sooner than its share of a second.
        let share = Duration::from_secs_f64(count as f64 / f64::from(app.config.wake.per_second));
        tokio::time::sleep_until(started + share).await;
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
