//! Boards of the bench: list, look at, serve again, install, forget. `view`: what is told of them.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::view::{BoardLogView, BoardView, WholeBoardView};
use super::take;
use crate::api::extract::{JsonBody, PathArgs, QueryArgs};
use crate::api::merge;
use crate::api::page::{Limit, Page};
use crate::api::problem::Problem;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::netboot::arming::Install;
use crate::service::bench::{self as service, Board, BoardFilter, Place};

/// For so long a board may be installed where nobody says it, in minutes.
const INSTALL_MINUTES: u32 = 60;

/// A board in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct BoardPath {
    /// MAC address of the board, written in any way.
    mac: String,
}

/// A page of boards.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BoardPage {
    /// Only those in this state.
    state: Option<String>,
    /// Only those that were seen at this bench last.
    bench: Option<Uuid>,
    /// How MAC address, board identifier, or the path of the site begin.
    q: Option<String>,
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A page of what happened to a board.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BoardLogPage {
    /// Rows on a page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<Uuid>,
}

/// The cursor behind a board.
fn cursor(board: &Board) -> String {
    format!("{}-{}", board.row.seen_at.timestamp_micros(), board.row.mac)
}

/// The place that [`cursor`] wrote down.
fn place_of(cursor: &str) -> Result<Place, Error> {
    let parse = || {
        let (at, mac) = cursor.split_once('-')?;
        Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, mac.to_owned()))
    };
    parse().ok_or_else(|| Error::invalid("", "that is no cursor that this list gave"))
}

/// List boards
///
/// Those that were seen last first: those that come to stand where the caller may read, and those of
/// which nobody knows yet where that is.
#[utoipa::path(
    get,
    path = "/api/v1/bench/boards",
    tag = "bench",
    params(BoardPage),
    responses((status = 200, description = "A page of boards", body = Page<BoardView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_boards(
    ctx: Ctx,
    State(app): State<Shared>,
    QueryArgs(query): QueryArgs<BoardPage>,
) -> Result<Json<Page<BoardView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let after = query.after.as_deref().map(place_of).transpose()?;
    let filter = BoardFilter { state: query.state, bench_id: query.bench, text: query.q };
    let rows = service::boards(&app, &ctx, filter, after, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, cursor, BoardView::of)))
}

/// Get a board
///
/// With the script that it was sent, in which secrets are masked.
#[utoipa::path(
    get,
    path = "/api/v1/bench/boards/{mac}",
    tag = "bench",
    params(BoardPath),
    responses((status = 200, description = "The board", body = WholeBoardView), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn get_board(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BoardPath>,
) -> Result<Json<WholeBoardView>, Problem> {
    Ok(Json(WholeBoardView::of(service::board(&app, &ctx, &path.mac).await?)))
}

/// Forget a board
///
/// Should it come again, it is a new one, and may be served again. What happened to it stays in its log.
#[utoipa::path(
    delete,
    path = "/api/v1/bench/boards/{mac}",
    tag = "bench",
    params(BoardPath),
    responses((status = 204, description = "It is forgotten"), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn forget_board(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BoardPath>,
) -> Result<StatusCode, Problem> {
    service::forget(&app, &ctx, &path.mac).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List what happened to a board
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/v1/bench/boards/{mac}/log",
    tag = "bench",
    params(BoardPath, BoardLogPage),
    responses((status = 200, description = "A page of its log", body = Page<BoardLogView>), Problem),
    security(("token" = ["read"]))
)]
pub(super) async fn list_board_log(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BoardPath>,
    QueryArgs(query): QueryArgs<BoardLogPage>,
) -> Result<Json<Page<BoardLogView>>, Problem> {
    let limit = Limit::new(query.limit)?;
    let rows = service::log(&app, &ctx, &path.mac, query.before, limit.rows()).await?;
    Ok(Json(Page::of(rows, limit, |row| row.log_id.to_string(), BoardLogView::of)))
}

/// Let a board have its delivery again
///
/// A board is served once. Since RouterOS 7.16 each reset makes it ask again: it gets nothing then
/// before somebody says so.
#[utoipa::path(
    post,
    path = "/api/v1/bench/boards/{mac}/rearm",
    tag = "bench",
    params(BoardPath),
    responses((status = 200, description = "The board as it is now", body = WholeBoardView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn rearm_board(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BoardPath>,
) -> Result<Json<WholeBoardView>, Problem> {
    Ok(Json(WholeBoardView::of(service::rearm(&app, &ctx, &path.mac).await?)))
}

/// What a board is to be installed with.
#[derive(Debug, ToSchema)]
struct InstallBoard {
    /// The board's MAC address once more: an installation formats it.
    confirm: String,
    /// For so long it may be installed; 60 when absent.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: Option<u32>,
    #[serde(flatten)]
    install: Install,
}

impl InstallBoard {
    /// Reads a body, as [`super::ArmBench`] does.
    fn parse(mut body: Value) -> Result<Self, Error> {
        let minutes = take(&mut body, "minutes")?;
        let confirm = take(&mut body, "confirm")?.unwrap_or_default();
        Ok(Self { confirm, minutes, install: merge::apply(json!({}), body)? })
    }
}

/// Let a board be installed
///
/// Once, when it comes in Etherboot mode, or is sent there, to a bench that is armed. It is formatted,
/// and gets the main package of a release, the packages that are named, and the template as its default
/// configuration. The boot image that it takes must be stored.
#[utoipa::path(
    post,
    path = "/api/v1/bench/boards/{mac}/install",
    tag = "bench",
    params(BoardPath),
    request_body = InstallBoard,
    responses((status = 200, description = "The board as it is now", body = WholeBoardView), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn install_board(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BoardPath>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<WholeBoardView>, Problem> {
    let InstallBoard { confirm, minutes, install } = InstallBoard::parse(body)?;
    let minutes = minutes.unwrap_or(INSTALL_MINUTES);
    let board = service::install(&app, &ctx, &path.mac, minutes, &confirm, install).await?;
    Ok(Json(WholeBoardView::of(board)))
}

/// Take back that a board may be installed
///
/// An installation that is under way goes on to its end.
#[utoipa::path(
    delete,
    path = "/api/v1/bench/boards/{mac}/install",
    tag = "bench",
    params(BoardPath),
    responses((status = 204, description = "It may not"), Problem),
    security(("token" = ["bench"]))
)]
pub(super) async fn cancel_board_install(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<BoardPath>,
) -> Result<StatusCode, Problem> {
    service::cancel_install(&app, &ctx, &path.mac).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
        let place = place_of("1700000000000001-E4:8D:8C:00:00:01").unwrap();
        assert_eq!(place, (at, "E4:8D:8C:00:00:01".to_owned()));
        for bad in ["", "-", "1", "x-E4:8D:8C:00:00:01"] {
            assert!(place_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_installation_is_said_without_anything_that_nobody_reads() {
        let read = InstallBoard::parse(json!({ "confirm": "x", "release": "7.16.1" })).unwrap();
        assert_eq!((read.minutes, read.confirm.as_str()), (None, "x"));
        assert_eq!(read.install.packages, ["tr069-client"]);
        for body in [json!({ "confirm": "x" }), json!({ "release": "7.16.1", "packge": [] })] {
            assert!(InstallBoard::parse(body.clone()).is_err(), "{body}");
        }
    }
}
