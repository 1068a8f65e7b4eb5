//! Saved views of the device list: list, keep, change, remove.
//!
//! A view is a person's own; shared, everybody sees it and only they change it. It holds a selector
//! and never devices: what somebody finds with another's view is within their own reach. A program's
//! token is no person: it reads those that are shared.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::group;
use crate::fleet::label::check_name;
use crate::store::views::{self as store, SavedView};

/// What a list of devices can show of each.
pub const COLUMNS: [&str; 24] = [
    "serial",
    "model",
    "class",
    "version",
    "site",
    "tags",
    "identity",
    "online",
    "last_inform",
    "first_inform",
    "last_boot",
    "last_bootstrap",
    "refreshed",
    "events",
    "address",
    "arch",
    "hardware",
    "manufacturer",
    "oui",
    "auth",
    "code",
    "work",
    "customer",
    "quarantined",
];
/// What it shows where nobody says otherwise.
pub const CUSTOMARY: [&str; 6] = ["serial", "model", "version", "site", "tags", "last_inform"];
/// Views of one person.
const MAX_VIEWS: i64 = 100;

/// What somebody keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewFields {
    /// For people, 1 to 64 characters; no two of one person have the same.
    pub name: String,
    /// Which devices; all when absent.
    #[serde(default)]
    pub selector: String,
    /// What is shown of each, in this order, each once: `serial`, `model`, `class`, `version`,
    /// `site`, `tags`, `identity`, `online`, `last_inform`, `first_inform`, `last_boot`,
    /// `last_bootstrap`, `refreshed`, `events`, `address`, `arch`, `hardware`, `manufacturer`, `oui`,
    /// `auth`, `code`, `work`, `customer`, `quarantined`. The customary ones when absent.
    #[serde(default = "customary")]
    pub columns: Vec<String>,
    /// Everybody sees it.
    #[serde(default)]
    pub shared: bool,
}

impl ViewFields {
    fn of(view: &SavedView) -> Self {
        Self {
            name: view.name.clone(),
            selector: view.selector.clone(),
            columns: view.columns.clone(),
            shared: view.shared,
        }
    }

    /// Refuses what cannot be taken; the selector apart.
    fn check(&self) -> Result<(), Error> {
        check_name(&self.name)?;
        check_columns(&self.columns)
    }
}

fn customary() -> Vec<String> {
    CUSTOMARY.map(str::to_owned).to_vec()
}

fn check_columns(columns: &[String]) -> Result<(), Error> {
    if columns.is_empty() {
        return Err(Error::invalid("/columns", "one column or more"));
    }
    for (i, column) in columns.iter().enumerate() {
        let why = if !COLUMNS.contains(&column.as_str()) {
            format!("no column `{}`: {}", column.escape_debug(), COLUMNS.join(", "))
        } else if columns[..i].contains(column) {
            format!("`{column}` stands there twice")
        } else {
            continue;
        };
        return Err(Error::invalid(format!("/columns/{i}"), why));
    }
    Ok(())
}

/// A page of the caller's own views and those that others share, in the order in which they were
/// made, after one.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SavedView>, Error> {
    ctx.require(Right::Read)?;
    Ok(store::list(&app.pool, person(ctx), after, limit).await?)
}

/// One view.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for one that is not there or not seen.
pub async fn get(app: &App, ctx: &Ctx, view_id: Uuid) -> Result<SavedView, Error> {
    ctx.require(Right::Read)?;
    seen(ctx, view_id, store::get(&app.pool, view_id).await?)
}

fn seen(ctx: &Ctx, view_id: Uuid, view: Option<SavedView>) -> Result<SavedView, Error> {
    view.filter(|view| view.shared || Some(view.user_id) == person(ctx))
        .ok_or_else(|| Error::NotFound(format!("no view {view_id}")))
}

/// Only people have views, also by tokens of theirs.
fn person(ctx: &Ctx) -> Option<Uuid> {
    ctx.actor.person()
}

fn somebody(ctx: &Ctx) -> Result<Uuid, Error> {
    let why = "views are kept for people, and this is a program's token: take one of your own, \
               from your account in the dashboard";
    person(ctx).ok_or_else(|| Error::Conflict(why.to_owned()))
}

/// Refuses a selector that cannot be read.
async fn check_selector(app: &App, selector: &str) -> Result<(), Error> {
    if !selector.is_empty() {
        group::read(&app.pool, selector, "/selector").await?;
    }
    Ok(())
}

