//! Devices that came and are expected by nobody: look at them, let them in, forget them; and devices
//! that are in, and are to have a claim that only somebody can give them.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::admission;
use crate::fleet::claim::{ClaimFields, is_serial};
use crate::fleet::online;
use crate::fleet::selector::{Expr, Flag, Test};
use crate::fleet::variables::Variables;
use crate::service::devices::{self, hold};
use crate::store::claims::{self as store, Claim};
use crate::store::devices::{self as rows, Device};
use crate::store::{selector, sites};

/// What a device is to be that is let in; what is absent is as an open claim for it says, if there is
/// one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AcceptFields {
    /// Path of the site where it comes to stand.
    pub site: Option<String>,
    /// Name of the profile that is bound to it.
    pub profile: Option<String>,
    /// Tags that it gets.
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Vec<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// For templates; secrets in clear.
    pub variables: Variables,
}

impl AcceptFields {
    /// Over what an open claim for the device says.
    fn onto(self, had: ClaimFields) -> ClaimFields {
        let mut variables = had.variables;
        variables.over(&self.variables);
        ClaimFields {
            site: self.site.or(had.site),
            profile: self.profile.or(had.profile),
            tags: if self.tags.is_empty() { had.tags } else { self.tags },
            customer: self.customer.or(had.customer),
            variables,
            ..had
        }
    }
}

/// A page of the devices in quarantine that the caller sees, in order of their ids, after one. They
/// stand at no site yet: who sees them reads everywhere, or for a group that they are in.
///
/// # Errors
/// [`Error::Denied`]
pub async fn knocked(
    app: &App,
    ctx: &Ctx,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Device>, Error> {
    let reach = ctx.require(Right::Read)?;
    let mut conditions = vec![Expr::Test(Test::Flag(Flag::Quarantined))];
    conditions.extend(reach.expr());
    let since = online::since(&app.config, ctx.now);
    Ok(selector::list(&app.pool, &Expr::All(conditions), after, limit, ctx.now, since).await?)
}

/// Lets a device in: claims it by its serial number, and gives it that claim. A device that is in is
/// given the open claim by its address, which it does not take by itself. Either is taken also where it
/// wants a credential of its own, and wants it no more then: somebody says that the device is the one,
/// who operates both where it stands and where the claim is for.
///
/// # Errors
/// As [`devices::find`]; [`Error::Invalid`] for fields that cannot be taken; [`Error::Conflict`] for a
/// device that is in and has no such claim, or whose claim another device has taken.
pub async fn accept(
    app: &App,
    ctx: &Ctx,
    name: &str,
    fields: AcceptFields,
) -> Result<Device, Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let device_id = device.device_id;
    if fields.site.is_some() {
        // Before it is looked whether that site exists, which is not for everybody to know.
        ctx.require_at(Right::Operate, fields.site.as_deref())?;
    }
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    store::lock(&mut tx).await?;
    hold(&mut tx, ctx, device_id, Right::Operate).await?;
    let waits = store::waits(&mut tx, device_id).await?;
    let open = match waits {
        true => by_serial(&mut tx, &device).await?,
        false => Some(by_address(&mut tx, device_id).await?),
    };
    let had = match &open {
        Some(claim) => {
            ctx.require_at(Right::Operate, claim.site.as_deref())?;
            ClaimFields::opened(claim, &app.keys)?
        }
        None => ClaimFields { serial: Some(device.serial.clone()), ..ClaimFields::default() },
    };
    let claim_id = open.map_or_else(Uuid::now_v7, |claim| claim.claim_id);
    let said = fields.variables.clone();
    // It logs in as it does: by its claim it would be locked out.
    let fields = ClaimFields { own_credential: false, ..fields.onto(had) }.checked()?;
    super::declared::check(&mut tx, fields.profile.as_deref(), &said).await?;
    let claim = super::write(&mut tx, app, ctx, claim_id, &fields).await?;
    admission::take(app, &mut tx, device_id, &claim, Some(&ctx.actor.name), ctx.now).await?;
    if waits {
        admission::welcome(app, &mut tx, device_id, ctx.now).await?;
    }
    let object = Object::new("device", device_id, &device.serial);
    let before = json!({ "quarantined_at": device.quarantined_at, "site": device.site });
    let after = json!({ "claim_id": claim_id, "claim": fields.masked() });
    audit::record(&mut tx, ctx, "device.accept", object, before, after).await?;
    tx.commit().await?;
    tracing::info!(device.id = %device_id, by = ctx.actor.name, "a device was given a claim by hand");
    let gone = || Error::NotFound(format!("no device {name}"));
    rows::get(&app.pool, device_id).await?.ok_or_else(gone)
}

/// The claim for a device that waits, if there is one.
async fn by_serial(tx: &mut PgConnection, device: &Device) -> Result<Option<Claim>, Error> {
    if !is_serial(&device.serial) {
        let why =
            "its serial number is none that a claim can have: let it in by a rule of admission";
        return Err(Error::Conflict(why.to_owned()));
    }
    let serials = std::slice::from_ref(&device.serial);
    let claim = store::find(tx, &[], serials, &[]).await?.pop();
    let taken_by = claim.as_ref().and_then(|claim| claim.device_id);
    if taken_by.is_some_and(|taken_by| taken_by != device.device_id) {
        let why = "another device with this serial number has taken the claim for it: remove that \
                   claim first";
        return Err(Error::Conflict(why.to_owned()));
    }
    Ok(claim)
}

/// The claim for a device that is in.
async fn by_address(tx: &mut PgConnection, device_id: Uuid) -> Result<Claim, Error> {
    let mut claims = admission::open_by_address(tx, device_id).await?;
    match (claims.pop(), claims.len()) {
        (Some(claim), 0) => Ok(claim),
        (None, _) => {
            let why = "the device is in already, and no open claim has its address";
            Err(Error::Conflict(why.to_owned()))
        }
        (Some(_), _) => {
            let why = "several open claims have addresses of this device: remove all but one";
            Err(Error::Conflict(why.to_owned()))
        }
    }
}

/// Forgets a device in quarantine. Should it come again, it is a new one.
///
/// # Errors
/// As [`devices::find`]; [`Error::Conflict`] for a device that is in.
pub async fn forget(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let device_id = device.device_id;
    let mut tx = app.pool.begin().await?;
    hold(&mut tx, ctx, device_id, Right::Operate).await?;
    if !store::waits(&mut tx, device_id).await? {
        return Err(Error::Conflict("the device is in: remove it from the inventory".to_owned()));
    }
    rows::delete(&mut tx, device_id).await?;
    let object = Object::new("device", device_id, &device.serial);
    let before =
        json!({ "serial": device.serial, "oui": device.oui, "why": device.quarantine_reason });
    audit::record(&mut tx, ctx, "device.forget", object, before, ()).await?;
    tx.commit().await?;
    tracing::info!(device.id = %device_id, by = ctx.actor.name, "a device in quarantine was forgotten");
    Ok(())
}
