//! Sites: the tree of them, and making one. `one` is the page of one of them, `draft` what its forms
//! show, `windows` that of its maintenance windows.

mod draft;
mod one;
mod windows;

use std::sync::{Arc, LazyLock};

use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::failure::Failure;
use super::flash::{self, Flash};
use super::form::{Complaints, Form};
use super::manage::{address, answer, devices, everywhere, listed, site_paths, with_one_more};
use super::overview::Cache;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::View;
use super::{Access, Routes};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::site::{SiteFields, SitePath};
use crate::service::sites::{self as service, Standing};
use crate::store::sites::Site;

/// Where the tree is.
const HOME: &str = "/sites";
/// Sites on a page.
const PAGE: usize = 100;

/// To count who stands where takes a second of a million devices: once for all who look.
static STANDING: LazyLock<Cache<Standing>> = LazyLock::new(Cache::default);

/// How many devices stand where, as it was lately.
async fn standing(app: &App, ctx: &Ctx) -> Result<Arc<Standing>, Error> {
    // The right is asked for here too, as what is kept is given without a call.
    let place = ctx.require(Right::Read)?.within();
    STANDING.get(place, service::standing(app, ctx)).await
}

/// The routes of sites.
pub(super) fn routes(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, "/sites", get(page))
        .on(operate, Method::POST, "/sites", post(create))
        .on(operate, Method::GET, "/sites/new", get(new))
        .on(read, Method::GET, "/sites/{id}", get(one::page))
        .on(operate, Method::POST, "/sites/{id}", post(one::place))
        .on(operate, Method::POST, "/sites/{id}/variables", post(one::set_variables))
        .on(operate, Method::POST, "/sites/{id}/windows", post(one::set_windows))
        .on(operate, Method::POST, "/sites/{id}/delete", post(one::delete))
}

fn path(site_id: Uuid) -> String {
    format!("{HOME}/{site_id}")
}

/// Where a site is made in another one.
fn new_in(path: &str) -> String {
    address("/sites/new", &[("in", path)])
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TreeQuery {
    after: String,
}

#[derive(Serialize)]
struct SitesPage {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
    /// Devices at no site, and where they are.
    nowhere: i64,
    nowhere_href: String,
    first: String,
    next: String,
}

/// A site in the tree.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    href: String,
    path: String,
    label: String,
    /// Empty where the label says it.
    name: String,
    /// How far below the first of the tree, at most 15.
    depth: usize,
    /// At it and below.
    devices: i64,
    devices_href: String,
    time_zone: String,
    /// It has maintenance windows of its own.
    windows: bool,
    /// Where a site in it is made; empty for who may not.
    new_href: String,
}

/// `GET /sites`
async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<TreeQuery>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let after = match query.after.as_str() {
        "" => None,
        path => Some(path.parse::<SitePath>().map_err(|why| Error::invalid("", why))?),
    };
    let after = after.as_ref().map(SitePath::as_str);
    let found = service::list(&app, ctx, None, after, with_one_more(PAGE)).await?;
    let list = listed(HOME, after, found, PAGE, |site| &site.path);
    let standing = standing(&app, ctx).await?;
    let page = SitesPage {
        shell: Shell::new(&viewer, &app.config, "Sites", Section::Sites),
        may_change: viewer.may(Right::Operate),
        nowhere: standing.nowhere,
        nowhere_href: devices("not site"),
        first: list.first,
        next: list.next,
        rows: rows(&list.rows, &standing, ctx),
    };
    answer(View::Sites, &page, &Complaints::default())
}

/// The sites as a tree, whose first ones stand at its edge.
fn rows(sites: &[Site], standing: &Standing, ctx: &Ctx) -> Vec<Row> {
    let depth = |site: &Site| site.path.matches('.').count();
    let edge = sites.iter().map(depth).min().unwrap_or_default();
    let operate = ctx.reach(Right::Operate);
    let row = |site: &Site| {
        let label = site.path.rsplit('.').next().unwrap_or_default();
        Row {
            href: path(site.site_id),
            path: site.path.clone(),
            label: label.to_owned(),
            name: if site.name == label { String::new() } else { site.name.clone() },
            depth: depth(site) - edge,
            devices: standing.under.get(&site.path).copied().unwrap_or_default(),
            devices_href: devices(&format!("site under {}", site.path)),
            time_zone: site.time_zone.clone(),
            windows: !site.windows.is_empty(),
            new_href: match operate.covers(Some(&site.path)) {
                true => new_in(&site.path),
                false => String::new(),
            },
        }
    };
    sites.iter().map(row).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewQuery {
    #[serde(rename = "in")]
    parent: String,
}

/// A site to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct NewSite {
    parent: String,
    label: String,
    name: Option<String>,
    time_zone: Option<String>,
}

impl NewSite {
    fn fields(&self) -> SiteFields {
        let label = self.label.trim();
        let path = match self.parent.trim() {
            "" => label.to_owned(),
            parent => format!("{parent}.{label}"),
        };
        let trimmed = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_owned());
        SiteFields {
            path: Some(path),
            name: trimmed(&self.name),
            time_zone: trimmed(&self.time_zone),
            ..SiteFields::default()
        }
    }
}

#[derive(Serialize)]
struct NewSitePage<'a> {
    shell: Shell,
    parent: &'a str,
    label: &'a str,
    name: &'a str,
    time_zone: &'a str,
    sites: Vec<String>,
    /// May also make a site that stands in none.
    top: bool,
    errors: Complaints,
}

