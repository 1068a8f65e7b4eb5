//! The editor of templates: the script, its variables as text, and beside them, while they are
//! written, what is wrong, what they give for a device, and what that would change.
//!
//! What is typed stays as it was typed, whatever is wrong with it.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::preview::{self, Seen};
use super::{HOME, declared, path};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::templates::{self as service, TemplateFields};
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::manage::{answer, everywhere, same, version};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::{Viewer, Visit};
use crate::web::views::View;

/// Fields of the form, for what is wrong with them.
const FIELDS: [&str; 5] = ["name", "description", "body", "variables", "note"];
/// What the variables of a new one begin with.
const EXAMPLE: &str = "# [[variables]]\n# name = \"wifi_name\"\n# type = \"string\"\n# max = 32\n\
                       # label = \"Name of the network\"\n# required = true\n";

/// What is said of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EditorForm {
    /// The template that is changed; none = a new one.
    id: Option<Uuid>,
    /// The version of it for which the form was filled in.
    version: String,
    name: String,
    description: String,
    body: String,
    /// As TOML.
    variables: String,
    note: String,
    /// It is for the bench.
    bench: bool,
    /// Serial number of the device for which it is tried.
    device: String,
}

impl EditorForm {
    fn fields(&self) -> Result<TemplateFields, Error> {
        Ok(TemplateFields {
            name: Some(self.name.trim().to_owned()),
            description: Some(self.description.trim().to_owned()),
            body: Some(self.body.clone()),
            variables: Some(declared::read(&self.variables)?),
            note: Some(self.note.trim().to_owned()),
            bench: Some(self.bench),
        })
    }
}

#[derive(Serialize)]
struct EditorPage<'a> {
    shell: Shell,
    title: &'static str,
    /// Where it is kept, and where one comes from.
    action: String,
    back: String,
    draft: &'a EditorForm,
    seen: Seen,
    errors: Complaints,
}

#[derive(Serialize)]
struct SeenFragment {
    seen: Seen,
}

/// `GET /templates/new`
pub(super) async fn new(viewer: Viewer, State(app): State<Shared>) -> Result<Response, Failure> {
    if !everywhere(&viewer, Right::Operate) {
        let why = "A template is of no site: who operates everywhere may make one.";
        return Ok(flash::to(HOME, Flash::failed(why)));
    }
    let form = EditorForm { variables: EXAMPLE.to_owned(), ..EditorForm::default() };
    shown(&app, &viewer, &form, Complaints::default()).await
}

/// `GET /templates/{id}/edit`
pub(super) async fn edit(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(template_id): Path<Uuid>,
) -> Result<Response, Failure> {
    let service::View { template, version: newest } =
        service::get(&app, viewer.ctx(), template_id).await?;
    let why = match (template.builtin, everywhere(&viewer, Right::Operate)) {
        (true, _) => "It comes with Muster: copy it, and change the copy.",
        (_, false) => "A template is of no site: who operates everywhere may change it.",
        (false, true) => "",
    };
    if !why.is_empty() {
        return Ok(flash::to(&path(template_id), Flash::failed(why)));
    }
    let form = EditorForm {
        id: Some(template_id),
        version: version(template.updated_at),
        name: template.name,
        description: template.description,
        body: newest.body,
        variables: declared::write(&newest.variables),
        // It was of that version.
        note: String::new(),
        bench: template.bench,
        device: String::new(),
    };
    shown(&app, &viewer, &form, Complaints::default()).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    form: &EditorForm,
    errors: Complaints,
) -> Result<Response, Failure> {
    let title = if form.id.is_some() { "Change the template" } else { "New template" };
    let page = EditorPage {
        shell: Shell::new(viewer, &app.config, title, Section::Templates),
        title,
        action: form.id.map_or_else(|| HOME.to_owned(), |id| format!("{}/edit", path(id))),
        back: form.id.map_or_else(|| HOME.to_owned(), path),
        draft: form,
        seen: seen(app, viewer.ctx(), form).await?,
        errors,
    };
    answer(View::TemplateEdit, &page, &page.errors)
}

async fn seen(app: &App, ctx: &Ctx, form: &EditorForm) -> Result<Seen, Error> {
    let variables = declared::read(&form.variables);
    preview::seen(app, ctx, &form.body, variables, form.bench, &form.device).await
}

