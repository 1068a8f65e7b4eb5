//! The listeners' ports, and the addresses that devices and people use.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

use super::{Finding, muster_runs};
use crate::config::{AcsConfig, Config, TlsMode, WebConfig};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let held = muster_runs(config).await;
    let mut findings = vec![
        port("CWMP port", config.acs.listen, held),
        port("dashboard port", config.web.listen, held),
        port("metrics port", config.metrics.listen, held),
    ];
    findings.extend(public_url(&config.acs).await);
    findings.extend(web_url(&config.web).await);
    findings
}

fn port(subject: &'static str, listen: SocketAddr, held: bool) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(subject, format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && held => {
            Finding::ok(subject, format!("{listen} is held, and Muster is running"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::error(
            subject,
            format!("another program listens on {listen}"),
            "Stop it (`ss -ltnp` names it), or set another listen address.",
        ),
        Err(error) => Finding::error(
            subject,
            format!("cannot listen on {listen}: {error}"),
            "Use an address of this host, and a port from 1024 up unless Muster may use lower ones.",
        ),
    }
}

async fn public_url(acs: &AcsConfig) -> Vec<Finding> {
    let subject = "public address";
    let Some(url) = acs.public_url.as_deref().and_then(|url| Url::parse(url).ok()) else {
        return vec![Finding::warning(
            subject,
            "acs.public_url is not set, so devices get whatever address they came by".to_owned(),
            "Set it to what devices call this server, such as http://acs.example:7547.",
        )];
    };
    let mut findings = vec![
        reachable(
            subject,
            &url,
            "Add it to the DNS that the devices use, or correct acs.public_url.",
            "Right for simulated devices; real ones need an address that they can reach.",
        )
        .await,
    ];
    match (url.scheme(), acs.tls) {
        ("http", TlsMode::Files | TlsMode::SelfMade) => findings.push(Finding::error(
            subject,
            "acs.public_url is http, but the listener speaks TLS".to_owned(),
            "Make it https, or set acs.tls = \"off\".",
        )),
        ("https", TlsMode::Off) => findings.push(Finding::warning(
            subject,
            "acs.public_url is https, but the listener speaks plain HTTP".to_owned(),
            "Right with a TLS proxy before it; otherwise set acs.tls.",
        )),
        _ => {}
    }
    findings
}

/// The dashboard needs no name of its own: without one it is what people type.
async fn web_url(web: &WebConfig) -> Vec<Finding> {
    let subject = "dashboard's address";
    let Some(url) = web.public_url.as_deref().and_then(|url| Url::parse(url).ok()) else {
        return Vec::new();
    };
    let mut findings = vec![
        reachable(
            subject,
            &url,
            "Add it to the DNS that people use, or correct web.public_url.",
            "Right as long as nobody opens the dashboard from elsewhere.",
        )
        .await,
    ];
    if url.scheme() == "http" && web.tls != TlsMode::Off {
        findings.push(Finding::error(
            subject,
            "web.public_url is http, but the listener speaks TLS".to_owned(),
            "Make it https, or set web.tls = \"off\".",
        ));
    }
    findings
}

/// Where a public URL leads; how to mend a name that leads nowhere, and one that leads only here.
async fn reachable(
    subject: &'static str,
    url: &Url,
    nowhere: &'static str,
    here: &'static str,
) -> Finding {
    let addresses: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => match timeout(PATIENCE, lookup_host((name, 0))).await {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    match addresses.first() {
        None => Finding::error(subject, format!("the name in {url} does not resolve"), nowhere),
        Some(address) if address.is_loopback() => {
            Finding::warning(subject, format!("{url} is this host only ({address})"), here)
        }
        Some(address) => Finding::ok(subject, format!("{url} is {address}")),
    }
}

/// Whether a Muster answers `/healthz` on a listener without TLS.
pub(super) async fn answers_health(listen: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(local(listen)).await?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut status = [0_u8; 12];
        stream.read_exact(&mut status).await?;
        Ok::<bool, std::io::Error>(status.starts_with(b"HTTP/1.") && status.ends_with(b" 200"))
    };
    matches!(timeout(PATIENCE, ask).await, Ok(Ok(true)))
}

/// Where this host itself reaches a listener on every address.
fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
