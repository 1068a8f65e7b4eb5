//! The page of one webhook: what it is, what it was told, trying it, and trying again what it could
//! not be told.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::told::{self, DeliveriesQuery, Told};
use super::{HOME, HookForm, KindBox, complaints, kind_boxes, path};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::notify::hook::{Transport, kinds};
use crate::service::webhooks as service;
use crate::store::webhooks::Webhook;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{
    Confirmation, Fact, address, answer, everywhere, same, site_paths, version,
};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// What is said of a try.
const ON_ITS_WAY: &str = "It is on its way: the list below says what comes back.";

#[derive(Serialize)]
struct WebhookPage {
    shell: Shell,
    here: String,
    name: String,
    enabled: bool,
    facts: Vec<Fact>,
    kinds: Vec<String>,
    may_change: bool,
    /// What it was told; none for who may not see that.
    told: Option<Told>,
    history: String,
    version: String,
    draft: Draft,
    errors: Complaints,
}

/// What the form shows.
#[derive(Debug, Serialize)]
struct Draft {
    name: String,
    target: String,
    kinds: Vec<KindBox>,
    site: String,
    sites: Vec<String>,
    enabled: bool,
}

/// `GET /webhooks/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(webhook_id): Path<Uuid>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, webhook_id, query, None, Complaints::default()).await
}

/// The page, with what was sent and is wrong.
async fn shown(
    app: &App,
    viewer: &Viewer,
    webhook_id: Uuid,
    query: DeliveriesQuery,
    sent: Option<HookForm>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let webhook = service::get(app, ctx, webhook_id).await?;
    let may_change = everywhere(viewer, Right::Admin);
    let told = match may_change {
        true => Some(told::read(app, ctx, webhook_id, &query).await?),
        false => None,
    };
    let object = webhook_id.to_string();
    let sent = sent.unwrap_or_else(|| HookForm {
        version: version(webhook.updated_at),
        name: webhook.name.clone(),
        target: webhook.target.clone(),
        kinds: kinds(&webhook),
        site: webhook.site.clone().unwrap_or_default(),
        enabled: webhook.enabled,
    });
    let page = WebhookPage {
        shell: Shell::new(viewer, &app.config, &webhook.name, Section::Webhooks),
        here: path(webhook_id),
        enabled: webhook.enabled,
        facts: facts(&webhook, ctx.now),
        kinds: webhook.kinds,
        may_change,
        told,
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "webhook"), ("object", object.as_str())]),
            false => String::new(),
        },
        version: sent.version,
        draft: Draft {
            name: sent.name,
            target: sent.target,
            kinds: kind_boxes(&sent.kinds),
            site: sent.site,
            sites: site_paths(app, ctx).await?,
            enabled: sent.enabled,
        },
        name: webhook.name,
        errors,
    };
    answer(View::Webhook, &page, &page.errors)
}

fn facts(webhook: &Webhook, now: DateTime<Utc>) -> Vec<Fact> {
    let to = match Transport::of(webhook) {
        Transport::Http => "URL",
        Transport::Email => "Mail to",
    };
    vec![
        Fact::new(to, webhook.target.as_str()),
        Fact::new("Devices", webhook.site.as_deref().unwrap_or("everywhere")),
        Fact::new("Made by", webhook.created_by.as_str()),
        Fact::new("Made", When::new(webhook.created_at, now).both()),
        Fact::new("Changed", When::new(webhook.updated_at, now).both()),
    ]
}

/// `POST /webhooks/{id}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(webhook_id): Path<Uuid>,
    Form(sent): Form<HookForm>,
) -> Result<Response, Failure> {
    let fields = sent.fields();
    let changed =
        service::change(&app, viewer.ctx(), webhook_id, same(&sent.version), |_| Ok(fields)).await;
    match changed {
        Ok(_) => Ok(flash::to(&path(webhook_id), Flash::done("It is saved."))),
        Err(error) => {
            let (query, errors) = (DeliveriesQuery::default(), complaints(error)?);
            shown(&app, &viewer, webhook_id, query, Some(sent), errors).await
        }
    }
}

/// `POST /webhooks/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(webhook_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let name = service::get(&app, viewer.ctx(), webhook_id).await?.name;
    let removed = match sent.check(&name) {
        Ok(()) => service::delete(&app, viewer.ctx(), webhook_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The webhook {name} is removed.")))),
        Err(error) => {
            let (query, errors) = (DeliveriesQuery::default(), Complaints::of(error, &[])?);
            shown(&app, &viewer, webhook_id, query, None, errors).await
        }
    }
}

/// `POST /webhooks/{id}/test`
pub(super) async fn test(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(webhook_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let done = service::test(&app, viewer.ctx(), webhook_id).await;
    told_so(webhook_id, done.map(|_| ON_ITS_WAY.to_owned()))
}

/// `POST /webhooks/{id}/again`
pub(super) async fn all_again(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(webhook_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let done = service::all_again(&app, viewer.ctx(), webhook_id).await;
    told_so(webhook_id, done.map(|count| format!("Deliveries that are tried again: {count}.")))
}

/// `POST /webhooks/{id}/deliveries/{delivery}/again`
pub(super) async fn again(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((webhook_id, delivery_id)): Path<(Uuid, Uuid)>,
) -> Result<Response, Failure> {
    let done = service::again(&app, viewer.ctx(), delivery_id).await;
    told_so(webhook_id, done.map(|_| "It is tried again.".to_owned()))
}

/// Back to the page of the webhook, with what was done or why not.
fn told_so(webhook_id: Uuid, done: Result<String, Error>) -> Result<Response, Failure> {
    let flash = match done {
        Ok(words) => Flash::done(words),
        Err(Error::Conflict(why)) => Flash::failed(why),
        Err(error) => return Err(error.into()),
    };
    Ok(flash::to(&path(webhook_id), flash))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::notify::kind::Kind;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |told: Option<Told>, enabled: bool, errors: Complaints| {
        let page = WebhookPage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: evil(),
            enabled,
            facts: vec![Fact::new("URL", evil())],
            kinds: vec![evil()],
            may_change: told.is_some(),
            told,
            history: "/audit".to_owned(),
            version: evil(),
            draft: Draft {
                name: evil(),
                target: evil(),
                kinds: kind_boxes(&[Kind::DeviceCrashed]),
                site: evil(),
                sites: vec![evil()],
                enabled,
            },
            errors,
        };
        sample(View::Webhook, &page)
    };
    vec![
        page(Some(told::sample(true)), true, Complaints::field("target", "<x-evil>")),
        page(Some(told::sample(false)), false, Complaints::whole("<x-evil>")),
        page(None, true, Complaints::default()),
    ]
}
