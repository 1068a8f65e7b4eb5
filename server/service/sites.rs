//! Sites: list, make, change, move, remove; and when their devices may be changed.
//!
//! Owns where in the tree somebody may do that: a site is seen where devices in it are read, and
//! changed by whoever operates it; a new place for it, or for what is in it, needs the same there,
//! and the top of the tree belongs to those who operate everything. And that the devices of a site
//! are compared anew where what is wanted of them may have changed with it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::sweeps;
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::site::{self, SiteFields, SitePath};
use crate::fleet::window::{self, Hours};
use crate::store::selector;
use crate::store::sites::{self as store, Site};

/// A page of the sites that the caller sees, each before those in it, after a path; with `under`
/// only the site with that path and those in it. Both are checked paths.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    under: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Site>, Error> {
    let within = ctx.require(Right::Read)?.paths();
    Ok(store::list(&app.pool, under, within.as_deref(), after, limit).await?)
}

/// One site.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for one that is not there or not seen.
pub async fn get(app: &App, ctx: &Ctx, site_id: Uuid) -> Result<Site, Error> {
    ctx.require(Right::Read)?;
    seen(ctx, site_id, store::get(&app.pool, site_id).await?)
}

/// The sites that a path stands in, of those that the caller sees, the topmost first.
///
/// # Errors
/// [`Error::Denied`]
pub async fn above(app: &App, ctx: &Ctx, path: &SitePath) -> Result<Vec<Site>, Error> {
    let reach = ctx.require(Right::Read)?;
    let mut chain = store::chain(&app.pool, path.as_str()).await?;
    chain.retain(|site| site.path != path.as_str() && reach.covers(Some(&site.path)));
    chain.reverse();
    Ok(chain)
}

/// How many devices the caller sees, by where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// At a site and in all below it, by its path; a site without any is not here.
    pub under: HashMap<String, i64>,
    /// At no site.
    pub nowhere: i64,
}

/// How many devices stand where.
///
/// # Errors
/// [`Error::Denied`]
pub async fn standing(app: &App, ctx: &Ctx) -> Result<Standing, Error> {
    let within = ctx.require(Right::Read)?.within();
    let _turn = selector::turn().await?;
    Ok(added_up(store::devices(&app.pool, within.as_ref()).await?))
}

/// The devices of each site with those of the sites in it.
fn added_up(counted: Vec<(Option<String>, i64)>) -> Standing {
    let mut standing = Standing::default();
    for (site, devices) in counted {
        let Some(path) = site else {
            standing.nowhere += devices;
            continue;
        };
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            *standing.under.entry(path[..end].to_owned()).or_default() += devices;
        }
    }
    standing
}

fn seen(ctx: &Ctx, site_id: Uuid, site: Option<Site>) -> Result<Site, Error> {
    let reach = ctx.reach(Right::Read);
    site.filter(|site| reach.covers(Some(&site.path)))
        .ok_or_else(|| Error::NotFound(format!("no site {site_id}")))
}

/// Makes a site.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken or a parent that is not
/// there, [`Error::Conflict`] where there is such a site.
pub async fn create(app: &App, ctx: &Ctx, fields: SiteFields) -> Result<Site, Error> {
    ctx.require(Right::Operate)?;
    check_place(ctx, fields.path.as_deref())?;
    let mut tx = app.pool.begin().await?;
    store::lock_tree(&mut tx).await?;
    let site = site::create(&mut tx, &app.keys, fields, ctx.now).await?;
    let object = Object::new("site", site.site_id, &site.path);
    audit::record(&mut tx, ctx, "site.create", object, (), SiteFields::of(&site)).await?;
    tx.commit().await?;
    tracing::info!(site.id = %site.site_id, site.path, by = ctx.actor.name, "site made");
    Ok(site)
}

/// That the caller operates the place in which a site with this path would stand. What is no path
/// is for `fleet::site` to refuse.
fn check_place(ctx: &Ctx, path: Option<&str>) -> Result<(), Error> {
    let Some(Ok(path)) = path.map(str::parse::<SitePath>) else { return Ok(()) };
    match path.parent() {
        Some(parent) => ctx.require_at(Right::Operate, Some(parent)),
        None => ctx.require_everywhere(Right::Operate),
    }
}

