//! Drafts of rollouts: make, change, remove.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{View, held, seen};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::template::{Variable, settle};
use crate::fleet::variables::Variables;
use crate::fleet::{group, label};
use crate::rollout::change::{Audience, Change};
use crate::rollout::check;
use crate::rollout::plan::{Plan, Take};
use crate::rollout::reconcile::Work;
use crate::rollout::state::State;
use crate::store::rollouts::{self as store, Rollout, story};
use crate::store::{artifacts, groups, templates};

/// Characters of a description.
const MAX_DESCRIPTION: usize = 1_000;

/// What people write of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutFields {
    /// For people.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What.
    pub change: Change,
    /// Whom.
    pub audience: Audience,
    /// How; what is absent is careful.
    #[serde(default)]
    pub plan: Plan,
}

impl RolloutFields {
    /// Of a rollout that there is; its secrets are masked.
    pub fn of(view: &View) -> Self {
        Self {
            name: view.row.name.clone(),
            description: view.row.description.clone(),
            change: view.change.clone(),
            audience: view.audience.clone(),
            plan: view.plan.clone(),
        }
    }
}

/// Makes a draft.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken.
pub async fn create(app: &App, ctx: &Ctx, fields: RolloutFields) -> Result<View, Error> {
    let row = row(app, ctx, &fields).await?;
    let work = Work::of(row.clone())?;
    let mut tx = app.pool.begin().await?;
    keep(&mut tx, &work.change).await?;
    store::insert(&mut tx, &row).await?;
    let detail = json!({ "text": "written" });
    let (id, by) = (row.rollout_id, &ctx.actor.name);
    story::append(&mut tx, id, "created", by, None, &detail, ctx.now).await?;
    let view = View::of(work, Vec::new());
    let object = Object::new("rollout", id, &view.row.name);
    audit::record(&mut tx, ctx, "rollout.create", object, (), RolloutFields::of(&view)).await?;
    tx.commit().await?;
    Ok(view)
}

/// A draft with these fields, not stored.
pub(super) async fn row(app: &App, ctx: &Ctx, fields: &RolloutFields) -> Result<Rollout, Error> {
    // Where the caller operates: what they write may go there and nowhere else.
    let within = ctx.require(Right::Operate)?.within();
    let change = checked(app, fields).await?;
    Ok(Rollout {
        rollout_id: Uuid::now_v7(),
        name: fields.name.trim().to_owned(),
        description: fields.description.clone(),
        change: sealed(app, &change)?,
        audience: stored(&fields.audience)?,
        plan: stored(&fields.plan)?,
        scope: within.as_ref().map(store::places),
        state: State::Draft.word().to_owned(),
        reason: None,
        state_at: ctx.now,
        paused_by: None,
        resume_to: None,
        wave: 0,
        soak_until: None,
        start_at: None,
        prepared_at: None,
        pace: json!({}),
        inverse_of: None,
        inverse_id: None,
        created_by: ctx.actor.name.clone(),
        created_by_id: ctx.actor.whoever(),
        started_by: None,
        started_by_id: None,
        approved_by: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        started_at: None,
        finished_at: None,
        due_at: None,
        leased_by: None,
        leased_until: None,
    })
}

/// Keeps the files and templates that a change names until the transaction ends: it was looked for them
/// before, and one may have been removed since.
async fn keep(conn: &mut PgConnection, change: &Change) -> Result<(), Error> {
    match change {
        Change::Script { .. } => {
            let files = files(change);
            let ids: Vec<Uuid> = files.iter().map(|(_, id)| *id).collect();
            let kept = artifacts::keep(conn, &ids).await?;
            match files.into_iter().find(|(_, id)| !kept.contains(id)) {
                Some((at, id)) => Err(no_file(at, id)),
                None => Ok(()),
            }
        }
        Change::Template { template, template_id, undo, .. } => {
            templates::lock(&mut *conn).await?;
            let undo = undo.as_ref().map(|undo| ("/change/undo", &undo.template, undo.template_id));
            let named = std::iter::once(("/change", template, *template_id)).chain(undo);
            for (at, name, id) in named {
                if let Some(id) = id
                    && templates::get(&mut *conn, id).await?.is_none()
                {
                    return Err(no_template(at, name));
                }
            }
            Ok(())
        }
        Change::Release { .. }
        | Change::Parameters { .. }
        | Change::PreviousRelease
        | Change::PreviousParameters => Ok(()),
    }
}

