//! Accepting connections and serving HTTP/1 on them.
//!
//! Owns caps, deadlines, the drain at the end, and what each request is told of its connection
//! ([`ConnInfo`], [`ConnSlot`]). Must never look into a request. A deadline for a whole body is the
//! handler's: only it knows what it is owed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use uuid::Uuid;

use super::deadline::{Activity, Watched};
use super::tls;

/// Connections that wait to be accepted: a boot storm of a region arrives within a second.
const BACKLOG: u32 = 4096;
/// Most that is buffered of one connection before hyper looks at it, in bytes. It looks after a read
/// of up to as much again: no request head of twice this size gets through.
const MAX_BUFFER: usize = 32 * 1024;
/// Wait after a failed accept (no file descriptors left), so that it cannot spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a listener treats its connections.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Label of the metrics and of log lines: `cwmp`, `web`, `metrics`.
    pub name: &'static str,
    /// Open connections; further ones are closed at once.
    pub max_connections: usize,
    /// Open connections of one IPv4 address or one IPv6 /64. Behind carrier NAT or a load balancer
    /// many devices share one.
    pub max_connections_per_address: usize,
    /// From the first byte of a request head (or the accept) to its end.
    pub header_read_timeout: Duration,
    /// Longest time in which no byte moves, between requests or within one.
    pub idle_timeout: Duration,
    /// From the accept to the end of the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Write `Content-Type`, not `content-type`: some firmware compares header names by case.
    pub title_case_headers: bool,
    /// Whether a client may close its sending side and still be answered, as some CPEs do. Where it
    /// may not, a client that goes away ends its answer at once, also a stream that is silent.
    pub half_close: bool,
    /// How long requests under way may take to end after the shutdown was asked for.
    pub drain: Duration,
}

/// What a request may know of the connection it came on; a request extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnInfo {
    /// The other end. An IPv4 address that came in over IPv6 is shown as IPv4.
    pub peer: SocketAddr,
    /// Our end: the address that the client really reached.
    pub local: SocketAddr,
    /// Whether TLS protects it.
    pub tls: bool,
    /// Common name of the client's certificate, which has been verified.
    pub client_cn: Option<Arc<str>>,
}

/// A place per connection where a handler may keep the id of a session; a request extension. For
/// devices that return no cookie the session is bound to the TCP connection (TR-069 3.4.2, H5).
#[derive(Debug, Clone, Default)]
pub struct ConnSlot(pub Arc<Mutex<Option<Uuid>>>);

impl ConnSlot {
    /// What an earlier request of this connection put here.
    pub fn get(&self) -> Option<Uuid> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds a session to the connection, or unbinds it.
    pub fn set(&self, session: Option<Uuid>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }
}

/// Opens a listening socket.
///
/// # Errors
/// The address is taken, not ours, or needs a privilege.
pub async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server must not wait for the old one's connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Accepts and serves connections until `shutdown`, then lets requests under way end within
/// `options.drain` and returns.
///
/// # Errors
/// Only if the socket has no local address; a failing accept is logged, waited out and retried.
pub async fn serve(
    tcp: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let drain = options.drain;
    let local = tcp.local_addr()?;
    let shared = Arc::new(Shared {
        http: http(&options),
        tls: tls.map(TlsAcceptor::from),
        router,
        open: metrics::gauge!("muster_connections_open", "listener" => options.name),
        admitted: Mutex::default(),
        local,
        options,
        shutdown,
        cut: CancellationToken::new(),
    });
    let tasks = TaskTracker::new();
    accept_all(&tcp, &shared, &tasks).await;
    drop(tcp);
    tasks.close();
    if timeout(drain, tasks.wait()).await.is_err() {
        let listener = shared.options.name;
        tracing::warn!(listener, connections = tasks.len(), "drain time is over, cutting");
        shared.cut.cancel();
        tasks.wait().await;
    }
    Ok(())
}

fn http(options: &ServeOptions) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.half_close(options.half_close)
        .title_case_headers(options.title_case_headers)
        .max_buf_size(MAX_BUFFER)
        // See `deadline` for why hyper's is off.
        .header_read_timeout(None::<Duration>);
    http
}

/// All that the connections of one listener share.
struct Shared {
    http: http1::Builder,
    tls: Option<TlsAcceptor>,
    router: Router,
    options: ServeOptions,
    local: SocketAddr,
    open: metrics::Gauge,
    admitted: Mutex<Admitted>,
    /// Finish what is under way.
    shutdown: CancellationToken,
    /// Stop now.
    cut: CancellationToken,
}

