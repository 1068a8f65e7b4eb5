//! Templates: make, list, change, remove, copy (here); [`trial`]: try one out. [`view`]: how they are
//! shown.

mod trial;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::etag::{IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::service::templates::{self as service, TemplateFields};
use crate::store::templates::Told;
use view::{
    TemplateSummary, TemplateVersionSummary, TemplateVersionView, TemplateView, made, shown,
};

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_templates, create_template))
        .routes(routes!(trial::lint_template))
        .routes(routes!(trial::preview_template_body))
        .routes(routes!(get_template, change_template, delete_template))
        .routes(routes!(list_template_versions))
        .routes(routes!(get_template_version))
        .routes(routes!(copy_template))
        .routes(routes!(trial::preview_template))
}

/// A template in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TemplatePath {
    /// Id of the template.
    template_id: Uuid,
}

/// A page of templates.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TemplatePage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List templates
///
/// By name.
#[utoipa::path(
    get,
    path = "/api/v1/templates",
    tag = "templates",
    params(TemplatePage),
    responses(
        (status = 200, description = "A page of templates", body = Page<TemplateSummary>),
        Problem
    ),
    security(("token" = ["read"]))
)]
async fn list_templates(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<TemplatePage>,
) -> Result<Json<Page<TemplateSummary>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let after = query.after.as_deref();
    if after.is_some_and(|name| check_name(name).is_err()) {
        return Err(Error::invalid("", "after is no cursor that this list gave").into());
    }
    let rows = service::list(&app, &ctx, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |t| t.name.clone(), TemplateSummary::of)))
}

/// Make a template
///
/// Refused with the lines if something is wrong with it, or if it is for the bench and cannot be a
/// board's first script; what is only to be warned of is not.
#[utoipa::path(
    post,
    path = "/api/v1/templates",
    tag = "templates",
    request_body = TemplateFields,
    responses((status = 201, description = "The new template", body = TemplateView), Problem),
    security(("token" = ["operate"]))
)]
async fn create_template(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<TemplateView>, Problem> {
    let fields: TemplateFields = merge::apply(json!({}), body)?;
    Ok(made(service::create(&app, &ctx, fields).await?))
}

/// Get a template
#[utoipa::path(
    get,
    path = "/api/v1/templates/{template_id}",
    tag = "templates",
    params(TemplatePath),
    responses(
        (
            status = 200,
            description = "The template with its newest version; `ETag` is for changes",
            body = TemplateView
        ),
        Problem
    ),
    security(("token" = ["read"]))
)]
async fn get_template(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TemplatePath>,
) -> Result<Shown<TemplateView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.template_id).await?))
}

/// Change a template
///
/// What is not named stays; null gives a field its default. Another body or other variables make a new
/// version: the devices of profiles that use the newest one get it.
#[utoipa::path(
    patch,
    path = "/api/v1/templates/{template_id}",
    tag = "templates",
    params(TemplatePath, IfMatch),
    request_body(content = TemplateFields, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The template as it is now", body = TemplateView),
        Problem
    ),
    security(("token" = ["operate"]))
)]
async fn change_template(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TemplatePath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<TemplateView>, Problem> {
    let patch = |fields: TemplateFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.template_id, check, patch).await?))
}

/// Remove a template
///
/// With all its versions. Refused while a profile uses it, and for one that comes with Muster.
#[utoipa::path(
    delete,
    path = "/api/v1/templates/{template_id}",
    tag = "templates",
    params(TemplatePath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
async fn delete_template(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TemplatePath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, path.template_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of versions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VersionPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<i32>,
}

/// List a template's versions
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/v1/templates/{template_id}/versions",
    tag = "templates",
    params(TemplatePath, VersionPage),
    responses(
        (status = 200, description = "A page of versions", body = Page<TemplateVersionSummary>),
        Problem
    ),
    security(("token" = ["read"]))
)]
async fn list_template_versions(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TemplatePath>,
    QueryArgs(query): QueryArgs<VersionPage>,
) -> Result<Json<Page<TemplateVersionSummary>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::versions(&app, &ctx, path.template_id, query.before, limit.rows()).await?;
    let cursor = |v: &Told| v.version.to_string();
    Ok(Json(Page::of(rows, limit, cursor, TemplateVersionSummary::of)))
}

/// A version of a template in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct VersionPath {
    /// Id of the template.
    template_id: Uuid,
    /// Number of the version.
    version: i32,
}

/// Get a version of a template
#[utoipa::path(
    get,
    path = "/api/v1/templates/{template_id}/versions/{version}",
    tag = "templates",
    params(VersionPath),
    responses((status = 200, description = "The version", body = TemplateVersionView), Problem),
    security(("token" = ["read"]))
)]
async fn get_template_version(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<VersionPath>,
) -> Result<Json<TemplateVersionView>, Problem> {
    let view = service::version(&app, &ctx, path.template_id, Some(path.version)).await?;
    Ok(Json(TemplateVersionView::of(view.version)))
}

/// What a copy is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemplateCopy {
    /// 1 to 64 characters.
    name: String,
}

/// Copy a template
///
/// The copy has one version, the newest of the template. One that comes with Muster is changed that
/// way.
#[utoipa::path(
    post,
    path = "/api/v1/templates/{template_id}/copy",
    tag = "templates",
    params(TemplatePath),
    request_body = TemplateCopy,
    responses((status = 201, description = "The copy", body = TemplateView), Problem),
    security(("token" = ["operate"]))
)]
async fn copy_template(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TemplatePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<TemplateView>, Problem> {
    let TemplateCopy { name } = merge::apply(json!({}), body)?;
    Ok(made(service::copy(&app, &ctx, path.template_id, &name).await?))
}
