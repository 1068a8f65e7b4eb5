//! Profiles: what devices are to be, and of which devices that is said. The list of them is here.
//!
//! Owns that nobody binds or changes one without being told how many devices that reaches, and that no
//! secret of one is shown. What may be wanted, and by whom, is for `service::profiles` to say.
//!
//! - `edit`: a profile as a form; `form`: what it sends. `values`: the variables of a template as
//!   fields, here and on the page of a device.
//! - `one`: the page of one of them; `bind`: where it is bound, and how many devices that reaches.
//! - `words`: what is wanted, and how far devices are from it, in words.

mod bind;
mod edit;
mod form;
mod one;
pub(super) mod values;
pub(super) mod words;

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::Complaints;
use super::format::When;
use super::manage::{ByName, answer, everywhere, listed, with_one_more};
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::profiles as service;
use crate::store::profiles::BindingRow;

/// Where they are listed.
const HOME: &str = "/profiles";
/// Profiles on a page. The devices of each are counted.
const PAGE: usize = 50;
/// Profiles, templates, releases and groups that are offered.
const OFFERED: i64 = 1_000;

/// The routes of profiles.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, "/profiles", get(page))
        .on(operate, Method::POST, "/profiles", post(edit::create))
        .on(operate, Method::GET, "/profiles/new", get(edit::new))
        .on(operate, Method::POST, "/profiles/form", post(edit::form))
        .on(operate, Method::POST, "/profiles/variables", post(edit::variables))
        .on(read, Method::GET, "/profiles/reach", get(bind::reach_at))
        .on(read, Method::GET, "/profiles/{id}", get(one::page))
        .on(read, Method::GET, "/profiles/{id}/reach", get(bind::reach))
        .on(operate, Method::GET, "/profiles/{id}/edit", get(edit::edit))
        .on(operate, Method::POST, "/profiles/{id}/edit", post(edit::change))
        .on(operate, Method::POST, "/profiles/{id}/bind", post(one::bind))
        .on(operate, Method::POST, "/profiles/{id}/unbind", post(one::unbind))
        .on(operate, Method::POST, "/profiles/{id}/delete", post(one::delete))
}

/// The page of a profile.
pub(super) fn path(profile_id: Uuid) -> String {
    format!("{HOME}/{profile_id}")
}

