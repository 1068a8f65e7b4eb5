//! What happened in a rollout, the newest first.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{path, words};
use crate::ctx::Shared;
use crate::error::Error;
use crate::rollout::state::State as Stage;
use crate::service::rollouts::{self as service, read};
use crate::store::rollouts::story::StoryRow;
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::manage::{address, answer, cut, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Entries on a page.
const PAGE: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StoryQuery {
    before: String,
}

#[derive(Serialize)]
struct StoryPage {
    shell: Shell,
    here: String,
    name: String,
    story: Vec<Entry>,
    first: String,
    next: String,
}

/// Something that happened, for `ui.event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    at: When,
    title: String,
    state: &'static str,
    by: String,
    /// The device that it is about; empty = none.
    href: String,
}

/// `GET /rollouts/{id}/story`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Query(query): Query<StoryQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let before = match query.before.as_str() {
        "" => None,
        id => Some(Uuid::try_parse(id).map_err(|_| {
            Error::invalid("", "This page does not exist: start from the first one.")
        })?),
    };
    let rollout = service::get(&app, ctx, id).await?;
    let found = read::story(&app, ctx, id, before, with_one_more(PAGE)).await?;
    let (found, more) = cut(found, PAGE);
    let last = found.last().filter(|_| more).map(|entry| entry.event_id.to_string());
    let here = path(id);
    let list = format!("{here}/story");
    let title = format!("{}, story", rollout.row.name);
    let page = StoryPage {
        shell: Shell::new(&viewer, &app.config, title, Section::Rollouts),
        story: found.iter().map(|happened| entry(happened, ctx.now)).collect(),
        first: before.map(|_| list.clone()).unwrap_or_default(),
        next: last.map(|id| address(&list, &[("before", id.as_str())])).unwrap_or_default(),
        name: rollout.row.name,
        here,
    };
    answer(View::RolloutStory, &page, &Complaints::default())
}

/// What happened, as it is shown.
pub(super) fn entry(happened: &StoryRow, now: DateTime<Utc>) -> Entry {
    let said = |name: &str| happened.detail.get(name).and_then(|value| value.as_str());
    let to = said("to").and_then(Stage::of);
    Entry {
        at: When::new(happened.at, now),
        title: match (to, said("text")) {
            (Some(to), Some(text)) => format!("It is {} now: {text}", to.words()),
            (Some(to), None) => format!("It is {} now", to.words()),
            (None, Some(text)) => text.to_owned(),
            (None, None) => words::plain(&happened.kind),
        },
        state: match (happened.kind.as_str(), to) {
            (_, Some(to)) => words::shape(to),
            ("created", None) => "new",
            ("wave", None) => "good",
            ("device", None) => "failed",
            _ => "idle",
        },
        by: happened.actor.clone(),
        href: happened.device_id.map(|id| format!("/devices/{id}")).unwrap_or_default(),
    }
}

#[cfg(test)]
pub(super) fn sample(kind: &str, detail: serde_json::Value) -> StoryRow {
    StoryRow {
        event_id: Uuid::nil(),
        at: DateTime::UNIX_EPOCH,
        kind: kind.to_owned(),
        actor: "<x-evil>".to_owned(),
        device_id: (kind == "device").then(|| Uuid::from_u128(7)),
        detail,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample as render_with;
    use serde_json::json;

    let evil = json!({ "text": "<x-evil>", "to": "paused" });
    let story = [sample("state", evil), sample("device", json!({ "text": "<x-evil>" }))];
    let page = |story: &[StoryRow]| {
        let page = StoryPage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: "<x-evil>".to_owned(),
            story: story.iter().map(|row| entry(row, DateTime::UNIX_EPOCH)).collect(),
            first: String::new(),
            next: "/rollouts/1/story?before=1".to_owned(),
        };
        render_with(View::RolloutStory, &page)
    };
    vec![page(&story), page(&[])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_entry_says_what_happened() {
        let told = |kind: &str, detail| {
            let entry = entry(&sample(kind, detail), DateTime::UNIX_EPOCH);
            (entry.state, entry.title)
        };
        let paused = json!({ "from": "running", "to": "paused", "text": "2 failed" });
        assert_eq!(told("state", paused), ("warn", "It is paused now: 2 failed".to_owned()));
        let wave = json!({ "wave": 1, "text": "wave 1 is good" });
        assert_eq!(told("wave", wave), ("good", "wave 1 is good".to_owned()));
        assert_eq!(told("joined", json!({})), ("idle", "joined".to_owned()));
        let device = entry(&sample("device", json!({})), DateTime::UNIX_EPOCH);
        assert!(device.href.starts_with("/devices/"));
    }
}
