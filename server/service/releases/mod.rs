//! Releases of RouterOS: what is stored of each, how much of it, and by whom it may be sent.
//!
//! Owns who may see and change them: they belong to no site, so whoever reads anywhere sees them, and
//! whoever operates everywhere changes them, for any device may be brought to one. Owns also that what
//! a job or a rollout still needs stays, and that no record stands without its bytes.
//!
//! - [`upload`]: packages come in, one by one or in a zip (`archive`).
//! - [`path`]: the way of one device to a release.

mod archive;
pub mod path;
pub mod upload;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_routeros::version::RosVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::firmware::catalogue::{Catalogue, Completeness, Stored};
use crate::store::releases::{self as store, Package, Release, Users};
use crate::store::selector;

/// Characters of the notes on a release.
const MAX_NOTES: usize = 4_000;
/// Characters of why a release was withdrawn.
const MAX_WHY: usize = 500;

/// A release with its packages.
#[derive(Debug, Clone)]
pub struct View {
    /// Its row.
    pub release: Release,
    /// What is stored of it: by architecture and name.
    pub packages: Vec<Package>,
    /// How much that is, for each architecture that anything is stored for.
    pub completeness: Vec<Completeness>,
}

/// A release to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    /// Such as `7.16.1`.
    #[schema(example = "7.16.1")]
    pub version: String,
    /// For people, at most 4000 characters.
    #[serde(default)]
    pub notes: String,
}

/// What people say of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseFields {
    /// For people, at most 4000 characters.
    pub notes: String,
    /// Why nothing new may be sent of it, in 1 to 500 characters; null = it may be sent.
    pub withdrawn: Option<String>,
}

impl ReleaseFields {
    fn of(release: &Release) -> Self {
        let why = release.withdrawn_why.clone().unwrap_or_default();
        Self { notes: release.notes.clone(), withdrawn: release.withdrawn_at.map(|_| why) }
    }

    fn check(&self) -> Result<(), Error> {
        if self.notes.chars().count() > MAX_NOTES {
            return Err(Error::invalid("/notes", format!("at most {MAX_NOTES} characters")));
        }
        let told = |why: &String| (1..=MAX_WHY).contains(&why.trim().chars().count());
        if !self.withdrawn.as_ref().is_none_or(told) {
            let why = format!("say why, in 1 to {MAX_WHY} characters; null takes it back");
            return Err(Error::invalid("/withdrawn", why));
        }
        Ok(())
    }
}

/// How many of the devices that somebody sees run which version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Versions of RouterOS.
    pub devices: BTreeMap<RosVersion, i64>,
    /// Devices that have not told, or run something else.
    pub others: i64,
}

/// The newest releases, older than the version `before`, with their packages.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] where `before` is no version.
pub async fn list(
    app: &App,
    ctx: &Ctx,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<View>, Error> {
    ctx.require(Right::Read)?;
    let no_cursor = |_| Error::invalid("", "before is no cursor that this list gave");
    let before = before.map(str::parse::<RosVersion>).transpose().map_err(no_cursor)?;
    let before = before.map(|version| version.key());
    let releases = store::list(&app.pool, before.as_ref().map(|key| &key[..]), limit).await?;
    let versions: Vec<String> = releases.iter().map(|r| r.version.clone()).collect();
    let mut packages: BTreeMap<String, Vec<Package>> = BTreeMap::new();
    for package in store::packages(&app.pool, &versions).await? {
        packages.entry(package.version.clone()).or_default().push(package);
    }
    let view = |release: Release| {
        let packages = packages.remove(&release.version).unwrap_or_default();
        view(release, packages)
    };
    releases.into_iter().map(view).collect()
}

/// One release.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn get(app: &App, ctx: &Ctx, version: &str) -> Result<View, Error> {
    ctx.require(Right::Read)?;
    let version = named(version)?.to_string();
    let release = store::release(&app.pool, &version).await?.ok_or_else(|| unknown(&version))?;
    let packages = store::packages(&app.pool, &[version]).await?;
    view(release, packages)
}

