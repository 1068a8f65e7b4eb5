//! What no single key's type can tell: rules over values and over several keys.

use url::{Host, Url};

use super::schema::{Config, SmtpSecurity, TlsMode};

/// Longest name of an interface (IFNAMSIZ without the zero at its end).
const MAX_INTERFACE: usize = 15;
/// Benches of one node.
const MAX_BENCHES: usize = 16;

/// A key and what is wrong with it.
type Fault = (&'static str, String);

impl Config {
    /// Applies all rules. Mends what is only spelling (the slash of a `public_url`).
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        self.check_acs()?;
        self.check_web()?;
        self.check_oidc()?;
        self.check_smtp()?;
        self.check_bench()?;
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

    fn check_acs(&mut self) -> Result<(), Fault> {
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

    fn check_web(&mut self) -> Result<(), Fault> {
        let web = &mut self.web;
        let mut proxied = false;
        if let Some(url) = &mut web.public_url {
            let parsed = http_url(url).map_err(|message| ("web.public_url", message))?;
            url.truncate(url.trim_end_matches('/').len());
            proxied = parsed.scheme() == "https";
        }
        if web.tls == TlsMode::Files {
            let missing = [("web.tls_cert", &web.tls_cert), ("web.tls_key", &web.tls_key)];
            if let Some((key, _)) = missing.into_iter().find(|(_, path)| path.is_none()) {
                return Err((key, "tls = \"files\" needs it".to_owned()));
            }
        }
        // Passwords and sessions never travel readable.
        let loopback = web.listen.ip().to_canonical().is_loopback();
        if !loopback && web.tls == TlsMode::Off && !proxied {
            let message = "beyond this host it needs TLS: set web.tls, or web.public_url to the \
                           https:// address of a proxy in front of it";
            return Err(("web.listen", message.to_owned()));
        }
        Ok(())
    }

    fn check_oidc(&self) -> Result<(), Fault> {
        let oidc = &self.oidc;
        let Some(issuer) = &oidc.issuer else {
            let alone = [
                ("oidc.client_id", oidc.client_id.is_some()),
                ("oidc.client_secret", oidc.client_secret.is_some()),
                ("oidc.roles_claim", oidc.roles_claim.is_some()),
                ("oidc.create_users", oidc.create_users),
            ];
            return match alone.into_iter().find(|(_, set)| *set) {
                Some((key, _)) => Err((key, "means nothing without oidc.issuer".to_owned())),
                None => Ok(()),
            };
        };
        let allowed = "allowed: an https:// URL, or http:// on this host, without a query";
        let url =
            Url::parse(issuer).map_err(|error| ("oidc.issuer", format!("{error}; {allowed}")))?;
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !bare || !is_https_or_local(&url) {
            return Err(("oidc.issuer", allowed.to_owned()));
        }
        if oidc.client_id.is_none() {
            return Err(("oidc.client_id", "oidc.issuer needs it".to_owned()));
        }
        if oidc.login_claim.trim().is_empty() {
            return Err(("oidc.login_claim", "must not be empty".to_owned()));
        }
        let public = self.web.public_url.as_deref().and_then(|url| Url::parse(url).ok());
        if !public.as_ref().is_some_and(is_https_or_local) {
            let message = "oidc.issuer needs it, as https:// or http:// on this host: the provider \
                           sends browsers back to it";
            return Err(("web.public_url", message.to_owned()));
        }
        Ok(())
    }

    fn check_smtp(&self) -> Result<(), Fault> {
        let smtp = &self.smtp;
        if smtp.server.is_none() {
            let alone = [
                ("smtp.port", smtp.port.is_some()),
                ("smtp.username", smtp.username.is_some()),
                ("smtp.password", smtp.password.is_some()),
                ("smtp.from", smtp.from.is_some()),
            ];
            return match alone.into_iter().find(|(_, set)| *set) {
                Some((key, _)) => Err((key, "means nothing without smtp.server".to_owned())),
                None => Ok(()),
            };
        }
        let from = smtp.from.as_deref().unwrap_or_default();
        if from.parse::<lettre::message::Mailbox>().is_err() {
            let message = "smtp.server needs it: an address, such as muster@isp.example or \
                           Muster <muster@isp.example>";
            return Err(("smtp.from", message.to_owned()));
        }
        match (&smtp.username, &smtp.password) {
            (Some(_), None) => Err(("smtp.password", "smtp.username needs it".to_owned())),
            (None, Some(_)) => Err(("smtp.username", "smtp.password needs it".to_owned())),
            (Some(_), Some(_)) if smtp.security == SmtpSecurity::None => {
                let message = "a password is never sent readable: allowed with smtp.username are \
                               starttls and tls";
                Err(("smtp.security", message.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn check_bench(&self) -> Result<(), Fault> {
        let bench = &self.bench;
        for (i, name) in bench.interfaces.iter().enumerate() {
            if !is_interface(name) {
                let message = format!("`{name}` is not the name of an interface, such as eth1");
                return Err(("bench.interfaces", message));
            }
            if bench.interfaces[..i].contains(name) {
                return Err(("bench.interfaces", format!("`{name}` is named twice")));
            }
        }
        if bench.interfaces.len() > MAX_BENCHES {
            return Err(("bench.interfaces", format!("at most {MAX_BENCHES}")));
        }
        match (bench.first, bench.last) {
            (Some(_), None) => Err(("bench.last", "bench.first needs it".to_owned())),
            (None, Some(_)) => Err(("bench.first", "bench.last needs it".to_owned())),
            (Some(first), Some(last)) if first > last => {
                Err(("bench.last", format!("must not be before bench.first, {first}")))
            }
            _ => Ok(()),
        }
    }

    fn check_limits(&self) -> Result<(), Fault> {
        let (acs, wake, web, zero) = (&self.acs, &self.wake, &self.web, &self.zero_touch);
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
            ("web.session_idle_minutes", web.session_idle_minutes == 0),
            ("web.session_hours", web.session_hours == 0),
            ("database.max_connections", self.database.max_connections == 0),
            ("files.url_lifetime_seconds", self.files.url_lifetime_seconds == 0),
            ("zero_touch.reconcile_per_second", zero.reconcile_per_second == 0),
            ("zero_touch.render_workers", zero.render_workers == 0),
            ("zero_touch.render_seconds", zero.render_seconds == 0),
            ("zero_touch.render_memory_mb", zero.render_memory_mb == 0),
            ("zero_touch.offline_after_informs", zero.offline_after_informs == 0),
            ("bench.lease_seconds", self.bench.lease_seconds == 0),
        ];
        match positive.into_iter().find(|(_, zero)| *zero) {
            Some((key, _)) => Err((key, "must be at least 1".to_owned())),
            None => Ok(()),
        }
    }
}

/// Whether Linux lets an interface have this name.
fn is_interface(name: &str) -> bool {
    (1..=MAX_INTERFACE).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':')
        && !matches!(name, "." | "..")
}

fn http_url(text: &str) -> Result<Url, String> {
    let allowed = "allowed: http://host:port or https://host:port, without a path";
    let url = Url::parse(text).map_err(|error| format!("{error}; {allowed}"))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if plain { Ok(url) } else { Err(allowed.to_owned()) }
}

/// Whether what is sent there cannot be read on the way.
fn is_https_or_local(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        },
        _ => false,
    }
}
