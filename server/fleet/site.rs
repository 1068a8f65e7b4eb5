//! Sites: a tree of places (design section 2), and the rules of its paths.
//!
//! Owns what a path, a name, a time zone, variables and windows may be, and that the tree stays one:
//! each site's parent exists, no site stands below itself, and what stands in a subtree moves with
//! it, as does what rollouts say of it.
//! It must never leave a device in a site that is not there, nor a secret among the variables in clear.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::label::check_name;
use super::secret::{Keys, MASK, is_secret};
use super::variables::Variables;
use super::window::{self, Window};
use crate::error::Error;
use crate::store::bench;
use crate::store::claims;
use crate::store::profiles;
use crate::store::rollouts::named;
use crate::store::sites::{self as store, Site};
use crate::store::webhooks;

/// Labels in a path.
pub const MAX_DEPTH: usize = 16;
/// Characters in a label.
pub const MAX_LABEL: usize = 64;
/// Where nobody says otherwise.
const UTC: &str = "UTC";

/// A place in the tree: 1 to [`MAX_DEPTH`] labels joined by dots, such as `eu.lv.riga`. Case
/// matters, as it does to PostgreSQL's `ltree`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePath(String);

impl SitePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Labels in it.
    pub fn depth(&self) -> usize {
        self.0.split('.').count()
    }

    /// Its last label.
    pub fn label(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or(&self.0)
    }

    /// The place that it is in; `None` at the top.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(parent, _)| parent)
    }

    /// Whether it is this place or one in it.
    pub fn is_under(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SitePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let labels: Vec<&str> = text.split('.').collect();
        if labels.len() > MAX_DEPTH {
            return Err(format!("a site's path has at most {MAX_DEPTH} labels"));
        }
        for label in labels {
            if !(1..=MAX_LABEL).contains(&label.chars().count()) {
                return Err(format!(
                    "`{text}` is no site's path: labels of 1 to {MAX_LABEL} characters joined by \
                     dots, such as eu.lv.riga"
                ));
            }
            // ltree of PostgreSQL 15 takes nothing else.
            let strange = |c: &char| !c.is_ascii_alphanumeric() && *c != '_';
            if let Some(c) = label.chars().find(strange) {
                return Err(format!(
                    "`{}` in `{label}`: a site's label has only letters a to z, digits and `_`",
                    c.escape_debug()
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

/// What people say of a site; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteFields {
    /// Where in the tree: labels of letters, digits and `_`, joined by dots. A site always has one;
    /// its parent must exist.
    pub path: Option<String>,
    /// For people, 1 to 64 characters; the path's last label when absent.
    pub name: Option<String>,
    /// IANA name of its time zone, such as `Europe/Riga`; `UTC` when absent.
    pub time_zone: Option<String>,
    /// Values by name for templates; none when absent. Those whose names are those of secrets
    /// (`wifi_password`) are sealed and shown as `********`, which leaves them as they are.
    #[schema(value_type = Option<Object>)]
    pub variables: Option<Variables>,
    /// When its devices may be changed, by its clock; empty when absent. Empty means: as the nearest
    /// site above it that has windows says, by the clock of that site; if none has, at any time.
    pub windows: Option<Vec<Window>>,
}

impl SiteFields {
    /// What is said of a stored site; secrets masked.
    pub fn of(site: &Site) -> Self {
        Self {
            path: Some(site.path.clone()),
            name: Some(site.name.clone()),
            time_zone: Some(site.time_zone.clone()),
            variables: Some(Variables::masked(&site.variables)),
            windows: Some(site.windows.0.clone()),
        }
    }
}

/// The same, checked and whole.
struct Draft {
    path: SitePath,
    name: String,
    time_zone: String,
    variables: Variables,
    windows: Json<Vec<Window>>,
}

fn checked(fields: SiteFields) -> Result<Draft, Error> {
    let Some(path) = fields.path else {
        return Err(Error::invalid("/path", "a site has a path, such as eu.lv.riga"));
    };
    let path: SitePath = path.parse().map_err(|why: String| Error::invalid("/path", why))?;
    let name = fields.name.unwrap_or_else(|| path.label().to_owned());
    check_name(&name)?;
    let time_zone = fields.time_zone.unwrap_or_else(|| UTC.to_owned());
    if time_zone.parse::<chrono_tz::Tz>().is_err() {
        let why = "no time zone of this name: an IANA name, such as Europe/Riga or UTC";
        return Err(Error::invalid("/time_zone", why));
    }
    let variables = fields.variables.unwrap_or_default();
    variables.check("/variables")?;
    let windows = fields.windows.unwrap_or_default();
    window::check(&windows)?;
    Ok(Draft { path, name, time_zone, variables, windows: Json(windows) })
}

/// What a site's variables are sealed for: they open nowhere else.
fn context(site_id: Uuid) -> String {
    format!("site {site_id}")
}

/// A site's variables in clear.
///
/// # Errors
/// [`Error::Internal`] where another key sealed them.
pub fn variables(site: &Site, keys: &Keys) -> Result<Variables, Error> {
    Variables::opened(&site.variables, keys, &context(site.site_id))
}

/// As they are stored; what came back masked stays what it was.
fn sealed(
    mut variables: Variables,
    had: &Variables,
    keys: &Keys,
    site_id: Uuid,
) -> Result<Value, Error> {
    variables.keep_masked(had);
    let masked = |(name, value): (&String, &Value)| {
        (is_secret(name) && value.as_str() == Some(MASK)).then(|| name.clone())
    };
    if let Some(name) = variables.0.iter().find_map(masked) {
        let why = format!("`{name}` has no value yet that {MASK} could stand for: write it out");
        return Err(Error::invalid("/variables", why));
    }
    Ok(variables.sealed(keys, &context(site_id)))
}

/// Makes a site. The tree must be locked.
///
/// # Errors
/// [`Error::Invalid`] for fields that cannot be taken or a parent that is not there,
/// [`Error::Conflict`] where there is such a site.
pub async fn create(
    conn: &mut PgConnection,
    keys: &Keys,
    fields: SiteFields,
    now: DateTime<Utc>,
) -> Result<Site, Error> {
    let draft = checked(fields)?;
    let site_id = Uuid::now_v7();
    let variables = sealed(draft.variables, &Variables::default(), keys, site_id)?;
    check_place(conn, &draft.path).await?;
    let site = Site {
        site_id,
        path: draft.path.to_string(),
        name: draft.name,
        time_zone: draft.time_zone,
        variables,
        windows: draft.windows,
        created_at: now,
        updated_at: now,
    };
    store::insert(conn, &site).await?;
    Ok(site)
}

/// Gives a site these fields; where its path changes, all that stands in it moves along. The tree
/// must be locked, and `current` read since.
///
/// # Errors
/// As [`create`]; also [`Error::Invalid`] for a place within the site itself.
pub async fn change(
    conn: &mut PgConnection,
    keys: &Keys,
    current: Site,
    fields: SiteFields,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Site, Error> {
    let draft = checked(fields)?;
    let had = variables(&current, keys)?;
    let variables = sealed(draft.variables, &had, keys, current.site_id)?;
    let from = stored_path(&current)?;
    if draft.path != from {
        if draft.path.is_under(&from) {
            return Err(Error::invalid("/path", "a site cannot be moved into itself"));
        }
        check_place(conn, &draft.path).await?;
        check_depth(conn, &from, &draft.path, "/path").await?;
        let to = draft.path.as_str();
        store::move_sites(conn, from.as_str(), to, now).await?;
        move_what_is_there(conn, &from, to, by, now).await?;
    }
    let site = Site {
        path: draft.path.to_string(),
        name: draft.name,
        time_zone: draft.time_zone,
        variables,
        windows: draft.windows,
        updated_at: now,
        ..current
    };
    store::update(conn, &site).await?;
    Ok(site)
}

/// Removes a site. What stands in it first moves to `move_to`: its devices to that site, its
/// children below it. The tree must be locked, and `site` read since.
///
/// # Errors
/// [`Error::Conflict`] where something stands in it and `move_to` is absent, a child cannot move,
/// somebody's rights are said to be there, a profile is bound to it, or a rollout that has not ended
/// names it;
/// [`Error::Invalid`] where `move_to` is no site outside of this one.
pub async fn delete(
    conn: &mut PgConnection,
    site: &Site,
    move_to: Option<&str>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let from = stored_path(site)?;
    check_unnamed(conn, site).await?;
    let Some(move_to) = move_to else {
        return match store::in_use(conn, from.as_str()).await? {
            (false, false) => {
                check_unexpected(conn, site).await?;
                Ok(store::delete(conn, site.site_id).await?)
            }
            (sites, devices) => Err(still_there(sites, devices)),
        };
    };
    let invalid = |why: String| Error::invalid("", format!("move_to: {why}"));
    let to: SitePath = move_to.parse().map_err(invalid)?;
    if to.is_under(&from) {
        return Err(invalid("a place outside of the site".to_owned()));
    }
    if !store::exists(&mut *conn, to.as_str()).await? {
        return Err(invalid(format!("there is no site {to}")));
    }
    if let Some(other) = store::in_the_way(conn, from.as_str(), to.as_str()).await? {
        return Err(Error::Conflict(format!("there already is a site {other}: move or rename it")));
    }
    check_depth(conn, &from, &to, "").await?;
    store::delete(conn, site.site_id).await?;
    // By way of a root of their own: where a child has its parent's label it would otherwise come to
    // stand where a row that has not moved yet still is.
    let aside = format!("moving_{}", Uuid::now_v7().simple());
    store::move_sites(conn, from.as_str(), &aside, now).await?;
    store::move_sites(conn, &aside, to.as_str(), now).await?;
    move_what_is_there(conn, &from, to.as_str(), by, now).await
}

/// Moves the devices of a site and of those in it, and what rollouts, claims and rules of admission
/// say of these sites. Each in its turn, which `store::rollouts::named` says; claims after devices, as
/// those lock them that take one.
async fn move_what_is_there(
    conn: &mut PgConnection,
    from: &SitePath,
    to: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    named::move_sites(conn, from.as_str(), to, now).await?;
    named::lock_with_devices(conn, from.as_str()).await?;
    store::move_devices(conn, from.as_str(), to, by, now).await?;
    claims::move_sites(conn, from.as_str(), to, now).await?;
    webhooks::move_sites(conn, from.as_str(), to, now).await?;
    bench::move_sites(conn, from.as_str(), to, now).await?;
    Ok(named::move_devices(conn, from.as_str(), to).await?)
}

/// That nobody would lose rights, or have them elsewhere, no rollout go elsewhere, and no profile be
/// said of other devices, without somebody saying so.
async fn check_unnamed(conn: &mut PgConnection, site: &Site) -> Result<(), Error> {
    if named::names_site(conn, &site.path).await? {
        // Not by its name: who may remove a site need not see every rollout that names it.
        let why = "a rollout that has not ended may go to this very site, or has a wave of it: end \
                   it first, or change the draft";
        return Err(Error::Conflict(why.to_owned()));
    }
    if webhooks::names_site(conn, &site.path).await? {
        let why = "a webhook is told of the devices at this very site: change it first";
        return Err(Error::Conflict(why.to_owned()));
    }
    let bound = profiles::at_site(conn, site.site_id).await?;
    if let Some(profile) = bound.first() {
        let more = match bound.len() {
            1 => String::new(),
            n => format!(", and {} more with it", n - 1),
        };
        let why =
            format!("the profile `{profile}` is bound to this very site{more}: unbind it first");
        return Err(Error::Conflict(why));
    }
    let what = match store::named(conn, site.site_id).await? {
        (false, false) => return Ok(()),
        (true, true) => "people have roles and tokens are good",
        (true, false) => "people have roles",
        (false, true) => "tokens are good",
    };
    Err(Error::Conflict(format!("{what} at this very site: change or revoke them first")))
}

/// That no device would come to stand in a site that is not there.
async fn check_unexpected(conn: &mut PgConnection, site: &Site) -> Result<(), Error> {
    let what = match claims::names_site(conn, &site.path).await? {
        (false, false) => return Ok(()),
        (true, false) => "claims are",
        (false, true) => "a rule of admission is",
        (true, true) => "claims and a rule of admission are",
    };
    let why = format!("{what} for this very site: change them first, or say where they move");
    Err(Error::Conflict(why))
}

fn still_there(sites: bool, devices: bool) -> Error {
    let what = match (sites, devices) {
        (true, true) => "sites and devices",
        (true, false) => "sites",
        (false, _) => "devices",
    };
    Error::Conflict(format!("there are {what} in it: say with move_to where they go"))
}

/// That a site may come to stand here: nothing does yet, and its parent exists.
async fn check_place(conn: &mut PgConnection, path: &SitePath) -> Result<(), Error> {
    if store::exists(&mut *conn, path.as_str()).await? {
        return Err(Error::Conflict(format!("there already is a site {path}")));
    }
    if let Some(parent) = path.parent()
        && !store::exists(&mut *conn, parent).await?
    {
        return Err(Error::invalid("/path", format!("there is no site {parent}: make it first")));
    }
    Ok(())
}

/// That nothing below `from` gets a path too long when `from` becomes `to`.
async fn check_depth(
    conn: &mut PgConnection,
    from: &SitePath,
    to: &SitePath,
    pointer: &str,
) -> Result<(), Error> {
    let deepest = store::deepest(conn, from.as_str()).await?.unwrap_or(0);
    let deepest = usize::try_from(deepest).unwrap_or(0).saturating_sub(from.depth()) + to.depth();
    if deepest > MAX_DEPTH {
        let why = format!("the deepest site would have {deepest} labels; {MAX_DEPTH} at most");
        return Err(Error::invalid(pointer, why));
    }
    Ok(())
}

fn stored_path(site: &Site) -> Result<SitePath, Error> {
    site.path.parse().map_err(Error::Internal)
}

#[cfg(test)]
mod tests;