/// Keeps a view for the caller.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what cannot be taken; [`Error::Conflict`] for a name
/// that they have, too many views, and a caller who is not a person.
pub async fn create(app: &App, ctx: &Ctx, fields: ViewFields) -> Result<SavedView, Error> {
    ctx.require(Right::Read)?;
    let user_id = somebody(ctx)?;
    fields.check()?;
    check_selector(app, &fields.selector).await?;
    let view = SavedView {
        view_id: Uuid::now_v7(),
        user_id,
        owner: ctx.actor.name.clone(),
        name: fields.name.clone(),
        selector: fields.selector.clone(),
        columns: fields.columns.clone(),
        shared: fields.shared,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx, user_id).await?;
    if store::count(&mut tx, user_id).await? >= MAX_VIEWS {
        let why = format!("you have {MAX_VIEWS} views already: remove one first");
        return Err(Error::Conflict(why));
    }
    if !store::insert(&mut tx, &view).await? {
        return Err(taken(&view.name));
    }
    let object = Object::new("view", view.view_id, &view.name);
    audit::record(&mut tx, ctx, "view.create", object, (), fields).await?;
    tx.commit().await?;
    Ok(view)
}

fn taken(name: &str) -> Error {
    Error::Conflict(format!("you have a view `{name}` already"))
}

/// Changes one of the caller's views. `check` says whether its version, the time of its last change,
/// is the one that is meant; `patch` gives the fields that it is to have.
///
/// # Errors
/// As [`create`] and [`delete`]; those of `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    view_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(ViewFields) -> Result<ViewFields, Error>,
) -> Result<SavedView, Error> {
    ctx.require(Right::Read)?;
    let user_id = somebody(ctx)?;
    // Read twice: a selector is looked up without a transaction that would hold a connection.
    let before = own(ctx, user_id, view_id, store::get(&app.pool, view_id).await?)?;
    check(before.updated_at)?;
    let fields = patch(ViewFields::of(&before))?;
    fields.check()?;
    if fields.selector != before.selector {
        check_selector(app, &fields.selector).await?;
    }
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx, user_id).await?;
    let now = own(ctx, user_id, view_id, store::get(&mut *tx, view_id).await?)?;
    if now.updated_at != before.updated_at {
        return Err(Error::Stale("it has changed meanwhile: look at it again".to_owned()));
    }
    let after = SavedView {
        name: fields.name.clone(),
        selector: fields.selector.clone(),
        columns: fields.columns.clone(),
        shared: fields.shared,
        updated_at: ctx.now,
        ..before.clone()
    };
    if !store::update(&mut tx, &after).await? {
        return Err(taken(&after.name));
    }
    let object = Object::new("view", view_id, &after.name);
    audit::record(&mut tx, ctx, "view.change", object, ViewFields::of(&before), fields).await?;
    tx.commit().await?;
    Ok(after)
}

/// Removes one of the caller's views. `check` as with [`change`].
///
/// # Errors
/// [`Error::NotFound`] for one that is not there or not seen, [`Error::Denied`] for somebody else's,
/// [`Error::Conflict`] for a caller who is not a person; those of `check`.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    view_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require(Right::Read)?;
    let user_id = somebody(ctx)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx, user_id).await?;
    let view = own(ctx, user_id, view_id, store::get(&mut *tx, view_id).await?)?;
    check(view.updated_at)?;
    store::delete(&mut tx, view_id).await?;
    let object = Object::new("view", view_id, &view.name);
    audit::record(&mut tx, ctx, "view.delete", object, ViewFields::of(&view), ()).await?;
    Ok(tx.commit().await?)
}

/// A view that is the caller's own.
fn own(
    ctx: &Ctx,
    user_id: Uuid,
    view_id: Uuid,
    view: Option<SavedView>,
) -> Result<SavedView, Error> {
    let view = seen(ctx, view_id, view)?;
    if view.user_id != user_id {
        let why = format!("the view is {}'s, who alone changes it", view.owner);
        return Err(Error::Denied(why));
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_and_each_there_once() {
        let check = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
            match check_columns(&columns) {
                Ok(()) => None,
                Err(Error::Invalid { pointer, .. }) => Some(pointer),
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(check(&COLUMNS), None);
        assert_eq!(check(&CUSTOMARY), None);
        assert_eq!(check(&[]).as_deref(), Some("/columns"));
        assert_eq!(check(&["serial", "password"]).as_deref(), Some("/columns/1"));
        assert_eq!(check(&["serial", "site", "serial"]).as_deref(), Some("/columns/2"));
    }
}
