//! The description of the API for people: `/api/docs`, with all that it needs in the binary.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::ctx::Shared;

/// The page sets styles by script, and draws its icons from data of its own.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      object-src 'none'";

/// `/api/docs`.
pub(super) fn router() -> Router<Shared> {
    let ui = SwaggerUi::new("/api/docs").config(
        Config::new(["/api/openapi.json"])
            .doc_expansion("none")
            .filter(true)
            .try_it_out_enabled(false)
            .validator_url("none"),
    );
    Router::<Shared>::from(ui).layer(map_response(strict))
}

async fn strict(mut response: Response) -> Response {
    let fields: [(HeaderName, &str); 2] =
        [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
