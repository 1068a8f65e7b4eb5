//! Claims: devices that are expected. List, make, change, remove, and the credential of one.
//!
//! A claim is seen where it says that its device comes to stand, and changed by whoever operates
//! there; one without a site belongs to who does everywhere. What a device has taken stays as it is:
//! from then on the device is changed.
//!
//! - [`import`]: many at once, from a table. [`export`]: all of them, as one. [`quarantine`]: devices
//!   that came and are expected by nobody. `declared`: what the template of a profile asks for, and
//!   that a claim's values fit it.

mod declared;
pub mod export;
pub mod import;
pub mod quarantine;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::admission::MAX_WAITING;
use crate::fleet::claim::{self, ClaimFields, Login};
use crate::store::claims::{self as store, Claim};
use crate::store::sites;

pub use declared::declared;
pub use store::Filter;

/// States by which a list is narrowed.
pub const STATES: [&str; 3] = ["open", "taken", "refused"];
/// Bytes of a text that is looked for.
const MAX_TEXT: usize = 100;

/// A page of claims in the order in which they were made, after one.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a filter that cannot be.
pub async fn list(
    app: &App,
    ctx: &Ctx,
    filter: Filter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Claim>, Error> {
    let within = ctx.require(Right::Read)?.paths();
    let filter = checked(filter)?;
    Ok(store::list(&app.pool, &filter, within.as_deref(), after, limit).await?)
}

fn checked(filter: Filter) -> Result<Filter, Error> {
    let Filter { state, site, text, .. } = filter;
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Error::invalid("", format!("state is one of {}", STATES.join(", "))));
    }
    if let Some(site) = &site {
        let wrong = |why: String| Error::invalid("", format!("site: {why}"));
        site.parse::<crate::fleet::site::SitePath>().map_err(wrong)?;
    }
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
        return Err(Error::invalid("", format!("q: at most {MAX_TEXT} bytes")));
    }
    // A whole address however it is written; the beginning of one as it is stored. Twelve hexadecimal
    // digits are a serial number, too.
    let mac = text.as_deref().and_then(claim::mac);
    Ok(Filter { state, site, text, mac })
}

/// How many claims the caller sees: open, taken, and open ones that a device wanted and did not get.
///
/// # Errors
/// [`Error::Denied`]
pub async fn counts(app: &App, ctx: &Ctx) -> Result<(i64, i64, i64), Error> {
    let within = ctx.require(Right::Read)?.paths();
    Ok(store::counts(&app.pool, within.as_deref()).await?)
}

/// One claim.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for one that is not there or not seen.
pub async fn get(app: &App, ctx: &Ctx, claim_id: Uuid) -> Result<Claim, Error> {
    ctx.require(Right::Read)?;
    let mut conn = app.pool.acquire().await?;
    load(&mut conn, ctx, claim_id).await
}

/// A claim, if it is there and the caller sees it.
async fn load(conn: &mut PgConnection, ctx: &Ctx, claim_id: Uuid) -> Result<Claim, Error> {
    let claim = store::get(conn, claim_id).await?;
    let seen = |claim: &Claim| ctx.reach(Right::Read).covers(claim.site.as_deref());
    claim.filter(seen).ok_or_else(|| Error::NotFound(format!("no claim {claim_id}")))
}

/// Claims a device.
///
/// # Errors
/// [`Error::Denied`] where the caller may not operate at the site; [`Error::Invalid`] for fields that
/// cannot be taken, [`Error::Conflict`] where it is claimed already.
pub async fn create(app: &App, ctx: &Ctx, fields: ClaimFields) -> Result<Claim, Error> {
    // Before it is looked whether that site exists, which is not for everybody to know.
    ctx.require_at(Right::Operate, fields.site.as_deref())?;
    let fields = fields.checked()?;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    store::lock(&mut tx).await?;
    declared::check(&mut tx, fields.profile.as_deref(), &fields.variables).await?;
    let claim_id = Uuid::now_v7();
    let claim = write(&mut tx, app, ctx, claim_id, &fields).await?;
    let object = Object::new("claim", claim_id, fields.name());
    audit::record(&mut tx, ctx, "claim.create", object, (), fields.clone().masked()).await?;
    tx.commit().await?;
    looked_at_again(app, &[&fields]).await;
    tracing::info!(claim.id = %claim_id, by = ctx.actor.name, "a device is claimed");
    Ok(claim)
}

