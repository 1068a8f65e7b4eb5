//! The second factor: codes that change each 30 seconds (RFC 6238), as every authenticator app makes
//! them.
//!
//! Owns how secrets and codes look. That a code is good once is kept by whoever stores the step.

use chrono::{DateTime, Utc};
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Secret, Totp};

use crate::error::Error;

/// What authenticator apps show beside the login.
const ISSUER: &str = "Muster";

/// A new secret, as base 32.
pub fn new_secret() -> String {
    Secret::new_stack(rand::random::<[u8; 20]>()).to_base32()
}

/// The `otpauth://` URL of a secret.
///
/// # Errors
/// [`Error::Internal`]
pub fn url(secret: &str, login: &str) -> Result<String, Error> {
    totp(secret, login)?.to_url().map_err(|e| Error::Internal(format!("an otpauth URL: {e}")))
}

/// A text as an SVG picture of its QR code.
///
/// # Errors
/// [`Error::Internal`]
pub fn picture(text: &str) -> Result<String, Error> {
    let code = QrCode::new(text).map_err(|e| Error::Internal(format!("a QR code: {e}")))?;
    let image = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    // It stands inside a page: no XML declaration.
    let begin = image.find("<svg").unwrap_or_default();
    Ok(image[begin..].to_owned())
}

/// The time step that a code belongs to; `None` = it is of none about now.
///
/// # Errors
/// [`Error::Internal`]: the secret is none.
pub fn step(secret: &str, code: &str, now: DateTime<Utc>) -> Result<Option<i64>, Error> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let step = totp(secret, "")?.check(&digits, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// SHA-1, 6 digits, 30 seconds and one step either way: what all apps can do.
fn totp(secret: &str, login: &str) -> Result<Totp, Error> {
    let secret = Secret::try_from_base32(secret)
        .map_err(|_| Error::Internal("a TOTP secret is not base 32".to_owned()))?;
    Builder::new()
        .with_secret(secret)
        .with_skew(1)
        .with_issuer(Some(ISSUER))
        .with_account_name(login)
        .build()
        .map_err(|e| Error::Internal(format!("a TOTP secret: {e}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// `12345678901234567890` of RFC 6238 appendix B.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // The last 6 of its 8 digits.
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")]
        {
            assert_eq!(step(SECRET, code, at(seconds)).unwrap(), Some(seconds / 30), "{code}");
        }
        assert_eq!(step(SECRET, " 287 082 ", at(59)).unwrap(), Some(1));
        for bad in ["287083", "", "28708", "2870822", "+87082"] {
            assert_eq!(step(SECRET, bad, at(59)).unwrap(), None, "{bad}");
        }
    }

    #[test]
    fn clocks_may_differ_by_one_step() {
        for (seconds, good) in [(29, true), (30, true), (89, true), (90, false)] {
            assert_eq!(step(SECRET, "287082", at(seconds)).unwrap().is_some(), good, "{seconds}");
        }
    }

    #[test]
    fn a_secret_can_be_shown_to_an_app() {
        let secret = new_secret();
        assert_eq!(secret.len(), 32);
        let url = url(&secret, "ann@example.net").unwrap();
        assert!(url.starts_with("otpauth://totp/Muster:ann"), "{url}");
        assert!(url.contains(&format!("secret={secret}")) && url.contains("issuer=Muster"));
        let picture = picture(&url).unwrap();
        assert!(picture.starts_with("<svg") && !picture.contains("style"), "{picture}");
    }
}
