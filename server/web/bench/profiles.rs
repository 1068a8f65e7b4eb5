//! Profiles of the boot protocol: which there are, and how sure each is; the page of one, and writing it.
//!
//! Owns that a profile is never shown without what it rests on.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use muster_netboot::profile;
use serde::{Deserialize, Serialize};

use super::words::{Surety, sureties, surety};
use super::{PROFILES, Tab, may_change, profile_path, said, tabs};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::bench::profiles::{self as service, View as Profile};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{Confirmation, Fact, address, answer, everywhere};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Serialize)]
struct ProfilesPage {
    shell: Shell,
    tabs: Vec<Tab>,
    statuses: Vec<Surety>,
    rows: Vec<Row>,
    may_change: bool,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    status: Surety,
    evidence: String,
    /// What boards say that it is for.
    says: String,
    builtin: bool,
    by: String,
    changed: When,
}

/// `GET /bench/profiles`
pub(super) async fn page(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let all = service::list(&app, ctx).await?;
    let page = ProfilesPage {
        shell: Shell::new(&viewer, &app.config, "Profiles of the boot protocol", Section::Bench),
        tabs: tabs(PROFILES),
        statuses: sureties(),
        rows: all.iter().map(|profile| row(profile, ctx.now)).collect(),
        may_change: may_change(&viewer),
    };
    answer(View::BenchProfiles, &page, &Complaints::default())
}

fn row(found: &Profile, now: DateTime<Utc>) -> Row {
    let Profile { row, evidence } = found;
    Row {
        href: profile_path(&row.name),
        name: row.name.clone(),
        status: surety(&row.status),
        evidence: evidence.clone(),
        says: profile::read(&row.body).map(|read| read.matching.option60).unwrap_or_default(),
        builtin: row.builtin,
        by: row.created_by.clone(),
        changed: When::new(row.updated_at, now),
    }
}

/// What is said of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ProfileForm {
    /// As TOML.
    body: String,
}

impl ProfileForm {
    /// Its text; browsers end lines in a way of their own.
    fn text(&self) -> String {
        self.body.replace("\r\n", "\n")
    }
}

/// Out of which profile a new one is made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    of: String,
}

#[derive(Serialize)]
struct ProfilePage {
    shell: Shell,
    title: String,
    /// Where it is kept.
    action: String,
    body: String,
    /// How sure it is; none of a new one.
    status: Option<Surety>,
    /// Of the style sheet: how its note is to be read.
    mark: &'static str,
    evidence: String,
    facts: Vec<Fact>,
    may_change: bool,
    may_remove: bool,
    /// Where one of its own is made out of it; empty = that is not needed, or not for them.
    copy: String,
    history: String,
    errors: Complaints,
}

/// `GET /bench/profiles/new`
pub(super) async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<NewQuery>,
) -> Result<Response, Failure> {
    let body = match said(&query.of) {
        Some(name) => service::get(&app, viewer.ctx(), &name).await?.row.body,
        None => profile::builtin().first().map(profile::Profile::write).unwrap_or_default(),
    };
    new_page(&app, &viewer, body, Complaints::default())
}

fn new_page(
    app: &App,
    viewer: &Viewer,
    body: String,
    errors: Complaints,
) -> Result<Response, Failure> {
    let title = "New profile of the boot protocol";
    let page = ProfilePage {
        shell: Shell::new(viewer, &app.config, title, Section::Bench),
        title: title.to_owned(),
        action: PROFILES.to_owned(),
        body,
        status: None,
        mark: "idle",
        evidence: String::new(),
        facts: Vec::new(),
        may_change: may_change(viewer),
        may_remove: false,
        copy: String::new(),
        history: String::new(),
        errors,
    };
    answer(View::BenchProfile, &page, &page.errors)
}

/// `GET /bench/profiles/{name}`
pub(super) async fn one(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let found = service::get(&app, viewer.ctx(), &name).await?;
    shown(&app, &viewer, &found, None, Complaints::default())
}

