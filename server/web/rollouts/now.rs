//! What is under way, for the overview: nothing where nothing is.

use axum::extract::State;
use axum::response::Html;
use serde::Serialize;

use super::list::{Row, row};
use crate::ctx::Shared;
use crate::rollout::state::State as Stage;
use crate::service::rollouts as service;
use crate::web::failure::Failure;
use crate::web::viewer::Viewer;
use crate::web::views::{View, render};

/// Rollouts of a state that are told.
const MOST: i64 = 5;
/// What somebody should know of, what waits for somebody first.
const STATES: [Stage; 5] =
    [Stage::Paused, Stage::AwaitingApproval, Stage::RollingBack, Stage::Running, Stage::Soaking];

#[derive(Serialize)]
struct NowFragment {
    rows: Vec<Row>,
}

/// `GET /rollouts/now`
pub(super) async fn fragment(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Html<String>, Failure> {
    let ctx = viewer.ctx();
    let mut rows = Vec::new();
    for state in STATES {
        let found = service::list(&app, ctx, Some(state), None, MOST).await?;
        rows.extend(found.iter().map(|rollout| row(rollout, ctx.now)));
    }
    Ok(render(View::RolloutsNow, &NowFragment { rows })?)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    use crate::web::views::sample;

    let row = |state| super::list::sample_row(state, true);
    vec![
        sample(View::RolloutsNow, &NowFragment { rows: STATES.map(row).into() }),
        sample(View::RolloutsNow, &NowFragment { rows: Vec::new() }),
    ]
}
