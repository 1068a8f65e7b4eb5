//! Tokens of this API.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{self, Caller, Scope};
use super::extract::{JsonBody, PathArgs};
use super::page::Page;
use super::problem::Problem;
use crate::clock;
use crate::ctx::Shared;
use crate::error::Error;
use crate::store::tokens::{self as store, Token};

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// The part of the token that names it.
    token_id: Uuid,
    /// Stands beside what was done with it.
    name: String,
    /// read, operate, admin.
    scopes: Vec<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends; null = never.
    expires_at: Option<DateTime<Utc>>,
    /// Last use, to the minute.
    last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    revoked_at: Option<DateTime<Utc>>,
}

impl TokenView {
    fn of(t: Token) -> Self {
        Self {
            token_id: t.token_id,
            name: t.name,
            scopes: t.scopes,
            created_at: t.created_at,
            expires_at: t.expires_at,
            last_used_at: t.last_used_at,
            revoked_at: t.revoked_at,
        }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// 1 to 64 characters that say who uses it.
    name: String,
    /// At least one; each implies those before it.
    scopes: Vec<Scope>,
    /// When it ends; never when absent.
    expires_at: Option<DateTime<Utc>>,
}

/// A new token with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedToken {
    /// The token, shown only here and only now.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// A token in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct TokenPath {
    /// Id of the token: its 32 digits after `mst_`.
    token_id: Uuid,
}

/// List tokens
///
/// All of them on one page, newest first, revoked ones too.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    responses((status = 200, description = "The tokens", body = Page<TokenView>), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn list_tokens(
    caller: Caller,
    State(app): State<Shared>,
) -> Result<Json<Page<TokenView>>, Problem> {
    caller.require(Scope::Admin)?;
    let items = store::list(&app.pool).await?.into_iter().map(TokenView::of).collect();
    Ok(Json(Page { items, next: None }))
}

/// Make a token
///
/// Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    request_body = NewToken,
    responses((status = 201, description = "The new token", body = CreatedToken), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn create_api_token(
    caller: Caller,
    State(app): State<Shared>,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    caller.require(Scope::Admin)?;
    let now = clock::now();
    let token = auth::create_token(&app.pool, &new.name, &new.scopes, new.expires_at, now).await?;
    let (token_id, _) = auth::split(&token).expect("a new token has the form of one");
    let (stored, _) = store::get(&app.pool, token_id)
        .await?
        .ok_or_else(|| Error::Internal(format!("the new token {token_id} is not stored")))?;
    tracing::info!(token.id = %token_id, token.name = new.name, by = caller.name, "token made");
    Ok((StatusCode::CREATED, Json(CreatedToken { token, view: TokenView::of(stored) })))
}

/// Revoke a token
///
/// At once, and for good.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{token_id}",
    tag = "tokens",
    params(TokenPath),
    responses((status = 204, description = "It opens nothing any more"), Problem),
    security(("token" = ["admin"]))
)]
pub(super) async fn revoke_token(
    caller: Caller,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TokenPath>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Admin)?;
    if !store::revoke(&app.pool, path.token_id, clock::now()).await? {
        return Err(Error::NotFound(format!("no good token {}", path.token_id)).into());
    }
    tracing::info!(token.id = %path.token_id, by = caller.name, "token revoked");
    Ok(StatusCode::NO_CONTENT)
}
