//! What is said to a device's desired state: compare it, put it back, accept or ignore what differs,
//! and what is wanted of this device alone.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Known, Seen, seen, shown};
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::desired as service;
use crate::service::{devices, profiles};
use crate::web::device::{address, operate};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Both, Complaints, Form};
use crate::web::manage::unchanged;
use crate::web::profiles::told;
use crate::web::profiles::values::{self, Given};
use crate::web::viewer::Viewer;

/// Names of differences or parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web::device) struct Names {
    name: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web::device) struct ProfileForm {
    /// Empty = none.
    profile: String,
}

/// The page to which one comes back.
async fn home(app: &Shared, ctx: &Ctx, id: &str) -> Result<String, Error> {
    let device = devices::find(app, ctx, id, Right::Operate).await?;
    Ok(address(device.device_id, "/desired"))
}

/// `POST /devices/{id}/desired/compare`
pub(in crate::web::device) async fn compare(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let done = service::compare(&app, viewer.ctx(), &id).await;
    told(&home, done, "The device is asked for these values, then compared.")
}

/// `POST /devices/{id}/desired/reapply`
pub(in crate::web::device) async fn reapply(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let done = service::reapply(&app, viewer.ctx(), &id).await;
    told(&home, done, "The device will be put back: this page shows how it goes.")
}

/// `POST /devices/{id}/desired/accept`
pub(in crate::web::device) async fn accept(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Names>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let done = service::accept(&app, viewer.ctx(), &id, &sent.name).await;
    told(&home, done, "What the device has is wanted of it from now on.")
}

/// `POST /devices/{id}/desired/ignore`
pub(in crate::web::device) async fn ignore(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Names>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let done = service::ignore(&app, viewer.ctx(), &id, &sent.name).await;
    told(&home, done, "It is ignored on this device from now on.")
}

/// `POST /devices/{id}/desired/heed`
pub(in crate::web::device) async fn heed(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Names>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let done = service::unignore(&app, viewer.ctx(), &id, &sent.name).await;
    told(&home, done, "It is no longer ignored.")
}

/// `POST /devices/{id}/desired/forget`: these parameters are no longer wanted of this device alone.
pub(in crate::web::device) async fn forget(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<Names>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let without = |mut wants: service::Wants| {
        wants.overrides.retain(|name, _| !sent.name.contains(name));
        Ok(wants)
    };
    let done = service::change(&app, viewer.ctx(), &id, without).await;
    told(&home, done, "What the layers above say holds again.")
}

/// `POST /devices/{id}/desired/profile`
pub(in crate::web::device) async fn own_profile(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Form(sent): Form<ProfileForm>,
) -> Result<Response, Failure> {
    let home = home(&app, viewer.ctx(), &id).await?;
    let profile = Some(sent.profile.as_str()).filter(|name| !name.is_empty());
    let done = profiles::bind_device(&app, viewer.ctx(), &id, profile).await;
    told(&home, done, "It is saved, and the device is compared.")
}

/// `POST /devices/{id}/desired/variables`
pub(in crate::web::device) async fn own_variables(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Both(sent, given): Both<Seen, Given>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let (device, head) = operate(&app, &viewer, &id).await?;
    let known = Known::of(&app, ctx, &id).await?;
    let own = |wants: service::Wants| -> Result<service::Wants, Error> {
        unchanged(&sent.seen, &seen(&wants.variables))?;
        let variables = given.read()?;
        values::check(known.declared(), &variables)?;
        Ok(service::Wants { variables, ..wants })
    };
    let done = service::change(&app, ctx, &id, own).await;
    match done {
        Ok(()) => {
            let home = address(device.device_id, "/desired");
            Ok(flash::to(&home, Flash::done("It is saved, and the device is compared.")))
        }
        Err(Error::Invalid { pointer, message }) if pointer != "/given" => {
            let errors = match pointer.is_empty() {
                true => Complaints::whole(message),
                false => Complaints::field("others", message),
            };
            shown(&app, &viewer, head, &known, Some((sent.seen, given)), errors).await
        }
        Err(error) => {
            let errors = Complaints::of(error, &[])?;
            shown(&app, &viewer, head, &known, Some((sent.seen, given)), errors).await
        }
    }
}
