//! The REST API: everything below `/api/v1`, and its description at `/api/openapi.json`.
//!
//! Owns HTTP: one file per resource with its handlers and views, [`problem`] for every failed
//! answer, [`auth`] for who asks. It holds no SQL and no rules of devices or jobs, and never shows a
//! stored row as it is: each view names its fields, so that a new column is not published by
//! accident.

mod artifacts;
pub mod auth;
mod bulk;
mod device_artifacts;
mod device_view;
mod devices;
mod etag;
mod events;
mod extract;
mod groups;
mod guard;
mod job_request;
mod job_view;
mod jobs;
mod merge;
mod page;
mod parameters;
mod placement;
pub mod problem;
mod sites;
mod system;
mod tokens;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header;
use axum::routing::{any, get};
use axum::{Extension, Router};
use utoipa::OpenApi;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, RefOr};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ctx::Shared;
use guard::Guard;
use problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "Devices, where they stand, their parameters and events, the jobs on them, and files."
    ),
    components(schemas(Problem)),
    tags(
        (name = "devices", description = "What is in the inventory, and what is known of it."),
        (name = "sites", description = "Where devices stand: a tree of places."),
        (name = "groups", description = "Named sets of devices, by list or by selector."),
        (name = "jobs", description = "Work on devices."),
        (name = "artifacts", description = "Files for devices."),
        (name = "tokens", description = "Who may use this API."),
        (name = "system", description = "The installation.")
    )
)]
struct ApiDoc;

/// The routes, to be merged into the root of the listener's router. Its state is the process.
pub fn router() -> Router<Shared> {
    let (router, description) = described();
    let text = Bytes::from(description.to_json().expect("the description is plain data"));
    let describe = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    router
        .route("/api/openapi.json", get(describe))
        .method_not_allowed_fallback(problem::wrong_method)
        // A route and no fallback: the dashboard, on the same listener, has its own.
        .route("/api/{*rest}", any(problem::unknown_route))
        .layer(Extension(Arc::new(Guard::default())))
}

fn described() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let (router, mut description) = OpenApiRouter::<Shared>::with_openapi(ApiDoc::openapi())
        .routes(routes!(devices::list_devices))
        .routes(routes!(devices::count_devices))
        .routes(routes!(devices::get_device, placement::change_device, devices::delete_device))
        .routes(routes!(devices::allow_enrolment))
        .routes(routes!(devices::wake_device))
        .routes(routes!(parameters::list_parameters))
        .routes(routes!(events::list_events))
        .routes(routes!(device_artifacts::list_device_artifacts))
        .routes(routes!(device_artifacts::get_device_artifact_content))
        .routes(routes!(sites::list_sites, sites::create_site))
        .routes(routes!(sites::get_site, sites::change_site, sites::delete_site))
        .routes(routes!(groups::list_groups, groups::create_group))
        .routes(routes!(groups::get_group, groups::change_group, groups::delete_group))
        .routes(routes!(groups::list_group_devices))
        .routes(routes!(groups::add_group_device, groups::remove_group_device))
        .routes(routes!(bulk::create_bulk_job))
        .routes(routes!(jobs::create_job))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(artifacts::list_artifacts, artifacts::create_artifact))
        .routes(routes!(artifacts::get_artifact, artifacts::delete_artifact))
        .routes(routes!(artifacts::get_artifact_content))
        .routes(routes!(tokens::list_tokens, tokens::create_api_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(system::get_system))
        .split_for_parts();
    let components = description.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("mst_<id>_<secret>")
        .description(Some("A token made by `muster token create`. Scopes: read, operate, admin."));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    // It stands in an allOf beside the job's other fields, which it must not forbid there.
    if let Some(RefOr::T(Schema::Object(download))) = components.schemas.get_mut("DownloadSpec") {
        download.additional_properties = None;
    }
    (router, description)
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
        let _: Router<Shared> = router();
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
                assert!(operation["security"][0]["token"][0].is_string(), "{id} is open");
            }
        }
    }
}
