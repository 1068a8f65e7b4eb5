//! What became of each device of a rollout, for files: page by page, so that a rollout of any size
//! takes no more memory than one page.

use std::time::Instant;

use futures_util::stream::{self, Stream, TryStreamExt};
use uuid::Uuid;

use super::read;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::export::check_age;
use crate::store::rollouts::devices::list::{Filter, ListRow};

/// Devices that are read at once.
const PAGE: i64 = 500;

/// A list that is being read.
struct Progress {
    app: Shared,
    ctx: Ctx,
    id: Uuid,
    filter: Filter,
    /// A page that was read before anybody asked for it.
    ready: Option<Vec<ListRow>>,
    since: Instant,
}

/// All devices of a rollout in their order, a page at a time.
///
/// # Errors
/// As [`read::devices`]. What fails after the first page is logged here and ends the stream: its
/// reader can only break off.
pub async fn devices(
    app: Shared,
    ctx: Ctx,
    id: Uuid,
) -> Result<impl Stream<Item = Result<Vec<ListRow>, Error>> + Send + 'static, Error> {
    let filter = Filter { limit: PAGE, ..Filter::default() };
    // So that what is wrong with the question is an answer, and not a list that breaks off.
    let first = read::devices(&app, &ctx, id, &filter).await?;
    let progress = Progress { app, ctx, id, filter, ready: Some(first), since: Instant::now() };
    let pages = stream::try_unfold(progress, next);
    Ok(pages.inspect_err(|e| tracing::error!(cause = %e.private(), "a report broke off")))
}

async fn next(mut progress: Progress) -> Result<Option<(Vec<ListRow>, Progress)>, Error> {
    check_age(progress.since.elapsed())?;
    let page = match progress.ready.take() {
        Some(page) => page,
        None => {
            let Progress { app, ctx, id, filter, .. } = &progress;
            read::devices(app, ctx, *id, filter).await?
        }
    };
    let Some(last) = page.last() else { return Ok(None) };
    progress.filter.after = Some((last.position, last.device_id));
    Ok(Some((page, progress)))
}
