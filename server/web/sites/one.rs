//! The page of one site: where it stands and what stands in it, its clock, windows and variables,
//! and removing it.

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::draft::{Draft, PlaceForm, Sent, VariablesForm, read};
use super::windows::{self, WindowsForm};
use super::{HOME, PAGE, Row, new_in, path, rows, standing};
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::site::{SiteFields, SitePath};
use crate::fleet::window::Hours;
use crate::service::sites as service;
use crate::store::sites::Site;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{
    Fact, address, answer, confirmed, cut, devices, everywhere, same, site_paths, with_one_more,
};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Serialize)]
struct SitePage {
    shell: Shell,
    here: String,
    path: String,
    name: String,
    /// The sites that it stands in.
    above: Vec<Crumb>,
    facts: Vec<Fact>,
    devices: i64,
    devices_href: String,
    /// The sites in it, and whether there are more of them.
    below: Vec<Row>,
    more_below: bool,
    hours: HoursView,
    may_change: bool,
    new_href: String,
    history: String,
    draft: Draft,
    sites: Vec<String>,
    errors: Complaints,
}

#[derive(Debug, Serialize)]
struct Crumb {
    href: String,
    label: String,
}

/// When its devices may be changed.
#[derive(Debug, Serialize)]
struct HoursView {
    /// None: at any time.
    windows: Vec<String>,
    /// The site above that says so; empty where it is this one.
    from: String,
    zone: String,
    open: bool,
    next: Option<When>,
}

impl HoursView {
    fn of(hours: &Hours, site: &str, now: DateTime<Utc>) -> Self {
        let open = hours.is_open(now);
        let from = hours.site.as_deref().filter(|from| *from != site);
        Self {
            windows: hours.windows.iter().map(windows::words).collect(),
            from: from.unwrap_or_default().to_owned(),
            zone: hours.time_zone.name().to_owned(),
            open,
            next: hours.next_open(now).filter(|_| !open).map(|at| When::new(at, now)),
        }
    }
}

/// `GET /sites/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(site_id): Path<Uuid>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, site_id, Sent::Nothing, Complaints::default()).await
}

async fn shown(
    app: &Shared,
    viewer: &Viewer,
    site_id: Uuid,
    sent: Sent<'_>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let site = service::get(app, ctx, site_id).await?;
    let here: SitePath = site.path.parse().map_err(Error::Internal)?;
    let standing = standing(app, ctx).await?;
    let hours = service::window_of(app, ctx, Some(&site.path)).await?;
    let (below, more_below) = below(app, ctx, &site).await?;
    let may_change = ctx.reach(Right::Operate).covers(Some(&site.path));
    let object = site_id.to_string();
    let page = SitePage {
        shell: Shell::new(viewer, &app.config, &site.name, Section::Sites),
        here: path(site_id),
        above: service::above(app, ctx, &here).await?.iter().map(crumb).collect(),
        facts: facts(&site, ctx.now),
        devices: standing.under.get(&site.path).copied().unwrap_or_default(),
        devices_href: devices(&format!("site under {}", site.path)),
        below: rows(&below, &standing, ctx),
        more_below,
        hours: HoursView::of(&hours, &site.path, ctx.now),
        may_change,
        new_href: if may_change { new_in(&site.path) } else { String::new() },
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "site"), ("object", object.as_str())]),
            false => String::new(),
        },
        draft: Draft::of(&site, &sent),
        sites: if may_change { site_paths(app, ctx).await? } else { Vec::new() },
        path: site.path,
        name: site.name,
        errors,
    };
    answer(View::Site, &page, &page.errors)
}

/// The sites in a site, as many as a page has, and whether there are more.
async fn below(app: &Shared, ctx: &Ctx, site: &Site) -> Result<(Vec<Site>, bool), Error> {
    let path = Some(site.path.as_str());
    // After itself, which stands before them.
    let found = service::list(app, ctx, path, path, with_one_more(PAGE)).await?;
    Ok(cut(found, PAGE))
}

fn crumb(site: &Site) -> Crumb {
    let label = site.path.rsplit('.').next().unwrap_or_default().to_owned();
    Crumb { href: path(site.site_id), label }
}

fn facts(site: &Site, now: DateTime<Utc>) -> Vec<Fact> {
    vec![
        Fact::new("Path", site.path.as_str()),
        Fact::new("Time zone", site.time_zone.as_str()),
        Fact::new("Made", When::new(site.created_at, now).both()),
        Fact::new("Changed", When::new(site.updated_at, now).both()),
    ]
}

