//! How to reach the server, and with which token: the options that all commands over the API share.
//!
//! Owns that a token is not seen: not in a debug print, and not by whoever a redirect points to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::Url;

use super::http::Api;

/// To connect.
const CONNECT: Duration = Duration::from_secs(10);
/// For which an answer may pause; a bulk job on many devices takes a while.
const SILENCE: Duration = Duration::from_secs(120);

/// Where the server is and who asks.
#[derive(Debug, Args)]
pub struct Connection {
    /// Where dashboard and API are served.
    #[arg(
        long,
        global = true,
        env = "MUSTER_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        value_parser = server_url
    )]
    server: Url,
    /// Token for the API. Other users of this machine see what stands here: the environment or
    /// --token-file are better places.
    #[arg(
        long,
        global = true,
        env = "MUSTER_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        value_parser = Secret::read
    )]
    token: Option<Secret>,
    /// File that holds the token; goes before --token.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the CA that signed the server's certificate; the system's CAs when absent.
    #[arg(long, global = true, env = "MUSTER_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print the API's JSON; with --all one line per item.
    #[arg(long, global = true)]
    json: bool,
}

/// A token, which must not be seen in a debug print.
#[derive(Clone)]
struct Secret(String);

impl Secret {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| format!("`{text}` is no http or https URL"))
}

impl Connection {
    /// The API there. Nothing is sent yet.
    pub(super) fn open(&self) -> anyhow::Result<Api> {
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(Policy::none())
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &self.ca {
            let place = || format!("--ca {}", path.display());
            let pem = std::fs::read(path).with_context(place)?;
            let certificates = Certificate::from_pem_bundle(&pem).with_context(place)?;
            ensure!(!certificates.is_empty(), "{} holds no certificate", path.display());
            builder = builder.tls_certs_only(certificates);
        } else if self.server.scheme() == "http" {
            // There is nothing to verify: spare the reading of all the system's CAs.
            builder = builder.tls_certs_only([]);
        }
        let token = match &self.token_file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("--token-file {}", path.display()))?,
            None => self.token.as_ref().map(|token| token.0.clone()).unwrap_or_default(),
        };
        let token = Some(token.trim().to_owned()).filter(|token| !token.is_empty());
        Ok(Api::new(builder.build()?, self.server.clone(), token, self.json))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_token_is_not_seen() {
        let secret = Secret::read(" mst_1_hunter2\n").unwrap();
        assert_eq!(secret.0, "mst_1_hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn a_server_is_named_by_a_url() {
        assert!(server_url("https://muster.example:8443/m").is_ok());
        for bad in ["", "127.0.0.1:8080", "muster.example", "ftp://x/"] {
            assert!(server_url(bad).is_err(), "{bad}");
        }
    }
}
