//! Templates: make, change.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::fields::{Draft, TemplateFields};
use super::{View, check_free, check_own, check_unarmed, found, lint, load};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::sweeps;
use crate::store::templates::{self as store, Template, Version};

/// Makes a template.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken and a template that is wrong,
/// with the lines; [`Error::Conflict`] for a name that is taken.
pub async fn create(app: &App, ctx: &Ctx, fields: TemplateFields) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let draft = fields.checked()?;
    lint::accepted(app, &draft.name, &draft.body, &draft.variables, draft.bench).await?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let view = insert(&mut tx, ctx, draft).await?;
    tx.commit().await?;
    Ok(view)
}

/// Stores a new template, with its entry in the audit log. Templates must be locked.
pub(super) async fn insert(
    conn: &mut PgConnection,
    ctx: &Ctx,
    draft: Draft,
) -> Result<View, Error> {
    check_free(conn, &draft.name, None).await?;
    let template = Template {
        template_id: Uuid::now_v7(),
        name: draft.name.clone(),
        description: draft.description.clone(),
        version: 1,
        builtin: false,
        bench: draft.bench,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let version = version_of(&template, draft, ctx);
    store::insert(conn, &template).await?;
    store::insert_version(conn, &version).await?;
    let object = Object::new("template", template.template_id, &template.name);
    let after = TemplateFields::of(&template, &version);
    audit::record(conn, ctx, "template.create", object, (), after).await?;
    let (id, name) = (template.template_id, &template.name);
    tracing::info!(template.id = %id, template.name = name, by = ctx.actor.name, "template made");
    Ok(View { template, version })
}

fn version_of(template: &Template, draft: Draft, ctx: &Ctx) -> Version {
    Version {
        template_id: template.template_id,
        name: template.name.clone(),
        version: template.version,
        body: draft.body,
        variables: Json(draft.variables),
        note: draft.note,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
    }
}

/// Changes a template: another body or other variables make a new version, which the devices of all
/// profiles get that name no version. `check` says whether its version, the time of its last change,
/// is the one that is meant; `patch` gives the fields that it is to have.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], those of `check` and `patch`, and [`Error::Conflict`] for
/// one that comes with Muster, and for one that an armed bench or board could not find afterwards.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(TemplateFields) -> Result<TemplateFields, Error>,
) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let seen = load(&app.pool, template_id).await?;
    check_own(&seen)?;
    check(seen.updated_at)?;
    let version = found(&app.pool, template_id, Some(seen.version)).await?;
    let before = TemplateFields::of(&seen, &version);
    // The note was of that version.
    let draft = patch(TemplateFields { note: None, ..before.clone() })?.checked()?;
    let is_new = draft.body != version.body || draft.variables != version.variables.0;
    if is_new || (draft.bench && !seen.bench) {
        lint::accepted(app, &draft.name, &draft.body, &draft.variables, draft.bench).await?;
    }
    if !is_new && !draft.note.is_empty() {
        let why = "a note is of a new version: change the body or the variables with it";
        return Err(Error::invalid("/note", why));
    }
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let current = load(&mut *tx, template_id).await?;
    if current.updated_at != seen.updated_at {
        return Err(Error::Stale("the template was changed meanwhile: read it again".to_owned()));
    }
    check_free(&mut tx, &draft.name, Some(template_id)).await?;
    // Benches and boards know it by its name.
    if draft.name != current.name || (current.bench && !draft.bench) {
        check_unarmed(&mut tx, ctx, &current.name).await?;
    }
    let template = Template {
        name: draft.name.clone(),
        description: draft.description.clone(),
        bench: draft.bench,
        version: current.version + i32::from(is_new),
        updated_at: ctx.now,
        ..current
    };
    let version = match is_new {
        true => version_of(&template, draft, ctx),
        false => Version { name: template.name.clone(), ..version },
    };
    store::update(&mut tx, &template).await?;
    if is_new {
        store::insert_version(&mut tx, &version).await?;
        compare(&mut tx, app, ctx, &template).await?;
    }
    let object = Object::new("template", template_id, &template.name);
    let after = TemplateFields::of(&template, &version);
    audit::record(&mut tx, ctx, "template.change", object, before, after).await?;
    tx.commit().await?;
    tracing::info!(template.id = %template_id, template.name, by = ctx.actor.name, "template changed");
    Ok(View { template, version })
}

/// Has the fleet compared with what is wanted of it, if a profile uses the template.
async fn compare(
    conn: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    template: &Template,
) -> Result<(), Error> {
    if store::users(conn, template.template_id).await?.is_empty() {
        return Ok(());
    }
    let reason = format!("the template {} has a version {}", template.name, template.version);
    sweeps::begin(conn, app, ctx, &reason, None).await.map(drop)
}
