//! What is wanted of single devices, how far they are from it, and which devices are.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::devices::DevicePath;
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::desired::differ::Difference;
use crate::desired::effective::Effective;
use crate::service::desired::{self as service, View, Wants};
use crate::store::wants::{Drifted, Filter};

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(get_device_desired, change_device_desired))
        .routes(routes!(compare_device))
        .routes(routes!(reapply_device))
        .routes(routes!(accept_differences))
        .routes(routes!(ignore_differences))
        .routes(routes!(list_drift))
        .routes(routes!(count_drift))
}

/// What is wanted of a device, and how far it is from that.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DesiredView {
    /// Which.
    device_id: Uuid,
    /// `unmanaged`: nothing is wanted, or it was never compared; `in_sync`; `pending`: it is being
    /// mended; `drifted`: it differs, and that is only told; `blocked`: it differs, and something is in
    /// the way.
    state: String,
    /// Why.
    reason: Option<String>,
    /// What differs.
    differences: Vec<Difference>,
    /// Since when something does.
    drifted_at: Option<DateTime<Utc>>,
    /// When it was compared last.
    compared_at: Option<DateTime<Utc>>,
    /// When it is compared next, unless something happens before.
    due_at: Option<DateTime<Utc>>,
    /// All that is wanted of it, and which layer says so.
    effective: Effective,
    /// What is wanted of it alone.
    wants: Wants,
    /// The script that it took last, or is to take; null = none.
    script: Option<ScriptView>,
    /// Failed attempts in a row.
    attempts: i32,
    /// Why it cannot undo a script by itself that cuts it off; null = it can.
    rescue: Option<String>,
}

/// A script that a device took, or is to take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScriptView {
    /// The template that it is made of.
    template_id: Option<Uuid>,
    /// What that is called; null = it is gone.
    template: Option<String>,
    /// Which of its versions.
    version: Option<i32>,
    /// The job that brings or brought it.
    job_id: Option<Uuid>,
    /// When it was ordered.
    at: Option<DateTime<Utc>>,
    /// What the device said of it; null = nothing yet.
    #[schema(value_type = Option<Object>)]
    report: Option<Value>,
}

impl DesiredView {
    fn of(view: View) -> Self {
        let View { device_id, row, effective, wants, template, rescue, .. } = view;
        let script = row.script_sha256.as_ref().map(|_| ScriptView {
            template_id: row.script_template,
            template,
            version: row.script_version,
            job_id: row.script_job,
            at: row.script_at,
            report: row.script_report.clone(),
        });
        Self {
            device_id,
            state: row.state,
            reason: row.reason,
            differences: row.differences.0,
            drifted_at: row.drifted_at,
            compared_at: row.compared_at,
            due_at: row.due_at,
            effective,
            wants,
            script,
            attempts: row.attempts,
            rescue,
        }
    }
}

