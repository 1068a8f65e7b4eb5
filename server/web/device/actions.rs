//! What can be done with a device by one click, or by one that is asked for once more first.
//!
//! Owns the words of those asks, that what cannot be undone takes the serial number, typed on the page
//! and compared here, and what is a script; many devices are sent one by the same rule
//! (`web::devices`).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value::ordered;
use super::{Head, May, address, card, name, operate, shell};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::jobs::queue::MOST_FRAMED;
use crate::jobs::spec::{DownloadFile, DownloadSpec, JobSpec};
use crate::service::devices::Which;
use crate::service::jobs::NewOrder;
use crate::service::{artifacts, devices, jobs};
use crate::store::artifacts::Artifact;
use crate::store::devices::Device;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::Form;
use crate::web::format::{When, size};
use crate::web::shell::Shell;
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::{View, render};

/// For how long somebody who approves lets a device enrol, in hours.
const ENROLMENT_HOURS: u32 = 24;
/// Stored files among which scripts are looked for, the newest first.
const LOOKED_AT: i64 = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Below {
    /// Empty = the whole data model.
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Confirmed {
    confirm: String,
    /// Also where the configuration cannot be kept first.
    no_backup: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    artifact_id: Uuid,
    /// See [`Confirmed`].
    #[serde(default)]
    no_backup: bool,
}

/// What is asked before something is done, in a dialog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Ask {
    /// Of its dialog.
    id: &'static str,
    /// On what opens it.
    label: &'static str,
    title: String,
    text: &'static str,
    button: &'static str,
    action: String,
    /// What must be typed; empty = nothing.
    expect: String,
    danger: bool,
    /// The configuration is kept first, unless somebody wants it done without.
    keeps: bool,
}

#[derive(Serialize)]
struct ScriptPage {
    shell: Shell,
    head: Head,
    stored: Vec<Stored>,
    /// Why the device does not come back by itself where the script cuts it off; empty = it does.
    rescue: &'static str,
}

/// A stored file that can be chosen, for `device_stored.html`.
#[derive(Debug, Clone, Serialize)]
pub(in crate::web) struct Stored {
    id: Uuid,
    name: String,
    size: String,
    by: String,
    at: When,
    chosen: bool,
    /// A script that is too long for the frame by which a device tells what became of it, and undoes it.
    bare: bool,
}

impl Stored {
    fn new(file: &Artifact, now: DateTime<Utc>, chosen: bool) -> Self {
        Self {
            id: file.artifact_id,
            name: file.name.clone(),
            size: size(file.size),
            by: file.created_by.clone(),
            at: When::new(file.created_at, now),
            chosen,
            bare: is_script(&file.name) && file.size > MOST_FRAMED,
        }
    }

    #[cfg(test)]
    pub(in crate::web) fn sample() -> Self {
        Self {
            id: Uuid::from_u128(3),
            name: "<x-evil>.rsc".to_owned(),
            size: "1 B".to_owned(),
            by: "<x-evil>".to_owned(),
            at: When::new(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH),
            chosen: true,
            bare: true,
        }
    }
}

/// The asks of what this viewer may do.
pub(super) fn asks(device: &Device, may: May) -> Vec<Ask> {
    let operator = [ask_reboot(device), ask_reset(device)];
    let asks = operator.into_iter().filter(|_| may.operate);
    asks.chain(may.admin.then(|| ask_remove(device))).collect()
}

fn ask_reboot(device: &Device) -> Ask {
    Ask {
        id: "reboot",
        label: "Reboot",
        title: format!("Reboot {}?", name(device)),
        text: "Whoever is behind it is offline for a minute or two. It reports when it is back.",
        button: "Reboot",
        action: address(device.device_id, "/reboot"),
        expect: String::new(),
        danger: false,
        keeps: false,
    }
}

fn ask_reset(device: &Device) -> Ask {
    Ask {
        id: "factory-reset",
        label: "Factory reset",
        title: format!("Reset {} to factory settings?", name(device)),
        text: "Its whole configuration is lost, and whoever is behind it is offline until it has a \
               new one. RouterOS also forgets its certificates and this server, unless its factory \
               configuration holds them: then somebody has to go there.",
        button: "Reset it",
        action: address(device.device_id, "/factory-reset"),
        expect: device.serial.clone(),
        danger: true,
        keeps: true,
    }
}