/// How many of the devices that the caller sees run which version.
///
/// # Errors
/// [`Error::Denied`], [`Error::Database`].
pub async fn running(app: &App, ctx: &Ctx) -> Result<Running, Error> {
    let within = ctx.require(Right::Read)?.within();
    let _turn = selector::turn().await?;
    let mut running = Running::default();
    for row in store::running(&app.pool, within.as_ref()).await? {
        match row.version.and_then(|version| version.parse::<RosVersion>().ok()) {
            Some(version) => *running.devices.entry(version).or_default() += row.devices,
            None => running.others += row.devices,
        }
    }
    Ok(running)
}

fn view(release: Release, packages: Vec<Package>) -> Result<View, Error> {
    let stored: Vec<Stored> = packages.iter().map(Package::stored).collect::<Result<_, _>>()?;
    let completeness = Catalogue::new(stored, []).completeness(&named(&release.version)?);
    Ok(View { release, packages, completeness })
}

/// The version that a path names.
fn named(version: &str) -> Result<RosVersion, Error> {
    version.parse().map_err(|_| unknown(version))
}

fn unknown(version: &str) -> Error {
    let shown: String = version.chars().take(64).collect();
    Error::NotFound(format!("no release {shown}: it is there once a package of it is uploaded"))
}

/// Makes a release that has no package yet, such as to say something of it first.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for what is no version, or too much of notes;
/// [`Error::Conflict`] for one that is there.
pub async fn create(app: &App, ctx: &Ctx, new: NewRelease) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let version = new.version.parse::<RosVersion>();
    let version = version.map_err(|e| Error::invalid("/version", e.to_string()))?;
    ReleaseFields { notes: new.notes.clone(), withdrawn: None }.check()?;
    let release = blank(&version, new.notes, ctx);
    let mut tx = app.pool.begin().await?;
    if !made(&mut tx, ctx, &release).await? {
        let why = format!("{version} is there: change its notes, or upload packages of it");
        return Err(Error::Conflict(why));
    }
    tx.commit().await?;
    view(release, Vec::new())
}

/// A release without packages.
fn blank(version: &RosVersion, notes: String, ctx: &Ctx) -> Release {
    Release {
        version: version.to_string(),
        version_key: version.key().to_vec(),
        notes,
        withdrawn_at: None,
        withdrawn_why: None,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        updated_at: ctx.now,
    }
}

/// Stores a release; false = it is there already.
async fn made(conn: &mut PgConnection, ctx: &Ctx, release: &Release) -> Result<bool, Error> {
    let is_new = store::insert(conn, release).await?;
    if is_new {
        let fields = ReleaseFields::of(release);
        audit::record(conn, ctx, "release.create", object(release), (), fields).await?;
    }
    Ok(is_new)
}

/// Changes what is said of a release; withdrawn, nothing new is sent of it, and what is under way goes
/// on. `check` says whether its version, the time of its last change, is the one that is meant;
/// `patch` gives the fields that it is to have.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] for fields that cannot be taken; those
/// of `check` and `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    version: &str,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(ReleaseFields) -> Result<ReleaseFields, Error>,
) -> Result<View, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    let mut release = held(&mut tx, version).await?;
    check(release.updated_at)?;
    let before = ReleaseFields::of(&release);
    let fields = patch(before.clone())?;
    fields.check()?;
    release.notes = fields.notes;
    release.withdrawn_at =
        fields.withdrawn.as_ref().map(|_| release.withdrawn_at.unwrap_or(ctx.now));
    release.withdrawn_why = fields.withdrawn.map(|why| why.trim().to_owned());
    release.updated_at = ctx.now;
    store::update(&mut tx, &release).await?;
    let after = ReleaseFields::of(&release);
    audit::record(&mut tx, ctx, "release.change", object(&release), before, after).await?;
    let packages = store::packages(&mut *tx, std::slice::from_ref(&release.version)).await?;
    tx.commit().await?;
    tracing::info!(release = release.version, by = ctx.actor.name, "release changed");
    view(release, packages)
}

/// Removes a release with its packages. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], that of `check`; [`Error::Conflict`] while a job or a
/// rollout needs it.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    version: &str,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    let release = held(&mut tx, version).await?;
    check(release.updated_at)?;
    unused(&mut tx, &release.version).await?;
    let ReleaseFields { notes, withdrawn } = ReleaseFields::of(&release);
    let packages = store::packages(&mut *tx, std::slice::from_ref(&release.version)).await?;
    let went: Vec<Value> = packages.iter().map(told).collect();
    let before = json!({ "notes": notes, "withdrawn": withdrawn, "packages": went });
    let packages = store::delete(&mut tx, &release.version).await?;
    audit::record(&mut tx, ctx, "release.delete", object(&release), before, ()).await?;
    tx.commit().await?;
    for package_id in packages {
        drop_bytes(app, package_id).await;
    }
    tracing::info!(release = release.version, by = ctx.actor.name, "release removed");
    Ok(())
}

