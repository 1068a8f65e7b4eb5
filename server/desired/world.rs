//! What is wanted, of all: profiles, where they are bound, sites and their variables, the releases.
//!
//! Read once and kept until something of it changes: a change is seen by the times and numbers of the
//! rows, in one statement. Devices are many; this is small.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::effective::{Effective, Layer, Say, Source};
use crate::ctx::App;
use crate::error::Error;
use crate::firmware::catalogue::Catalogue;
use crate::fleet::group;
use crate::fleet::profile::{Desired, Wanted};
use crate::fleet::secret::Keys;
use crate::fleet::selector::Expr;
use crate::fleet::variables::Variables;
use crate::fleet::window::{self, Hours};
use crate::store::{groups, profiles, releases, sites, sweeps};

/// A profile, opened.
#[derive(Debug)]
struct Profile {
    name: String,
    enforce: bool,
    desired: Desired,
}

/// What a site says.
#[derive(Debug)]
struct Site {
    name: String,
    /// Its own.
    variables: Variables,
    /// Its own, or those of the nearest site above it that has windows.
    hours: Hours,
}

/// A group for which profiles are bound.
#[derive(Debug)]
pub struct BoundGroup {
    /// Which.
    pub group_id: Uuid,
    /// What selectors call it.
    pub name: String,
    /// Which devices are in it, where that is said by a selector; `None` = those that were put in.
    pub expr: Option<Expr>,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    profiles: HashMap<Uuid, Profile>,
    /// Those of the fleet, in the order in which they are put over each other.
    fleet: Vec<Uuid>,
    /// By path of the site.
    at: HashMap<String, Vec<Uuid>>,
    /// By group, in the order in which they are put over each other.
    of_groups: Vec<(Uuid, Uuid)>,
    sites: HashMap<String, Site>,
    /// The groups of which something is wanted.
    pub groups: Vec<BoundGroup>,
    /// What is stored of RouterOS.
    pub catalogue: Catalogue,
}

/// The world of this process.
#[derive(Default)]
pub struct Cache(Mutex<Option<(sweeps::Stamp, Arc<World>)>>);

/// The world as it is now.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`] for rows that cannot be read.
pub async fn current(app: &App) -> Result<Arc<World>, Error> {
    let stamp = sweeps::stamp(&app.pool).await?;
    if let Some((known, world)) = &*app.desired.0.lock().unwrap_or_else(PoisonError::into_inner)
        && *known == stamp
    {
        return Ok(Arc::clone(world));
    }
    let world = Arc::new(read(app).await?);
    let kept = (stamp, Arc::clone(&world));
    *app.desired.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    Ok(world)
}

async fn read(app: &App) -> Result<World, Error> {
    let mut conn = app.pool.acquire().await?;
    let rows = profiles::all(&mut conn).await?;
    let mut bindings = profiles::bindings(&mut conn).await?;
    let mut bound = Vec::new();
    for id in bindings.iter().filter_map(|binding| binding.group_id) {
        if !bound.iter().any(|group: &groups::Group| group.group_id == id) {
            bound.extend(groups::get(&mut *conn, id).await?);
        }
    }
    drop(conn);
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let desired = Desired::opened(&row.desired, &app.keys, row.profile_id)?;
        let profile = Profile { name: row.name, enforce: row.enforce, desired };
        known.insert(row.profile_id, profile);
    }
    let name = |id: &Uuid| known.get(id).map(|profile| profile.name.clone());
    bindings.sort_by_key(|b| (b.rank, name(&b.profile_id)));
    let mut world = World {
        fleet: Vec::new(),
        at: HashMap::new(),
        of_groups: Vec::new(),
        sites: all_sites(app).await?,
        groups: Vec::with_capacity(bound.len()),
        catalogue: releases::catalogue(&app.pool).await?,
        profiles: known,
    };
    for binding in bindings {
        match (binding.site, binding.group_id) {
            (Some(path), _) => world.at.entry(path).or_default().push(binding.profile_id),
            (None, Some(group)) => world.of_groups.push((group, binding.profile_id)),
            (None, None) => world.fleet.push(binding.profile_id),
        }
    }
    for one in bound {
        let expr = match &one.selector {
            Some(_) => Some(group::devices(&app.pool, &one).await?),
            None => None,
        };
        world.groups.push(BoundGroup { group_id: one.group_id, name: one.name, expr });
    }
    Ok(world)
}

