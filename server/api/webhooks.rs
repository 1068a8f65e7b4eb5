//! Webhooks, and what they were told.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::etag::{self, IfMatch, Shown};
use super::extract::{JsonBody, PathArgs, QueryArgs};
use super::merge;
use super::page::{Limit, Page};
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::notify::hook::{WebhookFields, kinds};
use crate::notify::kind::Kind;
use crate::service::webhooks as service;
use crate::store::deliveries::Delivery;
use crate::store::webhooks::Webhook;

/// Somebody who is told what happens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookView {
    /// Which.
    webhook_id: Uuid,
    /// What people call it.
    name: String,
    /// Where events are posted; null = they are written to `email`. Whoever does not administer
    /// everything is shown no more of it than its scheme, host and port.
    url: Option<String>,
    /// The mail address to which events are written.
    email: Option<String>,
    /// Of what it is told.
    kinds: Vec<Kind>,
    /// Only of devices at this site and below; null = of everything.
    site: Option<String>,
    /// Whether it is told anything.
    enabled: bool,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl WebhookView {
    fn of(w: Webhook) -> Self {
        let said = WebhookFields::of(&w);
        Self {
            webhook_id: w.webhook_id,
            kinds: kinds(&w),
            name: w.name,
            url: said.url,
            email: said.email,
            site: w.site,
            enabled: w.enabled,
            created_by: w.created_by,
            created_at: w.created_at,
            updated_at: w.updated_at,
        }
    }
}

fn shown(webhook: Webhook) -> Shown<WebhookView> {
    etag::shown(webhook.updated_at, WebhookView::of(webhook))
}

/// A new webhook with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedWebhook {
    /// What signs its calls, shown only here and only now; null = it is mail.
    secret: Option<String>,
    #[serde(flatten)]
    view: WebhookView,
}

/// Something that a webhook is told, was told, or could not be told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryView {
    /// Which; what is sent has it as `id`.
    delivery_id: Uuid,
    /// Who is told.
    webhook_id: Uuid,
    /// Kind of the event; `test` where the webhook is only tried.
    kind: String,
    /// Which device it is about; null = none.
    device_id: Option<Uuid>,
    /// Serial number of that device; null once it was removed.
    serial: Option<String>,
    /// When it happened.
    at: DateTime<Utc>,
    /// Words and numbers, by kind.
    #[schema(value_type = Object)]
    detail: Value,
    /// queued, delivered or dead: given up.
    state: String,
    /// Attempts so far.
    attempts: i32,
    /// When it is tried next; null unless it is queued.
    next_at: Option<DateTime<Utc>>,
    /// What came back last: a status, or why nothing did.
    answer: Option<String>,
    /// When it was delivered, or given up.
    finished_at: Option<DateTime<Utc>>,
}

impl DeliveryView {
    fn of(d: Delivery) -> Self {
        Self {
            next_at: (d.state == "queued").then_some(d.next_at),
            delivery_id: d.delivery_id,
            webhook_id: d.webhook_id,
            kind: d.kind,
            device_id: d.device_id,
            serial: d.serial,
            at: d.at,
            detail: d.detail,
            state: d.state,
            attempts: d.attempts,
            answer: d.answer,
            finished_at: d.finished_at,
        }
    }
}

/// A webhook in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct WebhookPath {
    /// Id of the webhook.
    webhook_id: Uuid,
}

/// A page of webhooks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WebhookPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// List webhooks
///
/// By name; never with their secrets.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks",
    tag = "webhooks",
    params(WebhookPage),
    responses((status = 200, description = "A page of webhooks", body = Page<WebhookView>), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn list_webhooks(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<WebhookPage>,
) -> Result<Json<Page<WebhookView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let after = query.after.as_deref();
    if after.is_some_and(|name| check_name(name).is_err()) {
        return Err(Error::invalid("", "after is no cursor that this list gave").into());
    }
    let rows = service::list(&app, &ctx, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |w| w.name.clone(), WebhookView::of)))
}

