//! Boards that are served without a claim: list, allow, take back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::claim;
use crate::store::bench::{self as store, Allowed};

/// More of them are a list of devices: those are claimed.
const MAX_ALLOWED: i64 = 1_000;
/// Characters of a note.
const MAX_NOTE: usize = 200;
/// Bytes of the identifier that boards announce.
const MAX_BOARD: usize = 64;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AllowedKind {
    /// One board, by its MAC address.
    Mac,
    /// All boards whose MAC addresses begin with these three bytes.
    Oui,
    /// All boards that announce this identifier, such as `952-hb`.
    Board,
}

impl AllowedKind {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Oui => "oui",
            Self::Board => "board",
        }
    }
}

/// Boards that are to be served without a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAllowed {
    /// What `value` is.
    pub kind: AllowedKind,
    /// A MAC address, its first six hexadecimal digits, or the identifier that boards announce.
    pub value: String,
    /// For people, at most 200 characters.
    #[serde(default)]
    pub note: String,
}

/// All of them, by kind and value.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Allowed>, Error> {
    ctx.require(Right::Read)?;
    Ok(store::allowed(&app.pool).await?)
}

/// Allows boards.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for a value that is none; [`Error::Conflict`] for one that is
/// there, and for too many.
pub async fn create(app: &App, ctx: &Ctx, new: NewAllowed) -> Result<Allowed, Error> {
    ctx.require_everywhere(Right::Bench)?;
    let value = checked(new.kind, &new.value)?;
    let note = new.note.trim().to_owned();
    if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
        let why = format!("at most {MAX_NOTE} characters on one line");
        return Err(Error::invalid("/note", why));
    }
    let allowed = Allowed {
        allowed_id: Uuid::now_v7(),
        kind: new.kind.word().to_owned(),
        value,
        note,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
    };
    let mut tx = app.pool.begin().await?;
    if store::allowed_count(&mut tx).await? >= MAX_ALLOWED {
        let why = format!("there are {MAX_ALLOWED} already: claim the boards instead");
        return Err(Error::Conflict(why));
    }
    if !store::insert_allowed(&mut tx, &allowed).await? {
        return Err(Error::Conflict(format!("{} is allowed already", allowed.value)));
    }
    audit::record(&mut tx, ctx, "bench.allow", object(&allowed), (), said(&allowed)).await?;
    tx.commit().await?;
    Ok(allowed)
}

/// Takes back that boards are served without a claim.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn delete(app: &App, ctx: &Ctx, allowed_id: Uuid) -> Result<(), Error> {
    ctx.require_everywhere(Right::Bench)?;
    let mut tx = app.pool.begin().await?;
    let none = || Error::NotFound(format!("nothing is allowed as {allowed_id}"));
    let allowed = store::get_allowed(&mut *tx, allowed_id).await?.ok_or_else(none)?;
    store::delete_allowed(&mut tx, allowed_id).await?;
    audit::record(&mut tx, ctx, "bench.disallow", object(&allowed), said(&allowed), ()).await?;
    tx.commit().await?;
    Ok(())
}

fn checked(kind: AllowedKind, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let wrong = |why: &str| Error::invalid("/value", why);
    match kind {
        AllowedKind::Mac => claim::mac(text)
            .ok_or_else(|| wrong("a MAC address is twelve hexadecimal digits: E4:8D:8C:00:00:01")),
        AllowedKind::Oui => {
            let whole = claim::mac(&format!("{text}000000"));
            whole.map(|mac| mac[..8].to_owned()).ok_or_else(|| {
                wrong("the beginning of an address is six hexadecimal digits: E4:8D:8C")
            })
        }
        AllowedKind::Board => {
            let good = |b: u8| b.is_ascii_graphic() || b == b' ';
            if !(1..=MAX_BOARD).contains(&text.len()) || !text.bytes().all(good) {
                return Err(wrong("1 to 64 printable ASCII characters, as the board announces it"));
            }
            Ok(text.to_owned())
        }
    }
}

fn object(allowed: &Allowed) -> Object<'_> {
    Object::new("bench_allowed", allowed.allowed_id, &allowed.value)
}

/// What the audit log keeps of it.
fn said(allowed: &Allowed) -> Value {
    json!({ "kind": allowed.kind, "value": allowed.value, "note": allowed.note })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_allowed_is_written_as_boards_are_known() {
        use AllowedKind::{Board, Mac, Oui};
        for (kind, text, value) in [
            (Mac, "e48d.8c00.0001", "E4:8D:8C:00:00:01"),
            (Oui, "e4-8d-8c", "E4:8D:8C"),
            (Board, " 952-hb ", "952-hb"),
        ] {
            assert_eq!(checked(kind, text).unwrap(), value);
            assert_eq!(json!(kind), kind.word());
        }
        for (kind, text) in [
            (Mac, "e4:8d:8c"),
            (Oui, "e4:8d"),
            (Oui, "e4:8d:8c:00:00:01"),
            (Board, ""),
            (Board, "a\nb"),
        ] {
            assert!(checked(kind, text).is_err(), "{kind:?} {text}");
        }
        assert!(checked(Board, &"x".repeat(65)).is_err());
    }
}
