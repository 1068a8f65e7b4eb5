//! Login by OpenID Connect: from "send this browser to the provider" to "the provider vouches for
//! this person" (OpenID Connect Core 1.0, section 3.1; PKCE, RFC 7636).
//!
//! Owns discovery and keys of the provider, the attempt that a browser carries meanwhile, and the
//! checks of what comes back. It must never decide who is let in ([`super::login::with_oidc`]
//! does), follow a redirect, read an answer without end, or tell a stranger why an answer was not
//! believed: that is for the log.

mod attempt;
mod claims;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreProviderMetadata,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    SignatureVerificationError, TokenResponse as _,
};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use self::claims::{claim, is_true, shown, text, words};
use super::login::OidcIdentity;
use crate::config::{Config, OidcConfig};
use crate::error::Error;

pub use self::attempt::{Attempt, PATIENCE};

/// Where the provider sends browsers back to, below `web.public_url`.
pub const CALLBACK: &str = "/login/oidc/callback";

/// The largest answer that is read of a provider, in bytes: keys of hundreds of tenants fit.
const MOST_BYTES: usize = 1 << 20;
/// Whether the claim `email` is theirs.
const VERIFIED: &str = "email_verified";
/// How long one request to the provider may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How old the provider's description and keys may become.
const REFRESH: TimeDelta = TimeDelta::hours(1);
/// How long a provider that did not answer is left alone: longer than asking it may take.
const REST: TimeDelta = TimeDelta::seconds(30);

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The configured provider.
pub struct Provider {
    settings: OidcConfig,
    issuer: IssuerUrl,
    client_id: ClientId,
    redirect: RedirectUrl,
    http: reqwest::Client,
    known: Mutex<Known>,
}

/// What the provider told of itself.
struct Described {
    client: Client,
    userinfo: Option<Url>,
}

#[derive(Default)]
struct Known {
    described: Option<Arc<Described>>,
    asked_at: Option<DateTime<Utc>>,
    failed: bool,
}

/// Why the provider could not be asked.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {MOST_BYTES} bytes")]
    TooLarge,
}

impl Provider {
    /// From the configuration; `None` = no such login.
    ///
    /// # Errors
    /// [`Error::Internal`] where what the configuration should have refused is no URL, or TLS
    /// cannot be set up.
    pub fn new(config: &Config) -> Result<Option<Self>, Error> {
        let settings = config.oidc.clone();
        let (Some(issuer), Some(id)) = (settings.issuer.clone(), settings.client_id.clone()) else {
            return Ok(None);
        };
        let broken = |e: String| Error::Internal(format!("OpenID Connect: {e}"));
        let public = config.web.public_url.as_deref().unwrap_or_default();
        let redirect =
            RedirectUrl::new(format!("{public}{CALLBACK}")).map_err(|e| broken(e.to_string()))?;
        let issuer = IssuerUrl::new(issuer).map_err(|e| broken(e.to_string()))?;
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            // A provider that redirects could send Muster to any host within its reach.
            .redirect(reqwest::redirect::Policy::none())
            // Where the issuer is https, nothing that it names is less.
            .https_only(issuer.url().scheme() == "https")
            .build()
            .map_err(|e| broken(chain(&e)))?;
        let known = Mutex::default();
        Ok(Some(Self { settings, issuer, client_id: ClientId::new(id), redirect, http, known }))
    }

    /// Where the provider must send browsers back to.
    pub fn redirect_uri(&self) -> &str {
        self.redirect.as_str()
    }

    /// Asks the provider for its description and keys, and forgets them.
    ///
    /// # Errors
    /// Why not, for an operator.
    pub async fn probe(&self) -> Result<(), String> {
        self.describe().await.map(|_| ())
    }

    /// Begins a login that is to end at `next`: where to send the browser, and what it must bring
    /// back.
    ///
    /// # Errors
    /// [`Error::Conflict`] while the provider does not answer.
    pub async fn begin(&self, next: String, now: DateTime<Utc>) -> Result<(Url, Attempt), Error> {
        let described = self.described(now, false).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = described
            .client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        let attempt = Attempt {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            expires_at: now + PATIENCE,
            next,
        };
        Ok((url, attempt))
    }

