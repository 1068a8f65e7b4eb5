//! One parameter: changed in its place, read back from the device, and, if it is a secret, shown.
//!
//! A change is two jobs: one sets the value, one after it reads it, so that what is shown in the end
//! is what the device says. A secret is not read back: devices do not tell them.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::parameters::{Leaf, Place};
use super::progress::{is_open, sentence};
use super::tree::{self, Known};
use super::{Head, Tab, address, card, look, operate, shell, with_query};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::fleet::secret::is_secret;
use crate::jobs::queue::masked_args;
use crate::jobs::spec::{JobSpec, SetParameter};
use crate::service::jobs::{JobFilter, NewOrder};
use crate::service::{devices, jobs, secrets};
use crate::store::devices::Device;
use crate::store::jobs::Job;
use crate::web::failure::Failure;
use crate::web::form::{Complaints, Form};
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// Newest reading jobs of a device among which that of a change is looked for.
const LATELY: i64 = 50;
/// A value of more characters is edited in several lines.
const LONG: usize = 60;

#[derive(Debug, Deserialize)]
pub(super) struct RowQuery {
    name: String,
    /// The job that sets it.
    #[serde(default)]
    job: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct NewValue {
    name: String,
    value: String,
}

/// How far a change of a parameter has come.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    /// The device, whose news may be of this.
    device: Uuid,
    /// The row again; empty = nothing more will come.
    again: String,
    /// The page of the job.
    href: String,
    state: String,
    line: String,
    advice: String,
}

#[derive(Serialize)]
struct RowFragment {
    leaf: Leaf,
}

