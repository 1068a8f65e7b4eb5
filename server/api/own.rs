//! One's own account: password, second factor, sessions, preferences, and tokens of one's own.
//!
//! For people, who come with a token of theirs; a program's token is answered with 409.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{JsonBody, PathArgs};
use super::merge;
use super::page::Page;
use super::problem::Problem;
use super::tokens::{CreatedToken, TokenPath, TokenView};
use super::users::SessionView;
use crate::access::right::Right;
use crate::ctx::{Ctx, Shared};
use crate::error::Error;
use crate::service::account::{self as service, NewOwnToken, TotpOffer};
use crate::store::users::User;

/// An answer with a secret, which nobody on the way may keep.
pub(super) type Secret<V> = ([(HeaderName, &'static str); 1], Json<V>);

pub(super) fn secret<V>(view: V) -> Secret<V> {
    ([(header::CACHE_CONTROL, "no-store")], Json(view))
}

/// One's own account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountView {
    /// Which user.
    user_id: Uuid,
    /// What one logs in as.
    login: String,
    /// For people; may be empty.
    display_name: String,
    /// Whether one may log in by a password.
    has_password: bool,
    /// Whether a second factor is asked for.
    has_totp: bool,
    /// The single sign-on that knows one.
    oidc_issuer: Option<String>,
    /// Last log-in.
    last_login_at: Option<DateTime<Utc>>,
    /// When the account was made.
    created_at: DateTime<Utc>,
}

impl AccountView {
    fn of(user: User) -> Self {
        Self {
            user_id: user.user_id,
            login: user.login,
            display_name: user.display_name,
            has_password: user.has_password,
            has_totp: user.has_totp,
            oidc_issuer: user.oidc_issuer,
            last_login_at: user.last_login_at,
            created_at: user.created_at,
        }
    }
}

/// Another password. It has no `Debug`: it is never printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedPassword {
    /// The present one.
    old_password: String,
    /// 12 to 256 characters, not the login, and none of the first that anybody tries.
    password: String,
}

/// One's password. It has no `Debug`: it is never printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    /// The present one.
    password: String,
}

/// A second factor that is offered. It has no `Debug`: it is never printed.
#[derive(Serialize, ToSchema)]
pub(super) struct TotpView {
    /// The secret as base 32, to be typed in.
    secret: String,
    /// The secret as an `otpauth://` URL.
    url: String,
    /// What is sent back with the code, within a quarter of an hour.
    offer: String,
}

impl TotpView {
    fn of(offer: TotpOffer) -> Self {
        Self { secret: offer.secret, url: offer.url, offer: offer.sealed }
    }
}

/// What takes an offered second factor. It has no `Debug`: it is never printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TotpTaken {
    /// As it was offered.
    offer: String,
    /// One's password.
    password: String,
    /// What the app shows now.
    code: String,
}

/// How one wants the dashboard to be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreferencesView {
    /// `auto`, `light` or `dark`; null = as the system does.
    theme: Option<String>,
    /// IANA name, such as `Europe/Riga`; null = that of each browser.
    time_zone: Option<String>,
}

impl PreferencesView {
    fn of(stored: &Value) -> Self {
        let text = |name: &str| stored[name].as_str().map(str::to_owned);
        Self { theme: text("theme"), time_zone: text("time_zone") }
    }
}

/// A token of one's own to be made. It has no `Debug`: it is never printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnToken {
    /// 1 to 64 characters that say what it is for.
    name: String,
    /// At least one; what one may not do oneself, the token may not either.
    scopes: Vec<Right>,
    /// When it ends; never when absent, which takes a password.
    expires_at: Option<DateTime<Utc>>,
    /// One's password.
    password: String,
}

/// A session in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OwnSessionPath {
    /// Id of the session.
    session_id: Uuid,
}

