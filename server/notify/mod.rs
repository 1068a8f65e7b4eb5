//! Telling others what happens: webhooks over HTTP and mail, and noticing who fell silent.
//!
//! Owns which events are told ([`kind`]), what a webhook may be ([`hook`]), what is sent
//! (`message`) and how: `http` calls, `mail` writes, `send` carries out, repeats and gives
//! up. [`presence`] notices devices that are not heard of, and that are again.
//!
//! What is to be told is a row written in the transaction of the event ([`tell`], and
//! `store::events` for those of devices): it is there if and only if the event is. It is told at
//! least once, in no order that can be relied on. This module must never call an address that
//! `[notify]` forbids, follow a redirect, or read an answer.

pub mod hook;
mod http;
pub mod kind;
mod mail;
mod message;
pub mod presence;
mod send;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::kind::{Kind, of_event};
pub use self::send::run;
use crate::store::deliveries;

/// Has the webhooks of a kind told of something, in the caller's transaction: of a device those that
/// are told of all or of its site, of no device those that are told of all.
///
/// # Errors
/// Those of the database.
pub async fn tell(
    conn: &mut PgConnection,
    kind: Kind,
    device_id: Option<Uuid>,
    at: DateTime<Utc>,
    detail: &Value,
) -> Result<(), sqlx::Error> {
    match device_id {
        Some(id) => deliveries::tell(conn, kind.word(), &[(id, detail.clone())], at).await,
        None => deliveries::tell_of_no_device(conn, kind.word(), detail, at).await,
    }
}

/// What went wrong, with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some say their cause themselves.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
