//! What each key is when nobody sets it: a server that is safe on the open Internet and needs no
//! file to start.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::schema::{
    AcsConfig, AuthMode, BenchConfig, Config, DatabaseConfig, FilesConfig, IdentityMode, LogFormat,
    MetricsConfig, NotifyConfig, OfferBasic, OidcConfig, Reenrol, SmtpConfig, SmtpSecurity,
    TelemetryConfig, TlsMode, UnknownDevices, WakeConfig, WebConfig, ZeroTouchConfig,
};

/// Where no connection request has a reason to go: this host, its links, groups, and the reserved
/// blocks (RFC 6890). Private networks stay open, for there the devices are.
const FORBIDDEN_NETWORKS: [&str; 9] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
];

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: data_dir(),
            acs: AcsConfig::default(),
            wake: WakeConfig::default(),
            web: WebConfig::default(),
            oidc: OidcConfig::default(),
            metrics: MetricsConfig::default(),
            database: DatabaseConfig::default(),
            telemetry: TelemetryConfig::default(),
            files: FilesConfig::default(),
            zero_touch: ZeroTouchConfig::default(),
            smtp: SmtpConfig::default(),
            notify: NotifyConfig::default(),
            bench: BenchConfig::default(),
        }
    }
}

/// The system's place where it can be used or was made for Muster, else one beside the caller.
fn data_dir() -> PathBuf {
    let system = Path::new("/var/lib/muster");
    if nix::unistd::geteuid().is_root() || system.is_dir() {
        system.to_owned()
    } else {
        PathBuf::from("data")
    }
}

impl Default for AcsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7547)),
            public_url: None,
            auth: AuthMode::Device,
            offer_basic: OfferBasic::Tls,
            identity: IdentityMode::OuiSerial,
            tls: TlsMode::Off,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            session_timeout_seconds: 30,
            session_deadline_seconds: 600,
            max_body_bytes: 16 << 20,
            body_memory_bytes: 256 << 20,
            max_sessions: 50_000,
            max_sessions_per_address: 2_000,
            max_connections: 60_000,
            max_connections_per_address: 20_000,
            reenrol: Reenrol::Approve,
            read_on_first_contact: true,
            inform_interval_seconds: None,
            max_upload_bytes: 256 << 20,
            max_artifact_bytes: 1 << 30,
        }
    }
}

/// Where webhooks have no reason to go either: addresses that lead to an IPv4 address which nobody
/// looked at (NAT64, 6to4, IPv4-compatible).
const WRAPPED_NETWORKS: [&str; 3] = ["64:ff9b::/96", "2002::/16", "::/96"];

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            server: None,
            port: None,
            security: SmtpSecurity::Starttls,
            username: None,
            password: None,
            from: None,
        }
    }
}

impl Default for NotifyConfig {
    fn default() -> Self {
        let parse = |text: &&str| text.parse::<IpNet>().expect("the constants are networks");
        let forbidden = FORBIDDEN_NETWORKS.iter().chain(&WRAPPED_NETWORKS).map(parse).collect();
        Self { forbidden_networks: forbidden, allowed_networks: Vec::new() }
    }
}

impl Default for BenchConfig {
    fn default() -> Self {
        Self { interfaces: Vec::new(), first: None, last: None, lease_seconds: 600 }
    }
}

impl Default for WakeConfig {
    fn default() -> Self {
        let parse = |text: &&str| text.parse::<IpNet>().expect("the constants are networks");
        Self {
            timeout_seconds: 8,
            per_second: 200,
            minimum_gap_seconds: 30,
            forbidden_networks: FORBIDDEN_NETWORKS.iter().map(parse).collect(),
            allowed_networks: Vec::new(),
            allow_basic: false,
        }
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            tls: TlsMode::Off,
            tls_cert: None,
            tls_key: None,
            session_idle_minutes: 480,
            session_hours: 168,
            api_requests_per_minute: NonZeroU32::new(6_000).expect("it is not zero"),
        }
    }
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret: None,
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            label: "single sign-on".to_owned(),
            login_claim: "preferred_username".to_owned(),
            name_claim: "name".to_owned(),
            roles_claim: None,
            create_users: false,
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)) }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: None, max_connections: 12, postgres_bin: None }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: LogFormat::Human, filter: "info".to_owned(), otlp_endpoint: None }
    }
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { store: None, url_lifetime_seconds: 86_400 }
    }
}

impl Default for ZeroTouchConfig {
    fn default() -> Self {
        Self {
            unknown: UnknownDevices::Quarantine,
            claims_own_credential: false,
            reconcile_per_second: 200,
            render_workers: 2,
            render_seconds: 2,
            render_memory_mb: 256,
            offline_after_informs: 3,
        }
    }
}
