//! Saved views of the device list: list, keep, remove.
//!
//! A view is a person's own; shared, everybody sees it and only they remove it. It holds a selector
//! and never devices: what somebody finds with another's view is within their own reach.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{ActorKind, App, Ctx};
use crate::error::Error;
use crate::fleet::group;
use crate::fleet::label::check_name;
use crate::store::views::{self as store, SavedView};

/// What a list of devices can show of each.
pub const COLUMNS: [&str; 22] = [
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
    /// `auth`, `code`. The customary ones when absent.
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

/// Only people have views.
fn person(ctx: &Ctx) -> Option<Uuid> {
    ctx.actor.id.filter(|_| ctx.actor.kind == ActorKind::User)
}

fn somebody(ctx: &Ctx) -> Result<Uuid, Error> {
    let why = "views are kept for people: log in to the dashboard to keep one";
    person(ctx).ok_or_else(|| Error::Conflict(why.to_owned()))
}

/// Keeps a view for the caller.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what cannot be taken; [`Error::Conflict`] for a name
/// that they have, too many views, and a caller who is not a person.
pub async fn create(app: &App, ctx: &Ctx, fields: ViewFields) -> Result<SavedView, Error> {
    ctx.require(Right::Read)?;
    let user_id = somebody(ctx)?;
    check_name(&fields.name)?;
    check_columns(&fields.columns)?;
    if !fields.selector.is_empty() {
        group::read(&app.pool, &fields.selector, "/selector").await?;
    }
    let view = SavedView {
        view_id: Uuid::now_v7(),
        user_id,
        owner: ctx.actor.name.clone(),
        name: fields.name.clone(),
        selector: fields.selector.clone(),
        columns: fields.columns.clone(),
        shared: fields.shared,
        created_at: ctx.now,
    };
    let mut tx = app.pool.begin().await?;
    if store::count(&mut tx, user_id).await? >= MAX_VIEWS {
        let why = format!("you have {MAX_VIEWS} views already: remove one first");
        return Err(Error::Conflict(why));
    }
    if !store::insert(&mut tx, &view).await? {
        return Err(Error::Conflict(format!("you have a view `{}` already", view.name)));
    }
    let object = Object::new("view", view.view_id, &view.name);
    audit::record(&mut tx, ctx, "view.create", object, (), fields).await?;
    tx.commit().await?;
    Ok(view)
}

/// Removes one of the caller's views.
///
/// # Errors
/// [`Error::NotFound`] for one that is not there or not seen, [`Error::Denied`] for somebody else's,
/// [`Error::Conflict`] for a caller who is not a person.
pub async fn delete(app: &App, ctx: &Ctx, view_id: Uuid) -> Result<(), Error> {
    ctx.require(Right::Read)?;
    let user_id = somebody(ctx)?;
    let mut tx = app.pool.begin().await?;
    let view = seen(ctx, view_id, store::get(&mut *tx, view_id).await?)?;
    if view.user_id != user_id {
        return Err(Error::Denied(format!("the view is {}'s, who alone removes it", view.owner)));
    }
    store::delete(&mut tx, view_id).await?;
    let object = Object::new("view", view_id, &view.name);
    audit::record(&mut tx, ctx, "view.delete", object, ViewFields::of(&view), ()).await?;
    Ok(tx.commit().await?)
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
