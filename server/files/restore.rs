//! A configuration that a device is given back: made as the device asks for it, from the file that it
//! sent itself, and with its credentials, which therefore lie in no file.

use bytes::Bytes;
use uuid::Uuid;

use super::link::Link;
use super::sealed::{self, Share};
use crate::ctx::App;
use crate::error::Error;
use crate::fleet::backup::{self, restore};
use crate::store::{artifacts, credentials};

/// The bytes of the file of its own that a device fetches, led back to the server that it calls `base`. The
/// share of the memory is kept until the device has it.
///
/// # Errors
/// [`Error::NotFound`] where the file is gone; as [`sealed::read`].
pub(super) async fn file(app: &App, link: &Link, base: &str) -> Result<(Bytes, Share), Error> {
    let device_id = link.device_id;
    let gone = || Error::NotFound("the file has been deleted".to_owned());
    let file = artifacts::get_of_device(&app.pool, device_id, link.subject).await?;
    let file = file.filter(|file| u64::try_from(file.size).is_ok_and(|size| size <= backup::MOST));
    let file = file.ok_or_else(gone)?;
    let (export, share) = sealed::shared(app, &file).await?;
    let at = file.created_at.format("%Y-%m-%d %H:%M:%S UTC");
    let what = format!("# restored by Muster: the configuration of {at}");
    Ok((led_back(app, device_id, &what, &export, base).await?, share))
}

/// A configuration between lines that lead its device back to the server that it calls `base`. `what` is a
/// comment of one line.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`] for credentials that cannot be opened.
pub(super) async fn led_back(
    app: &App,
    device_id: Uuid,
    what: &str,
    configuration: &[u8],
    base: &str,
) -> Result<Bytes, Error> {
    let login = login(app, device_id).await?;
    Ok(restore::script(what, configuration, &format!("{base}/"), login.as_ref()).into())
}

/// What a device logs in with; `None` = it has nothing of its own.
async fn login(app: &App, device_id: Uuid) -> Result<Option<restore::Login>, Error> {
    let mut conn = app.pool.acquire().await?;
    let Some(own) = credentials::get(&mut conn, device_id).await? else { return Ok(None) };
    let context = device_id.to_string();
    Ok(Some(restore::Login {
        password: app.keys.open(&own.sealed, &context)?,
        wake_password: app.keys.open(&own.wake_sealed, &context)?,
        username: own.username,
        wake_username: own.wake_username,
    }))
}
