//! Rollouts: write one, see what it would do, start it, and see what becomes of it.
//!
//! Owns that a page tells the whole story: where it is and why, what its gates saw, who got sick and
//! of what; and that it offers what its viewer may order, and nothing else. What may be ordered when,
//! and by whom, is for `service::rollouts` to say.
//!
//! - `list`: all of them; `now`: those under way, for the overview.
//! - `build`: the builder; `offered`: what can be chosen in it; `form`: what it sends. `dry_run`: what
//!   a rollout would do.
//! - `one`: the page of one; `act`: what is ordered of it. `devices`, `story`: all of both. `report`:
//!   all of it as a file.
//! - `words`, `bars`: rollouts in words and as bars.

mod act;
mod bars;
mod build;
mod devices;
mod dry_run;
mod form;
mod list;
mod now;
mod offered;
mod one;
mod report;
mod story;
mod words;

pub(super) use words::{device_shape, plain};

use axum::http::Method;
use axum::routing::{get, post};
use uuid::Uuid;

use super::{Access, Routes};
use crate::access::right::Right;

/// Where they are listed.
const HOME: &str = "/rollouts";

/// The routes of rollouts.
pub(super) fn routes(routes: Routes) -> Routes {
    orders(pages(routes))
}

fn pages(routes: Routes) -> Routes {
    let (read, operate) = (Access::Needs(Right::Read), Access::Needs(Right::Operate));
    routes
        .on(read, Method::GET, HOME, get(list::page))
        .on(read, Method::GET, "/rollouts/list", get(list::fragment))
        .on(read, Method::GET, "/rollouts/now", get(now::fragment))
        .on(operate, Method::POST, HOME, post(build::create))
        .on(operate, Method::GET, "/rollouts/new", get(build::new))
        .on(operate, Method::GET, "/rollouts/count", get(build::count))
        .on(operate, Method::POST, "/rollouts/dry-run", post(build::try_out))
        .on(read, Method::GET, "/rollouts/{id}", get(one::page))
        .on(read, Method::GET, "/rollouts/{id}/state", get(one::fragment))
        .on(read, Method::GET, "/rollouts/{id}/dry-run", get(dry_run::page))
        .on(read, Method::GET, "/rollouts/{id}/devices", get(devices::page))
        .on(read, Method::GET, "/rollouts/{id}/story", get(story::page))
        .on(read, Method::GET, "/rollouts/{id}/report.csv", get(report::csv))
        .on(read, Method::GET, "/rollouts/{id}/report.json", get(report::json))
        .on(operate, Method::GET, "/rollouts/{id}/edit", get(build::edit))
        .on(operate, Method::POST, "/rollouts/{id}/edit", post(build::change))
}

fn orders(routes: Routes) -> Routes {
    let (operate, approve) = (Access::Needs(Right::Operate), Access::Needs(Right::Approve));
    routes
        .on(operate, Method::POST, "/rollouts/{id}/start", post(act::start))
        .on(approve, Method::POST, "/rollouts/{id}/approve", post(act::approve))
        .on(approve, Method::POST, "/rollouts/{id}/approve-wave", post(act::approve_wave))
        .on(operate, Method::POST, "/rollouts/{id}/pause", post(act::pause))
        .on(operate, Method::POST, "/rollouts/{id}/resume", post(act::resume))
        .on(operate, Method::POST, "/rollouts/{id}/abort", post(act::abort))
        .on(operate, Method::POST, "/rollouts/{id}/roll-back", post(act::roll_back))
        .on(operate, Method::POST, "/rollouts/{id}/retry", post(act::retry))
        .on(operate, Method::POST, "/rollouts/{id}/exclude", post(act::exclude))
        .on(operate, Method::POST, "/rollouts/{id}/delete", post(act::delete))
}

/// The page of a rollout.
pub(super) fn path(rollout_id: Uuid) -> String {
    format!("{HOME}/{rollout_id}")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(super::views::View, serde_json::Value)> {
    [
        build::samples(),
        devices::samples(),
        dry_run::samples(),
        list::samples(),
        now::samples(),
        one::samples(),
        story::samples(),
    ]
    .concat()
}
