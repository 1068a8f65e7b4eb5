//! With what a device is asked: variables of its effective state.

use std::fmt;

use serde_json::Value;

use crate::fleet::variables::Variables;

/// A user of the device that may use REST and read.
const USER: &str = "rest_user";
/// The password that goes with it; by its name a secret.
const PASSWORD: &str = "rest_password";
/// The SHA-256 fingerprint of the certificate of its service www-ssl.
const FINGERPRINT: &str = "rest_fingerprint";
/// The port of that service; 443 where it is not said.
const PORT: &str = "rest_port";
/// Where www-ssl listens from the factory.
const HTTPS: u16 = 443;

/// What opens the REST service of a device.
#[derive(Clone)]
pub struct Login {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) fingerprint: [u8; 32],
    pub(super) port: u16,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Login {
    /// From the variables of a device, in clear.
    ///
    /// # Errors
    /// Which of them to set, for an operator.
    pub fn of(variables: &Variables) -> Result<Self, String> {
        let text = |name: &str| variables.0.get(name).and_then(Value::as_str).unwrap_or_default();
        let needed = [USER, PASSWORD, FINGERPRINT];
        let missing: Vec<String> = needed
            .into_iter()
            .filter(|name| text(name).trim().is_empty())
            .map(|name| format!("`{name}`"))
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "a direct connection needs variables that the device does not have: set {}",
                missing.join(", ")
            ));
        }
        Ok(Self {
            user: text(USER).to_owned(),
            password: text(PASSWORD).to_owned(),
            fingerprint: fingerprint(text(FINGERPRINT))?,
            port: port(variables.0.get(PORT))?,
        })
    }
}

fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|c| *c != ':' && !c.is_whitespace()).collect();
    let mut fingerprint = [0_u8; 32];
    hex::decode_to_slice(digits, &mut fingerprint).map_err(|_| {
        format!("`{FINGERPRINT}` is not the SHA-256 fingerprint of a certificate: 64 hex digits")
    })?;
    Ok(fingerprint)
}

fn port(value: Option<&Value>) -> Result<u16, String> {
    let port = match value {
        None => Some(HTTPS),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64().and_then(|port| u16::try_from(port).ok()),
    };
    port.filter(|port| *port > 0).ok_or_else(|| format!("`{PORT}` is not a port: 1 to 65535"))
}
