//! One thing done to many devices: asked for in the list, confirmed on a page that says what will
//! happen to how many (`ask`), and done only to as many as that (`change`).
//!
//! The number that was seen goes with the confirmation, so that devices which came to match
//! meanwhile are left alone. What is done, and who may do it, is for `service` to say.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::action::Action;
use super::ask::{ask, complaints, number};
use super::change::{self, Content, Outcome, Work};
use super::query::{LIST, ListQuery};
use super::table::Column;
use super::target::target;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::service::devices::{self, Skipped, Which};
use crate::web::device::diagnose;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Both, Complaints};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// From more devices than this on, their number has to be typed.
pub(super) const UNTYPED: usize = 10;

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
    pub(super) artifact_id: Option<Uuid>,
    pub(super) content: Content,
    /// A script is run also where the configuration cannot be kept first.
    pub(super) no_backup: bool,
    pub(super) tag: String,
    pub(super) site: String,
    pub(super) group: Option<Uuid>,
    /// How many devices were seen.
    pub(super) expected: Option<usize>,
    /// Their number, typed.
    pub(super) confirm: String,
    /// Of this confirmation: sent twice, each device gets its job once. (What is only asked for is asked
    /// for again.)
    pub(super) key: Option<Uuid>,
}

impl Sent {
    /// The list from which it came.
    pub(super) fn back(&self) -> String {
        let columns = self.cols.split(',').filter_map(Column::named).collect();
        ListQuery::new(self.q.trim().to_owned(), columns, String::new()).address(LIST, "")
    }
}

/// A form with the fields of a test, which are those of the test of a single device.
pub(super) struct Whole {
    pub(super) sent: Sent,
    pub(super) test: diagnose::Order,
}

impl Whole {
    fn of(Both(sent, mut test): Both<Sent, diagnose::Order>) -> Self {
        if let Some(kind) = sent.action.and_then(Action::test) {
            test.test = kind;
        }
        Self { sent, test }
    }
}

/// What is to be done to which devices.
pub(super) struct Order {
    pub(super) which: Which,
    pub(super) action: Action,
    pub(super) expected: usize,
    pub(super) key: Uuid,
}

#[derive(Serialize)]
struct DonePage {
    shell: Shell,
    label: &'static str,
    done: String,
    /// Those that were so already; empty = none.
    unchanged: String,
    skipped: String,
    /// Why, of the first of them.
    reasons: Vec<Skipped>,
    stopped: Option<String>,
    /// The list of its jobs.
    jobs: Option<String>,
    back: String,
}

/// `POST /devices/bulk/confirm`: what will happen, and to how many.
pub(super) async fn confirm(
    viewer: Viewer,
    State(app): State<Shared>,
    both: Both<Sent, diagnose::Order>,
) -> Result<Response, Failure> {
    let form = Whole::of(both);
    let sent = &form.sent;
    let back = |why: &str| Ok(flash::to(&sent.back(), Flash::failed(why)));
    let Some(which) = target(&sent.id, sent.all, &sent.q)? else {
        return back("Choose devices first, or all that match.");
    };
    let Some(action) = sent.action else { return back("Choose what is to be done.") };
    let expected = match devices::count_many(&app, viewer.ctx(), &which).await {
        Ok(0) => return back("There is no device among them that you may operate."),
        Ok(count) => count,
        // The list shows where in the selector.
        Err(Error::Invalid { .. }) => return back("The selector cannot be read."),
        Err(other) => return Err(other.into()),
    };
    let order = Order { which, action, expected, key: Uuid::now_v7() };
    ask(&app, &viewer, &form, &order, Complaints::default()).await
}

