//! What Muster notes of devices, changed for many at once: tags, site, membership of a group.
//!
//! Owns that it is on record before the first of them is changed, that each is asked for anew once
//! it is held, and that it is done to the end, whether or not somebody waits for it. A few devices
//! to a transaction, so that none of their informs waits for long.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::many::{self, Bulk, Which};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::group;
use crate::fleet::label::checked_tags;
use crate::fleet::placement::{self, Placement};
use crate::fleet::site::SitePath;
use crate::service::groups;
use crate::store::groups::{self as store, Group};
use crate::store::sites;

/// Devices to a transaction.
const BATCH: usize = 20;
/// Devices that were skipped and of which it is said why.
const REASONS: usize = 20;

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// They have these tags, beside those that they have.
    AddTags {
        /// Each of 1 to 64 letters, digits, `_`, `.` and `-`.
        #[schema(min_items = 1, max_items = 50)]
        tags: Vec<String>,
    },
    /// They do not have these tags.
    RemoveTags {
        /// Each of 1 to 64 letters, digits, `_`, `.` and `-`.
        #[schema(min_items = 1, max_items = 50)]
        tags: Vec<String>,
    },
    /// They stand at a site.
    Move {
        /// Its path.
        site: String,
    },
    /// They stand at no site.
    MoveOut {},
    /// They are in a group that is by list.
    AddToGroup {
        /// Which.
        group_id: Uuid,
    },
    /// They are not in it.
    RemoveFromGroup {
        /// Which.
        group_id: Uuid,
    },
}

impl Change {
    /// The word of its kind.
    fn word(&self) -> &'static str {
        match self {
            Self::AddTags { .. } => "add_tags",
            Self::RemoveTags { .. } => "remove_tags",
            Self::Move { .. } => "move",
            Self::MoveOut {} => "move_out",
            Self::AddToGroup { .. } => "add_to_group",
            Self::RemoveFromGroup { .. } => "remove_from_group",
        }
    }

    /// Whose members it changes.
    fn group(&self) -> Option<Uuid> {
        match self {
            Self::AddToGroup { group_id } | Self::RemoveFromGroup { group_id } => Some(*group_id),
            _ => None,
        }
    }

    /// What is wrong with it for all devices.
    async fn check(&self, app: &App, ctx: &Ctx) -> Result<(), Error> {
        match self {
            Self::AddTags { tags } | Self::RemoveTags { tags } => check_tags(tags),
            Self::Move { site } => {
                // Before it is looked whether that site exists, which is not for everybody to know.
                ctx.require_at(Right::Operate, Some(site))?;
                let wrong = |why: String| Error::invalid("/change/site", why);
                let path: SitePath = site.parse().map_err(wrong)?;
                if !sites::exists(&app.pool, path.as_str()).await? {
                    return Err(wrong(format!("there is no site {path}")));
                }
                Ok(())
            }
            Self::MoveOut {} => ctx.require_at(Right::Operate, None),
            Self::AddToGroup { group_id } | Self::RemoveFromGroup { group_id } => {
                let mut tx = app.pool.begin().await?;
                held(&mut tx, ctx, *group_id).await?;
                Ok(tx.commit().await?)
            }
        }
    }

    /// Where a device stands then, and its tags.
    ///
    /// # Errors
    /// [`Error::Conflict`] for too many tags, which are the device's own.
    fn of(&self, mut placement: Placement) -> Result<Placement, Error> {
        match self {
            Self::AddTags { tags } => {
                placement.tags.extend_from_slice(tags);
                placement.tags = checked_tags(placement.tags).map_err(|error| match error {
                    Error::Invalid { message, .. } => Error::Conflict(message),
                    other => other,
                })?;
            }
            Self::RemoveTags { tags } => placement.tags.retain(|tag| !tags.contains(tag)),
            Self::Move { site } => placement.site = Some(site.clone()),
            Self::MoveOut {} => placement.site = None,
            Self::AddToGroup { .. } | Self::RemoveFromGroup { .. } => {}
        }
        Ok(placement)
    }
}

fn check_tags(tags: &[String]) -> Result<(), Error> {
    if tags.is_empty() {
        return Err(Error::invalid("/change/tags", "name at least one tag"));
    }
    checked_tags(tags.to_vec()).map(|_| ()).map_err(in_change)
}

/// A group whose members the caller may say, which stays as it is until the transaction ends.
async fn held(tx: &mut PgConnection, ctx: &Ctx, group_id: Uuid) -> Result<Group, Error> {
    store::lock(tx).await?;
    let wrong = |why: String| Error::invalid("/change/group_id", why);
    let group = store::get(&mut *tx, group_id).await?;
    let group = group.ok_or_else(|| wrong(format!("no group {group_id}")))?;
    if group.selector.is_some() {
        let why = format!("the selector of `{}` says which devices are in it", group.name);
        return Err(wrong(why));
    }
    groups::require_members(tx, ctx, &group).await?;
    Ok(group)
}

/// The error of a part of the change.
fn in_change(error: Error) -> Error {
    match error {
        Error::Invalid { pointer, message } => Error::invalid(format!("/change{pointer}"), message),
        other => other,
    }
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Changed {
    /// Devices that were changed.
    pub changed: u64,
    /// Devices that were so already.
    pub unchanged: u64,
    /// Devices that could not be changed.
    pub skipped: u64,
    /// Why not, of the first 20 of them.
    pub reasons: Vec<Skipped>,
    /// Why it went no further; what had been done stays.
    pub stopped: Option<Error>,
}

/// A device that could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Skipped {
    /// Which.
    pub device_id: Uuid,
    /// Why not.
    pub why: String,
}