/// The page of a profile, with what was sent and is wrong.
fn shown(
    app: &App,
    viewer: &Viewer,
    found: &Profile,
    sent: Option<String>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let shell = Shell::new(viewer, &app.config, &found.row.name, Section::Bench);
    let mut page = profile_page(shell, found, viewer.ctx().now);
    let (may, name) = (may_change(viewer), found.row.name.as_str());
    (page.may_change, page.may_remove) = (may && !found.row.builtin, may && !found.row.builtin);
    if may && found.row.builtin {
        page.copy = address("/bench/profiles/new", &[("of", name)]);
    }
    if everywhere(viewer, Right::Audit) {
        page.history = address("/audit", &[("kind", "netboot_profile"), ("object", name)]);
    }
    if let Some(sent) = sent {
        page.body = sent;
    }
    page.errors = errors;
    answer(View::BenchProfile, &page, &page.errors)
}

/// All that the profile itself says; what depends on who looks is not in there.
fn profile_page(shell: Shell, found: &Profile, now: DateTime<Utc>) -> ProfilePage {
    let Profile { row, evidence } = found;
    let status = surety(&row.status);
    let made = match row.builtin {
        true => "comes with Muster".to_owned(),
        false => format!("by {}, {}", row.created_by, When::new(row.created_at, now).both()),
    };
    ProfilePage {
        shell,
        title: row.name.clone(),
        action: profile_path(&row.name),
        body: row.body.clone(),
        status: Some(status),
        mark: match status.word {
            "ok" => "done",
            other => other,
        },
        evidence: evidence.trim_end_matches('.').to_owned(),
        facts: vec![
            Fact::new("Made", made),
            Fact::new("Changed", When::new(row.updated_at, now).both()),
        ],
        may_change: false,
        may_remove: false,
        copy: String::new(),
        history: String::new(),
        errors: Complaints::default(),
    }
}

/// `POST /bench/profiles`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<ProfileForm>,
) -> Result<Response, Failure> {
    match made(&app, viewer.ctx(), &sent.text()).await {
        Ok(profile) => {
            let done = format!("The profile {} is kept.", profile.row.name);
            Ok(flash::to(&profile_path(&profile.row.name), Flash::done(done)))
        }
        Err(error) => new_page(&app, &viewer, sent.body, complaints(error)?),
    }
}

/// Keeps a profile that is not there yet.
async fn made(app: &App, ctx: &Ctx, body: &str) -> Result<Profile, Error> {
    let new = profile::read(body).map_err(|why| Error::invalid("/body", why.to_string()))?;
    match service::get(app, ctx, &new.name).await {
        Ok(_) => {
            let why = format!("There is a profile {}: give this one another name.", new.name);
            Err(Error::invalid("/body", why))
        }
        Err(Error::NotFound(_)) => service::put(app, ctx, &new.name, body).await,
        Err(other) => Err(other),
    }
}

/// `POST /bench/profiles/{name}`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
    Form(sent): Form<ProfileForm>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let found = service::get(&app, ctx, &name).await?;
    match service::put(&app, ctx, &name, &sent.text()).await {
        Ok(_) => Ok(flash::to(&profile_path(&found.row.name), Flash::done("It is saved."))),
        Err(error) => shown(&app, &viewer, &found, Some(sent.body), complaints(error)?),
    }
}

/// What is wrong with a form, whose one field is all that the service is given.
fn complaints(error: Error) -> Result<Complaints, Error> {
    match error {
        Error::Invalid { message, .. } => Ok(Complaints::field("body", message)),
        other => Complaints::of(other, &[]),
    }
}