    /// Ends a login with the code that the browser brought: for whom the provider vouches.
    ///
    /// # Errors
    /// [`Error::Conflict`] while the provider does not answer, [`Error::Denied`] if it does not
    /// take the code, or if what it says of the person is not to be believed or not enough.
    pub async fn finish(
        &self,
        attempt: &Attempt,
        code: String,
        now: DateTime<Utc>,
    ) -> Result<OidcIdentity, Error> {
        let described = self.described(now, false).await?;
        let http = self.http.clone();
        let http = move |request: HttpRequest| fetch(http.clone(), request);
        let tokens = described
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| self.refused(&chain(&e)))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()))
            .request_async(&http)
            .await
            .map_err(|e| self.refused(&chain(&e)))?;
        let token = tokens.id_token().ok_or_else(|| self.refused("it gave no ID token"))?;
        let nonce = Nonce::new(attempt.nonce.clone());
        let mut subject = verified_subject(&described.client, token, &nonce, now);
        let unknown_key = matches!(
            subject,
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey
            ))
        );
        if unknown_key {
            // The provider has changed its keys since it was asked for them.
            let described = self.described(now, true).await?;
            subject = verified_subject(&described.client, token, &nonce, now);
        }
        let subject = subject.map_err(|e| self.refused(&chain(&e)))?;
        let mut claims =
            claims::of(token).ok_or_else(|| self.refused("its ID token holds no claims"))?;
        if let Some(url) = &described.userinfo
            && self.wanted().any(|name| claim(&claims, name).is_none())
        {
            let more = self
                .userinfo(url, tokens.access_token(), &subject)
                .await
                .map_err(|reason| self.refused(&format!("userinfo: {reason}")))?;
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        self.identity(subject, &claims)
    }

    /// The claims that say who it is.
    fn wanted(&self) -> impl Iterator<Item = &str> {
        let settings = &self.settings;
        let verified: Option<&str> = self.logs_in_by_address().then_some(VERIFIED);
        [Some(&settings.login_claim), Some(&settings.name_claim), settings.roles_claim.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .chain(verified)
    }

    fn logs_in_by_address(&self) -> bool {
        self.settings.login_claim == "email"
    }

    fn identity(
        &self,
        subject: String,
        claims: &Map<String, Value>,
    ) -> Result<OidcIdentity, Error> {
        let settings = &self.settings;
        let name = &settings.login_claim;
        let Some(login) = text(claims, name) else {
            tracing::warn!(issuer = %self.issuer, subject, "the claim `{name}` is missing");
            return Err(Error::Denied(format!(
                "The login provider does not say `{name}` of you: an administrator of Muster can \
                 choose another claim with oidc.login_claim."
            )));
        };
        // An address that anybody can type in at the provider must not become somebody's login.
        let verified = claims.get(VERIFIED).map(is_true);
        let by_address = self.logs_in_by_address();
        if by_address && verified == Some(false) {
            return Err(Error::Denied(
                "The login provider has not verified your e-mail address: verify it there first."
                    .to_owned(),
            ));
        }
        Ok(OidcIdentity {
            issuer: self.issuer.to_string(),
            subject,
            login,
            vouched: !by_address || verified == Some(true),
            display_name: text(claims, &settings.name_claim).map(shown).unwrap_or_default(),
            roles: settings.roles_claim.as_ref().map(|name| words(claim(claims, name))),
        })
    }

    /// What the provider told of itself at most an hour ago, or tells now.
    async fn described(&self, now: DateTime<Utc>, anew: bool) -> Result<Arc<Described>, Error> {
        // Held while asking: whoever comes meanwhile waits for the same answer.
        let mut known = self.known.lock().await;
        let age = if known.failed { REST } else { REFRESH };
        if anew || known.asked_at.is_none_or(|at| now - at >= age) {
            let answer = self.describe().await;
            known.asked_at = Some(now);
            known.failed = answer.is_err();
            match answer {
                Ok(described) => known.described = Some(Arc::new(described)),
                Err(reason) => {
                    tracing::warn!(issuer = %self.issuer, reason, "no login provider answers");
                }
            }
        }
        // What was known before goes on serving while the provider is away.
        known.described.clone().ok_or_else(|| {
            Error::Conflict(
                "The login provider does not answer: try again in a minute, or log in with a \
                 password."
                    .to_owned(),
            )
        })
    }

    async fn describe(&self) -> Result<Described, String> {
        let http = self.http.clone();
        let http = move |request: HttpRequest| fetch(http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &http)
            .await
            .map_err(|e| chain(&e))?;
        let userinfo = metadata.userinfo_endpoint().map(|endpoint| endpoint.url().clone());
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
        let post = takes(CoreClientAuthMethod::ClientSecretPost)
            && !takes(CoreClientAuthMethod::ClientSecretBasic);
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, self.client_id.clone(), secret)
            .set_redirect_uri(self.redirect.clone())
            .set_auth_type(if post { AuthType::RequestBody } else { AuthType::BasicAuth });
        Ok(Described { client, userinfo })
    }

    /// Claims that the provider gives only to who asks with the access token (Core, section 5.3).
    async fn userinfo(
        &self,
        url: &Url,
        token: &AccessToken,
        subject: &str,
    ) -> Result<Map<String, Value>, String> {
        let request = self.http.get(url.clone()).bearer_auth(token.secret());
        let response = request.send().await.map_err(|e| chain(&e))?;
        let answer = read(response).await.map_err(|e| chain(&e))?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status()));
        }
        let claims: Map<String, Value> =
            serde_json::from_slice(answer.body()).map_err(|e| e.to_string())?;
        // It is not signed: another person's answer must not pass for this one's.
        if claims.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err("it tells of another subject".to_owned());
        }
        Ok(claims)
    }

    /// Logs why an answer is not believed; for whoever sees it, it was only not accepted.
    fn refused(&self, reason: &str) -> Error {
        tracing::warn!(issuer = %self.issuer, reason, "an answer of the login provider is refused");
        Error::Denied(
            "The login provider's answer was not accepted. Log in again; if that does not help, \
             the log of Muster says why."
                .to_owned(),
        )
    }
}

