//! Claims: the devices that are expected, and who took which; devices that came and nobody expected.
//!
//! Owns that a person sees what a table of claims would do, line by line, before it does that and
//! nothing else. Never shows a secret but on the one page that was asked for it.
//!
//! - here: the list, and all of it as a file. `form`: a claim as text. `one`: making one, the page of
//!   one, and its credential. `import`: many from a table. `scan`: one after the other, as they are
//!   unpacked. `knocked`: devices that wait to be let in. `rules`: which of those need nobody.

mod form;
mod import;
mod knocked;
mod one;
mod rules;
mod scan;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::Method;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::form::Complaints;
use super::format::{When, grouped};
use super::manage::{address, answer, cut, or_complaint, row_id, said, site_paths, with_one_more};
use super::profiles;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::config::UnknownDevices;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::claims::{self as service, Filter, export};
use crate::service::devices;
use crate::store::claims::Claim;

/// Where they are listed.
const HOME: &str = "/claims";
/// Where devices wait.
const UNKNOWN: &str = "/claims/unknown";
/// Where the rules are.
const RULES: &str = "/claims/rules";
/// Rows on a page.
const PAGE: usize = 100;
/// Those that wait to be let in, as selectors say it.
const WAITING: &str = "quarantined";

/// The routes of claims.
pub(super) fn routes(routes: Routes) -> Routes {
    strangers(many(single(routes)))
}

fn single(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    let secrets = Access::Needs(Right::Secrets);
    routes
        .on(read, Method::GET, HOME, get(page))
        .on(read, Method::GET, "/claims.csv", get(csv))
        .on(operate, Method::POST, HOME, post(one::create))
        .on(operate, Method::GET, "/claims/new", get(one::new))
        .on(operate, Method::POST, "/claims/form", post(one::form))
        .on(operate, Method::POST, "/claims/variables", post(one::variables))
        .on(read, Method::GET, "/claims/{id}", get(one::page))
        .on(operate, Method::POST, "/claims/{id}", post(one::change))
        .on(operate, Method::POST, "/claims/{id}/delete", post(one::delete))
        .on(secrets, Method::POST, "/claims/{id}/credential", post(one::credential))
}

fn many(routes: Routes) -> Routes {
    let operate = Access::Needs(Right::Operate);
    let sized = || DefaultBodyLimit::max(import::MAX_BODY);
    routes
        .on(operate, Method::GET, "/claims/import", get(import::page))
        .on(operate, Method::POST, "/claims/import", post(import::import).layer(sized()))
        .on(operate, Method::POST, "/claims/import/preview", post(import::preview).layer(sized()))
        .on(operate, Method::GET, "/claims/scan", get(scan::page))
        .on(operate, Method::POST, "/claims/scan", post(scan::add))
}

fn strangers(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, UNKNOWN, get(knocked::page))
        .on(operate, Method::POST, "/claims/unknown/{id}/accept", post(knocked::accept))
        .on(operate, Method::POST, "/claims/unknown/{id}/forget", post(knocked::forget))
        .on(read, Method::GET, RULES, get(rules::page))
        .on(operate, Method::POST, RULES, post(rules::create))
        .on(operate, Method::GET, "/claims/rules/new", get(rules::new))
        .on(read, Method::GET, "/claims/rules/count", get(rules::count))
        .on(read, Method::GET, "/claims/rules/{id}", get(rules::one))
        .on(operate, Method::POST, "/claims/rules/{id}", post(rules::change))
        .on(operate, Method::POST, "/claims/rules/{id}/move", post(rules::put))
        .on(operate, Method::POST, "/claims/rules/{id}/switch", post(rules::switch))
        .on(operate, Method::POST, "/claims/rules/{id}/delete", post(rules::delete))
}

fn path(claim_id: Uuid) -> String {
    format!("{HOME}/{claim_id}")
}

/// A part of the section.
#[derive(Debug, Serialize)]
struct Tab {
    label: &'static str,
    href: &'static str,
    current: bool,
    count: Option<String>,
}

/// The parts of the section, with how many devices wait.
async fn tabs(app: &App, ctx: &Ctx, current: &str) -> Result<Vec<Tab>, Error> {
    Ok(tabs_of(current, devices::count(app, ctx, Some(WAITING)).await?))
}

fn tabs_of(current: &str, waiting: i64) -> Vec<Tab> {
    let tab = |label, href, count| Tab { label, href, current: href == current, count };
    vec![
        tab("Claims", HOME, None),
        tab("Unknown devices", UNKNOWN, Some(grouped(waiting))),
        tab("Rules", RULES, None),
    ]
}

/// What becomes of a device that nobody expects and no rule lets in.
fn otherwise(app: &App) -> &'static str {
    match app.config.zero_touch.unknown {
        UnknownDevices::Quarantine => "waits among the unknown devices",
        UnknownDevices::Accept => "is let in all the same, as zero_touch.unknown says",
        UnknownDevices::Refuse => "is sent away, as zero_touch.unknown says",
    }
}

/// For `form.select`.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    label: String,
}

/// Sites and profiles to choose from.
#[derive(Debug, Serialize)]
struct Offered {
    sites: Vec<String>,
    profiles: Vec<Choice>,
}

impl Offered {
    /// Also the profile that is chosen already.
    async fn with(app: &App, ctx: &Ctx, chosen: &str) -> Result<Self, Error> {
        let names = profiles::names(app, ctx, chosen).await?;
        Ok(Self { sites: site_paths(app, ctx).await?, profiles: choices(names) })
    }
}

fn choices(names: Vec<String>) -> Vec<Choice> {
    let none = Choice { value: String::new(), label: "none".to_owned() };
    let choice = |name: String| Choice { value: name.clone(), label: name };
    [none].into_iter().chain(names.into_iter().map(choice)).collect()
}

