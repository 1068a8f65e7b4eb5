//! The keys of the configuration, their types, defaults and limits.
//!
//! `docs/configuration.md` explains each to operators; a test holds the two together.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the embedded database, artifacts and keys live; absolute after loading.
    pub data_dir: PathBuf,
    /// The CWMP listener.
    pub acs: AcsConfig,
    /// Connection requests.
    pub wake: WakeConfig,
    /// Dashboard and REST API.
    pub web: WebConfig,
    /// The Prometheus listener.
    pub metrics: MetricsConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// The artifact store.
    pub files: FilesConfig,
}

/// `[acs]`: how devices are served.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AcsConfig {
    /// The address of the CWMP listener.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// What devices call this server, `http(s)://host:port` without a path or trailing slash.
    pub public_url: Option<String>,
    /// Whether devices must prove who they are.
    pub auth: AuthMode,
    /// When Basic is offered beside Digest.
    pub offer_basic: OfferBasic,
    /// What makes two Informs one device.
    pub identity: IdentityMode,
    /// Where the listener's certificate comes from.
    pub tls: TlsMode,
    /// The PEM certificate chain, leaf first, for `tls = "files"`.
    pub tls_cert: Option<PathBuf>,
    /// The PEM private key for `tls = "files"`.
    pub tls_key: Option<PathBuf>,
    /// The PEM authorities whose client certificates devices may present.
    pub tls_client_ca: Option<PathBuf>,
    /// How long a session waits for the device's next message, in seconds.
    pub session_timeout_seconds: u64,
    /// How long a session may last in all, in seconds.
    pub session_deadline_seconds: u64,
    /// The largest message, after decompression, in bytes.
    pub max_body_bytes: usize,
    /// The memory that all message bodies in flight may take together, in bytes.
    pub body_memory_bytes: usize,
    /// Sessions open at once.
    pub max_sessions: usize,
    /// Sessions open at once from one address.
    pub max_sessions_per_address: usize,
    /// Connections open at once.
    pub max_connections: usize,
    /// Connections open at once from one address.
    pub max_connections_per_address: usize,
    /// What a known device may do that presents the enrolment credential again.
    pub reenrol: Reenrol,
    /// Whether the whole data model is read when a device is first seen.
    pub read_on_first_contact: bool,
    /// The periodic inform interval written to devices, in seconds; unset leaves theirs.
    pub inform_interval_seconds: Option<u32>,
    /// The largest file that a device may upload, in bytes.
    pub max_upload_bytes: u64,
    /// The largest artifact that an operator may store, in bytes.
    pub max_artifact_bytes: u64,
}

/// How a device proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// By its own credential or certificate, and by the enrolment credential at first.
    Device,
    /// Not at all: for a lab.
    None,
}

/// When Basic, which sends the password readable, is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferBasic {
    /// On TLS connections only.
    Tls,
    /// On every connection.
    Always,
    /// On none.
    Never,
}

/// What identifies a device. Chosen at installation: another choice makes other devices of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityMode {
    /// OUI and serial number (TR-069 3.4.4).
    OuiSerial,
    /// OUI, product class and serial number, for vendors that reuse serials across classes.
    OuiClassSerial,
}

/// Where the CWMP listener's certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Plain HTTP.
    Off,
    /// From `tls_cert` and `tls_key`.
    Files,
    /// Made on the first start and kept in the data directory.
    SelfMade,
}

/// What a known device may do that presents the enrolment credential again (after a factory reset).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reenrol {
    /// Wait until an operator approves.
    Approve,
    /// Enrol when its Inform carries `0 BOOTSTRAP`.
    Bootstrap,
    /// Nothing.
    Never,
}

/// `[wake]`: connection requests, and where they may go.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WakeConfig {
    /// How long one connection request may take, in seconds.
    pub timeout_seconds: u64,
    /// Connection requests sent per second, all devices together.
    pub per_second: u32,
    /// The least time between two connection requests to one device, in seconds.
    pub minimum_gap_seconds: u64,
    /// Networks never called: a device names its own address and must not aim Muster at others.
    pub forbidden_networks: Vec<IpNet>,
    /// Networks called although they are forbidden.
    pub allowed_networks: Vec<IpNet>,
    /// Whether a device that asks for Basic gets the password readable.
    pub allow_basic: bool,
}

/// `[web]`: dashboard and REST API.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// The address of the listener.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
}

/// `[metrics]`: the Prometheus listener.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// The address of the listener.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
}

/// `[database]`: PostgreSQL.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// An external server; unset runs an embedded one.
    pub url: Option<DatabaseUrl>,
    /// Connections kept to the server.
    pub max_connections: u32,
    /// The directory of `postgres` and `initdb` for the embedded server; unset finds the newest.
    pub postgres_bin: Option<PathBuf>,
}