/// `POST /templates/check`: what is to be seen of what is written, while it is; without script the
/// whole page with it.
pub(super) async fn check(
    viewer: Viewer,
    State(app): State<Shared>,
    visit: Visit,
    Form(form): Form<EditorForm>,
) -> Result<Response, Failure> {
    if visit.htmx {
        let fragment = SeenFragment { seen: seen(&app, viewer.ctx(), &form).await? };
        return answer(View::TemplateSeen, &fragment, &Complaints::default());
    }
    let errors = match form.fields() {
        Ok(_) => Complaints::default(),
        Err(error) => Complaints::of(error, &FIELDS)?,
    };
    shown(&app, &viewer, &form, errors).await
}

/// `POST /templates`
pub(super) async fn create(
    viewer: Viewer,
    State(app): State<Shared>,
    Form(form): Form<EditorForm>,
) -> Result<Response, Failure> {
    let form = EditorForm { id: None, ..form };
    let made = match form.fields() {
        Ok(fields) => service::create(&app, viewer.ctx(), fields).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let how = match made.template.bench {
                true => "Boards get it on the bench that is armed with it.",
                false => "Devices get it by a profile.",
            };
            let done = format!("{} is kept. {how}", made.template.name);
            Ok(flash::to(&path(made.template.template_id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, &form, Complaints::of(error, &FIELDS)?).await,
    }
}

/// `POST /templates/{id}/edit`
pub(super) async fn change(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(template_id): Path<Uuid>,
    Form(form): Form<EditorForm>,
) -> Result<Response, Failure> {
    let form = EditorForm { id: Some(template_id), ..form };
    let changed = match form.fields() {
        Ok(fields) => {
            let check = same(&form.version);
            service::change(&app, viewer.ctx(), template_id, check, |_| Ok(fields)).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(view) => {
            let done = format!("It is kept: version {} is the newest.", view.template.version);
            Ok(flash::to(&path(template_id), Flash::done(done)))
        }
        Err(error) => shown(&app, &viewer, &form, Complaints::of(error, &FIELDS)?).await,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |id: Option<Uuid>, seen: Seen, errors: Complaints| {
        let form = EditorForm {
            id,
            version: evil(),
            name: evil(),
            description: evil(),
            body: "</textarea><x-evil>".to_owned(),
            variables: "</textarea><x-evil>".to_owned(),
            note: evil(),
            bench: id.is_some(),
            device: evil(),
        };
        let page = EditorPage {
            shell: Shell::sample(),
            title: "New template",
            action: HOME.to_owned(),
            back: HOME.to_owned(),
            draft: &form,
            seen,
            errors,
        };
        sample(View::TemplateEdit, &page)
    };
    vec![
        page(None, Seen::default(), Complaints::default()),
        page(None, preview::sample(false), Complaints::field("body", "<x-evil>")),
        page(Some(Uuid::nil()), preview::sample(true), Complaints::field("variables", "<x-evil>")),
        sample(View::TemplateSeen, &SeenFragment { seen: preview::sample(true) }),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_form_says_all_of_a_template() {
        let form = EditorForm {
            name: " home ".to_owned(),
            description: " Of homes ".to_owned(),
            body: "/ip dns\r\n".to_owned(),
            variables: "[[variables]]\r\nname = \"dns\"\r\ntype = \"ip\"\r\n".to_owned(),
            ..EditorForm::default()
        };
        let fields = form.fields().unwrap();
        assert_eq!(fields.name.as_deref(), Some("home"));
        assert_eq!(fields.description.as_deref(), Some("Of homes"));
        assert_eq!(fields.body.as_deref(), Some("/ip dns\r\n"), "the service knows what to do");
        assert_eq!(fields.variables.unwrap()[0].name, "dns");
        let wrong = EditorForm { variables: "name = 1".to_owned(), ..form };
        let complaint = Complaints::of(wrong.fields().unwrap_err(), &FIELDS).unwrap();
        assert_ne!(complaint, Complaints::default());
    }

    #[test]
    fn a_new_template_declares_nothing_yet() {
        assert!(declared::read(EXAMPLE).unwrap().is_empty());
        let lines = EXAMPLE.lines().map(|line| line.trim_start_matches("# "));
        let example: Vec<&str> = lines.collect();
        assert_eq!(declared::read(&example.join("\n")).unwrap().len(), 1);
    }
}
