//! The scripts that come with Muster, as stored files: a device fetches them like any other.
//!
//! Owns that they are stored, under ids that follow from their text: another version of Muster with
//! another text stores another file, and what was ordered fetches the text that it was ordered with. A
//! nonce stands only in what the version serves that stored it: an inspection that is under way while
//! nodes are updated may end without an answer, and is ordered again.

use std::convert::Infallible;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use muster_routeros::inspect;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ctx::App;
use crate::error::Error;
use crate::firmware::scripts;
use crate::fleet::inspection;
use crate::fleet::secret::Keys;
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec};
use crate::store::artifacts::{self, Artifact};

/// Of the ids of these files.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_5275_8373_6372_6970_7473);
/// Who stored them.
const BY: &str = "muster";

/// A script that comes with Muster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Has a device write into its log what CWMP cannot tell: packages, RouterBOOT, device-mode.
    Inspect,
    /// Has a device put the RouterBOOT in place that its RouterOS brings; it takes a restart.
    Routerboot,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Inspect, Self::Routerboot];

    /// The name of the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inspect => "muster-inspect.rsc",
            Self::Routerboot => "muster-routerboot.rsc",
        }
    }

    /// The script.
    pub fn text(self) -> &'static str {
        match self {
            Self::Inspect => scripts::INSPECT,
            Self::Routerboot => scripts::ROUTERBOOT,
        }
    }

    /// The script as a device gets it for this job. That of an inspection has the nonce by which the
    /// answer is known, and is as long as the stored one.
    pub fn served(self, keys: &Keys, device_id: Uuid, job_id: Uuid) -> String {
        match self {
            Self::Inspect => {
                self.text().replace(inspect::NONCE, &inspection::nonce(keys, device_id, job_id))
            }
            Self::Routerboot => self.text().to_owned(),
        }
    }

    /// The id under which it is stored: a UUIDv5 of its SHA-256.
    pub fn artifact_id(self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, &self.sha256())
    }

    /// The job that has a device run it on top of what is there.
    pub fn job(self) -> JobSpec {
        JobSpec::Download(DownloadSpec {
            artifact_id: self.artifact_id(),
            file: DownloadFile::Alter,
            delay_seconds: 0,
        })
    }

    fn sha256(self) -> [u8; 32] {
        Sha256::digest(self.text()).into()
    }
}

/// Stores those that are not.
///
/// # Errors
/// [`Error::Database`], [`Error::Files`].
pub async fn ensure(app: &App, now: DateTime<Utc>) -> Result<(), Error> {
    for builtin in Builtin::ALL {
        store(app, builtin, now).await?;
    }
    Ok(())
}

/// Stores this one if it is not: somebody may have removed it.
///
/// # Errors
/// [`Error::Database`], [`Error::Files`].
pub async fn store(app: &App, builtin: Builtin, now: DateTime<Utc>) -> Result<(), Error> {
    let artifact_id = builtin.artifact_id();
    match app.files.size(artifact_id).await {
        Ok(_) => {}
        Err(Error::NotFound(_)) => {
            let text = Ok::<_, Infallible>(Bytes::from_static(builtin.text().as_bytes()));
            app.files.put(artifact_id, stream::iter([text]), u64::MAX).await?;
        }
        Err(error) => return Err(error),
    }
    let mut conn = app.pool.acquire().await?;
    if artifacts::get(&mut *conn, artifact_id).await?.is_some() {
        return Ok(());
    }
    let artifact = Artifact {
        artifact_id,
        name: builtin.name().to_owned(),
        size: i64::try_from(builtin.text().len()).map_err(|e| Error::Internal(e.to_string()))?,
        sha256: builtin.sha256().to_vec(),
        content_type: "text/plain".to_owned(),
        created_by: BY.to_owned(),
        maker_id: None,
        created_at: now,
    };
    match artifacts::insert(&mut conn, &artifact).await {
        // Nodes that start together: the other one was first.
        Err(e) if e.as_database_error().is_some_and(|e| e.is_unique_violation()) => Ok(()),
        stored => {
            stored?;
            Ok(artifacts::mark_builtin(&mut conn, artifact_id).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_has_an_id_of_its_own_that_stays() {
        let ids = Builtin::ALL.map(Builtin::artifact_id);
        assert_eq!(ids, Builtin::ALL.map(Builtin::artifact_id));
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids[0].get_version_num(), 5);
    }

    #[test]
    fn an_inspection_is_served_with_the_nonce_of_its_job_and_keeps_its_size() {
        let (keys, [device, job]) = (Keys::new([7; 32]), [1, 2].map(Uuid::from_u128));
        let text = Builtin::Inspect.text();
        assert_eq!(text.matches(inspect::NONCE).count(), 1);
        let served = Builtin::Inspect.served(&keys, device, job);
        assert_eq!(served.len(), text.len());
        let line = format!(":local nonce \"{}\"", inspection::nonce(&keys, device, job));
        assert_eq!(served.matches(&line).count(), 1, "{served}");
        assert_eq!(Builtin::Routerboot.served(&keys, device, job), Builtin::Routerboot.text());
    }

    #[test]
    fn they_are_run_and_never_replace_anything() {
        for builtin in Builtin::ALL {
            let JobSpec::Download(spec) = builtin.job() else { panic!("{builtin:?}") };
            assert_eq!(spec.file, DownloadFile::Alter);
        }
    }
}