/// Make a webhook
///
/// Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks",
    tag = "webhooks",
    request_body = WebhookFields,
    responses((status = 201, description = "The new webhook", body = CreatedWebhook), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn create_webhook(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, [(HeaderName, String); 2], Shown<CreatedWebhook>), Problem> {
    let fields: WebhookFields = merge::apply(json!({}), body)?;
    let (webhook, secret) = service::create(&app, &ctx, fields).await?;
    let headers = [
        (header::LOCATION, format!("/api/v1/webhooks/{}", webhook.webhook_id)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let updated_at = webhook.updated_at;
    let made = CreatedWebhook { secret, view: WebhookView::of(webhook) };
    Ok((StatusCode::CREATED, headers, etag::shown(updated_at, made)))
}

/// Get a webhook
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook_id}",
    tag = "webhooks",
    params(WebhookPath),
    responses(
        (status = 200, description = "The webhook; `ETag` is its version", body = WebhookView),
        Problem
    ),
    security(("token" = ["admin"]))
)]
pub(super) async fn get_webhook(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<WebhookPath>,
) -> Result<Shown<WebhookView>, Problem> {
    Ok(shown(service::get(&app, &ctx, path.webhook_id).await?))
}

/// Change a webhook
///
/// What is not named stays; null gives a field its default. One with a URL keeps to URLs, and to its
/// secret. What is to be told to one that is switched off is given up.
#[utoipa::path(
    patch,
    path = "/api/v1/webhooks/{webhook_id}",
    tag = "webhooks",
    params(WebhookPath, IfMatch),
    request_body(content = WebhookFields, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The webhook as it is now", body = WebhookView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn change_webhook(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<WebhookPath>,
    if_match: IfMatch,
    JsonBody(body): JsonBody<Value>,
) -> Result<Shown<WebhookView>, Problem> {
    let patch = |fields: WebhookFields| merge::apply(json!(fields), body);
    let check = |updated_at| if_match.check(updated_at);
    Ok(shown(service::change(&app, &ctx, path.webhook_id, check, patch).await?))
}

/// Remove a webhook
///
/// With what it was still to be told.
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{webhook_id}",
    tag = "webhooks",
    params(WebhookPath, IfMatch),
    responses((status = 204, description = "It is gone"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn delete_webhook(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<WebhookPath>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let check = |updated_at| if_match.check(updated_at);
    service::delete(&app, &ctx, path.webhook_id, check).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryPage {
    /// queued, delivered or dead.
    state: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
}

/// List a webhook's deliveries
///
/// Newest first. They are kept for 30 days after they ended.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{webhook_id}/deliveries",
    tag = "webhooks",
    params(WebhookPath, DeliveryPage),
    responses((status = 200, description = "A page of them", body = Page<DeliveryView>), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn list_deliveries(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<WebhookPath>,
    QueryArgs(query): QueryArgs<DeliveryPage>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let (id, state) = (path.webhook_id, query.state.as_deref());
    let rows = service::deliveries(&app, &ctx, id, state, query.before, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |d| d.delivery_id.to_string(), DeliveryView::of)))
}

/// Try a webhook
///
/// Tells it something of the kind `test`, at once.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook_id}/test",
    tag = "webhooks",
    params(WebhookPath),
    responses((status = 201, description = "What it is told", body = DeliveryView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn try_webhook(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<WebhookPath>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let made = service::test(&app, &ctx, path.webhook_id).await?;
    Ok((StatusCode::CREATED, Json(DeliveryView::of(made))))
}

/// How many deliveries are tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TriedAgain {
    /// Those that were dead.
    deliveries: u64,
}

/// Try all dead deliveries of a webhook again
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{webhook_id}/again",
    tag = "webhooks",
    params(WebhookPath),
    responses((status = 200, description = "How many there were", body = TriedAgain), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn try_deliveries_again(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<WebhookPath>,
) -> Result<Json<TriedAgain>, Problem> {
    let deliveries = service::all_again(&app, &ctx, path.webhook_id).await?;
    Ok(Json(TriedAgain { deliveries }))
}

/// A delivery in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct DeliveryPath {
    /// Id of the delivery.
    delivery_id: Uuid,
}

/// Try a dead delivery again
///
/// What happened more than three days ago gets one attempt.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{delivery_id}/again",
    tag = "webhooks",
    params(DeliveryPath),
    responses((status = 200, description = "The delivery, queued", body = DeliveryView), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn try_delivery_again(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<DeliveryPath>,
) -> Result<Json<DeliveryView>, Problem> {
    Ok(Json(DeliveryView::of(service::again(&app, &ctx, path.delivery_id).await?)))
}