/// `POST /sites/{id}`
pub(super) async fn place(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(site_id): Path<Uuid>,
    Form(sent): Form<PlaceForm>,
) -> Result<Response, Failure> {
    let trimmed = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_owned());
    let patch = |fields: SiteFields| {
        Ok(SiteFields {
            path: Some(sent.path.trim().to_owned()),
            name: trimmed(&sent.name),
            time_zone: trimmed(&sent.time_zone),
            ..fields
        })
    };
    let done = service::change(&app, viewer.ctx(), site_id, same(&sent.version), patch).await;
    after(&app, &viewer, site_id, Sent::Place(&sent), done.map(drop)).await
}

/// `POST /sites/{id}/variables`
pub(super) async fn set_variables(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(site_id): Path<Uuid>,
    Form(sent): Form<VariablesForm>,
) -> Result<Response, Failure> {
    let patch = |fields: SiteFields| -> Result<SiteFields, Error> {
        Ok(SiteFields { variables: Some(read(&sent.variables)?), ..fields })
    };
    let done = service::change(&app, viewer.ctx(), site_id, same(&sent.version), patch).await;
    after(&app, &viewer, site_id, Sent::Variables(&sent), done.map(drop)).await
}

/// `POST /sites/{id}/windows`
pub(super) async fn set_windows(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(site_id): Path<Uuid>,
    Form(sent): Form<WindowsForm>,
) -> Result<Response, Failure> {
    let patch = |fields: SiteFields| -> Result<SiteFields, Error> {
        Ok(SiteFields { windows: Some(sent.windows()?), ..fields })
    };
    let done = service::change(&app, viewer.ctx(), site_id, same(&sent.version), patch).await;
    after(&app, &viewer, site_id, Sent::Windows(&sent), done.map(drop)).await
}

/// Back to the page, which says how it went.
async fn after(
    app: &Shared,
    viewer: &Viewer,
    site_id: Uuid,
    sent: Sent<'_>,
    done: Result<(), Error>,
) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(flash::to(&path(site_id), Flash::done("It is saved."))),
        Err(error) => {
            let fields = ["path", "name", "time_zone", "variables", "windows"];
            shown(app, viewer, site_id, sent, Complaints::of(error, &fields)?).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Removal {
    confirm: String,
    /// Path of the site to which goes what stands in it.
    move_to: Option<String>,
}

/// `POST /sites/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(site_id): Path<Uuid>,
    Form(sent): Form<Removal>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let site = service::get(&app, ctx, site_id).await?.path;
    let to = sent.move_to.as_deref().map(str::trim);
    let removed = match confirmed(&sent.confirm, &site) {
        Ok(()) => service::delete(&app, ctx, site_id, |_| Ok(()), to).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The site {site} is removed.")))),
        Err(error) => after(&app, &viewer, site_id, Sent::Nothing, Err(error)).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::{sample_row, tests::site};
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let now = DateTime::UNIX_EPOCH;
    let page = |may_change: bool, errors: Complaints| {
        let some = |text: String| if may_change { text } else { String::new() };
        let page = SitePage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            path: evil(),
            name: evil(),
            above: vec![Crumb { href: HOME.to_owned(), label: evil() }],
            facts: vec![Fact::new("Path", evil())],
            devices: 7,
            devices_href: devices("site under eu"),
            below: if may_change { vec![sample_row(0), sample_row(1)] } else { Vec::new() },
            more_below: may_change,
            hours: HoursView {
                windows: if may_change { vec![evil()] } else { Vec::new() },
                from: some(evil()),
                zone: evil(),
                open: !may_change,
                next: may_change.then(|| When::new(now, now)),
            },
            may_change,
            new_href: some(new_in("eu")),
            history: some("/audit".to_owned()),
            draft: Draft {
                variables: evil(),
                ..Draft::of(&site("eu.lv", "<x-evil>"), &Sent::Nothing)
            },
            sites: vec![evil()],
            errors,
        };
        sample(View::Site, &page)
    };
    vec![
        page(true, Complaints::field("variables", "<x-evil>")),
        page(true, Complaints::field("windows", "<x-evil>")),
        page(false, Complaints::whole("<x-evil>")),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fleet::window::{Day, Window};

    #[test]
    fn hours_say_whose_they_are() {
        let window =
            Window { days: Day::ALL.to_vec(), from: "02:00".parse().unwrap(), minutes: 60 };
        let zone = chrono_tz::Tz::UTC;
        let hours = Hours { site: Some("eu".to_owned()), windows: vec![window], time_zone: zone };
        let midnight = DateTime::UNIX_EPOCH;
        let inherited = HoursView::of(&hours, "eu.lv", midnight);
        assert_eq!((inherited.from.as_str(), inherited.open), ("eu", false));
        assert!(inherited.next.is_some());
        assert_eq!(HoursView::of(&hours, "eu", midnight).from, "");
        let always = HoursView::of(&Hours::any_time(), "eu", midnight);
        assert!(always.open && always.windows.is_empty() && always.next.is_none());
    }
}
