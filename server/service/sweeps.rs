//! Changes of what is wanted, on their way through the fleet: list, look at, pause, resume, call off,
//! and how many devices a second.
//!
//! One goes through the whole fleet, and its numbers are of all of it: it is for those who read
//! everything to see, and for those who operate everything to change.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::desired;
use crate::error::Error;
use crate::store::sweeps::{self as store, Sweep};

/// Most devices a second.
pub const MAX_PACE: u32 = 10_000;

/// What becomes of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SweepOrder)]
pub enum Order {
    /// It goes on.
    Running,
    /// It stays where it is.
    Paused,
    /// It ends here: devices that it did not come to are compared when something else has them compared.
    Cancelled,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is changed of one; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SweepChange {
    /// Whether it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Order>,
    /// Devices a second, 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub per_second: Option<u32>,
}

/// A page of them, newest first, before one.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Sweep>, Error> {
    ctx.require_everywhere(Right::Read)?;
    Ok(store::list(&app.pool, before, limit).await?)
}

/// One of them.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, sweep_id: Uuid) -> Result<Sweep, Error> {
    ctx.require_everywhere(Right::Read)?;
    load(&app.pool, sweep_id).await
}

async fn load(db: impl PgExecutor<'_>, sweep_id: Uuid) -> Result<Sweep, Error> {
    let unknown = || Error::NotFound(format!("no sweep {sweep_id}"));
    store::get(db, sweep_id).await?.ok_or_else(unknown)
}

/// Changes one that has not ended.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] for a pace that is none,
/// [`Error::Conflict`] for one that has ended.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    sweep_id: Uuid,
    change: SweepChange,
) -> Result<Sweep, Error> {
    ctx.require_everywhere(Right::Operate)?;
    if change.per_second.is_some_and(|pace| !(1..=MAX_PACE).contains(&pace)) {
        return Err(Error::invalid("/per_second", format!("1 to {MAX_PACE}")));
    }
    let mut tx = app.pool.begin().await?;
    let before = load(&mut *tx, sweep_id).await?;
    let state = change.state.map_or(before.state.as_str(), |order| order.word());
    let asked = change.per_second.and_then(|pace| i32::try_from(pace).ok());
    let pace = asked.unwrap_or(before.per_second);
    if !store::change(&mut tx, sweep_id, state, pace, ctx.now).await? {
        return Err(Error::Conflict("it has ended already".to_owned()));
    }
    let after = load(&mut *tx, sweep_id).await?;
    let object = Object::new("sweep", sweep_id, &before.reason);
    let told =
        |sweep: &Sweep| serde_json::json!({ "state": sweep.state, "per_second": sweep.per_second });
    audit::record(&mut tx, ctx, "sweep.change", object, told(&before), told(&after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// Begins one at the pace of the settings, in the transaction of the change that it brings.
pub(super) async fn begin(
    conn: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    reason: &str,
    selector: Option<String>,
) -> Result<Uuid, Error> {
    Ok(desired::sweep(conn, reason, selector, pace(app), &ctx.actor.name, ctx.now).await?)
}

/// Devices a second, as the settings say.
pub(super) fn pace(app: &App) -> u32 {
    app.config.zero_touch.reconcile_per_second
}
