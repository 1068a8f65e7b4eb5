//! Which devices an order for many is for, and that it is carried out to its end.
//!
//! Owns that it reaches no further than whoever gives it has looked: all that a selector finds where
//! they may operate, if these are as many as they saw, or those that they chose one by one; and that what
//! became of it is on record, whether or not somebody waits for it.

use serde_json::Value;
use tracing::Instrument;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::clock;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::selector::Expr;
use crate::fleet::{group, online};
use crate::jobs::bulk::MAX_DEVICES;
use crate::store::selector;

/// Devices that can be chosen one by one.
const MAX_CHOSEN: usize = 1_000;

/// Some devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All that this selector finds where the caller may operate.
    Found(String),
    /// These. Those among them that the caller may not operate are left out, one by one.
    Chosen(Vec<Uuid>),
}

/// A selector that holds for every device: there is none that never informed.
const EVERY: &str = "first_inform";

impl Which {
    /// What a selector finds; everything where it is empty.
    pub fn found(selector: &str) -> Self {
        let selector = selector.trim();
        Self::Found(if selector.is_empty() { EVERY } else { selector }.to_owned())
    }

    /// The selector, for the audit log.
    pub(in crate::service) fn selector(&self) -> Option<&str> {
        match self {
            Self::Found(text) => Some(text),
            Self::Chosen(_) => None,
        }
    }

    /// The ids, for the audit log.
    pub(in crate::service) fn ids(&self) -> Option<&[Uuid]> {
        match self {
            Self::Found(_) => None,
            Self::Chosen(ids) => Some(ids),
        }
    }
}

/// An order for many, in the audit log.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Bulk {
    /// Which.
    pub id: Uuid,
    /// What is done.
    pub name: &'static str,
}

impl Bulk {
    /// A new one.
    pub(in crate::service) fn new(name: &'static str) -> Self {
        Self { id: Uuid::now_v7(), name }
    }

    /// The same as the audit log has it.
    pub(in crate::service) fn object(&self) -> Object<'_> {
        Object::new("bulk", self.id, self.name)
    }

    /// Puts on record that it begins, or what became of it.
    pub(in crate::service) async fn record(
        &self,
        app: &App,
        ctx: &Ctx,
        action: &str,
        told: Value,
    ) -> Result<(), Error> {
        let mut tx = app.pool.begin().await?;
        audit::record(&mut tx, ctx, action, self.object(), (), told).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Carries out an order that is on record, and puts on record what became of it: `work` gives that
/// beside its result.
///
/// # Errors
/// [`Error::Internal`] where it did not come to its end.
pub(in crate::service) async fn carry_out<T: Send + 'static>(
    app: &Shared,
    ctx: &Ctx,
    (bulk, ended): (Bulk, &'static str),
    work: impl Future<Output = (T, Value)> + Send + 'static,
) -> Result<T, Error> {
    let (app, ctx) = (app.clone(), ctx.clone());
    let all = async move {
        let (done, told) = work.await;
        app.wake_hint.notify_one();
        if let Err(e) = bulk.record(&app, &at_present(&ctx), ended, told).await {
            tracing::error!(bulk.id = %bulk.id, "what became of it is not on record: {}", e.private());
        }
        done
    };
    // A task of its own: a caller who goes away must not leave the half of it undone.
    let done = tokio::spawn(all.in_current_span()).await;
    done.map_err(|e| Error::Internal(format!("an order for many devices: {e}")))
}

/// The caller at this moment, as each part of a long order has its own time.
pub(in crate::service) fn at_present(ctx: &Ctx) -> Ctx {
    Ctx { now: clock::now(), ..ctx.clone() }
}

/// How many they are now.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] at `/selector` or `/device_ids`.
pub async fn count_many(app: &App, ctx: &Ctx, which: &Which) -> Result<usize, Error> {
    match which {
        Which::Chosen(ids) => Ok(chosen(ctx, ids)?.len()),
        Which::Found(text) => {
            let expr = operable(app, ctx, text).await?;
            let since = online::since(&app.config, ctx.now);
            let count = selector::count(&app.pool, &expr, ctx.now, since).await?;
            Ok(usize::try_from(count).unwrap_or_default())
        }
    }
}

/// The devices in order of their ids, if they are as many as expected. One statement finds them, so
/// that those counted are those to which it is done.
///
/// # Errors
/// As [`count_many`]; [`Error::Invalid`] at `/expected`, [`Error::Conflict`] with the real number.
pub(in crate::service) async fn found(
    app: &App,
    ctx: &Ctx,
    which: &Which,
    expected: usize,
) -> Result<Vec<Uuid>, Error> {
    if !(1..=MAX_DEVICES).contains(&expected) {
        return Err(Error::invalid("/expected", format!("1 to {MAX_DEVICES} devices")));
    }
    let (devices, count) = match which {
        Which::Chosen(ids) => {
            let devices = chosen(ctx, ids)?;
            let count = devices.len();
            (devices, count)
        }
        Which::Found(text) => matching(app, ctx, text).await?,
    };
    if devices.len() == expected {
        return Ok(devices);
    }
    let verb = if which.ids().is_some() { "were chosen" } else { "match" };
    Err(Error::Conflict(format!("{count} devices {verb}, not {expected}: nothing was done")))
}

/// The ids that were chosen, each once. Whatever locks several devices does so in their order.
fn chosen(ctx: &Ctx, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    ctx.require(Right::Operate)?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if !(1..=MAX_CHOSEN).contains(&ids.len()) {
        return Err(Error::invalid("/device_ids", format!("1 to {MAX_CHOSEN} devices")));
    }
    Ok(ids)
}

/// What a selector finds, one more than an order may be for at most, and how many there are.
pub(super) async fn matching(
    app: &App,
    ctx: &Ctx,
    text: &str,
) -> Result<(Vec<Uuid>, usize), Error> {
    let expr = operable(app, ctx, text).await?;
    let since = online::since(&app.config, ctx.now);
    let limit = i64::try_from(MAX_DEVICES + 1).expect("a small number");
    let devices = selector::ids(&app.pool, &expr, None, limit, ctx.now, since).await?;
    let count = match devices.len() {
        few if few <= MAX_DEVICES => few,
        _ => {
            let all = selector::count(&app.pool, &expr, ctx.now, since).await?;
            usize::try_from(all).unwrap_or_default()
        }
    };
    Ok((devices, count))
}

/// What the selector finds, where the caller may operate.
async fn operable(app: &App, ctx: &Ctx, text: &str) -> Result<Expr, Error> {
    let reach = ctx.require(Right::Operate)?;
    let expr = group::read(&app.pool, text, "/selector").await?;
    Ok(match reach.expr() {
        Some(within) => expr.and(within),
        None => expr,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::*;

    #[test]
    fn who_is_chosen_is_so_once_and_in_order() {
        let ctx = Ctx::console(DateTime::UNIX_EPOCH);
        let ids = |count: u128| (0..count).map(Uuid::from_u128).collect::<Vec<_>>();
        let [a, b] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert_eq!(chosen(&ctx, &[b, a, b]).unwrap(), [a, b]);
        assert!(chosen(&ctx, &ids(1_000)).is_ok());
        for wrong in [ids(0), ids(1_001)] {
            let Err(Error::Invalid { pointer, .. }) = chosen(&ctx, &wrong) else {
                panic!("{} were taken", wrong.len())
            };
            assert_eq!(pointer, "/device_ids");
        }
        let nobody = Ctx::nobody("ann", None, DateTime::UNIX_EPOCH);
        assert!(matches!(chosen(&nobody, &[a]), Err(Error::Denied(_))));
    }
}
