//! Which devices something is to be done to: those that were chosen one by one, or all that match.

use uuid::Uuid;

use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::devices::Asked;
use crate::service::{devices, jobs};

/// Devices that can be chosen one by one.
const MOST_CHOSEN: usize = 100;
/// Devices of which the list can be had for a change that is made while the browser waits.
pub(super) const MOST_LISTED: usize = 1_000;
/// A selector that holds for every device: there is none that never informed.
const EVERY: &str = "first_inform";

/// Some devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// These.
    Chosen(Vec<Uuid>),
    /// All that this selector finds where the viewer may operate.
    Found(String),
}

impl Target {
    /// What a form says; `None` = nothing was chosen.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more than fit on a page.
    pub(super) fn of(ids: &[Uuid], all: bool, q: &str) -> Result<Option<Self>, Error> {
        if all {
            let q = q.trim();
            let selector = if q.is_empty() { EVERY } else { q };
            return Ok(Some(Self::Found(selector.to_owned())));
        }
        let mut ids = ids.to_vec();
        // Whatever locks several devices does so in order of their ids.
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > MOST_CHOSEN {
            let why = format!("At most {MOST_CHOSEN} devices can be chosen one by one.");
            return Err(Error::invalid("", why));
        }
        Ok((!ids.is_empty()).then_some(Self::Chosen(ids)))
    }

    /// How many they are now.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::Invalid`] for a selector that cannot be read.
    pub(super) async fn count(&self, app: &App, ctx: &Ctx) -> Result<usize, Error> {
        match self {
            Self::Chosen(ids) => Ok(ids.len()),
            Self::Found(selector) => {
                let count = jobs::count_bulk(app, ctx, selector).await?;
                Ok(usize::try_from(count).unwrap_or_default())
            }
        }
    }

    /// Which they are, if they are as many as were seen.
    ///
    /// # Errors
    /// As [`Target::count`]; [`Error::Conflict`] for another number of them.
    pub(super) async fn devices(
        &self,
        app: &App,
        ctx: &Ctx,
        expected: usize,
    ) -> Result<Vec<Uuid>, Error> {
        let ids = match self {
            Self::Chosen(ids) => ids.clone(),
            Self::Found(selector) => {
                let selector = within(selector, &ctx.require(Right::Operate)?);
                let limit = i64::try_from(MOST_LISTED + 1).expect("a small number");
                let asked = Asked { selector: Some(selector), limit, ..Asked::default() };
                let found = devices::list(app, ctx, &asked).await?;
                found.into_iter().map(|device| device.device_id).collect()
            }
        };
        match ids.len() {
            count if count == expected && count <= MOST_LISTED => Ok(ids),
            count if count > MOST_LISTED => Err(Error::Conflict(format!(
                "more than {MOST_LISTED} devices match: nothing was done"
            ))),
            count => Err(Error::Conflict(format!(
                "{count} devices match, not {expected}: nothing was done"
            ))),
        }
    }
}

/// The selector of those that it finds within reach.
fn within(selector: &str, reach: &Reach) -> String {
    match reach.paths() {
        None => selector.to_owned(),
        Some(paths) => {
            let places: Vec<String> =
                paths.iter().map(|path| format!("site under {path}")).collect();
            format!("({selector}) and ({})", places.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fleet::selector::parse;
    use crate::fleet::site::SitePath;

    #[test]
    fn what_is_chosen_is_each_device_once_or_all_that_match() {
        let [a, b] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert_eq!(Target::of(&[b, a, b], false, "x").unwrap(), Some(Target::Chosen(vec![a, b])));
        assert_eq!(Target::of(&[], false, "online").unwrap(), None);
        let all = |q| Target::of(&[a], true, q).unwrap();
        assert_eq!(all(" online "), Some(Target::Found("online".to_owned())));
        assert_eq!(all(""), Some(Target::Found(EVERY.to_owned())));
        let many: Vec<Uuid> = (0..=MOST_CHOSEN as u128).map(Uuid::from_u128).collect();
        assert!(Target::of(&many, false, "").is_err());
        assert!(Target::of(&many[1..], false, "").is_ok());
    }

    #[test]
    fn what_is_found_lies_within_reach() {
        let sites = ["eu.lv", "eu.ee"].map(|site| site.parse::<SitePath>().unwrap());
        let text = within("online or tag = x", &Reach::Under(sites.to_vec()));
        assert_eq!(text, "(online or tag = x) and (site under eu.lv or site under eu.ee)");
        assert_eq!(within("online", &Reach::Everywhere), "online");
        for selector in [text.as_str(), EVERY] {
            assert!(parse(selector, &|_: &str| None).is_ok(), "{selector}");
        }
    }
}
