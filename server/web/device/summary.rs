//! How a device is: its vital signs, what was done with it last, and what it is.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::card::{self, Card};
use super::jobs::{Row, row};
use super::progress::{Around, is_open, progress, sentence, title};
use super::timeline::{self, Entry};
use super::tree::{self, Known, Rows};
use super::{Head, Link, May, Tab, found_by, packages, placement, quoted, shell};
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::service::devices::Detail;
use crate::service::jobs::JobFilter;
use crate::service::{devices, jobs};
use crate::store::connection_requests::Request;
use crate::store::devices::Device;
use crate::store::jobs::Job;
use crate::store::uplinks::Ties;
use crate::web::failure::Failure;
use crate::web::format::{When, relative};
use crate::web::shell::Shell;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Newest jobs that are looked at for open ones and failures.
const LOOKED_AT: i64 = 100;
/// Jobs and entries of the timeline that are shown.
const LATEST: usize = 6;
/// From so many percent on, memory or processor are short.
const SHORT: u64 = 90;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OverviewQuery {
    /// A job that was just ordered.
    job: Option<Uuid>,
}

#[derive(Serialize)]
struct OverviewPage {
    shell: Shell,
    head: Head,
    /// Of the job that was just ordered.
    ordered: Option<Card>,
    summary: Summary,
    facts: Vec<Trait>,
    installed: packages::Installed,
    links: Vec<Link>,
}

/// A text or a time of what a device is, for `ui.facts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Trait {
    label: &'static str,
    value: String,
    /// Where the text leads; empty = nowhere.
    href: String,
    at: Option<When>,
}

impl Trait {
    fn said(label: &'static str, value: &str) -> Self {
        Self { label, value: value.to_owned(), href: String::new(), at: None }
    }
}

#[derive(Serialize)]
struct SummaryFragment {
    summary: Summary,
}

/// What of a device changes by itself.
#[derive(Debug, Clone, Serialize)]
struct Summary {
    id: Uuid,
    may: May,
    last_inform: When,
    /// When it started last.
    started: Option<When>,
    memory: Option<Gauge>,
    processor: Option<Gauge>,
    /// Open jobs: `3`, `100 or more`.
    open: String,
    failure: Option<Failed>,
    /// That it is being called, and how far that has come; empty = nobody wants it now.
    calling: String,
    /// It asks to enrol again.
    asks: Option<When>,
    jobs: Vec<Row>,
    entries: Vec<Entry>,
}

/// A share of what there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Gauge {
    percent: u64,
    short: bool,
    at: Option<When>,
}

/// A job that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Failed {
    title: String,
    href: String,
    line: String,
    at: When,
}

/// `GET /devices/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<OverviewQuery>,
) -> Result<Response, Failure> {
    let detail = devices::detail(&app, viewer.ctx(), &id).await?;
    let device = &detail.device;
    let ordered = match query.job {
        Some(job_id) => {
            let (_, job) = card::find(&app, &viewer, &id, job_id).await?;
            Some(card::of(&app, &viewer, &detail, job).await?)
        }
        None => None,
    };
    let head = Head::of(&app, viewer.ctx(), device, Tab::Overview).await?;
    let uplink = placement::uplink(&app, viewer.ctx(), &detail.ties).await?;
    let page = OverviewPage {
        shell: shell(&app, &viewer, &head, ""),
        ordered,
        summary: summary(&app, &viewer, &detail).await?,
        facts: [facts(device, viewer.ctx().now), ties(uplink, &detail.ties)].concat(),
        links: links(device),
        installed: packages::of(&app, viewer.ctx(), device.device_id, head.may.operate).await?,
        head,
    };
    Ok(render(View::Device, &page)?.into_response())
}

/// `GET /devices/{id}/summary`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let detail = devices::detail(&app, viewer.ctx(), &id).await?;
    let summary = summary(&app, &viewer, &detail).await?;
    Ok(render(View::DeviceSummary, &SummaryFragment { summary })?.into_response())
}

async fn summary(app: &App, viewer: &Viewer, detail: &Detail) -> Result<Summary, Error> {
    let (ctx, device) = (viewer.ctx(), &detail.device);
    let id = device.device_id.to_string();
    let filter = JobFilter { device: Some(id.clone()), limit: LOOKED_AT, ..JobFilter::default() };
    let newest = jobs::list(app, ctx, &filter).await?;
    let known = devices::parameters(app, ctx, &id).await?;
    let rows = tree::rows(&known);
    let may = May::with(app, ctx, device).await?;
    let entries = timeline::latest(app, viewer, device.device_id, LATEST).await?;
    Ok(Summary {
        id: device.device_id,
        may,
        last_inform: When::new(device.last_inform, ctx.now),
        started: started(&rows, device.last_boot).map(|at| When::new(at, ctx.now)),
        memory: memory(&rows, ctx.now),
        processor: processor(&rows, ctx.now),
        open: open(&newest),
        failure: failure(&newest, device, ctx.now),
        calling: detail
            .connection_request
            .as_ref()
            .map_or_else(String::new, |request| calling(request, ctx.now)),
        asks: device.reenrol_asked_at.map(|at| When::new(at, ctx.now)),
        jobs: newest.iter().take(LATEST).map(|job| row(job, may, ctx.now)).collect(),
        entries,
    })
}

fn open(newest: &[Job]) -> String {
    match newest.iter().filter(|job| is_open(job)).count() as i64 {
        LOOKED_AT.. => format!("{LOOKED_AT} or more"),
        n => n.to_string(),
    }
}

