//! The connection request: an HTTP GET that asks a device to open a session now (TR-069 3.2.2).
//!
//! Owns that one exchange. The device chose the URL, so this module must never connect to an
//! address that the policy forbids, follow a redirect, send a password in clear to a device that
//! is set up for Digest, or read without a bound (K3). Repeating, de-duplicating and backing off
//! are the caller's, and so is the only proof of success: the session that follows (K4).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use muster_cwmp::digest::{self, Challenge, ChallengeError};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use url::{Host, Position, Url};

/// Longest URL that is used, in bytes; the data model allows 256.
const MAX_URL_BYTES: usize = 1024;
/// Most that is buffered of a response head, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most header lines of a response.
const MAX_HEADERS: usize = 64;
/// Longest body of a 401 that is read in order to use the connection again, in bytes.
const MAX_BODY_BYTES: u64 = 16 * 1024;
/// How long such a body may take; some devices announce one that never comes.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// Whom to wake.
#[derive(Clone)]
pub struct WakeTarget {
    /// The device's ConnectionRequestURL.
    pub url: String,
    /// Its ConnectionRequestUsername.
    pub username: String,
    /// Its ConnectionRequestPassword.
    pub password: String,
}

impl fmt::Debug for WakeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeTarget")
            .field("url", &self.url)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// How far to go for it.
#[derive(Debug, Clone)]
pub struct WakePolicy {
    /// For everything together; 5 to 10 seconds (K3).
    pub timeout: Duration,
    /// Whether the password may be sent in clear if the device offers nothing better.
    pub allow_basic: bool,
    /// Our own networks. Loopback, link-local, multicast and unspecified addresses are forbidden
    /// without being named.
    pub forbidden: Vec<IpNet>,
    /// Exceptions from all that is forbidden.
    pub allowed: Vec<IpNet>,
}

impl Default for WakePolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(8),
            allow_basic: false,
            forbidden: Vec::new(),
            allowed: Vec::new(),
        }
    }
}

impl WakePolicy {
    /// Whether a device at this address may be called.
    pub fn permits(&self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6 clothes is judged as what it is.
        let address = address.to_canonical();
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        let special = address.is_loopback()
            || address.is_multicast()
            || address.is_unspecified()
            || match address {
                IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
                IpAddr::V6(v6) => v6.is_unicast_link_local() || wraps_ipv4(v6),
            };
        within(&self.allowed) || !(special || within(&self.forbidden) || is_own(address))
    }
}

/// NAT64, 6to4 and IPv4-compatible addresses lead to an IPv4 address that was not judged.
fn wraps_ipv4(address: std::net::Ipv6Addr) -> bool {
    let s = address.segments();
    s[..2] == [0x64, 0xff9b] || s[0] == 0x2002 || s[..6] == [0; 6]
}

