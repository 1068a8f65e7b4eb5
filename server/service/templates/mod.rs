//! Templates: list, look at, remove, copy (here); make and change (`write`); what is wrong with one
//! (`lint`); what one gives for a device (`preview`); those that come with Muster (`builtin`).
//!
//! A template belongs to no site: whoever reads anything may see it, and whoever operates everything
//! may change it. Owns that one is kept only if it can be rendered, that a version stays as it is, and
//! that no preview holds a secret.

mod builtin;
mod fields;
mod lint;
mod preview;
mod write;

pub use builtin::ensure as ensure_builtin;
pub use fields::TemplateFields;
pub(super) use lint::smallest;
pub use lint::{Lint, lint};
pub use preview::{Asked, Preview, preview, preview_body};
pub use write::{change, create};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::store::profiles;
use crate::store::templates::{self as store, Template, Told, Version};

/// Of the profiles that use a template, so many are named.
const NAMED: usize = 5;

/// A template, and one of its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The template.
    pub template: Template,
    /// The newest version, unless another one was asked for.
    pub version: Version,
}

/// A page of templates in order of their names, after a name.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Template>, Error> {
    ctx.require(Right::Read)?;
    Ok(store::list(&app.pool, after, limit).await?)
}

/// One template, with its newest version.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, template_id: Uuid) -> Result<View, Error> {
    version(app, ctx, template_id, None).await
}

/// The template of this name, with its newest version.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn named(app: &App, ctx: &Ctx, name: &str) -> Result<View, Error> {
    ctx.require(Right::Read)?;
    let found = store::named(&app.pool, name).await?;
    let template = found.ok_or_else(|| Error::NotFound(format!("no template `{name}`")))?;
    version(app, ctx, template.template_id, None).await
}

/// The versions of a template, the newest first, before one.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn versions(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Told>, Error> {
    ctx.require(Right::Read)?;
    load(&app.pool, template_id).await?;
    Ok(store::versions(&app.pool, template_id, before, limit).await?)
}

/// A template with this version of it, or the newest.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn version(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    version: Option<i32>,
) -> Result<View, Error> {
    ctx.require(Right::Read)?;
    let template = load(&app.pool, template_id).await?;
    let version = found(&app.pool, template_id, version).await?;
    Ok(View { template, version })
}

async fn load(db: impl PgExecutor<'_>, template_id: Uuid) -> Result<Template, Error> {
    let unknown = || Error::NotFound(format!("no template {template_id}"));
    store::get(db, template_id).await?.ok_or_else(unknown)
}

async fn found(
    db: impl PgExecutor<'_>,
    template_id: Uuid,
    version: Option<i32>,
) -> Result<Version, Error> {
    let unknown = || {
        let which = version.map(|v| format!(" with a version {v}")).unwrap_or_default();
        Error::NotFound(format!("no template {template_id}{which}"))
    };
    store::version(db, template_id, version).await?.ok_or_else(unknown)
}

/// Removes a template with all its versions. `check` says whether its version, the time of its last
/// change, is the one that is meant.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] for one that comes with Muster, that a
/// profile or a rollout uses, or that a bench or a board is armed with.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    // So that no profile comes to use it meanwhile.
    profiles::lock(&mut tx).await?;
    store::lock(&mut tx).await?;
    let template = load(&mut *tx, template_id).await?;
    check_own(&template)?;
    check(template.updated_at)?;
    let users = store::users(&mut tx, template_id).await?;
    if !users.is_empty() {
        let mut named: Vec<String> = users.iter().take(NAMED).map(|n| format!("`{n}`")).collect();
        if users.len() > NAMED {
            named.push(format!("{} more", users.len() - NAMED));
        }
        let why = format!(
            "used by profiles: {}; give them another template, or none, first",
            named.join(", ")
        );
        return Err(Error::Conflict(why));
    }
    check_unarmed(&mut tx, ctx, &template.name).await?;
    check_no_rollout(&mut tx, &template).await?;
    let version = found(&mut *tx, template_id, None).await?;
    store::delete(&mut tx, template_id).await?;
    let object = Object::new("template", template_id, &template.name);
    let before = TemplateFields::of(&template, &version);
    audit::record(&mut tx, ctx, "template.delete", object, before, ()).await?;
    tx.commit().await?;
    tracing::info!(template.id = %template_id, template.name, by = ctx.actor.name, "template removed");
    Ok(())
}

/// Makes a template of one's own with the newest version of another.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] for what is no name, [`Error::Conflict`]
/// for a name that is taken.
pub async fn copy(app: &App, ctx: &Ctx, template_id: Uuid, name: &str) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    check_name(name)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let template = load(&mut *tx, template_id).await?;
    let version = found(&mut *tx, template_id, None).await?;
    let note = format!("a copy of {}, version {}", template.name, version.version);
    let fields = TemplateFields {
        name: Some(name.to_owned()),
        note: Some(note),
        ..TemplateFields::of(&template, &version)
    };
    let view = write::insert(&mut tx, ctx, fields.checked()?).await?;
    tx.commit().await?;
    Ok(view)
}

/// Refuses what comes with Muster: another version of it would change it back.
fn check_own(template: &Template) -> Result<(), Error> {
    if template.builtin {
        let why = format!("`{}` comes with Muster: copy it, and change the copy", template.name);
        return Err(Error::Conflict(why));
    }
    Ok(())
}

/// That no bench is armed with it, and no board to be installed with it. Templates must be locked.
async fn check_unarmed(conn: &mut PgConnection, ctx: &Ctx, name: &str) -> Result<(), Error> {
    if let Some(bench) = store::armed_bench(conn, name, ctx.now).await? {
        let why = format!("the bench {bench} is armed with `{name}`: disarm it first");
        return Err(Error::Conflict(why));
    }
    if let Some(mac) = store::armed_board(conn, name, ctx.now).await? {
        let why = format!("the board {mac} may be installed with `{name}`: take that back first");
        return Err(Error::Conflict(why));
    }
    Ok(())
}

/// That no rollout sends what it gives, or would be taken back by it. Templates must be locked.
async fn check_no_rollout(conn: &mut PgConnection, template: &Template) -> Result<(), Error> {
    match store::needed_by_rollout(conn, template.template_id).await? {
        Some(rollout) => Err(Error::Conflict(format!(
            "the rollout `{rollout}` needs `{}`, to go on or to be taken back",
            template.name
        ))),
        None => Ok(()),
    }
}

/// That no other template has this name. Templates must be locked.
async fn check_free(conn: &mut PgConnection, name: &str, own: Option<Uuid>) -> Result<(), Error> {
    match store::named(&mut *conn, name).await? {
        Some(other) if Some(other.template_id) != own => {
            Err(Error::Conflict(format!("there already is a template `{name}`")))
        }
        _ => Ok(()),
    }
}
