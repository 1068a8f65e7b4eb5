//! Webhooks: the list of them, and making one, whose secret is shown once, in the answer to the form.
//! `one` is the page of one of them, `told` the list of what it was told.

mod one;
mod told;

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::format::When;
use super::manage::{ByName, answer, everywhere, listed, site_paths, with_one_more};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::notify::hook::{WebhookFields, place};
use crate::notify::kind::Kind;
use crate::service::webhooks as service;
use crate::store::webhooks::Webhook;

/// Where they are listed.
const HOME: &str = "/webhooks";
/// Webhooks on a page.
const PAGE: usize = 100;
/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 4] = ["name", "target", "kinds", "site"];

/// The routes of webhooks.
pub(super) fn routes(routes: Routes) -> Routes {
    let admin = Access::Needs(Right::Admin);
    routes
        .on(admin, Method::GET, "/webhooks", get(page))
        .on(admin, Method::POST, "/webhooks", post(create))
        .on(admin, Method::GET, "/webhooks/new", get(new))
        .on(admin, Method::GET, "/webhooks/{id}", get(one::page))
        .on(admin, Method::POST, "/webhooks/{id}", post(one::change))
        .on(admin, Method::POST, "/webhooks/{id}/delete", post(one::delete))
        .on(admin, Method::POST, "/webhooks/{id}/test", post(one::test))
        .on(admin, Method::POST, "/webhooks/{id}/again", post(one::all_again))
        .on(admin, Method::POST, "/webhooks/{id}/deliveries/{delivery}/again", post(one::again))
}

fn path(webhook_id: Uuid) -> String {
    format!("{HOME}/{webhook_id}")
}

#[derive(Serialize)]
struct WebhooksPage {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    /// Where it leads: of a URL the host.
    place: String,
    kinds: Vec<String>,
    /// Empty = of everything.
    site: String,
    enabled: bool,
    by: String,
    changed: When,
}

/// `GET /webhooks`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ByName>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = query.after()?;
    let found = service::list(&app, ctx, after, with_one_more(PAGE)).await?;
    let list = listed(HOME, after, found, PAGE, |webhook| &webhook.name);
    let page = WebhooksPage {
        shell: Shell::new(&viewer, &app.config, "Webhooks", Section::Webhooks),
        may_change: everywhere(&viewer, Right::Admin),
        first: list.first,
        next: list.next,
        rows: list.rows.iter().map(|webhook| row(webhook, ctx.now)).collect(),
    };
    answer(View::Webhooks, &page, &Complaints::default())
}

fn row(webhook: &Webhook, now: DateTime<Utc>) -> Row {
    Row {
        href: path(webhook.webhook_id),
        name: webhook.name.clone(),
        place: place(webhook),
        kinds: webhook.kinds.clone(),
        site: webhook.site.clone().unwrap_or_default(),
        enabled: webhook.enabled,
        by: webhook.created_by.clone(),
        changed: When::new(webhook.updated_at, now),
    }
}

/// What is said of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct HookForm {
    version: String,
    name: String,
    /// A URL, or a mail address.
    target: String,
    kinds: Vec<Kind>,
    site: String,
    enabled: bool,
}

impl HookForm {
    fn fields(&self) -> WebhookFields {
        let target = self.target.trim().to_owned();
        // No mail address has such a part.
        let (url, email) = match target.contains('@') && !target.contains("://") {
            true => (None, Some(target)),
            false => (Some(target), None),
        };
        let site = Some(self.site.trim().to_owned()).filter(|site| !site.is_empty());
        WebhookFields {
            name: Some(self.name.trim().to_owned()),
            url,
            email,
            kinds: Some(self.kinds.clone()),
            site,
            enabled: Some(self.enabled),
        }
    }
}

/// What is wrong with a form, whose one field is two of the API's.
fn complaints(error: Error) -> Result<Complaints, Error> {
    let error = match error {
        Error::Invalid { pointer, message } if matches!(pointer.as_str(), "/url" | "/email") => {
            Error::invalid("/target", message)
        }
        other => other,
    };
    Complaints::of(error, &FIELDS)
}

/// A kind of event in a form.
#[derive(Debug, Serialize)]
struct KindBox {
    word: &'static str,
    meaning: &'static str,
    checked: bool,
}

/// All kinds, with those that are chosen.
fn kind_boxes(chosen: &[Kind]) -> Vec<KindBox> {
    let kind_box = |kind: Kind| KindBox {
        word: kind.word(),
        meaning: kind.meaning(),
        checked: chosen.contains(&kind),
    };
    Kind::ALL.into_iter().map(kind_box).collect()
}