fn ask_remove(device: &Device) -> Ask {
    Ask {
        id: "remove",
        label: "Remove this device",
        title: format!("Remove {}?", name(device)),
        text: "All that is known of it goes: parameters, secrets, jobs, history, files. The device \
               itself is not touched; if it comes again, it comes as a new one.",
        button: "Remove it",
        action: address(device.device_id, "/remove"),
        expect: device.serial.clone(),
        danger: true,
        keeps: false,
    }
}

/// Orders a job that changes the configuration, and shows it.
async fn change(
    app: &App,
    viewer: &Viewer,
    visit: &Visit,
    id: &str,
    spec: JobSpec,
    no_backup: bool,
) -> Result<Response, Failure> {
    let order = NewOrder { backup: no_backup.then_some(false), ..ordered(spec) };
    let (job, _) = jobs::create(app, viewer.ctx(), id, order).await?;
    card::answer(app, viewer, visit, job).await
}

/// Orders a job, and shows it.
async fn order(
    app: &App,
    viewer: &Viewer,
    visit: &Visit,
    id: &str,
    spec: JobSpec,
) -> Result<Response, Failure> {
    let (job, _) = jobs::create(app, viewer.ctx(), id, ordered(spec)).await?;
    card::answer(app, viewer, visit, job).await
}

/// `POST /devices/{id}/refresh`
pub(super) async fn refresh(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Below>,
) -> Result<Response, Failure> {
    order(&app, &viewer, &visit, &id, JobSpec::Refresh { path: sent.path }).await
}

/// `POST /devices/{id}/wake`
pub(super) async fn wake(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (job, _) = devices::wake(&app, viewer.ctx(), &id).await?;
    card::answer(&app, &viewer, &visit, job).await
}

/// `POST /devices/{id}/enrolment`: lets it enrol again.
pub(super) async fn approve(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (device, _) = operate(&app, &viewer, &id).await?;
    devices::allow_enrolment(&app, viewer.ctx(), &id, ENROLMENT_HOURS).await?;
    let done = format!(
        "It may enrol again within {ENROLMENT_HOURS} hours, and is given a credential of its own."
    );
    Ok(flash::to(&address(device.device_id, ""), Flash::done(done)))
}

/// `POST /devices/{id}/reboot`
pub(super) async fn reboot(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    order(&app, &viewer, &visit, &id, JobSpec::Reboot).await
}

/// `POST /devices/{id}/factory-reset`
pub(super) async fn reset(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Confirmed>,
) -> Result<Response, Failure> {
    let (device, _) = operate(&app, &viewer, &id).await?;
    let ask = ask_reset(&device);
    if !is_confirmed(&ask, &sent) {
        return Ok(nothing_done(&ask, device.device_id));
    }
    change(&app, &viewer, &visit, &id, JobSpec::FactoryReset, sent.no_backup).await
}

/// `POST /devices/{id}/remove`
pub(super) async fn remove(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Confirmed>,
) -> Result<Response, Failure> {
    let device = devices::find(&app, viewer.ctx(), &id, Right::Admin).await?;
    let ask = ask_remove(&device);
    if !is_confirmed(&ask, &sent) {
        return Ok(nothing_done(&ask, device.device_id));
    }
    devices::delete(&app, viewer.ctx(), &device.device_id.to_string()).await?;
    Ok(flash::to("/devices", Flash::done(format!("{} is removed.", name(&device)))))
}

/// Whether what was to be typed was typed.
fn is_confirmed(ask: &Ask, sent: &Confirmed) -> bool {
    sent.confirm.trim() == ask.expect.trim()
}

fn nothing_done(ask: &Ask, device_id: Uuid) -> Response {
    let why = format!("Nothing was done: type {} to confirm.", ask.expect);
    flash::to(&address(device_id, ""), Flash::failed(why))
}

