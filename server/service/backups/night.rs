//! What changed of late: all devices whose configuration says something else than it did.
//!
//! Owns that the same change on many devices is seen to be the same one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use muster_routeros::export::{self, DiffLine, Kind};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::backup::adopt::text;
use crate::store::backups as store;
use crate::store::selector;

/// Bytes of a text that is looked into here; of longer ones only that they changed is told.
const LONGEST: i32 = 256 << 10;
/// Devices whose texts are in memory at a time.
const BATCH: usize = 50;

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which, and whose.
    pub change: store::Changed,
    /// The same for the same change on another device; `None` = nobody looked into it.
    pub same_as: Option<String>,
}

/// What changed since a time on the devices that the caller sees, newest first, before a time and
/// device.
///
/// # Errors
/// [`Error::Denied`]
pub async fn changed(
    app: &App,
    ctx: &Ctx,
    since: DateTime<Utc>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Changed>, Error> {
    let within = ctx.require(Right::Read)?.within();
    // A turn is for the database alone: comparing takes longer.
    let rows = {
        let _turn = selector::turn().await?;
        store::changed(&app.pool, since, before, within.as_ref(), limit).await?
    };
    let mut changes = Vec::with_capacity(rows.len());
    for rows in rows.chunks(BATCH) {
        let prints = prints(app, rows).await?;
        let both = rows.iter().cloned().zip(prints);
        changes.extend(both.map(|(change, same_as)| Changed { change, same_as }));
    }
    Ok(changes)
}

/// What each of these changes is known by.
async fn prints(app: &App, rows: &[store::Changed]) -> Result<Vec<Option<String>>, Error> {
    let wanted: Vec<(Uuid, Vec<u8>)> = rows
        .iter()
        .flat_map(|row| {
            let hashes = row.before_sha256.iter().chain([&row.sha256]);
            hashes.map(move |hash| (row.device_id, hash.clone()))
        })
        .collect();
    let found = {
        let _turn = selector::turn().await?;
        store::bodies(&app.pool, &wanted, LONGEST).await?
    };
    let texts: HashMap<(Uuid, Vec<u8>), String> =
        found.into_iter().map(|(device, hash, body)| ((device, hash), body)).collect();
    let text = |device: Uuid, hash: &[u8]| texts.get(&(device, hash.to_vec())).cloned();
    let pairs: Vec<Option<(String, String)>> = rows
        .iter()
        .map(|row| {
            let before = text(row.device_id, row.before_sha256.as_deref()?)?;
            Some((before, text(row.device_id, &row.sha256)?))
        })
        .collect();
    let work = tokio::task::spawn_blocking(move || {
        let one = |(before, after): (String, String)| known_by(&export::diff(&before, &after));
        pairs.into_iter().map(|pair| pair.map(one)).collect::<Vec<Option<String>>>()
    });
    work.await.map_err(|e| Error::Internal(format!("comparing backups: {e}")))
}

/// Of the lines that differ: half of a SHA-256, in hexadecimal.
fn known_by(lines: &[DiffLine]) -> String {
    let mut hash = Sha256::new();
    for line in lines.iter().filter(|line| !matches!(line.kind, Kind::Same | Kind::Gap)) {
        let (before, after) = (text(line.before.as_deref()), text(line.after.as_deref()));
        hash.update(format!("{}\n-{before}\n+{after}\n", line.menu));
    }
    let whole: [u8; 32] = hash.finalize().into();
    hex::encode(&whole[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_change_is_known_by_the_same_on_different_devices() {
        let device = |identity: &str, dns: &str| {
            format!("/ip dns\nset servers={dns}\n/system identity\nset name={identity}\n")
        };
        let of = |identity: &str, from: &str, to: &str| {
            known_by(&export::diff(&device(identity, from), &device(identity, to)))
        };
        let known = of("attic", "9.9.9.9", "1.1.1.1");
        assert_eq!(known.len(), 32);
        assert_eq!(of("cellar", "9.9.9.9", "1.1.1.1"), known);
        assert_ne!(of("attic", "1.1.1.1", "9.9.9.9"), known);
        assert_ne!(of("attic", "9.9.9.9", "8.8.8.8"), known);
    }
}