#[derive(Serialize)]
struct NewWebhookPage<'a> {
    shell: Shell,
    name: &'a str,
    target: &'a str,
    kinds: Vec<KindBox>,
    site: &'a str,
    sites: Vec<String>,
    /// Mail can be sent.
    mail: bool,
    errors: Complaints,
}

/// `GET /webhooks/new`
async fn new(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    form(&app, &viewer, &HookForm::default(), Complaints::default()).await
}

async fn form(
    app: &App,
    viewer: &Viewer,
    sent: &HookForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = NewWebhookPage {
        shell: Shell::new(viewer, &app.config, "New webhook", Section::Webhooks),
        name: &sent.name,
        target: &sent.target,
        kinds: kind_boxes(&sent.kinds),
        site: &sent.site,
        sites: site_paths(app, viewer.ctx()).await?,
        mail: app.config.smtp.server.is_some(),
        errors,
    };
    answer(View::WebhookNew, &page, &page.errors)
}

/// A webhook whose secret is shown this once.
#[derive(Serialize)]
struct WebhookMade<'a> {
    shell: Shell,
    href: String,
    name: &'a str,
    secret: &'a str,
}

/// `POST /webhooks`
async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(mut sent): Form<HookForm>,
) -> Result<Response, Failure> {
    // To be switched on is nothing that is asked.
    sent.enabled = true;
    match service::create(&app, viewer.ctx(), sent.fields()).await {
        Ok((webhook, Some(secret))) => {
            let page = WebhookMade {
                shell: Shell::new(&viewer, &app.config, "Webhook", Section::Webhooks),
                href: path(webhook.webhook_id),
                name: &webhook.name,
                secret: &secret,
            };
            answer(View::WebhookMade, &page, &Complaints::default())
        }
        Ok((webhook, None)) => {
            let done = format!("The webhook {} is made: try it.", webhook.name);
            Ok(flash::to(&path(webhook.webhook_id), Flash::done(done)))
        }
        Err(error) => form(&app, &viewer, &sent, complaints(error)?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let evil = || "<x-evil>".to_owned();
    let row = |enabled: bool| Row {
        href: path(Uuid::nil()),
        name: evil(),
        place: evil(),
        kinds: vec![evil()],
        site: if enabled { evil() } else { String::new() },
        enabled,
        by: evil(),
        changed: When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
    };
    let list = |rows: Vec<Row>, may_change: bool| {
        let (first, next) = (String::new(), HOME.to_owned());
        let page = WebhooksPage { shell: Shell::sample(), rows, may_change, first, next };
        sample(View::Webhooks, &page)
    };
    let new = |mail: bool, errors: Complaints| {
        let page = NewWebhookPage {
            shell: Shell::sample(),
            name: "<x-evil>",
            target: "<x-evil>",
            kinds: kind_boxes(&[Kind::DeviceOffline]),
            site: "<x-evil>",
            sites: vec![evil()],
            mail,
            errors,
        };
        sample(View::WebhookNew, &page)
    };
    let made = WebhookMade {
        shell: Shell::sample(),
        href: path(Uuid::nil()),
        name: "<x-evil>",
        secret: "<x-evil>",
    };
    let mut samples = vec![
        list(vec![row(true), row(false)], true),
        list(Vec::new(), true),
        list(Vec::new(), false),
        new(true, Complaints::field("target", "<x-evil>")),
        new(false, Complaints::field("kinds", "<x-evil>")),
        sample(View::WebhookMade, &made),
    ];
    samples.extend(one::samples());
    samples
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_field_takes_a_url_or_a_mail_address() {
        let sent = |target: &str| HookForm { target: target.to_owned(), ..HookForm::default() };
        let url = sent(" https://hooks.example/muster ").fields();
        assert_eq!(url.url.as_deref(), Some("https://hooks.example/muster"));
        assert_eq!(sent("https://hooks.example/@noc").fields().email, None);
        let mail = sent("noc@isp.example").fields();
        assert_eq!((mail.url, mail.email.as_deref()), (None, Some("noc@isp.example")));
        assert_eq!(sent("").fields().site, None);
        let wrong = complaints(Error::invalid("/email", "no")).unwrap();
        assert_eq!(wrong, Complaints::field("target", "no"));
        assert_eq!(
            complaints(Error::invalid("/site", "no")).unwrap(),
            Complaints::field("site", "no")
        );
    }

    #[test]
    fn each_kind_is_offered_with_its_meaning() {
        let boxes = kind_boxes(&[Kind::RolloutState]);
        assert_eq!(boxes.len(), Kind::ALL.len());
        let checked: Vec<&str> = boxes.iter().filter(|b| b.checked).map(|b| b.word).collect();
        assert_eq!(checked, ["rollout.state"]);
    }
}
