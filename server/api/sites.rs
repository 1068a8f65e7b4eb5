//! Sites: make, list, change, move, remove.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgExecutor;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Caller, Scope};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::page::{Limit, Page};
use super::problem::Problem;
use super::{etag, merge};
use crate::clock;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::site::{self, SiteFields, SitePath};
use crate::store::sites::{self as store, Site};

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
    /// Values by name for templates.
    #[schema(value_type = Object)]
    variables: Value,
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
            variables: s.variables,
            created_at: s.created_at,
            updated_at: s.updated_at,
        }
    }
}

/// A site with its version.
type Shown = ([(HeaderName, String); 1], Json<SiteView>);

fn shown(site: Site) -> Shown {
    (etag::headers(site.updated_at), Json(SiteView::of(site)))
}

/// A site in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SiteId {
    /// Id of the site.
    site_id: Uuid,
}

impl SiteId {
    async fn load(&self, db: impl PgExecutor<'_>) -> Result<Site, Error> {
        let unknown = || Error::NotFound(format!("no site {}", self.site_id));
        store::get(db, self.site_id).await?.ok_or_else(unknown)
    }
}

/// What narrows the list of sites.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SitePage {
    /// Only the site with this path and those in it.
    under: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List sites
///
/// Each before those in it.
#[utoipa::path(
    get,
    path = "/api/v1/sites",
    tag = "sites",
    params(SitePage),
    responses((status = 200, description = "A page of sites", body = Page<SiteView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_sites(
    caller: Caller,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<SitePage>,
) -> Result<Json<Page<SiteView>>, Problem> {
    caller.require(Scope::Read)?;
    let limit = Limit::new(query.limit)?;
    let (under, after) = (checked(query.under.as_deref())?, checked(query.after.as_deref())?);
    let rows = store::list(&app.pool, under, after, limit.rows()).await?;
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
/// Its parent must exist.
#[utoipa::path(
    post,
    path = "/api/v1/sites",
    tag = "sites",
    request_body = SiteFields,
    responses((status = 201, description = "The new site", body = SiteView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_site(
    caller: Caller,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Shown), Problem> {
    caller.require(Scope::Operate)?;
    let fields: SiteFields = merge::apply(json!({}), body)?;
    let mut tx = app.pool.begin().await?;
    store::lock_tree(&mut tx).await?;
    let site = site::create(&mut tx, fields, clock::now()).await?;
    tx.commit().await?;
    tracing::info!(site.id = %site.site_id, site.path, by = caller.name, "site made");
    let location = [(header::LOCATION, format!("/api/v1/sites/{}", site.site_id))];
    Ok((StatusCode::CREATED, location, shown(site)))
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
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SiteId>,
) -> Result<Shown, Problem> {
    caller.require(Scope::Read)?;
    Ok(shown(path.load(&app.pool).await?))
}

/// Change or move a site
///
/// What is not named stays; null gives a field its default. With another `path`, the sites and
/// devices in it move along; selectors that name the old path do not change.
#[utoipa::path(
    patch,
    path = "/api/v1/sites/{site_id}",
    tag = "sites",
    params(
        SiteId,
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that is meant")
    ),
    request_body(content = SiteFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The site as it is now", body = SiteView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_site(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SiteId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown, Problem> {
    caller.require(Scope::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock_tree(&mut tx).await?;
    let current = path.load(&mut *tx).await?;
    etag::check(&headers, current.updated_at)?;
    let fields = merge::apply(json!(SiteFields::of(&current)), body)?;
    let site = site::change(&mut tx, current, fields, &caller.name, clock::now()).await?;
    tx.commit().await?;
    tracing::info!(site.id = %site.site_id, site.path, by = caller.name, "site changed");
    Ok(shown(site))
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
/// One with sites or devices in it only if they have somewhere to go.
#[utoipa::path(
    delete,
    path = "/api/v1/sites/{site_id}",
    tag = "sites",
    params(
        SiteId,
        Removal,
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that is meant")
    ),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_site(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<SiteId>,
    QueryArgs(query): QueryArgs<Removal>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Operate)?;
    let mut tx = app.pool.begin().await?;
    store::lock_tree(&mut tx).await?;
    let site = path.load(&mut *tx).await?;
    etag::check(&headers, site.updated_at)?;
    let move_to = query.move_to.as_deref();
    site::delete(&mut tx, &site, move_to, &caller.name, clock::now()).await?;
    tx.commit().await?;
    tracing::info!(site.id = %site.site_id, site.path, by = caller.name, "site removed");
    Ok(StatusCode::NO_CONTENT)
}
