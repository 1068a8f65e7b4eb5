//! File transfers: what RouterOS fetches and sends for Download and Upload (routeros.md section 5).
//!
//! Owns which file type does what and which fault each failure is. It never changes the device: it
//! says what arrived, and the device acts on it.

use std::io::Cursor;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use muster_cwmp::fault::{Fault, FaultCode};
use muster_cwmp::rpc::{Download, Upload};
use muster_routeros::npk;
use tokio::time::Instant;
use url::Url;

use crate::cut::Cut;
use crate::http::{Client, HttpError, Peer, collect, stream};
use crate::manifest::{self, Package};

/// Bytes of a script or manifest.
const MAX_TEXT: usize = 4 << 20;
/// MikroTik's own file type, the same for both directions.
const FACTORY: &str = "X MIKROTIK Factory Configuration File";

/// An accepted Download or Upload that waits for its time.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    /// When to begin.
    pub(crate) due: Instant,
    /// What to do.
    pub(crate) order: Order,
}

/// The call of the ACS.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// A.3.2.8
    Download(Download),
    /// A.4.1.5
    Upload(Upload),
}

impl Order {
    /// The job's key, for events and TransferComplete.
    pub(crate) fn command_key(&self) -> &str {
        match self {
            Self::Download(call) => &call.command_key,
            Self::Upload(call) => &call.command_key,
        }
    }
}

/// What a download brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Packages; the board reboots.
    Firmware(Vec<Package>),
    /// A script to run now.
    Alter(String),
    /// A script that replaces the whole configuration, run after a reboot.
    Overwrite(String),
    /// The default configuration of the next factory reset.
    Factory(String),
}

/// What an upload sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// `/export`
    Export,
    /// `/log print`
    Log,
    /// The default configuration script.
    Factory,
}

/// What a download's file type and file name mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Firmware,
    Alter,
    Overwrite,
    Factory,
}

/// The document that an Upload asks for; fault 9003 for a type that RouterOS lacks, 9013 for a
/// scheme that it cannot do.
pub(crate) fn document(call: &Upload) -> Result<Document, Fault> {
    parse_url(&call.url)?;
    match call.file_type.as_str() {
        FACTORY => Ok(Document::Factory),
        text if text.starts_with("1 ") || text.starts_with("3 ") => Ok(Document::Export),
        text if text.starts_with("2 ") || text.starts_with("4 ") => Ok(Document::Log),
        text => Err(unsupported(text)),
    }
}

/// Whether a Download can be accepted; faults as [`document`].
pub(crate) fn check_download(call: &Download) -> Result<(), Fault> {
    kind(call).map(drop)
}

fn kind(call: &Download) -> Result<Kind, Fault> {
    let url = parse_url(&call.url)?;
    match call.file_type.as_str() {
        "1 Firmware Upgrade Image" => Ok(Kind::Firmware),
        // Only the URL's file name decides between changing and erasing.
        "3 Vendor Configuration File" if url.path().ends_with(".alter") => Ok(Kind::Alter),
        "3 Vendor Configuration File" => Ok(Kind::Overwrite),
        FACTORY => Ok(Kind::Factory),
        text => Err(unsupported(text)),
    }
}

/// Fetches what a Download names; also the bytes received.
pub(crate) async fn download(client: &Client, call: &Download) -> Result<(Arrival, u64), Fault> {
    let kind = kind(call)?;
    let (peer, body) = fetch(client, &call.url, &call.username, &call.password).await?;
    let body = collect(body, MAX_TEXT).await.map_err(|error| incomplete(&error))?;
    drop(peer);
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut bytes = body.len() as u64;
    let arrival = match kind {
        Kind::Alter => Arrival::Alter(text),
        Kind::Overwrite => Arrival::Overwrite(text),
        Kind::Factory => Arrival::Factory(text),
        Kind::Firmware => {
            let urls = manifest::parse(&text).map_err(|error| corrupted(&error))?;
            let mut packages = Vec::new();
            for url in urls {
                let (package, size) = fetch_package(client, call, &url).await?;
                packages.push(package);
                bytes += size;
            }
            Arrival::Firmware(packages)
        }
    };
    Ok((arrival, bytes))
}

/// One package of a manifest, and its bytes.
async fn fetch_package(
    client: &Client,
    call: &Download,
    url: &str,
) -> Result<(Package, u64), Fault> {
    let (peer, body) = fetch(client, url, &call.username, &call.password).await?;
    let mut cut = Cut::new();
    let bytes = stream(body, |part| cut.push(part)).await.map_err(|error| incomplete(&error))?;
    drop(peer);
    let file = cut.finish().ok_or_else(|| corrupted(&format!("{url} is no whole package")))?;
    let npk = npk::read(Cursor::new(file)).map_err(|error| corrupted(&error))?;
    let package = Package::new(url, &npk).map_err(|error| corrupted(&error))?;
    Ok((package, bytes))
}