/// `GET /devices/{id}/script`
pub(super) async fn script_page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (_, head) = operate(&app, &viewer, &id).await?;
    let scripts = stored(&app, viewer.ctx(), is_script).await?;
    let stranded = devices::stranded(&app, viewer.ctx(), &Which::Chosen(vec![head.id])).await?;
    let now = viewer.ctx().now;
    let page = ScriptPage {
        shell: shell(&app, &viewer, &head, "run a script"),
        // The newest is what somebody who just stored it came for.
        stored: scripts.iter().enumerate().map(|(i, f)| Stored::new(f, now, i == 0)).collect(),
        rescue: stranded.first().map_or("", |one| one.why),
        head,
    };
    Ok(render(View::DeviceScript, &page)?.into_response())
}

/// The newest stored files with a name of this kind.
async fn stored(
    app: &App,
    ctx: &Ctx,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Artifact>, Error> {
    let mut files = artifacts::list(app, ctx, None, LOOKED_AT).await?;
    files.retain(|file| wanted(&file.name));
    Ok(files)
}

/// The stored files of which one is sent to many devices: scripts, or what is none. None of them is
/// chosen before somebody does.
pub(in crate::web) async fn stored_for_many(
    app: &App,
    ctx: &Ctx,
    scripts: bool,
    chosen: Option<Uuid>,
) -> Result<Vec<Stored>, Error> {
    let files = stored(app, ctx, |name| is_script(name) == scripts).await?;
    let shown = |file: &Artifact| Stored::new(file, ctx.now, chosen == Some(file.artifact_id));
    Ok(files.iter().map(shown).collect())
}

/// By its name: what is no script would be run as one all the same.
pub(in crate::web) fn is_script(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".rsc") || name.ends_with(".alter")
}

/// The job that runs a stored script, on top of what is there: never in place of it.
///
/// # Errors
/// [`Error::Invalid`] at `/artifact_id` for a file that is no script.
pub(in crate::web) fn run(file: &Artifact) -> Result<JobSpec, Error> {
    if !is_script(&file.name) {
        let why =
            format!("{} is no script: its name ends neither in .rsc nor in .alter", file.name);
        return Err(Error::invalid("/artifact_id", why));
    }
    let artifact_id = file.artifact_id;
    let download = DownloadSpec { artifact_id, file: DownloadFile::Alter, delay_seconds: 0 };
    Ok(JobSpec::Download(download))
}

/// `POST /devices/{id}/script`
pub(super) async fn script(
    viewer: Viewer,
    visit: Visit,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Chosen>,
) -> Result<Response, Failure> {
    let file = artifacts::get(&app, viewer.ctx(), sent.artifact_id).await?;
    change(&app, &viewer, &visit, &id, run(&file)?, sent.no_backup).await
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let page = |stored: Vec<Stored>| ScriptPage {
        shell: Shell::sample(),
        head: Head::sample(),
        stored,
        rescue: "it is <x-evil>",
    };
    vec![
        sample(View::DeviceScript, &page(vec![Stored::sample()])),
        sample(View::DeviceScript, &page(Vec::new())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::device::samples::device;

    #[test]
    fn one_is_asked_only_for_what_one_may_do() {
        let asked = |operate, admin| -> Vec<&'static str> {
            let may = May { operate, secrets: false, admin };
            asks(&device(), may).iter().map(|ask| ask.id).collect()
        };
        assert!(asked(false, false).is_empty());
        assert_eq!(asked(true, false), ["reboot", "factory-reset"]);
        assert_eq!(asked(true, true), ["reboot", "factory-reset", "remove"]);
    }

    #[test]
    fn what_cannot_be_undone_takes_the_serial_number() {
        let typed = |ask: &Ask, confirm: &str| {
            is_confirmed(ask, &Confirmed { confirm: confirm.to_owned(), no_backup: false })
        };
        let serial = device().serial;
        for ask in [ask_reset(&device()), ask_remove(&device())] {
            assert!(typed(&ask, &format!(" {serial} ")));
            assert!(!typed(&ask, "") && !typed(&ask, &serial.to_lowercase()));
        }
        assert!(typed(&ask_reboot(&device()), ""));
    }

    #[test]
    fn a_script_is_known_by_its_name() {
        assert!(is_script("site.rsc") && is_script("Change.ALTER"));
        assert!(!is_script("routeros.npk") && !is_script("rsc"));
    }
}
