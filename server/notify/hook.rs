//! What a webhook may be: a URL or a mail address, what it is told, and of which devices.
//!
//! Owns the rules of its fields, and the one context in which its secret is sealed. Pure.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Host, Url};
use utoipa::ToSchema;
use uuid::Uuid;

use super::kind::Kind;
use crate::config::Config;
use crate::error::Error;
use crate::fleet::label::check_name;
use crate::fleet::site::SitePath;
use crate::store::webhooks::Webhook;

/// Bytes of a URL, or of a mail address.
const MAX_TARGET: usize = 2_000;

/// By which way somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By a POST to a URL.
    Http,
    /// By mail.
    Email,
}

impl Transport {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Email => "email",
        }
    }

    /// What a stored webhook has.
    pub fn of(webhook: &Webhook) -> Self {
        if webhook.transport == Self::Email.word() { Self::Email } else { Self::Http }
    }
}

/// What people say of a webhook; what is absent or null has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookFields {
    /// What people call it, 1 to 64 characters. A webhook always has one, and no two the same.
    pub name: Option<String>,
    /// Where events are posted: `https://` or `http://`. A webhook has either this or `email`, and
    /// stays with the one or the other.
    pub url: Option<String>,
    /// The mail address to which events are written.
    pub email: Option<String>,
    /// Of what it is told; at least one.
    pub kinds: Option<Vec<Kind>>,
    /// Path of a site: it is told only of devices there and below, and of nothing that is of no
    /// device. Of everything when absent.
    pub site: Option<String>,
    /// Whether it is told anything; true when absent.
    pub enabled: Option<bool>,
}

impl WebhookFields {
    /// What is said of a stored webhook.
    pub fn of(webhook: &Webhook) -> Self {
        let target = |transport: Transport| {
            (Transport::of(webhook) == transport).then(|| webhook.target.clone())
        };
        Self {
            name: Some(webhook.name.clone()),
            url: target(Transport::Http),
            email: target(Transport::Email),
            kinds: Some(kinds(webhook)),
            site: webhook.site.clone(),
            enabled: Some(webhook.enabled),
        }
    }
}

/// Of what a stored webhook is told.
pub fn kinds(webhook: &Webhook) -> Vec<Kind> {
    webhook.kinds.iter().filter_map(|word| word.parse().ok()).collect()
}

/// The same, checked and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// By which way it is told.
    pub transport: Transport,
    /// A URL or a mail address.
    pub target: String,
    /// In order, each once.
    pub kinds: Vec<Kind>,
    /// Path of a site, which may not be there.
    pub site: Option<String>,
    /// Whether it is told anything.
    pub enabled: bool,
}

/// Checks what is said of a webhook, but for the names of others and the tree of sites.
///
/// # Errors
/// [`Error::Invalid`], at the field.
pub fn checked(fields: WebhookFields, config: &Config) -> Result<Draft, Error> {
    let name = fields.name.unwrap_or_default();
    check_name(&name)?;
    let (transport, target) = match (fields.url, fields.email) {
        (Some(url), None) => (Transport::Http, checked_url(&url, config)?),
        (None, Some(email)) => (Transport::Email, checked_email(&email, config)?),
        (None, None) => {
            return Err(Error::invalid("/url", "where to: a URL, or a mail address in `email`"));
        }
        (Some(_), Some(_)) => {
            return Err(Error::invalid("/email", "either a URL or a mail address, not both"));
        }
    };
    let mut kinds = fields.kinds.unwrap_or_default();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        let words = Kind::ALL.map(Kind::word).join(", ");
        return Err(Error::invalid("/kinds", format!("at least one of {words}")));
    }
    if let Some(site) = &fields.site {
        site.parse::<SitePath>().map_err(|why| Error::invalid("/site", why))?;
    }
    let enabled = fields.enabled.unwrap_or(true);
    Ok(Draft { name, transport, target, kinds, site: fields.site, enabled })
}