/// Changes a claim that no device has taken. `check` says whether its version, the time of its last
/// change, is the one that is meant; `patch` makes the new fields of those that it has, in which
/// secrets are masked.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], those of `check` and `patch`, and [`Error::Conflict`] for
/// one that a device has taken.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    claim_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(ClaimFields) -> Result<ClaimFields, Error>,
) -> Result<Claim, Error> {
    ctx.require(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    store::lock(&mut tx).await?;
    let current = load(&mut tx, ctx, claim_id).await?;
    ctx.require_at(Right::Operate, current.site.as_deref())?;
    check(current.updated_at)?;
    if let Some(device_id) = current.device_id {
        return Err(Error::Conflict(format!("the device {device_id} has taken it: change that")));
    }
    let before = ClaimFields::of(&current);
    let mut fields = patch(before.clone())?;
    let masked = fields.variables.clone();
    fields.keep_masked(&ClaimFields::opened(&current, &app.keys)?);
    if fields.site != current.site {
        ctx.require_at(Right::Operate, fields.site.as_deref())?;
    }
    let fields = fields.checked()?;
    // A template may have changed since: what nobody touches is not held against them.
    if fields.profile != before.profile || masked != before.variables {
        declared::check(&mut tx, fields.profile.as_deref(), &masked).await?;
    }
    let claim = write(&mut tx, app, ctx, claim_id, &fields).await?;
    let object = Object::new("claim", claim_id, fields.name());
    audit::record(&mut tx, ctx, "claim.change", object, &before, fields.clone().masked()).await?;
    tx.commit().await?;
    looked_at_again(app, &[&before, &fields]).await;
    tracing::info!(claim.id = %claim_id, by = ctx.actor.name, "a claim was changed");
    Ok(claim)
}

/// Writes a claim, for a device that no other one is for. The tree is shared, and claims are locked.
async fn write(
    tx: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    claim_id: Uuid,
    fields: &ClaimFields,
) -> Result<Claim, Error> {
    if let Some(site) = &fields.site
        && !sites::exists(&mut *tx, site).await?
    {
        return Err(Error::invalid("/site", format!("there is no site {site}")));
    }
    let profile_id = profile(tx, fields.profile.as_deref()).await?;
    let (serials, macs): (Vec<_>, Vec<_>) =
        (fields.serial.iter().cloned().collect(), fields.mac.iter().cloned().collect());
    let others = store::find(&mut *tx, &[], &serials, &macs).await?;
    if let Some(other) = others.iter().find(|other| other.claim_id != claim_id) {
        // Which one is told to who sees it.
        let which = match ctx.reach(Right::Read).covers(other.site.as_deref()) {
            true => format!(": {}", other.claim_id),
            false => String::new(),
        };
        return Err(Error::Conflict(format!("there is a claim for this device already{which}")));
    }
    let new = fields.sealed(&app.keys, claim_id, profile_id);
    if store::put(&mut *tx, &[new], &ctx.actor.name, ctx.now).await? == 0 {
        return Err(Error::Conflict("a device has taken it just now".to_owned()));
    }
    let gone =
        || Error::Internal(format!("the claim {claim_id} is not there after it was written"));
    store::get(tx, claim_id).await?.ok_or_else(gone)
}

/// The id of the profile of this name.
pub(super) async fn profile(
    tx: &mut PgConnection,
    name: Option<&str>,
) -> Result<Option<Uuid>, Error> {
    let Some(name) = name else { return Ok(None) };
    let found = store::profiles_among(tx, &[name.to_owned()]).await?.pop();
    let none = || Error::invalid("/profile", format!("there is no profile `{name}`"));
    found.map(|(_, profile_id)| Some(profile_id)).ok_or_else(none)
}

/// Devices that wait and are named by these claims are looked at again when they say something next.
async fn looked_at_again(app: &App, claims: &[&ClaimFields]) {
    let (mut serials, mut macs) = (Vec::new(), Vec::new());
    for claim in claims {
        match &claim.serial {
            Some(serial) => serials.push(serial.clone()),
            // By its address alone: a claim that names a serial number is for no other.
            None => macs.extend(claim.mac.clone()),
        }
    }
    warn_of(store::look_again_at(&app.pool, &serials, &macs).await);
}

/// All devices that wait are looked at again when they say something next: a rule may fit any of them.
pub(super) async fn all_looked_at_again(app: &App) {
    warn_of(store::look_again(&app.pool, MAX_WAITING).await);
}

/// That it fails is no failure of what was done: those that have to enrol are looked at anyhow.
fn warn_of(looked: Result<(), sqlx::Error>) {
    if let Err(error) = looked {
        tracing::warn!(cause = %error, "devices in quarantine are not looked at anew");
    }
}

/// Removes a claim; the device that took it stays what it is. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], those of `check`.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    claim_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let claim = load(&mut tx, ctx, claim_id).await?;
    ctx.require_at(Right::Operate, claim.site.as_deref())?;
    check(claim.updated_at)?;
    store::delete(&mut tx, claim_id).await?;
    let before = ClaimFields::of(&claim);
    let object = Object::new("claim", claim_id, before.name());
    audit::record(&mut tx, ctx, "claim.delete", object, &before, ()).await?;
    tx.commit().await?;
    tracing::info!(claim.id = %claim_id, by = ctx.actor.name, "a claim was removed");
    Ok(())
}

