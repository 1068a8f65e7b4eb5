//! Groups: named sets of devices, each by a list or by a selector (design section 2).
//!
//! Owns what a group may be, what its name means in a selector, and that a stored selector can
//! always be read: none names a group that is not there, or itself. A change that would break
//! another group, a rule of admission, or a rollout that has not ended, is refused, and so is one that
//! would change what a grant for a group means: a group that bounds what somebody may do has no selector and stays.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use super::label::check_name;
use super::selector::{Expr, GroupMeaning, SelectorError, Test, parse, quoted};
use crate::error::Error;
use crate::store::groups::{self as store, Group, Holders};
use crate::store::rollouts::named;
use crate::store::{accept_rules, desired, events, profiles, sites};

/// Characters in a description.
const MAX_DESCRIPTION: usize = 1_000;
/// Of those whom a group bounds, and of rollouts that name it, so many are named.
const NAMED: usize = 5;

/// What groups' names mean; `None` = there is no such group.
type Meanings = HashMap<String, Option<GroupMeaning>>;

/// What people say of a group; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupFields {
    /// What selectors call it, 1 to 64 characters. A group always has one, and no two the same.
    pub name: Option<String>,
    /// For people, at most 1000 characters; empty when absent.
    pub description: Option<String>,
    /// Which devices are in it. Absent: those that are put into it one by one. A group stays with
    /// the one or the other.
    pub selector: Option<String>,
}

impl GroupFields {
    /// What is said of a stored group.
    pub fn of(group: &Group) -> Self {
        Self {
            name: Some(group.name.clone()),
            description: Some(group.description.clone()),
            selector: group.selector.clone(),
        }
    }
}

/// The selector of the devices of a group, by its name.
pub fn selector_of(name: &str) -> String {
    format!("group = {}", quoted(name))
}

/// Reads a selector, with the groups that it names.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`, whose message shows the place in the text; [`Error::Database`].
pub async fn read(pool: &PgPool, text: &str, pointer: &str) -> Result<Expr, Error> {
    let mut known = Meanings::new();
    // Each round knows the groups that the one before met; groups nest only so deep.
    loop {
        let (result, unknown) = attempt(text, &known);
        if unknown.is_empty() {
            return result.map_err(|e| invalid(pointer, &e));
        }
        let found = store::named(pool, &unknown).await?;
        known.extend(unknown.into_iter().map(|name| (name, None)));
        known.extend(found.iter().map(meaning));
    }
}

/// Reads the text as far as that goes with what is known; gives also the names that are not.
fn attempt(text: &str, known: &Meanings) -> (Result<Expr, SelectorError>, Vec<String>) {
    let unknown = RefCell::new(BTreeSet::new());
    let result = parse(text, &|name: &str| {
        known.get(name).cloned().unwrap_or_else(|| {
            unknown.borrow_mut().insert(name.to_owned());
            Some(GroupMeaning::Members(Uuid::nil()))
        })
    });
    (result, unknown.into_inner().into_iter().collect())
}

/// What is wrong with each of these selectors; `None` = it can be read. By this connection: who holds a
/// transaction asks for no second one.
///
/// # Errors
/// [`Error::Database`].
pub async fn wrong(
    conn: &mut PgConnection,
    texts: &[&str],
) -> Result<Vec<Option<SelectorError>>, Error> {
    let known: Meanings = store::all(conn).await?.iter().map(meaning).collect();
    Ok(texts.iter().map(|text| reads(text, &known).err()).collect())
}

fn invalid(pointer: &str, error: &SelectorError) -> Error {
    Error::invalid(pointer, error.to_string())
}

fn meaning(group: &Group) -> (String, Option<GroupMeaning>) {
    let meaning = match &group.selector {
        Some(text) => GroupMeaning::Selector(text.clone()),
        None => GroupMeaning::Members(group.group_id),
    };
    (group.name.clone(), Some(meaning))
}

/// Which devices are in a group.
///
/// # Errors
/// [`Error::Database`]; [`Error::Invalid`] where its selector cannot be read any more.
pub async fn devices(pool: &PgPool, group: &Group) -> Result<Expr, Error> {
    match &group.selector {
        Some(text) => read(pool, text, "/selector").await,
        None => Ok(Expr::Test(Test::Member(group.group_id))),
    }
}

