//! Which devices a profile is for: how many they are, and having them compared.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::selector::{Expr, MAX_COMPARISONS, MAX_TEXT};
use crate::fleet::{group, online};
use crate::service::sweeps;
use crate::store::profiles::{self as store, BindingRow};
use crate::store::selector;

/// How many devices a profile is for, of those that the caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impact {
    /// Because of where it is bound.
    pub devices: i64,
    /// Because it is bound to them themselves; one may be among the others, too.
    pub themselves: i64,
}

/// How many devices a change of a profile would reach.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] where the selector of a group cannot be
/// read any more.
pub async fn impact(app: &App, ctx: &Ctx, profile_id: Uuid) -> Result<Impact, Error> {
    let reach = ctx.require(Right::Read)?;
    if store::get(&app.pool, profile_id).await?.is_none() {
        return Err(super::unknown(profile_id));
    }
    let mut any = Vec::new();
    for row in store::bindings_of(&app.pool, &[profile_id]).await? {
        any.push(match place(&row) {
            Some(text) => group::read(&app.pool, &text, "").await?,
            None => Expr::All(Vec::new()),
        });
    }
    let devices = if any.is_empty() {
        0
    } else {
        let mut conditions = vec![Expr::Any(any)];
        conditions.extend(reach.expr());
        let since = online::since(&app.config, ctx.now);
        selector::count(&app.pool, &Expr::All(conditions), ctx.now, since).await?
    };
    let within = reach.within();
    let themselves = store::count_bound(&app.pool, profile_id, within.as_ref()).await?;
    Ok(Impact { devices, themselves })
}

/// Has all devices compared that a profile is for.
pub(super) async fn compare(
    conn: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    profile_id: Uuid,
    reason: &str,
) -> Result<(), Error> {
    let bindings = store::bindings_of(&mut *conn, &[profile_id]).await?;
    compare_at(conn, app, ctx, &bindings, reason).await?;
    store::touch_bound(conn, profile_id, sweeps::pace(app), ctx.now).await?;
    Ok(())
}

/// Has all devices compared at these places.
pub(super) async fn compare_at(
    conn: &mut PgConnection,
    app: &App,
    ctx: &Ctx,
    bindings: &[BindingRow],
    reason: &str,
) -> Result<(), Error> {
    match places(bindings) {
        Places::None => Ok(()),
        Places::Some(text) => sweeps::begin(conn, app, ctx, reason, Some(text)).await.map(drop),
        Places::All => sweeps::begin(conn, app, ctx, reason, None).await.map(drop),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Places {
    None,
    /// What this selector finds.
    Some(String),
    All,
}

/// Where these bindings are. Of more than a selector can say it is the whole fleet: to compare a
/// device of which nothing new is wanted does nothing.
fn places(bindings: &[BindingRow]) -> Places {
    let Some(parts) = bindings.iter().map(place).collect::<Option<Vec<String>>>() else {
        return Places::All;
    };
    let text = parts.join(" or ");
    match parts.len() {
        0 => Places::None,
        n if n > MAX_COMPARISONS || text.len() > MAX_TEXT => Places::All,
        _ => Places::Some(text),
    }
}

/// The selector of a binding; `None` = the whole fleet.
fn place(row: &BindingRow) -> Option<String> {
    if let Some(path) = &row.site {
        return Some(format!("site under {path}"));
    }
    row.group.as_deref().map(group::selector_of)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fleet::selector::{GroupMeaning, parse};

    fn at(site: Option<&str>, group: Option<&str>) -> BindingRow {
        BindingRow {
            profile_id: Uuid::nil(),
            site_id: site.map(|_| Uuid::nil()),
            site: site.map(str::to_owned),
            group_id: group.map(|_| Uuid::nil()),
            group: group.map(str::to_owned),
            rank: 0,
        }
    }

    #[test]
    fn bindings_are_told_as_a_selector_that_can_be_read() {
        assert_eq!(places(&[]), Places::None);
        let some = [at(Some("eu.lv"), None), at(None, Some("a \"b\" \\ c"))];
        let Places::Some(text) = places(&some) else { panic!("some") };
        assert_eq!(text, r#"site under eu.lv or group = "a \"b\" \\ c""#);
        let known =
            |name: &str| (name == "a \"b\" \\ c").then(|| GroupMeaning::Members(Uuid::nil()));
        parse(&text, &known).unwrap();
        assert_eq!(places(&[at(Some("eu"), None), at(None, None)]), Places::All);
        assert_eq!(places(&vec![at(Some("eu"), None); 101]), Places::All);
    }
}
