//! Claims as CSV: what a table would do, doing it, and all of them as one.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::extract::QueryArgs;
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::fleet::claim::ClaimFields;
use crate::fleet::claim::csv::{Encoding, MAX_BYTES};
use crate::fleet::claim::rows::{Defaults, Planned, Verdict};
use crate::service::claims::import::{self as service, Preview};
use crate::service::claims::{Filter, export};

/// What all lines say that do not say otherwise.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// Path of the site.
    site: Option<String>,
    /// Name of the profile.
    profile: Option<String>,
    /// Tags, with commas between.
    tags: Option<String>,
    /// Only a device with the claim's own credential takes it.
    own_credential: Option<bool>,
}

/// The same, and what is to be imported of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Path of the site.
    site: Option<String>,
    /// Name of the profile.
    profile: Option<String>,
    /// Tags, with commas between.
    tags: Option<String>,
    /// Only a device with the claim's own credential takes it.
    own_credential: Option<bool>,
    /// `sha256` of a preview: it is imported only if it would do just that. Whatever it does now when
    /// absent.
    expected: Option<String>,
    /// Leave out lines that cannot be taken, rather than refuse it all.
    skip_wrong: Option<bool>,
}

fn defaults(
    site: Option<String>,
    profile: Option<String>,
    tags: Option<&str>,
    own_credential: Option<bool>,
) -> Defaults {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let tags = tags.filter(|tags| !tags.is_empty());
    let tags = tags.map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect());
    Defaults { site: some(site), profile: some(profile), tags, own_credential }
}

/// How many lines there are of each kind.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineCounts {
    /// A claim is made.
    new: usize,
    /// A claim is changed.
    changes: usize,
    /// The claim is there, and stays as it is.
    same: usize,
    /// It cannot be together with another line, another claim, or the device that took it.
    conflict: usize,
    /// It cannot be a claim.
    wrong: usize,
}

impl LineCounts {
    fn of(counts: &std::collections::BTreeMap<Verdict, usize>) -> Self {
        let count = |verdict| counts.get(&verdict).copied().unwrap_or_default();
        Self {
            new: count(Verdict::New),
            changes: count(Verdict::Changes),
            same: count(Verdict::Same),
            conflict: count(Verdict::Conflict),
            wrong: count(Verdict::Wrong),
        }
    }
}

/// What a line would do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineView {
    /// Counted from 1, the header included.
    line: usize,
    /// What it would do.
    verdict: Verdict,
    /// What is wrong, what changes, or what is worth a look.
    words: Option<String>,
    /// The claim that it is about; null = there is none yet.
    claim_id: Option<Uuid>,
    /// The claim as it would be, secrets masked.
    claim: ClaimFields,
}

impl LineView {
    fn of(line: Planned) -> Self {
        Self {
            line: line.line,
            verdict: line.verdict,
            words: line.words,
            claim_id: line.claim_id,
            claim: line.fields,
        }
    }
}

/// What a table would do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewView {
    /// At most 1000 lines, those that cannot be taken before the others; in the order of the table.
    rows: Vec<LineView>,
    /// All lines.
    counts: LineCounts,
    /// Claims that would be made or changed, hold secrets, and ask for no credential of their own: any new
    /// device that says the serial number of one is given them.
    exposed: usize,
    /// To be given as `expected` when it is imported.
    sha256: String,
    /// How its letters are written.
    encoding: Encoding,
    /// What stands between its cells.
    separator: String,
}

impl PreviewView {
    fn of(preview: Preview) -> Self {
        Self {
            counts: LineCounts::of(&preview.counts),
            exposed: preview.exposed,
            rows: preview.rows.into_iter().map(LineView::of).collect(),
            sha256: preview.sha256,
            encoding: preview.encoding,
            separator: preview.separator.to_string(),
        }
    }
}

/// What a table did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportView {
    /// All lines; those that conflict or are wrong were left out.
    counts: LineCounts,
}

/// The bytes of a table.
async fn bytes(body: Body) -> Result<Vec<u8>, Error> {
    let most = || Error::TooLarge(format!("a table of claims has at most {} MiB", MAX_BYTES >> 20));
    to_bytes(body, MAX_BYTES).await.map(Vec::from).map_err(|_| most())
}

/// See what a table of claims would do
///
/// The body is CSV: UTF-8 or Latin-1, with commas, semicolons or tabs, at most 100,000 lines. Its first
/// line names the columns: `serial`, `mac`, `model`, `site`, `profile`, `tags`, `customer`,
/// `factory_password`, `own_credential`, and `var.NAME` for variables. A cell that is empty says
/// nothing: what was claimed before stays. Nothing is stored.
#[utoipa::path(
    post,
    path = "/api/v1/claims/preview",
    tag = "claims",
    params(PreviewQuery),
    request_body(description = "The table", content_type = "text/csv"),
    responses((status = 200, description = "What it would do", body = PreviewView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn preview_claims(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(q): QueryArgs<PreviewQuery>,
    body: Body,
) -> Result<Json<PreviewView>, Problem> {
    let defaults = defaults(q.site, q.profile, q.tags.as_deref(), q.own_credential);
    let preview = service::preview(&app, &ctx, bytes(body).await?, defaults).await?;
    Ok(Json(PreviewView::of(preview)))
}

/// Import a table of claims
///
/// Whole or not at all: a line that cannot be taken refuses it, but with `skip_wrong`. With `expected`
/// it is done only if it would do what the preview told; otherwise the answer is 412.
#[utoipa::path(
    post,
    path = "/api/v1/claims/import",
    tag = "claims",
    params(ImportQuery),
    request_body(description = "The table", content_type = "text/csv"),
    responses((status = 200, description = "It is imported", body = ImportView), Problem),
    security(("token" = ["operate"]))
)]
pub(super) async fn import_claims(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(q): QueryArgs<ImportQuery>,
    body: Body,
) -> Result<Json<ImportView>, Problem> {
    let defaults = defaults(q.site, q.profile, q.tags.as_deref(), q.own_credential);
    let (expected, skip) = (q.expected.as_deref(), q.skip_wrong.unwrap_or_default());
    let bytes = bytes(body).await?;
    let imported = service::import(&app, &ctx, bytes, defaults, expected, skip).await?;
    Ok(Json(ImportView { counts: LineCounts::of(&imported.counts) }))
}

/// Which claims are exported.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Only those that are `open`, `taken`, or `refused`.
    state: Option<String>,
    /// Only those for this site and those in it.
    site: Option<String>,
    /// How serial number, MAC address or the customer's number begin.
    q: Option<String>,
}

/// Export claims as CSV
///
/// In the form that an import takes; secrets are masked, and an import leaves those as they are.
#[utoipa::path(
    get,
    path = "/api/v1/claims/export",
    tag = "claims",
    params(ExportQuery),
    responses(
        (status = 200, description = "The claims", body = String, content_type = "text/csv"),
        Problem
    ),
    security(("token" = ["read"]))
)]
pub(super) async fn export_claims(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<ExportQuery>,
) -> Result<Response, Problem> {
    let filter = Filter { state: query.state, site: query.site, text: query.q, mac: None };
    let pages = export::csv(app, ctx, filter).await?;
    let fields = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"claims.csv\""),
    ];
    Ok((fields, Body::from_stream(pages)).into_response())
}