/// Sends a document by HTTP PUT.
pub(crate) async fn upload(client: &Client, call: &Upload, text: String) -> Result<(), Fault> {
    let url = parse_url(&call.url)?;
    let mut peer = Peer::new(client.clone(), url, &call.username, &call.password);
    let body = Bytes::from(text);
    let sent = peer.request_as_user(Method::PUT, Some("text/plain"), body).await;
    let response = sent.map_err(|error| unreachable_server(&error))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(refused(response.status())),
        status => Err(Fault::new(FaultCode::UPLOAD_FAILURE, format!("upload failed: {status}"))),
    }
}

/// The body of a file, and the peer whose connection carries it.
async fn fetch(
    client: &Client,
    url: &str,
    username: &str,
    password: &str,
) -> Result<(Peer, Incoming), Fault> {
    let mut peer = Peer::new(client.clone(), parse_url(url)?, username, password);
    let sent = peer.request_as_user(Method::GET, None, Bytes::new()).await;
    let response = sent.map_err(|error| unreachable_server(&error))?;
    match response.status() {
        StatusCode::OK => Ok((peer, response.into_body())),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(refused(response.status())),
        status => Err(Fault::new(FaultCode::TRANSFER_ACCESS, format!("{url}: {status}"))),
    }
}

fn parse_url(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).map_err(|error| {
        Fault::new(FaultCode::INVALID_ARGUMENTS, format!("URL {text}: {error}"))
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(Fault::new(FaultCode::TRANSFER_PROTOCOL, format!("no client for {scheme}"))),
    }
}

fn unsupported(file_type: &str) -> Fault {
    Fault::new(FaultCode::INVALID_ARGUMENTS, format!("unsupported file type {file_type}"))
}

fn unreachable_server(error: &HttpError) -> Fault {
    Fault::new(FaultCode::TRANSFER_CONTACT, error.to_string())
}

fn incomplete(error: &HttpError) -> Fault {
    Fault::new(FaultCode::TRANSFER_INCOMPLETE, error.to_string())
}

fn corrupted(what: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultCode::TRANSFER_CORRUPTED, what.to_string())
}

fn refused(status: StatusCode) -> Fault {
    Fault::new(FaultCode::TRANSFER_AUTHENTICATION, format!("file server answered {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(file_type: &str, url: &str) -> Download {
        Download {
            command_key: String::new(),
            file_type: file_type.to_owned(),
            url: url.to_owned(),
            username: String::new(),
            password: String::new(),
            file_size: 0,
            target_file_name: "x.alter".to_owned(),
            delay_seconds: 0,
            success_url: String::new(),
            failure_url: String::new(),
        }
    }

    #[test]
    fn only_the_urls_file_name_tells_alter_from_overwrite() {
        let three = "3 Vendor Configuration File";
        assert_eq!(kind(&call(three, "http://h/f/tok/change.alter")), Ok(Kind::Alter));
        assert_eq!(kind(&call(three, "http://h/change.alter?t=1")), Ok(Kind::Alter));
        for url in ["http://h/change.rsc", "http://h/change?f=x.alter", "http://h/x.alter/y"] {
            assert_eq!(kind(&call(three, url)), Ok(Kind::Overwrite), "{url}");
        }
    }

    #[test]
    fn unknown_types_and_schemes_are_refused_at_once() {
        let code = |file_type: &str, url: &str| {
            check_download(&call(file_type, url)).map_err(|fault| fault.code.0)
        };
        assert_eq!(code("2 Web Content", "http://h/x"), Err(9003));
        assert_eq!(code("1 Firmware Upgrade Image", "ftp://h/x"), Err(9013));
        assert_eq!(code("1 Firmware Upgrade Image", "nonsense"), Err(9003));
        assert_eq!(code(FACTORY, "https://h/x"), Ok(()));
    }

    #[test]
    fn upload_types_have_their_own_numbers() {
        let document = |file_type: &str| {
            document(&Upload {
                command_key: String::new(),
                file_type: file_type.to_owned(),
                url: "http://h/x".to_owned(),
                username: String::new(),
                password: String::new(),
                delay_seconds: 0,
            })
        };
        assert_eq!(document("1 Vendor Configuration File"), Ok(Document::Export));
        assert_eq!(document("3 Vendor Configuration File 1"), Ok(Document::Export));
        assert_eq!(document("2 Vendor Log File"), Ok(Document::Log));
        assert_eq!(document("4 Vendor Log File 1"), Ok(Document::Log));
        assert_eq!(document(FACTORY), Ok(Document::Factory));
        assert!(document("9 Else").is_err());
    }
}
