//! The device's HTTP side: one HTTP/1.1 connection per peer, kept alive, with cookies and Digest.
//!
//! Owns sockets and TLS towards the ACS and file servers. Certificates are checked against the CA
//! file if there is one and otherwise not at all, as `/tr069-client check-certificate=no`: nothing
//! but a simulator may do that.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, LOCATION, SET_COOKIE,
    USER_AGENT, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use muster_cwmp::digest::{self, Challenge};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use url::Url;

/// How long a peer may take to accept, to answer, and to send each part of a body.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a 401 page that are read to keep its connection.
const MAX_REFUSAL: usize = 1 << 20;

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Neither http nor https, or no host.
    #[error("`{0}` is no http or https URL")]
    Url(String),
    /// TCP or TLS failed.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The TLS set-up failed: an unreadable CA file, or an impossible server name.
    #[error("TLS: {0}")]
    Tls(String),
    /// The peer broke HTTP or hung up.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// A header that this side wants to send is none.
    #[error(transparent)]
    Header(#[from] hyper::http::Error),
    /// The body is broken off or larger than allowed.
    #[error("body: {0}")]
    Body(String),
    /// No answer in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
}

/// What all connections of a fleet share.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
}

impl Client {
    /// A client that trusts the certificates of `ca_file` (PEM), or any without one.
    ///
    /// # Errors
    /// [`HttpError::Tls`] when the file cannot be read or holds no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, HttpError> {
        let tls_error = |error: &dyn std::fmt::Display| HttpError::Tls(error.to_string());
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error(&error))?;
        let config = match ca_file {
            None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(TrustAnything(provider)))
                .with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                let name = path.display();
                let certificates = CertificateDer::pem_file_iter(path)
                    .map_err(|error| HttpError::Tls(format!("{name}: {error}")))?;
                for certificate in certificates {
                    let certificate =
                        certificate.map_err(|error| HttpError::Tls(format!("{name}: {error}")))?;
                    roots.add(certificate).map_err(|error| tls_error(&error))?;
                }
                if roots.is_empty() {
                    return Err(HttpError::Tls(format!("{name} holds no certificate")));
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    async fn open(&self, url: &Url) -> Result<Link, HttpError> {
        let unusable = || HttpError::Url(url.to_string());
        let host = url.host_str().ok_or_else(unusable)?;
        let port = url.port_or_known_default().ok_or_else(unusable)?;
        // The brackets of an IPv6 literal are the URL's, not the address's.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        match url.scheme() {
            "http" => Link::start(stream).await,
            "https" => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|error| HttpError::Tls(error.to_string()))?;
                Link::start(self.tls.connect(name, stream).await?).await
            }
            _ => Err(unusable()),
        }
    }
}

/// One connection; closed when dropped.
struct Link {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Link {
    async fn start<T>(stream: T) -> Result<Self, HttpError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await?;
        // An error of the connection reaches the request that waits on it.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// One server as one device sees it, for the length of a session or a transfer.
pub struct Peer {
    client: Client,
    url: Url,
    link: Option<Link>,
    username: String,
    password: String,
    challenge: Option<Challenge>,
    nonce_count: u32,
    cookies: Vec<(String, String)>,
}

impl Peer {
    /// A peer that is not connected yet. The credentials are sent only when it asks for them:
    /// Digest anywhere, Basic over TLS only.
    pub fn new(client: Client, url: Url, username: &str, password: &str) -> Self {
        Self {
            client,
            url,
            link: None,
            username: username.to_owned(),
            password: password.to_owned(),
            challenge: None,
            nonce_count: 0,
            cookies: Vec::new(),
        }
    }