/// Tags as they are typed, with blanks, commas or semicolons between.
fn tags(text: &str) -> Vec<String> {
    let between = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
    text.split(between).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// How far a claim is: a word of the style sheet, and as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Standing {
    word: &'static str,
    label: &'static str,
}

fn state(claim: &Claim) -> Standing {
    match (claim.device_id, &claim.refused) {
        (Some(_), _) => Standing { word: "done", label: "taken" },
        (None, Some(_)) => Standing { word: "refused", label: "refused" },
        (None, None) => Standing { word: "waiting", label: "open" },
    }
}

/// What people call a claim: the serial number, or else the MAC address.
fn name(claim: &Claim) -> String {
    claim.serial.clone().or_else(|| claim.mac.clone()).unwrap_or_default()
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct ListQuery {
    state: String,
    site: String,
    q: String,
    after: String,
}

impl ListQuery {
    fn filter(&self) -> Filter {
        Filter { state: said(&self.state), site: said(&self.site), text: said(&self.q), mac: None }
    }

    fn filtered(&self) -> bool {
        self.filter() != Filter::default()
    }

    /// The same claims by another path, from one on.
    fn at(&self, path: &str, after: &str) -> String {
        let (state, site, q) = (self.state.trim(), self.site.trim(), self.q.trim());
        address(path, &[("state", state), ("site", site), ("q", q), ("after", after)])
    }
}

#[derive(Serialize)]
struct ClaimsPage {
    shell: Shell,
    tabs: Vec<Tab>,
    counts: Vec<Count>,
    filter: ListQuery,
    filtered: bool,
    states: Vec<Choice>,
    sites: Vec<String>,
    /// What is wrong with the filter; empty = nothing.
    complaint: String,
    rows: Vec<Row>,
    /// Where this page is.
    here: String,
    export: String,
    may_claim: bool,
    first: String,
    next: String,
}

/// How many there are of a state.
#[derive(Debug, Serialize)]
struct Count {
    state: Standing,
    href: String,
    value: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    /// Empty where it is the name.
    mac: String,
    model: String,
    state: Standing,
    site: String,
    profile: String,
    customer: String,
    /// The device that took it; empty = none did.
    device: String,
    /// Why the last device that wanted it did not get it.
    refused: String,
    /// When it was taken, or refused.
    at: Option<When>,
    made: When,
    by: String,
}

/// `GET /claims`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = row_id(&query.after)?;
    let found = service::list(&app, ctx, query.filter(), after, with_one_more(PAGE)).await;
    let (found, complaint) = or_complaint(found)?;
    let (claims, more) = cut(found, PAGE);
    let last = claims.last().filter(|_| more).map(|claim| claim.claim_id.to_string());
    let page = ClaimsPage {
        shell: Shell::new(&viewer, &app.config, "Claims", Section::Claims),
        tabs: tabs(&app, ctx, HOME).await?,
        counts: counts(service::counts(&app, ctx).await?),
        filtered: query.filtered(),
        states: states(),
        sites: site_paths(&app, ctx).await?,
        complaint,
        rows: claims.iter().map(|claim| row(claim, ctx.now)).collect(),
        here: query.at(HOME, &query.after),
        export: query.at("/claims.csv", ""),
        may_claim: viewer.may(Right::Operate),
        first: after.map(|_| query.at(HOME, "")).unwrap_or_default(),
        next: last.map(|id| query.at(HOME, &id)).unwrap_or_default(),
        filter: query,
    };
    answer(View::Claims, &page, &Complaints::default())
}

fn counts((open, taken, refused): (i64, i64, i64)) -> Vec<Count> {
    let count = |word, label, value| Count {
        state: Standing { word, label },
        href: address(HOME, &[("state", label)]),
        value: grouped(value),
    };
    vec![
        count("waiting", "open", open),
        count("refused", "refused", refused),
        count("done", "taken", taken),
    ]
}

fn states() -> Vec<Choice> {
    let choice =
        |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned() };
    vec![
        choice("", "any"),
        choice("open", "open"),
        choice("refused", "open, and a device did not get it"),
        choice("taken", "taken"),
    ]
}

fn row(claim: &Claim, now: DateTime<Utc>) -> Row {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let refused = claim.refused.clone().filter(|_| claim.device_id.is_none());
    let at = if refused.is_some() { claim.refused_at } else { claim.taken_at };
    Row {
        href: path(claim.claim_id),
        name: name(claim),
        mac: claim.mac.clone().filter(|_| claim.serial.is_some()).unwrap_or_default(),
        model: text(&claim.model),
        state: state(claim),
        site: text(&claim.site),
        profile: text(&claim.profile),
        customer: text(&claim.customer),
        device: claim.device_id.map(|id| format!("/devices/{id}")).unwrap_or_default(),
        refused: refused.unwrap_or_default(),
        at: at.map(|at| When::new(at, now)),
        made: When::new(claim.created_at, now),
        by: claim.created_by.clone(),
    }
}

/// `GET /claims.csv`: all that the list finds, in the form that an import takes.
async fn csv(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx().clone();
    let name = format!("claims-{}.csv", ctx.now.format("%Y-%m-%d"));
    let pages = export::csv(app, ctx, query.filter()).await?;
    let fields = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((fields, Body::from_stream(pages)).into_response())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let mut all = tests::samples();
    all.extend(one::samples());
    all.extend(import::samples());
    all.extend(scan::samples());
    all.extend(knocked::samples());
    all.extend(rules::samples());
    all
}

#[cfg(test)]
mod tests;
