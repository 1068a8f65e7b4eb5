//! Groups: the list of them, and making one, by a selector or by list. `one` is the page of one of
//! them.

mod one;

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
use super::manage::{ByName, answer, everywhere, listed, with_one_more};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::group::{GroupFields, selector_of};
use crate::service::{devices, groups as service};
use crate::store::groups::Group;

/// Where they are listed.
const HOME: &str = "/groups";
/// Groups on a page.
const PAGE: usize = 100;

/// The routes of groups.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, "/groups", get(page))
        .on(operate, Method::POST, "/groups", post(create))
        .on(operate, Method::GET, "/groups/new", get(new))
        .on(read, Method::GET, "/groups/count", get(count))
        .on(read, Method::GET, "/groups/{id}", get(one::page))
        .on(operate, Method::POST, "/groups/{id}", post(one::change))
        .on(operate, Method::POST, "/groups/{id}/delete", post(one::delete))
        .on(operate, Method::POST, "/groups/{id}/devices", post(one::add))
        .on(operate, Method::POST, "/groups/{id}/devices/{device}/remove", post(one::remove))
}

fn path(group_id: Uuid) -> String {
    format!("{HOME}/{group_id}")
}

#[derive(Serialize)]
struct GroupsPage {
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
    /// Empty for a group by list.
    selector: String,
    /// The list of its devices.
    devices_href: String,
    by: String,
    changed: When,
}

/// `GET /groups`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ByName>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = query.after()?;
    let found = service::list(&app, ctx, after, with_one_more(PAGE)).await?;
    let list = listed(HOME, after, found, PAGE, |group| &group.name);
    let page = GroupsPage {
        shell: Shell::new(&viewer, &app.config, "Groups", Section::Groups),
        may_change: everywhere(&viewer, Right::Operate),
        first: list.first,
        next: list.next,
        rows: list.rows.iter().map(|group| row(group, ctx.now)).collect(),
    };
    answer(View::Groups, &page, &Complaints::default())
}

fn row(group: &Group, now: DateTime<Utc>) -> Row {
    Row {
        href: path(group.group_id),
        name: group.name.clone(),
        description: group.description.clone(),
        selector: group.selector.clone().unwrap_or_default(),
        devices_href: super::manage::devices(&selector_of(&group.name)),
        by: group.created_by.clone(),
        changed: When::new(group.updated_at, now),
    }
}

/// What is said of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct GroupForm {
    version: String,
    name: String,
    description: String,
    /// Its devices are put into it one by one.
    by_list: bool,
    selector: String,
}

impl GroupForm {
    fn fields(&self) -> GroupFields {
        GroupFields {
            name: Some(self.name.trim().to_owned()),
            description: Some(self.description.trim().to_owned()),
            selector: (!self.by_list).then(|| self.selector.trim().to_owned()),
        }
    }
}

#[derive(Serialize)]
struct NewGroupPage<'a> {
    shell: Shell,
    name: &'a str,
    description: &'a str,
    by_list: bool,
    selector: &'a str,
    errors: Complaints,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SelectorQuery {
    selector: String,
}

/// `GET /groups/new`
async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<SelectorQuery>,
) -> Result<Response, Failure> {
    let sent = GroupForm { selector: query.selector, ..GroupForm::default() };
    form(&app, &viewer, &sent, Complaints::default())
}

fn form(
    app: &App,
    viewer: &Viewer,
    sent: &GroupForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = NewGroupPage {
        shell: Shell::new(viewer, &app.config, "New group", Section::Groups),
        name: &sent.name,
        description: &sent.description,
        by_list: sent.by_list,
        selector: &sent.selector,
        errors,
    };
    answer(View::GroupNew, &page, &page.errors)
}

/// `POST /groups`
async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<GroupForm>,
) -> Result<Response, Failure> {
    match service::create(&app, viewer.ctx(), sent.fields()).await {
        Ok(group) => {
            let next = if sent.by_list { ": now put devices into it." } else { "." };
            let done = format!("The group {} is made{next}", group.name);
            Ok(flash::to(&path(group.group_id), Flash::done(done)))
        }
        Err(error) => {
            let errors = Complaints::of(error, &["name", "description", "selector"])?;
            form(&app, &viewer, &sent, errors)
        }
    }
}

/// How many devices a selector finds now, or what is wrong with it.
#[derive(Serialize)]
struct CountFragment {
    count: Option<i64>,
    wrong: String,
}

/// `GET /groups/count`: while a selector is written.
async fn count(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<SelectorQuery>,
) -> Result<Response, Failure> {
    let text = query.selector.trim();
    let fragment = match text {
        "" => CountFragment { count: None, wrong: String::new() },
        text => match devices::count(&app, viewer.ctx(), Some(text)).await {
            Ok(count) => CountFragment { count: Some(count), wrong: String::new() },
            Err(Error::Invalid { message, .. }) => CountFragment { count: None, wrong: message },
            Err(error) => return Err(error.into()),
        },
    };
    answer(View::GroupCount, &fragment, &Complaints::default())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let evil = || "<x-evil>".to_owned();
    let row = |selector: String| Row {
        href: path(Uuid::nil()),
        name: evil(),
        description: evil(),
        devices_href: super::manage::devices("online"),
        by: evil(),
        changed: When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
        selector,
    };
    let list = |rows: Vec<Row>, may_change: bool| {
        let next = HOME.to_owned();
        let page =
            GroupsPage { shell: Shell::sample(), rows, may_change, first: String::new(), next };
        sample(View::Groups, &page)
    };
    let new = |by_list: bool, errors: Complaints| {
        let page = NewGroupPage {
            shell: Shell::sample(),
            name: "<x-evil>",
            description: "<x-evil>",
            by_list,
            selector: "<x-evil>",
            errors,
        };
        sample(View::GroupNew, &page)
    };
    let count = |count: Option<i64>, wrong: String| {
        sample(View::GroupCount, &CountFragment { count, wrong })
    };
    let mut samples = vec![
        list(vec![row(evil()), row(String::new())], true),
        list(Vec::new(), true),
        list(Vec::new(), false),
        new(true, Complaints::field("name", "<x-evil>")),
        new(false, Complaints::field("selector", "<x-evil>\n  ^")),
        count(Some(1), String::new()),
        count(None, evil()),
        count(None, String::new()),
    ];
    samples.extend(one::samples());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_by_its_selector_or_by_list() {
        let sent = GroupForm {
            name: " pilot ".to_owned(),
            selector: " online ".to_owned(),
            ..GroupForm::default()
        };
        let fields = sent.fields();
        assert_eq!(fields.name.as_deref(), Some("pilot"));
        assert_eq!(fields.selector.as_deref(), Some("online"));
        assert_eq!(GroupForm { by_list: true, ..sent }.fields().selector, None);
    }
}