/// Back to a page with what became of an order; with why not, where it could not be taken.
pub(super) fn told(page: &str, result: Result<(), Error>, done: &str) -> Result<Response, Failure> {
    match result {
        Ok(()) => Ok(flash::to(page, Flash::done(done))),
        Err(Error::Invalid { message, .. } | Error::Conflict(message) | Error::Busy(message)) => {
            Ok(flash::to(page, Flash::failed(message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Names of profiles to choose from; also the one that is chosen already, empty = none.
pub(super) async fn names(app: &App, ctx: &Ctx, chosen: &str) -> Result<Vec<String>, Error> {
    let all = service::list(app, ctx, None, OFFERED).await?;
    let mut names: Vec<String> = all.into_iter().map(|view| view.profile.name).collect();
    if !chosen.is_empty() && !names.iter().any(|name| name == chosen) {
        names.push(chosen.to_owned());
    }
    Ok(names)
}

/// Where a profile holds, in words.
fn place(binding: &BindingRow) -> String {
    match (&binding.site, &binding.group) {
        (Some(site), _) => format!("site {site}"),
        (None, Some(group)) => format!("group {group}"),
        (None, None) => "the whole fleet".to_owned(),
    }
}

#[derive(Serialize)]
struct ProfilesPage {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
    /// The viewer sees the sweeps, which go through the whole fleet.
    may_sweep: bool,
    first: String,
    next: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    description: String,
    enforce: bool,
    /// Where it is bound.
    bound: Vec<String>,
    /// Where its devices are counted.
    reach: String,
    by: String,
    changed: When,
}

/// `GET /profiles`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<ByName>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = query.after()?;
    let found = service::list(&app, ctx, after, with_one_more(PAGE)).await?;
    let list = listed(HOME, after, found, PAGE, |view| &view.profile.name);
    let page = ProfilesPage {
        shell: Shell::new(&viewer, &app.config, "Profiles", Section::Profiles),
        may_change: everywhere(&viewer, Right::Operate),
        may_sweep: everywhere(&viewer, Right::Read),
        first: list.first,
        next: list.next,
        rows: list.rows.iter().map(|view| row(view, ctx.now)).collect(),
    };
    answer(View::Profiles, &page, &Complaints::default())
}

fn row(view: &service::View, now: DateTime<Utc>) -> Row {
    let profile = &view.profile;
    Row {
        href: path(profile.profile_id),
        name: profile.name.clone(),
        description: profile.description.clone(),
        enforce: profile.enforce,
        bound: view.bindings.iter().map(place).collect(),
        reach: format!("{}/reach", path(profile.profile_id)),
        by: profile.created_by.clone(),
        changed: When::new(profile.updated_at, now),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let rows = || vec![row(&tests::view(), DateTime::UNIX_EPOCH)];
    let list = |rows: Vec<Row>, may_change: bool| {
        let page = ProfilesPage {
            shell: Shell::sample(),
            rows,
            may_change,
            may_sweep: may_change,
            first: String::new(),
            next: HOME.to_owned(),
        };
        sample(View::Profiles, &page)
    };
    let mut samples = vec![list(rows(), true), list(Vec::new(), true), list(Vec::new(), false)];
    samples.extend(bind::samples());
    samples.extend(edit::samples());
    samples.extend(one::samples());
    samples
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::secret::MASK;
    use crate::store::profiles::Profile;

    fn bound(site: Option<&str>, group: Option<&str>) -> BindingRow {
        BindingRow {
            profile_id: Uuid::nil(),
            site_id: site.map(|_| Uuid::nil()),
            site: site.map(str::to_owned),
            group_id: group.map(|_| Uuid::nil()),
            group: group.map(str::to_owned),
            rank: 3,
        }
    }

    /// A profile that wants all that there is, with hostile words.
    pub(super) fn view() -> service::View {
        let evil = || "<x-evil>".to_owned();
        let now = DateTime::UNIX_EPOCH;
        let desired = json!({
            "parameters": {
                "Device.<x-evil>": { "value": "<x-evil>", "mode": "once" },
                "Device.B": { "variable": "<x-evil>", "tolerance": { "is": "within", "by": 1.0 } },
                "Device.Password": { "value": MASK },
            },
            "template": { "template_id": Uuid::from_u128(9), "version": 3 },
            "variables": { "ssid": "<x-evil>", "wifi_password": MASK },
            "release": "<x-evil>",
            "inform_interval_seconds": 300,
            "backup": { "every_hours": 24 },
            "rotate_credentials_days": 90,
            "check_every_hours": 12,
        });
        let profile = Profile {
            profile_id: Uuid::from_u128(7),
            name: evil(),
            description: evil(),
            desired: desired.clone(),
            enforce: false,
            created_by: evil(),
            created_at: now,
            updated_at: now,
        };
        let bindings =
            vec![bound(None, None), bound(Some("<x-evil>"), None), bound(None, Some("<x-evil>"))];
        let desired = serde_json::from_value(desired).unwrap_or_default();
        service::View { profile, desired, bindings }
    }

    #[test]
    fn it_is_said_where_a_profile_holds() {
        assert_eq!(place(&bound(Some("eu.lv"), None)), "site eu.lv");
        assert_eq!(place(&bound(None, Some("vip"))), "group vip");
        assert_eq!(place(&bound(None, None)), "the whole fleet");
        assert_eq!(view().desired.parameters.len(), 3, "the sample can be read");
    }

    #[test]
    fn what_cannot_be_done_is_told_and_what_is_broken_is_not() {
        let to = |result| told("/sweeps", result, "It is paused.");
        assert!(to(Ok(())).is_ok() && to(Err(Error::Conflict("ended".to_owned()))).is_ok());
        assert!(to(Err(Error::Internal("a bug".to_owned()))).is_err());
    }
}
