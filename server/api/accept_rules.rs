//! Rules of admission: make, list, change, order, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs};
use super::merge;
use super::page::Page;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::admission::rule::RuleFields;
use crate::service::accept_rules as service;
use crate::store::accept_rules::Rule;

/// A rule of admission.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcceptRuleView {
    /// Which.
    rule_id: Uuid,
    /// Its place among the rules, from 1 on: the first that fits holds.
    position: i32,
    /// What people call it.
    name: String,
    /// Which devices it lets in.
    selector: String,
    /// Path of the site where they come to stand.
    site: Option<String>,
    /// Name of the profile that is bound to them.
    profile: Option<String>,
    /// Tags that they get, in order.
    tags: Vec<String>,
    /// It is looked at.
    enabled: bool,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed, its place apart.
    updated_at: DateTime<Utc>,
}

impl AcceptRuleView {
    fn of(r: Rule) -> Self {
        Self {
            rule_id: r.rule_id,
            position: r.position,
            name: r.name,
            selector: r.selector,
            site: r.site,
            profile: r.profile,
            tags: r.tags,
            enabled: r.enabled,
            created_by: r.created_by,
            created_at: r.created_at,
            updated_at: r.updated_at,
        }
    }
}

fn shown(rule: Rule) -> Shown<AcceptRuleView> {
    etag::shown(rule.updated_at, AcceptRuleView::of(rule))
}

/// A rule in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AcceptRulePath {
    /// Id of the rule.
    rule_id: Uuid,
}

/// List rules of admission
///
/// All of them, the first first.
#[utoipa::path(
    get,
    path = "/api/v1/accept-rules",
    tag = "claims",
    responses((status = 200, description = "The rules", body = Page<AcceptRuleView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_accept_rules(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<AcceptRuleView>>, Problem> {
    let rules = service::list(&app, &ctx).await?;
    Ok(Json(Page { items: rules.into_iter().map(AcceptRuleView::of).collect(), next: None }))
}

/// Make a rule of admission
///
/// Devices that nobody claimed are let in by the first rule whose selector finds them. What only the
/// data model tells is known once it was read.
#[utoipa::path(
    post,
    path = "/api/v1/accept-rules",
    tag = "claims",
    request_body = RuleFields,
    responses((status = 201, description = "The new rule", body = AcceptRuleView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_accept_rule(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<AcceptRuleView>, Problem> {
    let fields: RuleFields = merge::apply(json!({}), body)?;
    let rule = service::create(&app, &ctx, fields).await?;
    Ok(etag::made(format!("/api/v1/accept-rules/{}", rule.rule_id), shown(rule)))
}

/// Get a rule of admission
#[utoipa::path(
    get,
    path = "/api/v1/accept-rules/{rule_id}",
    tag = "claims",
    params(AcceptRulePath),
    responses(
        (status = 200, description = "The rule; `ETag` is its version", body = AcceptRuleView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_accept_rule(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<AcceptRulePath>,
) -> Result<Shown<AcceptRuleView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.rule_id).await?))
}

/// Change a rule of admission
///
/// What is not named stays; null gives a field its default. `position` puts it elsewhere among the
/// others.
#[utoipa::path(
    patch,
    path = "/api/v1/accept-rules/{rule_id}",
    tag = "claims",
    params(AcceptRulePath, IfMatch),
    request_body(content = RuleFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The rule as it is now", body = AcceptRuleView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_accept_rule(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<AcceptRulePath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<AcceptRuleView>, Problem> {
    let patch = |fields: RuleFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.rule_id, check, patch).await?))
}

/// Remove a rule of admission
///
/// The devices that it let in stay what they are.
#[utoipa::path(
    delete,
    path = "/api/v1/accept-rules/{rule_id}",
    tag = "claims",
    params(AcceptRulePath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_accept_rule(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<AcceptRulePath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, path.rule_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}
