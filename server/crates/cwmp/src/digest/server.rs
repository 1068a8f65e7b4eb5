//! The side that challenges and checks: `WWW-Authenticate` out, `Authorization` in.
//!
//! Owns both headers. Must never decide whether a user exists or whether Basic is allowed, and
//! must never enforce an increasing `nc`: a client is known that sends 00000001 all session (U3,
//! deviation 15).

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::header::{Item, field, items, quote};
use super::{Algorithm, HeaderError, MAX_HEADER_BYTES, Question, response, secrets_match};

/// Base64 as clients write it: padded or not, with left-over bits.
static LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The values of the `WWW-Authenticate` headers of one 401, one header line each: MD5 first, since
/// simple clients take the first they see, then SHA-256, then Basic if it may be used (U1).
/// `stale` tells a client that only its nonce is old and its password need not be asked again.
pub fn challenges(
    realm: &str,
    nonce: &str,
    opaque: &str,
    stale: bool,
    offer_basic: bool,
) -> Vec<String> {
    let (realm, nonce, opaque) = (quote(realm), quote(nonce), quote(opaque));
    let stale = if stale { ", stale=true" } else { "" };
    let mut values: Vec<String> = [Algorithm::Md5, Algorithm::Sha256]
        .into_iter()
        .map(|algorithm| {
            let name = algorithm.name();
            format!(
                "Digest realm={realm}, qop=\"auth\", algorithm={name}, nonce={nonce}, \
                 opaque={opaque}{stale}"
            )
        })
        .collect();
    if offer_basic {
        values.push(format!("Basic realm={realm}"));
    }
    values
}

/// What a client sent to prove who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// RFC 7617: the password in clear.
    Basic {
        /// Before the first colon.
        username: String,
        /// After it; may hold colons.
        password: String,
    },
    /// RFC 7616.
    Digest(DigestCredentials),
}

/// The fields of a Digest, as the client sent them.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestCredentials {
    /// Who it claims to be.
    pub username: String,
    /// The realm it answers for; empty if it sent none.
    pub realm: String,
    /// The nonce it answers; judge it with [`super::Nonces::verify`].
    pub nonce: String,
    /// What it hashed as URI; may be empty (deviation 15).
    pub uri: String,
    /// The proof, hexadecimal.
    pub response: String,
    /// MD5 if it named none (RFC 7616 section 3.4).
    pub algorithm: Algorithm,
    /// `None` is the older form of RFC 2069.
    pub qop: Option<String>,
    /// The nonce count as sent; it is hashed, never counted (U3).
    pub nc: String,
    /// The client's own nonce; empty if it sent none.
    pub cnonce: String,
    /// The challenge's opaque, if it came back.
    pub opaque: Option<String>,
}

impl Authorization {
    /// Reads an `Authorization` header. Fields may come in any order and case; `qop`, `nc`,
    /// `cnonce`, `opaque`, `realm`, `algorithm` and `uri` may lack.
    ///
    /// # Errors
    /// [`HeaderError`], which never holds text of the header.
    pub fn parse(header: &str) -> Result<Self, HeaderError> {
        if header.len() > MAX_HEADER_BYTES {
            return Err(HeaderError::TooLong);
        }
        let header = header.trim();
        let (scheme, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            parse_basic(rest.trim())
        } else if scheme.eq_ignore_ascii_case("digest") {
            parse_digest(rest).map(Self::Digest)
        } else {
            Err(HeaderError::UnknownScheme)
        }
    }

    /// Who the client claims to be.
    pub fn username(&self) -> &str {
        match self {
            Self::Basic { username, .. } => username,
            Self::Digest(digest) => &digest.username,
        }
    }
}

impl DigestCredentials {
    /// Whether the proof fits `ha1` (hexadecimal, of [`DigestCredentials::algorithm`]) and the
    /// request's method, compared in constant time. HA2 is made from the uri that the client put
    /// into the header, because proxies rewrite the request line (U4); check that uri with
    /// [`DigestCredentials::uri_names`].
    pub fn verify(&self, method: &str, ha1: &str) -> bool {
        let auth = match self.qop.as_deref() {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                Some((self.nc.as_str(), self.cnonce.as_str()))
            }
            // auth-int was not offered.
            Some(_) => return false,
        };
        let question = Question { method, uri: &self.uri, nonce: &self.nonce, auth };
        let expected = response(self.algorithm, ha1, &question);
        secrets_match(&expected, &self.response.to_ascii_lowercase())
    }

    /// Whether the client's uri is for `path`: the same path (a query does not count), or empty, or
    /// absolute, as clients behind proxies and one C agent send it (U4).
    pub fn uri_names(&self, path: &str) -> bool {
        fn bare(uri: &str) -> &str {
            uri.split_once('?').map_or(uri, |(path, _)| path)
        }
        self.uri.is_empty() || self.uri.contains("://") || bare(&self.uri) == bare(path)
    }
}

fn parse_basic(text: &str) -> Result<Authorization, HeaderError> {
    let bytes = LENIENT_BASE64.decode(text).map_err(|_| HeaderError::BadBasic)?;
    // Clients that predate RFC 7617 send ISO-8859-1.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
    let (username, password) = text.split_once(':').ok_or(HeaderError::BadBasic)?;
    Ok(Authorization::Basic { username: username.to_owned(), password: password.to_owned() })
}

fn parse_digest(text: &str) -> Result<DigestCredentials, HeaderError> {
    let mut fields: Vec<(String, String)> = items(text)?
        .into_iter()
        .filter_map(|item| match item {
            Item::Field(name, value) => Some((name, value)),
            Item::Word(_) => None,
        })
        .collect();
    let mut take = |name: &'static str| field(&mut fields, name);
    let algorithm = match take("algorithm") {
        None => Algorithm::Md5,
        Some(name) => Algorithm::from_name(&name).ok_or(HeaderError::UnknownAlgorithm)?,
    };
    Ok(DigestCredentials {
        username: take("username").ok_or(HeaderError::Missing("username"))?,
        realm: take("realm").unwrap_or_default(),
        nonce: take("nonce").ok_or(HeaderError::Missing("nonce"))?,
        uri: take("uri").unwrap_or_default(),
        response: take("response").ok_or(HeaderError::Missing("response"))?,
        algorithm,
        qop: take("qop").filter(|qop| !qop.is_empty()),
        nc: take("nc").unwrap_or_default(),
        cnonce: take("cnonce").unwrap_or_default(),
        opaque: take("opaque"),
    })
}

impl fmt::Debug for Authorization {
    /// Without the password and the proof: this ends in logs (U5).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, .. } => {
                f.debug_struct("Basic").field("username", username).finish_non_exhaustive()
            }
            Self::Digest(digest) => fmt::Debug::fmt(digest, f),
        }
    }
}

impl fmt::Debug for DigestCredentials {
    /// Without the proof: with a weak password it can be guessed from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("uri", &self.uri)
            .field("algorithm", &self.algorithm)
            .field("qop", &self.qop)
            .finish_non_exhaustive()
    }
}
