//! Who asks: bearer tokens and their scopes.
//!
//! Owns the form of a token, `mst_<id as 32 hex digits>_<secret>`. Only the SHA-256 of the secret is
//! stored: it is random and long, so a slow hash would only slow down the server.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use uuid::Uuid;

use super::guard::Guard;
use super::problem::Problem;
use crate::clock;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::secret::password_from;
use crate::net::ConnInfo;
use crate::store::tokens::{self, Token};

/// What a token may do; each scope implies those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything but tokens.
    Read,
    /// Make and cancel jobs, store files, open enrolment to a device.
    Operate,
    /// Remove devices, make and revoke tokens.
    Admin,
}

impl Scope {
    /// The word in the database, the API and the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Read, Self::Operate, Self::Admin]
            .into_iter()
            .find(|scope| scope.word() == text)
            .ok_or_else(|| format!("`{text}` is no scope: read, operate or admin"))
    }
}

/// Who sent a request; as an extractor it refuses a request without a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the token.
    pub name: String,
    /// Its scopes.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Refuses a caller that may not do this.
    ///
    /// # Errors
    /// [`Error::Denied`], naming the scope that is missing.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.scopes.iter().any(|has| *has >= scope) {
            return Ok(());
        }
        Err(Error::Denied(format!("the token needs the scope {}", scope.word())))
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let now = clock::now();
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let Some(presented) = header.and_then(bearer) else {
            return Err(Problem::unauthorized("send `Authorization: Bearer <token>`"));
        };
        let refused = || Problem::unauthorized("the token is unknown, expired or revoked");
        let (token_id, secret) = split(presented).ok_or_else(refused)?;
        let guard = parts.extensions.get::<Arc<Guard>>().cloned().unwrap_or_default();
        let address = parts
            .extensions
            .get::<ConnInfo>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connection| connection.peer.ip());
        if let Some(seconds) = guard.blocked(address, token_id, now) {
            return Err(Problem::too_many("too many wrong tokens from this address", seconds));
        }
        let Some(token) = verified(&app.pool, token_id, secret, now).await? else {
            if guard.wrong(address, token_id, now) {
                tracing::warn!(%address, "too many wrong API tokens, refusing for a while");
            }
            return Err(refused());
        };
        guard.right(token_id);
        if token.last_used_at.is_none_or(|used| now - used >= TimeDelta::minutes(1)) {
            tokens::used(&app.pool, token_id, now).await?;
        }
        let scopes = token.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        Ok(Self { name: token.name, scopes })
    }
}

/// Makes a token and gives it in clear, the only time that it is seen.
///
/// # Errors
/// [`Error::Invalid`] for a bad name, no scope or an end that has passed; [`Error::Database`].
pub async fn create_token(
    pool: &PgPool,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<String, Error> {
    check_name(name)?;
    if scopes.is_empty() {
        return Err(Error::invalid("/scopes", "at least one of read, operate, admin"));
    }
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("/expires_at", "must be later than now"));
    }
    let token = Token {
        token_id: Uuid::from_u128(rand::random()),
        name: name.to_owned(),
        scopes: scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let secret = password_from(&rand::random::<[u8; 32]>());
    tokens::insert(pool, &token, &hash(&secret)).await?;
    Ok(format!("mst_{}_{secret}", token.token_id.simple()))
}

fn check_name(name: &str) -> Result<(), Error> {
    let length = name.chars().count();
    if !(1..=64).contains(&length) || name.trim() != name || name.chars().any(char::is_control) {
        return Err(Error::invalid("/name", "1 to 64 characters, no blanks at its ends"));
    }
    // The name stands beside what a caller did; this one stands for Muster's own doing.
    if name == "muster" {
        return Err(Error::invalid("/name", "`muster` stands for the server itself"));
    }
    Ok(())
}

/// The token as stored, if the secret is right and it is still good.
async fn verified(
    pool: &PgPool,
    token_id: Uuid,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<Option<Token>, Error> {
    let Some((token, stored)) = tokens::get(pool, token_id).await? else { return Ok(None) };
    let right = bool::from(hash(secret).as_slice().ct_eq(stored.as_slice()));
    let good = token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end);
    Ok((right && good).then_some(token))
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// What follows `Bearer`; the word is compared without case (RFC 9110 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Id and secret of a token.
pub(super) fn split(token: &str) -> Option<(Uuid, &str)> {
    let (id, secret) = token.strip_prefix("mst_")?.split_once('_')?;
    if id.len() != 32 || secret.is_empty() {
        return None;
    }
    Some((Uuid::try_parse(id).ok()?, secret))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_token_is_taken_apart_only_where_it_is_one() {
        let id = Uuid::from_u128(7);
        let token = format!("mst_{}_abc_DEF", id.simple());
        assert_eq!(split(&token), Some((id, "abc_DEF")));
        for bad in [
            "",
            "mst_",
            "mst_00000000000000000000000000000007",
            "mst_00000000000000000000000000000007_",
            "mst_00000000-0000-0000-0000-000000000007_abc",
            "mst_0000000000000000000000000000000g_abc",
            "xst_00000000000000000000000000000007_abc",
        ] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_a_bearer_header_holds_a_token() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEaReR  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
    }

    #[test]
    fn a_scope_implies_the_lesser_ones() {
        let caller = |scopes: &[Scope]| Caller { name: "t".into(), scopes: scopes.to_vec() };
        assert!(caller(&[Scope::Admin]).require(Scope::Read).is_ok());
        assert!(caller(&[Scope::Operate]).require(Scope::Operate).is_ok());
        assert!(caller(&[]).require(Scope::Read).is_err());
        let refused = caller(&[Scope::Read]).require(Scope::Operate).unwrap_err();
        assert_eq!(refused.to_string(), "the token needs the scope operate");
        for scope in [Scope::Read, Scope::Operate, Scope::Admin] {
            assert_eq!(scope.word().parse::<Scope>().unwrap(), scope);
        }
        assert!("root".parse::<Scope>().is_err());
    }

    #[test]
    fn a_token_has_a_name_that_says_who_it_is() {
        for bad in ["", " ci", "a\nb", "muster", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("billing, Rīga").is_ok());
    }
}
