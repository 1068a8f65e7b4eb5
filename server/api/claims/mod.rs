//! Claims: make, list, change, remove, and the credential of one.
//!
//! - [`import`]: many at once, and all of them, as CSV. [`quarantine`]: devices that nobody expects.

mod import;
mod quarantine;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::etag::{self, IfMatch, Made, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::claim::ClaimFields;
use crate::fleet::variables::Variables;
use crate::service::claims::{self as service, Filter};
use crate::store::claims::Claim;

/// The routes, with their part of the description.
pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_claims, create_claim))
        .routes(routes!(import::preview_claims))
        .routes(routes!(import::import_claims))
        .routes(routes!(import::export_claims))
        .routes(routes!(get_claim, change_claim, delete_claim))
        .routes(routes!(reveal_claim_credential))
        .routes(routes!(quarantine::list_quarantine))
        .routes(routes!(quarantine::forget_quarantined))
        .routes(routes!(quarantine::accept_device))
}

/// A claim.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClaimView {
    /// Which.
    claim_id: Uuid,
    /// `open`, `taken`, or `refused`: open, and a device that wanted it did not get it.
    state: &'static str,
    /// Serial number of the device that is expected.
    serial: Option<String>,
    /// The MAC address of one of its Ethernet ports.
    mac: Option<String>,
    /// What it is said to be.
    model: Option<String>,
    /// Path of the site where it comes to stand.
    site: Option<String>,
    /// Name of the profile that is bound to it.
    profile: Option<String>,
    /// For templates; secrets masked.
    variables: Variables,
    /// Tags that it gets, in order.
    tags: Vec<String>,
    /// The customer's number.
    customer: Option<String>,
    /// The password on its sticker, masked; null = it was not said.
    factory_password: Option<String>,
    /// Only a device that comes with the claim's own credential takes it.
    own_credential: bool,
    /// The device that took it.
    device_id: Option<Uuid>,
    /// When.
    taken_at: Option<DateTime<Utc>>,
    /// Why the last device that wanted it did not get it.
    refused: Option<String>,
    /// When that was.
    refused_at: Option<DateTime<Utc>>,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed, or was taken.
    updated_at: DateTime<Utc>,
}

impl ClaimView {
    fn of(c: Claim) -> Self {
        let fields = ClaimFields::of(&c);
        Self {
            claim_id: c.claim_id,
            state: match (c.device_id, &c.refused) {
                (Some(_), _) => "taken",
                (None, Some(_)) => "refused",
                (None, None) => "open",
            },
            serial: fields.serial,
            mac: fields.mac,
            model: fields.model,
            site: fields.site,
            profile: fields.profile,
            variables: fields.variables,
            tags: fields.tags,
            customer: fields.customer,
            factory_password: fields.factory_password,
            own_credential: fields.own_credential,
            device_id: c.device_id,
            taken_at: c.taken_at,
            refused: c.refused,
            refused_at: c.refused_at,
            created_by: c.created_by,
            created_at: c.created_at,
            updated_at: c.updated_at,
        }
    }
}

fn shown(claim: Claim) -> Shown<ClaimView> {
    etag::shown(claim.updated_at, ClaimView::of(claim))
}

/// A claim in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ClaimPath {
    /// Id of the claim.
    claim_id: Uuid,
}

/// A page of claims.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ClaimPage {
    /// Only those that are `open`, `taken`, or `refused`.
    state: Option<String>,
    /// Only those for this site and those in it.
    site: Option<String>,
    /// How serial number, MAC address or the customer's number begin.
    q: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// List claims
///
/// In the order in which they were made: those for sites that the caller may read.
#[utoipa::path(
    get,
    path = "/api/v1/claims",
    tag = "claims",
    params(ClaimPage),
    responses((status = 200, description = "A page of claims", body = Page<ClaimView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_claims(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ClaimPage>,
) -> Result<Json<Page<ClaimView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let filter = Filter { state: query.state, site: query.site, text: query.q, mac: None };
    let rows = service::list(&app, &ctx, filter, query.after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |c| c.claim_id.to_string(), ClaimView::of)))
}

/// Claim a device
///
/// It is let in when it comes, and is what the claim says.
#[utoipa::path(
    post,
    path = "/api/v1/claims",
    tag = "claims",
    request_body = ClaimFields,
    responses((status = 201, description = "The new claim", body = ClaimView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn create_claim(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Made<ClaimView>, Problem> {
    let unsaid = body.get("own_credential").is_none_or(Value::is_null);
    let mut fields: ClaimFields = merge::apply(json!({}), body)?;
    if unsaid {
        fields.own_credential = app.config.zero_touch.claims_own_credential;
    }
    let claim = service::create(&app, &ctx, fields).await?;
    Ok(etag::made(format!("/api/v1/claims/{}", claim.claim_id), shown(claim)))
}

/// Get a claim
#[utoipa::path(
    get,
    path = "/api/v1/claims/{claim_id}",
    tag = "claims",
    params(ClaimPath),
    responses(
        (status = 200, description = "The claim; `ETag` is its version", body = ClaimView),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn get_claim(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ClaimPath>,
) -> Result<Shown<ClaimView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.claim_id).await?))
}

/// Change a claim
///
/// What is not named stays; null gives a field its default. A secret that is sent back as `********`
/// stays what it is. Refused once a device has taken it.
#[utoipa::path(
    patch,
    path = "/api/v1/claims/{claim_id}",
    tag = "claims",
    params(ClaimPath, IfMatch),
    request_body(content = ClaimFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The claim as it is now", body = ClaimView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn change_claim(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ClaimPath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<ClaimView>, Problem> {
    let patch = |fields: ClaimFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.claim_id, check, patch).await?))
}

/// Remove a claim
///
/// The device that took it stays what it is.
#[utoipa::path(
    delete,
    path = "/api/v1/claims/{claim_id}",
    tag = "claims",
    params(ClaimPath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn delete_claim(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ClaimPath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, path.claim_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a device is prepared with.
#[derive(Serialize, ToSchema)]
pub(super) struct ClaimCredential {
    /// User name for the ACS.
    username: String,
    /// Password for the ACS.
    password: String,
    /// The password on the device's sticker; null = it was not said.
    factory_password: Option<String>,
}

/// Show the credential of a claim
///
/// With it, a device logs in at first, and takes no other claim; it is then given one of its own. Each
/// look is in the audit log.
#[utoipa::path(
    post,
    path = "/api/v1/claims/{claim_id}/credential",
    tag = "claims",
    params(ClaimPath),
    responses((status = 200, description = "The credential", body = ClaimCredential), Problem),
    security(("token" = ["secrets"]))
)]
pub(super) async fn reveal_claim_credential(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<ClaimPath>,
) -> Result<([(HeaderName, &'static str); 1], Json<ClaimCredential>), Problem> {
    let credential = service::credential(&app, &ctx, path.claim_id).await?;
    let shown = ClaimCredential {
        password: credential.login.expose_password().to_owned(),
        username: credential.login.username,
        factory_password: credential.factory_password,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(shown)))
}
