//! The first administrator: a new installation has nobody who could make the others.
//!
//! Owns the file with the generated password. The password is in no log: the file is for its owner
//! only, and gone once the password has been changed.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Object};
use super::{password, role};
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::secret::new_password;
use crate::store::users::{self as store, NewUser};

/// Login of the first administrator.
pub const LOGIN: &str = "admin";

/// Where the generated password is, until it is changed.
pub fn password_file(data_dir: &Path) -> PathBuf {
    data_dir.join("admin-password")
}

/// Makes the first administrator if there is no user at all.
///
/// # Errors
/// [`Error::Database`]; [`Error::Internal`] when the file cannot be written.
pub async fn ensure(app: &App, now: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    // Nodes that start together on a new database: the first one makes it.
    store::lock(&mut tx).await?;
    if store::any(&mut tx).await? {
        return Ok(());
    }
    let generated = new_password();
    let hash = password::hash(generated.clone()).await?;
    let user_id = Uuid::now_v7();
    let user = NewUser {
        user_id,
        login: LOGIN,
        display_name: "Administrator",
        password_hash: Some(&hash),
        must_change: true,
        oidc: None,
    };
    store::insert(&mut tx, &user, now).await?;
    store::grant(&mut tx, user_id, role::ADMINISTRATOR, None, None).await?;
    let after = json!({ "login": LOGIN, "grants": [{ "role": "administrator", "site": null }] });
    let object = Object::new("user", user_id, LOGIN);
    audit::record(&mut tx, &Ctx::muster(now), "user.create", object, (), after).await?;
    // Before the commit: a user whose password nobody can read would be the only one.
    let file = password_file(&app.config.data_dir);
    write(&file, &generated).map_err(|e| Error::Internal(format!("{}: {e}", file.display())))?;
    tx.commit().await?;
    tracing::info!(
        "the first user is `{LOGIN}`; the password is in {}, until it is changed",
        file.display()
    );
    Ok(())
}

/// Removes the file: the password of this login is another one now.
pub fn changed(app: &App, login: &str) {
    if login != LOGIN {
        return;
    }
    let file = password_file(&app.config.data_dir);
    match fs::remove_file(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("{} holds an old password and stays: {e}", file.display());
        }
        Ok(()) | Err(_) => {}
    }
}

/// For its owner only from the beginning, whatever was there before.
fn write(file: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_password_is_for_the_owner_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = password_file(dir.path());
        fs::write(&file, "an older one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
