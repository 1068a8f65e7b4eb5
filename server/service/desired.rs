//! What is wanted of single devices, how far they are from it, and what people say to that: want
//! something else of one, accept what it has, ignore it, put it back.
//!
//! Owns that a device's own variables and values are sealed where they are stored and masked where
//! they are shown, and that whoever changes them operates the device. What is to be done about a
//! difference is for `crate::desired`.

mod wants;

pub use wants::Wants;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::devices;
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::desired::reconcile::{self, Subject};
use crate::desired::{self, effective::Effective, script, world};
use crate::error::Error;
use crate::fleet::learn;
use crate::fleet::profile::Wanted;
use crate::fleet::secret::is_secret;
use crate::fleet::site::SitePath;
use crate::store::desired::{self as rows, Row};
use crate::store::devices::Device;
use crate::store::wants::{self as store, Drifted, Filter};
use crate::store::{events, parameters, profiles, selector};
use wants::check_names;

/// States in which something differs.
const DIFFERING: [&str; 3] = ["drifted", "blocked", "pending"];

/// A device and what is wanted of it, as people see it.
#[derive(Debug, Clone)]
pub struct View {
    /// Which.
    pub device_id: Uuid,
    /// Its serial number.
    pub serial: String,
    /// How far it is from what is wanted. Its own variables and values are sealed here.
    pub row: Row,
    /// What it is to be, and which layer says so; secrets masked.
    pub effective: Effective,
    /// What is wanted of it alone; secrets masked.
    pub wants: Wants,
    /// The template of the script that it took last, or is to take.
    pub template: Option<String>,
    /// Why it cannot undo a script by itself that cuts it off; `None` = it can.
    pub rescue: Option<String>,
}

/// What is wanted of a device, and how far it is from that.
///
/// # Errors
/// As [`devices::find`].
pub async fn of(app: &App, ctx: &Ctx, name: &str) -> Result<View, Error> {
    view(app, &devices::find(app, ctx, name, Right::Read).await?).await
}

async fn view(app: &App, device: &Device) -> Result<View, Error> {
    let world = world::current(app).await?;
    let mut found = reconcile::load(app, &world, &[device.device_id]).await?;
    let gone = || Error::NotFound(format!("no device {}", device.device_id));
    let Subject { facts, row, effective, .. } = found.pop().ok_or_else(gone)?;
    let mut conn = app.pool.acquire().await?;
    let wants = opened(app, &mut conn, &row).await?.masked();
    drop(conn);
    let template = match row.script_template {
        Some(template_id) => store::template_name(&app.pool, template_id).await?,
        None => None,
    };
    Ok(View {
        device_id: device.device_id,
        serial: device.serial.clone(),
        effective: effective.masked(),
        row,
        wants,
        template,
        rescue: script::can_rescue(&facts).err().map(str::to_owned),
    })
}

/// Wants something else of a device alone: `patch` makes it of what is wanted now. It is compared at
/// once.
///
/// # Errors
/// As [`devices::find`]; what `patch` gives; [`Error::Invalid`] for what cannot be wanted.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    name: &str,
    patch: impl FnOnce(Wants) -> Result<Wants, Error>,
) -> Result<(), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let mut tx = app.pool.begin().await?;
    let had = held(&mut tx, app, ctx, &device).await?;
    let mut wants = patch(had.masked())?;
    wants.keep_masked(&had);
    write(&mut tx, app, ctx, &device, &had, wants, "device.desired").await?;
    Ok(tx.commit().await?)
}

/// Reads from a device what is wanted of it, and compares it.
///
/// # Errors
/// As [`devices::find`].
pub async fn compare(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    store::read_anew(&mut tx, device.device_id, ctx.now).await?;
    audit::record(&mut tx, ctx, "device.compare", object(&device), (), ()).await?;
    Ok(tx.commit().await?)
}