/// Get one's own account
#[utoipa::path(
    get,
    path = "/api/v1/account",
    tag = "account",
    responses((status = 200, description = "The account", body = AccountView), Problem),
    security(("token" = []))
)]
pub(super) async fn get_account(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<AccountView>, Problem> {
    Ok(Json(AccountView::of(service::get(&app, &ctx).await?)))
}

/// Change one's own password
///
/// All one's sessions end; tokens of one's own stay good. After some wrong ones the next has to wait,
/// longer each time. Who has a second factor does it in the dashboard.
#[utoipa::path(
    put,
    path = "/api/v1/account/password",
    tag = "account",
    request_body = ChangedPassword,
    responses((status = 204, description = "It is the password now"), Problem),
    security(("token" = []))
)]
pub(super) async fn change_own_password(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<StatusCode, Problem> {
    let sent: ChangedPassword = merge::apply(json!({}), body)?;
    service::change_password(&app, &ctx, None, sent.old_password, sent.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begin a second factor
///
/// Offers one; nothing is changed until its first code is sent back.
#[utoipa::path(
    post,
    path = "/api/v1/account/totp",
    tag = "account",
    responses((status = 200, description = "The offer", body = TotpView), Problem),
    security(("token" = []))
)]
pub(super) async fn offer_totp(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Secret<TotpView>, Problem> {
    Ok(secret(TotpView::of(service::offer_totp(&app, &ctx).await?)))
}

/// Take a second factor
///
/// From then on each log-in asks for a code.
#[utoipa::path(
    post,
    path = "/api/v1/account/totp/confirm",
    tag = "account",
    request_body = TotpTaken,
    responses((status = 204, description = "It is asked for from now on"), Problem),
    security(("token" = []))
)]
pub(super) async fn confirm_totp(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<StatusCode, Problem> {
    let TotpTaken { offer, password, code } = merge::apply(json!({}), body)?;
    service::confirm_totp(&app, &ctx, &offer, password, &code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove one's second factor
///
/// Where there is one, a token is answered with 409: it is done in the dashboard.
#[utoipa::path(
    post,
    path = "/api/v1/account/totp/remove",
    tag = "account",
    request_body = Proof,
    responses((status = 204, description = "It is asked for no more"), Problem),
    security(("token" = []))
)]
pub(super) async fn remove_own_totp(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<StatusCode, Problem> {
    let Proof { password } = merge::apply(json!({}), body)?;
    service::remove_totp(&app, &ctx, password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List one's own sessions
///
/// All that are open on one page, the one used last first.
#[utoipa::path(
    get,
    path = "/api/v1/account/sessions",
    tag = "account",
    responses((status = 200, description = "The sessions", body = Page<SessionView>), Problem),
    security(("token" = []))
)]
pub(super) async fn list_own_sessions(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<SessionView>>, Problem> {
    let sessions = service::sessions(&app, &ctx).await?;
    Ok(Json(Page { items: sessions.into_iter().map(SessionView::of).collect(), next: None }))
}

/// End one of one's own sessions
///
/// A token ends none and is answered with 403: it is done in the dashboard.
#[utoipa::path(
    delete,
    path = "/api/v1/account/sessions/{session_id}",
    tag = "account",
    params(OwnSessionPath),
    responses((status = 204, description = "One is logged out there"), Problem),
    security(("token" = []))
)]
pub(super) async fn end_own_session(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<OwnSessionPath>,
) -> Result<StatusCode, Problem> {
    service::revoke_session(&app, &ctx, path.session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get one's own preferences
#[utoipa::path(
    get,
    path = "/api/v1/account/preferences",
    tag = "account",
    responses((status = 200, description = "The preferences", body = PreferencesView), Problem),
    security(("token" = []))
)]
pub(super) async fn get_preferences(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<PreferencesView>, Problem> {
    Ok(Json(PreferencesView::of(&service::preferences(&app, &ctx).await?)))
}

/// Change one's own preferences
///
/// What is not named stays; null takes one back.
#[utoipa::path(
    patch,
    path = "/api/v1/account/preferences",
    tag = "account",
    request_body(content = PreferencesView, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "As they are now", body = PreferencesView), Problem),
    security(("token" = []))
)]
pub(super) async fn change_preferences(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<PreferencesView>, Problem> {
    Ok(Json(PreferencesView::of(&service::prefer(&app, &ctx, changes(body)?).await?)))
}

/// The body as it is: null says something in it, which a merge would leave out.
fn changes(body: Value) -> Result<Map<String, Value>, Error> {
    match body {
        Value::Object(changes) => Ok(changes),
        _ => Err(Error::invalid("", "the body is a JSON object")),
    }
}

/// List one's own tokens
///
/// All of them on one page, newest first, revoked ones too.
#[utoipa::path(
    get,
    path = "/api/v1/account/tokens",
    tag = "account",
    responses((status = 200, description = "The tokens", body = Page<TokenView>), Problem),
    security(("token" = []))
)]
pub(super) async fn list_own_tokens(
    ctx: Ctx,
    State(app): State<Shared>,
) -> Result<Json<Page<TokenView>>, Problem> {
    let items = service::tokens(&app, &ctx).await?.into_iter().map(TokenView::of).collect();
    Ok(Json(Page { items, next: None }))
}

/// Make a token of one's own
///
/// Who comes with it may do what both its scopes and one's own roles let at that moment, and has
/// one's account and views. Its secret is in this answer and nowhere else. It has no scopes that the
/// token lacks with which one comes. Who has no password here, or a second factor, makes it in the
/// dashboard.
#[utoipa::path(
    post,
    path = "/api/v1/account/tokens",
    tag = "account",
    request_body = OwnToken,
    responses((status = 201, description = "The new token", body = CreatedToken), Problem),
    security(("token" = []))
)]
pub(super) async fn create_own_token(
    ctx: Ctx,
    State(app): State<Shared>,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, Secret<CreatedToken>), Problem> {
    let OwnToken { name, scopes, expires_at, password } = merge::apply(json!({}), body)?;
    let new = NewOwnToken { name, scopes, expires_at, password: Some(password) };
    let (token, made) = service::create_token(&app, &ctx, new).await?;
    Ok((StatusCode::CREATED, secret(CreatedToken { token, view: TokenView::of(made) })))
}

/// Revoke a token of one's own
///
/// At once, and for good: the one with which one comes. Others are revoked in the dashboard.
#[utoipa::path(
    delete,
    path = "/api/v1/account/tokens/{token_id}",
    tag = "account",
    params(TokenPath),
    responses((status = 204, description = "It opens nothing any more"), Problem),
    security(("token" = []))
)]
pub(super) async fn revoke_own_token(
    ctx: Ctx,
    State(app): State<Shared>,
    PathArgs(path): PathArgs<TokenPath>,
) -> Result<StatusCode, Problem> {
    service::revoke_token(&app, &ctx, path.token_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_preferred_is_null() {
        let view = PreferencesView::of(&json!({ "theme": "dark", "columns": [] }));
        let shown = serde_json::to_value(view).ok();
        assert_eq!(shown, Some(json!({ "theme": "dark", "time_zone": null })));
    }

    #[test]
    fn null_takes_a_preference_back() {
        let sent = changes(json!({ "theme": null })).ok();
        assert_eq!(sent.and_then(|sent| sent.get("theme").cloned()), Some(Value::Null));
        assert!(changes(json!([])).is_err());
    }
}