async fn all_sites(app: &App) -> Result<HashMap<String, Site>, Error> {
    const PAGE: i64 = 1_000;
    let mut all: HashMap<String, Site> = HashMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = sites::list(&app.pool, None, None, after.as_deref(), PAGE).await?;
        let full = page.len() as i64 == PAGE;
        after = page.last().map(|site| site.path.clone());
        for site in page {
            let context = format!("site {}", site.site_id);
            let variables = Variables::opened(&site.variables, &app.keys, &context)?;
            // Sites come after those that they stand in.
            let above = site.path.rsplit_once('.').and_then(|(above, _)| all.get(above));
            let above = above.map_or_else(Hours::any_time, |above| above.hours.clone());
            let (path, name) = (site.path.clone(), site.name.clone());
            let hours =
                if site.windows.is_empty() { above } else { window::effective(vec![site])? };
            all.insert(path, Site { name, variables, hours });
        }
        if !full {
            return Ok(all);
        }
    }
}

/// What of a device decides what is wanted of it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where it stands.
    pub site: Option<&'a str>,
    /// Those of [`World::groups`] that it is in.
    pub groups: &'a [Uuid],
    /// The profile that is bound to it alone.
    pub profile_id: Option<Uuid>,
    /// Its own variables, in clear.
    pub variables: &'a Variables,
    /// What was adopted from it.
    pub overrides: &'a std::collections::BTreeMap<String, Wanted>,
}

impl World {
    /// What is wanted of a device that stands there.
    pub fn effective(&self, place: Place<'_>) -> Effective {
        let mut effective = Effective::default();
        self.add(&mut effective, &Layer::Fleet, &self.fleet);
        for path in paths(place.site) {
            let layer = Layer::Site { site: path.to_owned() };
            self.add(&mut effective, &layer, self.at.get(path).map_or(&[], Vec::as_slice));
            if let Some(site) = self.sites.get(path) {
                let from = Source { layer, profile_id: None, profile: None };
                effective.add_variables(&site.variables, &from);
            }
        }
        for (group, profile) in &self.of_groups {
            let known = self.groups.iter().find(|known| known.group_id == *group);
            if let Some(known) = known.filter(|_| place.groups.contains(group)) {
                let layer = Layer::Group { group: known.name.clone() };
                self.add(&mut effective, &layer, &[*profile]);
            }
        }
        self.add(&mut effective, &Layer::Device, place.profile_id.as_slice());
        let from = Source { layer: Layer::Device, profile_id: None, profile: None };
        effective.add_variables(place.variables, &from);
        effective.add_overrides(place.overrides);
        effective
    }

    /// What people call the site with this path.
    pub fn site_name(&self, path: &str) -> Option<&str> {
        self.sites.get(path).map(|site| site.name.as_str())
    }

    /// When what stands at this site may be changed; `None` = it stands nowhere, or the site is gone.
    pub fn hours(&self, path: Option<&str>) -> Option<&Hours> {
        self.sites.get(path?).map(|site| &site.hours)
    }

    fn add(&self, effective: &mut Effective, layer: &Layer, profiles: &[Uuid]) {
        for (id, profile) in profiles.iter().filter_map(|id| Some((*id, self.profiles.get(id)?))) {
            effective.add(Say {
                layer,
                profile: Some((id, &profile.name)),
                enforce: profile.enforce,
                desired: &profile.desired,
            });
        }
    }
}

/// The paths of a site and of all above it, the highest first.
fn paths(site: Option<&str>) -> impl Iterator<Item = &str> {
    let site = site.unwrap_or_default();
    let ends = site.match_indices('.').map(|(at, _)| at).chain([site.len()]);
    ends.filter(|end| *end > 0).map(move |end| &site[..end])
}

/// A device's own variables, in clear.
///
/// # Errors
/// [`Error::Internal`] where another key sealed them.
pub fn device_variables(
    keys: &Keys,
    device_id: Uuid,
    stored: &serde_json::Value,
) -> Result<Variables, Error> {
    Variables::opened(stored, keys, &device_context(device_id))
}

/// What a device's own variables are sealed with.
pub fn device_context(device_id: Uuid) -> String {
    format!("device {device_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_below_all_that_begin_it() {
        let all: Vec<&str> = paths(Some("eu.lv.riga")).collect();
        assert_eq!(all, ["eu", "eu.lv", "eu.lv.riga"]);
        assert_eq!(paths(None).count(), 0);
        assert_eq!(paths(Some("eu")).collect::<Vec<_>>(), ["eu"]);
    }
}