/// What is known of a package.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`].
pub async fn package(app: &App, ctx: &Ctx, package_id: Uuid) -> Result<Package, Error> {
    ctx.require(Right::Read)?;
    store::package(&app.pool, package_id).await?.ok_or_else(|| no_package(package_id))
}

/// Removes a package; its release stays.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] while a job or a rollout needs its
/// release.
pub async fn delete_package(app: &App, ctx: &Ctx, package_id: Uuid) -> Result<Package, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    let gone = || no_package(package_id);
    let package = store::package(&mut *tx, package_id).await?.ok_or_else(gone)?;
    held(&mut tx, &package.version).await?;
    unused(&mut tx, &package.version).await?;
    if !store::delete_package(&mut tx, package_id).await? {
        return Err(gone());
    }
    audit::record(&mut tx, ctx, "package.delete", package_object(&package), told(&package), ())
        .await?;
    tx.commit().await?;
    // The record went first: bytes without one are lost space, a record without them a failing job.
    drop_bytes(app, package_id).await;
    tracing::info!(package = package.file_name, by = ctx.actor.name, "package removed");
    Ok(package)
}

/// Locks a release.
async fn held(conn: &mut PgConnection, version: &str) -> Result<Release, Error> {
    let version = named(version)?.to_string();
    store::lock(conn, &version).await?.ok_or_else(|| unknown(&version))
}

/// Refuses what something still needs. The release must be locked.
async fn unused(conn: &mut PgConnection, version: &str) -> Result<(), Error> {
    match store::users(conn, version).await? {
        Users { rollout: Some(name), .. } => Err(Error::Conflict(format!(
            "the rollout {name} needs {version}: abort it, or remove its draft, first"
        ))),
        Users { job_id: Some(job_id), .. } => Err(Error::Conflict(format!(
            "the open job {job_id} needs {version}: cancel it, or wait for its end"
        ))),
        Users { job_id: None, rollout: None } => Ok(()),
    }
}

/// There is no record to say so, and nobody could do it again: what stays is lost space.
async fn drop_bytes(app: &App, package_id: Uuid) {
    if let Err(left) = app.files.delete(package_id).await {
        tracing::warn!(package.id = %package_id, cause = %left.private(), "a file stays behind");
    }
}

fn no_package(package_id: Uuid) -> Error {
    Error::NotFound(format!("no package {package_id}"))
}

fn object(release: &Release) -> Object<'_> {
    Object::new("release", &release.version, &release.version)
}

fn package_object(package: &Package) -> Object<'_> {
    Object::new("package", package.package_id, &package.file_name)
}

/// What the audit log keeps of a package.
fn told(package: &Package) -> Value {
    json!({
        "version": package.version,
        "arch": package.arch,
        "name": package.name,
        "size": package.size,
        "sha256": hex::encode(&package.sha256),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_withdrawn_for_a_reason() {
        let fields = |notes: &str, why: Option<&str>| ReleaseFields {
            notes: notes.to_owned(),
            withdrawn: why.map(str::to_owned),
        };
        for good in [fields("", None), fields("x", Some("it loops")), ReleaseFields::default()] {
            assert!(good.check().is_ok(), "{good:?}");
        }
        let long = "x".repeat(MAX_NOTES + 1);
        for (bad, at) in [
            (fields("", Some(" ")), "/withdrawn"),
            (fields("", Some(&long)), "/withdrawn"),
            (fields(&long, None), "/notes"),
        ] {
            match bad.check() {
                Err(Error::Invalid { pointer, .. }) => assert_eq!(pointer, at),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_version_has_one_name() {
        let ctx = Ctx::console(DateTime::UNIX_EPOCH);
        let of =
            |text: &str| named(text).map(|version| blank(&version, String::new(), &ctx).version);
        for text in ["7.16", "7.16.0", " 7.16"] {
            assert!(of(text).is_ok_and(|version| version == "7.16"), "{text}");
        }
        assert!(matches!(of("packages"), Err(Error::NotFound(_))));
    }
}
