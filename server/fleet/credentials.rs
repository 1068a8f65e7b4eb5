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
///
/// # Errors
/// [`Error::Database`].
pub async fn issue(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    id: &CwmpDeviceId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    Ok(credentials::put(conn, &fresh(keys, device_id, user_name(id)), now).await?)
}

/// Gives a device that uses its credentials others. Those that it has are good until it has used the
/// new ones: it must be told by a job in the very session, for it cannot be woken by the old ones.
///
/// # Errors
/// [`Error::Database`].
pub async fn rotate(
    conn: &mut PgConnection,
    keys: &Keys,
    device_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let Some(had) = credentials::get(conn, device_id).await?.filter(|had| had.confirmed) else {
        return Ok(false);
    };
    let (previous_md5, previous_sha256) = (Some(had.ha1_md5), Some(had.ha1_sha256));
    let enrol_until = had.enrol_until;
    let others = fresh(keys, device_id, had.username);
    let others = Credentials { previous_md5, previous_sha256, enrol_until, ..others };
    credentials::put(conn, &others, now).await?;
    Ok(true)
}

fn fresh(keys: &Keys, device_id: Uuid, username: String) -> Credentials {
    let password = new_password();
    let context = device_id.to_string();
    Credentials {
        device_id,
        ha1_md5: ha1(Algorithm::Md5, &username, REALM, &password),
        ha1_sha256: ha1(Algorithm::Sha256, &username, REALM, &password),
        sealed: keys.seal(&password, &context),
        confirmed: false,
        wake_username: username.clone(),
        wake_sealed: keys.seal(&new_password(), &context),
        enrol_until: None,
        previous_md5: None,
        previous_sha256: None,
        username,
    }
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
