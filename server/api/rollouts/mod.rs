//! Rollouts: write, try, order about, and read what becomes of them.
//!
//! - here: rollouts themselves. [`view`]: how they are shown.
//! - [`dry_run`]: what one would do. [`orders`]: what people order of one. [`upgrade`]: of one device.
//! - [`devices`]: its devices and its story. [`report`]: what became of it.

mod devices;
mod dry_run;
mod orders;
mod report;
mod upgrade;
mod view;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::rollout::plan::Plan;
use crate::rollout::state;
use crate::service::rollouts::write::{self, RolloutFields};
use crate::service::rollouts::{self as service, View};
use view::RolloutView;

/// Bytes of a request: a canary list of thousands of devices has fewer.
const MAX_BODY: usize = 1 << 20;

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_rollouts, create_rollout))
        .routes(routes!(get_rollout, change_rollout, delete_rollout))
        .routes(routes!(dry_run::try_rollout))
        .routes(routes!(dry_run::dry_run_rollout))
        .routes(routes!(orders::start_rollout))
        .routes(routes!(orders::approve_rollout))
        .routes(routes!(orders::approve_rollout_wave))
        .routes(routes!(orders::pause_rollout))
        .routes(routes!(orders::resume_rollout))
        .routes(routes!(orders::abort_rollout))
        .routes(routes!(orders::roll_back_rollout))
        .routes(routes!(orders::retry_rollout))
        .routes(routes!(orders::exclude_from_rollout))
        .routes(routes!(devices::list_rollout_devices))
        .routes(routes!(devices::list_rollout_events))
        .routes(routes!(report::get_rollout_report))
        .routes(routes!(upgrade::upgrade_device))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// A rollout in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RolloutPath {
    /// Id of the rollout.
    rollout_id: Uuid,
}

fn shown(view: View) -> Shown<RolloutView> {
    etag::shown(view.row.updated_at, RolloutView::of(view))
}

fn made(view: View) -> Made<RolloutView> {
    etag::made(format!("/api/v1/rollouts/{}", view.row.rollout_id), shown(view))
}

/// What a body says, null included: that turns a limit or a check off, and is not the same as what is
/// not there.
fn whole<T: DeserializeOwned>(body: Value) -> Result<T, Error> {
    merge::apply(body, json!({}))
}

/// A page of rollouts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RolloutPage {
    /// Only those in this state.
    #[param(inline)]
    state: Option<state::State>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
}

/// List rollouts
///
/// Newest first: those of which the caller may read all sites that they may touch.
#[utoipa::path(
    get,
    path = "/api/v1/rollouts",
    tag = "rollouts",
    params(RolloutPage),
    responses(
        (status = 200, description = "A page of rollouts", body = Page<RolloutView>),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn list_rollouts(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<RolloutPage>,
) -> Result<Json<Page<RolloutView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::list(&app, &ctx, query.state, query.before, limit.rows()).await?;
    let cursor = |view: &View| view.row.rollout_id.to_string();
    Ok(Json(Page::of(rows, limit, cursor, RolloutView::of)))
}

/// Write a rollout
///
/// A draft: nothing happens before it is started. What the plan does not say is careful; a limit or a
/// check that is null is off. It may go wherever the caller operates.
#[utoipa::path(
    post,
    path = "/api/v1/rollouts",
    tag = "rollouts",
    request_body = RolloutFields,
    responses((status = 201, description = "The new draft", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<RolloutView>, Problem> {
    Ok(made(write::create(&app, &ctx, whole(body)?).await?))
}

/// Get a rollout
///
/// With its waves, and how many of their devices are where.
#[utoipa::path(
    get,
    path = "/api/v1/rollouts/{rollout_id}",
    tag = "rollouts",
    params(RolloutPath),
    responses(
        (status = 200, description = "The rollout; `ETag` is its version", body = RolloutView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
) -> Result<Shown<RolloutView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.rollout_id).await?))
}

/// Change a draft
///
/// What is not named stays. `change` and `audience` are named whole. Within `plan` objects are merged,
/// a list is replaced, and null turns a limit or a check off; `"plan": null` gives all of it its
/// default. Secrets that come as `********` stay what they are.
#[utoipa::path(
    patch,
    path = "/api/v1/rollouts/{rollout_id}",
    tag = "rollouts",
    params(RolloutPath, IfMatch),
    request_body(content = RolloutFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The draft as it is now", body = RolloutView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<RolloutView>, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    let patch = |fields: RolloutFields| patched(&fields, body);
    Ok(shown(write::change(&app, &ctx, path.rollout_id, check, patch).await?))
}