/// Changes a draft. `check` says whether its version, the time of its last change, is the one that
/// is meant; `patch` gives the fields that it is to have.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], those of `check` and `patch`, and [`Error::Conflict`]
/// for one that is no draft any more.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(RolloutFields) -> Result<RolloutFields, Error>,
) -> Result<View, Error> {
    ctx.require(Right::Operate)?;
    let seen = seen(app, ctx, id).await?;
    draft(&seen)?;
    check(seen.row.updated_at)?;
    let version = seen.row.updated_at;
    let opened = seen.opened(&app.keys)?;
    let before = RolloutFields::of(&View::of(seen, Vec::new()));
    let mut fields = patch(before.clone())?;
    // What came back masked is what it was.
    fields.change.keep_masked(&opened);
    // Before the transaction: whoever holds one asks for no second connection.
    let change = checked(app, &fields).await?;
    let mut tx = app.pool.begin().await?;
    let mut work = held(&mut tx, ctx, id, Right::Operate).await?;
    draft(&work)?;
    if work.row.updated_at != version {
        return Err(Error::Stale("the rollout was changed meanwhile: read it again".to_owned()));
    }
    keep(&mut tx, &change).await?;
    let row = work.row.clone();
    work.row = Rollout {
        name: fields.name.trim().to_owned(),
        description: fields.description.clone(),
        change: sealed(app, &change)?,
        audience: stored(&fields.audience)?,
        plan: stored(&fields.plan)?,
        updated_at: ctx.now,
        ..row
    };
    store::update(&mut tx, &work.row).await?;
    let view = View::of(Work::of(work.row)?, Vec::new());
    let object = Object::new("rollout", id, &view.row.name);
    audit::record(&mut tx, ctx, "rollout.change", object, before, RolloutFields::of(&view)).await?;
    tx.commit().await?;
    Ok(view)
}

/// Removes a draft. `check` is as with [`change`].
///
/// # Errors
/// [`Error::NotFound`], [`Error::Denied`], [`Error::Conflict`] for one that is no draft any more.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    let work = held(&mut tx, ctx, id, Right::Operate).await?;
    draft(&work)?;
    check(work.row.updated_at)?;
    let object = Object::new("rollout", id, &work.row.name);
    audit::record(&mut tx, ctx, "rollout.delete", object, &work.row.audience, ()).await?;
    store::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

fn draft(work: &Work) -> Result<(), Error> {
    match work.state {
        State::Draft => Ok(()),
        other => Err(Error::Conflict(format!(
            "the rollout is {}: only a draft can be changed or removed",
            other.words()
        ))),
    }
}

/// Refuses what makes no sense, and what names things that are not there; gives the change as it is to be
/// kept.
async fn checked(app: &App, fields: &RolloutFields) -> Result<Change, Error> {
    label::check_name(&fields.name)?;
    if fields.description.chars().count() > MAX_DESCRIPTION {
        let why = format!("at most {MAX_DESCRIPTION} characters");
        return Err(Error::invalid("/description", why));
    }
    check::change(&fields.change)?;
    check::audience(&fields.audience)?;
    check::plan(&fields.plan)?;
    check::together(&fields.change, &fields.plan)?;
    if fields.change.has_masked() {
        let why = "a secret is still masked: write its value";
        let at = match &fields.change {
            Change::Template { .. } => "/change/variables",
            _ => "/change/parameters",
        };
        return Err(Error::invalid(at, why));
    }
    if let Some(text) = &fields.audience.selector {
        group::read(&app.pool, text, "/audience/selector").await?;
    }
    if let Some(id) = fields.audience.group_id
        && groups::get(&app.pool, id).await?.is_none()
    {
        return Err(Error::invalid("/audience/group_id", format!("no group {id}")));
    }
    for (i, wave) in fields.plan.waves.iter().enumerate() {
        if let Take::Group(id) = wave.take
            && groups::get(&app.pool, id).await?.is_none()
        {
            let at = format!("/plan/waves/{i}/take/group");
            return Err(Error::invalid(at, format!("no group {id}")));
        }
    }
    there(app, &fields.change).await?;
    let mut change = fields.change.clone();
    pin(app, &mut change).await?;
    Ok(change)
}

