//! What is known of one device: its parameters, what happened to it, the files it sent.
//!
//! It must never give a secret in clear: that is a call of its own, with a right of its own.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::find;
use crate::access::audit::{self, Object, masked};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::secret::{MASK, is_secret};
use crate::store;
use crate::store::artifacts::DeviceArtifact;
use crate::store::events::Event;
use crate::store::parameters::{Counters, Document};

/// A device's parameters; the values of secret ones are masked.
#[derive(Debug, Clone)]
pub struct DeviceParameters {
    /// When the whole data model was last read; `None` = never.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// By name.
    pub document: Document,
    /// By name, and when they were read.
    pub counters: Option<(Counters, DateTime<Utc>)>,
}

impl DeviceParameters {
    fn masked(mut self) -> Self {
        // None should be stored; but what was stored before its name was known to be secret is.
        let mask = |name: &str, value: &mut String| {
            if is_secret(name) {
                MASK.clone_into(value);
            }
        };
        for (name, entry) in &mut self.document {
            mask(name, &mut entry.value);
        }
        for (name, value) in self.counters.iter_mut().flat_map(|(counters, _)| counters) {
            mask(name, value);
        }
        self
    }
}

/// A device's parameters as last read.
///
/// # Errors
/// As [`find`].
pub async fn parameters(app: &App, ctx: &Ctx, name: &str) -> Result<DeviceParameters, Error> {
    let device = find(app, ctx, name, Right::Read).await?;
    let document = store::parameters::get(&app.pool, device.device_id).await?.unwrap_or_default();
    let counters = store::parameters::counters(&app.pool, device.device_id).await?;
    let known = DeviceParameters { refreshed_at: device.refreshed_at, document, counters };
    Ok(known.masked())
}

/// What happened to a device, newest first, before a time and id; secrets masked.
///
/// # Errors
/// As [`find`].
pub async fn events(
    app: &App,
    ctx: &Ctx,
    name: &str,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let device = find(app, ctx, name, Right::Read).await?;
    let events = store::events::list(&app.pool, device.device_id, before, limit).await?;
    let shown = |event: Event| Event { detail: masked(event.detail), ..event };
    Ok(events.into_iter().map(shown).collect())
}

/// The files that a device sent, newest first, before one.
///
/// # Errors
/// As [`find`].
pub async fn files(
    app: &App,
    ctx: &Ctx,
    name: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeviceArtifact>, Error> {
    let device = find(app, ctx, name, Right::Read).await?;
    Ok(store::artifacts::list_of_device(&app.pool, device.device_id, before, limit).await?)
}

/// The record of a file that a device sent, for whoever is about to read its bytes: that is written
/// down.
///
/// # Errors
/// As [`find`]; [`Error::NotFound`] for no file of that device.
pub async fn file(
    app: &App,
    ctx: &Ctx,
    name: &str,
    artifact_id: Uuid,
) -> Result<DeviceArtifact, Error> {
    // A configuration holds what the device itself keeps secret.
    let device = find(app, ctx, name, Right::Operate).await?;
    let file = store::artifacts::get_of_device(&app.pool, device.device_id, artifact_id)
        .await?
        .ok_or_else(|| Error::NotFound(format!("no file {artifact_id} of that device")))?;
    let mut tx = app.pool.begin().await?;
    let object = Object::new("device", device.device_id, &device.serial);
    let read = json!({ "artifact_id": artifact_id, "name": file.name });
    audit::record(&mut tx, ctx, "device.file_read", object, (), read).await?;
    tx.commit().await?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use muster_cwmp::value::ValueType;

    use super::*;
    use crate::store::parameters::Entry;

    #[test]
    fn secrets_are_masked_wherever_they_were_put() {
        let entry = |value: &str| Entry {
            value: value.to_owned(),
            kind: ValueType::String,
            writable: None,
            at: 0,
        };
        let secret = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase".to_owned();
        let known = DeviceParameters {
            refreshed_at: None,
            document: Document::from([
                (secret.clone(), entry("hunter2")),
                ("Device.WiFi.SSID.1.SSID".to_owned(), entry("Attic")),
            ]),
            counters: Some((
                Counters::from([
                    ("Device.X_LastToken".to_owned(), "hunter2".to_owned()),
                    ("Device.DeviceInfo.UpTime".to_owned(), "5".to_owned()),
                ]),
                DateTime::UNIX_EPOCH,
            )),
        };
        let shown = known.masked();
        assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
        assert_eq!(shown.document[&secret].value, MASK);
        assert_eq!(shown.document["Device.WiFi.SSID.1.SSID"].value, "Attic");
        let counters = shown.counters.expect("they were given").0;
        assert_eq!(counters["Device.DeviceInfo.UpTime"], "5");
    }
}