    /// Sends one request on the open connection, or on a new one.
    ///
    /// # Errors
    /// [`HttpError`]; the next request opens a new connection.
    pub async fn request(
        &mut self,
        method: Method,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Response<Incoming>, HttpError> {
        let exchange = self.exchange(method, content_type, body);
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        match answer.unwrap_or(Err(HttpError::Timeout)) {
            Ok(response) => {
                self.keep_cookies(response.headers());
                Ok(response)
            }
            Err(error) => {
                self.link = None;
                Err(error)
            }
        }
    }

    /// The same, and once more with credentials if it answers 401 with a usable challenge.
    ///
    /// # Errors
    /// As [`Peer::request`].
    pub async fn request_as_user(
        &mut self,
        method: Method,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Response<Incoming>, HttpError> {
        let response = self.request(method.clone(), content_type, body.clone()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.challenged(response.headers()) {
            return Ok(response);
        }
        collect(response.into_body(), MAX_REFUSAL).await?;
        self.request(method, content_type, body).await
    }

    /// Remembers the challenge of a 401; false when there is none that can be answered.
    pub fn challenged(&mut self, headers: &HeaderMap) -> bool {
        let values: Vec<&str> =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok()).collect();
        self.nonce_count = 0;
        self.challenge = Challenge::parse(&values, self.url.scheme() == "https").ok();
        self.challenge.is_some()
    }

    /// Goes to where a redirect points; false when it points nowhere.
    pub fn follow(&mut self, headers: &HeaderMap) -> bool {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(url) = location.and_then(|location| self.url.join(location).ok()) else {
            return false;
        };
        self.url = url;
        self.link = None;
        self.challenge = None;
        true
    }

    async fn exchange(
        &mut self,
        method: Method,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Response<Incoming>, HttpError> {
        let mut target = self.url.path().to_owned();
        if let Some(query) = self.url.query() {
            target.push('?');
            target.push_str(query);
        }
        let mut request = Request::builder()
            .method(&method)
            .uri(&target)
            .header(HOST, authority(&self.url))
            .header(USER_AGENT, "MikroTik");
        if method != Method::GET && body.is_empty() {
            request = request.header(CONTENT_LENGTH, "0");
        }
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(authorization) = self.authorization(&method, &target) {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let request = request.body(Full::new(body))?;
        let link = match self.link.take().filter(|link| !link.sender.is_closed()) {
            Some(link) => link,
            None => self.client.open(&self.url).await?,
        };
        let link = self.link.insert(link);
        link.sender.ready().await?;
        Ok(link.sender.send_request(request).await?)
    }

    fn authorization(&mut self, method: &Method, target: &str) -> Option<String> {
        let challenge = self.challenge.as_ref()?;
        self.nonce_count += 1;
        let cnonce = format!("{:032x}", rand::random::<u128>());
        let (user, password) = (&self.username, &self.password);
        let count = self.nonce_count;
        Some(digest::answer(challenge, user, password, method.as_str(), target, &cnonce, count))
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE).iter().filter_map(|v| v.to_str().ok()) {
            let pair = value.split(';').next().unwrap_or(value);
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`HttpError::Body`] when it is longer or broken off, [`HttpError::Timeout`].
pub async fn collect(body: Incoming, limit: usize) -> Result<Bytes, HttpError> {
    let whole = tokio::time::timeout(PATIENCE, Limited::new(body, limit).collect()).await;
    match whole {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(HttpError::Body(error.to_string())),
        Err(_) => Err(HttpError::Timeout),
    }
}

/// Reads a body of any length, and gives each part away as it comes; its bytes.
///
/// # Errors
/// As [`collect`], but each part has its own time.
pub async fn stream(mut body: Incoming, mut take: impl FnMut(&[u8])) -> Result<u64, HttpError> {
    let mut total = 0;
    loop {
        match tokio::time::timeout(PATIENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], |data| &data[..]);
                total += data.len() as u64;
                take(data);
            }
            Ok(Some(Err(error))) => return Err(HttpError::Body(error.to_string())),
            Ok(None) => return Ok(total),
            Err(_) => return Err(HttpError::Timeout),
        }
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// `check-certificate=no`: any certificate will do, but its key must have signed the handshake.
#[derive(Debug)]
struct TrustAnything(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
