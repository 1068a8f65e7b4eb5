//! The page of one template: what it is, who uses it, its variables, its script and its versions;
//! trying it for a device, copying it, removing it.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::preview::{self, Tried};
use super::{HOME, User, path, users};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::fleet::template::{Kind, Text, Variable};
use crate::service::templates as service;
use crate::store::templates::Told;
use crate::web::failure::Failure;
use crate::web::flash::{self, Flash};
use crate::web::form::{Complaints, Form};
use crate::web::format::When;
use crate::web::manage::{Confirmation, Fact, address, answer, cut, everywhere, with_one_more};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

/// Versions on a page.
const PAGE: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplateQuery {
    /// Versions before this one.
    before: Option<i32>,
    /// Serial number of the device for which it is tried; empty = one that is made up.
    device: Option<String>,
}

#[derive(Serialize)]
struct TemplatePage {
    shell: Shell,
    here: String,
    name: String,
    builtin: bool,
    /// It is for the bench.
    bench: bool,
    facts: Vec<Fact>,
    users: Vec<User>,
    variables: Vec<VariableRow>,
    body: String,
    versions: Vec<VersionRow>,
    first: String,
    next: String,
    /// The viewer may make one of their own of it, and change it if it is one.
    may_change: bool,
    history: String,
    /// What a copy is to be called.
    copy: String,
    /// It was to be copied, and was not.
    copying: bool,
    device: String,
    tried: Option<Tried>,
    errors: Complaints,
}

/// A variable for people.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct VariableRow {
    name: String,
    label: String,
    section: String,
    kind: String,
    required: bool,
    default: String,
    help: String,
}

#[derive(Debug, Serialize)]
struct VersionRow {
    href: String,
    version: i32,
    note: String,
    by: String,
    at: When,
}

/// What stands in the page's forms, and what is wrong with it.
#[derive(Default)]
struct Sent {
    query: TemplateQuery,
    copy: Option<String>,
    errors: Complaints,
}

/// `GET /templates/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(template_id): Path<Uuid>,
    Query(query): Query<TemplateQuery>,
) -> Result<Response, Failure> {
    shown(&app, &viewer, template_id, Sent { query, ..Sent::default() }).await
}

async fn shown(
    app: &App,
    viewer: &Viewer,
    template_id: Uuid,
    sent: Sent,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let service::View { template, version } = service::get(app, ctx, template_id).await?;
    let here = path(template_id);
    let Sent { query, copy, mut errors } = sent;
    let device = query.device.clone().unwrap_or_default();
    let tried = match &query.device {
        Some(device) => match tried(app, ctx, template_id, device).await? {
            Ok(tried) => Some(tried),
            Err(why) => {
                errors = Complaints::field("device", why);
                None
            }
        },
        None => None,
    };
    let found = service::versions(app, ctx, template_id, query.before, with_one_more(PAGE)).await?;
    let (versions, more) = cut(found, PAGE);
    let next = versions.last().filter(|_| more).map(|last| last.version.to_string());
    let object = template_id.to_string();
    let page = TemplatePage {
        shell: Shell::new(viewer, &app.config, &template.name, Section::Templates),
        builtin: template.builtin,
        bench: template.bench,
        facts: vec![
            Fact::new("What it is for", template.description.as_str()),
            Fact::new("Version", template.version.to_string()),
            Fact::new("Why this version", version.note.as_str()),
            Fact::new("Made by", template.created_by.as_str()),
            Fact::new("Made", When::new(template.created_at, ctx.now).both()),
            Fact::new("Changed", When::new(template.updated_at, ctx.now).both()),
        ],
        users: users(app, ctx).await?.remove(&template_id).unwrap_or_default(),
        variables: version.variables.0.iter().map(variable_row).collect(),
        body: version.body,
        versions: versions.into_iter().map(|told| version_row(&here, told, ctx)).collect(),
        first: query.before.map(|_| here.clone()).unwrap_or_default(),
        next: next.map(|last| address(&here, &[("before", last.as_str())])).unwrap_or_default(),
        may_change: everywhere(viewer, Right::Operate),
        history: match everywhere(viewer, Right::Audit) {
            true => address("/audit", &[("kind", "template"), ("object", object.as_str())]),
            false => String::new(),
        },
        copying: copy.is_some(),
        copy: copy.unwrap_or_default(),
        device,
        tried,
        name: template.name,
        here,
        errors,
    };
    answer(View::Template, &page, &page.errors)
}

/// What its newest version gives for a device, or why nothing.
async fn tried(
    app: &App,
    ctx: &Ctx,
    template_id: Uuid,
    device: &str,
) -> Result<Result<Tried, String>, Error> {
    let given = service::preview(app, ctx, template_id, None, preview::asked(device)).await;
    preview::tried(app, ctx, device, given, &[]).await
}

fn version_row(here: &str, told: Told, ctx: &Ctx) -> VersionRow {
    VersionRow {
        href: format!("{here}/versions/{}", told.version),
        version: told.version,
        note: told.note,
        by: told.created_by,
        at: When::new(told.created_at, ctx.now),
    }
}

fn variable_row(variable: &Variable) -> VariableRow {
    let default = variable.default.as_ref().map(|value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    });
    VariableRow {
        name: variable.name.clone(),
        label: variable.label.clone().unwrap_or_default(),
        section: variable.section.clone().unwrap_or_default(),
        kind: kind_words(&variable.kind),
        required: variable.required,
        default: default.unwrap_or_default(),
        help: variable.help.clone().unwrap_or_default(),
    }
}

