//! Roles: the list, with what the rights in them mean; and the form in which one is made or changed,
//! with what the support view shows to who has it.

mod form;

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use uuid::Uuid;

use self::form::{RoleForm, complaints};
use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::manage::{Confirmation, RightBox, address, answer, everywhere, rights, same};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::access::role::{RoleFields, is_shipped};
use crate::ctx::Shared;
use crate::service::roles as service;
use crate::store::roles::Role;

/// Where they are listed.
const HOME: &str = "/roles";

/// The routes of roles.
pub(super) fn routes(routes: Routes) -> Routes {
    let admin = Access::Needs(Right::Admin);
    routes
        .on(admin, Method::GET, "/roles", get(page))
        .on(admin, Method::POST, "/roles", post(create))
        .on(admin, Method::GET, "/roles/new", get(new))
        .on(admin, Method::GET, "/roles/{id}", get(one))
        .on(admin, Method::POST, "/roles/{id}", post(change))
        .on(admin, Method::POST, "/roles/{id}/delete", post(delete))
}

fn path(role_id: Uuid) -> String {
    format!("{HOME}/{role_id}")
}

#[derive(Serialize)]
struct RolesPage {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
    /// What each right means.
    rights: Vec<RightBox>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    href: String,
    name: String,
    description: String,
    rights: Vec<String>,
    shipped: bool,
    /// Users who have it.
    holders: i64,
}

/// `GET /roles`
async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    let roles = service::list(&app, viewer.ctx()).await?;
    let holders = service::holders(&app, viewer.ctx()).await?;
    let page = RolesPage {
        shell: Shell::new(&viewer, &app.config, "Roles", Section::Roles),
        rows: roles.into_iter().map(|role| row(role, &holders)).collect(),
        may_change: everywhere(&viewer, Right::Admin),
        rights: rights(&[]),
    };
    answer(View::Roles, &page, &Complaints::default())
}

fn row(role: Role, holders: &HashMap<Uuid, i64>) -> Row {
    Row {
        href: path(role.role_id),
        name: role.name,
        description: role.description,
        rights: role.rights,
        shipped: is_shipped(role.role_id),
        holders: holders.get(&role.role_id).copied().unwrap_or_default(),
    }
}

#[derive(Serialize)]
struct RolePage<'a> {
    shell: Shell,
    title: String,
    /// Where the form is sent; the role is removed below it. Empty: nothing can be changed.
    action: String,
    /// It is not there yet.
    new: bool,
    /// It came with Muster: at most its support view can be changed.
    shipped: bool,
    /// Its support view can be changed.
    supports: bool,
    holders: i64,
    history: String,
    rights: Vec<RightBox>,
    role: &'a RoleForm,
    errors: Complaints,
}

/// `GET /roles/new`
async fn new(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    blank(&app, &viewer, &RoleForm::new(), Complaints::default())
}

fn blank(
    app: &Shared,
    viewer: &Viewer,
    form: &RoleForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = RolePage {
        shell: Shell::new(viewer, &app.config, "New role", Section::Roles),
        title: "New role".to_owned(),
        action: HOME.to_owned(),
        new: true,
        shipped: false,
        supports: true,
        holders: 0,
        history: String::new(),
        rights: rights(&form.rights),
        role: form,
        errors,
    };
    answer(View::Role, &page, &page.errors)
}

/// `GET /roles/{id}`
async fn one(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(role_id): Path<Uuid>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, role_id, None, Complaints::default()).await
}

