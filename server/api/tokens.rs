//! Tokens of this API.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{JsonBody, PathArgs};
use super::own::{Secret, secret};
use super::page::Page;
use super::problem::Problem;
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::service::tokens;
use crate::store::tokens::Token;

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// The part of the token that names it.
    token_id: Uuid,
    /// Stands beside what was done with it, where it is a program's.
    name: String,
    /// Id of the user whose it is; null = a program's.
    user_id: Option<Uuid>,
    /// What it may do, of what its user may where it has one: words of rights.
    scopes: Vec<String>,
    /// At which site and below.
    site_id: Option<Uuid>,
    /// Path of that site.
    site: Option<String>,
    /// For the devices of which group; where there is neither a site nor a group: everywhere.
    group_id: Option<Uuid>,
    /// Name of that group.
    group: Option<String>,
    /// Who made it.
    created_by: String,
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
    pub(super) fn of(t: Token) -> Self {
        Self {
            token_id: t.token_id,
            name: t.name,
            user_id: t.user_id,
            scopes: t.scopes,
            site_id: t.site_id,
            site: t.site,
            group_id: t.group_id,
            group: t.group,
            created_by: t.created_by,
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
    /// At least one; `operate` includes `read`, `admin` includes all.
    scopes: Vec<Right>,
    /// At which site and below it may do that.
    site_id: Option<Uuid>,
    /// With the devices of which group it may do that: one without a selector. Everywhere when
    /// neither a site nor a group is named.
    group_id: Option<Uuid>,
    /// When it ends; never when absent.
    expires_at: Option<DateTime<Utc>>,
}

/// A new token with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedToken {
    /// The token, shown only here and only now.
    pub(super) token: String,
    #[serde(flatten)]
    pub(super) view: TokenView,
}

/// A token in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct TokenPath {
    /// Id of the token: its 32 digits after `mst_`.
    pub(super) token_id: Uuid,
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
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<TokenView>>, Problem> {
    let items = tokens::list(&app, &ctx).await?.into_iter().map(TokenView::of).collect();
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
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<(StatusCode, Secret<CreatedToken>), Problem> {
    let new = tokens::NewToken {
        name: new.name,
        scopes: new.scopes,
        site_id: new.site_id,
        group_id: new.group_id,
        expires_at: new.expires_at,
    };
    let (token, made) = tokens::create(&app, &ctx, new).await?;
    Ok((StatusCode::CREATED, secret(CreatedToken { token, view: TokenView::of(made) })))
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
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TokenPath>,
) -> Result<StatusCode, Problem> {
    tokens::revoke(&app, &ctx, path.token_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
