//! Of which devices a profile is said: all at a site and below, those of a group, the whole fleet, or
//! one device.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{View, reach, unknown, view};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::site::SitePath;
use crate::service::desired::{self, Wants};
use crate::store::profiles::{self as store, BindingRow};
use crate::store::{groups, sites};

/// Where a profile holds. One of `site`, `group` and `fleet` is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ProfileBinding)]
pub struct Binding {
    /// Path of a site: there and in all sites in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Name of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// True: everywhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fleet: bool,
    /// Of several profiles for one site, group or the fleet the one with the higher rank wins, then
    /// the later name; 0 when absent.
    pub rank: i32,
}

/// Binds a profile, or gives its binding there another rank.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] for a place that is not there, or none or
/// several of them.
pub async fn bind(app: &App, ctx: &Ctx, profile_id: Uuid, binding: Binding) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let profile = store::get(&mut *tx, profile_id).await?.ok_or_else(|| unknown(profile_id))?;
    let place = place(&mut tx, profile_id, &binding).await?;
    let ids = (place.site_id, place.group_id);
    let all = store::bindings_of(&mut *tx, &[profile_id]).await?;
    let before = all.iter().find(|row| (row.site_id, row.group_id) == ids);
    if before.is_none_or(|row| row.rank != binding.rank) {
        store::bind(&mut tx, profile_id, ids, binding.rank, &ctx.actor.name, ctx.now).await?;
        let object = Object::new("profile", profile_id, &profile.name);
        let had = before.map(|row| Binding { rank: row.rank, ..binding.clone() });
        audit::record(&mut tx, ctx, "profile.bind", object, had, &binding).await?;
        let reason = format!("the profile {} was bound {}", profile.name, words(&place));
        reach::compare_at(&mut tx, app, ctx, &[place], &reason).await?;
    }
    tx.commit().await?;
    view(app, ctx, profile).await
}

/// Unbinds a profile from a place; done again it changes nothing.
///
/// # Errors
/// As [`bind`].
pub async fn unbind(app: &App, ctx: &Ctx, profile_id: Uuid, binding: Binding) -> Result<(), Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let profile = store::get(&mut *tx, profile_id).await?.ok_or_else(|| unknown(profile_id))?;
    let place = place(&mut tx, profile_id, &binding).await?;
    if store::unbind(&mut tx, profile_id, (place.site_id, place.group_id)).await? {
        let object = Object::new("profile", profile_id, &profile.name);
        audit::record(&mut tx, ctx, "profile.unbind", object, &binding, ()).await?;
        let reason = format!("the profile {} was unbound {}", profile.name, words(&place));
        reach::compare_at(&mut tx, app, ctx, &[place], &reason).await?;
    }
    Ok(tx.commit().await?)
}

/// Binds a profile to one device (its id, or `serial:` and its serial number), in place of the one that
/// it had; none = it has none of its own any more.
///
/// # Errors
/// As [`desired::change`].
pub async fn bind_device(
    app: &App,
    ctx: &Ctx,
    device: &str,
    profile: Option<&str>,
) -> Result<(), Error> {
    let profile = profile.map(str::to_owned);
    desired::change(app, ctx, device, |wants| Ok(Wants { profile, ..wants })).await
}

/// The place that a binding names, which stays there until the transaction ends.
async fn place(
    conn: &mut PgConnection,
    profile_id: Uuid,
    binding: &Binding,
) -> Result<BindingRow, Error> {
    let mut row = BindingRow {
        profile_id,
        site_id: None,
        site: None,
        group_id: None,
        group: None,
        rank: binding.rank,
    };
    match (&binding.site, &binding.group, binding.fleet) {
        (Some(path), None, false) => {
            let path: SitePath =
                path.parse().map_err(|why: String| Error::invalid("/site", why))?;
            sites::share_tree(conn).await?;
            row.site_id = sites::id_of(conn, path.as_str()).await?;
            if row.site_id.is_none() {
                return Err(Error::invalid("/site", format!("there is no site {path}")));
            }
            row.site = Some(path.to_string());
        }
        (None, Some(name), false) => {
            groups::lock(conn).await?;
            let group = groups::all(conn).await?.into_iter().find(|group| group.name == *name);
            let none = || Error::invalid("/group", format!("there is no group `{name}`"));
            row.group_id = Some(group.ok_or_else(none)?.group_id);
            row.group = Some(name.clone());
        }
        (None, None, true) => {}
        _ => return Err(Error::invalid("", "say one of `site`, `group` and `fleet`")),
    }
    Ok(row)
}

/// Where, in words.
fn words(place: &BindingRow) -> String {
    match (&place.site, &place.group) {
        (Some(site), _) => format!("at {site}"),
        (None, Some(group)) => format!("for the group {group}"),
        (None, None) => "for the fleet".to_owned(),
    }
}