#[derive(Default)]
struct Admitted {
    total: usize,
    per_address: HashMap<IpAddr, usize>,
}

impl Shared {
    fn refuse(&self, reason: &'static str) {
        metrics::counter!(
            "muster_connections_refused_total",
            "listener" => self.options.name,
            "reason" => reason
        )
        .increment(1);
    }

    /// A place under both caps, given back when dropped.
    fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Place, &'static str> {
        let address = cap_key(peer);
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if admitted.total >= self.options.max_connections {
            return Err("max_connections");
        }
        let count = admitted.per_address.entry(address).or_insert(0);
        if *count >= self.options.max_connections_per_address {
            return Err("max_connections_per_address");
        }
        *count += 1;
        admitted.total += 1;
        self.open.increment(1.0);
        Ok(Place { shared: Arc::clone(self), address })
    }
}

struct Place {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut admitted = self.shared.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.total -= 1;
        if let Some(count) = admitted.per_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                admitted.per_address.remove(&self.address);
            }
        }
        self.shared.open.decrement(1.0);
    }
}

/// One customer has a whole IPv6 /64, so that is what is counted.
fn cap_key(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

async fn accept_all(tcp: &TcpListener, shared: &Arc<Shared>, tasks: &TaskTracker) {
    let listener = shared.options.name;
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = tcp.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                match shared.admit(peer.ip()) {
                    Ok(place) => drop(tasks.spawn(connection(stream, peer, place))),
                    Err(reason) => shared.refuse(reason),
                }
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                // Once per spell: it would otherwise be logged ten times a second.
                if !failing {
                    tracing::error!(listener, %error, "cannot accept connections, retrying");
                }
                failing = true;
                shared.refuse("accept_error");
                tokio::select! {
                    () = shared.shutdown.cancelled() => return,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

/// The client gave up before it was accepted; the listener itself is well.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// One connection, from the accept to its end. `place` is held as long.
async fn connection(stream: TcpStream, peer: SocketAddr, place: Place) {
    let shared = &place.shared;
    let local = stream.local_addr().unwrap_or(shared.local);
    // The answers are small and awaited: Nagle's algorithm would only delay them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let info = ConnInfo { peer, local, tls: shared.tls.is_some(), client_cn: None };
    match &shared.tls {
        None => requests(stream, info, shared).await,
        // Boxed: a plain connection's task must not be as large as one with TLS.
        Some(acceptor) => Box::pin(secure(acceptor, stream, info, shared)).await,
    }
}

/// The handshake, then the requests.
async fn secure(acceptor: &TlsAcceptor, stream: TcpStream, info: ConnInfo, shared: &Shared) {
    let peer = info.peer;
    let handshake = timeout(shared.options.tls_handshake_timeout, acceptor.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = shared.shutdown.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => {
            let client_cn = tls::client_cn(stream.get_ref().1);
            requests(stream, ConnInfo { client_cn, ..info }, shared).await;
        }
        Ok(Err(error)) => {
            shared.refuse("tls_handshake");
            tracing::debug!(listener = shared.options.name, %peer, %error, "TLS handshake failed");
        }
        Err(_) => shared.refuse("tls_timeout"),
    }
}

/// Serves the requests of a connection until an end, a deadline or the shutdown.
async fn requests<S>(stream: S, info: ConnInfo, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = info.peer;
    let activity = Activity::new();
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let slot = ConnSlot::default();
    let router = shared.router.clone();
    let service = {
        let activity = activity.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(info.clone());
            request.extensions_mut().insert(slot.clone());
            let activity = activity.clone();
            activity.request_begins();
            let response = router.clone().call(request);
            async move {
                let response: Result<Response, Infallible> = response.await;
                activity.request_ends();
                response
            }
        })
    };
    let options = &shared.options;
    let mut http = pin!(shared.http.serve_connection(stream, service));
    let mut late = pin!(activity.late(options.header_read_timeout, options.idle_timeout));
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(listener = options.name, %peer, %error, "connection failed");
                }
                return;
            }
            late = late.as_mut() => return shared.refuse(late.reason()),
            () = shared.cut.cancelled() => return,
            () = shared.shutdown.cancelled(), if !draining => {
                if activity.is_fresh() {
                    return;
                }
                draining = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}
