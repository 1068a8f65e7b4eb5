//! What changes on the benches, as it changes: that it does, and not what. Whoever is told looks again,
//! and sees what they may.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};

use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::store::bench as store;

/// How often it is looked whether anything has changed.
const BEAT: Duration = Duration::from_millis(500);

/// Gives an item whenever anything has changed, until the process stops.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Conflict`] when too many follow, or this actor has too many streams.
pub async fn follow(
    app: &Shared,
    ctx: &Ctx,
) -> Result<impl Stream<Item = ()> + Send + use<>, Error> {
    ctx.require(Right::Read)?;
    // One of the places of all who follow anything: each looks for itself.
    let place = app.live.admit(ctx.actor.id)?;
    let seen = store::stamp(&app.pool).await?;
    let changes = stream::unfold((Arc::clone(app), seen, place), |(app, seen, place)| async move {
        loop {
            tokio::time::sleep(BEAT).await;
            match store::stamp(&app.pool).await {
                Ok(stamp) if stamp != seen => return Some(((), (app, stamp, place))),
                Ok(_) => {}
                // It is looked again soon; what has changed meanwhile is seen then.
                Err(error) => tracing::debug!(cause = %error, "the benches are not looked at"),
            }
        }
    });
    // What has no end of its own would hold up the stop of the listener.
    Ok(changes.take_until(app.stop.clone().cancelled_owned()))
}
