//! The CWMP listener's certificate: readable, with its key, in its time.

use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Finding;
use crate::config::{AcsConfig, TlsMode};
use crate::net::tls::{CertificateFiles, server_config};

const SUBJECT: &str = "TLS certificate";
const DAY: i64 = 86_400;

pub(super) fn check(acs: &AcsConfig) -> Vec<Finding> {
    let (Some(certificate), Some(key)) = (&acs.tls_cert, &acs.tls_key) else {
        return match acs.tls {
            TlsMode::Files => Vec::new(),
            TlsMode::SelfMade => vec![Finding::ok(SUBJECT, "made by Muster itself")],
            TlsMode::Off => vec![Finding::ok(SUBJECT, "none: devices are served without TLS")],
        };
    };
    if acs.tls != TlsMode::Files {
        return vec![Finding::warning(
            SUBJECT,
            "acs.tls_cert and acs.tls_key are set but not used".to_owned(),
            "Set acs.tls = \"files\", or remove them.",
        )];
    }
    let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
    match server_config(&files, acs.tls_client_ca.as_deref()) {
        Ok(_) => vec![lifetime(certificate)],
        Err(error) => vec![Finding::error(
            SUBJECT,
            error.to_string(),
            "Give PEM files that Muster may read: the chain with the leaf first, and its key.",
        )],
    }
}

fn lifetime(path: &Path) -> Finding {
    let bounds = CertificateDer::from_pem_file(path).ok().and_then(|der| {
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
        let validity = certificate.validity();
        Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
    });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match bounds {
        None => Finding::warning(
            SUBJECT,
            format!("cannot read the lifetime in {}", path.display()),
            "Look with `openssl x509 -noout -dates -in FILE`.",
        ),
        Some(bounds) => judge(bounds, now),
    }
}

/// `bounds` and `now` in seconds since 1970.
pub(super) fn judge((from, until): (i64, i64), now: i64) -> Finding {
    let days = (until - now) / DAY;
    let mend = "Renew it and restart Muster.";
    if now < from {
        let mend = "Look at the clock of this host, or give a certificate that is good already.";
        Finding::error(SUBJECT, "not good yet".to_owned(), mend)
    } else if now >= until {
        Finding::error(SUBJECT, format!("expired {} days ago", -days), mend)
    } else if days < 30 {
        Finding::warning(SUBJECT, format!("expires in {days} days"), mend)
    } else {
        Finding::ok(SUBJECT, format!("good for {days} days, and its key fits"))
    }
}
