//! How boards of a kind are served: list, look at, write, remove.
//!
//! Owns that a profile is kept only if it can be read, and that none changes under a bench that is armed
//! with it: whoever armed it has said yes to what it was then.

use chrono::{DateTime, Utc};
use muster_netboot::profile;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::store::bench::{self as store, Profile};

/// Bytes of one, as TOML.
pub const MAX_BYTES: usize = profile::MAX_TEXT;

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// As it is stored.
    pub row: Profile,
    /// By what it is known, in its own words.
    pub evidence: String,
}

impl View {
    fn of(row: Profile) -> Self {
        let evidence = profile::read(&row.body).map(|profile| profile.evidence).unwrap_or_default();
        Self { row, evidence }
    }
}

/// All of them, by name.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<View>, Error> {
    ctx.require(Right::Read)?;
    let rows = store::list_profiles(&app.pool).await?;
    Ok(rows.into_iter().map(View::of).collect())
}

/// One of them.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, name: &str) -> Result<View, Error> {
    ctx.require(Right::Read)?;
    let row = store::get_profile(&app.pool, name).await?;
    row.map(View::of).ok_or_else(|| unknown(name))
}

/// Writes a profile of this name, which its text must have, too.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what is no profile; [`Error::Conflict`] for one that comes
/// with Muster, and while a bench is armed with it.
pub async fn put(app: &App, ctx: &Ctx, name: &str, body: &str) -> Result<View, Error> {
    ctx.require_everywhere(Right::Bench)?;
    if body.len() > MAX_BYTES {
        return Err(Error::TooLarge(format!("a profile has at most {MAX_BYTES} bytes")));
    }
    let new = profile::read(body).map_err(|why| Error::invalid("", why.to_string()))?;
    if new.name != name {
        let why = format!("the profile in the body is called `{}`: use that name", new.name);
        return Err(Error::invalid("", why));
    }
    let mut tx = app.pool.begin().await?;
    store::lock_profiles(&mut tx).await?;
    let had = store::get_profile(&mut *tx, name).await?;
    check_unused(&mut tx, ctx, name).await?;
    let (status, by) = (new.status.to_string(), &ctx.actor.name);
    if !store::put_profile(&mut tx, name, body, &status, by, ctx.now).await? {
        let why = format!("`{name}` comes with Muster: give yours a name of its own");
        return Err(Error::Conflict(why));
    }
    let after = store::get_profile(&mut *tx, name).await?.ok_or_else(|| unknown(name))?;
    let before = had.as_ref().map(said);
    audit::record(&mut tx, ctx, "netboot_profile.put", object(&after), before, said(&after))
        .await?;
    tx.commit().await?;
    tracing::info!(profile.name = name, status, by, "a netboot profile was written");
    Ok(View::of(after))
}

/// Removes a profile.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] as with [`put`].
pub async fn delete(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    ctx.require_everywhere(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    store::lock_profiles(&mut tx).await?;
    let row = store::get_profile(&mut *tx, name).await?.ok_or_else(|| unknown(name))?;
    if row.builtin {
        return Err(Error::Conflict(format!("`{name}` comes with Muster: it stays")));
    }
    check_unused(&mut tx, ctx, name).await?;
    store::delete_profile(&mut tx, name).await?;
    audit::record(&mut tx, ctx, "netboot_profile.delete", object(&row), said(&row), ()).await?;
    tx.commit().await?;
    Ok(())
}

/// Stores the profiles that come with Muster; another text of one that a bench is armed with waits until
/// that is over, so this is done again and again.
///
/// # Errors
/// [`Error::Database`]
pub async fn ensure_builtin(app: &App, now: DateTime<Utc>) -> Result<(), Error> {
    let builtin: Vec<(String, String, String)> = profile::builtin()
        .iter()
        .map(|one| (one.name.clone(), one.write(), one.status.to_string()))
        .collect();
    Ok(store::ensure_builtin_profiles(&app.pool, &builtin, now).await?)
}

async fn check_unused(conn: &mut PgConnection, ctx: &Ctx, name: &str) -> Result<(), Error> {
    if store::profile_in_use(conn, name, ctx.now).await? {
        return Err(Error::Conflict(format!("a bench is armed with `{name}`: disarm it first")));
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    Error::NotFound(format!("no netboot profile `{shown}`"))
}

fn object(row: &Profile) -> Object<'_> {
    Object::new("netboot_profile", &row.name, &row.name)
}

/// What the audit log keeps of it.
fn said(row: &Profile) -> Value {
    json!({ "status": row.status, "body": row.body })
}
