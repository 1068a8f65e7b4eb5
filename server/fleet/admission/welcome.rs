//! What each device is told that is let in: credentials of its own, how often to inform; and what it
//! is asked.

use chrono::{DateTime, Utc};
use muster_cwmp::rpc::DeviceId as CwmpDeviceId;
use muster_cwmp::value::ValueType;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ctx::App;
use crate::error::Error;
use crate::fleet::{credentials as fleet_credentials, online};
use crate::jobs::queue::{self, Order};
use crate::jobs::spec::{JobSpec, SetParameter};
use crate::store::{claims, credentials};

/// Orders what a device is told that was let in while no Inform of it is at hand: by somebody, or by
/// what was read of it. The device's row must be locked.
///
/// # Errors
/// [`Error::Database`].
pub async fn welcome(
    app: &App,
    conn: &mut PgConnection,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(device) = claims::newcomer(conn, device_id).await? else { return Ok(()) };
    let id = CwmpDeviceId {
        manufacturer: device.manufacturer,
        oui: device.oui,
        product_class: device.product_class,
        serial_number: device.serial,
    };
    if credentials::get(conn, device_id).await?.is_none() {
        fleet_credentials::issue(conn, &app.keys, device_id, &id, now).await?;
    }
    let order = Order::own(device_id, JobSpec::Credentials, "credentials");
    queue::create(conn, &app.keys, order, now).await?;
    settings(app, conn, device_id, device.root.as_deref(), now).await
}

/// Orders how often a device informs, where that is configured, and asks which methods it has.
///
/// # Errors
/// [`Error::Database`].
pub async fn settings(
    app: &App,
    conn: &mut PgConnection,
    device_id: Uuid,
    root: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if let Some(seconds) = app.config.acs.inform_interval_seconds {
        let spec = interval(device_id, root.unwrap_or("Device."), seconds);
        // It is ours, and no change that somebody would want to be told of.
        let order = Order { unkept: true, ..Order::own(device_id, spec, "interval") };
        queue::create(conn, &app.keys, order, now).await?;
    }
    let order = Order::own(device_id, JobSpec::Methods, "methods");
    queue::create(conn, &app.keys, order, now).await?;
    Ok(())
}

/// The periodic interval, spread over the fleet.
fn interval(device_id: Uuid, root: &str, seconds: u32) -> JobSpec {
    let value = online::spread(seconds, device_id).to_string();
    let name = format!("{root}ManagementServer.PeriodicInformInterval");
    let kind = Some(ValueType::UnsignedInt);
    JobSpec::Set { parameters: vec![SetParameter { name, value, kind }] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_spread_by_no_more_than_a_tenth() {
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..200u32 {
            let id = Uuid::from_fields(n * 7_919, 0, 0, &[0; 8]);
            let JobSpec::Set { parameters } = interval(id, "Device.", 300) else { panic!("{n}") };
            let seconds: u32 = parameters[0].value.parse().unwrap_or_default();
            assert!((285..=315).contains(&seconds), "{seconds}");
            seen.insert(seconds);
        }
        assert!(seen.len() > 20, "{seen:?}");
        let JobSpec::Set { parameters } = interval(Uuid::nil(), "InternetGatewayDevice.", 1) else {
            panic!("it sets nothing")
        };
        assert_eq!(
            parameters[0].name,
            "InternetGatewayDevice.ManagementServer.PeriodicInformInterval"
        );
        assert_eq!(parameters[0].value, "1");
    }
}
