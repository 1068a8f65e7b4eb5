//! One device: a page per question that people ask of it, each with its own address.
//!
//! Owns what stands above each of these pages: which device, how it is, what can be done with it
//! (`Head`). It never shows a secret but by `value::reveal`, which is in the audit log; what `service`
//! gives is masked. An action is only offered to whoever may do it at the device's site; `service`
//! refuses it to everybody else all the same.
//!
//! - `summary`: how it is. `timeline`: what happened. `sessions`: what was said. `files`.
//! - `desired`: what is wanted of it, and how far it is from that. `backups`: its configurations as they
//!   were.
//! - `parameters`: its data model, by `tree`; `value`: one of it, `object`: rows of its tables.
//! - `actions`, `diagnose`, `placement`: what can be done with it.
//! - `jobs`: what was ordered; `card`: how one of it gets on, in the words of `progress`. All that is
//!   known of a job is on its own page, which is `web::jobs`.

pub(super) mod actions;
mod backups;
mod card;
mod desired;
pub(super) mod diagnose;
mod files;
mod jobs;
mod object;
mod packages;
mod parameters;
mod placement;
mod progress;
mod rollouts;
mod sessions;
mod summary;
mod timeline;
mod tree;
mod value;

use axum::http::Method;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use self::actions::Ask;
use super::format::When;
use super::manage::{address as with_query, devices as found_by, no_page};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::config::Config;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::online;
use crate::fleet::selector::quoted;
use crate::service::devices;
use crate::store::devices::Device;

/// Characters of a JSON text that are shown.
const JSON: usize = 20_000;

/// All pages of a device, and what they do.
pub(super) fn routes(routes: Routes) -> Routes {
    backups::routes(wants(changes(orders(model(pages(routes))))))
}

fn pages(routes: Routes) -> Routes {
    let read = Access::Needs(Right::Read);
    routes
        .on(read, Method::GET, "/devices/{id}/desired", get(desired::page))
        .on(read, Method::GET, "/devices/{id}/desired/state", get(desired::fragment))
        .on(read, Method::GET, "/devices/{id}", get(summary::page))
        .on(read, Method::GET, "/devices/{id}/summary", get(summary::fragment))
        .on(read, Method::GET, "/devices/{id}/timeline", get(timeline::page))
        .on(read, Method::GET, "/devices/{id}/sessions", get(sessions::list))
        .on(read, Method::GET, "/devices/{id}/sessions/{session_id}", get(sessions::page))
        .on(read, Method::GET, "/devices/{id}/jobs", get(jobs::list))
        .on(read, Method::GET, "/devices/{id}/rollouts", get(rollouts::page))
        .on(read, Method::GET, "/devices/{id}/jobs/{job_id}/card", get(card::fragment))
        .on(read, Method::GET, "/devices/{id}/files", get(files::page))
        .on(read, Method::GET, "/devices/{id}/diagnose", get(diagnose::page))
}

/// The data model.
fn model(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    let secrets = Access::Needs(Right::Secrets);
    routes
        .on(read, Method::GET, "/devices/{id}/parameters", get(parameters::page))
        .on(read, Method::GET, "/devices/{id}/parameters/branch", get(parameters::branch))
        .on(read, Method::GET, "/devices/{id}/parameters/row", get(value::row))
        .on(operate, Method::GET, "/devices/{id}/parameters/edit", get(value::edit))
        .on(operate, Method::POST, "/devices/{id}/parameters/set", post(value::set))
        .on(secrets, Method::POST, "/devices/{id}/parameters/reveal", post(value::reveal))
        .on(operate, Method::GET, "/devices/{id}/parameters/add", get(object::add_page))
        .on(operate, Method::POST, "/devices/{id}/parameters/add", post(object::add))
        .on(operate, Method::GET, "/devices/{id}/parameters/delete", get(object::delete_page))
        .on(operate, Method::POST, "/devices/{id}/parameters/delete", post(object::delete))
}

