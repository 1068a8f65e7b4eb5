//! The keys of the configuration, their types, defaults and limits.
//!
//! `docs/configuration.md` explains each to operators; a test holds the two together.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
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
    /// Login at the dashboard by OpenID Connect.
    pub oidc: OidcConfig,
    /// The Prometheus listener.
    pub metrics: MetricsConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// The artifact store.
    pub files: FilesConfig,
    /// Devices that come, and what is wanted of them.
    pub zero_touch: ZeroTouchConfig,
    /// The server that sends mail.
    pub smtp: SmtpConfig,
    /// Where webhooks may go.
    pub notify: NotifyConfig,
    /// Interfaces on which factory-fresh boards are served.
    pub bench: BenchConfig,
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

/// Where a listener's certificate comes from.
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
    /// What browsers call this server, `http(s)://host:port` without a path or trailing slash.
    pub public_url: Option<String>,
    /// Where the listener's certificate comes from.
    pub tls: TlsMode,
    /// The PEM certificate chain, leaf first, for `tls = "files"`.
    pub tls_cert: Option<PathBuf>,
    /// The PEM private key for `tls = "files"`.
    pub tls_key: Option<PathBuf>,
    /// How long a session lasts in which nothing is asked, in minutes.
    pub session_idle_minutes: u64,
    /// How long a session lasts in all, in hours.
    pub session_hours: u64,
    /// Requests a minute that one token may make to the API.
    pub api_requests_per_minute: NonZeroU32,
}

/// `[oidc]`: login at the dashboard by OpenID Connect; off without an issuer.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The provider, exactly as it names itself; unset = no such login.
    pub issuer: Option<String>,
    /// What the provider calls Muster.
    pub client_id: Option<String>,
    /// The secret that goes with it; unset for a public client.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// What the button says.
    pub label: String,
    /// The claim that is the login.
    pub login_claim: String,
    /// The claim that is the name shown.
    pub name_claim: String,
    /// The claim that lists names of roles; unset leaves grants to administrators.
    pub roles_claim: Option<String>,
    /// Whether somebody without a user is given one.
    pub create_users: bool,
}

/// A client secret; never printed.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClientSecret(String);

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

/// `[smtp]`: the server that sends mail to people who are told of events; off without a server.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpConfig {
    /// Its name or address; unset = no mail is sent.
    pub server: Option<String>,
    /// Its port; unset is the customary one of `security`.
    pub port: Option<u16>,
    /// How what is sent to it is kept from others.
    pub security: SmtpSecurity,
    /// What Muster logs in with; unset = not at all.
    pub username: Option<String>,
    /// The password that goes with it.
    pub password: Option<SmtpPassword>,
    /// Whom mail comes from, such as `Muster <muster@isp.example>`.
    pub from: Option<String>,
}

/// How mail is kept from others on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpSecurity {
    /// By TLS that is begun on a plain connection; without it nothing is sent.
    Starttls,
    /// By TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

/// A password of a mail server; never printed.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SmtpPassword(String);

/// `[notify]`: where webhooks may go.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// Networks never called: a webhook must not aim Muster at what trusts its own host.
    pub forbidden_networks: Vec<IpNet>,
    /// Networks called although they are forbidden.
    pub allowed_networks: Vec<IpNet>,
}

/// `[bench]`: interfaces on which factory-fresh boards are served while somebody has armed them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchConfig {
    /// Names of Linux interfaces; empty = this node has no bench.
    pub interfaces: Vec<String>,
    /// The first of the addresses that boards borrow; unset takes them from the whole network of the
    /// interface.
    pub first: Option<Ipv4Addr>,
    /// The last of them.
    pub last: Option<Ipv4Addr>,
    /// How long a client that speaks DHCP may keep its address, in seconds.
    pub lease_seconds: u32,
}

/// `[zero_touch]`: devices that come, and what is wanted of them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZeroTouchConfig {
    /// What becomes of a device that nobody claimed and no rule lets in.
    pub unknown: UnknownDevices,
    /// A new claim is taken only with its own credential, unless who makes it says otherwise.
    pub claims_own_credential: bool,
    /// Devices a second that are compared with what is wanted of them, on all nodes together, whether
    /// they came by themselves or their time has come; and the pace of each sweep, unless who makes
    /// the change says otherwise.
    pub reconcile_per_second: u32,
    /// Processes that render templates.
    pub render_workers: u32,
    /// How long a template may render, in seconds.
    pub render_seconds: u64,
    /// The memory that a process that renders may take, in MiB.
    pub render_memory_mb: u64,
    /// Periodic informs that a device misses before it is told to be offline.
    pub offline_after_informs: u32,
}

/// What becomes of a device that nobody claimed and no rule lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownDevices {
    /// It waits, is read, and nothing else is sent to it.
    Quarantine,
    /// It is let in.
    Accept,
    /// It is sent away.
    Refuse,
}

impl Config {
    /// The directory of the artifact store.
    pub fn artifact_dir(&self) -> PathBuf {
        self.files.store.clone().unwrap_or_else(|| self.data_dir.join("artifacts"))
    }
}

impl WakeConfig {
    /// Whether a connection request may go to `address`.
    pub fn permits(&self, address: IpAddr) -> bool {
        permits(address, &self.allowed_networks, &self.forbidden_networks)
    }
}

impl NotifyConfig {
    /// Whether a webhook may go to `address`.
    pub fn permits(&self, address: IpAddr) -> bool {
        permits(address, &self.allowed_networks, &self.forbidden_networks)
    }
}

fn permits(address: IpAddr, allowed: &[IpNet], forbidden: &[IpNet]) -> bool {
    // An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is still that IPv4 address.
    let address = address.to_canonical();
    let within = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&address));
    within(allowed) || !within(forbidden)
}

impl BenchConfig {
    /// The addresses that boards borrow, where that is said.
    pub fn range(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        self.first.zip(self.last)
    }
}

impl SmtpConfig {
    /// The port that is called.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            SmtpSecurity::Starttls => 587,
            SmtpSecurity::Tls => 465,
            SmtpSecurity::None => 25,
        })
    }
}

impl SmtpPassword {
    /// The text: only for the mail server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SmtpPassword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Of a value of the wrong type serde's own words would show it.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| D::Error::custom("a password is text in quotes"))
    }
}

impl fmt::Debug for SmtpPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpPassword(..)")
    }
}

impl DatabaseUrl {
    /// The text, password and all: only for the connector.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl ClientSecret {
    /// The text: only for the token endpoint.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ClientSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Of a value of the wrong type serde's own words would show it.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| D::Error::custom("a client secret is text in quotes"))
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
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
