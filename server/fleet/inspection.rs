//! What a board said of itself: in its log, because a script asked it to, or over REST.
//!
//! Owns what of that is kept, and by what the answer to one order is known: a nonce, which the script
//! of that order has the board write, and which nobody can guess who has not seen it. The log came as a
//! file of an upload job whose key names the job of the script.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use muster_routeros::inspect::Inspection;
use serde_json::json;
use sha2::Sha256;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::fleet::secret::Keys;
use crate::store::device_packages::{self, DevicePackages};
use crate::store::{events, jobs};

/// How the key of such an upload job begins, as it is stored: nobody else may take such a key.
const KEY: &str = "muster:inspect:";
/// What stands before the job of the script in the key of such a job of a rollout.
pub const LOG: &str = ":inspect:";
/// Bytes of the HMAC that are kept: it is to be new, and not guessed between an order and its answer.
const NONCE: usize = 8;

/// How it was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A script wrote it into the log that this job brought.
    Script(Uuid),
    /// The device was asked itself.
    Rest,
}

impl By {
    /// The word in rows and answers.
    fn word(self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Rest => "rest",
        }
    }

    fn job(self) -> Option<Uuid> {
        match self {
            Self::Script(job_id) => Some(job_id),
            Self::Rest => None,
        }
    }
}

/// What [`Order::own`] is given as the key of the job that brings the log of this script.
///
/// [`Order::own`]: crate::jobs::queue::Order::own
pub fn key_of(script: Uuid) -> String {
    format!("inspect:{script}")
}

/// The job of the script whose answer the job with this key brings; `None` = it brings none. `rollout` =
/// the job is part of one, whose keys are not chosen by people.
pub fn script_of(key: &str, rollout: bool) -> Option<Uuid> {
    let id = match rollout {
        true => key.rsplit_once(LOG)?.1,
        false => key.strip_prefix(KEY)?,
    };
    Uuid::try_parse(id).ok()
}

/// The nonce of the report that this job has this device write: 16 hex digits.
pub fn nonce(keys: &Keys, device_id: Uuid, script: Uuid) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&keys.derive("inspections"))
        .expect("HMAC takes a key of any length");
    mac.update(device_id.as_bytes());
    mac.update(script.as_bytes());
    hex::encode(&mac.finalize().into_bytes()[..NONCE])
}

/// Keeps what the board said, in place of what it said before. The device's row is locked.
///
/// # Errors
/// Where the database does not answer.
pub async fn learn(
    conn: &mut PgConnection,
    device_id: Uuid,
    by: By,
    said: Inspection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let detail = json!({
        "packages": said.packages.len(),
        "booter_current": said.booter_current,
        "booter_upgrade": said.booter_upgrade,
        "device_mode": said.device_mode,
    });
    if let Some(arch) = &said.arch {
        device_packages::learn_arch(conn, device_id, arch, now).await?;
    }
    let kept = DevicePackages {
        packages: Json(said.packages),
        booter_current: said.booter_current,
        booter_upgrade: said.booter_upgrade,
        device_mode: said.device_mode,
        allowed_versions: said.allowed_versions,
        source: by.word().to_owned(),
        learned_at: now,
    };
    device_packages::put(conn, device_id, &kept).await?;
    events::append(conn, device_id, "inspected", by.job(), &detail, now).await?;
    jobs::tell_rollouts(conn, device_id, now).await
}

#[cfg(test)]
mod tests {
    use muster_routeros::inspect;

    use super::*;

    #[test]
    fn each_order_has_a_nonce_of_its_own_that_stays() {
        let keys = Keys::new([7; 32]);
        let [a, b] = [1, 2].map(Uuid::from_u128);
        let one = nonce(&keys, a, b);
        assert_eq!(one, nonce(&keys, a, b));
        assert_eq!(one.len(), inspect::NONCE.len());
        for other in [nonce(&keys, b, a), nonce(&keys, a, a), nonce(&Keys::new([8; 32]), a, b)] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_key_of_a_log_names_the_job_of_its_script() {
        let id = Uuid::from_u128(7);
        let own = format!("muster:{}", key_of(id));
        let rollout = format!("rollout:{}:1:0:1{LOG}{id}", Uuid::nil());
        assert_eq!((script_of(&own, false), script_of(&rollout, true)), (Some(id), Some(id)));
        // People may choose such a key.
        assert_eq!(script_of(&rollout, false), None);
        for none in ["", "muster:inspect:", "muster:inspect:1", "rollout:1:0:1"] {
            assert_eq!((script_of(none, false), script_of(none, true)), (None, None), "{none}");
        }
    }
}
