//! The audit log: who changed what, from where, with the state before and after.
//!
//! Owns that an entry is written in the transaction of the change that it tells of, and that no
//! secret stands in it. It is append-only: the table refuses anything else.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::fleet::secret::{MASK, is_secret};
use crate::store::audit::{self as store, Entry};

/// What was changed.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    /// `device`, `site`, `user` ...
    pub kind: &'a str,
    /// Its id.
    pub id: String,
    /// As people know it.
    pub name: &'a str,
}

impl<'a> Object<'a> {
    /// What was changed.
    pub fn new(kind: &'a str, id: impl ToString, name: &'a str) -> Self {
        Self { kind, id: id.to_string(), name }
    }
}

/// Appends an entry. `action` is `<kind>.<verb>`; `before` and `after` are the object's state, `()`
/// where there was or is none.
///
/// # Errors
/// [`Error::Database`].
pub async fn record(
    conn: &mut PgConnection,
    ctx: &Ctx,
    action: &str,
    object: Object<'_>,
    before: impl Serialize,
    after: impl Serialize,
) -> Result<(), Error> {
    let state = |value: Result<Value, serde_json::Error>| -> Result<Option<Value>, Error> {
        let value = value.map_err(|e| Error::Internal(format!("audit of {action}: {e}")))?;
        Ok((!value.is_null()).then(|| masked(value)))
    };
    let entry = Entry {
        audit_id: Uuid::now_v7(),
        at: ctx.now,
        actor_kind: ctx.actor.kind.word().to_owned(),
        actor_id: ctx.actor.id,
        actor: ctx.actor.name.clone(),
        address: ctx.from.map(ipnet::IpNet::from),
        action: action.to_owned(),
        object_kind: object.kind.to_owned(),
        object_id: object.id,
        object_name: object.name.to_owned(),
        before: state(serde_json::to_value(before))?,
        after: state(serde_json::to_value(after))?,
    };
    Ok(store::insert(conn, &entry).await?)
}

/// The value without what a key, or a parameter's name beside it, says is secret.
pub fn masked(mut value: Value) -> Value {
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let named = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
            for (key, inner) in fields.iter_mut() {
                let hidden = is_secret(key) || (named && key == "value");
                if hidden && !inner.is_null() && !inner.is_boolean() {
                    *inner = Value::from(MASK);
                } else {
                    mask(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_secret_by_its_key_or_its_name_is_masked() {
        let value = json!({
            "login": "ann", "password": "hunter2", "totp": true, "must_change_password": true,
            "job": { "parameters": [
                { "name": "Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "value": "hunter2" },
                { "name": "Device.WiFi.SSID.1.SSID", "value": "Attic" },
            ] },
            "variables": { "wifi_psk": "hunter2", "vlan": 7 },
        });
        let shown = masked(value);
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        assert_eq!(shown["job"]["parameters"][1]["value"], "Attic");
        assert_eq!(shown["variables"]["vlan"], 7);
        assert_eq!(shown["must_change_password"], true);
        assert_eq!(shown["login"], "ann");
    }
}