/// `POST /bench/profiles/{name}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(name): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let found = service::get(&app, ctx, &name).await?;
    let removed = match sent.check(&found.row.name) {
        Ok(()) => service::delete(&app, ctx, &name).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(PROFILES, Flash::done(format!("The profile {name} is removed.")))),
        Err(error) => shown(&app, &viewer, &found, None, Complaints::of(error, &[])?),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::super::views::sample;

    let now = DateTime::UNIX_EPOCH;
    let list = |rows: &[Profile], may_change: bool| {
        let page = ProfilesPage {
            shell: Shell::sample(),
            tabs: tabs(PROFILES),
            statuses: sureties(),
            rows: rows.iter().map(|found| row(found, now)).collect(),
            may_change,
        };
        sample(View::BenchProfiles, &page)
    };
    let one = |found: &Profile, may: bool, errors: Complaints| {
        let mut page = profile_page(Shell::sample(), found, now);
        (page.may_change, page.may_remove) = (may, may);
        page.copy = if may { String::new() } else { PROFILES.to_owned() };
        page.history = if may { "/audit".to_owned() } else { String::new() };
        page.errors = errors;
        sample(View::BenchProfile, &page)
    };
    let (known, own) = (tests::known(), tests::own("captured"));
    let mut new = profile_page(Shell::sample(), &own, now);
    (new.status, new.may_change) = (None, true);
    vec![
        list(&[known.clone(), own.clone()], true),
        list(&[], false),
        one(&known, false, Complaints::default()),
        one(&own, true, Complaints::field("body", "<x-evil>")),
        one(&tests::own("hardware-verified"), true, Complaints::whole("<x-evil>")),
        sample(View::BenchProfile, &new),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::store::bench::Profile as ProfileRow;

    fn view(name: &str, body: String, status: &str, builtin: bool) -> Profile {
        let at = DateTime::UNIX_EPOCH;
        let row = ProfileRow {
            name: name.to_owned(),
            body,
            status: status.to_owned(),
            builtin,
            created_by: "<x-evil>".to_owned(),
            created_at: at,
            updated_at: at,
        };
        Profile { row, evidence: "<x-evil>.".to_owned() }
    }

    /// One that comes with Muster.
    pub(super) fn known() -> Profile {
        let known = &profile::builtin()[0];
        view(&known.name, known.write(), known.status.word(), true)
    }

    /// One with hostile words.
    pub(super) fn own(status: &str) -> Profile {
        view("<x-evil>", "</textarea></pre><x-evil>".to_owned(), status, false)
    }

    #[test]
    fn a_profile_says_for_which_boards_it_is_and_how_sure_it_is() {
        let row = row(&known(), DateTime::UNIX_EPOCH);
        assert_eq!((row.says.as_str(), row.status.label), ("Flashboot", "unverified"));
        let row = super::row(&own("captured"), DateTime::UNIX_EPOCH);
        assert_eq!((row.says.as_str(), row.status.label), ("", "captured"));
    }

    #[test]
    fn the_page_of_one_that_nobody_verified_is_a_warning() {
        let mark =
            |found: &Profile| profile_page(Shell::sample(), found, DateTime::UNIX_EPOCH).mark;
        assert_eq!(mark(&known()), "warn");
        assert_eq!(mark(&own("captured")), "idle");
        assert_eq!(mark(&own("hardware-verified")), "done");
    }

    #[test]
    fn lines_end_as_they_did() {
        let sent = ProfileForm { body: "a = 1\r\nb = 2\n".to_owned() };
        assert_eq!(sent.text(), "a = 1\nb = 2\n");
    }

    #[test]
    fn what_is_wrong_with_the_text_stands_at_the_text() {
        let wrong = complaints(Error::invalid("", "line 3")).unwrap();
        assert_eq!(wrong, Complaints::field("body", "line 3"));
        let taken = complaints(Error::Conflict("armed".to_owned())).unwrap();
        assert_eq!(taken, Complaints::whole("armed"));
        assert!(complaints(Error::Internal("a bug".to_owned())).is_err());
    }
}