/// Puts a device back to what is wanted of it: also what it was left alone with for a while, and its
/// script once more.
///
/// # Errors
/// As [`devices::find`].
pub async fn reapply(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Operate).await?;
    rows::forget_script(&mut tx, device.device_id).await?;
    store::read_anew(&mut tx, device.device_id, ctx.now).await?;
    audit::record(&mut tx, ctx, "device.reapply", object(&device), (), ()).await?;
    Ok(tx.commit().await?)
}

/// Accepts what a device has: the values of these parameters are wanted of it from now on.
///
/// # Errors
/// As [`devices::find`]; [`Error::Invalid`] for no names; [`Error::Conflict`] for what does not differ,
/// is no parameter, or has a value that nobody knows.
pub async fn accept(app: &App, ctx: &Ctx, name: &str, names: &[String]) -> Result<(), Error> {
    let device = devices::find(app, ctx, name, Right::Operate).await?;
    check_names(names)?;
    let standing = desired::of_device(app, device.device_id).await?;
    let mut tx = app.pool.begin().await?;
    let had = held(&mut tx, app, ctx, &device).await?;
    let row = rows::get(&mut *tx, device.device_id).await?;
    let differences = row.map(|row| row.differences.0).unwrap_or_default();
    let mut wants = had.clone();
    for name in names {
        if !differences.iter().any(|difference| difference.name == *name) {
            let why = format!("`{name}` does not differ: there is nothing to accept");
            return Err(Error::Conflict(why));
        }
        let wanted = standing.effective.parameters.get(name).map(|layered| layered.value.clone());
        let Some(wanted) = wanted else {
            let why =
                format!("`{name}` is no parameter: only values of parameters are accepted so");
            return Err(Error::Conflict(why));
        };
        let value = Some(value_of(&mut tx, app, &device, name).await?);
        wants.overrides.insert(name.clone(), Wanted { value, variable: None, ..wanted });
    }
    write(&mut tx, app, ctx, &device, &had, wants, "device.desired_accept").await?;
    Ok(tx.commit().await?)
}

/// The value that a device has, in clear.
async fn value_of(
    tx: &mut PgConnection,
    app: &App,
    device: &Device,
    name: &str,
) -> Result<String, Error> {
    let known = if is_secret(name) {
        learn::known_secret(tx, &app.keys, device.device_id, name).await?
    } else {
        let document = parameters::lock(tx, device.device_id).await?.unwrap_or_default();
        document.get(name).map(|entry| entry.value.clone())
    };
    known.ok_or_else(|| {
        let why =
            format!("the value that the device has of {name} is not known: ignore it instead");
        Error::Conflict(why)
    })
}

/// Wants to hear no more of these differences of a device; nothing is done about them either.
///
/// # Errors
/// As [`devices::find`]; [`Error::Invalid`] for no names, or what is none.
pub async fn ignore(app: &App, ctx: &Ctx, name: &str, names: &[String]) -> Result<(), Error> {
    ignored(app, ctx, name, names, |all, name| all.insert(name)).await
}

/// Wants to hear of them again.
///
/// # Errors
/// As [`ignore`].
pub async fn unignore(app: &App, ctx: &Ctx, name: &str, names: &[String]) -> Result<(), Error> {
    ignored(app, ctx, name, names, |all, name| all.remove(&name)).await
}

async fn ignored(
    app: &App,
    ctx: &Ctx,
    device: &str,
    names: &[String],
    each: impl Fn(&mut BTreeSet<String>, String) -> bool,
) -> Result<(), Error> {
    let device = devices::find(app, ctx, device, Right::Operate).await?;
    check_names(names)?;
    let mut tx = app.pool.begin().await?;
    let had = held(&mut tx, app, ctx, &device).await?;
    let mut all: BTreeSet<String> = had.ignored.iter().cloned().collect();
    for name in names {
        each(&mut all, name.clone());
    }
    let wants = Wants { ignored: all.into_iter().collect(), ..had.clone() };
    write(&mut tx, app, ctx, &device, &had, wants, "device.desired_ignore").await?;
    Ok(tx.commit().await?)
}

