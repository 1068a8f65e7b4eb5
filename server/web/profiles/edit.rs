//! A profile as a form: what devices are to be, with the variables of its template as fields.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bind::reach_of;
use super::form::{ParameterRow, ProfileForm, field, parameter};
use super::values::{self, Given, Values};
use super::{HOME, OFFERED, path};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::template::Variable;
use crate::service::profiles::{self as service, ProfileFields};
use crate::service::{releases, templates};
use crate::store::templates::Template;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Both, Complaints};
use crate::web::manage::{answer, everywhere, same};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// To who may not: a form that is refused in the end is not worth filling in.
const NOT_YOURS: &str = "A profile is of no site: who operates everywhere may make or change one.";

/// What may stand in the address of a new one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    /// Id of a template.
    template: String,
}

#[derive(Serialize)]
struct EditPage<'a> {
    shell: Shell,
    title: &'a str,
    /// Where it is kept, and where one comes from.
    action: String,
    back: String,
    /// How many devices a change reaches; empty for a new one.
    reach: String,
    draft: &'a ProfileForm,
    parameters: Vec<ParameterRow>,
    templates: Vec<Choice>,
    releases: Vec<String>,
    values: Values,
    errors: Complaints,
}

/// For `form.select`.
#[derive(Serialize)]
struct Choice {
    value: String,
    label: String,
}

/// The variables of the template that is chosen.
#[derive(Serialize)]
struct VariablesFragment {
    values: Values,
    errors: Complaints,
}

/// `GET /profiles/new`
pub(super) async fn new(
    viewer: Viewer,
    State(app): State<Shared>,
    Query(query): Query<NewQuery>,
) -> Result<Response, Failure> {
    if !everywhere(&viewer, Right::Operate) {
        return Ok(flash::to(HOME, Flash::failed(NOT_YOURS)));
    }
    let form = ProfileForm::blank(query.template);
    shown(&app, &viewer, &form, Complaints::default()).await
}

