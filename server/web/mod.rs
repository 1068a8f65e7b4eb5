//! The dashboard: server-rendered pages for operators, on the loopback listener.
//!
//! Owns view models, templates and static files; everything is embedded, so it works with no
//! Internet. It must never hold SQL or rules, change anything, or show a secret: there are no
//! accounts yet, so all it does is look.
//!
//! - `devices`: the device list, live. `device`: one device.
//! - `views`: the templates. `format`: times and sizes in words. `assets`: static files.
//! - `guard`: who may ask, and what browsers are told. `failure`: errors as pages.

mod assets;
mod device;
mod devices;
mod failure;
mod format;
mod guard;
mod views;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;

use crate::ctx::Shared;

/// All pages and their assets, with a page for what is not there.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(devices::page))
        .route("/fragments/devices", get(devices::table_fragment))
        .route("/fragments/counts", get(devices::counts_fragment))
        .route("/devices/{id}", get(device::page))
        .route("/static/{*path}", get(assets::asset))
        .fallback(failure::not_found)
        .method_not_allowed_fallback(failure::method_not_allowed)
        .layer(from_fn(guard::guard))
}