/// The form that changes a parameter.
#[derive(Debug, Clone, Serialize)]
struct Edit {
    name: String,
    value: String,
    kind: &'static str,
    secret: bool,
    long: bool,
    /// What can be chosen; empty = anything.
    choices: Vec<Choice>,
    action: String,
    /// The row as it was.
    row: String,
    /// The page that it stands on.
    back: String,
    /// It stands in the place of its row.
    inline: bool,
    errors: Complaints,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
struct EditPage {
    shell: Shell,
    head: Head,
    edit: Edit,
}

#[derive(Serialize)]
struct EditFragment {
    edit: Edit,
}

#[derive(Serialize)]
struct SecretPage {
    shell: Shell,
    head: Head,
    name: String,
    value: String,
    back: String,
}

/// `GET /devices/{id}/parameters/row`
pub(super) async fn row(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<RowQuery>,
) -> Result<Response, Failure> {
    let (device, _) = look(&app, &viewer, &id, Tab::Parameters).await?;
    let job = match query.job {
        Some(job_id) => Some(card::find(&app, &viewer, &id, job_id).await?.1),
        None => None,
    };
    let leaf = leaf(&app, &viewer, &device, &query.name, job).await?;
    Ok(render(View::DeviceRow, &RowFragment { leaf })?.into_response())
}

/// A parameter as its row shows it, with how far its change has come.
async fn leaf(
    app: &App,
    viewer: &Viewer,
    device: &Device,
    name: &str,
    job: Option<Job>,
) -> Result<Leaf, Error> {
    let id = device.device_id.to_string();
    let place = Place::of(app, viewer, device).await?;
    let known = devices::parameters(app, viewer.ctx(), &id).await?;
    let rows = tree::rows(&known);
    let mut leaf = place.leaf(rows.get(name).ok_or_else(|| unknown(name))?);
    if let Some(job) = job {
        leaf.change = Some(change(app, viewer, &leaf, job).await?);
    }
    Ok(leaf)
}

fn unknown(name: &str) -> Error {
    Error::NotFound(format!("the device is not known to have {name}"))
}

async fn change(app: &App, viewer: &Viewer, leaf: &Leaf, job: Job) -> Result<Change, Error> {
    let detail = devices::detail(app, viewer.ctx(), &job.device_id.to_string()).await?;
    let href = format!("/jobs/{}", job.job_id);
    let again = format!("{}&job={}", leaf.row, job.job_id);
    let card = card::of(app, viewer, &detail, job).await?;
    let (state, line) = match card.confirmation {
        Some(said) => (said.state.to_owned(), said.line),
        None => (card.state, card.progress.line),
    };
    Ok(Change {
        device: card.device,
        again: if card.open { again } else { String::new() },
        href,
        state,
        line,
        advice: card.progress.advice,
    })
}

/// `GET /devices/{id}/parameters/edit`
pub(super) async fn edit(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Named>,
) -> Result<Response, Failure> {
    let (device, head) = operate(&app, &viewer, &id).await?;
    let known = devices::parameters(&app, viewer.ctx(), &id).await?;
    let rows = tree::rows(&known);
    let known = rows.get(query.name.as_str()).ok_or_else(|| unknown(&query.name))?;
    let edit = form(&device, known, None, Complaints::default());
    shown(&app, &viewer, &visit, head, edit)
}

fn shown(
    app: &App,
    viewer: &Viewer,
    visit: &Visit,
    head: Head,
    edit: Edit,
) -> Result<Response, Failure> {
    let wrong = edit.errors != Complaints::default();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let html = if visit.htmx {
        let edit = Edit { inline: true, ..edit };
        render(View::DeviceEditRow, &EditFragment { edit })?
    } else {
        let shell = shell(app, viewer, &head, "change a parameter");
        render(View::DeviceEdit, &EditPage { shell, head, edit })?
    };
    Ok((status, html).into_response())
}

fn form(device: &Device, known: &Known<'_>, typed: Option<String>, errors: Complaints) -> Edit {
    let at = |end: &str| address(device.device_id, end);
    let secret = is_secret(known.name);
    // The mask of a secret is no value to begin with.
    let present = if secret { "" } else { known.value };
    let value = typed.unwrap_or_else(|| present.to_owned());
    Edit {
        name: known.name.to_owned(),
        kind: known.kind,
        secret,
        long: value.chars().count() > LONG || value.contains('\n'),
        choices: choices(known.kind, present),
        value,
        action: at("/parameters/set"),
        row: with_query(&at("/parameters/row"), &[("name", known.name)]),
        back: with_query(&at("/parameters"), &[("at", tree::object_of(known.name))]),
        inline: false,
        errors,
    }
}

/// What a parameter can be, in the words that its device uses; empty = anything.
fn choices(kind: &str, present: &str) -> Vec<Choice> {
    let choice = |value, label| Choice { value, label };
    match (kind, present) {
        ("boolean", "0" | "1") => vec![choice("1", "true"), choice("0", "false")],
        ("boolean", "" | "true" | "false") => {
            vec![choice("true", "true"), choice("false", "false")]
        }
        _ => Vec::new(),
    }
}

/// `POST /devices/{id}/parameters/set`
pub(super) async fn set(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<NewValue>,
) -> Result<Response, Failure> {
    let (device, head) = operate(&app, &viewer, &id).await?;
    let job = match order(&app, &viewer, &device, &sent).await {
        Ok(job) => job,
        Err(error) => {
            let errors = Complaints::of(error, &[])?;
            let known = devices::parameters(&app, viewer.ctx(), &id).await?;
            let rows = tree::rows(&known);
            let known = rows.get(sent.name.as_str()).ok_or_else(|| unknown(&sent.name))?;
            let edit = form(&device, known, Some(sent.value), errors);
            return shown(&app, &viewer, &visit, head, edit);
        }
    };
    if !visit.htmx {
        return Ok(Redirect::to(&card::with_card(&job)).into_response());
    }
    let leaf = leaf(&app, &viewer, &device, &sent.name, Some(job)).await?;
    Ok(render(View::DeviceRow, &RowFragment { leaf })?.into_response())
}

/// Sets the value, and reads it after that if that can be ordered too.
async fn order(app: &App, viewer: &Viewer, device: &Device, sent: &NewValue) -> Result<Job, Error> {
    let id = device.device_id.to_string();
    let (name, value) = (sent.name.clone(), sent.value.clone());
    let set = JobSpec::Set { parameters: vec![SetParameter { name, value, kind: None }] };
    let (job, _) = jobs::create(app, viewer.ctx(), &id, ordered(set)).await?;
    if !is_secret(&sent.name) {
        let read = JobSpec::Get { names: vec![sent.name.clone()] };
        let key = Some(read_key(&job));
        let read = NewOrder { idempotency_key: key, ..ordered(read) };
        // The change is ordered all the same: without this one its job alone says what became of it.
        if let Err(error) = jobs::create(app, viewer.ctx(), &id, read).await {
            tracing::warn!(job.id = %job.job_id, "it is not read back: {}", error.private());
        }
    }
    Ok(job)
}

/// An order without any conditions.
pub(super) fn ordered(spec: JobSpec) -> NewOrder {
    NewOrder {
        spec,
        not_before: None,
        expires_at: None,
        idempotency_key: None,
        wake: None,
        backup: None,
    }
}

/// By which the job that reads a value back is known.
fn read_key(set: &Job) -> String {
    format!("confirm:{}", set.job_id)
}

/// What the device says of a value that it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Confirmation {
    state: &'static str,
    line: String,
}