fn failure(newest: &[Job], device: &Device, now: DateTime<Utc>) -> Option<Failed> {
    let failed = |job: &&Job| matches!(job.state.as_str(), "failed" | "expired");
    let job = newest.iter().find(failed)?;
    let around = Around {
        request: None,
        last_inform: device.last_inform,
        interval: TimeDelta::zero(),
        ahead: 0,
        now,
    };
    Some(Failed {
        title: title(job),
        href: format!("/jobs/{}", job.job_id),
        line: progress(job, &around).line,
        at: When::new(job.finished_at.unwrap_or(job.created_at), now),
    })
}

/// A parameter of `DeviceInfo`, in either data model.
fn vital<'a>(rows: &Rows<'a>, name: &str) -> Option<Known<'a>> {
    let at = |root: &str| rows.get(format!("{root}.DeviceInfo.{name}").as_str()).copied();
    at("Device").or_else(|| at("InternetGatewayDevice"))
}

fn number(known: Known<'_>) -> Option<u64> {
    known.value.trim().parse().ok()
}

/// When it started: by how long it says that it runs, else by its last `1 BOOT`.
fn started(rows: &Rows<'_>, last_boot: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let uptime = vital(rows, "UpTime").and_then(|known| {
        let seconds = i64::try_from(number(known)?).ok()?;
        known.at?.checked_sub_signed(TimeDelta::try_seconds(seconds)?)
    });
    // A boot after the time was read: what was read is of the run before.
    uptime.max(last_boot)
}

fn memory(rows: &Rows<'_>, now: DateTime<Utc>) -> Option<Gauge> {
    let free = vital(rows, "MemoryStatus.Free")?;
    let total = number(vital(rows, "MemoryStatus.Total")?).filter(|total| *total > 0)?;
    let used = total.saturating_sub(number(free)?);
    Some(gauge(u64::try_from(u128::from(used) * 100 / u128::from(total)).ok()?, free, now))
}

fn processor(rows: &Rows<'_>, now: DateTime<Utc>) -> Option<Gauge> {
    let usage = vital(rows, "ProcessStatus.CPUUsage")?;
    Some(gauge(number(usage).filter(|percent| *percent <= 100)?, usage, now))
}

fn gauge(percent: u64, of: Known<'_>, now: DateTime<Utc>) -> Gauge {
    Gauge { percent, short: percent >= SHORT, at: of.at.map(|at| When::new(at, now)) }
}

/// How far waking the device has come, and why it is stuck.
fn calling(request: &Request, now: DateTime<Utc>) -> String {
    let times = match request.attempts {
        0 => "not tried yet".to_owned(),
        1 => "tried once".to_owned(),
        n => format!("tried {n} times"),
    };
    let mut text = format!("Asked for {}, {times}.", relative(request.asked_at, now));
    if let Some(error) = &request.last_error {
        text.push_str(&format!(" The last attempt failed: {}", sentence(error)));
    }
    if request.not_before > now + TimeDelta::days(30) {
        text.push_str(" It is not called again: it comes by itself.");
    } else if request.not_before > now {
        text.push_str(&format!(" The next attempt is {}.", relative(request.not_before, now)));
    }
    text
}

/// What it is.
fn facts(device: &Device, now: DateTime<Utc>) -> Vec<Trait> {
    let said = Trait::said;
    let text = |label, value: &Option<String>| said(label, value.as_deref().unwrap_or_default());
    let time = |label, at: Option<DateTime<Utc>>, otherwise: &str| match at {
        Some(at) => Trait { at: Some(When::new(at, now)), ..said(label, "") },
        None => said(label, otherwise),
    };
    let methods = device.methods.as_ref().map(|methods| methods.join(", "));
    vec![
        said("Serial number", &device.serial),
        text("Identity", &device.identity),
        said("Manufacturer", &device.manufacturer),
        said("OUI", &device.oui),
        said("Product class", &device.product_class),
        text("Model", &device.model),
        text("Architecture", &device.arch),
        text("Hardware version", &device.hardware_version),
        text("Software version", &device.software_version),
        text("Provisioning code", &device.provisioning_code),
        text("Customer", &device.customer),
        said("Address", &device.remote_addr.addr().to_string()),
        said("Authenticated by", &device.auth),
        time("First inform", Some(device.first_inform), ""),
        time("Last boot", device.last_boot, ""),
        time("Last bootstrap", device.last_bootstrap, ""),
        said("Last events", &device.events),
        time("Data model read", device.refreshed_at, "never"),
        time("Next work", device.next_due, "none"),
        text("Data model", &device.root),
        said("CWMP namespace", &device.namespace),
        text("Parameter key", &device.parameter_key),
        text("Connection request URL", &device.connection_request_url),
        text("Methods", &methods),
        said("Device id", &device.device_id.to_string()),
    ]
}

/// With which others it goes together.
fn ties(uplink: Link, ties: &Ties) -> Vec<Trait> {
    vec![
        Trait { href: uplink.href, ..Trait::said("Uplink", &uplink.label) },
        Trait::said("Redundancy", ties.redundancy.as_deref().unwrap_or_default()),
    ]
}

/// To others like it.
fn links(device: &Device) -> Vec<Link> {
    let class = Some(&device.product_class).filter(|class| !class.is_empty());
    let like = [
        ("Of the same product class", "class", class),
        ("With the same version", "version", device.software_version.as_ref()),
        ("Of the same site", "site", device.site.as_ref()),
    ];
    like.into_iter()
        .filter_map(|(label, field, value)| {
            let href = found_by(&format!("{field} = {}", quoted(value?)));
            Some(Link { label: label.to_owned(), href })
        })
        .collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::samples;
