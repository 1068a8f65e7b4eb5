//! The builder: a rollout as a form, with what it would do drawn before it is kept.
//!
//! Everything beyond what, for whom and in which waves is folded away, with careful values in it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dry_run::{Drawn, drawn};
use super::form::{BuilderForm, DaysRow, ParameterRow, WaveRow, What, field};
use super::offered::{Known, Offered};
use super::words::Names;
use super::{HOME, path};
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::group::selector_of;
use crate::service::devices::{Which, count_many};
use crate::service::groups;
use crate::service::rollouts::write::RolloutFields;
use crate::service::rollouts::{self as service, write};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::manage::{address, answer, same, version};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// What may stand in the address of a new one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    what: What,
    release: String,
    selector: String,
    group: String,
}

#[derive(Serialize)]
struct BuilderPage<'a> {
    shell: Shell,
    title: &'static str,
    /// Where it is kept, and where one comes from.
    action: String,
    back: String,
    tabs: Vec<Tab>,
    draft: &'a BuilderForm,
    waves: Vec<WaveRow>,
    parameters: Vec<ParameterRow>,
    blackout: Vec<DaysRow>,
    offered: Offered,
    drawn: Option<Drawn>,
    /// Something is wrong: nothing is folded away.
    wrong: bool,
    errors: Complaints,
}

/// For `ui.tabs`, which shows no count.
#[derive(Serialize)]
struct Tab {
    label: &'static str,
    href: String,
    current: bool,
    count: Option<i64>,
}

/// `GET /rollouts/new`
pub(super) async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Result<Query<NewQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|e| Error::invalid("", e.body_text()))?;
    let form = BuilderForm {
        release: query.release,
        selector: query.selector,
        group: query.group,
        ..BuilderForm::blank(query.what)
    };
    let known = Known::of(&app, viewer.ctx(), &form).await?;
    shown(&app, &viewer, &form, known, None, Complaints::default())
}

/// `GET /rollouts/{id}/edit`
pub(super) async fn edit(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let rollout = service::get(&app, viewer.ctx(), id).await?;
    if !service::offer::of(viewer.ctx(), &rollout).change {
        let why = "Only a draft can be changed, by who operates wherever it may go.";
        return Ok(flash::to(&path(id), Flash::failed(why)));
    }
    let fields = RolloutFields::of(&rollout);
    let blank = BuilderForm::of(&fields, &Names::default());
    let known = Known::of(&app, viewer.ctx(), &blank).await?;
    let form = BuilderForm {
        id: Some(id),
        version: version(rollout.row.updated_at),
        ..BuilderForm::of(&fields, &known.groups)
    };
    shown(&app, &viewer, &form, known, None, Complaints::default())
}

fn shown(
    app: &App,
    viewer: &Viewer,
    form: &BuilderForm,
    known: Known,
    drawn: Option<Drawn>,
    errors: Complaints,
) -> Result<Response, Failure> {
    let title = if form.id.is_some() { "Change the draft" } else { "New rollout" };
    let wrong = errors != Complaints::default();
    let page = BuilderPage {
        shell: Shell::new(viewer, &app.config, title, Section::Rollouts),
        title,
        action: form.id.map_or_else(|| HOME.to_owned(), |id| format!("{}/edit", path(id))),
        back: form.id.map_or_else(|| HOME.to_owned(), path),
        tabs: if form.id.is_some() { Vec::new() } else { tabs(form) },
        waves: form.waves(),
        parameters: form.parameters(),
        blackout: form.blackout(),
        offered: known.offered,
        draft: form,
        drawn,
        wrong,
        errors,
    };
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, render(View::RolloutBuild, &page)?).into_response())
}

/// What it does is chosen first: the form asks for nothing else.
fn tabs(form: &BuilderForm) -> Vec<Tab> {
    let tab = |what: What| {
        let fields = [
            ("what", what.word()),
            ("selector", form.selector.as_str()),
            ("group", form.group.as_str()),
        ];
        Tab {
            label: what.label(),
            href: address("/rollouts/new", &fields),
            current: what == form.what,
            count: None,
        }
    };
    What::ALL.into_iter().map(tab).collect()
}

