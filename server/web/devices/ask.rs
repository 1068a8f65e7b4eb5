//! The page on which one thing that is done to many devices is confirmed: what it is, what it needs
//! to know, to how many it is done, and what was wrong with what was typed.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::action::Action;
use super::bulk::{Order, Sent, UNTYPED, Whole};
use super::change::Content;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::jobs::bulk::MAX_DEVICES;
use crate::service::devices::{self, Stranded, Which};
use crate::service::{groups, sites};
use crate::web::device::actions::{Stored, stored_for_many};
use crate::web::device::diagnose::{self, Typed};
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::grouped;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Sites and groups that are offered.
const MOST_OFFERED: i64 = 1_000;

/// Where a fault stands in what is sent to `service`, and the field of the form.
const FIELDS: [(&str, &str); 6] = [
    ("name", "name"),
    ("value", "value"),
    ("tags", "tag"),
    ("site", "site"),
    ("group_id", "group"),
    ("artifact_id", "artifact_id"),
];

#[derive(Serialize)]
struct BulkPage<'a> {
    shell: Shell,
    action: Action,
    label: &'static str,
    meaning: &'static str,
    /// The action fills the page's form with these.
    name: &'a str,
    value: &'a str,
    tag: &'a str,
    site: &'a str,
    group: String,
    content: Content,
    no_backup: bool,
    typed: Typed,
    offered: Offered,
    ids: &'a [Uuid],
    all: bool,
    q: &'a str,
    cols: &'a str,
    key: Uuid,
    expected: usize,
    count: String,
    /// The number has to be typed.
    type_it: bool,
    felt: bool,
    /// The most that can be done at once, where these are more.
    most: Option<String>,
    back: String,
    errors: Complaints,
}

/// What can be chosen.
#[derive(Debug, Default, Serialize)]
struct Offered {
    /// The action needs something of which there is none.
    lacks: bool,
    sites: Vec<String>,
    groups: Vec<Choice>,
    stored: Vec<Stored>,
    contents: Vec<Choice>,
    /// Who does not come back by itself where the script cuts it off, and why.
    stranded: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    label: String,
}

impl Offered {
    async fn new(app: &App, ctx: &Ctx, sent: &Sent, order: &Order) -> Result<Self, Error> {
        let action = order.action;
        let mut offered = Self { contents: contents(), ..Self::default() };
        if action.sends_file() {
            let scripts = action == Action::Script;
            offered.stored = stored_for_many(app, ctx, scripts, sent.artifact_id).await?;
            offered.lacks = offered.stored.is_empty();
            if scripts && order.expected <= MAX_DEVICES {
                let stranded = devices::stranded(app, ctx, &order.which).await?;
                offered.stranded = stranded.iter().map(left_alone).collect();
            }
        } else if action.is_of_group() {
            offered.groups = lists(app, ctx).await?;
            offered.lacks = offered.groups.is_empty();
        } else if action == Action::Move {
            offered.sites = places(app, ctx).await?;
        }
        Ok(offered)
    }
}

fn contents() -> Vec<Choice> {
    let choice = |value: &str, label: &str| Choice { value: value.into(), label: label.into() };
    vec![choice("firmware", "Firmware"), choice("web_content", "Web content")]
}

/// The sites to which devices can be moved.
async fn places(app: &App, ctx: &Ctx) -> Result<Vec<String>, Error> {
    let reach = ctx.reach(Right::Operate);
    let all = sites::list(app, ctx, None, None, MOST_OFFERED).await?;
    Ok(all.into_iter().map(|site| site.path).filter(|path| reach.covers(Some(path))).collect())
}

/// The groups into which devices can be put.
async fn lists(app: &App, ctx: &Ctx) -> Result<Vec<Choice>, Error> {
    let all = groups::list(app, ctx, None, MOST_OFFERED).await?;
    let lists = all.into_iter().filter(|group| group.selector.is_none());
    let choice = lists.map(|group| Choice { value: group.group_id.to_string(), label: group.name });
    Ok(choice.collect())
}

/// Asks whether it is meant.
pub(super) async fn ask(
    app: &App,
    viewer: &Viewer,
    form: &Whole,
    order: &Order,
    errors: Complaints,
) -> Result<Response, Failure> {
    let Order { which, action, expected, key } = order;
    let sent = &form.sent;
    let (ids, all): (&[Uuid], bool) = match which {
        Which::Chosen(ids) => (ids.as_slice(), false),
        Which::Found(_) => (&[], true),
    };
    let wrong = errors != Complaints::default();
    let page = BulkPage {
        shell: Shell::new(viewer, &app.config, action.label(), Section::Devices),
        action: *action,
        label: action.label(),
        meaning: action.meaning(),
        name: &sent.name,
        value: &sent.value,
        tag: &sent.tag,
        site: &sent.site,
        group: sent.group.map(|id| id.to_string()).unwrap_or_default(),
        content: sent.content,
        no_backup: sent.no_backup,
        typed: Typed::of(form.test.clone()),
        offered: Offered::new(app, viewer.ctx(), sent, order).await?,
        ids,
        all,
        q: sent.q.trim(),
        cols: &sent.cols,
        key: *key,
        expected: *expected,
        count: counted(*expected),
        type_it: *expected > UNTYPED,
        felt: action.is_felt(),
        most: (*expected > MAX_DEVICES).then(|| counted(MAX_DEVICES)),
        back: sent.back(),
        errors,
    };
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, render(View::DevicesBulk, &page)?).into_response())
}

