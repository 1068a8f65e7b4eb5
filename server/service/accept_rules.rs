//! Rules of admission: which devices are let in that nobody claimed. List, make, change, order, remove.
//!
//! They belong to no site: whoever reads anything may see them, and whoever operates everything may
//! change them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::claims::{all_looked_at_again, profile};
use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::admission::rule::RuleFields;
use crate::fleet::group;
use crate::store::accept_rules::{self as store, Rule};
use crate::store::sites;

/// More rules are a list of devices: those are claimed.
const MAX_RULES: usize = 100;

/// All rules, the first first.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Rule>, Error> {
    ctx.require(Right::Read)?;
    Ok(store::all(&app.pool).await?)
}

/// One rule.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, rule_id: Uuid) -> Result<Rule, Error> {
    one(list(app, ctx).await?, rule_id)
}

fn one(rules: Vec<Rule>, rule_id: Uuid) -> Result<Rule, Error> {
    let found = rules.into_iter().find(|rule| rule.rule_id == rule_id);
    found.ok_or_else(|| Error::NotFound(format!("no rule of admission {rule_id}")))
}

/// What is wrong with the selectors of these rules, in their order; `None` = it can be read. One that
/// cannot lets nobody in.
///
/// # Errors
/// [`Error::Denied`]
pub async fn unreadable(
    app: &App,
    ctx: &Ctx,
    rules: &[Rule],
) -> Result<Vec<Option<String>>, Error> {
    ctx.require(Right::Read)?;
    let texts: Vec<&str> = rules.iter().map(|rule| rule.selector.as_str()).collect();
    let mut conn = app.pool.acquire().await?;
    let wrong = group::wrong(&mut conn, &texts).await?;
    Ok(wrong.into_iter().map(|wrong| wrong.map(|e| e.message)).collect())
}

/// Makes a rule.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken, [`Error::Conflict`] for a
/// name that is taken, and for too many rules.
pub async fn create(app: &App, ctx: &Ctx, fields: RuleFields) -> Result<Rule, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    store::lock(&mut tx).await?;
    let rules = store::all(&mut *tx).await?;
    if rules.len() >= MAX_RULES {
        return Err(Error::Conflict(format!("there are {MAX_RULES} rules already")));
    }
    let blank = Rule {
        rule_id: Uuid::now_v7(),
        position: i32::try_from(rules.len()).unwrap_or(i32::MAX).saturating_add(1),
        name: String::new(),
        selector: String::new(),
        site: None,
        profile_id: None,
        profile: None,
        tags: Vec::new(),
        enabled: true,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let position = fields.position;
    let rule = write(&mut tx, &rules, fields.onto(blank)?, position).await?;
    let object = Object::new("accept_rule", rule.rule_id, &rule.name);
    audit::record(&mut tx, ctx, "accept_rule.create", object, (), RuleFields::of(&rule)).await?;
    tx.commit().await?;
    all_looked_at_again(app).await;
    tracing::info!(rule.id = %rule.rule_id, rule.name, by = ctx.actor.name, "rule of admission made");
    Ok(rule)
}

/// Changes a rule. `check` says whether its version, the time of its last change, is the one that is
/// meant; `patch` gives the fields that it is to have.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], and those of `check` and `patch`.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    rule_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(RuleFields) -> Result<RuleFields, Error>,
) -> Result<Rule, Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    sites::share_tree(&mut tx).await?;
    store::lock(&mut tx).await?;
    let rules = store::all(&mut *tx).await?;
    let current = one(rules.clone(), rule_id)?;
    check(current.updated_at)?;
    let before = RuleFields::of(&current);
    let fields = patch(before.clone())?;
    let position = fields.position;
    let rule = fields.onto(Rule { updated_at: ctx.now, ..current })?;
    let rule = write(&mut tx, &rules, rule, position).await?;
    let object = Object::new("accept_rule", rule_id, &rule.name);
    audit::record(&mut tx, ctx, "accept_rule.change", object, before, RuleFields::of(&rule))
        .await?;
    tx.commit().await?;
    all_looked_at_again(app).await;
    tracing::info!(rule.id = %rule_id, rule.name, by = ctx.actor.name, "rule of admission changed");
    Ok(rule)
}

