//! Templates: the list of them. `one` is the page of one of them, `version` that of a version, `edit`
//! the editor.
//!
//! - `preview`: what is wrong with one, what it gives for a device, and what that would change.
//!   `compare`: how two texts differ. `declared`: variables as the editor has them.

mod compare;
mod declared;
mod edit;
mod one;
mod preview;
mod version;

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::failure::Failure;
use super::form::Complaints;
use super::format::When;
use super::manage::{ByName, answer, everywhere, listed, with_one_more};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::{profiles, templates as service};
use crate::store::templates::Template;

/// Where they are listed.
const HOME: &str = "/templates";
/// Templates on a page.
const PAGE: usize = 100;
/// Profiles that are asked whether they use one.
const PROFILES: i64 = 1_000;

/// The routes of templates.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, "/templates", get(page))
        .on(operate, Method::POST, "/templates", post(edit::create))
        .on(operate, Method::GET, "/templates/new", get(edit::new))
        .on(operate, Method::POST, "/templates/check", post(edit::check))
        .on(read, Method::GET, "/templates/{id}", get(one::page))
        .on(operate, Method::GET, "/templates/{id}/edit", get(edit::edit))
        .on(operate, Method::POST, "/templates/{id}/edit", post(edit::change))
        .on(operate, Method::POST, "/templates/{id}/copy", post(one::copy))
        .on(operate, Method::POST, "/templates/{id}/delete", post(one::delete))
        .on(read, Method::GET, "/templates/{id}/versions/{version}", get(version::page))
}

fn path(template_id: Uuid) -> String {
    format!("{HOME}/{template_id}")
}

/// A profile that uses a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct User {
    name: String,
    href: String,
    /// The version that it keeps to; empty = the newest.
    version: String,
}

/// Who uses which template.
async fn users(app: &App, ctx: &Ctx) -> Result<HashMap<Uuid, Vec<User>>, Error> {
    let mut users: HashMap<Uuid, Vec<User>> = HashMap::new();
    for view in profiles::list(app, ctx, None, PROFILES).await? {
        let Some(used) = view.desired.template else { continue };
        let user = User {
            href: format!("/profiles/{}", view.profile.profile_id),
            name: view.profile.name,
            version: used.version.map(|version| version.to_string()).unwrap_or_default(),
        };
        users.entry(used.template_id).or_default().push(user);
    }
    Ok(users)
}

#[derive(Serialize)]
struct TemplatesPage {
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
    description: String,
    version: i32,
    /// It comes with Muster.
    builtin: bool,
    /// It is for the bench.
    bench: bool,
    users: Vec<User>,
    by: String,
    changed: When,
}

/// `GET /templates`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ByName>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = query.after()?;
    let found = service::list(&app, ctx, after, with_one_more(PAGE)).await?;
    let list = listed(HOME, after, found, PAGE, |template| &template.name);
    let mut users = users(&app, ctx).await?;
    let row = |template: Template| {
        let users = users.remove(&template.template_id).unwrap_or_default();
        row(template, users, ctx.now)
    };
    let page = TemplatesPage {
        shell: Shell::new(&viewer, &app.config, "Templates", Section::Templates),
        may_change: everywhere(&viewer, Right::Operate),
        first: list.first,
        next: list.next,
        rows: list.rows.into_iter().map(row).collect(),
    };
    answer(View::Templates, &page, &Complaints::default())
}

fn row(template: Template, users: Vec<User>, now: DateTime<Utc>) -> Row {
    Row {
        href: path(template.template_id),
        name: template.name,
        description: template.description,
        version: template.version,
        builtin: template.builtin,
        bench: template.bench,
        users,
        by: template.created_by,
        changed: When::new(template.updated_at, now),
    }
}

#[cfg(test)]
fn sample_user(version: &str) -> User {
    User {
        name: "<x-evil>".to_owned(),
        href: "/profiles/1".to_owned(),
        version: version.to_owned(),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let evil = || "<x-evil>".to_owned();
    let row = |builtin: bool| Row {
        href: path(Uuid::nil()),
        name: evil(),
        description: evil(),
        version: 3,
        builtin,
        bench: builtin,
        users: if builtin { Vec::new() } else { vec![sample_user("2"), sample_user("")] },
        by: evil(),
        changed: When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
    };
    let list = |rows: Vec<Row>, may_change: bool| {
        let (first, next) = (String::new(), HOME.to_owned());
        let page = TemplatesPage { shell: Shell::sample(), rows, may_change, first, next };
        sample(View::Templates, &page)
    };
    let mut samples = vec![
        list(vec![row(true), row(false)], true),
        list(Vec::new(), true),
        list(Vec::new(), false),
    ];
    samples.extend(one::samples());
    samples.extend(version::samples());
    samples.extend(edit::samples());
    samples
}
