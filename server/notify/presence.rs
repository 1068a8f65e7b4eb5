//! Who is not heard of any more, and who is again: an event of each, once.
//!
//! A device is away when it has been silent for so many of its own intervals
//! (`zero_touch.offline_after_informs`) and something more, for devices are late at times. What a
//! device said to nobody, while no Muster was there to hear it, does not count as silence.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock;
use crate::config::Config;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::online::CUSTOMARY_INTERVAL;
use crate::store::absences::{self, Absence, Patience};
use crate::store::{events, nodes};

/// How often a node asks whether it is its turn.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How often one of all nodes looks.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(60);
/// Devices in one transaction.
const BATCH: i64 = 5_000;
/// So much longer than its interval a device may take, of each interval, and seconds beside it.
const LATE_SHARE: f64 = 0.1;
const LATE_SECONDS: f64 = 60.0;
/// Nodes say that they are there more often than this.
const HEARD_OF: TimeDelta = TimeDelta::minutes(1);

/// Looks once a minute until the process stops, on one node of all.
pub async fn run(app: Shared, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_some() {
        let now = clock::now();
        let looked = match absences::turn(&app.pool, LOOK_EVERY, now).await {
            Ok(true) => look(&app, &stop, now).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = looked {
            tracing::error!("it was not looked at who is away: {}", error.private());
        }
    }
}

/// Looks at all devices: first at who is back, so that nobody goes away twice.
async fn look(app: &App, stop: &CancellationToken, now: DateTime<Utc>) -> Result<(), Error> {
    while !stop.is_cancelled() && back(app, now).await? {}
    let Some(listening) = nodes::listening_since(&app.pool, now - HEARD_OF).await? else {
        return Ok(());
    };
    let patience = patience(&app.config, listening);
    let mut after = None;
    while !stop.is_cancelled() {
        after = gone(app, &patience, after, now).await?;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

/// How long devices may be silent.
fn patience(config: &Config, listening: DateTime<Utc>) -> Patience {
    let interval = config.acs.inform_interval_seconds.unwrap_or(CUSTOMARY_INTERVAL);
    let informs = config.zero_touch.offline_after_informs;
    Patience {
        interval: i32::try_from(interval).unwrap_or(i32::MAX),
        intervals: f64::from(informs) * (1.0 + LATE_SHARE),
        seconds: LATE_SECONDS,
        listening,
    }
}

/// Notes a batch of those that are away, with their events; from where to go on, if there may be
/// more.
async fn gone(
    app: &App,
    patience: &Patience,
    after: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, Error> {
    let mut tx = app.pool.begin().await?;
    let gone = absences::note(&mut tx, patience, after, BATCH, now).await?;
    let told: Vec<(Uuid, Value)> = gone
        .iter()
        .map(|absence| {
            let seconds = (now - absence.last_inform).num_seconds();
            let detail = json!({ "silent_since": absence.last_inform, "seconds": seconds });
            (absence.device_id, detail)
        })
        .collect();
    events::append_many(&mut tx, "offline", &told, now).await?;
    tx.commit().await?;
    if !gone.is_empty() {
        tracing::info!(devices = gone.len(), "not heard of any more");
    }
    Ok(if full(&gone) { gone.iter().map(|absence| absence.device_id).max() } else { None })
}

/// Ends a batch of absences, with their events; true = there may be more.
async fn back(app: &App, now: DateTime<Utc>) -> Result<bool, Error> {
    let mut tx = app.pool.begin().await?;
    let back = absences::end(&mut tx, BATCH).await?;
    let told: Vec<(Uuid, Value)> = back
        .iter()
        .map(|absence| {
            let detail = json!({
                "silent_since": absence.last_inform, "noticed_at": absence.noticed_at,
            });
            (absence.device_id, detail)
        })
        .collect();
    events::append_many(&mut tx, "online", &told, now).await?;
    tx.commit().await?;
    if !back.is_empty() {
        tracing::info!(devices = back.len(), "heard of again");
    }
    Ok(full(&back))
}

fn full(batch: &[Absence]) -> bool {
    i64::try_from(batch.len()).is_ok_and(|rows| rows >= BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_may_be_late_by_a_tenth_and_a_minute() {
        let mut config = Config::default();
        config.acs.inform_interval_seconds = None;
        config.zero_touch.offline_after_informs = 3;
        let patience = patience(&config, DateTime::UNIX_EPOCH);
        assert_eq!(patience.interval, 300);
        let seconds = f64::from(patience.interval) * patience.intervals + patience.seconds;
        assert!((seconds - 1_050.0).abs() < 1e-6, "{seconds}");
    }
}
