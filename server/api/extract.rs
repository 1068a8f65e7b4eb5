//! Extractors whose refusals are problems. Their names differ from axum's because the API's
//! description is written out at each handler, not guessed from argument types.

use axum::extract::{FromRequest, FromRequestParts};

use super::problem::Problem;

/// What the path holds.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct PathArgs<T>(pub(super) T);

/// What the query holds.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct QueryArgs<T>(pub(super) T);

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(super) struct JsonBody<T>(pub(super) T);
