//! Admission: whether a device that comes is let in, and as what.
//!
//! Owns the one rule of it: a claim that is the device's own, then the first rule that fits, then what
//! `zero_touch.unknown` says. Who is not let in waits in quarantine: it may be read, so that a claim
//! or a rule that asks for what only the data model tells can still be found, and nothing else is sent
//! to it. It must never let a device have a claim that wants a credential of its own by another one.
//!
//! - here: what happens to a device. - [`decide`]: who is let in, pure. - [`rule`]: rules of
//!   admission. - [`mod@welcome`]: what each device is told that is let in.

pub mod decide;
pub mod rule;
pub mod welcome;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use self::decide::{Admission, Knock};
use super::claim;
use super::variables::Variables;
use crate::ctx::App;
use crate::desired;
use crate::error::Error;
use crate::store::accept_rules::Rule;
use crate::store::claims::{self as store, Claim, Given, Newcomer};
use crate::store::{devices, events, jobs, sites};

pub use welcome::welcome;

/// Why what people order of a device in quarantine is refused.
pub const WAITS: &str = "the device is in quarantine: let it in first, by a claim, a rule of admission, \
                         or with `accept`";

/// How many devices may wait, about: whoever knows the enrolment credential can come under as many
/// serial numbers as it likes, and each that waits is kept, and read. Beyond that unknown devices are
/// sent away.
pub const MAX_WAITING: i64 = 10_000;
/// A device that waits, and was not heard of for so long, is forgotten.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(30);
/// So many are forgotten at a time.
const FORGOTTEN: i64 = 1_000;

/// What became of a device that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is in, as of now.
    In,
    /// It waits.
    Waits,
    /// It is sent away; nothing of it is to be kept.
    Refused,
}

/// Decides about a device that is not in: at first contact, and whenever it says something new after
/// that. Its facts and what it told of its data model are stored, in this transaction or before.
/// `credential` is the claim by whose credential it came.
///
/// # Errors
/// [`Error::Busy`] where it is to come again: sites are being moved, or another device takes the same
/// claim at this moment. [`Error::Database`].
pub async fn admit(
    app: &App,
    conn: &mut PgConnection,
    device_id: Uuid,
    credential: Option<Uuid>,
    first: bool,
    now: DateTime<Utc>,
) -> Result<Admitted, Error> {
    let Some(device) = store::newcomer(conn, device_id).await? else { return Ok(Admitted::Waits) };
    let macs = store::macs(conn, device_id).await?;
    let proven = device.proven;
    let knock = Knock { device_id, serial: &device.serial, macs: &macs, credential, proven, first };
    let ids: Vec<Uuid> = credential.into_iter().collect();
    let serials = std::slice::from_ref(&device.serial);
    let claims = store::find(&mut *conn, &ids, serials, &macs).await?;
    let decision = match decide::by_claim(&knock, &claims) {
        Some(decision) => decision,
        None => {
            let rule = rule::first_that_fits(app, conn, device_id, now).await?;
            decide::unclaimed(&knock, rule, app.config.zero_touch.unknown)
        }
    };
    if first
        && matches!(decision.admission, Admission::Quarantine(_))
        && store::is_full(conn, MAX_WAITING).await?
    {
        return Ok(Admitted::Refused);
    }
    if let (Some(claim_id), Admission::Quarantine(why)) = (decision.denied, &decision.admission) {
        store::note_refused(conn, claim_id, why, now).await?;
    }
    match decision.admission {
        Admission::Claim(claim) => take(app, conn, device_id, &claim, None, now).await?,
        Admission::Rule(rule) => by_rule(conn, device_id, &rule, now).await?,
        Admission::Accept => {
            if !first {
                let detail = json!({ "by": "muster" });
                admitted(conn, device_id, Given::default(), &detail, now).await?;
            }
            desired::touch(conn, device_id, now).await?;
        }
        Admission::Quarantine(why) => {
            if store::quarantine(conn, device_id, &why, now).await? {
                let detail = json!({ "reason": why });
                events::append(conn, device_id, "quarantined", None, &detail, now).await?;
                tracing::info!(device.id = %device_id, "a device is in quarantine: {why}");
            }
            return Ok(Admitted::Waits);
        }
        Admission::Refuse => return Ok(Admitted::Refused),
    }
    Ok(Admitted::In)
}

/// Looks again at a device whose data model was just read: its MAC address, and what rules ask for,
/// may be known only now. True = it was let in by that. One that is in already takes nothing by that.
///
/// # Errors
/// As [`admit`].
pub async fn by_mac(
    app: &App,
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let Some(device) = store::newcomer(conn, device_id).await? else { return Ok(false) };
    let looked = match device.quarantine_reason {
        // One that waits because it wanted what is another's was proven then: what it reads like since
        // changes nothing of that.
        Some(why) if why != decide::UNCLAIMED => return Ok(false),
        Some(_) => admit(app, conn, device_id, None, false, now).await.map(|a| a == Admitted::In),
        None => note_conflicts(conn, device_id, &device, now).await.map(|()| false),
    };
    match looked {
        // Nothing was written, and what was read is to be kept: it is looked at again when it comes.
        Err(Error::Busy(_)) => Ok(false),
        looked => looked,
    }
}

/// The open claims by an address of a device alone. For one that is in already that is no proof: what
/// it reads like is its own to say, and with another's claim it would get another's secrets. Only
/// somebody who says so gives it one.
///
/// # Errors
/// [`Error::Database`].
pub async fn open_by_address(
    conn: &mut PgConnection,
    device_id: Uuid,
) -> Result<Vec<Claim>, Error> {
    let macs = store::macs(conn, device_id).await?;
    if macs.is_empty() {
        return Ok(Vec::new());
    }
    let mut claims = store::find(conn, &[], &[], &macs).await?;
    claims.retain(|claim| claim.serial.is_none() && claim.device_id.is_none());
    Ok(claims)
}