/// Changes or moves a site, with all that stands in it. `check` says whether its version, the time
/// of its last change, is the one that is meant; `patch` gives the fields that it is to have.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], and those of `check` and `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    site_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(SiteFields) -> Result<SiteFields, Error>,
) -> Result<Site, Error> {
    ctx.require(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock_tree(&mut tx).await?;
    let current = seen(ctx, site_id, store::get(&mut *tx, site_id).await?)?;
    ctx.require_at(Right::Operate, Some(&current.path))?;
    check(current.updated_at)?;
    let before = SiteFields::of(&current);
    let fields = patch(before.clone())?;
    if fields.path != before.path {
        check_place(ctx, fields.path.as_deref())?;
    }
    let (by, old) = (&ctx.actor.name, current.clone());
    let site = site::change(&mut tx, &app.keys, current, fields, by, ctx.now).await?;
    let object = Object::new("site", site_id, &site.path);
    audit::record(&mut tx, ctx, "site.change", object, before, SiteFields::of(&site)).await?;
    if tells_otherwise(app, &old, &site)? {
        compare(&mut tx, app, ctx, &site.path, "was changed").await?;
    }
    tx.commit().await?;
    tracing::info!(site.id = %site_id, site.path, by = ctx.actor.name, "site changed");
    Ok(site)
}

/// Whether profiles or templates may say something else in a site now, or its devices may be changed
/// at other times.
fn tells_otherwise(app: &App, old: &Site, new: &Site) -> Result<bool, Error> {
    Ok((&old.path, &old.name, &old.time_zone, &old.windows)
        != (&new.path, &new.name, &new.time_zone, &new.windows)
        || site::variables(old, &app.keys)? != site::variables(new, &app.keys)?)
}

/// Has all devices in a site compared with what is wanted of them.
async fn compare(
    conn: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    path: &str,
    what: &str,
) -> Result<(), Error> {
    let reason = format!("the site {path} {what}");
    sweeps::begin(conn, app, ctx, &reason, Some(format!("site under {path}"))).await.map(drop)
}

/// Removes a site; what stands in it first moves to the site `move_to`. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] where something stands in it that
/// cannot move, or a profile, a role, a token or a rollout that has not ended names it; [`Error::Invalid`] where
/// `move_to` is no site outside of it.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    site_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    move_to: Option<&str>,
) -> Result<(), Error> {
    ctx.require(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock_tree(&mut tx).await?;
    let site = seen(ctx, site_id, store::get(&mut *tx, site_id).await?)?;
    ctx.require_at(Right::Operate, Some(&site.path))?;
    if move_to.is_some() {
        ctx.require_at(Right::Operate, move_to)?;
    }
    check(site.updated_at)?;
    site::delete(&mut tx, &site, move_to, &ctx.actor.name, ctx.now).await?;
    let object = Object::new("site", site_id, &site.path);
    if let Some(to) = move_to {
        compare(&mut tx, app, ctx, to, "took in what stood elsewhere").await?;
    }
    let left = move_to.map(|to| json!({ "moved_to": to }));
    audit::record(&mut tx, ctx, "site.delete", object, SiteFields::of(&site), left).await?;
    tx.commit().await?;
    tracing::info!(site.id = %site_id, site.path, by = ctx.actor.name, "site removed");
    Ok(())
}

/// When the devices of the site with this path may be changed; of none: at any time.
///
/// # Errors
/// [`Error::Denied`]; [`Error::NotFound`] for a site that is not there or not seen.
pub async fn window_of(app: &App, ctx: &Ctx, site: Option<&str>) -> Result<Hours, Error> {
    let reach = ctx.require(Right::Read)?;
    let Some(path) = site else { return Ok(Hours::any_time()) };
    let unknown = || Error::NotFound(format!("no site {path}"));
    if path.parse::<SitePath>().is_err() || !reach.covers(site) {
        return Err(unknown());
    }
    let chain = store::chain(&app.pool, path).await?;
    if chain.first().is_none_or(|nearest| nearest.path != path) {
        return Err(unknown());
    }
    window::effective(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_the_devices_of_those_in_it() {
        let at = |site: &str, devices| (Some(site.to_owned()), devices);
        let counted = vec![(None, 5), at("eu.lv.riga", 3), at("eu.lv", 1), at("eu.ee", 2)];
        let standing = added_up(counted);
        assert_eq!(standing.nowhere, 5);
        for (path, devices) in [("eu", 6), ("eu.lv", 4), ("eu.lv.riga", 3), ("eu.ee", 2)] {
            assert_eq!(standing.under.get(path), Some(&devices), "{path}");
        }
        assert_eq!(standing.under.len(), 4);
    }
}
