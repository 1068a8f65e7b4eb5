//! Profiles: list, make, change, remove (here); say of which devices they are (`bind`), and how many
//! that are (`reach`).
//!
//! A profile belongs to no site: whoever reads anything may see it, and whoever operates everything may
//! change it and say where it holds. Where that is they see as far as they see sites. Owns that a
//! change reaches its devices, in the same transaction, and no others; and that no secret of a profile
//! is shown.

mod bind;
mod fields;
mod reach;

pub use bind::{Binding, bind, bind_device, unbind};
pub use fields::ProfileFields;
pub use reach::{Impact, impact};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::profile::Desired;
use crate::store::profiles::{self as store, BindingRow, Profile, Uses};

/// A profile as people see it.
#[derive(Debug, Clone)]
pub struct View {
    /// The profile; what it wants is sealed here.
    pub profile: Profile,
    /// What it wants, secrets masked.
    pub desired: Desired,
    /// Where it holds, as far as the caller sees it.
    pub bindings: Vec<BindingRow>,
}

/// A page of profiles in order of their names, after a name.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<View>, Error> {
    ctx.require(Right::Read)?;
    views(app, ctx, store::list(&app.pool, after, limit).await?).await
}

/// One profile.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, profile_id: Uuid) -> Result<View, Error> {
    ctx.require(Right::Read)?;
    let found = store::get(&app.pool, profile_id).await?;
    view(app, ctx, found.ok_or_else(|| unknown(profile_id))?).await
}

/// The profile of this name.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn named(app: &App, ctx: &Ctx, name: &str) -> Result<View, Error> {
    ctx.require(Right::Read)?;
    let found = store::named(&app.pool, name).await?;
    view(app, ctx, found.ok_or_else(|| Error::NotFound(format!("no profile `{name}`")))?).await
}

fn unknown(profile_id: Uuid) -> Error {
    Error::NotFound(format!("no profile {profile_id}"))
}

async fn view(app: &App, ctx: &Ctx, profile: Profile) -> Result<View, Error> {
    let mut views = views(app, ctx, vec![profile]).await?;
    views.pop().ok_or_else(|| Error::Internal("one view for each profile".to_owned()))
}

async fn views(app: &App, ctx: &Ctx, profiles: Vec<Profile>) -> Result<Vec<View>, Error> {
    let ids: Vec<Uuid> = profiles.iter().map(|profile| profile.profile_id).collect();
    let mut bindings = store::bindings_of(&app.pool, &ids).await?;
    let sight = ctx.reach(Right::Read);
    bindings.retain(|row| row.site.is_none() || sight.covers(row.site.as_deref()));
    let view = |profile: Profile| -> Result<View, Error> {
        let of_it = bindings.iter().filter(|row| row.profile_id == profile.profile_id);
        let bindings = of_it.cloned().collect();
        Ok(View { desired: fields::shown(&profile)?, profile, bindings })
    };
    profiles.into_iter().map(view).collect()
}

/// Makes a profile. It is for no device until it is bound.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken, [`Error::Conflict`] for a
/// name that is taken.
pub async fn create(app: &App, ctx: &Ctx, fields: ProfileFields) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let draft = fields.checked(&Desired::default())?;
    let profile_id = Uuid::now_v7();
    let profile = Profile {
        profile_id,
        desired: draft.desired.sealed(&app.keys, profile_id),
        name: draft.name,
        description: draft.description,
        enforce: draft.enforce,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    check_among(&mut tx, &profile, &draft.desired).await?;
    store::insert(&mut tx, &profile).await?;
    let object = Object::new("profile", profile_id, &profile.name);
    let after = ProfileFields::of(&profile)?;
    audit::record(&mut tx, ctx, "profile.create", object, (), after).await?;
    tx.commit().await?;
    tracing::info!(profile.id = %profile_id, profile.name, by = ctx.actor.name, "profile made");
    view(app, ctx, profile).await
}

