//! The bench: factory-fresh boards as they come, what each is given, and arming.
//!
//! Owns that whoever arms reads what is not verified before, and that each refusal is told in words.
//! Never shows a secret: scripts come masked.
//!
//! - `list`: the benches and their boards. `arm`: arming one. `board`: the page of a board, and what is
//!   said of it. `batch`: what became of the boards of claims. `labels`: those of a batch, to be
//!   printed. `allowed`, `images`, `profiles`: what goes with it. `words`: states and reasons as people
//!   read them. `live`: that something changed.

mod allowed;
mod arm;
mod batch;
mod board;
mod images;
mod labels;
mod list;
mod live;
mod profiles;
mod words;

use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::{get, post};
use serde::Serialize;

use super::manage::{self, said};
use super::viewer::Viewer;
use super::{Access, Routes};
use crate::access::right::Right;

/// Where the benches and their boards are.
const HOME: &str = "/bench";
/// What became of claims.
const BATCH: &str = "/bench/batch";
/// The same, to be printed.
const LABELS: &str = "/bench/labels";
/// Boards that are served without a claim.
const ALLOWED: &str = "/bench/allowed";
/// What boards run that are installed.
const IMAGES: &str = "/bench/images";
/// How boards are served.
const PROFILES: &str = "/bench/profiles";
/// Rows on a page.
const PAGE: usize = 100;

/// The routes of the bench.
pub(super) fn routes(routes: Routes) -> Routes {
    beside(boards(benches(routes)))
}

fn benches(routes: Routes) -> Routes {
    let (read, bench) = (Access::Needs(Right::Read), Access::Needs(Right::Bench));
    routes
        .on(read, Method::GET, HOME, get(list::page))
        .on(read, Method::GET, "/bench/live", get(live::follow))
        .on(bench, Method::GET, "/bench/{id}/arm", get(arm::page))
        .on(bench, Method::POST, "/bench/{id}/arm", post(arm::arm))
        .on(bench, Method::POST, "/bench/{id}/disarm", post(arm::disarm))
        .on(read, Method::GET, BATCH, get(batch::page))
        .on(read, Method::GET, "/bench/batch.csv", get(batch::csv))
        .on(read, Method::GET, LABELS, get(labels::page))
}

fn boards(routes: Routes) -> Routes {
    let (read, bench) = (Access::Needs(Right::Read), Access::Needs(Right::Bench));
    routes
        .on(read, Method::GET, "/bench/boards/{mac}", get(board::page))
        .on(bench, Method::POST, "/bench/boards/{mac}/rearm", post(board::rearm))
        .on(bench, Method::POST, "/bench/boards/{mac}/forget", post(board::forget))
        .on(bench, Method::POST, "/bench/boards/{mac}/install", post(board::installation::install))
        .on(
            bench,
            Method::POST,
            "/bench/boards/{mac}/install/cancel",
            post(board::installation::cancel),
        )
}

fn beside(routes: Routes) -> Routes {
    let (read, bench) = (Access::Needs(Right::Read), Access::Needs(Right::Bench));
    let upload = post(images::store).layer(DefaultBodyLimit::max(images::MAX_BODY));
    routes
        .on(read, Method::GET, ALLOWED, get(allowed::page))
        .on(bench, Method::POST, ALLOWED, post(allowed::create))
        .on(bench, Method::POST, "/bench/allowed/{id}/delete", post(allowed::delete))
        .on(read, Method::GET, IMAGES, get(images::page))
        .on(bench, Method::POST, IMAGES, upload)
        .on(bench, Method::POST, "/bench/images/{arch}/delete", post(images::delete))
        .on(read, Method::GET, PROFILES, get(profiles::page))
        .on(bench, Method::POST, PROFILES, post(profiles::create))
        .on(bench, Method::GET, "/bench/profiles/new", get(profiles::new))
        .on(read, Method::GET, "/bench/profiles/{name}", get(profiles::one))
        .on(bench, Method::POST, "/bench/profiles/{name}", post(profiles::change))
        .on(bench, Method::POST, "/bench/profiles/{name}/delete", post(profiles::delete))
}

/// The page of a board.
fn board_path(mac: &str) -> String {
    format!("{HOME}/boards/{mac}")
}

/// The page of a profile, whose name has nothing that an address could not.
fn profile_path(name: &str) -> String {
    format!("{PROFILES}/{name}")
}

/// A part of the section.
#[derive(Debug, Serialize)]
struct Tab {
    label: &'static str,
    href: &'static str,
    current: bool,
    /// How many there are: nobody counts them.
    count: Option<String>,
}

/// The parts of the section.
fn tabs(current: &str) -> Vec<Tab> {
    let tab = |label, href| Tab { label, href, current: href == current, count: None };
    vec![
        tab("Boards", HOME),
        tab("Batch", BATCH),
        tab("Labels", LABELS),
        tab("Allowed", ALLOWED),
        tab("Boot images", IMAGES),
        tab("Profiles", PROFILES),
    ]
}

/// For `form.select`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Choice {
    value: String,
    label: String,
}

fn choice(value: impl Into<String>, label: impl Into<String>) -> Choice {
    Choice { value: value.into(), label: label.into() }
}

/// Whether somebody may do what belongs to no site.
fn may_change(viewer: &Viewer) -> bool {
    manage::everywhere(viewer, Right::Bench)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(super::views::View, serde_json::Value)> {
    let mut all = list::samples();
    all.extend(arm::samples());
    all.extend(board::samples());
    all.extend(batch::samples());
    all.extend(labels::samples());
    all.extend(allowed::samples());
    all.extend(images::samples());
    all.extend(profiles::samples());
    all
}

#[cfg(test)]
mod tests;
