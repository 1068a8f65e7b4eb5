//! TLS: certificates from files, the self-made one of a first start, and who a client certificate
//! names.
//!
//! Owns the rustls configuration. Must never log or return key material, and must never widen who
//! is trusted: client certificates count only if the operator names a CA.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use url::{Host, Url};

use crate::config::IdentityMode;
use muster_cwmp::rpc::DeviceId;

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file is missing, unreadable or not PEM.
    #[error("cannot read {} from {}: {reason}", .what, .path.display())]
    Read {
        /// What was looked for in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: pem::Error,
    },
    /// A PEM file holds no certificate.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("the certificate in {} cannot be used: {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: rustls::Error,
    },
    /// The client CA is unusable.
    #[error("the CA for client certificates cannot be used: {0}")]
    ClientCa(#[from] VerifierBuilderError),
    /// The self-made certificate could not be made.
    #[error("cannot make a TLS certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The self-made certificate could not be stored.
    #[error("cannot store the self-made TLS certificate in {}: {reason}", .path.display())]
    Store {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
}

/// A certificate (chain) and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by intermediate ones.
    pub certificate: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Loads a certificate and its key for TLS 1.2 and 1.3, HTTP/1.1 only. With `client_ca`, clients
/// may (not must) present a certificate of that CA (H12); one that does not verify ends the
/// handshake.
///
/// # Errors
/// [`TlsError`], naming the file at fault.
pub fn server_config(
    files: &CertificateFiles,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|reason| TlsError::Read {
        what: "a private key",
        path: files.key.clone(),
        reason,
    })?;
    // Named, not the process default: a library test must not depend on who installed one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3");
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |reason| TlsError::Unusable { path, reason }
    };
    let builder = match client_ca {
        None => versions.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(unusable(path))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()?;
            versions.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(unusable(&files.certificate))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |reason| TlsError::Read { what: "certificates", path: path.to_owned(), reason };
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .map_err(read)?
        .collect::<Result<_, _>>()
        .map_err(read)?;
    if found.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(found)
}

/// The self-made certificate under `data_dir/tls`, made on the first start for these host names and
/// addresses and kept from then on: devices that were told to trust it must find it again.
///
/// # Errors
/// [`TlsError::Store`] or [`TlsError::Make`] (a name that no certificate can hold).
pub fn self_made(data_dir: &Path, names: &[String]) -> Result<CertificateFiles, TlsError> {
    let directory = data_dir.join("tls");
    let files = CertificateFiles {
        certificate: directory.join("cert.pem"),
        key: directory.join("key.pem"),
    };
    make_once(&directory, files, "Muster ACS", names)
}

/// The dashboard's self-made certificate, like [`self_made`] but a pair of its own: it is for other
/// names than the one that devices trust, and may be thrown away without them.
///
/// # Errors
/// As [`self_made`].
pub fn self_made_web(data_dir: &Path, names: &[String]) -> Result<CertificateFiles, TlsError> {
    let directory = data_dir.join("tls");
    let files = CertificateFiles {
        certificate: directory.join("web-cert.pem"),
        key: directory.join("web-key.pem"),
    };
    make_once(&directory, files, "Muster", names)
}

/// The names and addresses under which browsers reach a listener: the host of its public URL, the
/// address that it is bound to, and this host itself.
pub fn web_names(public_url: Option<&str>, listen: IpAddr) -> Vec<String> {
    let public = public_url.and_then(|url| Url::parse(url).ok());
    let public = public.as_ref().and_then(Url::host).map(|host| match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    });
    let bound = (!listen.is_unspecified()).then(|| listen.to_string());
    let here = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = Vec::new();
    for name in public.into_iter().chain(bound).chain(here) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn make_once(
    directory: &Path,
    files: CertificateFiles,
    subject: &str,
    names: &[String],
) -> Result<CertificateFiles, TlsError> {
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, subject);
    // A factory-fresh board believes that it is 1970, and 32-bit firmware ends in January 2038.
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(2037, 12, 31);
    // P-256: an RSA handshake costs more than twice the CPU.
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let store = |path: &Path| {
        let path = path.to_owned();
        move |reason| TlsError::Store { path, reason }
    };
    fs::create_dir_all(directory).map_err(store(directory))?;
    // The certificate last: with it in place the pair is whole.
    write_file(&files.key, 0o600, &key.serialize_pem()).map_err(store(&files.key))?;
    write_file(&files.certificate, 0o644, &certificate.pem()).map_err(store(&files.certificate))?;
    Ok(files)
}

