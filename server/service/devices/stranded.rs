//! Who would not come back by itself from a script that cuts it off: told before one is sent.

use std::collections::BTreeMap;

use super::many::{Which, matching};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::online;
use crate::jobs::bulk::MAX_DEVICES;
use crate::jobs::queue;
use crate::store::{device_packages, selector};

/// Devices that would not, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// Why, of each of them, in words.
    pub why: &'static str,
    /// How many.
    pub devices: u64,
}

/// Those among the devices that the caller may operate, the most frequent reason first. Of more than one
/// order may be for it says nothing.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] at `/selector`; [`Error::Busy`].
pub async fn stranded(app: &App, ctx: &Ctx, which: &Which) -> Result<Vec<Stranded>, Error> {
    let ids = match which {
        Which::Found(text) => matching(app, ctx, text).await?.0,
        Which::Chosen(ids) => match ctx.require(Right::Operate)?.expr() {
            Some(within) => {
                let since = online::since(&app.config, ctx.now);
                selector::among(&app.pool, &within, ids, ctx.now, since).await?
            }
            None => ids.clone(),
        },
    };
    if ids.len() > MAX_DEVICES {
        return Ok(Vec::new());
    }
    let mut found = BTreeMap::<&str, u64>::new();
    for kind in device_packages::kinds(&app.pool, &ids).await? {
        let (mode, version) = (kind.device_mode.as_deref(), kind.version.as_deref());
        if let Err(why) = queue::way_back(kind.tells, mode, version) {
            *found.entry(why).or_default() += u64::try_from(kind.devices).unwrap_or_default();
        }
    }
    let mut all: Vec<Stranded> =
        found.into_iter().map(|(why, devices)| Stranded { why, devices }).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.devices));
    Ok(all)
}