/// One or more `postgres://` URLs; never printed, as they carry a password.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

/// `[telemetry]`: logs and traces.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The form of the log on standard error.
    pub log: LogFormat,
    /// What is logged, as `level` or `target=level,..`.
    pub filter: String,
    /// The OpenTelemetry collector's base URL (OTLP over HTTP); unset exports nothing.
    pub otlp_endpoint: Option<String>,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[files]`: the artifact store.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// The directory; unset is `artifacts` in the data directory.
    pub store: Option<PathBuf>,
    /// How long a signed download path is good, in seconds.
    pub url_lifetime_seconds: u64,
}

impl Config {
    /// The directory of the artifact store.
    pub fn artifact_dir(&self) -> PathBuf {
        self.files.store.clone().unwrap_or_else(|| self.data_dir.join("artifacts"))
    }

    /// What no single key's type can tell. Mends what is only spelling (`public_url`'s slash).
    pub(super) fn check(&mut self) -> Result<(), (&'static str, String)> {
        self.check_acs()?;
        self.check_limits()?;
        if let Some(endpoint) = &self.telemetry.otlp_endpoint {
            http_url(endpoint).map_err(|message| ("telemetry.otlp_endpoint", message))?;
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.telemetry.filter) {
            let allowed = "allowed: error, warn, info, debug, trace, or target=level,..";
            return Err(("telemetry.filter", format!("{error}; {allowed}")));
        }
        if let Some(url) = &self.database.url {
            crate::store::pg::parse_servers(url.expose())
                .map_err(|error| ("database.url", error.to_string()))?;
        }
        Ok(())
    }

    fn check_acs(&mut self) -> Result<(), (&'static str, String)> {
        let acs = &mut self.acs;
        if let Some(url) = &mut acs.public_url {
            http_url(url).map_err(|message| ("acs.public_url", message))?;
            url.truncate(url.trim_end_matches('/').len());
        }
        if acs.tls == TlsMode::Files {
            let missing = [("acs.tls_cert", &acs.tls_cert), ("acs.tls_key", &acs.tls_key)];
            if let Some((key, _)) = missing.into_iter().find(|(_, path)| path.is_none()) {
                return Err((key, "tls = \"files\" needs it".to_owned()));
            }
        }
        if acs.session_deadline_seconds < acs.session_timeout_seconds {
            let least = acs.session_timeout_seconds;
            let message = format!("must be at least session_timeout_seconds, {least}");
            return Err(("acs.session_deadline_seconds", message));
        }
        if acs.body_memory_bytes < acs.max_body_bytes {
            let message = format!("must be at least max_body_bytes, {}", acs.max_body_bytes);
            return Err(("acs.body_memory_bytes", message));
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), (&'static str, String)> {
        let (acs, wake) = (&self.acs, &self.wake);
        let positive = [
            ("acs.session_timeout_seconds", acs.session_timeout_seconds == 0),
            ("acs.max_body_bytes", acs.max_body_bytes == 0),
            ("acs.max_sessions", acs.max_sessions == 0),
            ("acs.max_sessions_per_address", acs.max_sessions_per_address == 0),
            ("acs.max_connections", acs.max_connections == 0),
            ("acs.max_connections_per_address", acs.max_connections_per_address == 0),
            ("acs.inform_interval_seconds", acs.inform_interval_seconds == Some(0)),
            ("acs.max_upload_bytes", acs.max_upload_bytes == 0),
            ("acs.max_artifact_bytes", acs.max_artifact_bytes == 0),
            ("wake.timeout_seconds", wake.timeout_seconds == 0),
            ("wake.per_second", wake.per_second == 0),
            ("database.max_connections", self.database.max_connections == 0),
            ("files.url_lifetime_seconds", self.files.url_lifetime_seconds == 0),
        ];
        match positive.into_iter().find(|(_, zero)| *zero) {
            Some((key, _)) => Err((key, "must be at least 1".to_owned())),
            None => Ok(()),
        }
    }
}

impl WakeConfig {
    /// Whether a connection request may go to `address`.
    pub fn permits(&self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is still that IPv4 address.
        let address = address.to_canonical();
        let within = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&address));
        within(&self.allowed_networks) || !within(&self.forbidden_networks)
    }
}

impl DatabaseUrl {
    /// The text, password and all: only for the connector.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is not an address with a port, such as 0.0.0.0:7547 or [::]:7547"
        ))
    })
}

fn http_url(text: &str) -> Result<(), String> {
    let allowed = "allowed: http://host:port or https://host:port, without a path";
    let url = url::Url::parse(text).map_err(|error| format!("{error}; {allowed}"))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if plain { Ok(()) } else { Err(allowed.to_owned()) }
}
