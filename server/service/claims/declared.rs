//! What the template of a claim's profile declares, and that the claim's values fit it.

use serde_json::from_value;
use sqlx::PgConnection;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::claim::fit::unfit;
use crate::fleet::profile::TemplateUse;
use crate::fleet::template::Variable;
use crate::fleet::variables::Variables;
use crate::store::{profiles, templates};

/// The variables that the template of a profile declares; none where there is no such profile, or none
/// of its templates.
///
/// # Errors
/// [`Error::Denied`].
pub async fn declared(app: &App, ctx: &Ctx, profile: &str) -> Result<Vec<Variable>, Error> {
    ctx.require(Right::Operate)?;
    if profile.is_empty() || profile.contains('\0') {
        return Ok(Vec::new());
    }
    let mut conn = app.pool.acquire().await?;
    of(&mut conn, profile).await
}

/// The same, within a transaction.
pub(super) async fn of(conn: &mut PgConnection, profile: &str) -> Result<Vec<Variable>, Error> {
    let Some(profile) = profiles::named(&mut *conn, profile).await? else { return Ok(Vec::new()) };
    let used: Option<TemplateUse> = from_value(profile.desired["template"].clone())
        .map_err(|e| Error::Internal(format!("profile {}: {e}", profile.profile_id)))?;
    let Some(used) = used else { return Ok(Vec::new()) };
    let version = templates::version(&mut *conn, used.template_id, used.version).await?;
    Ok(version.map(|version| version.variables.0).unwrap_or_default())
}

/// Refuses values that do not fit the template of this profile. Secrets that stay are masked: by the
/// rules of a template somebody could guess one.
///
/// # Errors
/// [`Error::Invalid`] at `/variables`.
pub(super) async fn check(
    conn: &mut PgConnection,
    profile: Option<&str>,
    given: &Variables,
) -> Result<(), Error> {
    let Some(profile) = profile.filter(|_| !given.0.is_empty()) else { return Ok(()) };
    match unfit(&of(conn, profile).await?, given) {
        Some(why) => Err(Error::invalid("/variables", why)),
        None => Ok(()),
    }
}
