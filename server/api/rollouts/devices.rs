//! The devices of a rollout, and its story.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::extract::{PathArgs, QueryArgs};
use super::super::page::{Limit, Page};
use super::super::problem::Problem;
use super::RolloutPath;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::health::Verdict;
use crate::rollout::device::Step;
use crate::rollout::state::DeviceState;
use crate::service::rollouts::read;
use crate::store::rollouts::devices::list::{Filter, ListRow};
use crate::store::rollouts::story::StoryRow;

/// A device of a rollout.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RolloutDeviceView {
    /// Which.
    pub device_id: Uuid,
    /// As the device says.
    pub serial: String,
    /// RouterOS system identity.
    pub identity: Option<String>,
    /// As the device says.
    pub product_class: String,
    /// RouterOS architecture.
    pub arch: Option<String>,
    /// What it runs now.
    pub version: Option<String>,
    /// Path of the site where it stood when it was taken in.
    pub site: Option<String>,
    /// Its wave, from 0; null = it was left out before it had one.
    pub wave: Option<i32>,
    /// Where it is.
    #[schema(value_type = DeviceState)]
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// What its failure means for the rollout: retry, give_up or hold; null = it has not failed.
    pub fault_class: Option<String>,
    /// What is done to it, in words.
    pub steps: Vec<String>,
    /// Which of these it is at, from 0.
    pub step: i32,
    /// How often this one was begun.
    pub attempts: i32,
    /// The job of this step.
    pub job_id: Option<Uuid>,
    /// What it ran.
    pub from_version: Option<String>,
    /// What it is to run.
    pub to_version: Option<String>,
    /// What it downloads, in bytes.
    pub bytes: i64,
    /// How well it was before.
    #[schema(value_type = Option<Object>)]
    pub baseline: Option<Value>,
    /// What was seen of its health when it was last looked at.
    #[schema(value_type = Option<Verdict>)]
    pub verdict: Option<Value>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// Since when it runs what it should.
    pub changed_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

impl RolloutDeviceView {
    pub(super) fn of(d: ListRow) -> Self {
        // What an older version wrote is shown as nothing, not as a list that cannot be shown.
        let steps: Vec<Step> = serde_json::from_value(d.steps).unwrap_or_default();
        Self {
            device_id: d.device_id,
            serial: d.serial,
            identity: d.identity,
            product_class: d.product_class,
            arch: d.arch,
            version: d.version,
            site: d.site,
            wave: d.wave,
            state: d.state,
            reason: d.reason,
            fault_class: d.fault_class,
            steps: steps.iter().map(Step::words).collect(),
            step: d.step,
            attempts: d.attempts,
            job_id: d.job_id,
            from_version: d.from_version,
            to_version: d.to_version,
            bytes: d.bytes,
            baseline: d.baseline,
            verdict: d.verdict,
            started_at: d.started_at,
            changed_at: d.changed_at,
            finished_at: d.finished_at,
        }
    }
}

/// Which devices of a rollout.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RolloutDevicePage {
    /// Only those in this state.
    #[param(inline)]
    state: Option<DeviceState>,
    /// Only those of this wave, from 0.
    #[param(minimum = 0)]
    wave: Option<i32>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List a rollout's devices
///
/// In the order in which they are taken; those that were left out are at the end.
#[utoipa::path(
    get,
    path = "/api/v1/rollouts/{rollout_id}/devices",
    tag = "rollouts",
    params(RolloutPath, RolloutDevicePage),
    responses(
        (status = 200, description = "A page of devices", body = Page<RolloutDeviceView>),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_rollout_devices(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    QueryArgs(query): QueryArgs<RolloutDevicePage>,
) -> Result<Json<Page<RolloutDeviceView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let filter = Filter {
        states: query.state.map(|state| state.word().to_owned()).into_iter().collect(),
        wave: query.wave,
        after: query.after.as_deref().map(place_of).transpose()?,
        limit: limit.rows(),
        ..Filter::default()
    };
    let rows = read::devices(&app, &ctx, path.rollout_id, &filter).await?;
    Ok(Json(Page::of(rows, limit, cursor, RolloutDeviceView::of)))
}