/// Writes a rule in its place among the others; gives it as it is then. Rules are locked, so that a
/// group that its selector names stays.
async fn write(
    tx: &mut PgConnection,
    rules: &[Rule],
    mut rule: Rule,
    position: Option<u32>,
) -> Result<Rule, Error> {
    let id = rule.rule_id;
    if rules.iter().any(|other| other.rule_id != id && other.name == rule.name) {
        return Err(Error::Conflict(format!("there already is a rule `{}`", rule.name)));
    }
    let wrong = group::wrong(tx, &[rule.selector.as_str()]).await?;
    if let Some(e) = wrong.into_iter().flatten().next() {
        return Err(Error::invalid("/selector", e.to_string()));
    }
    if let Some(site) = &rule.site
        && !sites::exists(&mut *tx, site).await?
    {
        return Err(Error::invalid("/site", format!("there is no site {site}")));
    }
    rule.profile_id = profile(tx, rule.profile.as_deref()).await?;
    let order = ordered(rules, id, position);
    let place = order.iter().position(|other| *other == id).unwrap_or_default();
    rule.position = i32::try_from(place).unwrap_or(i32::MAX).saturating_add(1);
    store::put(tx, &rule).await?;
    store::order(tx, &order).await?;
    Ok(rule)
}

/// The rules in their order, this one at that place; the last where nobody says one.
fn ordered(rules: &[Rule], rule_id: Uuid, position: Option<u32>) -> Vec<Uuid> {
    let others = rules.iter().map(|rule| rule.rule_id).filter(|id| *id != rule_id);
    let mut order: Vec<Uuid> = others.collect();
    let place = position.and_then(|p| usize::try_from(p).ok()).unwrap_or(usize::MAX);
    let place = place.saturating_sub(1).min(order.len());
    order.insert(place, rule_id);
    order
}

/// Removes a rule; the devices that it let in stay what they are. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], those of `check`.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    rule_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let mut rules = store::all(&mut *tx).await?;
    let rule = one(rules.clone(), rule_id)?;
    check(rule.updated_at)?;
    store::delete(&mut tx, rule_id).await?;
    rules.retain(|other| other.rule_id != rule_id);
    let order: Vec<Uuid> = rules.iter().map(|other| other.rule_id).collect();
    store::order(&mut tx, &order).await?;
    let object = Object::new("accept_rule", rule_id, &rule.name);
    audit::record(&mut tx, ctx, "accept_rule.delete", object, RuleFields::of(&rule), ()).await?;
    tx.commit().await?;
    tracing::info!(rule.id = %rule_id, rule.name, by = ctx.actor.name, "rule of admission removed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: u128) -> Rule {
        Rule {
            rule_id: Uuid::from_u128(id),
            position: 1,
            name: id.to_string(),
            selector: String::new(),
            site: None,
            profile_id: None,
            profile: None,
            tags: Vec::new(),
            enabled: true,
            created_by: String::new(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_rule_stands_where_it_is_put() {
        let rules = [1, 2, 3].map(rule);
        let order = |id: u128, position| {
            let order = ordered(&rules, Uuid::from_u128(id), position);
            order.into_iter().map(|id| id.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(order(4, None), [1, 2, 3, 4]);
        assert_eq!(order(4, Some(1)), [4, 1, 2, 3]);
        assert_eq!(order(1, Some(2)), [2, 1, 3]);
        assert_eq!(order(3, Some(1)), [3, 1, 2]);
        assert_eq!(order(2, Some(99)), [1, 3, 2]);
        assert_eq!(order(2, Some(2)), [1, 2, 3]);
    }
}
