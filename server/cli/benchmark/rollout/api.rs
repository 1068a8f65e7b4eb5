//! What the benchmark orders of its server, over REST as anybody would.

use anyhow::{Context, ensure};
use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use muster_sim::packages;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::TARGET;
use crate::cli::benchmark::server::Server;

/// Bytes of a package, about: what is measured is the server and not a disk.
const PACKAGE: u32 = 1_000;

/// The API of a server, with a token that may do everything.
pub(in crate::cli::benchmark) struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    /// Of this one.
    pub async fn of(server: &Server) -> anyhow::Result<Self> {
        let token = server.token().await?;
        Ok(Self { client: Client::new(), base: format!("http://{}", server.web), token })
    }

    /// Uploads a release for one architecture.
    pub async fn upload(&self, version: &RosVersion, arch: Arch) -> anyhow::Result<()> {
        for name in packages::names(version, arch) {
            let (file, bytes) = packages::file(name, version, arch, PACKAGE);
            let path = format!("/api/v1/releases/packages?name={file}");
            self.call(self.request(Method::POST, &path).body(bytes)).await.context(file)?;
        }
        Ok(())
    }

    /// Writes a draft of an upgrade for these devices.
    pub async fn draft(&self, selector: &str, plan: &Value) -> anyhow::Result<Uuid> {
        let body = json!({
            "name": "bench", "plan": plan, "audience": { "selector": selector },
            "change": { "kind": "release", "version": TARGET.to_string() },
        });
        let request = self.request(Method::POST, "/api/v1/rollouts").json(&body);
        let draft = self.call(request).await?;
        draft["rollout_id"].as_str().context("a rollout without an id")?.parse().context("its id")
    }

    /// Orders something of a rollout; `null` is no body.
    pub async fn order(&self, id: Uuid, verb: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.request(Method::POST, &format!("/api/v1/rollouts/{id}/{verb}"));
        let request = if body.is_null() { request } else { request.json(body) };
        self.call(request).await.with_context(|| verb.to_owned())
    }

    /// Makes something.
    pub async fn made(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(self.request(Method::POST, path).json(body))
            .await
            .with_context(|| path.to_owned())
    }

    /// Puts something in its place.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(self.request(Method::PUT, path).json(body)).await.with_context(|| path.to_owned())
    }

    /// Changes something, whatever version it has.
    pub async fn patched(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.request(Method::PATCH, path).header("if-match", "*").json(body);
        self.call(request).await.with_context(|| path.to_owned())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    async fn call(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
