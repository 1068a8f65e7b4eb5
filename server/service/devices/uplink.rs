//! By what name a device's uplink is said.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{groups_of, sight};
use crate::access::right::Right;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::store::uplinks;

/// The id of the device of this name, of those that the caller sees.
///
/// # Errors
/// [`Error::Invalid`] at `/uplink` for a device that is not there or not seen, and for a serial number
/// that several have.
pub(super) async fn named(conn: &mut PgConnection, ctx: &Ctx, name: &str) -> Result<Uuid, Error> {
    let wrong = |why: String| Error::invalid("/uplink", why);
    let (device_id, serial) = (Uuid::try_parse(name).ok(), name.strip_prefix("serial:"));
    if device_id.is_none() && serial.is_none() {
        return Err(wrong("the id of a device, or `serial:` and its serial number".to_owned()));
    }
    let mut seen = Vec::new();
    for (device_id, site) in uplinks::named(&mut *conn, device_id, serial).await? {
        let groups = groups_of(&mut *conn, ctx, device_id).await?;
        if sight(ctx, Right::Read).covers_device(site.as_deref(), &groups) {
            seen.push(device_id);
        }
    }
    match seen.as_slice() {
        [one] => Ok(*one),
        [] => Err(wrong(format!("no device {name}"))),
        _ => Err(wrong("several devices have this serial number: name it by its id".to_owned())),
    }
}
