//! Roles: list, make, change, remove; and which policies of the support view hold for somebody.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::devices;
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::access::role::{self, Policies, RoleFields};
use crate::access::user::keep_admin;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::devices::Device;
use crate::store::roles::{self as store, Role};
use crate::store::users;

/// All roles, in order of names.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Role>, Error> {
    ctx.require(Right::Admin)?;
    Ok(store::list(&app.pool).await?)
}

/// How many users have each role; a role that nobody has is not among them.
///
/// # Errors
/// [`Error::Denied`]
pub async fn holders(app: &App, ctx: &Ctx) -> Result<HashMap<Uuid, i64>, Error> {
    ctx.require(Right::Admin)?;
    Ok(store::all_holders(&app.pool).await?.into_iter().collect())
}

/// One role.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn get(app: &App, ctx: &Ctx, role_id: Uuid) -> Result<Role, Error> {
    ctx.require(Right::Admin)?;
    let mut conn = app.pool.acquire().await?;
    load(&mut conn, role_id).await
}

async fn load(conn: &mut PgConnection, role_id: Uuid) -> Result<Role, Error> {
    let unknown = || Error::NotFound(format!("no role {role_id}"));
    store::get(conn, role_id).await?.ok_or_else(unknown)
}

/// Makes a role.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what cannot be taken, [`Error::Conflict`] where the
/// name is another's.
pub async fn create(app: &App, ctx: &Ctx, fields: RoleFields) -> Result<Role, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut role = Role {
        role_id: Uuid::now_v7(),
        name: String::new(),
        description: String::new(),
        rights: Vec::new(),
        support: None,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    fields.write(&mut role)?;
    let mut tx = app.pool.begin().await?;
    users::lock(&mut tx).await?;
    check_free(&mut tx, &role).await?;
    store::insert(&mut tx, &role).await?;
    let object = Object::new("role", role.role_id, &role.name);
    audit::record(&mut tx, ctx, "role.create", object, (), RoleFields::of(&role)).await?;
    tx.commit().await?;
    tracing::info!(role.id = %role.role_id, role.name, by = ctx.actor.name, "role made");
    Ok(role)
}

/// Changes a role, at once for all who have it; of a shipped one only what its support view shows.
/// `check` says whether its version, the time of its last change, is the one that is meant; `patch`
/// gives the fields that it is to have.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], [`Error::Conflict`] where no administrator would be
/// left, and those of `check` and `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    role_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(RoleFields) -> Result<RoleFields, Error>,
) -> Result<Role, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    users::lock(&mut tx).await?;
    let mut role = load(&mut tx, role_id).await?;
    check(role.updated_at)?;
    let before = RoleFields::of(&role);
    patch(before.clone())?.write(&mut role)?;
    role.updated_at = ctx.now;
    check_free(&mut tx, &role).await?;
    let had_admin = users::has_admin(&mut tx).await?;
    store::update(&mut tx, &role).await?;
    keep_admin(&mut tx, had_admin).await?;
    let object = Object::new("role", role_id, &role.name);
    audit::record(&mut tx, ctx, "role.change", object, before, RoleFields::of(&role)).await?;
    tx.commit().await?;
    tracing::info!(role.id = %role_id, role.name, by = ctx.actor.name, "role changed");
    Ok(role)
}

/// Removes a role that nobody has. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] for a shipped role and for one that
/// somebody has.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    role_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    users::lock(&mut tx).await?;
    let role = load(&mut tx, role_id).await?;
    check(role.updated_at)?;
    if role::is_shipped(role_id) {
        return Err(Error::Conflict("a shipped role stays".to_owned()));
    }
    let holders = store::holders(&mut tx, role_id).await?;
    if holders > 0 {
        let why = format!("{holders} users have the role `{}`: take it from them first", role.name);
        return Err(Error::Conflict(why));
    }
    store::delete(&mut tx, role_id).await?;
    let object = Object::new("role", role_id, &role.name);
    audit::record(&mut tx, ctx, "role.delete", object, RoleFields::of(&role), ()).await?;
    tx.commit().await?;
    tracing::info!(role.id = %role_id, role.name, by = ctx.actor.name, "role removed");
    Ok(())
}

/// What the support view of a device shows the caller, and lets them change.
///
/// # Errors
/// [`Error::Denied`]
pub async fn support_policies(app: &App, ctx: &Ctx, device: &Device) -> Result<Policies, Error> {
    let site = device.site.as_deref();
    let groups = devices::groups_of(&app.pool, ctx, device.device_id).await?;
    ctx.require_with(Right::Support, site, &groups)?;
    match ctx.actor.person() {
        Some(user_id) => Ok(role::policies(&store::held(&app.pool, user_id).await?, site, &groups)),
        // A program's token has rights and no role.
        None => Ok(Policies::default()),
    }
}

async fn check_free(conn: &mut PgConnection, role: &Role) -> Result<(), Error> {
    let same = store::named(conn, std::slice::from_ref(&role.name)).await?;
    if same.iter().any(|other| other.role_id != role.role_id) {
        return Err(Error::Conflict(format!("there is a role `{}` already", role.name)));
    }
    Ok(())
}