/// A page of the devices that are not as they are wanted, of those that the caller sees, in order of
/// their ids, after one.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a state or a site's path that is none.
pub async fn drifted(
    app: &App,
    ctx: &Ctx,
    filter: &Filter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Drifted>, Error> {
    let within = ctx.require(Right::Read)?.within();
    if filter.state.as_deref().is_some_and(|state| !DIFFERING.contains(&state)) {
        let why = format!("in the query: state is one of {}", DIFFERING.join(", "));
        return Err(Error::invalid("", why));
    }
    if let Some(Err(why)) = filter.under.as_deref().map(str::parse::<SitePath>) {
        return Err(Error::invalid("", format!("in the query: {why}")));
    }
    let _turn = selector::turn().await?;
    Ok(store::drifted(&app.pool, filter, within.as_ref(), after, limit).await?)
}

/// How many devices are in which state, of those that the caller sees and that were compared.
///
/// # Errors
/// [`Error::Denied`]
pub async fn counts(app: &App, ctx: &Ctx) -> Result<BTreeMap<String, i64>, Error> {
    let within = ctx.require(Right::Read)?.within();
    let _turn = selector::turn().await?;
    Ok(store::states(&app.pool, within.as_ref()).await?.into_iter().collect())
}

/// Holds a device until the transaction ends, and gives what is wanted of it alone, in clear.
async fn held(
    tx: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    device: &Device,
) -> Result<Wants, Error> {
    let device_id = device.device_id;
    devices::hold(tx, ctx, device_id, Right::Operate).await?;
    let row = rows::get(&mut *tx, device_id).await?.unwrap_or_else(|| Row::new(device_id));
    opened(app, tx, &row).await
}

/// What is wanted of a device alone, in clear.
async fn opened(app: &App, conn: &mut PgConnection, row: &Row) -> Result<Wants, Error> {
    let profile = match row.profile_id {
        Some(profile_id) => profiles::get(&mut *conn, profile_id).await?.map(|found| found.name),
        None => None,
    };
    Wants::opened(row, profile, &app.keys)
}

/// Stores what is wanted of a device that is held, and has it compared; nothing where it is the same.
async fn write(
    tx: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    device: &Device,
    had: &Wants,
    wants: Wants,
    action: &str,
) -> Result<(), Error> {
    let wants = wants.checked()?;
    if wants == *had {
        return Ok(());
    }
    let device_id = device.device_id;
    let profile_id = match &wants.profile {
        Some(name) => {
            let none = || Error::invalid("/profile", format!("there is no profile `{name}`"));
            Some(profiles::share(tx, name).await?.ok_or_else(none)?.profile_id)
        }
        None => None,
    };
    store::say(tx, device_id, &wants.sealed(profile_id, device_id, &app.keys), ctx.now).await?;
    let (before, after) = (json!(had.masked()), json!(wants.masked()));
    let (old, new) = (other(&before, &after), other(&after, &before));
    let told = json!({ "by": ctx.actor.name, "before": old, "after": new });
    events::append(tx, device_id, "desired.changed", None, &told, ctx.now).await?;
    audit::record(tx, ctx, action, object(device), before, after).await
}

/// The fields of `this` that are otherwise in `that`.
fn other(this: &Value, that: &Value) -> Value {
    let fields = this.as_object().into_iter().flatten();
    let otherwise = fields.filter(|(name, value)| that.get(name.as_str()) != Some(*value));
    Value::Object(otherwise.map(|(n, v)| (n.clone(), v.clone())).collect::<Map<_, _>>())
}

fn object(device: &Device) -> Object<'_> {
    Object::new("device", device.device_id, &device.serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_otherwise_is_told() {
        let (before, after) = (json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 }));
        assert_eq!(other(&before, &after), json!({ "b": 2 }));
        assert_eq!(other(&after, &before), json!({ "b": 3 }));
    }
}