/// What is ordered of the device.
fn orders(routes: Routes) -> Routes {
    let operate = Access::Needs(Right::Operate);
    routes
        .on(operate, Method::POST, "/devices/{id}/refresh", post(actions::refresh))
        .on(operate, Method::POST, "/devices/{id}/wake", post(actions::wake))
        .on(operate, Method::POST, "/devices/{id}/inspect", post(packages::inspect))
        .on(operate, Method::POST, "/devices/{id}/inspect/direct", post(packages::ask))
        .on(operate, Method::POST, "/devices/{id}/upgrade", post(rollouts::upgrade))
        .on(operate, Method::POST, "/devices/{id}/reboot", post(actions::reboot))
        .on(operate, Method::POST, "/devices/{id}/factory-reset", post(actions::reset))
        .on(operate, Method::GET, "/devices/{id}/script", get(actions::script_page))
        .on(operate, Method::POST, "/devices/{id}/script", post(actions::script))
        .on(operate, Method::POST, "/devices/{id}/diagnose", post(diagnose::order))
        .on(operate, Method::POST, "/devices/{id}/upload", post(files::order))
        // A configuration holds what the device itself keeps secret.
        .on(operate, Method::GET, "/devices/{id}/files/{artifact_id}", get(files::download))
}

/// What is changed of what Muster knows.
fn changes(routes: Routes) -> Routes {
    let (operate, admin) = (Access::Needs(Right::Operate), Access::Needs(Right::Admin));
    routes
        .on(operate, Method::GET, "/devices/{id}/placement", get(placement::page))
        .on(operate, Method::POST, "/devices/{id}/placement", post(placement::change))
        .on(operate, Method::POST, "/devices/{id}/enrolment", post(actions::approve))
        .on(admin, Method::POST, "/devices/{id}/remove", post(actions::remove))
}

/// What is said to its desired state.
fn wants(routes: Routes) -> Routes {
    let operate = Access::Needs(Right::Operate);
    routes
        .on(operate, Method::POST, "/devices/{id}/desired/compare", post(desired::compare))
        .on(operate, Method::POST, "/devices/{id}/desired/reapply", post(desired::reapply))
        .on(operate, Method::POST, "/devices/{id}/desired/accept", post(desired::accept))
        .on(operate, Method::POST, "/devices/{id}/desired/ignore", post(desired::ignore))
        .on(operate, Method::POST, "/devices/{id}/desired/heed", post(desired::heed))
        .on(operate, Method::POST, "/devices/{id}/desired/forget", post(desired::forget))
        .on(operate, Method::POST, "/devices/{id}/desired/profile", post(desired::own_profile))
        .on(operate, Method::POST, "/devices/{id}/desired/variables", post(desired::own_variables))
}

/// The pages of a device that have a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Overview,
    Timeline,
    Parameters,
    Desired,
    Backups,
    Diagnose,
    Sessions,
    Jobs,
    Rollouts,
    Files,
    /// A page that belongs to none.
    None,
}

/// Each with its label and the end of its address.
const TABS: [(Tab, &str, &str); 10] = [
    (Tab::Overview, "Overview", ""),
    (Tab::Timeline, "Timeline", "/timeline"),
    (Tab::Parameters, "Parameters", "/parameters"),
    (Tab::Desired, "Desired state", "/desired"),
    (Tab::Backups, "Backups", "/backups"),
    (Tab::Diagnose, "Diagnostics", "/diagnose"),
    (Tab::Sessions, "Sessions", "/sessions"),
    (Tab::Jobs, "Jobs", "/jobs"),
    (Tab::Rollouts, "Rollouts", "/rollouts"),
    (Tab::Files, "Files", "/files"),
];

/// A tab; `count` is for `ui.tabs`, which shows none.
#[derive(Debug, Clone, Serialize)]
struct TabLink {
    label: &'static str,
    href: String,
    current: bool,
    count: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Link {
    label: String,
    href: String,
}

/// A label and a value, for `ui.facts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Fact {
    label: &'static str,
    value: String,
}

/// What of a device somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct May {
    operate: bool,
    secrets: bool,
    admin: bool,
}

impl May {
    fn of(rights: &[Right]) -> Self {
        let may = |right| rights.contains(&right);
        Self {
            operate: may(Right::Operate),
            secrets: may(Right::Secrets),
            admin: may(Right::Admin),
        }
    }

    /// What this viewer may do with a device.
    async fn with(app: &App, ctx: &Ctx, device: &Device) -> Result<Self, Error> {
        Ok(Self::of(&devices::rights(app, ctx, device).await?))
    }
}

/// What stands above each page of a device.
#[derive(Debug, Clone, Serialize)]
struct Head {
    id: Uuid,
    /// What it calls itself, else its serial number.
    name: String,
    serial: String,
    model: String,
    version: String,
    /// The word of its state, for `ui.state`.
    state: &'static str,
    last_inform: When,
    /// It came without being asked who it is.
    unauthenticated: bool,
    /// The places it is in, the widest first.
    places: Vec<Link>,
    tags: Vec<Link>,
    tabs: Vec<TabLink>,
    may: May,
    /// What is asked before it is done.
    asks: Vec<Ask>,
}

