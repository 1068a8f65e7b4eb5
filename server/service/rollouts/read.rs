//! The devices of a rollout, its story, and its report.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::seen;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::rollouts::devices::list::{self, Filter, ListRow};
use crate::store::rollouts::story::{self, StoryRow};

/// Reasons that are told.
const MOST: i64 = 50;

/// Devices of a rollout in their order; of those that were moved since only the ones that the caller
/// sees.
///
/// # Errors
/// [`Error::NotFound`] also for a rollout that the caller does not see.
pub async fn devices(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    filter: &Filter,
) -> Result<Vec<ListRow>, Error> {
    seen(app, ctx, id).await?;
    let filter = Filter { within: ctx.reach(Right::Read).within(), ..filter.clone() };
    Ok(list::list(&app.pool, id, &filter).await?)
}

/// What happened, the newest first, older than `before`.
///
/// # Errors
/// As [`devices`].
pub async fn story(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoryRow>, Error> {
    seen(app, ctx, id).await?;
    let within = ctx.reach(Right::Read).within();
    Ok(story::list(&app.pool, id, within.as_ref(), before, limit).await?)
}

/// Why devices are where they are.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Why {
    /// Their state.
    pub state: String,
    /// In words.
    pub reason: String,
    /// How many.
    pub devices: i64,
}

/// Why devices failed, did not come or were left out; the most frequent reasons first.
///
/// # Errors
/// As [`devices`].
pub async fn reasons(app: &App, ctx: &Ctx, id: Uuid) -> Result<Vec<Why>, Error> {
    seen(app, ctx, id).await?;
    let states = ["failed", "timed_out", "skipped"].map(str::to_owned);
    let within = ctx.reach(Right::Read).within();
    let rows = list::reasons(&app.pool, id, &states, within.as_ref(), MOST).await?;
    let why = |(state, reason, devices)| Why { state, reason, devices };
    Ok(rows.into_iter().map(why).collect())
}

/// The rollouts that a device is or was in, of those that the caller sees: id, name, where the device
/// is in it, and why.
///
/// # Errors
/// As `devices::find`.
pub async fn of_device(
    app: &App,
    ctx: &Ctx,
    device: &str,
    limit: i64,
) -> Result<Vec<(Uuid, String, String, Option<String>)>, Error> {
    let device = crate::service::devices::find(app, ctx, device, Right::Read).await?;
    let within = ctx.reach(Right::Read).within();
    Ok(list::of_device(&app.pool, device.device_id, within.as_ref(), limit).await?)
}