/// `GET /profiles/{id}/edit`
pub(super) async fn edit(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Response, Failure> {
    let form = ProfileForm::of(&service::get(&app, viewer.ctx(), id).await?);
    if !everywhere(&viewer, Right::Operate) {
        return Ok(flash::to(&path(id), Flash::failed(NOT_YOURS)));
    }
    shown(&app, &viewer, &form, Complaints::default()).await
}

/// `POST /profiles/form`: the same form with the fields of the template that was chosen, for who has
/// no script.
pub(super) async fn form(
    viewer: Viewer,
    State(app): State<Shared>,
    Both(mut form, given): Both<ProfileForm, Given>,
) -> Result<Response, Failure> {
    form.given = given;
    shown(&app, &viewer, &form, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    form: &ProfileForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let (declared, errors) = found(declared(app, ctx, form).await, errors)?;
    let title = if form.id.is_some() { "Change the profile" } else { "New profile" };
    let page = EditPage {
        shell: Shell::new(viewer, &app.config, title, Section::Profiles),
        title,
        action: form.id.map_or_else(|| HOME.to_owned(), |id| format!("{}/edit", path(id))),
        back: form.id.map_or_else(|| HOME.to_owned(), path),
        reach: match form.id {
            Some(id) => reach_of(app, ctx, id).await?.words,
            None => String::new(),
        },
        draft: form,
        parameters: form.parameters(),
        templates: offered(app, ctx).await?,
        releases: stored(app, ctx).await?,
        values: Values::again(&declared, &form.given, &BTreeMap::new()),
        errors,
    };
    answer(View::ProfileEdit, &page, &page.errors)
}

/// `POST /profiles/variables`: the fields of the template that was just chosen.
pub(super) async fn variables(
    viewer: Viewer,
    State(app): State<Shared>,
    Both(mut form, given): Both<ProfileForm, Given>,
) -> Result<Response, Failure> {
    form.given = given;
    let declared = declared(&app, viewer.ctx(), &form).await;
    let (declared, errors) = found(declared, Complaints::default())?;
    let values = Values::again(&declared, &form.given, &BTreeMap::new());
    // A part of a page is shown also where something is wrong with it.
    answer(View::ProfileVariables, &VariablesFragment { values, errors }, &Complaints::default())
}

/// What the template that is chosen declares.
async fn declared(app: &App, ctx: &Ctx, form: &ProfileForm) -> Result<Vec<Variable>, Error> {
    let Some(template) = form.template()? else { return Ok(Vec::new()) };
    let found = templates::version(app, ctx, template.template_id, template.version).await;
    match found {
        Ok(view) => Ok(view.version.variables.0),
        Err(Error::NotFound(why)) => Err(Error::invalid("/desired/template", why)),
        Err(error) => Err(error),
    }
}

/// The variables; and what is wrong, where there is no such template.
fn found(
    declared: Result<Vec<Variable>, Error>,
    errors: Complaints,
) -> Result<(Vec<Variable>, Complaints), Error> {
    match declared {
        Ok(declared) => Ok((declared, errors)),
        Err(error) if errors == Complaints::default() => Ok((Vec::new(), complaints(error)?)),
        Err(Error::Invalid { .. }) => Ok((Vec::new(), errors)),
        Err(error) => Err(error),
    }
}

/// Templates to choose from.
async fn offered(app: &App, ctx: &Ctx) -> Result<Vec<Choice>, Error> {
    let choice = |template: Template| Choice {
        value: template.template_id.to_string(),
        label: template.name,
    };
    let none = Choice { value: String::new(), label: "none".to_owned() };
    let all = templates::list(app, ctx, None, OFFERED).await?;
    Ok([none].into_iter().chain(all.into_iter().map(choice)).collect())
}

/// Versions of RouterOS that may be sent.
async fn stored(app: &App, ctx: &Ctx) -> Result<Vec<String>, Error> {
    let all = releases::list(app, ctx, None, OFFERED).await?;
    let good = all.into_iter().filter(|release| release.release.withdrawn_at.is_none());
    Ok(good.map(|release| release.release.version).collect())
}

/// What was written, with values that fit the template.
async fn fields(app: &App, ctx: &Ctx, form: &ProfileForm) -> Result<ProfileFields, Error> {
    let fields = form.fields()?;
    let declared = declared(app, ctx, form).await?;
    if let Some(desired) = &fields.desired {
        values::check(&declared, &desired.variables)?;
    }
    Ok(fields)
}

/// `POST /profiles`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Both(mut form, given): Both<ProfileForm, Given>,
) -> Result<Response, Failure> {
    (form.id, form.given) = (None, given);
    let made = match fields(&app, viewer.ctx(), &form).await {
        Ok(fields) => service::create(&app, viewer.ctx(), fields).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let done = "It is made, and for no device yet: say below of which it is.";
            Ok(flash::to(&path(made.profile.profile_id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, &form, complaints(error)?).await,
    }
}

/// `POST /profiles/{id}/edit`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    Both(mut form, given): Both<ProfileForm, Given>,
) -> Result<Response, Failure> {
    (form.id, form.given) = (Some(id), given);
    let ctx = viewer.ctx();
    let changed = match fields(&app, ctx, &form).await {
        Ok(fields) => service::change(&app, ctx, id, same(&form.version), |_| Ok(fields)).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => {
            let done = "It is saved. A sweep brings what changed to its devices.";
            Ok(flash::to(&path(id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, &form, complaints(error)?).await,
    }
}

/// What is wrong, at the field in which it stands.
fn complaints(error: Error) -> Result<Complaints, Error> {
    match error {
        Error::Invalid { pointer, message } => Ok(match (field(&pointer), parameter(&pointer)) {
            ("", _) => Complaints::whole(message),
            (name, Some(parameter)) => Complaints::field(name, format!("{parameter}: {message}")),
            (name, None) => Complaints::field(name, message),
        }),
        other => Complaints::of(other, &[]),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let view = super::tests::view();
    let page = |form: &ProfileForm, errors: Complaints| {
        let page = EditPage {
            shell: Shell::sample(),
            title: "New profile",
            action: HOME.to_owned(),
            back: HOME.to_owned(),
            reach: if form.id.is_some() { evil() } else { String::new() },
            draft: form,
            parameters: form.parameters(),
            templates: vec![Choice { value: evil(), label: evil() }],
            releases: vec![evil()],
            values: values::sample(),
            errors,
        };
        sample(View::ProfileEdit, &page)
    };
    let fragment = |errors: Complaints| {
        let fragment = VariablesFragment { values: values::sample(), errors };
        sample(View::ProfileVariables, &fragment)
    };
    vec![
        page(&ProfileForm::blank(evil()), Complaints::default()),
        page(&ProfileForm::of(&view), Complaints::field("parameters", "<x-evil>")),
        page(&ProfileForm::of(&view), Complaints::whole("<x-evil>")),
        fragment(Complaints::field("template", "<x-evil>")),
        fragment(Complaints::default()),
        sample(
            View::ProfileVariables,
            &VariablesFragment { values: Values::default(), errors: Complaints::default() },
        ),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_wrong_stands_at_its_field_or_above_all() {
        let wrong = complaints(Error::invalid("/desired/parameters/Device.A", "no")).unwrap();
        assert_eq!(wrong, Complaints::field("parameters", "Device.A: no"));
        let wrong = complaints(Error::invalid("/desired/release", "no")).unwrap();
        assert_eq!(wrong, Complaints::field("release", "no"));
        assert_eq!(complaints(Error::invalid("/given", "no")).unwrap(), Complaints::whole("no"));
        let taken = complaints(Error::Conflict("taken".to_owned())).unwrap();
        assert_eq!(taken, Complaints::whole("taken"));
        assert!(complaints(Error::NotFound("gone".to_owned())).is_err());
    }

    #[test]
    fn a_template_that_is_not_there_is_told_unless_something_else_is_wrong_already() {
        let gone = || Err(Error::invalid("/desired/template", "gone"));
        let (_, errors) = found(gone(), Complaints::default()).unwrap();
        assert_eq!(errors, Complaints::field("template", "gone"));
        let (_, errors) = found(gone(), Complaints::whole("no")).unwrap();
        assert_eq!(errors, Complaints::whole("no"));
        assert!(found(Err(Error::Internal("a bug".to_owned())), Complaints::whole("no")).is_err());
    }
}
