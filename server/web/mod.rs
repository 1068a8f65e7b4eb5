//! The dashboard: server-rendered pages, on the listener of people.
//!
//! Owns view models, templates and static files; everything is embedded, so it works with no
//! Internet. It must never hold SQL or rules, nor call `store`: what is shown and done goes through
//! `service`, with the session of whoever looks.
//!
//! - `viewer`: who looks. `guard`: which requests are heard, and what browsers are told. `cookie`,
//!   `flash`, `form`: what browsers carry and send.
//! - `shell`: the frame of each page. `views`: the templates. `failure`: errors as pages. `format`,
//!   `chart`: times, sizes and numbers as people read them; `days`: as they write them. `assets`:
//!   static files. `live`: hints that something changed. `compress`: answers smaller on the way.
//! - `login`, `oidc`, `password`, `factor`, `account`: getting in, and one's own account.
//! - `overview`, `system`, `jobs`, `files`: the fleet and the installation at a glance, work, and what
//!   devices fetch. `releases`: versions of RouterOS. `rollouts`: changes
//!   brought to many devices. `search`: finding by name. `devices`, `device`:
//!   the list, and one of it.
//! - `claims`: devices that are expected, and those that nobody expects.
//! - `templates`, `profiles`, `sweeps`, `drift`: scripts with variables, what devices are to be, how that
//!   is brought to them, and what differs. `changes`: what changed last night.
//! - `support`: one page for who has a customer on the line.
//! - `users`, `roles`, `tokens`, `webhooks`, `audit`, `sites`, `groups`: keeping people, places and groups in
//!   order; `manage`: what these have in common.
//!
//! The look is in `docs/design-system.md`.

mod account;
mod assets;
mod audit;
mod bench;
mod changes;
mod chart;
mod claims;
mod compress;
mod cookie;
mod days;
mod device;
mod devices;
mod drift;
mod factor;
mod failure;
mod files;
mod flash;
mod form;
mod format;
mod groups;
mod guard;
mod jobs;
mod live;
mod login;
#[cfg(test)]
mod look;
mod manage;
mod oidc;
mod overview;
mod password;
mod profiles;
mod releases;
mod roles;
mod rollouts;
mod search;
mod shell;
mod sites;
mod support;
mod sweeps;
mod system;
mod templates;
mod tokens;
mod users;
mod viewer;
mod views;
mod webhooks;

use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};

pub use compress::compressed;

use crate::access::oidc::CALLBACK;
use crate::access::right::Right;
use crate::ctx::Shared;

/// For whom a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, also who is not logged in.
    Anyone,
    /// Whoever has a session, also one whose password must be changed first.
    Session,
    /// Whoever is logged in.
    Known,
    /// Whoever has this right somewhere.
    Needs(Right),
}

/// A route of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// For whom.
    pub access: Access,
    /// How.
    pub method: Method,
    /// Where, with the parameters of the path in braces.
    pub path: &'static str,
}

/// The routes, each with whom it is for: `viewer` asks for it, and a test walks all of them with
/// every role.
struct Routes {
    router: Router<Shared>,
    list: Vec<Route>,
}

impl Routes {
    fn on(
        mut self,
        access: Access,
        method: Method,
        path: &'static str,
        handler: MethodRouter<Shared>,
    ) -> Self {
        self.router = self.router.route(path, handler.route_layer(Extension(access)));
        self.list.push(Route { access, method, path });
        self
    }
}

fn build() -> Routes {
    let routes = Routes { router: Router::new(), list: Vec::new() };
    pages(own(open(routes)))
}

/// What is there without a session.
fn open(routes: Routes) -> Routes {
    let anyone = Access::Anyone;
    routes
        .on(anyone, Method::GET, "/static/{*path}", get(assets::asset))
        .on(anyone, Method::GET, "/manifest.webmanifest", get(assets::manifest))
        .on(anyone, Method::GET, "/sw.js", get(assets::service_worker))
        .on(anyone, Method::GET, "/offline", get(assets::offline))
        .on(anyone, Method::GET, "/login", get(login::page))
        .on(anyone, Method::POST, "/login", post(login::password))
        .on(anyone, Method::POST, "/login/code", post(login::code))
        .on(anyone, Method::GET, "/login/oidc", get(oidc::start))
        .on(anyone, Method::GET, CALLBACK, get(oidc::callback))
}

