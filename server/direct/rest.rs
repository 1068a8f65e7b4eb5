//! The REST service of RouterOS 7: four questions, each a GET with the password in its head.
//!
//! Owns that exchange. It must never follow a redirect, go by a proxy, read an answer without end, or
//! wait for one.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use muster_routeros::inspect::Inspection;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;

use super::login::Login;
use super::pin::Pinned;
use super::{address, said};
use crate::acs::wake_client::WakePolicy;

/// The largest answer that is read, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// Which device is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its ConnectionRequestURL, of which the host counts.
    pub url: Option<&'a str>,
    /// Its serial number: another device may have its address by now.
    pub serial: &'a str,
}

/// Asks a device what is installed on it; gives its address, too. `deadline` is for all of it.
///
/// # Errors
/// Why not, for an operator.
pub async fn inspect(
    asked: Asked<'_>,
    login: &Login,
    policy: &WakePolicy,
    deadline: Duration,
) -> Result<(IpAddr, Inspection), String> {
    let work = async {
        let address = address::of(asked.url, policy).await?;
        let said = Rest::new(address, login)?.inspection(asked.serial).await?;
        Ok::<_, String>((address, said))
    };
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
        Err(format!(
            "the device did not answer within {} s: it may be behind NAT or a firewall, or its \
             service www-ssl is off",
            deadline.as_secs_f64()
        ))
    })
}

/// The REST service of one device.
struct Rest<'a> {
    login: &'a Login,
    /// Address and port.
    place: SocketAddr,
    pinned: Arc<Pinned>,
    http: reqwest::Client,
}

impl<'a> Rest<'a> {
    fn new(address: IpAddr, login: &'a Login) -> Result<Self, String> {
        let pinned = Pinned::new(login.fingerprint);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(pinned.config())
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| format!("no device can be asked: {}", root(&e)))?;
        Ok(Self { login, place: SocketAddr::new(address, login.port), pinned, http })
    }

    async fn inspection(&self, serial: &str) -> Result<Inspection, String> {
        let missing = || format!("what answers at {} is not REST of RouterOS 7", self.place);
        // Who it is comes first: nothing is learned of a device that has only its address.
        let board = self.get("system/routerboard").await?;
        if let Some(other) = board.as_ref().and_then(said::serial).filter(|said| said != serial) {
            return Err(format!("another device answers at {}: {other}", self.place));
        }
        let packages = self.get("system/package").await?.ok_or_else(missing)?;
        let resource = self.get("system/resource").await?.ok_or_else(missing)?;
        let mode = self.get("system/device-mode").await?;
        said::inspection(&packages, &resource, board.as_ref(), mode.as_ref())
            .ok_or_else(|| format!("the list of packages of {} cannot be right", self.place))
    }

    /// What a menu holds; `None` = the board has no such menu.
    async fn get(&self, menu: &str) -> Result<Option<Value>, String> {
        let place = self.place;
        let request = self
            .http
            .get(format!("https://{place}/rest/{menu}"))
            .basic_auth(&self.login.user, Some(&self.login.password));
        let response = request.send().await.map_err(|e| self.why(&e))?;
        match response.status() {
            status if status.is_success() => {}
            // Which of them a missing menu gets, depends on the version.
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::NOT_ACCEPTABLE => {
                return Ok(None);
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(format!("{place} refuses `rest_user` or `rest_password`"));
            }
            status if status.is_redirection() => {
                return Err(format!("{place} answers with a redirect, which is not followed"));
            }
            status => return Err(format!("{place} answers {menu} with status {status}")),
        }
        let body = self.read(response, menu).await?;
        let value = serde_json::from_slice(&body);
        value.map(Some).map_err(|_| format!("what {place} answers to {menu} is not JSON"))
    }

    async fn read(&self, mut response: reqwest::Response, menu: &str) -> Result<Vec<u8>, String> {
        let mut body: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.why(&e))? {
            if body.len() + chunk.len() > MOST_BYTES {
                let place = self.place;
                return Err(format!("{place} answers {menu} with more than {MOST_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn why(&self, error: &reqwest::Error) -> String {
        let place = self.place;
        match self.pinned.refused() {
            Some(shown) => format!(
                "the certificate of {place} is not that of `rest_fingerprint`: it shows one with \
                 the fingerprint {shown}"
            ),
            None => format!("{place} cannot be asked: {}", root(error)),
        }
    }
}

/// What is at the bottom of it, which is what helps.
fn root(mut error: &(dyn StdError + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
