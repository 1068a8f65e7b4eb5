//! What was said in a device's sessions, for whoever may read of the device. Secrets were masked
//! before anything was stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::devices;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::transcripts::{self as store, Body, Conversation};

/// A device's sessions of which something is kept, newest first, before a start and id.
///
/// # Errors
/// As [`devices::find`].
pub async fn list(
    app: &App,
    ctx: &Ctx,
    name: &str,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Conversation>, Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    Ok(store::list(&app.pool, device.device_id, before, limit).await?)
}

/// One of a device's sessions, with what was said.
///
/// # Errors
/// As [`devices::find`]; [`Error::NotFound`] when nothing is kept of that session.
pub async fn get(
    app: &App,
    ctx: &Ctx,
    name: &str,
    session_id: Uuid,
) -> Result<(Conversation, Body), Error> {
    let device = devices::find(app, ctx, name, Right::Read).await?;
    store::get(&app.pool, device.device_id, session_id)
        .await?
        .ok_or_else(|| Error::NotFound(format!("nothing is kept of a session {session_id}")))
}
