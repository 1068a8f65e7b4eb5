//! What somebody may mean who types: what can come next in a selector, with values of their own
//! devices; and the devices, sites and groups that a name finds.

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::selector::{self, Expr, Known, Source, Suggestion, Wanted};
use crate::service::devices::{self as device_service, Asked};
use crate::store::completion::{self as store, Column, Named};
use crate::store::devices::{self, Device, Filter};
use crate::store::{groups, sites};

/// Values that are offered at most.
const MAX_VALUES: i64 = 20;
/// Characters from which on devices are found by how they begin: fewer say too little.
const LEAST: usize = 3;

/// What can come next at the cursor, which stands as many UTF-16 code units from the beginning as a
/// browser's `selectionStart` says.
///
/// # Errors
/// [`Error::Denied`]
pub async fn suggest(
    app: &App,
    ctx: &Ctx,
    text: &str,
    cursor: usize,
) -> Result<Vec<Suggestion>, Error> {
    ctx.require(Right::Read)?;
    // No text of the database holds it, nor takes it.
    if text.contains('\0') {
        return Ok(Vec::new());
    }
    let cursor = bytes(text, cursor);
    let known = match selector::wanted(text, cursor) {
        Some(wanted) => known(app, ctx, &wanted).await?,
        None => Known::default(),
    };
    Ok(selector::complete(text, cursor, &known))
}

async fn known(app: &App, ctx: &Ctx, wanted: &Wanted) -> Result<Known, Error> {
    let reach = ctx.reach(Right::Read);
    let within = reach.expr().unwrap_or(Expr::All(Vec::new()));
    let (pool, prefix) = (&app.pool, wanted.prefix.as_str());
    let of_devices = |column| store::values(pool, column, prefix, &within, MAX_VALUES, ctx.now);
    let mut known = Known::default();
    match wanted.source {
        Source::Sites => {
            let paths = reach.paths();
            known.sites = sites::beginning(pool, prefix, paths.as_deref(), MAX_VALUES).await?;
        }
        Source::Groups => known.groups = groups::beginning(pool, prefix, MAX_VALUES).await?,
        Source::Tags => known.tags = of_devices(Column::Tags).await?,
        Source::Models => known.models = of_devices(Column::Models).await?,
        Source::Classes => known.classes = of_devices(Column::Classes).await?,
        Source::Versions => known.versions = of_devices(Column::Versions).await?,
    }
    Ok(known)
}

/// What a name finds.
#[derive(Debug, Clone)]
pub struct Found {
    /// Those with exactly this serial number; where there is none, those whose serial number or
    /// identity begins so.
    pub devices: Vec<Device>,
    /// Those with it in path or name.
    pub sites: Vec<Named>,
    /// Those with it in their name.
    pub groups: Vec<Named>,
}

/// What a name finds of what the caller may read, of each kind at most `limit`.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn find(app: &App, ctx: &Ctx, text: &str, limit: i64) -> Result<Found, Error> {
    let reach = ctx.require(Right::Read)?;
    let (pool, paths) = (&app.pool, reach.paths());
    let filter = Filter { serial: Some(text.to_owned()), ..Filter::default() };
    let asked = Asked { filter, limit, ..Asked::default() };
    let mut found = device_service::list(app, ctx, &asked).await?;
    if found.is_empty() && text.chars().count() >= LEAST {
        found =
            devices::beginning(pool, &[text.to_owned()], reach.within().as_ref(), limit).await?;
    }
    Ok(Found {
        devices: found,
        sites: store::sites(pool, text, paths.as_deref(), limit).await?,
        groups: store::groups(pool, text, limit).await?,
    })
}

/// The byte at which so many UTF-16 code units of the text are past.
fn bytes(text: &str, units: usize) -> usize {
    let mut past = 0;
    let mut begins = text.char_indices().filter_map(|(at, c)| {
        let reached = (past >= units).then_some(at);
        past += c.len_utf16();
        reached
    });
    begins.next().unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_counts_otherwise() {
        let text = "aš𝄞b";
        for (units, byte) in [(0, 0), (1, 1), (2, 3), (3, 7), (4, 7), (5, 8), (9, 8)] {
            assert_eq!(bytes(text, units), byte, "{units}");
        }
    }
}
