//! A batch: what became of the boards of the claims for a site, of a customer, or of a few. Of a board
//! that the caller does not see, for it stands elsewhere by now, nothing is told: it counts as not seen.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use uuid::Uuid;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::site::SitePath;
use crate::store::bench::{self as store, BatchFilter, BatchRow, Tally};

/// Claims that somebody may name.
const MAX_CLAIMS: usize = 1_000;
/// Characters of a customer's number.
const MAX_CUSTOMER: usize = 64;

/// How far a batch is. Each claim is counted in one of `no_mac` to `confirmed`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Claims.
    pub claimed: i64,
    /// Those that name a serial number alone: no bench can know their boards.
    pub no_mac: i64,
    /// Those whose board no bench has seen.
    pub not_seen: i64,
    /// Those whose board was seen, and has got nothing yet.
    pub under_way: i64,
    /// Those whose board was refused.
    pub refused: i64,
    /// Those whose board did not get what it was to.
    pub failed: i64,
    /// Those whose board had all of it.
    pub delivered: i64,
    /// Those whose device has informed since.
    pub confirmed: i64,
    /// Why boards were refused or failed, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// So many boards were refused or failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `too_big`, `not_claimed` ...
    pub reason: String,
    /// How many.
    pub count: i64,
}

impl Summary {
    fn of(tallies: Vec<Tally>) -> Self {
        let mut sum = Self::default();
        let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
        for Tally { has_mac, state, reason, count } in tallies {
            sum.claimed += count;
            let of = match (state.as_deref(), has_mac) {
                (None, false) => &mut sum.no_mac,
                (None, true) => &mut sum.not_seen,
                (Some("refused"), _) => &mut sum.refused,
                (Some("failed" | "timed_out"), _) => &mut sum.failed,
                (Some("delivered" | "installed"), _) => &mut sum.delivered,
                (Some("confirmed"), _) => &mut sum.confirmed,
                (Some(_), _) => &mut sum.under_way,
            };
            *of += count;
            let wrong = matches!(state.as_deref(), Some("refused" | "failed" | "timed_out"));
            if let Some(reason) = reason.filter(|_| wrong) {
                *reasons.entry(reason).or_default() += count;
            }
        }
        let reasons = reasons.into_iter().map(|(reason, count)| Reason { reason, count });
        sum.reasons = reasons.collect();
        // Those of the same number stay in the order of their words.
        sum.reasons.sort_by_key(|reason| Reverse(reason.count));
        sum
    }
}

/// How far a batch is, of the claims that the caller sees.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a filter that cannot be.
pub async fn batch_summary(app: &App, ctx: &Ctx, filter: &BatchFilter) -> Result<Summary, Error> {
    let within = ctx.require(Right::Read)?.paths();
    check(filter)?;
    Ok(Summary::of(store::tallies(&app.pool, filter, within.as_deref()).await?))
}

/// The claims of a batch that the caller sees, in the order in which they were made, after one. What
/// labels say is in there, too.
///
/// # Errors
/// As [`batch_summary`].
pub async fn batch(
    app: &App,
    ctx: &Ctx,
    filter: &BatchFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<BatchRow>, Error> {
    let within = ctx.require(Right::Read)?.paths();
    check(filter)?;
    Ok(store::batch(&app.pool, filter, within.as_deref(), after, limit).await?)
}

fn check(filter: &BatchFilter) -> Result<(), Error> {
    if let Some(site) = &filter.site {
        site.parse::<SitePath>().map_err(|why| Error::invalid("", format!("site: {why}")))?;
    }
    if filter.customer.as_ref().is_some_and(|text| text.chars().count() > MAX_CUSTOMER) {
        return Err(Error::invalid("", format!("customer: at most {MAX_CUSTOMER} characters")));
    }
    if filter.claims.as_ref().is_some_and(|claims| claims.len() > MAX_CLAIMS) {
        return Err(Error::invalid("", format!("at most {MAX_CLAIMS} claims by name")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_is_counted_once_and_each_reason_is_told() {
        let tally = |has_mac, state: Option<&str>, reason: Option<&str>, count| {
            let (state, reason) = (state.map(str::to_owned), reason.map(str::to_owned));
            Tally { has_mac, state, reason, count }
        };
        let sum = Summary::of(vec![
            tally(true, Some("delivered"), None, 35),
            tally(true, Some("installed"), None, 2),
            tally(true, Some("confirmed"), None, 4),
            tally(true, Some("refused"), Some("too_big"), 1),
            tally(true, Some("refused"), Some("done"), 3),
            tally(true, Some("failed"), Some("lost"), 1),
            tally(true, Some("timed_out"), Some("lost"), 1),
            tally(true, Some("transferring"), None, 1),
            tally(true, None, None, 5),
            tally(false, None, None, 6),
        ]);
        let parts = [sum.no_mac, sum.not_seen, sum.under_way, sum.refused, sum.failed];
        assert_eq!(parts, [6, 5, 1, 4, 2]);
        assert_eq!((sum.delivered, sum.confirmed, sum.claimed), (37, 4, 59));
        assert_eq!(parts.iter().sum::<i64>() + sum.delivered + sum.confirmed, sum.claimed);
        let reasons: Vec<_> = sum.reasons.iter().map(|r| (r.reason.as_str(), r.count)).collect();
        assert_eq!(reasons, [("done", 3), ("lost", 2), ("too_big", 1)]);
        assert_eq!(Summary::of(Vec::new()), Summary::default());
    }
}
