//! The nodes that serve.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::page::Page;
use super::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::service::overview;
use crate::store::nodes::Node;

/// A node: a `muster serve`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeView {
    /// Its name, as sessions show it.
    node: String,
    /// Of Muster.
    version: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it was last heard of.
    seen_at: DateTime<Utc>,
    /// Numbers by name, as the node itself tells them.
    #[schema(value_type = Object)]
    status: Value,
}

impl NodeView {
    fn of(n: Node) -> Self {
        Self {
            node: n.node,
            version: n.version,
            started_at: n.started_at,
            seen_at: n.seen_at,
            status: n.status,
        }
    }
}

/// List nodes
///
/// Those that were heard of within the last day, on one page, in order of names.
#[utoipa::path(
    get,
    path = "/api/v1/system/nodes",
    tag = "system",
    responses((status = 200, description = "The nodes", body = Page<NodeView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_nodes(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<NodeView>>, Problem> {
    let nodes = overview::nodes(&app, &ctx).await?;
    Ok(Json(Page { items: nodes.into_iter().map(NodeView::of).collect(), next: None }))
}
