//! What can come next in a selector that somebody writes.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::QueryArgs;
use super::page::Page;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::fleet::selector::{Kind, Suggestion};
use crate::service::completion as service;

/// A selector that is being written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Unfinished {
    /// What stands there so far; nothing when absent.
    #[serde(default)]
    q: String,
    /// Where the cursor stands: so many UTF-16 code units from the beginning, as a browser counts;
    /// at the end when absent.
    cursor: Option<usize>,
}

/// Something that can come next.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SuggestionView {
    /// All that is to stand before the cursor then; what stands behind it stays.
    insert: String,
    /// What is offered, as it is shown.
    label: String,
    /// field, operator, value or keyword.
    #[schema(value_type = String)]
    kind: Kind,
}

impl SuggestionView {
    fn of(s: Suggestion) -> Self {
        Self { insert: s.insert, label: s.label, kind: s.kind }
    }
}

/// Complete a selector
///
/// What can come next at the cursor, on one page, with values of the devices that the caller may see.
#[utoipa::path(
    get,
    path = "/api/v1/selectors/complete",
    tag = "devices",
    params(Unfinished),
    responses((status = 200, description = "What can come next", body = Page<SuggestionView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn complete_selector(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<Unfinished>,
) -> Result<Json<Page<SuggestionView>>, Problem> {
    let cursor = query.cursor.unwrap_or(usize::MAX);
    let found = service::suggest(&app, &ctx, &query.q, cursor).await?;
    let items = found.into_iter().map(SuggestionView::of).collect();
    Ok(Json(Page { items, next: None }))
}