/// Remove a draft
///
/// What was started once stays, with its story.
#[utoipa::path(
    delete,
    path = "/api/v1/rollouts/{rollout_id}",
    tag = "rollouts",
    params(RolloutPath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_rollout(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<RolloutPath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    write::delete(&app, &ctx, path.rollout_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a patch makes of a draft. Not by RFC 7396 to the letter: of another kind of change nothing of
/// the old one may stay, and a limit that is taken away is none, not the careful one.
fn patched(fields: &RolloutFields, patch: Value) -> Result<RolloutFields, Error> {
    let Value::Object(mut patch) = patch else {
        return Err(Error::invalid("", "the body is a JSON object"));
    };
    let mut document = json!(fields);
    for part in ["change", "audience"] {
        if let Some(whole) = patch.remove(part) {
            document[part] = whole;
        }
    }
    match patch.remove("plan") {
        None => {}
        Some(Value::Null) => document["plan"] = json!(Plan::default()),
        Some(plan) => overlay(&mut document["plan"], plan),
    }
    merge::apply(document, Value::Object(patch))
}

/// Merges objects; all else, null included, takes the place of what was there.
fn overlay(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(fields), Value::Object(patch)) => {
            for (name, value) in patch {
                overlay(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::rollout::change::Change;

    fn draft() -> RolloutFields {
        whole(json!({
            "name": "spring",
            "change": { "kind": "release", "version": "7.16.1" },
            "audience": { "selector": "tag = pilot" },
            "plan": { "soak_minutes": 5, "pace": { "per_minute": 10 } },
        }))
        .unwrap()
    }

    #[test]
    fn what_is_null_is_off_and_what_is_absent_is_careful() {
        let fields = json!({
            "name": "spring",
            "change": { "kind": "release", "version": "7.16.1" },
            "audience": { "selector": "tag = pilot" },
            "plan": { "checks": { "cpu_points": null }, "error": { "percent": null, "count": 2 } },
        });
        let fields: RolloutFields = whole(fields).unwrap();
        assert_eq!((fields.plan.checks.cpu_points, fields.plan.checks.crash), (None, true));
        assert_eq!((fields.plan.error.percent, fields.plan.error.count), (None, Some(2)));
        assert_eq!(draft().plan.checks, Plan::default().checks);
    }

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let patch = json!({ "plan": { "checks": { "crash": false, "signal_db": null } } });
        let after = patched(&draft(), patch).unwrap();
        assert_eq!((after.plan.checks.crash, after.plan.checks.signal_db), (false, None));
        assert_eq!((after.plan.soak_minutes, after.plan.pace.per_minute), (5, Some(10)));
        assert_eq!((after.name.as_str(), &after.change), ("spring", &draft().change));
        let off = patched(&draft(), json!({ "plan": { "pace": { "per_minute": null } } })).unwrap();
        assert_eq!(off.plan.pace.per_minute, None);
        let careful = patched(&draft(), json!({ "plan": null, "name": "x" })).unwrap();
        assert_eq!((careful.plan, careful.name.as_str()), (Plan::default(), "x"));
    }

    #[test]
    fn another_change_leaves_nothing_of_the_old_one() {
        let artifact_id = Uuid::from_u128(7);
        let patch = json!({ "change": { "kind": "script", "artifact_id": artifact_id } });
        let after = patched(&draft(), patch).unwrap();
        assert_eq!(after.change, Change::Script { artifact_id, undo_artifact_id: None });
        let group = json!({ "audience": { "group_id": artifact_id } });
        assert_eq!(patched(&draft(), group).unwrap().audience.selector, None);
    }

    #[test]
    fn what_cannot_be_read_is_pointed_at() {
        for (patch, place) in [
            (json!({ "plan": { "soak_minutes": null } }), "/plan/soak_minutes"),
            (json!({ "plan": { "pace": { "per_hour": 1 } } }), "/plan/pace/per_hour"),
            (json!({ "plan": 7 }), "/plan"),
            (json!({ "audience": null }), "/audience"),
            (json!({ "colour": "red" }), "/colour"),
            (json!([]), ""),
        ] {
            let Err(Error::Invalid { pointer, .. }) = patched(&draft(), patch.clone()) else {
                panic!("{patch} was taken");
            };
            assert_eq!(pointer, place, "{patch}");
        }
    }
}
