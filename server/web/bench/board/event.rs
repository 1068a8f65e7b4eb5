//! What happened to a board, in words.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::netboot::record::Detail;
use crate::store::bench::LogRow;
use crate::web::bench::words;
use crate::web::format::{When, shortened};

/// Characters of the detail of an event.
const MAX_MORE: usize = 200;

/// One line of the page.
#[derive(Serialize)]
pub(super) struct Event {
    at: When,
    pub(super) title: String,
    pub(super) state: &'static str,
    words: String,
    pub(super) more: String,
}

/// What happened to a board, as its page tells it.
pub(super) fn event(entry: &LogRow, now: DateTime<Utc>) -> Event {
    let (title, state) = match entry.state.as_str() {
        "rearmed" => ("to be served once more", "idle"),
        "install_armed" => ("armed for an installation", "warn"),
        "install_cancelled" => ("not to be installed any more", "idle"),
        "forgotten" => ("forgotten", "idle"),
        other => {
            let standing = words::standing(other);
            (standing.label, standing.word)
        }
    };
    Event {
        at: When::new(entry.at, now),
        title: title.to_owned(),
        state,
        words: entry.words.clone().unwrap_or_default(),
        more: more(&entry.detail),
    }
}

/// The detail of an event in one line. Who said something stands in its words.
pub(super) fn more(detail: &Value) -> String {
    let detail: Detail = serde_json::from_value(detail.clone()).unwrap_or_default();
    let by = match detail.by.as_deref() {
        Some("claim") => Some("served as it is claimed".to_owned()),
        Some("allowed") => Some("served as it is allowed".to_owned()),
        Some("any") => Some("served as any board is".to_owned()),
        _ => None,
    };
    let given = words::given(detail.template.as_deref(), detail.template_version);
    let number = |count: i32, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let parts = [
        by,
        Some(given).filter(|given| !given.is_empty()),
        detail.size.map(|size| words::size(size, None, None)),
        detail.file.map(|file| format!("asked for {file}")),
        number(detail.requests, "requests"),
        number(detail.retries, "sent again"),
        detail.duration_ms.map(|took| format!("after {}", words::took(took))),
    ];
    let all: Vec<String> = parts.into_iter().flatten().chain(detail.warnings).collect();
    shortened(&all.join(", "), MAX_MORE)
}
