//! The audit log: who changed what, narrowed down, page by page, and as a file.
//!
//! - `diff`: what changed, field by field.

mod diff;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::diff::Change;
use super::days;
use super::failure::Failure;
use super::form::Complaints;
use super::format::When;
use super::manage::{address, answer, cut, with_one_more};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::audit::{self as service, Format};
use crate::store::audit::{Entry, Filter};

const HOME: &str = "/audit";
/// Entries on a page.
const PAGE: usize = 50;

/// The routes of the log.
pub(super) fn routes(routes: Routes) -> Routes {
    let audit = Access::Needs(Right::Audit);
    routes.on(audit, Method::GET, "/audit", get(page)).on(
        audit,
        Method::GET,
        "/audit/export",
        get(export),
    )
}

/// What of the log; empty fields narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
struct AuditQuery {
    /// Name of who did it.
    actor: String,
    /// The action, or its beginning.
    action: String,
    /// Kind of the thing.
    kind: String,
    /// Id of the thing.
    object: String,
    text: String,
    /// The first day, and the last one.
    since: String,
    until: String,
    /// The last entry of the page before.
    before: String,
    /// Of an export.
    format: String,
}

impl AuditQuery {
    fn trimmed(mut self) -> Self {
        for field in [
            &mut self.actor,
            &mut self.action,
            &mut self.kind,
            &mut self.object,
            &mut self.text,
            &mut self.since,
            &mut self.until,
        ] {
            *field = field.trim().to_owned();
        }
        self
    }

    /// Days are those of the zone.
    fn filter(&self, zone: Tz) -> Result<Filter, Error> {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(Filter {
            actor: text(&self.actor),
            action: text(&self.action),
            object_kind: text(&self.kind),
            object_id: text(&self.object),
            text: text(&self.text),
            since: days::since(&self.since, zone)?,
            until: days::until(&self.until, zone)?,
        })
    }

    fn before(&self) -> Result<Option<Uuid>, Error> {
        match self.before.as_str() {
            "" => Ok(None),
            id => Uuid::try_parse(id)
                .map(Some)
                .map_err(|_| Error::invalid("", "this page does not exist: start from the first")),
        }
    }

    fn is_narrow(&self) -> bool {
        let all = Self { before: String::new(), format: String::new(), ..self.clone() };
        all != Self::default()
    }

    /// The same of the log, elsewhere.
    fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("actor", self.actor.as_str()),
            ("action", self.action.as_str()),
            ("kind", self.kind.as_str()),
            ("object", self.object.as_str()),
            ("text", self.text.as_str()),
            ("since", self.since.as_str()),
            ("until", self.until.as_str()),
        ];
        fields.extend(more);
        address(path, &fields)
    }
}

#[derive(Serialize)]
struct AuditPage {
    shell: Shell,
    query: AuditQuery,
    /// Something is left out.
    narrow: bool,
    /// Whose days the fields mean.
    zone: String,
    /// The same without the one thing of which entries are shown.
    of_all: String,
    rows: Vec<Row>,
    first: String,
    next: String,
    csv: String,
    ndjson: String,
    errors: Complaints,
}

#[derive(Serialize)]
struct Row {
    at: When,
    actor: String,
    /// What of them is not a person: `token`, `console` ...
    kind: String,
    actor_href: String,
    address: String,
    action: String,
    object_kind: String,
    object: String,
    /// Empty where it has no page, or is gone.
    object_href: String,
    /// All that was done to the same thing.
    history: String,
    changes: Vec<Change>,
    /// Changes that are left out.
    more: usize,
}

/// `GET /audit`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Failure> {
    let query = query.trimmed();
    let ctx = viewer.ctx();
    let before = query.before()?;
    let zone = days::zone(&viewer);
    let (found, errors) = match query.filter(zone) {
        Ok(filter) => {
            let found = service::list(&app, ctx, &filter, before, with_one_more(PAGE)).await?;
            (found, Complaints::default())
        }
        Err(error) => (Vec::new(), Complaints::of(error, &["since", "until"])?),
    };
    let (entries, more) = cut(found, PAGE);
    let last = entries.last().filter(|_| more).map(|entry| entry.audit_id.to_string());
    let page = AuditPage {
        shell: Shell::new(&viewer, &app.config, "Audit log", Section::Audit),
        narrow: query.is_narrow(),
        zone: zone.name().to_owned(),
        of_all: AuditQuery { kind: String::new(), object: String::new(), ..query.clone() }
            .address(HOME, &[]),
        first: before.map(|_| query.address(HOME, &[])).unwrap_or_default(),
        next: last.map(|id| query.address(HOME, &[("before", id.as_str())])).unwrap_or_default(),
        csv: query.address("/audit/export", &[("format", "csv")]),
        ndjson: query.address("/audit/export", &[("format", "ndjson")]),
        rows: entries.iter().map(|entry| row(entry, ctx)).collect(),
        query,
        errors,
    };
    answer(View::Audit, &page, &page.errors)
}