impl Head {
    /// For a viewer who looks.
    async fn of(app: &App, ctx: &Ctx, device: &Device, at: Tab) -> Result<Self, Error> {
        let may = May::with(app, ctx, device).await?;
        Ok(Self::new(ctx, &app.config, device, at, may))
    }

    fn new(ctx: &Ctx, config: &Config, device: &Device, at: Tab, may: May) -> Self {
        let is_online = device.last_inform >= online::since(config, ctx.now);
        let tab = |(tab, label, end): &(Tab, &'static str, &str)| TabLink {
            label,
            href: address(device.device_id, end),
            current: *tab == at,
            count: None,
        };
        let tag = |tag: &String| Link {
            label: tag.clone(),
            href: found_by(&format!("tag = {}", quoted(tag))),
        };
        Self {
            id: device.device_id,
            name: name(device),
            serial: device.serial.clone(),
            model: model_of(device),
            version: device.software_version.clone().unwrap_or_default(),
            state: if is_online { "online" } else { "silent" },
            last_inform: When::new(device.last_inform, ctx.now),
            unauthenticated: device.auth == "none",
            places: places(device.site.as_deref()),
            tags: device.tags.iter().map(tag).collect(),
            tabs: TABS.iter().map(tab).collect(),
            asks: actions::asks(device, may),
            may,
        }
    }
}

/// A device that somebody looks at, with what stands above its page.
async fn look(app: &App, viewer: &Viewer, id: &str, at: Tab) -> Result<(Device, Head), Error> {
    let device = devices::find(app, viewer.ctx(), id, Right::Read).await?;
    let head = Head::of(app, viewer.ctx(), &device, at).await?;
    Ok((device, head))
}

/// The same for who is about to change something of it.
async fn operate(app: &App, viewer: &Viewer, id: &str) -> Result<(Device, Head), Error> {
    let device = devices::find(app, viewer.ctx(), id, Right::Operate).await?;
    let head = Head::of(app, viewer.ctx(), &device, Tab::None).await?;
    Ok((device, head))
}

fn shell(app: &App, viewer: &Viewer, head: &Head, title: &str) -> Shell {
    let title = match title {
        "" => head.name.clone(),
        title => format!("{}, {title}", head.name),
    };
    Shell::new(viewer, &app.config, title, Section::Devices)
}

/// What people call a device.
fn name(device: &Device) -> String {
    let identity = device.identity.as_deref().unwrap_or_default().trim();
    if identity.is_empty() { device.serial.clone() } else { identity.to_owned() }
}

/// The product class, with the model where it says more.
fn model_of(device: &Device) -> String {
    match &device.model {
        Some(model) if *model != device.product_class && !model.is_empty() => {
            format!("{} ({model})", device.product_class)
        }
        _ => device.product_class.clone(),
    }
}

/// A place and all around it, each with the devices that are in it.
fn places(site: Option<&str>) -> Vec<Link> {
    let Some(site) = site else { return Vec::new() };
    let ends = site.match_indices('.').map(|(at, _)| at).chain([site.len()]);
    let place = |end: usize| {
        let path = &site[..end];
        let label = path.rsplit('.').next().unwrap_or(path).to_owned();
        Link { label, href: found_by(&format!("site under {}", quoted(path))) }
    };
    ends.map(place).collect()
}

/// An address of a device.
fn address(device_id: Uuid, end: &str) -> String {
    format!("/devices/{device_id}{end}")
}

/// JSON as people read it; nothing for what holds nothing.
fn pretty(value: &Value) -> String {
    let nothing = match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if nothing {
        return String::new();
    }
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    super::format::shortened(&text, JSON)
}

/// A place in a list that goes on: the time and the id of the last row that was shown.
pub(super) fn place_of(text: &str) -> Result<Option<(DateTime<Utc>, Uuid)>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.split_once('_').and_then(|(micros, id)| {
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some((at, Uuid::try_parse(id).ok()?))
    });
    parsed.map(Some).ok_or_else(no_page)
}

/// The same as text.
pub(super) fn place_text(at: DateTime<Utc>, id: Uuid) -> String {
    format!("{}_{}", at.timestamp_micros(), id.simple())
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use samples::samples;
