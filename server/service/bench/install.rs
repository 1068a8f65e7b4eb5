//! Boards that are installed anew, which formats them: only one that somebody armed for it by its
//! address, typed once more.

use muster_netboot::vendor;
use muster_routeros::package::MAIN;
use sqlx::PgConnection;

use super::boards::{Board, board, entry, load, object};
use super::minutes_of;
use crate::access::audit;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::claim;
use crate::netboot::arming::Install;
use crate::store::bench::{self as store, BoardRow};
use crate::store::releases::{self, Package};
use crate::store::templates;

/// Lets a board be installed within so many minutes. `confirm` is its address once more.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] where the address is not typed again,
/// and for what cannot be installed on it; [`Error::Conflict`] where its boot image is not stored.
pub async fn install(
    app: &App,
    ctx: &Ctx,
    mac: &str,
    minutes: u32,
    confirm: &str,
    install: Install,
) -> Result<Board, Error> {
    ctx.require(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    let row = load(&mut tx, ctx, mac).await?;
    ctx.require_at(Right::Bench, row.site.as_deref())?;
    if claim::mac(confirm).as_ref() != Some(&row.mac) {
        let why = format!("an installation formats the board: type its address again, {}", row.mac);
        return Err(Error::invalid("/confirm", why));
    }
    let until = ctx.now + minutes_of(minutes)?;
    let install = install.checked()?;
    // So that no template is taken away while a board comes to be armed with it.
    templates::lock(&mut tx).await?;
    check(&mut tx, &row, &install).await?;
    let stored = serde_json::to_value(&install).map_err(|e| Error::Internal(e.to_string()))?;
    store::put_install(&mut tx, &row.mac, &stored, until, ctx.now).await?;
    let words = format!("{} lets it be installed with {}", ctx.actor.name, install.release);
    store::append_log(&mut tx, &entry(ctx, &row, "install_armed", words)).await?;
    audit::record(&mut tx, ctx, "board.install", object(&row), &row.install, &stored).await?;
    tx.commit().await?;
    let by = &ctx.actor.name;
    tracing::info!(board.mac = row.mac, by, release = install.release, "a board may be installed");
    board(app, ctx, mac).await
}

/// Takes back that a board may be installed. What is under way goes on: a board whose disk is half
/// written is of no use to anybody.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn cancel_install(app: &App, ctx: &Ctx, mac: &str) -> Result<(), Error> {
    ctx.require(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    let row = load(&mut tx, ctx, mac).await?;
    ctx.require_at(Right::Bench, row.site.as_deref())?;
    if !store::cancel_install(&mut tx, &row.mac, ctx.now).await? {
        return Ok(());
    }
    let words = format!("{} takes back that it may be installed", ctx.actor.name);
    store::append_log(&mut tx, &entry(ctx, &row, "install_cancelled", words)).await?;
    audit::record(&mut tx, ctx, "board.cancel_install", object(&row), &row.install, ()).await?;
    tx.commit().await?;
    Ok(())
}

/// Refuses what would only be found out when the board is there.
async fn check(conn: &mut PgConnection, row: &BoardRow, install: &Install) -> Result<(), Error> {
    let version = &install.release;
    let release = releases::release(&mut *conn, version).await?;
    let none = || Error::invalid("/release", format!("there is no release {version}"));
    if let Some(why) = release.ok_or_else(none)?.withdrawn_why {
        return Err(Error::invalid("/release", format!("{version} is withdrawn: {why}")));
    }
    let stored = releases::packages(&mut *conn, std::slice::from_ref(version)).await?;
    if let Some(name) = missing(install, row.arch.as_deref(), &stored) {
        let arch = row.arch.as_deref().map_or_else(String::new, |arch| format!(" for {arch}"));
        let why = format!("{name} {version}{arch} is not stored: upload that package first");
        return Err(Error::invalid("/packages", why));
    }
    if let Some(name) = &install.template
        && templates::named(&mut *conn, name).await?.is_none()
    {
        return Err(Error::invalid("/template", format!("there is no template `{name}`")));
    }
    let image = row.vendor_class.as_deref().and_then(vendor::image_of);
    if let Some(image) = image
        && store::image(&mut *conn, image).await?.is_none()
    {
        let why = format!("the boot image {image}, which this board takes, is not stored");
        return Err(Error::Conflict(why));
    }
    Ok(())
}

/// The first package that is not there. Which architecture a board is of that said nothing of it is
/// known only when it announces itself.
fn missing(install: &Install, arch: Option<&str>, stored: &[Package]) -> Option<String> {
    let is_there = |name: &str| {
        stored.iter().any(|p| p.name == name && arch.is_none_or(|arch| fits(arch, &p.arch)))
    };
    let mut wanted = std::iter::once(MAIN).chain(install.packages.iter().map(String::as_str));
    wanted.find(|name| !is_there(name)).map(str::to_owned)
}

/// The boards of `smips` say before their boot image runs that they are of `mipsbe`.
fn fits(announced: &str, package: &str) -> bool {
    announced == package || (announced == "mipsbe" && package == "smips")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn package(name: &str, arch: &str) -> Package {
        Package {
            package_id: Uuid::nil(),
            version: "7.16.1".to_owned(),
            arch: arch.to_owned(),
            name: name.to_owned(),
            file_name: String::new(),
            size: 1,
            sha256: Vec::new(),
            built_at: None,
            created_by: String::new(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_not_stored_for_the_board_is_named() {
        let packages = vec!["tr069-client".to_owned()];
        let install = Install { release: "7.16.1".to_owned(), packages, template: None };
        let client = package("tr069-client", "arm");
        let whole = [package(MAIN, "arm"), client.clone()];
        assert_eq!(missing(&install, Some("arm"), &whole), None);
        assert_eq!(missing(&install, None, &whole), None);
        assert_eq!(missing(&install, Some("arm64"), &whole).as_deref(), Some(MAIN));
        assert_eq!(missing(&install, Some("arm"), &[client]).as_deref(), Some(MAIN));
        let small = [package(MAIN, "smips"), package("tr069-client", "smips")];
        assert_eq!(missing(&install, Some("mipsbe"), &small), None);
        assert!(missing(&install, Some("smips"), &whole).is_some());
    }
}