/// Tells on the open claims with an address of a device that is in why it does not take them.
async fn note_conflicts(
    conn: &mut PgConnection,
    device_id: Uuid,
    device: &Newcomer,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for claim in open_by_address(conn, device_id).await? {
        let serial = device.serial.escape_debug();
        let why = format!(
            "the device {serial}, which is in already, has this address: accept it by hand"
        );
        store::note_refused(conn, claim.claim_id, &why, now).await?;
    }
    Ok(())
}

/// Gives a device a claim, with all that it says; `by` is who let it in, if somebody did. The device's
/// row must be locked.
///
/// # Errors
/// [`Error::Busy`] as with [`admit`]; [`Error::Database`]; [`Error::Internal`] where another key
/// sealed it.
pub async fn take(
    app: &App,
    conn: &mut PgConnection,
    device_id: Uuid,
    claim: &Claim,
    by: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let gone = site_is_gone(conn, claim.site.as_deref()).await?;
    // Who was in already, and is given it by somebody, is no new device by that.
    let admitted = by.is_none() || store::waits(conn, device_id).await?;
    if !store::take(conn, claim.claim_id, device_id, now).await? {
        let why = "another device takes the same claim at this moment: try again";
        return Err(Error::Busy(why.to_owned()));
    }
    let said = Variables::opened(&claim.variables, &app.keys, &claim::context(claim.claim_id))?;
    let variables = said.sealed(&app.keys, &format!("device {device_id}"));
    let given = Given {
        site: claim.site.as_deref().filter(|_| !gone),
        tags: &claim.tags,
        customer: claim.customer.as_deref(),
        profile_id: claim.profile_id,
        admitted,
    };
    store::let_in(conn, device_id, given, &variables, now).await?;
    let device = store::newcomer(conn, device_id).await?;
    let detail = json!({
        "claim_id": claim.claim_id,
        "by": by,
        "site": given.site,
        "profile": claim.profile,
        "tags": claim.tags,
        "customer": claim.customer,
        "warning": warning(claim, device.as_ref(), gone),
    });
    events::append(conn, device_id, "claim.taken", None, &detail, now).await?;
    desired::touch(conn, device_id, now).await?;
    tracing::info!(device.id = %device_id, claim.id = %claim.claim_id, "a device takes its claim");
    Ok(())
}

/// What is worth a look where a claim was taken.
fn warning(claim: &Claim, device: Option<&Newcomer>, site_is_gone: bool) -> Option<String> {
    if site_is_gone {
        let site = claim.site.as_deref().unwrap_or_default();
        return Some(format!("there is no site {site} any more: it stands in none"));
    }
    let (expected, device) = (claim.model.as_deref()?, device?);
    let is = |name: &str| name.eq_ignore_ascii_case(expected);
    let same = is(&device.product_class) || device.model.as_deref().is_some_and(is);
    let says = &device.product_class;
    (!same).then(|| format!("a {expected} was expected, and it says that it is a {says}"))
}

/// Forgets devices that have waited for long and were not heard of in that time, a bounded number; gives
/// how many. Should one come again, it is a new one.
///
/// # Errors
/// [`Error::Database`].
pub async fn expire(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, Error> {
    let before = now - FORGOTTEN_AFTER;
    let mut forgotten = 0;
    for device_id in store::silent(pool, None, before, FORGOTTEN).await? {
        let mut tx = pool.begin().await?;
        jobs::lock_device(&mut tx, device_id).await?;
        // It may have come, or been let in, just now.
        if store::silent(&mut *tx, Some(device_id), before, 1).await?.is_empty() {
            continue;
        }
        devices::delete(&mut tx, device_id).await?;
        tx.commit().await?;
        forgotten += 1;
    }
    if forgotten > 0 {
        tracing::info!(forgotten, "devices in quarantine that are silent were forgotten");
    }
    Ok(forgotten)
}

/// Lets a device in as a rule says.
async fn by_rule(
    conn: &mut PgConnection,
    device_id: Uuid,
    rule: &Rule,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let gone = site_is_gone(conn, rule.site.as_deref()).await?;
    let given = Given {
        site: rule.site.as_deref().filter(|_| !gone),
        tags: &rule.tags,
        customer: None,
        profile_id: rule.profile_id,
        admitted: true,
    };
    let detail = json!({
        "rule": rule.name,
        "site": given.site,
        "profile": rule.profile,
        "tags": rule.tags,
    });
    admitted(conn, device_id, given, &detail, now).await?;
    Ok(desired::touch(conn, device_id, now).await?)
}

/// Lets a device in that took no claim.
async fn admitted(
    conn: &mut PgConnection,
    device_id: Uuid,
    given: Given<'_>,
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    store::let_in(conn, device_id, given, &json!({}), now).await?;
    Ok(events::append(conn, device_id, "admitted", None, detail, now).await?)
}

/// Whether a site in which a device is to be put is not there any more.
///
/// The tree may not be waited for: the device's row is locked, and who moves sites waits for that.
async fn site_is_gone(conn: &mut PgConnection, site: Option<&str>) -> Result<bool, Error> {
    let Some(site) = site else { return Ok(false) };
    if !sites::try_share_tree(conn).await? {
        return Err(Error::Busy("sites are being moved: try again".to_owned()));
    }
    Ok(!sites::exists(&mut *conn, site).await?)
}