/// Refuses a change by what is not there.
async fn there(app: &App, change: &Change) -> Result<(), Error> {
    match change {
        Change::Release { version, .. } => {
            let release = crate::store::releases::release(&app.pool, version).await?;
            match release {
                None => Err(Error::invalid(
                    "/change/version",
                    format!("no release {version}: upload its packages first"),
                )),
                Some(release) if release.withdrawn_at.is_some() => Err(Error::invalid(
                    "/change/version",
                    format!(
                        "{version} was withdrawn: {}",
                        release.withdrawn_why.unwrap_or_default()
                    ),
                )),
                Some(_) => Ok(()),
            }
        }
        Change::Script { .. } => {
            for (at, id) in files(change) {
                if artifacts::get(&app.pool, id).await?.is_none() {
                    return Err(no_file(at, id));
                }
            }
            Ok(())
        }
        Change::Template { .. }
        | Change::Parameters { .. }
        | Change::PreviousRelease
        | Change::PreviousParameters => Ok(()),
    }
}

/// The stored files that a change names, each with its place in what people write.
fn files(change: &Change) -> Vec<(&'static str, Uuid)> {
    let Change::Script { artifact_id, undo_artifact_id } = change else { return Vec::new() };
    let undo = undo_artifact_id.map(|id| ("/change/undo_artifact_id", id));
    std::iter::once(("/change/artifact_id", *artifact_id)).chain(undo).collect()
}

fn no_file(at: &str, id: Uuid) -> Error {
    Error::invalid(at, format!("no file {id}"))
}

fn no_template(at: &str, name: &str) -> Error {
    Error::invalid(format!("{at}/template"), format!("no template `{name}`"))
}

/// Notes which templates a change names, and which of their versions: neither another version nor another
/// template of the name changes anything of it later. Refuses values that none of them asks for.
async fn pin(app: &App, change: &mut Change) -> Result<(), Error> {
    let Change::Template { template, version, template_id, variables, undo } = change else {
        return Ok(());
    };
    let found = named(app, "/change", template, *version).await?;
    (*version, *template_id) = (Some(found.version), Some(found.template_id));
    fits(&found.variables, variables)?;
    let mut declared = found.variables.0;
    if let Some(undo) = undo {
        let found = named(app, "/change/undo", &undo.template, undo.version).await?;
        (undo.version, undo.template_id) = (Some(found.version), Some(found.template_id));
        fits(&found.variables, variables)?;
        declared.extend(found.variables.0);
    }
    let odd = variables.0.keys().find(|name| !declared.iter().any(|one| one.name == **name));
    match odd {
        Some(name) => {
            let why = format!("`{template}` has no variable `{name}`");
            Err(Error::invalid("/change/variables", why))
        }
        None => Ok(()),
    }
}

/// A version of the template of this name.
async fn named(
    app: &App,
    at: &str,
    name: &str,
    version: Option<i32>,
) -> Result<templates::Version, Error> {
    let found = templates::named(&app.pool, name).await?;
    let template = found.ok_or_else(|| no_template(at, name))?;
    let found = templates::version(&app.pool, template.template_id, version).await?;
    let no_version = || {
        let which = version.unwrap_or_default();
        Error::invalid(format!("{at}/version"), format!("`{name}` has no version {which}"))
    };
    found.ok_or_else(no_version)
}

/// Refuses values that do not fit. Those that are missing are given by the devices.
fn fits(declared: &[Variable], given: &Variables) -> Result<(), Error> {
    let (_, wrong) = settle(declared, given);
    match wrong.into_iter().find(|wrong| !wrong.missing) {
        Some(wrong) => {
            let why = format!("`{}`: {}", wrong.name, wrong.words);
            Err(Error::invalid("/change/variables", why))
        }
        None => Ok(()),
    }
}

fn stored(value: &impl Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|e| Error::Internal(e.to_string()))
}

fn sealed(app: &App, change: &Change) -> Result<serde_json::Value, Error> {
    let mut change = change.clone();
    change.seal(&app.keys);
    stored(&change)
}
