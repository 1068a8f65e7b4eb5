//! Who asks: the token in a request's header becomes the [`Ctx`] of its calls.
//!
//! Owns the `Authorization` header, and that wrong tokens are held back. What a token may do is for
//! the calls to ask.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::access::throttle::network;
use crate::access::token;
use crate::clock;
use crate::ctx::{Ctx, Shared};
use crate::net::ConnInfo;

/// Refuses a request without a good token; who was asked already (`super::gate`) is not asked again.
impl FromRequestParts<Shared> for Ctx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        match parts.extensions.get::<Ctx>() {
            Some(ctx) => Ok(ctx.clone()),
            None => authenticate(parts, app).await,
        }
    }
}

/// Who comes with the token of this request.
pub(super) async fn authenticate(parts: &mut Parts, app: &Shared) -> Result<Ctx, Problem> {
    let now = clock::now();
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let Some(presented) = header.and_then(bearer) else {
        return Err(Problem::unauthorized("send `Authorization: Bearer <token>`"));
    };
    let refused = || Problem::unauthorized("the token is unknown, expired or revoked");
    let (token_id, secret) = token::split(presented).ok_or_else(refused)?;
    let from = parts
        .extensions
        .get::<ConnInfo>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connection| connection.peer.ip());
    let attempts = &app.attempts.tokens;
    if let Some(seconds) = attempts.blocked(&network(from), &token_id, now) {
        return Err(Problem::too_many("too many wrong tokens from this address", seconds));
    }
    let Some(ctx) = token::resume(app, (token_id, secret), from, now).await? else {
        if attempts.wrong(network(from), &token_id, now) {
            tracing::warn!(address = %from, "too many wrong API tokens, refusing for a while");
        }
        return Err(refused());
    };
    attempts.right(token_id);
    Ok(ctx)
}

/// What follows `Bearer`; the word is compared without case (RFC 9110 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_header_holds_a_token() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEaReR  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
    }
}