/// Makes a group. Groups must be locked.
///
/// # Errors
/// [`Error::Invalid`] for fields that cannot be taken, [`Error::Conflict`] for a name that is taken.
pub async fn create(
    conn: &mut PgConnection,
    fields: GroupFields,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Group, Error> {
    let blank = Group {
        group_id: Uuid::now_v7(),
        name: String::new(),
        description: String::new(),
        selector: None,
        created_by: by.to_owned(),
        created_at: now,
        updated_at: now,
    };
    let group = filled(blank, fields)?;
    check_among(&store::all(conn).await?, None, Some(&group))?;
    store::insert(conn, &group).await?;
    Ok(group)
}

/// Gives a group these fields. Groups must be locked, and `current` read since.
///
/// # Errors
/// As [`create`]; also [`Error::Conflict`] where another group's selector, or that of a rule of
/// admission or of a rollout that has not ended, could not be read then.
pub async fn change(
    conn: &mut PgConnection,
    current: Group,
    fields: GroupFields,
    now: DateTime<Utc>,
) -> Result<Group, Error> {
    if fields.selector.is_some() != current.selector.is_some() {
        let why = "a group stays with its selector, or without one: make another group";
        return Err(Error::invalid("/selector", why));
    }
    let group = filled(Group { updated_at: now, ..current.clone() }, fields)?;
    let all = store::all(conn).await?;
    check_among(&all, Some(&current), Some(&group))?;
    check_named("rollout", &all, &current, Some(&group), &named::selectors(conn).await?)?;
    check_named("rule of admission", &all, &current, Some(&group), &rules(conn).await?)?;
    store::update(conn, &group).await?;
    Ok(group)
}

/// Removes a group. Groups must be locked, and `group` read since.
///
/// # Errors
/// [`Error::Conflict`] where another group's selector, a rule of admission or a rollout that has not
/// ended names it, a profile is bound to it, or somebody was granted something for its devices.
pub async fn delete(conn: &mut PgConnection, group: &Group) -> Result<(), Error> {
    let all = store::all(conn).await?;
    check_among(&all, Some(group), None)?;
    let rollouts = named::of_group(conn, group.group_id).await?;
    if !rollouts.is_empty() {
        let why = format!(
            "it is the audience or a wave of {}, or bounds it: end that first, or change the draft",
            listed("rollout", &rollouts)
        );
        return Err(Error::Conflict(why));
    }
    check_named("rollout", &all, group, None, &named::selectors(conn).await?)?;
    check_named("rule of admission", &all, group, None, &rules(conn).await?)?;
    let bound = profiles::for_group(conn, group.group_id).await?;
    if !bound.is_empty() {
        let why = format!("{} is said of its devices: unbind it first", listed("profile", &bound));
        return Err(Error::Conflict(why));
    }
    if let Some(who) = told(&store::holders(conn, group.group_id).await?) {
        let why = format!("it bounds what {who} may do: take that from them first");
        return Err(Error::Conflict(why));
    }
    Ok(store::delete(conn, group.group_id).await?)
}

/// The names of the rules of admission, with their selectors. Rules are locked from here on, so that
/// none comes to name the group meanwhile; who makes one never locks groups after that.
async fn rules(conn: &mut PgConnection) -> Result<Vec<(String, String)>, Error> {
    accept_rules::lock(conn).await?;
    let rules = accept_rules::all(conn).await?;
    Ok(rules.into_iter().map(|rule| (rule.name, rule.selector)).collect())
}

/// Whom a group bounds, in words; `None` = nobody.
fn told(holders: &Holders) -> Option<String> {
    let kinds = [("user", &holders.users), ("token", &holders.tokens)];
    let told = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = told.map(|(kind, names)| listed(kind, names)).collect();
    (!told.is_empty()).then(|| told.join(" and "))
}

/// Some of a kind by their names, not all of them where they are many.
fn listed(kind: &str, names: &[String]) -> String {
    let many = if names.len() > 1 { "s" } else { "" };
    let mut listed: Vec<String> = names.iter().take(NAMED).map(|n| format!("`{n}`")).collect();
    if names.len() > NAMED {
        listed.push(format!("{} more", names.len() - NAMED));
    }
    format!("the {kind}{many} {}", listed.join(", "))
}

/// Whether somebody was granted something for the devices of a group. Groups must be locked: it stays
/// so until the transaction ends.
///
/// # Errors
/// [`Error::Database`]
pub async fn is_scope(conn: &mut PgConnection, group: &Group) -> Result<bool, Error> {
    Ok(store::holders(conn, group.group_id).await? != Holders::default())
}

/// The group that is to bound what somebody may do. Locks groups, so that it stays until the
/// transaction ends.
///
/// One with a selector cannot: whoever operates a device changes its tags and parameters, and with
/// them what the selector finds, so they would say themselves what they may do.
///
/// # Errors
/// [`Error::Invalid`] at `pointer` for no group, or one with a selector; [`Error::Database`].
pub async fn as_scope(
    conn: &mut PgConnection,
    group_id: Uuid,
    pointer: &str,
) -> Result<Group, Error> {
    store::lock(conn).await?;
    let unknown = || Error::invalid(pointer, format!("no group {group_id}"));
    let group = store::get(&mut *conn, group_id).await?.ok_or_else(unknown)?;
    if group.selector.is_some() {
        let why = format!(
            "`{}` has a selector, and what that finds is changed by whoever changes tags and \
             parameters: name a group into which devices are put one by one",
            group.name
        );
        return Err(Error::invalid(pointer, why));
    }
    Ok(group)
}

/// The group with these fields, checked but for what it has to do with other groups.
fn filled(group: Group, fields: GroupFields) -> Result<Group, Error> {
    let Some(name) = fields.name else {
        return Err(Error::invalid("/name", "a group has a name"));
    };
    check_name(&name)?;
    let description = fields.description.unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION || description.contains('\0') {
        let why = format!("at most {MAX_DESCRIPTION} characters, and no U+0000");
        return Err(Error::invalid("/description", why));
    }
    Ok(Group { name, description, selector: fields.selector, ..group })
}

/// That the groups still fit together when `after` stands in the place of `before`.
fn check_among(all: &[Group], before: Option<&Group>, after: Option<&Group>) -> Result<(), Error> {
    let id = before.map(|group| group.group_id);
    let others = || all.iter().filter(move |other| Some(other.group_id) != id);
    if let Some(after) = after
        && others().any(|other| other.name == after.name)
    {
        return Err(Error::Conflict(format!("there already is a group `{}`", after.name)));
    }
    let old: Meanings = all.iter().map(meaning).collect();
    let new: Meanings = others().chain(after).map(meaning).collect();
    if let Some(text) = after.and_then(|group| group.selector.as_deref()) {
        reads(text, &new).map_err(|e| invalid("/selector", &e))?;
    }
    for other in others() {
        let Some(text) = &other.selector else { continue };
        if let Some(e) = broken(text, &old, &new) {
            let why = format!("the group `{}` names it, and then: {}", other.name, e.message);
            return Err(Error::Conflict(why));
        }
    }
    Ok(())
}

/// That these selectors, each with the name of the `kind` that has it, can still be read when `after`
/// stands in the place of `before`.
fn check_named(
    kind: &str,
    all: &[Group],
    before: &Group,
    after: Option<&Group>,
    selectors: &[(String, String)],
) -> Result<(), Error> {
    let old: Meanings = all.iter().map(meaning).collect();
    let others = all.iter().filter(|other| other.group_id != before.group_id);
    let new: Meanings = others.chain(after).map(meaning).collect();
    for (name, text) in selectors {
        if let Some(e) = broken(text, &old, &new) {
            let why = format!("the {kind} `{name}` names it, and then: {}", e.message);
            return Err(Error::Conflict(why));
        }
    }
    Ok(())
}

fn reads(text: &str, known: &Meanings) -> Result<Expr, SelectorError> {
    parse(text, &|name: &str| known.get(name)?.clone())
}

/// What is wrong with a selector only then. One that could not be read before has another fault, and
/// must not stand in the way.
fn broken(text: &str, old: &Meanings, new: &Meanings) -> Option<SelectorError> {
    reads(text, old).ok()?;
    reads(text, new).err()
}

/// Puts a device into a group that is by list, or takes it out; false = it was so already.
///
/// # Errors
/// [`Error::Conflict`] for a group that is by selector, [`Error::NotFound`] for no device.
pub async fn set_member(
    conn: &mut PgConnection,
    group: &Group,
    device_id: Uuid,
    member: bool,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    if group.selector.is_some() {
        let why = format!("the selector of `{}` says which devices are in it", group.name);
        return Err(Error::Conflict(why));
    }
    // Also keeps the device from being removed meanwhile, and its membership from staying behind.
    if sites::placement(conn, device_id).await?.is_none() {
        return Err(Error::NotFound(format!("no device {device_id}")));
    }
    let changed = if member {
        store::add_member(conn, group.group_id, device_id).await?
    } else {
        store::remove_member(conn, group.group_id, device_id).await?
    };
    if changed {
        let (before, after) = (json!({ "member": !member }), json!({ "member": member }));
        let detail = json!({ "by": by, "group": group.name, "before": before, "after": after });
        events::append(conn, device_id, "device.changed", None, &detail, now).await?;
        // Other things may be wanted of it now.
        desired::touch(conn, device_id, now).await?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests;
