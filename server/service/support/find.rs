//! The device of a customer, by whatever they can read from its label or the agent from the contract.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::claim::mac;
use crate::fleet::online;
use crate::fleet::selector::{Expr, Test, TextField, TextTest};
use crate::service::devices;
use crate::store::audit::{self, Filter};
use crate::store::devices::{self as store, Device};
use crate::store::selector;

/// So many are told; more are not looked through on the telephone.
const MOST: i64 = 20;
/// Characters of what is typed.
const MAX_TEXT: usize = 100;
/// Characters from which on devices are found by how they begin: fewer say too little.
const LEAST: usize = 3;
/// Lately used devices that are told, and entries of the audit log among which they are looked for.
const RECENT: usize = 6;
const ENTRIES: i64 = 60;

/// The devices that a text may mean, among those that the caller may support: by serial number or
/// hardware address, tag, customer code, or how serial number or identity begin.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] at `/q` for a text that is too long.
pub async fn search(app: &App, ctx: &Ctx, text: &str) -> Result<Vec<Device>, Error> {
    let reach = ctx.require(Right::Support)?;
    let text = text.trim();
    if text.chars().count() > MAX_TEXT {
        return Err(Error::invalid("/q", format!("at most {MAX_TEXT} characters")));
    }
    if let Ok(id) = Uuid::try_parse(text)
        && let Some(device) = mine(app, ctx, id).await?
    {
        return Ok(vec![device]);
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let since = online::since(&app.config, ctx.now);
    let found = ask(app, named(text), &reach, (ctx.now, since)).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    Ok(store::beginning(&app.pool, &beginnings(text), reach.within().as_ref(), MOST).await?)
}

async fn ask(
    app: &App,
    question: Expr,
    reach: &Reach,
    (now, online_since): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Device>, Error> {
    let expr = match reach.expr() {
        Some(within) => question.and(within),
        None => question,
    };
    Ok(selector::list(&app.pool, &expr, None, MOST, now, online_since).await?)
}

/// The devices that have this name: each of these is known to an index.
fn named(text: &str) -> Expr {
    let is = |field, names: Vec<String>| Expr::Test(Test::Text(field, TextTest::OneOf(names)));
    let mac = mac(text);
    let mut serials = vec![text.to_owned(), text.to_uppercase(), text.to_lowercase()];
    serials.extend(mac.iter().flat_map(|mac| {
        let bare = mac.replace(':', "");
        [bare.to_lowercase(), bare, mac.to_lowercase(), mac.clone()]
    }));
    serials.sort();
    serials.dedup();
    let tag = Expr::Test(Test::Tag(TextTest::OneOf(vec![text.to_owned()])));
    let code = is(TextField::Code, vec![text.to_owned()]);
    Expr::Any(vec![is(TextField::Serial, serials), tag, code])
}

/// How the serial number or the identity of a device may begin that is meant.
fn beginnings(text: &str) -> Vec<String> {
    if text.chars().count() < LEAST {
        return Vec::new();
    }
    let mut list = vec![text.to_owned()];
    list.extend(mac(text).filter(|mac| mac != text));
    list
}

/// The devices with which the caller did something lately, the last first; the audit log knows.
///
/// # Errors
/// [`Error::Denied`]
pub async fn recent(app: &App, ctx: &Ctx) -> Result<Vec<Device>, Error> {
    ctx.require(Right::Support)?;
    let filter = Filter {
        actor: Some(ctx.actor.name.clone()),
        object_kind: Some("device".to_owned()),
        ..Filter::default()
    };
    let entries = audit::list(&app.pool, &filter, None, ENTRIES).await?;
    let mut ids: Vec<Uuid> = Vec::new();
    // A token may have the name of a person.
    for entry in entries.iter().filter(|entry| entry.actor_id == ctx.actor.id) {
        if let Ok(id) = Uuid::try_parse(&entry.object_id)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    let mut devices = Vec::new();
    for id in ids.into_iter().take(RECENT) {
        devices.extend(mine(app, ctx, id).await?);
    }
    Ok(devices)
}

/// A device, if it is there and the caller may support it.
async fn mine(app: &App, ctx: &Ctx, id: Uuid) -> Result<Option<Device>, Error> {
    match devices::find(app, ctx, &id.to_string(), Right::Support).await {
        Ok(device) => Ok(Some(device)),
        Err(Error::NotFound(_) | Error::Denied(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The serial numbers that are looked for.
    fn serials(text: &str) -> Vec<String> {
        let Expr::Any(parts) = named(text) else { return Vec::new() };
        match parts.into_iter().next() {
            Some(Expr::Test(Test::Text(TextField::Serial, TextTest::OneOf(names)))) => names,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_serial_number_is_found_however_it_is_typed() {
        assert_eq!(serials("hgf09abcde1"), ["HGF09ABCDE1", "hgf09abcde1"]);
        for text in ["48:8f:5a:00:00:01", "48-8F-5A-00-00-01", "488f.5a00.0001", "488F5A000001"] {
            assert!(serials(text).contains(&"488F5A000001".to_owned()), "{text}");
        }
    }

    #[test]
    fn only_what_says_enough_finds_what_begins_so() {
        assert!(beginnings("ab").is_empty());
        assert_eq!(beginnings("abc"), ["abc"]);
        assert_eq!(beginnings("488f.5a00.0001"), ["488f.5a00.0001", "48:8F:5A:00:00:01"]);
        assert_eq!(beginnings("48:8F:5A:00:00:01"), ["48:8F:5A:00:00:01"]);
    }
}