/// `POST /devices/bulk`: does it.
pub(super) async fn run(
    viewer: Viewer,
    State(app): State<Shared>,
    both: Both<Sent, diagnose::Order>,
) -> Result<Response, Failure> {
    let form = Whole::of(both);
    let sent = &form.sent;
    let which = target(&sent.id, sent.all, &sent.q)?;
    let (Some(which), Some(action), Some(expected), Some(key)) =
        (which, sent.action, sent.expected, sent.key)
    else {
        let why = "Choose devices and what is to be done.";
        return Ok(flash::to(&sent.back(), Flash::failed(why)));
    };
    let order = Order { which, action, expected, key };
    if expected > UNTYPED && sent.confirm.trim() != expected.to_string() {
        let wrong = Complaints::field("confirm", format!("Type {expected} to go on."));
        return ask(&app, &viewer, &form, &order, wrong).await;
    }
    match done(&app, &viewer, &form, &order).await {
        Ok(outcome) => told(&app, &viewer, sent, action, outcome),
        Err(error) => {
            let errors = complaints(action, error)?;
            // As many as there are by now.
            let expected = devices::count_many(&app, viewer.ctx(), &order.which).await?;
            ask(&app, &viewer, &form, &Order { expected, ..order }, errors).await
        }
    }
}

async fn done(
    app: &Shared,
    viewer: &Viewer,
    form: &Whole,
    order: &Order,
) -> Result<Outcome, Error> {
    let ctx = viewer.ctx();
    let work = Work::read(app, ctx, order.action, &form.sent, &form.test).await?;
    change::done(app, ctx, work, order, form.sent.no_backup).await
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
        unchanged: if outcome.unchanged > 0 { number(outcome.unchanged) } else { String::new() },
        skipped: number(outcome.skipped),
        reasons: outcome.reasons,
        stopped: outcome.stopped,
        jobs: action.job().map(|kind| format!("/jobs?kind={kind}")),
        back: sent.back(),
    };
    Ok(render(View::DevicesDone, &page)?.into_response())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let page = |unchanged: &str, jobs: Option<&str>, stopped: Option<&str>| DonePage {
        shell: Shell::sample(),
        label: "Reboot",
        done: "12".to_owned(),
        unchanged: unchanged.to_owned(),
        skipped: "1".to_owned(),
        reasons: vec![Skipped { device_id: Uuid::from_u128(7), why: "<x-evil>".to_owned() }],
        stopped: stopped.map(str::to_owned),
        jobs: jobs.map(str::to_owned),
        back: LIST.to_owned(),
    };
    let mut samples = super::ask::samples();
    samples.push(sample(View::DevicesDone, &page("", Some("/jobs?kind=reboot"), None)));
    samples.push(sample(View::DevicesDone, &page("3", None, Some("<x-evil>"))));
    samples
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use axum::body::Body;
    use axum::extract::{FromRequest, Request};

    use super::*;
    use crate::jobs::spec::{DiagnosticTest, JobSpec};

    async fn read(body: &'static str) -> Whole {
        let request = Request::new(Body::from(body));
        let both = Both::<Sent, diagnose::Order>::from_request(request, &()).await;
        Whole::of(both.ok().unwrap())
    }

    #[tokio::test]
    async fn a_form_has_the_fields_of_its_test() {
        let form = read("action=traceroute&all=yes&q=online&route_host=gw&ping_host=x").await;
        assert_eq!((form.sent.action, form.sent.all), (Some(Action::Traceroute), true));
        let JobSpec::Diagnose { test: DiagnosticTest::Traceroute { host, .. } } =
            diagnose::job(&form.test)
        else {
            panic!("another test")
        };
        assert_eq!(host, "gw");
        let empty = read("").await;
        assert!(empty.sent.action.is_none() && !empty.sent.all);
    }

    #[test]
    fn what_was_done_leads_back_to_its_list() {
        let sent =
            Sent { q: " online ".to_owned(), cols: "serial,work".to_owned(), ..Sent::default() };
        assert_eq!(sent.back(), "/devices?q=online&cols=serial%2Cwork");
        assert_eq!(Sent::default().back(), "/devices");
    }
}