fn cursor(row: &ListRow) -> String {
    format!("{}-{}", row.position, row.device_id.simple())
}

/// The place that [`cursor`] wrote down.
fn place_of(cursor: &str) -> Result<(i64, Uuid), Error> {
    let parse = || {
        let (position, id) = cursor.split_once('-')?;
        Some((position.parse().ok()?, Uuid::try_parse(id).ok()?))
    };
    parse().ok_or_else(|| Error::invalid("", "that is no cursor that this list gave"))
}

/// Something that happened in a rollout.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RolloutEventView {
    /// Which.
    event_id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// What: state, wave, device, prepared, retry, exclude ...
    kind: String,
    /// Who: a user, a token, or `muster` itself.
    actor: String,
    /// The device that it is about, where it is about one.
    device_id: Option<Uuid>,
    /// In words.
    text: String,
    /// With the numbers that were seen.
    #[schema(value_type = Object)]
    detail: Value,
}

impl RolloutEventView {
    pub(super) fn of(row: StoryRow) -> Self {
        Self {
            event_id: row.event_id,
            at: row.at,
            kind: row.kind,
            actor: row.actor,
            device_id: row.device_id,
            text: row.detail["text"].as_str().unwrap_or_default().to_owned(),
            detail: row.detail,
        }
    }
}

/// A page of a rollout's story.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StoryPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
}

/// Tell a rollout's story
///
/// Newest first: each change of its state and who made it, each wave, each device that failed.
#[utoipa::path(
    get,
    path = "/api/v1/rollouts/{rollout_id}/events",
    tag = "rollouts",
    params(RolloutPath, StoryPage),
    responses(
        (status = 200, description = "A page of events", body = Page<RolloutEventView>),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_rollout_events(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    QueryArgs(query): QueryArgs<StoryPage>,
) -> Result<Json<Page<RolloutEventView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = read::story(&app, &ctx, path.rollout_id, query.before, limit.rows()).await?;
    let cursor = |row: &StoryRow| row.event_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, RolloutEventView::of)))
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    /// A device that failed.
    pub(in crate::api::rollouts) fn row(position: i64) -> ListRow {
        ListRow {
            device_id: Uuid::from_u128(7),
            serial: "HAP0001".to_owned(),
            identity: Some("=1+1".to_owned()),
            product_class: "hAP, ac²".to_owned(),
            arch: Some("arm".to_owned()),
            version: Some("7.12.1".to_owned()),
            site: Some("eu.lv".to_owned()),
            wave: Some(1),
            position,
            state: "failed".to_owned(),
            reason: Some("came back on 7.12.1 instead of 7.16.1".to_owned()),
            fault_class: Some("retry".to_owned()),
            steps: json!([]),
            step: 0,
            attempts: 2,
            job_id: None,
            from_version: Some("7.12.1".to_owned()),
            to_version: Some("7.16.1".to_owned()),
            bytes: 12_345,
            baseline: None,
            verdict: None,
            started_at: Some(DateTime::UNIX_EPOCH),
            changed_at: None,
            finished_at: Some(DateTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        assert_eq!(place_of(&cursor(&row(41))).unwrap(), (41, Uuid::from_u128(7)));
        for bad in ["", "-", "7", "7-x", "x-00000000000000000000000000000007"] {
            assert!(place_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_of_another_time_are_no_fault() {
        let view = RolloutDeviceView::of(ListRow { steps: json!([{ "step": "?" }]), ..row(1) });
        assert_eq!(view.steps, Vec::<String>::new());
    }

    #[test]
    fn an_event_is_told_in_its_words() {
        let event = |detail: Value| {
            RolloutEventView::of(StoryRow {
                event_id: Uuid::from_u128(9),
                at: DateTime::UNIX_EPOCH,
                kind: "state".to_owned(),
                actor: "ann".to_owned(),
                device_id: None,
                detail,
            })
        };
        assert_eq!(event(json!({ "text": "storm", "to": "paused" })).text, "storm");
        assert_eq!(event(json!({ "to": "paused" })).text, "");
    }
}
