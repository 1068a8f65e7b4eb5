//! One thing done to many devices: asked for in the list, confirmed on a page that says what will
//! happen to how many, and done only to as many as that.
//!
//! The number that was seen goes with the confirmation, so that devices which came to match
//! meanwhile are left alone. What is done, and who may do it, is for `service` to say.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::action::Action;
use super::change::{self, Change, Outcome, Reason};
use super::query::{LIST, ListQuery};
use super::table::Column;
use super::target::Target;
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::{groups, sites};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::grouped;
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// From more devices than this on, their number has to be typed.
const UNTYPED: usize = 10;
/// Sites and groups that are offered.
const MOST_OFFERED: i64 = 1_000;

/// What the list and the confirmation send. No `Debug`: the value may be a secret.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    pub(super) id: Vec<Uuid>,
    pub(super) all: bool,
    pub(super) q: String,
    pub(super) cols: String,
    pub(super) action: Option<Action>,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) tag: String,
    pub(super) site: String,
    pub(super) group: Option<Uuid>,
    /// How many devices were seen.
    pub(super) expected: Option<usize>,
    /// Their number, typed.
    pub(super) confirm: String,
    /// Of this confirmation: sent twice, it is done once.
    pub(super) key: Option<Uuid>,
}

impl Sent {
    /// The list from which it came.
    fn back(&self) -> String {
        let columns = self.cols.split(',').filter_map(Column::named).collect();
        ListQuery::new(self.q.trim().to_owned(), columns, String::new()).address(LIST, "")
    }
}

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
    sites: Vec<String>,
    groups: Vec<Choice>,
    ids: &'a [Uuid],
    all: bool,
    q: &'a str,
    cols: &'a str,
    key: Uuid,
    expected: usize,
    count: String,
    typed: bool,
    /// The most that can be done at once, where these are more.
    most: Option<String>,
    back: String,
    errors: Complaints,
}

#[derive(Serialize)]
struct Choice {
    value: String,
    label: String,
}

#[derive(Serialize)]
struct DonePage {
    shell: Shell,
    label: &'static str,
    done: String,
    skipped: String,
    /// Why, of the first of them.
    reasons: Vec<Reason>,
    stopped: Option<String>,
    /// The list of its jobs.
    jobs: Option<String>,
    back: String,
}

/// `POST /devices/bulk/confirm`: what will happen, and to how many.
pub(super) async fn confirm(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let back = |why: &str| Ok(flash::to(&sent.back(), Flash::failed(why)));
    let Some(target) = Target::of(&sent.id, sent.all, &sent.q)? else {
        return back("Choose devices first, or all that match.");
    };
    let Some(action) = sent.action else { return back("Choose what is to be done.") };
    let expected = match target.count(&app, viewer.ctx()).await {
        Ok(0) => return back("There is no device among them that you may operate."),
        Ok(count) => count,
        // The list shows where in the selector.
        Err(Error::Invalid { .. }) => return back("The selector cannot be read."),
        Err(other) => return Err(other.into()),
    };
    let order = Order { target, action, expected, key: Uuid::now_v7() };
    ask(&app, &viewer, &sent, &order, Complaints::default()).await
}

/// `POST /devices/bulk`: does it.
pub(super) async fn run(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let target = Target::of(&sent.id, sent.all, &sent.q)?;
    let (Some(target), Some(action), Some(expected), Some(key)) =
        (target, sent.action, sent.expected, sent.key)
    else {
        let why = "Choose devices and what is to be done.";
        return Ok(flash::to(&sent.back(), Flash::failed(why)));
    };
    let order = Order { target, action, expected, key };
    if expected > UNTYPED && sent.confirm.trim() != expected.to_string() {
        let wrong = Complaints::field("confirm", format!("Type {expected} to go on."));
        return ask(&app, &viewer, &sent, &order, wrong).await;
    }
    match done(&app, viewer.ctx(), &sent, &order).await {
        Ok(outcome) => told(&app, &viewer, &sent, action, outcome),
        Err(error) => {
            let errors = complaints(error)?;
            // As many as there are by now.
            let expected = order.target.count(&app, viewer.ctx()).await?;
            ask(&app, &viewer, &sent, &Order { expected, ..order }, errors).await
        }
    }
}

/// What is to be done to which devices.
struct Order {
    target: Target,
    action: Action,
    expected: usize,
    key: Uuid,
}

async fn done(app: &Shared, ctx: &Ctx, sent: &Sent, order: &Order) -> Result<Outcome, Error> {
    let Order { target, action, expected, key } = order;
    match Change::of(*action, sent)? {
        Change::Job(spec) => change::order(app, ctx, target, spec, *expected, *key).await,
        Change::Place(place) => {
            place.check(app, ctx).await?;
            let devices = target.devices(app, ctx, *expected).await?;
            change::place(app, ctx, devices, place).await
        }
    }
}

