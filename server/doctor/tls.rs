//! The listeners' certificates: readable, with its key, in its time.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Finding;
use crate::config::{Config, TlsMode};
use crate::net::tls::{CertificateFiles, server_config};

const SUBJECT: &str = "TLS certificate";
const WEB_SUBJECT: &str = "dashboard's TLS";
const DAY: i64 = 86_400;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let (acs, web) = (&config.acs, &config.web);
    let devices = Given {
        subject: SUBJECT,
        mode: acs.tls,
        certificate: acs.tls_cert.as_ref(),
        key: acs.tls_key.as_ref(),
        client_ca: acs.tls_client_ca.as_deref(),
        off: "none: devices are served without TLS",
    };
    let dashboard = Given {
        subject: WEB_SUBJECT,
        mode: web.tls,
        certificate: web.tls_cert.as_ref(),
        key: web.tls_key.as_ref(),
        client_ca: None,
        off: "none: for this host, or for a proxy that speaks TLS",
    };
    vec![devices.judge(), dashboard.judge()]
}

/// What the settings of a listener say.
struct Given<'a> {
    subject: &'static str,
    mode: TlsMode,
    certificate: Option<&'a PathBuf>,
    key: Option<&'a PathBuf>,
    client_ca: Option<&'a Path>,
    /// What to say of a listener without TLS.
    off: &'static str,
}

impl Given<'_> {
    fn judge(&self) -> Finding {
        let subject = self.subject;
        let (certificate, key) = match (self.mode, self.certificate, self.key) {
            (TlsMode::Files, Some(certificate), Some(key)) => (certificate, key),
            (TlsMode::Files, _, _) => {
                let mend = "Set tls_cert and tls_key beside tls = \"files\".";
                return Finding::error(subject, "no files are named".to_owned(), mend);
            }
            (TlsMode::Off | TlsMode::SelfMade, None, None) => {
                let own = self.mode == TlsMode::SelfMade;
                return Finding::ok(subject, if own { "made by Muster itself" } else { self.off });
            }
            (TlsMode::Off | TlsMode::SelfMade, _, _) => {
                return Finding::warning(
                    subject,
                    "tls_cert and tls_key are set but not used".to_owned(),
                    "Set tls = \"files\" beside them, or remove them.",
                );
            }
        };
        let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
        match server_config(&files, self.client_ca) {
            Ok(_) => lifetime(subject, certificate),
            Err(error) => Finding::error(
                subject,
                error.to_string(),
                "Give PEM files that Muster may read: the chain with the leaf first, and its key.",
            ),
        }
    }
}

fn lifetime(subject: &'static str, path: &Path) -> Finding {
    let bounds = CertificateDer::from_pem_file(path).ok().and_then(|der| {
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
        let validity = certificate.validity();
        Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
    });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    match bounds {
        None => Finding::warning(
            subject,
            format!("cannot read the lifetime in {}", path.display()),
            "Look with `openssl x509 -noout -dates -in FILE`.",
        ),
        Some(bounds) => judge(subject, bounds, now),
    }
}

/// `bounds` and `now` in seconds since 1970.
pub(super) fn judge(subject: &'static str, (from, until): (i64, i64), now: i64) -> Finding {
    let days = (until - now) / DAY;
    let mend = "Renew it and restart Muster.";
    if now < from {
        let mend = "Look at the clock of this host, or give a certificate that is good already.";
        Finding::error(subject, "not good yet".to_owned(), mend)
    } else if now >= until {
        Finding::error(subject, format!("expired {} days ago", -days), mend)
    } else if days < 30 {
        Finding::warning(subject, format!("expires in {days} days"), mend)
    } else {
        Finding::ok(subject, format!("good for {days} days, and its key fits"))
    }
}
