//! The side that is challenged: choosing among the challenges of a 401 and answering one.
//!
//! Owns that choice. Must never pick Basic unless the caller allows it: a hostile peer offers Basic
//! to be handed the password (K3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::header::{Item, field, items, quote};
use super::{Algorithm, HeaderError, Question, ha1, response};

/// The challenge to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Send the password in clear.
    Basic,
    /// Prove that we know it.
    Digest(DigestChallenge),
}

/// A Digest challenge (RFC 7616 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChallenge {
    /// To be hashed and sent back.
    pub realm: String,
    /// To be hashed and sent back.
    pub nonce: String,
    /// To be sent back untouched.
    pub opaque: Option<String>,
    /// `None` if the peer named none, which means MD5; then our answer names none either.
    pub algorithm: Option<Algorithm>,
    /// Whether qop=auth is offered; if not, the answer has the form of RFC 2069.
    pub qop_auth: bool,
    /// The peer says that only the nonce was too old.
    pub stale: bool,
}

/// Why a 401 cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Nothing in it that this side understands.
    #[error("the challenge holds neither Digest with MD5 or SHA-256 nor Basic")]
    NoneUsable,
    /// Only Basic is offered and the caller forbids it.
    #[error("only Basic is offered, which would reveal the password")]
    BasicForbidden,
    /// A cap was met.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

impl Challenge {
    /// Chooses among all `WWW-Authenticate` values of a response, several of which may share one
    /// line: MD5 first because it is what devices implement best, SHA-256 if there is no MD5, Basic
    /// only if `allow_basic` and no Digest is offered.
    ///
    /// # Errors
    /// [`ChallengeError`] if nothing can or may be answered.
    pub fn parse<S: AsRef<str>>(values: &[S], allow_basic: bool) -> Result<Self, ChallengeError> {
        let mut offers: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for value in values {
            for item in items(value.as_ref())? {
                match item {
                    Item::Word(scheme) => offers.push((scheme.to_ascii_lowercase(), Vec::new())),
                    Item::Field(name, value) => {
                        if let Some((_, fields)) = offers.last_mut() {
                            fields.push((name, value));
                        }
                    }
                }
            }
        }
        let basic = offers.iter().any(|(scheme, _)| scheme == "basic");
        let digests: Vec<DigestChallenge> = offers
            .into_iter()
            .filter(|(scheme, _)| scheme == "digest")
            .filter_map(|(_, fields)| digest_challenge(fields))
            .collect();
        let md5 = digests.iter().find(|digest| digest.hash() == Algorithm::Md5);
        match md5.or(digests.first()) {
            Some(digest) => Ok(Self::Digest(digest.clone())),
            None if basic && allow_basic => Ok(Self::Basic),
            None if basic => Err(ChallengeError::BasicForbidden),
            None => Err(ChallengeError::NoneUsable),
        }
    }
}

impl DigestChallenge {
    fn hash(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Md5)
    }
}

/// `None` if the challenge lacks a nonce or asks for what this side cannot do.
fn digest_challenge(mut fields: Vec<(String, String)>) -> Option<DigestChallenge> {
    let mut take = |name: &'static str| field(&mut fields, name);
    let algorithm = match take("algorithm") {
        None => None,
        Some(name) => Some(Algorithm::from_name(&name)?),
    };
    let qop_auth = match take("qop").filter(|qop| !qop.trim().is_empty()) {
        None => false,
        // auth-int alone cannot be answered: the body would have to be hashed.
        Some(qop) if qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")) => true,
        Some(_) => return None,
    };
    Some(DigestChallenge {
        realm: take("realm").unwrap_or_default(),
        nonce: take("nonce")?,
        opaque: take("opaque"),
        algorithm,
        qop_auth,
        stale: take("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
    })
}

/// The `Authorization` value that answers a challenge. `uri` is the request target as sent, `nc`
/// counts the uses of this nonce from 1, `cnonce` is fresh randomness in printable characters.
pub fn answer(
    challenge: &Challenge,
    username: &str,
    password: &str,
    method: &str,
    uri: &str,
    cnonce: &str,
    nc: u32,
) -> String {
    let digest = match challenge {
        Challenge::Basic => {
            return format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        }
        Challenge::Digest(digest) => digest,
    };
    let nc = format!("{nc:08x}");
    let auth = digest.qop_auth.then_some((nc.as_str(), cnonce));
    let question = Question { method, uri, nonce: &digest.nonce, auth };
    let secret = ha1(digest.hash(), username, &digest.realm, password);
    let proof = response(digest.hash(), &secret, &question);
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{proof}\"",
        quote(username),
        quote(&digest.realm),
        quote(&digest.nonce),
        quote(uri),
    );
    if let Some(algorithm) = digest.algorithm {
        value.push_str(", algorithm=");
        value.push_str(algorithm.name());
    }
    if let Some(opaque) = &digest.opaque {
        value.push_str(", opaque=");
        value.push_str(&quote(opaque));
    }
    if digest.qop_auth {
        value.push_str(&format!(", qop=auth, nc={nc}, cnonce={}", quote(cnonce)));
    }
    value
}