/// Get what is wanted of a device
///
/// Each value with the layer that it comes from, and what differs; secrets masked.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/desired",
    tag = "desired",
    params(DevicePath),
    responses((status = 200, description = "What is wanted of it", body = DesiredView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_device_desired(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<DesiredView>, Problem> {
    view(&app, &ctx, &path.device_id).await
}

async fn view(app: &Shared, ctx: &Ctx, device: &str) -> Result<Json<DesiredView>, Problem> {
    Ok(Json(DesiredView::of(service::of(app, ctx, device).await?)))
}

/// Want something else of a device alone
///
/// What is not named stays; null takes away the profile, a variable or a parameter. It is compared at
/// once.
#[utoipa::path(
    patch,
    path = "/api/v1/devices/{device_id}/desired",
    tag = "desired",
    params(DevicePath),
    request_body(content = Wants, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "What is wanted of it now", body = DesiredView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_device_desired(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DesiredView>, Problem> {
    let patch = |wants: Wants| merge::apply(json!(wants), body);
    service::change(&app, &ctx, &path.device_id, patch).await?;
    view(&app, &ctx, &path.device_id).await
}

/// Compare a device now
///
/// What is wanted of it is read from it first.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/desired/compare",
    tag = "desired",
    params(DevicePath),
    responses((status = 200, description = "How it is until then", body = DesiredView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn compare_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<DesiredView>, Problem> {
    service::compare(&app, &ctx, &path.device_id).await?;
    view(&app, &ctx, &path.device_id).await
}

/// Put a device back to what is wanted of it
///
/// Also what it was left alone with because it kept undoing it; its script is sent once more.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/desired/reapply",
    tag = "desired",
    params(DevicePath),
    responses((status = 200, description = "How it is until then", body = DesiredView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn reapply_device(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
) -> Result<Json<DesiredView>, Problem> {
    service::reapply(&app, &ctx, &path.device_id).await?;
    view(&app, &ctx, &path.device_id).await
}

/// Names of differences.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DifferenceNames {
    /// As `differences` has them.
    #[schema(min_items = 1, max_items = 1000)]
    names: Vec<String>,
}

/// Accept what a device has
///
/// The values that it has of these parameters are wanted of it from now on: its own layer says so.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/desired/accept",
    tag = "desired",
    params(DevicePath),
    request_body = DifferenceNames,
    responses((status = 200, description = "What is wanted of it now", body = DesiredView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn accept_differences(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DesiredView>, Problem> {
    let DifferenceNames { names } = merge::apply(json!({}), body)?;
    service::accept(&app, &ctx, &path.device_id, &names).await?;
    view(&app, &ctx, &path.device_id).await
}

/// Ignore differences of a device
///
/// They are neither told nor mended any more. Changing `ignored` takes that back.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device_id}/desired/ignore",
    tag = "desired",
    params(DevicePath),
    request_body = DifferenceNames,
    responses((status = 200, description = "What is wanted of it now", body = DesiredView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn ignore_differences(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DevicePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<DesiredView>, Problem> {
    let DifferenceNames { names } = merge::apply(json!({}), body)?;
    service::ignore(&app, &ctx, &path.device_id, &names).await?;
    view(&app, &ctx, &path.device_id).await
}

/// A device that is not as it is wanted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DriftedView {
    /// Which.
    device_id: Uuid,
    /// Its serial number.
    serial: String,
    /// RouterOS system identity.
    identity: Option<String>,
    /// The board.
    model: Option<String>,
    /// Path of the site where it stands; null = in none.
    site: Option<String>,
    /// `pending`, `drifted` or `blocked`.
    state: String,
    /// Why.
    reason: Option<String>,
    /// What differs; secrets masked.
    differences: Vec<Difference>,
    /// Since when something does.
    drifted_at: Option<DateTime<Utc>>,
    /// When it was compared last.
    compared_at: Option<DateTime<Utc>>,
}

impl DriftedView {
    fn of(d: Drifted) -> Self {
        Self {
            device_id: d.device_id,
            serial: d.serial,
            identity: d.identity,
            model: d.model,
            site: d.site,
            state: d.state,
            reason: d.reason,
            differences: d.differences.0,
            drifted_at: d.drifted_at,
            compared_at: d.compared_at,
        }
    }
}

/// A page of devices that are not as they are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DriftPage {
    /// Only those in this state: `pending`, `drifted` or `blocked`.
    state: Option<String>,
    /// Only those at the site with this path and below.
    under: Option<String>,
    /// Only those of which this differs: the full name of a parameter, `template`, `release` or
    /// `configuration`.
    name: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// List devices that are not as they are wanted
///
/// In order of their ids; those that the caller may read.
#[utoipa::path(
    get,
    path = "/api/v1/drift",
    tag = "desired",
    params(DriftPage),
    responses((status = 200, description = "A page of devices", body = Page<DriftedView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_drift(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<DriftPage>,
) -> Result<Json<Page<DriftedView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let DriftPage { state, under, name, after, .. } = query;
    let filter = Filter { state, under, name };
    let rows = service::drifted(&app, &ctx, &filter, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |d| d.device_id.to_string(), DriftedView::of)))
}

/// How many devices are in which state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DriftCounts {
    /// By state; one in which there is none is not here.
    states: BTreeMap<String, i64>,
}

/// Count devices by how far they are from what is wanted
///
/// Those that the caller may read and that were compared at least once.
#[utoipa::path(
    get,
    path = "/api/v1/drift/count",
    tag = "desired",
    responses((status = 200, description = "How many", body = DriftCounts), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn count_drift(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<DriftCounts>, Problem> {
    Ok(Json(DriftCounts { states: service::counts(&app, &ctx).await? }))
}