/// One's own.
fn own(routes: Routes) -> Routes {
    let known = Access::Known;
    routes
        .on(Access::Session, Method::POST, "/logout", post(login::logout))
        .on(Access::Session, Method::GET, viewer::PASSWORD, get(password::page))
        .on(Access::Session, Method::POST, viewer::PASSWORD, post(password::change))
        .on(known, Method::GET, "/account", get(account::page))
        .on(known, Method::POST, "/account/preferences", post(account::set_preferences))
        .on(known, Method::POST, "/account/sessions/{id}/revoke", post(account::revoke))
        .on(known, Method::POST, "/account/totp", post(factor::offer))
        .on(known, Method::POST, "/account/totp/confirm", post(factor::confirm))
        .on(known, Method::POST, "/account/totp/remove", post(factor::remove))
        .on(known, Method::POST, "/account/tokens", post(account::tokens::create))
        .on(known, Method::GET, "/account/tokens/new", get(account::tokens::new))
        .on(known, Method::POST, "/account/tokens/{id}/revoke", post(account::tokens::revoke))
        .on(known, Method::GET, "/search", get(search::page))
        .on(known, Method::GET, "/search.json", get(search::json))
}

/// The sections.
fn pages(routes: Routes) -> Routes {
    let read = Access::Needs(Right::Read);
    let operate = Access::Needs(Right::Operate);
    let routes = routes
        .on(read, Method::GET, "/", get(overview::page))
        .on(Access::Known, Method::GET, "/live", get(live::follow))
        .on(read, Method::GET, "/overview/figures", get(overview::figures))
        .on(read, Method::GET, "/overview/shares", get(overview::shares))
        .on(read, Method::GET, "/overview/problems", get(overview::problems))
        .on(read, Method::GET, "/system", get(system::page))
        .on(read, Method::GET, "/system/state", get(system::fragment))
        .on(read, Method::GET, "/jobs", get(jobs::page))
        .on(read, Method::GET, "/jobs/list", get(jobs::fragment))
        .on(read, Method::GET, "/jobs/{id}", get(jobs::job::page))
        .on(read, Method::GET, "/jobs/{id}/state", get(jobs::job::fragment))
        .on(operate, Method::POST, "/jobs/{id}/cancel", post(jobs::cancel))
        .on(operate, Method::POST, "/jobs/{id}/again", post(jobs::again))
        .on(read, Method::GET, "/files", get(files::page))
        // The store stops at acs.max_artifact_bytes by itself, while it reads.
        .on(operate, Method::POST, "/files", post(files::upload).layer(DefaultBodyLimit::disable()))
        .on(read, Method::GET, "/files/{id}", get(files::file))
        .on(read, Method::GET, "/files/{id}/content", get(files::content))
        .on(operate, Method::POST, "/files/{id}/delete", post(files::delete));
    let sections = [
        device::routes,
        devices::routes,
        support::routes,
        sites::routes,
        groups::routes,
        claims::routes,
        bench::routes,
        templates::routes,
        profiles::routes,
        sweeps::routes,
        drift::routes,
        releases::routes,
        rollouts::routes,
        users::routes,
        roles::routes,
        tokens::routes,
        webhooks::routes,
        changes::routes,
        audit::routes,
    ];
    sections.into_iter().fold(routes, |routes, section| section(routes))
}

/// All pages and their assets, with a page for what is not there.
pub fn router(app: &Shared) -> Router<Shared> {
    let names = guard::Names::of(&app.config);
    build()
        .router
        .fallback(failure::not_found)
        .method_not_allowed_fallback(failure::method_not_allowed)
        .layer(from_fn_with_state(app.clone(), failure::dress))
        .layer(from_fn_with_state(app.clone(), flash::carry))
        .layer(from_fn_with_state(names, guard::guard))
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    build().list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_routes_are_the_same_and_only_a_few_are_open() {
        let routes = routes();
        for (i, route) in routes.iter().enumerate() {
            let same = |other: &&Route| other.path == route.path && other.method == route.method;
            assert_eq!(routes.iter().filter(same).count(), 1, "{i}: {route:?}");
        }
        for route in routes.iter().filter(|route| route.access == Access::Anyone) {
            let open = ["/login", "/static/", "/manifest.webmanifest", "/sw.js", "/offline"];
            assert!(open.iter().any(|path| route.path.starts_with(path)), "{route:?}");
        }
    }
}