/// What is wrong, at the field in which it stands.
pub(super) fn complaints(action: Action, error: Error) -> Result<Complaints, Error> {
    let Error::Invalid { pointer, message } = error else { return Complaints::of(error, &[]) };
    let order = pointer.strip_prefix("/job").or_else(|| pointer.strip_prefix("/change"));
    let place = order.unwrap_or(&pointer);
    if let Some(kind) = action.test() {
        return diagnose::complaints(kind, Error::invalid(place, message));
    }
    let field = place.split('/').find_map(|part| FIELDS.iter().find(|(name, _)| *name == part));
    Ok(match field {
        Some((_, field)) => Complaints::field(field, message),
        None => Complaints::whole(message),
    })
}

fn left_alone(one: &Stranded) -> String {
    let devices = usize::try_from(one.devices).unwrap_or(usize::MAX);
    format!("{}: {}", counted(devices), one.why)
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 device".to_owned(),
        count => format!("{} devices", number(count as u64)),
    }
}

pub(super) fn number(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let ids = [Uuid::from_u128(7)];
    let offered = |lacks: bool| Offered {
        lacks,
        sites: vec!["<x-evil>".to_owned()],
        groups: vec![Choice { value: "<x-evil>".to_owned(), label: "<x-evil>".to_owned() }],
        stored: vec![Stored::sample()],
        contents: contents(),
        stranded: vec!["<x-evil>".to_owned()],
    };
    let page = |action: Action, all: bool, lacks: bool, errors: Complaints| BulkPage {
        shell: Shell::sample(),
        action,
        label: action.label(),
        meaning: action.meaning(),
        name: "<x-evil>",
        value: "<x-evil>",
        tag: "<x-evil>",
        site: "<x-evil>",
        group: "<x-evil>".to_owned(),
        content: Content::WebContent,
        no_backup: true,
        typed: Typed::of(diagnose::Order::default()),
        offered: offered(lacks),
        ids: if all { &[] } else { &ids },
        all,
        q: "<x-evil>",
        cols: "serial",
        key: Uuid::from_u128(8),
        expected: 12,
        count: counted(12),
        type_it: true,
        felt: action.is_felt(),
        most: (action == Action::Untag).then(|| counted(MAX_DEVICES)),
        back: super::query::LIST.to_owned(),
        errors,
    };
    let mut samples = Vec::new();
    for action in Action::ALL {
        for lacks in [false, true] {
            let page = page(action, lacks, lacks, Complaints::default());
            samples.push(sample(View::DevicesBulk, &page));
        }
    }
    let wrong = [Complaints::whole("<x-evil>"), Complaints::field("confirm", "<x-evil>")];
    samples.extend(wrong.map(|e| sample(View::DevicesBulk, &page(Action::Reboot, true, false, e))));
    let ping = Complaints::field("ping_host", "<x-evil>");
    samples.push(sample(View::DevicesBulk, &page(Action::Ping, true, false, ping)));
    samples
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_fault_stands_at_its_field() {
        for (action, pointer, field) in [
            (Action::Set, "/job/parameters/0/name", "name"),
            (Action::Set, "/parameters/0/value", "value"),
            (Action::Tag, "/change/tags/0", "tag"),
            (Action::Move, "/change/site", "site"),
            (Action::Group, "/change/group_id", "group"),
            (Action::Script, "/job/artifact_id", "artifact_id"),
            (Action::Ping, "/job/test/timeout_ms", "ping_timeout_ms"),
            (Action::UploadSpeed, "/job/test/bytes", "up_bytes"),
        ] {
            let found = complaints(action, Error::invalid(pointer, "bad")).unwrap();
            assert_eq!(found, Complaints::field(field, "bad"), "{pointer}");
        }
        let whole = complaints(Action::Ping, Error::invalid("/selector", "bad")).unwrap();
        assert_eq!(whole, Complaints::whole("bad"));
        let other = Error::Conflict("12 devices match".to_owned());
        let other = complaints(Action::Reboot, other).unwrap();
        assert_eq!(other, Complaints::whole("12 devices match"));
        assert!(complaints(Action::Reboot, Error::Internal("a bug".to_owned())).is_err());
    }

    #[test]
    fn one_device_is_one_device() {
        assert_eq!((counted(1), counted(2)), ("1 device".to_owned(), "2 devices".to_owned()));
    }
}