impl Confirmation {
    /// Whether the device is still to say it.
    pub(super) fn is_due(&self) -> bool {
        self.state == "running"
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        Self { state: "done", line: "<x-evil>".to_owned() }
    }
}

/// What the device says of the value that a job has set; `None` = nothing was asked, or not yet.
pub(super) async fn confirmation(
    app: &App,
    viewer: &Viewer,
    set: &Job,
) -> Result<Option<Confirmation>, Error> {
    if set.kind != "set" || set.state != "done" {
        return Ok(None);
    }
    let filter = JobFilter {
        device: Some(set.device_id.to_string()),
        kind: Some("get".to_owned()),
        limit: LATELY,
        ..JobFilter::default()
    };
    let key = read_key(set);
    let reads = jobs::list(app, viewer.ctx(), &filter).await?;
    let read = reads.iter().find(|job| job.idempotency_key.as_ref() == Some(&key));
    Ok(read.and_then(|read| confirmed(set, read)))
}

/// The same of the two jobs. Pure.
fn confirmed(set: &Job, read: &Job) -> Option<Confirmation> {
    let args = masked_args(&set.args);
    let wanted = &args["parameters"][0];
    let (name, wanted) = (wanted["name"].as_str()?, wanted["value"].as_str()?);
    let say = |state, line: String| Some(Confirmation { state, line });
    if is_open(read) {
        return say("running", "The device took it. Now it is read back.".to_owned());
    }
    if read.state != "done" {
        let why = sentence(read.note.as_deref().unwrap_or(&read.state));
        return say("warn", format!("The device took it, but it could not be read back. {why}"));
    }
    let told = read.result.as_ref()?["parameters"].as_array()?;
    let of_name = |entry: &&Value| entry["name"].as_str() == Some(name);
    let value = told.iter().find(of_name)?["value"].as_str()?;
    if is_same(wanted, value) {
        return say("done", format!("Confirmed by the device: {value}"));
    }
    say("warn", format!("The device took it, but says: {value}"))
}

/// Devices answer with `1` what was set with `true`.
fn is_same(a: &str, b: &str) -> bool {
    let plain = |text: &str| match text {
        "1" | "true" => "true".to_owned(),
        "0" | "false" => "false".to_owned(),
        other => other.to_owned(),
    };
    plain(a) == plain(b)
}

/// `POST /devices/{id}/parameters/reveal`
pub(super) async fn reveal(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Named>,
) -> Result<Response, Failure> {
    let (device, head) = look(&app, &viewer, &id, Tab::Parameters).await?;
    let value = secrets::reveal(&app, viewer.ctx(), &id, &sent.name).await?;
    if visit.htmx {
        let mut leaf = leaf(&app, &viewer, &device, &sent.name, None).await?;
        leaf.clear = Some(value);
        return Ok(render(View::DeviceRow, &RowFragment { leaf })?.into_response());
    }
    let at = [("at", tree::object_of(&sent.name))];
    let page = SecretPage {
        shell: shell(&app, &viewer, &head, "a secret"),
        back: with_query(&address(device.device_id, "/parameters"), &at),
        name: sent.name,
        value,
        head,
    };
    Ok(render(View::DeviceSecret, &page)?.into_response())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
