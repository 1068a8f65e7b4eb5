//! Real connections over loopback against a small router.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::tls::{self_made, server_config};
use super::*;

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(600);

fn options() -> ServeOptions {
    ServeOptions {
        name: "test",
        max_connections: 10,
        max_connections_per_address: 10,
        header_read_timeout: LONG,
        idle_timeout: LONG,
        tls_handshake_timeout: LONG,
        title_case_headers: true,
        half_close: true,
        drain: LONG,
    }
}

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(tls: Option<Arc<ServerConfig>>, router: Router, options: ServeOptions) -> Self {
        let tcp = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(tcp, tls, router, options, shutdown.clone()));
        Self { address, shutdown, task }
    }

    async fn plain(options: ServeOptions) -> Self {
        Self::start(None, router(), options).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// `/` says what a handler knows of its connection; `/slot` what its slot held, filling it.
fn router() -> Router {
    let about = |Extension(info): Extension<ConnInfo>| async move {
        format!("{} {} {:?}", info.peer.ip(), info.tls, info.client_cn.as_deref())
    };
    let slot = |Extension(slot): Extension<ConnSlot>| async move {
        let before = slot.get();
        slot.set(Some(Uuid::nil()));
        format!("{before:?}")
    };
    Router::new().route("/", get(about)).route("/slot", get(slot))
}

/// One request on a connection that stays open; head and body of the answer.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Returns when the server has closed the connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is a close too.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn a_request_knows_its_connection() {
    let server = Server::plain(options()).await;
    let mut one = server.connect().await;
    let (head, body) = ask(&mut one, "/").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: "), "{head}");
    assert_eq!(body, "127.0.0.1 false None");
    assert_eq!(ask(&mut one, "/slot").await.1, "None");
    assert_eq!(ask(&mut one, "/slot").await.1, format!("{:?}", Some(Uuid::nil())));
    let mut other = server.connect().await;
    assert_eq!(ask(&mut other, "/slot").await.1, "None");
    server.stop().await;
}

#[tokio::test]
async fn over_a_cap_a_connection_is_closed_and_its_place_comes_back() {
    for options in [
        ServeOptions { max_connections: 1, ..options() },
        ServeOptions { max_connections_per_address: 1, ..options() },
    ] {
        let server = Server::plain(options).await;
        let mut first = server.connect().await;
        ask(&mut first, "/").await;
        closed(&mut server.connect().await).await;
        drop(first);
        // The server learns of the close in its own time; until then it refuses.
        let request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        loop {
            let mut again = server.connect().await;
            let mut answer = Vec::new();
            let sent = again.write_all(request).await;
            if sent.is_ok() && again.read_to_end(&mut answer).await.is_ok() && !answer.is_empty() {
                break;
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_slow_head_and_an_idle_connection_are_closed() {
    let slow = Server::plain(ServeOptions { header_read_timeout: SHORT, ..options() }).await;
    let mut silent = slow.connect().await;
    let mut loris = slow.connect().await;
    loris.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    closed(&mut silent).await;
    closed(&mut loris).await;
    slow.stop().await;

    let idle = Server::plain(ServeOptions { idle_timeout: SHORT, ..options() }).await;
    let mut quiet = idle.connect().await;
    ask(&mut quiet, "/").await;
    closed(&mut quiet).await;
    idle.stop().await;
}

#[tokio::test]
async fn shutdown_lets_a_request_end_and_leaves_idle_connections() {
    let entered = Arc::new(Notify::new());
    let release = Arc::new(Notify::new());
    let (tell, wait) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = move || {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            "done"
        }
    };
    let server = Server::start(None, router().route("/slow", get(slow)), options()).await;
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    ask(&mut idle, "/").await;
    let mut busy = server.connect().await;
    let answer = tokio::spawn(async move { ask(&mut busy, "/slow").await.1 });
    entered.notified().await;
    server.shutdown.cancel();
    closed(&mut fresh).await;
    closed(&mut idle).await;
    release.notify_one();
    assert_eq!(answer.await.unwrap(), "done");
    server.stop().await;
}

#[tokio::test]
async fn the_drain_is_bounded() {
    let entered = Arc::new(Notify::new());
    let tell = Arc::clone(&entered);
    let stuck = move || {
        tell.notify_one();
        std::future::pending::<&'static str>()
    };
    let options = ServeOptions { drain: SHORT, ..options() };
    let server = Server::start(None, Router::new().route("/", get(stuck)), options).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    entered.notified().await;
    server.stop().await;
    closed(&mut busy).await;
}

/// A CA and a client certificate of this common name, both as PEM, and the client's key.
fn client_certificate(cn: &str) -> (String, String, String) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut client = CertificateParams::new(Vec::<String>::new()).unwrap();
    client.distinguished_name.push(DnType::CommonName, cn);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client_pem = client.signed_by(&key, &issuer).unwrap().pem();
    (ca_pem, client_pem, key.serialize_pem())
}

#[tokio::test]
async fn tls_shows_the_name_of_a_client_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let files = self_made(directory.path(), &["localhost".to_owned()]).unwrap();
    let (ca, certificate, key) = client_certificate("4C5E0C-HG1");
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, ca).unwrap();
    let config = server_config(&files, Some(&ca_file)).unwrap();
    let server = Server::start(Some(config), router(), options()).await;

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let anonymous = builder.clone().with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let known = builder.with_client_auth_cert(chain, key).unwrap();
    let expected = [(anonymous, "None"), (known, "Some(\"4C5E0C-HG1\")")];
    for (config, cn) in expected {
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, server.connect().await).await.unwrap();
        assert_eq!(ask(&mut stream, "/").await.1, format!("127.0.0.1 true {cn}"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_tls_handshake_has_a_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let files = self_made(directory.path(), &["localhost".to_owned()]).unwrap();
    let config = server_config(&files, None).unwrap();
    let options = ServeOptions { tls_handshake_timeout: SHORT, ..options() };
    let server = Server::start(Some(config), router(), options).await;
    closed(&mut server.connect().await).await;
    server.stop().await;
}
