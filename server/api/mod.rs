//! The REST API: everything below `/api/v1`, and its description at `/api/openapi.json`.
//!
//! Owns HTTP: one file per resource with its handlers and views, [`problem`] for every failed
//! answer, [`auth`] for who asks. It holds no SQL and no rules of devices or jobs, and never shows a
//! stored row as it is: each view names its fields, so that a new column is not published by
//! accident.

mod accept_rules;
mod account;
mod artifacts;
mod audit;
pub mod auth;
mod backups;
mod bench;
mod bulk;
mod claims;
mod completion;
mod desired;
mod device_artifacts;
mod device_view;
mod devices;
mod docs;
mod etag;
mod events;
mod export;
mod extract;
mod figures;
mod gate;
mod groups;
mod inspect;
mod job_again;
mod job_request;
mod job_view;
mod jobs;
mod merge;
mod ndjson;
mod nodes;
mod own;
mod packages;
mod page;
mod parameters;
mod placement;
pub mod problem;
mod profiles;
mod releases;
mod reveal;
mod roles;
mod rollouts;
mod sites;
mod stranded;
mod stream;
mod support;
mod sweeps;
mod system;
mod templates;
mod tokens;
mod transcripts;
mod users;
mod views;
mod webhooks;
mod windows;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use utoipa::OpenApi;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, RefOr, Required};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ctx::Shared;
use gate::Rates;
use problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "Devices, where they stand, their parameters and events, the jobs on them, and files."
    ),
    components(schemas(Problem)),
    tags(
        (name = "profiles", description = "What devices are to be, and of which devices."),
        (name = "webhooks", description = "Who is told what happens."),
        (name = "templates", description = "RouterOS scripts with variables."),
        (name = "bench", description = "Where factory-fresh boards are served, and what each got."),
        (name = "claims", description = "Devices that are expected, and who is let in."),
        (name = "desired", description = "What is wanted of single devices, and drift."),
        (name = "devices", description = "What is in the inventory, and what is known of it."),
        (name = "sites", description = "Where devices stand: a tree of places."),
        (name = "groups", description = "Named sets of devices, by list or by selector."),
        (name = "jobs", description = "Work on devices."),
        (name = "artifacts", description = "Files for devices."),
        (name = "releases", description = "Versions of RouterOS, with their packages."),
        (name = "users", description = "People, their grants and sessions."),
        (name = "roles", description = "Sets of rights."),
        (name = "tokens", description = "Programs that may use this API."),
        (name = "account", description = "One's own: password, second factor, sessions, preferences, tokens."),
        (name = "audit", description = "Who changed what."),
        (name = "backups", description = "Configurations that devices sent, and what differs."),
        (name = "support", description = "What an agent sees of a customer's device, and does."),
        (name = "rollouts", description = "Changes of many devices, in waves."),
        (name = "views", description = "Selectors that people keep."),
        (name = "system", description = "The installation.")
    )
)]
struct ApiDoc;

/// The routes, to be merged into the root of the listener's router. Its state is the process.
pub fn router(app: &Shared) -> Router<Shared> {
    let (router, description) = described();
    let rates = Arc::new(Rates::new(app.config.web.api_requests_per_minute));
    let router = router.layer(from_fn_with_state((app.clone(), rates), gate::pass));
    with_description(router, &description)
}

fn with_description(
    router: Router<Shared>,
    description: &utoipa::openapi::OpenApi,
) -> Router<Shared> {
    let text = Bytes::from(description.to_json().expect("the description is plain data"));
    let describe = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    router
        .route("/api/openapi.json", get(describe))
        .merge(docs::router())
        .method_not_allowed_fallback(problem::wrong_method)
        // A route and no fallback: the dashboard, on the same listener, has its own.
        .route("/api/{*rest}", any(problem::unknown_route))
}

