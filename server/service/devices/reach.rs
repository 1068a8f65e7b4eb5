//! What somebody may do with a device: when it is found, once more when it is held, and for what pages
//! offer.
//!
//! Owns that one who may not see a device is told the same as if there were none, and that its groups
//! are asked for only where something was granted for a group.

use std::collections::HashSet;

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::unknown;
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::devices::{self as store, Device};
use crate::store::{groups, jobs, sites};

/// Where the caller sees devices with which they mean to do this.
pub(super) fn sight(ctx: &Ctx, right: Right) -> Reach {
    ctx.reach(if right == Right::Support { Right::Support } else { Right::Read })
}

/// That the caller may do this with the device of this name, which stands at `site` and was put into
/// these groups.
pub(super) fn check(
    ctx: &Ctx,
    name: &str,
    right: Right,
    site: Option<&str>,
    groups: &[Uuid],
) -> Result<(), Error> {
    if !sight(ctx, right).covers_device(site, groups) {
        return Err(unknown(name));
    }
    ctx.require_with(right, site, groups)
}

/// The groups into which a device was put, as far as that matters: where nothing was granted for a
/// group, nobody is asked.
pub(in crate::service) async fn groups_of(
    db: impl PgExecutor<'_>,
    ctx: &Ctx,
    device_id: Uuid,
) -> Result<Vec<Uuid>, Error> {
    if !ctx.grants.names_groups() {
        return Ok(Vec::new());
    }
    Ok(groups::of_device(db, device_id).await?)
}

/// Holds a device in its place and its groups until the transaction ends, and asks there once more: it
/// may have been moved since it was found. Gives its site.
///
/// # Errors
/// As [`super::find`].
pub(in crate::service) async fn hold(
    tx: &mut PgConnection,
    ctx: &Ctx,
    device_id: Uuid,
    right: Right,
) -> Result<Option<String>, Error> {
    let name = device_id.to_string();
    jobs::lock_device(tx, device_id).await?;
    let site = sites::of_device(tx, device_id).await?.ok_or_else(|| unknown(&name))?;
    let groups = groups_of(&mut *tx, ctx, device_id).await?;
    check(ctx, &name, right, site.as_deref(), &groups)?;
    Ok(site)
}

/// The same for the support view, in which the place says what is shown and let be changed.
///
/// # Errors
/// As [`super::find`]; [`Error::Conflict`] where the device stands elsewhere than when it was found.
pub(in crate::service) async fn hold_in_place(
    tx: &mut PgConnection,
    ctx: &Ctx,
    device: &Device,
) -> Result<(), Error> {
    if hold(tx, ctx, device.device_id, Right::Support).await? == device.site {
        return Ok(());
    }
    Err(Error::Conflict("the device was moved to another site just now".to_owned()))
}

/// With which of these devices the caller may do this, for what a page offers: nobody is asked for who
/// may do it everywhere.
///
/// # Errors
/// [`Error::Database`]
pub async fn among(
    app: &App,
    ctx: &Ctx,
    right: Right,
    device_ids: &[Uuid],
) -> Result<HashSet<Uuid>, Error> {
    let Some(within) = ctx.reach(right).within() else {
        return Ok(device_ids.iter().copied().collect());
    };
    let names = store::names(&app.pool, device_ids, Some(&within)).await?;
    Ok(names.into_iter().map(|name| name.device_id).collect())
}

/// All that the caller may do with a device, for what its page offers.
///
/// # Errors
/// [`Error::Database`]
pub async fn rights(app: &App, ctx: &Ctx, device: &Device) -> Result<Vec<Right>, Error> {
    let groups = groups_of(&app.pool, ctx, device.device_id).await?;
    let may = |right: &Right| ctx.reach(*right).covers_device(device.site.as_deref(), &groups);
    Ok(Right::ALL.into_iter().filter(may).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::*;
    use crate::access::grant::{Grant, Grants, GroupName, Place};

    /// A group's id.
    const VIP: Uuid = Uuid::from_u128(7);

    /// Reads below `eu`, operates below `eu.lv` and for a group, supports below `us`.
    fn somebody() -> Ctx {
        let at = |site: &str, right| Grant {
            rights: vec![right],
            place: Place::Site(site.parse().unwrap()),
        };
        let group = GroupName { group_id: VIP, name: "vip".to_owned() };
        let grants = vec![
            at("eu", Right::Read),
            at("eu.lv", Right::Operate),
            at("us", Right::Support),
            Grant { rights: vec![Right::Operate], place: Place::Group(group) },
        ];
        Ctx { grants: Grants(grants), ..Ctx::nobody("ann", None, DateTime::UNIX_EPOCH) }
    }

    #[test]
    fn what_is_not_seen_is_not_there_and_what_is_seen_may_still_be_denied() {
        let ctx = somebody();
        let asked = |right, site, groups: &[Uuid]| check(&ctx, "serial:S1", right, site, groups);
        let outcome = |right, site, groups: &[Uuid]| match asked(right, site, groups) {
            Ok(()) => "done",
            Err(Error::NotFound(why)) if why == "no device serial:S1" => "not there",
            Err(Error::Denied(_)) => "denied",
            Err(other) => panic!("{other}"),
        };
        for (right, site, expected) in [
            (Right::Read, Some("eu.de"), "done"),
            (Right::Operate, Some("eu.lv.riga"), "done"),
            (Right::Operate, Some("eu.de"), "denied"),
            (Right::Admin, Some("eu.lv"), "denied"),
            (Right::Operate, Some("us"), "not there"),
            (Right::Read, Some("us"), "not there"),
            (Right::Read, None, "not there"),
            (Right::Support, Some("us"), "done"),
            (Right::Support, Some("eu.lv"), "done"),
            (Right::Support, Some("eu.de"), "not there"),
        ] {
            assert_eq!(outcome(right, site, &[]), expected, "{right} at {site:?}");
            let others = [Uuid::nil()];
            assert_eq!(outcome(right, site, &others), expected, "{right} at {site:?}");
        }
        for (right, site, expected) in [
            (Right::Operate, Some("asia"), "done"),
            (Right::Operate, Some("eu.de"), "done"),
            (Right::Support, None, "done"),
            (Right::Admin, None, "denied"),
        ] {
            assert_eq!(outcome(right, site, &[VIP]), expected, "{right} at {site:?}, of the group");
        }
    }
}