/// Writes under another name and renames, so that a crash leaves no half file.
fn write_file(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new`, so that the mode is ours and not that of a file that was there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Common name of the certificate that a client presented and rustls verified.
pub(super) fn client_cn(connection: &ServerConnection) -> Option<Arc<str>> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.as_ref()).ok()?;
    let name = parsed.subject().iter_common_name().next()?;
    name.as_str().ok().map(Arc::from)
}

/// Whether a certificate's common name is that of this device: `OUI-SerialNumber` or
/// `OUI-ProductClass-SerialNumber`, with characters outside `[A-Za-z0-9_]` as `%XX` (TR-069 3.4.4,
/// H12, U7). A `-` within a part must be escaped, else the device with serial `a-b` could be
/// claimed by the one with product class `a` and serial `b`; other characters may stand as they are.
///
/// Where the product class is part of what a device is, the short form names no device.
pub fn device_cn_matches(cn: &str, id: &DeviceId, identity: IdentityMode) -> bool {
    let parts: Option<Vec<Vec<u8>>> = cn.split('-').map(unescape).collect();
    let Some(parts) = parts else { return false };
    let (oui, class) = (id.oui.as_bytes(), id.product_class.as_bytes());
    let serial = id.serial_number.as_bytes();
    match parts.as_slice() {
        [cn_oui, cn_serial] => {
            identity == IdentityMode::OuiSerial
                && cn_oui.eq_ignore_ascii_case(oui)
                && cn_serial == serial
        }
        [cn_oui, cn_class, cn_serial] => {
            cn_oui.eq_ignore_ascii_case(oui) && cn_class == class && cn_serial == serial
        }
        _ => false,
    }
}

/// Resolves `%XX`; `None` if a `%` is not followed by two hexadecimal digits.
fn unescape(part: &str) -> Option<Vec<u8>> {
    let mut bytes = part.bytes();
    let mut plain = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        plain.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte"));
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_self_made_certificate_is_made_once_and_loads() {
        let directory = tempfile::tempdir().unwrap();
        let names = vec!["acs.example".to_owned(), "192.0.2.1".to_owned()];
        let files = self_made(directory.path(), &names).unwrap();
        let mode = fs::metadata(&files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = fs::read(&files.certificate).unwrap();
        assert_eq!(self_made(directory.path(), &[]).unwrap(), files);
        assert_eq!(fs::read(&files.certificate).unwrap(), first);
        let config = server_config(&files, Some(&files.certificate)).unwrap();
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
    }

    #[test]
    fn a_half_made_pair_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let files = self_made(directory.path(), &["a".to_owned()]).unwrap();
        fs::remove_file(&files.certificate).unwrap();
        server_config(&self_made(directory.path(), &["a".to_owned()]).unwrap(), None).unwrap();
    }

    #[test]
    fn the_dashboard_has_a_certificate_of_its_own_for_all_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let devices = self_made(directory.path(), &["acs.example".to_owned()]).unwrap();
        let names = web_names(Some("https://muster.example:8443"), "192.0.2.7".parse().unwrap());
        assert_eq!(names, ["muster.example", "192.0.2.7", "localhost", "127.0.0.1", "::1"]);
        let web = self_made_web(directory.path(), &names).unwrap();
        server_config(&web, None).unwrap();
        assert_ne!(fs::read(&web.key).unwrap(), fs::read(&devices.key).unwrap());
        assert_eq!(self_made(directory.path(), &[]).unwrap(), devices);
        assert_eq!(
            web_names(Some("https://[2001:db8::1]"), "::".parse().unwrap()),
            ["2001:db8::1", "localhost", "127.0.0.1", "::1"]
        );
        assert_eq!(web_names(None, "127.0.0.1".parse().unwrap()).len(), 3);
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let files = self_made(directory.path(), &["a".to_owned()]).unwrap();
        let empty = directory.path().join("empty.pem");
        fs::write(&empty, "").unwrap();
        let missing = directory.path().join("missing.pem");
        for path in [empty, missing] {
            let as_certificate = CertificateFiles { certificate: path.clone(), ..files.clone() };
            let as_key = CertificateFiles { key: path.clone(), ..files.clone() };
            for error in [
                server_config(&as_certificate, None).unwrap_err(),
                server_config(&as_key, None).unwrap_err(),
                server_config(&files, Some(&path)).unwrap_err(),
            ] {
                assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            }
        }
    }

    #[test]
    fn a_common_name_names_one_device() {
        let id = DeviceId {
            oui: "4C5E0C".into(),
            product_class: "hAP lite".into(),
            serial_number: "HG-1".into(),
            ..DeviceId::default()
        };
        let matches = |cn| device_cn_matches(cn, &id, IdentityMode::OuiSerial);
        let strict = |cn| device_cn_matches(cn, &id, IdentityMode::OuiClassSerial);
        assert!(strict("4c5e0c-hAP%20lite-HG%2d1") && !strict("4C5E0C-HG%2D1"));
        assert!(matches("4C5E0C-HG%2D1"));
        assert!(matches("4c5e0c-hAP%20lite-HG%2d1"));
        assert!(matches("4C5E0C-hAP lite-HG%2D1"));
        for cn in ["", "4C5E0C-HG-1", "4C5E0C-hAP%20lite", "4C5E0D-HG%2D1", "4C5E0C-HG%2D2"] {
            assert!(!matches(cn), "{cn}");
        }
        for cn in ["4C5E0C-HG%2", "4C5E0C-HG%zz1", "4C5E0C-x-HG%2D1", "4C5E0C-HG%2D1-"] {
            assert!(!matches(cn), "{cn}");
        }
    }
}