/// The page of a role, with what was sent and is wrong.
async fn shown(
    app: &Shared,
    viewer: &Viewer,
    role_id: Uuid,
    sent: Option<RoleForm>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let role = service::get(app, viewer.ctx(), role_id).await?;
    let holders = service::holders(app, viewer.ctx()).await?;
    let shipped = is_shipped(role_id);
    let supports = role.rights.iter().any(|word| word == Right::Support.word());
    let may_change = everywhere(viewer, Right::Admin) && (supports || !shipped);
    let stored = RoleForm::of(&role);
    let form = match sent {
        // Of a shipped role the rest is not in the form.
        Some(sent) if shipped => RoleForm {
            version: sent.version,
            hidden: sent.hidden,
            read_only: sent.read_only,
            notes: sent.notes,
            allow_reboot: sent.allow_reboot,
            allow_wifi: sent.allow_wifi,
            allow_ping: sent.allow_ping,
            wifi_names: sent.wifi_names,
            min_wifi_password: sent.min_wifi_password,
            ping_hosts: sent.ping_hosts,
            ..stored
        },
        Some(sent) => sent,
        None => stored,
    };
    let object = role_id.to_string();
    let page = RolePage {
        shell: Shell::new(viewer, &app.config, &role.name, Section::Roles),
        title: role.name.clone(),
        action: if may_change { path(role_id) } else { String::new() },
        new: false,
        shipped,
        supports: supports || !shipped,
        holders: holders.get(&role_id).copied().unwrap_or_default(),
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "role"), ("object", object.as_str())]),
            false => String::new(),
        },
        rights: rights(&form.rights),
        role: &form,
        errors,
    };
    answer(View::Role, &page, &page.errors)
}

/// `POST /roles`
async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<RoleForm>,
) -> Result<Response, Failure> {
    match service::create(&app, viewer.ctx(), sent.fields()).await {
        Ok(role) => {
            let done = format!("The role {} is made: give it to people.", role.name);
            Ok(flash::to(HOME, Flash::done(done)))
        }
        Err(error) => blank(&app, &viewer, &sent, complaints(error)?),
    }
}

/// `POST /roles/{id}`
async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(role_id): Path<Uuid>,
    Form(sent): Form<RoleForm>,
) -> Result<Response, Failure> {
    let patch = |fields: RoleFields| {
        Ok(match is_shipped(role_id) {
            true => RoleFields { support: sent.support(), ..fields },
            false => sent.fields(),
        })
    };
    let changed = service::change(&app, viewer.ctx(), role_id, same(&sent.version), patch).await;
    match changed {
        Ok(_) => {
            let done = "It is saved, and holds at once for all who have the role.";
            Ok(flash::to(&path(role_id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, role_id, Some(sent), complaints(error)?).await,
    }
}

/// `POST /roles/{id}/delete`
async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(role_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let name = service::get(&app, viewer.ctx(), role_id).await?.name;
    let removed = match sent.check(&name) {
        Ok(()) => service::delete(&app, viewer.ctx(), role_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The role {name} is removed.")))),
        Err(error) => shown(&app, &viewer, role_id, None, complaints(error)?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;
    use crate::access::role::SupportPolicy;

    let evil = || "<x-evil>".to_owned();
    let row = |shipped: bool| Row {
        href: path(Uuid::nil()),
        name: evil(),
        description: evil(),
        rights: vec![evil()],
        shipped,
        holders: 2,
    };
    let list = RolesPage {
        shell: Shell::sample(),
        rows: vec![row(true), row(false)],
        may_change: true,
        rights: rights(&[]),
    };
    let policy = SupportPolicy {
        hidden: vec![evil()],
        notes: evil(),
        wifi_names: vec![evil()],
        ping_hosts: vec![evil()],
        ..SupportPolicy::default()
    };
    let form = RoleForm { name: evil(), description: evil(), version: evil(), ..RoleForm::new() };
    let form = form.with(policy);
    let one = |new: bool, shipped: bool, action: &str, errors: Complaints| {
        let page = RolePage {
            shell: Shell::sample(),
            title: evil(),
            action: action.to_owned(),
            new,
            shipped,
            supports: !action.is_empty(),
            holders: 0,
            history: if new { String::new() } else { "/audit".to_owned() },
            rights: rights(&[Right::Support]),
            role: &form,
            errors,
        };
        sample(View::Role, &page)
    };
    vec![
        sample(View::Roles, &list),
        one(true, false, HOME, Complaints::field("rights", "<x-evil>")),
        one(false, false, "/roles/1", Complaints::field("hidden", "<x-evil>")),
        one(false, true, "/roles/1", Complaints::whole("<x-evil>")),
        one(false, true, "", Complaints::default()),
    ]
}