/// What a device is prepared with that is to take a claim.
#[derive(Clone)]
pub struct Credential {
    /// With which it logs in at first.
    pub login: Login,
    /// The password on its sticker, if that was said.
    pub factory_password: Option<String>,
}

/// The credential of a claim; each look is in the audit log.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn credential(app: &App, ctx: &Ctx, claim_id: Uuid) -> Result<Credential, Error> {
    ctx.require(Right::Secrets)?;
    let mut tx = app.pool.begin().await?;
    let claim = load(&mut tx, ctx, claim_id).await?;
    ctx.require_at(Right::Secrets, claim.site.as_deref())?;
    let fields = ClaimFields::opened(&claim, &app.keys)?;
    let object = Object::new("claim", claim_id, fields.name());
    let seen = json!({ "factory_password": fields.factory_password.is_some() });
    audit::record(&mut tx, ctx, "claim.credential", object, (), seen).await?;
    tx.commit().await?;
    let login = Login::of(&app.keys, claim_id);
    Ok(Credential { login, factory_password: fields.factory_password })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_filter_is_put_in_order() {
        let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
        let mac = Some("E4:8D:8C:00:00:01".to_owned());
        let whole = text("e48d8c000001");
        assert_eq!(checked(whole.clone()).unwrap(), Filter { mac, ..whole });
        assert_eq!(checked(text(" hgf ")).unwrap(), text("hgf"));
        assert_eq!(checked(text(" ")).unwrap(), Filter::default());
        let state = |state: &str| Filter { state: Some(state.to_owned()), ..Filter::default() };
        assert!(checked(state("open")).is_ok() && checked(state("shut")).is_err());
        let site = Filter { site: Some("e-u".to_owned()), ..Filter::default() };
        assert!(checked(site).is_err() && checked(text(&"x".repeat(101))).is_err());
    }
}
