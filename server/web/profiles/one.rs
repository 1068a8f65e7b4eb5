//! The page of one profile: what it wants in words, where it is bound, and the sweeps that brought it
//! there.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Serialize;
use uuid::Uuid;

use super::bind::{BindForm, Reach, complaints, reach_of, there, under};
use super::{HOME, OFFERED, path, place, words};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::group::selector_of;
use crate::fleet::profile::Desired;
use crate::service::profiles as service;
use crate::service::{groups, templates};
use crate::store::profiles::BindingRow;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{self, Confirmation, Fact, address, answer, everywhere, site_paths};
use crate::web::shell::{Section, Shell};
use crate::web::sweeps;
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Serialize)]
struct ProfilePage {
    shell: Shell,
    here: String,
    name: String,
    description: String,
    enforce: bool,
    facts: Vec<Fact>,
    template: Option<Named>,
    parameters: Vec<words::Parameter>,
    variables: Vec<words::Said>,
    about: Vec<Fact>,
    reach: Reach,
    bindings: Vec<Bound>,
    bind: BindForm,
    /// What binding it there would reach; none before somebody asks.
    there: Reach,
    places: Vec<String>,
    may_change: bool,
    history: String,
    /// Those that brought it to its devices; none for who may not see them.
    list: Option<sweeps::List>,
    errors: Complaints,
}

/// The template of a profile.
#[derive(Debug, Serialize)]
struct Named {
    name: String,
    href: String,
    /// Empty = the newest.
    version: String,
}

/// Where it is bound.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Bound {
    words: String,
    devices_href: String,
    rank: i32,
    to: &'static str,
    place: String,
}

/// `GET /profiles/{id}`; with a place it is said how many devices are there.
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Query(bind): Query<BindForm>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, id, bind, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    bind: BindForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let view = service::get(app, ctx, id).await?;
    let (profile, desired) = (&view.profile, &view.desired);
    let may_change = everywhere(viewer, Right::Operate);
    let object = id.to_string();
    let there = match bind.is_blank() {
        true => Reach::default(),
        false => there(app, ctx, &bind).await?,
    };
    let page = ProfilePage {
        shell: Shell::new(viewer, &app.config, &profile.name, Section::Profiles),
        here: path(id),
        name: profile.name.clone(),
        description: profile.description.clone(),
        enforce: profile.enforce,
        facts: words::wants(desired),
        template: template(app, ctx, desired).await?,
        parameters: words::parameters(desired, profile.enforce),
        variables: words::variables(desired),
        about: vec![
            Fact::new("Made by", profile.created_by.as_str()),
            Fact::new("Made", When::new(profile.created_at, ctx.now).both()),
            Fact::new("Changed", When::new(profile.updated_at, ctx.now).both()),
        ],
        reach: reach_of(app, ctx, id).await?,
        bindings: view.bindings.iter().map(bound).collect(),
        bind,
        there,
        places: if may_change { places(app, ctx).await? } else { Vec::new() },
        may_change,
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "profile"), ("object", object.as_str())]),
            false => String::new(),
        },
        list: match everywhere(viewer, Right::Read) {
            true => Some(sweeps::list(app, viewer, &profile.name, None).await?),
            false => None,
        },
        errors,
    };
    answer(View::Profile, &page, &page.errors)
}

async fn template(app: &App, ctx: &Ctx, desired: &Desired) -> Result<Option<Named>, Error> {
    let Some(wanted) = &desired.template else { return Ok(None) };
    let id = wanted.template_id;
    let name = match templates::get(app, ctx, id).await {
        Ok(view) => view.template.name,
        Err(Error::NotFound(_)) => id.to_string(),
        Err(error) => return Err(error),
    };
    let version = wanted.version.map(|version| version.to_string()).unwrap_or_default();
    Ok(Some(Named { name, href: format!("/templates/{id}"), version }))
}

fn bound(row: &BindingRow) -> Bound {
    let (to, name, selector) = match (&row.site, &row.group) {
        (Some(site), _) => ("site", site.clone(), Some(under(site))),
        (None, Some(group)) => ("group", group.clone(), Some(selector_of(group))),
        (None, None) => ("fleet", String::new(), None),
    };
    Bound {
        words: place(row),
        devices_href: selector.map_or_else(|| "/devices".to_owned(), |q| manage::devices(&q)),
        rank: row.rank,
        to,
        place: name,
    }
}

/// Sites and groups to choose from.
async fn places(app: &App, ctx: &Ctx) -> Result<Vec<String>, Error> {
    let mut places = site_paths(app, ctx).await?;
    let groups = groups::list(app, ctx, None, OFFERED).await?;
    places.extend(groups.into_iter().map(|group| group.name));
    Ok(places)
}

/// `POST /profiles/{id}/bind`
pub(super) async fn bind(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<BindForm>,
) -> Result<Response, Failure> {
    let bound = match sent.binding() {
        Ok(binding) => service::bind(&app, viewer.ctx(), id, binding).await,
        Err(error) => Err(error),
    };
    match bound {
        Ok(_) => {
            let done = "It is bound. A sweep brings it to the devices there.";
            Ok(flash::to(&path(id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, id, sent, complaints(error)?).await,
    }
}

/// `POST /profiles/{id}/unbind`
pub(super) async fn unbind(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<BindForm>,
) -> Result<Response, Failure> {
    let unbound = match sent.binding() {
        Ok(binding) => service::unbind(&app, viewer.ctx(), id, binding).await,
        Err(error) => Err(error),
    };
    match unbound {
        Ok(()) => {
            let done = "It does not hold there any more. Devices keep the values that they have.";
            Ok(flash::to(&path(id), Flash::done(done)))
        }
        Err(error) => {
            let errors = Complaints::of(error, &[])?;
            shown(&app, &viewer, id, BindForm::default(), errors).await
        }
    }
}

/// `POST /profiles/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let name = service::get(&app, viewer.ctx(), id).await?.profile.name;
    let removed = match sent.check(&name) {
        Ok(()) => service::delete(&app, viewer.ctx(), id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The profile {name} is removed.")))),
        Err(error) => {
            let errors = Complaints::of(error, &[])?;
            shown(&app, &viewer, id, BindForm::default(), errors).await
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let view = super::tests::view();
    let reach = |told: bool| if told { Reach::told(evil()) } else { Reach::wrong(evil()) };
    let page = |full: bool, errors: Complaints| {
        let named = Named { name: evil(), href: "/templates/1".to_owned(), version: evil() };
        let page = ProfilePage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: evil(),
            description: if full { evil() } else { String::new() },
            enforce: !full,
            facts: if full { words::wants(&view.desired) } else { Vec::new() },
            template: full.then_some(named),
            parameters: if full { words::parameters(&view.desired, true) } else { Vec::new() },
            variables: if full { words::variables(&view.desired) } else { Vec::new() },
            about: vec![Fact::new("Made by", evil())],
            reach: reach(full),
            bindings: if full { view.bindings.iter().map(bound).collect() } else { Vec::new() },
            bind: BindForm::sample(),
            there: reach(full),
            places: vec![evil()],
            may_change: full,
            history: if full { "/audit".to_owned() } else { String::new() },
            list: full.then(sweeps::sample),
            errors,
        };
        sample(View::Profile, &page)
    };
    vec![
        page(true, Complaints::field("place", "<x-evil>")),
        page(false, Complaints::whole("<x-evil>")),
    ]
}
