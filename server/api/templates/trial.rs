//! Templates tried out: what is wrong with one, and what it gives.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::extract::{JsonBody, PathArgs};
use super::super::merge;
use super::super::problem::Problem;
use super::TemplatePath;
use super::view::TemplateFinding;
use crate::ctx::{Ctx, Shared};
use crate::fleet::template::bench::ROOM;
use crate::fleet::template::{Variable, Wrong};
use crate::fleet::variables::Variables;
use crate::service::templates::{self as service, Asked, Preview};

/// A template that is not stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateDraft {
    /// The RouterOS script with `{{ variables }}`, at most 64 KiB.
    body: String,
    /// What it declares.
    #[serde(default)]
    variables: Vec<Variable>,
    /// It is to be for the bench.
    #[serde(default)]
    bench: bool,
}

/// What is wrong with a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateLint {
    /// In order of lines.
    findings: Vec<TemplateFinding>,
    /// Bytes of the script that it gives with values made up; null = it gives none.
    size: Option<usize>,
    /// Bytes that it may have, for the bench; null = it is not for it.
    limit: Option<usize>,
}

/// Check a template
///
/// Nothing is stored. The template is read, and rendered with values made up.
#[utoipa::path(
    post,
    path = "/api/v1/templates/lint",
    tag = "templates",
    request_body = TemplateDraft,
    responses((status = 200, description = "What is wrong with it", body = TemplateLint), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn lint_template(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<TemplateLint>, Problem> {
    let draft: TemplateDraft = merge::apply(json!({}), body)?;
    let lint = service::lint(&app, &ctx, &draft.body, &draft.variables, draft.bench).await?;
    Ok(Json(TemplateLint {
        findings: TemplateFinding::all(lint.findings),
        size: lint.size,
        limit: draft.bench.then_some(ROOM),
    }))
}

/// For what a template is tried.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TemplateTrial {
    /// Id of a device, or `serial:` and its serial number; absent: for one that there is not.
    device: Option<String>,
    /// Values by name, over those that the device has.
    values: Variables,
    /// Which version; the newest when absent.
    version: Option<i32>,
}

/// The same of a template that is not stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateDraftTrial {
    /// The RouterOS script with `{{ variables }}`, at most 64 KiB.
    body: String,
    /// What it declares.
    #[serde(default)]
    variables: Vec<Variable>,
    /// It is to be for the bench.
    #[serde(default)]
    bench: bool,
    /// Id of a device, or `serial:` and its serial number; absent: for one that there is not.
    #[serde(default)]
    device: Option<String>,
    /// Values by name, over those that the device has.
    #[serde(default)]
    values: Variables,
}

/// What a template gives for a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplatePreview {
    /// The script; `********` stands for each secret.
    script: String,
    /// What is wrong with it, by its own lines.
    findings: Vec<TemplateFinding>,
    /// Bytes of it.
    size: usize,
    /// Bytes that it may have, of a template of the bench; null = it is not for it.
    limit: Option<usize>,
    /// Lines of it.
    lines: usize,
    /// Variables without a value that fits; in the script a value made up stands for each.
    missing: Vec<TemplateGap>,
    /// Why the device cannot undo a script by itself that cuts it off; null = it can, or there is no
    /// device.
    rescue: Option<String>,
}

/// A variable without a value that fits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateGap {
    /// Its name.
    name: String,
    /// What its value is to be.
    words: String,
}

impl TemplatePreview {
    fn of(preview: Preview) -> Self {
        let gap = |wrong: Wrong| TemplateGap { name: wrong.name, words: wrong.words };
        Self {
            script: preview.script,
            findings: TemplateFinding::all(preview.findings),
            size: preview.size,
            limit: preview.limit,
            lines: preview.lines,
            missing: preview.missing.into_iter().map(gap).collect(),
            rescue: preview.rescue,
        }
    }
}

/// Preview a template
///
/// What it gives for a device with the values that are wanted of it. Nothing is sent.
#[utoipa::path(
    post,
    path = "/api/v1/templates/{template_id}/preview",
    tag = "templates",
    params(TemplatePath),
    request_body = TemplateTrial,
    responses((status = 200, description = "What it gives", body = TemplatePreview), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn preview_template(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TemplatePath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<TemplatePreview>, Problem> {
    let TemplateTrial { device, values, version } = merge::apply(json!({}), body)?;
    let asked = Asked { device, values };
    let preview = service::preview(&app, &ctx, path.template_id, version, asked).await?;
    Ok(Json(TemplatePreview::of(preview)))
}

/// Preview a template that is not stored
#[utoipa::path(
    post,
    path = "/api/v1/templates/preview",
    tag = "templates",
    request_body = TemplateDraftTrial,
    responses((status = 200, description = "What it gives", body = TemplatePreview), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn preview_template_body(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<TemplatePreview>, Problem> {
    let TemplateDraftTrial { body, variables, bench, device, values } =
        merge::apply(json!({}), body)?;
    let asked = Asked { device, values };
    let preview = service::preview_body(&app, &ctx, &body, &variables, bench, asked).await?;
    Ok(Json(TemplatePreview::of(preview)))
}
