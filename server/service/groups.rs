//! Groups: list, make, change, remove, and which devices are in them.
//!
//! A group belongs to no site: whoever reads anything may see it, and whoever operates everything
//! may change it. Its devices are another matter: of them one sees and moves only one's own. But which
//! they are in a group that bounds a grant is for those to say who operate everything: to put a
//! device in gives it to others, or to oneself.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{devices as device_service, sweeps};
use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::group::{self, GroupFields};
use crate::fleet::online;
use crate::store::devices::Device;
use crate::store::groups::{self as store, Group};
use crate::store::{profiles, selector};

/// A page of groups in order of their names, after a name.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Group>, Error> {
    ctx.require(Right::Read)?;
    Ok(store::list(&app.pool, after, limit).await?)
}

/// One group.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, group_id: Uuid) -> Result<Group, Error> {
    ctx.require(Right::Read)?;
    load(&app.pool, group_id).await
}

/// The group of this name.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn named(app: &App, ctx: &Ctx, name: &str) -> Result<Group, Error> {
    ctx.require(Right::Read)?;
    let found = store::named(&app.pool, &[name.to_owned()]).await?.pop();
    found.ok_or_else(|| Error::NotFound(format!("no group `{name}`")))
}

async fn load(db: impl PgExecutor<'_>, group_id: Uuid) -> Result<Group, Error> {
    let unknown = || Error::NotFound(format!("no group {group_id}"));
    store::get(db, group_id).await?.ok_or_else(unknown)
}

/// Makes a group.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken, [`Error::Conflict`] for a
/// name that is taken.
pub async fn create(app: &App, ctx: &Ctx, fields: GroupFields) -> Result<Group, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let group = group::create(&mut tx, fields, &ctx.actor.name, ctx.now).await?;
    let object = Object::new("group", group.group_id, &group.name);
    audit::record(&mut tx, ctx, "group.create", object, (), GroupFields::of(&group)).await?;
    tx.commit().await?;
    tracing::info!(group.id = %group.group_id, group.name, by = ctx.actor.name, "group made");
    Ok(group)
}

/// Changes a group. `check` says whether its version, the time of its last change, is the one that
/// is meant; `patch` gives the fields that it is to have.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], those of `check` and `patch`, and [`Error::Conflict`]
/// where another group's selector, or that of a rule of admission or of a rollout that has not ended,
/// could not be read then.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    group_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(GroupFields) -> Result<GroupFields, Error>,
) -> Result<Group, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let current = load(&mut *tx, group_id).await?;
    check(current.updated_at)?;
    let before = GroupFields::of(&current);
    let fields = patch(before.clone())?;
    let group = group::change(&mut tx, current, fields, ctx.now).await?;
    let object = Object::new("group", group_id, &group.name);
    audit::record(&mut tx, ctx, "group.change", object, before, GroupFields::of(&group)).await?;
    if !profiles::for_group(&mut tx, group_id).await?.is_empty() {
        // Who came in is found, but who went out is not: all are looked at.
        let reason = format!("the group {} was changed", group.name);
        sweeps::begin(&mut tx, app, ctx, &reason, None).await?;
    }
    tx.commit().await?;
    tracing::info!(group.id = %group_id, group.name, by = ctx.actor.name, "group changed");
    Ok(group)
}

/// Removes a group; its devices stay what they are. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] where another group's selector, a
/// rule of admission or a rollout that has not ended names it, or somebody was granted something for
/// its devices.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    group_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let group = load(&mut *tx, group_id).await?;
    check(group.updated_at)?;
    group::delete(&mut tx, &group).await?;
    let object = Object::new("group", group_id, &group.name);
    audit::record(&mut tx, ctx, "group.delete", object, GroupFields::of(&group), ()).await?;
    tx.commit().await?;
    tracing::info!(group.id = %group_id, group.name, by = ctx.actor.name, "group removed");
    Ok(())
}

/// A page of those of a group's devices that the caller sees, in order of their ids.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] where its selector cannot be read any
/// more.
pub async fn devices(
    app: &App,
    ctx: &Ctx,
    group_id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Device>, Error> {
    let reach = ctx.require(Right::Read)?;
    let group = load(&app.pool, group_id).await?;
    let mut expr = group::devices(&app.pool, &group).await?;
    if let Some(within) = reach.expr() {
        expr = expr.and(within);
    }
    let since = online::since(&app.config, ctx.now);
    Ok(selector::list(&app.pool, &expr, after, limit, ctx.now, since).await?)
}

/// Puts a device (its id, or `serial:` and its serial number) into a group that is by list, or takes
/// it out. Whoever operates the device may do so, but for a group that bounds a grant: that takes the
/// right everywhere.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for no such group or device; [`Error::Conflict`] for a
/// group that is by selector.
pub async fn set_member(
    app: &App,
    ctx: &Ctx,
    group_id: Uuid,
    device: &str,
    member: bool,
) -> Result<(), Error> {
    let device = device_service::find(app, ctx, device, Right::Operate).await?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let group = load(&mut *tx, group_id).await?;
    device_service::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    require_members(&mut tx, ctx, &group).await?;
    let by = &ctx.actor.name;
    if group::set_member(&mut tx, &group, device.device_id, member, by, ctx.now).await? {
        let action = if member { "group.add_device" } else { "group.remove_device" };
        let object = Object::new("group", group_id, &group.name);
        let state = |member: bool| json!({ "device_id": device.device_id, "serial": device.serial, "member": member });
        audit::record(&mut tx, ctx, action, object, state(!member), state(member)).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether the caller may say which of the devices that they operate are in a group, for what its page
/// offers.
///
/// # Errors
/// [`Error::Database`].
pub async fn may_set_members(app: &App, ctx: &Ctx, group: &Group) -> Result<bool, Error> {
    if group.selector.is_some() || ctx.reach(Right::Operate).is_nowhere() {
        return Ok(false);
    }
    let mut conn = app.pool.acquire().await?;
    match require_members(&mut conn, ctx, group).await {
        Ok(()) => Ok(true),
        Err(Error::Denied(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses who may not say which devices are in a group that bounds a grant: they must operate
/// everything. Groups must be locked.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub(super) async fn require_members(
    conn: &mut PgConnection,
    ctx: &Ctx,
    group: &Group,
) -> Result<(), Error> {
    if ctx.reach(Right::Operate) == Reach::Everywhere || !group::is_scope(conn, group).await? {
        return Ok(());
    }
    Err(Error::Denied(format!(
        "the group `{}` bounds what somebody may do: which devices are in it is said by who has the \
         right `operate` everywhere",
        group.name
    )))
}