/// `text, 1 to 32 characters`
fn kind_words(kind: &Kind) -> String {
    match kind {
        Kind::String(rules) => text_words("text", rules),
        Kind::Secret(rules) => text_words("secret", rules),
        Kind::Ip => "IP address".to_owned(),
        Kind::Prefix => "address with the length of its network".to_owned(),
        Kind::Mac => "Ethernet address".to_owned(),
        Kind::Int { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("whole number from {min} to {max}"),
            (Some(min), None) => format!("whole number from {min} on"),
            (None, Some(max)) => format!("whole number up to {max}"),
            (None, None) => "whole number".to_owned(),
        },
        Kind::Bool => "yes or no".to_owned(),
        Kind::Enum { values } => format!("one of {}", values.join(", ")),
        Kind::List { of, max } => match max {
            Some(max) => format!("list of at most {max}, each: {}", kind_words(of)),
            None => format!("list, each: {}", kind_words(of)),
        },
    }
}

fn text_words(word: &str, rules: &Text) -> String {
    let length = match (rules.min, rules.max) {
        (Some(min), Some(max)) => format!(", {min} to {max} characters"),
        (Some(min), None) => format!(", at least {min} characters"),
        (None, Some(max)) => format!(", at most {max} characters"),
        (None, None) => String::new(),
    };
    let pattern = rules.pattern.as_ref().map(|pattern| format!(", like {pattern}"));
    format!("{word}{length}{}", pattern.unwrap_or_default())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CopyForm {
    name: String,
}

/// `POST /templates/{id}/copy`
pub(super) async fn copy(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(template_id): Path<Uuid>,
    Form(sent): Form<CopyForm>,
) -> Result<Response, Failure> {
    match service::copy(&app, viewer.ctx(), template_id, sent.name.trim()).await {
        Ok(made) => {
            let done = format!("{} is made: now change it.", made.template.name);
            Ok(flash::to(&path(made.template.template_id), Flash::done(done)))
        }
        Err(error) => {
            let errors = Complaints::of(error, &["name"])?;
            let sent = Sent { copy: Some(sent.name), errors, ..Sent::default() };
            shown(&app, &viewer, template_id, sent).await
        }
    }
}

/// `POST /templates/{id}/delete`
pub(super) async fn delete(
    viewer: Viewer,
    State(app): State<Shared>,
    Path(template_id): Path<Uuid>,
    Form(sent): Form<Confirmation>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let name = service::get(&app, ctx, template_id).await?.template.name;
    let removed = match sent.check(&name) {
        Ok(()) => service::delete(&app, ctx, template_id, |_| Ok(())).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(flash::to(HOME, Flash::done(format!("The template {name} is removed.")))),
        Err(error) => {
            let errors = Complaints::of(error, &[])?;
            shown(&app, &viewer, template_id, Sent { errors, ..Sent::default() }).await
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use super::sample_user;
    use crate::web::views::sample;
    use chrono::DateTime;

    let now = DateTime::UNIX_EPOCH;
    let evil = || "<x-evil>".to_owned();
    let variable = |required: bool| VariableRow {
        name: evil(),
        label: evil(),
        section: evil(),
        kind: evil(),
        required,
        default: if required { String::new() } else { evil() },
        help: evil(),
    };
    let version = |version: i32| VersionRow {
        href: format!("/templates/1/versions/{version}"),
        version,
        note: evil(),
        by: evil(),
        at: When::new(now, now),
    };
    let page = |builtin: bool, full: bool, errors: Complaints| {
        let page = TemplatePage {
            shell: Shell::sample(),
            here: path(Uuid::nil()),
            name: evil(),
            builtin,
            bench: !full,
            facts: vec![Fact::new("What it is for", evil())],
            users: if full { vec![sample_user("2"), sample_user("")] } else { Vec::new() },
            variables: if full { vec![variable(true), variable(false)] } else { Vec::new() },
            body: evil(),
            versions: vec![version(2), version(1)],
            first: String::new(),
            next: if full { "/templates/1?before=1".to_owned() } else { String::new() },
            may_change: full,
            history: if full { "/audit".to_owned() } else { String::new() },
            copy: evil(),
            copying: !full,
            device: evil(),
            tried: full.then(|| preview::sample_tried(builtin)),
            errors,
        };
        sample(View::Template, &page)
    };
    vec![
        page(true, true, Complaints::default()),
        page(false, true, Complaints::field("name", "<x-evil>")),
        page(false, false, Complaints::field("device", "<x-evil>")),
        page(true, false, Complaints::whole("<x-evil>")),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_variable_is_told_in_words() {
        let told = |variable: serde_json::Value| {
            let row = variable_row(&serde_json::from_value(variable).unwrap());
            (row.kind, row.default)
        };
        for (variable, kind, default) in [
            (
                json!({ "name": "a", "type": "string", "min": 1, "max": 32, "pattern": "\\w+" }),
                "text, 1 to 32 characters, like \\w+",
                "",
            ),
            (
                json!({ "name": "a_password", "type": "secret", "min": 8 }),
                "secret, at least 8 characters",
                "",
            ),
            (
                json!({ "name": "a", "type": "list", "of": { "type": "ip" }, "max": 3, "default": ["192.0.2.1"] }),
                "list of at most 3, each: IP address",
                "[\"192.0.2.1\"]",
            ),
            (
                json!({ "name": "a", "type": "enum", "values": ["x", "y"], "default": "y" }),
                "one of x, y",
                "y",
            ),
            (
                json!({ "name": "a", "type": "int", "min": 1, "default": 7 }),
                "whole number from 1 on",
                "7",
            ),
        ] {
            assert_eq!(told(variable), (kind.to_owned(), default.to_owned()));
        }
    }
}
