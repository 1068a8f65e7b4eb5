//! The page of one version of a template: what it was, and how it differs from the one before it.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use uuid::Uuid;

use super::compare::{self, Compared};
use super::{declared, path};
use crate::ctx::Shared;
use crate::service::templates as service;
use crate::web::failure::Failure;
use crate::web::form::Complaints;
use crate::web::format::When;
use crate::web::manage::{Fact, answer};
use crate::web::shell::{Section, Shell};
use crate::web::viewer::Viewer;
use crate::web::views::View;

#[derive(Serialize)]
struct VersionPage {
    shell: Shell,
    template: String,
    name: String,
    version: i32,
    /// It is the one that devices get whose profile names none.
    newest: bool,
    facts: Vec<Fact>,
    body: String,
    /// As the editor has them.
    variables: String,
    change: Option<Change>,
}

/// How it differs from the version before it.
#[derive(Serialize)]
struct Change {
    href: String,
    version: i32,
    body: Compared,
    variables: Compared,
}

/// `GET /templates/{id}/versions/{version}`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    Path((template_id, number)): Path<(Uuid, i32)>,
) -> Result<Response, Failure> {
    let ctx = viewer.ctx();
    let service::View { template, version } =
        service::version(&app, ctx, template_id, Some(number)).await?;
    let here = path(template_id);
    let variables = declared::write(&version.variables);
    let change = match number {
        ..=1 => None,
        _ => {
            let before = service::version(&app, ctx, template_id, Some(number - 1)).await?.version;
            let had = declared::write(&before.variables);
            Some(Change {
                href: format!("{here}/versions/{}", before.version),
                version: before.version,
                body: compare::texts(before.body, version.body.clone()).await?,
                variables: compare::texts(had, variables.clone()).await?,
            })
        }
    };
    let title = format!("{}, version {number}", template.name);
    let page = VersionPage {
        shell: Shell::new(&viewer, &app.config, title, Section::Templates),
        template: here,
        name: template.name,
        version: number,
        newest: template.version == number,
        facts: vec![
            Fact::new("Why", version.note.as_str()),
            Fact::new("Made by", version.created_by.as_str()),
            Fact::new("Made", When::new(version.created_at, ctx.now).both()),
        ],
        body: version.body,
        variables,
        change,
    };
    answer(View::TemplateVersion, &page, &Complaints::default())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let evil = || "<x-evil>".to_owned();
    let page = |change: Option<Change>| {
        let page = VersionPage {
            shell: Shell::sample(),
            template: path(Uuid::nil()),
            name: evil(),
            version: 2,
            newest: change.is_some(),
            facts: vec![Fact::new("Why", evil())],
            body: evil(),
            variables: if change.is_some() { evil() } else { String::new() },
            change,
        };
        sample(View::TemplateVersion, &page)
    };
    let change = |body: Compared, variables: Compared| {
        Some(Change { href: "/templates/1/versions/1".to_owned(), version: 1, body, variables })
    };
    vec![
        page(change(compare::sample(), Compared::default())),
        page(change(Compared::default(), compare::sample())),
        page(None),
    ]
}