/// Asks with our HTTP client, for the library.
async fn fetch(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let request = reqwest::Request::try_from(request)?;
    read(http.execute(request).await?).await
}

/// An answer whole, unless it is too large.
async fn read(mut response: reqwest::Response) -> Result<HttpResponse, FetchError> {
    let mut body: Vec<u8> = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

/// Checks signature, issuer, audience, time and nonce of an ID token (Core, section 3.1.3.7).
fn verified_subject(
    client: &Client,
    token: &CoreIdToken,
    nonce: &Nonce,
    now: DateTime<Utc>,
) -> Result<String, ClaimsVerificationError> {
    let verifier = client.id_token_verifier().set_time_fn(move || now);
    let claims = token.claims(&verifier, nonce)?;
    Ok(claims.subject().as_str().to_owned())
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unverified_address_is_no_login() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::default();
        config.oidc.issuer = Some("https://login.example".to_owned());
        config.oidc.client_id = Some("muster".to_owned());
        config.oidc.login_claim = "email".to_owned();
        config.web.public_url = Some("https://muster.example".to_owned());
        let provider = Provider::new(&config).unwrap().unwrap();
        assert_eq!(provider.redirect_uri(), "https://muster.example/login/oidc/callback");
        let identity =
            |claims: Value| provider.identity("s1".to_owned(), claims.as_object().unwrap());
        for no in [json!(false), json!("false"), json!("yes"), json!(1)] {
            let unverified = json!({ "email": "ann@isp.example", "email_verified": no });
            assert!(matches!(identity(unverified), Err(Error::Denied(_))), "{no}");
        }
        for yes in [json!(true), json!("true")] {
            let verified = json!({ "email": "ann@isp.example", "email_verified": yes });
            assert!(identity(verified).unwrap().vouched, "{yes}");
        }
        // Nothing is said: enough for who is known already, and for nobody else.
        let ann = identity(json!({ "email": "ann@isp.example" })).unwrap();
        assert_eq!((ann.login.as_str(), ann.display_name.as_str()), ("ann@isp.example", ""));
        assert!(ann.roles.is_none() && !ann.vouched);
        assert!(provider.wanted().any(|name| name == "email_verified"), "userinfo may say it");
        let silent = identity(json!({ "email_verified": true })).err().unwrap();
        assert!(silent.to_string().contains("oidc.login_claim"));
        assert!(Provider::new(&Config::default()).unwrap().is_none());
    }
}
