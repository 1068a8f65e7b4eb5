//! Secrets of devices in clear: who may see them, and that each look is in the audit log.

use serde_json::json;
use sqlx::{Postgres, Transaction};

use super::devices;
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::learn;
use crate::store::device_secrets::{self, Named};
use crate::store::devices::Device;

/// The secret parameters of a device whose values are known; not the values.
///
/// # Errors
/// As [`devices::find`].
pub async fn names(app: &App, ctx: &Ctx, name: &str) -> Result<Vec<Named>, Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    Ok(device_secrets::names(&app.pool, device.device_id).await?)
}

/// The value of a secret parameter in clear: as the device told it or took it last.
///
/// # Errors
/// As [`devices::find`], with the right to see secrets; [`Error::NotFound`] when it is not known.
pub async fn reveal(app: &App, ctx: &Ctx, name: &str, parameter: &str) -> Result<String, Error> {
    let device = devices::find(app, ctx, name, Right::Secrets).await?;
    let mut tx = app.pool.begin().await?;
    devices::hold(&mut tx, ctx, device.device_id, Right::Secrets).await?;
    look(app, tx, ctx, &device, parameter).await
}

/// What people type to join a device's Wi-Fi, for the support view: no other secret. Whether the
/// role shows it is for that view to ask.
///
/// # Errors
/// As [`devices::find`], with the right to the support view; [`Error::Denied`] for any other
/// parameter; [`Error::NotFound`] when it is not known; [`Error::Conflict`] where the device was moved
/// since it was found.
pub async fn reveal_wifi(
    app: &App,
    ctx: &Ctx,
    device: &Device,
    parameter: &str,
) -> Result<String, Error> {
    ctx.require(Right::Support)?;
    if !is_wifi_password(parameter) {
        return Err(Error::Denied(
            "the support view shows no secret but Wi-Fi passwords".to_owned(),
        ));
    }
    let mut tx = app.pool.begin().await?;
    devices::hold_in_place(&mut tx, ctx, device).await?;
    look(app, tx, ctx, device, parameter).await
}

/// The value, and that it was looked at. The device is held.
async fn look(
    app: &App,
    mut tx: Transaction<'static, Postgres>,
    ctx: &Ctx,
    device: &Device,
    parameter: &str,
) -> Result<String, Error> {
    let id = device.device_id;
    let value = learn::known_secret(&mut tx, &app.keys, id, parameter).await?.ok_or_else(|| {
        Error::NotFound(format!(
            "no value of {parameter} is known: the device does not tell it, and it was not set here"
        ))
    })?;
    let object = Object::new("device", id, &device.serial);
    let seen = json!({ "parameter": parameter });
    audit::record(&mut tx, ctx, "device.secret_reveal", object, (), seen).await?;
    tx.commit().await?;
    Ok(value)
}

/// By its name in both data models.
fn is_wifi_password(parameter: &str) -> bool {
    let wifi = parameter.starts_with("Device.WiFi.AccessPoint.")
        || (parameter.starts_with("InternetGatewayDevice.LANDevice.")
            && parameter.contains(".WLANConfiguration."));
    let last = parameter.rsplit('.').next().unwrap_or(parameter);
    wifi && matches!(last, "KeyPassphrase" | "SAEPassphrase" | "PreSharedKey")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::secret::is_secret;

    #[test]
    fn support_sees_wifi_passwords_and_nothing_else() {
        let igd = "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1";
        for name in [
            "Device.WiFi.AccessPoint.1.Security.KeyPassphrase",
            "Device.WiFi.AccessPoint.2.Security.SAEPassphrase",
            &format!("{igd}.PreSharedKey.1.PreSharedKey"),
            &format!("{igd}.KeyPassphrase"),
        ] {
            assert!(is_wifi_password(name) && is_secret(name), "{name}");
        }
        for name in [
            "Device.ManagementServer.Password",
            "Device.WiFi.AccessPoint.1.Security.RadiusSecret",
            "Device.WiFi.EndPoint.1.Profile.1.Security.KeyPassphrase",
            "Device.PPP.Interface.1.Password",
            "KeyPassphrase",
        ] {
            assert!(!is_wifi_password(name), "{name}");
        }
    }
}