/// `POST /rollouts`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(form): Form<BuilderForm>,
) -> Result<Response, Failure> {
    let form = BuilderForm { id: None, ..form };
    let known = Known::of(&app, viewer.ctx(), &form).await?;
    let made = match form.fields(&known.groups) {
        Ok(fields) => write::create(&app, viewer.ctx(), fields).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let done = "The draft is kept. Nothing happens before it is started.";
            Ok(flash::to(&path(made.row.rollout_id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, &form, known, None, complaints(error)?),
    }
}

/// `POST /rollouts/{id}/edit`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Form(form): Form<BuilderForm>,
) -> Result<Response, Failure> {
    let form = BuilderForm { id: Some(id), ..form };
    let known = Known::of(&app, viewer.ctx(), &form).await?;
    let changed = match form.fields(&known.groups) {
        Ok(fields) => {
            write::change(&app, viewer.ctx(), id, same(&form.version), |_| Ok(fields)).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(flash::to(&path(id), Flash::done("The draft is saved."))),
        Err(error) => shown(&app, &viewer, &form, known, None, complaints(error)?),
    }
}

/// `POST /rollouts/dry-run`: what it would do, above the form that says it.
pub(super) async fn try_out(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(form): Form<BuilderForm>,
) -> Result<Response, Failure> {
    let known = Known::of(&app, viewer.ctx(), &form).await?;
    let run = match form.fields(&known.groups) {
        Ok(fields) => service::dry_run::try_out(&app, viewer.ctx(), fields).await,
        Err(error) => Err(error),
    };
    match run {
        Ok(run) => {
            let drawn = drawn(&run, viewer.ctx().now);
            shown(&app, &viewer, &form, known, Some(drawn), Complaints::default())
        }
        Err(error) => shown(&app, &viewer, &form, known, None, complaints(error)?),
    }
}

/// What is wrong, at the field in which it stands.
fn complaints(error: Error) -> Result<Complaints, Error> {
    match error {
        Error::Invalid { pointer, message } => {
            let name = field(&pointer);
            Ok(match name.is_empty() {
                true => Complaints::whole(message),
                false => Complaints::field(&name, message),
            })
        }
        other => Complaints::of(other, &[]),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CountQuery {
    selector: String,
    group: String,
}

/// How many devices it is for now, or what is wrong with who that is.
#[derive(Serialize)]
struct CountFragment {
    count: Option<usize>,
    wrong: String,
}

/// `GET /rollouts/count`: while it is written for whom it is.
pub(super) async fn count(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<CountQuery>,
) -> Result<Response, Failure> {
    let counted = |count| CountFragment { count, wrong: String::new() };
    let fragment = match whom(&app, viewer.ctx(), &query).await {
        Ok(None) => counted(None),
        Ok(Some(selector)) => match count_many(&app, viewer.ctx(), &Which::Found(selector)).await {
            Ok(count) => counted(Some(count)),
            Err(Error::Invalid { message, .. }) => CountFragment { count: None, wrong: message },
            Err(error) => return Err(error.into()),
        },
        Err(Error::Invalid { message, .. } | Error::NotFound(message)) => {
            CountFragment { count: None, wrong: message }
        }
        Err(error) => return Err(error.into()),
    };
    answer(View::GroupCount, &fragment, &Complaints::default())
}

/// The selector of the devices that are meant; none while nobody is.
async fn whom(app: &App, ctx: &Ctx, query: &CountQuery) -> Result<Option<String>, Error> {
    let selector = query.selector.trim();
    match (query.group.as_str(), selector) {
        ("", "") => Ok(None),
        ("", selector) => Ok(Some(selector.to_owned())),
        (group, "") => {
            let id = Uuid::try_parse(group);
            let id = id.map_err(|_| Error::invalid("/group", "Choose one that is offered."))?;
            let name = groups::get(app, ctx, id).await?.name;
            Ok(Some(selector_of(&name)))
        }
        _ => Err(Error::invalid("/group", "A group or a selector, and not both.")),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::dry_run::sample_run;
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |what: What, id: Option<Uuid>, run: bool, errors: Complaints| {
        let mut form = BuilderForm { id, name: evil(), ..BuilderForm::blank(what) };
        form.wave_name[0] = evil();
        form.wave_what[0] = evil();
        (form.parameter, form.value) = (vec![evil()], vec![evil()]);
        (form.blackout_from, form.blackout_to) = (vec![evil()], vec![evil()]);
        let page = BuilderPage {
            shell: Shell::sample(),
            title: "New rollout",
            action: HOME.to_owned(),
            back: HOME.to_owned(),
            tabs: if id.is_some() { Vec::new() } else { tabs(&form) },
            waves: form.waves(),
            parameters: form.parameters(),
            blackout: form.blackout(),
            offered: Offered::sample(),
            draft: &form,
            drawn: run.then(|| drawn(&sample_run(), chrono::DateTime::UNIX_EPOCH)),
            wrong: errors != Complaints::default(),
            errors,
        };
        sample(View::RolloutBuild, &page)
    };
    vec![
        page(What::Release, None, true, Complaints::default()),
        page(What::Script, None, false, Complaints::field("waves", "<x-evil>")),
        page(What::Template, None, false, Complaints::field("parameters", "<x-evil>")),
        page(What::Parameters, Some(Uuid::nil()), false, Complaints::field("selector", "<x-evil>")),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_wrong_stands_at_its_field_or_above_all() {
        let wrong = complaints(Error::invalid("/plan/waves/0/take", "no")).unwrap();
        assert_eq!(wrong, Complaints::field("waves", "no"));
        assert_eq!(complaints(Error::invalid("", "no")).unwrap(), Complaints::whole("no"));
        let stale = complaints(Error::Conflict("old".to_owned())).unwrap();
        assert_eq!(stale, Complaints::whole("old"));
    }
}