/// Whether it is an address of this host: only such a one can be bound.
fn is_own(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Why a device could not be woken, for an operator to read. `device` is the host and port of its
/// connection request URL.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// Nothing to call.
    #[error("the device has not reported a connection request URL")]
    NoUrl,
    /// Not a URL that can be used.
    #[error("the device reported a connection request URL that cannot be used: {0}")]
    BadUrl(String),
    /// TR-069 3.2.2 asks for HTTP; HTTPS is a vendor's own.
    #[error("the device asks for connection requests over HTTPS, which is not supported")]
    Https,
    /// The name has no address.
    #[error("the name in the device's connection request URL, {0}, does not resolve")]
    Unresolved(String),
    /// Server-side request forgery, or a network that the operator must release.
    #[error(
        "connection requests to {0} are forbidden: it is an address of our own networks; \
         if devices really live there, add it to the allowed networks"
    )]
    Forbidden(IpAddr),
    /// No answer in time.
    #[error(
        "the device at {device} did not answer within {} s: it may be behind NAT or a firewall",
        .timeout.as_secs_f64()
    )]
    Silent {
        /// Host and port.
        device: String,
        /// The policy's.
        timeout: Duration,
    },
    /// The TCP connection failed.
    #[error("the device at {device} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        device: String,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// Connected, asked, and hung up on.
    #[error("the device at {device} closed the connection without an answer")]
    Closed {
        /// Host and port.
        device: String,
    },
    /// Something else than a device answers there.
    #[error("what answers at {device} does not speak HTTP")]
    NotHttp {
        /// Host and port.
        device: String,
    },
    /// Its challenge cannot or may not be answered.
    #[error("the device at {device} cannot be authenticated to: {reason}")]
    Challenge {
        /// Host and port.
        device: String,
        /// Why not.
        reason: ChallengeError,
    },
    /// A 401 after an answered challenge.
    #[error("the device at {device} refuses the connection request user name or password")]
    Credentials {
        /// Host and port.
        device: String,
    },
    /// 503: a session is open or too many requests came (K1).
    #[error("the device at {device} is busy: it may be in a session already")]
    Busy {
        /// Host and port.
        device: String,
    },
    /// 3xx, which is never followed.
    #[error("the device at {device} answered with a redirect, which is not followed")]
    Redirected {
        /// Host and port.
        device: String,
    },
    /// Any other status.
    #[error("the device at {device} answered with HTTP status {status}")]
    Status {
        /// Host and port.
        device: String,
        /// As answered.
        status: u16,
    },
}

/// Asks a device for a session. `Ok` means that it accepted (200 or 204), or that it hung up after
/// an answered challenge, as some do that then call back (K2): whether it was woken, the session
/// shows (K4).
///
/// # Errors
/// [`WakeError`]; of these [`WakeError::Busy`] and [`WakeError::Silent`] may pass by themselves.
pub async fn connection_request(target: &WakeTarget, policy: &WakePolicy) -> Result<(), WakeError> {
    let place = Place::new(&target.url)?;
    match timeout(policy.timeout, wake(target, policy, &place)).await {
        Ok(result) => result,
        Err(_) => Err(WakeError::Silent { device: place.device, timeout: policy.timeout }),
    }
}

async fn wake(target: &WakeTarget, policy: &WakePolicy, place: &Place) -> Result<(), WakeError> {
    let address = place.resolve(policy).await?;
    let mut link = place.open(address).await?;
    let response = match link.sender.send_request(place.request(None)?).await {
        Ok(response) => response,
        Err(error) if error.is_parse() => {
            return Err(place.error(|device| WakeError::NotHttp { device }));
        }
        Err(_) => return Err(place.error(|device| WakeError::Closed { device })),
    };
    if response.status() != StatusCode::UNAUTHORIZED {
        return place.verdict(response.status());
    }
    let challenge = Challenge::parse(&challenges(response.headers()), policy.allow_basic)
        .map_err(|reason| place.error(|device| WakeError::Challenge { device, reason }))?;
    let cnonce = format!("{:016x}", rand::random::<u64>());
    let answer = |nc| {
        let WakeTarget { username, password, .. } = target;
        digest::answer(&challenge, username, password, "GET", &place.target, &cnonce, nc)
    };
    if let Some(mut link) = reusable(response, link).await {
        let request = place.request(Some(answer(1)))?;
        if let Ok(response) = link.sender.send_request(request).await {
            return place.verdict(response.status());
        }
        // It had hung up already. Asking twice does no harm: it makes one session (K1).
    }
    let mut link = place.open(address).await?;
    match link.sender.send_request(place.request(Some(answer(2)))?).await {
        Ok(response) => place.verdict(response.status()),
        Err(error) if error.is_parse() => Err(place.error(|device| WakeError::NotHttp { device })),
        Err(error) => {
            tracing::debug!(device = %place.device, %error, "connection request unconfirmed");
            Ok(())
        }
    }
}

