//! The call of a webhook: one POST, signed.
//!
//! Somebody chose the URL, so this module must never connect to an address that `[notify]` forbids,
//! follow a redirect, go by a proxy, which would look the name up itself, or read what comes back.
//! The addresses that a name has are checked where the connection gets them from, so that a name
//! cannot answer with others the second time.

use std::error::Error as StdError;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use sha2::Sha256;
use url::Url;
use uuid::Uuid;

use super::chain;
use super::hook::{address, forbidden};
use crate::config::NotifyConfig;

/// How long a call may take in all.
const DEADLINE: Duration = Duration::from_secs(10);

/// What calls webhooks.
pub(super) struct Caller {
    config: NotifyConfig,
    /// Or why there is none.
    client: Result<reqwest::Client, String>,
}

/// One call.
pub(super) struct Call<'a> {
    /// Where to.
    pub(super) url: &'a str,
    /// What signs it.
    pub(super) secret: &'a str,
    /// The word of the event's kind.
    pub(super) kind: &'a str,
    /// Which delivery it is.
    pub(super) delivery_id: Uuid,
    /// JSON.
    pub(super) body: Vec<u8>,
    /// When it is signed.
    pub(super) now: DateTime<Utc>,
}

impl Caller {
    /// By these rules.
    pub(super) fn new(config: &NotifyConfig) -> Self {
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Guarded(config.clone()))
            .build()
            .map_err(|e| format!("calls cannot be made: {}", chain(&e)));
        Self { config: config.clone(), client }
    }

    /// Makes a call; gives the status of the answer.
    ///
    /// # Errors
    /// Why it did not arrive, for an operator.
    pub(super) async fn post(&self, call: Call<'_>) -> Result<String, String> {
        let client = self.client.as_ref().map_err(String::clone)?;
        let url = Url::parse(call.url).map_err(|e| format!("its URL cannot be used: {e}"))?;
        // An address in place of a name is not looked up.
        if let Some(address) = address(&url)
            && !self.config.permits(address)
        {
            return Err(forbidden(address));
        }
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("Muster-Event", call.kind)
            .header("Muster-Delivery", call.delivery_id.to_string())
            .header("Muster-Signature", signature(call.secret, call.now.timestamp(), &call.body))
            .body(call.body);
        let response = request.send().await.map_err(why)?;
        let status = response.status();
        match (status.is_success(), status.is_redirection()) {
            (true, _) => Ok(status.to_string()),
            (false, true) => Err(format!("{status}: redirects are not followed")),
            (false, false) => Err(status.to_string()),
        }
    }
}

fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", DEADLINE.as_secs());
    }
    chain(&error.without_url())
}

/// `t=UNIX,v1=HEX`: HMAC-SHA256, keyed by the secret, of the time, a dot and the body.
fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    format!("t={at},v1={}", hex::encode(bytes))
}

/// Looks names up, and gives only addresses that may be called.
struct Guarded(NotifyConfig);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(looked_up(name.as_str().to_owned(), self.0.clone()))
    }
}

async fn looked_up(
    name: String,
    config: NotifyConfig,
) -> Result<Addrs, Box<dyn StdError + Send + Sync>> {
    let mut refused = None;
    let mut good = Vec::new();
    for found in tokio::net::lookup_host((name.as_str(), 0_u16)).await? {
        if config.permits(found.ip()) {
            good.push(found);
        } else {
            refused = Some(found.ip());
        }
    }
    match refused {
        Some(address) if good.is_empty() => Err(forbidden(address).into()),
        _ => {
            let addresses: Addrs = Box::new(good.into_iter());
            Ok(addresses)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_call_is_signed_with_its_time() {
        let signed = signature("hunter2", 1_700_000_000, br#"{"id":1}"#);
        let hex = "1c99b0412a85df55d0bc11bc548b7b0e8540e98f7d63bf5a6b09ff03cc4cf5fb";
        assert_eq!(signed, format!("t=1700000000,v1={hex}"));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_host_is_not_called() {
        let config = NotifyConfig::default();
        let refused = looked_up("localhost".to_owned(), config.clone()).await.err().unwrap();
        assert!(refused.to_string().contains("notify.allowed_networks"), "{refused}");
        let allowed = ["127.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap());
        let config = NotifyConfig { allowed_networks: allowed.to_vec(), ..config };
        let found: Vec<_> = looked_up("localhost".to_owned(), config).await.unwrap().collect();
        assert!(!found.is_empty() && found.iter().all(|a| a.ip().is_loopback()), "{found:?}");
    }
}
