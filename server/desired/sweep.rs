//! A change of what is wanted, on its way through the fleet: devices in the order of their ids, so many
//! a second as somebody says. Where it is stands in its row: any node goes on with it.

use chrono::{DateTime, TimeDelta, Utc};

use super::reconcile;
use crate::clock;
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::group;
use crate::fleet::online;
use crate::fleet::selector::Expr;
use crate::store::selector;
use crate::store::sweeps::{self, Sweep};

/// Brings each sweep that is under way forward by a second's worth.
pub(super) async fn advance(app: &App) -> Result<(), Error> {
    let now = clock::now();
    for sweep in sweeps::take(&app.pool, now + TimeDelta::minutes(2), now).await? {
        let id = sweep.sweep_id;
        if let Err(error) = go_on(app, sweep, now).await {
            // The others go on; this one is taken up again when its lease ends.
            tracing::error!(sweep.id = %id, "a sweep did not go on: {}", error.private());
        }
    }
    Ok(())
}

async fn go_on(app: &App, mut sweep: Sweep, now: DateTime<Utc>) -> Result<(), Error> {
    let expr = match &sweep.selector {
        None => Expr::All(Vec::new()),
        Some(text) => match group::read(&app.pool, text, "/selector").await {
            Ok(expr) => expr,
            // Its site or group is gone, and with it whoever was meant.
            Err(Error::Invalid { message, .. }) => {
                tracing::warn!(sweep.id = %sweep.sweep_id, "a sweep ends: {message}");
                sweeps::advance(&app.pool, &sweep, true, now, now).await?;
                return Ok(());
            }
            Err(error) => return Err(error),
        },
    };
    let limit = i64::from(sweep.per_second.max(1));
    let since = online::since(&app.config, now);
    let ids = selector::ids(&app.pool, &expr, sweep.cursor, limit, now, since).await?;
    let differing = reconcile::compare(app, &ids, true).await?;
    sweep.seen += i64::try_from(ids.len()).unwrap_or(0);
    sweep.differing += i64::try_from(differing).unwrap_or(0);
    sweep.cursor = ids.last().copied().or(sweep.cursor);
    let is_done = (ids.len() as i64) < limit;
    // A second's worth a second, also where another node has less to do.
    let next = now + TimeDelta::milliseconds(950);
    sweeps::advance(&app.pool, &sweep, is_done, next, clock::now()).await?;
    Ok(())
}
