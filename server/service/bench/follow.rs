//! What changes on the benches, as it changes: that it does, and not what. Whoever is told looks again,
//! and sees what they may.
//!
//! One task per node looks for all who follow, and only while somebody does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::watch;

use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::store::bench::{self as store, Stamp};

/// How often it is looked whether anything has changed.
const BEAT: Duration = Duration::from_millis(500);

/// Tells all who follow the benches on this node.
#[derive(Debug, Default)]
pub struct News {
    /// As it was when it was looked last.
    seen: watch::Sender<Option<Stamp>>,
    /// Somebody looks. Held while that changes, and while somebody begins to follow.
    looking: Mutex<bool>,
}

impl News {
    /// Begins to follow; true = and nobody looks yet.
    fn subscribe(&self) -> (watch::Receiver<Option<Stamp>>, bool) {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = !std::mem::replace(&mut *looking, true);
        (self.seen.subscribe(), begins)
    }

    /// Whether nobody follows any more; then nobody looks from now on.
    fn is_over(&self) -> bool {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if self.seen.receiver_count() == 0 {
            *looking = false;
        }
        !*looking
    }

    fn tell(&self, stamp: Stamp) {
        self.seen.send_if_modified(|seen| seen.replace(stamp) != Some(stamp));
    }
}

/// Gives an item whenever anything has changed, until the process stops; the first may come without.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Conflict`] when too many follow, or this actor has too many streams.
pub async fn follow(
    app: &Shared,
    ctx: &Ctx,
) -> Result<impl Stream<Item = ()> + Send + use<>, Error> {
    ctx.require(Right::Read)?;
    // One of the places of all who follow anything.
    let place = app.live.admit(ctx.actor.id)?;
    let (receiver, begins) = app.benches.subscribe();
    if begins {
        tokio::spawn(look(Arc::clone(app)));
    }
    let changes = stream::unfold((receiver, place), |(mut receiver, place)| async move {
        // Who tells is gone with the process alone.
        receiver.changed().await.ok()?;
        Some(((), (receiver, place)))
    });
    // What has no end of its own would hold up the stop of the listener.
    Ok(changes.take_until(app.stop.clone().cancelled_owned()))
}

/// Looks as long as somebody follows.
async fn look(app: Shared) {
    let app: &App = &app;
    while tokio::time::timeout(BEAT, app.stop.cancelled()).await.is_err() {
        if app.benches.is_over() {
            return;
        }
        match store::stamp(&app.pool).await {
            Ok(stamp) => app.benches.tell(stamp),
            // It is looked again soon; what has changed meanwhile is seen then.
            Err(error) => tracing::debug!(cause = %error, "the benches are not looked at"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn one_looks_for_all_as_long_as_anybody_follows() {
        let news = News::default();
        let (first, begins) = news.subscribe();
        assert!(begins);
        let (second, begins) = news.subscribe();
        assert!(!begins && !news.is_over());
        drop(first);
        assert!(!news.is_over());
        drop(second);
        assert!(news.is_over());
        assert!(news.subscribe().1, "and begins again");
    }

    #[test]
    fn who_follows_is_told_of_what_is_new_and_not_of_what_is_the_same() {
        let news = News::default();
        let (mut receiver, _) = news.subscribe();
        let stamp = Stamp { benches: None, boards: None };
        news.tell(stamp);
        assert!(receiver.has_changed().unwrap_or(false), "it was not known before");
        receiver.mark_unchanged();
        news.tell(stamp);
        assert!(!receiver.has_changed().unwrap_or(true));
        news.tell(Stamp { boards: Some(DateTime::UNIX_EPOCH), ..stamp });
        assert!(receiver.has_changed().unwrap_or(false));
    }
}
