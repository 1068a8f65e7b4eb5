//! How far a batch is, and what became of the boards of its claims.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::view::spaced;
use crate::cli::client::output::{maybe, maybe_time};

/// Columns of a claim of a batch.
pub(super) const BATCH: [&str; 7] =
    ["serial", "mac", "customer", "state", "delivered_at", "confirmed_at", "why"];

/// How far a batch is.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    claimed: i64,
    no_mac: i64,
    not_seen: i64,
    under_way: i64,
    refused: i64,
    failed: i64,
    delivered: i64,
    confirmed: i64,
    reasons: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
struct Reason {
    reason: String,
    count: i64,
}

impl Batch {
    /// `of 40 claimed: 37 delivered, 2 confirmed, 1 refused (1 too big)`
    pub(super) fn words(&self) -> String {
        let parts = [
            ("delivered", self.delivered),
            ("confirmed", self.confirmed),
            ("under way", self.under_way),
            ("refused", self.refused),
            ("failed", self.failed),
            ("not seen", self.not_seen),
            ("without a MAC address", self.no_mac),
        ];
        let said = parts.into_iter().filter(|(_, count)| *count > 0);
        let said: Vec<String> = said.map(|(what, count)| format!("{count} {what}")).collect();
        let why = self.reasons.iter().map(|r| format!("{} {}", r.count, spaced(&r.reason)));
        let why: Vec<String> = why.collect();
        let why = match why.is_empty() {
            true => String::new(),
            false => format!(" ({})", why.join(", ")),
        };
        match said.is_empty() {
            true => "no claims".to_owned(),
            false => format!("of {} claimed: {}{why}", self.claimed, said.join(", ")),
        }
    }
}

/// A claim, and what became of its board.
#[derive(Debug, Deserialize)]
pub(super) struct BatchRow {
    serial: Option<String>,
    mac: Option<String>,
    customer: Option<String>,
    state: Option<String>,
    words: Option<String>,
    delivered_at: Option<DateTime<Utc>>,
    confirmed_at: Option<DateTime<Utc>>,
}

impl BatchRow {
    pub(super) fn row(self) -> Vec<String> {
        let unseen = match self.mac {
            Some(_) => "not seen",
            None => "no MAC address in its claim",
        };
        let state = self.state.map_or_else(|| unseen.to_owned(), |state| spaced(&state));
        vec![
            maybe(self.serial),
            maybe(self.mac),
            maybe(self.customer),
            state,
            maybe_time(self.delivered_at),
            maybe_time(self.confirmed_at),
            maybe(self.words),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_batch_is_told_in_one_line() {
        let batch = |delivered, refused, reasons: Value| -> Batch {
            serde_json::from_value(json!({
                "claimed": delivered + refused, "no_mac": 0, "not_seen": 0, "under_way": 0,
                "refused": refused, "failed": 0, "delivered": delivered, "confirmed": 0,
                "reasons": reasons,
            }))
            .unwrap()
        };
        let told = batch(37, 1, json!([{ "reason": "too_big", "count": 1 }])).words();
        assert_eq!(told, "of 38 claimed: 37 delivered, 1 refused (1 too big)");
        assert_eq!(batch(0, 0, json!([])).words(), "no claims");
    }
}
