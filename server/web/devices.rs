//! The device list, live: the table and the counts above it are fragments that the page asks for
//! again and again.
//!
//! Polling, not a stream: a fragment asked for every two seconds is right again after any pause,
//! restart or sleeping laptop, with nothing to resume.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

use super::failure::Failure;
use super::format::When;
use super::views::{Shell, View, render};
use crate::clock;
use crate::config::{Config, TlsMode};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::online;
use crate::store::devices::{self, Device, Filter};
use crate::store::jobs;

/// Devices on a page.
const PAGE: usize = 100;

/// The query string; empty fields narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    serial: String,
    model: String,
    version: String,
    after: String,
}

impl ListQuery {
    fn filter(&self) -> Filter {
        let exact = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        Filter {
            serial: exact(&self.serial),
            product_class: exact(&self.model),
            software_version: exact(&self.version),
            ..Filter::default()
        }
    }

    fn after(&self) -> Result<Option<Uuid>, Error> {
        match self.after.as_str() {
            "" => Ok(None),
            id => Uuid::try_parse(id)
                .map(Some)
                .map_err(|_| Error::invalid("", "this page does not exist: start from the first")),
        }
    }

    fn filtered(&self) -> bool {
        [&self.serial, &self.model, &self.version].iter().any(|field| !field.trim().is_empty())
    }

    /// The same filter, continued after a device; only what is set.
    fn text(&self, after: &str) -> String {
        let fields = [
            ("serial", self.serial.trim()),
            ("model", self.model.trim()),
            ("version", self.version.trim()),
            ("after", after),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[derive(Serialize)]
struct ListPage<'a> {
    shell: Shell,
    form: Form<'a>,
    counts: Counts,
    table: Table,
}

#[derive(Serialize)]
struct Form<'a> {
    serial: &'a str,
    model: &'a str,
    version: &'a str,
    filtered: bool,
}

#[derive(Serialize)]
struct TableFragment {
    table: Table,
}

#[derive(Serialize)]
struct CountsFragment {
    counts: Counts,
}

#[derive(Serialize)]
struct Counts {
    all: i64,
    online: i64,
    jobs: Vec<JobCount>,
}

#[derive(Serialize)]
struct JobCount {
    state: String,
    count: i64,
}

#[derive(Serialize)]
struct Table {
    rows: Vec<Row>,
    /// When it was made: shows that it still lives.
    at: String,
    /// The query that makes it again.
    query: String,
    next: Option<String>,
    first: Option<String>,
    filtered: bool,
    /// Where devices are to be pointed, while there are none.
    acs_url: String,
}

#[derive(Serialize)]
struct Row {
    id: String,
    online: bool,
    serial: String,
    model: String,
    version: String,
    address: String,
    last_inform: When,
    events: String,
    work: Option<When>,
    auth: String,
    unauthenticated: bool,
}

type Asked = Result<Query<ListQuery>, QueryRejection>;

fn asked(query: Asked) -> Result<ListQuery, Error> {
    query.map(|Query(query)| query).map_err(|e| Error::invalid("", e.body_text()))
}

/// `GET /`
pub(super) async fn page(State(app): State<Shared>, query: Asked) -> Result<Response, Failure> {
    let query = asked(query)?;
    let now = clock::now();
    let page = ListPage {
        shell: Shell::new("Devices", &app.config),
        form: Form {
            serial: query.serial.trim(),
            model: query.model.trim(),
            version: query.version.trim(),
            filtered: query.filtered(),
        },
        counts: counts(&app, now).await?,
        table: table(&app, &query, now).await?,
    };
    Ok(render(View::Devices, &page)?.into_response())
}

/// `GET /fragments/devices`
pub(super) async fn table_fragment(
    State(app): State<Shared>,
    query: Asked,
) -> Result<Response, Failure> {
    let query = asked(query)?;
    let table = table(&app, &query, clock::now()).await?;
    Ok(render(View::DevicesTable, &TableFragment { table })?.into_response())
}

/// `GET /fragments/counts`
pub(super) async fn counts_fragment(State(app): State<Shared>) -> Result<Response, Failure> {
    let counts = counts(&app, clock::now()).await?;
    Ok(render(View::Counts, &CountsFragment { counts })?.into_response())
}

async fn counts(app: &App, now: DateTime<Utc>) -> Result<Counts, Error> {
    let (all, online) = devices::counts(&app.pool, online::since(&app.config, now)).await?;
    let mut jobs = jobs::counts(&app.pool, now - TimeDelta::days(1)).await?;
    jobs.sort();
    let jobs = jobs.into_iter().map(|(state, count)| JobCount { state, count }).collect();
    Ok(Counts { all, online, jobs })
}

async fn table(app: &App, query: &ListQuery, now: DateTime<Utc>) -> Result<Table, Error> {
    let after = query.after()?;
    // One more than shown tells whether there is a next page.
    let mut found = devices::list(&app.pool, &query.filter(), after, PAGE as i64 + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more).map(|device| device.device_id.to_string());
    let since = online::since(&app.config, now);
    Ok(Table {
        rows: found.iter().map(|device| row(device, since, now)).collect(),
        at: now.format("%H:%M:%S UTC").to_string(),
        query: query.text(&query.after),
        next: last.map(|id| format!("/?{}", query.text(&id))),
        first: after.map(|_| format!("/?{}", query.text(""))),
        filtered: query.filtered() || after.is_some(),
        acs_url: acs_url(&app.config),
    })
}

fn row(device: &Device, online_since: DateTime<Utc>, now: DateTime<Utc>) -> Row {
    Row {
        id: device.device_id.to_string(),
        online: device.last_inform >= online_since,
        serial: device.serial.clone(),
        model: model(device),
        version: device.software_version.clone().unwrap_or_default(),
        address: device.remote_addr.addr().to_string(),
        last_inform: When::new(device.last_inform, now),
        events: device.events.replace(',', ", "),
        // Work that is overdue is due now: how long it waits is no one's question here.
        work: device.next_due.map(|due| When::new(due.max(now), now)),
        auth: device.auth.clone(),
        unauthenticated: device.auth == "none",
    }
}

/// The product class, with the model where it says more.
pub(super) fn model(device: &Device) -> String {
    match &device.model {
        Some(model) if *model != device.product_class && !model.is_empty() => {
            format!("{} ({model})", device.product_class)
        }
        _ => device.product_class.clone(),
    }
}

/// Where devices are to be pointed, as far as the configuration tells.
fn acs_url(config: &Config) -> String {
    let acs = &config.acs;
    if let Some(url) = &acs.public_url {
        return format!("{url}/");
    }
    let scheme = if acs.tls == TlsMode::Off { "http" } else { "https" };
    if acs.listen.ip().is_unspecified() {
        return format!("{scheme}://<this machine's address>:{}/", acs.listen.port());
    }
    format!("{scheme}://{}/", acs.listen)
}

#[cfg(test)]
mod tests;