fn checked_url(text: &str, config: &Config) -> Result<String, Error> {
    let invalid = |why: &str| Error::invalid("/url", why);
    if text.len() > MAX_TARGET {
        return Err(invalid(&format!("at most {MAX_TARGET} bytes")));
    }
    let url = Url::parse(text).map_err(|e| {
        invalid(&format!("{e}: a URL such as https://hooks.example/muster is wanted"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("https:// or http:// only"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("no user and password in it: the signature says who calls"));
    }
    if let Some(address) = address(&url)
        && !config.notify.permits(address)
    {
        return Err(invalid(&forbidden(address)));
    }
    Ok(text.to_owned())
}

fn checked_email(text: &str, config: &Config) -> Result<String, Error> {
    if config.smtp.server.is_none() {
        let why = "this server sends no mail: set smtp.server in its configuration first";
        return Err(Error::invalid("/email", why));
    }
    if text.len() > MAX_TARGET || text.parse::<lettre::Address>().is_err() {
        return Err(Error::invalid("/email", "a mail address, such as noc@isp.example"));
    }
    Ok(text.to_owned())
}

/// The address that a URL names, where it names no host by a name.
pub(super) fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(v4) => Some(v4.into()),
        Host::Ipv6(v6) => Some(v6.into()),
        Host::Domain(_) => None,
    }
}

/// Why an address is not called, and what to do.
pub(super) fn forbidden(address: IpAddr) -> String {
    format!(
        "{address} is in a network to which webhooks do not go; if a receiver really stands there, \
         add it to notify.allowed_networks"
    )
}

/// A webhook as the audit log keeps it: of a URL only the host, for some let in whoever knows them.
pub fn state(webhook: &Webhook) -> Value {
    json!({
        "name": webhook.name, "transport": webhook.transport, "target": place(webhook),
        "kinds": webhook.kinds, "site": webhook.site, "enabled": webhook.enabled,
    })
}

/// Where a webhook leads, without what may open something there.
pub fn place(webhook: &Webhook) -> String {
    match Url::parse(&webhook.target) {
        Ok(url) if Transport::of(webhook) == Transport::Http => url.origin().ascii_serialization(),
        _ => webhook.target.clone(),
    }
}

/// In which context the secret of a webhook is sealed.
pub fn context(webhook_id: Uuid) -> String {
    format!("webhook {webhook_id}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::DateTime;

    use super::*;

    fn with_mail() -> Config {
        let mut config = Config::default();
        config.smtp.server = Some("mail.isp.example".to_owned());
        config
    }

    fn to(url: &str) -> WebhookFields {
        WebhookFields {
            name: Some("noc".to_owned()),
            url: Some(url.to_owned()),
            kinds: Some(vec![Kind::DeviceOnline, Kind::DeviceOffline, Kind::DeviceOnline]),
            ..WebhookFields::default()
        }
    }

    fn by_mail(address: &str) -> WebhookFields {
        WebhookFields { url: None, email: Some(address.to_owned()), ..to("") }
    }

    fn refused(fields: WebhookFields) -> String {
        match checked(fields, &with_mail()).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_webhook_has_one_place_and_something_to_be_told() {
        let draft = checked(to("https://hooks.example/muster?key=x"), &with_mail()).unwrap();
        assert_eq!((draft.transport, draft.enabled), (Transport::Http, true));
        assert_eq!(draft.kinds, [Kind::DeviceOffline, Kind::DeviceOnline]);
        let draft = checked(by_mail("noc@isp.example"), &with_mail()).unwrap();
        assert_eq!(draft.transport, Transport::Email);
        assert_eq!(refused(WebhookFields { url: None, ..to("") }), "/url");
        let both = WebhookFields { email: Some("a@b.example".to_owned()), ..to("https://b") };
        assert_eq!(refused(both), "/email");
        assert_eq!(refused(WebhookFields { kinds: Some(Vec::new()), ..to("https://b") }), "/kinds");
        assert_eq!(refused(WebhookFields { name: None, ..to("https://b") }), "/name");
        let nowhere = WebhookFields { site: Some("eu..lv".to_owned()), ..to("https://b") };
        assert_eq!(refused(nowhere), "/site");
    }

    #[test]
    fn only_the_web_is_called_and_never_this_host() {
        for bad in [
            "",
            "hooks.example",
            "ftp://hooks.example/",
            "file:///etc/passwd",
            "https://ann:hunter2@hooks.example/",
            "http://127.0.0.1:8080/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:169.254.169.254]/latest/",
            "http://169.254.169.254/latest/",
        ] {
            assert_eq!(refused(to(bad)), "/url", "{bad}");
        }
        for bad in ["", "noc", "noc@", "noc@isp.example\r\nBcc: x@y.example", "a b@c.example"] {
            assert_eq!(refused(by_mail(bad)), "/email", "{bad:?}");
        }
        let without = checked(by_mail("noc@isp.example"), &Config::default());
        assert!(matches!(without, Err(Error::Invalid { message, .. }) if message.contains("smtp")));
    }

    #[test]
    fn what_opens_a_receiver_is_not_in_the_audit_log() {
        let now = DateTime::UNIX_EPOCH;
        let webhook = Webhook {
            webhook_id: Uuid::nil(),
            name: "noc".to_owned(),
            transport: "http".to_owned(),
            target: "https://hooks.example:8443/services/hunter2?key=hunter2".to_owned(),
            secret_sealed: None,
            kinds: vec!["device.offline".to_owned()],
            site: None,
            enabled: true,
            created_by: "ann".to_owned(),
            created_at: now,
            updated_at: now,
        };
        let shown = state(&webhook);
        assert_eq!(shown["target"], "https://hooks.example:8443");
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        assert_eq!(WebhookFields::of(&webhook).kinds, Some(vec![Kind::DeviceOffline]));
    }
}
