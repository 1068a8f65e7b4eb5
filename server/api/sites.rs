//! Sites: make, list, change, move, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::site::{SiteFields, SitePath};
use crate::fleet::variables::Variables;
use crate::fleet::window::Window;
use crate::service::sites as service;
use crate::store::sites::Site;

/// A site.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SiteView {
    /// Which.
    site_id: Uuid,
    /// Where in the tree, such as `eu.lv.riga`.
    path: String,
    /// For people.
    name: String,
    /// IANA name of its time zone.
    time_zone: String,
    /// Values by name for templates; secrets masked.
    #[schema(value_type = Object)]
    variables: Variables,
    /// When its devices may be changed, by its clock. Empty = as the nearest site above it that has
    /// windows says; if none has, at any time.
    windows: Vec<Window>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed, its path included.
    updated_at: DateTime<Utc>,
}

impl SiteView {
    fn of(s: Site) -> Self {
        Self {
            site_id: s.site_id,
            path: s.path,
            name: s.name,
            time_zone: s.time_zone,
            variables: Variables::masked(&s.variables),
            windows: s.windows.0,
            created_at: s.created_at,
            updated_at: s.updated_at,
        }
    }
}

fn shown(site: Site) -> Shown<SiteView> {
    etag::shown(site.updated_at, SiteView::of(site))
}

/// A site in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SiteId {
    /// Id of the site.
    site_id: Uuid,
}

/// What narrows the list of sites.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SitePage {
    /// Only the site with this path and those in it.
    under: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List sites
///
/// Each before those in it; those that the caller may read.
#[utoipa::path(
    get,
    path = "/api/v1/sites",
    tag = "sites",
    params(SitePage),
    responses((status = 200, description = "A page of sites", body = Page<SiteView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_sites(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<SitePage>,
) -> Result<Json<Page<SiteView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let (under, after) = (checked(query.under.as_deref())?, checked(query.after.as_deref())?);
    let rows = service::list(&app, &ctx, under, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |s| s.path.clone(), SiteView::of)))
}

/// What the query calls a path, if it is one.
fn checked(path: Option<&str>) -> Result<Option<&str>, Error> {
    if let Some(why) = path.and_then(|text| text.parse::<SitePath>().err()) {
        return Err(Error::invalid("", format!("in the query: {why}")));
    }
    Ok(path)
}

/// Make a site
///
/// Its parent must exist, and the caller operate it; a site at the top is made by who operates
/// everything.
#[utoipa::path(
    post,
    path = "/api/v1/sites",
    tag = "sites",
    request_body = SiteFields,
    responses((status = 201, description = "The new site", body = SiteView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_site(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<SiteView>, Problem> {
    let fields: SiteFields = merge::apply(json!({}), body)?;
    let site = service::create(&app, &ctx, fields).await?;
    Ok(etag::made(format!("/api/v1/sites/{}", site.site_id), shown(site)))
}

/// Get a site
#[utoipa::path(
    get,
    path = "/api/v1/sites/{site_id}",
    tag = "sites",
    params(SiteId),
    responses((status = 200, description = "The site; `ETag` is its version", body = SiteView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_site(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SiteId>,
) -> Result<Shown<SiteView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.site_id).await?))
}

/// Change or move a site
///
/// What is not named stays; null gives a field its default. With another `path`, the sites and
/// devices in it move along; selectors that name the old path do not change.
#[utoipa::path(
    patch,
    path = "/api/v1/sites/{site_id}",
    tag = "sites",
    params(SiteId, IfMatch),
    request_body(content = SiteFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The site as it is now", body = SiteView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_site(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SiteId>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<SiteView>, Problem> {
    let patch = |fields: SiteFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.site_id, check, patch).await?))
}

/// Where what is in a site goes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Removal {
    /// Path of the site to which devices move, and below which the sites in it move.
    move_to: Option<String>,
}

/// Remove a site
///
/// One with sites or devices in it only if they have somewhere to go; one that a role of somebody or
/// a token names, or to which a profile is bound, not at all.
#[utoipa::path(
    delete,
    path = "/api/v1/sites/{site_id}",
    tag = "sites",
    params(SiteId, Removal, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_site(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SiteId>,
    QueryArgs(query): QueryArgs<Removal>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    let move_to = query.move_to.as_deref();
    service::delete(&app, &ctx, path.site_id, check, move_to).await?;
    Ok(StatusCode::NO_CONTENT)
}