fn row(entry: &Entry, ctx: &Ctx) -> Row {
    let (changes, more) = diff::changes(entry.before.as_ref(), entry.after.as_ref());
    let of = [("kind", entry.object_kind.as_str()), ("object", entry.object_id.as_str())];
    Row {
        at: When::new(entry.at, ctx.now),
        actor: entry.actor.clone(),
        kind: if entry.actor_kind == "user" { String::new() } else { entry.actor_kind.clone() },
        actor_href: address(HOME, &[("actor", entry.actor.as_str())]),
        address: entry.address.map(|net| net.addr().to_string()).unwrap_or_default(),
        action: entry.action.clone(),
        object_kind: entry.object_kind.clone(),
        object: match entry.object_name.as_str() {
            "" => entry.object_id.clone(),
            name => name.to_owned(),
        },
        object_href: object_href(entry, ctx).unwrap_or_default(),
        history: address(HOME, &of),
        changes,
        more,
    }
}

/// The page of what was changed, if whoever looks may open it and it was not removed.
fn object_href(entry: &Entry, ctx: &Ctx) -> Option<String> {
    let (pages, right) = match entry.object_kind.as_str() {
        "device" => ("/devices", Right::Read),
        "site" => ("/sites", Right::Read),
        "group" => ("/groups", Right::Read),
        "job" => ("/jobs", Right::Read),
        "artifact" => ("/files", Right::Read),
        "user" => ("/users", Right::Admin),
        "role" => ("/roles", Right::Admin),
        "template" => ("/templates", Right::Read),
        "profile" => ("/profiles", Right::Read),
        "board" => ("/bench/boards", Right::Read),
        "claim" => ("/claims", Right::Read),
        "webhook" => ("/webhooks", Right::Admin),
        _ => return None,
    };
    let there = !entry.action.ends_with(".delete") && Uuid::try_parse(&entry.object_id).is_ok();
    (there && ctx.may(right)).then(|| format!("{pages}/{}", entry.object_id))
}

/// `GET /audit/export`
async fn export(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Failure> {
    let query = query.trimmed();
    let filter = query.filter(days::zone(&viewer))?;
    let (format, media_type, name) = match query.format.as_str() {
        "csv" => (Format::Csv, "text/csv; charset=utf-8; header=present", "audit.csv"),
        "ndjson" => (Format::Ndjson, "application/x-ndjson", "audit.ndjson"),
        _ => return Err(Error::invalid("", "the log is exported as csv or ndjson").into()),
    };
    let pieces = service::export(app, viewer.ctx().clone(), filter, format).await?;
    let fields = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((fields, Body::from_stream(pieces)).into_response())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;
    use chrono::DateTime;
    use serde_json::json;

    let ctx = Ctx::console(DateTime::UNIX_EPOCH);
    let entry = |name: &str, action: &str| Entry {
        object_name: name.to_owned(),
        action: action.to_owned(),
        ..tests::entry("<x-evil>")
    };
    let page = |query: AuditQuery, rows: Vec<Row>, errors: Complaints| {
        let page = AuditPage {
            shell: Shell::sample(),
            narrow: query.is_narrow(),
            zone: "<x-evil>".to_owned(),
            of_all: HOME.to_owned(),
            first: query.address(HOME, &[]),
            next: query.address(HOME, &[("before", "1")]),
            csv: query.address("/audit/export", &[("format", "csv")]),
            ndjson: query.address("/audit/export", &[("format", "ndjson")]),
            query,
            rows,
            errors,
        };
        sample(View::Audit, &page)
    };
    let changed = Entry {
        before: Some(json!({ "<x-evil>": "<x-evil>", "gone": 1, "list": [1, 2] })),
        after: Some(json!({ "<x-evil>": "<x-evil> ", "list": [1], "new": null })),
        ..entry("<x-evil>", "site.change")
    };
    let rows = [changed, entry("", "user.delete")].iter().map(|e| row(e, &ctx)).collect();
    let evil = AuditQuery {
        kind: "<x-evil>".to_owned(),
        object: "<x-evil>".to_owned(),
        text: "<x-evil>".to_owned(),
        ..AuditQuery::default()
    };
    vec![
        page(evil.clone(), rows, Complaints::field("since", "<x-evil>")),
        page(evil, Vec::new(), Complaints::default()),
        page(AuditQuery::default(), Vec::new(), Complaints::default()),
    ]
}

#[cfg(test)]
mod tests;
