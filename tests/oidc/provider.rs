//! A small OpenID provider: discovery, keys, authorization code with PKCE, userinfo. It lets
//! everybody through as the same person, and does wrong when told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::PUBLIC;

/// The only access token there is.
const ACCESS: &str = "access-token";

/// How ID tokens are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    Well,
    ByAnother,
    Not,
}

/// The running provider.
#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    key: KeyPair,
    key_id: String,
    signed: Signed,
    /// Claims of the next ID token, laid over the right ones; null takes one out.
    said: Map<String, Value>,
    /// What userinfo tells.
    told: Value,
    codes: HashMap<String, Asked>,
    /// What browsers call Muster.
    public: String,
}

/// What a code was given for.
struct Asked {
    challenge: String,
    nonce: String,
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let inside = Inside {
            key: key(),
            key_id: "first".to_owned(),
            signed: Signed::Well,
            said: Map::new(),
            told: json!({ "sub": "s-ann" }),
            codes: HashMap::new(),
            public: PUBLIC.to_owned(),
        };
        let provider = Self { issuer, inside: Arc::new(Mutex::new(inside)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    /// What ID tokens say from now on, over what is right of ann.
    pub fn say(&self, claims: Value) {
        self.inside.lock().unwrap().said = object(claims);
    }

    /// What userinfo tells from now on.
    pub fn tell(&self, claims: Value) {
        self.inside.lock().unwrap().told = claims;
    }

    pub fn sign(&self, signed: Signed) {
        self.inside.lock().unwrap().signed = signed;
    }

    /// Sends browsers back to this address of Muster from now on.
    pub fn send_back_to(&self, public: &str) {
        public.clone_into(&mut self.inside.lock().unwrap().public);
    }

    pub fn change_keys(&self) {
        let mut inside = self.inside.lock().unwrap();
        (inside.key, inside.key_id) = (key(), "second".to_owned());
    }

    /// A code for a request in which all is right.
    fn code(&self, asked: &HashMap<String, String>) -> Option<String> {
        let back = self.inside.lock().unwrap().callback();
        let is = |name: &str, value: &str| asked.get(name).is_some_and(|v| v == value);
        let right = is("response_type", "code")
            && is("client_id", "muster")
            && is("code_challenge_method", "S256")
            && is("redirect_uri", &back)
            && is("scope", "openid profile email");
        let code = Uuid::now_v7().to_string();
        let (challenge, nonce) = (asked.get("code_challenge")?, asked.get("nonce")?);
        let asked = Asked { challenge: challenge.clone(), nonce: nonce.clone() };
        self.inside.lock().unwrap().codes.insert(code.clone(), asked);
        right.then_some(code)
    }

    /// The ID token for a code, once, and for nobody but the client that can prove itself.
    fn redeem(&self, headers: &HeaderMap, form: &HashMap<String, String>) -> Option<String> {
        let mut inside = self.inside.lock().unwrap();
        // RFC 6749 section 2.3.1: form-encoded before it is put into Basic.
        let client = format!("Basic {}", STANDARD.encode("muster:open+sesame"));
        let asked = inside.codes.remove(form.get("code")?)?;
        let verifier = Sha256::digest(form.get("code_verifier")?.as_bytes());
        let right = headers.get(AUTHORIZATION)?.to_str().ok()? == client
            && form.get("grant_type")? == "authorization_code"
            && *form.get("redirect_uri")? == inside.callback()
            && URL_SAFE_NO_PAD.encode(verifier) == asked.challenge;
        right.then(|| inside.id_token(&self.issuer, &asked.nonce))
    }
}

impl Inside {
    /// Where browsers are sent back to.
    fn callback(&self) -> String {
        format!("{}/login/oidc/callback", self.public)
    }

    fn id_token(&self, issuer: &str, nonce: &str) -> String {
        let now = muster::clock::now().timestamp();
        let mut claims = object(json!({
            "iss": issuer, "aud": "muster", "iat": now, "exp": now + 60, "nonce": nonce,
            "sub": "s-ann", "preferred_username": "ann", "name": "Ann A.",
        }));
        claims.extend(self.said.clone());
        claims.retain(|_, value| !value.is_null());
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let algorithm = if self.signed == Signed::Not { "none" } else { "EdDSA" };
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": self.key_id });
        let input = format!("{}.{}", part(header), part(Value::Object(claims)));
        let signature = match self.signed {
            Signed::Well => self.key.sign(input.as_bytes()).unwrap(),
            Signed::ByAnother => key().sign(input.as_bytes()).unwrap(),
            Signed::Not => Vec::new(),
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn description(State(provider): State<Provider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "none"],
    }))
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    let inside = provider.inside.lock().unwrap();
    let x = URL_SAFE_NO_PAD.encode(inside.key.public_key_raw());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": inside.key_id, "x": x });
    Json(json!({ "keys": [key] }))
}

async fn authorize(
    State(provider): State<Provider>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let (Some(code), Some(state)) = (provider.code(&asked), asked.get("state")) else {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    };
    let back = format!("{}?code={code}&state={state}", asked["redirect_uri"]);
    (StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response()
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    match provider.redeem(&headers, &form) {
        Some(token) => {
            let tokens =
                json!({ "access_token": ACCESS, "token_type": "Bearer", "id_token": token });
            Json(tokens).into_response()
        }
        None => {
            let error = json!({ "error": "invalid_grant" });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}

async fn userinfo(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if bearer != Some(format!("Bearer {ACCESS}").as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(provider.inside.lock().unwrap().told.clone()).into_response()
}