/// The challenges of a 401. hyper has unfolded the lines; bytes that are not UTF-8 are replaced.
fn challenges(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// The connection, if it can carry a second request. A 401 without a length ends with the
/// connection, whatever the device meant (K2).
async fn reusable(response: Response<Incoming>, mut link: Link) -> Option<Link> {
    let body = response.into_body();
    let length = body.size_hint().exact().filter(|length| *length <= MAX_BODY_BYTES)?;
    let body = Limited::new(body, usize::try_from(length).ok()?);
    timeout(BODY_PATIENCE, body.collect()).await.ok()?.ok()?;
    link.sender.ready().await.ok()?;
    Some(link)
}

/// An open connection; its driver ends with it.
struct Link {
    sender: SendRequest<Empty<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

/// A connection request URL taken apart.
struct Place {
    host: Host<String>,
    port: u16,
    /// Host and port, for messages.
    device: String,
    /// The Host header.
    authority: String,
    /// Path and query: the request target and the Digest's uri.
    target: String,
}

impl Place {
    fn new(text: &str) -> Result<Self, WakeError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(WakeError::NoUrl);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(WakeError::BadUrl(format!("it is longer than {MAX_URL_BYTES} bytes")));
        }
        let url = Url::parse(text).map_err(|error| WakeError::BadUrl(error.to_string()))?;
        match url.scheme() {
            "http" => {}
            "https" => return Err(WakeError::Https),
            scheme => return Err(WakeError::BadUrl(format!("its scheme is {scheme}"))),
        }
        let host = url.host().expect("the parser refuses an http URL without a host").to_owned();
        let port = url.port().unwrap_or(80);
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let target = url[Position::BeforePath..Position::AfterQuery].to_owned();
        Ok(Self { device: format!("{host}:{port}"), host, port, authority, target })
    }

    /// The address to connect to: the very one that was checked, so that a name cannot answer with
    /// another one the second time.
    async fn resolve(&self, policy: &WakePolicy) -> Result<SocketAddr, WakeError> {
        let found: Vec<SocketAddr> = match &self.host {
            Host::Ipv4(v4) => vec![SocketAddr::from((*v4, self.port))],
            Host::Ipv6(v6) => vec![SocketAddr::from((*v6, self.port))],
            Host::Domain(name) => match lookup_host((name.as_str(), self.port)).await {
                Ok(found) => found.collect(),
                Err(_) => Vec::new(),
            },
        };
        let first = found.first().ok_or_else(|| WakeError::Unresolved(self.host.to_string()))?;
        found
            .iter()
            .find(|address| policy.permits(address.ip()))
            .copied()
            .ok_or_else(|| WakeError::Forbidden(first.ip()))
    }

    async fn open(&self, address: SocketAddr) -> Result<Link, WakeError> {
        let unreachable = |reason| self.error(|device| WakeError::Unreachable { device, reason });
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| self.error(|device| WakeError::Closed { device }))?;
        let driver = tokio::spawn(async move {
            // The request that was sent on it reports the error.
            let _ = connection.await;
        });
        Ok(Link { sender, _driver: AbortOnDropHandle::new(driver) })
    }

    fn request(&self, authorization: Option<String>) -> Result<Request<Empty<Bytes>>, WakeError> {
        let mut request = Request::get(self.target.as_str())
            .header(HOST, self.authority.as_str())
            .header(USER_AGENT, "Muster");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Empty::new()).map_err(|error| WakeError::BadUrl(error.to_string()))
    }

    fn verdict(&self, status: StatusCode) -> Result<(), WakeError> {
        if status.is_success() {
            return Ok(());
        }
        Err(self.error(|device| match status {
            StatusCode::UNAUTHORIZED => WakeError::Credentials { device },
            StatusCode::SERVICE_UNAVAILABLE => WakeError::Busy { device },
            status if status.is_redirection() => WakeError::Redirected { device },
            status => WakeError::Status { device, status: status.as_u16() },
        }))
    }

    fn error(&self, kind: impl FnOnce(String) -> WakeError) -> WakeError {
        kind(self.device.clone())
    }
}

#[cfg(test)]
mod tests;