/// Asks whether it is meant.
async fn ask(
    app: &App,
    viewer: &Viewer,
    sent: &Sent,
    order: &Order,
    errors: Complaints,
) -> Result<Response, Failure> {
    let Order { target, action, expected, key } = order;
    let (ids, all): (&[Uuid], bool) = match target {
        Target::Chosen(ids) => (ids.as_slice(), false),
        Target::Found(_) => (&[], true),
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
        sites: if *action == Action::Move { places(app, viewer.ctx()).await? } else { Vec::new() },
        groups: if *action == Action::Group { lists(app, viewer.ctx()).await? } else { Vec::new() },
        ids,
        all,
        q: sent.q.trim(),
        cols: &sent.cols,
        key: *key,
        expected: *expected,
        count: counted(*expected),
        typed: *expected > UNTYPED,
        most: (*expected > action.most()).then(|| counted(action.most())),
        back: sent.back(),
        errors,
    };
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, render(View::DevicesBulk, &page)?).into_response())
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

/// Says what became of it.
fn told(
    app: &App,
    viewer: &Viewer,
    sent: &Sent,
    action: Action,
    outcome: Outcome,
) -> Result<Response, Failure> {
    let page = DonePage {
        shell: Shell::new(viewer, &app.config, action.label(), Section::Devices),
        label: action.label(),
        done: number(outcome.done),
        skipped: number(outcome.skipped),
        reasons: outcome.reasons,
        stopped: outcome.stopped,
        jobs: action.job().map(|kind| format!("/jobs?kind={kind}")),
        back: sent.back(),
    };
    Ok(render(View::DevicesDone, &page)?.into_response())
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 device".to_owned(),
        count => format!("{} devices", number(count as u64)),
    }
}

fn number(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

/// What is wrong, at the field in which it stands.
fn complaints(error: Error) -> Result<Complaints, Error> {
    let Error::Invalid { pointer, message } = error else { return Complaints::of(error, &[]) };
    let fields = ["name", "value", "tag", "site", "group"];
    let at = |field: &str| pointer.split('/').any(|part| part.trim_end_matches('s') == field);
    Ok(match fields.into_iter().find(|field| at(field)) {
        Some(field) => Complaints::field(field, message),
        None => Complaints::whole(message),
    })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let ids = [Uuid::from_u128(7)];
    let page = |action: Action, all: bool, errors: Complaints| BulkPage {
        shell: Shell::sample(),
        action,
        label: action.label(),
        meaning: action.meaning(),
        name: "<x-evil>",
        value: "<x-evil>",
        tag: "<x-evil>",
        site: "<x-evil>",
        group: "<x-evil>".to_owned(),
        sites: vec!["<x-evil>".to_owned()],
        groups: vec![Choice { value: "<x-evil>".to_owned(), label: "<x-evil>".to_owned() }],
        ids: if all { &[] } else { &ids },
        all,
        q: "<x-evil>",
        cols: "serial",
        key: Uuid::from_u128(8),
        expected: 12,
        count: counted(12),
        typed: true,
        most: (action == Action::Untag).then(|| counted(1_000)),
        back: LIST.to_owned(),
        errors,
    };
    let finished = |stopped: Option<&str>| DonePage {
        shell: Shell::sample(),
        label: "Reboot",
        done: "12".to_owned(),
        skipped: "1".to_owned(),
        reasons: vec![Reason { id: Uuid::from_u128(7), why: "<x-evil>".to_owned() }],
        stopped: stopped.map(str::to_owned),
        jobs: Some("/jobs?kind=reboot".to_owned()),
        back: LIST.to_owned(),
    };
    let mut samples: Vec<_> = Action::ALL
        .into_iter()
        .map(|action| sample(View::DevicesBulk, &page(action, false, Complaints::default())))
        .collect();
    let wrong = [Complaints::whole("<x-evil>"), Complaints::field("confirm", "<x-evil>")];
    samples.extend(wrong.map(|e| sample(View::DevicesBulk, &page(Action::Reboot, true, e))));
    samples.extend([None, Some("<x-evil>")].map(|s| sample(View::DevicesDone, &finished(s))));
    samples
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_fault_stands_at_its_field() {
        for (pointer, field) in [
            ("/job/parameters/0/name", "name"),
            ("/parameters/0/value", "value"),
            ("/tags/0", "tag"),
            ("/site", "site"),
        ] {
            let found = complaints(Error::invalid(pointer, "bad")).unwrap();
            assert_eq!(found, Complaints::field(field, "bad"), "{pointer}");
        }
        let whole = complaints(Error::invalid("/selector", "bad")).unwrap();
        assert_eq!(whole, Complaints::whole("bad"));
        let other = complaints(Error::Conflict("12 devices match".to_owned())).unwrap();
        assert_eq!(other, Complaints::whole("12 devices match"));
        assert!(complaints(Error::Internal("a bug".to_owned())).is_err());
    }

    #[test]
    fn what_was_done_leads_back_to_its_list() {
        let sent =
            Sent { q: " online ".to_owned(), cols: "serial,work".to_owned(), ..Sent::default() };
        assert_eq!(sent.back(), "/devices?q=online&cols=serial%2Cwork");
        assert_eq!(Sent::default().back(), "/devices");
    }

    #[test]
    fn one_device_is_one_device() {
        assert_eq!((counted(1), counted(2)), ("1 device".to_owned(), "2 devices".to_owned()));
    }
}