/// Changes a profile. `check` says whether its version, the time of its last change, is the one that
/// is meant; `patch` gives the fields that it is to have. Its devices are compared at the pace that
/// the settings say.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], and those of `check` and `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    profile_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(ProfileFields) -> Result<ProfileFields, Error>,
) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let current = store::get(&mut *tx, profile_id).await?.ok_or_else(|| unknown(profile_id))?;
    check(current.updated_at)?;
    let before = ProfileFields::of(&current)?;
    let had = Desired::opened(&current.desired, &app.keys, profile_id)?;
    let draft = patch(before.clone())?.checked(&had)?;
    let says_otherwise =
        (&draft.desired, draft.enforce, &draft.name) != (&had, current.enforce, &current.name);
    let profile = Profile {
        desired: draft.desired.sealed(&app.keys, profile_id),
        name: draft.name,
        description: draft.description,
        enforce: draft.enforce,
        updated_at: ctx.now,
        ..current
    };
    check_among(&mut tx, &profile, &draft.desired).await?;
    store::update(&mut tx, &profile).await?;
    let object = Object::new("profile", profile_id, &profile.name);
    let after = ProfileFields::of(&profile)?;
    audit::record(&mut tx, ctx, "profile.change", object, before, after).await?;
    if says_otherwise {
        let reason = format!("the profile {} was changed", profile.name);
        reach::compare(&mut tx, app, ctx, profile_id, &reason).await?;
    }
    tx.commit().await?;
    tracing::info!(profile.id = %profile_id, profile.name, by = ctx.actor.name, "profile changed");
    view(app, ctx, profile).await
}

/// Removes a profile that nothing names. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] while it is bound, or a device, a claim
/// or a rule of admission has it.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    profile_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let profile = store::hold(&mut tx, profile_id).await?.ok_or_else(|| unknown(profile_id))?;
    check(profile.updated_at)?;
    let bound = store::bindings_of(&mut *tx, &[profile_id]).await?.len();
    if let Some(why) = in_use(bound, store::uses(&mut tx, profile_id).await?) {
        return Err(Error::Conflict(why));
    }
    store::delete(&mut tx, profile_id).await?;
    let object = Object::new("profile", profile_id, &profile.name);
    let before = ProfileFields::of(&profile)?;
    audit::record(&mut tx, ctx, "profile.delete", object, before, ()).await?;
    tx.commit().await?;
    tracing::info!(profile.id = %profile_id, profile.name, by = ctx.actor.name, "profile removed");
    Ok(())
}

/// Why a profile cannot be removed, in words.
fn in_use(bound: usize, uses: Uses) -> Option<String> {
    let many = |n: i64, one: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {one}s")),
    };
    let bound = i64::try_from(bound).unwrap_or(i64::MAX);
    let counts = [
        many(bound, "binding"),
        many(uses.devices, "device"),
        many(uses.claims, "claim"),
        many(uses.rules, "admission rule"),
    ];
    let told: Vec<String> = counts.into_iter().flatten().collect();
    let told = told.join(", ");
    (!told.is_empty()).then(|| format!("it is named by {told}: take it from there first"))
}

/// That no other profile has its name, and that the template that it names is there.
async fn check_among(
    conn: &mut PgConnection,
    profile: &Profile,
    desired: &Desired,
) -> Result<(), Error> {
    let namesake = store::named(&mut *conn, &profile.name).await?;
    if namesake.is_some_and(|other| other.profile_id != profile.profile_id) {
        return Err(Error::Conflict(format!("there already is a profile `{}`", profile.name)));
    }
    if let Some(template) = &desired.template
        && !store::has_template(conn, template.template_id, template.version).await?
    {
        let which = template.version.map(|v| format!(" with a version {v}")).unwrap_or_default();
        let why = format!("no template {}{which}", template.template_id);
        return Err(Error::invalid("/desired/template", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_profile_is_told_in_words() {
        let none = Uses { devices: 0, claims: 0, rules: 0 };
        assert_eq!(in_use(0, none), None);
        let some = Uses { devices: 2, claims: 1, ..none };
        let why = in_use(1, some).unwrap_or_default();
        assert!(why.starts_with("it is named by 1 binding, 2 devices, 1 claim:"), "{why}");
    }
}
