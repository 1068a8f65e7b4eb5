//! What a webhook is told, was told and could not be told, as its page lists it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::path;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::service::webhooks as service;
use crate::store::deliveries::Delivery;
use crate::web::format::When;
use crate::web::manage::{address, cut, with_one_more};

/// Deliveries on a page.
const PAGE: usize = 50;

/// Which of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeliveriesQuery {
    /// A state; empty = all.
    state: String,
    before: Option<Uuid>,
}

/// What it was told, as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// What shows the same anew.
    again: String,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    first: String,
    next: String,
}

/// One state of deliveries.
#[derive(Debug, Serialize)]
struct Tab {
    label: &'static str,
    href: String,
    current: bool,
    /// They are not counted.
    count: Option<i64>,
}

/// A delivery.
#[derive(Debug, Serialize)]
struct Row {
    /// The word of the state's shape, and what it is called.
    state: &'static str,
    label: String,
    kind: String,
    /// The page of its device; empty = there is none.
    href: String,
    /// Its device, or what else it is about.
    about: String,
    at: When,
    attempts: i32,
    answer: String,
    next: Option<When>,
    /// Where it is tried again; empty unless it was given up.
    again: String,
}

/// What a webhook was told, of the state and from the delivery that were asked for.
pub(super) async fn read(
    app: &App,
    ctx: &Ctx,
    webhook_id: Uuid,
    query: &DeliveriesQuery,
) -> Result<Told, Error> {
    let here = path(webhook_id);
    let state = Some(query.state.as_str()).filter(|state| !state.is_empty());
    let found =
        service::deliveries(app, ctx, webhook_id, state, query.before, with_one_more(PAGE)).await?;
    let (rows, more) = cut(found, PAGE);
    let last = rows.last().filter(|_| more).map(|delivery| delivery.delivery_id.to_string());
    let at = |before: &str| address(&here, &[("state", query.state.as_str()), ("before", before)]);
    let before = query.before.map(|id| id.to_string());
    Ok(Told {
        again: at(before.as_deref().unwrap_or_default()),
        tabs: tabs(&here, &query.state),
        rows: rows.iter().map(|delivery| row(delivery, &here, ctx.now)).collect(),
        first: before.map(|_| at("")).unwrap_or_default(),
        next: last.map(|id| at(&id)).unwrap_or_default(),
    })
}

fn tabs(here: &str, current: &str) -> Vec<Tab> {
    let states =
        [("All", ""), ("Queued", "queued"), ("Delivered", "delivered"), ("Given up", "dead")];
    let tab = |(label, state): (&'static str, &str)| Tab {
        label,
        href: address(here, &[("state", state)]),
        current: state == current,
        count: None,
    };
    states.into_iter().map(tab).collect()
}

fn row(delivery: &Delivery, here: &str, now: DateTime<Utc>) -> Row {
    let (state, label) = match delivery.state.as_str() {
        "delivered" => ("done", "delivered"),
        "dead" => ("failed", "given up"),
        "queued" if delivery.attempts > 0 => ("late", "to be tried again"),
        _ => ("queued", "queued"),
    };
    let words = delivery.detail["name"].as_str().or(delivery.detail["text"].as_str());
    let (href, about) = match (&delivery.serial, delivery.device_id) {
        (Some(serial), Some(id)) => (format!("/devices/{id}"), serial.clone()),
        (_, Some(_)) => (String::new(), "a device that was removed".to_owned()),
        (_, None) => (String::new(), words.unwrap_or_default().to_owned()),
    };
    let queued = delivery.state == "queued";
    Row {
        state,
        label: label.to_owned(),
        kind: delivery.kind.clone(),
        href,
        about,
        at: When::new(delivery.at, now),
        attempts: delivery.attempts,
        answer: delivery.answer.clone().unwrap_or_default(),
        next: (queued && delivery.attempts > 0).then(|| When::new(delivery.next_at, now)),
        again: match delivery.state.as_str() {
            "dead" => format!("{here}/deliveries/{}/again", delivery.delivery_id),
            _ => String::new(),
        },
    }
}

#[cfg(test)]
pub(super) fn sample(full: bool) -> Told {
    let evil = || "<x-evil>".to_owned();
    let now = DateTime::UNIX_EPOCH;
    let row = |state: &'static str| Row {
        state,
        label: evil(),
        kind: evil(),
        href: if state == "done" { "/devices/1".to_owned() } else { String::new() },
        about: evil(),
        at: When::new(now, now),
        attempts: 3,
        answer: evil(),
        next: (state == "late").then(|| When::new(now, now)),
        again: if state == "failed" { "/webhooks/1/again".to_owned() } else { String::new() },
    };
    let rows = ["done", "late", "failed", "queued"].map(row);
    Told {
        again: "/webhooks/1".to_owned(),
        tabs: tabs("/webhooks/1", ""),
        rows: if full { rows.into() } else { Vec::new() },
        first: String::new(),
        next: "/webhooks/1?before=1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivery(state: &str, attempts: i32) -> Delivery {
        let now = DateTime::UNIX_EPOCH;
        Delivery {
            delivery_id: Uuid::nil(),
            webhook_id: Uuid::nil(),
            kind: "device.offline".to_owned(),
            device_id: Some(Uuid::nil()),
            serial: Some("S1".to_owned()),
            at: now,
            detail: json!({}),
            state: state.to_owned(),
            attempts,
            next_at: now,
            answer: None,
            finished_at: None,
        }
    }

    #[test]
    fn only_what_was_given_up_is_tried_again_by_hand() {
        let now = DateTime::UNIX_EPOCH;
        let row = |state, attempts| row(&delivery(state, attempts), "/webhooks/1", now);
        assert!(row("dead", 30).again.ends_with("/again"));
        let waits = row("queued", 2);
        assert!(waits.again.is_empty() && waits.next.is_some());
        assert_eq!((row("queued", 0).state, row("delivered", 1).state), ("queued", "done"));
        assert!(row("queued", 0).next.is_none());
    }

    #[test]
    fn a_delivery_says_what_it_is_about() {
        let now = DateTime::UNIX_EPOCH;
        let about = |delivery: Delivery| row(&delivery, "", now).about;
        assert_eq!(about(delivery("queued", 0)), "S1");
        let removed = Delivery { serial: None, ..delivery("queued", 0) };
        assert!(about(removed).contains("removed"));
        let detail = json!({ "name": "spring" });
        let rollout = Delivery { device_id: None, serial: None, detail, ..delivery("queued", 0) };
        assert_eq!(about(rollout), "spring");
    }
}
