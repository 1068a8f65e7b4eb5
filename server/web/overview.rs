//! The overview: the fleet in a few figures, each a link into the list that it counts.
//!
//! To count a million devices takes a second. So the page is there at once with places for its
//! parts, which are asked for when it is shown, every half minute, and when something happens;
//! `cache` counts once for all who look, `view` makes words and pictures of the figures, `history`
//! lines. What a figure counts is for `service::overview` to say.

mod cache;
mod history;
mod view;

use std::sync::LazyLock;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Html;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use self::view::{FiguresPart, ProblemItem, SharesPart};
use super::failure::Failure;
use super::shell::{Section, Shell};
use super::viewer::Viewer;
use super::views::{self, View};
use crate::access::right::Right;
use crate::ctx::{App, Ctx, Shared};
use crate::error::Error;
use crate::service::overview::{self as service, Figures, Shares};
use crate::store::overview::Problem;
use crate::store::samples::Sample;

pub(super) use cache::Cache;

/// How far back the lines go; also what "new" and "faulted" mean.
const DAY: TimeDelta = TimeDelta::days(1);

/// What was counted, and when.
struct Pulse {
    at: DateTime<Utc>,
    figures: Figures,
    history: Vec<Sample>,
}

/// What devices have.
struct Having {
    models: Shares,
    versions: Shares,
}

static PULSE: LazyLock<Cache<Pulse>> = LazyLock::new(Cache::default);
static HAVING: LazyLock<Cache<Having>> = LazyLock::new(Cache::default);
static PROBLEMS: LazyLock<Cache<Vec<Problem>>> = LazyLock::new(Cache::default);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OverviewQuery {
    /// All parts with the page: for a browser without script, which would not ask for them.
    whole: Option<String>,
}

/// Without its parts, or with them.
#[derive(Serialize)]
struct OverviewPage {
    shell: Shell,
    figures: Option<FiguresPart>,
    shares: Option<SharesPart>,
    problems: Option<Vec<ProblemItem>>,
}

#[derive(Serialize)]
struct FiguresFragment {
    figures: FiguresPart,
}

#[derive(Serialize)]
struct SharesFragment {
    shares: SharesPart,
}

#[derive(Serialize)]
struct ProblemsFragment {
    problems: Vec<ProblemItem>,
}

/// `GET /`
pub(super) async fn page(
    viewer: Viewer,
    State(app): State<Shared>,
    query: Result<Query<OverviewQuery>, QueryRejection>,
) -> Result<Html<String>, Failure> {
    let Query(query) = query.map_err(|e| Error::invalid("", e.body_text()))?;
    let ctx = viewer.ctx();
    let mut page = OverviewPage {
        shell: Shell::new(&viewer, &app.config, "Overview", Section::Overview),
        figures: None,
        shares: None,
        problems: None,
    };
    if query.whole.is_some() {
        page.figures = Some(figures_part(&app, ctx).await?);
        page.shares = Some(shares_part(&app, ctx).await?);
        page.problems = Some(problems_part(&app, ctx).await?);
    }
    Ok(views::render(View::Overview, &page)?)
}

/// `GET /overview/figures`
pub(super) async fn figures(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Html<String>, Failure> {
    let figures = figures_part(&app, viewer.ctx()).await?;
    Ok(views::render(View::OverviewFigures, &FiguresFragment { figures })?)
}

/// `GET /overview/shares`
pub(super) async fn shares(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Html<String>, Failure> {
    let shares = shares_part(&app, viewer.ctx()).await?;
    Ok(views::render(View::OverviewShares, &SharesFragment { shares })?)
}

/// `GET /overview/problems`
pub(super) async fn problems(
    viewer: Viewer,
    State(app): State<Shared>,
) -> Result<Html<String>, Failure> {
    let problems = problems_part(&app, viewer.ctx()).await?;
    Ok(views::render(View::OverviewProblems, &ProblemsFragment { problems })?)
}

async fn figures_part(app: &App, ctx: &Ctx) -> Result<FiguresPart, Error> {
    // The right is asked for here too, as what is kept is given without a call.
    let place = ctx.require(Right::Read)?.within();
    let everywhere = place.is_none();
    let pulse = PULSE.get(place, pulse(app, ctx)).await?;
    Ok(view::figures(&pulse, &app.config, everywhere, ctx.now))
}

async fn pulse(app: &App, ctx: &Ctx) -> Result<Pulse, Error> {
    let history = service::history(app, ctx, ctx.now - DAY).await?;
    Ok(Pulse { at: ctx.now, figures: service::figures(app, ctx).await?, history })
}

async fn shares_part(app: &App, ctx: &Ctx) -> Result<SharesPart, Error> {
    let place = ctx.require(Right::Read)?.within();
    let having = HAVING.get(place, having(app, ctx)).await?;
    Ok(view::shares(&having))
}

async fn having(app: &App, ctx: &Ctx) -> Result<Having, Error> {
    let (models, versions) =
        tokio::try_join!(service::models(app, ctx), service::versions(app, ctx))?;
    Ok(Having { models, versions })
}

async fn problems_part(app: &App, ctx: &Ctx) -> Result<Vec<ProblemItem>, Error> {
    let place = ctx.require(Right::Read)?.within();
    let newest = PROBLEMS.get(place, service::problems(app, ctx)).await?;
    Ok(newest.iter().map(|problem| view::problem(problem, ctx.now)).collect())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(View, serde_json::Value)> {
    let page = |figures, shares, problems| {
        let page = OverviewPage { shell: Shell::sample(), figures, shares, problems };
        views::sample(View::Overview, &page)
    };
    let mut all = vec![page(None, None, None)];
    for (figures, shares, problems) in view::samples() {
        all.push(views::sample(View::OverviewFigures, &FiguresFragment { figures }));
        all.push(views::sample(View::OverviewShares, &SharesFragment { shares }));
        all.push(views::sample(View::OverviewProblems, &ProblemsFragment { problems }));
    }
    for (figures, shares, problems) in view::samples() {
        all.push(page(Some(figures), Some(shares), Some(problems)));
    }
    all
}