fn described() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let (router, mut description) = OpenApiRouter::<Shared>::with_openapi(ApiDoc::openapi())
        .routes(routes!(devices::list_devices))
        .routes(routes!(devices::count_devices))
        .routes(routes!(stranded::list_stranded))
        .routes(routes!(devices::get_device, placement::change_device, devices::delete_device))
        .routes(routes!(devices::allow_enrolment))
        .routes(routes!(devices::wake_device))
        .routes(routes!(parameters::list_parameters))
        .routes(routes!(events::list_events))
        .routes(routes!(device_artifacts::list_device_artifacts))
        .routes(routes!(device_artifacts::get_device_artifact_content))
        .routes(routes!(sites::list_sites, sites::create_site))
        .routes(routes!(sites::get_site, sites::change_site, sites::delete_site))
        .routes(routes!(windows::get_site_windows))
        .routes(routes!(groups::list_groups, groups::create_group))
        .routes(routes!(groups::get_group, groups::change_group, groups::delete_group))
        .routes(routes!(groups::list_group_devices))
        .routes(routes!(groups::add_group_device, groups::remove_group_device))
        .routes(routes!(bulk::create_bulk_job))
        .routes(routes!(bulk::change_devices))
        .routes(routes!(inspect::list_device_packages))
        .routes(routes!(inspect::inspect_device))
        .routes(routes!(inspect::inspect_devices))
        .routes(routes!(jobs::create_job))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(job_again::order_job_again))
        .routes(routes!(job_again::list_job_events))
        .routes(routes!(artifacts::list_artifacts, artifacts::create_artifact))
        .routes(routes!(artifacts::get_artifact, artifacts::delete_artifact))
        .routes(routes!(artifacts::get_artifact_content))
        .routes(routes!(releases::list_releases, releases::create_release))
        .routes(routes!(releases::get_release, releases::change_release, releases::delete_release))
        .routes(routes!(packages::upload_packages))
        .routes(routes!(packages::get_package, packages::delete_package))
        .routes(routes!(releases::get_upgrade_path))
        .routes(routes!(tokens::list_tokens, tokens::create_api_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(views::list_views, views::create_view))
        .routes(routes!(views::get_view, views::change_view, views::delete_view))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(users::get_user, users::change_user, users::delete_user))
        .routes(routes!(users::set_user_password))
        .routes(routes!(users::remove_user_totp))
        .routes(routes!(users::list_user_sessions))
        .routes(routes!(users::end_user_session))
        .routes(routes!(roles::list_roles, roles::create_role))
        .routes(routes!(roles::get_role, roles::change_role, roles::delete_role))
        .routes(routes!(audit::list_audit))
        .routes(routes!(account::get_me))
        .routes(routes!(own::get_account))
        .routes(routes!(own::change_own_password))
        .routes(routes!(own::offer_totp))
        .routes(routes!(own::confirm_totp))
        .routes(routes!(own::remove_own_totp))
        .routes(routes!(own::list_own_sessions))
        .routes(routes!(own::end_own_session))
        .routes(routes!(own::get_preferences, own::change_preferences))
        .routes(routes!(own::list_own_tokens, own::create_own_token))
        .routes(routes!(own::revoke_own_token))
        .routes(routes!(reveal::reveal_secret))
        .routes(routes!(transcripts::list_device_sessions))
        .routes(routes!(transcripts::get_device_session))
        .routes(routes!(stream::follow_events))
        .routes(routes!(support::get_support))
        .routes(routes!(support::set_support_wifi))
        .routes(routes!(support::reveal_support_wifi))
        .routes(routes!(support::reboot_by_support))
        .routes(routes!(support::ping_by_support))
        .routes(routes!(support::look_by_support))
        .routes(routes!(completion::complete_selector))
        .routes(routes!(system::get_system))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(figures::get_figures))
        .merge(rollouts::router())
        .merge(backups::router())
        .merge(profiles::router())
        .merge(desired::router())
        .merge(sweeps::router())
        .merge(claims::router())
        .merge(bench::router())
        .routes(routes!(accept_rules::list_accept_rules, accept_rules::create_accept_rule))
        .routes(routes!(
            accept_rules::get_accept_rule,
            accept_rules::change_accept_rule,
            accept_rules::delete_accept_rule
        ))
        .merge(templates::router())
        .routes(routes!(webhooks::list_webhooks, webhooks::create_webhook))
        .routes(routes!(webhooks::get_webhook, webhooks::change_webhook, webhooks::delete_webhook))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::try_webhook))
        .routes(routes!(webhooks::try_deliveries_again))
        .routes(routes!(webhooks::try_delivery_again))
        .split_for_parts();
    let components = description.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("mst_<id>_<secret>")
        .description(Some("A token made by `muster token create`, or one's own. Its scopes are rights: support, read, operate, approve, bench, secrets, audit, admin."));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    for item in description.paths.paths.values_mut() {
        if let Some(post) = &mut item.post {
            post.parameters.get_or_insert_default().push(idempotency_key());
        }
    }
    // They stand in an allOf beside other fields, which they must not forbid there.
    for name in ["DownloadSpec", "Arming", "BenchInstall"] {
        if let Some(RefOr::T(Schema::Object(part))) = components.schemas.get_mut(name) {
            part.additional_properties = None;
        }
    }
    (router, description)
}

/// Every POST takes it: see [`gate`].
fn idempotency_key() -> RefOr<Parameter> {
    let text =
        ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(200));
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Sent again within a day with the same request, gives the first answer"))
        .schema(Some(text.build()));
    RefOr::T(key.build())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|v| references(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }

    #[test]
    fn the_routes_do_not_collide() {
        let (router, description) = described();
        let _: Router<Shared> = with_description(router, &description);
    }

    #[test]
    fn the_description_is_whole() {
        let description = serde_json::to_value(described().1).unwrap();
        assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut all = Vec::new();
        references(&description, &mut all);
        assert!(!all.is_empty());
        for reference in all {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let mut ids = HashSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            assert!(path.starts_with("/api/v1/"), "{path}");
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} twice");
                assert!(operation["summary"].is_string(), "{id} has no summary");
                assert!(operation["responses"]["default"].is_object(), "{id} has no problem");
                assert!(operation["security"][0]["token"].is_array(), "{id} is open");
            }
        }
    }
}