/// `GET /sites/new`
async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<NewQuery>,
) -> Result<Response, Failure> {
    let parent = query.parent.trim();
    // A site in another one mostly has its clock.
    let above = match parent.parse::<SitePath>() {
        Ok(_) => service::list(&app, viewer.ctx(), Some(parent), None, 1).await?,
        Err(_) => Vec::new(),
    };
    let sent = NewSite {
        parent: parent.to_owned(),
        time_zone: above.into_iter().next().map(|site| site.time_zone),
        ..NewSite::default()
    };
    form(&app, &viewer, &sent, Complaints::default()).await
}

async fn form(
    app: &App,
    viewer: &Viewer,
    sent: &NewSite,
    errors: Complaints,
) -> Result<Response, Failure> {
    let page = NewSitePage {
        shell: Shell::new(viewer, &app.config, "New site", Section::Sites),
        parent: &sent.parent,
        label: &sent.label,
        name: sent.name.as_deref().unwrap_or_default(),
        time_zone: sent.time_zone.as_deref().unwrap_or_default(),
        sites: site_paths(app, viewer.ctx()).await?,
        top: everywhere(viewer, Right::Operate),
        errors,
    };
    answer(View::SiteNew, &page, &page.errors)
}

/// `POST /sites`
async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(sent): Form<NewSite>,
) -> Result<Response, Failure> {
    match service::create(&app, viewer.ctx(), sent.fields()).await {
        Ok(site) => {
            let done = format!("The site {} is made.", site.path);
            Ok(flash::to(&path(site.site_id), Flash::done(done)))
        }
        Err(error) => {
            let error = match error {
                // The path is made of two fields; the label is what is new in it.
                Error::Invalid { pointer, message } if pointer == "/path" => {
                    Error::invalid("/label", message)
                }
                other => other,
            };
            let errors = Complaints::of(error, &["label", "name", "time_zone"])?;
            form(&app, &viewer, &sent, errors).await
        }
    }
}

#[cfg(test)]
fn sample_row(depth: usize) -> Row {
    let evil = || "<x-evil>".to_owned();
    Row {
        href: path(Uuid::nil()),
        path: evil(),
        label: evil(),
        name: if depth == 0 { String::new() } else { evil() },
        depth,
        devices: 2,
        devices_href: devices("site under eu"),
        time_zone: evil(),
        windows: depth == 0,
        new_href: if depth == 0 { new_in("eu") } else { String::new() },
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::views::sample;

    let list = |rows: Vec<Row>, may_change: bool| {
        let page = SitesPage {
            shell: Shell::sample(),
            nowhere: i64::from(may_change),
            nowhere_href: devices("not site"),
            first: HOME.to_owned(),
            next: String::new(),
            rows,
            may_change,
        };
        sample(View::Sites, &page)
    };
    let new = |top: bool, errors: Complaints| {
        let page = NewSitePage {
            shell: Shell::sample(),
            parent: "<x-evil>",
            label: "<x-evil>",
            name: "<x-evil>",
            time_zone: "<x-evil>",
            sites: vec!["<x-evil>".to_owned()],
            top,
            errors,
        };
        sample(View::SiteNew, &page)
    };
    let mut samples = vec![
        list(vec![sample_row(0), sample_row(1)], true),
        list(Vec::new(), true),
        list(Vec::new(), false),
        new(true, Complaints::field("label", "<x-evil>")),
        new(false, Complaints::whole("<x-evil>")),
    ];
    samples.extend(one::samples());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::grant::{Grant, Grants, Place};
    use chrono::DateTime;
    use serde_json::json;
    use sqlx::types::Json;

    pub(super) fn site(path: &str, name: &str) -> Site {
        Site {
            site_id: Uuid::from_u128(7),
            path: path.to_owned(),
            name: name.to_owned(),
            time_zone: "Europe/Riga".to_owned(),
            variables: json!({}),
            windows: Json(Vec::new()),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_tree_begins_where_somebody_sees_it_and_offers_what_they_may() {
        let sites = [site("eu.lv", "Latvia"), site("eu.lv.riga", "riga")];
        let grant = |right, site: &str| Grant {
            rights: vec![right],
            place: Place::Site(site.parse().expect("a path")),
        };
        let grants = vec![grant(Right::Read, "eu.lv"), grant(Right::Operate, "eu.lv.riga")];
        let ctx = Ctx { grants: Grants(grants), ..Ctx::console(DateTime::UNIX_EPOCH) };
        let mut standing = Standing::default();
        standing.under.insert("eu.lv".to_owned(), 4);
        let rows = rows(&sites, &standing, &ctx);
        let told: Vec<_> = rows.iter().map(|r| (r.depth, r.name.as_str(), r.devices)).collect();
        assert_eq!(told, [(0, "Latvia", 4), (1, "", 0)]);
        assert_eq!(rows[1].label, "riga");
        assert_eq!(rows[0].devices_href, "/devices?q=site+under+eu.lv");
        assert_eq!(rows[0].new_href, "");
        assert_eq!(rows[1].new_href, "/sites/new?in=eu.lv.riga");
    }

    #[test]
    fn a_new_site_stands_in_its_parent() {
        let sent = |parent: &str, label: &str| NewSite {
            parent: parent.to_owned(),
            label: label.to_owned(),
            name: Some(" Rīga ".to_owned()),
            time_zone: None,
        };
        let fields = sent(" eu.lv", "riga ").fields();
        assert_eq!(fields.path.as_deref(), Some("eu.lv.riga"));
        assert_eq!((fields.name.as_deref(), fields.time_zone), (Some("Rīga"), None));
        assert_eq!(sent("", "eu").fields().path.as_deref(), Some("eu"));
    }
}
