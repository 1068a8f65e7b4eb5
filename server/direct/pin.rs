//! One certificate is trusted, by its fingerprint: boards sign theirs themselves, and their addresses
//! are in none.
//!
//! Owns that check. That the other side has the key of the certificate is checked as ever.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
};
use sha2::{Digest, Sha256};

/// Trusts the certificate with this fingerprint.
#[derive(Debug)]
pub(super) struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
    refused: OnceLock<[u8; 32]>,
}

impl Pinned {
    /// By the SHA-256 of the certificate (DER).
    pub(super) fn new(fingerprint: [u8; 32]) -> Arc<Self> {
        let provider = Arc::new(ring::default_provider());
        Arc::new(Self { fingerprint, provider, refused: OnceLock::new() })
    }

    /// TLS 1.2 and 1.3 with nobody else.
    pub(super) fn config(self: &Arc<Self>) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Self>::clone(self))
            .with_no_client_auth()
    }

    /// The fingerprint of the certificate that was shown in place of the trusted one, if one was.
    pub(super) fn refused(&self) -> Option<String> {
        self.refused.get().map(hex::encode)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let shown: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
        if shown == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        // Where several connections were refused, each was shown one: the first will do.
        let _ = self.refused.set(shown);
        Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
