//! The credential with which new devices come, and those of their own that they then get.

use chrono::{DateTime, Utc};
use muster_cwmp::digest::{Algorithm, ha1};
use muster_cwmp::rpc::DeviceId as CwmpDeviceId;
use muster_cwmp::value::ParameterValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::identity::user_name;
use super::secret::{Keys, new_password, password_from};
use crate::error::Error;
use crate::store::credentials::{self, Credentials};

/// The protection space of all devices. HA1 is bound to it: it never changes.
pub const REALM: &str = "muster";

/// The credential that every new device knows. It lets a device in once, to get its own.
#[derive(Clone)]
pub struct Enrolment {
    /// User name.
    pub username: String,
    /// HA1 by MD5.
    pub ha1_md5: String,
    /// HA1 by SHA-256.
    pub ha1_sha256: String,
    password: String,
}

impl Enrolment {
    /// Made from the installation's key, so that every node knows it and no table holds it.
    pub fn from_keys(keys: &Keys) -> Self {
        let username = "enrol".to_owned();
        let password = password_from(&keys.derive("enrolment password")[..20]);
        Self {
            ha1_md5: ha1(Algorithm::Md5, &username, REALM, &password),
            ha1_sha256: ha1(Algorithm::Sha256, &username, REALM, &password),
            username,
            password,
        }
    }

    /// The password in clear, for the operator who configures devices.
    pub fn expose_password(&self) -> &str {
        &self.password
    }
}

/// Gives a device credentials of its own, in place of any before; it must be told by a job.
pub async fn issue(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    id: &CwmpDeviceId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let username = user_name(id);
    let password = new_password();
    let context = device_id.to_string();
    let row = Credentials {
        device_id,
        ha1_md5: ha1(Algorithm::Md5, &username, REALM, &password),
        ha1_sha256: ha1(Algorithm::Sha256, &username, REALM, &password),
        sealed: keys.seal(&password, &context),
        confirmed: false,
        wake_username: username.clone(),
        wake_sealed: keys.seal(&new_password(), &context),
        enrol_until: None,
        username,
    };
    credentials::put(conn, &row, now).await?;
    Ok(())
}

/// The parameters that tell a device its credentials. `login` = also those for the ACS, not only
/// those by which it can be woken.
pub async fn to_write(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    root: &str,
    login: bool,
) -> Result<Vec<ParameterValue>, Error> {
    let Some(c) = credentials::get(conn, device_id).await? else { return Ok(Vec::new()) };
    let context = device_id.to_string();
    let name = |last: &str| format!("{root}ManagementServer.{last}");
    let mut out = Vec::with_capacity(4);
    if login {
        out.push(ParameterValue::string(name("Username"), c.username));
        out.push(ParameterValue::string(name("Password"), keys.open(&c.sealed, &context)?));
    }
    out.push(ParameterValue::string(name("ConnectionRequestUsername"), c.wake_username));
    let wake = keys.open(&c.wake_sealed, &context)?;
    out.push(ParameterValue::string(name("ConnectionRequestPassword"), wake));
    Ok(out)
}