impl Changed {
    /// Takes what became of one device.
    ///
    /// # Errors
    /// What is not the device's own fault.
    fn take(&mut self, device_id: Uuid, result: Result<bool, Error>) -> Result<(), Error> {
        match result {
            Ok(true) => self.changed += 1,
            Ok(false) => self.unchanged += 1,
            Err(error @ (Error::NotFound(_) | Error::Conflict(_) | Error::Denied(_))) => {
                self.skipped += 1;
                self.reasons.push(Skipped { device_id, why: error.to_string() });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn add(&mut self, batch: Self) {
        self.changed += batch.changed;
        self.unchanged += batch.unchanged;
        self.skipped += batch.skipped;
        self.reasons.extend(batch.reasons);
        self.reasons.truncate(REASONS);
    }

    /// For the audit log.
    fn told(&self) -> Value {
        json!({
            "changed": self.changed,
            "unchanged": self.unchanged,
            "skipped": self.skipped,
            "stopped": self.stopped.as_ref().map(Error::to_string),
        })
    }

    /// Whether nothing came of any device yet.
    fn is_nothing(&self) -> bool {
        self.changed + self.unchanged + self.skipped == 0
    }
}

/// Changes all devices that are meant where the caller may operate, if and only if they are
/// `expected`. It goes on to its end also when the call is dropped.
///
/// # Errors
/// Those for which nothing was done. Pointers of [`Error::Invalid`] are into
/// `{"selector", "device_ids", "expected", "change"}`; [`Error::Denied`] where the caller may not
/// operate at the site to which they are moved, or say who is in the group; [`Error::Conflict`] names the real number of
/// devices. For what comes later see [`Changed::stopped`].
pub async fn change_many(
    app: &Shared,
    ctx: &Ctx,
    which: &Which,
    change: Change,
    expected: usize,
) -> Result<Changed, Error> {
    ctx.require(Right::Operate)?;
    change.check(app, ctx).await?;
    let devices = many::found(app, ctx, which, expected).await?;
    let bulk = begin(app, ctx, which, &change, expected).await?;
    let work = {
        let (app, ctx) = (app.clone(), ctx.clone());
        async move {
            let done = change_all(&app, &ctx, &devices, &change).await;
            let told = done.told();
            (done, told)
        }
    };
    let mut done = many::carry_out(app, ctx, (bulk, "device.bulk_end"), work).await?;
    match done.stopped.take() {
        Some(error) if done.is_nothing() => Err(error),
        stopped => Ok(Changed { stopped, ..done }),
    }
}

/// Puts the order on record: no device is changed before.
async fn begin(
    app: &App,
    ctx: &Ctx,
    which: &Which,
    change: &Change,
    expected: usize,
) -> Result<Bulk, Error> {
    let kind = change.word();
    let bulk = Bulk::new(kind);
    tracing::info!(bulk.id = %bulk.id, devices = expected, kind, by = ctx.actor.name, "bulk change");
    let after = json!({
        "selector": which.selector(),
        "device_ids": which.ids(),
        "devices": expected,
        "change": change,
    });
    bulk.record(app, ctx, "device.bulk", after).await?;
    Ok(bulk)
}

/// Batch by batch, each at its own time: whoever follows events misses none of a long order.
async fn change_all(app: &App, ctx: &Ctx, devices: &[Uuid], change: &Change) -> Changed {
    let mut done = Changed::default();
    for batch in devices.chunks(BATCH) {
        let ctx = many::at_present(ctx);
        match change_batch(app, &ctx, batch, change).await {
            Ok(batch) => done.add(batch),
            Err(error) => {
                tracing::error!(error = %error.private(), "a change of many devices stopped");
                done.stopped = Some(error);
                break;
            }
        }
    }
    done
}

async fn change_batch(
    app: &App,
    ctx: &Ctx,
    devices: &[Uuid],
    change: &Change,
) -> Result<Changed, Error> {
    let mut tx = app.pool.begin().await?;
    let group = match change.group() {
        Some(group_id) => Some(held(&mut tx, ctx, group_id).await?),
        None => None,
    };
    // Also for a group: whoever moves a site locks its devices in no order.
    sites::share_tree(&mut tx).await?;
    let mut batch = Changed::default();
    for device_id in devices {
        let result = change_one(&mut tx, ctx, *device_id, change, group.as_ref()).await;
        batch.take(*device_id, result)?;
    }
    tx.commit().await?;
    Ok(batch)
}

/// False = it was so already.
async fn change_one(
    tx: &mut PgConnection,
    ctx: &Ctx,
    device_id: Uuid,
    change: &Change,
    group: Option<&Group>,
) -> Result<bool, Error> {
    // It may have been removed or moved since it was found; from here on it stays.
    super::hold(tx, ctx, device_id, Right::Operate).await?;
    let by = &ctx.actor.name;
    if let Some(group) = group {
        let member = matches!(change, Change::AddToGroup { .. });
        return group::set_member(tx, group, device_id, member, by, ctx.now).await;
    }
    let current = placement::of(tx, device_id).await?;
    let wanted = change.of(current.clone())?;
    if wanted == current {
        return Ok(false);
    }
    let changed = placement::change(tx, device_id, &current, wanted, by, ctx.now).await;
    changed.map(|()| true).map_err(in_change)
}

#[cfg(test)]
mod tests;
